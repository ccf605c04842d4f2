//! The plan: what makes actual equal desired, what was kept back, and why. Pure: no clock, no
//! random number, no log, no I/O.

mod absence;
mod advance;
mod claim;
mod compare;
mod create;
mod draft;
mod dropped;
mod effects;
mod equal;
mod fixpoint;
mod forbid;
mod guard;
mod guard_base;
mod handover;
mod hold;
mod limited;
mod mask;
mod order;
mod peer;
mod planner;
mod record;
mod regained;
mod remember;
mod removal;
mod rename;
pub mod render;
mod rules;
mod share;
mod status;
mod successors;
mod tally;
mod target;
mod types;
mod waiting;

pub use advance::{advance, fresh, next_version};
pub use claim::{Claimed, StepClaim, current};
pub use guard::over_budget;
pub use planner::{findings, plan};
pub use remember::held_since;
pub use rules::{Accept, Authority, Doubtful, Guards, IdleReason, Limit, Mode, Peer, Rules};
pub use successors::{is_declared_administrator, losing_administrators};
pub use target::closure;
pub use types::{
    Agreed, AgreedClaim, Body, Held, Plan, Reason, SourceRef, Step, Summary, Verb, plain,
};

//! The plan: what makes actual equal desired, what was kept back, and why. Pure: no clock, no
//! random number, no log, no I/O.

mod absence;
mod advance;
mod budget_share;
mod compare;
mod context;
mod create;
mod draft;
mod dropped_members;
mod effects;
mod exceeded_limit;
mod finish;
mod fixpoint;
mod forbid;
mod guard;
mod guard_base;
mod handover;
mod hold;
mod mask;
mod order;
mod peer;
mod planner;
mod record_mates;
mod regained;
mod remembered_steps;
mod removal;
mod rename;
pub mod render;
mod resource_holds;
mod rules;
mod status;
mod step_claim;
mod successors;
mod summary;
mod target_closure;
mod types;
mod value_equality;
mod waiting_fields;

pub use advance::{advance, default_row, next_version};
pub use guard::over_budget;
pub use planner::{diagnostics, plan};
pub use remembered_steps::held_since;
pub use rules::{
    AcceptOverride, AuthorityMode, DoubtfulField, GuardLimit, GuardLimits, IdleReason, PeerSource,
    PlanRules, SourceAuthority,
};
pub use step_claim::{ClaimDigests, StepClaim, current_digest};
pub use successors::{is_declared_administrator, losing_administrators};
pub use target_closure::closure;
pub use types::{
    ClaimAction, ClaimUpdate, HoldEntry, Plan, PlanSummary, SourceRef, Step, StepBody, StepReason,
    StepVerb, plain,
};

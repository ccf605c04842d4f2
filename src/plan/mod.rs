//! Planning: what makes the database equal to what is declared, what is held, and why.
//!
//! In go the declared and the stored state and the rules of the operator (`rules.rs`), out comes a
//! plan (`types.rs`), which [`render`] writes for people and programs. Start reading at
//! `planner.rs`, which names the stages. Everything here is pure: no clock, no random numbers, no
//! logging, no I/O.

mod absence;
mod account_folders;
mod advance;
mod borrowed_change;
mod budget_share;
mod commit_approvals;
mod compare;
mod consequence_holds;
mod consequences;
mod context;
mod create;
mod dated_changes;
mod draft;
mod drafts;
mod dropped_members;
mod effect_budget;
mod effects;
mod emptied_kinds;
mod exceeded_limit;
mod finish;
mod forbid;
mod guard;
mod guard_base;
mod guard_count;
mod hold;
mod hold_ledger;
mod impact;
mod judge;
mod mask;
mod open_jobs;
mod order;
mod peer;
mod person_name;
mod plan_base;
mod planned_change;
mod planner;
mod preview;
mod record_mates;
mod recorded_values;
mod regained;
mod remainder;
mod remembered_steps;
mod removal;
mod rename;
pub mod render;
mod required_approvals;
mod resource_holds;
mod retired_members;
mod retired_references;
mod revert;
mod reverted_notes;
mod rule_diagnostics;
mod rules;
mod runtime_changes;
mod set_back;
mod settle;
mod shared_addresses;
mod status;
mod step_claim;
mod stored_ends;
mod successors;
mod summary;
mod target_closure;
mod types;
mod undone_change;
mod value_equality;
pub mod visibility;
mod waiting_fields;

pub use account_folders::AccountFolders;
pub use advance::{advance, default_row, next_version};
pub use borrowed_change::BorrowedChange;
pub use commit_approvals::{CommitAccept, CommitApproval, is_used, needed_overrides};
pub use effect_budget::EffectBudget;
pub use effects::{EffectName, PlanEffect, PlanEffects};
pub use guard::over_budget;
pub use impact::{
    ImpactAnswer, ImpactNumber, StepImpact, add_impact, impact_subjects, needs_impact_hold,
    over_impact,
};
pub use mask::conceal_others;
pub use open_jobs::declared_deletions;
pub use person_name::{distinct_people, is_same_person};
pub use plan_base::{PlanBase, PlanParts};
pub use planner::{diagnostics, plan};
pub use preview::PlanPreview;
pub use recorded_values::may_have_changed;
pub use remembered_steps::held_since;
pub use required_approvals::approving_people;
pub use retired_members::{leave_out, named_people, possibly_retired};
pub use retired_references::undeclared_references;
pub use revert::{RevertPlan, RevertedRun, RunField, revert};
pub use rules::{
    AcceptOverride, AuthorityMode, DoubtfulField, GuardLimit, GuardLimits, IdleReason, PeerSource,
    PlanRules, SourceAuthority, UndeclaredKeys,
};
pub use runtime_changes::RuntimeChanges;
pub use shared_addresses::shared_by;
pub use step_claim::{ClaimDigests, StepClaim, current_digest};
pub use successors::{is_declared_administrator, losing_administrators};
pub use target_closure::closure;
pub use types::{
    ClaimAction, ClaimUpdate, HoldEntry, Plan, PlanSummary, SourceRef, Step, StepBody,
    StepConsequence, StepReason, StepVerb, plain,
};
pub use undone_change::{UndoneChange, find_undone, may_undo};
pub use value_equality::same_value;

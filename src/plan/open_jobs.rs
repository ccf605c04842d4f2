//! Holds the deletion of a user who has jobs that somebody still works on. The others go along.

use super::context::PlanContext;
use super::hold::{Hold, HoldMember, effect_member};
use super::hold_ledger::RuleOutcome;
use super::planned_change;
use super::remainder::PlanRemainder;
use super::status::written_status;
use crate::check::PlannedOutcome;
use crate::diagnostic::codes;
use crate::kinds::{TAG, USER};
use crate::model::{Desired, Key};

/// The users and tags whose deletion is declared, so that their jobs and offers have to be looked
/// up.
pub fn declared_deletions(desired: &Desired) -> Vec<Key> {
    let all = desired.resources.iter();
    let deleted = all.filter(|declared| {
        [USER, TAG].contains(&declared.key.kind) && written_status(declared) == Some("deleted")
    });
    deleted.map(|declared| declared.key.clone()).collect()
}

pub(super) fn hold_open_jobs(context: &PlanContext<'_>, left: &PlanRemainder) -> RuleOutcome {
    let effects = left.effects.iter();
    let deleted = effects.filter(|effect| matches!(effect.outcome, PlannedOutcome::Delete(_)));
    let holds = deleted.filter_map(|effect| {
        let jobs = context.stored.open_jobs.get(&effect.key)?;
        let named: Vec<String> = jobs
            .iter()
            .map(|(id, status)| format!("{id} is {status}"))
            .collect();
        let message = format!(
            "somebody still works on jobs of {}: {}; complete them first",
            effect.key,
            named.join(", ")
        );
        let member = HoldMember {
            whole: true,
            ..effect_member(context, effect, planned_change::verb(context, effect))
        };
        Some(Hold::single(codes::JOBS_OPEN, message, member))
    });
    holds.collect::<Vec<Hold>>().into()
}

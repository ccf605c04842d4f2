//! Decides whether a plan made on a part of the database equals the plan on all of it, and fills in
//! the totals that the part cannot know. Start reading at [`why_not_usable`].

use super::checkpoint::CheckpointBasis;
use super::files::{IncrementalRead, ReadFiles};
use crate::kinds;
use crate::model::{Desired, Key, Snapshot};
use crate::plan::{Plan, PlanSummary, SourceRef, Step};
use crate::store::{ReadTransaction, StaleClaim, StoreError};
use std::collections::BTreeSet;

/// Why everything is read after a large change outside Roster.
pub const MANY_FOREIGN_WRITES: &str = "many rows that it claims were changed outside Roster";

/// How many resources a source declares and claims, as of its last apply.
pub struct ClaimTotals {
    pub basis: CheckpointBasis,
    /// The resources that it claims and somebody else has changed since.
    pub foreign: BTreeSet<Key>,
    /// How many live rows no source claims.
    unclaimed: u64,
}

impl ClaimTotals {
    /// Reads the totals, or says why everything has to be read.
    pub async fn read(
        transaction: &mut ReadTransaction,
        source: &str,
        unread: &IncrementalRead,
    ) -> Result<Result<Self, &'static str>, StoreError> {
        // An apply that changes what the source claims leaves it another checkpoint, or none.
        let applied = transaction.source_checkpoint(source).await?;
        let Some(applied) = applied.filter(|applied| {
            applied.revision == unread.since && applied.fingerprint == unread.fingerprint
        }) else {
            return Ok(Err("another apply came in between"));
        };
        let Some(stale) = transaction.stale_claims(source).await? else {
            return Ok(Err(MANY_FOREIGN_WRITES));
        };
        let foreign = without_orphans(stale, &applied.orphans);
        let foreign = foreign.into_iter().map(|claim| claim.key);
        let mut foreign: BTreeSet<Key> = foreign.collect();
        let unclaimed = if let Some(hidden) = &unread.hidden_writes {
            foreign.extend(hidden.rows.keys().cloned());
            hidden.unclaimed
        } else {
            transaction.unclaimed().await?
        };
        tracing::debug!(source, claims = foreign.len(), "listed the foreign writes");
        Ok(Ok(Self {
            basis: CheckpointBasis {
                resources: applied.resources,
                claimed: applied.claimed,
                orphans: applied.orphans,
                ..CheckpointBasis::default()
            },
            foreign,
            unclaimed,
        }))
    }

    /// The plan of a source that is unchanged since its last apply, when the plans in `earlier`
    /// come first.
    pub fn unchanged_plan(
        &self,
        desired: &Desired,
        transaction: &ReadTransaction,
        earlier: &[Plan],
    ) -> Plan {
        // What the earlier plans of this pass adopt is claimed by the time that this one is
        // applied.
        let adopted: u64 = earlier.iter().map(|plan| plan.summary.adopt).sum();
        Plan {
            source: SourceRef {
                name: desired.source.clone(),
                revision: desired.revision.clone(),
            },
            database: Some(transaction.database().to_owned()),
            environment: transaction.environment().map(ToOwned::to_owned),
            summary: PlanSummary {
                unchanged: self.basis.resources,
                unclaimed: self.unclaimed.saturating_sub(adopted),
                ..PlanSummary::default()
            },
            orphans: self.basis.orphans.clone(),
            ..Plan::default()
        }
    }

    /// Adds to a plan of the changed rows of an export the totals that they do not show.
    pub fn complete_rows(&self, plan: &mut Plan, desired: &Desired, stored: &Snapshot) {
        let unread = self.basis.resources - desired.resources.len() as u64;
        plan.summary.unchanged += unread;
        plan.summary.unclaimed = unclaimed_after(self.unclaimed, desired, stored);
    }

    /// Adds to a plan of the changed files the totals of the unchanged ones.
    pub fn complete(&self, plan: &mut Plan, desired: &Desired, stored: &Snapshot) {
        plan.summary.unchanged = self.basis.resources - plan.steps.len() as u64;
        plan.orphans.clone_from(&self.basis.orphans);
        plan.summary.unclaimed = unclaimed_after(self.unclaimed, desired, stored);
    }
}

/// Why a plan of the changed rows of an export may differ from the plan of all rows. What is held is
/// held by its own rows, by counts that the database knows, or because it was held before.
pub fn why_rows_do_not_suffice(plan: &Plan) -> Option<&'static str> {
    let is_clear = has_no_other_decision(plan) && plan.waits_for.is_empty();
    (!is_clear).then_some("the change needs a decision")
}

/// The stale claims that a plan looks at. It only lists the orphans that are still stored: nothing
/// declares what they should be.
pub fn without_orphans(mut stale: Vec<StaleClaim>, orphans: &[Key]) -> Vec<StaleClaim> {
    stale.retain(|claim| !(claim.has_row && orphans.contains(&claim.key)));
    stale
}

/// How many live rows no source claims once the declared ones are adopted.
pub fn unclaimed_after(before: u64, desired: &Desired, stored: &Snapshot) -> u64 {
    let new = |key: &Key| stored.rows.has_read(key) && !stored.claims.contains_key(key);
    let declared = desired.resources.iter();
    let adopted = declared.filter(|it| new(&it.key)).count() as u64;
    before.saturating_sub(adopted)
}

/// Why a plan of the changed files may differ from the plan of all files.
pub fn why_not_usable(
    plan: &Plan,
    files: &ReadFiles,
    basis: &CheckpointBasis,
) -> Option<&'static str> {
    let repeated = |key: &Key| files.repeated.contains_key(key) || basis.repeated.contains(key);
    let steps = plan.steps.iter().map(|step| &step.key);
    let mut touched = steps.chain(plan.claim_updates.iter().map(|agreed| &agreed.key));
    // The other place may be a file that was not read and that says something else.
    if touched.any(repeated) {
        return Some("a changed resource is also declared elsewhere");
    }
    (!needs_no_decision(plan)).then_some("the change needs a decision")
}

/// Whether nobody has to decide anything about the plan. Holds and releases depend on resources
/// that were not read. The bases of the guards are counted in the database, so those are exact here
/// too.
fn needs_no_decision(plan: &Plan) -> bool {
    plan.held.is_empty() && has_no_other_decision(plan)
}

fn has_no_other_decision(plan: &Plan) -> bool {
    // A step on a rule kind changes what the files that were not read mean.
    let judges = |step: &Step| kinds::RULE_KINDS.contains(&step.key.kind);
    !plan.errored
        && plan.released.is_empty()
        && plan.accepted.is_empty()
        && !plan.steps.iter().any(judges)
}

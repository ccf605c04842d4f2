//! What planning came to, made into the plan: steps in order, holds and diagnostics sorted.

use super::context::PlanContext;
use super::planner::PlanInProgress;
use super::types::{ClaimAction, ClaimUpdate, HoldEntry, Plan, SourceRef};
use super::{guard, guard_base, order, remembered_steps, summary};
use crate::check::EffectOutcome;
use crate::diagnostic;
use crate::model::{Claim, ClaimState, Key};
use std::collections::BTreeSet;

/// Errors refuse the plan: nothing but the findings is left.
pub(super) fn refused(context: &PlanContext<'_>, mut work: PlanInProgress) -> Plan {
    diagnostic::sort(&mut work.diagnostics);
    Plan {
        errored: true,
        diagnostics: work.diagnostics,
        ..header(context)
    }
}

/// The findings alone.
pub(super) fn diagnostics_only(context: &PlanContext<'_>, mut work: PlanInProgress) -> Plan {
    diagnostic::sort(&mut work.diagnostics);
    Plan {
        diagnostics: work.diagnostics,
        ..header(context)
    }
}

fn header(context: &PlanContext<'_>) -> Plan {
    Plan {
        source: SourceRef {
            name: context.desired.source.clone(),
            revision: context.desired.revision.clone(),
        },
        database: context.stored.database.clone(),
        environment: context.stored.environment.clone(),
        ..Plan::default()
    }
}

pub(super) fn finish(context: &PlanContext<'_>, mut work: PlanInProgress) -> Plan {
    work.drop_empty(context);
    let spent = guard::budget_use(context, &work);
    let bases = guard_base::bases(context, spent.keys());
    let forgotten = remembered_steps::forgotten(context, &work);
    let mut steps = order::steps(context, &work);
    order::sort(context, &work, &mut steps);
    work.agree_on_equal(context);
    diagnostic::sort(&mut work.diagnostics);
    // Not by the id alone, which differs from database to database.
    let place = |held: &HoldEntry| held.changes.first().map(|change| change.field.clone());
    work.held.sort_by(|a, b| {
        (&a.key, a.code, place(a), &a.hold).cmp(&(&b.key, b.code, place(b), &b.hold))
    });
    work.used_consents.sort();
    work.used_consents.dedup();
    work.remembered
        .sort_by(|a, b| (&a.key, &a.budget).cmp(&(&b.key, &b.budget)));
    work.remembered.dedup_by(|a, b| a.is_same_step(b));
    let mut unsettled: BTreeSet<Key> = work.open_fields.into_keys().collect();
    unsettled.extend(work.held.iter().map(|held| held.key.clone()));
    unsettled.extend(
        work.diagnostics
            .iter()
            .filter_map(|found| found.key.clone()),
    );
    let mut plan = Plan {
        unsettled,
        steps,
        held: work.held,
        orphans: work.orphans,
        released: work.released,
        accepted: work.used_consents,
        diagnostics: work.diagnostics,
        claim_updates: work.claim_updates,
        waits_for: work.waits_for,
        budget_use: spent,
        budget_bases: bases,
        remembered_steps: work.remembered,
        forgotten_steps: forgotten,
        ..header(context)
    };
    plan.summary = summary::summary(context, &plan);
    if context.rules.exact {
        plan.undeclared = summary::undeclared(context);
    }
    plan
}

impl PlanInProgress {
    /// An effect of which nothing is left is none, unless it adopts.
    fn drop_empty(&mut self, context: &PlanContext<'_>) {
        let source = &context.desired.source;
        self.effects.retain(|effect| match &effect.outcome {
            EffectOutcome::Change(changes) => {
                !changes.is_empty() || context.stored.claim(source, &effect.key).is_none()
            }
            _ => true,
        });
    }

    /// The claims of what was found equal move with it.
    fn agree_on_equal(&mut self, context: &PlanContext<'_>) {
        for key in std::mem::take(&mut self.refreshed) {
            let declared = context.desired.resources.get(&key);
            let (Some(declared), Some(row)) = (declared, context.stored.rows.get(&key)) else {
                continue;
            };
            if self.blocked.contains_key(&key) || self.effects.contains(&key) {
                continue;
            }
            let Some(claimed) = order::claim(context, self, &key) else {
                continue;
            };
            let claimed = claimed.digests().into_owned();
            let claim = Claim {
                source: context.desired.source.clone(),
                digest: claimed.digest,
                fields: claimed.fields,
                seen_version: row.version,
                state: ClaimState::Active,
                path: declared.path.clone(),
                position: declared.position,
                revision: context.desired.revision.clone(),
            };
            self.claim_updates.push(ClaimUpdate {
                key,
                claim: ClaimAction::Write(Box::new(claim)),
            });
        }
        self.claim_updates.sort_by(|a, b| a.key.cmp(&b.key));
    }
}

//! What planning came to, made into the plan: steps in order, holds and diagnostics sorted.
//!
//! The last stage: it decides nothing any more.

use super::context::PlanContext;
use super::hold_ledger::HoldLedger;
use super::judge::JudgedDrafts;
use super::remainder::PlanRemainder;
use super::settle::SettledPlan;
use super::types::{ClaimAction, ClaimUpdate, HoldEntry, Plan, SourceRef};
use super::{guard, guard_base, order, remembered_steps, summary};
use crate::diagnostic::{self, Diagnostic};
use crate::model::{Claim, ClaimState, HeldStep, Key};
use std::collections::BTreeSet;

/// Errors refuse the plan: nothing but the findings is left.
pub(super) fn refused(context: &PlanContext<'_>, judged: JudgedDrafts) -> Plan {
    Plan {
        errored: true,
        diagnostics: sorted(judged.diagnostics),
        ..header(context)
    }
}

/// The findings alone.
pub(super) fn diagnostics_only(context: &PlanContext<'_>, settled: SettledPlan) -> Plan {
    Plan {
        diagnostics: sorted(settled.diagnostics),
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

pub(super) fn finish(context: &PlanContext<'_>, settled: SettledPlan) -> Plan {
    let left = settled.left.without_empty_effects(context);
    let diagnostics = sorted(settled.diagnostics);
    let spent = guard::budget_use(context, &left);
    let bases = guard_base::bases(context, spent.keys());
    let forgotten = remembered_steps::forgotten(context, &left);
    let mut steps = order::steps(context, &left);
    order::sort(context, &left, &mut steps);
    let mut claim_updates = claims_of_equal(context, &left);
    let PlanRemainder {
        claims,
        removals,
        ledger,
        ..
    } = left;
    claim_updates.extend(removals.claim_updates);
    claim_updates.sort_by(|a, b| a.key.cmp(&b.key));
    let (held, accepted, remembered) = sorted_ledger(ledger);
    let mut unsettled: BTreeSet<Key> = claims.open_fields.into_keys().collect();
    unsettled.extend(held.iter().map(|held| held.key.clone()));
    unsettled.extend(diagnostics.iter().filter_map(|found| found.key.clone()));
    let mut plan = Plan {
        unsettled,
        steps,
        held,
        orphans: removals.orphans,
        released: removals.released,
        accepted,
        diagnostics,
        claim_updates,
        waits_for: removals.waits_for,
        budget_use: spent,
        budget_bases: bases,
        remembered_steps: remembered,
        forgotten_steps: forgotten,
        ..header(context)
    };
    plan.summary = summary::summary(context, &plan);
    if context.rules.exact {
        plan.undeclared = summary::undeclared(context);
    }
    plan
}

fn sorted(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostic::sort(&mut diagnostics);
    diagnostics
}

/// What is held, the consents that were used and the steps to remember, each in order.
fn sorted_ledger(ledger: HoldLedger) -> (Vec<HoldEntry>, Vec<String>, Vec<HeldStep>) {
    let HoldLedger {
        mut held,
        used_consents: mut consents,
        mut remembered,
        ..
    } = ledger;
    // Not by the id alone, which differs from database to database.
    let place = |held: &HoldEntry| held.changes.first().map(|change| change.field.clone());
    held.sort_by(|a, b| {
        (&a.key, a.code, place(a), &a.hold).cmp(&(&b.key, b.code, place(b), &b.hold))
    });
    consents.sort();
    consents.dedup();
    remembered.sort_by(|a, b| (&a.key, &a.budget).cmp(&(&b.key, &b.budget)));
    remembered.dedup_by(|a, b| a.is_same_step(b));
    (held, consents, remembered)
}

/// The claims on what was found equal move with it.
fn claims_of_equal(context: &PlanContext<'_>, left: &PlanRemainder) -> Vec<ClaimUpdate> {
    let updates = left.claims.refreshed.iter().filter_map(|key| {
        let declared = context.desired.resources.get(key);
        let (declared, row) = declared.zip(context.stored.rows.get(key))?;
        if left.ledger.is_blocked(key) || left.effects.contains(key) {
            return None;
        }
        let claimed = order::claim(context, left, key)?.digests().into_owned();
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
        Some(ClaimUpdate {
            key: key.clone(),
            claim: ClaimAction::Write(Box::new(claim)),
        })
    });
    updates.collect()
}

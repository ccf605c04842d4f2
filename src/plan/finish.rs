//! The last stage: turns the settled result into a plan, with steps in order and with holds and
//! diagnostics sorted. It decides nothing. Start reading at [`finish`].

use super::context::PlanContext;
use super::effects::{self, DeltaLayer, EffectFilter, PlanEffects};
use super::hold_ledger::HoldLedger;
use super::judge::JudgedDrafts;
use super::remainder::PlanRemainder;
use super::settle::SettledPlan;
use super::types::{ClaimAction, ClaimUpdate, HoldEntry, Plan, SourceRef};
use super::{guard, guard_base, order, remembered_steps, summary};
use crate::check::{PlannedState, taken_logins};
use crate::diagnostic::{self, Diagnostic};
use crate::model::{Claim, ClaimState, HeldStep, Key};
use std::collections::BTreeSet;

/// A plan that is refused because of errors and only carries the diagnostics.
pub(super) fn refused(context: &PlanContext<'_>, judged: JudgedDrafts) -> Plan {
    Plan {
        errored: true,
        diagnostics: sorted(judged.diagnostics),
        ..header(context)
    }
}

/// A plan with the diagnostics alone.
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
        partial: context.rules.only.is_some(),
        ..Plan::default()
    }
}

pub(super) fn finish(context: &PlanContext<'_>, settled: SettledPlan) -> Plan {
    // Effects that holds emptied count against no budget, so they go before the budgets are added
    // up.
    let mut left = settled.left.without_empty_effects(context);
    let effects = add_effects(context, &mut left);
    let diagnostics = sorted(settled.diagnostics);
    let spent = guard::budget_use(context, &left);
    let bases = guard_base::bases(context, spent.keys());
    let forgotten = remembered_steps::forgotten(context, &left);
    let mut steps = order::steps(context, &left);
    order::sort(context, &left, &mut steps);
    let logins = taken_logins(&PlannedState::new(
        context.stored,
        context.desired,
        &left.effects,
    ));
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
    let mut open: BTreeSet<Key> = claims.open_fields.into_keys().collect();
    open.extend(held.iter().map(|held| held.key.clone()));
    // The next pass must read these again, even when their file does not change.
    let mut unsettled = open.clone();
    unsettled.extend(diagnostics.iter().filter_map(|found| found.key.clone()));
    let mut plan = Plan {
        unsettled,
        open,
        steps,
        held,
        orphans: removals.orphans,
        released: removals.released,
        accepted,
        diagnostics,
        claim_updates,
        logins,
        waits_for: removals.waits_for,
        budget_use: spent,
        budget_bases: bases,
        effects,
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

/// Works out the effects of the steps, and adds to each held entry its own.
fn add_effects(context: &PlanContext<'_>, left: &mut PlanRemainder) -> PlanEffects {
    let (stored, watched) = (context.stored, &context.rules.effect_fields);
    let steps = DeltaLayer::planned(&left.effects);
    let found = effects::compare(stored, &[&steps], watched, EffectFilter::First);
    effects::add_held_effects(&mut left.ledger.held, stored, &steps, watched);
    found.into_effects()
}

fn sorted(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostic::sort(&mut diagnostics);
    diagnostics
}

/// The holds, used consents and steps to remember, each sorted.
fn sorted_ledger(ledger: HoldLedger) -> (Vec<HoldEntry>, Vec<String>, Vec<HeldStep>) {
    let HoldLedger {
        mut held,
        used_consents: mut consents,
        mut remembered,
        ..
    } = ledger;
    // By key first: hold ids differ from database to database, and tests and reviews compare plans.
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

/// The new claims on resources that were found equal.
fn claims_of_equal(context: &PlanContext<'_>, left: &PlanRemainder) -> Vec<ClaimUpdate> {
    let updates = left.claims.refreshed.iter().filter_map(|key| {
        let declared = context.desired.resources.get(key);
        let (declared, row) = declared.zip(context.stored.rows.get(key))?;
        // A blocked resource keeps its old claim, or its held change would look applied.
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

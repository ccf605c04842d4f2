//! Holds and the consequences of deleted accounts: what goes with an account is held with it, and an
//! account goes only with everything that belongs to it. [`holds_of_incomplete`] holds an account
//! again whose consequences are not all left.

use super::context::PlanContext;
use super::hold::Hold;
use super::remainder::PlanRemainder;
use super::resource_holds::{HoldCause, resource_hold};
use crate::check::{DeletionConsequence, PlannedChange, PlannedOutcome};
use crate::diagnostic::codes;
use crate::model::Key;
use std::collections::{BTreeMap, BTreeSet};

/// What all deleted accounts take with them.
pub(super) fn keys(left: &PlanRemainder) -> BTreeSet<&Key> {
    let effects = left.effects.iter();
    let all = effects.flat_map(PlannedChange::consequences);
    all.map(|consequence| &consequence.key).collect()
}

/// How many resources go with an account, in words, or nothing.
pub(super) fn summary(consequences: &[DeletionConsequence]) -> String {
    let mut counts: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    for consequence in consequences {
        let what = match &consequence.changes {
            None => (0, "deleted"),
            Some(_) if consequence.deactivates() => (1, "set inactive"),
            Some(_) => (2, "unlinked"),
        };
        *counts.entry(what).or_default() += 1;
    }
    let counts = counts.into_iter();
    let parts: Vec<String> = counts
        .map(|((_, what), count)| format!("{count} {what}"))
        .collect();
    if parts.is_empty() {
        return String::new();
    }
    format!(" with what belongs to it ({})", parts.join(", "))
}

/// Holds the accounts of which some consequence is held by itself: a protected user, or one that a
/// guard holds. Nothing of such an account goes.
pub(super) fn holds_of_incomplete(context: &PlanContext<'_>, left: &PlanRemainder) -> Vec<Hold> {
    let mut holds = Vec::new();
    for effect in &left.effects {
        let mut consequences = effect.consequences().iter();
        let Some(missing) = consequences.find(|consequence| !is_left(left, consequence)) else {
            continue;
        };
        let root = left.ledger.holding_rule(&missing.key);
        let root = root.unwrap_or(codes::IN_USE);
        let message = format!(
            "{} cannot be deleted without {}, which is held ({root})",
            effect.key, missing.key
        );
        let cause = HoldCause::dependency(root, &message);
        holds.extend(resource_hold(context, left, &effect.key, cause));
    }
    holds
}

/// Whether a consequence is still part of the plan as it was drafted.
fn is_left(left: &PlanRemainder, consequence: &DeletionConsequence) -> bool {
    let Some(effect) = left.effects.get(&consequence.key) else {
        return false;
    };
    if left.ledger.is_blocked(&consequence.key) {
        return false;
    }
    match (&consequence.changes, &effect.outcome) {
        (None, PlannedOutcome::Delete(_)) => true,
        (Some(planned), PlannedOutcome::Change(changes)) => planned.iter().all(|change| {
            changes.contains(change) && !left.ledger.holds_field(&effect.key, &change.field)
        }),
        _ => false,
    }
}

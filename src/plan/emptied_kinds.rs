//! Holds the removal of a whole kind, or of everything that a source claims, as one decision. In
//! goes what would be deactivated because it is no longer declared; out comes one hold for each
//! emptied kind, or one for all, and the keys that the guards then leave alone.

use super::context::PlanContext;
use super::guard_base;
use super::hold::{Hold, effect_member};
use super::hold_ledger::RuleOutcome;
use super::remainder::PlanRemainder;
use super::remembered_steps;
use super::rules::{AcceptOverride, UndeclaredKeys};
use super::types::{StepReason, StepVerb};
use crate::check::PlannedChange;
use crate::diagnostic::codes;
use crate::kinds;
use crate::model::{Key, KindId};
use std::collections::BTreeMap;

/// The resources that would be deactivated because they are no longer declared.
pub(super) fn removed_keys(left: &PlanRemainder) -> Vec<Key> {
    let absent = |effect: &&PlannedChange| left.reason(&effect.key) == StepReason::Removed;
    left.effects
        .iter()
        .filter(absent)
        .map(|effect| effect.key.clone())
        .collect()
}

/// Holds what would go when the source no longer declares anything of a kind, or anything at all.
/// Renames are decided before and are not part of it.
pub(super) fn hold_emptied_kinds(context: &PlanContext<'_>, left: &PlanRemainder) -> RuleOutcome {
    let renamed = left.ledger.covered();
    let (moved, gone): (Vec<Key>, Vec<Key>) = removed_keys(left)
        .into_iter()
        .partition(|key| renamed.contains(key));
    if gone.is_empty() {
        return RuleOutcome::default();
    }
    let mut live = live_without(context, &moved, gone.iter().map(|key| key.kind));
    let mut total: u64 = live.values().sum();
    let is_all = context.rules.undeclared == UndeclaredKeys::All;
    let nothing_left = is_all && context.desired.resources.is_empty();
    // Counting every kind is only worth it where these do not settle it.
    if nothing_left || gone.len() as u64 >= total {
        live = live_without(context, &moved, kinds::ALL.iter().map(|kind| kind.id));
        total = live.values().sum();
    }
    // One resource that goes is an everyday removal, unless the source is empty altogether.
    if nothing_left || (gone.len() >= 2 && gone.len() as u64 >= total) {
        let over = "empty=all";
        let mut outcome = RuleOutcome::default();
        hold_emptied(context, left, gone, total, over, &mut outcome);
        return outcome;
    }
    let mut by_kind: BTreeMap<KindId, Vec<Key>> = BTreeMap::new();
    for key in gone {
        by_kind.entry(key.kind).or_default().push(key);
    }
    // What was held before comes first; a resource belongs to one hold only.
    let mut outcome = hold_emptied_before(context, left, &by_kind);
    for (kind, mut keys) in by_kind {
        let of = live.get(&kind).copied().unwrap_or_default();
        let count = keys.len();
        keys.retain(|key| !outcome.covered.contains(key));
        if !keys.is_empty() && count >= 2 && count as u64 >= of {
            let over = format!("empty={}", kinds::get(kind).name);
            hold_emptied(context, left, keys, of, &over, &mut outcome);
        }
    }
    outcome
}

/// The live resources of some kinds that the source claims, without the renamed ones: ten of which
/// nine are renamed would otherwise never count as emptied.
fn live_without(
    context: &PlanContext<'_>,
    moved: &[Key],
    kinds: impl Iterator<Item = KindId>,
) -> BTreeMap<KindId, u64> {
    let mut live = guard_base::live_of(context, kinds);
    for key in moved {
        if let Some(count) = live.get_mut(&key.kind) {
            *count = count.saturating_sub(1);
        }
    }
    live
}

/// Holds again what an earlier pass held for this reason. That the source declares other resources
/// now is no decision about the held ones.
fn hold_emptied_before(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    gone: &BTreeMap<KindId, Vec<Key>>,
) -> RuleOutcome {
    let mut groups: BTreeMap<&str, (Vec<Key>, u64)> = BTreeMap::new();
    for record in remembered_steps::source_records(context)
        .filter(|it| it.budget.starts_with(remembered_steps::EMPTY))
    {
        let missing = gone.get(&record.key.kind);
        if missing.is_some_and(|keys| keys.contains(&record.key)) {
            let group = groups
                .entry(&record.budget)
                .or_insert((Vec::new(), u64::MAX));
            group.0.push(record.key.clone());
            group.1 = group.1.min(record.total);
        }
    }
    let mut outcome = RuleOutcome::default();
    for (over, (mut keys, of)) in groups {
        keys.retain(|key| !outcome.covered.contains(key));
        if !keys.is_empty() {
            hold_emptied(context, left, keys, of, over, &mut outcome);
        }
    }
    outcome
}

fn what_is_gone(name: &str) -> String {
    match name {
        "all" => "everything that the source claims".to_owned(),
        name => format!("every {name} that the source claims"),
    }
}

/// Adds the hold of one group to the outcome, or the override that allows it.
fn hold_emptied(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    keys: Vec<Key>,
    of: u64,
    over: &str,
    outcome: &mut RuleOutcome,
) {
    let count = keys.len() as u64;
    let name = over.trim_start_matches(remembered_steps::EMPTY);
    let accepts = |name: &str| {
        let given = AcceptOverride::Empty(name.to_owned());
        context.rules.accepts.contains(&given)
    };
    if accepts(name) || accepts("all") {
        outcome.consents.push(over.to_owned());
    } else {
        let members = keys.iter().filter_map(|key| left.effects.get(key));
        let members = members.map(|effect| effect_member(context, effect, StepVerb::Deactivate));
        let message = format!(
            "{} is gone and would be deactivated: {count} of {of}; if this is intended, pass `--accept {over}`",
            what_is_gone(name)
        );
        let hold = Hold {
            count: Some(count),
            total: Some(of),
            accept_option: Some(format!("--accept {over}")),
            members: members.collect(),
            ..Hold::without_members(codes::EMPTY_SOURCE, message)
        };
        let hold = remembered_steps::remembered(context, hold, over);
        outcome.holds.push(hold);
    }
    // Covered either way, so that one decision does not have to be made again for the guard.
    outcome.covered.extend(keys);
}

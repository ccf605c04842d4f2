//! What the source no longer declares: deactivated, released, an orphan, or held.

use super::absence::{counts_as_absent, hidden_elsewhere, hidden_keys, removals_off};
use super::context::PlanContext;
use super::forbid::effect_member;
use super::handover::{keep_claim, release_claim};
use super::hold::Hold;
use super::peer::PeerStanding;
use super::planner::PlanInProgress;
use super::remembered_steps;
use super::rules::AcceptOverride;
use super::types::{ClaimAction, ClaimUpdate, StepReason, StepVerb};
use crate::check::{EffectOutcome, ResourceEffect};
use crate::diagnostic::codes;
use crate::kinds;
use crate::model::{Claim, ClaimState, FieldChange, Key, KindId, Row, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Takes every claimed and no longer declared resource into the work.
pub(super) fn removals(context: &PlanContext<'_>, work: &mut PlanInProgress) {
    // A part is planned only of files that still declare all they declared.
    if context.stored.rows.is_partial() {
        return;
    }
    let mine = |claims: &[Claim]| {
        let claim = claims
            .iter()
            .find(|claim| claim.source == context.desired.source)?;
        (claim.state == ClaimState::Active).then(|| claim.clone())
    };
    let mut missing: Vec<(&Key, Claim)> = context
        .stored
        .claims
        .iter()
        .filter(|(key, _)| !context.desired.resources.contains(key))
        .filter(|(key, _)| !context.desired.shielded_keys.contains(key))
        .filter_map(|(key, claims)| Some((key, mine(claims)?)))
        .collect();
    missing.sort_by(|a, b| a.0.cmp(b.0));
    if missing.is_empty() {
        return;
    }
    if !context.desired.removals_off.is_empty() && context.rules.only.is_none() {
        work.diagnostics.push(removals_off(context, missing.len()));
        return;
    }
    let hidden = &context.desired.hidden_kinds;
    let known = missing.len();
    missing.retain(|(key, _)| !hidden.contains_key(&key.kind));
    if missing.len() < known {
        work.diagnostics
            .push(hidden_keys(context, known - missing.len()));
    }
    let mut unknown: BTreeMap<UncertainPeer<'_>, usize> = BTreeMap::new();
    for (key, claim) in missing {
        let meant = context
            .rules
            .only
            .as_ref()
            .is_none_or(|only| only.contains(key));
        if meant
            && counts_as_absent(context, key)
            && let Some(why) = remove(context, work, key, &claim)
        {
            work.waits_for.insert(why.0.to_owned());
            *unknown.entry(why).or_default() += 1;
        }
    }
    for ((peer, why), count) in unknown {
        work.diagnostics
            .push(hidden_elsewhere(context, peer, why, count));
    }
}

/// The source that may declare a resource without anybody knowing, and why.
type UncertainPeer<'p> = (&'p str, &'p str);

/// Removes one resource, unless another source declares it; returns the source of which that is not
/// known.
fn remove<'p>(
    context: &PlanContext<'p>,
    work: &mut PlanInProgress,
    key: &Key,
    claim: &Claim,
) -> Option<UncertainPeer<'p>> {
    let kind = kinds::get(key.kind);
    let Some(row) = context.stored.rows.get(key) else {
        // Without the claim nobody would know that somebody removed what another source declares.
        let mut peers = context.rules.peers.iter();
        if !peers.any(|peer| peer.declares(key).is_some()) {
            work.update_claim(key, ClaimAction::Release);
        }
        return None;
    };
    let mut unknown = None;
    let mut unaccepted = None;
    for peer in &context.rules.peers {
        match context.standing_of(peer, key) {
            PeerStanding::Declared => {
                release_claim(context, work, row, claim, peer);
                return None;
            }
            PeerStanding::Unaccepted => unaccepted = unaccepted.or(Some(peer)),
            PeerStanding::Unknown(why) => unknown = unknown.or(Some((&*peer.name, why))),
            PeerStanding::Absent => {}
        }
    }
    if let Some(peer) = unaccepted {
        keep_claim(work, key, claim, peer);
        return None;
    }
    if !kind.has_status {
        work.orphans.push(key.clone());
        return None;
    }
    if !context.rules.prune || !context.rules.authority.decides_existence(key.kind) {
        return None;
    }
    if unknown.is_some() {
        return unknown;
    }
    if status_of(row) == "inactive" {
        // Somebody deactivated it already. The claim is given up, so that a return adopts an
        // inactive row and is held, instead of undoing what was not this source's doing.
        work.update_claim(key, ClaimAction::Release);
        return None;
    }
    work.add_effect(
        ResourceEffect {
            key: key.clone(),
            outcome: EffectOutcome::Change(vec![deactivation(row)]),
        },
        StepReason::Removed,
    );
    None
}

fn status_of(row: &Row) -> &str {
    let index = kinds::get(row.key.kind).status_index();
    row.values[index]
        .as_ref()
        .and_then(Value::as_text)
        .unwrap_or("active")
}

fn deactivation(row: &Row) -> FieldChange {
    let index = kinds::get(row.key.kind).status_index();
    FieldChange {
        field: kinds::own_field(index),
        before: row.values[index].clone(),
        after: Some(Value::text("inactive")),
    }
}

/// The keys of what would be deactivated because it is no longer declared.
pub(super) fn removed_keys(work: &PlanInProgress) -> Vec<Key> {
    let absent = |effect: &&ResourceEffect| work.reason(&effect.key) == StepReason::Removed;
    work.effects
        .iter()
        .filter(absent)
        .map(|effect| effect.key.clone())
        .collect()
}

/// A source by whose absences all of a kind, or all that it claims, would go; returns the keys
/// that it covers, which the guards then leave alone. What goes under a new id is `renamed`, a
/// decision of its own.
pub(super) fn hold_emptied_kinds(
    context: &PlanContext<'_>,
    work: &mut PlanInProgress,
    live: &BTreeMap<KindId, u64>,
    renamed: &BTreeSet<Key>,
) -> BTreeSet<Key> {
    let (moved, gone): (Vec<Key>, Vec<Key>) = removed_keys(work)
        .into_iter()
        .partition(|key| renamed.contains(key));
    let mut live = live.clone();
    for key in &moved {
        if let Some(count) = live.get_mut(&key.kind) {
            *count = count.saturating_sub(1);
        }
    }
    if gone.is_empty() {
        return BTreeSet::new();
    }
    let total: u64 = live.values().sum();
    let nothing_left = context.desired.resources.is_empty();
    if nothing_left || (gone.len() >= 2 && gone.len() as u64 >= total) {
        let over = "empty=all";
        return hold_emptied(context, work, gone, total, over, &what_is_gone("all"));
    }
    let mut by_kind: BTreeMap<KindId, Vec<Key>> = BTreeMap::new();
    for key in gone {
        by_kind.entry(key.kind).or_default().push(key);
    }
    let mut covered = hold_emptied_before(context, work, &by_kind);
    for (kind, mut keys) in by_kind {
        let of = live.get(&kind).copied().unwrap_or_default();
        let count = keys.len();
        keys.retain(|key| !covered.contains(key));
        if !keys.is_empty() && count >= 2 && count as u64 >= of {
            let name = kinds::get(kind).name;
            let what = what_is_gone(name);
            covered.extend(hold_emptied(
                context,
                work,
                keys,
                of,
                &format!("empty={name}"),
                &what,
            ));
        }
    }
    covered
}

/// Holds again what an earlier pass held because a kind, or all that the source claimed, was gone: that
/// the source declares others now is no decision about those.
fn hold_emptied_before(
    context: &PlanContext<'_>,
    work: &mut PlanInProgress,
    gone: &BTreeMap<KindId, Vec<Key>>,
) -> BTreeSet<Key> {
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
    let mut covered = BTreeSet::new();
    for (over, (mut keys, of)) in groups {
        keys.retain(|key| !covered.contains(key));
        if !keys.is_empty() {
            let what = what_is_gone(over.trim_start_matches(remembered_steps::EMPTY));
            covered.extend(hold_emptied(context, work, keys, of, over, &what));
        }
    }
    covered
}

fn what_is_gone(name: &str) -> String {
    match name {
        "all" => "everything that the source claims".to_owned(),
        name => format!("every {name} that the source claims"),
    }
}

fn hold_emptied(
    context: &PlanContext<'_>,
    work: &mut PlanInProgress,
    keys: Vec<Key>,
    of: u64,
    over: &str,
    what: &str,
) -> BTreeSet<Key> {
    let count = keys.len() as u64;
    let name = over.trim_start_matches("empty=");
    let all = AcceptOverride::Empty("all".to_owned());
    let accepted = context
        .rules
        .accepts
        .contains(&AcceptOverride::Empty(name.to_owned()))
        || context.rules.accepts.contains(&all);
    let members = keys.iter().filter_map(|key| work.effects.get(key));
    let members = members
        .map(|effect| effect_member(context, effect, StepVerb::Deactivate))
        .collect();
    let hold = Hold {
        code: codes::EMPTY_SOURCE,
        message: format!(
            "{what} is gone and would be deactivated: {count} of {of}; if this is intended, pass `--accept {over}`"
        ),
        count: Some(count),
        total: Some(of),
        limit: None,
        accept_option: Some(format!("--accept {over}")),
        members,
    };
    if accepted {
        work.used_consents.push(over.to_owned());
    } else {
        remembered_steps::hold(context, work, hold, over);
    }
    keys.into_iter().collect()
}

impl PlanInProgress {
    pub fn update_claim(&mut self, key: &Key, claim: ClaimAction) {
        self.claim_updates.push(ClaimUpdate {
            key: key.clone(),
            claim,
        });
    }
}

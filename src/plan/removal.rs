//! What the source no longer declares: deactivated, released, an orphan, or held.

use super::absence::{absent_enough, hidden_elsewhere, hidden_keys, removals_off};
use super::draft::Context;
use super::forbid::whole;
use super::handover::{not_accepted, still_declared};
use super::hold::Hold;
use super::peer::Standing;
use super::planner::Work;
use super::remember;
use super::rules::Accept;
use super::types::{Agreed, AgreedClaim, Reason, Verb};
use crate::check::{Effect, Outcome};
use crate::diagnostic::codes;
use crate::kinds;
use crate::model::{Change, Claim, ClaimState, Key, KindId, Row, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Takes every claimed and no longer declared resource into the work.
pub(super) fn removals(context: &Context<'_>, work: &mut Work) {
    // A part is planned only of files that still declare all they declared.
    if context.stored.rows.is_part() {
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
        .filter(|(key, _)| !context.desired.shielded.contains(key))
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
    let hidden = &context.desired.hidden;
    let known = missing.len();
    missing.retain(|(key, _)| !hidden.contains_key(&key.kind));
    if missing.len() < known {
        work.diagnostics
            .push(hidden_keys(context, known - missing.len()));
    }
    let mut unknown: BTreeMap<Unknown<'_>, usize> = BTreeMap::new();
    for (key, claim) in missing {
        let meant = context
            .rules
            .only
            .as_ref()
            .is_none_or(|only| only.contains(key));
        if meant
            && absent_enough(context, key)
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
type Unknown<'p> = (&'p str, &'p str);

/// Removes one resource, unless another source declares it; returns the source of which that is not
/// known.
fn remove<'p>(
    context: &Context<'p>,
    work: &mut Work,
    key: &Key,
    claim: &Claim,
) -> Option<Unknown<'p>> {
    let kind = kinds::get(key.kind);
    let Some(row) = context.stored.rows.get(key) else {
        // Without the claim nobody would know that somebody removed what another source declares.
        let mut peers = context.rules.peers.iter();
        if !peers.any(|peer| peer.declares(key).is_some()) {
            work.agree(key, AgreedClaim::Release);
        }
        return None;
    };
    let mut unknown = None;
    let mut unaccepted = None;
    for peer in &context.rules.peers {
        match context.standing_of(peer, key) {
            Standing::Declared => {
                still_declared(context, work, row, claim, peer);
                return None;
            }
            Standing::Unaccepted => unaccepted = unaccepted.or(Some(peer)),
            Standing::Unknown(why) => unknown = unknown.or(Some((&*peer.name, why))),
            Standing::Absent => {}
        }
    }
    if let Some(peer) = unaccepted {
        not_accepted(work, key, claim, peer);
        return None;
    }
    if !kind.status {
        work.orphans.push(key.clone());
        return None;
    }
    if !context.rules.prune || !context.rules.authority.existence(key.kind) {
        return None;
    }
    if unknown.is_some() {
        return unknown;
    }
    if status_of(row) == "inactive" {
        // Somebody deactivated it already. The claim is given up, so that a return adopts an
        // inactive row and is held, instead of undoing what was not this source's doing.
        work.agree(key, AgreedClaim::Release);
        return None;
    }
    work.effect(
        Effect {
            key: key.clone(),
            outcome: Outcome::Change(vec![deactivation(row)]),
        },
        Reason::Removed,
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

fn deactivation(row: &Row) -> Change {
    let index = kinds::get(row.key.kind).status_index();
    Change {
        field: kinds::own(index),
        before: row.values[index].clone(),
        after: Some(Value::text("inactive")),
    }
}

/// The keys of what would be deactivated because it is no longer declared.
pub(super) fn removed(work: &Work) -> Vec<Key> {
    let absent = |effect: &&Effect| work.reason(&effect.key) == Reason::Removed;
    work.effects
        .iter()
        .filter(absent)
        .map(|effect| effect.key.clone())
        .collect()
}

/// A source by whose absences all of a kind, or all that it claims, would go; returns the keys
/// that it covers, which the guards then leave alone. What goes under a new id is `renamed`, a
/// decision of its own.
pub(super) fn emptied(
    context: &Context<'_>,
    work: &mut Work,
    live: &BTreeMap<KindId, u64>,
    renamed: &BTreeSet<Key>,
) -> BTreeSet<Key> {
    let (moved, gone): (Vec<Key>, Vec<Key>) = removed(work)
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
    context: &Context<'_>,
    work: &mut Work,
    gone: &BTreeMap<KindId, Vec<Key>>,
) -> BTreeSet<Key> {
    let mut groups: BTreeMap<&str, (Vec<Key>, u64)> = BTreeMap::new();
    for record in remember::all(context).filter(|it| it.budget.starts_with(remember::EMPTY)) {
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
            let what = what_is_gone(over.trim_start_matches(remember::EMPTY));
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
    context: &Context<'_>,
    work: &mut Work,
    keys: Vec<Key>,
    of: u64,
    over: &str,
    what: &str,
) -> BTreeSet<Key> {
    let count = keys.len() as u64;
    let name = over.trim_start_matches("empty=");
    let all = Accept::Empty("all".to_owned());
    let accepted = context
        .rules
        .accepts
        .contains(&Accept::Empty(name.to_owned()))
        || context.rules.accepts.contains(&all);
    let members = keys.iter().filter_map(|key| work.effects.get(key));
    let members = members
        .map(|effect| whole(context, effect, Verb::Deactivate))
        .collect();
    let hold = Hold {
        code: codes::EMPTY_SOURCE,
        message: format!(
            "{what} is gone from it and would be deactivated: {count} of {of}; if that is meant, `--accept {over}`"
        ),
        count: Some(count),
        of: Some(of),
        limit: None,
        over: Some(format!("--accept {over}")),
        members,
    };
    if accepted {
        work.used.push(over.to_owned());
    } else {
        remember::hold(context, work, hold, over);
    }
    keys.into_iter().collect()
}

impl Work {
    pub fn agree(&mut self, key: &Key, claim: AgreedClaim) {
        self.agreed.push(Agreed {
            key: key.clone(),
            claim,
        });
    }
}

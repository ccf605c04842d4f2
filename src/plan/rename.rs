//! Finds resources that go under one id and come under another. External ids cannot change, so both
//! halves are held. Two resources seem to be the same if they share a VAT or registration number or
//! an e-mail. [`renames_from_peers`] runs while drafting, for resources that come here and go in
//! another source; [`hold_renames`] is the rule.

use super::budget_share::is_live;
use super::context::PlanContext;
use super::emptied_kinds::removed_keys;
use super::hold::{Hold, HoldMember, effect_member};
use super::hold_ledger::RuleOutcome;
use super::planned_change;
use super::remainder::PlanRemainder;
use super::remembered_steps;
use super::rules::{AcceptOverride, PeerSource};
use crate::check::{PlannedChange, PlannedOutcome};
use crate::diagnostic::codes;
use crate::kinds;
use crate::model::{
    ClaimState, DeclaredResource, Key, KeyedList, KindId, Row, SnapshotLookup, Value,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The fields by which a company or person is recognised, and whether only a value that a single
/// stored row has counts. Several accounts of one company may share a VAT number.
const STRONG: &[(KindId, &str, bool)] = &[
    (kinds::ACCOUNT, "vatNumber", true),
    (kinds::ACCOUNT, "businessRegistrationNumber", true),
    (kinds::USER, "email", false),
];

/// More renames than this are one hold. So many come from a new scheme of ids, such as a prefix or
/// another ERP, and that is a single decision; a few are decided one by one.
const MANY_RENAMES: u64 = 5;

/// A resource that goes under one id and comes under another.
#[derive(Clone)]
pub(super) struct RenamePair {
    pub old: Key,
    pub new: Key,
    /// The other source, when one half is its doing.
    peer: Option<RenamePeer>,
}

/// The other source of a rename, and its half.
#[derive(Clone)]
enum RenamePeer {
    Removes(Arc<str>),
    Declares(Arc<str>),
}

/// Resources that come here while another source no longer declares them under their old id. Found
/// before the rules run, because until the other source has removed the old one, its e-mail is
/// taken.
pub(super) fn renames_from_peers(
    context: &PlanContext<'_>,
    effects: &KeyedList<PlannedChange>,
) -> Vec<RenamePair> {
    if context.rules.pruning_peers.is_empty() {
        return Vec::new();
    }
    let mut found: BTreeMap<Key, RenamePair> = BTreeMap::new();
    for &(kind, name, single) in STRONG {
        let index = kinds::get(kind).expect_index(name);
        let mut comes: BTreeMap<String, &Key> = BTreeMap::new();
        for (key, declared) in created(effects, kind) {
            if let Some(text) = declared.value(index).and_then(folded) {
                ask_alike(context, kind, index, &text);
                comes.entry(text).or_insert(key);
            }
        }
        if comes.is_empty() {
            continue;
        }
        for (text, rows) in holders(context, kind, index, |text| comes.contains_key(text)) {
            let new = comes[&text];
            let again = is_remembered(context, new);
            let goes = rows
                .iter()
                .find_map(|row| Some((row, remover(context, row)?)));
            if let Some((row, source)) = goes
                && (!single || rows.len() == 1 || again)
            {
                let rename = RenamePair {
                    old: row.key.clone(),
                    new: new.clone(),
                    peer: Some(RenamePeer::Removes(source)),
                };
                found.entry(new.clone()).or_insert(rename);
            }
        }
    }
    found.into_values().collect()
}

/// Tells a partial snapshot to read every row with the same value.
fn ask_alike(context: &PlanContext<'_>, kind: KindId, index: usize, text: &str) {
    let rows = &context.stored.rows;
    // Databases fold the case of ASCII letters only.
    if text.is_ascii() {
        rows.note_lookup(|| SnapshotLookup::IgnoringCase(kind, Some(index), text.into()));
    } else {
        rows.note_lookup(|| SnapshotLookup::Everything);
    }
}

/// The source that claims a live row and no longer declares it, if no other source does.
fn remover(context: &PlanContext<'_>, row: &Row) -> Option<Arc<str>> {
    let key = &row.key;
    if !is_live(row) || context.desired.resources.contains(key) {
        return None;
    }
    let claims = context.stored.claims.get(key)?;
    let active = claims
        .iter()
        .filter(|claim| claim.state == ClaimState::Active);
    let active: Vec<_> = active.collect();
    let [claim] = active.as_slice() else {
        return None;
    };
    let peer = context
        .rules
        .peers
        .iter()
        .find(|peer| peer.name == claim.source)?;
    match &peer.desired {
        None if peer.is_unread => None,
        // From a part of its files nobody knows what it no longer declares.
        None => {
            context
                .stored
                .rows
                .note_lookup(|| SnapshotLookup::Everything);
            None
        }
        Some(desired) => {
            // The other source must be about to remove the row: where it only ignores it, both rows
            // stay.
            let removes = context.rules.pruning_peers.contains(&peer.name)
                && !desired.partial
                && peer.authority.decides_existence(key.kind)
                && desired.removals_off.is_empty()
                && !desired.hidden_kinds.contains_key(&key.kind)
                && !desired.shielded_keys.contains(key)
                && !desired.resources.contains(key);
            removes.then(|| peer.name.clone())
        }
    }
}

/// Holds both halves of each rename, unless an override lets them through.
pub(super) fn hold_renames(context: &PlanContext<'_>, left: &PlanRemainder) -> RuleOutcome {
    let mut pairs = renames_of_removed(context, left);
    pairs.extend_from_slice(&left.peer_renames);
    let count = pairs.len() as u64;
    let mut outcome = RuleOutcome::default();
    if pairs.is_empty() {
        return outcome;
    }
    let accepts = &context.rules.accepts;
    // The exact number only, as with guards.
    if accepts.contains(&AcceptOverride::Renames(count)) {
        outcome.consents.push(format!("rename={count}"));
    } else if count > MANY_RENAMES {
        let members = pairs.iter().flat_map(|pair| members(context, left, pair));
        let hold = Hold {
            count: Some(count),
            accept_option: Some(format!("--accept rename={count}")),
            members: members.collect(),
            ..Hold::without_members(
                codes::POSSIBLE_RENAME,
                format!(
                    "{count} resources are removed and as many added with the same VAT or registration number or e-mail; external ids cannot change. Keep the old ids, or pass `--accept rename={count}` (nothing is carried over)"
                ),
            )
        };
        outcome.holds.push(hold);
    } else {
        for pair in &pairs {
            let id = pair.old.id.to_string();
            if accepts.contains(&AcceptOverride::Rename(id)) {
                outcome.consents.push(format!("rename={}", pair.old.id));
            } else {
                outcome.holds.push(rename_hold(context, left, pair));
            }
        }
    }
    let holds = outcome.holds.into_iter();
    let holds = holds.map(|it| remembered_steps::remembered(context, it, remembered_steps::RENAME));
    outcome.holds = holds.collect();
    // Decided here, so neither the guards nor the emptied kinds count them again.
    let both = pairs.into_iter().flat_map(|pair| [pair.old, pair.new]);
    outcome.covered.extend(both);
    outcome
}

pub(super) fn is_accepted(context: &PlanContext<'_>, old: &Key) -> bool {
    let accepts = &context.rules.accepts;
    accepts.iter().any(|accept| match accept {
        AcceptOverride::Rename(id) => **id == *old.id,
        AcceptOverride::Renames(_) => true,
        _ => false,
    })
}

fn rename_hold(context: &PlanContext<'_>, left: &PlanRemainder, pair: &RenamePair) -> Hold {
    let RenamePair {
        old,
        new,
        peer: other,
    } = pair;
    let over = format!("rename={}", old.id);
    let (goes, comes) = match other {
        None => (String::new(), String::new()),
        Some(RenamePeer::Removes(source)) => (format!(" in source {source}"), String::new()),
        Some(RenamePeer::Declares(source)) => (String::new(), format!(" in source {source}")),
    };
    let message = format!(
        "{old} is removed{goes} and {new} is added{comes} with the same VAT or registration number or e-mail; external ids cannot change. Keep the old id, or pass `--accept {over}` (nothing is carried over)"
    );
    Hold {
        accept_option: Some(format!("--accept {over}")),
        members: members(context, left, pair),
        ..Hold::without_members(codes::POSSIBLE_RENAME, message)
    }
}

/// The halves of a rename in this plan, as members of a hold.
fn members(context: &PlanContext<'_>, left: &PlanRemainder, pair: &RenamePair) -> Vec<HoldMember> {
    let member = |key: &Key, becomes: Option<&Key>| {
        let effect = left.effects.get(key)?;
        Some(HoldMember {
            becomes: becomes.cloned(),
            ..effect_member(context, effect, planned_change::verb(context, effect))
        })
    };
    let members = [member(&pair.old, Some(&pair.new)), member(&pair.new, None)];
    members.into_iter().flatten().collect()
}

/// Resources that go in this plan and come in it too, or in another source.
fn renames_of_removed(context: &PlanContext<'_>, left: &PlanRemainder) -> Vec<RenamePair> {
    let gone = removed_keys(left);
    let mut pairs: BTreeMap<Key, RenamePair> = BTreeMap::new();
    for &(kind, name, single) in STRONG {
        let index = kinds::get(kind).expect_index(name);
        let of_kind = gone.iter().filter(|key| key.kind == kind);
        let old = of_kind.filter_map(|key| {
            let row = context.stored.rows.get(key)?;
            Some((row.values[index].as_ref().and_then(folded)?, key))
        });
        let mut old: BTreeMap<String, &Key> = old.collect();
        if single {
            // A value that several accounts share does not tell which of them comes back.
            let rows = holders(context, kind, index, |text| old.contains_key(text));
            let one = |text: &String, key: &Key| {
                rows.get(text).is_some_and(|rows| rows.len() == 1) || is_remembered(context, key)
            };
            old.retain(|text, key| one(text, key));
        }
        if old.is_empty() {
            continue;
        }
        let mut take = |text: Option<String>, new: &Key, other: Option<RenamePeer>| {
            if let Some(key) = text.and_then(|text| old.get(&text)) {
                pairs.entry((*key).clone()).or_insert_with(|| RenamePair {
                    old: (*key).clone(),
                    new: new.clone(),
                    peer: other,
                });
            }
        };
        for (key, declared) in created(&left.effects, kind) {
            take(declared.value(index).and_then(folded), key, None);
        }
        for peer in &context.rules.peers {
            for (key, text) in declared_by_peer(context, peer, kind, index) {
                take(text, key, Some(RenamePeer::Declares(peer.name.clone())));
            }
        }
        if !single {
            for (row, source) in rows_of_peers(context, kind) {
                let text = row.values[index].as_ref().and_then(folded);
                take(text, &row.key, Some(RenamePeer::Declares(source)));
            }
        }
    }
    pairs.into_values().collect()
}

/// What another source declares that is not stored yet.
fn declared_by_peer<'p>(
    context: &'p PlanContext<'_>,
    peer: &'p PeerSource,
    kind: KindId,
    index: usize,
) -> impl Iterator<Item = (&'p Key, Option<String>)> {
    let declared = peer.desired.iter().flat_map(|desired| &desired.resources);
    let declared = declared.filter(move |declared| {
        declared.key.kind == kind
            && peer.authority.decides_existence(kind)
            && !context.stored.rows.contains(&declared.key)
            && !context.desired.resources.contains(&declared.key)
    });
    declared.map(move |declared| (&declared.key, declared.value(index).and_then(folded)))
}

/// The live rows that only another source claims.
fn rows_of_peers<'s>(
    context: &'s PlanContext<'_>,
    kind: KindId,
) -> impl Iterator<Item = (&'s Row, Arc<str>)> {
    let rows = context.stored.rows.iter();
    let rows = rows.filter(move |row| row.key.kind == kind && is_live(row));
    rows.filter_map(|row| {
        let claims = context.stored.claims.get(&row.key)?;
        let ours = claims
            .iter()
            .any(|claim| claim.source == context.desired.source);
        let mut active = claims
            .iter()
            .filter(|claim| claim.state == ClaimState::Active);
        let source = active.next()?.source.clone();
        (!ours).then_some((row, source))
    })
}

fn created(
    effects: &KeyedList<PlannedChange>,
    kind: KindId,
) -> impl Iterator<Item = (&Key, &DeclaredResource)> {
    let effects = effects.iter().filter(move |it| it.key.kind == kind);
    effects.filter_map(|PlannedChange { key, outcome }| match outcome {
        PlannedOutcome::Create { declared, .. } => Some((key, &**declared)),
        _ => None,
    })
}

/// The stored rows with one of the wanted values.
fn holders<'s>(
    context: &'s PlanContext<'_>,
    kind: KindId,
    index: usize,
    wanted: impl Fn(&str) -> bool,
) -> BTreeMap<String, Vec<&'s Row>> {
    let mut found: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    let rows = context.stored.rows.iter();
    for row in rows.filter(|row| row.key.kind == kind) {
        let text = row.values[index].as_ref().and_then(folded);
        if let Some(text) = text.filter(|text| wanted(text)) {
            found.entry(text).or_default().push(row);
        }
    }
    found
}

/// Whether an earlier pass held a resource as renamed.
fn is_remembered(context: &PlanContext<'_>, key: &Key) -> bool {
    let mut records = remembered_steps::source_records(context);
    records.any(|record| record.budget == remembered_steps::RENAME && record.key == *key)
}

fn folded(value: &Value) -> Option<String> {
    value.as_text().map(str::to_lowercase)
}

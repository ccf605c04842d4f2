//! What goes under one id and comes under another: external ids cannot change, so both are held.

use super::draft::Context;
use super::forbid::whole;
use super::hold::{Hold, Member};
use super::order;
use super::planner::Work;
use super::remember;
use super::removal::removed;
use super::rules::{Accept, Peer};
use super::share::is_live;
use crate::check::{Effect, Outcome};
use crate::diagnostic::codes;
use crate::kinds;
use crate::model::{Ask, ClaimState, Declared, Key, KindId, Row, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Fields by which a company or person is recognised under another id; whether only one that a
/// single stored row has tells who somebody is.
const STRONG: &[(KindId, &str, bool)] = &[
    (kinds::ACCOUNT, "vatNumber", true),
    (kinds::ACCOUNT, "businessRegistrationNumber", true),
    (kinds::USER, "email", false),
];

/// More renames than this are one hold.
const MANY_RENAMES: u64 = 5;

/// Somebody who goes under one id and comes under another.
pub(super) struct Rename {
    pub old: Key,
    pub new: Key,
    /// The other source of the two, when one of the halves is its doing.
    other: Option<Other>,
}

/// The other source of a rename, and which half is its doing.
enum Other {
    Removes(Arc<str>),
    Declares(Arc<str>),
}

/// What comes here while another source no longer declares it under its old id. Looked for before the
/// rules are run: until the other source has removed it, its e-mail is taken.
pub(super) fn from_elsewhere(context: &Context<'_>, work: &Work) -> Vec<Rename> {
    if context.rules.pruning.is_empty() {
        return Vec::new();
    }
    let mut found: BTreeMap<Key, Rename> = BTreeMap::new();
    for &(kind, name, single) in STRONG {
        let index = kinds::get(kind).at(name);
        let mut comes: BTreeMap<String, &Key> = BTreeMap::new();
        for (key, declared) in created(work, kind) {
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
                let rename = Rename {
                    old: row.key.clone(),
                    new: new.clone(),
                    other: Some(Other::Removes(source)),
                };
                found.entry(new.clone()).or_insert(rename);
            }
        }
    }
    found.into_values().collect()
}

/// In a part of the database, whoever has the same is read too.
fn ask_alike(context: &Context<'_>, kind: KindId, index: usize, text: &str) {
    let rows = &context.stored.rows;
    if text.is_ascii() {
        rows.ask(|| Ask::Alike(kind, Some(index), text.into()));
    } else {
        rows.ask(|| Ask::Everything);
    }
}

/// The source that claims a live row and no longer declares it, when nobody else does.
fn remover(context: &Context<'_>, row: &Row) -> Option<Arc<str>> {
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
        // A part of it does not say what it no longer declares.
        None => {
            context.stored.rows.ask(|| Ask::Everything);
            None
        }
        Some(desired) => {
            let removes = context.rules.pruning.contains(&peer.name)
                && !desired.partial
                && peer.authority.existence(key.kind)
                && desired.removals_off.is_empty()
                && !desired.hidden.contains_key(&key.kind)
                && !desired.shielded.contains(key)
                && !desired.resources.contains(key);
            removes.then(|| peer.name.clone())
        }
    }
}

/// One goes and another comes with the same strong key: both are held. Returns the keys that an
/// accepted rename covers.
pub(super) fn renames(context: &Context<'_>, work: &mut Work) -> BTreeSet<Key> {
    let mut pairs = within(context, work);
    pairs.append(&mut work.from_elsewhere);
    let count = pairs.len() as u64;
    if pairs.is_empty() {
        return BTreeSet::new();
    }
    let covered = |pairs: &[Rename]| {
        let both = pairs
            .iter()
            .flat_map(|pair| [pair.old.clone(), pair.new.clone()]);
        both.collect()
    };
    if context.rules.accepts.contains(&Accept::Renames(count)) {
        work.used.push(format!("rename={count}"));
    } else if count > MANY_RENAMES {
        let members = pairs.iter().flat_map(|pair| renamed(context, work, pair));
        let hold = Hold {
            count: Some(count),
            over: Some(format!("--accept rename={count}")),
            members: members.collect(),
            ..Hold::many(
                codes::POSSIBLE_RENAME,
                format!(
                    "{count} resources go and as many come with the same VAT or registration number or e-mail: external ids cannot change; keep the old ids, or `--accept rename={count}` (nothing is carried over)"
                ),
            )
        };
        remember::hold(context, work, hold, remember::RENAME);
    } else {
        pairs.iter().for_each(|pair| rename(context, work, pair));
    }
    covered(&pairs)
}

/// Whether an override lets a rename through.
pub(super) fn is_accepted(context: &Context<'_>, old: &Key) -> bool {
    let accepts = &context.rules.accepts;
    accepts.iter().any(|accept| match accept {
        Accept::Rename(id) => **id == *old.id,
        Accept::Renames(_) => true,
        _ => false,
    })
}

fn rename(context: &Context<'_>, work: &mut Work, pair: &Rename) {
    let Rename { old, new, other } = pair;
    let over = format!("rename={}", old.id);
    if context
        .rules
        .accepts
        .contains(&Accept::Rename(old.id.to_string()))
    {
        work.used.push(over);
        return;
    }
    let (goes, comes) = match other {
        None => (String::new(), String::new()),
        Some(Other::Removes(source)) => (format!(" in source {source}"), String::new()),
        Some(Other::Declares(source)) => (String::new(), format!(" in source {source}")),
    };
    let message = format!(
        "{old} goes{goes} and {new} comes{comes} with the same VAT or registration number or e-mail: external ids cannot change; keep the old id, or `--accept {over}` (nothing is carried over)"
    );
    let hold = Hold {
        over: Some(format!("--accept {over}")),
        members: renamed(context, work, pair),
        ..Hold::many(codes::POSSIBLE_RENAME, message)
    };
    remember::hold(context, work, hold, remember::RENAME);
}

/// What goes and what comes in this plan, as members of a hold.
fn renamed(context: &Context<'_>, work: &Work, pair: &Rename) -> Vec<Member> {
    let member = |key: &Key, becomes: Option<&Key>| {
        let effect = work.effects.get(key)?;
        Some(Member {
            becomes: becomes.cloned(),
            ..whole(context, effect, order::verb(context, effect))
        })
    };
    let members = [member(&pair.old, Some(&pair.new)), member(&pair.new, None)];
    members.into_iter().flatten().collect()
}

/// Whoever goes in this plan and comes in it too, or in another source.
fn within(context: &Context<'_>, work: &Work) -> Vec<Rename> {
    let gone = removed(work);
    let mut pairs: BTreeMap<Key, Rename> = BTreeMap::new();
    for &(kind, name, single) in STRONG {
        let index = kinds::get(kind).at(name);
        let of_kind = gone.iter().filter(|key| key.kind == kind);
        let old = of_kind.filter_map(|key| {
            let row = context.stored.rows.get(key)?;
            Some((row.values[index].as_ref().and_then(folded)?, key))
        });
        let mut old: BTreeMap<String, &Key> = old.collect();
        if single {
            let rows = holders(context, kind, index, |text| old.contains_key(text));
            let one = |text: &String, key: &Key| {
                rows.get(text).is_some_and(|rows| rows.len() == 1) || is_remembered(context, key)
            };
            old.retain(|text, key| one(text, key));
        }
        if old.is_empty() {
            continue;
        }
        let mut take = |text: Option<String>, new: &Key, other: Option<Other>| {
            if let Some(key) = text.and_then(|text| old.get(&text)) {
                pairs.entry((*key).clone()).or_insert_with(|| Rename {
                    old: (*key).clone(),
                    new: new.clone(),
                    other,
                });
            }
        };
        for (key, declared) in created(work, kind) {
            take(declared.value(index).and_then(folded), key, None);
        }
        for peer in &context.rules.peers {
            for (key, text) in comes_in(context, peer, kind, index) {
                take(text, key, Some(Other::Declares(peer.name.clone())));
            }
        }
        if !single {
            for (row, source) in elsewhere(context, kind) {
                let text = row.values[index].as_ref().and_then(folded);
                take(text, &row.key, Some(Other::Declares(source)));
            }
        }
    }
    pairs.into_values().collect()
}

/// What another source declares that is not stored yet.
fn comes_in<'p>(
    context: &'p Context<'_>,
    peer: &'p Peer,
    kind: KindId,
    index: usize,
) -> impl Iterator<Item = (&'p Key, Option<String>)> {
    let declared = peer.desired.iter().flat_map(|desired| &desired.resources);
    let declared = declared.filter(move |declared| {
        declared.key.kind == kind
            && peer.authority.existence(kind)
            && !context.stored.rows.contains(&declared.key)
            && !context.desired.resources.contains(&declared.key)
    });
    declared.map(move |declared| (&declared.key, declared.value(index).and_then(folded)))
}

/// The live rows that only another source claims.
fn elsewhere<'s>(
    context: &'s Context<'_>,
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

fn created(work: &Work, kind: KindId) -> impl Iterator<Item = (&Key, &Declared)> {
    let effects = work.effects.iter().filter(move |it| it.key.kind == kind);
    effects.filter_map(|Effect { key, outcome }| match outcome {
        Outcome::Create { declared, .. } => Some((key, &**declared)),
        _ => None,
    })
}

/// The stored rows that have one of some values.
fn holders<'s>(
    context: &'s Context<'_>,
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
fn is_remembered(context: &Context<'_>, key: &Key) -> bool {
    let mut records = remember::all(context);
    records.any(|record| record.budget == remember::RENAME && record.key == *key)
}

fn folded(value: &Value) -> Option<String> {
    value.as_text().map(str::to_lowercase)
}

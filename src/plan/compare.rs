//! One field: what is declared against what is stored.
//!
//! [`compare`] returns a verdict: keep, write, hold or only report. The cell decides what the field would
//! become ([`target`]); the authorities of this source and of the others decide who writes it.

use super::context::PlanContext;
use super::peer::PeerStatement;
use super::regained::FieldWitnesses;
use super::rules::AuthorityMode;
use super::value_equality::same_value;
use crate::kinds::{Field, Kind};
use crate::model::{
    Cell, Claim, CompactText, FieldChange, FieldRef, Key, Link, ListAmendment, Row, StatedField,
    Value, digest,
};
use std::sync::Arc;

/// What one stated field asks for.
pub(super) enum FieldVerdict {
    /// Nothing: it says nothing, or the row has it already.
    Keep,
    /// The row differs, and somebody else decides: the row, or another source, which is named
    /// when it writes nothing now.
    Yield(FieldRef, Option<Arc<str>>),
    /// The row differs, and the source may only look.
    Observed(FieldChange),
    /// The row differs because somebody else changed it, and that is only reported.
    Reported(FieldChange),
    /// Another source enforces another value, and nothing says who wins.
    Conflict(FieldChange, Vec<Arc<str>>),
    /// The row gets this; `drift` when what is declared did not change.
    Set {
        change: FieldChange,
        /// Whether what is declared is what the last apply saw.
        drift: bool,
    },
    /// Part of it would give back access that somebody took elsewhere.
    Regain {
        whole: FieldChange,
        /// What may be done at once, if anything.
        rest: Option<FieldChange>,
        /// What the claim records of the field from now on: see [`ResourceDraft`](super::draft::ResourceDraft).
        recorded: Vec<CompactText>,
    },
}

/// Compares one stated field of `row`.
pub(super) fn compare(
    context: &PlanContext<'_>,
    kind: &'static Kind,
    key: &Key,
    stated: &StatedField,
    row: &Row,
    claim: Option<&Claim>,
) -> FieldVerdict {
    let field = kind.field(&stated.field);
    let cell = super::dropped_members::with_dropped(context, kind, key, stated, claim);
    let Some(after) = target(field, &cell, row.value(&stated.field)) else {
        return FieldVerdict::Keep;
    };
    let before = stored(row.value(&stated.field));
    if before == after {
        return FieldVerdict::Keep;
    }
    let change = FieldChange {
        field: stated.field.clone(),
        before,
        after,
    };
    let same = same_value(field, change.before.as_ref(), change.after.as_ref());
    if same && is_shared(context, kind, key, &change) {
        return FieldVerdict::Keep;
    }
    judge(context, kind, key, stated, change, claim)
}

fn judge(
    context: &PlanContext<'_>,
    kind: &'static Kind,
    key: &Key,
    stated: &StatedField,
    change: FieldChange,
    claim: Option<&Claim>,
) -> FieldVerdict {
    match context.mode(kind, &stated.field) {
        AuthorityMode::Observe => return FieldVerdict::Observed(change),
        AuthorityMode::Seed if change.before.is_some() => {
            return FieldVerdict::Yield(change.field, None);
        }
        AuthorityMode::Seed | AuthorityMode::Enforce => {}
    }
    let name = kind.field_name(&stated.field);
    let said = digest::short_digest(&stated.cell);
    match rivals(context, kind, key, &change) {
        RivalSources::None => {}
        RivalSources::Win(idle) => return FieldVerdict::Yield(change.field, idle),
        RivalSources::Conflict(names) => return FieldVerdict::Conflict(change, names),
    }
    if kind
        .field(&stated.field)
        .is_some_and(|field| field.grants_access)
        && let Some(verdict) =
            FieldWitnesses::of(context, key, claim, &name).split_regained_access(&change, stated)
    {
        return verdict;
    }
    let drift = claim.is_some_and(|claim| claim.fields.get(&name) == Some(said));
    if drift && context.rules.report_drift {
        return FieldVerdict::Reported(change);
    }
    FieldVerdict::Set { change, drift }
}

/// What the cell table says the field becomes: `None`, it keeps; `Some(None)`, it becomes none.
#[allow(clippy::option_option)]
pub(super) fn target(
    field: Option<&Field>,
    cell: &Cell,
    before: Option<&Value>,
) -> Option<Option<Value>> {
    match (cell, field) {
        (Cell::Value(Value::Links(links)), _) => Some(stored(Some(&merged(links, before)))),
        (Cell::Value(value), _) => Some(stored(Some(value))),
        (Cell::Amend(amend), _) => Some(stored(Some(&amended(amend, before)))),
        // A blank custom cell clears; a blank standard cell says nothing.
        (Cell::Blank, Some(_)) => None,
        (Cell::Clear | Cell::Blank, None) => Some(None),
        (Cell::Clear, Some(field)) => Some(stored(field.default.value().as_ref())),
    }
}

/// The stored form: an empty list is none.
pub(super) fn stored(value: Option<&Value>) -> Option<Value> {
    value.filter(|value| !value.is_empty_list()).cloned()
}

/// Attributes that were not said stay as they are.
fn merged(links: &[Link], before: Option<&Value>) -> Value {
    let old = before.map_or(&[][..], Value::as_links);
    Value::links(links.iter().map(|link| {
        let mut link = link.clone();
        if let Some(stored) = old.iter().find(|stored| stored.target == link.target) {
            for (said, kept) in link.attributes.iter_mut().zip(stored.attributes) {
                *said = said.or(kept);
            }
        }
        link
    }))
}

/// A list with what comes and without what goes.
fn amended(amend: &ListAmendment, before: Option<&Value>) -> Value {
    let stays = |member: &CompactText| !amend.remove.contains(member);
    match &amend.add {
        Value::Links(links) => {
            let old = before.map_or(&[][..], Value::as_links).iter();
            let comes = |target: &CompactText| links.iter().any(|link| link.target == *target);
            let kept = old.filter(|link| stays(&link.target) && !comes(&link.target));
            let links = [&kept.cloned().collect::<Vec<_>>()[..], links].concat();
            merged(&links, before)
        }
        add => {
            let old = before.into_iter().flat_map(Value::members);
            let kept = old.filter(|member| stays(member)).chain(add.members());
            Value::set(kept.cloned())
        }
    }
}

enum RivalSources {
    None,
    /// Another source decides; it is named when it writes nothing now.
    Win(Option<Arc<str>>),
    Conflict(Vec<Arc<str>>),
}

/// Whether another source enforces another value of the field.
fn rivals(
    context: &PlanContext<'_>,
    kind: &'static Kind,
    key: &Key,
    change: &FieldChange,
) -> RivalSources {
    let seeds = context.mode(kind, &change.field) == AuthorityMode::Seed;
    let name = kind.field_name(&change.field);
    let mut against = Vec::new();
    for peer in &context.rules.peers {
        if context.mode_of(peer, kind, &change.field) != AuthorityMode::Enforce {
            continue;
        }
        let theirs = context.statement(peer, key, &change.field, &name);
        if theirs.is_none_or(|theirs| says_the_same(kind, change, &theirs)) {
            continue;
        }
        let first = if seeds {
            Some(false)
        } else {
            context.comes_before(&peer.name)
        };
        match first {
            Some(true) => {}
            Some(false) => return RivalSources::Win(peer.idle.as_ref().map(|_| peer.name.clone())),
            None => against.push(peer.name.clone()),
        }
    }
    if against.is_empty() {
        RivalSources::None
    } else {
        RivalSources::Conflict(against)
    }
}

/// Whether another source that enforces the field, and does not come after this one, says the same
/// in another form: then the form that is stored stays.
fn is_shared(
    context: &PlanContext<'_>,
    kind: &'static Kind,
    key: &Key,
    change: &FieldChange,
) -> bool {
    let name = kind.field_name(&change.field);
    context.rules.peers.iter().any(|peer| {
        let decides = context.mode_of(peer, kind, &change.field) == AuthorityMode::Enforce
            && context.comes_before(&peer.name) != Some(true);
        let theirs = decides.then(|| context.statement(peer, key, &change.field, &name));
        let theirs = theirs.flatten();
        theirs.is_some_and(|theirs| says_the_same(kind, change, &theirs))
    })
}

/// Whether what another source says makes the field what this one makes it.
fn says_the_same(kind: &Kind, change: &FieldChange, theirs: &PeerStatement<'_>) -> bool {
    let field = kind.field(&change.field);
    let before = change.before.as_ref();
    match theirs {
        PeerStatement::Cell(cell) => {
            let after = target(field, cell, before);
            after.is_some_and(|after| same_value(field, after.as_ref(), change.after.as_ref()))
        }
        // A claim is a digest: its value is known when it is the stored one, or this one.
        PeerStatement::Claim(digest) => {
            let is = |value: Option<&Value>| match value {
                Some(value) => digest::short_digest(&Cell::Value(value.clone())) == *digest,
                None => [Cell::Clear, Cell::Blank]
                    .iter()
                    .any(|cell| digest::short_digest(cell) == *digest),
            };
            is(change.after.as_ref())
                || is(before) && same_value(field, before, change.after.as_ref())
        }
    }
}

/// The source that comes first, declares another value of a field, and writes nothing now.
pub(super) fn preceding_idle_peer(
    context: &PlanContext<'_>,
    kind: &'static Kind,
    key: &Key,
    change: &FieldChange,
) -> Option<Arc<str>> {
    let mut peers = context.rules.peers.iter();
    let waits = peers.find(|peer| {
        let theirs = || {
            let declared = peer.unaccepted.as_ref()?.resources.get(key)?;
            let stated = declared.stated(&change.field)?;
            says_something(&stated.field, &stated.cell).then_some(PeerStatement::Cell(&stated.cell))
        };
        peer.idle.is_some()
            && context.comes_before(&peer.name) == Some(false)
            && context.mode_of(peer, kind, &change.field) == AuthorityMode::Enforce
            && theirs().is_some_and(|theirs| !says_the_same(kind, change, &theirs))
    });
    waits.map(|peer| peer.name.clone())
}

/// Whether a cell states anything: a blank standard cell does not.
pub(super) fn says_something(field: &FieldRef, cell: &Cell) -> bool {
    !matches!((field.own(), cell), (Some(_), Cell::Blank))
}

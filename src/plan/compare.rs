//! One field: what is declared against what is stored, by the cell table and the authorities.

use super::draft::Context;
use super::equal::same_value;
use super::peer::Statement;
use super::regained::FieldWitnesses;
use super::rules::Mode;
use crate::kinds::{Field, Kind};
use crate::model::{
    Amend, Cell, Change, Claim, FieldRef, Key, Link, Row, Stated, Text, Value, digest,
};
use std::sync::Arc;

/// What one stated field asks for.
pub(super) enum Verdict {
    /// Nothing: it says nothing, or the row has it already.
    Keep,
    /// The row differs, and somebody else decides: the row, or another source, which is named
    /// when it writes nothing now.
    Yield(FieldRef, Option<Arc<str>>),
    /// The row differs, and the source may only look.
    Observed(Change),
    /// The row differs because somebody else changed it, and that is only reported.
    Reported(Change),
    /// Another source enforces another value, and nothing says who wins.
    Conflict(Change, Vec<Arc<str>>),
    /// The row gets this; `drift` when what is declared did not change.
    Set {
        /// All of it.
        change: Change,
        /// Whether what is declared is what the last apply saw.
        drift: bool,
    },
    /// Part of it would give back access that somebody took elsewhere.
    Regain {
        /// All of it.
        whole: Change,
        /// What may be done at once, if anything.
        rest: Option<Change>,
        /// What the claim records of the field from now on: see [`Draft::recorded`].
        recorded: Vec<Text>,
    },
}

/// Compares one stated field of `row`.
pub(super) fn compare(
    context: &Context<'_>,
    kind: &'static Kind,
    key: &Key,
    stated: &Stated,
    row: &Row,
    claim: Option<&Claim>,
) -> Verdict {
    let field = kind.field(&stated.field);
    let cell = super::dropped::with_dropped(context, kind, key, stated, claim);
    let Some(after) = target(field, &cell, row.value(&stated.field)) else {
        return Verdict::Keep;
    };
    let before = stored(row.value(&stated.field));
    if before == after {
        return Verdict::Keep;
    }
    let change = Change {
        field: stated.field.clone(),
        before,
        after,
    };
    let same = same_value(field, change.before.as_ref(), change.after.as_ref());
    if same && is_shared(context, kind, key, &change) {
        return Verdict::Keep;
    }
    judge(context, kind, key, stated, change, claim)
}

fn judge(
    context: &Context<'_>,
    kind: &'static Kind,
    key: &Key,
    stated: &Stated,
    change: Change,
    claim: Option<&Claim>,
) -> Verdict {
    match context.mode(kind, &stated.field) {
        Mode::Observe => return Verdict::Observed(change),
        Mode::Seed if change.before.is_some() => return Verdict::Yield(change.field, None),
        Mode::Seed | Mode::Enforce => {}
    }
    let name = kind.field_name(&stated.field);
    let said = digest::short(&stated.cell);
    match rivals(context, kind, key, &change) {
        Rivals::None => {}
        Rivals::Win(idle) => return Verdict::Yield(change.field, idle),
        Rivals::Conflict(names) => return Verdict::Conflict(change, names),
    }
    if kind.field(&stated.field).is_some_and(|field| field.grants)
        && let Some(verdict) =
            FieldWitnesses::of(context, key, claim, &name).regained(&change, stated)
    {
        return verdict;
    }
    let drift = claim.is_some_and(|claim| claim.fields.get(&name) == Some(said));
    if drift && context.rules.report_drift {
        return Verdict::Reported(change);
    }
    Verdict::Set { change, drift }
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
fn amended(amend: &Amend, before: Option<&Value>) -> Value {
    let stays = |member: &Text| !amend.remove.contains(member);
    match &amend.add {
        Value::Links(links) => {
            let old = before.map_or(&[][..], Value::as_links).iter();
            let comes = |target: &Text| links.iter().any(|link| link.target == *target);
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

enum Rivals {
    None,
    /// Another source decides; it is named when it writes nothing now.
    Win(Option<Arc<str>>),
    Conflict(Vec<Arc<str>>),
}

/// Whether another source enforces another value of the field.
fn rivals(context: &Context<'_>, kind: &'static Kind, key: &Key, change: &Change) -> Rivals {
    let seeds = context.mode(kind, &change.field) == Mode::Seed;
    let name = kind.field_name(&change.field);
    let mut against = Vec::new();
    for peer in &context.rules.peers {
        if context.mode_of(peer, kind, &change.field) != Mode::Enforce {
            continue;
        }
        let theirs = context.statement(peer, key, &change.field, &name);
        if theirs.is_none_or(|theirs| says_the_same(kind, change, &theirs)) {
            continue;
        }
        let first = if seeds {
            Some(false)
        } else {
            context.first(&peer.name)
        };
        match first {
            Some(true) => {}
            Some(false) => return Rivals::Win(peer.idle.as_ref().map(|_| peer.name.clone())),
            None => against.push(peer.name.clone()),
        }
    }
    if against.is_empty() {
        Rivals::None
    } else {
        Rivals::Conflict(against)
    }
}

/// Whether another source that enforces the field, and does not come after this one, says the same
/// in another form: then the form that is stored stays.
fn is_shared(context: &Context<'_>, kind: &'static Kind, key: &Key, change: &Change) -> bool {
    let name = kind.field_name(&change.field);
    context.rules.peers.iter().any(|peer| {
        let decides = context.mode_of(peer, kind, &change.field) == Mode::Enforce
            && context.first(&peer.name) != Some(true);
        let theirs = decides.then(|| context.statement(peer, key, &change.field, &name));
        let theirs = theirs.flatten();
        theirs.is_some_and(|theirs| says_the_same(kind, change, &theirs))
    })
}

/// Whether what another source says makes the field what this one makes it.
fn says_the_same(kind: &Kind, change: &Change, theirs: &Statement<'_>) -> bool {
    let field = kind.field(&change.field);
    let before = change.before.as_ref();
    match theirs {
        Statement::Cell(cell) => {
            let after = target(field, cell, before);
            after.is_some_and(|after| same_value(field, after.as_ref(), change.after.as_ref()))
        }
        // A claim is a digest: its value is known when it is the stored one, or this one.
        Statement::Claim(digest) => {
            let is = |value: Option<&Value>| match value {
                Some(value) => digest::short(&Cell::Value(value.clone())) == *digest,
                None => [Cell::Clear, Cell::Blank]
                    .iter()
                    .any(|cell| digest::short(cell) == *digest),
            };
            is(change.after.as_ref())
                || is(before) && same_value(field, before, change.after.as_ref())
        }
    }
}

/// The source that comes first, declares another value of a field, and writes nothing now.
pub(super) fn idle_first(
    context: &Context<'_>,
    kind: &'static Kind,
    key: &Key,
    change: &Change,
) -> Option<Arc<str>> {
    let mut peers = context.rules.peers.iter();
    let waits = peers.find(|peer| {
        let theirs = || {
            let declared = peer.unaccepted.as_ref()?.resources.get(key)?;
            let stated = declared.stated(&change.field)?;
            says_something(&stated.field, &stated.cell).then_some(Statement::Cell(&stated.cell))
        };
        peer.idle.is_some()
            && context.first(&peer.name) == Some(false)
            && context.mode_of(peer, kind, &change.field) == Mode::Enforce
            && theirs().is_some_and(|theirs| !says_the_same(kind, change, &theirs))
    });
    waits.map(|peer| peer.name.clone())
}

/// Whether a cell states anything: a blank standard cell does not.
pub(super) fn says_something(field: &FieldRef, cell: &Cell) -> bool {
    !matches!((field.own(), cell), (Some(_), Cell::Blank))
}

//! Compares one declared field with its stored value. [`compare`] returns a verdict: keep, write,
//! hold or only report. What the field would become depends on the cell ([`target`]); who may write
//! it depends on the authority of this source and of the others.

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

/// What becomes of one stated field.
pub(super) enum FieldVerdict {
    /// The field says nothing, or the row has the value already.
    Keep,
    /// The row differs, and its value or another source takes precedence. That source is named when
    /// it writes nothing now.
    Yield(FieldRef, Option<Arc<str>>),
    /// The row differs because a run set the field back.
    Reverted(FieldRef, i64),
    /// The row differs, and the source may only observe it.
    Observed(FieldChange),
    /// The row was changed outside Roster, and the source only reports drift.
    Reported(FieldChange),
    /// Another source enforces another value, and no order is declared.
    Conflict(FieldChange, Vec<Arc<str>>),
    /// The value is written.
    Set {
        change: FieldChange,
        /// Whether the declared value is the one that the last apply saw.
        drift: bool,
    },
    /// Part of the change would give back access that was taken away outside Roster.
    Regain {
        whole: FieldChange,
        /// The part that may be written at once, if any.
        rest: Option<FieldChange>,
        /// What the claim records of the field from now on: see [`ResourceDraft`](super::draft::ResourceDraft).
        recorded: Vec<CompactText>,
    },
}

pub(super) fn compare(
    context: &PlanContext<'_>,
    kind: &'static Kind,
    key: &Key,
    stated: &StatedField,
    row: &Row,
    claim: Option<&Claim>,
) -> FieldVerdict {
    let field = kind.field(&stated.field);
    // Members that an export no longer names must be among those to remove before the target is
    // computed.
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
    // Two sources that write one phone number differently would overwrite each other in every pass.
    // And whoever stored it first may have written it differently: that is neither drift nor a
    // reason to write it when the row is adopted.
    let same = same_value(field, change.before.as_ref(), change.after.as_ref());
    if same && (is_declared_before(kind, stated, claim) || is_shared(context, kind, key, &change)) {
        return FieldVerdict::Keep;
    }
    judge(context, kind, key, stated, change, claim)
}

/// Whether this source did not change what it declares of the field, or declares it for the first time.
fn is_declared_before(kind: &Kind, stated: &StatedField, claim: Option<&Claim>) -> bool {
    claim.is_none_or(|claim| {
        let said = digest::short_digest(&stated.cell);
        claim.fields.get(&kind.field_name(&stated.field)) == Some(said)
    })
}

fn judge(
    context: &PlanContext<'_>,
    kind: &'static Kind,
    key: &Key,
    stated: &StatedField,
    change: FieldChange,
    claim: Option<&Claim>,
) -> FieldVerdict {
    // Before everything else: a person took this declared value back.
    if let Some(run) = context.reverting_run(key, &change.field) {
        return FieldVerdict::Reverted(change.field, run);
    }
    // Our own authority comes first: a source that may only observe cannot be in conflict.
    match context.mode(kind, &stated.field) {
        AuthorityMode::Observe => return FieldVerdict::Observed(change),
        AuthorityMode::Seed if change.before.is_some() => {
            return FieldVerdict::Yield(change.field, None);
        }
        AuthorityMode::Seed | AuthorityMode::Enforce => {}
    }
    let name = kind.field_name(&stated.field);
    let said = digest::short_digest(&stated.cell);
    // Other sources come before drift and regained access: what another source decides is neither
    // drift nor a loss of access.
    match rivals(context, kind, key, &change) {
        RivalSources::None => {}
        RivalSources::Win(idle) => return FieldVerdict::Yield(change.field, idle),
        RivalSources::Conflict(names) => return FieldVerdict::Conflict(change, names),
    }
    // The declared value did not change since the last apply, so the row did.
    let drift = claim.is_some_and(|claim| claim.fields.get(&name) == Some(said));
    // Before regained access, of which a part may be written at once.
    if drift && context.rules.report_drift {
        return FieldVerdict::Reported(change);
    }
    let field = kind.field(&stated.field);
    if field.is_some_and(|field| field.grants_access)
        && let Some(verdict) =
            FieldWitnesses::of(context, key, claim, &name).split_regained_access(&change, stated)
    {
        return match verdict {
            // A list that must not be empty is not emptied until somebody decides about the rest.
            FieldVerdict::Regain {
                whole,
                rest,
                recorded,
            } if field.is_some_and(|field| field.required)
                && rest.as_ref().is_some_and(|rest| rest.after.is_none()) =>
            {
                FieldVerdict::Regain {
                    whole,
                    rest: None,
                    recorded,
                }
            }
            verdict => verdict,
        };
    }
    FieldVerdict::Set { change, drift }
}

/// What the cell makes of the field: `None` leaves it alone, `Some(None)` empties it.
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
        // A blank custom cell clears the field; a blank standard cell says nothing.
        (Cell::Blank, Some(_)) => None,
        (Cell::Clear | Cell::Blank, None) => Some(None),
        (Cell::Clear, Some(field)) => Some(stored(field.default.value().as_ref())),
    }
}

/// The stored form, in which an empty list is no value.
pub(super) fn stored(value: Option<&Value>) -> Option<Value> {
    value.filter(|value| !value.is_empty_list()).cloned()
}

/// Link attributes that are not stated keep their stored value.
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

/// The stored list, with the added and without the removed members.
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
    /// Another source takes precedence; it is named when it writes nothing now.
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
        // A seed never contradicts a source that enforces the field, whatever the order.
        let first = if seeds {
            Some(false)
        } else {
            context.comes_before(&peer.name)
        };
        // The first source in the order that wins ends the search; those after it cannot change
        // that.
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

/// Whether another source of the same or a higher rank enforces the same value in another form. The
/// stored form then stays.
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

/// Whether another source's statement leads to the same value.
fn says_the_same(kind: &Kind, change: &FieldChange, theirs: &PeerStatement<'_>) -> bool {
    let field = kind.field(&change.field);
    let before = change.before.as_ref();
    match theirs {
        PeerStatement::Cell(cell) => {
            let after = target(field, cell, before);
            after.is_some_and(|after| same_value(field, after.as_ref(), change.after.as_ref()))
        }
        // A claim only has a digest, so its value is known if it equals the stored or the new one.
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

/// The source that takes precedence at this field, declares another value, and writes nothing now.
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

/// Whether a cell states anything; a blank standard cell does not.
pub(super) fn says_something(field: &FieldRef, cell: &Cell) -> bool {
    !matches!((field.own(), cell), (Some(_), Cell::Blank))
}

//! Whether a stored row still has the values that a claim recorded, without what the source declares.
//!
//! A claim keeps a digest of each cell that the row agreed with. A row whose version is the one that
//! the claim has seen, and that does not have these values, was changed by a write that hid itself.
//! The answer errs on one side: a row may be named that a plan then leaves alone, for example one
//! whose phone number another source writes with other separators.

use super::compare::{stored, target};
use super::regained::link_as_stated;
use crate::kinds::{self, Field, Kind};
use crate::model::{
    Cell, Claim, ClaimState, CompactText, Link, ListAmendment, Row, Value, digest::short_digest,
};

/// Whether a row may have other values than the claim of a source recorded. `claims` are all claims
/// on the row, that one among them; an export says nothing by leaving a field out.
pub fn may_have_changed(row: &Row, claim: &Claim, claims: &[Claim], is_export: bool) -> bool {
    if claim.state != ClaimState::Active {
        return false;
    }
    let kind = kinds::get(row.key.kind);
    claim.seen_version != row.version
        || row.facts.get("approval").is_some_and(|it| it == "rejected")
        || !claim
            .fields
            .fields()
            .all(|name| has_recorded(kind, row, claim, name))
        || !has_inferred(kind, row, claim)
        || !is_export && is_deactivated(kind, row, claims)
}

/// Whether the row is inactive although nobody declared a status.
fn is_deactivated(kind: &Kind, row: &Row, claims: &[Claim]) -> bool {
    let status = row.values[kind.status_index()].as_ref();
    let mut active = claims.iter().filter(|it| it.state == ClaimState::Active);
    kind.has_status
        && status.and_then(Value::as_text) == Some("inactive")
        && active.all(|it| it.fields.get("status").is_none())
}

/// Whether a row has what the claim recorded of one field.
fn has_recorded(kind: &Kind, row: &Row, claim: &Claim, name: &str) -> bool {
    let (Some(reference), Some(recorded)) = (kind.field_ref(name), claim.fields.get(name)) else {
        // A field of another release: only a plan knows what became of it.
        return false;
    };
    let field = kind.field(&reference);
    // Passwords are read in every pass and compared by keyed digests.
    if field.is_some_and(Field::is_secret) {
        return true;
    }
    let value = row.value(&reference);
    let agrees = |cell: &Cell| {
        short_digest(cell) == recorded
            && target(field, cell, value).is_none_or(|target| target == stored(value))
    };
    let has = |value: Value| agrees(&Cell::Value(value.clone())) || amends(&value, &agrees);
    let is_value = match value {
        Some(Value::Links(links)) => {
            let named = |link: &Link| claim.fields.member(name, &link.target);
            let stated = links.iter().filter_map(|it| link_as_stated(it, named(it)?));
            has(Value::links(stated))
        }
        Some(Value::List(members)) => {
            let is_named = |member: &&CompactText| claim.fields.member(name, member).is_some();
            let named = members.iter().filter(is_named).cloned();
            has(Value::List(members.clone())) || has(Value::set(named))
        }
        Some(value) => agrees(&Cell::Value(value.clone())),
        None => has(Value::List([].into())) || has(Value::Links([].into())),
    };
    // Last, because most fields have values, and each question costs a hash.
    is_value || agrees(&Cell::Clear) || agrees(&Cell::Blank)
}

/// Whether members that were added to a list are what was recorded. One that also removed members is
/// not recognised: the claim does not name them.
fn amends(add: &Value, agrees: &impl Fn(&Cell) -> bool) -> bool {
    [false, true].into_iter().any(|partial| {
        agrees(&Cell::Amend(Box::new(ListAmendment {
            add: add.clone(),
            remove: Vec::new(),
            partial,
        })))
    })
}

/// Whether the fields that follow from a declared list, and were not declared themselves, still do.
fn has_inferred(kind: &'static Kind, row: &Row, claim: &Claim) -> bool {
    let fields = kind.fields.iter().enumerate();
    fields
        .filter_map(|(index, field)| Some((index, field.name, field.inferred_from?)))
        .filter(|(_, name, list)| {
            claim.fields.get(name).is_none() && claim.fields.get(list).is_some()
        })
        .all(|(index, _, list)| {
            let members = row.values[kind.expect_index(list)].as_ref();
            let mut members = members.into_iter().flat_map(Value::members);
            match (members.next(), members.next()) {
                (Some(only), None) => row.values[index] == Some(Value::text(only)),
                (None, _) => row.values[index].is_none(),
                (Some(_), Some(_)) => true,
            }
        })
}

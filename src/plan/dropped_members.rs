//! What an export declared of a list before and no longer does.
//!
//! Only that is taken out of the stored list: whatever else is in it was put there by somebody else. The
//! claim has a digest for each member, which tells what the export declared.

use super::context::PlanContext;
use crate::kinds::{Field, FieldType, Kind};
use crate::model::{
    Cell, Claim, ClaimState, CompactText, DeclaredResource, Desired, FieldDigests, FieldRef, Key,
    ListAmendment, StatedField,
};
use std::borrow::Cow;

/// The cell, with the members that the source declared before and now leaves out among those that go.
pub(super) fn with_dropped<'s>(
    context: &PlanContext<'_>,
    kind: &'static Kind,
    key: &Key,
    stated: &'s StatedField,
    claim: Option<&Claim>,
) -> Cow<'s, Cell> {
    let (Cell::Amend(amend), Some(claim), Some(field)) =
        (&stated.cell, claim, kind.field(&stated.field))
    else {
        return Cow::Borrowed(&stated.cell);
    };
    if amend.partial || only_grows(field) {
        return Cow::Borrowed(&stated.cell);
    }
    let says = |member: &str| amend.add.members().any(|said| said == member);
    let earlier = claim.fields.members(field.name);
    let gone = earlier.filter(|member| {
        !says(member) && !others_declare(context, key, &stated.field, field.name, member)
    });
    let mut remove: Vec<CompactText> = amend.remove.clone();
    remove.extend(gone.map(CompactText::new));
    remove.sort_unstable();
    remove.dedup();
    Cow::Owned(Cell::Amend(Box::new(ListAmendment {
        remove,
        ..(**amend).clone()
    })))
}

/// Addresses are taken off an account only where an export says so.
fn only_grows(field: &Field) -> bool {
    matches!(field.ty, FieldType::Links { inline: true, .. })
}

/// Whether another source declares the member: by what it says now or, unread, by its claim.
fn others_declare(
    context: &PlanContext<'_>,
    key: &Key,
    field: &FieldRef,
    name: &str,
    member: &str,
) -> bool {
    let peers = &context.rules.peers;
    let said_now = peers.iter().filter_map(|peer| {
        let declared = peer.desired.as_ref()?.resources.get(key)?;
        declared.stated(field)?.cell.value()
    });
    let mut said_now = said_now.flat_map(crate::model::Value::members);
    if said_now.any(|said| said == member) {
        return true;
    }
    let is_read = |source: &str| {
        let mut read = peers.iter().filter(|peer| peer.desired.is_some());
        read.any(|peer| *peer.name == *source)
    };
    let claims = context.stored.claims.get(key).into_iter().flatten();
    let mut claims = claims.filter(|claim| {
        claim.state == ClaimState::Active
            && *claim.source != *context.desired.source
            && !is_read(&claim.source)
    });
    claims.any(|claim| claim.fields.member(name, member).is_some())
}

/// Whether an export has a column for a field and says nothing of it here.
pub(super) fn is_left_blank(
    desired: &Desired,
    declared: &DeclaredResource,
    field: &FieldRef,
) -> bool {
    let of_kind = (declared.key.kind, field.clone());
    declared.stated(field).is_none() && desired.mapped.contains(&of_kind)
}

/// What a claim of an export goes on recording: the members of lists that it says nothing of today, or
/// only a part of, and what it said of a field that it leaves blank. Without them it would never know
/// that they were its own.
pub(super) fn carried_digests(
    desired: &Desired,
    declared: &DeclaredResource,
    kind: &'static Kind,
    old: &Claim,
) -> FieldDigests {
    let carries = |name: &str| {
        let Some(field) = kind.field_ref(name) else {
            return false;
        };
        let lists = kind
            .field(&field)
            .is_some_and(|field| field.ty.is_list() && !only_grows(field));
        let cell = declared.stated(&field).map(|stated| &stated.cell);
        lists
            && match cell {
                None | Some(Cell::Blank) => true,
                Some(Cell::Amend(amend)) => amend.partial,
                Some(_) => false,
            }
    };
    let mut fields = old.fields.clone();
    let is_blank = |name: &str| {
        let field = kind.field_ref(name);
        field.is_some_and(|field| is_left_blank(desired, declared, &field))
    };
    fields.retain(|entry| match entry.split_once('=') {
        Some((name, _)) => carries(name),
        None => is_blank(entry),
    });
    fields
}

//! Finds the list members that an export declared before and no longer names. Only these are
//! removed from the stored list; the others were added by somebody else. The claim holds a digest
//! of each member, which tells what the export declared.

use super::context::PlanContext;
use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::kinds::{self, Field, FieldType, Kind};
use crate::model::{
    Cell, Claim, ClaimState, CompactText, DeclaredResource, Desired, FieldDigests, FieldRef, Key,
    ListAmendment, Row, StatedField, Value,
};
use std::borrow::Cow;

/// The cell, with the members that the source no longer names among those to remove.
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
    // A partial list does not name all its members, so a missing one means nothing.
    if amend.partial || only_grows(field) {
        return Cow::Borrowed(&stated.cell);
    }
    let says = |member: &str| amend.add.members().any(|said| said == member);
    let earlier = claim.fields.members(field.name);
    // Another source that still declares the member would put it back in its next pass.
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

/// Warns of addresses that an export takes out of a list which does not have them: probably a
/// mistyped id, and another one stays.
pub(super) fn unlinked_in_vain(
    declared: &DeclaredResource,
    stated: &StatedField,
    row: &Row,
) -> Vec<Diagnostic> {
    let kind = kinds::get(declared.key.kind);
    let (Cell::Amend(amend), Some(field)) = (&stated.cell, kind.field(&stated.field)) else {
        return Vec::new();
    };
    let Some(target) = field.ty.target().filter(|_| only_grows(field)) else {
        return Vec::new();
    };
    let before = row.value(&stated.field);
    let linked = |id: &CompactText| {
        before
            .into_iter()
            .flat_map(Value::members)
            .any(|it| it == id)
    };
    let absent = amend.remove.iter().filter(|id| !linked(id));
    let found = absent.map(|id| {
        let message = format!(
            "{} is not linked to {}: nothing to unlink",
            Key::new(target, id),
            declared.key
        );
        Diagnostic::new(codes::NOT_FOUND, message)
            .for_resource(&declared.key)
            .field(field.name)
            .at(Origin::of_field(declared, &stated.field))
    });
    found.collect()
}

/// Whether members are removed only on request. Addresses are: an export often names just one.
fn only_grows(field: &Field) -> bool {
    matches!(field.ty, FieldType::Links { inline: true, .. })
}

/// Whether another source declares the member: by its tree, or by its claim if it was not read.
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
    // The tree of a source that was read is newer than its claim.
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

/// Whether an export has a column for a field but leaves it blank here.
pub(super) fn is_left_blank(
    desired: &Desired,
    declared: &DeclaredResource,
    field: &FieldRef,
) -> bool {
    let of_kind = (declared.key.kind, field.clone());
    declared.stated(field).is_none() && desired.mapped.contains(&of_kind)
}

/// The digests that a claim of an export keeps: members of lists that are blank or partial this
/// time, and fields that are left blank. Without them the export would forget that they were its
/// own and never remove them.
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

//! Changes that come by the clock: an end that the database knew before it came is nobody's
//! mistake of today, so no guard counts it. An end that is past when it is first declared is a
//! change like any other.

use super::context::PlanContext;
use super::stored_ends;
use crate::kinds::effective::{self, DATE_NAMES, DatedItem};
use crate::kinds::{self, Kind};
use crate::model::{Cell, Claim, DeclaredResource, FieldChange, Key, Link, Row, StatedField};

/// Whether a change only takes away what ends by a date that was stored before; without a change,
/// whether the resource becomes inactive so.
pub(super) fn is_known_end(
    context: &PlanContext<'_>,
    key: &Key,
    change: Option<&FieldChange>,
) -> bool {
    let kind = kinds::get(key.kind);
    let Some(row) = context.stored.rows.get(key) else {
        return false;
    };
    let declared = context.desired.resources.get(key);
    match (change, declared) {
        (Some(change), declared) if change.field.own() != Some(kind.status_index()) => {
            ends_by_items(context, kind, declared.map(|it| &**it), row, change)
        }
        (_, Some(declared)) => ends_by_date(context, kind, declared, row),
        // No longer declared, and over by its date anyway.
        (_, None) => stored_ends::has_ended(row, &context.desired.as_of),
    }
}

fn ends_by_date(
    context: &PlanContext<'_>,
    kind: &'static Kind,
    declared: &DeclaredResource,
    row: &Row,
) -> bool {
    if declared.cell(kind.status_index()).is_none() {
        return stored_ends::has_ended(row, &context.desired.as_of);
    }
    let is_stored = |name: &str| {
        let field = kind.field_ref(name);
        field.is_some_and(|field| {
            let said = declared.stated(&field);
            said.and_then(|stated| stated.cell.value()) == row.value(&field)
        })
    };
    effective::is_status_dated(kind, &declared.cells) && DATE_NAMES.iter().all(|it| is_stored(it))
}

/// Whether every member that leaves the list, comes or changes does so by a stored item with dates.
fn ends_by_items(
    context: &PlanContext<'_>,
    kind: &'static Kind,
    declared: Option<&DeclaredResource>,
    row: &Row,
    change: &FieldChange,
) -> bool {
    let (Some(items), Some(list)) = (
        effective::dated_items_field(kind),
        kind.field(&change.field),
    ) else {
        return false;
    };
    if list.dated_by.is_none() {
        return false;
    }
    let mut known: Vec<DatedItem> = effective::dated_items(kind, row.value(&items)).collect();
    known.retain(|item| item.list == list.name);
    // What is not declared now ends by what is stored.
    if let Some(declared) = declared {
        let said = declared.stated(&items);
        let said = effective::dated_items(kind, said.and_then(|stated| stated.cell.value()));
        let said: Vec<DatedItem> = said.collect();
        known.retain(|item| said.contains(item));
    }
    let is_in_force = |item: &DatedItem| item.period.contains(&context.desired.as_of);
    let [before, after] = [&change.before, &change.after]
        .map(|list| list.as_ref().map(effective::as_links).unwrap_or_default());
    let explains = |link: &Link, in_force: bool| {
        let mut known = known.iter();
        known.any(|item| {
            item.member == link.target
                && is_in_force(item) == in_force
                && (!in_force || item.link(&list.ty) == *link)
        })
    };
    let mut went = before
        .iter()
        .filter(|link| !after.contains(link))
        .peekable();
    let mut came = after.iter().filter(|link| !before.contains(link));
    went.peek().is_some()
        && went.all(|link| explains(link, false))
        && came.all(|link| explains(link, true))
}

/// The fields that go because their source no longer declares them.
pub(super) fn lapsed_fields(
    context: &PlanContext<'_>,
    declared: &DeclaredResource,
    active: Option<&Claim>,
) -> Vec<StatedField> {
    // What an export leaves out stays as it is.
    let Some(claim) = active.filter(|_| !context.desired.partial) else {
        return Vec::new();
    };
    let kind = kinds::get(declared.key.kind);
    let fields = kind.fields.iter().enumerate();
    let lapsed = fields.filter(|(index, field)| {
        field.lapses && claim.fields.get(field.name).is_some() && declared.cell(*index).is_none()
    });
    let lapsed = lapsed.map(|(index, _)| StatedField {
        field: kinds::own_field(index),
        cell: Cell::Clear,
        position: declared.position,
    });
    let is_faulty = |stated: &StatedField| {
        let of_field = (declared.key.clone(), stated.field.clone());
        context.desired.faulty_fields.contains(&of_field)
    };
    lapsed.filter(|stated| !is_faulty(stated)).collect()
}

//! Ends that the database knows, whatever the files say of them now. A date may be left blank, its
//! file may be unreadable, its change may be held, or a revert may have brought it back: the access
//! ends on its day all the same.

use super::context::PlanContext;
use super::planned_change::change_of;
use super::rules::AuthorityMode;
use crate::check::{PlannedChange, PlannedOutcome};
use crate::kinds::effective::{self, DATE_NAMES, DatedItem, EffectivePeriod};
use crate::kinds::{self, Kind};
use crate::model::{
    Cell, ClaimState, CompactText, DeclaredResource, FieldChange, FieldRef, Key, KeyedList, Link,
    Row, StatedField, Value,
};

/// The deactivations of what is active beyond its stored end and stays so by what is planned.
pub(super) fn overdue(
    context: &PlanContext<'_>,
    planned: &KeyedList<PlannedChange>,
) -> Vec<(Key, FieldChange)> {
    let only = context.rules.only.as_ref();
    let rows = context.stored.rows.iter();
    let over = rows.filter(|row| has_ended(row, &context.desired.as_of) && is_active(row));
    let over = over.filter(|row| only.is_none_or(|only| only.contains(&row.key)));
    let over = over.filter(|row| {
        let kind = kinds::get(row.key.kind);
        let until = kind.field_ref(DATE_NAMES[1]);
        until.is_some_and(|until| may_end(context, row, &until))
            && context.mode(kind, &kinds::own_field(kind.status_index())) == AuthorityMode::Enforce
    });
    let over = over.filter(|row| stays_over(context, planned.get(&row.key)));
    let over = over.map(|row| (row.key.clone(), deactivation(row)));
    let rows = context.stored.rows.iter();
    let rows = rows.filter(|row| only.is_none_or(|only| only.contains(&row.key)));
    // What a file declares is compared by its own dates.
    let unread = rows
        .filter(|row| !planned.contains(&row.key) && !context.desired.resources.contains(&row.key));
    let items = unread.flat_map(|row| {
        let lists = overdue_items(context, row).into_iter();
        lists.map(|change| (row.key.clone(), change))
    });
    over.chain(items).collect()
}

/// The lists of a resource with members that are over by their stored dates.
fn overdue_items(context: &PlanContext<'_>, row: &Row) -> Vec<FieldChange> {
    let kind = kinds::get(row.key.kind);
    let Some(items) = effective::dated_items_field(kind) else {
        return Vec::new();
    };
    let known: Vec<DatedItem> = effective::dated_items(kind, row.value(&items)).collect();
    if known.is_empty() || !may_end(context, row, &items) {
        return Vec::new();
    }
    let lists = kind.fields.iter().enumerate();
    let lists = lists.filter(|(_, list)| list.dated_by.is_some());
    let changes = lists.filter_map(|(index, list)| {
        let before = row.values[index].as_ref()?;
        let known = || known.iter().filter(|item| item.list == list.name);
        let links = effective::as_links(before);
        let after: Vec<Link> = links
            .iter()
            .filter_map(|link| {
                effective::without_ended(&list.ty, link, known(), &context.desired.as_of)
            })
            .collect();
        (after != links).then(|| FieldChange {
            field: kinds::own_field(index),
            before: Some(before.clone()),
            after: Some(effective::from_links(&list.ty, after)),
        })
    });
    changes
        .filter(|change| context.mode(kind, &change.field) == AuthorityMode::Enforce)
        .collect()
}

/// Whether the stored end of a resource is not later than a moment. What another program wrote there
/// may be no moment at all, and that ends nothing.
pub(super) fn has_ended(row: &Row, at: &str) -> bool {
    let until = EffectivePeriod::of_row(row).until;
    until.is_some_and(|until| until.len() == at.len() && until.ends_with('Z') && *until <= *at)
}

/// Whether a resource is over by its stored end, and its source does not say another one.
pub(super) fn stays_ended(
    context: &PlanContext<'_>,
    declared: &DeclaredResource,
    row: &Row,
) -> bool {
    let kind = kinds::get(row.key.kind);
    let Some(until) = kind.field_ref(DATE_NAMES[1]) else {
        return false;
    };
    let is_kept = match declared.stated(&until).map(|stated| &stated.cell) {
        Some(Cell::Blank) => true,
        Some(_) => false,
        // What a source no longer declares goes, if it was the one that declared it.
        None => {
            let claim = context.stored.claim(&context.desired.source, &row.key);
            claim.is_none_or(|claim| claim.fields.get(DATE_NAMES[1]).is_none())
        }
    };
    has_ended(row, &context.desired.as_of)
        && (is_kept || context.reverting_run(&row.key, &until).is_some())
}

fn is_active(row: &Row) -> bool {
    let status = &row.values[kinds::get(row.key.kind).status_index()];
    status.as_ref().and_then(Value::as_text) != Some("inactive")
}

/// Whether this source has a say in a row, and the dates in a field are its own: it declared them, keeps
/// them by a blank, or had them before somebody reverted. A date that only another program wrote ends
/// nothing.
fn may_end(context: &PlanContext<'_>, row: &Row, dates: &FieldRef) -> bool {
    let kind = kinds::get(row.key.kind);
    let Some(claim) = context.stored.claim(&context.desired.source, &row.key) else {
        return false;
    };
    let declared = context.desired.resources.get(&row.key);
    let cell = declared.and_then(|declared| declared.stated(dates));
    let is_own = claim.fields.get(&kind.field_name(dates)).is_some()
        || cell.is_some_and(|stated| stated.cell == Cell::Blank)
        || context.reverting_run(&row.key, dates).is_some();
    // What another program activated again is only reported, if the source says so.
    let is_reported = context.rules.report_drift && claim.seen_version != row.version;
    claim.state == ClaimState::Active && is_own && !is_reported
}

/// Whether a change leaves the resource active beyond its end. One that moves the end may not.
fn stays_over(context: &PlanContext<'_>, planned: Option<&PlannedChange>) -> bool {
    let Some(planned) = planned else {
        return true;
    };
    if !matches!(planned.outcome, PlannedOutcome::Change(_)) {
        return false;
    }
    let kind = kinds::get(planned.key.kind);
    let status = kinds::own_field(kind.status_index());
    let until = kind.field_ref(DATE_NAMES[1]);
    let moved = until.and_then(|until| change_of(planned, &until));
    let is_over = |after: &Value| {
        after
            .as_text()
            .is_some_and(|end| *end <= *context.desired.as_of)
    };
    change_of(planned, &status).is_none()
        && moved.is_none_or(|change| change.after.as_ref().is_some_and(is_over))
}

pub(super) fn deactivation(row: &Row) -> FieldChange {
    let index = kinds::get(row.key.kind).status_index();
    FieldChange {
        field: kinds::own_field(index),
        before: row.values[index].clone(),
        after: Some(Value::text("inactive")),
    }
}

/// The run that set back the date from which a status follows, if the resource is in force by the
/// stored dates.
pub(super) fn reverting_run(
    context: &PlanContext<'_>,
    kind: &Kind,
    declared: &DeclaredResource,
    stated: &StatedField,
    row: &Row,
) -> Option<i64> {
    let is_status = stated.field.own() == Some(kind.status_index());
    if !is_status || !effective::is_status_dated(kind, &declared.cells) {
        return None;
    }
    let set_back = |name: &str| {
        let field = kind.field_ref(name)?;
        Some((context.reverting_run(&declared.key, &field)?, field))
    };
    let [from, until] = DATE_NAMES.map(set_back);
    let stored = EffectivePeriod::of_row(row);
    let said = EffectivePeriod::of_cells(kind, &declared.cells);
    let stays = |run: &Option<(i64, FieldRef)>, stored: Option<CompactText>, said| {
        if run.is_some() { stored } else { said }
    };
    let period = EffectivePeriod {
        from: stays(&from, stored.from, said.from),
        until: stays(&until, stored.until, said.until),
    };
    let (run, _) = until.or(from)?;
    period.contains(&context.desired.as_of).then_some(run)
}

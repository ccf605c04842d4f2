//! The stored resources as they were after a run, rebuilt from the history. A resource that a run
//! created is rebuilt from its creation on. One that was stored before the first run that mentions
//! it starts as it is now, with everything undone that runs changed. What was erased stays erased.
//! Start at [`past_state`].

use super::PassError;
use super::recorded_changes::recorded_change;
use crate::kinds::{self, FieldType, Kind};
use crate::model::{FieldChange, Key, RecordedChange, RecordedValues, RecordedVerb, Row, Value};
use crate::plan::default_row;
use crate::store::{ChangeRecord, Store};
use std::collections::BTreeMap;

/// How many changes are read at a time.
const PART: u32 = 5_000;

/// A moment in the history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PastMoment {
    /// After this run.
    Run(i64),
    /// At this time, in milliseconds since 1970.
    Time(i64),
}

/// A resource as it was.
#[derive(Clone, PartialEq, Debug)]
pub struct PastResource {
    pub row: Row,
    /// The last run that changed it.
    pub run: i64,
    /// When that run committed, in milliseconds since 1970.
    pub at: i64,
}

/// A change with its place in the history.
struct PlacedChange {
    run: i64,
    at: i64,
    change: RecordedChange,
}

/// Returns the resources as they were at a moment, sorted: all, those of a kind, or one.
pub async fn past_state(
    store: &Store,
    moment: PastMoment,
    kind: Option<&'static Kind>,
    only: Option<&Key>,
) -> Result<Vec<PastResource>, PassError> {
    let last = match moment {
        PastMoment::Run(run) if store.run(run).await?.is_some() => run,
        PastMoment::Run(run) => {
            return Err(PassError::Refused(format!(
                "there is no run {run}; `roster history` lists the runs"
            )));
        }
        PastMoment::Time(at) => store.run_at(at).await?.unwrap_or_default(),
    };
    let histories = histories(store, kind, only, last).await?;
    let mut now = BTreeMap::new();
    if histories.values().any(|changes| !is_from_creation(changes)) {
        let rows = match only {
            Some(key) => store.row(key).await?.into_iter().collect(),
            None => store.rows().await?.iter().cloned().collect::<Vec<Row>>(),
        };
        now.extend(rows.into_iter().map(|row| (row.key.clone(), row)));
    }
    let found = histories.into_iter().filter_map(|(key, changes)| {
        let now = now.remove(&key).filter(|_| !is_from_creation(&changes));
        rebuilt(&key, &changes, now, last)
    });
    Ok(found.collect())
}

/// The changes of each resource that matter for its state after run `last`, the first one first.
async fn histories(
    store: &Store,
    kind: Option<&'static Kind>,
    only: Option<&Key>,
    last: i64,
) -> Result<BTreeMap<Key, Vec<PlacedChange>>, PassError> {
    let mut histories = BTreeMap::new();
    if let Some(key) = only {
        let latest_first = store.history(Some(key), u32::MAX).await?;
        for change in latest_first.iter().rev() {
            add(&mut histories, change, kind, last);
        }
        return Ok(histories);
    }
    let mut seq = 0;
    loop {
        let part = store.changes_after(seq, PART).await?;
        let Some(end) = part.last() else {
            return Ok(histories);
        };
        seq = end.seq;
        for change in &part {
            add(&mut histories, change, kind, last);
        }
    }
}

/// Whether the history of a resource begins with its creation.
fn is_from_creation(changes: &[PlacedChange]) -> bool {
    changes[0].change.verb == RecordedVerb::Create
}

/// Adds a change to the history of its resource, unless it cannot matter: a resource that no run up
/// to `last` mentions is not part of the state.
fn add(
    histories: &mut BTreeMap<Key, Vec<PlacedChange>>,
    change: &ChangeRecord,
    kind: Option<&'static Kind>,
    last: i64,
) {
    if kind.is_some_and(|kind| kind.name != change.kind) {
        return;
    }
    let Some(recorded) = recorded_change(change) else {
        return;
    };
    let is_later = change.run > last;
    let placed = PlacedChange {
        run: change.run,
        at: change.at,
        change: recorded,
    };
    match histories.get_mut(&placed.change.key) {
        // Later changes only tell what a resource was like that was there before the first run.
        Some(changes) if is_later && is_from_creation(changes) => {}
        Some(changes) => changes.push(placed),
        None if is_later => {}
        None => _ = histories.insert(placed.change.key.clone(), vec![placed]),
    }
}

/// A resource as it was after run `last`; `None` if it was deleted by then.
fn rebuilt(
    key: &Key,
    changes: &[PlacedChange],
    now: Option<Row>,
    last: i64,
) -> Option<PastResource> {
    let mut row = Some(match now {
        Some(row) => {
            let earlier = |row: Row, placed: &PlacedChange| {
                applied(row, &placed.change, TimeDirection::Backward)
            };
            changes.iter().rev().fold(row, earlier)
        }
        None => default_row(key),
    });
    let (mut run, mut at) = (0, 0);
    for placed in changes.iter().filter(|placed| placed.run <= last) {
        (run, at) = (placed.run, placed.at);
        row = match placed.change.verb {
            RecordedVerb::Delete => None,
            RecordedVerb::Create => Some(created(key, &placed.change)),
            RecordedVerb::Change => {
                row.map(|row| applied(row, &placed.change, TimeDirection::Forward))
            }
        };
    }
    row.map(|row| PastResource {
        row: with_empty_lists(row),
        run,
        at,
    })
}

/// The row as the database would give it, with lists that have no members.
fn with_empty_lists(mut row: Row) -> Row {
    let kind = kinds::get(row.key.kind);
    for (field, value) in kind.fields.iter().zip(&mut row.values) {
        if value.is_none() && field.ty.has_link_table() {
            *value = Some(match field.ty {
                FieldType::Links { .. } => Value::links([]),
                _ => Value::set([]),
            });
        }
    }
    row
}

fn created(key: &Key, change: &RecordedChange) -> Row {
    let mut row = default_row(key);
    // A recorded list replaces its default instead of being merged into it.
    for recorded in &change.fields {
        row.set(&recorded.field, None);
    }
    applied(row, change, TimeDirection::Forward)
}

/// The direction in time in which a change is applied to a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TimeDirection {
    Forward,
    Backward,
}

/// The row after a change or, going backward, before it.
fn applied(mut row: Row, change: &RecordedChange, direction: TimeDirection) -> Row {
    let kind = kinds::get(row.key.kind);
    for recorded in &change.fields {
        let (before, after) = match &recorded.values {
            RecordedValues::Known { before, after } => (before.clone(), after.clone()),
            // Nobody knows the value: it was erased, or it is a password.
            RecordedValues::Unknown => {
                row.set(&recorded.field, None);
                continue;
            }
        };
        let (from, to) = match direction {
            TimeDirection::Forward => (before, after),
            TimeDirection::Backward => (after, before),
        };
        let field = kind.field(&recorded.field);
        let value = if field.is_some_and(|field| field.ty.has_link_table()) {
            let change = FieldChange {
                field: recorded.field.clone(),
                before: from,
                after: to,
            };
            change.merged_list(row.value(&recorded.field))
        } else {
            to
        };
        row.set(&recorded.field, value);
    }
    row
}

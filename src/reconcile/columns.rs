//! The columns of an export against those of the last one that was accepted.

use super::feeds::ExportFacts;
use super::source_reading::SourceReading;
use crate::check;
use crate::config::FeedConfig;
use crate::diagnostic::{Code, Diagnostic, Origin, codes};
use crate::feed::format::ExportColumns;
use crate::kinds::{self, Kind};
use crate::model::{DeclaredResource, FieldRef, LineColumn, Snapshot};
use crate::plan::{DoubtfulField, GuardLimit, Plan};
use crate::store::{AcceptedExport, FieldFillCounts};

/// Of each field that an export fills: how many have a value, of how many that it names.
pub(super) fn filled(read: &crate::feed::ParsedExport) -> FieldFillCounts {
    let mut named = [0; kinds::ALL.len()];
    for declared in &read.desired.resources {
        named[usize::from(declared.key.kind.0)] += 1;
    }
    let filled = read.filled.iter().map(|(kind, field, count)| {
        let of = named[usize::from(kind.0)];
        let kind = kinds::get(*kind);
        let name = format!("{}.{}", kind.name, kind.field_name(field));
        (name, (*count, of))
    });
    filled.collect()
}

/// The fields that have a value for far fewer than in the last accepted export.
pub(super) fn blank_fields(
    facts: &ExportFacts,
    export: &FeedConfig,
    last: &AcceptedExport,
    limit: GuardLimit,
) -> Vec<DoubtfulField> {
    let present = current_columns(facts);
    let lost = last.filled.iter().filter_map(|(name, before)| {
        let (kind, field) = name.split_once('.')?;
        let kind = kinds::by_name(kind)?;
        let field = kind.field_ref(field)?;
        let columns = export.mapping.columns_of(kind.id, &field);
        // Of a column that is not there at all it is said otherwise.
        let found = columns
            .iter()
            .find(|names| names.iter().any(|name| present.find(name).is_some()));
        let column = found.and_then(|names| names.first())?;
        let of = named(&facts.filled, kind)?;
        let now = facts.filled.get(name).map_or(0, |(now, _)| *now);
        let count = share(*before, of).checked_sub(now)?;
        if count == 0 || !limit.is_exceeded_by(count, 0, of) {
            return None;
        }
        let limit = limit.allowed(of);
        let message = format!(
            "`{column}` has a value for {now} of {of} {}, but had one for {} of {} in the last \
             accepted export; `guards.blank` allows {limit} to lose it. Other columns are applied",
            kind.collection, before.0, before.1
        );
        Some(DoubtfulField {
            kind: kind.id,
            field,
            count,
            total: of,
            limit,
            message,
        })
    });
    lost.collect()
}

/// How many of a kind an export names.
fn named(filled: &FieldFillCounts, kind: &Kind) -> Option<u64> {
    let of = filled
        .iter()
        .filter(|(name, _)| name.split('.').next() == Some(kind.name));
    of.map(|(_, (_, of))| *of).max()
}

/// As large a share of so many.
fn share((count, of): (u64, u64), now: u64) -> u64 {
    let share = u128::from(count) * u128::from(now) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// What an export has no longer that its mapping reads, where all columns stand in a header.
pub(super) fn lost_columns(
    facts: &ExportFacts,
    export: &FeedConfig,
    last: &AcceptedExport,
) -> Option<(Code, String)> {
    let present = current_columns(facts);
    let gone = last.columns.iter().filter(|column| {
        let known = export.mapping.is_mapped_column(column);
        facts.headed && known && present.find(column).is_none()
    });
    let gone: Vec<&str> = gone.map(String::as_str).collect();
    (!gone.is_empty()).then(|| {
        let message = format!(
            "the export no longer has the column {}, which the last accepted export had",
            gone.join(", ")
        );
        (codes::FEED_SHRUNK, message)
    })
}

/// What is remembered of an export that was accepted: of what waits, what was there before.
pub(super) fn remembered(
    facts: &ExportFacts,
    last: Option<&FieldFillCounts>,
    plan: &Plan,
) -> FieldFillCounts {
    let mut filled = facts.filled.clone();
    let waiting = plan
        .held
        .iter()
        .filter(|held| held.code == codes::COLUMN_BLANK);
    for held in waiting {
        let kind = kinds::get(held.key.kind);
        for change in &held.changes {
            let name = format!("{}.{}", kind.name, kind.field_name(&change.field));
            if let Some(before) = last.and_then(|last| last.get(&name)) {
                filled.insert(name, *before);
            }
        }
    }
    filled
}

/// The required custom fields that an export creates something without, whatever its rows say.
pub(super) fn unmapped(reading: &SourceReading, stored: &Snapshot) -> Vec<Diagnostic> {
    let (Some(facts), Some(export)) = (reading.export_facts(), reading.source.feed()) else {
        return Vec::new();
    };
    let definitions = check::definitions(&reading.as_read, stored);
    let present = current_columns(facts);
    let mapping = &export.mapping;
    let kinds = kinds::ALL
        .iter()
        .filter(|kind| creates(reading, kind, stored));
    let fields = kinds.flat_map(|kind| {
        let required = definitions.required(kind.id);
        required
            .filter(|(_, field)| field.default.is_none())
            .map(move |(id, _)| (kind, id))
    });
    let missing = fields.filter(|(kind, id)| {
        let field = FieldRef::Custom((*id).clone());
        let columns = mapping.columns_of(kind.id, &field);
        let mut names = columns.iter().flatten();
        !mapping.is_computed(kind.id, &field) && !names.any(|name| present.find(name).is_some())
    });
    missing
        .map(|(kind, id)| {
            let message = format!(
                "custom field `{id}` is required for {}, but no column of the export fills it in the mapping {}",
                kind.collection, mapping.name
            );
            let origin = Origin { path: reading.source.written.as_str().into(), at: LineColumn::default() };
            Diagnostic::new(codes::MAP_REQUIRED_CUSTOM_FIELD, message)
                .help("map a column or a constant to it under `customFields:`, give it a `default`, or set `existence: false` so that the source creates none")
                .at(origin)
        })
        .collect()
}

/// Whether an export creates resources of a kind.
fn creates(reading: &SourceReading, kind: &Kind, stored: &Snapshot) -> bool {
    let mut declared = reading.as_read.resources.iter();
    let says = |declared: &DeclaredResource| {
        let mut cells = declared.cells.iter();
        cells.any(|stated| {
            kind.field(&stated.field)
                .is_some_and(|field| field.required)
        })
    };
    kind.applies_to_word.is_some()
        && reading.source.authority.decides_existence(kind.id)
        && declared.any(|it| it.key.kind == kind.id && !stored.rows.contains(&it.key) && says(it))
}

fn current_columns(facts: &ExportFacts) -> ExportColumns {
    let mut present = ExportColumns::default();
    for column in &facts.columns {
        present.intern(column);
    }
    present
}

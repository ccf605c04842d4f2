//! Compares the columns of an export with those of the last accepted one. A column that is gone
//! puts the whole export in doubt; a column that is suddenly blank only its own field.
//!
//! In go the facts of the export and of the last accepted one, out come doubtful fields and
//! diagnostics. Start reading at [`blank_fields`] and [`lost_columns`].

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

/// For each field that the export fills: how many resources have a value, and how many the export
/// names.
pub(super) fn filled(read: &crate::feed::ParsedExport) -> FieldFillCounts {
    let filled = read.filled.iter().map(|(kind, field, count)| {
        let of = read.declared.get(kind).copied().unwrap_or_default();
        let kind = kinds::get(*kind);
        let name = format!("{}.{}", kind.name, kind.field_name(field));
        (name, (*count, of))
    });
    filled.collect()
}

/// The fields that have a value for far fewer resources than in the last accepted export.
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
        // A column that is missing altogether is reported by `lost_columns`; once is enough.
        let found = columns
            .iter()
            .find(|names| names.iter().any(|name| present.find(name).is_some()));
        let column = found.and_then(|names| names.first())?;
        let of = named(&facts.filled, kind)?;
        let now = facts.filled.get(name).map_or(0, |(now, _)| *now);
        // Measured as a share, not as a count: an export with fewer rows has fewer values in every
        // column, and that is for the completeness rules to judge.
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

/// How many resources of a kind the export names.
fn named(filled: &FieldFillCounts, kind: &Kind) -> Option<u64> {
    let of = filled
        .iter()
        .filter(|(name, _)| name.split('.').next() == Some(kind.name));
    of.map(|(_, (_, of))| *of).max()
}

/// The same share of another total. In 128 bits, because the product of two counts may overflow.
fn share((count, of): (u64, u64), now: u64) -> u64 {
    let share = u128::from(count) * u128::from(now) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// The columns that the mapping reads and the export no longer has. An export without a header does
/// not name its columns, so nothing can be missed there.
pub(super) fn lost_columns(
    facts: &ExportFacts,
    export: &FeedConfig,
    last: &AcceptedExport,
) -> Option<(Code, String)> {
    let present = current_columns(facts);
    let gone = last.columns.iter().filter(|column| {
        // A column that the mapping ignores may come and go.
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

/// The fill counts to remember of an accepted export. A field whose blanks are still held keeps its
/// earlier count: otherwise the next blank export would look normal and clear the values.
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

/// The required custom fields that no column fills, although the export creates resources which
/// need them. Said once for the export instead of once per row.
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
        // A column that the mapping names but the export lacks fills nothing either.
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

/// Whether the export creates resources of a kind: it decides their existence, and names one that
/// is not stored with at least one required field.
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

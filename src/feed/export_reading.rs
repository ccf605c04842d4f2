//! Reads an export with a mapping: the records become resources, and what is said of the export as a
//! whole is found. Start reading at [`ExportReading::read`].

use crate::diagnostic::{self, Diagnostic, Origin, codes, did_you_mean};
use crate::kinds;
use crate::model::{
    Cell, DeclaredResource, Desired, Digest, FieldRef, KeyedList, KindId, LineColumn, MatchTerm,
};

use super::collect::{RecordKeys, ResourceCollector, SecretCells};
use super::format::{ExportColumns, FormatOptions, ReadOutcome, RowSelection};
use super::mapping::{CellSource, ColumnIndex, Mapping};
use super::read_rows::ReadRows;
use super::{format, guess};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{Read, Seek};
use std::sync::Arc;

#[derive(Debug)]
pub struct ParsedExport {
    /// What the export declares. Its revision is the digest of the bytes.
    pub desired: Desired,
    pub diagnostics: Vec<Diagnostic>,
    pub digest: Digest,
    pub records: u64,
    /// How many records repeat an earlier one.
    pub repeated: u64,
    /// The number of rows that the trailer states.
    pub trailer: Option<u64>,
    /// Whether the export was read to its end.
    pub complete: bool,
    pub columns: Vec<String>,
    /// Whether a header names the columns, so that every record has all of them.
    pub has_header: bool,
    pub(super) secret_cells: SecretCells,
    pub(super) unmatched: BTreeSet<MatchTerm>,
    /// For each field with a value, in how many resources of its kind it has one. Sorted.
    pub filled: Vec<(KindId, FieldRef, u64)>,
    /// How many resources of each kind it declares.
    pub declared: BTreeMap<KindId, u64>,
    /// Its rows, to compare the next export with; `None` if only all of it can be read.
    pub rows: Option<ReadRows>,
}

/// What is read of an export, and what it is called.
pub(super) struct ExportReading<'r, 'm> {
    pub name: &'r Arc<str>,
    pub source: &'r Arc<str>,
    pub mapping: &'m Mapping,
    pub rows: RowSelection<'r>,
}

impl<'m> ExportReading<'_, 'm> {
    pub fn read(
        self,
        mut input: impl Read + Seek,
        mut collector: ResourceCollector<'m>,
    ) -> (ParsedExport, Vec<RecordKeys>) {
        let Self {
            name,
            source,
            mapping,
            rows,
        } = self;
        let mut columns = ExportColumns::default();
        let (mut known, mut repeated) = (HashSet::new(), 0);
        let options = mapping.options();
        let outcome = format::read_selected(
            &mut input,
            name,
            &options,
            &mut columns,
            rows,
            &mut |record, columns| {
                // A join that goes wrong multiplies rows. Counting repeated ones keeps them from hiding
                // that customers are missing, since the number of rows is compared with earlier
                // exports.
                repeated += u64::from(!known.insert(record.digest));
                collector.take(record, columns);
                true
            },
        );
        let (mut collected, numbers) = collector.finish();
        let mut diagnostics = outcome.diagnostics.clone();
        // In CSV everything is text and in a workbook the cell format restores the zeros; only JSON
        // loses them.
        let numbers = (!outcome.format.has_header()).then(|| numbers.warning(name));
        let numbers = numbers.flatten();
        let filled = count_filled(&collected.resources);
        let declared = count_declared(&collected.resources);
        let is_counted = numbers.is_some();
        let mut rows = ReadRows::of(mapping, &outcome, &mut collected, is_counted);
        if let Some(rows) = &mut rows {
            rows.recorded.facts.set_totals(&declared, &filled);
        }
        diagnostics.extend(numbers);
        diagnostics.extend(collected.diagnostics);
        let diagnostics = with_columns(diagnostics, &mut input, mapping, &columns, &outcome, name);
        let names = columns.names().map(str::to_owned);
        let feed = ParsedExport {
            has_header: outcome.format.has_header(),
            filled,
            declared,
            rows,
            secret_cells: collected.secret_cells,
            unmatched: collected.unmatched,
            desired: Desired {
                source: source.clone(),
                revision: outcome.digest.to_string().into(),
                resources: collected.resources,
                row_secrets: collected.passwords,
                logins: collected.logins,
                // An export declares only the fields that it has columns for, so it says nothing about
                // the others.
                partial: true,
                mapped: mapped(mapping),
                shielded_keys: collected.shielded,
                blank_keys: collected.blank,
                hidden_kinds: collected.hidden,
                faulty_fields: collected.faulty,
                removals_off: removals_off(&outcome, name),
                ..Desired::default()
            },
            diagnostics,
            digest: outcome.digest,
            records: outcome.records,
            repeated,
            trailer: outcome.trailer,
            complete: outcome.complete,
            columns: names.collect(),
        };
        (feed, collected.listed.unwrap_or_default())
    }
}

/// Adds what is wrong with the columns, and sorts.
fn with_columns(
    mut diagnostics: Vec<Diagnostic>,
    input: &mut (impl Read + Seek),
    mapping: &Mapping,
    columns: &ExportColumns,
    outcome: &ReadOutcome,
    name: &Arc<str>,
) -> Vec<Diagnostic> {
    match elsewhere(input, mapping, columns, outcome, name) {
        // With the wrong header, every other diagnostic is a consequence of it.
        Some(found) => return vec![found],
        None => diagnostics.extend(check_columns(mapping, columns, outcome, name)),
    }
    diagnostic::sort(&mut diagnostics);
    diagnostics
}

/// Counts the resources of each kind.
pub(super) fn count_declared(
    resources: &KeyedList<Arc<DeclaredResource>>,
) -> BTreeMap<KindId, u64> {
    let mut declared = BTreeMap::new();
    for resource in resources {
        *declared.entry(resource.key.kind).or_default() += 1;
    }
    declared
}

/// Counts for each field in how many resources of its kind it has a value. A column that loses many
/// of its values is held (`column-blank`).
pub(super) fn count_filled(
    resources: &KeyedList<Arc<DeclaredResource>>,
) -> Vec<(KindId, FieldRef, u64)> {
    let mut own: BTreeMap<(KindId, usize), u64> = BTreeMap::new();
    let mut custom: BTreeMap<(KindId, &str), u64> = BTreeMap::new();
    for declared in resources {
        let kind = declared.key.kind;
        for stated in declared
            .cells
            .iter()
            .filter(|stated| stated.cell != Cell::Blank)
        {
            // A password is in the first export only, and its column is blank from then on.
            if kinds::get(kind)
                .field(&stated.field)
                .is_some_and(kinds::Field::is_secret)
            {
                continue;
            }
            *match &stated.field {
                FieldRef::Own(index) => own.entry((kind, usize::from(*index))).or_default(),
                FieldRef::Custom(id) => custom.entry((kind, id)).or_default(),
            } += 1;
        }
    }
    let own = own.into_iter();
    let own = own.map(|((kind, index), count)| (kind, kinds::own_field(index), count));
    let custom = custom.into_iter();
    let custom = custom.map(|((kind, id), count)| (kind, FieldRef::Custom(id.into()), count));
    own.chain(custom).collect()
}

/// Returns the fields that a mapping has columns for.
fn mapped(mapping: &Mapping) -> BTreeSet<(KindId, FieldRef)> {
    let sections = mapping.sections.iter();
    let fields = sections.flat_map(|section| {
        let own = section.fields.iter();
        let own = own.map(|field| (section.kind.id, field.field.clone()));
        let secret = section.password.iter().map(|_| {
            let field = kinds::own_field(section.kind.expect_index("passwordFrom"));
            (section.kind.id, field)
        });
        let own = own.chain(secret);
        let addresses = section.blocks.iter().flat_map(|block| &block.fields);
        own.chain(addresses.map(|field| (kinds::ADDRESS, field.field.clone())))
    });
    fields.collect()
}

/// Returns why no resource may count as missing, if the export was not read completely.
fn removals_off(outcome: &ReadOutcome, name: &Arc<str>) -> Vec<String> {
    if outcome.complete {
        return Vec::new();
    }
    vec![format!("{name} was not read completely")]
}

/// Reports that another line is the header, if one fits and the line that was read does not.
fn elsewhere(
    input: &mut (impl Read + Seek),
    mapping: &Mapping,
    columns: &ExportColumns,
    outcome: &ReadOutcome,
    name: &Arc<str>,
) -> Option<Diagnostic> {
    let missing = missing(mapping, columns);
    let (options, word) = (mapping.options(), outcome.format.row_word());
    // JSON has no header line, and with `names:` there is none to find.
    if missing.is_empty() || !outcome.format.has_header() || !options.header {
        return None;
    }
    let fits = |columns: &ExportColumns| self::missing(mapping, columns).is_empty();
    let line = guess::header::find(input, name, &options, fits)?;
    let names = missing.iter();
    let names = names.map(|column| format!("`{}`", mapping.columns[column.0][0]));
    let message = format!(
        "{word} {} is not the header: it has no column {}",
        options.first_line,
        names.collect::<Vec<_>>().join(", ")
    );
    let help = format!(
        "{word} {line} is: set `header: {line}` in the mapping, or make one from a preset with `roster feed map`"
    );
    let at = LineColumn {
        line: options.first_line,
        column: 1,
    };
    let origin = Origin {
        path: name.clone(),
        at,
    };
    let found = Diagnostic::new(codes::COLUMN_MISSING, message);
    Some(found.help(help).at(origin))
}

/// Returns the required columns that the export lacks.
fn missing(mapping: &Mapping, columns: &ExportColumns) -> Vec<ColumnIndex> {
    let found = |names: &[String]| names.iter().any(|name| columns.find(name).is_some());
    let needed = mapping.required_columns().into_iter();
    let missing = needed.filter(|column| !found(&mapping.columns[column.0]));
    missing.collect()
}

/// Reports missing columns that the mapping needs, and columns that it does not know.
fn check_columns(
    mapping: &Mapping,
    columns: &ExportColumns,
    outcome: &ReadOutcome,
    name: &Arc<str>,
) -> Vec<Diagnostic> {
    // An empty JSON list has no columns and is a valid export. Whether it may be empty is decided
    // by `minRows` and `shrink`.
    if outcome.records == 0 && (columns.is_empty() || !outcome.format.has_header()) {
        return Vec::new();
    }
    let origin = Origin {
        path: name.clone(),
        at: LineColumn { line: 1, column: 1 },
    };
    let missing = missing(mapping, columns).into_iter();
    let present: Vec<&str> = columns.names().collect();
    let mut diagnostics: Vec<Diagnostic> = missing
        .map(|column| {
            let name = &mapping.columns[column.0][0];
            let message = format!("the column `{name}` is missing");
            // A renamed column is the usual cause, so the most similar name is proposed.
            let near = did_you_mean(name, present.iter().copied());
            let help = match near {
                Some(near) => format!(
                    "if the export renamed it to `{near}`, add that under `columns:` of the mapping"
                ),
                None if present.is_empty() => "the export has no columns".to_owned(),
                None => format!("the export has {}", present.join(", ")),
            };
            Diagnostic::new(codes::COLUMN_MISSING, message)
                .help(help)
                .at(origin.clone())
        })
        .collect();
    let unknown = guess::unknown_columns(mapping, columns);
    if !unknown.is_empty() {
        let message = format!(
            "the mapping {} does not know {}",
            mapping.name,
            unknown.join(", ")
        );
        diagnostics.push(
            Diagnostic::new(codes::COLUMN_UNKNOWN, message)
                .help("map them or list them under `ignore:`")
                .at(origin),
        );
    }
    diagnostics
}

impl Mapping {
    /// Returns how an export of this mapping is read.
    pub(super) fn options(&self) -> FormatOptions {
        // The CSV reader searches for bytes, so delimiters and quotes are ASCII.
        let ascii = |sign: Option<char>| sign.and_then(|sign| u8::try_from(sign).ok());
        let encoding = self.csv.encoding.as_deref();
        FormatOptions {
            format: self.format,
            delimiter: ascii(self.csv.delimiter),
            quote: ascii(self.csv.quote).or(FormatOptions::default().quote),
            encoding: encoding.and_then(format::encoding_for_label),
            header: self.csv.names.is_empty(),
            first_line: self.header.unwrap_or(1),
            blanks: self.blanks.clone(),
            names: if self.csv.names.is_empty() {
                self.unnamed.clone()
            } else {
                self.csv.names.clone()
            },
            trailer: self.trailer.clone(),
            sheet: self.sheet.clone(),
            list_path: self.rows.clone(),
            ..FormatOptions::default()
        }
    }

    /// Returns the columns that an export must have: those of external ids, and those in
    /// `requires:`.
    pub(super) fn required_columns(&self) -> Vec<ColumnIndex> {
        let ids = self.sections.iter().filter(|section| {
            // Rows that can be matched do without an id.
            section.kind.id != kinds::ADDRESS && section.matching.is_none()
        });
        // An id that is built from several columns can do without one of them.
        let ids = ids.filter_map(|section| match section.id.take {
            CellSource::Column(column) => Some(column),
            _ => None,
        });
        let mut needed: Vec<ColumnIndex> = ids.chain(self.requires.iter().copied()).collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }
}

//! Inspects an export that no mapping describes yet: its format, its columns, and which presets
//! know them. In go the bytes; out comes an `ExportProfile`, which `roster feed inspect` shows and
//! `roster feed map` turns into a mapping. Start reading at `inspect`.

mod column_names;
mod field_names;
pub(super) mod header;
mod mapping;
mod mapping_draft;
mod numbered_addresses;
mod preset_mapping;
mod rivals;
mod status;
mod status_cell;

pub(crate) use column_names::holds_secrets;
pub(super) use column_names::unknown_columns;
pub use mapping::draft_mapping;
pub use mapping_draft::MappingDraft;
pub use rivals::{RivalPresets, rivals};

use super::format::{
    self, ExportColumns, ExportFormat, ExportRecord, FormatOptions, ReadOutcome, SheetSelector,
};
use super::mapping::Mapping;
use super::preset;
use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::model::LineColumn;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

const WINDOW: u64 = 1 << 16;
/// How many records are kept to see what the columns contain.
const LOOKED_AT: usize = 1000;

#[derive(Debug)]
pub struct ExportProfile {
    /// The result of reading it.
    pub outcome: ReadOutcome,
    pub columns: ExportColumns,
    /// Whether the first row names the columns.
    pub header: bool,
    /// The line or row of the header, counted from 1. Lines above it are skipped.
    pub first_line: u32,
    /// The sheet that was asked for.
    pub sheet: Option<SheetSelector>,
    /// The path of the list in JSON, if the document is not a list itself.
    pub rows: Option<String>,
    /// The form of the last line, if it is a trailer.
    pub trailer: Option<String>,
    /// The line end, or `None` if there is none or several kinds.
    pub line_ends: Option<&'static str>,
    /// The first records.
    pub first: Vec<ExportRecord>,
    /// The presets that know some of the columns, the best first.
    pub fits: Vec<PresetFit>,
}

/// What the user says of an export.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ProfileOptions {
    pub sheet: Option<SheetSelector>,
    pub header: Option<u32>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct PresetFit {
    pub preset: &'static str,
    /// The number of its columns that the export has.
    pub found: usize,
    /// The number of columns that it knows.
    pub total: usize,
    /// The columns that the export lacks.
    pub missing: Vec<String>,
    /// The missing columns without which it reads nothing.
    pub needed: Vec<String>,
    /// The columns of the export that it does not know.
    pub unknown: Vec<String>,
}

impl PresetFit {
    /// Returns the percentage of its columns that the export has.
    #[must_use]
    pub fn share(&self) -> usize {
        self.found * 100 / self.total.max(1)
    }

    /// Returns whether the preset should be used for the export.
    #[must_use]
    pub fn is_good(&self) -> bool {
        // Three columns and no more unknown than known ones: `id` and `name` alone are in every
        // export.
        self.needed.is_empty() && self.found >= 3 && self.unknown.len() <= self.found
    }
}

pub fn inspect(
    mut input: impl Read + Seek,
    name: &Arc<str>,
    asked: ProfileOptions,
) -> std::io::Result<ExportProfile> {
    let line_ends = line_ends(&mut input)?;
    let (mut options, mut header, mut trailer) = (FormatOptions::default(), true, None);
    options.sheet.clone_from(&asked.sheet);
    let begins = asked
        .header
        .unwrap_or_else(|| header::guess(&mut input, name, &options));
    options.first_line = begins;
    // The export is read again after each finding, because the finding (a nested list, no header, a
    // trailer) changes every column and count that follows.
    let mut read = read(&mut input, name, &options);
    let rows = read.outcome.list.take();
    if rows.is_some() {
        options.list_path.clone_from(&rows);
        read = self::read(&mut input, name, &options);
    }
    // Column names that are numbers are values: the export has no header.
    if read.columns.names().any(|name| name.parse::<f64>().is_ok()) {
        header = false;
        options.header = false;
        read = self::read(&mut input, name, &options);
    }
    if let Some(like) = read.trailer() {
        options.trailer = Some(like.clone());
        trailer = Some(like);
        read = self::read(&mut input, name, &options);
    }
    let mut fits = rank_presets(&read.columns, header, read.outcome.format);
    // A guide may leave a cell of its header blank. The preset for it knows the name.
    if let Some(names) = unnamed_columns(&read, &fits) {
        options.names = names;
        read = self::read(&mut input, name, &options);
        fits = rank_presets(&read.columns, header, read.outcome.format);
    }
    // A text file of one line parses as a header without rows. If no column is known either, it is
    // not an export.
    if fits.is_empty() && has_no_content(&read) {
        let what = format!(
            "a line of text without rows: {}",
            field_names::first_names(&read.columns)
        );
        let at = Origin {
            path: name.clone(),
            at: LineColumn {
                line: begins,
                column: 1,
            },
        };
        let found = Diagnostic::new(codes::FEED_NOT_DATA, format!("the export is {what}"))
            .help("no column is known; check the program that wrote it");
        read.outcome.diagnostics.push(found.at(at));
        read.outcome.complete = false;
    }
    Ok(ExportProfile {
        outcome: read.outcome,
        columns: read.columns,
        header,
        first_line: begins,
        sheet: asked.sheet,
        rows,
        trailer,
        line_ends,
        first: read.first,
        fits,
    })
}

impl ExportProfile {
    /// The values of a column in the first records, without blanks.
    pub(super) fn texts(&self, at: usize) -> impl Iterator<Item = &str> {
        let cells = self.first.iter().filter_map(move |record| record.cell(at));
        let filled = cells.filter(|cell| !cell.is_blank());
        filled.map(|cell| cell.text.as_str())
    }
}

/// The names that the best preset has for columns without one, if that is what is wrong.
fn unnamed_columns(read: &ExportSample, fits: &[PresetFit]) -> Option<Vec<String>> {
    let mut found = read.outcome.diagnostics.iter();
    if !found.any(|found| found.code == codes::HEADER_BLANK) {
        return None;
    }
    let best = fits.first().filter(|fit| fit.is_good())?;
    let unnamed = preset::mapping(best.preset).ok()?.unnamed.clone();
    (!unnamed.is_empty()).then_some(unnamed)
}

/// Returns whether there are neither rows nor known columns.
fn has_no_content(read: &ExportSample) -> bool {
    let mut names = read.columns.names();
    read.outcome.records == 0
        && !read.columns.is_empty()
        && names.all(|name| field_names::fields_for_name(name).is_empty())
}

/// One reading of an export.
struct ExportSample {
    outcome: ReadOutcome,
    columns: ExportColumns,
    first: Vec<ExportRecord>,
    last: Option<ExportRecord>,
}

impl ExportSample {
    /// Returns the form of the last line, if it is a trailer that counts the rows.
    fn trailer(&self) -> Option<String> {
        let last = self.last.as_ref().filter(|last| last.faulty)?;
        let cells: Vec<&str> = last
            .cells
            .iter()
            .flatten()
            .map(|cell| cell.text.as_str())
            .collect();
        // The trailer itself was counted as a record.
        let rows = (self.outcome.records - 1).to_string();
        let delimiter = self.outcome.delimiter.unwrap_or(';').to_string();
        let line = cells.join(&delimiter);
        let line = line.trim_end_matches(&delimiter);
        // A short row that contains exactly the row count is no accident. Its number becomes `{n}`.
        (cells.len() <= 4 && cells.contains(&rows.as_str())).then(|| line.replacen(&rows, "{n}", 1))
    }
}

fn read(input: &mut (impl Read + Seek), name: &Arc<str>, options: &FormatOptions) -> ExportSample {
    let mut columns = ExportColumns::default();
    let (mut first, mut last) = (Vec::new(), None);
    let outcome = format::read(input, name, options, &mut columns, &mut |record, _| {
        if first.len() < LOOKED_AT {
            first.push(record.clone());
        }
        // Only a row that differs from the others can be the trailer.
        last = record.faulty.then(|| record.clone());
        true
    });
    ExportSample {
        outcome,
        columns,
        first,
        last,
    }
}

fn line_ends(input: &mut (impl Read + Seek)) -> std::io::Result<Option<&'static str>> {
    let mut head = Vec::new();
    input.seek(SeekFrom::Start(0))?;
    input.by_ref().take(WINDOW).read_to_end(&mut head)?;
    input.seek(SeekFrom::Start(0))?;
    // Compressed bytes contain line ends by accident.
    if head.starts_with(b"PK") || head.starts_with(b"\x1f\x8b") {
        return Ok(None);
    }
    // UTF-16 has zero bytes between the characters.
    head.retain(|byte| *byte != 0);
    let count = |byte: u8| memchr::memchr_iter(byte, &head).count();
    let pairs = head.windows(2).filter(|pair| pair == b"\r\n").count();
    Ok(match (pairs, count(b'\r'), count(b'\n')) {
        (0, 0, 0) => None,
        (pairs, returns, feeds) if pairs == returns && pairs == feeds => Some("CRLF"),
        (_, 0, _) => Some("LF"),
        (0, _, 0) => Some("CR"),
        _ => Some("mixed"),
    })
}

/// Ranks the presets by how well they fit. Those that know no column are left out.
fn rank_presets(columns: &ExportColumns, header: bool, format: ExportFormat) -> Vec<PresetFit> {
    let mut fits: Vec<PresetFit> = preset::names()
        .filter_map(|name| preset_fit(name, &preset::mapping(name).ok()?, columns, header, format))
        .filter(|fit| fit.found > 0)
        .collect();
    let rank = |fit: &PresetFit| {
        (
            fit.is_good(),
            // Unknown columns count against a preset as missing ones do. Without that, a small
            // preset would always beat the right large one.
            fit.found * 1000 / (fit.total + fit.unknown.len()).max(1),
        )
    };
    fits.sort_by(|a, b| rank(b).cmp(&rank(a)).then(a.preset.cmp(b.preset)));
    fits
}

fn preset_fit(
    preset: &'static str,
    mapping: &Mapping,
    columns: &ExportColumns,
    header: bool,
    format: ExportFormat,
) -> Option<PresetFit> {
    let positional = !mapping.csv.names.is_empty();
    if positional && !header {
        // Without a header, only the number of columns can be compared.
        let (has, of) = (columns.len(), mapping.csv.names.len());
        return (has == of).then(|| PresetFit {
            preset,
            found: of,
            total: of,
            missing: Vec::new(),
            needed: Vec::new(),
            unknown: Vec::new(),
        });
    }
    if positional || !header || mapping.format.is_some_and(|own| own != format) {
        return None;
    }
    let is_there = |names: &[String]| names.iter().any(|name| columns.find(name).is_some());
    let lists = mapping.sections.iter().flat_map(|section| &section.blocks);
    // The column of a nested list is not counted: CSV exports of the same system do not have it.
    let lists: Vec<usize> = lists.filter_map(|block| Some(block.rows?.0)).collect();
    let own = (0..mapping.columns.len()).filter(|at| !lists.contains(at));
    let (found, missing): (Vec<usize>, Vec<usize>) =
        own.partition(|at| is_there(&mapping.columns[*at]));
    let name = |at: &usize| mapping.columns[*at][0].clone();
    let needed = mapping
        .required_columns()
        .into_iter()
        .map(|column| column.0);
    Some(PresetFit {
        preset,
        found: found.len(),
        total: found.len() + missing.len(),
        needed: needed
            .filter(|at| missing.contains(at))
            .map(|at| name(&at))
            .collect(),
        missing: missing.iter().map(name).collect(),
        unknown: unknown_columns(mapping, columns)
            .into_iter()
            .map(str::to_owned)
            .collect(),
    })
}

//! Turns the bytes of an export into records. Nothing here knows about kinds or mappings.
//!
//! ```text
//!  bytes → TextReader (decoded, a piece at a time) → csv  → TableParser ─┐
//!                                                  → json ───────────────┼→ ExportRecord
//!  bytes → calamine ──────────────────────────────→ xlsx → TableParser ──┘
//! ```
//!
//! A problem in a row is reported with its place, and the row is passed on as faulty, so that it
//! can protect the resource that it names. Memory stays within `FormatLimits` whatever the bytes
//! are. Start reading at `read`.

mod columns;
mod csv;
mod diagnostics;
mod encoding;
pub mod json;
mod not_data;
mod options;
mod outcome;
mod record;
mod row_selection;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod text_reader;
mod xlsx;

pub use columns::ExportColumns;
pub use diagnostics::OmittedPlace;
pub use encoding::encoding_for_label;
pub use encoding_rs::Encoding;
pub use options::{ExportFormat, FormatLimits, FormatOptions, SheetSelector};
pub use outcome::ReadOutcome;
pub use record::{CellShape, ExportRecord, RawCell};
pub use row_selection::{ROWS_AT_ONCE, RowChoice, RowChooser, RowSelection};
pub use text::add_text_marker;

use crate::diagnostic::{Diagnostic, codes};
use crate::model::LineColumn;
use diagnostics::ExportDiagnostics;
use flate2::bufread::MultiGzDecoder;
use outcome::{BodySummary, ReadContext, report_flaw, report_unreadable};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::sync::Arc;
use text_reader::{EncodingSource, TextReader};

/// Reads an export. `each` gets every record in order and stops the reading by returning false.
/// `path` is the name of the export in diagnostics.
pub fn read(
    input: impl Read + Seek,
    path: &Arc<str>,
    options: &FormatOptions,
    columns: &mut ExportColumns,
    each: &mut dyn FnMut(&ExportRecord, &ExportColumns) -> bool,
) -> ReadOutcome {
    read_selected(input, path, options, columns, RowSelection::Every, each)
}

/// Reads an export, of which only some rows become records.
pub fn read_selected(
    mut input: impl Read + Seek,
    path: &Arc<str>,
    options: &FormatOptions,
    columns: &mut ExportColumns,
    mut rows: RowSelection<'_>,
    each: &mut dyn FnMut(&ExportRecord, &ExportColumns) -> bool,
) -> ReadOutcome {
    let mut findings = ExportDiagnostics::new(path);
    let mut target = ReadContext {
        options,
        columns,
        findings: &mut findings,
        rows: rows.reborrow(),
        on_record: each,
    };
    // The first bytes decide over the declared format: a workbook or a gzip file stays one whatever
    // its name is.
    let mut outcome = match read_head(&mut input) {
        Ok(head) if head.starts_with(&not_data::GZIP) => read_packed(&mut input, path, &mut target),
        Ok(head) if not_data::is_zip(&head) => xlsx::read(&mut input, &mut target),
        Ok(head) => read_text(&mut input, path, &head, &mut target),
        Err(error) => {
            report_unreadable(target.findings, LineColumn::default(), &error);
            ReadOutcome::of(ExportFormat::Csv, BodySummary::default())
        }
    };
    if options.format.is_none() {
        let format = format!("format {}", outcome.format.display_name());
        outcome.detected.insert(0, format);
    }
    outcome.omitted = findings.take_omitted();
    (outcome.diagnostics, outcome.complete) = findings.finish();
    outcome
}

fn read_head(input: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(8);
    input.rewind()?;
    input.by_ref().take(8).read_to_end(&mut head)?;
    input.rewind()?;
    Ok(head)
}

/// Reads a gzip-compressed text as if it were not compressed.
fn read_packed(input: &mut dyn Read, path: &str, target: &mut ReadContext<'_>) -> ReadOutcome {
    let limit = target.options.limits.unpacked;
    let mut unpacked = DecompressedExport {
        // Servers append to compressed files, which makes several members; the single decoder would
        // silently stop after the first.
        inner: MultiGzDecoder::new(BufReader::new(input)),
        left: limit,
        limit,
    };
    let mut head = Vec::with_capacity(8);
    let begun = unpacked.by_ref().take(8).read_to_end(&mut head);
    if let Err(error) = begun {
        let found = not_data::not_data(
            &format!("damaged: {error}"),
            "get the complete export again",
        );
        target.findings.fatal(LineColumn::default(), found);
        return ReadOutcome::of(ExportFormat::Csv, BodySummary::default());
    }
    // A workbook is compressed already, and its reader must seek, which a gzip stream cannot.
    if not_data::is_zip(&head) {
        let found = not_data::not_data(
            "a spreadsheet or an archive compressed with gzip",
            not_data::UNPACK,
        );
        target.findings.fatal(LineColumn::default(), found);
        return ReadOutcome::of(ExportFormat::Xlsx, BodySummary::default());
    }
    let name = path.strip_suffix(".gz").unwrap_or(path);
    read_text(
        // The first bytes were taken to look at them, so they are put in front again.
        &mut Cursor::new(head.clone()).chain(unpacked),
        name,
        &head,
        target,
    )
}

/// The unpacked bytes of a gzip file, up to a limit: a few kilobytes can unpack to terabytes.
struct DecompressedExport<R> {
    inner: MultiGzDecoder<R>,
    left: u64,
    limit: u64,
}

impl<R: BufRead> Read for DecompressedExport<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer).map_err(|error| {
            let why = format!("its gzip data cannot be unpacked completely: {error}");
            io::Error::new(error.kind(), why)
        })?;
        let left = self.left.checked_sub(read as u64);
        self.left = left.ok_or_else(|| {
            let limit = self.limit;
            io::Error::other(format!("more than {limit} bytes after unpacking"))
        })?;
        Ok(read)
    }
}

fn read_text(
    input: &mut dyn Read,
    path: &str,
    head: &[u8],
    target: &mut ReadContext<'_>,
) -> ReadOutcome {
    let mut source = TextReader::open(input, target.options.encoding);
    let declared = target.options.format;
    let format =
        declared.unwrap_or_else(|| detect_format(&mut source, path, target.options.limits));
    let mut body = BodySummary::default();
    // Before any parser sees it: a login page parsed as CSV would be an export with one odd column.
    if let Some(found) = not_data::detect(head, &source, format) {
        target.findings.fatal(LineColumn::default(), found);
    } else if !report_refuted_encoding(&source, target.findings) {
        // Once before the body, for an encoding that the first piece refutes, and once after, for a
        // byte that comes later.
        body = match format {
            ExportFormat::Json => json::read(&mut source, target),
            ExportFormat::Jsonl => json::read_lines(&mut source, target),
            ExportFormat::Csv | ExportFormat::Xlsx => csv::read(&mut source, target),
        };
        report_refuted_encoding(&source, target.findings);
    }
    // A read error looks like an end of file to the parsers, so it is reported last and makes the
    // export incomplete.
    if let Some(error) = source.failure() {
        report_unreadable(target.findings, source.pos, error);
    }
    let (encoding, found) = source.encoding();
    if found == EncodingSource::Guessed || found == EncodingSource::ByteOrderMark {
        let said = format!("encoding {}", encoding.name());
        body.detected.insert(0, said);
    }
    ReadOutcome {
        encoding: encoding.name(),
        digest: source.digest(),
        ..ReadOutcome::of(format, body)
    }
}

/// Detects the format of a text. A single object may be a document or the only line of many, so the
/// file name decides then.
fn detect_format(source: &mut TextReader<'_>, path: &str, limits: FormatLimits) -> ExportFormat {
    let ends = |end: &str| path.to_ascii_lowercase().ends_with(end);
    if !not_data::is_json(source.rest()) {
        return ExportFormat::Csv;
    }
    let object = source.rest().trim_start().starts_with('{');
    if object && (ends(".jsonl") || ends(".ndjson") || json::is_lines(source, limits.record)) {
        return ExportFormat::Jsonl;
    }
    ExportFormat::Json
}

/// Reports once that the declared encoding cannot be right.
fn report_refuted_encoding(source: &TextReader<'_>, findings: &mut ExportDiagnostics) -> bool {
    let (encoding, found) = source.encoding();
    let refuted = found == EncodingSource::Refuted;
    if refuted && findings.count(codes::ENCODING) == 0 {
        let message = format!("{} is declared, but the file is UTF-8", encoding.name());
        let found = Diagnostic::new(codes::ENCODING, message).help(
            "declare `utf-8` or nothing; otherwise each accented letter becomes two characters",
        );
        findings.fatal(LineColumn::default(), found);
    }
    refuted
}

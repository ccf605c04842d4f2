//! From the bytes of an export to records: nothing about kinds or mappings.
//!
//! ```text
//!  bytes → Source (text, a piece at a time) → csv  → Table ─┐
//!                                           → json ─────────┼→ Record, one after the other
//!  bytes → calamine ───────────────────────→ xlsx → Table ──┘
//! ```
//!
//! What is wrong with a row is reported with its place, and the row handed over as faulty, so that
//! it can shield what it names. Memory stays within the limits whatever the bytes are.

mod columns;
mod csv;
mod diagnostics;
mod encoding;
pub mod json;
mod not_data;
mod record;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod text_reader;
mod xlsx;

pub use columns::ExportColumns;
pub use encoding::encoding_for_label;
pub use encoding_rs::Encoding;
pub use record::{CellShape, ExportRecord, RawCell};
pub use text::add_text_marker;

use crate::diagnostic::{Diagnostic, codes};
use crate::model::{Digest, LineColumn};
use diagnostics::ExportDiagnostics;
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::sync::Arc;
use text_reader::{EncodingSource, InvalidByte, InvalidByteKind, TextReader};

/// What an export is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportFormat {
    /// Rows of cells with delimiters between.
    Csv,
    /// A list of objects.
    Json,
    /// Objects, each on a line of its own.
    Jsonl,
    /// A spreadsheet of Excel 2007 or later.
    Xlsx,
}

/// What is known of an export before it is read.
#[derive(Clone, Debug)]
pub struct FormatOptions {
    /// What it is written in; none: what its bytes look like.
    pub format: Option<ExportFormat>,
    /// What stands between cells, an ASCII character; none: what `sep=` says, or what fits.
    pub delimiter: Option<u8>,
    /// What stands around cells, an ASCII character; none: nothing does.
    pub quote: Option<u8>,
    /// How its characters are written; none: as its mark says, or as it looks. A mark at the start
    /// of the file is believed more than this.
    pub encoding: Option<&'static Encoding>,
    /// Whether its first row names the columns.
    pub header: bool,
    /// The line, or the row of the sheet, at which the table begins, from 1. What is above is skipped.
    pub first_line: u32,
    /// The names of the columns by position: of all without a header, and with one of those that
    /// have none there. A blank one says nothing.
    pub names: Vec<String>,
    /// How its last line looks, with `{n}` for the number of rows: `#EOF;{n}`. The cells of a
    /// spreadsheet are joined with `;`.
    pub trailer: Option<String>,
    /// The sheet of a spreadsheet; none: the only one with data.
    pub sheet: Option<SheetSelector>,
    /// The texts that stand for a blank cell.
    pub blanks: Vec<String>,
    /// Where the list is in JSON: `data.items`; none: it is the whole.
    pub list_path: Option<String>,
    /// What is too much.
    pub limits: FormatLimits,
}

/// A sheet of a spreadsheet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SheetSelector {
    Name(String),
    /// By its place in the workbook, from 1.
    Number(usize),
}

/// What is too much, in bytes where nothing else is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FormatLimits {
    /// Of one row or object.
    pub record: usize,
    pub cell: usize,
    /// How deep values may be nested.
    pub depth: usize,
    /// How many columns there may be.
    pub columns: usize,
    /// Of a spreadsheet, unpacked.
    pub unpacked: u64,
}

/// What came of reading an export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadOutcome {
    /// How many rows or objects it has, faulty ones and those without a cell in them included;
    /// blank rows and repeated headers are none.
    pub records: u64,
    /// How many its trailer counts.
    pub trailer: Option<u64>,
    /// What it was read as.
    pub format: ExportFormat,
    /// The name of its encoding.
    pub encoding: &'static str,
    /// What stands between its cells.
    pub delimiter: Option<char>,
    /// Where in JSON a list is, when the whole is none and nobody said so.
    pub list: Option<String>,
    /// What was not declared and was found out, to be said.
    pub detected: Vec<String>,
    /// The digest of the bytes that were read: of all of them, if it is complete.
    pub digest: Digest,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether it was read to its end, and ends as it should.
    pub complete: bool,
}

/// What the reader of one format comes to.
#[derive(Default)]
struct BodySummary {
    records: u64,
    trailer: Option<u64>,
    delimiter: Option<char>,
    list: Option<String>,
    detected: Vec<String>,
}

/// What the readers of all formats work on.
struct ReadContext<'a> {
    options: &'a FormatOptions,
    columns: &'a mut ExportColumns,
    findings: &'a mut ExportDiagnostics,
    on_record: &'a mut dyn FnMut(&ExportRecord, &ExportColumns) -> bool,
}

impl Default for FormatOptions {
    fn default() -> Self {
        Self {
            format: None,
            delimiter: None,
            quote: Some(b'"'),
            encoding: None,
            header: true,
            first_line: 1,
            names: Vec::new(),
            trailer: None,
            sheet: None,
            blanks: Vec::new(),
            list_path: None,
            limits: FormatLimits::default(),
        }
    }
}

impl FormatOptions {
    /// Whether a text stands for a blank cell.
    fn reads_as_blank(&self, text: &str) -> bool {
        !self.blanks.is_empty() && self.blanks.iter().any(|blank| blank == text.trim())
    }
}

impl Default for FormatLimits {
    fn default() -> Self {
        Self {
            record: 1 << 20,
            cell: 1 << 16,
            depth: 16,
            columns: 4096,
            unpacked: 4 << 30,
        }
    }
}

impl ExportFormat {
    /// Whether its columns are named in a header, so that all of them are always there.
    #[must_use]
    pub fn has_header(self) -> bool {
        matches!(self, Self::Csv | Self::Xlsx)
    }

    /// What its rows are counted as.
    #[must_use]
    pub fn row_word(self) -> &'static str {
        if self == Self::Xlsx { "row" } else { "line" }
    }

    /// The word for it in a mapping.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Xlsx => "xlsx",
        }
    }

    /// The word for it.
    #[must_use]
    pub fn display_name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Json => "JSON",
            Self::Jsonl => "JSON Lines",
            Self::Xlsx => "XLSX",
        }
    }
}

/// Reads an export from its start to its end. `each` is called with every record, in order; false
/// stops. `path` is what findings call it.
pub fn read(
    mut input: impl Read + Seek,
    path: &Arc<str>,
    options: &FormatOptions,
    columns: &mut ExportColumns,
    each: &mut dyn FnMut(&ExportRecord, &ExportColumns) -> bool,
) -> ReadOutcome {
    let mut findings = ExportDiagnostics::new(path);
    let mut target = ReadContext {
        options,
        columns,
        findings: &mut findings,
        on_record: each,
    };
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
    (outcome.diagnostics, outcome.complete) = findings.finish();
    outcome
}

impl ReadOutcome {
    fn of(format: ExportFormat, body: BodySummary) -> Self {
        Self {
            records: body.records,
            trailer: body.trailer,
            format,
            encoding: encoding_rs::UTF_8.name(),
            delimiter: body.delimiter,
            list: body.list,
            detected: body.detected,
            digest: Digest::default(),
            diagnostics: Vec::new(),
            complete: true,
        }
    }
}

/// The first bytes of an export.
fn read_head(input: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(8);
    input.rewind()?;
    input.by_ref().take(8).read_to_end(&mut head)?;
    input.rewind()?;
    Ok(head)
}

/// Reads a text that is packed with gzip as if it were not.
fn read_packed(input: &mut dyn Read, path: &str, target: &mut ReadContext<'_>) -> ReadOutcome {
    let limit = target.options.limits.unpacked;
    let mut unpacked = DecompressedExport {
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
        &mut Cursor::new(head.clone()).chain(unpacked),
        name,
        &head,
        target,
    )
}

/// What gzip unpacks to, not without end.
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
    if let Some(found) = not_data::detect(head, &source, format) {
        target.findings.fatal(LineColumn::default(), found);
    } else if !report_refuted_encoding(&source, target.findings) {
        body = match format {
            ExportFormat::Json => json::read(&mut source, target),
            ExportFormat::Jsonl => json::read_lines(&mut source, target),
            ExportFormat::Csv | ExportFormat::Xlsx => csv::read(&mut source, target),
        };
        report_refuted_encoding(&source, target.findings);
    }
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

/// What a text looks like: one object does not tell whether it is a line of many, so the name of the
/// file decides then.
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

/// Reports a declared encoding that cannot be, once.
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

fn report_unreadable(findings: &mut ExportDiagnostics, at: LineColumn, error: &io::Error) {
    let message = format!("reading the export failed: {error}");
    let found = Diagnostic::new(codes::SOURCE_UNREADABLE, message)
        .help("check the file, its permissions and its disk");
    findings.fatal(at, found);
}

/// Reports a byte that no text has.
fn report_flaw(
    findings: &mut ExportDiagnostics,
    at: LineColumn,
    flaw: InvalidByte,
    encoding: &str,
) {
    let offset = flaw.offset;
    match flaw.what {
        InvalidByteKind::Undecodable => {
            let message = format!("byte {offset} of the file is not valid in {encoding}");
            let found = Diagnostic::new(codes::ENCODING, message)
                .help("export the whole file in one encoding and declare it");
            findings.report(at, found);
        }
        InvalidByteKind::Nul => {
            let found = Diagnostic::new(codes::ENCODING, format!("a zero byte at {offset}"))
                .help("the file is damaged or UTF-16; get it again, or declare the encoding");
            findings.report(at, found);
        }
        InvalidByteKind::Truncated => {
            let found = table::truncated_export("the export ends within a character");
            findings.fatal(at, found.help("get the complete export"));
        }
    }
}

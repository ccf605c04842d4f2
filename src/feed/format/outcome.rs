//! What reading an export came upon.

use super::columns::ExportColumns;
use super::diagnostics::ExportDiagnostics;
use super::not_data::truncated_export;
use super::options::{ExportFormat, FormatOptions};
use super::record::ExportRecord;
use super::text_reader::{InvalidByte, InvalidByteKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::model::{Digest, LineColumn};
use std::io::{self};

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
pub(super) struct BodySummary {
    pub(super) records: u64,
    pub(super) trailer: Option<u64>,
    pub(super) delimiter: Option<char>,
    pub(super) list: Option<String>,
    pub(super) detected: Vec<String>,
}

/// What the readers of all formats work on.
pub(super) struct ReadContext<'a> {
    pub(super) options: &'a FormatOptions,
    pub(super) columns: &'a mut ExportColumns,
    pub(super) findings: &'a mut ExportDiagnostics,
    pub(super) on_record: &'a mut dyn FnMut(&ExportRecord, &ExportColumns) -> bool,
}

impl ReadOutcome {
    pub(super) fn of(format: ExportFormat, body: BodySummary) -> Self {
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

pub(super) fn report_unreadable(
    findings: &mut ExportDiagnostics,
    at: LineColumn,
    error: &io::Error,
) {
    let message = format!("reading the export failed: {error}");
    let found = Diagnostic::new(codes::SOURCE_UNREADABLE, message)
        .help("check the file, its permissions and its disk");
    findings.fatal(at, found);
}

/// Reports a byte that no text has.
pub(super) fn report_flaw(
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
            let found = truncated_export("the export ends within a character");
            findings.fatal(at, found.help("get the complete export"));
        }
    }
}

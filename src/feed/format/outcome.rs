//! The result of reading an export, and reports that all formats share.

use super::columns::ExportColumns;
use super::diagnostics::{ExportDiagnostics, OmittedPlace};
use super::not_data::truncated_export;
use super::options::{ExportFormat, FormatOptions};
use super::record::ExportRecord;
use super::row_selection::RowSelection;
use super::text_reader::{InvalidByte, InvalidByteKind};
use crate::diagnostic::{Diagnostic, codes};
use crate::model::{Digest, LineColumn};
use std::io;

/// The result of reading an export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadOutcome {
    /// The number of rows or objects. Faulty and empty ones count; blank rows and repeated headers
    /// do not.
    pub records: u64,
    /// The number that its trailer states.
    pub trailer: Option<u64>,
    /// The format as which it was read.
    pub format: ExportFormat,
    /// The name of its encoding.
    pub encoding: &'static str,
    /// The delimiter between its cells.
    pub delimiter: Option<char>,
    /// The path of a list in JSON, if the document itself is not a list and no path was given.
    pub list: Option<String>,
    /// What was detected because it was not declared, for messages.
    pub detected: Vec<String>,
    /// The digest of the bytes that were read: of the whole export, if it is complete.
    pub digest: Digest,
    /// The diagnostics.
    pub diagnostics: Vec<Diagnostic>,
    /// The places of the diagnostics that are only counted.
    pub omitted: Vec<OmittedPlace>,
    /// Whether it was read to the end and is not cut off.
    pub complete: bool,
    /// The digest of what decides, besides its text, what a row says: the header, the delimiter.
    pub layout: Digest,
}

/// The result of the reader of one format.
#[derive(Default)]
pub(super) struct BodySummary {
    pub(super) records: u64,
    pub(super) trailer: Option<u64>,
    pub(super) delimiter: Option<char>,
    pub(super) list: Option<String>,
    pub(super) detected: Vec<String>,
    pub(super) layout: Digest,
}

/// The input and output that the readers of all formats share.
pub(super) struct ReadContext<'a> {
    pub(super) options: &'a FormatOptions,
    pub(super) columns: &'a mut ExportColumns,
    pub(super) findings: &'a mut ExportDiagnostics,
    pub(super) rows: RowSelection<'a>,
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
            omitted: Vec::new(),
            complete: true,
            layout: body.layout,
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

/// Reports a byte that is not valid in a text.
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

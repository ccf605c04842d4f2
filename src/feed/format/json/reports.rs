//! Reports why a JSON text cannot be read any further.

use super::super::not_data::{self, truncated_export};
use super::cursor::JsonSyntaxError;
use super::{JsonReader, ReportedError};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::read::quoted;
use crate::model::LineColumn;

/// Names of members that an error has instead of data.
const ERRORS: [&str; 5] = ["error", "errors", "message", "fault", "exception"];

impl JsonReader<'_, '_, '_> {
    pub(super) fn too_long(&mut self) -> ReportedError {
        let what = format!("more than {} bytes without an end", self.most);
        let found = not_data::not_data(&what, "check the program that wrote it");
        self.findings.fatal(self.source.pos, found);
        ReportedError
    }

    pub(super) fn report_truncated(&mut self, at: LineColumn) -> ReportedError {
        // Undecodable bytes are closer to the cause than the missing end.
        if !self.report_invalid_byte(self.source.rest().len()) {
            let found = truncated_export(&format!(
                "the export ends before its {} does",
                self.container
            ));
            self.findings
                .fatal(at, found.help("get the complete export"));
        }
        self.findings.complete = false;
        ReportedError
    }

    pub(super) fn not_json(&mut self, bad: &JsonSyntaxError) -> ReportedError {
        let found = Diagnostic::new(
            codes::FEED_NOT_DATA,
            format!("not valid JSON: {}", bad.what),
        );
        self.findings.fatal(bad.at, found.help(bad.help));
        ReportedError
    }

    pub(super) fn report_not_list(&mut self, message: String, help: &str) -> ReportedError {
        let found = Diagnostic::new(codes::JSON_NOT_LIST, message).help(help);
        self.findings.fatal(self.source.pos, found);
        ReportedError
    }

    /// Reports an object without the list. If it looks like an error, the message says so.
    pub(super) fn report_not_data(
        &mut self,
        members: &[String],
        message: String,
        help: &str,
    ) -> ReportedError {
        let error = members
            .iter()
            .find(|name| ERRORS.contains(&&*name.to_ascii_lowercase()));
        match error {
            Some(name) => {
                let what = format!("an error: an object with {}", quoted(name));
                let help = "check the address and the credentials";
                self.findings
                    .fatal(self.source.pos, not_data::not_data(&what, help));
                ReportedError
            }
            None => self.report_not_list(message, help),
        }
    }
}

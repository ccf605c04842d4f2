//! JSON Lines: one object per line and nothing around them. Because there is no enclosing list, a
//! cut file can look complete, and an error can be a line like any other.

use super::super::columns::ExportColumns;
use super::super::not_data;
use super::super::not_data::truncated_export;
use super::super::record::ExportRecord;
use super::super::text_reader::TextReader;
use super::cursor::{JsonCursor, JsonReadError};
use super::object::{ObjectReader, ValueSkipper};
use super::{JsonReader, ReportedError};
use crate::kinds::read::quoted;

/// Names of members that errors have and customers do not. `message` is missing here because a
/// customer may have one.
const SURE_ERRORS: &[&str] = &["error", "errors", "fault", "exception"];
/// Returns whether another object follows the first one. Nothing is consumed.
pub(in crate::feed::format) fn is_lines(source: &mut TextReader<'_>, most: usize) -> bool {
    loop {
        let mut cursor = JsonCursor::new(source.rest(), source.ended(), source.pos);
        match has_another(&mut cursor) {
            Ok(found) => return found,
            // An object larger than the limit is refused later anyway.
            Err(JsonReadError::NeedsMore) if source.rest().len() <= most => {
                source.read_more();
            }
            Err(_) => return false,
        }
    }
}

fn has_another(cursor: &mut JsonCursor<'_>) -> Result<bool, JsonReadError> {
    // Skipped, not parsed: the object may have any members, and only what follows it counts.
    let mut skipped = ValueSkipper::default();
    while !skipped.skip_token(cursor)? {}
    Ok(!cursor.is_done()? && cursor.peek()? == b'{')
}

impl JsonReader<'_, '_, '_> {
    /// Reads one object after the other to the end of the text.
    pub(super) fn read_object_lines(
        &mut self,
        objects: &mut ObjectReader<'_>,
        each: &mut dyn FnMut(&mut ExportRecord, &ExportColumns) -> bool,
    ) -> Result<(), ReportedError> {
        let (mut record, mut records) = (ExportRecord::default(), 0_u64);
        while !self.is_done()? {
            self.object(objects, &mut record)?;
            records += 1;
            // The caller stopped early, so what was not read must not count as missing.
            if !each(&mut record, objects.columns) {
                self.findings.complete = false;
                return Err(ReportedError);
            }
        }
        // Only the last line: a server that fails while it streams can only append the error.
        self.look_at_last(&record, objects.columns, records);
        Ok(())
    }

    /// Reports a last line that holds an error instead of a record.
    fn look_at_last(&mut self, record: &ExportRecord, columns: &ExportColumns, records: u64) {
        let is_error = |name: &&str| SURE_ERRORS.contains(&&*name.to_ascii_lowercase());
        let there = |at: usize| record.cell(at).is_some_and(|cell| !cell.is_blank());
        let mut named = columns.names().enumerate().filter(|(at, _)| there(*at));
        let Some((_, name)) = named.find(|(_, name)| is_error(name)) else {
            return;
        };
        let help = "check the address and the credentials, and get the export again";
        if records == 1 {
            let what = format!("an error: an object with {}", quoted(name));
            self.findings
                .fatal(record.at, not_data::not_data(&what, help));
        } else if record.cell(0).is_none() {
            // A record has the first column, which is an id in most exports. An error line lacks
            // it.
            let what = format!("the last line is an error: an object with {}", quoted(name));
            self.findings
                .fatal(record.at, truncated_export(&what).help(help));
        }
    }
}

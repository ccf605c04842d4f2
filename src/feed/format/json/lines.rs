//! JSON Lines: an object on each line, and nothing around them.

use super::super::columns::ExportColumns;
use super::super::not_data;
use super::super::record::ExportRecord;
use super::super::table::truncated_export;
use super::super::text_reader::TextReader;
use super::cursor::{JsonCursor, JsonReadError};
use super::object::{ObjectReader, ValueSkipper};
use super::{JsonReader, ReportedError};
use crate::kinds::read::quoted;

/// Names of members that an error has and no customer.
const SURE_ERRORS: &[&str] = &["error", "errors", "fault", "exception"];
/// Whether a text is an object with another one after it. Nothing of it is consumed.
pub(in crate::feed::format) fn is_lines(source: &mut TextReader<'_>, most: usize) -> bool {
    loop {
        let mut cursor = JsonCursor::new(source.rest(), source.ended(), source.pos);
        match has_another(&mut cursor) {
            Ok(found) => return found,
            Err(JsonReadError::NeedsMore) if source.rest().len() <= most => {
                source.read_more();
            }
            Err(_) => return false,
        }
    }
}

fn has_another(cursor: &mut JsonCursor<'_>) -> Result<bool, JsonReadError> {
    let mut skipped = ValueSkipper::default();
    while !skipped.skip_token(cursor)? {}
    Ok(!cursor.is_done()? && cursor.peek()? == b'{')
}

impl JsonReader<'_, '_, '_> {
    /// One object after the other, up to the end.
    pub(super) fn read_object_lines(
        &mut self,
        objects: &mut ObjectReader<'_>,
        each: &mut dyn FnMut(&ExportRecord, &ExportColumns) -> bool,
    ) -> Result<(), ReportedError> {
        let (mut record, mut records) = (ExportRecord::default(), 0_u64);
        while !self.is_done()? {
            self.object(objects, &mut record)?;
            records += 1;
            if !each(&record, objects.columns) {
                self.findings.complete = false;
                return Err(ReportedError);
            }
        }
        self.look_at_last(&record, objects.columns, records);
        Ok(())
    }

    /// Reports a last line that tells of an error instead of a record.
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
            let what = format!("the last line is an error: an object with {}", quoted(name));
            self.findings
                .fatal(record.at, truncated_export(&what).help(help));
        }
    }
}

//! JSON Lines: an object on each line, and nothing around them.

use super::super::columns::Columns;
use super::super::record::Record;
use super::super::source::Source;
use super::super::table::truncated;
use super::super::unlike;
use super::cursor::{Cursor, Stop};
use super::object::{Objects, Skipped};
use super::{Ended, Reader};
use crate::kinds::read::quoted;

/// Names of members that an error has and no customer.
const SURE_ERRORS: &[&str] = &["error", "errors", "fault", "exception"];
/// Whether a text is an object with another one after it. Nothing of it is consumed.
pub(in crate::feed::format) fn is_lines(source: &mut Source<'_>, most: usize) -> bool {
    loop {
        let mut cursor = Cursor::new(source.rest(), source.ended(), source.pos);
        match has_another(&mut cursor) {
            Ok(found) => return found,
            Err(Stop::More) if source.rest().len() <= most => {
                source.more();
            }
            Err(_) => return false,
        }
    }
}

fn has_another(cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
    let mut skipped = Skipped::default();
    while !skipped.word(cursor)? {}
    Ok(!cursor.is_done()? && cursor.peek()? == b'{')
}

impl Reader<'_, '_, '_> {
    /// One object after the other, up to the end.
    pub(super) fn lines(
        &mut self,
        objects: &mut Objects<'_>,
        each: &mut dyn FnMut(&Record, &Columns) -> bool,
    ) -> Result<(), Ended> {
        let (mut record, mut records) = (Record::default(), 0_u64);
        while !self.is_done()? {
            self.object(objects, &mut record)?;
            records += 1;
            if !each(&record, objects.columns) {
                self.findings.complete = false;
                return Err(Ended);
            }
        }
        self.look_at_last(&record, objects.columns, records);
        Ok(())
    }

    /// Reports a last line that tells of an error instead of a record.
    fn look_at_last(&mut self, record: &Record, columns: &Columns, records: u64) {
        let is_error = |name: &&str| SURE_ERRORS.contains(&&*name.to_ascii_lowercase());
        let there = |at: usize| record.cell(at).is_some_and(|cell| !cell.is_blank());
        let mut named = columns.names().enumerate().filter(|(at, _)| there(*at));
        let Some((_, name)) = named.find(|(_, name)| is_error(name)) else {
            return;
        };
        let help = "look at the address and the credentials, and get the export again";
        if records == 1 {
            let what = format!("an error: an object with {}", quoted(name));
            self.findings.fatal(record.at, unlike::instead(&what, help));
        } else if record.cell(0).is_none() {
            let what = format!("the last line is an error: an object with {}", quoted(name));
            self.findings.fatal(record.at, truncated(&what).help(help));
        }
    }
}

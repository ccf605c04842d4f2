//! Reads a list of objects in JSON, one object at a time, so that a large export needs little
//! memory. In goes decoded text and the path of the list; out go records. What surrounds the list
//! is read for signs of an incomplete answer (`envelope`). Start reading at
//! `JsonReader::read_list_at`; every read goes through `JsonReader::step`, which gets more text
//! when a token is cut off.

mod cursor;
mod envelope;
mod lines;
mod object;
mod reports;

use super::columns::ExportColumns;
use super::diagnostics::ExportDiagnostics;
use super::record::ExportRecord;
use super::row_selection::{RowChoice, RowHasher};
use super::text_reader::TextReader;
use super::{BodySummary, ReadContext};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::read::quoted;
use crate::model::LineColumn;
use cursor::{JsonCursor, JsonReadError, JsonSyntaxError};
pub use envelope::{EnvelopeSignal, read_envelope_member};
pub(super) use lines::is_lines;
use object::{ObjectReader, ValueSkipper};

/// How much of a member beside the list is parsed. An error or a link is short; a second list may
/// be large.
const MAX_LOOKAHEAD: usize = 64 << 10;
/// How many member names are kept to describe an object that is not the list.
const MEMBERS: usize = 64;

/// Reading ended early. The reason has been reported.
struct ReportedError;

/// A JSON text that is being read.
struct JsonReader<'s, 'i, 'f> {
    source: &'s mut TextReader<'i>,
    findings: &'f mut ExportDiagnostics,
    /// The most bytes that one step may take.
    most: usize,
    /// The first list in an object that should itself have been a list.
    list: Option<String>,
    /// What the records are part of, for messages: `list` or `line`.
    container: &'static str,
    /// The number of rows in all, as the answer says.
    total: Option<u64>,
    /// What the answer says beside the list.
    envelope_diagnostics: Vec<(LineColumn, Diagnostic)>,
}

/// Reads the objects of a list.
pub(super) fn read(source: &mut TextReader<'_>, target: &mut ReadContext<'_>) -> BodySummary {
    let path = target.options.list_path.as_deref().unwrap_or_default();
    let path: Vec<&str> = path.split('.').filter(|name| !name.is_empty()).collect();
    read_with(source, target, "list", |reader, objects, each| {
        reader.read_list_at(&path, objects, each)
    })
}

/// Reads objects, one per line.
pub(super) fn read_lines(source: &mut TextReader<'_>, target: &mut ReadContext<'_>) -> BodySummary {
    read_with(source, target, "line", |reader, objects, each| {
        reader.read_object_lines(objects, each)
    })
}

fn read_with(
    source: &mut TextReader<'_>,
    target: &mut ReadContext<'_>,
    whole: &'static str,
    read: impl FnOnce(
        &mut JsonReader<'_, '_, '_>,
        &mut ObjectReader<'_>,
        &mut dyn FnMut(&mut ExportRecord, &ExportColumns) -> bool,
    ) -> Result<(), ReportedError>,
) -> BodySummary {
    let limits = target.options.limits;
    let mut reader = JsonReader {
        source,
        findings: target.findings,
        most: limits.record,
        list: None,
        container: whole,
        total: None,
        envelope_diagnostics: Vec::new(),
    };
    let mut objects = ObjectReader::new(target.columns, limits, &target.options.blanks);
    let mut records = 0;
    let (mut hasher, rows, on_record) = (
        RowHasher::default(),
        &mut target.rows,
        &mut target.on_record,
    );
    // No header decides what an object says: its members have names.
    hasher.begin(["json"].into_iter());
    // Errors have been reported already.
    let _ = read(&mut reader, &mut objects, &mut |record, columns| {
        let hash = || hasher.cells(record, columns);
        let (choice, digest) = rows.choose(None, record.faulty, hash);
        records += 1;
        record.digest = digest;
        match choice {
            RowChoice::Decode => on_record(record, columns),
            RowChoice::Skip => true,
            RowChoice::Stop => false,
        }
    });
    // Fewer rows than announced mean that a page is missing.
    let total = reader.total.filter(|total| *total > records);
    // If reading stopped early, the count would only repeat that.
    if let Some(total) = total.filter(|_| reader.findings.complete) {
        let at = reader.source.pos;
        reader
            .findings
            .report(at, envelope::missing_rows(records, total));
    }
    BodySummary {
        records,
        list: reader.list,
        layout: hasher.layout,
        ..BodySummary::default()
    }
}

impl JsonReader<'_, '_, '_> {
    fn read_list_at(
        &mut self,
        path: &[&str],
        objects: &mut ObjectReader<'_>,
        each: &mut dyn FnMut(&mut ExportRecord, &ExportColumns) -> bool,
    ) -> Result<(), ReportedError> {
        self.find_list(path)?;
        let listed = self.list(objects, each);
        // Reported even if the list could not be read: an error beside the list explains why.
        self.report_envelope();
        listed?;
        // Members after the list count as well. Some systems write the error or the next page last.
        for _ in path {
            let skipped = self.skip_members();
            self.report_envelope();
            skipped?;
        }
        if self.is_done()? {
            return Ok(());
        }
        Err(self.not_json(&JsonSyntaxError {
            at: self.source.pos,
            what: "text follows the end of the list".to_owned(),
            help: "a file must contain exactly one list",
        }))
    }

    /// Moves to the first member of the list.
    fn find_list(&mut self, path: &[&str]) -> Result<(), ReportedError> {
        for name in path {
            let (opens, _) = self.step(|cursor| cursor.take(b'{'))?;
            if !opens {
                let message = format!("not an object that contains {}", quoted(name));
                return Err(self.report_not_list(message, "correct `rows` or remove it"));
            }
            self.find_member(name)?;
        }
        let first = self.peek()?;
        match first {
            b'[' => self.step(|cursor| cursor.expect(b'[')).map(|_| ()),
            b'{' => {
                self.step(|cursor| cursor.expect(b'{'))?;
                Err(self.report_object_for_list())
            }
            _ => {
                // Skipped first, because the text may not be JSON at all, which is the better
                // message.
                self.skip_value()?;
                Err(self.report_not_list("no list".to_owned(), "export a list of objects"))
            }
        }
    }

    /// Moves to the value of a member of the object that was just opened.
    fn find_member(&mut self, name: &str) -> Result<(), ReportedError> {
        let mut others = Vec::new();
        let (empty, _) = self.step(|cursor| cursor.take(b'}'))?;
        let mut goes_on = !empty;
        while goes_on {
            let key = self.key()?;
            if key == name {
                return Ok(());
            }
            self.skip_envelope_member(&key)?;
            others.push(key);
            // Names are kept for the message only; an object used as a map may have millions.
            others.truncate(MEMBERS);
            (goes_on, _) = self.step(|cursor| cursor.next_member(b'}'))?;
        }
        let message = format!(
            "no {} in an object with {}",
            quoted(name),
            join_names(&others)
        );
        Err(self.report_not_data(&others, message, "correct `rows`"))
    }

    /// Reports an object where a list belongs, and proposes the path of the list in it.
    fn report_object_for_list(&mut self) -> ReportedError {
        let (mut members, mut lists) = (Vec::new(), Vec::new());
        if let Err(ended) = self.members(&mut members, &mut lists) {
            return ended;
        }
        let message = format!("an object with {} instead of a list", join_names(&members));
        self.list = lists.first().cloned();
        let help = match lists.first() {
            Some(list) => format!("set the path of the list: `rows: {list}`"),
            None => "write a single object as a list with one member".to_owned(),
        };
        self.report_not_data(&members, message, &help)
    }

    /// Collects the first members of the object that was just opened, and which of them are lists.
    fn members(
        &mut self,
        members: &mut Vec<String>,
        lists: &mut Vec<String>,
    ) -> Result<(), ReportedError> {
        let (empty, _) = self.step(|cursor| cursor.take(b'}'))?;
        let mut goes_on = !empty;
        while goes_on && members.len() < MEMBERS {
            let key = self.key()?;
            let first = self.peek()?;
            if first == b'[' {
                lists.push(key.clone());
            }
            self.skip_value()?;
            members.push(key);
            (goes_on, _) = self.step(|cursor| cursor.next_member(b'}'))?;
        }
        Ok(())
    }

    fn list(
        &mut self,
        objects: &mut ObjectReader<'_>,
        each: &mut dyn FnMut(&mut ExportRecord, &ExportColumns) -> bool,
    ) -> Result<(), ReportedError> {
        let (empty, _) = self.step(|cursor| cursor.take(b']'))?;
        let mut goes_on = !empty;
        // One record is reused for all objects, which keeps its memory.
        let mut record = ExportRecord::default();
        while goes_on {
            self.object(objects, &mut record)?;
            if !each(&mut record, objects.columns) {
                self.findings.complete = false;
                return Err(ReportedError);
            }
            (goes_on, _) = self.step(|cursor| cursor.next_member(b']'))?;
        }
        Ok(())
    }

    /// Reads the next object into a record.
    fn object(
        &mut self,
        objects: &mut ObjectReader<'_>,
        record: &mut ExportRecord,
    ) -> Result<(), ReportedError> {
        // A member that is not an object is one faulty record, not the end of the list.
        if self.peek()? != b'{' {
            record.reset(self.source.pos);
            record.faulty = true;
            return self.report_not_object();
        }
        let ((), flawed) = self.step(|cursor| objects.read(cursor, record))?;
        record.faulty |= flawed;
        for (at, found) in objects.diagnostics.drain(..) {
            // A lost letter in an object with undecodable bytes is the same problem, reported
            // already.
            if !flawed || found.code != codes::REPLACEMENT_CHARACTER {
                self.findings.report(at, found);
            }
        }
        Ok(())
    }

    fn report_not_object(&mut self) -> Result<(), ReportedError> {
        let (message, help) = if self.container == "line" {
            (
                "a line is not an object",
                "write an object on every line: `{…}`",
            )
        } else {
            (
                "a member of the list is not an object",
                "write every member of the list as an object: `{…}`",
            )
        };
        let found = Diagnostic::new(codes::JSON_SHAPE, message).help(help);
        self.findings.report(self.source.pos, found);
        self.skip_value()
    }

    /// Skips the remaining members of an object.
    fn skip_members(&mut self) -> Result<(), ReportedError> {
        while self.step(|cursor| cursor.next_member(b'}'))?.0 {
            let key = self.key()?;
            self.skip_envelope_member(&key)?;
        }
        Ok(())
    }

    fn report_envelope(&mut self) {
        for (at, found) in std::mem::take(&mut self.envelope_diagnostics) {
            self.findings.report(at, found);
        }
    }

    /// Skips a member beside the list and records what it says of the whole answer.
    fn skip_envelope_member(&mut self, name: &str) -> Result<(), ReportedError> {
        self.peek()?;
        let at = self.source.pos;
        if let Some(value) = self.peek_value() {
            match read_envelope_member(name, &value) {
                Some(EnvelopeSignal::Problem(found)) => self.envelope_diagnostics.push((at, found)),
                Some(EnvelopeSignal::Total(total)) => self.total = Some(total),
                None => {}
            }
        }
        self.skip_value()
    }

    /// Parses the next value without taking it. A large one is returned as `true`, which is enough
    /// to know that there is something.
    fn peek_value(&mut self) -> Option<serde_json::Value> {
        loop {
            let rest = self.source.rest();
            // `serde_json` here and not the cursor: the value is small, and its type decides what
            // it means.
            let mut values = serde_json::Deserializer::from_str(rest).into_iter();
            match values.next() {
                Some(Ok(value)) => return Some(value),
                Some(Err(error)) if !error.is_eof() => return None,
                _ if rest.len() > MAX_LOOKAHEAD => return Some(serde_json::Value::Bool(true)),
                _ => {}
            }
            if !self.source.read_more() {
                return None;
            }
        }
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method of cursors of one lifetime is none of cursors of all"
    )]
    fn peek(&mut self) -> Result<u8, ReportedError> {
        Ok(self.step(|cursor| cursor.peek())?.0)
    }

    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method of cursors of one lifetime is none of cursors of all"
    )]
    fn is_done(&mut self) -> Result<bool, ReportedError> {
        Ok(self.step(|cursor| cursor.is_done())?.0)
    }

    fn key(&mut self) -> Result<String, ReportedError> {
        let read = |cursor: &mut JsonCursor<'_>| {
            let mut key = String::new();
            cursor.string(&mut key)?;
            cursor.expect(b':')?;
            Ok(key)
        };
        Ok(self.step(read)?.0)
    }

    /// Skips a value, which may be larger than the buffer.
    fn skip_value(&mut self) -> Result<(), ReportedError> {
        let mut skipped = ValueSkipper::default();
        // Token by token, so that the text already skipped can be dropped.
        while !self.step(|cursor| skipped.skip_token(cursor))?.0 {}
        Ok(())
    }

    /// Reads something with as much text as it needs, from its start again whenever more text has
    /// come. Also returns whether an undecodable byte was in it.
    fn step<T>(
        &mut self,
        mut read: impl FnMut(&mut JsonCursor<'_>) -> Result<T, JsonReadError>,
    ) -> Result<(T, bool), ReportedError> {
        loop {
            let text = self.source.rest();
            let mut cursor = JsonCursor::new(text, self.source.ended(), self.source.pos);
            match read(&mut cursor) {
                Ok(found) => {
                    let (length, pos) = (cursor.consumed(), cursor.pos());
                    let flawed = self.report_invalid_byte(length);
                    self.source.consume(length, pos);
                    return Ok((found, flawed));
                }
                // One value larger than the limit would fill the memory before it turned out to be
                // useless.
                Err(JsonReadError::NeedsMore) if text.len() > self.most => {
                    return Err(self.too_long());
                }
                Err(JsonReadError::NeedsMore) => {
                    self.source.read_more();
                }
                Err(JsonReadError::Truncated(at)) => return Err(self.report_truncated(at)),
                Err(JsonReadError::Invalid(bad)) => return Err(self.not_json(&bad)),
            }
        }
    }

    /// Reports the first undecodable byte within `length` bytes.
    fn report_invalid_byte(&mut self, length: usize) -> bool {
        let mut first = None;
        while let Some(flaw) = self.source.next_flaw(length) {
            first.get_or_insert(flaw);
        }
        if let Some((at, flaw)) = first {
            let before = self.source.rest().get(..at).unwrap_or_default();
            let at = super::text_reader::advance(self.source.pos, before);
            let encoding = self.source.encoding().0.name();
            super::report_flaw(self.findings, at, flaw, encoding);
        }
        first.is_some()
    }
}

/// Joins the first few names.
fn join_names(names: &[String]) -> String {
    const SHOWN: usize = 5;
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| quoted(name)).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

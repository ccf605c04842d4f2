//! Rows of cells under a header, which CSV and workbooks have in common. In go rows from either
//! reader; out go records, with problems of the header, the width of rows and the trailer reported.
//! Start reading at `TableParser::begin` and `TableParser::finish_record`.

use super::columns::fold;
use super::not_data::truncated_export;
use super::record::{CellShape, ExportRecord, RawCell};
use super::row_selection::{RowChoice, RowHasher};
use super::text::{has_lost_letter, is_suspicious, repaired, strip_text_marker};
use super::{BodySummary, ReadContext};
use crate::diagnostic::{Diagnostic, codes, plural};
use crate::kinds::read::{is_blank, quoted};
use crate::model::{CompactText, Digest, LineColumn};
use std::collections::HashMap;

pub(super) struct TableParser<'t, 'a> {
    pub target: &'t mut ReadContext<'a>,
    header: Vec<String>,
    /// The column of each position, or `None` if it has no name.
    column_at: Vec<Option<usize>>,
    /// The number of positions up to the last named one. Spreadsheets add empty columns at the end.
    named: usize,
    trailer: Option<TrailerPattern>,
    /// The place of the trailer, and what it counts.
    last: Option<(LineColumn, TrailerCount)>,
    records: u64,
    record: ExportRecord,
    hasher: RowHasher,
    /// The delimiter and the quote. Like the header, they decide what a row says.
    dialect: String,
}

/// The form of the last line.
struct TrailerPattern {
    before: String,
    /// What follows the number, or `None` if there is no number.
    after: Option<String>,
}

#[derive(Clone, Copy)]
struct TrailerCount {
    count: Option<u64>,
}

impl TrailerPattern {
    fn new(pattern: &str) -> Self {
        match pattern.split_once("{n}") {
            Some((before, after)) => Self {
                before: before.to_owned(),
                after: Some(after.trim_end().to_owned()),
            },
            None => Self {
                before: pattern.trim_end().to_owned(),
                after: None,
            },
        }
    }

    /// Returns what a line counts if it is the trailer. Delimiters may follow it, as spreadsheets
    /// pad the line to the width of the table.
    fn read(&self, line: &str) -> Option<TrailerCount> {
        let rest = line.strip_prefix(&*self.before)?;
        let padding = |c: char| c.is_whitespace() || ";,|".contains(c);
        let Some(after) = &self.after else {
            return rest
                .chars()
                .all(padding)
                .then_some(TrailerCount { count: None });
        };
        let end = rest.find(|c: char| !c.is_ascii_digit());
        let (digits, rest) = rest.split_at(end.unwrap_or(rest.len()));
        let rest = rest.strip_prefix(&**after)?;
        let count = Some(digits.parse().ok()?);
        rest.chars().all(padding).then_some(TrailerCount { count })
    }
}

impl<'t, 'a> TableParser<'t, 'a> {
    pub fn new(target: &'t mut ReadContext<'a>, dialect: String) -> Self {
        Self {
            hasher: RowHasher::default(),
            dialect,
            trailer: target.options.trailer.as_deref().map(TrailerPattern::new),
            target,
            header: Vec::new(),
            column_at: Vec::new(),
            named: 0,
            last: None,
            records: 0,
            record: ExportRecord::default(),
        }
    }

    pub fn is_headless(&self) -> bool {
        self.column_at.is_empty()
    }

    pub fn width(&self) -> usize {
        self.column_at.len()
    }

    pub fn has_trailer(&self) -> bool {
        self.trailer.is_some()
    }

    /// Takes the first row as the header, or, without a header, as the width of the table. Returns
    /// false if the columns cannot be told apart.
    pub fn begin(&mut self, cells: &[(String, LineColumn)]) -> bool {
        // The counts before and after tell whether this header added an error.
        let found = self.target.findings.count(codes::HEADER_BLANK)
            + self.target.findings.count(codes::HEADER_DUPLICATE);
        let names: Vec<(String, LineColumn)> = cells
            .iter()
            .enumerate()
            .map(|(at, (name, pos))| (self.name(at, name), *pos))
            .collect();
        if !self.target.options.header {
            // A first row with fewer cells than `names` has the wrong width, which is reported as
            // such. The names stay columns.
            let declared = self.target.options.names.len();
            let more = (names.len()..declared).map(|at| (self.name(at, ""), LineColumn::default()));
            let names: Vec<(String, LineColumn)> = names.into_iter().chain(more).collect();
            return self.set_columns(&names, found);
        }
        self.header = cells
            .iter()
            .map(|(name, _)| trimmed(name).to_owned())
            .collect();
        self.set_columns(&names, found)
    }

    /// Returns the name of the column at a position whose header cell is `written`.
    fn name(&self, at: usize, written: &str) -> String {
        let options = self.target.options;
        let declared = options.names.get(at).filter(|name| !is_blank(name));
        let written = trimmed(written);
        match declared {
            Some(name) if !options.header || written.is_empty() => name.trim().to_owned(),
            None if !options.header => (at + 1).to_string(),
            _ => written.to_owned(),
        }
    }

    fn set_columns(&mut self, names: &[(String, LineColumn)], found: u64) -> bool {
        let parts = names.iter().map(|(name, _)| name.as_str());
        self.hasher
            .begin([self.dialect.as_str()].into_iter().chain(parts));
        let last = names.iter().rposition(|(name, _)| !name.is_empty());
        self.named = last.map_or(0, |last| last + 1);
        let mut seen: HashMap<String, LineColumn> = HashMap::new();
        for (at, (name, pos)) in names.iter().enumerate() {
            if name.is_empty() {
                self.column_at.push(None);
                // Unnamed columns after the last name are the usual padding of spreadsheets. One in
                // between may hold data that would be lost.
                if at < self.named {
                    self.report_unnamed_column(at, *pos, "a column of the header has no name");
                }
                continue;
            }
            self.column_at.push(Some(self.target.columns.intern(name)));
            // Folded, because a mapping finds columns in any case: with two candidates the wrong
            // one might be read.
            if let Some(first) = seen.insert(fold(name), *pos) {
                self.report_duplicate_column(name, first, *pos);
            }
        }
        let findings = &mut *self.target.findings;
        let now = findings.count(codes::HEADER_BLANK) + findings.count(codes::HEADER_DUPLICATE);
        if now > found {
            // Without a sound header no column can be said to be missing or blank.
            findings.complete = false;
        }
        now == found
    }

    fn report_unnamed_column(&mut self, at: usize, pos: LineColumn, what: &str) {
        let found = Diagnostic::new(codes::HEADER_BLANK, format!("{what}: number {}", at + 1))
            .help("name it in the export, or remove it");
        self.target.findings.report(pos, found);
    }

    fn report_duplicate_column(&mut self, name: &str, first: LineColumn, second: LineColumn) {
        let message = format!("two columns are named {}", quoted(name));
        let first = self.target.findings.origin(first);
        let found = Diagnostic::new(codes::HEADER_DUPLICATE, message)
            .help("rename or remove one of them in the export; case and spaces are ignored")
            .related([first]);
        self.target.findings.report(second, found);
    }

    /// Returns whether a row repeats the header, and reports it.
    pub fn is_repeated_header<'c>(
        &mut self,
        at: LineColumn,
        mut cells: impl Iterator<Item = &'c str>,
    ) -> bool {
        let mut header = self.header.iter();
        let same = !self.header.is_empty()
            && cells.all(|cell| {
                header
                    .next()
                    .map_or("", String::as_str)
                    .eq_ignore_ascii_case(trimmed(cell))
            });
        if !same || header.next().is_some() {
            return false;
        }
        let found = Diagnostic::new(codes::HEADER_REPEATED, "the header occurs again")
            .help("check that the export is complete");
        self.target.findings.report(at, found);
        true
    }

    /// Returns whether a line is the trailer, or reports it if it follows the trailer.
    pub fn is_trailer_line(&mut self, at: LineColumn, line: &str) -> bool {
        if let Some((trailer, _)) = self.last {
            let trailer = self.target.findings.origin(trailer);
            let found = truncated_export("rows follow the trailer")
                .help("the file contains two exports, or an unfinished one; get it again")
                .related([trailer]);
            self.target.findings.fatal(at, found);
            return true;
        }
        let last = self.trailer.as_ref().and_then(|like| like.read(line));
        self.last = last.map(|last| (at, last));
        last.is_some()
    }

    pub fn is_closed(&self) -> bool {
        self.last.is_some()
    }

    /// Returns whether reading must stop because the trailer was not the end.
    pub fn is_over(&self) -> bool {
        !self.target.findings.complete
    }

    /// Whether the next rows may be left out because rows with their text were read before.
    pub fn may_skip(&self) -> bool {
        self.target.rows.is_by_digest() && !self.is_headless() && !self.is_closed()
    }

    pub fn digest(&mut self, row: &str) -> Digest {
        self.hasher.text(row)
    }

    /// How many of the next rows are left out. They are counted, and need not be split into cells.
    pub fn skips(&mut self, digests: &[Digest]) -> usize {
        let skips = self.target.rows.skips(digests);
        self.records += skips as u64;
        skips
    }

    /// What becomes of a row whose text is at hand. One that is left out is counted.
    pub fn choose(
        &mut self,
        row: &str,
        (at, end): (LineColumn, LineColumn),
        faulty: bool,
    ) -> RowChoice {
        let (hasher, rows) = (&mut self.hasher, &mut self.target.rows);
        let lines = Some((at.line, end.line));
        let (choice, digest) = rows.choose(lines, faulty, || hasher.text(row));
        self.record.digest = digest;
        self.count_unless_decoded(choice)
    }

    /// The same for the record that is being made.
    pub fn choose_record(&mut self) -> RowChoice {
        let (hasher, rows) = (&mut self.hasher, &mut self.target.rows);
        let (record, columns) = (&self.record, &*self.target.columns);
        let digest = || hasher.cells(record, columns);
        let (choice, digest) = rows.choose(None, record.faulty, digest);
        self.record.digest = digest;
        self.count_unless_decoded(choice)
    }

    fn count_unless_decoded(&mut self, choice: RowChoice) -> RowChoice {
        match choice {
            RowChoice::Decode => {}
            RowChoice::Skip => self.records += 1,
            RowChoice::Stop => self.target.findings.complete = false,
        }
        choice
    }

    pub fn start(&mut self, at: LineColumn, end: LineColumn, faulty: bool) {
        self.record.at = at;
        self.record.end = end;
        self.record.faulty = faulty;
        self.record.cells.resize(self.target.columns.len(), None);
    }

    /// Puts a cell into the record. This is the innermost loop of reading a table.
    #[inline]
    pub fn put(&mut self, position: usize, text: &str, at: LineColumn) {
        let Some(Some(column)) = self.column_at.get(position).copied() else {
            return self.put_nowhere(position, text, at);
        };
        // Almost no cell begins with one of these, so the call is avoided.
        let text = match text.as_bytes().first() {
            Some(b'\'' | b'=') => strip_text_marker(text),
            _ => text,
        };
        let text = if self.target.options.reads_as_blank(text) {
            ""
        } else {
            text
        };
        if text.len() > self.target.options.limits.cell {
            return self.put_cut(column, text, at);
        }
        match &mut self.record.cells[column] {
            Some(entry) => {
                // Short text needs no allocation, and the buffer of a long one is reused.
                if entry.text.is_heap_allocated() {
                    entry.text.clear();
                    entry.text.push_str(text);
                } else {
                    entry.text = CompactText::new(text);
                }
                entry.shape = CellShape::Text;
                entry.at = at;
            }
            empty => *empty = Some(RawCell::new(CompactText::new(text), CellShape::Text, at)),
        }
    }

    /// Sets how the cell that was put last was written, if not as text.
    pub fn shape(&mut self, position: usize, shape: CellShape) {
        if let Some(Some(column)) = self.column_at.get(position).copied()
            && let Some(entry) = &mut self.record.cells[column]
        {
            entry.shape = shape;
        }
    }

    fn put_nowhere(&mut self, position: usize, text: &str, at: LineColumn) {
        let nameless = position < self.column_at.len();
        // Text without a column is lost data, often from a shifted row, so the row is not trusted.
        if nameless && !is_blank(text) {
            let what = format!("{} is in a column without a name", quoted(text));
            self.report_unnamed_column(position, at, &what);
            self.record.faulty = true;
        }
    }

    fn put_cut(&mut self, column: usize, text: &str, at: LineColumn) {
        let most = self.target.options.limits.cell;
        let message = format!("a cell of {} bytes, at most {most} are read", text.len());
        let found = Diagnostic::new(codes::LENGTH, message).help("shorten it");
        self.target.findings.report(at, found);
        self.record.faulty = true;
        // The beginning is kept: it may be the id that protects the resource of the row.
        let cut = CompactText::new(&text[..text.floor_char_boundary(most)]);
        self.record.cells[column] = Some(RawCell::new(cut, CellShape::Text, at));
    }

    /// Reports letters of the record that were lost or decoded wrongly.
    pub fn check_letters(&mut self) {
        for entry in self.record.cells.iter().flatten() {
            if let Some(found) = check_text_letters(&entry.text) {
                self.target.findings.report(entry.at, found);
            }
        }
    }

    /// Returns whether a row of this many cells differs in width from the header, and reports it.
    fn is_ragged(&mut self, at: LineColumn, cells: usize) -> bool {
        // Some programs leave out the padding columns, others write them, so both widths are right.
        if (self.named..=self.column_at.len()).contains(&cells) {
            return false;
        }
        let message = format!("{cells} cells, but the header has {}", self.named);
        // `TOTAL;1234` at the end looks like this.
        let few = cells <= 2 && self.named > 3 && self.trailer.is_none();
        let help = if few {
            "if this is a trailer that counts the rows, declare it: `#EOF;{n}`"
        } else {
            "quote cells that contain the delimiter, and export empty cells too"
        };
        let found = Diagnostic::new(codes::ROW_WIDTH, message).help(help);
        self.target.findings.report(at, found);
        true
    }

    /// Ends a record and passes it on. Returns false to stop.
    pub fn finish_record(&mut self, cells: usize) -> bool {
        // The record is reused, so the cells of the previous row must not show through in a short
        // one.
        for place in self.column_at.iter().skip(cells).flatten() {
            self.record.cells[*place] = None;
        }
        self.record.faulty |= self.is_ragged(self.record.at, cells);
        self.records += 1;
        let goes_on = (self.target.on_record)(&self.record, self.target.columns);
        if !goes_on {
            self.target.findings.complete = false;
        }
        goes_on
    }

    /// Ends the table at `at` and checks the trailer.
    pub fn end(self, at: LineColumn) -> BodySummary {
        let counted = self.last.and_then(|(_, last)| last.count);
        let findings = &mut *self.target.findings;
        match self.last {
            // A file that was cut exactly at a row end shows only here.
            Some((pos, TrailerCount { count: Some(count) })) if count != self.records => {
                let message = format!(
                    "the trailer counts {}, but the export has {}",
                    plural(count, "row"),
                    self.records
                );
                findings.report(
                    pos,
                    truncated_export(&message).help("get the complete export"),
                );
            }
            // An export that was not read to its end has reported more than its missing trailer.
            None if self.trailer.is_some() && findings.complete => {
                let found =
                    truncated_export("the trailer is missing").help("get the complete export");
                findings.report(at, found);
            }
            _ => {}
        }
        BodySummary {
            records: self.records,
            trailer: counted,
            layout: self.hasher.layout,
            ..BodySummary::default()
        }
    }
}

/// Trims a column name. A byte order mark may stand within a file that was appended to another one.
fn trimmed(name: &str) -> &str {
    name.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Returns what is wrong with the letters of a text.
pub(super) fn check_text_letters(text: &str) -> Option<Diagnostic> {
    if !is_suspicious(text) {
        return None;
    }
    // Mojibake before lost letters: the repaired text tells the reader what was meant.
    if let Some(meant) = repaired(text) {
        let message = format!("{} was decoded with the wrong encoding", quoted(text));
        let meant = format!("it probably should be {}", quoted(&meant));
        return Some(Diagnostic::new(codes::MOJIBAKE, message).help(meant));
    }
    has_lost_letter(text).then(|| {
        let message = format!("a letter of {} is lost", quoted(text));
        Diagnostic::new(codes::REPLACEMENT_CHARACTER, message).help(
            "correct it in its system, and export in an encoding with all letters, such as UTF-8",
        )
    })
}

//! Reads one JSON object into a record. Members of nested objects become columns of their own
//! (`address.city`), lists of objects become nested records. Everything is bounded (columns, depth,
//! cells per object), so that no input can make a record larger than its text by more than a
//! constant factor. Start reading at `ObjectReader::read`.

use super::super::record::{CellShape, ExportRecord, RawCell};
use super::super::table::check_text_letters;
use super::super::text::strip_text_marker;
use super::super::{ExportColumns, FormatLimits};
use super::cursor::{JsonCursor, JsonLiteral, JsonReadError};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::read::quoted;
use crate::model::{CompactText, LineColumn};
use std::borrow::Cow;

/// An object may have one cell per this many of the bytes it is allowed. Without a bound, a list of
/// many small objects that each have only the last of many columns would need far more memory than
/// its text.
const BYTES_PER_CELL: usize = 4;
/// The depth to which values are skipped: one byte is kept for every open list.
const DEEPEST: usize = 1 << 20;

/// Reads objects into records. Its diagnostics are kept until the object is complete, because an
/// object is read again from its start when more text comes.
pub(super) struct ObjectReader<'a> {
    pub columns: &'a mut ExportColumns,
    pub limits: FormatLimits,
    blanks: &'a [String],
    pub diagnostics: Vec<(LineColumn, Diagnostic)>,
    /// How many more cells the object may use.
    room: usize,
    /// Buffers that are reused from one member to the next.
    name: String,
    value: String,
}

impl<'a> ObjectReader<'a> {
    pub fn new(columns: &'a mut ExportColumns, limits: FormatLimits, blanks: &'a [String]) -> Self {
        Self {
            columns,
            limits,
            blanks,
            diagnostics: Vec::new(),
            room: 0,
            name: String::new(),
            value: String::new(),
        }
    }

    /// Reads the object that begins here.
    pub fn read(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        record: &mut ExportRecord,
    ) -> Result<(), JsonReadError> {
        cursor.peek()?;
        // A read that ran out of text starts over and must not report twice.
        self.diagnostics.clear();
        self.room = self.limits.record / BYTES_PER_CELL;
        record.reset(cursor.pos());
        self.object(cursor, record, "", 1)
    }

    fn object(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        record: &mut ExportRecord,
        prefix: &str,
        depth: usize,
    ) -> Result<(), JsonReadError> {
        cursor.expect(b'{')?;
        if cursor.take(b'}')? {
            return Ok(());
        }
        // The column after the previous one: objects of a list mostly have the same members in the
        // same order.
        let mut near = 0;
        loop {
            cursor.peek()?;
            let at = cursor.pos();
            let column = self.key(cursor, record, prefix, near)?;
            cursor.expect(b':')?;
            match column {
                Some(column) => {
                    near = column + 1;
                    self.member(cursor, record, column, at, depth)?;
                }
                // Too many columns: the value is skipped and the record faulty, but the file can be
                // read on.
                None => skip(cursor)?,
            }
            if !cursor.next_member(b'}')? {
                return Ok(());
            }
        }
    }

    /// Returns the column of a key, or `None` if there are too many.
    fn key(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        record: &mut ExportRecord,
        prefix: &str,
        near: usize,
    ) -> Result<Option<usize>, JsonReadError> {
        let at = cursor.pos();
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        name.push_str(prefix);
        let read = cursor.string(&mut name);
        // The buffer goes back before `?`, or every interrupted read would allocate a new one.
        self.name = name;
        if read? {
            self.report_lone_surrogate(at, record);
        }
        let full = self.columns.len() >= self.limits.columns;
        // Data used as names (`{"10023": {..}}`) makes a column per customer.
        if self.name.len() > self.limits.cell || (full && self.columns.exact(&self.name).is_none())
        {
            let message = if full {
                format!("more than {} different names", self.limits.columns)
            } else {
                format!("a name of {} bytes", self.name.len())
            };
            self.report(
                at,
                record,
                Diagnostic::new(codes::JSON_SHAPE, message)
                    .help("do not use data as names; write it as values"),
            );
            return Ok(None);
        }
        Ok(Some(self.columns.intern_near(&self.name, near)))
    }

    /// Reads the value of the member whose key is at `key`.
    fn member(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        record: &mut ExportRecord,
        column: usize,
        key: LineColumn,
        depth: usize,
    ) -> Result<(), JsonReadError> {
        let first = cursor.peek()?;
        let at = cursor.pos();
        // Parsers disagree about which of two equal keys counts, so neither does: the record is
        // faulty.
        if record.cell(column).is_some() || record.list(column).is_some() {
            let message = format!("{} occurs twice", quoted(self.columns.name(column)));
            let found = Diagnostic::new(codes::DUPLICATE_KEY, message).help("keep one of them");
            self.report(key, record, found);
            return skip(cursor);
        }
        match first {
            b'{' | b'[' if depth >= self.limits.depth => {
                self.too_deep(at, record);
                skip(cursor)
            }
            b'{' => {
                let prefix = format!("{}.", self.columns.name(column));
                // The object itself is a cell too, so that a mapping to `address` can tell it from
                // an absent member.
                self.put(
                    record,
                    column,
                    RawCell::new(CompactText::default(), CellShape::Object, at),
                );
                self.object(cursor, record, &prefix, depth + 1)
            }
            b'[' => self.list(cursor, record, column, depth),
            _ => {
                let mut entry = self.scalar(cursor, record, first)?;
                // The configured blanks apply to every scalar, as in CSV and sheets.
                if self.blanks.iter().any(|blank| blank == entry.text.trim()) {
                    entry = RawCell::new(CompactText::default(), CellShape::Null, entry.at);
                }
                self.put(record, column, entry);
                Ok(())
            }
        }
    }

    fn put(&mut self, record: &mut ExportRecord, column: usize, entry: RawCell) {
        let grows = (column + 1).saturating_sub(record.cells.len());
        if let Some(room) = self.room.checked_sub(grows) {
            self.room = room;
            record.put(column, entry);
            return;
        }
        let found = Diagnostic::new(codes::JSON_SHAPE, "an object with too many members")
            .help("split it, or remove members that are not needed");
        self.report(entry.at, record, found);
    }

    fn scalar(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        record: &mut ExportRecord,
        first: u8,
    ) -> Result<RawCell, JsonReadError> {
        let at = cursor.pos();
        if first != b'"' {
            // A number keeps its spelling. As a float, a long id would be rounded.
            return Ok(match cursor.literal()? {
                JsonLiteral::Null => RawCell::new(CompactText::default(), CellShape::Null, at),
                JsonLiteral::Bool(text) => {
                    RawCell::new(CompactText::new(text), CellShape::Bool, at)
                }
                JsonLiteral::Number(text) => RawCell::new(
                    self.limit_text(&sign_exponent(text), at, record),
                    CellShape::Number,
                    at,
                ),
            });
        }
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        let read = cursor.string(&mut value);
        let broken = match read {
            Ok(broken) => broken,
            Err(stop) => {
                self.value = value;
                return Err(stop);
            }
        };
        if broken {
            self.report_lone_surrogate(at, record);
        } else if let Some(found) = check_text_letters(&value) {
            // A broken text was reported; looking for lost letters in it would report the
            // replacement again.
            self.diagnostics.push((at, found));
        }
        let text = self.limit_text(strip_text_marker(&value), at, record);
        self.value = value;
        Ok(RawCell::new(text, CellShape::Text, at))
    }

    /// Returns the text, cut at the most bytes of a cell.
    fn limit_text(&mut self, text: &str, at: LineColumn, record: &mut ExportRecord) -> CompactText {
        let most = self.limits.cell;
        if text.len() <= most {
            return CompactText::new(text);
        }
        let message = format!("a text of {} bytes, at most {most} are read", text.len());
        let found = Diagnostic::new(codes::LENGTH, message).help("shorten it");
        self.report(at, record, found);
        CompactText::new(&text[..text.floor_char_boundary(most)])
    }

    fn list(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        record: &mut ExportRecord,
        column: usize,
        depth: usize,
    ) -> Result<(), JsonReadError> {
        let at = cursor.pos();
        cursor.expect(b'[')?;
        let first = cursor.peek()?;
        if first == b'{' {
            let list = self.objects(cursor, record, depth)?;
            record.lists.push((column, list));
            return Ok(());
        }
        let mut members = Vec::new();
        if first == b']' {
            cursor.expect(b']')?;
        } else {
            self.members(cursor, record, &mut members)?;
        }
        // The text form of a list, for expressions and conditions, which see only text.
        let text = CompactText::new(members.join("||"));
        let shape = CellShape::List(members.into());
        self.put(record, column, RawCell::new(text, shape, at));
        Ok(())
    }

    /// Reads the members of a list of values.
    fn members(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        record: &mut ExportRecord,
        members: &mut Vec<CompactText>,
    ) -> Result<(), JsonReadError> {
        loop {
            let first = cursor.peek()?;
            if matches!(first, b'{' | b'[') {
                self.report_mixed_list(
                    cursor,
                    record,
                    "a list that mixes values with objects or lists",
                )?;
            } else {
                members.push(self.scalar(cursor, record, first)?.text);
            }
            if !cursor.next_member(b']')? {
                return Ok(());
            }
        }
    }

    /// Reads the members of a list of objects.
    fn objects(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        record: &mut ExportRecord,
        depth: usize,
    ) -> Result<Vec<ExportRecord>, JsonReadError> {
        let mut list = Vec::new();
        loop {
            if cursor.peek()? == b'{' {
                let mut member = ExportRecord {
                    at: cursor.pos(),
                    ..ExportRecord::default()
                };
                self.object(cursor, &mut member, "", depth + 1)?;
                // An account with one unreadable address is held whole: it is applied as a whole or
                // not at all.
                record.faulty |= member.faulty;
                list.push(member);
            } else {
                self.report_mixed_list(
                    cursor,
                    record,
                    "a list that mixes objects with other values",
                )?;
            }
            if !cursor.next_member(b']')? {
                return Ok(list);
            }
        }
    }

    fn report_mixed_list(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        record: &mut ExportRecord,
        what: &str,
    ) -> Result<(), JsonReadError> {
        let at = cursor.pos();
        let found = Diagnostic::new(codes::JSON_SHAPE, what)
            .help("use either objects or values in one list");
        self.report(at, record, found);
        skip(cursor)
    }

    fn too_deep(&mut self, at: LineColumn, record: &mut ExportRecord) {
        let message = format!("nested deeper than {}", self.limits.depth);
        let found = Diagnostic::new(codes::JSON_SHAPE, message).help("flatten it");
        self.report(at, record, found);
    }

    fn report_lone_surrogate(&mut self, at: LineColumn, record: &mut ExportRecord) {
        let found = Diagnostic::new(
            codes::ENCODING,
            "an incomplete character (a lone surrogate)",
        )
        .help("the text was cut within a character; correct it at its source");
        self.report(at, record, found);
    }

    fn report(&mut self, at: LineColumn, record: &mut ExportRecord, found: Diagnostic) {
        self.diagnostics.push((at, found));
        record.faulty = true;
    }
}

/// Writes the sign of an exponent: `1e3` becomes `1E+3`. An id like `73928e05` in quotes is text,
/// but in a JSON number the exponent shows that digits were lost, and this is the form in which
/// that is recognised.
fn sign_exponent(text: &str) -> Cow<'_, str> {
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => {
            let digits = exponent.trim_start_matches('+');
            Cow::Owned(format!("{mantissa}E+{digits}"))
        }
        _ => Cow::Borrowed(text),
    }
}

fn skip(cursor: &mut JsonCursor<'_>) -> Result<(), JsonReadError> {
    let mut skipped = ValueSkipper::default();
    while !skipped.skip_token(cursor)? {}
    Ok(())
}

/// Skips a value token by token, with its own stack instead of recursion, so that deep nesting
/// cannot overflow.
#[derive(Default)]
pub(super) struct ValueSkipper {
    /// The closing characters of the open lists and objects.
    open: Vec<u8>,
    next: SkipState,
    text: String,
}

/// What comes next in a value that is skipped.
#[derive(Clone, Copy, Default)]
enum SkipState {
    #[default]
    Value,
    Key,
    /// A comma, or the end of the innermost list or object.
    More,
}

impl ValueSkipper {
    /// Skips one token and returns whether it was the last. Nothing changes if the text runs out.
    pub fn skip_token(&mut self, cursor: &mut JsonCursor<'_>) -> Result<bool, JsonReadError> {
        match self.next {
            SkipState::Value => self.value(cursor)?,
            SkipState::Key => {
                self.text.clear();
                cursor.string(&mut self.text)?;
                cursor.expect(b':')?;
                self.next = SkipState::Value;
            }
            SkipState::More => {
                let end = self.open.last().copied().unwrap_or_default();
                if cursor.next_member(end)? {
                    self.next = member(end);
                } else {
                    self.open.pop();
                }
            }
        }
        Ok(self.open.is_empty() && matches!(self.next, SkipState::More))
    }

    fn value(&mut self, cursor: &mut JsonCursor<'_>) -> Result<(), JsonReadError> {
        let end = match cursor.peek()? {
            b'{' => b'}',
            b'[' => b']',
            b'"' => {
                self.text.clear();
                cursor.string(&mut self.text)?;
                self.next = SkipState::More;
                return Ok(());
            }
            _ => {
                cursor.literal()?;
                self.next = SkipState::More;
                return Ok(());
            }
        };
        if self.open.len() >= DEEPEST {
            return Err(cursor.syntax_error(format!("nested deeper than {DEEPEST}")));
        }
        // `[` and `{` are two below `]` and `}` in ASCII.
        cursor.expect(end - 2)?;
        if cursor.take(end)? {
            self.next = SkipState::More;
        } else {
            self.open.push(end);
            self.next = member(end);
        }
        Ok(())
    }
}

/// Returns how a member begins in the container that `end` closes.
fn member(end: u8) -> SkipState {
    if end == b'}' {
        SkipState::Key
    } else {
        SkipState::Value
    }
}

//! An object as a record.

use super::super::record::{CellShape, ExportRecord, RawCell};
use super::super::table::check_text_letters;
use super::super::text::strip_text_marker;
use super::super::{ExportColumns, FormatLimits};
use super::cursor::{JsonCursor, JsonLiteral, JsonReadError};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::read::quoted;
use crate::model::{CompactText, LineColumn};
use std::borrow::Cow;

/// An object has room for one cell in so many bytes that it may have: each member of a list of
/// objects has room for all columns up to its last one.
const BYTES_PER_CELL: usize = 4;
/// How deep a value may be that is skipped: a byte is kept for every list that is open.
const DEEPEST: usize = 1 << 20;

/// Reads objects into records; what it finds is kept until the object is whole.
pub(super) struct ObjectReader<'a> {
    pub columns: &'a mut ExportColumns,
    pub limits: FormatLimits,
    /// The texts that stand for a blank.
    blanks: &'a [String],
    /// What was found in the object, and where.
    pub diagnostics: Vec<(LineColumn, Diagnostic)>,
    /// How many more cells the object may have room for.
    room: usize,
    /// What is read from one member to the next, to be used again.
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

    /// Reads an object that begins here, from its start.
    pub fn read(
        &mut self,
        cursor: &mut JsonCursor<'_>,
        record: &mut ExportRecord,
    ) -> Result<(), JsonReadError> {
        cursor.peek()?;
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
                None => skip(cursor)?,
            }
            if !cursor.next_member(b'}')? {
                return Ok(());
            }
        }
    }

    /// The column of a key; none if there are too many.
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
        self.name = name;
        if read? {
            self.report_lone_surrogate(at, record);
        }
        let full = self.columns.len() >= self.limits.columns;
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

    /// Reads the value of a member whose key stands at `key`.
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
            self.diagnostics.push((at, found));
        }
        let text = self.limit_text(strip_text_marker(&value), at, record);
        self.value = value;
        Ok(RawCell::new(text, CellShape::Text, at))
    }

    /// A text that is not too long for a cell, or as much of it as is not.
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
        let text = CompactText::new(members.join("||"));
        let shape = CellShape::List(members.into());
        self.put(record, column, RawCell::new(text, shape, at));
        Ok(())
    }

    /// The members of a list of values, up to its end.
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

    /// The members of a list of objects, up to its end.
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

/// A number whose exponent has its sign: `1E+3` for `1e3`, so that nobody takes it for an id.
fn sign_exponent(text: &str) -> Cow<'_, str> {
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => {
            let digits = exponent.trim_start_matches('+');
            Cow::Owned(format!("{mantissa}E+{digits}"))
        }
        _ => Cow::Borrowed(text),
    }
}

/// Skips a value of any depth.
fn skip(cursor: &mut JsonCursor<'_>) -> Result<(), JsonReadError> {
    let mut skipped = ValueSkipper::default();
    while !skipped.skip_token(cursor)? {}
    Ok(())
}

/// A value that is skipped, word by word.
#[derive(Default)]
pub(super) struct ValueSkipper {
    /// What closes the lists and objects that are open.
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
    /// A comma, or the end of what is open.
    More,
}

impl ValueSkipper {
    /// Skips one word; whether it was the last one. Nothing has happened if there is no more text.
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

/// What a member begins with of what is closed by this.
fn member(end: u8) -> SkipState {
    if end == b'}' {
        SkipState::Key
    } else {
        SkipState::Value
    }
}

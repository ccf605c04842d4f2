//! An object as a record.

use super::super::record::{Entry, Record, Shape};
use super::super::table::letters;
use super::super::text::unwrapped;
use super::super::{Columns, Limits};
use super::cursor::{Cursor, Stop, Word};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::read::quoted;
use crate::model::{Pos, Text};
use std::borrow::Cow;

/// An object has room for one cell in so many bytes that it may have: each member of a list of
/// objects has room for all columns up to its last one.
const BYTES_PER_CELL: usize = 4;
/// How deep a value may be that is skipped: a byte is kept for every list that is open.
const DEEPEST: usize = 1 << 20;

/// Reads objects into records; what it finds is kept until the object is whole.
pub(super) struct Objects<'a> {
    pub columns: &'a mut Columns,
    pub limits: Limits,
    /// The texts that stand for a blank.
    blanks: &'a [String],
    /// What was found in the object, and where.
    pub found: Vec<(Pos, Diagnostic)>,
    /// How many more cells the object may have room for.
    room: usize,
    /// What is read from one member to the next, to be used again.
    name: String,
    value: String,
}

impl<'a> Objects<'a> {
    pub fn new(columns: &'a mut Columns, limits: Limits, blanks: &'a [String]) -> Self {
        Self {
            columns,
            limits,
            blanks,
            found: Vec::new(),
            room: 0,
            name: String::new(),
            value: String::new(),
        }
    }

    /// Reads an object that begins here, from its start.
    pub fn read(&mut self, cursor: &mut Cursor<'_>, record: &mut Record) -> Result<(), Stop> {
        cursor.peek()?;
        self.found.clear();
        self.room = self.limits.record / BYTES_PER_CELL;
        record.reset(cursor.pos());
        self.object(cursor, record, "", 1)
    }

    fn object(
        &mut self,
        cursor: &mut Cursor<'_>,
        record: &mut Record,
        prefix: &str,
        depth: usize,
    ) -> Result<(), Stop> {
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
            if !cursor.goes_on(b'}')? {
                return Ok(());
            }
        }
    }

    /// The column of a key; none if there are too many.
    fn key(
        &mut self,
        cursor: &mut Cursor<'_>,
        record: &mut Record,
        prefix: &str,
        near: usize,
    ) -> Result<Option<usize>, Stop> {
        let at = cursor.pos();
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        name.push_str(prefix);
        let read = cursor.string(&mut name);
        self.name = name;
        if read? {
            self.broken(at, record);
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
                    .help("what differs from object to object belongs into values"),
            );
            return Ok(None);
        }
        Ok(Some(self.columns.intern_near(&self.name, near)))
    }

    /// Reads the value of a member whose key stands at `key`.
    fn member(
        &mut self,
        cursor: &mut Cursor<'_>,
        record: &mut Record,
        column: usize,
        key: Pos,
        depth: usize,
    ) -> Result<(), Stop> {
        let first = cursor.peek()?;
        let at = cursor.pos();
        if record.cell(column).is_some() || record.list(column).is_some() {
            let message = format!("{} stands here twice", quoted(self.columns.name(column)));
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
                    Entry::new(Text::default(), Shape::Object, at),
                );
                self.object(cursor, record, &prefix, depth + 1)
            }
            b'[' => self.list(cursor, record, column, depth),
            _ => {
                let mut entry = self.scalar(cursor, record, first)?;
                if self.blanks.iter().any(|blank| blank == entry.text.trim()) {
                    entry = Entry::new(Text::default(), Shape::Null, entry.at);
                }
                self.put(record, column, entry);
                Ok(())
            }
        }
    }

    fn put(&mut self, record: &mut Record, column: usize, entry: Entry) {
        let grows = (column + 1).saturating_sub(record.cells.len());
        if let Some(room) = self.room.checked_sub(grows) {
            self.room = room;
            record.put(column, entry);
            return;
        }
        let found = Diagnostic::new(codes::JSON_SHAPE, "an object with too many members")
            .help("split it, or leave out what is not needed");
        self.report(entry.at, record, found);
    }

    fn scalar(
        &mut self,
        cursor: &mut Cursor<'_>,
        record: &mut Record,
        first: u8,
    ) -> Result<Entry, Stop> {
        let at = cursor.pos();
        if first != b'"' {
            return Ok(match cursor.word()? {
                Word::Null => Entry::new(Text::default(), Shape::Null, at),
                Word::Bool(text) => Entry::new(Text::new(text), Shape::Bool, at),
                Word::Number(text) => {
                    Entry::new(self.within(&signed(text), at, record), Shape::Number, at)
                }
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
            self.broken(at, record);
        } else if let Some(found) = letters(&value) {
            self.found.push((at, found));
        }
        let text = self.within(unwrapped(&value), at, record);
        self.value = value;
        Ok(Entry::new(text, Shape::Text, at))
    }

    /// A text that is not too long for a cell, or as much of it as is not.
    fn within(&mut self, text: &str, at: Pos, record: &mut Record) -> Text {
        let most = self.limits.cell;
        if text.len() <= most {
            return Text::new(text);
        }
        let message = format!("a text of {} bytes, at most {most} are read", text.len());
        let found = Diagnostic::new(codes::LENGTH, message).help("shorten it");
        self.report(at, record, found);
        Text::new(&text[..text.floor_char_boundary(most)])
    }

    fn list(
        &mut self,
        cursor: &mut Cursor<'_>,
        record: &mut Record,
        column: usize,
        depth: usize,
    ) -> Result<(), Stop> {
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
        let text = Text::new(members.join("||"));
        let shape = Shape::List(members.into());
        self.put(record, column, Entry::new(text, shape, at));
        Ok(())
    }

    /// The members of a list of values, up to its end.
    fn members(
        &mut self,
        cursor: &mut Cursor<'_>,
        record: &mut Record,
        members: &mut Vec<Text>,
    ) -> Result<(), Stop> {
        loop {
            let first = cursor.peek()?;
            if matches!(first, b'{' | b'[') {
                self.mixed(cursor, record, "a list that also holds objects or lists")?;
            } else {
                members.push(self.scalar(cursor, record, first)?.text);
            }
            if !cursor.goes_on(b']')? {
                return Ok(());
            }
        }
    }

    /// The members of a list of objects, up to its end.
    fn objects(
        &mut self,
        cursor: &mut Cursor<'_>,
        record: &mut Record,
        depth: usize,
    ) -> Result<Vec<Record>, Stop> {
        let mut list = Vec::new();
        loop {
            if cursor.peek()? == b'{' {
                let mut member = Record {
                    at: cursor.pos(),
                    ..Record::default()
                };
                self.object(cursor, &mut member, "", depth + 1)?;
                record.faulty |= member.faulty;
                list.push(member);
            } else {
                self.mixed(
                    cursor,
                    record,
                    "a list of objects that also holds something else",
                )?;
            }
            if !cursor.goes_on(b']')? {
                return Ok(list);
            }
        }
    }

    fn mixed(
        &mut self,
        cursor: &mut Cursor<'_>,
        record: &mut Record,
        what: &str,
    ) -> Result<(), Stop> {
        let at = cursor.pos();
        let found =
            Diagnostic::new(codes::JSON_SHAPE, what).help("a list holds either objects or values");
        self.report(at, record, found);
        skip(cursor)
    }

    fn too_deep(&mut self, at: Pos, record: &mut Record) {
        let message = format!("nested deeper than {}", self.limits.depth);
        let found = Diagnostic::new(codes::JSON_SHAPE, message).help("make it flatter");
        self.report(at, record, found);
    }

    fn broken(&mut self, at: Pos, record: &mut Record) {
        let found = Diagnostic::new(codes::ENCODING, "half a character: a lone surrogate")
            .help("the text was cut within a character before it was exported");
        self.report(at, record, found);
    }

    fn report(&mut self, at: Pos, record: &mut Record, found: Diagnostic) {
        self.found.push((at, found));
        record.faulty = true;
    }
}

/// A number whose exponent has its sign: `1E+3` for `1e3`, so that nobody takes it for an id.
fn signed(text: &str) -> Cow<'_, str> {
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => {
            let digits = exponent.trim_start_matches('+');
            Cow::Owned(format!("{mantissa}E+{digits}"))
        }
        _ => Cow::Borrowed(text),
    }
}

/// Skips a value of any depth.
fn skip(cursor: &mut Cursor<'_>) -> Result<(), Stop> {
    let mut skipped = Skipped::default();
    while !skipped.word(cursor)? {}
    Ok(())
}

/// A value that is skipped, word by word.
#[derive(Default)]
pub(super) struct Skipped {
    /// What closes the lists and objects that are open.
    open: Vec<u8>,
    next: Next,
    text: String,
}

/// What comes next in a value that is skipped.
#[derive(Clone, Copy, Default)]
enum Next {
    #[default]
    Value,
    Key,
    /// A comma, or the end of what is open.
    More,
}

impl Skipped {
    /// Skips one word; whether it was the last one. Nothing has happened if there is no more text.
    pub fn word(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, Stop> {
        match self.next {
            Next::Value => self.value(cursor)?,
            Next::Key => {
                self.text.clear();
                cursor.string(&mut self.text)?;
                cursor.expect(b':')?;
                self.next = Next::Value;
            }
            Next::More => {
                let end = self.open.last().copied().unwrap_or_default();
                if cursor.goes_on(end)? {
                    self.next = member(end);
                } else {
                    self.open.pop();
                }
            }
        }
        Ok(self.open.is_empty() && matches!(self.next, Next::More))
    }

    fn value(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let end = match cursor.peek()? {
            b'{' => b'}',
            b'[' => b']',
            b'"' => {
                self.text.clear();
                cursor.string(&mut self.text)?;
                self.next = Next::More;
                return Ok(());
            }
            _ => {
                cursor.word()?;
                self.next = Next::More;
                return Ok(());
            }
        };
        if self.open.len() >= DEEPEST {
            return Err(cursor.bad(format!("nested deeper than {DEEPEST}")));
        }
        cursor.expect(end - 2)?;
        if cursor.take(end)? {
            self.next = Next::More;
        } else {
            self.open.push(end);
            self.next = member(end);
        }
        Ok(())
    }
}

/// What a member begins with of what is closed by this.
fn member(end: u8) -> Next {
    if end == b'}' { Next::Key } else { Next::Value }
}

//! One row of CSV, told apart into cells.

use super::super::source::{advance, width};
use crate::model::Pos;
use memchr::{memchr, memchr3};

/// What stands between cells and around them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Dialect {
    /// Between two cells.
    pub delimiter: u8,
    /// Around a cell that holds delimiters or line ends; none: nothing is quoted.
    pub quote: Option<u8>,
    /// The most bytes that a quoted cell may have before its quote is taken for unclosed.
    pub most: usize,
}

/// Where a cell stands in the text that was scanned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub quoted: bool,
    /// Whether quotes are doubled in it.
    pub doubled: bool,
    pub at: Pos,
}

/// A row as it stands there.
#[derive(Default, Debug)]
pub(super) struct Row {
    pub cells: Vec<Span>,
    /// How many bytes it has, its line end left out.
    pub body: usize,
    /// How many bytes it has.
    pub len: usize,
    /// Where the next one begins.
    pub end: Pos,
}

/// What came of scanning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scanned {
    Row,
    /// The text ends before the row does.
    More,
    /// The quote that opens here is not closed as it should be.
    Misquoted(Misquote),
}

/// A quote that opens and is not closed as it should be; the cells before it are in the row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Misquote {
    /// Where in the text it opens.
    pub start: usize,
    pub at: Pos,
    pub why: Why,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    /// It closes nowhere, or too far away.
    Open,
    /// Text follows the quote that closes it, which is there.
    Text(Pos),
    /// It closes, with whole rows in between.
    Rows,
}

/// A line break at the end of what is there so far may have its second half still to come.
enum Ending {
    Is(usize),
    Unknown,
}

impl Dialect {
    /// Scans the row that begins at `pos`; `ended`: no more text will come.
    pub fn scan(self, text: &str, ended: bool, pos: Pos, row: &mut Row) -> Scanned {
        row.cells.clear();
        self.scan_from(text, ended, (0, pos), row)
    }

    /// Scans the rest of a row from a cell on, without a meaning for quotes.
    pub fn scan_plain(self, text: &str, ended: bool, from: (usize, Pos), row: &mut Row) -> Scanned {
        let plain = Self {
            quote: None,
            ..self
        };
        plain.scan_from(text, ended, from, row)
    }

    fn scan_from(self, text: &str, ended: bool, from: (usize, Pos), row: &mut Row) -> Scanned {
        let bytes = text.as_bytes();
        let (mut at, mut here) = from;
        loop {
            let quoted = self.quote.filter(|quote| bytes.get(at) == Some(quote));
            let scanned = match quoted {
                Some(quote) => self.quoted(quote, text, ended, &mut at, &mut here, row),
                None => self.bare(text, ended, &mut at, &mut here, row),
            };
            if scanned != Scanned::Row {
                return scanned;
            }
            if bytes.get(at) == Some(&self.delimiter) {
                at += 1;
                here.column = here.column.saturating_add(1);
                continue;
            }
            let Ending::Is(ending) = ending(&bytes[at..], ended) else {
                return Scanned::More;
            };
            row.body = at;
            row.len = at + ending;
            row.end = advance(here, &text[at..row.len]);
            return Scanned::Row;
        }
    }

    fn bare(
        self,
        text: &str,
        ended: bool,
        at: &mut usize,
        here: &mut Pos,
        row: &mut Row,
    ) -> Scanned {
        let start = *at;
        let rest = &text.as_bytes()[start..];
        // Many cells are empty, and a call is dear for them.
        let length = if rest.first() == Some(&self.delimiter) {
            Some(0)
        } else {
            memchr3(self.delimiter, b'\n', b'\r', rest)
        };
        let end = match length {
            Some(length) => start + length,
            None if ended => text.len(),
            None => return Scanned::More,
        };
        row.cells.push(Span {
            start,
            end,
            quoted: false,
            doubled: false,
            at: *here,
        });
        here.column = here.column.saturating_add(width(&text[start..end]));
        *at = end;
        Scanned::Row
    }

    fn quoted(
        self,
        quote: u8,
        text: &str,
        ended: bool,
        at: &mut usize,
        here: &mut Pos,
        row: &mut Row,
    ) -> Scanned {
        let bytes = text.as_bytes();
        let opens = |why| {
            Scanned::Misquoted(Misquote {
                start: *at,
                at: *here,
                why,
            })
        };
        let start = *at + 1;
        let (mut from, mut doubled) = (start, false);
        let close = loop {
            let Some(length) = memchr(quote, &bytes[from..]) else {
                let open = ended || bytes.len() - start > self.most;
                return if open {
                    opens(Why::Open)
                } else {
                    Scanned::More
                };
            };
            let close = from + length;
            match bytes.get(close + 1) {
                None if !ended => return Scanned::More,
                Some(next) if *next == quote => (from, doubled) = (close + 2, true),
                _ => break close,
            }
            if from - start > self.most {
                return opens(Why::Open);
            }
        };
        let spaces = bytes[close + 1..].iter().take_while(|byte| **byte == b' ');
        let after = close + 1 + spaces.count();
        match bytes.get(after) {
            None if !ended => return Scanned::More,
            Some(b'\n' | b'\r') | None => {}
            Some(next) if *next == self.delimiter => {}
            Some(_) => return opens(Why::Text(advance(*here, &text[*at..=close]))),
        }
        row.cells.push(Span {
            start,
            end: close,
            quoted: true,
            doubled,
            at: *here,
        });
        *here = advance(*here, &text[*at..after]);
        *at = after;
        Scanned::Row
    }
}

/// How many bytes the line end has with which this begins; nothing is one at the end of the text.
fn ending(bytes: &[u8], ended: bool) -> Ending {
    match (bytes.first(), bytes.get(1)) {
        (None, _) => Ending::Is(0),
        (Some(b'\r'), None) if !ended => Ending::Unknown,
        (Some(b'\r'), Some(b'\n')) => Ending::Is(2),
        _ => Ending::Is(1),
    }
}

//! One row of CSV, told apart into cells.

use super::super::text_reader::{advance, width};
use crate::model::LineColumn;
use memchr::{memchr, memchr3};

/// What stands between cells and around them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CsvDialect {
    /// Between two cells.
    pub delimiter: u8,
    /// Around a cell that holds delimiters or line ends; none: nothing is quoted.
    pub quote: Option<u8>,
    /// The most bytes that a quoted cell may have before its quote is taken for unclosed.
    pub most: usize,
}

/// Where a cell stands in the text that was scanned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CellSpan {
    pub start: usize,
    pub end: usize,
    pub quoted: bool,
    /// Whether quotes are doubled in it.
    pub doubled: bool,
    pub at: LineColumn,
}

/// A row as it stands there.
#[derive(Default, Debug)]
pub(super) struct CsvRow {
    pub cells: Vec<CellSpan>,
    /// How many bytes it has, its line end left out.
    pub body: usize,
    /// How many bytes it has.
    pub len: usize,
    /// Where the next one begins.
    pub end: LineColumn,
}

/// What came of scanning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ScanResult {
    Row,
    /// The text ends before the row does.
    NeedsMore,
    /// The quote that opens here is not closed as it should be.
    Misquoted(QuoteError),
}

/// A quote that opens and is not closed as it should be; the cells before it are in the row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct QuoteError {
    /// Where in the text it opens.
    pub start: usize,
    pub at: LineColumn,
    pub why: QuoteErrorKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum QuoteErrorKind {
    /// It closes nowhere, or too far away.
    Unclosed,
    /// Text follows the quote that closes it, which is there.
    TextAfterQuote(LineColumn),
    /// It closes, with whole rows in between.
    SwallowsRows,
}

/// A line break at the end of what is there so far may have its second half still to come.
enum LineEnding {
    Length(usize),
    Unknown,
}

impl CsvDialect {
    /// Scans the row that begins at `pos`; `ended`: no more text will come.
    pub fn scan(self, text: &str, ended: bool, pos: LineColumn, row: &mut CsvRow) -> ScanResult {
        row.cells.clear();
        self.scan_from(text, ended, (0, pos), row)
    }

    /// Scans the rest of a row from a cell on, without a meaning for quotes.
    pub fn scan_plain(
        self,
        text: &str,
        ended: bool,
        from: (usize, LineColumn),
        row: &mut CsvRow,
    ) -> ScanResult {
        let plain = Self {
            quote: None,
            ..self
        };
        plain.scan_from(text, ended, from, row)
    }

    fn scan_from(
        self,
        text: &str,
        ended: bool,
        from: (usize, LineColumn),
        row: &mut CsvRow,
    ) -> ScanResult {
        let bytes = text.as_bytes();
        let (mut at, mut here) = from;
        loop {
            let quoted = self.quote.filter(|quote| bytes.get(at) == Some(quote));
            let scanned = match quoted {
                Some(quote) => self.scan_quoted_cell(quote, text, ended, &mut at, &mut here, row),
                None => self.scan_bare_cell(text, ended, &mut at, &mut here, row),
            };
            if scanned != ScanResult::Row {
                return scanned;
            }
            if bytes.get(at) == Some(&self.delimiter) {
                at += 1;
                here.column = here.column.saturating_add(1);
                continue;
            }
            let LineEnding::Length(ending) = ending(&bytes[at..], ended) else {
                return ScanResult::NeedsMore;
            };
            row.body = at;
            row.len = at + ending;
            row.end = advance(here, &text[at..row.len]);
            return ScanResult::Row;
        }
    }

    fn scan_bare_cell(
        self,
        text: &str,
        ended: bool,
        at: &mut usize,
        here: &mut LineColumn,
        row: &mut CsvRow,
    ) -> ScanResult {
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
            None => return ScanResult::NeedsMore,
        };
        row.cells.push(CellSpan {
            start,
            end,
            quoted: false,
            doubled: false,
            at: *here,
        });
        here.column = here.column.saturating_add(width(&text[start..end]));
        *at = end;
        ScanResult::Row
    }

    fn scan_quoted_cell(
        self,
        quote: u8,
        text: &str,
        ended: bool,
        at: &mut usize,
        here: &mut LineColumn,
        row: &mut CsvRow,
    ) -> ScanResult {
        let bytes = text.as_bytes();
        let opens = |why| {
            ScanResult::Misquoted(QuoteError {
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
                    opens(QuoteErrorKind::Unclosed)
                } else {
                    ScanResult::NeedsMore
                };
            };
            let close = from + length;
            match bytes.get(close + 1) {
                None if !ended => return ScanResult::NeedsMore,
                Some(next) if *next == quote => (from, doubled) = (close + 2, true),
                _ => break close,
            }
            if from - start > self.most {
                return opens(QuoteErrorKind::Unclosed);
            }
        };
        let spaces = bytes[close + 1..].iter().take_while(|byte| **byte == b' ');
        let after = close + 1 + spaces.count();
        match bytes.get(after) {
            None if !ended => return ScanResult::NeedsMore,
            Some(b'\n' | b'\r') | None => {}
            Some(next) if *next == self.delimiter => {}
            Some(_) => {
                return opens(QuoteErrorKind::TextAfterQuote(advance(
                    *here,
                    &text[*at..=close],
                )));
            }
        }
        row.cells.push(CellSpan {
            start,
            end: close,
            quoted: true,
            doubled,
            at: *here,
        });
        *here = advance(*here, &text[*at..after]);
        *at = after;
        ScanResult::Row
    }
}

/// How many bytes the line end has with which this begins; nothing is one at the end of the text.
fn ending(bytes: &[u8], ended: bool) -> LineEnding {
    match (bytes.first(), bytes.get(1)) {
        (None, _) => LineEnding::Length(0),
        (Some(b'\r'), None) if !ended => LineEnding::Unknown,
        (Some(b'\r'), Some(b'\n')) => LineEnding::Length(2),
        _ => LineEnding::Length(1),
    }
}

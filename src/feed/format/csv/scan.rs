//! Splits one row of CSV into cells, without copying: a cell is a span of the text. Start reading
//! at `CsvDialect::scan`, which asks for more text (`ScanResult::NeedsMore`) rather than
//! deciding on half a row.

use super::super::text_reader::{advance, width};
use crate::model::LineColumn;
use memchr::{memchr, memchr3};

/// The bytes that separate and enclose cells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CsvDialect {
    pub delimiter: u8,
    /// Encloses a cell that contains delimiters or line ends. Without one, nothing is quoted.
    pub quote: Option<u8>,
    /// A quoted cell longer than this is taken for one whose quote was never closed.
    pub most: usize,
}

/// The place of a cell in the scanned text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CellSpan {
    pub start: usize,
    pub end: usize,
    pub quoted: bool,
    /// Whether the cell contains doubled quotes.
    pub doubled: bool,
    pub at: LineColumn,
}

/// A row as spans of the scanned text.
#[derive(Default, Debug)]
pub(super) struct CsvRow {
    pub cells: Vec<CellSpan>,
    /// The length of the row in bytes, without its line end.
    pub body: usize,
    /// The length of the row in bytes, with its line end.
    pub len: usize,
    /// Where the next row begins.
    pub end: LineColumn,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ScanResult {
    Row,
    /// The text ends before the row does.
    NeedsMore,
    /// The quote that opens here is not closed properly.
    Misquoted(QuoteError),
}

/// A quote that is not closed properly. The cells before it are in the row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct QuoteError {
    /// The byte at which the quote opens.
    pub start: usize,
    pub at: LineColumn,
    pub why: QuoteErrorKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum QuoteErrorKind {
    /// The quote closes nowhere, or too far away.
    Unclosed,
    /// Text follows the closing quote.
    TextAfterQuote(LineColumn),
    /// The quote closes, but there are whole rows in between.
    SwallowsRows,
}

/// The line end after a row. It is unknown if the text so far ends in a carriage return, which may
/// be the first half of a CRLF.
enum LineEnding {
    Length(usize),
    Unknown,
}

impl CsvDialect {
    /// Scans the row that begins at `pos`. `ended` says that no more text will come.
    pub fn scan(self, text: &str, ended: bool, pos: LineColumn, row: &mut CsvRow) -> ScanResult {
        row.cells.clear();
        self.scan_from(text, ended, (0, pos), row)
    }

    /// Returns the dialect with quotes as plain text.
    pub fn without_quotes(self) -> Self {
        Self {
            quote: None,
            ..self
        }
    }

    /// Scans the rest of a row from a cell on.
    pub fn scan_from(
        self,
        text: &str,
        ended: bool,
        from: (usize, LineColumn),
        row: &mut CsvRow,
    ) -> ScanResult {
        let bytes = text.as_bytes();
        let (mut at, mut here) = from;
        loop {
            // A quote counts only as the first byte of a cell; inches in a text (`5" pipe`) are not
            // quotes.
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

    /// Finds the end of a row of one line without splitting it into cells: the length of its text,
    /// and with its line end. `None` where that takes a scan. It may be half a row whose quotes are
    /// odd in some other way than by their number.
    pub fn one_line(self, text: &str) -> Option<(usize, usize)> {
        let bytes = text.as_bytes();
        let length = memchr(b'\n', bytes)?;
        let line = &bytes[..length];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if memchr(b'\r', line).is_some() {
            return None;
        }
        let is_open = |quote| memchr::memchr_iter(quote, line).count() % 2 == 1;
        if self.quote.is_some_and(is_open) {
            return None;
        }
        Some((line.len(), length + 1))
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
        // Many exports are mostly empty cells, for which the call to memchr would cost more than it
        // saves.
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
        // Finds the closing quote: one that is not doubled.
        let close = loop {
            let Some(length) = memchr(quote, &bytes[from..]) else {
                // Without the bound, one open quote would read the rest of the file into memory.
                let open = ended || bytes.len() - start > self.most;
                return if open {
                    opens(QuoteErrorKind::Unclosed)
                } else {
                    ScanResult::NeedsMore
                };
            };
            let close = from + length;
            match bytes.get(close + 1) {
                // The next byte decides between a closing and a doubled quote.
                None if !ended => return ScanResult::NeedsMore,
                Some(next) if *next == quote => (from, doubled) = (close + 2, true),
                _ => break close,
            }
            if from - start > self.most {
                return opens(QuoteErrorKind::Unclosed);
            }
        };
        // Spaces between the closing quote and the delimiter are not allowed by RFC 4180, but
        // programs that pad their columns write them.
        let spaces = bytes[close + 1..].iter().take_while(|byte| **byte == b' ');
        let after = close + 1 + spaces.count();
        match bytes.get(after) {
            None if !ended => return ScanResult::NeedsMore,
            Some(b'\n' | b'\r') | None => {}
            Some(next) if *next == self.delimiter => {}
            // Accepting text after a quote would accept an unclosed quote that meets the next
            // cell's opening quote, and merge two cells.
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

/// Returns the length of the line end at the start of `bytes`, which is 0 at the end of the text.
fn ending(bytes: &[u8], ended: bool) -> LineEnding {
    match (bytes.first(), bytes.get(1)) {
        (None, _) => LineEnding::Length(0),
        (Some(b'\r'), None) if !ended => LineEnding::Unknown,
        (Some(b'\r'), Some(b'\n')) => LineEnding::Length(2),
        _ => LineEnding::Length(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIALECT: CsvDialect = CsvDialect {
        delimiter: b';',
        quote: Some(b'"'),
        most: 1000,
    };

    /// The length of the first row of a text with a sound one, and with its line end.
    fn first_row(text: &str) -> Option<(usize, usize)> {
        let mut row = CsvRow::default();
        let scanned = DIALECT.scan(text, true, LineColumn { line: 1, column: 1 }, &mut row);
        (scanned == ScanResult::Row).then_some((row.body, row.len))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_row_that_was_read_before_ends_where_its_line_ends(
            text in "[a;\"\r\né]{0,12}",
            before in "(\r?\n[a;\"\n]{0,6})?",
        ) {
            let Some((body, len)) = DIALECT.one_line(&text) else {
                return Ok(());
            };
            // What is a whole row wherever it was read before is one here too.
            let known = format!("{}{before}", &text[..body]);
            if first_row(&known).is_some_and(|(known, _)| known == body) {
                prop_assert_eq!(first_row(&text), Some((body, len)));
            }
        }
    }

    #[test]
    fn a_line_may_be_half_a_row() {
        assert_eq!(DIALECT.one_line("a;b\r\nc"), Some((3, 5)));
        assert_eq!(DIALECT.one_line("a;\"b;c\"\nd"), Some((7, 8)));
        assert_eq!(DIALECT.one_line("a;\"b\nc\"\n"), None);
        assert_eq!(DIALECT.one_line("a;b\rc\n"), None);
        assert_eq!(DIALECT.one_line("a;b"), None);
    }
}

//! CSV and its relatives, row by row.

mod delimiter;
mod scan;

use super::table::{TableParser, truncated_export};
use super::text::is_suspicious;
use super::text_reader::{TextReader, advance};
use super::{BodySummary, ReadContext, not_data};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::read::{is_blank, quoted};
use crate::model::LineColumn;
use scan::{CellSpan, CsvDialect, CsvRow, QuoteError, QuoteErrorKind, ScanResult};
use std::borrow::Cow;

/// After so many quotes that do not close, reading on helps nobody.
const MOST_MISQUOTED: u64 = 1000;

/// A text with two lines and as many delimiters as a row of so many cells is no text.
const WIDE: usize = 8;

/// Reads the rows of a text.
pub(super) fn read(source: &mut TextReader<'_>, target: &mut ReadContext<'_>) -> BodySummary {
    let mut detected = Vec::new();
    if !skip_to_header(
        source,
        target.options.first_line,
        target.options.limits.record,
    ) {
        let (begins, lines) = (target.options.first_line, source.pos.line);
        let what = format!("shorter than its header line {begins}: it has {lines}");
        let found = not_data::not_data(&what, "correct `header:` of the mapping");
        target.findings.fatal(source.pos, found);
        return BodySummary::default();
    }
    let dialect = dialect(source, target, &mut detected);
    let mut rows = CsvReader {
        dialect,
        row: CsvRow::default(),
        table: TableParser::new(target),
    };
    while rows.next(source) {}
    let body = rows.table.end(source.pos);
    BodySummary {
        delimiter: Some(char::from(dialect.delimiter)),
        detected,
        ..body
    }
}

/// Consumes the lines above the table; false: the text ends before it, or a line does not.
fn skip_to_header(source: &mut TextReader<'_>, begins: u32, most: usize) -> bool {
    while source.pos.line < begins {
        let rest = source.rest();
        let end = memchr::memchr2(b'\n', b'\r', rest.as_bytes());
        // What follows a carriage return may not be there yet.
        let end = end.filter(|end| end + 1 < rest.len() || source.ended());
        match end {
            Some(end) => {
                let pair = rest[end..].starts_with("\r\n");
                let length = end + 1 + usize::from(pair);
                let line = source.pos.line + 1;
                while source.next_flaw(length).is_some() {}
                source.consume(length, LineColumn { line, column: 1 });
            }
            None if rest.len() > most || !source.read_more() => return false,
            None => {}
        }
    }
    true
}

/// What the file is told apart by; a first line that says it is consumed.
fn dialect(
    source: &mut TextReader<'_>,
    target: &ReadContext<'_>,
    detected: &mut Vec<String>,
) -> CsvDialect {
    let options = target.options;
    let mut dialect = CsvDialect {
        delimiter: options.delimiter.unwrap_or(b','),
        quote: options.quote,
        most: options.limits.cell,
    };
    let said = delimiter::declared_delimiter(source.rest());
    if let Some((_, length)) = said {
        source.consume(length, LineColumn { line: 2, column: 1 });
    }
    if options.delimiter.is_none() {
        let said = said.map(|(delimiter, _)| delimiter);
        let guess = || delimiter::guess(source.rest(), source.ended(), dialect);
        dialect.delimiter = said.or_else(guess).unwrap_or(b',');
        let name = match dialect.delimiter {
            b'\t' => "tab".to_owned(),
            other => quoted(&char::from(other).to_string()),
        };
        detected.push(format!("delimiter {name}"));
    }
    dialect
}

/// The rows of a file.
struct CsvReader<'t, 'a> {
    dialect: CsvDialect,
    row: CsvRow,
    table: TableParser<'t, 'a>,
}

enum NextRow {
    Row { faulty: bool },
    End,
}

impl CsvReader<'_, '_> {
    /// Takes the next row; false at the end.
    fn next(&mut self, source: &mut TextReader<'_>) -> bool {
        let NextRow::Row { faulty } = self.scan(source) else {
            return false;
        };
        let flawed = source.is_flawed(self.row.len) && self.report_invalid_byte(source);
        let goes_on = self.take(source.rest(), source.pos, faulty || flawed);
        if source.ended() && goes_on {
            self.check_end(source);
        }
        source.consume(self.row.len, self.row.end);
        goes_on
    }

    /// Scans the next row, with as much text as it takes.
    fn scan(&mut self, source: &mut TextReader<'_>) -> NextRow {
        loop {
            let (text, ended) = (source.rest(), source.ended());
            if text.is_empty() && ended {
                return NextRow::End;
            }
            match self.dialect.scan(text, ended, source.pos, &mut self.row) {
                ScanResult::Row => match self.find_swallowing_cell(text) {
                    None => return NextRow::Row { faulty: false },
                    Some(misquote) => return self.recover(source, misquote),
                },
                ScanResult::Misquoted(misquote) => return self.recover(source, misquote),
                ScanResult::NeedsMore if text.len() > self.table.target.options.limits.record => {
                    return self.too_long(source.pos);
                }
                ScanResult::NeedsMore => {
                    source.read_more();
                }
            }
        }
    }

    /// The quoted cell of the row that has swallowed other rows.
    fn find_swallowing_cell(&self, text: &str) -> Option<QuoteError> {
        let width = self.table.width();
        let ragged = width > 1 && self.row.cells.len() != width;
        let swallowed = |cell: &&CellSpan| {
            let inner = &text[cell.start..cell.end];
            cell.quoted && inner.contains('\n') && self.holds_rows(inner, width, ragged)
        };
        let cell = self.row.cells.iter().find(swallowed)?;
        Some(QuoteError {
            start: cell.start - 1,
            at: cell.at,
            why: QuoteErrorKind::SwallowsRows,
        })
    }

    fn holds_rows(&self, inner: &str, width: usize, ragged: bool) -> bool {
        let delimiters =
            |text: &str| memchr::memchr_iter(self.dialect.delimiter, text.as_bytes()).count();
        if ragged {
            return delimiters(inner) + 1 >= width;
        }
        // As wide as it should be: it closes in the column in which it opened.
        let mut whole: Vec<&str> = inner.lines().skip(1).collect();
        whole.pop();
        match whole.len() {
            0 => width >= WIDE && delimiters(inner) + 1 >= width,
            _ => width > 2 && whole.iter().all(|line| delimiters(line) + 1 == width),
        }
    }

    /// Reports a quote, and takes the rest of its line without a meaning for quotes.
    fn recover(&mut self, source: &mut TextReader<'_>, misquote: QuoteError) -> NextRow {
        let before = self
            .row
            .cells
            .iter()
            .position(|cell| cell.at >= misquote.at);
        let kept = before.unwrap_or(self.row.cells.len());
        loop {
            self.row.cells.truncate(kept);
            let (text, from) = (source.rest(), (misquote.start, misquote.at));
            let ended = source.ended();
            match self.dialect.scan_plain(text, ended, from, &mut self.row) {
                ScanResult::Row => break,
                _ if text.len() > self.table.target.options.limits.record => {
                    return self.too_long(source.pos);
                }
                _ => {
                    source.read_more();
                }
            }
        }
        let last = source.ended() && self.row.len == source.rest().len();
        let quote = self.dialect.quote.unwrap_or(b'"');
        let line = &source.rest()[misquote.start..self.row.body];
        let found = quote_error(&misquote, line);
        for cell in &mut self.row.cells[kept..] {
            strip_quotes(cell, source.rest(), quote);
        }
        let findings = &mut *self.table.target.findings;
        findings.report(misquote.at, found);
        if last && misquote.why == QuoteErrorKind::Unclosed {
            let found = truncated_export("the export ends within a quoted cell");
            findings.fatal(misquote.at, found.help("get the complete export"));
        }
        if findings.count(codes::ROW_QUOTE) > MOST_MISQUOTED {
            findings.complete = false;
            return NextRow::End;
        }
        NextRow::Row { faulty: true }
    }

    fn too_long(&mut self, at: LineColumn) -> NextRow {
        let most = self.table.target.options.limits.record;
        let what = format!("a line of more than {most} bytes");
        let found = not_data::not_data(&what, "check its line ends and the program that wrote it");
        self.table.target.findings.fatal(at, found);
        NextRow::End
    }

    /// Reports the first byte of the row that no text has; false if it is none after all.
    fn report_invalid_byte(&mut self, source: &mut TextReader<'_>) -> bool {
        let mut first = None;
        while let Some(flaw) = source.next_flaw(self.row.len) {
            first.get_or_insert(flaw);
        }
        let Some((at, flaw)) = first else {
            return false;
        };
        let before = source.rest().get(..at).unwrap_or_default();
        let at = advance(source.pos, before);
        let encoding = source.encoding().0.name();
        super::report_flaw(self.table.target.findings, at, flaw, encoding);
        true
    }

    /// Takes a row for what it is; false stops.
    fn take(&mut self, text: &str, at: LineColumn, faulty: bool) -> bool {
        let line = &text[..self.row.body];
        if self.is_blank(text) {
            return true;
        }
        if self.table.is_trailer_line(at, line) {
            return !self.table.is_over();
        }
        if self.table.is_headless() {
            let goes_on = self.begin(text, at, faulty);
            if !goes_on || self.table.target.options.header {
                return goes_on;
            }
        }
        let cells = self.row.cells.iter();
        let texts = cells.map(|cell| &text[cell.start..cell.end]);
        if self.table.is_repeated_header(at, texts) {
            return true;
        }
        self.record(text, at, faulty)
    }

    fn is_blank(&self, text: &str) -> bool {
        let cells = &self.row.cells;
        cells
            .iter()
            .all(|cell| is_blank(&text[cell.start..cell.end]))
    }

    /// Takes the first row; false: nothing can be read below it.
    fn begin(&mut self, text: &str, at: LineColumn, faulty: bool) -> bool {
        let cells = self.row.cells.iter();
        let names: Vec<(String, LineColumn)> = cells
            .map(|cell| (cell_text(text, cell, self.dialect).into_owned(), cell.at))
            .collect();
        let wide = self.wrong_delimiter(text);
        let findings = &mut *self.table.target.findings;
        if names.len() > self.table.target.options.limits.columns {
            let what = format!("a table of {} columns", names.len());
            findings.fatal(
                at,
                not_data::not_data(&what, "check the program that wrote it"),
            );
            return false;
        }
        if let Some(meant) = wide {
            findings.fatal(at, meant);
            return false;
        }
        // A name that cannot be read is no name.
        findings.complete &= !faulty;
        self.table.begin(&names) && !faulty
    }

    /// Whether the whole first row is one cell because another delimiter is declared.
    fn wrong_delimiter(&self, text: &str) -> Option<Diagnostic> {
        if self.row.cells.len() != 1 || self.table.target.options.delimiter.is_none() {
            return None;
        }
        let line = &text[..self.row.body];
        let meant = delimiter::guess(line, true, self.dialect)?;
        let (declared, meant) = (char::from(self.dialect.delimiter), char::from(meant));
        let message = format!("a table of 1 column, {}", quoted(line));
        let help = format!("the cells are separated by {meant:?}, but {declared:?} is declared");
        Some(Diagnostic::new(codes::ROW_WIDTH, message).help(help))
    }

    fn record(&mut self, text: &str, at: LineColumn, faulty: bool) -> bool {
        self.table.start(at, faulty);
        for (position, cell) in self.row.cells.iter().enumerate() {
            if cell.doubled {
                let whole = cell_text(text, cell, self.dialect);
                self.table.put(position, &whole, cell.at);
            } else {
                self.table
                    .put(position, &text[cell.start..cell.end], cell.at);
            }
        }
        if !faulty && is_suspicious(&text[..self.row.body]) {
            self.table.check_letters();
        }
        self.table.finish_record(self.row.cells.len())
    }

    /// Reports a file that ends within its last row.
    fn check_end(&mut self, source: &TextReader<'_>) {
        let last = self.row.len == source.rest().len();
        let unfinished = last && self.row.len == self.row.body;
        if unfinished && !self.table.is_headless() && self.row.cells.len() < self.table.width() {
            let blank = self.is_blank(source.rest());
            let said = self.table.target.findings.count(codes::FEED_TRUNCATED) > 0;
            if !blank && !said && !self.table.is_closed() {
                let found = truncated_export("the export ends within a row")
                    .help("get the complete export");
                self.table.target.findings.fatal(source.pos, found);
            }
        }
    }
}

fn cell_text<'t>(text: &'t str, cell: &CellSpan, dialect: CsvDialect) -> Cow<'t, str> {
    let inner = &text[cell.start..cell.end];
    match dialect.quote {
        Some(quote) if cell.doubled => {
            let quote = char::from(quote);
            let (twice, once) = (format!("{quote}{quote}"), quote.to_string());
            Cow::Owned(inner.replace(&twice, &once))
        }
        _ => Cow::Borrowed(inner),
    }
}

/// Takes the quotes off a cell that was read without a meaning for them.
fn strip_quotes(cell: &mut CellSpan, text: &str, quote: u8) {
    let inner = &text.as_bytes()[cell.start..cell.end];
    let (first, last) = (inner.first() == Some(&quote), inner.last() == Some(&quote));
    cell.start += usize::from(first);
    cell.end -= usize::from(last && inner.len() > 1);
}

fn quote_error(misquote: &QuoteError, line: &str) -> Diagnostic {
    let message = match misquote.why {
        QuoteErrorKind::Unclosed => "the quote that opens here does not close".to_owned(),
        QuoteErrorKind::SwallowsRows => {
            "the quote that opens here does not close in its row".to_owned()
        }
        QuoteErrorKind::TextAfterQuote(LineColumn { line, column }) => {
            format!("text follows the quote that closes this cell at {line}:{column}")
        }
    };
    let help = if line.contains(['”', '“', '„', '»']) {
        "a typographic quote does not close a cell; double each quote within a cell"
    } else {
        "close the quote; double each quote within a cell"
    };
    Diagnostic::new(codes::ROW_QUOTE, message).help(help)
}

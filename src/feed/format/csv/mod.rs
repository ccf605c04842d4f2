//! Reads CSV and its relatives, row by row. In goes decoded text; out go rows to the
//! `TableParser`, which makes records of them. The reader is strict where a mistake would move
//! cells into other columns or rows (quotes, widths, truncation), and goes on with the next line
//! after it. Start reading at `CsvReader::next`; `scan.rs` splits one row into cells.

mod delimiter;
mod lines_ahead;
mod scan;

use super::not_data::truncated_export;
use super::row_selection::{ROWS_AT_ONCE, RowChoice};
use super::table::TableParser;
use super::text::is_suspicious;
use super::text_reader::{TextReader, advance};
use super::{BodySummary, ReadContext, not_data};
use crate::diagnostic::{Diagnostic, codes, plural};
use crate::kinds::read::{is_blank, quoted};
use crate::model::LineColumn;
use lines_ahead::LinesAhead;
use scan::{CellSpan, CsvDialect, CsvRow, QuoteError, QuoteErrorKind, ScanResult};
use std::borrow::Cow;

/// A file with this many bad quotes is not CSV in this dialect. More reports would not help.
const MOST_MISQUOTED: u64 = 1000;

/// From this width on, a quoted text of two lines with a row's number of delimiters is taken for
/// swallowed rows. In a narrow table a few commas in a sentence would be enough.
const WIDE: usize = 8;

pub(super) fn read(source: &mut TextReader<'_>, target: &mut ReadContext<'_>) -> BodySummary {
    let mut detected = Vec::new();
    // Lines above the header are not CSV (a title, a print date), so they are skipped as lines
    // before any quote is interpreted.
    if !skip_to_header(
        source,
        target.options.first_line,
        target.options.limits.record,
    ) {
        let (header, lines) = (target.options.first_line, plural(source.pos.line, "line"));
        let what = format!("too short for its header on line {header}: it has {lines}");
        let found = not_data::not_data(&what, "correct `header:` of the mapping");
        target.findings.fatal(source.pos, found);
        return BodySummary::default();
    }
    let dialect = dialect(source, target, &mut detected);
    let mut rows = CsvReader {
        dialect,
        row: CsvRow::default(),
        table: TableParser::new(target, name_of(dialect)),
        ahead: LinesAhead::default(),
    };
    while rows.next(source) {}
    let body = rows.table.end(source.pos);
    BodySummary {
        delimiter: Some(char::from(dialect.delimiter)),
        detected,
        ..body
    }
}

/// Skips the lines above the table. Returns false if the text ends first, or if a line is too long.
fn skip_to_header(source: &mut TextReader<'_>, begins: u32, most: usize) -> bool {
    while source.pos.line < begins {
        let rest = source.rest();
        let end = memchr::memchr2(b'\n', b'\r', rest.as_bytes());
        // A carriage return at the end of the buffer may be the first half of a CRLF.
        let end = end.filter(|end| end + 1 < rest.len() || source.ended());
        match end {
            Some(end) => {
                let pair = rest[end..].starts_with("\r\n");
                let length = end + 1 + usize::from(pair);
                let line = source.pos.line + 1;
                // Bytes that could not be decoded in a skipped line concern nobody.
                while source.next_flaw(length).is_some() {}
                source.consume(length, LineColumn { line, column: 1 });
            }
            None if rest.len() > most || !source.read_more() => return false,
            None => {}
        }
    }
    true
}

/// Decides how the file is split. A first line that declares the delimiter is consumed.
fn dialect(
    source: &mut TextReader<'_>,
    target: &ReadContext<'_>,
    detected: &mut Vec<String>,
) -> CsvDialect {
    let options = target.options;
    let mut dialect = CsvDialect {
        // A dialect is needed to guess in; `guess` replaces the delimiter by each candidate.
        delimiter: options.delimiter.unwrap_or(b','),
        quote: options.quote,
        most: options.limits.cell,
    };
    let said = delimiter::declared_delimiter(source.rest());
    // Also when the mapping sets the delimiter: the `sep=` line is never a header.
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
    ahead: LinesAhead,
}

enum NextRow {
    Row { faulty: bool },
    End,
}

impl CsvReader<'_, '_> {
    /// Reads the next row. Returns false at the end.
    fn next(&mut self, source: &mut TextReader<'_>) -> bool {
        if self.skip_known(source) {
            return true;
        }
        let NextRow::Row { faulty } = self.scan(source) else {
            return false;
        };
        // Only a row that contains undecodable bytes pays for locating them.
        let flawed = source.is_flawed(self.row.len) && self.report_invalid_byte(source);
        let goes_on = self.take(source.rest(), source.pos, faulty || flawed);
        // Before the row is consumed: a row cut off at the end of the file looks like a short one,
        // and only here is it known to be the last.
        if source.ended() && goes_on {
            self.check_end(source);
        }
        source.consume(self.row.len, self.row.end);
        self.ahead.consume(self.row.len);
        goes_on
    }

    /// Consumes the next rows if rows with the same text were read before. They were split into
    /// cells then, and with the same text each ends where it ended.
    fn skip_known(&mut self, source: &mut TextReader<'_>) -> bool {
        if !self.table.may_skip() {
            return false;
        }
        if self.ahead.lengths.is_empty() {
            self.look_ahead(source);
        }
        let skipped = self.table.skips(self.ahead.digests.make_contiguous());
        if skipped == 0 {
            return false;
        }
        let lines = u32::try_from(skipped).unwrap_or(u32::MAX);
        let line = source.pos.line.saturating_add(lines);
        source.consume(self.ahead.take(skipped), LineColumn { line, column: 1 });
        true
    }

    /// Hashes the next lines. Looking several up at once is faster than each on its own.
    fn look_ahead(&mut self, source: &TextReader<'_>) {
        let text = source.rest();
        let mut at = 0;
        while self.ahead.lengths.len() < ROWS_AT_ONCE {
            let Some((body, length)) = self.dialect.one_line(&text[at..]) else {
                return;
            };
            if source.is_flawed(at + length) {
                return;
            }
            let digest = self.table.digest(&text[at..at + body]);
            self.ahead.push(length, digest);
            at += length;
        }
    }

    /// Scans the next row, reading as much text as it needs.
    fn scan(&mut self, source: &mut TextReader<'_>) -> NextRow {
        loop {
            let (text, ended) = (source.rest(), source.ended());
            if text.is_empty() && ended {
                return NextRow::End;
            }
            match self.dialect.scan(text, ended, source.pos, &mut self.row) {
                // A row that parses is checked again: an unclosed quote that happens to meet a
                // later quote swallows everything between, and the rows inside would look missing.
                ScanResult::Row => match self.find_swallowing_cell(text) {
                    None => return NextRow::Row { faulty: false },
                    Some(misquote) => return self.recover(source, misquote),
                },
                ScanResult::Misquoted(misquote) => return self.recover(source, misquote),
                // The bound keeps a single endless line (10 GB without a newline) from filling the
                // memory.
                ScanResult::NeedsMore if text.len() > self.table.target.options.limits.record => {
                    return self.too_long(source.pos);
                }
                ScanResult::NeedsMore => {
                    source.read_more();
                }
            }
        }
    }

    /// Finds a quoted cell that has swallowed other rows.
    fn find_swallowing_cell(&self, text: &str) -> Option<QuoteError> {
        let width = self.table.width();
        // In a row of the right width a multi-line cell is probably an address; in one of the wrong
        // width it is suspicious.
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
        // The row has the right width, so the quote closes in the column in which it opened. The
        // first line belongs to the row of the opening quote and the last to that of the closing
        // one; only the lines between must look like whole rows.
        let mut whole: Vec<&str> = inner.lines().skip(1).collect();
        whole.pop();
        match whole.len() {
            0 => width >= WIDE && delimiters(inner) + 1 >= width,
            _ => width > 2 && whole.iter().all(|line| delimiters(line) + 1 == width),
        }
    }

    /// Reports a bad quote, then reads the rest of its line with quotes as plain text, so that the
    /// next line is read as usual.
    fn recover(&mut self, source: &mut TextReader<'_>, misquote: QuoteError) -> NextRow {
        let before = self
            .row
            .cells
            .iter()
            .position(|cell| cell.at >= misquote.at);
        // The cells before the quote are sound; they usually hold the id, by which the row can be
        // held.
        let kept = before.unwrap_or(self.row.cells.len());
        loop {
            // `scan_from` appends cells, and this loop may run it again with more text.
            self.row.cells.truncate(kept);
            let (text, from) = (source.rest(), (misquote.start, misquote.at));
            let ended = source.ended();
            let plain = self.dialect.without_quotes();
            match plain.scan_from(text, ended, from, &mut self.row) {
                ScanResult::Row => break,
                _ if text.len() > self.table.target.options.limits.record => {
                    return self.too_long(source.pos);
                }
                _ => {
                    source.read_more();
                }
            }
        }
        // A quote that is open at the end of the file means that the file was cut, which is worse
        // than one bad row: nothing after it can be trusted to be missing.
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
        // Not complete, so that the rows below do not look missing.
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

    /// Reports the first undecodable byte of the row. Returns false if there is none after all.
    fn report_invalid_byte(&mut self, source: &mut TextReader<'_>) -> bool {
        let mut first = None;
        // All of them are taken from the queue, but one report a row is enough.
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

    /// Handles a row by what it is: blank, trailer, header or record. Returns false to stop.
    fn take(&mut self, text: &str, at: LineColumn, faulty: bool) -> bool {
        let line = &text[..self.row.body];
        // First: a blank row before the header is not the header, and one after the trailer is
        // allowed.
        if self.is_blank(text) {
            return true;
        }
        if self.table.is_trailer_line(at, line) {
            return !self.table.is_over();
        }
        // Without a header in the file (`names:`), `begin` sets the columns and the row is a record
        // as well.
        if self.table.is_headless() {
            let goes_on = self.begin(text, at, faulty);
            if !goes_on || self.table.target.options.header {
                return goes_on;
            }
        }
        let cells = self.row.cells.iter();
        let texts = cells.map(|cell| &text[cell.start..cell.end]);
        // Exports that were concatenated repeat their header.
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

    /// Takes the first row. Returns false if nothing below it can be read.
    fn begin(&mut self, text: &str, at: LineColumn, faulty: bool) -> bool {
        let cells = self.row.cells.iter();
        let names: Vec<(String, LineColumn)> = cells
            .map(|cell| (cell_text(text, cell, self.dialect).into_owned(), cell.at))
            .collect();
        let wide = self.wrong_delimiter(text);
        let findings = &mut *self.table.target.findings;
        // A binary file or a wrong delimiter yields absurd widths; each column costs memory for
        // every record.
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
        // With an unreadable name a mapped column may be missing, so nothing may be concluded from
        // what is absent.
        findings.complete &= !faulty;
        self.table.begin(&names) && !faulty
    }

    /// Returns an error if the first row is one cell because another delimiter is declared. Without
    /// this, a `;` file read with `,` would pass as a table of one column.
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
        let row = &text[..self.row.body];
        match self.table.choose(row, (at, self.row.end), faulty) {
            RowChoice::Decode => {}
            RowChoice::Skip => return true,
            RowChoice::Stop => return false,
        }
        self.table.start(at, self.row.end, faulty);
        for (position, cell) in self.row.cells.iter().enumerate() {
            // Only doubled quotes need a copy; most cells are passed as slices of the buffer.
            if cell.doubled {
                let whole = cell_text(text, cell, self.dialect);
                self.table.put(position, &whole, cell.at);
            } else {
                self.table
                    .put(position, &text[cell.start..cell.end], cell.at);
            }
        }
        // Looking for damaged letters in every cell is costly; a quick look at the whole row leaves
        // it to the few that need it.
        if !faulty && is_suspicious(&text[..self.row.body]) {
            self.table.check_letters();
        }
        self.table.finish_record(self.row.cells.len())
    }

    /// Reports a file that ends within its last row.
    fn check_end(&mut self, source: &TextReader<'_>) {
        let last = self.row.len == source.rest().len();
        // A final row without a line end is fine if it has all its cells. If it is short as well,
        // the file was cut.
        let unfinished = last && self.row.len == self.row.body;
        if unfinished && !self.table.is_headless() && self.row.cells.len() < self.table.width() {
            let blank = self.is_blank(source.rest());
            // An unclosed quote on the same row has been reported already.
            let said = self.table.target.findings.count(codes::FEED_TRUNCATED) > 0;
            if !blank && !said && !self.table.is_closed() {
                let found = truncated_export("the export ends within a row")
                    .help("get the complete export");
                self.table.target.findings.fatal(source.pos, found);
            }
        }
    }
}

/// Names what decides, besides the header, how a row is split.
fn name_of(dialect: CsvDialect) -> String {
    let quote = dialect.quote.map(char::from);
    format!("csv {:?} {quote:?}", char::from(dialect.delimiter))
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

/// Strips the quotes of a cell that was read with quotes as plain text.
fn strip_quotes(cell: &mut CellSpan, text: &str, quote: u8) {
    let inner = &text.as_bytes()[cell.start..cell.end];
    let (first, last) = (inner.first() == Some(&quote), inner.last() == Some(&quote));
    cell.start += usize::from(first);
    // A cell that is a single quote is both its first and last byte.
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
    // A word processor or a mail client turned the closing quote into a typographic one, which no
    // reader takes for a quote.
    let help = if line.contains(['”', '“', '„', '»']) {
        "a typographic quote does not close a cell; double each quote within a cell"
    } else {
        "close the quote; double each quote within a cell"
    };
    Diagnostic::new(codes::ROW_QUOTE, message).help(help)
}

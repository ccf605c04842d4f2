//! What stands between the cells of an export, where nobody says so.

use super::scan::{CsvDialect, CsvRow, ScanResult};
use crate::model::LineColumn;

/// In the order in which they are believed: a comma is also the point of decimal numbers.
const CANDIDATES: [u8; 4] = [b'\t', b';', b'|', b','];
/// How many rows are looked at.
const ROWS: usize = 20;

/// The delimiter that the first line says: `sep=;`, and how many bytes the line has.
pub(super) fn declared_delimiter(text: &str) -> Option<(u8, usize)> {
    let end = text.find(['\n', '\r'])?;
    let line = text[..end].trim_matches('"');
    let (word, rest) = line.split_at_checked(4)?;
    let &[delimiter] = rest.as_bytes() else {
        return None;
    };
    let pair = text[end..].starts_with("\r\n");
    let fits = word.eq_ignore_ascii_case("sep=") && delimiter.is_ascii();
    fits.then_some((delimiter, end + 1 + usize::from(pair)))
}

/// The delimiter that tells the first rows apart best; none, if all have one cell.
pub(super) fn guess(text: &str, ended: bool, like: CsvDialect) -> Option<u8> {
    let mut best: Option<(u8, usize, usize)> = None;
    for delimiter in CANDIDATES {
        let widths = widths(text, ended, CsvDialect { delimiter, ..like });
        let Some(&first) = widths.first().filter(|width| **width > 1) else {
            continue;
        };
        let alike = widths.iter().filter(|width| **width == first).count() * 100 / widths.len();
        if alike >= 90 {
            return Some(delimiter);
        }
        if best.is_none_or(|(_, other, width)| (alike, first) > (other, width)) {
            best = Some((delimiter, alike, first));
        }
    }
    best.map(|(delimiter, ..)| delimiter)
}

/// How many cells each of the first rows has.
fn widths(text: &str, ended: bool, dialect: CsvDialect) -> Vec<usize> {
    let (mut rest, mut row, mut widths) = (text, CsvRow::default(), Vec::new());
    let pos = LineColumn::default();
    while widths.len() < ROWS && !rest.is_empty() {
        match dialect.scan(rest, ended, pos, &mut row) {
            ScanResult::Row => {}
            ScanResult::NeedsMore => break,
            ScanResult::Misquoted(quote) => {
                let plain = dialect.scan_plain(rest, ended, (quote.start, pos), &mut row);
                if plain != ScanResult::Row {
                    break;
                }
            }
        }
        if row.body > 0 {
            widths.push(row.cells.len());
        }
        rest = &rest[row.len..];
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(text: &str) -> Option<char> {
        let like = CsvDialect {
            delimiter: b',',
            quote: Some(b'"'),
            most: 1000,
        };
        guess(text, true, like).map(char::from)
    }

    #[test]
    fn the_delimiter_is_what_tells_the_rows_apart() {
        for (text, expected) in [
            ("a;b\n1;2\n", Some(';')),
            ("a,b\n1,2\n", Some(',')),
            ("a\tb\n1;2,3\t4\n", Some('\t')),
            ("a|b\n1|2\n", Some('|')),
            // Decimal commas, with a header and without.
            ("id;credit\n1;1,5\n2;2,5\n", Some(';')),
            ("1,5;2,5;3,5\n4,5;5,5;6,5\n", Some(';')),
            // Delimiters within quotes.
            ("a,b\n\"1;2;3\",\"4;5;6\"\n", Some(',')),
            ("a;b\n\"1,2\";3\n\"4,5\";6\n", Some(';')),
            ("id,\"name; first\"\n1,\"a\nb\"\n", Some(',')),
            // A trailer is not of the width of the others.
            ("a;b;c\n1;2;3\n#EOF;1\n", Some(';')),
            ("id\n1\n2\n", None),
            ("", None),
        ] {
            assert_eq!(guessed(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_first_line_may_say_it() {
        assert_eq!(declared_delimiter("sep=;\r\na;b\r\n"), Some((b';', 7)));
        assert_eq!(declared_delimiter("\"sep=,\"\na"), Some((b',', 8)));
        assert_eq!(declared_delimiter("SEP=\t\na"), Some((b'\t', 6)));
        for text in ["sep=;", "sep=;;\na", "separate\n", "a;b\n", "é=é\n"] {
            assert_eq!(declared_delimiter(text), None, "{text:?}");
        }
    }
}

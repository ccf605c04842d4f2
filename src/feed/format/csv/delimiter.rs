//! Guesses the delimiter of an export if the mapping does not set it. In goes the beginning of the
//! text; out comes the delimiter under which the first rows have the same number of cells. Start
//! reading at `guess`.

use super::scan::{CsvDialect, CsvRow, ScanResult};
use crate::model::LineColumn;

/// In order of preference. The comma comes last because it is also the decimal point of many
/// countries.
const CANDIDATES: [u8; 4] = [b'\t', b';', b'|', b','];
/// Enough rows to see a pattern.
const ROWS: usize = 20;

/// Returns the delimiter that a first line such as `sep=;` declares, and the length of that line.
/// Excel writes and reads it.
pub(super) fn declared_delimiter(text: &str) -> Option<(u8, usize)> {
    let end = text.find(['\n', '\r'])?;
    // Some programs quote this line like every cell.
    let line = text[..end].trim_matches('"');
    let (word, rest) = line.split_at_checked(4)?;
    let &[delimiter] = rest.as_bytes() else {
        return None;
    };
    let pair = text[end..].starts_with("\r\n");
    let fits = word.eq_ignore_ascii_case("sep=") && delimiter.is_ascii();
    fits.then_some((delimiter, end + 1 + usize::from(pair)))
}

/// Returns the delimiter that splits the first rows most evenly, or `None` if every row is one
/// cell.
pub(super) fn guess(text: &str, ended: bool, like: CsvDialect) -> Option<u8> {
    let mut best: Option<(u8, usize, usize)> = None;
    for delimiter in CANDIDATES {
        let widths = widths(text, ended, CsvDialect { delimiter, ..like });
        // One cell in the header means that this delimiter does not occur there.
        let Some(&first) = widths.first().filter(|width| **width > 1) else {
            continue;
        };
        let alike = widths.iter().filter(|width| **width == first).count() * 100 / widths.len();
        // The first candidate with nine even rows in ten wins. A stricter rule would fail on one
        // ragged or trailer row; comparing all candidates would let the decimal commas in a `;`
        // file win.
        if alike >= 90 {
            return Some(delimiter);
        }
        // Nothing is even: take the most even one, and of two the wider.
        if best.is_none_or(|(_, other, width)| (alike, first) > (other, width)) {
            best = Some((delimiter, alike, first));
        }
    }
    best.map(|(delimiter, ..)| delimiter)
}

fn widths(text: &str, ended: bool, dialect: CsvDialect) -> Vec<usize> {
    let (mut rest, mut row, mut widths) = (text, CsvRow::default(), Vec::new());
    let pos = LineColumn::default();
    while widths.len() < ROWS && !rest.is_empty() {
        match dialect.scan(rest, ended, pos, &mut row) {
            ScanResult::Row => {}
            ScanResult::NeedsMore => break,
            ScanResult::Misquoted(quote) => {
                // A stray quote is read as text here, as it is later, so that one bad row does not
                // spoil the guess.
                let plain = dialect.without_quotes();
                let plain = plain.scan_from(rest, ended, (quote.start, pos), &mut row);
                if plain != ScanResult::Row {
                    break;
                }
            }
        }
        // Blank lines would count as rows of one cell.
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
            // A trailer has another width than the rows.
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

//! What a workbook shows of a number. Leading zeros of an id (`00123`) may exist only in the number
//! format of the cell, so the format is read and applied. Where it cannot be, the cell is
//! unreadable: guessing would name another customer. Start reading at `NumberDisplay::show`.

use super::super::record::CellShape;
use super::number;
use crate::diagnostic::codes;
use crate::kinds::read::ValueProblem;
use crate::model::CompactText;

/// Workbooks store numbers as floats: from here on, whole numbers have lost digits.
const TOO_LONG: f64 = 1e15;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum NumberDisplay {
    /// Unchanged, apart from decimals and separators.
    Plain,
    Percent,
    Digits(Vec<FormatPiece>),
    /// With at least this many digits, in a format that is not understood.
    Unknown(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FormatPiece {
    /// A digit, or a zero if there is none.
    Zero,
    /// A digit, or nothing if there is none.
    Digit,
    /// A character that is always shown.
    Literal(char),
}

impl NumberDisplay {
    /// Parses a number format: `00000`, `0000-000`, `#,##0.00`.
    pub fn parse(code: &str) -> Self {
        let mut format = FormatCodeParser::default();
        let mut rest = code.chars();
        while let Some(c) = rest.next() {
            match c {
                ';' if format.conditional => {}
                // The sections are for positive, negative and zero values; ids use the first one.
                // With conditions any section may apply, so none is believed.
                ';' => break,
                '[' => {
                    let inner: String = rest.by_ref().take_while(|c| *c != ']').collect();
                    format.bracket(&inner);
                }
                '"' => {
                    let text = rest.by_ref().take_while(|c| *c != '"');
                    format.pieces.extend(text.map(FormatPiece::Literal));
                }
                '\\' | '!' => format.pieces.extend(rest.next().map(FormatPiece::Literal)),
                // `_` leaves a gap as wide as the next character, `*` repeats it. Neither adds
                // digits.
                '_' | '*' => drop(rest.next()),
                other => format.take(other),
            }
        }
        format.display()
    }

    /// Returns what a cell shows of a number, and in which shape.
    pub fn show(&self, number: f64) -> (CompactText, CellShape) {
        let text = number::decimal(number);
        let whole = number.fract() == 0.0;
        if whole && number.abs() >= TOO_LONG {
            let message = format!(
                "`{text}` is a number with more than 15 digits, which a spreadsheet cannot store exactly"
            );
            return unreadable_number(text, codes::SCIENTIFIC_NOTATION, message);
        }
        let digits = text
            .trim_start_matches('-')
            .split('.')
            .next()
            .map_or(0, str::len);
        match self {
            Self::Percent => (text, CellShape::Percent),
            // A negative or fractional number is no id, and the format shows it in ways that are
            // not reproduced.
            Self::Digits(pieces) if whole && number >= 0.0 => {
                (filled(pieces, &text), CellShape::Number)
            }
            Self::Digits(pieces) if digits < zeros(pieces) => unknown(text),
            Self::Unknown(zeros) if digits < *zeros => unknown(text),
            _ => (text, CellShape::Number),
        }
    }
}

fn unknown(text: CompactText) -> (CompactText, CellShape) {
    let message =
        format!("`{text}` is displayed with leading zeros that its cell does not contain");
    unreadable_number(text, codes::SPREADSHEET_ERROR, message)
}

fn unreadable_number(
    text: CompactText,
    code: crate::diagnostic::Code,
    message: String,
) -> (CompactText, CellShape) {
    let fault = ValueProblem::new(code, message)
        .help("format the column as text, enter the value again, and repeat the export");
    (text, CellShape::Unreadable(Box::new(fault)))
}

fn zeros(pieces: &[FormatPiece]) -> usize {
    pieces
        .iter()
        .filter(|piece| **piece == FormatPiece::Zero)
        .count()
}

/// Fills digits into the places of a format from the right. Surplus digits go in front.
fn filled(pieces: &[FormatPiece], digits: &str) -> CompactText {
    let mut left: Vec<char> = digits.chars().collect();
    let first = pieces
        .iter()
        .position(|piece| !matches!(piece, FormatPiece::Literal(_)));
    let mut shown = Vec::new();
    for (at, piece) in pieces.iter().enumerate().rev() {
        match piece {
            FormatPiece::Literal(c) => shown.push(*c),
            FormatPiece::Zero => shown.push(left.pop().unwrap_or('0')),
            FormatPiece::Digit => shown.extend(left.pop()),
        }
        if Some(at) == first {
            shown.extend(left.drain(..).rev());
        }
    }
    CompactText::new(shown.iter().rev().collect::<String>())
}

/// A number format while it is parsed.
#[derive(Default)]
struct FormatCodeParser {
    pieces: Vec<FormatPiece>,
    percent: bool,
    conditional: bool,
    /// Whether there are decimals, separators or words.
    other: bool,
    points: usize,
}

impl FormatCodeParser {
    /// Colours and currencies do not affect the digits; a condition chooses between sections.
    fn bracket(&mut self, inner: &str) {
        self.conditional |= inner.starts_with(['<', '>', '=']);
    }

    fn take(&mut self, c: char) {
        match c {
            '0' if self.points == 0 => self.pieces.push(FormatPiece::Zero),
            '#' if self.points == 0 => self.pieces.push(FormatPiece::Digit),
            '0' | '#' => {}
            '.' => (self.points, self.other) = (1, true),
            '%' => self.percent = true,
            ' ' | '\u{a0}' | '-' | '+' | '(' | ')' | ':' | '/' | '\'' | '$' | '€' | '£' => {
                self.pieces.push(FormatPiece::Literal(c));
            }
            _ => self.other = true,
        }
    }

    fn display(self) -> NumberDisplay {
        let zeros = zeros(&self.pieces);
        if self.percent {
            NumberDisplay::Percent
        } else if zeros < 2 {
            // One zero (`0`, `#,##0`) shows every number as it is. From two on, zeros may be added
            // in front.
            NumberDisplay::Plain
        } else if self.other || self.conditional {
            NumberDisplay::Unknown(zeros)
        } else {
            NumberDisplay::Digits(self.pieces)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(code: &str, number: f64) -> String {
        match NumberDisplay::parse(code).show(number) {
            (text, CellShape::Number) => text.to_string(),
            (text, CellShape::Percent) => format!("{text} %"),
            (_, CellShape::Unreadable(fault)) => fault.code.name().to_owned(),
            (text, other) => format!("{text} {other:?}"),
        }
    }

    #[test]
    fn zeros_of_a_format_are_digits_of_the_text() {
        for (code, number, expected) in [
            ("General", 42.0, "42"),
            ("@", 42.0, "42"),
            ("0", 42.0, "42"),
            ("00000", 42.0, "00042"),
            ("00000", 0.0, "00000"),
            ("00000", 1_234_567.0, "1234567"),
            ("0000-000", 42_007.0, "0042-007"),
            ("0000\\-000", 42_007.0, "0042-007"),
            ("000\" \"00", 1234.0, "012 34"),
            ("\"K-\"0000", 42.0, "K-0042"),
            ("##00", 7.0, "07"),
            ("[Red]0000;[Blue]-0000", 7.0, "0007"),
            ("(000) 000-0000", 5_551_234_567.0, "(555) 123-4567"),
            ("#,##0.00", 1234.5, "1234.5"),
            ("[$€-407]#,##0", 1234.0, "1234"),
            ("0.00", 42.0, "42"),
            ("0%", 0.25, "0.25 %"),
            // An unknown format is an error, unless there are enough digits.
            ("0,000", 42.0, "spreadsheet-error"),
            ("0,000", 4200.0, "4200"),
            ("000.0", 42.0, "spreadsheet-error"),
            ("00000", 42.5, "spreadsheet-error"),
            ("00000", -42.0, "spreadsheet-error"),
            ("[<100]00000;0000000", 42.0, "spreadsheet-error"),
            ("General", 1_234_567_890_123_456.0, "scientific-notation"),
            ("0", 999_999_999_999_999.0, "999999999999999"),
        ] {
            assert_eq!(shown(code, number), expected, "{code} {number}");
        }
    }
}

//! What a spreadsheet shows of a number: the zeros before it are in the format of its cell only.

use super::super::record::CellShape;
use super::number;
use crate::diagnostic::codes;
use crate::kinds::read::ValueProblem;
use crate::model::CompactText;

/// Whole numbers from here on have lost their last digits.
const TOO_LONG: f64 = 1e15;

/// How the cells of one style show numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum NumberDisplay {
    /// As they are, but for decimals and separators.
    Plain,
    /// As percentages.
    Percent,
    Digits(Vec<FormatPiece>),
    /// With at least so many digits, in a way that is not known here.
    Unknown(usize),
}

/// A part of a format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FormatPiece {
    /// A digit, or a zero.
    Zero,
    /// A digit, or nothing.
    Digit,
    /// A character that always shows.
    Literal(char),
}

impl NumberDisplay {
    /// Reads the code of a number format: `00000`, `0000-000`, `#,##0.00`.
    pub fn parse(code: &str) -> Self {
        let mut format = FormatCodeParser::default();
        let mut rest = code.chars();
        while let Some(c) = rest.next() {
            match c {
                ';' if format.conditional => {}
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
                // A gap as wide as the next character, or as many of it as fit.
                '_' | '*' => drop(rest.next()),
                other => format.take(other),
            }
        }
        format.display()
    }

    /// The text that a cell shows of a number, and how it is kept.
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

/// The digits where the format has places for them, from the last one; what is left over comes first.
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

/// A format as it is read.
#[derive(Default)]
struct FormatCodeParser {
    pieces: Vec<FormatPiece>,
    percent: bool,
    conditional: bool,
    /// Whether it has decimals, separators or words.
    other: bool,
    points: usize,
}

impl FormatCodeParser {
    /// A colour or a currency shows nothing of the digits; a condition chooses between formats.
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
            // What cannot be known is an error, unless there are digits enough.
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

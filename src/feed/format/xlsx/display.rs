//! What a spreadsheet shows of a number: the zeros before it are in the format of its cell only.

use super::super::record::Shape;
use super::number;
use crate::diagnostic::codes;
use crate::kinds::read::Fault;
use crate::model::Text;

/// Whole numbers from here on have lost their last digits.
const TOO_LONG: f64 = 1e15;

/// How the cells of one style show numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Display {
    /// As they are, but for decimals and separators.
    Plain,
    /// As percentages.
    Percent,
    /// Digit by digit.
    Digits(Vec<Piece>),
    /// With at least so many digits, in a way that is not known here.
    Unknown(usize),
}

/// A part of a format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Piece {
    /// A digit, or a zero.
    Zero,
    /// A digit, or nothing.
    Digit,
    /// A character that always shows.
    Literal(char),
}

impl Display {
    /// Reads the code of a number format: `00000`, `0000-000`, `#,##0.00`.
    pub fn of(code: &str) -> Self {
        let mut format = Reader::default();
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
                    format.pieces.extend(text.map(Piece::Literal));
                }
                '\\' | '!' => format.pieces.extend(rest.next().map(Piece::Literal)),
                // A gap as wide as the next character, or as many of it as fit.
                '_' | '*' => drop(rest.next()),
                other => format.take(other),
            }
        }
        format.display()
    }

    /// The text that a cell shows of a number, and how it is kept.
    pub fn show(&self, number: f64) -> (Text, Shape) {
        let text = number::decimal(number);
        let whole = number.fract() == 0.0;
        if whole && number.abs() >= TOO_LONG {
            let message = format!(
                "`{text}` is a number of more than 15 digits, which a spreadsheet does not keep"
            );
            return lost(text, codes::SCIENTIFIC_NOTATION, message);
        }
        let digits = text
            .trim_start_matches('-')
            .split('.')
            .next()
            .map_or(0, str::len);
        match self {
            Self::Percent => (text, Shape::Percent),
            Self::Digits(pieces) if whole && number >= 0.0 => {
                (filled(pieces, &text), Shape::Number)
            }
            Self::Digits(pieces) if digits < zeros(pieces) => unknown(text),
            Self::Unknown(zeros) if digits < *zeros => unknown(text),
            _ => (text, Shape::Number),
        }
    }
}

fn unknown(text: Text) -> (Text, Shape) {
    let message = format!("`{text}` is shown with zeros that its cell does not hold");
    lost(text, codes::SPREADSHEET_ERROR, message)
}

fn lost(text: Text, code: crate::diagnostic::Code, message: String) -> (Text, Shape) {
    let fault = Fault::new(code, message)
        .help("format the column as text, enter the value again, and export it once more");
    (text, Shape::Lost(Box::new(fault)))
}

fn zeros(pieces: &[Piece]) -> usize {
    pieces.iter().filter(|piece| **piece == Piece::Zero).count()
}

/// The digits where the format has places for them, from the last one; what is left over comes first.
fn filled(pieces: &[Piece], digits: &str) -> Text {
    let mut left: Vec<char> = digits.chars().collect();
    let first = pieces
        .iter()
        .position(|piece| !matches!(piece, Piece::Literal(_)));
    let mut shown = Vec::new();
    for (at, piece) in pieces.iter().enumerate().rev() {
        match piece {
            Piece::Literal(c) => shown.push(*c),
            Piece::Zero => shown.push(left.pop().unwrap_or('0')),
            Piece::Digit => shown.extend(left.pop()),
        }
        if Some(at) == first {
            shown.extend(left.drain(..).rev());
        }
    }
    Text::new(shown.iter().rev().collect::<String>())
}

/// A format as it is read.
#[derive(Default)]
struct Reader {
    pieces: Vec<Piece>,
    percent: bool,
    conditional: bool,
    /// Whether it has decimals, separators or words.
    other: bool,
    points: usize,
}

impl Reader {
    /// A colour or a currency shows nothing of the digits; a condition chooses between formats.
    fn bracket(&mut self, inner: &str) {
        self.conditional |= inner.starts_with(['<', '>', '=']);
    }

    fn take(&mut self, c: char) {
        match c {
            '0' if self.points == 0 => self.pieces.push(Piece::Zero),
            '#' if self.points == 0 => self.pieces.push(Piece::Digit),
            '0' | '#' => {}
            '.' => (self.points, self.other) = (1, true),
            '%' => self.percent = true,
            ' ' | '\u{a0}' | '-' | '+' | '(' | ')' | ':' | '/' | '\'' | '$' | '€' | '£' => {
                self.pieces.push(Piece::Literal(c));
            }
            _ => self.other = true,
        }
    }

    fn display(self) -> Display {
        let zeros = zeros(&self.pieces);
        if self.percent {
            Display::Percent
        } else if zeros < 2 {
            Display::Plain
        } else if self.other || self.conditional {
            Display::Unknown(zeros)
        } else {
            Display::Digits(self.pieces)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(code: &str, number: f64) -> String {
        match Display::of(code).show(number) {
            (text, Shape::Number) => text.to_string(),
            (text, Shape::Percent) => format!("{text} %"),
            (_, Shape::Lost(fault)) => fault.code.name().to_owned(),
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

//! Reads text fields, and recognises the damage that spreadsheets do to text.

use super::{ValueProblem, quoted};
use crate::diagnostic::codes;
use crate::model::{CompactText, Value};
use unicode_normalization::UnicodeNormalization;

/// Error values of spreadsheets in English, German, Swedish, French, Spanish, Italian and Dutch.
const SPREADSHEET_ERRORS: &str = "#N/A #REF! #VALUE! #DIV/0! #NAME? #NULL! #NUM! #SPILL! #CALC! #FIELD! #BLOCKED! #CONNECT! #UNKNOWN! \
    #BUSY! #GETTING_DATA #NV #BEZUG! #WERT! #ZAHL! #ÜBERLAUF! #SAKNAS! #REFERENS! #VÄRDEFEL! #NAMN? \
    #OGILTIGT! #DIVISION/0! #SKÄRNING! #VALEUR! #NOM? #NOMBRE! #NUL! #N/D #¡REF! #¡VALOR! #¿NOMBRE? \
    #¡DIV/0! #¡NUM! #RIF! #VALORE! #NOME? #N/B #VERW! #WAARDE! #DEEL/0!";
/// Shown by a column that is too narrow for its numbers.
const NARROW: &str = "###";

/// The text without outer spaces, in lower case and composed form.
#[must_use]
pub fn fold_case(text: &str) -> String {
    text.trim().nfc().collect::<String>().to_lowercase()
}

/// Returns whether a text is empty or only white space.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// Returns the spreadsheet error that this text is, if any.
#[must_use]
pub fn spreadsheet_error(text: &str) -> Option<&'static str> {
    // Runs for every text. Almost all begin with a visible character other than `#`.
    let first = text.as_bytes().first();
    if first.is_some_and(|byte| byte.is_ascii_graphic() && *byte != b'#')
        || !text.trim_start().starts_with('#')
    {
        return None;
    }
    let trimmed = text.trim();
    if trimmed.starts_with(NARROW) && trimmed.bytes().all(|byte| byte == b'#') {
        return Some(NARROW);
    }
    let same = |error: &&str| {
        error.eq_ignore_ascii_case(trimmed) || error.to_lowercase() == trimmed.to_lowercase()
    };
    SPREADSHEET_ERRORS.split(' ').find(same)
}

/// Returns whether a text is a whole number with a fraction of zeros, as programs write numbers:
/// `10028.0`, `10.028,00`.
#[must_use]
pub fn has_zero_fraction(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.trim().trim_start_matches('-');
    let Some(at) = text.rfind(['.', ',']) else {
        return false;
    };
    let (whole, fraction) = (&text[..at], &text[at + 1..]);
    let zeros = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    let mut groups = whole.split([' ', '\u{a0}', '\u{202f}', '\'', '.', ',']);
    let first = groups.next().unwrap_or_default();
    // Versions and dates use one separator throughout: `2.0.0`, `10.10.00`.
    let other = !whole.contains(&text[at..=at]);
    zeros && other && digits(first) && groups.all(|group| group.len() == 3 && digits(group))
}

/// Returns whether a program shortened a long number: `6,12E+08`, `1.0028e4`.
#[must_use]
pub fn looks_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.trim().split_once(['E', 'e']) else {
        return false;
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    // Without a sign, a fraction after a single digit tells it from an article number such as
    // `12E5`.
    let told = match exponent.strip_prefix('+') {
        Some(exponent) => digits(exponent),
        None => whole.len() == 1 && digits(fraction) && digits(exponent),
    };
    told && digits(whole) && (fraction.is_empty() || digits(fraction))
}

pub(super) fn scientific_problem(text: &str) -> ValueProblem {
    ValueProblem::new(
        codes::SCIENTIFIC_NOTATION,
        format!("{} is a number that a spreadsheet shortened", quoted(text)),
    )
    .help("The digits are lost. Export the value again, with the column as text")
}

#[must_use]
pub fn spreadsheet_problem(error: &str) -> ValueProblem {
    ValueProblem::new(
        codes::SPREADSHEET_ERROR,
        format!("`{error}` is a spreadsheet error"),
    )
    .help("Fix the formula and export again, or leave the field out")
}

/// Text on one line.
pub(super) fn line(text: &str, most: usize) -> Result<Value, ValueProblem> {
    check(text, most, |c| !c.is_control())
}

/// Text on several lines.
pub(super) fn lines(text: &str, most: usize) -> Result<Value, ValueProblem> {
    check(text, most, |c| !c.is_control() || matches!(c, '\n' | '\t'))
}

fn check(text: &str, most: usize, allowed: impl Fn(char) -> bool) -> Result<Value, ValueProblem> {
    // Checking bytes is much faster than checking characters, and most texts are plain ASCII.
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !plain && let Some((at, c)) = text.chars().enumerate().find(|(_, c)| !allowed(*c)) {
        return Err(control_character_problem(at, c));
    }
    // A text never has more characters than bytes.
    if text.len() > most {
        check_length(text, most)?;
    }
    Ok(Value::Text(CompactText::new(text)))
}

pub(super) fn check_length(text: &str, most: usize) -> Result<(), ValueProblem> {
    let length = text.chars().count();
    if length <= most {
        return Ok(());
    }
    let message = format!("{length} characters; at most {most} are allowed");
    Err(ValueProblem::new(codes::LENGTH, message).help("Shorten it"))
}

fn control_character_problem(at: usize, c: char) -> ValueProblem {
    let what = match c {
        '\n' | '\r' => "a line break".to_owned(),
        '\t' => "a tab".to_owned(),
        c => format!("the control character U+{:04X}", u32::from(c)),
    };
    let message = format!("{what} is not allowed at character {} of the value", at + 1);
    ValueProblem::new(codes::WRONG_TYPE, message)
        .help("Write it on one line, without control characters")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::FieldType;

    fn code(ty: &FieldType, text: &str) -> &'static str {
        ty.read(text).map_or_else(|fault| fault.code.name(), |_| "")
    }

    #[test]
    fn text_is_one_line_without_control_characters_and_kept_as_written() {
        let ty = FieldType::Text(5);
        for (text, expected) in [
            ("00123", ""),
            ("åäöÅÄ", ""),
            ("åäöÅÄÖ", "length"),
            ("a\nb", "wrong-type"),
            ("a\tb", "wrong-type"),
            ("a\0b", "wrong-type"),
            ("\u{1b}[1m", "wrong-type"),
            ("#N/A", "spreadsheet-error"),
            (" #REF!", "spreadsheet-error"),
            ("#N/AB", ""),
        ] {
            assert_eq!(code(&ty, text), expected, "{text:?}");
        }
        assert_eq!(code(&FieldType::LongText(9), "a\n\tb"), "");
        assert_eq!(code(&FieldType::LongText(9), "a\rb"), "wrong-type");
        assert_eq!(
            FieldType::Text(9).read(" a ").expect("text").value,
            Value::text(" a ")
        );
    }

    #[test]
    fn what_a_spreadsheet_shortened_is_seen() {
        for text in [
            "6,12E+08", "1.09E+07", "1E+11", "1e+16", "1,0E+03", "1.0028e4", "1.0E4",
        ] {
            assert!(looks_scientific(text), "{text}");
        }
        for text in [
            "73928e05",
            "E+1",
            "1E+",
            "1.2.3E+4",
            "556012-3456",
            "12E5",
            "12.5E5",
            "1.E5",
            "1E-05",
            "e",
            "re",
        ] {
            assert!(!looks_scientific(text), "{text}");
        }
    }

    #[test]
    fn a_whole_number_with_a_fraction_was_a_number_on_its_way() {
        for text in [
            "10028.0",
            "1.0",
            "10028,00",
            "10.028,0",
            "10,028.0",
            "10 028,0",
            "10\u{a0}028,0",
            "-1.0",
            "0.0",
        ] {
            assert!(has_zero_fraction(text), "{text}");
        }
        for text in [
            "10028",
            "10.028",
            "1.10",
            "1.0.0",
            "a.0",
            "10.0a",
            ".0",
            "1.",
            "2024.01.0",
            "10,02,0",
            "",
        ] {
            assert!(!has_zero_fraction(text), "{text}");
        }
    }

    #[test]
    fn errors_of_spreadsheets_are_known_in_several_languages() {
        for text in [
            "#NV",
            "#bezug!",
            "#värdefel!",
            "#DIVISION/0!",
            "########",
            "#SPILL!",
        ] {
            assert!(spreadsheet_error(text).is_some(), "{text}");
        }
        for text in ["##", "#1", "#NVX", "# 12"] {
            assert!(spreadsheet_error(text).is_none(), "{text}");
        }
    }
}

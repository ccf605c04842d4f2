//! Checks external ids. They are compared byte for byte and never change, so characters that cannot
//! be seen, or look like others, are rejected: two ids that look equal would be two customers.
//! Start reading at `check_id`.

use super::parsed_value::is_invisible;
use super::{ValueProblem, is_blank, text};
use crate::diagnostic::codes;
use crate::kinds::{IdChars, Kind};

const MAX_ID_CHARS: usize = 128;

/// Checks an external id of a kind. Returns a warning if it contains a space.
pub fn check_id(kind: &Kind, id: &str) -> Result<Option<ValueProblem>, ValueProblem> {
    if let Some(only) = kind.singleton {
        return check_singleton(kind, id, only);
    }
    if is_plain_id(id) {
        return Ok(None);
    }
    if is_blank(id) {
        return Err(fault("an externalId must not be blank"));
    }
    // Before the characters are checked, because the specific message helps more.
    if let Some(error) = super::spreadsheet_error(id) {
        return Err(text::spreadsheet_problem(error));
    }
    if super::looks_scientific(id) {
        return Err(text::scientific_problem(id));
    }
    if id.chars().count() > MAX_ID_CHARS {
        let message = format!("an externalId must have at most {MAX_ID_CHARS} characters");
        return Err(ValueProblem {
            code: codes::LENGTH,
            ..fault(message).help("Shorten it")
        });
    }
    if let Some(plain) = in_plain_characters(id) {
        return Err(look_alike(id, &plain));
    }
    check_characters(kind, id)
}

/// The digit zero of scripts with ten digits in a row.
const ZEROS: &[char] = &[
    '\u{660}',
    '\u{6f0}',
    '\u{7c0}',
    '\u{966}',
    '\u{9e6}',
    '\u{a66}',
    '\u{ae6}',
    '\u{b66}',
    '\u{be6}',
    '\u{c66}',
    '\u{ce6}',
    '\u{d66}',
    '\u{e50}',
    '\u{ed0}',
    '\u{f20}',
    '\u{1040}',
    '\u{17e0}',
    '\u{1810}',
    '\u{ff10}',
    '\u{1d7ce}',
    '\u{1d7d8}',
    '\u{1d7e2}',
    '\u{1d7ec}',
    '\u{1d7f6}',
];

/// Returns the digit from 0 to 9 that a digit of another script stands for.
fn foreign_digit(c: char) -> Option<char> {
    let value = |zero: &char| u32::from(c).checked_sub(u32::from(*zero));
    let value = ZEROS.iter().filter_map(value).find(|value| *value < 10)?;
    char::from_digit(value, 10)
}

/// Returns the ASCII character that a full-width one stands for.
fn of_full_width(c: char) -> Option<char> {
    // Full-width forms come from East Asian input methods and repeat ASCII at a fixed distance.
    let wide = matches!(c, '\u{ff01}'..='\u{ff5e}');
    wide.then(|| char::from_u32(u32::from(c) - 0xfee0))
        .flatten()
}

/// Returns an id with digits of other scripts and full-width characters replaced by ASCII, if it
/// has any. To the eye both are the same.
fn in_plain_characters(id: &str) -> Option<String> {
    let plain = |c: char| foreign_digit(c).or_else(|| of_full_width(c));
    let odd = !id.is_ascii() && id.chars().any(|c| plain(c).is_some());
    odd.then(|| id.chars().map(|c| plain(c).unwrap_or(c)).collect())
}

fn look_alike(id: &str, plain: &str) -> ValueProblem {
    let what = if id.chars().any(|c| foreign_digit(c).is_some()) {
        "digits other than 0 to 9"
    } else {
        "full-width characters"
    };
    let message = format!("the externalId {} uses {what}", super::quoted(id));
    fault(message).help(format!("Write {}", super::quoted(plain)))
}

/// The common case: short, with only letters, digits, `-`, `_` and `.`. This check runs for every
/// id and reference.
fn is_plain_id(id: &str) -> bool {
    // `1.0E+04` has a `+`, so it does not pass here and is caught later.
    let common = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=MAX_ID_CHARS).contains(&id.len()) && id.bytes().all(common)
}

fn check_singleton(
    kind: &Kind,
    id: &str,
    only: &str,
) -> Result<Option<ValueProblem>, ValueProblem> {
    if id == only {
        return Ok(None);
    }
    let message = format!("the externalId of {} is always `{only}`", kind.name);
    Err(fault(message).help("Leave `externalId` out"))
}

fn check_characters(kind: &Kind, id: &str) -> Result<Option<ValueProblem>, ValueProblem> {
    let last = id.chars().count() - 1;
    let mut spaced = false;
    for (at, c) in id.chars().enumerate() {
        let inner_space = c == ' ' && at > 0 && at < last;
        let allowed = match kind.id_chars {
            IdChars::Ascii => c.is_ascii_graphic(),
            IdChars::Printable => inner_space || !(c.is_whitespace() || is_unprintable(c)),
        };
        if !allowed {
            return Err(forbidden_character(kind, id, at, c));
        }
        spaced |= inner_space;
    }
    Ok(spaced.then(|| {
        ValueProblem::new(
            codes::ID_SPACE,
            format!("the externalId `{id}` contains a space"),
        )
        .help("Write it without spaces before anything refers to it: such ids are easier to type and to compare")
    }))
}

fn is_unprintable(c: char) -> bool {
    // Private use, specials and noncharacters have no agreed shape.
    let private = matches!(u32::from(c), 0xe000..=0xf8ff | 0xf_0000..=0x10_ffff | 0xfff0..=0xffff);
    c.is_control() || is_invisible(c) || private
}

fn forbidden_character(kind: &Kind, id: &str, at: usize, c: char) -> ValueProblem {
    let shown = if c.is_whitespace() || is_unprintable(c) {
        String::new()
    } else {
        format!("`{c}` ")
    };
    let message = format!(
        "the character {shown}(U+{:04X}) at position {} of the externalId {} is not allowed",
        u32::from(c),
        at + 1,
        super::quoted(id),
    );
    fault(message).help(match kind.id_chars {
        IdChars::Ascii => "Use letters without accents, digits and punctuation, without spaces",
        IdChars::Printable => "Use visible characters, without a space at either end",
    })
}

fn fault(message: impl Into<String>) -> ValueProblem {
    ValueProblem::new(codes::ID_FORMAT, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    fn code(kind: &str, id: &str) -> &'static str {
        match check_id(kinds::by_name(kind).expect("kind"), id) {
            Ok(None) => "",
            Ok(Some(fault)) | Err(fault) => fault.code.name(),
        }
    }

    #[test]
    fn shows_what_may_not_be_in_an_id() {
        for (kind, id, expected) in [
            ("User", "u-1", ""),
            ("User", "a@b.example", ""),
            ("User", "käre", "id-format"),
            ("User", "a b", "id-format"),
            ("Account", "Fjällbyggen", ""),
            ("Account", "a b", "id-space"),
            ("Account", " a", "id-format"),
            ("Account", "a ", "id-format"),
            ("Account", "   ", "id-format"),
            ("Account", "a\u{200b}", "id-format"),
            ("Account", "a\u{a0}b", "id-format"),
            ("Account", "\u{202e}a", "id-format"),
            ("Account", "a\tb", "id-format"),
            ("Account", "a\0", "id-format"),
            ("Account", "\u{ff11}\u{ff12}", "id-format"),
            ("Account", "\u{ff21}b", "id-format"),
            ("Account", "\u{661}\u{662}", "id-format"),
            ("Account", "\u{967}", "id-format"),
            ("Account", "\u{1d7cf}", "id-format"),
            ("Account", "m\u{b2}", ""),
            ("Account", "東京", ""),
            ("Account", "1.2E+11", "scientific-notation"),
            ("Account", "#N/A", "spreadsheet-error"),
            ("Settings", "settings", ""),
            ("Settings", "other", "id-format"),
        ] {
            assert_eq!(code(kind, id), expected, "{kind} {id:?}");
        }
        assert_eq!(code("Account", &"x".repeat(129)), "length");
        let fault = check_id(kinds::get(kinds::USER), "kärl").expect_err("accent");
        assert!(fault.message.contains("`ä` (U+00E4) at position 2"));
        let fault = check_id(kinds::get(kinds::ACCOUNT), "１２３").expect_err("digits");
        assert!(
            fault
                .message
                .contains("`１２３` uses digits other than 0 to 9")
        );
        assert_eq!(fault.help.as_deref(), Some("Write `123`"));
    }
}

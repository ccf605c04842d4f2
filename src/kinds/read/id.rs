//! External ids: compared byte for byte, so what cannot be seen may not be in them.

use super::{Fault, is_blank, text};
use crate::diagnostic::codes;
use crate::kinds::{IdChars, Kind};

const MOST: usize = 128;

/// Checks an external id of a kind; a warning comes back when it passes with an inner space.
///
/// # Errors
/// The character that may not be in it, and where it stands.
pub fn check_id(kind: &Kind, id: &str) -> Result<Option<Fault>, Fault> {
    if let Some(only) = kind.singleton {
        return singleton(kind, id, only);
    }
    if plain(id) {
        return Ok(None);
    }
    if is_blank(id) {
        return Err(fault("an externalId may not be blank"));
    }
    if let Some(error) = super::spreadsheet_error(id) {
        return Err(text::spreadsheet(error));
    }
    if super::looks_scientific(id) {
        return Err(text::scientific(id));
    }
    if id.chars().count() > MOST {
        let message = format!("an externalId has at most {MOST} characters");
        return Err(Fault {
            code: codes::LENGTH,
            ..fault(message).help("shorten it")
        });
    }
    characters(kind, id)
}

/// The common case: short, and nothing but letters, digits, `-`, `_` and `.`, which no
/// spreadsheet makes of a number.
fn plain(id: &str) -> bool {
    let common = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=MOST).contains(&id.len()) && id.bytes().all(common)
}

fn singleton(kind: &Kind, id: &str, only: &str) -> Result<Option<Fault>, Fault> {
    if id == only {
        return Ok(None);
    }
    let message = format!("the externalId of {} is always `{only}`", kind.name);
    Err(fault(message).help("leave externalId out"))
}

fn characters(kind: &Kind, id: &str) -> Result<Option<Fault>, Fault> {
    let last = id.chars().count() - 1;
    let mut spaced = false;
    for (at, c) in id.chars().enumerate() {
        let inner_space = c == ' ' && at > 0 && at < last;
        let allowed = match kind.id_chars {
            IdChars::Ascii => c.is_ascii_graphic(),
            IdChars::Printable => inner_space || !(c.is_whitespace() || unprintable(c)),
        };
        if !allowed {
            return Err(forbidden(kind, id, at, c));
        }
        spaced |= inner_space;
    }
    Ok(spaced.then(|| {
        Fault::new(
            codes::ID_SPACE,
            format!("a space within the externalId `{id}`"),
        )
        .help("write it without spaces while nobody uses it: such ids are easier to type and to compare")
    }))
}

fn unprintable(c: char) -> bool {
    let private = matches!(u32::from(c), 0xe000..=0xf8ff | 0xf_0000..=0x10_ffff | 0xfff0..=0xffff);
    c.is_control() || is_invisible(c) || private
}

/// Whether a character shows as nothing or turns the text around it: zero-width, soft hyphen,
/// direction marks, byte order mark, no-break and other odd spaces.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0xa0 | 0xad | 0x034f | 0x061c | 0x115f | 0x1160 | 0x1680 | 0x17b4 | 0x17b5 | 0x180e
        | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x3000 | 0x3164 | 0xfe00..=0xfe0f
        | 0xfeff | 0xffa0 | 0xe0000..=0xe0fff)
}

fn forbidden(kind: &Kind, id: &str, at: usize, c: char) -> Fault {
    let shown = if c.is_whitespace() || unprintable(c) {
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
        IdChars::Ascii => "use letters without accents, digits and signs, no space",
        IdChars::Printable => "use visible characters, no space at either end",
    })
}

fn fault(message: impl Into<String>) -> Fault {
    Fault::new(codes::ID_FORMAT, message)
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
    }
}

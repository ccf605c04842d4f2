//! What other programs do to text on its way into an export: markers that keep a cell text in a
//! spreadsheet, UTF-8 decoded as Windows-1252, and letters replaced by question marks.

use encoding_rs::WINDOWS_1252;
use memchr::memchr3_iter;
use std::borrow::Cow;

/// Strips the markers by which spreadsheets keep a cell text: `'00123`, `="00123"`.
///
/// An apostrophe also begins names (`'s-Hertogenbosch`), so it counts only before a character that
/// a spreadsheet would interpret, or before another one that counts.
pub(super) fn strip_text_marker(text: &str) -> &str {
    let marked = |text: &str| {
        let next = text.trim_start_matches('\'').chars().next();
        next.is_some_and(|next| next.is_ascii_digit() || "=+-@\t\r".contains(next))
    };
    let mut rest = text.chars();
    match (rest.next(), rest.next()) {
        (Some('\''), _) if marked(text) => &text[1..],
        (Some('='), Some('"')) => {
            let inner = text
                .strip_prefix("=\"")
                .and_then(|text| text.strip_suffix('"'));
            // A quote within means a real formula, such as `="a"&"b"`.
            inner.filter(|inner| !inner.contains('"')).unwrap_or(text)
        }
        _ => text,
    }
}

/// Adds the marker that `strip_text_marker` removes, where the text needs it to come back
/// unchanged. In a cell of a sheet it is also added where the text would be taken for a formula.
pub fn add_text_marker(text: &str, sheet: bool) -> Cow<'_, str> {
    let number = |rest: &str| {
        rest.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b' ')
    };
    // `+33 1 23` and `-12.5` are phone numbers and numbers, which no spreadsheet runs as a command.
    // Marking them would corrupt them for every other reader.
    let commands = text.starts_with(['=', '+', '-', '@', '\t', '\r'])
        && !(text.len() > 1 && number(&text[1..]) && !text.starts_with('='));
    if sheet && commands || strip_text_marker(text).len() != text.len() {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Returns whether letters may have been lost or decoded wrongly. This is a quick check with false
/// positives.
pub(super) fn is_suspicious(text: &str) -> bool {
    let bytes = text.as_bytes();
    // `?`, and the first bytes of the letters and marks that such damage leaves in UTF-8.
    memchr3_iter(b'?', 0xc3, 0xef, bytes).any(|at| match bytes[at..] {
        [b'?', ..] | [0xef, 0xbf, 0xbd, ..] => true,
        // `Â`, `Ã`, `Ä`, `Å` or `â` before something else that is not ASCII.
        [0xc3, 0x82..=0x85 | 0xa2, next, ..] => !next.is_ascii(),
        _ => false,
    })
}

/// Returns the intended text where UTF-8 was decoded as Windows-1252: `BjÃ¶rkens`.
pub(super) fn repaired(text: &str) -> Option<String> {
    let mut fixed = String::with_capacity(text.len());
    let (mut rest, mut found) = (text, false);
    while let Some(c) = rest.chars().next() {
        if let Some((meant, length)) = repaired_at(rest) {
            fixed.push(meant);
            rest = &rest[length..];
            found = true;
        } else {
            fixed.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    found.then_some(fixed)
}

/// Returns the first character of a text after repair, and the length of what was written for it.
fn repaired_at(text: &str) -> Option<(char, usize)> {
    let first = text.chars().next()?;
    // Names of customers use letters up to U+017F and typographic marks, which begin with these
    // bytes.
    let count = match first {
        'Â' | 'Ã' | 'Ä' | 'Å' => 2,
        'â' => 3,
        _ => return None,
    };
    let length = text.chars().take(count).map(char::len_utf8).sum();
    let (bytes, _, misfit) = WINDOWS_1252.encode(&text[..length]);
    // If it does not encode to exactly these bytes, it was never the result of a wrong decoding.
    if misfit || bytes.len() != count {
        return None;
    }
    let meant = str::from_utf8(&bytes).ok()?.chars().next()?;
    Some((meant, length))
}

/// Returns whether a letter was lost: a replacement character, or a question mark within a word.
pub(super) fn has_lost_letter(text: &str) -> bool {
    if text.contains('\u{fffd}') {
        return true;
    }
    // Question marks in a URL are no lost letters.
    if !text.contains('?') || text.contains(['/', '=']) {
        return false;
    }
    let mut parts = text.split('?');
    let mut before = parts.next().unwrap_or_default();
    for part in parts {
        let after = part.chars().next().is_some_and(char::is_alphabetic);
        if after && before.ends_with(char::is_alphabetic) {
            return true;
        }
        before = part;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_spreadsheets_are_taken_off_and_names_are_left_alone() {
        for (text, expected) in [
            ("'00123", "00123"),
            ("'=HYPERLINK Tools", "=HYPERLINK Tools"),
            ("'+46", "+46"),
            ("=\"00123\"", "00123"),
            ("=\"\"", ""),
            ("''00123", "'00123"),
            ("'s-Hertogenbosch", "'s-Hertogenbosch"),
            ("'t Hooft", "'t Hooft"),
            ("=\"a\"&\"b\"", "=\"a\"&\"b\""),
            ("=\"", "=\""),
            ("'", "'"),
            ("=1+1", "=1+1"),
            ("", ""),
        ] {
            assert_eq!(strip_text_marker(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_wrapped_is_unwrapped_to_the_same() {
        for text in [
            "=1+1",
            "+46 63",
            "+46 (0)63",
            "-5",
            "-x",
            "@me",
            "'00123",
            "''1",
            "'",
            "''",
            "'s",
            "=\"a\"",
            "'=\"a\"",
            "\tx",
            "a",
            "",
        ] {
            for sheet in [false, true] {
                assert_eq!(
                    strip_text_marker(&add_text_marker(text, sheet)),
                    text,
                    "{text:?}"
                );
            }
        }
        assert_eq!(add_text_marker("=1+1", true), "'=1+1");
        assert_eq!(add_text_marker("=1+1", false), "=1+1");
        assert_eq!(add_text_marker("+46 63", true), "+46 63");
    }

    #[test]
    fn what_was_decoded_wrongly_is_repaired() {
        for (text, expected) in [
            ("BjÃ¶rkens Hotell AB", Some("Björkens Hotell AB")),
            ("MalmÃ¶ und GÃ¶teborg Ö", Some("Malmö und Göteborg Ö")),
            ("Itâ€™s", Some("It’s")),
            ("10Â\u{a0}m", Some("10\u{a0}m")),
            ("Åsgatan", None),
            ("Écouffes â la", None),
            ("NESCAFÉ®", None),
            ("Ã", None),
            ("Ärla Å", None),
        ] {
            assert_eq!(repaired(text).as_deref(), expected, "{text:?}");
            assert!(expected.is_none() || is_suspicious(text), "{text:?}");
        }
    }

    #[test]
    fn a_lost_letter_is_one_within_a_word() {
        for text in ["Nám?stí Míru", "G\u{fffd}teborg", "why? a?b"] {
            assert!(has_lost_letter(text) && is_suspicious(text), "{text}");
        }
        for text in [
            "Really?",
            "? x",
            "a ?b",
            "https://a.example/?q",
            "x?a=b",
            "",
        ] {
            assert!(!has_lost_letter(text), "{text}");
        }
        assert!(!is_suspicious("Fjällbyggen i Åre, Ärla"));
    }
}

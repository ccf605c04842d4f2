//! Guesses the encoding of an export if the mapping does not set it. In go the first bytes, out
//! comes an encoding. ASCII needs no guess, so only the bytes from the first other one on are
//! looked at.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The number of bytes to look at, counted from the first that is not ASCII: names with accents may
/// come late.
pub(super) const WINDOW: usize = 64 * 1024;
/// Text in another encoding is valid UTF-8 by accident in a few places, but not in this many.
const MIN_MULTIBYTE_STARTS: usize = 8;

/// Returns the encoding that a configuration calls `label`: `utf-8`, `windows-1252`, `latin1`,
/// `utf-16le`.
#[must_use]
pub fn encoding_for_label(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label.as_bytes())
}

/// Recognises UTF-16 without a byte order mark: every second byte at the beginning of an export is
/// zero.
pub(super) fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let pairs = bytes.chunks_exact(2).take(64);
    let zeros = |at: usize| pairs.clone().filter(|pair| pair[at] == 0).count();
    let (even, odd, most) = (zeros(0), zeros(1), pairs.len());
    // Four in five, because names with letters outside Latin-1 may come early. In no other encoding
    // does a text have zero bytes.
    let mostly = |zeros: usize| most > 1 && zeros * 10 >= most * 8;
    match (even, odd) {
        (0, odd) if mostly(odd) => Some(UTF_16LE),
        (even, 0) if mostly(even) => Some(UTF_16BE),
        _ => None,
    }
}

/// Guesses the encoding of text with bytes that are not ASCII. `last` says that there is no more.
pub(super) fn guess(bytes: &[u8], last: bool) -> &'static Encoding {
    if is_utf8(bytes, last) {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, last);
    let guess = detector.guess(None, Utf8Detection::Deny);
    // A few accented letters can look like Chinese to the detector, and would become other
    // characters. An export in a multi-byte encoding has to declare it.
    if guess.is_single_byte() {
        guess
    } else {
        WINDOWS_1252
    }
}

/// Returns whether text that is declared as another encoding is UTF-8 beyond doubt.
pub(super) fn is_surely_utf8(bytes: &[u8], last: bool) -> bool {
    let starts = bytes.iter().filter(|byte| **byte >= 0xc2).count();
    starts >= MIN_MULTIBYTE_STARTS && is_utf8(bytes, last)
}

/// Returns whether the bytes are valid UTF-8. Unless they are all there is, they may end within a
/// character.
fn is_utf8(bytes: &[u8], last: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && !last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_utf8_is_what_it_looks_like() {
        for (text, expected) in [
            ("Malm\u{f6}", WINDOWS_1252),
            ("H\u{f4}tel du Marais;8 rue des \u{c9}couffes", WINDOWS_1252),
            ("\u{c5}re;\u{c5}rev\u{e4}gen 80", WINDOWS_1252),
            ("10 \u{20ac}", WINDOWS_1252),
        ] {
            let (bytes, ..) = WINDOWS_1252.encode(text);
            assert_eq!(guess(&bytes, true), expected, "{text}");
            assert_eq!(guess(text.as_bytes(), true), UTF_8, "{text}");
        }
    }

    #[test]
    fn a_window_may_end_within_a_character_and_a_file_may_not() {
        assert_eq!(guess(b"Malm\xc3", false), UTF_8);
        assert_ne!(guess(b"Malm\xc3", true), UTF_8);
    }

    #[test]
    fn utf16_is_seen_without_its_mark() {
        assert_eq!(utf16_without_mark(b"i\0d\0;\0n\0"), Some(UTF_16LE));
        assert_eq!(utf16_without_mark(b"\0i\0d\0;\0n"), Some(UTF_16BE));
        assert_eq!(utf16_without_mark(b"id;n"), None);
        assert_eq!(utf16_without_mark(b"\0\0\0\0\0\0"), None);
        assert_eq!(utf16_without_mark(b""), None);
    }
}

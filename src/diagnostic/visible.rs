//! Makes text safe to show to people.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Writes out everything that could deceive a terminal or a reader: control characters, escape
/// sequences, marks that change the writing direction, invisible characters.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    // Nearly all texts are printable ASCII, which is quick to recognise.
    let plain = |byte: u8| matches!(byte, b' '..=b'~');
    if text.bytes().all(plain) || !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Returns whether a character is invisible or changes how others are displayed.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn nothing_hides_in_a_visible_text() {
        let planted = "a\nPlan: 0 to create\u{1b}[2K\u{202e}lmay.b\r\t\u{9b}";
        let shown = r"a\nPlan: 0 to create\u{1b}[2K\u{202e}lmay.b\r\t\u{9b}";
        assert_eq!(visible(planted), shown);
        assert_eq!(visible("Köln ✓ 東京"), "Köln ✓ 東京");
    }
}

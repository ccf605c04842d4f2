//! Writes single texts of manifests so that they read back the same: plain, quoted or as a block.

use crate::kinds::read::{is_blank, is_invisible};
use std::fmt::Write as _;

/// Words that some YAML readers do not take for text. Roster reads YAML 1.2, where only the first
/// two are special, but the files are read by other tools as well.
pub(super) const WORDS: [&str; 12] = [
    "null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf",
];

/// A text as it is written after `key: ` in a mapping with this indent.
pub(super) fn text(text: &str, indent: usize) -> String {
    if text.contains('\n') && fits_block(text) {
        return block(text, indent + 2);
    }
    scalar(text, false)
}

pub(super) fn flow_text(text: &str) -> String {
    scalar(text, true)
}

pub(super) fn scalar(text: &str, flow: bool) -> String {
    if is_plain(text, flow) {
        return text.to_owned();
    }
    quoted(text)
}

pub(super) fn is_plain(text: &str, flow: bool) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    // A user called `No` or a tag called `on` must stay text for every reader.
    if WORDS.iter().any(|word| word.eq_ignore_ascii_case(text)) || text.ends_with([' ', ':']) {
        return false;
    }
    // `00123` would lose its zeros, and `2026-01-01` or `12:30` would become another type, in a
    // tool that converts them.
    let digits = first.is_ascii_digit() && is_words(text);
    if !first.is_alphabetic() && !digits {
        return false;
    }
    let mut before = ' ';
    for c in text.chars() {
        let breaks = match c {
            // Legal inside a plain text, but easily taken for a list or mapping.
            '[' | ']' | '{' | '}' => true,
            ',' => flow,
            ' ' => before == ':',
            '#' => before == ' ',
            c => c.is_control() || c.is_whitespace() || is_invisible(c),
        };
        if breaks || (flow && c == ':') {
            return false;
        }
        before = c;
    }
    true
}

/// Whether a text that begins with a digit has several words, so that it cannot be taken for a
/// number, a date or a time.
fn is_words(text: &str) -> bool {
    text.contains(' ') && !text.contains(':')
}

pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        let number = u32::from(c);
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => out.write_str("\\n"),
            '\t' => out.write_str("\\t"),
            // YAML forbids control characters and U+FFFE/FFFF. Invisible ones would be legal, but a
            // reviewer cannot see them.
            c if c.is_control() || is_invisible(c) || number == 0xfffe || number == 0xffff => {
                match number {
                    0..=0xff => write!(out, "\\x{number:02x}"),
                    0x100..=0xffff => write!(out, "\\u{number:04x}"),
                    _ => write!(out, "\\U{number:08x}"),
                }
            }
            c => out.write_char(c),
        };
    }
    out.push('"');
    out
}

/// Whether a text of several lines reads back unchanged from a block scalar.
pub(super) fn fits_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let odd = |c: char| c != '\n' && (c.is_control() || is_invisible(c));
    !body.is_empty()
        // Leading space would be taken for indentation, and blank lines at the end would be
        // dropped.
        && !body.starts_with([' ', '\n', '\t'])
        && !body.ends_with('\n')
        && !body.contains(odd)
        && body.lines().all(|line| line.is_empty() || !is_blank(line))
}

fn block(text: &str, indent: usize) -> String {
    let (mark, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    body.split('\n').fold(mark.to_owned(), |mut out, line| {
        out.push('\n');
        if !line.is_empty() {
            let _ = write!(out, "{:indent$}{line}", "");
        }
        out
    })
}

//! Turns the bytes of a file into text. Rejects UTF-16, NUL bytes and invalid UTF-8 with a
//! diagnostic that names the position, and recognises files without content.

use super::sink::DiagnosticSink;
use crate::diagnostic::{Diagnostic, codes};
use crate::model::LineColumn;

/// Whether a file has only white space, comments and document markers. A file that an editor
/// truncates before writing looks like this, and so does one that a crash filled with NUL bytes.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Some file systems leave a file of NUL bytes behind after a power failure.
    let space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    bytes
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .all(|line| {
            let from = line.iter().position(|byte| !space(byte));
            let line = &line[from.unwrap_or(line.len())..];
            let rest = line.strip_prefix(b"---").or(line.strip_prefix(b"..."));
            let rest = rest.unwrap_or(line);
            let rest = &rest[rest.iter().position(|b| !space(b)).unwrap_or(rest.len())..];
            matches!(rest.first(), None | Some(b'#'))
        })
}

/// Decodes a file as UTF-8 without its byte-order mark.
pub(super) fn decode<'a>(bytes: &'a [u8], sink: &mut DiagnosticSink) -> Option<&'a str> {
    // Checked first: UTF-16 text contains NUL bytes, and "it is incomplete" would be the wrong
    // advice.
    if is_utf16(bytes) {
        let message = "the file is UTF-16, not UTF-8";
        sink.mark_all_unread(place(&[]));
        let found = Diagnostic::new(codes::ENCODING, message).help("Save it as UTF-8");
        sink.report(place(&[]), found);
        return None;
    }
    // NUL is valid UTF-8, so a half-written file would pass `from_utf8` below.
    if let Some(at) = memchr::memchr(0, bytes) {
        let message = "the file contains a NUL character; it is incomplete";
        let found = Diagnostic::new(codes::YAML_SYNTAX, message).help("Save the file again");
        sink.mark_all_unread(place(&bytes[..at]));
        sink.report(place(&bytes[..at]), found);
        return None;
    }
    match std::str::from_utf8(bytes) {
        // Windows editors write a byte-order mark; YAML would take it as part of the first key.
        Ok(text) => Some(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let at = error.valid_up_to();
            let message = format!(
                "the file is not UTF-8: byte {at} is {}",
                display_byte(bytes[at])
            );
            let found = Diagnostic::new(codes::ENCODING, message).help("Save it as UTF-8");
            sink.mark_all_unread(place(&bytes[..at]));
            sink.report(place(&bytes[..at]), found);
            None
        }
    }
}

/// Whether a file begins with a UTF-16 byte-order mark or with two-byte letters.
fn is_utf16(bytes: &[u8]) -> bool {
    let marked = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let is_letter = |byte: u8| byte.is_ascii() && byte > 0;
    marked
        || match *bytes {
            [a, 0, b, 0, ..] | [0, a, 0, b, ..] => is_letter(a) && is_letter(b),
            _ => false,
        }
}

/// Shows an invalid byte with the letter it stands for in Windows-1252.
fn display_byte(byte: u8) -> String {
    match byte {
        // ERP exports are often Windows-1252. From 0xa1 on it equals Latin-1, so `char::from` is
        // right; below, the two differ.
        0xa1.. => format!("{byte:#04x} (`{}` in Windows-1252)", char::from(byte)),
        _ => format!("{byte:#04x}"),
    }
}

/// The position just behind some valid UTF-8 bytes.
fn place(before: &[u8]) -> LineColumn {
    let text = std::str::from_utf8(before).unwrap_or_default();
    let line = text.rsplit('\n').next().unwrap_or_default();
    let count = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
    LineColumn {
        line: count(text.matches('\n').count()),
        column: count(line.chars().count()),
    }
}

//! Turns the bytes of a file into text, or explains why that is not possible. A file that cannot be
//! decoded turns removals off for its source: what it declared must not look absent.

use super::sink::DiagnosticSink;
use crate::diagnostic::{Diagnostic, codes};
use crate::model::LineColumn;

/// Whether a file contains only white space, comments and document markers. That is also what is
/// left of a file cut short while it was written, or filled with NUL by a crash.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
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

/// Returns the text of a file without its byte order mark.
pub(super) fn decode<'a>(bytes: &'a [u8], sink: &mut DiagnosticSink) -> Option<&'a str> {
    if is_utf16(bytes) {
        let message = "the file is UTF-16, not UTF-8";
        sink.mark_all_unread(place(&[]));
        let found = Diagnostic::new(codes::ENCODING, message).help("Save it as UTF-8");
        sink.report(place(&[]), found);
        return None;
    }
    // Some file systems leave NULs after a crash. YAML would report the first one as a syntax error
    // that nobody understands.
    if let Some(at) = memchr::memchr(0, bytes) {
        let message = "the file contains a NUL character; it is incomplete";
        let found = Diagnostic::new(codes::YAML_SYNTAX, message).help("Save the file again");
        sink.mark_all_unread(place(&bytes[..at]));
        sink.report(place(&bytes[..at]), found);
        return None;
    }
    match std::str::from_utf8(bytes) {
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

/// Whether a file starts like UTF-16: with its byte order mark, or with letters of two bytes.
fn is_utf16(bytes: &[u8]) -> bool {
    let marked = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let is_letter = |byte: u8| byte.is_ascii() && byte > 0;
    marked
        || match *bytes {
            [a, 0, b, 0, ..] | [0, a, 0, b, ..] => is_letter(a) && is_letter(b),
            _ => false,
        }
}

/// A byte that is not UTF-8, with the letter it stands for in Windows-1252, the usual encoding of
/// such files.
fn display_byte(byte: u8) -> String {
    match byte {
        0xa1.. => format!("{byte:#04x} (`{}` in Windows-1252)", char::from(byte)),
        _ => format!("{byte:#04x}"),
    }
}

/// The position just after some bytes that are valid UTF-8.
fn place(before: &[u8]) -> LineColumn {
    let text = std::str::from_utf8(before).unwrap_or_default();
    let line = text.rsplit('\n').next().unwrap_or_default();
    let count = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
    LineColumn {
        line: count(text.matches('\n').count()),
        column: count(line.chars().count()),
    }
}

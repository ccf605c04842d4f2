//! Splits the text of a file into YAML documents without parsing it: a line that starts with `---`
//! or `...` ends a document, even inside a quoted text. That lets the reader continue behind a
//! document that is not valid YAML.

use memchr::{memchr_iter, memchr2, memchr2_iter};
use std::ops::Range;

/// The place of one document in its file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DocumentSpan {
    /// Its bytes, including the `---` that opens it.
    pub range: Range<usize>,
    /// The number of its first line, from 1.
    pub line: u32,
}

/// Splits a text. Parts without content, such as the one before a leading `---`, are left out.
#[must_use]
pub fn split(text: &str) -> Vec<DocumentSpan> {
    let bytes = text.as_bytes();
    let mut parts = Vec::new();
    let mut start = 0;
    let mut line = 1;
    // One iterator for the whole file. Searching again for each document would take quadratic time
    // on a file of many small ones.
    let mut lines = line_starts(bytes);
    while start < bytes.len() {
        let end = part_end(bytes, start, &mut lines);
        let part = &bytes[start..end];
        if part.iter().any(|byte| !byte.is_ascii_whitespace()) {
            parts.push(DocumentSpan {
                range: start..end,
                line,
            });
        }
        line += count_line_breaks(part);
        start = end;
    }
    parts
}

/// The starts of all lines that begin with `-` or `.`; no other line can end a document.
fn line_starts(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    memchr2_iter(b'\n', b'\r', bytes)
        .map(|at| at + 1)
        .filter(|&at| matches!(bytes.get(at), Some(b'-' | b'.')))
}

fn part_end(bytes: &[u8], start: usize, lines: &mut impl Iterator<Item = usize>) -> usize {
    for at in lines {
        // The `---` that opens this document.
        if at <= start {
            continue;
        }
        if is_marker(bytes, at, b"---") {
            return at;
        }
        if is_marker(bytes, at, b"...") {
            // `...` belongs to the document it ends; `---` belongs to the one it opens.
            return line_end(bytes, at);
        }
    }
    bytes.len()
}

fn is_marker(bytes: &[u8], at: usize, marker: &[u8]) -> bool {
    let Some(rest) = bytes[at..].strip_prefix(marker) else {
        return false;
    };
    // `---title` is an ordinary text.
    matches!(rest.first(), None | Some(b' ' | b'\t' | b'\n' | b'\r'))
}

/// The position just behind the line that contains `at`.
fn line_end(bytes: &[u8], at: usize) -> usize {
    match memchr2(b'\n', b'\r', &bytes[at..]) {
        Some(end) if bytes[at + end..].starts_with(b"\r\n") => at + end + 2,
        Some(end) => at + end + 1,
        None => bytes.len(),
    }
}

/// Counts line breaks: `\n`, `\r\n` or a single `\r`, as the YAML parser does.
fn count_line_breaks(bytes: &[u8]) -> u32 {
    let feeds = memchr_iter(b'\n', bytes).count();
    let lone = memchr_iter(b'\r', bytes)
        .filter(|&at| bytes.get(at + 1) != Some(&b'\n'))
        .count();
    u32::try_from(feeds + lone).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(u32, &str)> {
        split(text)
            .into_iter()
            .map(|part| (part.line, &text[part.range]))
            .collect()
    }

    #[test]
    fn markers_at_column_0_end_documents() {
        assert_eq!(parts(""), []);
        assert_eq!(parts("\n\n"), []);
        assert_eq!(parts("a: 1"), [(1, "a: 1")]);
        assert_eq!(
            parts("---\na: |\n  x\n---\nb: 2\n"),
            [(1, "---\na: |\n  x\n"), (4, "---\nb: 2\n")]
        );
        assert_eq!(
            parts("a: 1\r\n...\r\nb: 2\r\n---\r\n"),
            [(1, "a: 1\r\n...\r\n"), (3, "b: 2\r\n"), (4, "---\r\n")]
        );
        assert_eq!(parts("a: 1\r---\rb: 2"), [(1, "a: 1\r"), (2, "---\rb: 2")]);
        assert_eq!(parts("a: 1\n---b\n ---\n"), [(1, "a: 1\n---b\n ---\n")]);
    }
}

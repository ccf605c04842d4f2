//! Replaces byte ranges of a text, and finds the lines around them.

use std::ops::Range;

/// A replacement for some bytes of a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TextSplice {
    pub range: Range<usize>,
    pub text: String,
}

impl TextSplice {
    pub fn new(range: Range<usize>, text: impl Into<String>) -> Self {
        Self {
            range,
            text: text.into(),
        }
    }

    /// An insertion.
    pub fn insert(at: usize, text: impl Into<String>) -> Self {
        Self::new(at..at, text)
    }
}

/// Applies all splices; `None` if two of them touch the same bytes.
pub(super) fn splice<'s>(
    text: &str,
    splices: impl IntoIterator<Item = &'s TextSplice>,
) -> Option<String> {
    let mut splices: Vec<&TextSplice> = splices.into_iter().collect();
    // An insertion where another splice starts comes first; several insertions keep the order of
    // the edits.
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let mut out = String::with_capacity(text.len() + 256);
    let mut at = 0;
    for splice in splices {
        // A range that starts before the last one ended is `None` here: two edits of the same bytes
        // cannot both be right.
        out.push_str(text.get(at..splice.range.start)?);
        out.push_str(&splice.text);
        at = splice.range.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// Just behind the line of a position, including its line break.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    match memchr::memchr2(b'\n', b'\r', rest) {
        Some(end) if rest[end..].starts_with(b"\r\n") => at + end + 2,
        Some(end) => at + end + 1,
        None => text.len(),
    }
}

/// The start of the line of a position.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at];
    memchr::memrchr2(b'\n', b'\r', before).map_or(0, |before| before + 1)
}

/// How the lines of a text end.
pub(super) fn line_break(text: &str) -> &'static str {
    match memchr::memchr2(b'\n', b'\r', text.as_bytes()) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        Some(at) if text[at..].starts_with('\r') => "\r",
        _ => "\n",
    }
}

/// Inserts whole lines after the line of a position.
pub(super) fn new_lines(text: &str, after: usize, lines: &[String]) -> TextSplice {
    let (at, end) = (line_end(text, after), line_break(text));
    // A file may end without a line break; the new lines then bring one before them and none after.
    let closed = text[..at].ends_with(['\n', '\r']);
    let mut new = String::new();
    for line in lines {
        if closed {
            new.push_str(line);
            new.push_str(end);
        } else {
            new.push_str(end);
            new.push_str(line);
        }
    }
    TextSplice::insert(at, new)
}

//! Replaces byte ranges of a text by others, and finds the lines around a byte. New lines use the
//! line ends of the file.

use std::ops::Range;

/// The replacement of one byte range.
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

    /// Inserts a text without replacing anything.
    pub fn insert(at: usize, text: impl Into<String>) -> Self {
        Self::new(at..at, text)
    }
}

/// Applies all splices. Returns `None` if two of them overlap.
pub(super) fn splice<'s>(
    text: &str,
    splices: impl IntoIterator<Item = &'s TextSplice>,
) -> Option<String> {
    let mut splices: Vec<&TextSplice> = splices.into_iter().collect();
    // An insertion at the start of a replaced range comes first. The sort is stable, so several
    // insertions at one place keep the order of the edits.
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let mut out = String::with_capacity(text.len() + 256);
    let mut at = 0;
    for splice in splices {
        // An overlap makes this range run backwards, which `get` refuses.
        out.push_str(text.get(at..splice.range.start)?);
        out.push_str(&splice.text);
        at = splice.range.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// The byte just behind the line that contains `at`, its line break included.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    match memchr::memchr2(b'\n', b'\r', rest) {
        Some(end) if rest[end..].starts_with(b"\r\n") => at + end + 2,
        Some(end) => at + end + 1,
        None => text.len(),
    }
}

/// The byte at which the line of `at` begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at];
    memchr::memrchr2(b'\n', b'\r', before).map_or(0, |before| before + 1)
}

/// The line break that the text uses, judged by its first one.
pub(super) fn line_break(text: &str) -> &'static str {
    match memchr::memchr2(b'\n', b'\r', text.as_bytes()) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        Some(at) if text[at..].starts_with('\r') => "\r",
        _ => "\n",
    }
}

/// Adds lines behind the line that contains `after`.
pub(super) fn new_lines(text: &str, after: usize, lines: &[String]) -> TextSplice {
    let (at, end) = (line_end(text, after), line_break(text));
    // A file may end without a line break, and then it stays that way.
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

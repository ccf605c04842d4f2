//! Takes whole records out of the bytes of a push, for what is stored of it. A table keeps an empty
//! line in the place of a row, and a list of objects an object without values: an empty record says
//! nothing, and the records after it keep their lines and their places. The result is read again:
//! what still names somebody who has to go is not handed out.

use super::RecordKeys;
use super::mapping::Mapping;
use super::read_with_keys;
use crate::model::{Key, LineColumn, RowMatches};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::ops::Range;
use std::sync::Arc;

/// Returns the bytes without the records that name one of these resources.
///
/// # Errors
///
/// If they cannot be taken out, with what to send instead.
pub fn without_records(
    bytes: &[u8],
    listed: &[RecordKeys],
    gone: &BTreeSet<Key>,
    (name, source): (&Arc<str>, &Arc<str>),
    mapping: &Mapping,
    matches: Option<&RowMatches>,
) -> Result<Vec<u8>, String> {
    let names = |record: &&RecordKeys| record.names_any(gone);
    let wrong = || {
        let first = listed.iter().find(names).map_or(0, |it| it.at.line);
        format!(
            "line {first}: the record names a user who was erased, and it cannot be taken out of what is stored; leave it out, or send JSON or CSV"
        )
    };
    let is_json = matches!(bytes.trim_ascii_start().first(), Some(b'[' | b'{'));
    let left = if is_json {
        let starts: BTreeSet<LineColumn> = listed.iter().filter(names).map(|it| it.at).collect();
        let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
        without_objects(text, &starts)
            .ok_or_else(wrong)?
            .into_bytes()
    } else {
        let lines = listed.iter().filter(names).flat_map(lines);
        blank_lines(bytes, &lines.collect())
    };
    let (read, again) = read_with_keys(Cursor::new(&left), name, source, mapping, matches);
    // Exactly the records that have to go are gone: one that is left out by mistake would be lost.
    let kept = listed.iter().filter(|it| !names(it) && !it.keys.is_empty());
    let found = again.iter().filter(|it| !it.keys.is_empty());
    let is_exact = kept.map(|it| &it.keys).eq(found.map(|it| &it.keys))
        && !again.iter().any(|it| it.fits_erased);
    if is_exact && read.complete {
        Ok(left)
    } else {
        Err(wrong())
    }
}

impl RecordKeys {
    /// Whether the record names one of these resources, or somebody who was erased without an id.
    #[must_use]
    pub fn names_any(&self, gone: &BTreeSet<Key>) -> bool {
        self.fits_erased || self.keys.iter().any(|key| gone.contains(key))
    }
}

/// The lines of a row.
fn lines(record: &RecordKeys) -> Range<u32> {
    let (at, end) = (record.at.line, record.end);
    // The last row may have no line end.
    let ends_before = end.column == 1 && end.line > at;
    at..if ends_before { end.line } else { end.line + 1 }
}

/// Replaces the values of the objects that begin at these places by `null`.
fn without_objects(text: &str, starts: &BTreeSet<LineColumn>) -> Option<String> {
    let mut left = String::with_capacity(text.len());
    let (mut line, mut column) = (1, 1);
    let mut rest = text;
    let mut starts = starts.iter().peekable();
    while let Some(start) = starts.peek() {
        if (LineColumn { line, column }) >= **start {
            starts.next();
            let mut objects =
                serde_json::Deserializer::from_str(rest).into_iter::<Map<String, Json>>();
            let names = objects.next()?.ok()?;
            let (object, after) = rest.split_at(objects.byte_offset());
            let blank: Map<String, Json> = names
                .into_iter()
                .map(|(name, _)| (name, Json::Null))
                .collect();
            left.push_str(&Json::Object(blank).to_string());
            // The lines of the records after it stay right.
            left.extend(object.chars().filter(|c| *c == '\n'));
            let last = object.rsplit('\n').next().unwrap_or_default();
            let width = u32::try_from(last.chars().count()).ok()?;
            let ends = u32::try_from(object.matches('\n').count()).ok()?;
            (line, column) = match ends {
                0 => (line, column + width),
                _ => (line + ends, 1 + width),
            };
            rest = after;
            continue;
        }
        let c = rest.chars().next()?;
        rest = &rest[c.len_utf8()..];
        left.push(c);
        (line, column) = match c {
            '\n' => (line + 1, 1),
            _ => (line, column + 1),
        };
    }
    left.push_str(rest);
    Some(left)
}

/// Leaves only the line ends of these lines. The lines are the same in every encoding that has the
/// letters of ASCII in their places.
fn blank_lines(bytes: &[u8], lines: &BTreeSet<u32>) -> Vec<u8> {
    let mut left = Vec::with_capacity(bytes.len());
    let (mut line, mut before) = (1, None);
    let mut is_gone = lines.contains(&line);
    for byte in bytes {
        let is_end = matches!(byte, b'\r' | b'\n');
        if is_end || !is_gone {
            left.push(*byte);
        }
        if is_end && !(*byte == b'\n' && before == Some(b'\r')) {
            line += 1;
            is_gone = lines.contains(&line);
        }
        before = Some(*byte);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(places: &[(u32, u32)]) -> BTreeSet<LineColumn> {
        let places = places.iter();
        places
            .map(|(line, column)| LineColumn {
                line: *line,
                column: *column,
            })
            .collect()
    }

    #[test]
    fn records_leave_and_the_others_keep_their_lines() {
        let json = "[{\"id\": \"å\",\n \"n\": [1]}, {\"id\": \"b\"}, {\"id\": \"c\"}]";
        let left = without_objects(json, &starts(&[(1, 2), (2, 26)]));
        assert_eq!(
            left.as_deref(),
            Some("[{\"id\":null,\"n\":null}\n, {\"id\": \"b\"}, {\"id\":null}]")
        );
        assert_eq!(without_objects("[1]", &starts(&[(1, 2)])), None);
        let csv = "id;n\r\na;\"x\ny\"\r\nb;z\r\n";
        let left = |bytes: &str, lines: &[u32]| {
            let left = blank_lines(bytes.as_bytes(), &lines.iter().copied().collect());
            String::from_utf8(left).expect("text")
        };
        assert_eq!(left(csv, &[2, 3]), "id;n\r\n\n\r\nb;z\r\n");
        assert_eq!(left(csv, &[4]), "id;n\r\na;\"x\ny\"\r\n\r\n");
        assert_eq!(left("a\rb\rc", &[2]), "a\r\rc");
    }
}

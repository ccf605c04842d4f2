//! Takes whole records out of the bytes of a push, for what is stored of it. A table keeps an empty
//! line in the place of a row, and a list of objects an object without values: an empty record says
//! nothing, and the records after it keep their lines and their places. The result is read again:
//! what still names somebody who has to go is not handed out.

use super::RecordKeys;
use super::mapping::Mapping;
use super::read_with_keys;
use crate::model::{Key, LineColumn};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use std::io::Cursor;
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
) -> Result<Vec<u8>, String> {
    let names = |record: &&RecordKeys| record.keys.iter().any(|key| gone.contains(key));
    let starts: BTreeSet<LineColumn> = listed.iter().filter(names).map(|it| it.at).collect();
    let wrong = || {
        "a record names a user who was erased and cannot be taken out; send JSON or CSV in UTF-8, or leave the record out".to_owned()
    };
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    let is_json = matches!(text.trim_start().chars().next(), Some('[' | '{'));
    let left = if is_json {
        without_objects(text, &starts)
    } else {
        Some(without_rows(text, &starts))
    };
    let left = left.ok_or_else(wrong)?.into_bytes();
    let (_, again) = read_with_keys(Cursor::new(&left), name, source, mapping, None);
    let kept = listed.len() - starts.len();
    let is_whole = again.iter().filter(|it| !it.keys.is_empty()).count() <= kept;
    if is_whole && !again.iter().any(|it| names(&it)) {
        Ok(left)
    } else {
        Err(wrong())
    }
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

/// Leaves only the line ends of the rows that begin in these lines.
fn without_rows(text: &str, starts: &BTreeSet<LineColumn>) -> String {
    let lines: BTreeSet<u32> = starts.iter().map(|at| at.line).collect();
    let mut left = String::with_capacity(text.len());
    let (mut line, mut is_quoted) = (1, false);
    let rows = text.split_inclusive(move |c| {
        is_quoted ^= c == '"';
        c == '\n' && !is_quoted
    });
    for row in rows {
        let is_gone = lines.contains(&line);
        left.extend(row.chars().filter(|c| !is_gone || "\r\n".contains(*c)));
        line += u32::try_from(row.matches('\n').count()).unwrap_or_default();
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
        assert_eq!(
            without_rows(csv, &starts(&[(2, 1)])),
            "id;n\r\n\n\r\nb;z\r\n"
        );
        assert_eq!(
            without_rows(csv, &starts(&[(4, 1)])),
            "id;n\r\na;\"x\ny\"\r\n\r\n"
        );
    }
}

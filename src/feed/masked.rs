//! Takes the passwords out of the bytes of an export, for what is stored of a push. Their characters
//! become spaces, so that every place in a message stays right. The result is read again: what still
//! has a password is not handed out.

use super::mapping::Mapping;
use super::{ParsedExport, read};
use crate::model::{LineColumn, SecretText};
use std::io::Cursor;
use std::sync::Arc;

/// Returns the bytes without the passwords that `parsed` found in them; `None` if there are none.
///
/// # Errors
///
/// If they cannot be taken out, with what to send instead.
pub fn without_passwords(
    bytes: &[u8],
    parsed: &ParsedExport,
    name: &Arc<str>,
    mapping: &Mapping,
) -> Result<Option<Vec<u8>>, String> {
    let secrets = &parsed.secret_cells;
    if let Some(at) = secrets.unclear_row {
        return Err(format!(
            "line {}: passwords in this record cannot be told from other values; correct the record, or send it without them",
            at.line
        ));
    }
    if secrets.cells.is_empty() {
        return Ok(None);
    }
    let wrong = || {
        "the passwords cannot be taken out of what is stored; send JSON or CSV in UTF-8, with each password as a text, or send no passwords".to_owned()
    };
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    let mut places = secrets.cells.clone();
    places.sort_by_key(|(at, _)| *at);
    let masked = mask(text, &places).ok_or_else(wrong)?.into_bytes();
    let again = read(Cursor::new(&masked), name, &parsed.desired.source, mapping);
    let is_clean = again.secret_cells.cells.is_empty()
        && again.complete == parsed.complete
        && again.records == parsed.records
        && again.desired.resources.len() == parsed.desired.resources.len();
    if is_clean {
        Ok(Some(masked))
    } else {
        Err(wrong())
    }
}

/// Replaces the characters of cells by spaces; `None` where one is not found.
fn mask(text: &str, places: &[(LineColumn, SecretText)]) -> Option<String> {
    let mut masked = String::with_capacity(text.len());
    let (mut places, mut line, mut column) = (places.iter().peekable(), 1, 1);
    let mut rest = text;
    while let Some((at, secret)) = places.peek() {
        let here = LineColumn { line, column };
        if here >= *at {
            places.next();
            let length = cell_length(rest, secret)?;
            let (cell, after) = rest.split_at(length);
            let last = cell.chars().count().saturating_sub(1);
            let is_quoted = cell.starts_with('"');
            // Only the quotes around it stay. Within it, they are part of the password.
            let stays = |at: usize| is_quoted && (at == 0 || at == last);
            masked.extend((0..=last).map(|at| if stays(at) { '"' } else { ' ' }));
            column += u32::try_from(last + 1).ok()?;
            rest = after;
            continue;
        }
        let c = rest.chars().next()?;
        rest = &rest[c.len_utf8()..];
        masked.push(c);
        (line, column) = match c {
            '\n' => (line + 1, 1),
            _ => (line, column + 1),
        };
    }
    masked.push_str(rest);
    Some(masked)
}

/// The bytes of the cell with a password that begins here.
fn cell_length(text: &str, secret: &SecretText) -> Option<usize> {
    let Some(inner) = text.strip_prefix('"') else {
        return text
            .starts_with(secret.expose())
            .then(|| secret.expose().len());
    };
    // JSON escapes a quote by a backslash and CSV doubles it.
    let bytes = inner.as_bytes();
    let mut at = 0;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'\\', Some(_)) | (b'"', Some(b'"')) => at += 2,
            (b'"', _) => return Some(at + 2),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str, at: (u32, u32), secret: &str) -> Option<String> {
        let (line, column) = at;
        let place = (LineColumn { line, column }, SecretText::new(secret));
        mask(text, &[place])
    }

    #[test]
    fn a_password_becomes_spaces_and_everything_else_stays_in_its_place() {
        for (text, at, secret, left) in [
            (
                "id;pw\nå;Geheim12;x",
                (2, 3),
                "Geheim12",
                "id;pw\nå;        ;x",
            ),
            ("a,\"Ge\"\"1\",b", (1, 3), "Ge\"1", "a,\"     \",b"),
            (
                "[{\"p\": \"G\\\"1\"}]",
                (1, 8),
                "G\"1",
                "[{\"p\": \"    \"}]",
            ),
        ] {
            assert_eq!(masked(text, at, secret).as_deref(), Some(left));
        }
        assert_eq!(masked("a;b", (1, 3), "Geheim12"), None);
        assert_eq!(masked("\"open", (1, 1), "open"), None);
    }
}

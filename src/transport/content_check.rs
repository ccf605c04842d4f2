//! Recognises answers with a good status that are not exports: HTML pages and reports of an error.
//! An expired session often answers with a login page and 200.

use super::error::{TransportError, one_line};
use super::location::ExportLocation;
use serde_json::{Map, Value};

/// How an HTML page begins.
const PAGE: [&[u8]; 6] = [
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<body",
    b"<script",
    b"<!--",
];
/// Names of members that hold an error.
const ERRORS: [&str; 6] = [
    "error",
    "errors",
    "fault",
    "faultstring",
    "exception",
    "error_description",
];
/// Names of members that hold its text.
const WORDS: [&str; 6] = [
    "message",
    "error_description",
    "description",
    "detail",
    "title",
    "code",
];

/// Returns an error if the content does not begin like data. `whole` says that nothing follows
/// `head`.
pub(super) fn check_is_data(
    place: &ExportLocation,
    head: &[u8],
    whole: bool,
) -> Result<(), TransportError> {
    let start = start(head);
    let is_page = PAGE.iter().any(|page| {
        let beginning = start.get(..page.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(page))
    });
    if is_page {
        return Err(html_page_error(&place.to_string(), head));
    }
    // Only if all of it was seen: an object that goes on may still contain the list.
    match find_error_text(head).filter(|_| whole) {
        None => Ok(()),
        Some(said) => Err(TransportError::NotData {
            place: place.to_string(),
            what: format!("it reports an error: {}", place.redact(&said)),
        }),
    }
}

/// Builds the error for an HTML page, with its title if it has one.
pub(super) fn html_page_error(place: &str, head: &[u8]) -> TransportError {
    let text = String::from_utf8_lossy(head);
    // ASCII only, so that the length stays the same and positions fit both texts.
    let folded = text.to_ascii_lowercase();
    let title = folded.find("<title").and_then(|from| {
        let from = from + folded[from..].find('>')? + 1;
        let to = from + folded[from..].find('<')?;
        Some(one_line(&text[from..to]))
    });
    let what = match title.filter(|title| !title.is_empty()) {
        Some(title) => format!("it is an HTML page, “{title}”"),
        None => "it is an HTML page".to_owned(),
    };
    TransportError::NotData {
        place: place.to_owned(),
        what,
    }
}

/// Returns the error that an answer reports, if it is an object with an error and no filled list of
/// anything else.
pub(super) fn find_error_text(body: &[u8]) -> Option<String> {
    if !start(body).starts_with(b"{") {
        return None;
    }
    let object: Map<String, Value> = serde_json::from_slice(start(body)).ok()?;
    let is_error = |name: &str| ERRORS.contains(&name.to_lowercase().as_str());
    // An empty list beside an error is no data: many systems send `{"items": [], "error": ..}`.
    let has_data = object.iter().any(|(name, value)| {
        let filled = value.as_array().is_some_and(|list| !list.is_empty());
        filled && !is_error(name)
    });
    if has_data {
        return None;
    }
    let mut told = object.iter().filter(|(name, _)| is_error(name));
    let (_, error) = told.find(|(_, value)| says_something(value))?;
    Some(one_line(&words(error, &object)))
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Bool(true) => true,
        // `0` is the usual code for no error.
        Value::Number(number) => number.as_f64() != Some(0.0),
    }
}

/// Returns the text of an error. It is often beside the error and not in it:
/// `{"error": "invalid_token", "error_description": ..}`.
fn words(error: &Value, around: &Map<String, Value>) -> String {
    let among = |object: &Map<String, Value>| {
        let mut found = WORDS.iter().filter_map(|name| object.get(*name)?.as_str());
        found.next().map(str::to_owned)
    };
    match error {
        Value::String(text) => match among(around) {
            Some(more) if more != *text => format!("{text}: {more}"),
            _ => text.clone(),
        },
        Value::Object(object) => among(object).unwrap_or_else(|| error.to_string()),
        Value::Array(list) => list.first().map_or_else(String::new, |first| match first {
            Value::String(_) | Value::Object(_) => words(first, &Map::new()),
            other => other.to_string(),
        }),
        other => among(around).unwrap_or_else(|| other.to_string()),
    }
}

/// Skips a byte order mark and spaces.
fn start(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.trim_ascii_start()
}

#[cfg(test)]
mod tests {
    use super::super::location::{FileLocation, LIMIT, LocationKind, TIMEOUT};
    use super::*;

    fn place() -> ExportLocation {
        ExportLocation {
            kind: LocationKind::File(FileLocation {
                path: "/c.csv".into(),
                done: None,
            }),
            limit: LIMIT,
            timeout: TIMEOUT,
        }
    }

    #[test]
    fn a_page_is_no_data_and_its_title_is_said() {
        for page in [
            "<!DOCTYPE html><html><head><title>Sign in</title>",
            "\u{feff}\n <HTML><TITLE lang=en>Sign in</TITLE>",
        ] {
            let error = check_is_data(&place(), page.as_bytes(), true).unwrap_err();
            assert_eq!(
                error.to_string(),
                "/c.csv does not contain data: it is an HTML page, “Sign in”"
            );
        }
        for data in ["", "id;name\n1;<html>\n", "[]", "<?xml version='1.0'?><a/>"] {
            assert!(
                check_is_data(&place(), data.as_bytes(), true).is_ok(),
                "{data}"
            );
        }
    }

    #[test]
    fn an_error_is_no_data_and_its_words_are_said() {
        for (body, said) in [
            (r#"{"error": "no licence"}"#, "no licence"),
            (
                r#"{"error": {"code": "A1", "message": "no licence"}}"#,
                "no licence",
            ),
            (r#"{"errors": [{"detail": "no licence"}]}"#, "no licence"),
            (
                r#"{"error": "invalid_token", "error_description": "it expired"}"#,
                "invalid_token: it expired",
            ),
            (r#"{"error": true, "message": "down"}"#, "down"),
        ] {
            assert_eq!(find_error_text(body.as_bytes()).as_deref(), Some(said));
        }
        for body in [
            r#"{"error": null, "value": []}"#,
            r#"{"errors": [], "items": [{"id": 1}]}"#,
            r#"{"error": "2 rows were left out", "items": [{"id": 1}]}"#,
            r#"[{"error": "x"}]"#,
            "id;error\n",
        ] {
            assert_eq!(find_error_text(body.as_bytes()), None, "{body}");
        }
    }
}

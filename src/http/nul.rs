//! Refuses the character U+0000 wherever a request can carry it: in the address, in a form and in
//! JSON. PostgreSQL cannot store it, and no name, id or reason contains it.

use super::problem::{self, HttpProblem};
use axum::http::header;
use axum::http::request::Parts;
use serde_json::Value;

pub(super) fn refuse_in_address(parts: &Parts) -> Result<(), HttpProblem> {
    let address = parts.uri.path_and_query().map_or("", |it| it.as_str());
    if address.contains("%00") {
        return Err(HttpProblem::bad_request(
            "the address contains a NUL character (`%00`)",
        ));
    }
    Ok(())
}

pub(super) fn refuse_in_body(parts: &Parts, body: &[u8]) -> Result<(), HttpProblem> {
    let media = parts.headers.get(header::CONTENT_TYPE);
    let media = media.and_then(|value| value.to_str().ok()).unwrap_or("");
    let contains = if media.starts_with("application/x-www-form-urlencoded") {
        body.contains(&0) || contains_text(body, b"%00")
    } else {
        // Parsed only if the escape sequence is there: a body may be large, and hardly any has it.
        media.starts_with("application/json")
            && contains_text(body, b"\\u0000")
            && serde_json::from_slice(body).is_ok_and(|value| has_nul(&value))
    };
    if contains {
        return Err(HttpProblem::new(
            problem::INVALID,
            "a text contains a NUL character (U+0000)",
        ));
    }
    Ok(())
}

fn contains_text(body: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(body, text).is_some()
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => {
            let mut members = members.iter();
            members.any(|(name, value)| name.contains('\0') || has_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

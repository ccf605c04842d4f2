//! Refuses the character U+0000 in addresses and forms. PostgreSQL cannot store it, and no name, id
//! or reason contains it.

use super::problem::{self, HttpProblem};
use axum::http::header;
use axum::http::request::Parts;

pub(super) fn refuse_in_address(parts: &Parts) -> Result<(), HttpProblem> {
    let address = parts.uri.path_and_query().map_or("", |it| it.as_str());
    if address.contains("%00") {
        return Err(HttpProblem::bad_request(
            "the address contains a NUL character (`%00`)",
        ));
    }
    Ok(())
}

pub(super) fn refuse_in_form(parts: &Parts, body: &[u8]) -> Result<(), HttpProblem> {
    let media = parts.headers.get(header::CONTENT_TYPE);
    let media = media.and_then(|value| value.to_str().ok()).unwrap_or("");
    let is_form = media.starts_with("application/x-www-form-urlencoded");
    let contains = is_form && (body.contains(&0) || memchr::memmem::find(body, b"%00").is_some());
    if contains {
        return Err(HttpProblem::new(
            problem::INVALID,
            "a text contains a NUL character (U+0000)",
        ));
    }
    Ok(())
}

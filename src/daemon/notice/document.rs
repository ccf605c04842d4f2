//! The JSON form of a notice, for webhooks of programs.

use super::{Notice, NoticeDetail};
use chrono::SecondsFormat;
use serde_json::{Value, json};

/// The version of the document. A program that reads version 1 can read every document of version
/// 1.
const FORMAT_VERSION: &str = "1";
/// The number of details. `more` counts the rest.
const MAX_DETAILS: usize = 100;

/// Returns the document of a notice. It has the same bytes on every attempt.
#[must_use]
pub fn document(notice: &Notice, delivery: &str) -> String {
    let details: Vec<Value> = notice
        .details
        .iter()
        .take(MAX_DETAILS)
        .map(detail)
        .collect();
    json!({
        "formatVersion": FORMAT_VERSION,
        "id": delivery,
        "event": notice.event.word(),
        "source": notice.source,
        "environment": notice.environment,
        "revision": notice.revision,
        "since": notice.since.to_rfc3339_opts(SecondsFormat::Secs, true),
        "summary": notice.summary,
        "counts": notice.counts,
        "details": details,
        "more": notice.details.len().saturating_sub(MAX_DETAILS),
        "url": notice.url,
        "command": notice.command,
    })
    .to_string()
}

fn detail(detail: &NoticeDetail) -> Value {
    let place = detail.place.as_ref();
    json!({
        "what": detail.what,
        "code": detail.code,
        "resource": detail.resource,
        "field": detail.field,
        "origin": place.map(|place| json!({
            "path": place.path,
            "line": place.line,
            "column": place.column,
        })),
    })
}

//! The JSON form.

use super::{Detail, Notice};
use chrono::SecondsFormat;
use serde_json::{Value, json};

/// The version of the document: a reader of `1` reads every `1`.
const FORMAT_VERSION: &str = "1";
/// How many details it carries; `more` counts the rest.
const MOST: usize = 100;

/// The document of a notice; the same bytes on every attempt.
#[must_use]
pub fn document(notice: &Notice, delivery: &str) -> String {
    let details: Vec<Value> = notice.details.iter().take(MOST).map(detail).collect();
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
        "more": notice.details.len().saturating_sub(MOST),
        "url": notice.url,
        "command": notice.command,
    })
    .to_string()
}

fn detail(detail: &Detail) -> Value {
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

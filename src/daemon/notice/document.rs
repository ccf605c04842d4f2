//! The JSON form of a notice, for webhooks of programs.

use super::{Notice, NoticeDetail, NoticeOrigin};
use crate::document::{NoticeDetailDocument, NoticeDocument, NoticeOriginDocument};
use chrono::SecondsFormat;

/// The version of the document. A program that reads version 1 can read every document of version
/// 1.
const FORMAT_VERSION: &str = "1";
/// The number of details. `more` counts the rest.
const MAX_DETAILS: usize = 100;

/// Returns the document of a notice. It has the same bytes on every attempt.
#[must_use]
pub fn document(notice: &Notice, delivery: &str) -> String {
    let details = notice.details.iter().take(MAX_DETAILS);
    let document = NoticeDocument {
        format_version: FORMAT_VERSION,
        id: delivery,
        event: notice.event.word(),
        source: &notice.source,
        environment: notice.environment.as_deref(),
        revision: notice.revision.as_deref(),
        since: notice.since.to_rfc3339_opts(SecondsFormat::Secs, true),
        summary: &notice.summary,
        counts: &notice.counts,
        details: details.map(NoticeDetailDocument::from).collect(),
        more: notice.details.len().saturating_sub(MAX_DETAILS),
        url: notice.url.as_deref(),
        command: notice.command.as_deref(),
    };
    // A notice has no keys that JSON cannot have.
    serde_json::to_string(&document).unwrap_or_default()
}

impl<'a> From<&'a NoticeDetail> for NoticeDetailDocument<'a> {
    fn from(detail: &'a NoticeDetail) -> Self {
        Self {
            what: &detail.what,
            code: detail.code.as_deref(),
            resource: detail.resource.as_deref(),
            field: detail.field.as_deref(),
            origin: detail.place.as_ref().map(NoticeOriginDocument::from),
        }
    }
}

impl<'a> From<&'a NoticeOrigin> for NoticeOriginDocument<'a> {
    fn from(place: &'a NoticeOrigin) -> Self {
        Self {
            path: &place.path,
            line: place.line,
            column: place.column,
        }
    }
}

//! Notices, as webhooks receive them.

use serde::Serialize;
use std::collections::BTreeMap;

/// A notice.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeDocument<'a> {
    /// The version of the format.
    pub format_version: &'static str,
    /// The id of the delivery, the same on every attempt.
    pub id: &'a str,
    /// What happened.
    pub event: &'static str,
    pub source: &'a str,
    pub environment: Option<&'a str>,
    /// The revision of the source.
    pub revision: Option<&'a str>,
    /// Since when it is so.
    pub since: String,
    /// One sentence, without values of customers.
    pub summary: &'a str,
    /// How many of what: `errors`, `steps`, `held`.
    pub counts: &'a BTreeMap<String, u64>,
    /// The first things that the notice is about.
    pub details: Vec<NoticeDetailDocument<'a>>,
    /// How many more there are.
    pub more: usize,
    /// Where more is shown.
    pub url: Option<&'a str>,
    /// The command that approves a hold.
    pub command: Option<&'a str>,
}

/// One of the things that a notice is about.
#[derive(Debug, Serialize)]
pub struct NoticeDetailDocument<'a> {
    /// What, without values of customers.
    pub what: &'a str,
    /// The code of the rule.
    pub code: Option<&'a str>,
    /// The resource, such as `User/u-1`.
    pub resource: Option<&'a str>,
    pub field: Option<&'a str>,
    pub origin: Option<NoticeOriginDocument<'a>>,
}

/// A place in a file; the line is 0 if the whole file is meant.
#[derive(Debug, Serialize)]
pub struct NoticeOriginDocument<'a> {
    pub path: &'a str,
    pub line: u64,
    pub column: u64,
}

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
    /// The start of the state.
    pub since: String,
    /// One sentence, without values of customers.
    pub summary: &'a str,
    /// Counts by name: `errors`, `steps`, `held`.
    pub counts: &'a BTreeMap<String, u64>,
    /// The first diagnostics or held steps.
    pub details: Vec<NoticeDetailDocument<'a>>,
    /// The number of details that are left out.
    pub more: usize,
    /// The page of the source.
    pub url: Option<&'a str>,
    /// The command that approves a hold.
    pub command: Option<&'a str>,
}

/// A diagnostic or held step of a notice.
#[derive(Debug, Serialize)]
pub struct NoticeDetailDocument<'a> {
    /// What is wrong or held, without values of customers.
    pub what: &'a str,
    /// The code of the rule.
    pub code: Option<&'a str>,
    /// The resource, such as `User/u-1`.
    pub resource: Option<&'a str>,
    pub field: Option<&'a str>,
    pub origin: Option<NoticeOriginDocument<'a>>,
}

/// A place in a file. Line 0 stands for the whole file.
#[derive(Debug, Serialize)]
pub struct NoticeOriginDocument<'a> {
    pub path: &'a str,
    pub line: u64,
    pub column: u64,
}

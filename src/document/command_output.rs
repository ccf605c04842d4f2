//! What small commands print as JSON: leases, the verification of the history, test notices, and
//! what a command asked a daemon to do.

use super::OmittedDocument;
use serde::Serialize;

/// A lease, and who holds it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseDocument<'a> {
    pub scope: &'a str,
    pub holder: &'a str,
    pub host: &'a str,
    pub pid: i64,
    pub acquired_at: i64,
    pub expires_at: i64,
}

/// A resource that was printed and is no longer there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GoneResourceDocument<'a> {
    pub kind: &'a str,
    pub external_id: &'a str,
    /// Why: `deleted` or `no longer matches`.
    pub gone: &'a str,
}

/// Whether the hash chain of the history is intact.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum VerificationDocument<'a> {
    Sound {
        sound: bool,
        runs: u64,
        changes: u64,
    },
    Broken {
        sound: bool,
        /// The first run that does not fit.
        run: i64,
        /// What is wrong with it.
        what: &'a str,
    },
}

/// The result of a test notice.
#[derive(Debug, Serialize)]
pub struct TestNoticeDocument<'a> {
    pub name: &'a str,
    /// The address, without secrets.
    pub to: String,
    pub sent: bool,
    pub error: Option<String>,
}

/// What was done, in a sentence.
#[derive(Debug, Serialize)]
pub struct DoneDocument<'a> {
    pub done: &'a str,
}

/// A comment on a pull request.
#[derive(Debug, Serialize)]
pub struct CommentDocument<'a> {
    /// `created`, `updated` or `unchanged`.
    pub outcome: &'a str,
    /// The id on the platform.
    pub id: u64,
    /// The address, if the platform says it.
    pub url: Option<&'a str>,
}

/// The last lines of a list of diagnostics: how many more of a rule there are.
#[derive(Debug, Serialize)]
pub struct TruncatedLine<'a> {
    pub truncated: OmittedDocument<'a>,
}

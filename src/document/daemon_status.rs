//! The state of a daemon and its sources, as the API, the page and `roster status` show it.

use super::{DiagnosticState, HoldState, SourceState};
use crate::store::ActRecord;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The state of the daemon and its sources.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DaemonStatus {
    /// The replica that answers.
    pub replica: String,
    /// The release of the replica.
    pub version: Cow<'static, str>,
    /// The environment that it serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The time on the replica's clock.
    pub time: DateTime<Utc>,
    /// Every source, in the order of the configuration.
    pub sources: Vec<SourceView>,
    /// What is wrong with the directory now, such as policies that nobody can act on. Only the
    /// first ones, and only for callers who see every source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<DiagnosticState>,
    /// The number of unsent notices.
    pub notices: u64,
    /// Why the last unsent notice could not be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice_error: Option<String>,
    /// Why the last reload of the configuration failed. The previous configuration is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reload_error: Option<String>,
}

/// The state of a source.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceView {
    /// The name of the source.
    pub name: String,
    /// Where the source is read from, without secrets.
    pub from: String,
    /// `apply`, or `plan` for a source that only plans.
    pub mode: Cow<'static, str>,
    /// One sentence that explains the state. If nothing happens, it says why.
    pub why: String,
    /// Who suspended the source, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended: Option<SuspensionView>,
    /// The window that prevents applies at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<ClosedWindow>,
    /// When the last pass ended, on any replica, with any result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<DateTime<Utc>>,
    /// What the answering replica does with the source now.
    pub activity: WorkerActivity,
    /// The replica that ran the last pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
    /// The result of the last pass.
    pub state: SourceState,
}

/// Who suspended a source, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuspensionView {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Whether every source is suspended.
    pub all: bool,
}

/// A window that prevents applies.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClosedWindow {
    /// The window, as written in the configuration.
    pub by: String,
    /// When applies are possible again. Absent if there is no such time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// A hold with its source.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldView {
    /// The same id as `hold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The source.
    pub source: String,
    /// The approval for the next pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalView>,
    /// The people who have approved the hold as a whole. Absent once enough people have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<String>,
    /// The resources that people have approved, and not enough of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved_parts: Vec<PartApproval>,
    /// Who decided that it is not to be applied, unless somebody approved it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<RejectionView>,
    /// The hold.
    #[serde(flatten)]
    pub hold: HoldState,
}

impl HoldView {
    /// Whether some people have approved it, and more have to.
    #[must_use]
    pub fn needs_more_people(&self) -> bool {
        !self.approved_by.is_empty() || !self.approved_parts.is_empty()
    }
}

/// Who has approved a resource of a hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartApproval {
    /// The resource, as `User/u-1`.
    pub resource: String,
    /// The people, those who have approved the whole hold included.
    pub by: Vec<String>,
}

/// Holds, those that need a decision first.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct HoldListDocument {
    /// The holds.
    pub items: Vec<HoldView>,
}

/// A rejection of a hold. It stays held, and nobody has to decide about it any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RejectionView {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// An approval of a hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalView {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
    /// When the approval expires, if it is not used before.
    pub lapses: DateTime<Utc>,
    /// The approved resources. Absent: all of the hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<String>>,
}

/// An act of a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActView {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// What.
    pub act: String,
    /// The source or hold that the act concerns.
    pub subject: String,
    /// Why.
    pub reason: String,
}

impl From<ActRecord> for ActView {
    fn from(act: ActRecord) -> Self {
        Self {
            at: DateTime::from_timestamp_millis(act.at).unwrap_or_default(),
            actor: act.actor,
            act: act.act,
            subject: act.subject,
            reason: act.reason,
        }
    }
}

/// What the worker of a source does now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "now")]
pub enum WorkerActivity {
    /// The worker is idle.
    #[serde(rename_all = "camelCase")]
    Waiting {
        /// The time of the next pass, unless a trigger comes earlier.
        next: DateTime<Utc>,
        /// Why the last trigger had no effect.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// The worker runs a pass.
    #[serde(rename_all = "camelCase")]
    Working {
        /// Since when.
        since: DateTime<Utc>,
    },
}

/// A requested pass.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReconcileReply {
    /// The sources.
    pub sources: Vec<String>,
}

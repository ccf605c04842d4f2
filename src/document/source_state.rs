//! The state of one source: kept in the database, and shown by the API, the page, the metrics and
//! `roster status`.

use super::FieldChangeDocument;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The result of a pass of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PassOutcome {
    /// There was no pass yet.
    #[default]
    Never,
    /// Changes were committed.
    Applied,
    /// The database already matched.
    Unchanged,
    /// The source is in mode `plan`: the pass only planned.
    Planned,
    /// Changes are not applied until a window opens.
    WindowClosed,
    /// Errors of the source refused the plan. Nothing was applied.
    Refused,
    /// The source or the database could not be read or written. Roster tries again.
    Failed,
}

impl PassOutcome {
    /// The word for it in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Planned => "planned",
            Self::WindowClosed => "window-closed",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A revision of a source at a point in time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionMark {
    /// A git commit or a content digest.
    pub revision: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The run that committed its changes. Absent if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
}

/// The commits of a source since another commit.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitList {
    /// The number of commits.
    pub count: usize,
    /// The newest commits, newest first.
    pub listed: Vec<CommitSummary>,
}

/// A commit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitSummary {
    /// The full id of the commit.
    pub revision: String,
    /// The name of the author.
    pub author: String,
    /// The first line of the commit message.
    pub subject: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A hold that needs a decision, or a standing hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldState {
    /// The id for an approval. Absent if nobody can approve this hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// The code of the rule.
    pub code: String,
    /// What is held, and why.
    pub message: String,
    /// The held verb.
    pub verb: String,
    /// The number of resources.
    pub count: usize,
    /// The first resources, such as `User/u-1`.
    pub resources: Vec<String>,
    /// What each of these is, and what would change of it. Large holds list only the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<HeldResource>,
    /// Of a guard: the number that it counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<u64>,
    /// Of a guard: the largest number that it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The commits that declared it, if it comes from a git repository: those that changed what it
    /// holds back since that was last applied. Empty if they are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits: Option<CommitList>,
    /// What is deleted or changed together with held accounts, such as `deactivate User/u-1`: the
    /// first ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consequences: Vec<String>,
    /// How many these are in all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub consequence_count: usize,
    /// Who would gain or lose what if it were approved, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<String>,
    /// How many people have to approve it, if one is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals_needed: Option<u32>,
    /// Whom these effects are about, and what causes them: the first lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effect_lines: Vec<String>,
    /// The accounts of the held users, organisations and policies, as far as the plan names them.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Whether this is a standing hold, which needs no decision.
    pub standing: bool,
    /// Since when every pass has had this hold.
    pub since: DateTime<Utc>,
    /// The commands that approve the hold.
    pub commands: Vec<String>,
    /// What to do if no command can approve the hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// The run whose revert is held. Absent if a plan of the source holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<i64>,
}

/// A resource of a hold, with what would change of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HeldResource {
    /// The resource, such as `User/u-1`.
    pub resource: String,
    /// The name that is stored of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The path, line and column where it is declared or, for a removal, was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The held changes, one per field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChangeDocument<'static>>,
    /// The commit that declared it as it is now, if git could follow it in its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Whether only the plan has its changes, because those before it are long.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub changes_omitted: bool,
    /// Which recorded changes it would take back, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reverts: Vec<String>,
}

/// An approval that a run used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsedApproval {
    /// Who approved.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A diagnostic of a pass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiagnosticState {
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// The code of the rule.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The resource, such as `User/u-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The path, line and column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Whether the place is in what is proposed, and in no file yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proposed: bool,
}

/// The state of one source.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceState {
    /// The result of the last pass.
    pub outcome: PassOutcome,
    /// One sentence that explains the result. If nothing happened, it says why.
    pub reason: String,
    /// Since when passes have had the same result.
    pub since: Option<DateTime<Utc>>,
    /// Since when the database has differed from the source, or the source has been unreadable.
    /// Absent if they are equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind_since: Option<DateTime<Utc>>,
    /// The last revision that a pass read.
    pub last_attempted: Option<RevisionMark>,
    /// The last revision that was applied, apart from held and refused parts.
    pub last_applied: Option<RevisionMark>,
    /// The commits between the last applied revision and the one that the pass read. Commits that
    /// do not change the source are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<CommitList>,
    /// The last commit that changed the source, for a git repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitSummary>,
    /// Who gains or loses what by the last plan, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effects: Option<String>,
    /// The approvals that the last pass used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<UsedApproval>,
    /// The number of failed passes in a row.
    pub failures: u32,
    /// The triggers of the last pass.
    pub triggers: BTreeSet<String>,
    /// The number of resources per verb of the last plan.
    pub summary: BTreeMap<String, u64>,
    /// The holds that need a decision, and standing holds.
    pub held: Vec<HoldState>,
    /// The number of errors.
    pub errors: usize,
    /// The number of warnings.
    pub warnings: usize,
    /// The first diagnostics, errors first.
    pub findings: Vec<DiagnosticState>,
    /// The number of resources with drift.
    pub drift: usize,
    /// The commit before the branch was rewound or force-pushed.
    pub rewound: Option<String>,
    /// The duration of each phase of the last pass, in seconds.
    pub seconds: BTreeMap<String, f64>,
    /// The last run of the source that was reported.
    pub run: Option<i64>,
    /// When a pass last compared every column, regardless of versions.
    pub scrubbed: Option<DateTime<Utc>>,
    /// For an export: its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedState>,
}

/// The state of the last export of a source.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FeedState {
    /// The name of the export.
    pub name: String,
    /// The digest of its bytes.
    pub digest: String,
    /// The number of rows.
    pub rows: u64,
    /// The number of rows in the trailer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trailer: Option<u64>,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// Whether the export was read to its end.
    pub complete: bool,
    /// Why nothing of the export is used, if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<ExportRejection>,
    /// When the export was written, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_at: Option<DateTime<Utc>>,
    /// Why this is not a new export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same: Option<String>,
    /// Whether the source was approved. Until then its passes only plan.
    pub begun: bool,
    /// How many of the last hundred exports were accepted.
    pub accepted: u64,
    /// When the last export was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<DateTime<Utc>>,
    /// Resources that accepted exports no longer name, by how many exports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingResources>,
    /// Whether there is a report of faulty rows.
    pub report: bool,
}

/// Why nothing of an export is used.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct ExportRejection {
    /// The code of the rule.
    pub code: String,
    /// What is wrong.
    pub message: String,
}

/// Resources that this many accepted exports in a row did not name.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct MissingResources {
    /// The number of exports.
    pub missed: u32,
    /// The number of exports after which a resource is deactivated. Absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<u32>,
    /// The number of resources.
    pub count: usize,
    /// The first resources.
    pub resources: Vec<String>,
}

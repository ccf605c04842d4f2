//! What a run came from and what it did to whom, kept with the run.

use super::{CommitList, UsedApproval};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run came from, who approved it, and what it did to whom.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RunCause {
    /// Who gained or lost what, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effects: Option<String>,
    /// The approvals that it used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<UsedApproval>,
    /// The commits since the one applied before, or the one that was applied again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<CommitList>,
}

impl RunCause {
    /// The newest commit.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        let commits = self.commits.as_ref()?;
        commits.listed.first().map(|commit| &*commit.subject)
    }
}

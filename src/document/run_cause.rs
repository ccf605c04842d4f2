//! What a run came from and what it did to whom, kept with the run.

use super::{CommitList, UsedApproval};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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

    /// Who approved it, each once, if anybody had to.
    #[must_use]
    pub fn approvers(&self) -> Option<String> {
        let people: BTreeSet<&str> = self.approvals.iter().map(|it| &*it.by).collect();
        let people: Vec<&str> = people.into_iter().collect();
        (!people.is_empty()).then(|| people.join(", "))
    }
}

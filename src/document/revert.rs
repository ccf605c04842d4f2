//! The request to revert a run, and the reply.

use super::StoredPlanDocument;
use super::act_request::{MAX_REASON_LENGTH, NOT_BLANK};
use super::saved_plan::{SavedPlanError, parse_plan};
use crate::kinds;
use crate::plan::{Plan, RunField};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A request to revert a run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevertRequest {
    /// The id of the plan that was shown. Another plan is refused.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub plan: String,
    /// The reason, for the audit log.
    #[schemars(length(min = 1, max = MAX_REASON_LENGTH), regex(pattern = NOT_BLANK))]
    pub reason: String,
}

/// What a revert of a run does, or did.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct RevertReply {
    /// The run that undid the other one. Absent before it is applied, and if nothing was left to undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// The plan. Its holds are not applied.
    pub plan: StoredPlanDocument,
    /// The fields that stay as they are, because they were changed since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<RevertSkippedField>,
}

/// A field that a revert leaves as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevertSkippedField {
    /// The kind of the resource.
    pub kind: String,
    /// The external id of the resource.
    pub external_id: String,
    /// The name of the field.
    pub field: String,
}

impl From<&RunField> for RevertSkippedField {
    fn from(skipped: &RunField) -> Self {
        Self {
            kind: kinds::get(skipped.key.kind).name.to_owned(),
            external_id: skipped.key.id.to_string(),
            field: skipped.field.clone(),
        }
    }
}

impl RevertReply {
    /// The plan, with its id.
    pub fn parse_plan(&self) -> Result<(Plan, String), SavedPlanError> {
        parse_plan(self.plan.text())
    }
}

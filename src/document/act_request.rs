//! The bodies of requests for acts: reconcile, suspend, resume and approve.

use crate::kinds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most characters of a reason.
pub const MAX_REASON_LENGTH: usize = 2000;
/// A pattern for a reason that is not blank. `trim` also removes U+0085, which `\s` does not match.
const NOT_BLANK: &str = r"[^\s\u0085]";

/// The reason for an act.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActReason {
    /// The reason, for the audit log.
    #[schemars(length(min = 1, max = MAX_REASON_LENGTH), regex(pattern = NOT_BLANK))]
    pub reason: String,
}

/// A request for a pass.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[schemars(extend("anyOf" = [
    {"properties": {"overruleWindow": {"const": false}}},
    {"properties": {"reason": {"pattern": NOT_BLANK}}, "required": ["reason"]},
]))]
pub struct ReconcileRequest {
    /// The reason. Required with `overruleWindow`.
    #[schemars(length(max = MAX_REASON_LENGTH))]
    pub reason: String,
    /// Apply outside the configured windows. The audit log records this.
    pub overrule_window: bool,
}

/// An approval of a source.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportApproval {
    /// The reason, for the audit log.
    #[schemars(length(min = 1, max = MAX_REASON_LENGTH), regex(pattern = NOT_BLANK))]
    pub reason: String,
}

/// An approval of a hold.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldApproval {
    /// The reason, for the audit log.
    #[schemars(length(min = 1, max = MAX_REASON_LENGTH), regex(pattern = NOT_BLANK))]
    pub reason: String,
    /// Approve only these resources, such as `User/u-1`. Default: the whole hold.
    #[serde(default)]
    #[schemars(inner(regex(pattern = resource_pattern())))]
    pub only: Vec<String>,
}

/// The pattern of a resource, for the OpenAPI document.
fn resource_pattern() -> String {
    let kinds: Vec<&str> = kinds::ALL.iter().map(|kind| kind.name).collect();
    format!("^({})/.", kinds.join("|"))
}

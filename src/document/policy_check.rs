//! Which buying policies review a purchase: the request and the reply.

use super::DiagnosticState;
use crate::check::{NOBODY_CAN_ACT_HELP, nobody_can_act};
use crate::diagnostic::{Severity, codes};
use crate::kinds::{self, ACCOUNT};
use crate::store::{IdlePolicy, PolicyEvaluation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most characters of an external id in a request.
const MAX_ID_LENGTH: usize = 128;

/// Who buys, and for which account.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyCheckRequest {
    /// The external id of the buyer.
    #[schemars(length(min = 1, max = MAX_ID_LENGTH))]
    pub user: String,
    /// The external id of the account that the user buys for.
    #[schemars(length(min = 1, max = MAX_ID_LENGTH))]
    pub account: String,
}

/// Whether a purchase needs an approval, and whose.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PolicyCheckReply {
    /// Whether the purchase needs an approval.
    pub required: bool,
    /// The policies that review it, by external id.
    pub policies: Vec<AppliedPolicyDocument>,
    /// What keeps the purchase from being approved. Absent if nothing does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<DiagnosticState>,
}

/// A policy that reviews a purchase.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AppliedPolicyDocument {
    /// The external id of the policy.
    pub policy: String,
    /// The message for the customer.
    pub message: Option<String>,
    /// The users who can approve the purchase now, by external id. The buyer is never one.
    pub approvers: Vec<String>,
    /// Why the policy applies.
    pub why: String,
}

impl PolicyCheckReply {
    pub fn new(request: &PolicyCheckRequest, evaluation: PolicyEvaluation) -> Self {
        let PolicyCheckRequest { user, account } = request;
        let mut diagnostics = Vec::new();
        if !evaluation.account_usable {
            diagnostics.push(unusable_account(account));
        }
        let mut policies = Vec::new();
        for policy in evaluation.policies {
            if policy.approvers.is_empty() {
                diagnostics.push(nobody_acts(&policy.external_id, &policy.unable));
            }
            policies.push(AppliedPolicyDocument {
                policy: policy.external_id,
                message: policy.message,
                approvers: policy.approvers,
                why: format!("User/{user} is reviewed for Account/{account}"),
            });
        }
        Self {
            required: !policies.is_empty(),
            policies,
            diagnostics,
        }
    }
}

impl From<&IdlePolicy> for DiagnosticState {
    fn from(policy: &IdlePolicy) -> Self {
        nobody_acts(&policy.external_id, &policy.unable)
    }
}

fn nobody_acts(policy: &str, unable: &[(String, String)]) -> DiagnosticState {
    DiagnosticState {
        severity: Severity::Warning.word().to_owned(),
        code: codes::POLICY_APPROVERS.to_string(),
        message: nobody_can_act(policy, unable),
        help: Some(NOBODY_CAN_ACT_HELP.to_owned()),
        resource: Some(format!("{}/{policy}", kinds::get(kinds::POLICY).name)),
        place: None,
        proposed: false,
    }
}

/// Without it, `required: false` would look as if the purchase were fine.
fn unusable_account(account: &str) -> DiagnosticState {
    let name = format!("{}/{account}", kinds::get(ACCOUNT).name);
    DiagnosticState {
        severity: Severity::Warning.word().to_owned(),
        code: codes::REFERENCE_INACTIVE.to_string(),
        message: format!("{name} is not usable, so no policy applies and nobody can buy for it"),
        help: Some(format!("See why with `roster get {name}`")),
        resource: Some(name),
        place: None,
        proposed: false,
    }
}

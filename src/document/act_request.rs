//! The bodies of requests for acts of people, on sources, holds and stored resources, and the reply.

use super::OriginDocument;
use crate::kinds;
use crate::store::ActReport;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most characters of a reason.
pub const MAX_REASON_LENGTH: usize = 2000;
/// A pattern for a reason that is not blank. `trim` also removes U+0085, which `\s` does not match.
pub(super) const NOT_BLANK: &str = r"[^\s\u0085]";

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

/// A request to perform an act on stored resources: on `ids` of one kind, or on `resources`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    {"required": ["ids"], "not": {"required": ["resources"]}},
    {"required": ["resources"], "not": {"anyOf": [{"required": ["ids"]}, {"required": ["kind"]}]}},
]))]
pub struct ResourceActRequest {
    /// The kind of the ids, such as `User`. May be left out where the act is for one kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = kind_pattern()))]
    pub kind: Option<String>,
    /// The external ids: all of them or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = MAX_ACT_IDS), inner(length(min = 1)))]
    pub ids: Vec<String>,
    /// The resources, such as `Account/acme` and `User/u-1`: all of them or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = MAX_ACT_IDS), inner(regex(pattern = resource_pattern())))]
    pub resources: Vec<String>,
    /// The reason, for the history and the audit log.
    #[schemars(length(min = 1, max = MAX_REASON_LENGTH), regex(pattern = NOT_BLANK))]
    pub reason: String,
    /// The id once more, for `delete` and `erase`, which take one id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub confirm: Option<String>,
}

/// A request to invite users.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationRequest {
    /// The kind of the resources: `User`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = kind_pattern()))]
    pub kind: Option<String>,
    /// The external ids: all of them or none.
    #[schemars(length(min = 1, max = MAX_ACT_IDS), inner(length(min = 1)))]
    pub ids: Vec<String>,
    /// The reason, for the history and the audit log.
    #[schemars(length(min = 1, max = MAX_REASON_LENGTH), regex(pattern = NOT_BLANK))]
    pub reason: String,
    /// Send the invitations by mail. Otherwise the reply has drafts.
    #[serde(default)]
    pub send: bool,
}

impl From<InvitationRequest> for ResourceActRequest {
    fn from(request: InvitationRequest) -> Self {
        Self {
            kind: request.kind,
            ids: request.ids,
            reason: request.reason,
            ..Self::default()
        }
    }
}

/// What a person sends with the link of an invitation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationAcceptanceRequest {
    /// The new password: 8 to 255 characters with a lower-case letter, an upper-case letter and a
    /// digit.
    #[schemars(length(min = 8, max = 255), extend("allOf" = [
        {"pattern": "[a-z]"}, {"pattern": "[A-Z]"}, {"pattern": "[0-9]"},
    ]))]
    pub password: String,
    /// The SHA-256 of the current version of each terms document, by the external id of the
    /// document. All of them have to be accepted.
    #[serde(default)]
    pub terms: BTreeMap<String, String>,
}

/// Whose invitation was accepted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedInvitationReply {
    /// The external id of the user, who can log in now.
    pub external_id: String,
}

/// A request to record that users accept terms.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TermsAcceptanceRequest {
    /// The kind of the resources: `User`. May be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", regex(pattern = kind_pattern()))]
    pub kind: Option<String>,
    /// The external ids of the users: all of them or none.
    #[schemars(length(min = 1, max = MAX_ACT_IDS), inner(length(min = 1)))]
    pub ids: Vec<String>,
    /// The reason, for the history and the audit log.
    #[schemars(length(min = 1, max = MAX_REASON_LENGTH), regex(pattern = NOT_BLANK))]
    pub reason: String,
    /// The external id of the Terms document.
    #[schemars(length(min = 1))]
    pub terms: String,
    /// The version that the users accept: the SHA-256 of the document, in hexadecimal.
    #[schemars(length(min = 1))]
    pub version: String,
}

/// The most resources of one act.
pub const MAX_ACT_IDS: usize = 1000;

/// The pattern of a kind, for the OpenAPI document.
fn kind_pattern() -> String {
    let kinds: Vec<&str> = kinds::ALL.iter().map(|kind| kind.name).collect();
    format!("^({})$", kinds.join("|"))
}

/// What an act did.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceActReply {
    /// The resources, by external id.
    pub items: Vec<ActedResourceDocument>,
    /// The run that recorded it in the history.
    pub run: i64,
    /// The jobs that were deleted along with a user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted_jobs: Vec<String>,
    /// What is wrong now because of the act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ActWarningDocument>,
    /// Where the sources still name a person who was erased. Nothing of it is stored again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<NamingPlaceDocument>,
}

/// A place where a source names a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NamingPlaceDocument {
    /// The source.
    pub source: String,
    /// The place.
    #[serde(flatten)]
    pub origin: OriginDocument<'static>,
}

/// What is wrong because of an act that was performed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ActWarningDocument {
    /// The code, such as `last-user`.
    pub code: String,
    /// What is wrong.
    pub message: String,
}

/// A resource before and after an act.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActedResourceDocument {
    /// The kind of the resource.
    pub kind: String,
    /// The external id of the resource.
    pub external_id: String,
    /// The state before the act, such as `pending`.
    pub before: String,
    /// The state after the act.
    pub after: String,
    /// The draft of an invitation, as the text of an `.eml` file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<String>,
}

impl ResourceActReply {
    pub fn new(report: ActReport) -> Self {
        let items = report.items.into_iter().map(|item| ActedResourceDocument {
            kind: item.kind,
            external_id: item.external_id,
            before: item.before,
            after: item.after,
            draft: None,
        });
        Self {
            items: items.collect(),
            run: report.run,
            deleted_jobs: report.deleted_jobs,
            warnings: report
                .warnings
                .into_iter()
                .map(|warning| ActWarningDocument {
                    code: warning.code,
                    message: warning.message,
                })
                .collect(),
            places: Vec::new(),
        }
    }

    /// Adds the places where the sources still name the person.
    #[must_use]
    pub fn with_places(self, places: Vec<NamingPlaceDocument>) -> Self {
        Self { places, ..self }
    }

    /// Adds the drafts of invitations, by external id.
    #[must_use]
    pub fn with_drafts(mut self, mut drafts: BTreeMap<String, String>) -> Self {
        for item in &mut self.items {
            item.draft = drafts.remove(&item.external_id);
        }
        self
    }
}

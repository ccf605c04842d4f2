//! Proposals by the API: what somebody sends to become manifests of a source, and what that would
//! change.

use super::DiagnosticState;
use super::act_request::MAX_REASON_LENGTH;
use super::remote_plan::{BASE64, MAX_REVISION_LENGTH};
use super::schema_choice::exactly_one_of;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// New manifests or an export, to be proposed for the manifests of a source.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[schemars(extend("oneOf" = [exactly_one_of("manifest", "export"), exactly_one_of("export", "manifest")]))]
pub struct UploadProposalRequest {
    /// The source whose manifests are to change: a directory or a repository. Optional if there is
    /// only one.
    pub source: Option<String>,
    /// New resources as a manifest, in YAML or JSON. Either all of them are proposed or none.
    pub manifest: Option<String>,
    /// An export. Rows with errors are left out.
    pub export: Option<UploadedExport>,
    /// The new branch to commit to. Without it, nothing is committed.
    #[schemars(length(max = MAX_REVISION_LENGTH))]
    pub branch: Option<String>,
    /// Why, as the first line of the commit message.
    #[schemars(length(max = MAX_REASON_LENGTH))]
    pub reason: Option<String>,
}

/// An export to be proposed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [exactly_one_of("preset", "mappingOf"), exactly_one_of("mappingOf", "preset")]))]
pub struct UploadedExport {
    /// The preset that reads it, such as `djust-users`.
    #[serde(default)]
    pub preset: Option<String>,
    /// The configured export source whose mapping reads it.
    #[serde(default)]
    pub mapping_of: Option<String>,
    /// Its file name, for messages.
    #[serde(default)]
    pub name: Option<String>,
    pub content: ExportContent,
}

/// The bytes of an export.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ExportContent {
    /// Text.
    Text(String),
    /// Any bytes.
    Bytes {
        /// The bytes in base64, with padding.
        #[schemars(extend("contentEncoding" = "base64", "pattern" = BASE64))]
        base64: String,
    },
}

/// What a proposal changes, and where it is.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadProposalReply {
    /// The source whose manifests would change.
    pub source: String,
    /// The files that change. None if nothing is proposed.
    pub files: Vec<ChangedFileReply>,
    /// The values and resources in them.
    pub proposed: Vec<ProposedItemReply>,
    /// What could not be proposed.
    pub unwritten: Vec<UnwrittenItemReply>,
    /// What is wrong with what was sent.
    pub diagnostics: Vec<DiagnosticState>,
    /// Why nothing of it is believed, for example of an export that ends in the middle of a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// The change, as `git apply` takes it.
    pub patch: String,
    /// The plan that the change leads to, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The branch, if one was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<ProposedBranchReply>,
}

/// A file that changes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangedFileReply {
    /// Its path below the root of the source.
    pub path: String,
    /// Whether it does not exist yet.
    pub new: bool,
}

/// A value or resource that is proposed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProposedItemReply {
    /// The resource, and the field if it is about one, such as `Account/acme name`.
    pub subject: String,
    /// The place in what was sent: file, line and column.
    pub from: String,
}

/// A value or resource that could not be proposed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UnwrittenItemReply {
    pub subject: String,
    /// Its file, line and column, in what was sent or in the manifests.
    pub place: String,
    /// Why it is not proposed.
    pub message: String,
}

/// The branch that a proposal is on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProposedBranchReply {
    pub name: String,
    /// The full id of the commit.
    pub commit: String,
    /// What the remote said to the push, line by line, such as where to open a pull request.
    pub remote: Vec<String>,
}

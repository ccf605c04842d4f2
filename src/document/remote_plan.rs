//! Remote plans: what `roster plan --remote` sends to a daemon, and what it gets back.

use super::schema_choice::exactly_one_of;
use super::{OutputFormat, PlanDocument, upload_files};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The most characters of a revision.
pub const MAX_REVISION_LENGTH: usize = 255;

/// A request for a plan of a tree or a commit.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [exactly_one_of("files", "revision"), exactly_one_of("revision", "files")]))]
pub struct RemotePlanRequest {
    /// The source to plan. Optional if there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The files of a tree, by path below the root of the source: manifests, ignore files and files
    /// that manifests name.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "upload_files::read_limited"
    )]
    #[schemars(extend("propertyNames" = {
        "pattern": r"^[^/\\\u0000]+(/[^/\\\u0000]+)*$",
        "not": {"pattern": r"(^|/)\.\.?(/|$)"},
    }))]
    pub files: Option<BTreeMap<String, UploadContent>>,
    /// A branch, tag or commit of the repository of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_REVISION_LENGTH), regex(pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$"))]
    pub revision: Option<String>,
    /// An additional format of the plan.
    #[serde(default = "json")]
    pub format: OutputFormat,
    /// More formats, each of which becomes a member of `outputs` of the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputFormat>,
    /// Whether published formats show personal data instead of pseudonyms.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub show_personal: bool,
    /// How much detail to show.
    #[serde(default)]
    pub detail: RemotePlanDetail,
    /// For Markdown: the maximum size in bytes.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "read_integer"
    )]
    pub max_bytes: Option<usize>,
}

fn json() -> OutputFormat {
    OutputFormat::Json
}

/// Base64 with padding. The unused bits of the last character must be zero.
pub(super) const BASE64: &str =
    "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";

/// Reads an integer. In JSON Schema `65536.0` is one too.
fn read_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let written = match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) if float.fract() == 0.0 => format!("{float:.0}"),
        _ => number.to_string(),
    };
    let read = written.parse();
    read.map(Some)
        .map_err(|_| D::Error::custom(format!("`{number}` is not a number of bytes")))
}

/// The content of a file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum UploadContent {
    /// Text.
    Text(String),
    /// Any bytes.
    Bytes {
        /// The bytes in base64, with padding.
        #[schemars(extend("contentEncoding" = "base64", "pattern" = BASE64))]
        base64: String,
    },
    /// A symbolic link.
    Link {
        /// The target, relative to the folder of the link. If the target does not exist, the link
        /// itself. If it is outside the root, `/`.
        link: String,
    },
    /// Something that cannot be read, such as a pipe or a file without read permission.
    Unreadable {
        /// Why.
        unreadable: String,
        /// Whether this is a folder.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        folder: bool,
    },
}

/// How much of a plan to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemotePlanDetail {
    /// Counts per kind, and holds.
    Summary,
    /// Changes, with creates by id only.
    #[default]
    Changes,
    /// Everything.
    Full,
}

/// A plan.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemotePlanReply {
    /// The exit code of `roster plan`: 0, 1 (errors) or 3 (a hold needs a decision).
    pub exit_code: u8,
    /// Whether the plan has steps.
    pub steps: bool,
    /// The plan document, with `format: json`. Without the permission `read`, stored personal data
    /// are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<StoredPlanDocument>,
    /// The plan in the requested format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The plan in each of the requested `outputs`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<OutputFormat, String>,
}

// Kept as text: it may be large, and it is passed on unread.
/// A plan document.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct StoredPlanDocument(#[schemars(with = "PlanDocument<'static>")] Box<RawValue>);

impl StoredPlanDocument {
    /// The document in this text.
    pub fn parse(text: Vec<u8>) -> serde_json::Result<Self> {
        let text = String::from_utf8(text).map_err(serde_json::Error::custom)?;
        RawValue::from_string(text).map(Self)
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }
}

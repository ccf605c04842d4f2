//! Stored resources: their manifest form, what else the database knows of them, and who set each
//! field.

use super::OriginDocument;
use super::history::change_origin;
use crate::kinds::{self, act};
use crate::model::{Claim, KindId, timestamp};
use crate::store::{ChangeRecord, StoredResource, TermsAcceptance};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// A stored resource: its manifest form, and `meta`.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct ResourceDocument {
    /// The manifest form.
    #[serde(flatten)]
    pub manifest: Map<String, Value>,
    /// Facts that no manifest contains.
    pub meta: ResourceMeta,
}

impl From<&StoredResource> for ResourceDocument {
    fn from(record: &StoredResource) -> Self {
        Self {
            manifest: kinds::json::resource(&record.row),
            meta: record.into(),
        }
    }
}

/// What the database knows about a resource besides its fields.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct ResourceMeta {
    /// The version of the row.
    pub version: i64,
    /// Whether a shop may use the resource. `null` for kinds that everybody may use.
    pub usable: Option<bool>,
    /// The state of the approval.
    pub approval: Option<String>,
    /// Why the resource is blocked, if it is.
    pub block: Option<String>,
    /// The access of a user.
    pub access: Option<String>,
    /// The access of a user in the words of a print shop: `Unregistered`, `Inactive` or `Active`.
    #[serde(rename = "contactStatus")]
    pub contact_status: Option<&'static str>,
    /// The acts that are possible now. `block` and `unblock` are not listed.
    pub actions: Vec<&'static str>,
    /// The names that a user can log in with.
    pub login: Option<Vec<String>>,
    /// The terms that a user has accepted, in their stored version.
    pub terms: Option<Vec<TermsAcceptanceDocument>>,
    /// The claims of sources.
    pub claims: Vec<ResourceClaimDocument>,
}

/// The acceptance of a Terms document.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct TermsAcceptanceDocument {
    /// The external id of the document.
    pub terms: String,
    /// The accepted version: the SHA-256 of the document.
    pub version: String,
    /// When the user accepted it.
    pub at: String,
}

impl From<&TermsAcceptance> for TermsAcceptanceDocument {
    fn from(accepted: &TermsAcceptance) -> Self {
        Self {
            terms: accepted.accepted.terms.clone(),
            version: accepted.accepted.version.clone(),
            at: accepted.at.clone(),
        }
    }
}

impl From<&StoredResource> for ResourceMeta {
    fn from(record: &StoredResource) -> Self {
        let fact = |column| record.fact(column).map(str::to_owned);
        // Blocking and unblocking are possible on everything, so they would only be noise.
        let actions = record.possible_acts().filter(|act| act.kind.is_some());
        let login = record.login.as_ref();
        let terms = record.terms.as_ref();
        Self {
            version: record.row.version,
            usable: record.usable,
            approval: fact("approval"),
            block: fact("blocked"),
            contact_status: record.fact("access").map(act::contact_status),
            actions: actions.map(|act| act.name).collect(),
            access: fact("access"),
            login: login.map(|names| names.iter().map(ToString::to_string).collect()),
            terms: terms.map(|terms| terms.iter().map(Into::into).collect()),
            claims: record.claims.iter().map(Into::into).collect(),
        }
    }
}

/// The claim of a source on a resource.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct ResourceClaimDocument {
    /// The name of the source.
    pub source: String,
    /// `active`, or `gone` if the source no longer declares the resource.
    pub state: Cow<'static, str>,
    /// Where the source declared it.
    pub origin: OriginDocument<'static>,
    /// The revision of the source.
    pub revision: String,
}

impl From<&Claim> for ResourceClaimDocument {
    fn from(claim: &Claim) -> Self {
        Self {
            source: claim.source.to_string(),
            state: claim.state.word().into(),
            origin: OriginDocument::new(&claim.path, claim.position).into_owned(),
            revision: claim.revision.to_string(),
        }
    }
}

/// Where the stored state of a resource comes from.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProvenanceDocument {
    /// The kind of the resource.
    pub kind: KindId,
    /// The external id of the resource.
    pub external_id: String,
    /// The version of the row. `null` if the resource is no longer stored.
    pub version: Option<i64>,
    /// Whether another program changed the row after the last run.
    pub changed_elsewhere: bool,
    /// The sources that declare or claim the resource.
    pub claims: Vec<ProvenanceClaimDocument>,
    /// The fields.
    pub fields: Vec<FieldOriginDocument>,
}

/// A source that declares or claims a resource.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct ProvenanceClaimDocument {
    /// The name of the source.
    pub source: String,
    /// `active`, `gone`, or `unapplied` for a source that was not applied yet.
    pub state: Cow<'static, str>,
    /// Whether its last apply saw the current version of the row.
    pub current: bool,
    /// Where the source declares the resource.
    pub origin: Option<OriginDocument<'static>>,
    /// The revision of its last apply.
    pub revision: Option<String>,
}

/// Where the stored value of a field comes from.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldOriginDocument {
    /// The name of the field.
    pub field: String,
    /// The stored value.
    pub value: Option<Value>,
    /// The last change that set it.
    pub set_by: Option<ValueChangeDocument>,
    /// The creation that left the field at its default.
    pub default_by: Option<ValueChangeDocument>,
    /// The adoption that found the value.
    pub adopted_by: Option<ValueChangeDocument>,
    /// Whether another program changed the value since then.
    pub changed_elsewhere: bool,
    /// The sources that declare the stored value.
    pub declared_by: Vec<String>,
    /// The sources that declare another value, which is overridden.
    pub overruled: Vec<StatementDocument>,
    /// The sources that declare another value, which is not applied yet.
    pub waiting: Vec<StatementDocument>,
}

/// The value that a source declares for a field.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
pub struct StatementDocument {
    /// The name of the source.
    pub source: String,
    /// The value. `null` if the source was not read.
    pub value: Option<Value>,
    /// Where it is declared.
    pub origin: Option<OriginDocument<'static>>,
}

/// The change that gave a field its value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct ValueChangeDocument {
    /// The run that committed it.
    pub run: i64,
    /// The place in the sequence of all changes.
    pub seq: i64,
    /// When the run committed it.
    pub at: String,
    /// The source of the run.
    pub source: String,
    /// The revision of the source.
    pub revision: String,
    /// What happened to the resource.
    pub verb: String,
    /// Why it happened.
    pub reason: String,
    /// Where the change was declared.
    pub origin: Option<OriginDocument<'static>>,
}

impl From<&ChangeRecord> for ValueChangeDocument {
    fn from(change: &ChangeRecord) -> Self {
        Self {
            run: change.run,
            seq: change.seq,
            at: timestamp::format_utc(change.at),
            source: change.source.clone(),
            revision: change.revision.clone(),
            verb: change.verb.clone(),
            reason: change.reason.clone(),
            origin: change_origin(change),
        }
    }
}

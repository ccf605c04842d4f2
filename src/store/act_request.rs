//! What an act is asked for, what it did, and why it was refused: the types that the act, its
//! deletions and its history share.

use super::error::{ApplyError, StoreError};
use super::invitations::NewInvitations;
use super::terms_acceptances::TermsVersion;
use crate::feed::mapping::Mapping;
use crate::kinds::USER;
use crate::kinds::act::ResourceAct;
use crate::model::{Key, KindId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The mappings of the configured sources, by the name of the source.
pub type SourceMappings = BTreeMap<Arc<str>, Arc<Mapping>>;

/// The states of the act's fact before the act.
pub(super) type ResourceStates = BTreeMap<Key, String>;

/// An act to perform.
#[derive(Clone, Copy, Debug)]
pub struct ActRequest<'a> {
    pub act: &'static ResourceAct,
    /// The act must be for the kind of each.
    pub resources: &'a BTreeSet<Key>,
    pub actor: &'a str,
    pub reason: &'a str,
    /// The id, given once more, for an act that is final.
    pub confirm: Option<&'a str>,
    /// What is accepted, for the acts that record an acceptance.
    pub terms: Option<&'a TermsVersion>,
    pub idempotency: Option<&'a IdempotentRequest>,
    /// The links that an invitation makes.
    pub invitations: Option<NewInvitations<'a>>,
    /// The mappings of the sources, by which an erasure finds the person in pushes that are kept.
    pub mappings: &'a SourceMappings,
}

impl<'a> ActRequest<'a> {
    /// The external ids of the users among the resources.
    pub(super) fn users(&self) -> impl Iterator<Item = &'a str> {
        let users = self.resources.iter().filter(|key| key.kind == USER);
        users.map(|key| key.id.as_str())
    }

    /// The kinds of the resources.
    pub(super) fn kinds(&self) -> BTreeSet<KindId> {
        self.resources.iter().map(|key| key.kind).collect()
    }
}

/// The idempotency key of a request, and the digest that tells it from another request.
#[derive(Clone, Debug)]
pub struct IdempotentRequest {
    pub key: String,
    pub digest: [u8; 32],
}

/// What an act did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ActReport {
    /// The resources, by kind and external id.
    pub items: Vec<ActedResource>,
    /// The run that recorded it.
    pub run: i64,
    /// The jobs that were deleted along, by external id.
    #[serde(default)]
    pub deleted_jobs: Vec<String>,
    /// What is wrong now because of the act.
    #[serde(default)]
    pub warnings: Vec<ActWarning>,
}

/// What is wrong because of an act that was performed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ActWarning {
    /// The code of the rule that would have refused the same from a source.
    pub code: String,
    pub message: String,
}

/// A resource before and after an act.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ActedResource {
    /// Empty in the kept answers of earlier releases, whose requests had one kind.
    #[serde(default)]
    pub kind: String,
    pub external_id: String,
    /// The state of the act's fact before the act.
    pub before: String,
    /// The state of the act's fact after the act.
    pub after: String,
    /// The id of the invitation that the act made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<String>,
}

/// Why an act was refused. Nothing was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ActRefusal {
    /// These resources are not stored.
    NotFound(Vec<Key>),
    /// These resources are in a state in which the act is not possible.
    WrongState(Vec<RefusedResource>),
    /// These users have no e-mail address to which the invitation could be sent.
    NoAddress(Vec<String>),
    /// Somebody still works on these jobs of the user.
    JobsOpen(Vec<OpenJob>),
    /// The act is final, and the id was not given once more.
    Unconfirmed,
    /// This Terms document is not stored.
    UnknownTerms(String),
    /// The stored version of the Terms document is another one.
    TermsOutdated(TermsVersion),
    /// The key was used for another request.
    KeyReused,
}

/// A job that keeps its user from being deleted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OpenJob {
    pub id: String,
    pub status: String,
}

/// A resource for which an act is not possible.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedResource {
    pub key: Key,
    pub state: String,
}

/// Why an act was not performed.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    #[error("the act was refused")]
    Refused(ActRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The connection broke during the commit, and the run could not be looked up.
    #[error(transparent)]
    Unknown(#[from] ApplyError),
}

//! The request for one apply.

use crate::model::Key;
use crate::plan::{Plan, RunField, Step, StepVerb, next_version};
use crate::store::lease::Lease;
use crate::store::source::CheckpointUpdate;
use crate::store::sql_value::SqlValue;
use std::collections::BTreeMap;

/// A plan to apply, and what it does not carry itself.
#[derive(Clone, Debug)]
pub struct ApplyRequest<'a> {
    pub plan: &'a Plan,
    pub plan_id: &'a str,
    /// Who applies it.
    pub actor: &'a str,
    /// The lease it is applied under: its token must still be the current one.
    pub lease: Option<&'a Lease>,
    /// Whether a plan of this id is applied at most once, as a saved one is.
    pub single_use: bool,
    /// The bytes of the files that the steps name.
    pub contents: &'a BTreeMap<Key, Vec<u8>>,
    /// The argon2 hashes of the passwords that the steps set.
    pub passwords: &'a BTreeMap<Key, String>,
    /// What is to be remembered of the source, unless only a part of it is applied.
    pub remember: Option<&'a CheckpointUpdate>,
    /// What the run comes from, as JSON.
    pub cause: Option<&'a str>,
    /// Set if the plan undoes a run.
    pub reverts: Option<RevertFacts<'a>>,
}

/// What a plan that undoes a run does not say itself.
#[derive(Clone, Copy, Debug)]
pub struct RevertFacts<'a> {
    pub run: i64,
    /// The revisions that sources are at by now, applied or not.
    pub newest: &'a BTreeMap<String, String>,
    /// The fields that the run changed and that no step changes.
    pub left_alone: &'a [RunField],
}

impl ApplyRequest<'_> {
    pub(super) fn changes_row(&self, step: &Step) -> bool {
        match step.verb {
            StepVerb::Create | StepVerb::Delete => true,
            _ => !step.changes().is_empty() || self.passwords.contains_key(&step.key),
        }
    }

    pub(super) fn version_after(&self, step: &Step) -> i64 {
        match step.version {
            None => 1,
            Some(old) if self.changes_row(step) => next_version(old),
            Some(old) => old,
        }
    }
}

/// Verbs that change a stored row.
pub(super) fn changes_row(verb: StepVerb) -> bool {
    !matches!(verb, StepVerb::Create | StepVerb::Delete)
}

/// Rows of one external id each, for a batch.
pub(super) fn ids<'i>(keys: impl Iterator<Item = &'i Key>) -> impl Iterator<Item = Vec<SqlValue>> {
    keys.map(|key| vec![SqlValue::from(&key.id)])
}

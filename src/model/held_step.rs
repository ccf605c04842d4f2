//! The record of a step that a guard held.
//!
//! A guard compares with a base, and what a pass applies changes that base. Without a record, the
//! next pass of the same tree could apply what this one held. So each held step is stored, and it
//! stays held until somebody decides or its declaration changes.

use super::{Digest, Key};
use std::sync::Arc;

/// One step that a guard held, as the apply recorded it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldStep {
    pub source: Arc<str>,
    pub key: Key,
    /// The budget, such as `User.deactivate`, `Account.website.clear`, `empty=Tag` or `rename`.
    pub budget: String,
    /// The held field. Empty if the whole step was held.
    pub field: String,
    /// The verb by effect: `deactivate`, `delete`, `reactivate` or `update`.
    pub verb: String,
    /// The id of the hold.
    pub hold: String,
    /// The number of steps held together.
    pub count: u64,
    /// The number the source had already applied within the window.
    pub earlier: u64,
    /// The base: the number of resources of which these are a share.
    pub total: u64,
    /// The digest of the declaration. If it changes, the record no longer applies.
    pub declared: Digest,
    /// The digest of the step with its values. An approval covers exactly this.
    pub step: Digest,
}

impl HeldStep {
    /// Whether two records are about the same step and budget. The later one replaces the other.
    #[must_use]
    pub fn is_same_step(&self, other: &Self) -> bool {
        (&self.source, &self.key, &self.budget) == (&other.source, &other.key, &other.budget)
    }
}

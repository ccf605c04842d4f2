//! What is remembered of a step that a guard held.

use super::{Digest, Key};
use std::sync::Arc;

/// One step that was held by its number, as the apply that held it recorded it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldStep {
    /// Whose plan it was.
    pub source: Arc<str>,
    /// The resource.
    pub key: Key,
    /// What it counted against: `User.deactivate`, `Account.website.clear`, `empty=Tag`, `rename`.
    pub budget: String,
    /// The held field; empty when the whole step was held.
    pub field: String,
    /// The word of the verb by effect: `deactivate`, `delete`, `reactivate` or `update`.
    pub verb: String,
    /// The id of the hold.
    pub hold: String,
    /// How many steps were held together.
    pub count: u64,
    /// How many the source had applied within the window before.
    pub earlier: u64,
    /// Of how many.
    pub total: u64,
    /// The digest of what the source declared of it.
    pub declared: Digest,
    /// The digest of the step, values included: what an approval of the hold covers.
    pub step: Digest,
}

impl HeldStep {
    /// Whether two records are of one step and budget, so that the later one replaces the other.
    #[must_use]
    pub fn is_same_step(&self, other: &Self) -> bool {
        (&self.source, &self.key, &self.budget) == (&other.source, &other.key, &other.budget)
    }
}

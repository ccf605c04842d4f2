//! Who sees more or less by a plan. The rules are those of the views (`store::views`), which know
//! only the stored state; here they are asked of the state before and after the steps.
//!
//! [`VisibilityReach::of`] says what the steps can affect, so that only that is read.
//! [`VisibilityState`] is what was read, and `advance` applies steps to it. [`compare`] tells what
//! each user gains and loses.
//!
//! People that the plan creates or deletes are neither viewers nor seen: their own steps are
//! enough, and a hundred new users would hide whose sight really changes.

mod compare;
mod index;
mod reach;
mod state;

pub use compare::compare;
pub(super) use compare::seen_users;
pub(super) use reach::ReachingChange;
pub use reach::VisibilityReach;
pub use state::{AccountUse, OrganisationPlace, UserPlace, VisibilityState};

use crate::model::CompactText;

/// The number of users that a plan names.
const MAX_VIEWERS: usize = 200;
/// The number of external ids that a plan names of one kind, for one user.
const MAX_IDS: usize = 50;

/// Who sees more or less.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PlanVisibility {
    /// The first of them, by external id.
    pub changes: Vec<VisibilityChange>,
    /// How many more users there are.
    pub omitted: u64,
}

impl PlanVisibility {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The number of users whose sight changes.
    #[must_use]
    pub fn count(&self) -> usize {
        let omitted = usize::try_from(self.omitted).unwrap_or(usize::MAX);
        self.changes.len().saturating_add(omitted)
    }
}

/// What one user sees more and less.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VisibilityChange {
    pub user: CompactText,
    pub gains: VisibilityDelta,
    pub loses: VisibilityDelta,
}

/// What a user gains or loses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct VisibilityDelta {
    pub users: VisibleIds,
    pub organisations: VisibleIds,
    pub accounts: VisibleIds,
}

impl VisibilityDelta {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            users,
            organisations,
            accounts,
        } = self;
        [users, organisations, accounts]
            .into_iter()
            .all(|ids| ids.named.is_empty())
    }
}

/// Some external ids.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct VisibleIds {
    /// The first of them, sorted.
    pub named: Vec<CompactText>,
    /// How many more there are.
    pub omitted: u64,
}

#[cfg(test)]
mod tests;

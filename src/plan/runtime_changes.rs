//! What a step does to runtime facts, which no manifest states: a new account may wait for the
//! approval of a person, and new terms reset acceptances. A plan mentions both, because a reviewer
//! has to know them. How many acceptances there are, only the database knows: whoever makes a plan
//! for people adds that number.

use super::types::{Step, StepBody};
use crate::check::PlannedState;
use crate::diagnostic::plural;
use crate::kinds::{self, FieldType};
use crate::model::{FieldChange, KindId};

/// What a step does to runtime facts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RuntimeChanges {
    /// Whether it creates an account that waits for the approval of a person.
    pub awaits_approval: bool,
    /// For a new version of a Terms document: the number of users whose acceptance it resets.
    pub resets: Option<u64>,
}

/// Whether accounts that the plan creates wait for an approval.
pub(super) fn new_accounts_wait(world: &PlannedState<'_>) -> bool {
    world.is_setting_true("accountApproval")
}

impl RuntimeChanges {
    /// Says what happens to runtime facts of other resources, in words.
    #[must_use]
    pub fn effect(&self) -> Option<String> {
        let count = usize::try_from(self.resets?).unwrap_or(usize::MAX);
        let users = plural(count, "user");
        (count > 0).then(|| format!("resets the acceptance of {users}"))
    }

    /// The effects of creating a resource of a kind.
    pub(super) fn of_create(kind: KindId, accounts_wait: bool) -> Self {
        Self {
            awaits_approval: accounts_wait && kind == kinds::ACCOUNT,
            resets: None,
        }
    }
}

impl Step {
    /// The SHA-256 of the stored file that the step replaces with another content.
    #[must_use]
    pub fn replaced_file(&self) -> Option<&str> {
        let StepBody::Changes(changes) = &self.body else {
            return None;
        };
        let kind = kinds::get(self.key.kind);
        let is_file = |change: &&FieldChange| {
            let field = kind.field(&change.field);
            field.is_some_and(|field| matches!(field.ty, FieldType::File))
        };
        changes.iter().filter(is_file).find_map(|change| {
            let before = kinds::file_sha256(change.before.as_ref()?)?;
            let after = kinds::file_sha256(change.after.as_ref()?)?;
            (before != after).then_some(before)
        })
    }
}

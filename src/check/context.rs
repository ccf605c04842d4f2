//! What several rules need of a planned state, worked out once. [`CheckContext::new`] is called at
//! the start of a run of the rules; every rule then reads from it.

use super::unread::UnreadUsers;
use super::{CustomFieldDefinitions, PlannedState};
use crate::kinds;
use crate::model::{CompactText, Key, Value};

/// A planned state with the settings and definitions that rules ask for.
pub struct CheckContext<'w, 'a> {
    pub world: &'w PlannedState<'a>,
    groups: Option<Value>,
    optional: Option<Value>,
    definitions: CustomFieldDefinitions,
    unread_users: UnreadUsers,
}

impl<'w, 'a> CheckContext<'w, 'a> {
    pub fn new(world: &'w PlannedState<'a>) -> Self {
        Self {
            world,
            groups: world.setting("userGroups"),
            optional: world.setting("optionalFields"),
            definitions: CustomFieldDefinitions::after_plan(world),
            unread_users: UnreadUsers::of(world),
        }
    }

    /// The groups that users may be in, sorted.
    pub fn user_groups(&self) -> &[CompactText] {
        match &self.groups {
            Some(Value::List(groups)) => groups,
            _ => &[],
        }
    }

    /// Whether the settings make a required field optional.
    pub fn is_optional(&self, key: &Key, field: usize) -> bool {
        let kind = kinds::get(key.kind);
        let name = format!("{}.{}", kind.name, kind.fields[field].name);
        let optional = self.optional.iter().flat_map(Value::members);
        optional.into_iter().any(|member| *member == name)
    }

    /// The custom fields as they would be after the plan.
    pub fn definitions(&self) -> &CustomFieldDefinitions {
        &self.definitions
    }

    /// A resource that could not be read and may be a user of the account. While there is one,
    /// nobody can say that the account has lost its last user.
    pub fn unread_user(&self, account: &Key) -> Option<String> {
        self.unread_users.of_account(account)
    }
}

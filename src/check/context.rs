//! The world with what several rules need of it, worked out once.

use super::unread::UnreadUsers;
use super::{CustomFieldDefinitions, PlannedState};
use crate::kinds;
use crate::model::{CompactText, Key, Value};

/// A world that rules look at.
pub struct CheckContext<'w, 'a> {
    pub world: &'w PlannedState<'a>,
    groups: Option<Value>,
    optional: Option<Value>,
    definitions: CustomFieldDefinitions,
    unread_users: UnreadUsers,
}

impl<'w, 'a> CheckContext<'w, 'a> {
    /// The scene of a world.
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

    /// The custom fields as they would be.
    pub fn definitions(&self) -> &CustomFieldDefinitions {
        &self.definitions
    }

    /// What could not be read and may be a user of an account.
    pub fn unread_user(&self, account: &Key) -> Option<String> {
        self.unread_users.of_account(account)
    }
}

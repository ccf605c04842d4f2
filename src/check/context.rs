//! The world with what several rules need of it, worked out once.

use super::field_index::user;
use super::unread::UnreadUsers;
use super::{CustomFieldDefinitions, PlannedState};
use crate::kinds::{self, USER};
use crate::model::{CompactText, Key, Value};
use std::collections::HashMap;
use std::sync::OnceLock;

/// A world that rules look at.
pub struct CheckContext<'w, 'a> {
    pub world: &'w PlannedState<'a>,
    groups: Option<Value>,
    optional: Option<Value>,
    definitions: OnceLock<CustomFieldDefinitions>,
    declared_users: OnceLock<HashMap<&'a str, Vec<&'a Key>>>,
    unread_users: OnceLock<UnreadUsers>,
}

impl<'w, 'a> CheckContext<'w, 'a> {
    /// The scene of a world.
    pub fn new(world: &'w PlannedState<'a>) -> Self {
        Self {
            world,
            groups: world.setting("userGroups"),
            optional: world.setting("optionalFields"),
            definitions: OnceLock::new(),
            declared_users: OnceLock::new(),
            unread_users: OnceLock::new(),
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
        self.definitions
            .get_or_init(|| CustomFieldDefinitions::after_plan(self.world))
    }

    /// What could not be read and may be a user of an account.
    pub fn unread_user(&self, account: &Key) -> Option<String> {
        let users = self
            .unread_users
            .get_or_init(|| UnreadUsers::of(self.world));
        users.of_account(account)
    }

    /// The users whose documents name an account, in no particular order, whether or not they
    /// are in the world: they would be there if they were not held.
    pub fn declared_users(&self, account: &Key) -> &[&'a Key] {
        let users = self.declared_users.get_or_init(|| {
            let mut users: HashMap<&str, Vec<&Key>> = HashMap::new();
            for declared in &self.world.desired.resources {
                if declared.key.kind == USER {
                    let accounts = declared.value(user::ACCOUNTS);
                    for account in accounts.into_iter().flat_map(Value::members) {
                        users.entry(account).or_default().push(&declared.key);
                    }
                }
            }
            users
        });
        users.get(account.id.as_str()).map_or(&[], Vec::as_slice)
    }
}

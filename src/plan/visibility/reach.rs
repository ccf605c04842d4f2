//! What steps can affect of who sees what.

use crate::kinds::{self, ACCOUNT, ADMIN_GROUP, ORGANISATION, SETTINGS, USER};
use crate::model::{CompactText, FieldChange, FieldRef, Key, KindId, Value};
use crate::plan::types::{Step, StepVerb};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What steps can affect of who sees what. Nobody sees more or less outside of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VisibilityReach {
    /// All accounts: the settings change what administrators see.
    pub everything: bool,
    /// These accounts.
    pub accounts: BTreeSet<CompactText>,
    /// The accounts of these organisations.
    pub organisations: BTreeSet<CompactText>,
    /// These users, in whatever account they are.
    pub users: BTreeSet<CompactText>,
    /// All accounts of these users.
    pub administrators: BTreeSet<CompactText>,
}

/// The fields that decide who sees what.
pub(super) struct VisibilityFields {
    pub admin_sees_account: FieldRef,
    pub account_status: FieldRef,
    pub organisation_account: FieldRef,
    pub organisation_parent: FieldRef,
    pub user_accounts: FieldRef,
    pub user_organisations: FieldRef,
    pub user_groups: FieldRef,
}

impl VisibilityFields {
    pub fn new() -> Self {
        let field = |kind: KindId, name| kinds::own_field(kinds::get(kind).expect_index(name));
        Self {
            admin_sees_account: field(SETTINGS, "adminSeesAccount"),
            account_status: field(ACCOUNT, "status"),
            organisation_account: field(ORGANISATION, "account"),
            organisation_parent: field(ORGANISATION, "parent"),
            user_accounts: field(USER, "accounts"),
            user_organisations: field(USER, "organisations"),
            user_groups: field(USER, "groups"),
        }
    }
}

/// The new value of a field, if a step gives it one.
pub(super) fn after_of(step: &Step, field: &FieldRef) -> Option<Value> {
    step.change(field)?.into_owned().after
}

/// A change of one resource, as far as it can affect who sees what.
pub trait ReachingChange {
    fn key(&self) -> &Key;
    fn creates(&self) -> bool;
    fn deletes(&self) -> bool;
    /// The change of a field.
    fn change_of(&self, field: &FieldRef) -> Option<Cow<'_, FieldChange>>;
}

impl ReachingChange for Step {
    fn key(&self) -> &Key {
        &self.key
    }

    fn creates(&self) -> bool {
        self.verb == StepVerb::Create
    }

    fn deletes(&self) -> bool {
        self.verb == StepVerb::Delete
    }

    fn change_of(&self, field: &FieldRef) -> Option<Cow<'_, FieldChange>> {
        self.change(field)
    }
}

impl VisibilityReach {
    /// What these changes can affect. A created or deleted user changes nobody else's sight of the
    /// people who stay.
    #[must_use]
    pub fn of(steps: &[impl ReachingChange]) -> Self {
        let fields = VisibilityFields::new();
        let mut reach = Self::default();
        // Nobody saw anything in a new account, unless the plan links somebody to it who is there.
        let mut new_accounts = BTreeSet::new();
        let mut of_organisations = BTreeSet::new();
        for step in steps {
            let creates = step.creates();
            match step.key().kind {
                SETTINGS => {
                    let change = step.change_of(&fields.admin_sees_account);
                    let sees = |value: Option<&Value>| value != Some(&Value::Bool(false));
                    reach.everything |= change.is_some_and(|change| {
                        sees(change.before.as_ref()) != sees(change.after.as_ref())
                    });
                }
                ACCOUNT if creates => _ = new_accounts.insert(&step.key().id),
                ACCOUNT => {
                    let changed = step.change_of(&fields.account_status).is_some();
                    let touched = changed || step.deletes();
                    reach
                        .accounts
                        .extend(touched.then(|| step.key().id.clone()));
                }
                ORGANISATION => {
                    let account = step.change_of(&fields.organisation_account);
                    let account = account.and_then(|change| change.into_owned().after);
                    let moved =
                        account.is_some() || step.change_of(&fields.organisation_parent).is_some();
                    if !creates && (moved || step.deletes()) {
                        reach.organisations.insert(step.key().id.clone());
                    }
                    let account = account.as_ref().and_then(Value::as_text);
                    of_organisations.extend(account.map(CompactText::new));
                }
                USER if !creates && !step.deletes() => reach.add_user(step, &fields),
                _ => {}
            }
        }
        of_organisations.retain(|account| !new_accounts.contains(account));
        reach.accounts.extend(of_organisations);
        reach
    }

    fn add_user(&mut self, step: &impl ReachingChange, fields: &VisibilityFields) {
        let id = &step.key().id;
        let both = |field: &FieldRef| {
            let change = step.change_of(field)?.into_owned();
            Some([change.before, change.after])
        };
        let members = |values: &[Option<Value>; 2]| -> Vec<CompactText> {
            let all = values.iter().flatten().flat_map(Value::members);
            all.cloned().collect()
        };
        if let Some(change) = both(&fields.user_accounts) {
            self.users.insert(id.clone());
            self.accounts.extend(members(&change));
        }
        if let Some(change) = both(&fields.user_organisations) {
            self.users.insert(id.clone());
            self.organisations.extend(members(&change));
        }
        if let Some(change) = both(&fields.user_groups)
            && members(&change).iter().any(|group| group == ADMIN_GROUP)
        {
            self.users.insert(id.clone());
            self.administrators.insert(id.clone());
        }
    }

    /// Whether the steps change nothing about who sees what.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what other steps can affect.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.everything |= other.everything;
        self.accounts.extend(other.accounts);
        self.organisations.extend(other.organisations);
        self.users.extend(other.users);
        self.administrators.extend(other.administrators);
        self
    }

    /// Adds the accounts in which earlier steps put what these steps are about. No row says it yet.
    pub fn resolve_created(&mut self, earlier: &[Step]) {
        let fields = VisibilityFields::new();
        let created = earlier.iter().filter(|step| step.verb == StepVerb::Create);
        for step in created {
            let field = match step.key.kind {
                ORGANISATION if self.organisations.contains(&step.key.id) => {
                    &fields.organisation_account
                }
                USER if self.administrators.contains(&step.key.id) => &fields.user_accounts,
                _ => continue,
            };
            match after_of(step, field) {
                Some(Value::Text(account)) => _ = self.accounts.insert(account),
                Some(links) => self.accounts.extend(links.members().cloned()),
                None => {}
            }
        }
    }
}

//! What decides who sees what, of a part of the directory, and what steps make of it.

use super::reach::{VisibilityFields, after_of};
use crate::check::ADMINISTRATOR;
use crate::kinds::{ACCOUNT, ADMIN_GROUP, ORGANISATION, SETTINGS, USER};
use crate::model::{CompactText, FieldChange, Link, Value};
use crate::plan::types::{Step, StepVerb};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The part of a directory that decides who sees what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VisibilityState {
    /// `adminSeesAccount` of the settings.
    pub admin_sees_account: bool,
    pub accounts: BTreeMap<CompactText, AccountUse>,
    pub organisations: BTreeMap<CompactText, OrganisationPlace>,
    // Shared, so that the state after a plan costs only the users that it changes.
    pub users: BTreeMap<CompactText, Arc<UserPlace>>,
}

/// Whether an account can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountUse {
    /// Its status.
    pub active: bool,
    /// Whether it is approved and not blocked, which plans do not change.
    pub allowed: bool,
}

/// Where an organisation is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OrganisationPlace {
    pub account: CompactText,
    pub parent: Option<CompactText>,
}

/// Where a user is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UserPlace {
    /// Whether in the group of administrators.
    pub in_admin_group: bool,
    /// The accounts, each with whether at the level administrator.
    pub accounts: Vec<(CompactText, bool)>,
    pub organisations: Vec<CompactText>,
}

impl Default for VisibilityState {
    fn default() -> Self {
        Self {
            // Also where there are no settings yet.
            admin_sees_account: true,
            accounts: BTreeMap::new(),
            organisations: BTreeMap::new(),
            users: BTreeMap::new(),
        }
    }
}

impl AccountUse {
    pub(super) fn is_usable(self) -> bool {
        self.active && self.allowed
    }
}

impl VisibilityState {
    /// The state after these steps. What was not read of it stays out.
    pub fn advance<'s>(&mut self, steps: impl IntoIterator<Item = &'s Step>) {
        let fields = VisibilityFields::new();
        for step in steps {
            match step.key.kind {
                SETTINGS => {
                    if let Some(change) = step.change(&fields.admin_sees_account) {
                        self.admin_sees_account = change.after != Some(Value::Bool(false));
                    }
                }
                ACCOUNT => self.advance_account(step, &fields),
                ORGANISATION => self.advance_organisation(step, &fields),
                USER => self.advance_user(step, &fields),
                _ => {}
            }
        }
    }

    fn advance_account(&mut self, step: &Step, fields: &VisibilityFields) {
        let id = &step.key.id;
        if step.verb == StepVerb::Delete {
            self.accounts.remove(id);
            return;
        }
        let status = after_of(step, &fields.account_status);
        if step.verb == StepVerb::Create {
            let active = status.as_ref().and_then(Value::as_text) != Some("inactive");
            let allowed = !step.runtime.awaits_approval;
            let account = AccountUse { active, allowed };
            self.accounts.insert(id.clone(), account);
        } else if let (Some(status), Some(account)) = (status, self.accounts.get_mut(id)) {
            account.active = status.as_text() == Some("active");
        }
    }

    fn advance_organisation(&mut self, step: &Step, fields: &VisibilityFields) {
        let id = &step.key.id;
        if step.verb == StepVerb::Delete {
            self.organisations.remove(id);
            return;
        }
        let text = |change: &FieldChange| {
            let text = change.after.as_ref().and_then(Value::as_text);
            text.map(CompactText::new)
        };
        let account = step.change(&fields.organisation_account);
        let parent = step.change(&fields.organisation_parent);
        if step.verb == StepVerb::Create {
            let account = account.as_deref().and_then(text).unwrap_or_default();
            let parent = parent.as_deref().and_then(text);
            let place = OrganisationPlace { account, parent };
            self.organisations.insert(id.clone(), place);
        } else if let Some(place) = self.organisations.get_mut(id) {
            if let Some(account) = account.as_deref().and_then(text) {
                place.account = account;
            }
            if let Some(parent) = parent.as_deref() {
                place.parent = text(parent);
            }
        }
    }

    fn advance_user(&mut self, step: &Step, fields: &VisibilityFields) {
        let id = &step.key.id;
        if step.verb == StepVerb::Delete {
            self.users.remove(id);
            return;
        }
        let changes = [
            &fields.user_accounts,
            &fields.user_organisations,
            &fields.user_groups,
        ]
        .map(|field| step.change(field));
        if step.verb == StepVerb::Create {
            self.users.insert(id.clone(), Arc::default());
        } else if changes.iter().all(Option::is_none) {
            return;
        }
        let Some(user) = self.users.get_mut(id) else {
            return;
        };
        let user = Arc::make_mut(user);
        let [accounts, organisations, groups] = changes;
        if let Some(change) = accounts {
            user.link(&change);
        }
        if let Some(change) = organisations {
            let gone: Vec<_> = members(change.before.as_ref()).collect();
            user.organisations.retain(|it| !gone.contains(&it));
            let came = members(change.after.as_ref()).cloned();
            user.organisations.extend(came);
        }
        if let Some(change) = groups {
            let names_it = |value| members(value).any(|group| group == ADMIN_GROUP);
            let stays = user.in_admin_group && !names_it(change.before.as_ref());
            user.in_admin_group = stays || names_it(change.after.as_ref());
        }
    }
}

impl UserPlace {
    /// Changes the accounts. The change names only the links that differ.
    fn link(&mut self, change: &FieldChange) {
        let before: Vec<_> = members(change.before.as_ref()).collect();
        let old: Vec<(CompactText, bool)> = self.accounts.clone();
        self.accounts.retain(|(id, _)| !before.contains(&id));
        let level = |link: &Link| match link.attributes[0] {
            Some(level) => Some(level) == ADMINISTRATOR,
            // An export that says nothing about the level keeps it.
            None => old.iter().any(|(id, level)| *id == link.target && *level),
        };
        for link in change.after.as_ref().map_or(&[][..], Value::as_links) {
            self.accounts.push((link.target.clone(), level(link)));
        }
    }
}

fn members(value: Option<&Value>) -> impl Iterator<Item = &CompactText> {
    value.into_iter().flat_map(Value::members)
}

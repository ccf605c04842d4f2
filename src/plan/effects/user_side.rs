//! A user on one side of the changes: what matters of the row, and which accounts are usable.

use super::state::{EffectState, ResourceFacts, links};
use crate::check::ADMINISTRATOR;
use crate::kinds::{POLICY, STORE};
use crate::model::{CompactText, Key};
use std::collections::BTreeSet;

pub(super) struct UserSide<'a, 's> {
    pub state: &'s EffectState<'a>,
    facts: Option<ResourceFacts<'a>>,
    /// Whether the user is there, active and not blocked.
    pub is_live: bool,
    pub links: Vec<UserLink>,
}

/// The link of a user to an account.
pub(super) struct UserLink {
    pub account: CompactText,
    pub is_administrator: bool,
    pub is_usable: bool,
}

/// The two ways in which a policy names users.
#[derive(Clone, Copy)]
pub(super) enum PolicyRole {
    Approver,
    Reviewed,
}

impl<'a, 's> UserSide<'a, 's> {
    pub fn new(state: &'s EffectState<'a>, key: &Key) -> Self {
        let facts = state.facts(key);
        let accounts = facts.as_ref();
        let accounts = accounts.and_then(|it| it.value(state.fields.user_accounts));
        let all = links(accounts.as_deref()).iter().map(|link| UserLink {
            is_administrator: link.attributes[0] == ADMINISTRATOR,
            is_usable: state.is_usable(&link.target),
            account: link.target.clone(),
        });
        let links = all.collect();
        Self {
            state,
            is_live: facts.as_ref().is_some_and(ResourceFacts::is_in_use),
            facts,
            links,
        }
    }

    pub fn link(&self, account: &str) -> Option<&UserLink> {
        self.links.iter().find(|link| link.account == account)
    }

    pub fn is_linked_to_usable(&self) -> bool {
        self.links.iter().any(|link| link.is_usable)
    }

    pub fn has_access(&self) -> bool {
        self.is_live && self.is_linked_to_usable()
    }

    pub fn buys_for(&self, account: &str) -> bool {
        self.is_live && self.link(account).is_some_and(|link| link.is_usable)
    }

    pub fn administers(&self, account: &str) -> bool {
        let link = self.link(account);
        self.is_live && link.is_some_and(|link| link.is_usable && link.is_administrator)
    }

    /// The stores of the user that are in use.
    pub fn stores(&self) -> BTreeSet<CompactText> {
        let mut stores = self.listed_stores();
        stores.retain(|store| self.state.is_in_use(STORE, store));
        stores
    }

    pub fn listed_stores(&self) -> BTreeSet<CompactText> {
        let facts = self.facts.as_ref();
        facts.map_or_else(BTreeSet::new, |it| {
            it.members(self.state.fields.user_stores)
        })
    }

    /// The account for which an active policy names the user, if the user buys for it.
    pub fn account_of_policy(
        &self,
        user: &Key,
        policy: &str,
        role: PolicyRole,
    ) -> Option<CompactText> {
        let facts = self.state.facts_of(POLICY, policy)?;
        let account = facts.text(self.state.fields.policy_account)?;
        let names_user = facts.members(role.field(self.state)).contains(&user.id);
        (names_user && facts.is_in_use() && self.buys_for(&account)).then_some(account)
    }
}

impl PolicyRole {
    pub const ALL: [Self; 2] = [Self::Approver, Self::Reviewed];

    pub fn field(self, state: &EffectState<'_>) -> usize {
        match self {
            Self::Approver => state.fields.policy_approvers,
            Self::Reviewed => state.fields.policy_reviewed,
        }
    }
}

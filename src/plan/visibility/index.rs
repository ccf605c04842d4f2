//! One state with numbers in place of ids, and the sets of what a scope sees in it.

use super::state::VisibilityState;
use crate::model::CompactText;
use std::collections::{BTreeSet, HashMap};

/// How much a user sees of an account.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum VisibilityScope {
    Everything,
    /// These organisations of the user, and those below.
    Organisations(Vec<u32>),
    /// The users without an organisation.
    Unorganised,
}

/// The numbers of ids; both states use the same.
pub(super) struct IdNumbers<'s> {
    pub ids: Vec<&'s CompactText>,
    numbers: HashMap<&'s CompactText, u32>,
}

impl<'s> IdNumbers<'s> {
    /// Numbers ids that are sorted and distinct.
    pub fn of(ids: Vec<&'s CompactText>) -> Self {
        let numbers = (0u32..).zip(&ids).map(|(number, id)| (*id, number));
        Self {
            numbers: numbers.collect(),
            ids,
        }
    }

    fn get(&self, id: &CompactText) -> Option<u32> {
        self.numbers.get(id).copied()
    }
}

/// The numbers of everything in both states.
pub(super) struct StateNumbers<'s> {
    /// Only of users in both states.
    pub users: IdNumbers<'s>,
    pub organisations: IdNumbers<'s>,
    pub accounts: IdNumbers<'s>,
}

/// What a scope sees, sorted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct SeenIds {
    pub users: Vec<u32>,
    pub organisations: Vec<u32>,
}

/// One state by numbers.
pub(super) struct VisibilityIndex {
    /// By user: the scope in each usable account, by account.
    pub scopes: Vec<Vec<(u32, VisibilityScope)>>,
    /// By account.
    linked: Vec<Vec<u32>>,
    /// By account: the linked users without an organisation there.
    unorganised: Vec<Vec<u32>>,
    /// By account.
    organisations: Vec<Vec<u32>>,
    /// By organisation: those of the same account directly below.
    below: Vec<Vec<u32>>,
    /// By organisation.
    members: Vec<Vec<u32>>,
}

impl VisibilityIndex {
    pub fn new(state: &VisibilityState, numbers: &StateNumbers<'_>) -> Self {
        let empty = |numbers: &IdNumbers<'_>| vec![Vec::new(); numbers.ids.len()];
        let mut index = Self {
            scopes: vec![Vec::new(); numbers.users.ids.len()],
            linked: empty(&numbers.accounts),
            unorganised: empty(&numbers.accounts),
            organisations: empty(&numbers.accounts),
            below: empty(&numbers.organisations),
            members: empty(&numbers.organisations),
        };
        // By organisation. `None` where the state has none with this number.
        let mut account_of = vec![None; numbers.organisations.ids.len()];
        for (at, id) in (0u32..).zip(&numbers.organisations.ids) {
            let Some(place) = state.organisations.get(*id) else {
                continue;
            };
            let Some(account) = numbers.accounts.get(&place.account) else {
                continue;
            };
            account_of[at as usize] = Some(account);
            index.organisations[account as usize].push(at);
            let parent = place.parent.as_ref().and_then(|parent| {
                let its_account = &state.organisations.get(parent)?.account;
                (*its_account == place.account).then(|| numbers.organisations.get(parent))?
            });
            if let Some(parent) = parent {
                index.below[parent as usize].push(at);
            }
        }
        for (at, id) in (0u32..).zip(&numbers.users.ids) {
            index.add_user(at, id, state, numbers, &account_of);
        }
        index
    }

    fn add_user(
        &mut self,
        at: u32,
        id: &CompactText,
        state: &VisibilityState,
        numbers: &StateNumbers<'_>,
        account_of: &[Option<u32>],
    ) {
        let Some(user) = state.users.get(id) else {
            return;
        };
        let organisations = user.organisations.iter();
        let organisations = organisations.filter_map(|id| numbers.organisations.get(id));
        let mut own: Vec<u32> = organisations.collect();
        own.sort_unstable();
        for organisation in &own {
            self.members[*organisation as usize].push(at);
        }
        for (id, administrator) in &user.accounts {
            let Some(account) = numbers.accounts.get(id) else {
                continue;
            };
            let own = own.iter().copied();
            let own: Vec<u32> = own
                .filter(|it| account_of[*it as usize] == Some(account))
                .collect();
            self.linked[account as usize].push(at);
            if own.is_empty() {
                self.unorganised[account as usize].push(at);
            }
            if !state.accounts.get(id).is_some_and(|it| it.is_usable()) {
                continue;
            }
            let scope = if state.admin_sees_account && (*administrator || user.in_admin_group) {
                VisibilityScope::Everything
            } else if own.is_empty() {
                VisibilityScope::Unorganised
            } else {
                VisibilityScope::Organisations(own)
            };
            self.scopes[at as usize].push((account, scope));
        }
        self.scopes[at as usize].sort_by_key(|(account, _)| *account);
    }

    /// What a scope sees in an account.
    pub fn seen(&self, account: u32, scope: &VisibilityScope) -> SeenIds {
        let of_account = account as usize;
        let (mut users, organisations) = match scope {
            VisibilityScope::Everything => (
                self.linked[of_account].clone(),
                self.organisations[of_account].clone(),
            ),
            VisibilityScope::Organisations(own) => (Vec::new(), self.with_all_below(own)),
            VisibilityScope::Unorganised => (self.unorganised[of_account].clone(), Vec::new()),
        };
        for organisation in &organisations {
            users.extend(&self.members[*organisation as usize]);
        }
        users.sort_unstable();
        users.dedup();
        SeenIds {
            users,
            organisations,
        }
    }

    fn with_all_below(&self, own: &[u32]) -> Vec<u32> {
        let mut seen: BTreeSet<u32> = own.iter().copied().collect();
        let mut open = own.to_vec();
        while let Some(next) = open.pop() {
            // A circle ends where everything in it was seen.
            open.extend(
                self.below[next as usize]
                    .iter()
                    .filter(|it| seen.insert(**it)),
            );
        }
        seen.into_iter().collect()
    }
}

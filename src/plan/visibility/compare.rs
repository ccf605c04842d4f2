//! Tells what each user gains and loses between two states.
//!
//! Users with the same scopes in the same accounts see the same, so what changes is worked out once
//! for all of them. An account of 20,000 users would otherwise be 400 million pairs.

use super::index::{IdNumbers, SeenIds, StateNumbers, VisibilityIndex, VisibilityScope};
use super::state::VisibilityState;
use super::{MAX_IDS, MAX_VIEWERS, PlanVisibility, VisibilityChange, VisibilityDelta, VisibleIds};
use crate::model::CompactText;
use std::collections::{BTreeMap, HashMap};

/// The scopes of a user by account, as their numbers.
type ViewerScopes = Vec<(u32, u32)>;

/// Whether it goes backwards, the account, the scope, and the other scope if there is one.
type OnlyKey = (bool, u32, u32, Option<u32>);

/// The three lists of what users gain or lose.
#[derive(Clone, Default)]
struct SeenChange {
    users: Vec<u32>,
    organisations: Vec<u32>,
    accounts: Vec<u32>,
}

/// What all users with the same scopes gain and lose.
struct ScopeChange {
    gains: SeenChange,
    loses: SeenChange,
}

struct StateComparison<'s> {
    numbers: StateNumbers<'s>,
    before: VisibilityIndex,
    after: VisibilityIndex,
    scopes: Vec<VisibilityScope>,
    scope_numbers: HashMap<VisibilityScope, u32>,
    /// What a scope sees of an account, before and after.
    seen: [HashMap<(u32, u32), SeenIds>; 2],
    /// What a scope sees of an account that another one at the other time does not.
    only: HashMap<OnlyKey, SeenIds>,
}

/// Who sees more or less after than before. Only users who are in both states.
#[must_use]
pub fn compare(before: &VisibilityState, after: &VisibilityState) -> PlanVisibility {
    let mut found = PlanVisibility::default();
    visit_changes(before, after, |comparison, viewer, change| {
        if found.changes.len() == MAX_VIEWERS {
            found.omitted += 1;
        } else {
            found.changes.push(VisibilityChange {
                user: comparison.users.ids[viewer as usize].clone(),
                gains: change.gains.named(viewer, comparison),
                loses: change.loses.named(viewer, comparison),
            });
        }
        // Of those who are only counted, it matters whether they see anybody more or less than
        // themselves.
        let is_full = found.changes.len() == MAX_VIEWERS;
        if is_full { 2 } else { usize::MAX }
    });
    found
}

/// Visits each user who sees other users more or less, in order, with whom that user gains and
/// loses.
pub(in crate::plan) fn seen_users(
    before: &VisibilityState,
    after: &VisibilityState,
    mut visit: impl FnMut(&CompactText, [Vec<CompactText>; 2]),
) {
    visit_changes(before, after, |numbers, viewer, change| {
        let sides = [&change.gains, &change.loses].map(|side| {
            let others = side.users.iter().filter(|id| **id != viewer);
            let ids = others.map(|id| numbers.users.ids[*id as usize].clone());
            ids.collect::<Vec<_>>()
        });
        if sides.iter().any(|side| !side.is_empty()) {
            visit(numbers.users.ids[viewer as usize], sides);
        }
        usize::MAX
    });
}

/// Visits each user whose sight changes, by number. What is visited answers how many users and
/// organisations of an account have to be found for those that come.
fn visit_changes(
    before: &VisibilityState,
    after: &VisibilityState,
    mut visit: impl FnMut(&StateNumbers<'_>, u32, &ScopeChange) -> usize,
) {
    let mut comparison = StateComparison::new(before, after);
    let mut classes: HashMap<(ViewerScopes, ViewerScopes), usize> = HashMap::new();
    let mut changes: Vec<ScopeChange> = Vec::new();
    let mut limit = usize::MAX;
    for viewer in 0..comparison.numbers.users.ids.len() {
        let [was, is] = [
            std::mem::take(&mut comparison.before.scopes[viewer]),
            std::mem::take(&mut comparison.after.scopes[viewer]),
        ]
        .map(|scopes| comparison.numbered(scopes));
        let class = (was, is);
        let at = if let Some(at) = classes.get(&class) {
            *at
        } else {
            changes.push(comparison.change(&class.0, &class.1, limit));
            classes.insert(class, changes.len() - 1);
            changes.len() - 1
        };
        let viewer = u32::try_from(viewer).unwrap_or(u32::MAX);
        let change = &changes[at];
        if !change.is_empty_for(viewer) {
            limit = visit(&comparison.numbers, viewer, change);
        }
    }
}

impl<'s> StateComparison<'s> {
    fn new(before: &'s VisibilityState, after: &'s VisibilityState) -> Self {
        let users = before.users.keys();
        let users = users.filter(|id| after.users.contains_key(*id));
        let numbers = StateNumbers {
            users: IdNumbers::of(users.collect()),
            organisations: all_ids(&before.organisations, &after.organisations),
            accounts: all_ids(&before.accounts, &after.accounts),
        };
        Self {
            before: VisibilityIndex::new(before, &numbers),
            after: VisibilityIndex::new(after, &numbers),
            numbers,
            scopes: Vec::new(),
            scope_numbers: HashMap::new(),
            seen: [HashMap::new(), HashMap::new()],
            only: HashMap::new(),
        }
    }

    fn numbered(&mut self, scopes: Vec<(u32, VisibilityScope)>) -> ViewerScopes {
        let number = |(account, scope): (u32, VisibilityScope)| {
            let next = u32::try_from(self.scopes.len()).unwrap_or(u32::MAX);
            let number = *self.scope_numbers.entry(scope).or_insert_with_key(|scope| {
                self.scopes.push(scope.clone());
                next
            });
            (account, number)
        };
        scopes.into_iter().map(number).collect()
    }

    /// What changes for users with these scopes. Of users and organisations in an account, at most
    /// `limit` are found.
    fn change(&mut self, was: &[(u32, u32)], is: &[(u32, u32)], limit: usize) -> ScopeChange {
        ScopeChange {
            loses: self.sees_only(false, was, is, limit),
            gains: self.sees_only(true, is, was, limit),
        }
    }

    /// What `these` scopes see that `others` do not. Backwards, `these` are those after the plan.
    fn sees_only(
        &mut self,
        backwards: bool,
        these: &[(u32, u32)],
        others: &[(u32, u32)],
        limit: usize,
    ) -> SeenChange {
        let mut only = SeenChange::default();
        let mut keys = Vec::new();
        for (account, scope) in these {
            let other = others.iter().find(|(other, _)| other == account);
            if other.is_none() {
                only.accounts.push(*account);
            }
            let other = other.map(|(_, scope)| *scope);
            let here = self.only_here((backwards, *account, *scope, other));
            if *here != SeenIds::default() {
                keys.push((backwards, *account, *scope, other));
            }
        }
        if keys.is_empty() {
            return only;
        }
        // Whoever is not seen in one account any more may still be seen in another.
        for (account, scope) in others {
            self.seen(!backwards, *account, *scope);
        }
        let seen = &self.seen[usize::from(!backwards)];
        let elsewhere: Vec<&SeenIds> = others.iter().map(|it| &seen[it]).collect();
        for key in keys {
            let here = &self.only[&key];
            let is_user_gone = |id: &&u32| {
                let mut elsewhere = elsewhere.iter();
                elsewhere.all(|seen| seen.users.binary_search(id).is_err())
            };
            let users = here.users.iter().filter(is_user_gone);
            only.users.extend(users.take(limit));
            let is_organisation_gone = |id: &&u32| {
                let mut elsewhere = elsewhere.iter();
                elsewhere.all(|seen| seen.organisations.binary_search(id).is_err())
            };
            let organisations = here.organisations.iter().filter(is_organisation_gone);
            only.organisations.extend(organisations.take(limit));
        }
        for list in [&mut only.users, &mut only.organisations] {
            list.sort_unstable();
            list.dedup();
        }
        only
    }

    fn only_here(&mut self, key: OnlyKey) -> &SeenIds {
        if !self.only.contains_key(&key) {
            let (backwards, account, scope, other) = key;
            let other = match other {
                Some(other) => self.seen(!backwards, account, other).clone(),
                None => SeenIds::default(),
            };
            let seen = self.seen(backwards, account, scope);
            let only = SeenIds {
                users: difference(&seen.users, &other.users),
                organisations: difference(&seen.organisations, &other.organisations),
            };
            self.only.insert(key, only);
        }
        &self.only[&key]
    }

    /// What a scope sees of an account, after the plan or before.
    fn seen(&mut self, after: bool, account: u32, scope: u32) -> &SeenIds {
        let index = if after { &self.after } else { &self.before };
        let scopes = &self.scopes;
        let known = self.seen[usize::from(after)].entry((account, scope));
        known.or_insert_with(|| index.seen(account, &scopes[scope as usize]))
    }
}

impl ScopeChange {
    /// Whether nothing changes for a user, who always sees oneself.
    fn is_empty_for(&self, viewer: u32) -> bool {
        [&self.gains, &self.loses].into_iter().all(|change| {
            let others = match &change.users[..] {
                [] => true,
                [only] => *only == viewer,
                _ => false,
            };
            others && change.organisations.is_empty() && change.accounts.is_empty()
        })
    }
}

impl SeenChange {
    fn named(&self, viewer: u32, numbers: &StateNumbers<'_>) -> VisibilityDelta {
        VisibilityDelta {
            users: named(&self.users, Some(viewer), &numbers.users),
            organisations: named(&self.organisations, None, &numbers.organisations),
            accounts: named(&self.accounts, None, &numbers.accounts),
        }
    }
}

fn named(all: &[u32], without: Option<u32>, numbers: &IdNumbers<'_>) -> VisibleIds {
    let oneself = without.is_some_and(|without| all.binary_search(&without).is_ok());
    let count = all.len() - usize::from(oneself);
    let others = all.iter().filter(|id| Some(**id) != without);
    let ids = others
        .take(MAX_IDS)
        .map(|id| numbers.ids[*id as usize].clone());
    let named: Vec<_> = ids.collect();
    VisibleIds {
        omitted: (count - named.len()) as u64,
        named,
    }
}

/// The members of a sorted list that another one does not have.
fn difference(all: &[u32], without: &[u32]) -> Vec<u32> {
    let mut without = without.iter().copied().peekable();
    let stays = |id: &&u32| {
        while without.next_if(|other| other < *id).is_some() {}
        without.peek() != Some(*id)
    };
    all.iter().filter(stays).copied().collect()
}

fn all_ids<'s, T>(
    before: &'s BTreeMap<CompactText, T>,
    after: &'s BTreeMap<CompactText, T>,
) -> IdNumbers<'s> {
    let mut ids: Vec<_> = before.keys().chain(after.keys()).collect();
    ids.sort_unstable();
    ids.dedup();
    IdNumbers::of(ids)
}

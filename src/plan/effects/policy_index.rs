//! Finds the policies that a change of users or policies can concern.

use super::EffectComparison;
use super::state::EffectState;
use super::user_side::PolicyRole;
use crate::kinds::{ACCOUNT, POLICY};
use crate::model::{CompactText, Key, Snapshot, SnapshotLookup};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct PolicyIndex {
    /// The policies of an account, on either side.
    by_account: BTreeMap<CompactText, BTreeSet<CompactText>>,
    /// The changed policies that name a user, on either side.
    by_user: BTreeMap<CompactText, BTreeSet<CompactText>>,
}

impl PolicyIndex {
    /// The changed policies by user.
    pub fn of_changes(comparison: &EffectComparison<'_>) -> Self {
        let mut index = Self::default();
        for state in [&comparison.before, &comparison.after] {
            for delta in comparison.changes.of_kind(POLICY) {
                index.add_users(state, delta.key);
            }
        }
        index
    }

    /// Adds all policies by account.
    pub fn add_accounts(&mut self, comparison: &EffectComparison<'_>) {
        let stored = comparison.before.stored();
        let rows = stored.rows.iter().as_slice().par_iter();
        let keys = rows
            .filter(|row| row.key.kind == POLICY)
            .map(|row| &row.key);
        let mut keys: BTreeSet<&Key> = keys.collect();
        keys.extend(comparison.after.touched(POLICY));
        for state in [&comparison.before, &comparison.after] {
            for key in &keys {
                self.add_account(state, key);
            }
        }
    }

    fn add_account(&mut self, state: &EffectState<'_>, key: &Key) {
        let facts = state.facts(key);
        let account = facts.and_then(|it| it.text(state.fields.policy_account));
        if let Some(account) = account {
            let policies = self.by_account.entry(account).or_default();
            policies.insert(key.id.clone());
        }
    }

    fn add_users(&mut self, state: &EffectState<'_>, key: &Key) {
        let Some(facts) = state.facts(key) else {
            return;
        };
        for role in PolicyRole::ALL {
            for user in facts.members(role.field(state)) {
                self.by_user.entry(user).or_default().insert(key.id.clone());
            }
        }
    }

    /// The users whom a changed policy names.
    pub fn users(&self) -> impl Iterator<Item = &CompactText> {
        self.by_user.keys()
    }

    pub fn naming(&self, user: &str) -> impl Iterator<Item = &CompactText> {
        self.by_user.get(user).into_iter().flatten()
    }

    /// The policies of an account.
    pub fn of_account(
        &self,
        stored: &Snapshot,
        field: usize,
        account: &CompactText,
    ) -> impl Iterator<Item = &CompactText> {
        let rows = &stored.rows;
        rows.note_lookup(|| SnapshotLookup::Referrers(POLICY, field, Key::new(ACCOUNT, account)));
        self.by_account.get(account).into_iter().flatten()
    }
}

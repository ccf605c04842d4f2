//! How many users or accounts have something now: what the count of a budget is a share of.

use super::fields::EffectFields;
use super::state::EffectState;
use super::user_side::{PolicyRole, UserSide};
use crate::kinds::{ACCOUNT, POLICY, USER};
use crate::model::{CompactText, GuardBase, Key, KindId, Row, Snapshot};
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Counts what a base is about, as stored. Other bases than those of effects count nothing here.
pub(in crate::plan) fn count_before(stored: &Snapshot, base: &GuardBase) -> u64 {
    let fields = EffectFields::new();
    let state = EffectState::new(stored, Vec::new(), &fields);
    let count = |kind: KindId, has: &(dyn Fn(&Key) -> bool + Sync)| {
        let rows = rows_of(stored, kind);
        rows.filter(|row| has(&row.key)).count() as u64
    };
    match base {
        GuardBase::AccessHolders => count(USER, &|user| UserSide::new(&state, user).has_access()),
        GuardBase::Administrators => count(USER, &|user| {
            let user = UserSide::new(&state, user);
            let mut links = user.links.iter();
            links.any(|link| user.administers(&link.account))
        }),
        GuardBase::UsableAccounts => count(ACCOUNT, &|account| state.is_usable(&account.id)),
        GuardBase::Approvers => approvers(stored, &state).len() as u64,
        GuardBase::Live(..) | GuardBase::Filled(..) | GuardBase::Users(_) => 0,
    }
}

fn rows_of(stored: &Snapshot, kind: KindId) -> impl ParallelIterator<Item = &Row> {
    let rows = stored.rows.iter().as_slice().par_iter();
    rows.filter(move |row| row.key.kind == kind)
}

/// The users whom an active policy names as approvers, and who buy for its account.
fn approvers(stored: &Snapshot, state: &EffectState<'_>) -> BTreeSet<CompactText> {
    let policies = rows_of(stored, POLICY).flat_map_iter(|row| {
        let facts = state.facts(&row.key);
        let approvers = facts.map(|it| it.members(state.fields.policy_approvers));
        let policy = &row.key.id;
        approvers.into_iter().flatten().filter(move |id| {
            let key = Key::new(USER, id);
            let user = UserSide::new(state, &key);
            user.account_of_policy(&key, policy, PolicyRole::Approver)
                .is_some()
        })
    });
    policies.collect()
}

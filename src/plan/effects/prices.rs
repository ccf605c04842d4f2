//! The prices of accounts, which follow from their tags.

use super::found::{EffectCause, EffectList};
use super::state::EffectState;
use super::{EffectComparison, cause};
use crate::kinds::{self, ACCOUNT, TAG};
use crate::model::{CompactText, Key};
use std::collections::BTreeSet;

impl EffectComparison<'_> {
    /// Adds the accounts, usable on both sides, whose active tags differ.
    pub(super) fn add_price_effects(&self, found: &mut EffectList) {
        let tags = self.before.fields.account_tags;
        let own = kinds::own_field(tags);
        let changed = self.changes.of_kind(ACCOUNT).iter();
        let changed = changed.filter(|delta| delta.change(&own).is_some());
        let mut accounts: BTreeSet<Key> = changed.map(|delta| delta.key.clone()).collect();
        let other = self.with_other_use(TAG);
        accounts.extend(self.before.referrers(ACCOUNT, tags, &other));
        for account in accounts {
            let sides = [&self.before, &self.after];
            if !sides.iter().all(|state| state.is_usable(&account.id)) {
                continue;
            }
            let [before, after] = sides.map(|state| price_tags(state, &account));
            if before != after {
                let causes = || {
                    let tags = before.symmetric_difference(&after);
                    tags.flat_map(|tag| self.causes_of_price(&account, tag))
                        .collect()
                };
                found.add_price(&account, &before, &after, causes);
            }
        }
    }

    fn causes_of_price(&self, account: &Key, tag: &CompactText) -> Vec<EffectCause> {
        let index = self.before.fields.account_tags;
        let sides = [&self.before, &self.after];
        let [was, is] = sides.map(|state| listed_tags(state, account).contains(tag));
        let mut causes = Vec::new();
        if was != is {
            let own = kinds::own_field(index);
            let changes = self.changes.of(account);
            let changes = changes.filter(|delta| delta.change(&own).is_some());
            causes.extend(changes.map(|delta| cause(&delta, index)));
        }
        let [was, is] = sides.map(|state| state.is_in_use(TAG, tag));
        if was != is {
            causes.push(EffectCause::whole(Key::new(TAG, tag)));
        }
        causes
    }
}

fn listed_tags(state: &EffectState<'_>, account: &Key) -> BTreeSet<CompactText> {
    let facts = state.facts(account);
    facts.map_or_else(BTreeSet::new, |it| it.members(state.fields.account_tags))
}

fn price_tags(state: &EffectState<'_>, account: &Key) -> BTreeSet<CompactText> {
    let mut tags = listed_tags(state, account);
    tags.retain(|tag| state.is_in_use(TAG, tag));
    tags
}

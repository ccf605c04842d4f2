//! Names the accounts that share an address. Whoever changes the address for one of them changes it
//! for all, so a plan shows them.

use super::context::PlanContext;
use super::types::Step;
use crate::check::{PlannedChange, PlannedOutcome, PlannedState};
use crate::diagnostic::thousands;
use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{CompactText, Key, KeyedList};
use std::collections::HashMap;

/// How many accounts a sentence names.
const NAMED: usize = 5;

/// The accounts of each address that these effects change and that several accounts have.
pub(super) fn shared_addresses<'a>(
    context: &PlanContext<'a>,
    effects: &'a KeyedList<PlannedChange>,
) -> HashMap<&'a Key, Box<[CompactText]>> {
    // Only `protect` changes nothing for those who use the address.
    let protect = kinds::own_field(kinds::get(ADDRESS).protect_index());
    let changed = effects.iter().filter(|effect| match &effect.outcome {
        PlannedOutcome::Change(changes) => {
            effect.key.kind == ADDRESS && changes.iter().any(|change| change.field != protect)
        }
        PlannedOutcome::Create { .. } | PlannedOutcome::Delete(_) => false,
    });
    let changed: Vec<&Key> = changed.map(|effect| &effect.key).collect();
    if changed.is_empty() {
        return HashMap::new();
    }
    let addresses = kinds::get(ACCOUNT).expect_index("addresses");
    let world = PlannedState::indexed(context.stored, context.desired, effects);
    let shared = changed.into_iter().filter_map(|key| {
        let accounts = world.referrers(ACCOUNT, addresses, key);
        let ids = accounts.iter().map(|account| account.id.clone());
        (accounts.len() > 1).then(|| (key, ids.collect()))
    });
    shared.collect()
}

/// Says for which accounts a shared address changes.
#[must_use]
pub fn shared_by<T: AsRef<str>>(accounts: &[T]) -> Option<String> {
    if accounts.is_empty() {
        return None;
    }
    let named = accounts.iter().take(NAMED).map(AsRef::as_ref);
    let mut named = named.collect::<Vec<&str>>().join(", ");
    let more = accounts.len().saturating_sub(NAMED);
    if more > 0 {
        named.push_str(&format!(" and {} more", thousands(more)));
    }
    let count = thousands(accounts.len());
    Some(format!("shared by {count} accounts: {named}"))
}

impl Step {
    /// What else a reader has to know of the step, in words.
    #[must_use]
    pub fn side_effects(&self) -> Vec<String> {
        let shared = shared_by(&self.accounts);
        let impact = self.impact.iter().map(|it| format!("impact: {it}"));
        let effects = self.runtime.effect().into_iter().chain(shared);
        effects.chain(impact).chain(self.undone_words()).collect()
    }
}

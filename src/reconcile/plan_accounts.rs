//! Finds the accounts that the entries of a plan belong to: people think in customers, and a plan lists
//! resources by kind. What a source declares says it; of what is gone, the database does.

use crate::kinds::{self, ACCOUNT};
use crate::model::{CompactText, DeclaredResource, Desired, Key, Value};
use crate::plan::Plan;
use crate::store::{Store, StoreError};
use std::collections::BTreeSet;

/// For how many entries the accounts are found. Nobody reads more by account.
const MAX_ENTRIES: usize = 2_000;

/// Fills in the accounts of a plan. Without `stored`, nothing is looked up in the database, because
/// whoever reads the plan may not see what is there.
pub async fn find_plan_accounts(
    plan: &mut Plan,
    desired: &Desired,
    stored: Option<&Store>,
) -> Result<(), StoreError> {
    if plan.steps.len() + plan.held.len() > MAX_ENTRIES {
        return Ok(());
    }
    let held = plan.held.iter().map(|held| &held.key);
    let keys = plan.steps.iter().map(|step| &step.key).chain(held);
    let keys: BTreeSet<Key> = keys.cloned().collect();
    let mut unknown = BTreeSet::new();
    for key in keys {
        let declared = desired.resources.get(&key);
        match declared.and_then(|declared| first_account(declared)) {
            Some(account) => plan.accounts.entry(account).or_default().push(key),
            None if key.kind == ACCOUNT => {
                plan.accounts.entry(key.id.clone()).or_default().push(key);
            }
            None => _ = unknown.insert(key),
        }
    }
    if let Some(store) = stored {
        for (key, accounts) in store.accounts_of(&unknown).await? {
            // Under the first: an entry that is listed twice would be read as two.
            if let Some(account) = accounts.into_iter().next() {
                plan.accounts.entry(account).or_default().push(key);
            }
        }
    }
    plan.accounts.values_mut().for_each(|keys| keys.sort());
    Ok(())
}

/// The first account that a declared resource names.
fn first_account(declared: &DeclaredResource) -> Option<CompactText> {
    let kind = kinds::get(declared.key.kind);
    let mut values = kind
        .account_fields()
        .filter_map(|index| declared.cell(index)?.value());
    values.find_map(|value| match value {
        Value::Text(id) => Some(id.clone()),
        list => list.members().next().cloned(),
    })
}

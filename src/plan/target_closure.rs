//! Partial plans: adds to the targets what they need to be valid. An account created without its
//! users would break the rules.

use crate::kinds;
use crate::model::{Cell, DeclaredResource, Desired, Key, Snapshot, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The targets, the declared resources they refer to that are not stored yet, and for an account to
/// be created the users declared for it.
pub fn closure(desired: &Desired, stored: &Snapshot, targets: BTreeSet<Key>) -> BTreeSet<Key> {
    let users = users_by_account(desired, stored);
    let mut closed = BTreeSet::new();
    let mut open: Vec<Key> = targets.into_iter().collect();
    // A work list instead of recursion: references may form a cycle, and `closed` ends it.
    while let Some(key) = open.pop() {
        if let Some(declared) = desired.resources.get(&key) {
            let needed = references(declared).filter(|target| !stored.rows.contains(target));
            open.extend(
                needed.filter(|target| {
                    desired.resources.contains(target) && !closed.contains(target)
                }),
            );
        }
        open.extend(
            users
                .get(&key)
                .into_iter()
                .flatten()
                .filter(|user| !closed.contains(*user))
                .cloned(),
        );
        closed.insert(key);
    }
    closed
}

/// The users declared for each account that is not stored.
fn users_by_account(desired: &Desired, stored: &Snapshot) -> BTreeMap<Key, Vec<Key>> {
    let mut users: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
    let is_user = |declared: &&std::sync::Arc<DeclaredResource>| declared.key.kind == kinds::USER;
    for declared in desired.resources.iter().filter(is_user) {
        let accounts = references(declared).filter(|target| target.kind == kinds::ACCOUNT);
        for account in accounts.filter(|account| !stored.rows.contains(account)) {
            users.entry(account).or_default().push(declared.key.clone());
        }
    }
    users
}

fn references(declared: &DeclaredResource) -> impl Iterator<Item = Key> {
    kinds::get(declared.key.kind)
        .references()
        .flat_map(|(field, kind)| {
            let targets: Vec<Key> = match declared.cell(field) {
                Some(Cell::Value(Value::Text(target))) => vec![Key::new(kind, target)],
                Some(Cell::Value(value)) => value
                    .members()
                    .map(|member| Key::new(kind, member))
                    .collect(),
                _ => Vec::new(),
            };
            targets
        })
}

//! A record of an export, an account with the addresses in its rows, is applied as a whole or not
//! at all. When one resource of it has errors, [`mates`] returns the others, which are held with
//! it.

use super::context::PlanContext;
use crate::diagnostic::Code;
use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{Cell, Key, Value};
use std::collections::BTreeMap;

/// A resource held because another one of its record has errors.
pub(super) struct RecordMate {
    pub key: Key,
    /// The resource with the errors.
    pub faulty_key: Key,
    /// The rule that it broke.
    pub code: Code,
}

/// The other resources in the records of the faulty ones. In a tree that people write, account and
/// address are separate documents and there are no mates.
pub(super) fn mates(context: &PlanContext<'_>, faulty: &BTreeMap<Key, Code>) -> Vec<RecordMate> {
    let concerns = |key: &Key| [ACCOUNT, ADDRESS].contains(&key.kind);
    if !context.desired.partial || !faulty.keys().any(concerns) {
        return Vec::new();
    }
    let records = records(context);
    let mut accounts: BTreeMap<&Key, (&Key, Code)> = BTreeMap::new();
    for (account, addresses) in &records {
        let mut members = std::iter::once(account).chain(addresses);
        if let Some((of, code)) = members.find_map(|key| faulty.get_key_value(key)) {
            accounts.insert(account, (of, *code));
        }
    }
    let mut mates: BTreeMap<&Key, (&Key, Code)> = BTreeMap::new();
    // All addresses of the account: without them it would be created with a part of its addresses.
    for (account, cause) in &accounts {
        mates.insert(*account, *cause);
        for address in &records[*account] {
            mates.entry(address).or_insert(*cause);
        }
    }
    // A record without errors declares the address too, and that one may be applied.
    for (_, addresses) in records
        .iter()
        .filter(|(account, _)| !accounts.contains_key(account))
    {
        for address in addresses {
            mates.remove(address);
        }
    }
    mates
        .into_iter()
        .filter(|(key, _)| !faulty.contains_key(*key))
        .map(|(key, (of, code))| RecordMate {
            key: key.clone(),
            faulty_key: of.clone(),
            code,
        })
        .collect()
}

fn records(context: &PlanContext<'_>) -> BTreeMap<Key, Vec<Key>> {
    let addresses = kinds::get(ACCOUNT).expect_index("addresses");
    let accounts = context.desired.resources.iter();
    let accounts = accounts.filter(|declared| declared.key.kind == ACCOUNT);
    let of = |cell: Option<&Cell>| {
        let members = cell.and_then(Cell::value).into_iter();
        let members = members.flat_map(Value::members);
        members.map(|id| Key::new(ADDRESS, id)).collect()
    };
    accounts
        .map(|declared| (declared.key.clone(), of(declared.cell(addresses))))
        .collect()
}

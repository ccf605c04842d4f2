//! A record of an export is applied whole or not at all: an account and the addresses in its rows.
//!
//! When one of them has errors, [`mates`] names the others, which are held with it.

use super::context::PlanContext;
use crate::diagnostic::Code;
use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{Cell, Key, Value};
use std::collections::BTreeMap;

/// A resource that is held because another one of its record has errors.
pub(super) struct RecordMate {
    pub key: Key,
    /// The resource that has the errors.
    pub faulty_key: Key,
    /// What is wrong with that one.
    pub code: Code,
}

/// What is in one record with something faulty, beside that itself. In a tree that people write, an
/// address and its account are separate resources: there are no mates.
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
    for (account, cause) in &accounts {
        mates.insert(*account, *cause);
        for address in &records[*account] {
            mates.entry(address).or_insert(*cause);
        }
    }
    // An address that a record without errors declares too is as that one says.
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

/// Each account that the export declares, with the addresses in its rows.
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

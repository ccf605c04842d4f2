//! A page of resources that are written together, with the rows that are looked up for them.

use crate::kinds::{self, ADDRESS};
use crate::model::{CompactText, Key, KeyedList, Row, Value};
use std::collections::BTreeSet;

/// Resources of one kind to write, with what is stored of them and of others beside them.
#[derive(Debug, Default)]
pub struct ExportPage {
    /// What is written, sorted. A key without a row is that of a deleted resource.
    pub(super) keys: Vec<Key>,
    pub(super) rows: KeyedList<Row>,
    /// What was looked up, whether or not it is stored.
    looked_up: BTreeSet<Key>,
}

impl ExportPage {
    /// Stored resources, sorted by key.
    #[must_use]
    pub fn of(rows: Vec<Row>) -> Self {
        Self {
            keys: rows.iter().map(|row| row.key.clone()).collect(),
            rows: rows.into_iter().collect(),
            looked_up: BTreeSet::new(),
        }
    }

    /// Resources that changed. The rows are all that is stored of them.
    #[must_use]
    pub fn of_changed(keys: BTreeSet<Key>, rows: Vec<Row>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            rows: rows.into_iter().collect(),
            looked_up: BTreeSet::new(),
        }
    }

    /// Adds what was looked up, and the rows that were found.
    pub fn add(&mut self, looked_up: BTreeSet<Key>, rows: Vec<Row>) {
        self.looked_up.extend(looked_up);
        for row in rows {
            // What is there already was read at the same moment.
            let _ = self.rows.insert(row);
        }
    }

    /// Whether it is known if a resource is stored.
    pub(super) fn knows(&self, key: &Key) -> bool {
        self.rows.contains(key)
            || self.looked_up.contains(key)
            || self.keys.binary_search(key).is_ok()
    }

    /// The addresses of the resources that are not known yet.
    pub(super) fn unknown_addresses(&self) -> BTreeSet<Key> {
        let rows = self.keys.iter().filter_map(|key| self.rows.get(key));
        let addresses = rows.flat_map(linked_addresses);
        let addresses = addresses.map(|id| Key::new(ADDRESS, id));
        addresses.filter(|key| !self.knows(key)).collect()
    }
}

/// The addresses to which a resource refers.
pub(super) fn linked_addresses(row: &Row) -> impl Iterator<Item = &CompactText> {
    let kind = kinds::get(row.key.kind);
    let targets = kind.references().filter(|(_, target)| *target == ADDRESS);
    let values = targets.filter_map(|(index, _)| row.values[index].as_ref());
    values.flat_map(Value::members)
}

//! The rows of a snapshot: all there are, or a part that notices what is asked beyond it.

use super::{CompactText, Key, KeyedList, KindId, Row};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What can be asked about the stored rows, as far as it is not everything.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SnapshotLookup {
    /// The row of a key and the claims on it.
    Row(Key),
    /// Who refers to a key by the field at this index of this kind.
    Referrers(KindId, usize, Key),
    /// Whose text at this index of this kind, or id (`None`), is this one in whatever case.
    IgnoringCase(KindId, Option<usize>, CompactText),
    /// To whom a customer number was given, and how many logins are built on it.
    CustomerNumber(CompactText),
    /// Of how many resources a guard's limit is a share.
    Base(GuardBase),
    /// What only a look at everything can answer.
    Everything,
}

/// What a guard's limit is a share of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum GuardBase {
    /// The live resources of a kind that a source claims.
    Live(CompactText, KindId),
    /// The resources of a kind that a source claims and that have a value in the field at this index.
    Filled(CompactText, KindId, usize),
    /// The live users of an account.
    Users(CompactText),
}

/// The rows that were read.
///
/// Of a part, whoever looks beyond what was read is noticed: then the answer was a guess, and has
/// to be asked again with what was missing.
#[derive(Clone, Debug, Default)]
pub struct SnapshotRows {
    read: KeyedList<Row>,
    coverage: Option<LookupCoverage>,
}

/// What is known of a part, and what was asked beyond it.
#[derive(Clone, Debug, Default)]
struct LookupCoverage {
    answered: BTreeSet<SnapshotLookup>,
    unanswered: Arc<Mutex<BTreeSet<SnapshotLookup>>>,
}

impl SnapshotRows {
    /// A part of which nothing is known yet.
    pub fn partial() -> Self {
        Self {
            read: KeyedList::default(),
            coverage: Some(LookupCoverage::default()),
        }
    }

    /// From now on the part answers these, by what was added to it; whatever was asked is settled.
    pub fn mark_answered(&mut self, asks: BTreeSet<SnapshotLookup>) {
        if let Some(part) = &mut self.coverage {
            part.answered.extend(asks);
            part.unanswered = Arc::default();
        }
    }

    /// Whether the row with this key is here; nobody asks.
    pub fn has_read(&self, key: &Key) -> bool {
        self.read.contains(key)
    }

    /// Whether not all rows are here.
    pub fn is_partial(&self) -> bool {
        self.coverage.is_some()
    }

    /// Notes what somebody is about to look for; nothing when all rows are here.
    pub fn note_lookup(&self, ask: impl FnOnce() -> SnapshotLookup) {
        if let Some(part) = &self.coverage {
            let ask = ask();
            if !part.answered.contains(&ask) {
                let asked = part.unanswered.lock();
                asked.unwrap_or_else(PoisonError::into_inner).insert(ask);
            }
        }
    }

    /// What was asked and is not known.
    pub fn unanswered_lookups(&self) -> BTreeSet<SnapshotLookup> {
        let Some(part) = &self.coverage else {
            return BTreeSet::new();
        };
        let asked = part.unanswered.lock();
        asked.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The row with this key.
    pub fn get(&self, key: &Key) -> Option<&Row> {
        let found = self.read.get(key);
        if found.is_none() {
            self.note_lookup(|| SnapshotLookup::Row(key.clone()));
        }
        found
    }

    /// Whether a row has this key.
    pub fn contains(&self, key: &Key) -> bool {
        self.get(key).is_some()
    }

    /// The row with this key, to change anything of it but the key.
    pub fn get_mut(&mut self, key: &Key) -> Option<&mut Row> {
        self.read.get_mut(key)
    }

    /// Adds a row.
    pub fn insert(&mut self, row: Row) -> Result<(), (usize, Row)> {
        self.read.insert(row)
    }

    /// Keeps only the rows that `keep` says yes to.
    pub fn retain(&mut self, keep: impl FnMut(&mut Row) -> bool) {
        self.read.retain(keep);
    }

    /// The rows that were read, in order: of a part not all there are.
    pub fn iter(&self) -> std::slice::Iter<'_, Row> {
        self.read.iter()
    }

    /// How many rows were read.
    pub fn len(&self) -> usize {
        self.read.len()
    }

    /// Whether none was read.
    pub fn is_empty(&self) -> bool {
        self.read.is_empty()
    }
}

impl FromIterator<Row> for SnapshotRows {
    /// All rows there are.
    fn from_iter<I: IntoIterator<Item = Row>>(rows: I) -> Self {
        Self {
            read: rows.into_iter().collect(),
            coverage: None,
        }
    }
}

impl<'a> IntoIterator for &'a SnapshotRows {
    type Item = &'a Row;
    type IntoIter = std::slice::Iter<'a, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

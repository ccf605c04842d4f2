//! The rows of a snapshot: all there are, or some of them and a recorder of what is looked up beyond.

use super::{CompactText, Key, KeyedList, KindId, Row};
use std::fmt::Debug;
use std::sync::Arc;

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

/// Takes note of what a reader of a partial snapshot looks for beyond the rows it holds.
pub trait LookupRecorder: Debug + Send + Sync {
    fn record(&self, lookup: SnapshotLookup);
}

/// The rows that were read.
///
/// A partial snapshot passes every look-up beyond its rows to its recorder. The answer was a guess
/// then; the question has to be asked again with what was missing.
#[derive(Clone, Debug, Default)]
pub struct SnapshotRows {
    read: KeyedList<Row>,
    recorder: Option<Arc<dyn LookupRecorder>>,
}

impl SnapshotRows {
    /// A partial snapshot that holds no row yet.
    pub fn partial(recorder: Arc<dyn LookupRecorder>) -> Self {
        Self {
            read: KeyedList::default(),
            recorder: Some(recorder),
        }
    }

    /// Whether the row with this key was read. This is no look-up: nothing is recorded.
    pub fn has_read(&self, key: &Key) -> bool {
        self.read.contains(key)
    }

    /// Whether rows may be missing.
    pub(super) fn is_partial(&self) -> bool {
        self.recorder.is_some()
    }

    /// Records what a caller is about to look for among all rows; nothing when all rows were read.
    pub fn note_lookup(&self, lookup: impl FnOnce() -> SnapshotLookup) {
        self.note_lookups(|| [lookup()]);
    }

    /// Records several look-ups, which are worked out only when rows may be missing.
    pub fn note_lookups<L>(&self, lookups: impl FnOnce() -> L)
    where
        L: IntoIterator<Item = SnapshotLookup>,
    {
        if let Some(recorder) = &self.recorder {
            let lookups = lookups().into_iter();
            lookups.for_each(|lookup| recorder.record(lookup));
        }
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
            recorder: None,
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

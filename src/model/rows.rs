//! The rows of a snapshot: all of them, or some and a recorder of what is looked up beyond them. An
//! incremental pass plans on a partial snapshot, reads what the recorder noted, and plans again.
//! Start reading at [`SnapshotRows`].

use super::{CompactText, Key, KeyedList, KindId, Row};
use std::fmt::Debug;
use std::sync::Arc;

/// Up to so many resources of a kind, all of them are looked at for a similar id.
pub const FEW_OF_A_KIND: usize = 5_000;

/// A question about the stored rows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SnapshotLookup {
    /// The row of a key and the claims on it.
    Row(Key),
    /// The resources that refer to a key by the field at this index of this kind.
    Referrers(KindId, usize, Key),
    /// The resources whose text at this index, or id (`None`), is this one in any letter case.
    IgnoringCase(KindId, Option<usize>, CompactText),
    /// The account that a customer number belongs to, and how many logins are built on it.
    CustomerNumber(CompactText),
    /// The number of resources that a guard's limit is a share of.
    Base(GuardBase),
    /// All resources of a kind, if they are few: [`FEW_OF_A_KIND`].
    AllOf(KindId),
    /// The resources of a kind whose ids differ from this one in a letter or two.
    SimilarIds(KindId, CompactText),
    /// Where the source declares a resource that it claims and that was not read.
    Declared(Key),
    /// Anything that only all rows can answer.
    Everything,
}

/// What the limit of a guard is a share of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum GuardBase {
    /// The live resources of a kind that a source claims.
    Live(CompactText, KindId),
    /// The resources of a kind that a source claims and that have a value in the field at this
    /// index.
    Filled(CompactText, KindId, usize),
    /// The live users of an account.
    Users(CompactText),
    /// The users who have access.
    AccessHolders,
    /// Those of them who administer an account.
    Administrators,
    /// Those of them who approve by an active policy.
    Approvers,
    /// The accounts that can be used.
    UsableAccounts,
}

/// Records what is looked up in a partial snapshot beyond the rows it holds.
pub trait LookupRecorder: Debug + Send + Sync {
    fn record(&self, lookup: SnapshotLookup);
}

/// The rows that were read.
///
/// A partial snapshot reports every look-up beyond its rows to its recorder. The answer was a guess
/// then, so the question has to be asked again with the missing rows.
#[derive(Clone, Debug, Default)]
pub struct SnapshotRows {
    read: KeyedList<Row>,
    recorder: Option<Arc<dyn LookupRecorder>>,
}

impl SnapshotRows {
    /// A partial snapshot without any rows yet.
    pub fn partial(recorder: Arc<dyn LookupRecorder>) -> Self {
        Self {
            read: KeyedList::default(),
            recorder: Some(recorder),
        }
    }

    /// Whether the row with this key was read. Nothing is recorded.
    pub fn has_read(&self, key: &Key) -> bool {
        self.read.contains(key)
    }

    /// Whether some rows may be missing.
    pub fn is_partial(&self) -> bool {
        self.recorder.is_some()
    }

    /// Records what a caller is about to look for among all rows, unless all were read.
    pub fn note_lookup(&self, lookup: impl FnOnce() -> SnapshotLookup) {
        self.note_lookups(|| [lookup()]);
    }

    /// Records several look-ups, which are only worked out when rows may be missing.
    pub fn note_lookups<L>(&self, lookups: impl FnOnce() -> L)
    where
        L: IntoIterator<Item = SnapshotLookup>,
    {
        if let Some(recorder) = &self.recorder {
            let lookups = lookups().into_iter();
            lookups.for_each(|lookup| recorder.record(lookup));
        }
    }

    pub fn get(&self, key: &Key) -> Option<&Row> {
        let found = self.read.get(key);
        // A missing row is no proof that there is none.
        if found.is_none() {
            self.note_lookup(|| SnapshotLookup::Row(key.clone()));
        }
        found
    }

    pub fn contains(&self, key: &Key) -> bool {
        self.get(key).is_some()
    }

    /// The row with this key, of which anything but the key may be changed.
    pub fn get_mut(&mut self, key: &Key) -> Option<&mut Row> {
        self.read.get_mut(key)
    }

    pub fn insert(&mut self, row: Row) -> Result<(), (usize, Row)> {
        self.read.insert(row)
    }

    pub fn retain(&mut self, keep: impl FnMut(&mut Row) -> bool) {
        self.read.retain(keep);
    }

    /// The rows that were read, in order; of a partial snapshot not all there are.
    pub fn iter(&self) -> std::slice::Iter<'_, Row> {
        self.read.iter()
    }

    pub fn len(&self) -> usize {
        self.read.len()
    }

    pub fn is_empty(&self) -> bool {
        self.read.is_empty()
    }
}

impl FromIterator<Row> for SnapshotRows {
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

//! A snapshot that holds some rows of the database and grows by whatever the planner looks up
//! beyond them. Start reading at `plan_until_complete`.

use crate::kinds;
use crate::model::{Key, LookupRecorder, Snapshot, SnapshotLookup};
use crate::store::{ReadTransaction, SnapshotQuery, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// How many times a plan is made on a partial snapshot before everything is read instead. Each
/// round follows the references one step further.
const ROUNDS: usize = 24;

/// The look-ups that a partial snapshot could not answer. Behind a lock, since rules run in
/// parallel.
#[derive(Debug, Default)]
struct LookupLog(Mutex<BTreeSet<SnapshotLookup>>);

impl LookupRecorder for LookupLog {
    fn record(&self, lookup: SnapshotLookup) {
        let mut lookups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lookups.insert(lookup);
    }
}

impl LookupLog {
    fn take(&self) -> BTreeSet<SnapshotLookup> {
        let mut lookups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut lookups)
    }
}

/// Some rows of the database, and the look-ups that they answer.
pub struct PartialSnapshot {
    stored: Snapshot,
    answered: BTreeSet<SnapshotLookup>,
    log: Arc<LookupLog>,
}

/// A plan on a part of the database, with what it was made on.
pub struct PartPlanned<P> {
    pub plan: P,
    pub stored: Snapshot,
    /// The look-ups that its rows answer.
    pub lookups: BTreeSet<SnapshotLookup>,
}

/// What came of planning on a part of the database.
pub enum PartialOutcome<P> {
    Complete(Box<PartPlanned<P>>),
    /// The plan depends on where the source declares these resources, which was not read.
    Declared(BTreeSet<Key>),
    /// It depends on the whole database.
    Everything,
}

impl<P> PartialOutcome<P> {
    fn of(lookups: BTreeSet<SnapshotLookup>) -> Self {
        let keys = lookups.into_iter().map(|lookup| match lookup {
            SnapshotLookup::Declared(key) => Some(key),
            _ => None,
        });
        let keys: Option<BTreeSet<Key>> = keys.collect();
        keys.map_or(Self::Everything, Self::Declared)
    }
}

fn is_of_rows(lookup: &SnapshotLookup) -> bool {
    !matches!(
        lookup,
        SnapshotLookup::Declared(_) | SnapshotLookup::Everything
    )
}

impl PartialSnapshot {
    /// Reads what every plan needs: the settings and the custom fields.
    pub async fn read(
        transaction: &mut ReadTransaction,
        query: &SnapshotQuery<'_>,
    ) -> Result<Self, StoreError> {
        let log = Arc::<LookupLog>::default();
        let recorder = Arc::clone(&log) as Arc<dyn LookupRecorder>;
        let settings = kinds::settings_key();
        Ok(Self {
            stored: transaction.base_snapshot(query, recorder).await?,
            answered: [SnapshotLookup::Row(settings)].into(),
            log,
        })
    }

    pub fn stored(&self) -> &Snapshot {
        &self.stored
    }

    /// Adds in how many exports in a row each missing resource was left out.
    pub fn add_missed_counts(&mut self, missed: BTreeMap<Key, u32>) {
        self.stored.missed_exports = missed;
    }

    /// Reads what answers more look-ups. Returns whether they were few enough to be worth it.
    pub async fn extend(
        &mut self,
        transaction: &mut ReadTransaction,
        lookups: BTreeSet<SnapshotLookup>,
    ) -> Result<bool, StoreError> {
        let few = transaction
            .extend_snapshot(&mut self.stored, &lookups)
            .await?;
        self.answered.extend(lookups);
        Ok(few)
    }

    /// Takes some resources for read, whether the source declares them or not.
    pub fn answer_declared(&mut self, keys: &BTreeSet<Key>) {
        let keys = keys.iter().cloned().map(SnapshotLookup::Declared);
        self.answered.extend(keys);
    }

    /// Makes the plan, reads what it looked up beyond the snapshot, and repeats until nothing is
    /// missing.
    pub async fn plan_until_complete<P>(
        mut self,
        transaction: &mut ReadTransaction,
        plan: impl Fn(&Snapshot) -> P,
    ) -> Result<PartialOutcome<P>, StoreError> {
        for _ in 0..ROUNDS {
            self.log.take();
            let made = plan(&self.stored);
            let mut missing = self.log.take();
            // A row that was asked for and does not exist stays missing; without this the loop
            // never ends.
            missing.retain(|lookup| !self.answered.contains(lookup));
            if missing.is_empty() {
                return Ok(PartialOutcome::Complete(Box::new(PartPlanned {
                    plan: made,
                    stored: self.stored,
                    lookups: self.answered,
                })));
            }
            // A rule may have asked for everything only because a row was missing. The single rows
            // come first; if that was not the reason, it asks again.
            let (others, rows): (BTreeSet<_>, BTreeSet<_>) =
                missing.into_iter().partition(|lookup| !is_of_rows(lookup));
            if rows.is_empty() {
                return Ok(PartialOutcome::of(others));
            }
            if !self.extend(transaction, rows).await? {
                return Ok(PartialOutcome::Everything);
            }
        }
        Ok(PartialOutcome::Everything)
    }
}

//! A snapshot that holds some rows of the database and grows by whatever the planner looks up
//! beyond them. Start reading at `plan_until_complete`.

use crate::kinds;
use crate::model::{LookupRecorder, Snapshot, SnapshotLookup};
use crate::store::{ReadTransaction, SnapshotQuery, StoreError};
use std::collections::BTreeSet;
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

    /// Makes the plan, reads what it looked up beyond the snapshot, and repeats until nothing is
    /// missing. `None` when that would take the whole database.
    pub async fn plan_until_complete<P>(
        mut self,
        transaction: &mut ReadTransaction,
        plan: impl Fn(&Snapshot) -> P,
    ) -> Result<Option<(P, Snapshot)>, StoreError> {
        for _ in 0..ROUNDS {
            self.log.take();
            let made = plan(&self.stored);
            let mut missing = self.log.take();
            // A row that was asked for and does not exist stays missing; without this the loop
            // never ends.
            missing.retain(|lookup| !self.answered.contains(lookup));
            if missing.is_empty() {
                return Ok(Some((made, self.stored)));
            }
            // A rule may have asked for everything only because a row was missing. The single rows
            // come first; if that was not the reason, it asks again.
            if missing.len() > 1 {
                missing.remove(&SnapshotLookup::Everything);
            }
            if !self.extend(transaction, missing).await? {
                return Ok(None);
            }
        }
        Ok(None)
    }
}

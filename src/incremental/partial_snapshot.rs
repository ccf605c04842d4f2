//! A snapshot that holds some rows, and grows by what the planner looks up beyond them.

use crate::kinds;
use crate::model::{Key, LookupRecorder, Snapshot, SnapshotLookup};
use crate::store::{ReadTransaction, SnapshotQuery, StoreError};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// How often a plan is made on a partial snapshot before everything is read instead.
const ROUNDS: usize = 24;

/// What was looked up beyond a partial snapshot. Rules look things up in parallel.
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
        moment: &mut ReadTransaction,
        query: &SnapshotQuery<'_>,
    ) -> Result<Self, StoreError> {
        let log = Arc::<LookupLog>::default();
        let recorder = Arc::clone(&log) as Arc<dyn LookupRecorder>;
        let settings = Key::new(kinds::SETTINGS, "settings");
        Ok(Self {
            stored: moment.base_snapshot(query, recorder).await?,
            answered: [SnapshotLookup::Row(settings)].into(),
            log,
        })
    }

    pub fn stored(&self) -> &Snapshot {
        &self.stored
    }

    /// Reads what answers more look-ups; whether that is little enough to be worth it.
    pub async fn extend(
        &mut self,
        moment: &mut ReadTransaction,
        lookups: BTreeSet<SnapshotLookup>,
    ) -> Result<bool, StoreError> {
        let few = moment.extend_snapshot(&mut self.stored, &lookups).await?;
        self.answered.extend(lookups);
        Ok(few)
    }

    /// Makes the plan, reads what the planner looked up beyond the snapshot, and makes it again until
    /// nothing is missing; `None` when that takes everything.
    pub async fn plan_until_complete<P>(
        mut self,
        moment: &mut ReadTransaction,
        plan: impl Fn(&Snapshot) -> P,
    ) -> Result<Option<(P, Snapshot)>, StoreError> {
        for _ in 0..ROUNDS {
            self.log.take();
            let made = plan(&self.stored);
            let mut missing = self.log.take();
            missing.retain(|lookup| !self.answered.contains(lookup));
            if missing.is_empty() {
                return Ok(Some((made, self.stored)));
            }
            // What is missing may be all that is wrong, and nobody asks for everything once it is there.
            if missing.len() > 1 {
                missing.remove(&SnapshotLookup::Everything);
            }
            if !self.extend(moment, missing).await? {
                return Ok(None);
            }
        }
        Ok(None)
    }
}

//! Verifies the chain of the history: recomputes everything in parts, so that a history of any length
//! fits in memory. `hash_chain` says what a head covers. Start at [`verify_chain`].

use super::Store;
use super::connection::{SqlRow, SqlTransaction};
use super::error::StoreError;
use super::hash_chain::{ChainedChange, HashChain, id_digest, personal_digest};
use super::history::{HistoryVerification, RUN_TYPES, RUNS, fetch_changes_after, header};
use super::sql_value::{SqlType, SqlValue};

/// How many changes are read at a time.
const PART: i64 = 5000;

impl Store {
    /// Recomputes the whole chain and compares it with what is stored.
    pub async fn verify(&self) -> Result<HistoryVerification, StoreError> {
        let Some(mut tx) = self.begin_schema_read("verify the history").await? else {
            return Ok(HistoryVerification::Sound {
                runs: 0,
                changes: 0,
            });
        };
        verify_chain(&mut tx).await
    }
}

/// Recomputes the whole chain and compares it with what is stored.
pub(super) async fn verify_chain(
    tx: &mut SqlTransaction,
) -> Result<HistoryVerification, StoreError> {
    let runs = tx
        .fetch(&format!("{RUNS} ORDER BY id"), &[], &RUN_TYPES)
        .await?;
    let mut head = vec![0; 32];
    let mut walk = HistoryWalk::default();
    let mut counted = 0;
    for mut cells in runs {
        let (before, stored) = (cells[9].take_bytes(), cells[10].take_bytes());
        let header = header(&cells);
        counted += 1;
        let id = header.id;
        let broken = |what: &str| HistoryVerification::Broken {
            run: id,
            what: what.to_owned(),
        };
        // Ids have no gaps, so a deleted run shows even if its neighbours were rewritten to fit.
        if id != counted {
            return Ok(HistoryVerification::Broken {
                run: counted,
                what: "it is missing".into(),
            });
        }
        if before != head {
            return Ok(broken("it does not follow the previous run"));
        }
        let mut chain = HashChain::start(&before, &header);
        if let Some(what) = walk.chain_run(tx, id, &mut chain).await? {
            return Ok(broken(&what));
        }
        if chain.head().as_slice() != stored {
            return Ok(broken("its changes or its header were altered"));
        }
        head = stored;
    }
    verify_end(tx, &walk, &head, counted).await
}

/// Checks that the history ends where the last apply left it.
async fn verify_end(
    tx: &mut SqlTransaction,
    walk: &HistoryWalk,
    head: &[u8],
    counted: i64,
) -> Result<HistoryVerification, StoreError> {
    let sql = "SELECT last_seq, last_run, head FROM write WHERE id = 1";
    let types = [SqlType::Int, SqlType::Int, SqlType::Bytes];
    let mut last = tx
        .first(sql, &[], &types)
        .await?
        .unwrap_or_else(|| vec![SqlValue::Null; 3]);
    let written = (last[0].int(), last[1].int(), last[2].take_bytes());
    // Changes after the last run would belong to no run, and the chain would never cover them.
    let more = walk.pending.is_some() || !fetch_changes_after(tx, walk.seq, 1).await?.is_empty();
    // The `write` row also keeps the end. Without it, cutting off the newest runs would leave a
    // valid chain.
    if written != (walk.seq, counted, head.to_vec()) || more {
        return Ok(HistoryVerification::Broken {
            run: counted + 1,
            what: "the history does not end at its last written entry".to_owned(),
        });
    }
    Ok(HistoryVerification::Sound {
        runs: counted.unsigned_abs(),
        changes: walk.seq.unsigned_abs(),
    })
}

/// Reads all changes in order, run by run.
#[derive(Default)]
pub(super) struct HistoryWalk {
    seq: i64,
    part: std::vec::IntoIter<SqlRow>,
    pending: Option<SqlRow>,
}

impl HistoryWalk {
    /// Starts after this change.
    pub(super) fn after(seq: i64) -> Self {
        Self {
            seq,
            ..Self::default()
        }
    }

    /// Adds the changes of one run to its chain; returns what is wrong with one of them.
    pub(super) async fn chain_run(
        &mut self,
        tx: &mut SqlTransaction,
        run: i64,
        chain: &mut HashChain,
    ) -> Result<Option<String>, StoreError> {
        while let Some(cells) = self.next(tx).await? {
            if cells[1].int() != run {
                // The first change of the next run, kept for the next call.
                self.pending = Some(cells);
                return Ok(None);
            }
            if cells[0].int() != self.seq + 1 {
                return Ok(Some(format!("change {} is missing", self.seq + 1)));
            }
            self.seq += 1;
            if let Some(what) = verify_and_chain_change(chain, cells) {
                return Ok(Some(what));
            }
        }
        Ok(None)
    }

    async fn next(&mut self, tx: &mut SqlTransaction) -> Result<Option<SqlRow>, StoreError> {
        if let Some(cells) = self.pending.take() {
            return Ok(Some(cells));
        }
        if let Some(cells) = self.part.next() {
            return Ok(Some(cells));
        }
        self.part = fetch_changes_after(tx, self.seq, PART).await?.into_iter();
        Ok(self.part.next())
    }
}

/// Adds a change to the chain. Personal values and ids that are still there must match their
/// digests.
fn verify_and_chain_change(chain: &mut HashChain, mut cells: SqlRow) -> Option<String> {
    let seq = cells[0].int();
    let bytes = |cell: &mut SqlValue| {
        let bytes = cell.take_bytes();
        (!bytes.is_empty()).then_some(bytes)
    };
    let (id_stored, values_stored) = (bytes(&mut cells[4]), bytes(&mut cells[8]));
    let salt = bytes(&mut cells[12]);
    let id = cells[3].as_text();
    // After erasure the salt or the value is missing. That is allowed, and only the digest enters
    // the chain.
    if let (Some(digest), Some(salt), Some(id)) = (&id_stored, &salt, id)
        && *digest != id_digest(salt, id)
    {
        return Some(format!("the external id of change {seq} was altered"));
    }
    if let (Some(digest), Some(salt), Some(values)) = (&values_stored, &salt, cells[13].as_text())
        && *digest != personal_digest(salt, values)
    {
        return Some(format!("the personal values of change {seq} were altered"));
    }
    let text = |at: usize| cells[at].as_text().unwrap_or_default();
    chain.add(&ChainedChange {
        seq,
        kind: text(2),
        id: text(3),
        id_digest: id_stored.as_deref(),
        verb: text(5),
        reason: text(6),
        fields: text(7),
        personal_digest: values_stored.as_deref(),
        path: cells[9].as_text(),
        line: cells[10].int(),
        column: cells[11].int(),
    });
    None
}

//! Reads the history and verifies its chain. `apply/history.rs` writes it, `hash_chain` says what a
//! head covers. `Store::verify` recomputes everything in parts, so that a history of any length
//! fits in memory.

use super::act_history::{ACT_REASON, CUSTOMER_ACTOR};
use super::connection::{SqlRow, SqlTransaction};
use super::error::StoreError;
use super::hash_chain::{ChainedChange, HashChain, RunHeader, id_digest, personal_digest};
use super::sql_value::{SqlType, SqlValue};
use super::{Store, migrate};
use crate::kinds;
use crate::model::Key;
use serde_json::{Map, Value as Json};

/// One committed change.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangeRecord {
    /// Its position in the sequence of all changes, which has no gaps.
    pub seq: i64,
    pub run: i64,
    pub kind: String,
    /// The external id; `None` after erasure.
    pub external_id: Option<String>,
    /// The verb of the step, or the name of the act.
    pub verb: String,
    /// Why: the reason of the step, or what the person said who performed the act.
    pub reason: String,
    /// For each changed field an array: the new value, or the old and the new one. After erasure,
    /// personal fields are missing.
    pub fields: Map<String, Json>,
    /// Where it was declared: path, line and column.
    pub origin: Option<(String, i64, i64)>,
    /// When its run committed, in milliseconds since 1970.
    pub at: i64,
    /// The source of the run; empty for an act.
    pub source: String,
    pub revision: String,
    /// Who applied the plan or performed the act.
    pub actor: String,
}

#[derive(Clone, PartialEq, Debug)]
pub struct RunRecord {
    pub id: i64,
    /// Empty for an act.
    pub source: String,
    pub revision: String,
    pub plan_id: String,
    /// Who applied it.
    pub actor: String,
    /// When it started, in milliseconds since 1970.
    pub started_at: i64,
    /// When it was about to commit.
    pub finished_at: i64,
    /// How many steps of each verb, and how many were held.
    pub counts: Json,
    pub outcome: String,
}

/// The result of verifying the history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HistoryVerification {
    /// Every run and change fits the chain.
    Sound {
        /// How many runs were checked.
        runs: u64,
        /// How many changes were checked.
        changes: u64,
    },
    /// The first run that does not fit or, if all runs are intact, the end of the history.
    Broken {
        run: i64,
        /// What is wrong.
        what: String,
    },
}

pub(super) const SELECT: &str = "SELECT c.seq, c.run, c.kind, c.external_id, c.id_digest, c.verb, c.reason, \
    c.fields, c.personal_digest, c.path, c.line, c.col, v.salt, v.fields, \
    r.finished_at, r.source, r.revision, r.actor \
    FROM changes AS c LEFT JOIN change_values AS v ON v.seq = c.seq \
    LEFT JOIN runs AS r ON r.id = c.run";
pub(super) const TYPES: [SqlType; 18] = [
    SqlType::Int,
    SqlType::Int,
    SqlType::Id,
    SqlType::Id,
    SqlType::Bytes,
    SqlType::Text,
    SqlType::Text,
    SqlType::Text,
    SqlType::Bytes,
    SqlType::Text,
    SqlType::Int,
    SqlType::Int,
    SqlType::Bytes,
    SqlType::Text,
    SqlType::Int,
    SqlType::Text,
    SqlType::Text,
    SqlType::Text,
];
pub(super) const RUNS: &str = "SELECT id, source, revision, plan_id, actor, started_at, finished_at, counts, \
    outcome, head_before, head FROM runs";
pub(super) const RUN_TYPES: [SqlType; 11] = [
    SqlType::Int,
    SqlType::Text,
    SqlType::Text,
    SqlType::Text,
    SqlType::Text,
    SqlType::Int,
    SqlType::Int,
    SqlType::Text,
    SqlType::Text,
    SqlType::Bytes,
    SqlType::Bytes,
];
/// How many changes are read at a time.
const PART: i64 = 5000;

impl Store {
    /// Returns the latest changes of one resource or of all, newest first.
    pub async fn history(
        &self,
        key: Option<&Key>,
        limit: u32,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        self.history_before(key, i64::MAX, limit).await
    }

    /// Returns the latest changes before a position in the sequence, of one resource or of all,
    /// newest first.
    pub async fn history_before(
        &self,
        key: Option<&Key>,
        before: i64,
        limit: u32,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the history").await? else {
            return Ok(Vec::new());
        };
        let (of, mut params) = match key {
            None => ("", Vec::new()),
            Some(key) => (
                "c.kind = ? AND c.external_id = ? AND",
                vec![kinds::get(key.kind).name.into(), SqlValue::from(&key.id)],
            ),
        };
        params.extend([before.into(), i64::from(limit).into()]);
        let sql = format!("{SELECT} WHERE {of} c.seq < ? ORDER BY c.seq DESC LIMIT ?");
        let found = tx.fetch(&sql, &params, &TYPES).await?;
        Ok(found.into_iter().map(record).collect())
    }

    /// Returns the changes after a position in the sequence, oldest first and without gaps. A
    /// reader that remembers its last position misses none.
    pub async fn changes_after(
        &self,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the changes").await? else {
            return Ok(Vec::new());
        };
        let found = fetch_changes_after(&mut tx, seq, i64::from(limit)).await?;
        Ok(found.into_iter().map(record).collect())
    }

    /// Returns the latest runs, newest first.
    pub async fn runs(&self, limit: u32) -> Result<Vec<RunRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the runs").await? else {
            return Ok(Vec::new());
        };
        let sql = format!("{RUNS} ORDER BY id DESC LIMIT ?");
        let found = tx
            .fetch(&sql, &[i64::from(limit).into()], &RUN_TYPES)
            .await?;
        Ok(found.iter().map(|cells| run_record(cells)).collect())
    }

    /// Recomputes the whole chain and compares it with what is stored.
    pub async fn verify(&self) -> Result<HistoryVerification, StoreError> {
        let sound = HistoryVerification::Sound {
            runs: 0,
            changes: 0,
        };
        let Some(mut tx) = self.begin_schema_read("verify the history").await? else {
            return Ok(sound);
        };
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
            // Ids have no gaps, so a deleted run shows even if its neighbours were rewritten to
            // fit.
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
            if let Some(what) = walk.chain_run(&mut tx, id, &mut chain).await? {
                return Ok(broken(&what));
            }
            if chain.head().as_slice() != stored {
                return Ok(broken("its changes or its header were altered"));
            }
            head = stored;
        }
        verify_end(&mut tx, &walk, &head, counted).await
    }

    /// Begins a reading transaction if the database has a schema.
    pub(super) async fn begin_schema_read(
        &self,
        operation: &'static str,
    ) -> Result<Option<SqlTransaction>, StoreError> {
        let Some(mut tx) = self.begin_read(operation).await? else {
            return Ok(None);
        };
        let present = migrate::meta(&mut tx).await?.is_some();
        Ok(present.then_some(tx))
    }
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
struct HistoryWalk {
    seq: i64,
    part: std::vec::IntoIter<SqlRow>,
    pending: Option<SqlRow>,
}

impl HistoryWalk {
    /// Adds the changes of one run to its chain; returns what is wrong with one of them.
    async fn chain_run(
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

async fn fetch_changes_after(
    tx: &mut SqlTransaction,
    seq: i64,
    limit: i64,
) -> Result<Vec<SqlRow>, StoreError> {
    let sql = format!("{SELECT} WHERE c.seq > ? ORDER BY c.seq LIMIT ?");
    tx.fetch(&sql, &[seq.into(), limit.into()], &TYPES).await
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

fn header(cells: &[SqlValue]) -> RunHeader {
    let text = |at: usize| cells[at].as_text().unwrap_or_default().to_owned();
    RunHeader {
        id: cells[0].int(),
        source: text(1),
        revision: text(2),
        plan_id: text(3),
        actor: text(4),
        started_at: cells[5].int(),
        finished_at: cells[6].int(),
        counts: text(7),
        outcome: text(8),
    }
}

pub(super) fn run_record(cells: &[SqlValue]) -> RunRecord {
    let header = header(cells);
    RunRecord {
        id: header.id,
        source: header.source,
        revision: header.revision,
        plan_id: header.plan_id,
        actor: header.actor,
        started_at: header.started_at,
        finished_at: header.finished_at,
        counts: serde_json::from_str(&header.counts).unwrap_or_default(),
        outcome: header.outcome,
    }
}

pub(super) fn record(mut cells: SqlRow) -> ChangeRecord {
    let mut fields = object(cells[7].as_text());
    let mut personal = object(cells[13].as_text());
    let mut reason: String = cells[6].take_text().into();
    let mut actor: String = cells[17].take_text().into();
    if reason == ACT_REASON {
        for (name, shown) in [("reason", &mut reason), (CUSTOMER_ACTOR, &mut actor)] {
            if let Some(Json::String(given)) = personal.remove(name) {
                *shown = given;
            }
        }
    }
    fields.extend(personal);
    let (line, column) = (cells[10].int(), cells[11].int());
    let path = cells[9].take_optional_text();
    ChangeRecord {
        seq: cells[0].int(),
        run: cells[1].int(),
        kind: cells[2].take_text().into(),
        external_id: cells[3].take_optional_text().map(Into::into),
        verb: cells[5].take_text().into(),
        reason,
        fields,
        origin: path.map(|path| (path.into(), line, column)),
        at: cells[14].int(),
        source: cells[15].take_text().into(),
        revision: cells[16].take_text().into(),
        actor,
    }
}

fn object(json: Option<&str>) -> Map<String, Json> {
    json.and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default()
}

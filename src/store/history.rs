//! Reads the history. `apply/history.rs` and `act_history` write it, `history_verification` verifies
//! its chain.

use super::act_history::{ACT_REASON, CUSTOMER_ACTOR};
use super::connection::{SqlRow, SqlTransaction};
use super::error::StoreError;
use super::hash_chain::RunHeader;
use super::history_writer::reverted_run;
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
    /// The run that its run undid.
    pub reverts: Option<i64>,
}

impl ChangeRecord {
    /// The resource; `None` after erasure, and for a kind that this release does not know.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        let kind = kinds::by_name(&self.kind)?;
        Some(Key::new(kind.id, self.external_id.as_ref()?))
    }
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
    /// The run that it undid.
    pub reverts: Option<i64>,
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

const COLUMNS: &str = "SELECT c.seq, c.run, c.kind, c.external_id, c.id_digest, c.verb, c.reason, \
    c.fields, c.personal_digest, c.path, c.line, c.col, v.salt, v.fields, \
    r.finished_at, r.source, r.revision, r.actor, r.outcome FROM ";
const JOINED: &str = " AS c LEFT JOIN change_values AS v ON v.seq = c.seq \
    LEFT JOIN runs AS r ON r.id = c.run";
pub(super) const TYPES: [SqlType; 19] = [
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
        params.push(before.into());
        let condition = format!("{of} c.seq < ?");
        let sql = select_first_changes(&condition, "c.seq DESC", i64::from(limit));
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
        self.runs_before(i64::MAX, limit).await
    }

    /// Returns the latest runs before one, newest first.
    pub async fn runs_before(&self, before: i64, limit: u32) -> Result<Vec<RunRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the runs").await? else {
            return Ok(Vec::new());
        };
        let sql = format!("{RUNS} WHERE id < ? ORDER BY id DESC LIMIT {limit}");
        let found = tx.fetch(&sql, &[before.into()], &RUN_TYPES).await?;
        Ok(found.iter().map(|cells| run_record(cells)).collect())
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

/// Selects changes by a condition on any of the columns.
pub(super) fn select_changes(condition: &str) -> String {
    format!("{COLUMNS}changes{JOINED} WHERE {condition}")
}

/// Selects the first changes by a condition on their own columns, in an order by `c.seq`.
pub(super) fn select_first_changes(condition: &str, order: &str, limit: i64) -> String {
    // The limit comes before the joins and as a number. PostgreSQL would otherwise join everything
    // first, as for a parameter it expects a tenth of the table.
    format!(
        "{COLUMNS}(SELECT * FROM changes AS c WHERE {condition} ORDER BY {order} LIMIT {limit})\
         {JOINED} ORDER BY {order}"
    )
}

pub(super) async fn fetch_changes_after(
    tx: &mut SqlTransaction,
    seq: i64,
    limit: i64,
) -> Result<Vec<SqlRow>, StoreError> {
    let sql = select_first_changes("c.seq > ?", "c.seq", limit);
    tx.fetch(&sql, &[seq.into()], &TYPES).await
}

pub(super) fn header(cells: &[SqlValue]) -> RunHeader {
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
        reverts: reverted_run(&header.outcome),
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
        reverts: cells[18].as_text().and_then(reverted_run),
    }
}

fn object(json: Option<&str>) -> Map<String, Json> {
    json.and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default()
}

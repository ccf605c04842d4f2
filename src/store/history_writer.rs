//! Appends a run to the history: what applies and acts have in common. A caller reads the
//! [`HistoryTip`], writes its changes and their chain, and ends with [`append_run`], all in the
//! transaction that holds the lock on the `write` row.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::hash_chain::RunHeader;
use super::sql_value::{SqlType, SqlValue};

/// The columns of `changes`, in the order in which they are written.
pub(super) const CHANGES: [(&str, SqlType); 12] = [
    ("seq", SqlType::Int),
    ("run", SqlType::Int),
    ("kind", SqlType::Id),
    ("external_id", SqlType::Id),
    ("id_digest", SqlType::Bytes),
    ("verb", SqlType::Text),
    ("reason", SqlType::Text),
    ("fields", SqlType::Text),
    ("personal_digest", SqlType::Bytes),
    ("path", SqlType::Text),
    ("line", SqlType::Int),
    ("col", SqlType::Int),
];

/// The columns of `change_values`.
pub(super) const VALUES: [(&str, SqlType); 3] = [
    ("seq", SqlType::Int),
    ("salt", SqlType::Bytes),
    ("fields", SqlType::Text),
];

const APPLIED: &str = "applied";
const REVERTED: &str = "reverted run ";

/// The outcome of a run, which names the run that it undid.
pub(super) fn outcome_of(reverts: Option<i64>) -> String {
    match reverts {
        None => APPLIED.to_owned(),
        Some(run) => format!("{REVERTED}{run}"),
    }
}

/// The run that a run of this outcome undid.
pub(super) fn reverted_run(outcome: &str) -> Option<i64> {
    outcome.strip_prefix(REVERTED)?.parse().ok()
}

/// The end of the history, and the id of the run that comes next.
pub(super) struct HistoryTip {
    pub(super) seq: i64,
    pub(super) run: i64,
    pub(super) head: Vec<u8>,
}

impl HistoryTip {
    pub(super) async fn read(tx: &mut SqlTransaction) -> Result<Self, StoreError> {
        // Safe to read and increment: the caller locked this row, so nobody else can take the same
        // numbers.
        let sql = "SELECT last_seq, last_run, head FROM write WHERE id = 1";
        let types = [SqlType::Int, SqlType::Int, SqlType::Bytes];
        let Some(mut cells) = tx.first(sql, &[], &types).await? else {
            return Err(tx.corrupt("the table `write` is empty"));
        };
        Ok(Self {
            seq: cells[0].int(),
            run: cells[1].int() + 1,
            head: cells[2].take_bytes(),
        })
    }
}

/// Takes the lock that makes all writers serial.
pub(super) async fn lock_write_row(tx: &mut SqlTransaction) -> Result<(), StoreError> {
    let lock = format!("SELECT id FROM write{}", tx.dialect().for_update);
    tx.fetch(&lock, &[], &[SqlType::Int]).await?;
    Ok(())
}

/// Appends a run whose changes end with `last_seq` and whose chain ends with `head`.
pub(super) async fn append_run(
    tx: &mut SqlTransaction,
    header: &RunHeader,
    tip: &HistoryTip,
    last_seq: i64,
    head: &[u8],
) -> Result<(), StoreError> {
    let sql = "INSERT INTO runs (id, source, revision, plan_id, actor, started_at, \
               finished_at, counts, outcome, head_before, head) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let params = [
        header.id.into(),
        header.source.as_str().into(),
        header.revision.as_str().into(),
        header.plan_id.as_str().into(),
        header.actor.as_str().into(),
        header.started_at.into(),
        header.finished_at.into(),
        header.counts.as_str().into(),
        header.outcome.as_str().into(),
        SqlValue::Bytes(tip.head.clone()),
        SqlValue::Bytes(head.to_vec()),
    ];
    tx.run(sql, &params).await?;
    // The head also stands here, outside `runs`, so that `verify` notices when the last runs are
    // cut off.
    let sql = "UPDATE write SET last_seq = ?, last_run = ?, head = ? WHERE id = 1";
    let params = [
        last_seq.into(),
        header.id.into(),
        SqlValue::Bytes(head.to_vec()),
    ];
    tx.run(sql, &params).await?;
    Ok(())
}

//! The record of foreign writes: which resources somebody other than an apply changed since the
//! claims on them were last compared. The triggers write it (`triggers`), so do acts that change
//! rows; a pass reads it in place of comparing every claim with every row, and an apply deletes
//! what it has settled (`apply/foreign_writes.rs`).
//!
//! What holds at every moment: a resource with an active claim that has not seen the present version
//! of its row is recorded here, or its kind is recorded as a whole. A record may be there without
//! need; it is never missing, unless triggers were switched off. `roster plan --scrub` finds what was
//! written without them.

use super::connection::{BatchStatement, SqlTransaction};
use super::error::StoreError;
use super::incremental_tables::{FOREIGN_WRITES, ROW_COUNTS};
use super::sql_value::{SqlType, SqlValue};
use super::tables::{self, KindTable};
use crate::kinds;
use crate::model::Key;
use std::collections::BTreeSet;

/// A part of the record: what is known of the rows of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RecordedWrites {
    /// The writes to these rows are recorded one by one.
    Listed,
    /// Any row may have changed.
    Unknown,
}

/// The kinds of which anything is recorded.
pub(super) async fn recorded_writes(
    tx: &mut SqlTransaction,
) -> Result<Vec<(&'static KindTable, RecordedWrites)>, StoreError> {
    // The shortest id of a kind tells whether it is recorded as a whole.
    let sql = format!("SELECT kind, min(external_id) FROM {FOREIGN_WRITES} GROUP BY kind");
    let found = tx.fetch(&sql, &[], &[SqlType::Id, SqlType::Id]).await?;
    let recorded = found.iter().filter_map(|cells| {
        let kind = kinds::by_name(cells[0].as_text()?)?;
        let writes = match cells[1].as_text()? {
            "" => RecordedWrites::Unknown,
            _ => RecordedWrites::Listed,
        };
        Some((tables::for_kind(kind.id), writes))
    });
    Ok(recorded.collect())
}

/// The condition that a claim is active and has not seen the present version of its row.
pub(super) fn stale(claim: &str, row: &str) -> String {
    format!(
        "{claim}.state = 'active' \
         AND ({row}.version IS NULL OR {row}.version <> {claim}.seen_version)"
    )
}

/// Records everything as unknown, in a database whose triggers begin to record only now.
pub(super) async fn begin(tx: &mut SqlTransaction) -> Result<(), StoreError> {
    for table in tables::ALL.iter() {
        let sql =
            format!("INSERT INTO {FOREIGN_WRITES} (kind, external_id, existed) VALUES (?, '', 0)");
        tx.run(&sql, &[table.kind.name.into()]).await?;
    }
    forget_unclaimed(tx).await
}

/// Records changes of rows by an act, which leaves the claims on them as they are.
pub(super) async fn record(tx: &mut SqlTransaction, keys: &[Key]) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO {FOREIGN_WRITES} (kind, external_id, existed) {{rows}} ON CONFLICT DO NOTHING"
    );
    let batch = BatchStatement {
        sql: &sql,
        types: &[SqlType::Id, SqlType::Id, SqlType::Int],
    };
    // In order, so that two transactions never wait for each other.
    let keys: BTreeSet<&Key> = keys.iter().collect();
    let rows = keys.into_iter().map(|key| {
        let kind = kinds::get(key.kind).name;
        vec![kind.into(), SqlValue::from(&key.id), SqlValue::Int(1)]
    });
    tx.batch(&batch, rows).await?;
    Ok(())
}

/// Records every stale claim on resources of a kind, by comparing all claims with all rows.
pub(super) async fn record_stale(
    tx: &mut SqlTransaction,
    table: &KindTable,
) -> Result<(), StoreError> {
    let (name, is_stale) = (table.kind.table, stale("c", "r"));
    let sql = format!(
        "INSERT INTO {FOREIGN_WRITES} (kind, external_id, existed) \
         SELECT DISTINCT c.kind, c.external_id, CASE WHEN r.version IS NULL THEN 0 ELSE 1 END \
         FROM claims c LEFT JOIN {name} r ON r.external_id = c.external_id \
         WHERE c.kind = ? AND {is_stale} ON CONFLICT DO NOTHING"
    );
    tx.run(&sql, &[table.kind.name.into()]).await?;
    Ok(())
}

/// Returns how many rows no source claims, before the recorded writes. `None` if they have to be
/// counted.
pub(super) async fn unclaimed_before(tx: &mut SqlTransaction) -> Result<Option<i64>, StoreError> {
    let sql = format!("SELECT unclaimed FROM {ROW_COUNTS} WHERE id = 1");
    let found = tx.first(&sql, &[], &[SqlType::Int]).await?;
    Ok(found.and_then(|cells| cells[0].as_int()))
}

pub(super) async fn set_unclaimed(
    tx: &mut SqlTransaction,
    unclaimed: i64,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO {ROW_COUNTS} (id, unclaimed) VALUES (1, ?) \
         ON CONFLICT (id) DO UPDATE SET unclaimed = excluded.unclaimed"
    );
    tx.run(&sql, &[SqlValue::Int(unclaimed)]).await?;
    Ok(())
}

/// Makes the next pass count the rows that no source claims, and the next apply store the number.
/// For whoever deletes claims outside an apply.
pub(super) async fn forget_unclaimed(tx: &mut SqlTransaction) -> Result<(), StoreError> {
    tx.run(&format!("DELETE FROM {ROW_COUNTS}"), &[]).await?;
    Ok(())
}

/// Counts the rows that no source claims, before the recorded writes.
pub(super) async fn count_unclaimed_before(tx: &mut SqlTransaction) -> Result<i64, StoreError> {
    let mut unclaimed = 0;
    for table in tables::ALL.iter() {
        let (kind, name) = (table.kind.name, table.kind.table);
        let has_claim = |of: &str| {
            format!(
                "EXISTS (SELECT 1 FROM claims c \
                 WHERE c.kind = '{kind}' AND c.external_id = {of}.external_id)"
            )
        };
        // One statement, because it has to see the rows and the record at one moment.
        let sql = format!(
            "SELECT CAST((SELECT count(*) FROM {name} r WHERE NOT {} AND NOT EXISTS \
             (SELECT 1 FROM {FOREIGN_WRITES} f WHERE f.kind = '{kind}' \
             AND f.external_id = r.external_id)) + (SELECT count(*) FROM {FOREIGN_WRITES} f \
             WHERE f.kind = '{kind}' AND f.existed = 1 AND NOT {}) AS bigint)",
            has_claim("r"),
            has_claim("f")
        );
        let found = tx.first(&sql, &[], &[SqlType::Int]).await?;
        unclaimed += found.map_or(0, |cells| cells[0].int());
    }
    Ok(unclaimed)
}

//! The export history of a feed source: the last accepted exports, how often each claimed resource
//! was missing from them, and the report on the rows of the last one. The planner reads the missed
//! counts to decide whether an absence is old enough to act on; the feed reads the earlier exports
//! to judge whether a new one looks complete. Everything is written inside the apply that accepts
//! the export. Start at [`AcceptedExport`] and `record_accepted_export`.

use super::Store;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::{self, SqlType, SqlValue};
use crate::kinds;
use crate::model::{Digest, Key, Snapshot};
use std::collections::BTreeMap;

/// How many accepted exports are kept per source.
const KEPT: i64 = 100;

/// How full each field of an export was, keyed like `Account.website`: resources with a value, and
/// resources in total.
pub type FieldFillCounts = BTreeMap<String, (u64, u64)>;

/// An export that was accepted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AcceptedExport {
    pub digest: Digest,
    pub records: u64,
    pub columns: Vec<String>,
    /// How full each field was, by kind and field.
    pub filled: FieldFillCounts,
    /// When the file was written, in milliseconds since 1970, if its origin says so.
    pub modified_at: Option<i64>,
    /// When it was accepted, in milliseconds since 1970; 0 before it is recorded.
    pub at: i64,
    /// For each claimed resource that is missing: in how many accepted exports in a row, including
    /// this one.
    pub missed: BTreeMap<Key, u32>,
}

impl Store {
    /// Returns the last accepted exports of a source, newest first, without `missed`.
    pub async fn accepted_exports(
        &self,
        source: &str,
        limit: u32,
    ) -> Result<Vec<AcceptedExport>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the accepted feeds").await? else {
            return Ok(Vec::new());
        };
        // A reader may be one release ahead of the schema, before anybody ran `roster migrate`: no
        // table is an empty history, not an error.
        if !has_feed_tables(&mut tx).await? {
            return Ok(Vec::new());
        }
        let sql = "SELECT at, digest, records, columns, filled, modified_at FROM feeds WHERE source = ? \
                   ORDER BY at DESC LIMIT ?";
        let types = [
            SqlType::Int,
            SqlType::Bytes,
            SqlType::Int,
            SqlType::Text,
            SqlType::Text,
            SqlType::Int,
        ];
        let found = tx
            .fetch(sql, &[source.into(), i64::from(limit).into()], &types)
            .await?;
        let accepted = found.into_iter().map(|mut cells| AcceptedExport {
            at: cells[0].int(),
            digest: Digest(cells[1].take_bytes().try_into().unwrap_or_default()),
            records: u64::try_from(cells[2].int()).unwrap_or_default(),
            columns: serde_json::from_str(cells[3].as_text().unwrap_or_default())
                .unwrap_or_default(),
            filled: serde_json::from_str(cells[4].as_text().unwrap_or_default())
                .unwrap_or_default(),
            modified_at: match cells[5] {
                SqlValue::Int(at) => Some(at),
                _ => None,
            },
            missed: BTreeMap::new(),
        });
        Ok(accepted.collect())
    }
}

impl Store {
    /// Returns, for each claimed resource that is missing, in how many accepted exports in a row.
    pub async fn missed_counts(&self, source: &str) -> Result<BTreeMap<Key, u32>, StoreError> {
        match self
            .begin_schema_read("read what exports did not name")
            .await?
        {
            Some(mut tx) => fetch_missed_counts(&mut tx, source).await,
            None => Ok(BTreeMap::new()),
        }
    }
}

/// A summary of the accepted exports of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AcceptedExportStats {
    /// How many are kept, at most the last hundred.
    pub count: u64,
    /// When the last one was accepted, in milliseconds since 1970.
    pub last: Option<i64>,
}

impl Store {
    pub async fn count_accepted(&self, source: &str) -> Result<AcceptedExportStats, StoreError> {
        let Some(mut tx) = self.begin_schema_read("count the accepted feeds").await? else {
            return Ok(AcceptedExportStats::default());
        };
        if !has_feed_tables(&mut tx).await? {
            return Ok(AcceptedExportStats::default());
        }
        let sql = "SELECT count(*), coalesce(max(at), 0) FROM feeds WHERE source = ?";
        let found = tx
            .first(sql, &[source.into()], &[SqlType::Int, SqlType::Int])
            .await?;
        Ok(
            found.map_or_else(AcceptedExportStats::default, |cells| AcceptedExportStats {
                count: u64::try_from(cells[0].int()).unwrap_or_default(),
                last: Some(cells[1].int()).filter(|at| *at > 0),
            }),
        )
    }

    /// Stores the annotated copy of the last export, replacing the one before.
    pub async fn keep_report(&self, source: &str, report: &[u8]) -> Result<(), StoreError> {
        let mut tx = self.begin_write("keep the report").await?;
        super::migrate::require_current(&mut tx).await?;
        let sql = "INSERT INTO reports (source, at, report) VALUES (?, ?, ?) \
                   ON CONFLICT (source) DO UPDATE SET at = excluded.at, report = excluded.report";
        let report = SqlValue::Bytes(report.to_vec());
        tx.run(sql, &[source.into(), sql_value::now().into(), report])
            .await?;
        tx.commit().await
    }

    /// Returns the annotated copy of the last export.
    pub async fn report(&self, source: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the report").await? else {
            return Ok(None);
        };
        let exists = tx.dialect().table_exists;
        if !tx.has_rows(exists, &["reports".into()]).await? {
            return Ok(None);
        }
        let sql = "SELECT report FROM reports WHERE source = ?";
        let found = tx.first(sql, &[source.into()], &[SqlType::Bytes]).await?;
        Ok(found.map(|mut cells| cells[0].take_bytes()))
    }
}

/// Whether the feed tables exist; the schema of the previous release, which has none, is readable
/// too.
async fn has_feed_tables(tx: &mut SqlTransaction) -> Result<bool, StoreError> {
    let exists = tx.dialect().table_exists;
    tx.has_rows(exists, &["absences".into()]).await
}

/// Adds the missed counts of a source to the snapshot.
pub(super) async fn read_missed_counts(
    tx: &mut SqlTransaction,
    source: &str,
    snapshot: &mut Snapshot,
) -> Result<(), StoreError> {
    snapshot.missed_exports = fetch_missed_counts(tx, source).await?;
    Ok(())
}

pub(super) async fn fetch_missed_counts(
    tx: &mut SqlTransaction,
    source: &str,
) -> Result<BTreeMap<Key, u32>, StoreError> {
    let mut missed = BTreeMap::new();
    if !has_feed_tables(tx).await? {
        return Ok(missed);
    }
    let sql = "SELECT kind, external_id, missed FROM absences WHERE source = ?";
    let types = [SqlType::Id, SqlType::Id, SqlType::Int];
    for mut cells in tx.fetch(sql, &[source.into()], &types).await? {
        // A kind of a newer release. Skipping it is safe: this release plans nothing for it.
        let Some(kind) = cells[0].as_text().and_then(kinds::by_name) else {
            continue;
        };
        let times = u32::try_from(cells[2].int()).unwrap_or_default();
        let key = Key {
            kind: kind.id,
            id: cells[1].take_text(),
        };
        missed.insert(key, times);
    }
    Ok(missed)
}

/// Records an accepted export and replaces the missed counts of its source.
pub(super) async fn record_accepted_export(
    tx: &mut SqlTransaction,
    source: &str,
    accepted: &AcceptedExport,
) -> Result<(), StoreError> {
    // Not every origin says when an export was written, and a NULL parameter is bound as text,
    // which PostgreSQL refuses for a bigint column: so the number stands in the SQL.
    let modified = accepted
        .modified_at
        .map_or("NULL".to_owned(), |at| at.to_string());
    let sql = format!(
        "INSERT INTO feeds (source, at, digest, records, columns, filled, modified_at) \
         VALUES (?, ?, ?, ?, ?, ?, {modified}) ON CONFLICT (source, at) DO NOTHING"
    );
    let columns = serde_json::to_string(&accepted.columns).unwrap_or_default();
    let params = [
        source.into(),
        sql_value::now().into(),
        SqlValue::Bytes(accepted.digest.0.to_vec()),
        SqlValue::Int(i64::try_from(accepted.records).unwrap_or(i64::MAX)),
        SqlValue::text(columns),
        SqlValue::text(serde_json::to_string(&accepted.filled).unwrap_or_default()),
    ];
    tx.run(&sql, &params).await?;
    // Trimmed on every insert, so no job is needed to keep the table small.
    let sql = "DELETE FROM feeds WHERE source = ? AND at < (SELECT at FROM feeds \
               WHERE source = ? ORDER BY at DESC LIMIT 1 OFFSET ?)";
    tx.run(sql, &[source.into(), source.into(), KEPT.into()])
        .await?;
    // Replaced as a whole: a resource that is back in the export must lose its count, or a single
    // later absence would look like many in a row.
    tx.run("DELETE FROM absences WHERE source = ?", &[source.into()])
        .await?;
    let rows = accepted.missed.iter().map(|(key, missed)| {
        vec![
            source.into(),
            kinds::get(key.kind).name.into(),
            SqlValue::from(&key.id),
            SqlValue::Int(i64::from(*missed)),
        ]
    });
    let columns = [
        ("source", SqlType::Id),
        ("kind", SqlType::Id),
        ("external_id", SqlType::Id),
        ("missed", SqlType::Int),
    ];
    tx.insert("absences", &columns, rows).await?;
    Ok(())
}

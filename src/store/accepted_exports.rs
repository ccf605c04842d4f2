//! What is kept of the exports of a source: those that were accepted, and what they did not name.

use super::Store;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::{self, SqlType, SqlValue};
use crate::kinds;
use crate::model::{Digest, Key, Snapshot};
use std::collections::BTreeMap;

/// How many accepted exports of a source are kept.
const KEPT: i64 = 100;

/// Of each field that an export fills, by `Account.website`: how many have a value, and of how many.
pub type FieldFillCounts = BTreeMap<String, (u64, u64)>;

/// An export that was accepted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AcceptedExport {
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many rows it had.
    pub records: u64,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// How many resources of each kind it named, and how many of these had a value, by kind and field.
    pub filled: FieldFillCounts,
    /// When it was written, in milliseconds since 1970, where that is known.
    pub modified_at: Option<i64>,
    /// When it was accepted, in milliseconds since 1970; 0 for one that is about to be.
    pub at: i64,
    /// How many accepted exports in a row have not named each of what the source claims, this one
    /// included.
    pub missed: BTreeMap<Key, u32>,
}

impl Store {
    /// The last accepted exports of a source, newest first; what they did not name is left out.
    pub async fn accepted_exports(
        &self,
        source: &str,
        limit: u32,
    ) -> Result<Vec<AcceptedExport>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the accepted feeds").await? else {
            return Ok(Vec::new());
        };
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
    /// How many accepted exports in a row have not named each of what a source claims.
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

/// What is kept of all accepted exports of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AcceptedExportStats {
    /// How many there are, of the last hundred.
    pub count: u64,
    /// When the last one was accepted, in milliseconds since 1970.
    pub last: Option<i64>,
}

impl Store {
    /// How many exports of a source were accepted, and when the last was.
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

    /// Keeps what is wrong with the rows of the last export of a source, as it is sent back.
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

    /// What is wrong with the rows of the last export of a source.
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

/// Whether the schema has tables for it: that of the release before is read, too.
async fn has_feed_tables(tx: &mut SqlTransaction) -> Result<bool, StoreError> {
    let exists = tx.dialect().table_exists;
    tx.has_rows(exists, &["absences".into()]).await
}

/// Reads how often what a source claims was not named.
pub(super) async fn read_missed_counts(
    tx: &mut SqlTransaction,
    source: &str,
    snapshot: &mut Snapshot,
) -> Result<(), StoreError> {
    snapshot.missed_exports = fetch_missed_counts(tx, source).await?;
    Ok(())
}

async fn fetch_missed_counts(
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

/// Records an export, and what it did not name.
pub(super) async fn record_accepted_export(
    tx: &mut SqlTransaction,
    source: &str,
    accepted: &AcceptedExport,
) -> Result<(), StoreError> {
    // Not every place says when an export was written; a parameter without a value is a text's.
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
    let sql = "DELETE FROM feeds WHERE source = ? AND at < (SELECT at FROM feeds \
               WHERE source = ? ORDER BY at DESC LIMIT 1 OFFSET ?)";
    tx.run(sql, &[source.into(), source.into(), KEPT.into()])
        .await?;
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

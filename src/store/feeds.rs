//! What is kept of the exports of a source: those that were accepted, and what they did not name.

use super::Store;
use super::connection::Tx;
use super::error::StoreError;
use super::param::{self, Param, Ty};
use crate::kinds;
use crate::model::{Digest, Key, Snapshot};
use std::collections::BTreeMap;

/// How many accepted exports of a source are kept.
const KEPT: i64 = 100;

/// Of each field that an export fills, by `Account.website`: how many have a value, and of how many.
pub type Filled = BTreeMap<String, (u64, u64)>;

/// An export that was accepted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Accepted {
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many rows it had.
    pub records: u64,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// How many resources of each kind it named, and how many of these had a value, by kind and field.
    pub filled: Filled,
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
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn accepted(&self, source: &str, limit: u32) -> Result<Vec<Accepted>, StoreError> {
        let Some(mut tx) = self.reading_schema("read the accepted feeds").await? else {
            return Ok(Vec::new());
        };
        if !known(&mut tx).await? {
            return Ok(Vec::new());
        }
        let sql = "SELECT at, digest, records, columns, filled, modified_at FROM feeds WHERE source = ? \
                   ORDER BY at DESC LIMIT ?";
        let types = [Ty::Int, Ty::Bytes, Ty::Int, Ty::Text, Ty::Text, Ty::Int];
        let found = tx
            .fetch(sql, &[source.into(), i64::from(limit).into()], &types)
            .await?;
        let accepted = found.into_iter().map(|mut cells| Accepted {
            at: cells[0].int(),
            digest: Digest(cells[1].take_bytes().try_into().unwrap_or_default()),
            records: u64::try_from(cells[2].int()).unwrap_or_default(),
            columns: serde_json::from_str(cells[3].as_text().unwrap_or_default())
                .unwrap_or_default(),
            filled: serde_json::from_str(cells[4].as_text().unwrap_or_default())
                .unwrap_or_default(),
            modified_at: match cells[5] {
                Param::Int(at) => Some(at),
                _ => None,
            },
            missed: BTreeMap::new(),
        });
        Ok(accepted.collect())
    }
}

impl Store {
    /// How many accepted exports in a row have not named each of what a source claims.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn missed(&self, source: &str) -> Result<BTreeMap<Key, u32>, StoreError> {
        match self
            .reading_schema("read what exports did not name")
            .await?
        {
            Some(mut tx) => absences(&mut tx, source).await,
            None => Ok(BTreeMap::new()),
        }
    }
}

/// What is kept of all accepted exports of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    /// How many there are, of the last hundred.
    pub count: u64,
    /// When the last one was accepted, in milliseconds since 1970.
    pub last: Option<i64>,
}

impl Store {
    /// How many exports of a source were accepted, and when the last was.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_accepted(&self, source: &str) -> Result<Counted, StoreError> {
        let Some(mut tx) = self.reading_schema("count the accepted feeds").await? else {
            return Ok(Counted::default());
        };
        if !known(&mut tx).await? {
            return Ok(Counted::default());
        }
        let sql = "SELECT count(*), coalesce(max(at), 0) FROM feeds WHERE source = ?";
        let found = tx.first(sql, &[source.into()], &[Ty::Int, Ty::Int]).await?;
        Ok(found.map_or_else(Counted::default, |cells| Counted {
            count: u64::try_from(cells[0].int()).unwrap_or_default(),
            last: Some(cells[1].int()).filter(|at| *at > 0),
        }))
    }

    /// Keeps what is wrong with the rows of the last export of a source, as it is sent back.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn keep_report(&self, source: &str, report: &[u8]) -> Result<(), StoreError> {
        let mut tx = self.writing("keep the report").await?;
        super::migrate::current(&mut tx).await?;
        let sql = "INSERT INTO reports (source, at, report) VALUES (?, ?, ?) \
                   ON CONFLICT (source) DO UPDATE SET at = excluded.at, report = excluded.report";
        let report = Param::Bytes(report.to_vec());
        tx.run(sql, &[source.into(), param::now().into(), report])
            .await?;
        tx.commit().await
    }

    /// What is wrong with the rows of the last export of a source.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn report(&self, source: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut tx) = self.reading_schema("read the report").await? else {
            return Ok(None);
        };
        let exists = tx.dialect().table_exists;
        if !tx.any(exists, &["reports".into()]).await? {
            return Ok(None);
        }
        let sql = "SELECT report FROM reports WHERE source = ?";
        let found = tx.first(sql, &[source.into()], &[Ty::Bytes]).await?;
        Ok(found.map(|mut cells| cells[0].take_bytes()))
    }
}

/// Whether the schema has tables for it: that of the release before is read, too.
async fn known(tx: &mut Tx) -> Result<bool, StoreError> {
    let exists = tx.dialect().table_exists;
    tx.any(exists, &["absences".into()]).await
}

/// Reads how often what a source claims was not named.
pub(super) async fn missed(
    tx: &mut Tx,
    source: &str,
    snapshot: &mut Snapshot,
) -> Result<(), StoreError> {
    snapshot.missed = absences(tx, source).await?;
    Ok(())
}

async fn absences(tx: &mut Tx, source: &str) -> Result<BTreeMap<Key, u32>, StoreError> {
    let mut missed = BTreeMap::new();
    if !known(tx).await? {
        return Ok(missed);
    }
    let sql = "SELECT kind, external_id, missed FROM absences WHERE source = ?";
    let types = [Ty::Id, Ty::Id, Ty::Int];
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
pub(super) async fn accept(
    tx: &mut Tx,
    source: &str,
    accepted: &Accepted,
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
        param::now().into(),
        Param::Bytes(accepted.digest.0.to_vec()),
        Param::Int(i64::try_from(accepted.records).unwrap_or(i64::MAX)),
        Param::text(columns),
        Param::text(serde_json::to_string(&accepted.filled).unwrap_or_default()),
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
            Param::from(&key.id),
            Param::Int(i64::from(*missed)),
        ]
    });
    let columns = [
        ("source", Ty::Id),
        ("kind", Ty::Id),
        ("external_id", Ty::Id),
        ("missed", Ty::Int),
    ];
    tx.insert("absences", &columns, rows).await?;
    Ok(())
}

//! The rows of the export that a source accepted last, to read the next one only where it differs.
//! They are written in the apply that accepts the export, and are valid for that export alone.

use super::accepted_exports::fetch_missed_counts;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::read_transaction::ReadTransaction;
use super::sql_value::{SqlType, SqlValue};
use crate::kinds;
use crate::model::export_rows::{
    ExportRowFacts, ExportRowSet, ExportRowSetBuilder, PackedBuckets, PackedRowName,
};
use crate::model::{CompactText, Digest, FieldRef, Key, KindId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How many buckets are read at once: a megabyte or two.
const BUCKETS_AT_ONCE: u8 = 64;

/// What an apply does with the rows of its export.
#[derive(Clone, Debug, Default)]
pub enum ExportRowsUpdate {
    #[default]
    Keep,
    /// The next export is read whole.
    Forget,
    /// All of them are new.
    Replace(Box<ExportRowsWrite>),
    /// Only some buckets differ from those of an earlier export.
    Change(Digest, Box<ExportRowsWrite>),
}

/// Rows to be stored.
#[derive(Clone, Debug, Default)]
pub struct ExportRowsWrite {
    pub export: Digest,
    pub bits: u8,
    pub facts: ExportRowFacts,
    /// An empty bucket is deleted.
    pub buckets: PackedBuckets,
}

/// The facts as they are stored, with names in place of numbers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredFacts {
    layout: String,
    custom_fields: Vec<String>,
    declared: BTreeMap<String, u64>,
    filled: BTreeMap<String, u64>,
}

impl StoredFacts {
    fn of(facts: &ExportRowFacts) -> Self {
        let name = |kind: KindId| kinds::get(kind).name;
        let declared = facts.declared.iter();
        let filled = facts.filled.iter();
        Self {
            layout: facts.layout.to_string(),
            custom_fields: facts
                .custom_fields
                .iter()
                .map(ToString::to_string)
                .collect(),
            declared: declared
                .map(|(kind, count)| (name(*kind).to_owned(), *count))
                .collect(),
            filled: filled
                .map(|((kind, field), count)| {
                    let field = kinds::get(*kind).field_name(field);
                    (format!("{}.{field}", name(*kind)), *count)
                })
                .collect(),
        }
    }

    fn read(self) -> Option<ExportRowFacts> {
        let field = |name: &str| -> Option<(KindId, FieldRef)> {
            let (kind, field) = name.split_once('.')?;
            let kind = kinds::by_name(kind)?;
            Some((kind.id, kind.field_ref(field)?))
        };
        let filled = self.filled.iter();
        let declared = self.declared.iter();
        Some(ExportRowFacts {
            layout: Digest::parse(&self.layout)?,
            custom_fields: self.custom_fields.iter().map(CompactText::new).collect(),
            declared: declared
                .map(|(kind, count)| Some((kinds::by_name(kind)?.id, *count)))
                .collect::<Option<_>>()?,
            filled: filled
                .map(|(name, count)| Some((field(name)?, *count)))
                .collect::<Option<_>>()?,
        })
    }
}

impl ReadTransaction {
    /// Returns, for each claimed resource that is missing, in how many accepted exports in a row.
    pub async fn missed_counts(&mut self, source: &str) -> Result<BTreeMap<Key, u32>, StoreError> {
        fetch_missed_counts(&mut self.tx, source).await
    }

    /// The rows of an export that a source accepted; `None` if they are not known.
    pub async fn export_rows(
        &mut self,
        source: &str,
        export: Digest,
    ) -> Result<Option<ExportRowSet>, StoreError> {
        let tx = &mut self.tx;
        if !has_tables(tx).await? {
            return Ok(None);
        }
        let sql = "SELECT bits, facts FROM export_row_sets WHERE source = ? AND export = ?";
        let params = [source.into(), SqlValue::Bytes(export.0.to_vec())];
        let Some(mut cells) = tx
            .first(sql, &params, &[SqlType::Int, SqlType::Text])
            .await?
        else {
            return Ok(None);
        };
        let facts: Option<StoredFacts> = serde_json::from_str(&cells[1].take_text()).ok();
        let bits = u8::try_from(cells[0].int()).ok();
        let bits = bits.filter(|bits| u32::from(*bits) < u32::BITS);
        let Some((facts, bits)) = facts.and_then(StoredFacts::read).zip(bits) else {
            return Ok(None);
        };
        let sql = "SELECT CAST(coalesce(sum(octet_length(rows)), 0) AS BIGINT) FROM export_rows WHERE source = ?";
        let bytes = tx.first(sql, &[source.into()], &[SqlType::Int]).await?;
        let bytes = bytes.map_or(0, |cells| cells[0].int());
        let bytes = usize::try_from(bytes).unwrap_or_default();
        let mut set = ExportRowSetBuilder::new(bits, facts, bytes);
        let sql = "SELECT rows FROM export_rows WHERE source = ? AND bucket >= ? AND bucket < ? ORDER BY bucket";
        for first in (0..1_i64 << bits).step_by(BUCKETS_AT_ONCE.into()) {
            let end = first + i64::from(BUCKETS_AT_ONCE);
            let params = [source.into(), SqlValue::Int(first), SqlValue::Int(end)];
            for mut cells in tx.fetch(sql, &params, &[SqlType::Bytes]).await? {
                if set.add(&cells[0].take_bytes()).is_none() {
                    return Ok(None);
                }
            }
        }
        Ok(Some(set.finish()))
    }
}

/// The schema of earlier releases has no such tables, and is readable too.
async fn has_tables(tx: &mut SqlTransaction) -> Result<bool, StoreError> {
    let exists = tx.dialect().table_exists;
    tx.has_rows(exists, &["export_row_sets".into()]).await
}

/// Returns the sources whose last accepted export names a resource.
pub(super) async fn sources_naming(
    tx: &mut SqlTransaction,
    key: &Key,
) -> Result<BTreeSet<CompactText>, StoreError> {
    let mut naming = BTreeSet::new();
    if !has_tables(tx).await? {
        return Ok(naming);
    }
    let sql = "SELECT source FROM export_row_sets ORDER BY source";
    for mut cells in tx.fetch(sql, &[], &[SqlType::Id]).await? {
        let source = cells[0].take_text();
        let sql = "SELECT rows FROM export_rows WHERE source = ?";
        let found = tx
            .fetch(sql, &[SqlValue::from(&source)], &[SqlType::Bytes])
            .await?;
        let names = |name: &PackedRowName<'_>| name.kind == key.kind && *name.id == *key.id;
        let buckets = found.into_iter().map(|mut cells| cells[0].take_bytes());
        let is_named = buckets.into_iter().any(|bucket| {
            let rows =
                ExportRowSet::from_buckets(0, ExportRowFacts::default(), [bucket].into_iter());
            // What cannot be read may name anybody.
            rows.is_none_or(|rows| (0..rows.len()).any(|at| rows.names(at).any(|it| names(&it))))
        });
        if is_named {
            naming.insert(source);
        }
    }
    Ok(naming)
}

/// Deletes the rows of a source, so that its next export is read whole.
pub(super) async fn forget_rows(tx: &mut SqlTransaction, source: &str) -> Result<(), StoreError> {
    for table in ["export_rows", "export_row_sets"] {
        let sql = format!("DELETE FROM {table} WHERE source = ?");
        tx.run(&sql, &[source.into()]).await?;
    }
    Ok(())
}

/// Stores what an apply leaves of the rows of its export.
pub(super) async fn save_rows(
    tx: &mut SqlTransaction,
    source: &str,
    update: &ExportRowsUpdate,
) -> Result<(), StoreError> {
    let (write, since) = match update {
        ExportRowsUpdate::Keep => return Ok(()),
        ExportRowsUpdate::Forget => return forget_rows(tx, source).await,
        ExportRowsUpdate::Replace(write) => (write, None),
        ExportRowsUpdate::Change(since, write) => (write, Some(since)),
    };
    match since {
        None => forget_rows(tx, source).await?,
        Some(since) => {
            let sql = "DELETE FROM export_row_sets WHERE source = ? AND export = ? AND bits = ?";
            let params = [
                source.into(),
                SqlValue::Bytes(since.0.to_vec()),
                SqlValue::Int(write.bits.into()),
            ];
            // Not the rows that the change was computed from: then none are known.
            if tx.run(sql, &params).await? == 0 {
                return forget_rows(tx, source).await;
            }
            for bucket in write.buckets.keys() {
                let sql = "DELETE FROM export_rows WHERE source = ? AND bucket = ?";
                tx.run(sql, &[source.into(), SqlValue::Int((*bucket).into())])
                    .await?;
            }
        }
    }
    let columns = [
        ("source", SqlType::Id),
        ("bucket", SqlType::Int),
        ("rows", SqlType::Bytes),
    ];
    let rows = write.buckets.iter().filter(|(_, rows)| !rows.is_empty());
    let rows = rows.map(|(bucket, rows)| {
        vec![
            source.into(),
            SqlValue::Int((*bucket).into()),
            SqlValue::Bytes(rows.clone()),
        ]
    });
    tx.insert("export_rows", &columns, rows).await?;
    let sql = "INSERT INTO export_row_sets (source, export, bits, facts) VALUES (?, ?, ?, ?)";
    let facts = serde_json::to_string(&StoredFacts::of(&write.facts)).unwrap_or_default();
    let params = [
        source.into(),
        SqlValue::Bytes(write.export.0.to_vec()),
        SqlValue::Int(write.bits.into()),
        SqlValue::text(facts),
    ];
    tx.run(sql, &params).await?;
    Ok(())
}

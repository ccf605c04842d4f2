//! The users who were erased. Only keyed hashes are kept, of their ids and of the values by which rows
//! without an id are matched: enough to recognise somebody whom a source still names, so that nothing
//! of the person is stored again.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::person_words::PersonWords;
use super::sql_value::{SqlType, SqlValue};
use super::{Store, migrate, read};
use crate::kinds::{self, USER};
use crate::model::{Key, MatchTerm};
use std::collections::BTreeSet;

/// A record of a push that was not stored, because it names somebody who was erased.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DroppedRecord {
    /// The index in the push, from 0.
    pub position: usize,
    /// The line where the record began.
    pub line: u32,
}

impl Store {
    /// Returns whether anybody was erased yet.
    pub async fn has_erased(&self) -> Result<bool, StoreError> {
        let Some(mut tx) = self.begin_schema_read("look up who was erased").await? else {
            return Ok(false);
        };
        // The previous schema can be read too, and it has no such table.
        if !migrate::has_table(&mut tx, "erased_ids").await? {
            return Ok(false);
        }
        let sql = "SELECT kind FROM erased_ids LIMIT 1";
        Ok(tx.first(sql, &[], &[SqlType::Id]).await?.is_some())
    }

    /// Returns those of these resources that were erased.
    pub async fn erased(&self, keys: &BTreeSet<&Key>) -> Result<BTreeSet<Key>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("look up who was erased").await? else {
            return Ok(BTreeSet::new());
        };
        // The previous schema can be read too, and it has no such table.
        if keys.is_empty() || !migrate::has_table(&mut tx, "erased_ids").await? {
            return Ok(BTreeSet::new());
        }
        let sql = "SELECT kind, id_hash FROM erased_ids";
        let found = tx.fetch(sql, &[], &[SqlType::Id, SqlType::Id]).await?;
        if found.is_empty() {
            return Ok(BTreeSet::new());
        }
        let hashes = found.into_iter();
        let hashes: BTreeSet<_> = hashes
            .map(|mut cells| (cells[0].take_text(), cells[1].take_text()))
            .collect();
        let Some(meta) = migrate::meta(&mut tx).await? else {
            return Ok(BTreeSet::new());
        };
        let erased = keys.iter();
        let erased = erased.filter(|key| hashes.contains(&read::retired_hash(&meta.key, key)));
        Ok(erased.map(|key| (*key).clone()).collect())
    }

    /// Returns the records of a push that were not stored, in their order.
    pub async fn dropped_records(&self, import: &str) -> Result<Vec<DroppedRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read what was sent").await? else {
            return Ok(Vec::new());
        };
        if !migrate::has_table(&mut tx, "dropped_records").await? {
            return Ok(Vec::new());
        }
        let sql =
            "SELECT position, line FROM dropped_records WHERE import_id = ? ORDER BY position";
        let types = [SqlType::Int, SqlType::Int];
        let found = tx.fetch(sql, &[import.into()], &types).await?;
        let dropped = found.into_iter().map(|cells| DroppedRecord {
            position: usize::try_from(cells[0].int()).unwrap_or_default(),
            line: u32::try_from(cells[1].int()).unwrap_or_default(),
        });
        Ok(dropped.collect())
    }
}

/// Returns those of these terms that are values of people who were erased.
pub(super) async fn erased_terms(
    tx: &mut SqlTransaction,
    terms: &BTreeSet<MatchTerm>,
) -> Result<Vec<MatchTerm>, StoreError> {
    // The previous schema can be read too, and it has no such table.
    if terms.is_empty() || !migrate::has_table(tx, "erased_ids").await? {
        return Ok(Vec::new());
    }
    let Some(meta) = migrate::meta(tx).await? else {
        return Ok(Vec::new());
    };
    let sql = "SELECT id_hash FROM erased_ids";
    let found = tx.fetch(sql, &[], &[SqlType::Id]).await?;
    let hashes: BTreeSet<_> = found.into_iter().map(|mut it| it[0].take_text()).collect();
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let is_erased = |term: &&MatchTerm| {
        let field = term.field.as_ref();
        let field = field.map(|field| kinds::get(term.kind).field_name(field));
        let value = field.map(|field| value_key(&field, &term.text));
        value.is_some_and(|value| hashes.contains(&read::retired_hash(&meta.key, &value).1))
    };
    Ok(terms.iter().filter(is_erased).cloned().collect())
}

/// What is hashed of a value by which rows without an id are matched. No id has such a character.
fn value_key(field: &str, text: &str) -> Key {
    Key::new(USER, format!("{field}\0{text}"))
}

/// Whether a resource was erased.
pub(super) async fn is_erased(tx: &mut SqlTransaction, key: &Key) -> Result<bool, StoreError> {
    is_among(tx, "erased_ids", key).await
}

/// Whether the id of a resource can never be used again.
pub(super) async fn is_retired(tx: &mut SqlTransaction, key: &Key) -> Result<bool, StoreError> {
    is_among(tx, "retired_ids", key).await
}

async fn is_among(tx: &mut SqlTransaction, table: &str, key: &Key) -> Result<bool, StoreError> {
    let meta = migrate::require_current(tx).await?;
    let (kind, hash) = read::retired_hash(&meta.key, key);
    let sql = format!("SELECT 1 FROM {table} WHERE kind = ? AND id_hash = ?");
    tx.has_rows(&sql, &[SqlValue::Text(kind), SqlValue::Text(hash)])
        .await
}

/// Records that a resource was erased. Returns a name for it that says nothing about it.
pub(super) async fn record_erasure(
    tx: &mut SqlTransaction,
    key: &Key,
    words: &PersonWords,
    at: i64,
) -> Result<String, StoreError> {
    let meta = migrate::require_current(tx).await?;
    let (kind, hash) = read::retired_hash(&meta.key, key);
    let name = format!("{kind}/(erased {})", hash.get(..8).unwrap_or_default());
    // With the values by which rows without an id are matched: otherwise the next such row would
    // make a new user of the same person.
    let values = words.match_values();
    let values = values.map(|(field, text)| read::retired_hash(&meta.key, &value_key(field, text)));
    for (kind, hash) in [(kind, hash)].into_iter().chain(values) {
        let sql = "INSERT INTO erased_ids (kind, id_hash, erased_at) VALUES (?, ?, ?) \
                   ON CONFLICT DO NOTHING";
        let params = [SqlValue::Text(kind), SqlValue::Text(hash), at.into()];
        tx.run(sql, &params).await?;
    }
    Ok(name)
}

/// Records which records of a push were not stored.
pub(super) async fn record_dropped(
    tx: &mut SqlTransaction,
    import: &str,
    dropped: &[DroppedRecord],
) -> Result<(), StoreError> {
    for record in dropped {
        let sql = "INSERT INTO dropped_records (import_id, position, line) VALUES (?, ?, ?)";
        let position = i64::try_from(record.position).unwrap_or(i64::MAX);
        let params = [
            import.into(),
            position.into(),
            i64::from(record.line).into(),
        ];
        tx.run(sql, &params).await?;
    }
    Ok(())
}

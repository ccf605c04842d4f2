//! Reads the newest changes of many resources at once.

use super::Store;
use super::error::StoreError;
use super::history::{ChangeRecord, TYPES, record, select_changes};
use super::some_rows::look_up;
use crate::kinds;
use crate::model::{CompactText, Key, KindId};
use std::collections::{BTreeMap, BTreeSet};

impl Store {
    /// Returns the changes of these resources after one in the sequence, newest first.
    pub async fn changes_since(
        &self,
        keys: &BTreeSet<&Key>,
        seq: i64,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        let mut later = Vec::new();
        let Some(mut tx) = self.begin_schema_read("read the history").await? else {
            return Ok(later);
        };
        let mut by_kind: BTreeMap<KindId, Vec<&CompactText>> = BTreeMap::new();
        for key in keys {
            by_kind.entry(key.kind).or_default().push(&key.id);
        }
        for (kind, ids) in by_kind {
            let name = kinds::get(kind).name;
            let sql = select_changes(&format!(
                "c.seq > {seq} AND c.kind = '{name}' AND c.external_id IN ({{rows}}) \
                 ORDER BY c.seq DESC"
            ));
            let found = look_up(&mut tx, &sql, &ids, &TYPES).await?;
            later.extend(found.into_iter().map(record));
        }
        Ok(later)
    }

    /// Returns the last changes of each of these resources, newest first: at most `most` of each.
    pub async fn newest_changes(
        &self,
        keys: &BTreeSet<Key>,
        most: u32,
    ) -> Result<BTreeMap<Key, Vec<ChangeRecord>>, StoreError> {
        let mut newest: BTreeMap<Key, Vec<ChangeRecord>> = BTreeMap::new();
        let Some(mut tx) = self.begin_schema_read("read the history").await? else {
            return Ok(newest);
        };
        let mut by_kind: BTreeMap<KindId, Vec<&CompactText>> = BTreeMap::new();
        for key in keys {
            by_kind.entry(key.kind).or_default().push(&key.id);
        }
        for (kind, ids) in by_kind {
            let name = kinds::get(kind).name;
            let numbered = format!(
                "SELECT h.seq AS seq, \
                 row_number() OVER (PARTITION BY h.external_id ORDER BY h.seq DESC) AS place \
                 FROM changes AS h WHERE h.kind = '{name}' AND h.external_id IN ({{rows}})"
            );
            let wanted = format!(
                "c.seq IN (SELECT n.seq FROM ({numbered}) AS n WHERE n.place <= {most}) \
                 ORDER BY c.seq DESC"
            );
            let sql = select_changes(&wanted);
            for change in look_up(&mut tx, &sql, &ids, &TYPES).await? {
                let change = record(change);
                if let Some(id) = &change.external_id {
                    newest.entry(Key::new(kind, id)).or_default().push(change);
                }
            }
        }
        Ok(newest)
    }
}

//! Of a resource's history, the few changes that explain its present values.

use super::Store;
use super::act_history::ACT_REASON;
use super::error::StoreError;
use super::history::{ChangeRecord, TYPES, record, select_changes};
use super::sql_value::SqlValue;
use crate::kinds;
use crate::model::Key;

impl Store {
    /// Returns, for each field that was ever changed, the last change to it, and the very first
    /// change; newest first. The result stays small however long the history is.
    pub async fn last_changes(&self, key: &Key) -> Result<Vec<ChangeRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the history").await? else {
            return Ok(Vec::new());
        };
        let [open, close] = tx.dialect().members;
        // The database looks into the JSON of every change, so that a history of thousands is not
        // sent over the wire to keep ten of them.
        let of = "c.kind = ? AND c.external_id = ?";
        let last = format!(
            // Personal fields are stored apart and have to be searched too.
            "SELECT max(c.seq) AS seq FROM changes AS c, {open}c.fields{close} WHERE {of} GROUP BY j.key \
             UNION SELECT max(c.seq) FROM changes AS c JOIN change_values AS v ON v.seq = c.seq, \
             {open}v.fields{close} WHERE {of} GROUP BY j.key \
             UNION SELECT min(c.seq) FROM changes AS c WHERE {of} AND c.reason <> '{ACT_REASON}'"
        );
        let sql = select_changes(&format!("c.seq IN ({last}) ORDER BY c.seq DESC"));
        let name = kinds::get(key.kind).name;
        let params: Vec<SqlValue> = (0..3)
            .flat_map(|_| [name.into(), SqlValue::from(&key.id)])
            .collect();
        let found = tx.fetch(&sql, &params, &TYPES).await?;
        Ok(found.into_iter().map(record).collect())
    }
}

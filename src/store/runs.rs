//! Reads one run and its changes.

use super::Store;
use super::error::StoreError;
use super::history::{
    ChangeRecord, RUN_TYPES, RUNS, RunRecord, TYPES, record, run_record, select_first_changes,
};

impl Store {
    pub async fn run(&self, id: i64) -> Result<Option<RunRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read a run").await? else {
            return Ok(None);
        };
        let sql = format!("{RUNS} WHERE id = ?");
        let found = tx.first(&sql, &[id.into()], &RUN_TYPES).await?;
        Ok(found.map(|cells| run_record(&cells)))
    }

    /// Returns the changes of one run after a position in the sequence of all changes, oldest
    /// first.
    pub async fn changes_of(
        &self,
        run: i64,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the changes of a run").await? else {
            return Ok(Vec::new());
        };
        // By run and number, as the index is: by the number alone, PostgreSQL may go through the
        // changes of all later runs.
        let condition = "c.run = ? AND c.seq > ?";
        let sql = select_first_changes(condition, "c.run, c.seq", i64::from(limit));
        let params = [run.into(), after.into()];
        let found = tx.fetch(&sql, &params, &TYPES).await?;
        Ok(found.into_iter().map(record).collect())
    }
}

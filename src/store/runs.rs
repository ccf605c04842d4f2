//! Reads one run and its changes.

use super::Store;
use super::error::StoreError;
use super::history::{
    ChangeRecord, RUN_TYPES, RUNS, RunRecord, TYPES, record, run_record, select_first_changes,
};
use super::incremental_tables::RUN_CAUSES;
use super::migrate;
use super::sql_value::SqlType;
use std::collections::BTreeMap;

impl Store {
    /// Returns the revision that a source was last applied at as a whole.
    pub async fn applied_revision(&self, source: &str) -> Result<Option<String>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the sources").await? else {
            return Ok(None);
        };
        let sql = "SELECT revision FROM sources WHERE name = ?";
        let found = tx.first(sql, &[source.into()], &[SqlType::Text]).await?;
        Ok(found.map(|mut cells| cells[0].take_text().into()))
    }

    /// Returns the latest run that committed at a moment, in milliseconds since 1970, or earlier.
    pub async fn run_at(&self, at: i64) -> Result<Option<i64>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the runs").await? else {
            return Ok(None);
        };
        let sql = "SELECT max(id) FROM runs WHERE finished_at <= ?";
        let found = tx.first(sql, &[at.into()], &[SqlType::Int]).await?;
        Ok(found.and_then(|cells| cells[0].as_int()))
    }

    pub async fn run(&self, id: i64) -> Result<Option<RunRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read a run").await? else {
            return Ok(None);
        };
        let sql = format!("{RUNS} WHERE id = ?");
        let found = tx.first(&sql, &[id.into()], &RUN_TYPES).await?;
        Ok(found.map(|cells| run_record(&cells)))
    }

    /// Returns what the runs from one to another came from, as JSON, by run.
    pub async fn run_causes(
        &self,
        first: i64,
        last: i64,
    ) -> Result<BTreeMap<i64, String>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the causes of runs").await? else {
            return Ok(BTreeMap::new());
        };
        // The schema of the release before has none.
        if !migrate::has_table(&mut tx, RUN_CAUSES).await? {
            return Ok(BTreeMap::new());
        }
        let sql = "SELECT run, document FROM run_causes WHERE run >= ? AND run <= ?";
        let types = [SqlType::Int, SqlType::Text];
        let found = tx.fetch(sql, &[first.into(), last.into()], &types).await?;
        let causes = found.into_iter();
        let causes = causes.map(|mut cells| (cells[0].int(), cells[1].take_text().into()));
        Ok(causes.collect())
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

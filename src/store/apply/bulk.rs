//! The first load into an empty database. Rows go into bare tables, and indexes, foreign keys and
//! triggers are created afterwards, all in the same transaction. On PostgreSQL that takes
//! half the time for a million users. Begin and finish frame the writes in `apply/mod.rs`.

use super::super::error::StoreError;
use super::super::{schema, tables, triggers};
use super::ApplyTransaction;
use crate::plan::StepVerb;
use crate::store::schema_versions::table_names;

/// Below this, dropping and creating the indexes costs more than it saves.
const BULK_LOAD_MIN_ROWS: usize = 10_000;

impl ApplyTransaction<'_> {
    /// Drops indexes, foreign keys and triggers if this is a first load worth it; returns whether
    /// it did.
    pub(super) async fn begin_bulk_load(&mut self) -> Result<bool, StoreError> {
        let created = self.steps().filter(|step| step.verb == StepVerb::Create);
        // Only an empty database: nobody else's rows lose their checks, and rebuilding the indexes
        // reads only what this run wrote. Only the owner of the tables may drop what hangs on them.
        if created.count() < BULK_LOAD_MIN_ROWS
            || !self.is_database_empty().await?
            || !self.owner().await?
        {
            return Ok(false);
        }
        let dialect = self.tx.dialect();
        self.tx.script(dialect.load_begins).await?;
        for trigger in triggers::all(dialect) {
            self.tx.script(&trigger.drop(dialect)).await?;
        }
        for index in schema::indexes(dialect) {
            self.tx.script(&index.drop()).await?;
        }
        // SQLite cannot drop a foreign key from a table; `defer_foreign_keys` moves its checks to
        // the commit instead.
        if dialect.is_postgres() {
            for key in schema::foreign_keys() {
                self.tx.script(&key.drop()).await?;
            }
        }
        Ok(true)
    }

    /// Creates what was dropped, and gathers statistics for PostgreSQL's planner.
    pub(super) async fn finish_bulk_load(&mut self) -> Result<(), StoreError> {
        let dialect = self.tx.dialect();
        for index in schema::indexes(dialect) {
            self.tx.script(&index.create()).await?;
        }
        if dialect.is_postgres() {
            for key in schema::foreign_keys() {
                self.tx.script(&key.add()).await?;
            }
        }
        for trigger in triggers::all(dialect) {
            self.tx.script(&trigger.create).await?;
        }
        // Without statistics the planner scans: an update of ten rows took 275 ms instead of 0.7.
        if dialect.is_postgres() {
            for table in table_names() {
                self.tx.script(&format!("ANALYZE {table}")).await?;
            }
        }
        Ok(())
    }

    /// Whether nothing was ever loaded: no rows, no claims and no history.
    async fn is_database_empty(&mut self) -> Result<bool, StoreError> {
        let kinds = tables::ALL.iter().map(|table| table.kind.table);
        for table in kinds.chain(["claims", "changes"]) {
            let sql = format!("SELECT 1 FROM {table} LIMIT 1");
            if self.tx.has_rows(&sql, &[]).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether this role owns the tables and may alter them.
    async fn owner(&mut self) -> Result<bool, StoreError> {
        if !self.tx.dialect().is_postgres() {
            return Ok(true);
        }
        let sql = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() \
                   AND tablename = ? AND pg_has_role(tableowner, 'USAGE')";
        self.tx.has_rows(sql, &["claims".into()]).await
    }
}

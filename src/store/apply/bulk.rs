//! The first load: rows go into bare tables, which get their indexes, references and triggers
//! afterwards, all in the one transaction.

use super::super::error::StoreError;
use super::super::{schema, tables, triggers};
use super::ApplyTransaction;
use crate::plan::StepVerb;

/// From how many new rows on this is faster.
const BULK_LOAD_MIN_ROWS: usize = 10_000;

impl ApplyTransaction<'_> {
    /// Takes indexes, references and triggers away when this is a first load worth it, and says
    /// whether it did.
    pub(super) async fn begin_bulk_load(&mut self) -> Result<bool, StoreError> {
        let created = self.steps().filter(|step| step.verb == StepVerb::Create);
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
        for index in schema::indexes() {
            self.tx.script(&index.drop()).await?;
        }
        if dialect.numbered {
            for key in schema::foreign_keys() {
                self.tx.script(&key.drop()).await?;
            }
        }
        Ok(true)
    }

    /// Puts them back, and counts the rows for the engine's planner.
    pub(super) async fn finish_bulk_load(&mut self) -> Result<(), StoreError> {
        let dialect = self.tx.dialect();
        for index in schema::indexes() {
            self.tx.script(&index.create()).await?;
        }
        if dialect.numbered {
            for key in schema::foreign_keys() {
                self.tx.script(&key.add()).await?;
            }
        }
        for trigger in triggers::all(dialect) {
            self.tx.script(&trigger.create).await?;
        }
        if dialect.numbered {
            for table in schema::table_names() {
                self.tx.script(&format!("ANALYZE {table}")).await?;
            }
        }
        self.tx.script(dialect.load_ends).await
    }

    /// Whether nothing was ever loaded.
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

    /// Whether this role may change the tables.
    async fn owner(&mut self) -> Result<bool, StoreError> {
        if !self.tx.dialect().numbered {
            return Ok(true);
        }
        let sql = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() \
                   AND tablename = ? AND pg_has_role(tableowner, 'USAGE')";
        self.tx.has_rows(sql, &["claims".into()]).await
    }
}

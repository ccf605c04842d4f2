//! What is held of reverts that somebody asked for, one record for each run that would be reverted. A
//! pass of the source neither reads nor replaces them. Start at [`Store::revise_revert_holds`].

use super::Store;
use super::error::StoreError;
use super::incremental_tables::REVERT_HOLDS;
use super::migrate;
use super::sql_value::{self, SqlType};

/// What is held of the revert of a run.
#[derive(Clone, Debug)]
pub struct StoredRevertHolds {
    /// The run that would be reverted.
    pub run: i64,
    /// The source of that run.
    pub source: String,
    /// The holds, as a JSON list.
    pub held: String,
}

impl Store {
    /// Revises what is held of the revert of a run: `revise` gets the present list and returns the new
    /// one, or `None` if nothing is held any more.
    pub async fn revise_revert_holds(
        &self,
        run: i64,
        source: &str,
        revise: impl FnOnce(Option<&str>) -> Option<String> + Send,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write("keep the holds of the revert").await?;
        migrate::require_current(&mut tx).await?;
        // Read and written in one transaction: in between, an erasure could take a person out of it.
        let lock = tx.dialect().for_update;
        let sql = format!("SELECT held FROM {REVERT_HOLDS} WHERE run = ?{lock}");
        let found = tx.first(&sql, &[run.into()], &[SqlType::Text]).await?;
        let before = found.map(|mut cells| String::from(cells[0].take_text()));
        let after = revise(before.as_deref());
        if after == before {
            return Ok(());
        }
        let sql = format!("DELETE FROM {REVERT_HOLDS} WHERE run = ?");
        tx.run(&sql, &[run.into()]).await?;
        if let Some(held) = after {
            let sql =
                format!("INSERT INTO {REVERT_HOLDS} (run, source, at, held) VALUES (?, ?, ?, ?)");
            let row = [
                run.into(),
                source.into(),
                sql_value::now().into(),
                held.as_str().into(),
            ];
            tx.run(&sql, &row).await?;
        }
        tx.commit().await
    }

    /// Returns what is held of reverts, by run.
    pub async fn revert_holds(&self) -> Result<Vec<StoredRevertHolds>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the holds of reverts").await? else {
            return Ok(Vec::new());
        };
        // The previous schema can be read too, and it has no such table.
        if !migrate::has_table(&mut tx, REVERT_HOLDS).await? {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT run, source, held FROM {REVERT_HOLDS} ORDER BY run");
        let types = [SqlType::Int, SqlType::Id, SqlType::Text];
        let found = tx.fetch(&sql, &[], &types).await?.into_iter();
        let stored = found.map(|mut cells| StoredRevertHolds {
            run: cells[0].int(),
            source: cells[1].take_text().into(),
            held: cells[2].take_text().into(),
        });
        Ok(stored.collect())
    }
}

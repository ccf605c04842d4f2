//! The sources that claim something, as the database knows them by name: how much each claims, and
//! what becomes of the claims of one that has another name now or is gone.

use super::connection::Tx;
use super::error::StoreError;
use super::param::Ty;
use super::{Store, migrate};
use crate::model::Text;

impl Store {
    /// How many resources each source claims that is none of `configured`, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn claims_beside(&self, configured: &[&str]) -> Result<Vec<(Text, u64)>, StoreError> {
        let Some(mut tx) = self.reading_schema("read the claims").await? else {
            return Ok(Vec::new());
        };
        let mut beside = Vec::new();
        let mut last = Text::default();
        // One step of the index a source, however many claims each has.
        while let Some(source) = after(&mut tx, &last).await? {
            if !configured.contains(&source.as_str()) {
                let claims = active(&mut tx, &source).await?;
                beside.extend((claims > 0).then(|| (source.clone(), claims)));
            }
            last = source;
        }
        Ok(beside)
    }

    /// Gives every claim of one source to another, which keeps its own where both have one.
    /// Returns how many resources the first one claimed.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn give_claims(&self, from: &str, to: &str) -> Result<u64, StoreError> {
        let mut tx = self.alone("move the claims").await?;
        let claims = active(&mut tx, from).await?;
        let both = "DELETE FROM claims WHERE source = ? AND EXISTS (SELECT 1 FROM claims c \
                    WHERE c.source = ? AND c.kind = claims.kind \
                    AND c.external_id = claims.external_id)";
        tx.run(both, &[from.into(), to.into()]).await?;
        for table in ["claims", "run_budgets"] {
            let sql = format!("UPDATE {table} SET source = ? WHERE source = ?");
            tx.run(&sql, &[to.into(), from.into()]).await?;
        }
        // What it claims now is not what was remembered of it.
        unremember(&mut tx, to).await?;
        unremember(&mut tx, from).await?;
        tx.commit().await?;
        Ok(claims)
    }

    /// Drops every claim of a source. Returns how many resources it claimed.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn drop_claims(&self, source: &str) -> Result<u64, StoreError> {
        let mut tx = self.alone("drop the claims").await?;
        let claims = active(&mut tx, source).await?;
        tx.run("DELETE FROM claims WHERE source = ?", &[source.into()])
            .await?;
        unremember(&mut tx, source).await?;
        tx.commit().await?;
        Ok(claims)
    }

    /// A transaction that writes while no apply does.
    async fn alone(&self, operation: &'static str) -> Result<Tx, StoreError> {
        let mut tx = self.writing(operation).await?;
        migrate::current(&mut tx).await?;
        let lock = format!("SELECT id FROM write{}", tx.dialect().for_update);
        tx.fetch(&lock, &[], &[Ty::Int]).await?;
        Ok(tx)
    }
}

/// The next source by name that has claims.
async fn after(tx: &mut Tx, last: &Text) -> Result<Option<Text>, StoreError> {
    let sql = "SELECT source FROM claims WHERE source > ? ORDER BY source LIMIT 1";
    let found = tx.first(sql, &[last.into()], &[Ty::Id]).await?;
    Ok(found.map(|mut cells| cells[0].take_text()))
}

/// How many resources a source claims that it has not given up.
async fn active(tx: &mut Tx, source: &str) -> Result<u64, StoreError> {
    let sql = "SELECT CAST(count(*) AS bigint) FROM claims WHERE source = ? AND state = 'active'";
    let found = tx.first(sql, &[source.into()], &[Ty::Int]).await?;
    let count = found.map_or(0, |cells| cells[0].int());
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The next pass of a source reads all of it again.
async fn unremember(tx: &mut Tx, source: &str) -> Result<(), StoreError> {
    tx.run("DELETE FROM files WHERE source = ?", &[source.into()])
        .await?;
    tx.run("DELETE FROM sources WHERE name = ?", &[source.into()])
        .await?;
    Ok(())
}

//! The sources that hold claims: how much each one claims, and how claims move when a source is
//! renamed, adopted by another or forgotten. Each of these moves is an act of a person and runs
//! while no apply does.

use super::connection::{BatchStatement, SqlTransaction};
use super::daemon_state::{INSERT_ACT, act_params};
use super::error::StoreError;
use super::export_rows;
use super::sql_value::{SqlType, SqlValue};
use super::{Store, foreign_writes, held_steps, migrate, reverted_fields};
use crate::diagnostic::plural;
use crate::kinds;
use crate::model::{CompactText, Key};

/// For each row the giver, the taker and the key. Removes the taker's claims that are gone, to make
/// room.
const MAKE_ROOM: &str = "WITH v(giver, taker, kind, id) AS MATERIALIZED ({rows}) \
     DELETE FROM claims WHERE state <> 'active' AND (source, kind, external_id) IN \
     (SELECT v.taker, v.kind, v.id FROM v JOIN claims c ON c.source = v.giver \
     AND c.kind = v.kind AND c.external_id = v.id)";
/// Where both have a claim, the taker's stays and the giver's is deleted.
const HAND_OVER: [&str; 2] = [
    "WITH v(giver, taker, kind, id) AS MATERIALIZED ({rows}) \
     DELETE FROM claims WHERE (source, kind, external_id) IN \
     (SELECT v.giver, v.kind, v.id FROM v JOIN claims c ON c.source = v.taker \
     AND c.kind = v.kind AND c.external_id = v.id)",
    "WITH v(giver, taker, kind, id) AS MATERIALIZED ({rows}) UPDATE claims AS t \
     SET source = v.taker FROM v WHERE t.source = v.giver AND t.kind = v.kind \
     AND t.external_id = v.id",
];

impl Store {
    /// Counts the resources of every source that claims something and is not in `configured`, by
    /// name.
    pub async fn unconfigured_claims(
        &self,
        configured: &[&str],
    ) -> Result<Vec<(CompactText, u64)>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the claims").await? else {
            return Ok(Vec::new());
        };
        let mut beside = Vec::new();
        let mut last = CompactText::default();
        // One index step per source, however many claims each one has.
        while let Some(source) = next_source(&mut tx, &last).await? {
            if !configured.contains(&source.as_str()) {
                let claims = count_active_claims(&mut tx, &source).await?;
                beside.extend((claims > 0).then(|| (source.clone(), claims)));
            }
            last = source;
        }
        Ok(beside)
    }

    /// Returns the resources that a source actively claims, sorted.
    pub async fn claimed_by(&self, source: &str) -> Result<Vec<Key>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the claims").await? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT kind, external_id FROM claims WHERE source = ? AND state = 'active'";
        let found = tx
            .fetch(sql, &[source.into()], &[SqlType::Id, SqlType::Id])
            .await?;
        let keys = found.into_iter().filter_map(|mut cells| {
            let kind = kinds::by_name(cells[0].as_text()?)?.id;
            let id = cells[1].take_text();
            Some(Key { kind, id })
        });
        let mut keys: Vec<Key> = keys.collect();
        keys.sort();
        Ok(keys)
    }

    /// Moves the claims of one source on these resources to another, in the name of a person. Where
    /// both have a claim, the receiver's stays. Returns how many were moved.
    pub async fn hand_over(
        &self,
        from: &str,
        to: &str,
        keys: &[Key],
        actor: &str,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin_exclusive_write("hand the claims over").await?;
        let types = &[SqlType::Id; 4];
        let rows = || {
            keys.iter().map(|key| {
                let kind = kinds::get(key.kind).name;
                vec![from.into(), to.into(), kind.into(), SqlValue::from(&key.id)]
            })
        };
        let sql = MAKE_ROOM;
        tx.batch(&BatchStatement { sql, types }, rows()).await?;
        let mut given = 0;
        for sql in HAND_OVER {
            given += tx.batch(&BatchStatement { sql, types }, rows()).await?;
        }
        // Both checkpoints describe claims that have changed hands.
        forget_source(&mut tx, to).await?;
        forget_source(&mut tx, from).await?;
        let subject = format!("{from} {to}");
        let told = plural(given, "resource");
        tx.run(INSERT_ACT, &act_params(actor, "adopt", &subject, &told))
            .await?;
        tx.commit().await?;
        Ok(given)
    }

    /// Moves every claim of one source to another, in the name of a person. Where both have a
    /// claim, the receiver's stays. Returns how many resources the first one claimed.
    pub async fn give_claims(&self, from: &str, to: &str, actor: &str) -> Result<u64, StoreError> {
        let mut tx = self.begin_exclusive_write("move the claims").await?;
        let claims = count_active_claims(&mut tx, from).await?;
        let both = "DELETE FROM claims WHERE source = ? AND EXISTS (SELECT 1 FROM claims c \
                    WHERE c.source = ? AND c.kind = claims.kind \
                    AND c.external_id = claims.external_id)";
        tx.run(both, &[from.into(), to.into()]).await?;
        // The budgets move too: a rename must not give the source a fresh allowance for removals.
        for table in ["claims", "run_budgets"] {
            let sql = format!("UPDATE {table} SET source = ? WHERE source = ?");
            tx.run(&sql, &[to.into(), from.into()]).await?;
        }
        held_steps::transfer_held_steps(&mut tx, from, to).await?;
        reverted_fields::transfer(&mut tx, from, to).await?;
        // The checkpoint no longer says what the source claims.
        forget_source(&mut tx, to).await?;
        forget_source(&mut tx, from).await?;
        let subject = format!("{from} {to}");
        tx.run(
            INSERT_ACT,
            &act_params(actor, "source rename", &subject, ""),
        )
        .await?;
        tx.commit().await?;
        Ok(claims)
    }

    /// Deletes every claim of a source, in the name of a person. Returns how many resources it
    /// claimed.
    pub async fn drop_claims(&self, source: &str, actor: &str) -> Result<u64, StoreError> {
        let mut tx = self.begin_exclusive_write("drop the claims").await?;
        let claims = count_active_claims(&mut tx, source).await?;
        tx.run("DELETE FROM claims WHERE source = ?", &[source.into()])
            .await?;
        held_steps::delete_held_steps(&mut tx, source).await?;
        reverted_fields::forget_source(&mut tx, source).await?;
        forget_source(&mut tx, source).await?;
        tx.run(INSERT_ACT, &act_params(actor, "source forget", source, ""))
            .await?;
        tx.commit().await?;
        Ok(claims)
    }

    /// Begins a writing transaction that excludes every apply.
    async fn begin_exclusive_write(
        &self,
        operation: &'static str,
    ) -> Result<SqlTransaction, StoreError> {
        let mut tx = self.begin_write(operation).await?;
        migrate::require_current(&mut tx).await?;
        // The lock that every apply takes first. Without it, an apply in progress could write
        // claims of the old source after they were moved.
        let lock = format!("SELECT id FROM write{}", tx.dialect().for_update);
        tx.fetch(&lock, &[], &[SqlType::Int]).await?;
        Ok(tx)
    }
}

/// Returns the next source by name that has claims.
async fn next_source(
    tx: &mut SqlTransaction,
    last: &CompactText,
) -> Result<Option<CompactText>, StoreError> {
    let sql = "SELECT source FROM claims WHERE source > ? ORDER BY source LIMIT 1";
    let found = tx.first(sql, &[last.into()], &[SqlType::Id]).await?;
    Ok(found.map(|mut cells| cells[0].take_text()))
}

/// Counts the resources that a source actively claims.
async fn count_active_claims(tx: &mut SqlTransaction, source: &str) -> Result<u64, StoreError> {
    let sql = "SELECT CAST(count(*) AS bigint) FROM claims WHERE source = ? AND state = 'active'";
    let found = tx.first(sql, &[source.into()], &[SqlType::Int]).await?;
    let count = found.map_or(0, |cells| cells[0].int());
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Deletes the checkpoint of a source, so its next pass reads everything.
async fn forget_source(tx: &mut SqlTransaction, source: &str) -> Result<(), StoreError> {
    foreign_writes::forget_unclaimed(tx).await?;
    tx.run("DELETE FROM files WHERE source = ?", &[source.into()])
        .await?;
    tx.run("DELETE FROM sources WHERE name = ?", &[source.into()])
        .await?;
    export_rows::forget_rows(tx, source).await
}

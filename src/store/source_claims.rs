//! The sources that claim something, as the database knows them by name: how much each claims, and
//! what becomes of the claims of one that has another name now or is gone.

use super::connection::{BatchStatement, SqlTransaction};
use super::daemon_state::{INSERT_ACT, act_params};
use super::error::StoreError;
use super::held_steps;
use super::sql_value::{SqlType, SqlValue};
use super::{Store, migrate};
use crate::diagnostic::plural;
use crate::kinds;
use crate::model::{CompactText, Key};

/// Of each row: who gives, who takes, and the key. A claim that the taker has given up makes room.
const MAKE_ROOM: &str = "WITH v(giver, taker, kind, id) AS MATERIALIZED ({rows}) \
     DELETE FROM claims WHERE state <> 'active' AND (source, kind, external_id) IN \
     (SELECT v.taker, v.kind, v.id FROM v JOIN claims c ON c.source = v.giver \
     AND c.kind = v.kind AND c.external_id = v.id)";
/// One that the taker has stays, and the giver's goes.
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
    /// How many resources each source claims that is none of `configured`, by name.
    pub async fn unconfigured_claims(
        &self,
        configured: &[&str],
    ) -> Result<Vec<(CompactText, u64)>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the claims").await? else {
            return Ok(Vec::new());
        };
        let mut beside = Vec::new();
        let mut last = CompactText::default();
        // One step of the index a source, however many claims each has.
        while let Some(source) = next_source(&mut tx, &last).await? {
            if !configured.contains(&source.as_str()) {
                let claims = count_active_claims(&mut tx, &source).await?;
                beside.extend((claims > 0).then(|| (source.clone(), claims)));
            }
            last = source;
        }
        Ok(beside)
    }

    /// The resources that a source claims and has not given up, sorted.
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

    /// Gives the claims of one source on these resources to another, which keeps its own where both
    /// have one, in the name of a person. Returns how many it gave.
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
        forget_source(&mut tx, to).await?;
        forget_source(&mut tx, from).await?;
        let subject = format!("{from} {to}");
        let told = plural(given, "resource");
        tx.run(INSERT_ACT, &act_params(actor, "adopt", &subject, &told))
            .await?;
        tx.commit().await?;
        Ok(given)
    }

    /// Gives every claim of one source to another, which keeps its own where both have one, in the
    /// name of a person. Returns how many resources the first one claimed.
    pub async fn give_claims(&self, from: &str, to: &str, actor: &str) -> Result<u64, StoreError> {
        let mut tx = self.begin_exclusive_write("move the claims").await?;
        let claims = count_active_claims(&mut tx, from).await?;
        let both = "DELETE FROM claims WHERE source = ? AND EXISTS (SELECT 1 FROM claims c \
                    WHERE c.source = ? AND c.kind = claims.kind \
                    AND c.external_id = claims.external_id)";
        tx.run(both, &[from.into(), to.into()]).await?;
        for table in ["claims", "run_budgets"] {
            let sql = format!("UPDATE {table} SET source = ? WHERE source = ?");
            tx.run(&sql, &[to.into(), from.into()]).await?;
        }
        held_steps::transfer_held_steps(&mut tx, from, to).await?;
        // What it claims now is not what was remembered of it.
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

    /// Drops every claim of a source, in the name of a person. Returns how many resources it claimed.
    pub async fn drop_claims(&self, source: &str, actor: &str) -> Result<u64, StoreError> {
        let mut tx = self.begin_exclusive_write("drop the claims").await?;
        let claims = count_active_claims(&mut tx, source).await?;
        tx.run("DELETE FROM claims WHERE source = ?", &[source.into()])
            .await?;
        held_steps::delete_held_steps(&mut tx, source).await?;
        forget_source(&mut tx, source).await?;
        tx.run(INSERT_ACT, &act_params(actor, "source forget", source, ""))
            .await?;
        tx.commit().await?;
        Ok(claims)
    }

    /// A transaction that writes while no apply does.
    async fn begin_exclusive_write(
        &self,
        operation: &'static str,
    ) -> Result<SqlTransaction, StoreError> {
        let mut tx = self.begin_write(operation).await?;
        migrate::require_current(&mut tx).await?;
        let lock = format!("SELECT id FROM write{}", tx.dialect().for_update);
        tx.fetch(&lock, &[], &[SqlType::Int]).await?;
        Ok(tx)
    }
}

/// The next source by name that has claims.
async fn next_source(
    tx: &mut SqlTransaction,
    last: &CompactText,
) -> Result<Option<CompactText>, StoreError> {
    let sql = "SELECT source FROM claims WHERE source > ? ORDER BY source LIMIT 1";
    let found = tx.first(sql, &[last.into()], &[SqlType::Id]).await?;
    Ok(found.map(|mut cells| cells[0].take_text()))
}

/// How many resources a source claims that it has not given up.
async fn count_active_claims(tx: &mut SqlTransaction, source: &str) -> Result<u64, StoreError> {
    let sql = "SELECT CAST(count(*) AS bigint) FROM claims WHERE source = ? AND state = 'active'";
    let found = tx.first(sql, &[source.into()], &[SqlType::Int]).await?;
    let count = found.map_or(0, |cells| cells[0].int());
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The next pass of a source reads all of it again.
async fn forget_source(tx: &mut SqlTransaction, source: &str) -> Result<(), StoreError> {
    tx.run("DELETE FROM files WHERE source = ?", &[source.into()])
        .await?;
    tx.run("DELETE FROM sources WHERE name = ?", &[source.into()])
        .await?;
    Ok(())
}

//! What the daemon keeps of its sources: their state, who suspended them, the passes worth telling
//! of, and every act of a person.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::lease::Lease;
use super::sql_value::{self, SqlType, SqlValue};
use super::{Store, migrate};
use rand::Rng;

/// What is kept of one source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSourceState {
    /// Its name.
    pub source: String,
    /// Its state, a JSON document of the daemon's.
    pub state: String,
    /// Which replica wrote it.
    pub holder: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// Why a source is not reconciled.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Suspension {
    /// Who said so.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// What a person did.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct ActRecord {
    /// When, in milliseconds since 1970.
    pub at: i64,
    pub actor: String,
    /// What: `suspend`, `resume`, `reconcile`, `approve hold` and so on.
    pub act: String,
    /// On what: a source, a hold.
    pub subject: String,
    /// Why; empty when nothing was said.
    pub reason: String,
}

/// Stands for every source where a source is suspended.
pub const ALL_SOURCES: &str = "*";

/// How many passes of a source are kept.
const PASSES: i64 = 500;
pub(super) const INSERT_ACT: &str =
    "INSERT INTO acts (at, id, actor, act, subject, reason) VALUES (?, ?, ?, ?, ?, ?)";

impl Store {
    /// Keeps the state of a source, its last plan, and the pass if it is worth telling of, unless
    /// somebody else has taken its lease since; then `false`.
    pub async fn save_source_state(
        &self,
        source: &str,
        state: &str,
        plan: Option<&[u8]>,
        pass: Option<&str>,
        holder: &str,
        lease: &Lease,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_write("keep the state of the source").await?;
        migrate::require_current(&mut tx).await?;
        let sql = "INSERT INTO watched AS w (source, state, holder, token, at) \
                   VALUES (?, ?, ?, ?, ?) ON CONFLICT (source) DO UPDATE SET \
                   state = excluded.state, holder = excluded.holder, token = excluded.token, \
                   at = excluded.at WHERE w.token <= excluded.token";
        let params = [
            source.into(),
            state.into(),
            holder.into(),
            lease.token.into(),
            sql_value::now().into(),
        ];
        let written = tx.run(sql, &params).await?;
        if let (1, Some(plan)) = (written, plan) {
            let sql = "UPDATE watched SET plan = ? WHERE source = ?";
            tx.run(sql, &[SqlValue::Bytes(plan.to_vec()), source.into()])
                .await?;
        }
        if let (1, Some(pass)) = (written, pass) {
            record_pass(&mut tx, source, pass).await?;
        }
        tx.commit().await?;
        Ok(written == 1)
    }

    /// What is kept of every source, by name.
    pub async fn source_states(&self) -> Result<Vec<StoredSourceState>, StoreError> {
        let Some(mut tx) = self
            .begin_schema_read("read the state of the sources")
            .await?
        else {
            return Ok(Vec::new());
        };
        let sql = "SELECT source, state, holder, at FROM watched ORDER BY source";
        let found = tx
            .fetch(
                sql,
                &[],
                &[SqlType::Id, SqlType::Text, SqlType::Text, SqlType::Int],
            )
            .await?;
        let watched = found.into_iter().map(|mut cells| StoredSourceState {
            source: cells[0].take_text().into(),
            state: cells[1].take_text().into(),
            holder: cells[2].take_text().into(),
            at: cells[3].int(),
        });
        Ok(watched.collect())
    }

    /// The last plan of a source, as it was kept.
    pub async fn last_plan(&self, source: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the last plan").await? else {
            return Ok(None);
        };
        let sql = "SELECT plan FROM watched WHERE source = ? AND plan IS NOT NULL";
        let found = tx.first(sql, &[source.into()], &[SqlType::Bytes]).await?;
        Ok(found.map(|mut cells| cells[0].take_bytes()))
    }

    /// Suspends a source, or [`ALL_SOURCES`] one, and records who did.
    pub async fn suspend(&self, source: &str, actor: &str, reason: &str) -> Result<(), StoreError> {
        let mut tx = self.begin_write("suspend the source").await?;
        migrate::require_current(&mut tx).await?;
        let sql = "INSERT INTO suspensions (source, actor, reason, at) VALUES (?, ?, ?, ?) \
                   ON CONFLICT (source) DO UPDATE SET actor = excluded.actor, \
                   reason = excluded.reason, at = excluded.at";
        let params = [
            source.into(),
            actor.into(),
            reason.into(),
            sql_value::now().into(),
        ];
        tx.run(sql, &params).await?;
        tx.run(INSERT_ACT, &act_params(actor, "suspend", source, reason))
            .await?;
        tx.commit().await
    }

    /// Takes a suspension back and records who did; `false` when there was none.
    pub async fn resume(
        &self,
        source: &str,
        actor: &str,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_write("resume the source").await?;
        migrate::require_current(&mut tx).await?;
        let sql = "DELETE FROM suspensions WHERE source = ?";
        let resumed = tx.run(sql, &[source.into()]).await? > 0;
        if resumed {
            tx.run(INSERT_ACT, &act_params(actor, "resume", source, reason))
                .await?;
        }
        tx.commit().await?;
        Ok(resumed)
    }

    /// Every suspension, by source.
    pub async fn suspensions(&self) -> Result<Vec<(String, Suspension)>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the suspensions").await? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT source, actor, reason, at FROM suspensions ORDER BY source";
        let found = tx
            .fetch(
                sql,
                &[],
                &[SqlType::Id, SqlType::Text, SqlType::Text, SqlType::Int],
            )
            .await?;
        let suspensions = found.into_iter().map(|mut cells| {
            let suspension = Suspension {
                actor: cells[1].take_text().into(),
                reason: cells[2].take_text().into(),
                at: cells[3].int(),
            };
            (cells[0].take_text().into(), suspension)
        });
        Ok(suspensions.collect())
    }

    /// Records what a person did.
    pub async fn record_act(
        &self,
        actor: &str,
        what: &str,
        subject: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write("record the act").await?;
        migrate::require_current(&mut tx).await?;
        tx.run(INSERT_ACT, &act_params(actor, what, subject, reason))
            .await?;
        tx.commit().await
    }

    /// The latest acts, newest first.
    pub async fn acts(&self, limit: u32) -> Result<Vec<ActRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the acts").await? else {
            return Ok(Vec::new());
        };
        let sql = "SELECT at, actor, act, subject, reason FROM acts ORDER BY at DESC, id LIMIT ?";
        let types = [
            SqlType::Int,
            SqlType::Text,
            SqlType::Text,
            SqlType::Text,
            SqlType::Text,
        ];
        let found = tx.fetch(sql, &[i64::from(limit).into()], &types).await?;
        let acts = found.into_iter().map(|mut cells| ActRecord {
            at: cells[0].int(),
            actor: cells[1].take_text().into(),
            act: cells[2].take_text().into(),
            subject: cells[3].take_text().into(),
            reason: cells[4].take_text().into(),
        });
        Ok(acts.collect())
    }

    /// The latest passes of a source, or of all, newest first: JSON documents of the daemon's.
    pub async fn passes(
        &self,
        source: Option<&str>,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the passes").await? else {
            return Ok(Vec::new());
        };
        let (of, mut params) = match source {
            None => ("", Vec::new()),
            Some(source) => ("WHERE source = ?", vec![source.into()]),
        };
        params.push(i64::from(limit).into());
        let sql = format!("SELECT document FROM passes {of} ORDER BY at DESC, id LIMIT ?");
        let found = tx.fetch(&sql, &params, &[SqlType::Text]).await?;
        Ok(found
            .into_iter()
            .map(|mut cells| cells[0].take_text().into())
            .collect())
    }
}

/// Records a pass, and forgets those of the source that are long past.
async fn record_pass(
    tx: &mut SqlTransaction,
    source: &str,
    document: &str,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO passes (at, id, source, document) VALUES (?, ?, ?, ?)";
    let params = [
        sql_value::now().into(),
        random_id(),
        source.into(),
        document.into(),
    ];
    tx.run(sql, &params).await?;
    let sql = "DELETE FROM passes WHERE source = ? AND at < (SELECT at FROM passes \
               WHERE source = ? ORDER BY at DESC LIMIT 1 OFFSET ?)";
    tx.run(sql, &[source.into(), source.into(), PASSES.into()])
        .await?;
    Ok(())
}

pub(super) fn act_params(actor: &str, what: &str, subject: &str, reason: &str) -> [SqlValue; 6] {
    [
        sql_value::now().into(),
        random_id(),
        actor.into(),
        what.into(),
        subject.into(),
        reason.into(),
    ]
}

/// Tells what happened within one millisecond apart.
fn random_id() -> SqlValue {
    SqlValue::Int(rand::rng().random_range(0..1 << 52))
}

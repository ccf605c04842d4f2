//! The daemon's own state: the state of each source, suspensions, the passes worth keeping and the
//! audit log. It is in the database so that it survives a restart and every replica sees the same.
//! The documents themselves are the daemon's; the store does not look into them.

use super::connection::{SqlRow, SqlTransaction};
use super::error::StoreError;
use super::lease::Lease;
use super::sql_value::{self, SqlType, SqlValue};
use super::{Store, migrate};
use rand::Rng;

/// The stored state of one source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSourceState {
    pub source: String,
    /// The state, a JSON document of the daemon's.
    pub state: String,
    /// The replica that wrote it.
    pub holder: String,
    /// When it was written, in milliseconds since 1970.
    pub at: i64,
}

/// Why a source is not reconciled.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Suspension {
    /// Who suspended it.
    pub actor: String,
    pub reason: String,
    /// When it was suspended, in milliseconds since 1970.
    pub at: i64,
}

/// An entry of the audit log.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct ActRecord {
    pub at: i64,
    /// Tells it apart from others of the same millisecond. A page goes on from it.
    #[serde(skip)]
    pub id: i64,
    pub actor: String,
    /// What was done: `suspend`, `resume`, `reconcile`, `approve hold` and so on.
    pub act: String,
    /// The source or hold it was done to.
    pub subject: String,
    /// The given reason; empty if none.
    pub reason: String,
}

/// The place of an entry in the audit log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ActPosition {
    pub at: i64,
    pub id: i64,
}

/// As a source name in a suspension: every source.
pub const ALL_SOURCES: &str = "*";

/// How many passes are kept per source.
const PASSES: i64 = 500;
pub(super) const INSERT_ACT: &str =
    "INSERT INTO acts (at, id, actor, act, subject, reason) VALUES (?, ?, ?, ?, ?, ?)";

impl Store {
    /// Stores the state of a source, its last plan and, if given, the pass. Writes nothing and
    /// returns `false` if another replica has taken over the lease.
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
        // The token decides, not the time: a replica that stood still and lost its lease must not
        // overwrite the state of its successor, whatever its clock says.
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

    /// Revises the stored state of a source: `revise` gets the present document and returns the new
    /// one, or `None` to leave it. Writes nothing if another holder has taken over the lease.
    pub async fn revise_source_state(
        &self,
        source: &str,
        holder: &str,
        lease: &Lease,
        revise: impl FnOnce(Option<&str>) -> Option<String> + Send,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write("keep the holds of the source").await?;
        migrate::require_current(&mut tx).await?;
        // Read and written in one transaction: in between, an erasure could take a person out of it.
        let lock = tx.dialect().for_update;
        let sql = format!("SELECT state FROM watched WHERE source = ?{lock}");
        let found = tx.first(&sql, &[source.into()], &[SqlType::Text]).await?;
        let before = found.map(|mut cells| String::from(cells[0].take_text()));
        let Some(state) = revise(before.as_deref()) else {
            return Ok(());
        };
        // The replica that ran the last pass stays the holder.
        let sql = "INSERT INTO watched AS w (source, state, holder, token, at) \
                   VALUES (?, ?, ?, ?, ?) ON CONFLICT (source) DO UPDATE SET \
                   state = excluded.state, token = excluded.token, at = excluded.at \
                   WHERE w.token <= excluded.token";
        let params = [
            source.into(),
            state.as_str().into(),
            holder.into(),
            lease.token.into(),
            sql_value::now().into(),
        ];
        tx.run(sql, &params).await?;
        tx.commit().await
    }

    /// Returns the stored state of every source, by name.
    pub async fn source_states(&self) -> Result<Vec<StoredSourceState>, StoreError> {
        let sql = "SELECT source, state, holder, at FROM watched ORDER BY source";
        let found = self.by_source("read the state of the sources", sql);
        let watched = found.await?.into_iter().map(|mut cells| StoredSourceState {
            source: cells[0].take_text().into(),
            state: cells[1].take_text().into(),
            holder: cells[2].take_text().into(),
            at: cells[3].int(),
        });
        Ok(watched.collect())
    }

    /// Returns the last plan of a source as it was stored.
    pub async fn last_plan(&self, source: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the last plan").await? else {
            return Ok(None);
        };
        let sql = "SELECT plan FROM watched WHERE source = ? AND plan IS NOT NULL";
        let found = tx.first(sql, &[source.into()], &[SqlType::Bytes]).await?;
        Ok(found.map(|mut cells| cells[0].take_bytes()))
    }

    /// Suspends a source, or [`ALL_SOURCES`], and records who did.
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

    /// Ends a suspension and records who did; `false` if there was none.
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

    /// Returns every suspension, by source.
    pub async fn suspensions(&self) -> Result<Vec<(String, Suspension)>, StoreError> {
        let sql = "SELECT source, actor, reason, at FROM suspensions ORDER BY source";
        let found = self.by_source("read the suspensions", sql);
        let suspensions = found.await?.into_iter().map(|mut cells| {
            let suspension = Suspension {
                actor: cells[1].take_text().into(),
                reason: cells[2].take_text().into(),
                at: cells[3].int(),
            };
            (cells[0].take_text().into(), suspension)
        });
        Ok(suspensions.collect())
    }

    /// Runs a query for a source, two texts and a time, ordered by source.
    async fn by_source(&self, doing: &'static str, sql: &str) -> Result<Vec<SqlRow>, StoreError> {
        let Some(mut tx) = self.begin_schema_read(doing).await? else {
            return Ok(Vec::new());
        };
        let types = [SqlType::Id, SqlType::Text, SqlType::Text, SqlType::Int];
        tx.fetch(sql, &[], &types).await
    }

    /// Adds an entry to the audit log.
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

    /// Returns the latest entries of the audit log before one of them, newest first.
    pub async fn acts_before(
        &self,
        before: Option<ActPosition>,
        limit: u32,
    ) -> Result<Vec<ActRecord>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the acts").await? else {
            return Ok(Vec::new());
        };
        let (of, mut params) = match before {
            None => ("", Vec::new()),
            Some(ActPosition { at, id }) => (
                "WHERE at <= ? AND (at < ? OR id > ?)",
                vec![at.into(), at.into(), id.into()],
            ),
        };
        params.push(i64::from(limit).into());
        let sql = format!(
            "SELECT at, actor, act, subject, reason, id FROM acts {of} ORDER BY at DESC, id LIMIT ?"
        );
        let types = [
            SqlType::Int,
            SqlType::Text,
            SqlType::Text,
            SqlType::Text,
            SqlType::Text,
            SqlType::Int,
        ];
        let found = tx.fetch(&sql, &params, &types).await?;
        let acts = found.into_iter().map(|mut cells| ActRecord {
            at: cells[0].int(),
            actor: cells[1].take_text().into(),
            act: cells[2].take_text().into(),
            subject: cells[3].take_text().into(),
            reason: cells[4].take_text().into(),
            id: cells[5].int(),
        });
        Ok(acts.collect())
    }

    /// How many passes of a source are kept.
    pub async fn count_passes(&self, source: &str) -> Result<usize, StoreError> {
        let Some(mut tx) = self.begin_schema_read("count the passes").await? else {
            return Ok(0);
        };
        let sql = "SELECT count(*) FROM passes WHERE source = ?";
        let row = tx.first(sql, &[source.into()], &[SqlType::Int]).await?;
        Ok(row.map_or(0, |cells| usize::try_from(cells[0].int()).unwrap_or(0)))
    }

    /// Returns the latest passes of one source or of all, after so many that are newer, newest
    /// first, as JSON documents of the daemon's.
    pub async fn passes(
        &self,
        source: Option<&str>,
        skipped: u32,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the passes").await? else {
            return Ok(Vec::new());
        };
        let (of, mut params) = match source {
            None => ("", Vec::new()),
            Some(source) => ("WHERE source = ?", vec![source.into()]),
        };
        params.extend([i64::from(limit).into(), i64::from(skipped).into()]);
        let sql = format!("SELECT document FROM passes {of} ORDER BY at DESC, id LIMIT ? OFFSET ?");
        let found = tx.fetch(&sql, &params, &[SqlType::Text]).await?;
        Ok(found
            .into_iter()
            .map(|mut cells| cells[0].take_text().into())
            .collect())
    }
}

impl Store {
    /// Returns the first passes of a source that were kept at a moment, in milliseconds since 1970,
    /// or later, oldest first, as JSON documents of the daemon's.
    pub async fn passes_since(
        &self,
        source: &str,
        at: i64,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the passes").await? else {
            return Ok(Vec::new());
        };
        let sql =
            "SELECT document FROM passes WHERE source = ? AND at >= ? ORDER BY at, id LIMIT ?";
        let params = [source.into(), at.into(), i64::from(limit).into()];
        let found = tx.fetch(sql, &params, &[SqlType::Text]).await?;
        let texts = found.into_iter();
        Ok(texts.map(|mut cells| cells[0].take_text().into()).collect())
    }
}

/// Records a pass and deletes the oldest ones of the source.
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

/// Keeps two entries of the same millisecond apart in the primary key.
fn random_id() -> SqlValue {
    SqlValue::Int(rand::rng().random_range(0..1 << 52))
}

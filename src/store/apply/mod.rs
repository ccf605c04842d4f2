//! Applying a plan: one transaction, from the lock on the `write` row to the commit.
//!
//! Every row of Roster's own gets its old version + 1, so the triggers that mark foreign writes
//! leave it alone; link rows and runtime facts, which a plan never compares, are written under the
//! transaction's guard and leave the version as it is.

mod bulk;
mod claims;
mod history;
mod invariants;
mod links;
mod logins;
mod rows;
mod settings;
mod values;
mod versions;

use super::connection::SqlTransaction;
use super::error::{ApplyError, StoreError};
use super::held_steps;
use super::imports;
use super::lease::Lease;
use super::source::{self, CheckpointUpdate};
use super::sql_value::{self, SqlType, SqlValue};
use super::{Store, migrate};
use crate::diagnostic::chain;
use crate::kinds;
use crate::model::FieldChange;
use crate::model::{Key, KindId, Value};
use crate::plan::{Plan, Step, StepVerb};
use rand::Rng;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A plan to apply, and what it does not carry itself.
#[derive(Clone, Debug)]
pub struct ApplyRequest<'a> {
    pub plan: &'a Plan,
    pub plan_id: &'a str,
    /// Who applies it.
    pub actor: &'a str,
    /// The lease it is applied under: its token must still be the current one.
    pub lease: Option<&'a Lease>,
    /// Whether a plan of this id is applied at most once, as a saved one is.
    pub single_use: bool,
    /// The bytes of the files that the steps name.
    pub contents: &'a BTreeMap<Key, Vec<u8>>,
    /// The argon2 hashes of the passwords that the steps set.
    pub passwords: &'a BTreeMap<Key, String>,
    /// What is to be remembered of the source, unless only a part of it is applied.
    pub remember: Option<&'a CheckpointUpdate>,
}

/// What an apply came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ApplySummary {
    /// The run; `None` when there was nothing to record.
    pub run: Option<i64>,
    /// How many resources were written.
    pub written: u64,
    /// How many claims were written.
    pub claims: u64,
    /// How many login names were given.
    pub logins: u64,
}

/// How long a run whose answer was lost is looked for, and how often.
const COMMIT_LOOKUP_TIMEOUT: Duration = Duration::from_mins(2);
const COMMIT_LOOKUP_INTERVAL: Duration = Duration::from_millis(500);

/// More steps than this take longer between two statements than a transaction may stand still, in
/// milliseconds.
const MANY: usize = 10_000;
const IDLE: usize = 30_000;

/// How often a serialization failure or a deadlock is tried again.
const TRIES: u32 = 6;

impl Store {
    /// Applies a plan as it is, or does nothing.
    pub async fn apply(&self, apply: &ApplyRequest<'_>) -> Result<ApplySummary, ApplyError> {
        if apply.plan.errored {
            return Err(ApplyError::Refused);
        }
        let mut tries = 1;
        loop {
            match self.try_apply(apply).await {
                Err(ApplyError::Store(error)) if error.transient() && tries < TRIES => {
                    let millis = rand::rng().random_range(5..(20 << tries));
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    async fn try_apply(&self, apply: &ApplyRequest<'_>) -> Result<ApplySummary, ApplyError> {
        let tx = self.begin_write("apply the plan").await?;
        let mut pass = ApplyTransaction::start(apply, tx).await?;
        let applied = pass.perform().await?;
        let now = pass.now;
        if let Err(error) = pass.tx.commit().await {
            let Some(run) = applied.run else {
                return Err(error.into());
            };
            tracing::warn!(
                "{}; checking whether run {run} was committed",
                chain(&error)
            );
            if !self.has_run(run, apply.plan_id, now).await? {
                return Err(error.into());
            }
        }
        self.checkpoint().await;
        Ok(applied)
    }

    /// Whether a run was committed whose answer was lost: looked up, never applied again blindly.
    async fn has_run(&self, run: i64, plan: &str, started: i64) -> Result<bool, ApplyError> {
        let begin = Instant::now();
        loop {
            match self.try_has_run(run, plan, started).await {
                Err(_) if begin.elapsed() < COMMIT_LOOKUP_TIMEOUT => {
                    tokio::time::sleep(COMMIT_LOOKUP_INTERVAL).await;
                }
                Err(source) => return Err(ApplyError::CommitUnknown { run, source }),
                Ok(found) => return Ok(found),
            }
        }
    }

    async fn try_has_run(&self, run: i64, plan: &str, started: i64) -> Result<bool, StoreError> {
        let mut tx = self.begin_write("look the run up").await?;
        // A commit that is still under way holds this row.
        let lock = format!("SELECT id FROM write{}", tx.dialect().for_update);
        tx.fetch(&lock, &[], &[SqlType::Int]).await?;
        let sql = "SELECT 1 FROM runs WHERE id = ? AND plan_id = ? AND started_at = ?";
        tx.has_rows(sql, &[run.into(), plan.into(), started.into()])
            .await
    }
}

/// One apply under way.
struct ApplyTransaction<'a> {
    apply: &'a ApplyRequest<'a>,
    tx: SqlTransaction,
    now: i64,
    secret: [u8; 32],
    settings: settings::EffectiveSettings,
    stored: versions::MergeBases<'a>,
}

impl<'a> ApplyTransaction<'a> {
    /// Locks, and checks that everything is as the plan saw it.
    async fn start(
        apply: &'a ApplyRequest<'a>,
        mut tx: SqlTransaction,
    ) -> Result<Self, ApplyError> {
        let meta = migrate::meta(&mut tx).await?.ok_or(StoreError::Missing)?;
        let lock = format!("SELECT id FROM write{}", tx.dialect().for_update);
        tx.fetch(&lock, &[], &[SqlType::Int]).await?;
        let meta_now = migrate::require_current(&mut tx).await?;
        if let Some(lease) = apply.lease {
            lease.ensure_held(&mut tx).await?;
        }
        let mut what = versions::check_database(&mut tx, apply, &meta.identity).await?;
        let stored = versions::check_rows(&mut tx, apply.plan, &meta_now.key, &mut what).await?;
        if !what.is_empty() {
            return Err(ApplyError::Stale { what });
        }
        let settings = settings::effective_settings(&mut tx, apply.plan).await?;
        Ok(Self {
            apply,
            tx,
            now: sql_value::now(),
            secret: meta_now.key,
            settings,
            stored,
        })
    }

    /// Writes everything but the commit.
    async fn perform(&mut self) -> Result<ApplySummary, ApplyError> {
        let guard = self.tx.dialect();
        self.tx.script(guard.guard_on).await?;
        if !guard.set_idle_timeout.is_empty() && self.apply.plan.steps.len() > MANY {
            // What is written is made ready between two statements.
            let millis = IDLE + self.apply.plan.steps.len() / 10;
            self.tx
                .script(&format!("{}{millis}", guard.set_idle_timeout))
                .await?;
        }
        if !guard.numbered {
            self.tx.script("PRAGMA defer_foreign_keys = ON").await?;
        }
        let watched = self.invariant_candidates().await?;
        let bare = self.begin_bulk_load().await?;
        if !bare {
            self.delete_orphaned_links().await?;
        }
        self.create_rows().await?;
        self.update_rows().await?;
        self.write_links().await?;
        self.write_files().await?;
        let logins = self.give_logins().await?;
        self.delete_rows().await?;
        self.check_invariants(&watched).await?;
        let claims = self.write_claims().await?;
        let run = self.record_history().await?;
        held_steps::record_held_steps(&mut self.tx, self.apply.plan).await?;
        if let Some(remember) = self.apply.remember {
            source::save_checkpoint(&mut self.tx, &self.apply.plan.source.name, remember).await?;
            imports::end(&mut self.tx, &remember.import_endings, run).await?;
        }
        if bare {
            self.finish_bulk_load().await?;
        }
        self.tx.script(guard.guard_off).await?;
        Ok(ApplySummary {
            run,
            written: self.steps().filter(|step| self.changes_row(step)).count() as u64,
            claims,
            logins,
        })
    }

    fn steps(&self) -> impl Iterator<Item = &'a Step> + use<'a> {
        self.apply.plan.steps.iter()
    }

    /// The steps of one kind that have some verb.
    fn of_kind(
        &self,
        kind: KindId,
        verb: impl Fn(StepVerb) -> bool,
    ) -> impl Iterator<Item = &'a Step> {
        self.steps()
            .filter(move |step| step.key.kind == kind && verb(step.verb))
    }

    /// Whether a step changes its row; an adoption may not.
    fn changes_row(&self, step: &Step) -> bool {
        self.apply.changes_row(step)
    }

    /// The version of a step's row afterwards.
    fn version_after(&self, step: &Step) -> i64 {
        self.apply.version_after(step)
    }
}

impl ApplyRequest<'_> {
    fn changes_row(&self, step: &Step) -> bool {
        match step.verb {
            StepVerb::Create | StepVerb::Delete => true,
            _ => !step.changes().is_empty() || self.passwords.contains_key(&step.key),
        }
    }

    fn version_after(&self, step: &Step) -> i64 {
        match step.version {
            None => 1,
            Some(old) if self.changes_row(step) => next_version(old),
            Some(old) => old,
        }
    }
}

/// The version that Roster writes over an old one: never the same, always positive.
pub(super) fn next_version(old: i64) -> i64 {
    if old > 0 {
        old + 1
    } else {
        1 + old.abs() % (1 << 52)
    }
}

/// Verbs that change a stored row.
fn changes_row(verb: StepVerb) -> bool {
    !matches!(verb, StepVerb::Create | StepVerb::Delete)
}

/// Whether a change takes a resource out of use.
fn deactivates(step: &Step, change: &FieldChange) -> bool {
    let kind = kinds::get(step.key.kind);
    change.field.own() == Some(kind.status_index())
        && change.after.as_ref().and_then(Value::as_text) == Some("inactive")
}

/// Rows of one external id each, for a batch.
fn ids<'i>(keys: impl Iterator<Item = &'i Key>) -> impl Iterator<Item = Vec<SqlValue>> {
    keys.map(|key| vec![SqlValue::from(&key.id)])
}

//! Applies a plan in one transaction, from the lock on the `write` row to the commit. In goes an
//! `ApplyRequest` with the plan and the file contents and passwords it refers to; out comes an
//! `ApplySummary`, or an error after which nothing was written.
//!
//! Every row that Roster writes gets its old version + 1, so the triggers that mark foreign writes
//! ignore it. Link rows and runtime facts are written under the transaction's guard and leave the
//! version alone. Start at `Store::apply`, then `ApplyTransaction::perform`.

mod bulk;
mod claims;
mod foreign_writes;
mod history;
mod initial_facts;
mod invariants;
mod links;
mod logins;
mod notify;
mod request;
mod reverts;
mod rows;
mod settings;
mod versions;

use super::approval;
use super::connection::SqlTransaction;
use super::error::{ApplyError, StoreError};
use super::held_steps;
use super::history_writer::lock_write_row;
use super::imports;
use super::retry::{TRIES, pause_before_retry};
use super::source;
use super::sql_value::{self, SqlType};
use super::{Store, migrate};
use crate::diagnostic::chain;
use crate::kinds;
use crate::model::{FieldChange, KindId, Value};
use crate::plan::{Step, StepVerb};
pub use request::{ApplyRequest, RevertFacts};
use request::{changes_row, ids};
use std::time::{Duration, Instant};

/// The result of an apply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ApplySummary {
    /// The id of the run; `None` if there was nothing to record.
    pub run: Option<i64>,
    /// How many resources were written.
    pub written: u64,
    /// How many claims were written.
    pub claims: u64,
    /// How many login names were given.
    pub logins: u64,
    /// How many fields a revert keeps from what sources declare.
    pub reverted: u64,
}

/// How long, and how often, to look for a run whose commit got no answer.
const COMMIT_LOOKUP_TIMEOUT: Duration = Duration::from_mins(2);
const COMMIT_LOOKUP_INTERVAL: Duration = Duration::from_millis(500);

/// Above this many steps, the transaction gets more memory, and preparing the next batch may exceed
/// the server's limit for an idle transaction; the limit is then raised, starting at `IDLE`
/// milliseconds.
const MANY: usize = 10_000;
const IDLE: usize = 30_000;

impl Store {
    /// Applies a plan completely, or does nothing.
    pub async fn apply(&self, apply: &ApplyRequest<'_>) -> Result<ApplySummary, ApplyError> {
        if apply.plan.errored {
            return Err(ApplyError::Refused);
        }
        let mut tries = 1;
        loop {
            match self.try_apply(apply).await {
                Err(ApplyError::Store(error)) if error.transient() && tries < TRIES => {
                    pause_before_retry(tries).await;
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
        // The connection broke during the commit, so its outcome is unknown. Applying again blindly
        // could do everything twice; looking the run up by its id, plan and start time cannot.
        if let Err(error) = pass.tx.commit().await {
            // Without a run only claims and checkpoints were written, and the next pass writes
            // those again.
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
        // Folds the log into the file: in a read-only folder, a database with changes in its log
        // cannot be opened.
        self.checkpoint().await;
        Ok(applied)
    }

    /// Does everything that [`Self::apply`] does, and takes it back instead of committing.
    pub async fn rehearse(&self, apply: &ApplyRequest<'_>) -> Result<ApplySummary, ApplyError> {
        if apply.plan.errored {
            return Err(ApplyError::Refused);
        }
        let tx = self.begin_write("rehearse the plan").await?;
        let mut pass = ApplyTransaction::start(apply, tx).await?;
        let applied = pass.perform().await?;
        // What a commit would check.
        if pass.tx.dialect().is_postgres() {
            pass.tx.script("SET CONSTRAINTS ALL IMMEDIATE").await?;
        } else if let Some(table) = pass.dangling_reference().await? {
            let what = format!("a row of {table} refers to one that is not there");
            return Err(ApplyError::Stale { what: vec![what] });
        }
        // Dropping the transaction takes everything back.
        Ok(applied)
    }

    /// Whether a run whose commit got no answer was committed after all. It is looked up and never
    /// applied again blindly.
    pub(super) async fn has_run(
        &self,
        run: i64,
        plan: &str,
        started: i64,
    ) -> Result<bool, ApplyError> {
        let begin = Instant::now();
        loop {
            match self.try_has_run(run, plan, started).await {
                // A failover takes several seconds, during which every attempt fails.
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
        // A commit still under way holds this row: without waiting for it, the answer would be a
        // premature no.
        lock_write_row(&mut tx).await?;
        let sql = "SELECT 1 FROM runs WHERE id = ? AND plan_id = ? AND started_at = ?";
        tx.has_rows(sql, &[run.into(), plan.into(), started.into()])
            .await
    }
}

/// An apply in progress.
struct ApplyTransaction<'a> {
    apply: &'a ApplyRequest<'a>,
    tx: SqlTransaction,
    now: i64,
    secret: [u8; 32],
    settings: settings::EffectiveSettings,
    stored: versions::MergeBases<'a>,
}

impl<'a> ApplyTransaction<'a> {
    /// Takes the locks and checks that the database is still as the plan saw it.
    async fn start(
        apply: &'a ApplyRequest<'a>,
        mut tx: SqlTransaction,
    ) -> Result<Self, ApplyError> {
        let meta = migrate::meta(&mut tx).await?.ok_or(StoreError::Missing)?;
        // The one lock that serialises every apply on PostgreSQL; `BEGIN IMMEDIATE` does the same
        // on SQLite. Everything below is true until the commit only because of it.
        lock_write_row(&mut tx).await?;
        // Read again under the lock: somebody may have migrated while this transaction waited.
        let meta_now = migrate::require_current(&mut tx).await?;
        if let Some(lease) = apply.lease {
            // A holder that stood still for longer than its lease finds another token here and
            // writes nothing.
            lease.ensure_held(&mut tx).await?;
        }
        let mut what = versions::check_database(&mut tx, apply, &meta.identity).await?;
        let stored = versions::check_rows(&mut tx, apply.plan, &meta_now.key, &mut what).await?;
        // Every difference is collected first, so the message lists them all instead of the first
        // one.
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

    /// Performs all writes; the caller commits.
    async fn perform(&mut self) -> Result<ApplySummary, ApplyError> {
        let guard = self.tx.dialect();
        // Before the first write: from here on the triggers take writes for Roster's own.
        self.tx.script(guard.guard_on).await?;
        if self.apply.plan.steps.len() > MANY {
            self.prepare_for_many_steps().await?;
        }
        if !guard.is_postgres() {
            // SQLite checks references at the commit then, so rows may go in sorted by key, which is
            // what makes a bulk insert fast, and not by who refers to whom.
            self.tx.script("PRAGMA defer_foreign_keys = ON").await?;
        }
        // Before any write: which users an account loses can only be seen while its links are
        // there.
        let watched = self.invariant_candidates().await?;
        let bare = self.begin_bulk_load().await?;
        let record = self.begin_record(bare).await?;
        // In a database that was never loaded there is nothing to be orphaned.
        if !bare {
            self.delete_orphaned_links().await?;
        }
        // Rows before links, because links refer to them. Deletions after links: a member that
        // moves away must be gone before its row is, or the foreign key refuses.
        self.create_rows().await?;
        self.update_rows().await?;
        self.write_links().await?;
        self.write_files().await?;
        // In a database that was never loaded there is nothing that somebody set or accepted.
        if !bare {
            self.set_initial_access().await?;
            self.restore_restrictions().await?;
            self.reset_acceptances().await?;
            self.forget_departed_users().await?;
        }
        let logins = self.give_logins().await?;
        self.delete_rows().await?;
        self.invite_notified().await?;
        // After every write and before the commit, because only now the result can be seen as a
        // whole.
        self.check_invariants(&watched).await?;
        let claims = self.write_claims().await?;
        let run = self.record_history().await?;
        let reverted = match (run, self.apply.reverts) {
            (Some(run), Some(revert)) => self.keep_reverted(run, revert.left_alone).await?,
            _ => 0,
        };
        // In the same transaction as the changes: a crash must not leave a hold that was applied,
        // or an applied plan whose holds are forgotten.
        let by_commits = &self.apply.plan.commit_approvals;
        approval::record_commit_approvals(&mut self.tx, by_commits).await?;
        held_steps::record_held_steps(&mut self.tx, self.apply.plan).await?;
        if let Some(remember) = self.apply.remember {
            source::save_checkpoint(&mut self.tx, &self.apply.plan.source.name, remember).await?;
            imports::end(&mut self.tx, &remember.import_endings, run).await?;
        }
        if bare {
            self.finish_bulk_load().await?;
        }
        self.settle_record(record).await?;
        // Before the commit, so that no other connection ever sees the `writing` row.
        self.tx.script(guard.guard_off).await?;
        Ok(ApplySummary {
            run,
            written: self.steps().filter(|step| self.changes_row(step)).count() as u64,
            claims,
            logins,
            reverted,
        })
    }

    async fn prepare_for_many_steps(&mut self) -> Result<(), StoreError> {
        let dialect = self.tx.dialect();
        if !dialect.set_idle_timeout.is_empty() {
            // Rows are prepared between two statements, and a large plan takes longer for that than
            // the server's 30 seconds for an idle transaction.
            let millis = IDLE + self.apply.plan.steps.len() / 10;
            let sql = format!("{}{millis}", dialect.set_idle_timeout);
            self.tx.script(&sql).await?;
        }
        self.tx.script(dialect.many_steps_begin).await
    }

    fn steps(&self) -> impl Iterator<Item = &'a Step> + use<'a> {
        self.apply.plan.steps.iter()
    }

    /// The steps of one kind with certain verbs.
    fn of_kind(
        &self,
        kind: KindId,
        verb: impl Fn(StepVerb) -> bool,
    ) -> impl Iterator<Item = &'a Step> {
        self.steps()
            .filter(move |step| step.key.kind == kind && verb(step.verb))
    }

    /// Whether a step changes its row; an adoption may leave it as it is.
    fn changes_row(&self, step: &Step) -> bool {
        self.apply.changes_row(step)
    }

    /// The version of a step's row after the apply.
    fn version_after(&self, step: &Step) -> i64 {
        self.apply.version_after(step)
    }
}

impl ApplyTransaction<'_> {
    /// A table with a row whose reference leads nowhere. SQLite looks at the commit otherwise.
    async fn dangling_reference(&mut self) -> Result<Option<String>, StoreError> {
        let sql = "SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1";
        let mut found = self.tx.fetch(sql, &[], &[SqlType::Text]).await?;
        Ok(found.pop().map(|mut cells| cells[0].take_text().into()))
    }
}

/// Whether a change deactivates a resource.
fn deactivates(step: &Step, change: &FieldChange) -> bool {
    let kind = kinds::get(step.key.kind);
    change.field.own() == Some(kind.status_index())
        && change.after.as_ref().and_then(Value::as_text) == Some("inactive")
}

//! Acts of people on stored resources, as the table of acts (`kinds::act`) describes them: all ids
//! or none, in one transaction with the entries in the history and the audit log. In goes an
//! [`ActRequest`]; out comes an [`ActReport`], or an [`ActRefusal`] after which nothing was written.
//!
//! An act leaves the version of a row alone, because a runtime fact is no part of what sources
//! declare. Start at `Store::act`.

use super::act_deletion::{self, DeletionReport};
use super::act_history::{act_changes, record_run};
use super::act_keys::{EarlierAnswer, earlier_answer, keep_answer};
use super::act_request::{
    ActError, ActRefusal, ActReport, ActRequest, ActWarning, ActedResource, RefusedResource,
    ResourceStates,
};
use super::act_warnings;
use super::connection::{BatchStatement, SqlTransaction};
use super::daemon_state::{INSERT_ACT, act_params};
use super::erasure;
use super::erasure_report::ErasureReport;
use super::error::{ApplyError, StoreError};
use super::history_writer::lock_write_row;
use super::invitations;
use super::retry::{TRIES, pause_before_retry};
use super::sql_value::{self, SqlType, SqlValue};
use super::terms_acceptances::{self, TermsVersion};
use super::{Store, customer_tokens, migrate};
use crate::diagnostic::codes;
use crate::kinds::act::ACCESS;
use crate::kinds::{self, BLOCKED, Kind};
use crate::model::Key;
use rand::RngCore;

impl Store {
    /// Performs an act on all of its resources, or on none.
    pub async fn act(&self, request: &ActRequest<'_>) -> Result<ActReport, ActError> {
        let mut tries = 1;
        loop {
            match self.try_act(request).await {
                Err(ActError::Store(error)) if error.transient() && tries < TRIES => {
                    pause_before_retry(tries).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    async fn try_act(&self, request: &ActRequest<'_>) -> Result<ActReport, ActError> {
        let mut tx = self.begin_write("record the act").await?;
        migrate::require_current(&mut tx).await?;
        lock_write_row(&mut tx).await?;
        // Read again under the lock: somebody may have migrated while this transaction waited.
        migrate::require_current(&mut tx).await?;
        let (actor, key) = (request.actor, request.idempotency);
        match earlier_answer(&mut tx, actor, key).await? {
            EarlierAnswer::Same(report) => {
                if request.act.erases {
                    drop(tx);
                    // A process that was killed may have answered nothing and cleaned nothing.
                    self.clean_after_erasure().await;
                }
                return Ok(kept_answer(request, report));
            }
            EarlierAnswer::OtherRequest => return Err(ActError::Refused(ActRefusal::KeyReused)),
            EarlierAnswer::New => {}
        }
        let act = match RecordedAct::perform(&mut tx, request).await {
            Err(ActError::Refused(ActRefusal::WrongState(found))) if request.act.erases => {
                drop(tx);
                // A repetition: the way to clean a database file that could not be cleaned before.
                self.clean_after_erasure().await;
                return Err(ActError::Refused(ActRefusal::WrongState(found)));
            }
            other => other?,
        };
        keep_answer(
            &mut tx,
            actor,
            key,
            &answer_to_keep(request, &act.report),
            act.at,
        )
        .await?;
        let mut report = self.commit_act(tx, act).await?;
        if request.act.erases {
            let unclean = self.clean_after_erasure().await;
            report.warnings.extend(unclean.map(|message| ActWarning {
                code: codes::USER_ERASED.name().to_owned(),
                message,
            }));
        }
        Ok(report)
    }

    /// Commits the transaction of an act.
    pub(super) async fn commit_act(
        &self,
        tx: SqlTransaction,
        act: RecordedAct,
    ) -> Result<ActReport, ActError> {
        self.commit_run(tx, act.report.run, &act.plan_id, act.at)
            .await?;
        Ok(act.report)
    }

    /// Commits a transaction that appended a run to the history.
    pub(super) async fn commit_run(
        &self,
        tx: SqlTransaction,
        run: i64,
        plan_id: &str,
        at: i64,
    ) -> Result<(), ApplyError> {
        if let Err(error) = tx.commit().await {
            // Doing it again blindly could be refused as `wrong-state` although it was done.
            if !self.has_run(run, plan_id, at).await? {
                return Err(error.into());
            }
        }
        self.checkpoint().await;
        Ok(())
    }
}

/// An act that a transaction has written and not yet committed.
pub(super) struct RecordedAct {
    report: ActReport,
    plan_id: String,
    /// When it was performed, in milliseconds since 1970.
    pub(super) at: i64,
}

impl RecordedAct {
    /// Checks and writes an act, with its entries in the history and the audit log. The caller
    /// holds the lock on the `write` row.
    pub(super) async fn perform(
        tx: &mut SqlTransaction,
        request: &ActRequest<'_>,
    ) -> Result<Self, ActError> {
        let mut found = read_states(tx, request).await?;
        if request.act.erases {
            erasure::add_departed(tx, request, &mut found).await?;
        }
        find_all(request, &found).map_err(ActError::Refused)?;
        if let Some(terms) = request.terms {
            check_version(tx, terms).await?;
        }
        check(request, &found).map_err(ActError::Refused)?;
        let at = sql_value::now();
        if let Some(new) = request.invitations {
            let bare = invitations::users_without_address(tx, new).await?;
            if !bare.is_empty() {
                return Err(ActError::Refused(ActRefusal::NoAddress(bare)));
            }
            invitations::replace(tx, new, at).await?;
        }
        if request.act.clears.contains(&"invited_at") {
            // With the identities, an open link to a new password has to go as well.
            invitations::void(tx, request.users(), at).await?;
        }
        if [ACCESS, BLOCKED.column].contains(&request.act.fact) {
            // A token must not come back to life when somebody takes the act back.
            customer_tokens::void_tokens(tx, request.users()).await?;
        }
        let before = act_warnings::working(tx, request).await?;
        let (deletion, erasure) = if request.act.erases {
            let (deletion, erasure) = erasure::erase(tx, request, at).await?;
            (deletion, Some(erasure))
        } else if request.act.is_final {
            (act_deletion::delete(tx, request).await?, None)
        } else {
            write_states(tx, request, &found, at).await?;
            (DeletionReport::default(), None)
        };
        let mut warnings = deletion.warnings.clone();
        warnings.extend(act_warnings::lost(tx, request, &before).await?);
        let plan_id = random_plan_id();
        let changes = act_changes(request, &found, &deletion, erasure.as_ref());
        let run = record_run(tx, request.actor, &changes, &plan_id, at).await?;
        record_entries(tx, request, erasure.as_ref()).await?;
        Ok(Self {
            report: ActReport {
                items: acted_resources(request, &found),
                run,
                deleted_jobs: deletion.jobs,
                warnings,
            },
            plan_id,
            at,
        })
    }
}

/// Records the act in the audit log.
async fn record_entries(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
    erasure: Option<&ErasureReport>,
) -> Result<(), StoreError> {
    for key in request.resources {
        let (subject, reason) = match erasure {
            Some(erasure) => (erasure.name.clone(), &*erasure.reason),
            None => (key.to_string(), request.reason),
        };
        let entry = act_params(request.actor, request.act.name, &subject, reason);
        tx.run(INSERT_ACT, &entry).await?;
    }
    Ok(())
}

/// The answer as it is kept for a repetition: the answer of an erasure does not keep the id.
fn answer_to_keep(request: &ActRequest<'_>, report: &ActReport) -> ActReport {
    let mut kept = report.clone();
    if request.act.erases {
        for item in &mut kept.items {
            item.external_id.clear();
        }
    }
    kept
}

/// The kept answer with the names that the repeated request has again.
fn kept_answer(request: &ActRequest<'_>, mut kept: ActReport) -> ActReport {
    // The digest says that it is the same request, so these are the same resources.
    for (item, key) in kept.items.iter_mut().zip(request.resources) {
        kinds::get(key.kind).name.clone_into(&mut item.kind);
        key.id.as_str().clone_into(&mut item.external_id);
    }
    kept
}

/// The states of the act's fact. Resources that are not stored are missing.
async fn read_states(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
) -> Result<ResourceStates, StoreError> {
    let mut states = ResourceStates::new();
    for kind in request.kinds() {
        read_states_of(tx, request, kinds::get(kind), &mut states).await?;
    }
    Ok(states)
}

async fn read_states_of(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
    kind: &Kind,
    states: &mut ResourceStates,
) -> Result<(), StoreError> {
    let (value, beside) = match request.terms {
        None => (format!("t.{}", request.act.fact), ""),
        Some(_) => (
            "a.version".to_owned(),
            " LEFT JOIN terms_acceptances AS a ON a.user_id = v.id AND a.terms_id = v.terms \
             AND a.version = v.version",
        ),
    };
    let sql = format!(
        "WITH v(id, terms, version) AS MATERIALIZED ({{rows}}) SELECT t.external_id, {value} \
         FROM v JOIN {} AS t ON t.external_id = v.id{beside}{}",
        kind.table,
        tx.dialect().for_update_t
    );
    let batch = BatchStatement {
        sql: &sql,
        types: &[SqlType::Id, SqlType::Id, SqlType::Text],
    };
    let keys = request.resources.iter().filter(|key| key.kind == kind.id);
    let rows = keys.map(|key| {
        let terms = request.terms;
        vec![
            SqlValue::text(&key.id),
            SqlValue::text_or_null(terms.map(|terms| &terms.terms)),
            SqlValue::text_or_null(terms.map(|terms| &terms.version)),
        ]
    });
    let found = tx
        .batch_fetch(&batch, rows, &[SqlType::Id, SqlType::Text])
        .await?;
    states.extend(found.into_iter().map(|mut cells| {
        let value = cells[1].take_optional_text();
        let state = request.act.state(value.as_deref());
        (Key::new(kind.id, cells[0].take_text()), state.to_owned())
    }));
    Ok(())
}

/// Fails unless every resource is stored.
fn find_all(request: &ActRequest<'_>, found: &ResourceStates) -> Result<(), ActRefusal> {
    let keys = request.resources.iter();
    let unknown: Vec<Key> = keys
        .filter(|key| !found.contains_key(*key))
        .cloned()
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(ActRefusal::NotFound(unknown))
    }
}

/// Fails unless the stored version of the Terms document is the one that is accepted.
async fn check_version(tx: &mut SqlTransaction, accepted: &TermsVersion) -> Result<(), ActError> {
    let refused = match terms_acceptances::stored_version(tx, &accepted.terms).await? {
        Some(version) if version == accepted.version => return Ok(()),
        Some(version) => ActRefusal::TermsOutdated(TermsVersion {
            version,
            ..accepted.clone()
        }),
        None => ActRefusal::UnknownTerms(accepted.terms.clone()),
    };
    Err(ActError::Refused(refused))
}

/// Fails unless every resource is in a state in which the act is possible.
fn check(request: &ActRequest<'_>, found: &ResourceStates) -> Result<(), ActRefusal> {
    let wrong = found
        .iter()
        .filter(|(_, state)| !request.act.from.contains(&state.as_str()));
    let wrong: Vec<RefusedResource> = wrong
        .map(|(key, state)| RefusedResource {
            key: key.clone(),
            state: state.clone(),
        })
        .collect();
    if !wrong.is_empty() {
        return Err(ActRefusal::WrongState(wrong));
    }
    let first = request.resources.iter().next();
    let confirmed =
        request.resources.len() == 1 && first.map(|key| key.id.as_str()) == request.confirm;
    if request.act.is_final && !confirmed {
        return Err(ActRefusal::Unconfirmed);
    }
    Ok(())
}

fn acted_resources(request: &ActRequest<'_>, found: &ResourceStates) -> Vec<ActedResource> {
    let items = found.iter().map(|(key, before)| ActedResource {
        kind: kinds::get(key.kind).name.to_owned(),
        external_id: key.id.to_string(),
        before: before.clone(),
        after: request.act.state_after(before).to_owned(),
        invitation: request.invitations.and_then(|new| new.id_of(&key.id)),
    });
    items.collect()
}

async fn write_states(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
    found: &ResourceStates,
    now: i64,
) -> Result<(), StoreError> {
    if let Some(terms) = request.terms {
        return terms_acceptances::record(tx, terms, request.users(), now).await;
    }
    for kind in request.kinds() {
        write_facts(tx, request, kinds::get(kind), found, now).await?;
    }
    Ok(())
}

async fn write_facts(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
    kind: &Kind,
    found: &ResourceStates,
    at: i64,
) -> Result<(), StoreError> {
    let (act, table, dialect) = (request.act, kind.table, tx.dialect());
    let mut columns = vec![format!("{} = v.value", act.fact)];
    columns.extend(act.clears.iter().map(|column| format!("{column} = NULL")));
    columns.extend(
        act.stamps
            .iter()
            .map(|column| format!("{column} = v.stamp")),
    );
    columns.push(format!("updated_at = {}", dialect.now));
    let sql = format!(
        "WITH v(id, value, stamp) AS MATERIALIZED ({{rows}}) UPDATE {table} SET {} \
         FROM v WHERE {table}.external_id = v.id",
        columns.join(", ")
    );
    let batch = BatchStatement {
        sql: &sql,
        types: &[SqlType::Id, SqlType::Text, SqlType::Text],
    };
    let stamp = sql_value::iso(at);
    let found = found.iter().filter(|(key, _)| key.kind == kind.id);
    let rows = found.map(|(key, before)| {
        let value = act.value_after(before, request.reason);
        vec![
            SqlValue::text(&key.id),
            SqlValue::text_or_null(value),
            SqlValue::text(&stamp),
        ]
    });
    // Under the guard the triggers take the write for Roster's own, and the version stays.
    tx.script(dialect.guard_on).await?;
    tx.batch(&batch, rows).await?;
    tx.script(dialect.guard_off).await
}

/// In place of the id of a plan: tells this act from any other when its commit got no answer.
pub(super) fn random_plan_id() -> String {
    format!("act-{:016x}", rand::rng().next_u64())
}

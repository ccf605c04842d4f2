//! Acts of people on stored resources, as the table of acts (`kinds::act`) describes them: all ids
//! or none, in one transaction with the entries in the history and the audit log. In goes an
//! [`ActRequest`]; out comes an [`ActReport`], or an [`ActRefusal`] after which nothing was written.
//!
//! An act leaves the version of a row alone, because a runtime fact is no part of what sources
//! declare. Start at `Store::act`.

use super::apply::{TRIES, pause_before_retry};
use super::connection::{BatchStatement, SqlRow, SqlTransaction};
use super::daemon_state::{INSERT_ACT, act_params};
use super::error::{ApplyError, StoreError};
use super::hash_chain::{ChainedChange, HashChain, RunHeader, id_digest, personal_digest};
use super::history_writer::{CHANGES, HistoryTip, VALUES, append_run, lock_write_row};
use super::sql_value::{self, SqlType, SqlValue};
use super::terms_acceptances::{self, TermsVersion};
use super::{Store, migrate};
use crate::kinds::Kind;
use crate::kinds::act::ResourceAct;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What the column `reason` of a change by an act holds. What the person said may be personal, so
/// it stands with the values that can be erased.
pub(super) const ACT_REASON: &str = "act";

/// How long the answer of an act can be had again, in milliseconds.
const KEPT: i64 = 7 * 24 * 3_600_000;

/// An act to perform.
#[derive(Clone, Copy, Debug)]
pub struct ActRequest<'a> {
    pub act: &'static ResourceAct,
    /// The kind of the resources; the act must be for it.
    pub kind: &'static Kind,
    pub ids: &'a BTreeSet<String>,
    pub actor: &'a str,
    pub reason: &'a str,
    /// What is accepted, for the acts that record an acceptance.
    pub terms: Option<&'a TermsVersion>,
    pub idempotency: Option<&'a IdempotentRequest>,
}

/// The idempotency key of a request, and the digest that tells it from another request.
#[derive(Clone, Debug)]
pub struct IdempotentRequest {
    pub key: String,
    pub digest: [u8; 32],
}

/// What an act did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ActReport {
    /// The resources, by external id.
    pub items: Vec<ActedResource>,
    /// The run that recorded it.
    pub run: i64,
}

/// A resource before and after an act.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ActedResource {
    pub external_id: String,
    /// The state of the act's fact before the act.
    pub before: String,
    /// The state of the act's fact after the act.
    pub after: String,
}

/// Why an act was refused. Nothing was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ActRefusal {
    /// These ids are not stored.
    NotFound(Vec<String>),
    /// These resources are in a state in which the act is not possible.
    WrongState(Vec<RefusedResource>),
    /// This Terms document is not stored.
    UnknownTerms(String),
    /// The stored version of the Terms document is another one.
    TermsOutdated(TermsVersion),
    /// The key was used for another request.
    KeyReused,
}

/// A resource for which an act is not possible.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedResource {
    pub external_id: String,
    pub state: String,
}

/// Why an act was not performed.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    #[error("the act was refused")]
    Refused(ActRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The connection broke during the commit, and the run could not be looked up.
    #[error(transparent)]
    Unknown(#[from] ApplyError),
}

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
        if let Some(report) = earlier_report(&mut tx, request).await? {
            return Ok(report);
        }
        let found = read_states(&mut tx, request).await?;
        find_all(request, &found).map_err(ActError::Refused)?;
        if let Some(terms) = request.terms {
            check_version(&mut tx, terms).await?;
        }
        check(request, &found).map_err(ActError::Refused)?;
        let now = sql_value::now();
        write_states(&mut tx, request, &found, now).await?;
        let plan_id = random_plan_id();
        let (run, items) = record_run(&mut tx, request, &found, &plan_id, now).await?;
        let report = ActReport { items, run };
        for id in request.ids {
            let subject = format!("{}/{id}", request.kind.name);
            let entry = act_params(request.actor, request.act.name, &subject, request.reason);
            tx.run(INSERT_ACT, &entry).await?;
        }
        remember(&mut tx, request, &report, now).await?;
        if let Err(error) = tx.commit().await {
            // Doing it again blindly could be refused as `wrong-state` although it was done.
            if !self.has_run(run, &plan_id, now).await? {
                return Err(error.into());
            }
        }
        self.checkpoint().await;
        Ok(report)
    }
}

/// The answer of an earlier request with the same key.
async fn earlier_report(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
) -> Result<Option<ActReport>, ActError> {
    let Some(idempotency) = request.idempotency else {
        return Ok(None);
    };
    let sql = "SELECT digest, answer FROM act_keys WHERE actor = ? AND idem = ?";
    let params = [request.actor.into(), idempotency.key.as_str().into()];
    let types = [SqlType::Bytes, SqlType::Text];
    let Some(mut cells) = tx.first(sql, &params, &types).await? else {
        return Ok(None);
    };
    if cells[0].take_bytes() != idempotency.digest {
        return Err(ActError::Refused(ActRefusal::KeyReused));
    }
    let answer = cells[1].take_text();
    let report = serde_json::from_str(&answer);
    let report = report.map_err(|_| tx.corrupt("an answer in `act_keys` cannot be read"))?;
    Ok(Some(report))
}

/// The states of the act's fact, by external id. Ids that are not stored are missing.
async fn read_states(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
) -> Result<BTreeMap<String, String>, StoreError> {
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
        request.kind.table,
        tx.dialect().for_update_t
    );
    let batch = BatchStatement {
        sql: &sql,
        types: &[SqlType::Id, SqlType::Id, SqlType::Text],
    };
    let rows = request.ids.iter().map(|id| {
        let terms = request.terms;
        vec![
            SqlValue::text(id),
            SqlValue::text_or_null(terms.map(|terms| &terms.terms)),
            SqlValue::text_or_null(terms.map(|terms| &terms.version)),
        ]
    });
    let found = tx
        .batch_fetch(&batch, rows, &[SqlType::Id, SqlType::Text])
        .await?;
    let states = found.into_iter().map(|mut cells| {
        let value = cells[1].take_optional_text();
        let state = request.act.state(value.as_deref());
        (cells[0].take_text().into(), state.to_owned())
    });
    Ok(states.collect())
}

/// Fails unless every id is stored.
fn find_all(request: &ActRequest<'_>, found: &BTreeMap<String, String>) -> Result<(), ActRefusal> {
    let unknown = request.ids.iter().filter(|id| !found.contains_key(*id));
    let unknown: Vec<String> = unknown.cloned().collect();
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
fn check(request: &ActRequest<'_>, found: &BTreeMap<String, String>) -> Result<(), ActRefusal> {
    let wrong = found
        .iter()
        .filter(|(_, state)| !request.act.from.contains(&state.as_str()));
    let wrong: Vec<RefusedResource> = wrong
        .map(|(id, state)| RefusedResource {
            external_id: id.clone(),
            state: state.clone(),
        })
        .collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(ActRefusal::WrongState(wrong))
    }
}

async fn write_states(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
    found: &BTreeMap<String, String>,
    now: i64,
) -> Result<(), StoreError> {
    match request.terms {
        None => write_facts(tx, request, found).await,
        Some(terms) => {
            let users = found.keys().map(String::as_str);
            terms_acceptances::record(tx, terms, users, now).await
        }
    }
}

async fn write_facts(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
    found: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    let (act, table, dialect) = (request.act, request.kind.table, tx.dialect());
    let mut columns = vec![format!("{} = v.value", act.fact)];
    columns.extend(act.clears.iter().map(|column| format!("{column} = NULL")));
    columns.push(format!("updated_at = {}", dialect.now));
    let sql = format!(
        "WITH v(id, value) AS MATERIALIZED ({{rows}}) UPDATE {table} SET {} \
         FROM v WHERE {table}.external_id = v.id",
        columns.join(", ")
    );
    let batch = BatchStatement {
        sql: &sql,
        types: &[SqlType::Id, SqlType::Text],
    };
    let value = act.value_after(request.reason);
    let rows = found
        .keys()
        .map(|id| vec![SqlValue::text(id), SqlValue::text_or_null(value)]);
    // Under the guard the triggers take the write for Roster's own, and the version stays.
    tx.script(dialect.guard_on).await?;
    tx.batch(&batch, rows).await?;
    tx.script(dialect.guard_off).await
}

/// Appends the act to the history.
async fn record_run(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
    found: &BTreeMap<String, String>,
    plan_id: &str,
    now: i64,
) -> Result<(i64, Vec<ActedResource>), StoreError> {
    let tip = HistoryTip::read(tx).await?;
    let counts = BTreeMap::from([(request.act.name, found.len())]);
    let header = RunHeader {
        id: tip.run,
        // No source: a person did it, and the name of a source cannot be empty.
        source: String::new(),
        revision: String::new(),
        plan_id: plan_id.to_owned(),
        actor: request.actor.to_owned(),
        started_at: now,
        finished_at: sql_value::now(),
        counts: serde_json::json!(counts).to_string(),
        outcome: "applied".to_owned(),
    };
    let mut chain = HashChain::start(&tip.head, &header);
    let (mut changes, mut values, mut items) = (Vec::new(), Vec::new(), Vec::new());
    let mut seq = tip.seq;
    for (id, before) in found {
        seq += 1;
        let change = ActChange::new(request, seq, id, before);
        chain.add(&change.chained(request));
        changes.push(change.row(request, tip.run));
        values.push(change.values());
        items.push(ActedResource {
            external_id: id.clone(),
            before: before.clone(),
            after: request.act.to.to_owned(),
        });
    }
    tx.insert("changes", &CHANGES, changes).await?;
    tx.insert("change_values", &VALUES, values).await?;
    append_run(tx, &header, &tip, seq, &chain.head()).await?;
    Ok((tip.run, items))
}

/// The fact with its states before and after, as the history stores it.
fn changed_fact(request: &ActRequest<'_>, before: &str) -> serde_json::Value {
    let fact = request.act.fact;
    match request.terms {
        None => serde_json::json!({fact: [before, request.act.to]}),
        // What was accepted has to be known also when the document has changed.
        Some(TermsVersion { terms, version }) => {
            serde_json::json!({fact: [null, format!("{terms} sha256:{version}")]})
        }
    }
}

/// One resource of an act, on its way into the history.
struct ActChange<'a> {
    seq: i64,
    id: &'a str,
    /// JSON: the fact with its states before and after.
    fields: String,
    salt: [u8; 16],
    /// JSON: what the person said.
    personal: String,
    personal_digest: [u8; 16],
    id_digest: Option<[u8; 16]>,
}

impl<'a> ActChange<'a> {
    fn new(request: &ActRequest<'_>, seq: i64, id: &'a str, before: &str) -> Self {
        let mut salt = [0; 16];
        rand::rng().fill_bytes(&mut salt);
        let personal = serde_json::json!({"reason": request.reason}).to_string();
        Self {
            seq,
            id,
            fields: changed_fact(request, before).to_string(),
            personal_digest: personal_digest(&salt, &personal),
            id_digest: request.kind.personal_id.then(|| id_digest(&salt, id)),
            salt,
            personal,
        }
    }

    fn chained(&self, request: &ActRequest<'_>) -> ChainedChange<'_> {
        ChainedChange {
            seq: self.seq,
            kind: request.kind.name,
            id: self.id,
            id_digest: self.id_digest.as_ref().map(|digest| &digest[..]),
            verb: request.act.name,
            reason: ACT_REASON,
            fields: &self.fields,
            personal_digest: Some(&self.personal_digest),
            path: None,
            line: 0,
            column: 0,
        }
    }

    /// The row of `changes`, in the order of its columns.
    fn row(&self, request: &ActRequest<'_>, run: i64) -> SqlRow {
        let bytes = |digest: &[u8; 16]| SqlValue::Bytes(digest.to_vec());
        vec![
            self.seq.into(),
            run.into(),
            request.kind.name.into(),
            SqlValue::text(self.id),
            self.id_digest.as_ref().map_or(SqlValue::Null, bytes),
            request.act.name.into(),
            ACT_REASON.into(),
            SqlValue::text(&self.fields),
            bytes(&self.personal_digest),
            SqlValue::Null,
            0.into(),
            0.into(),
        ]
    }

    fn values(&self) -> SqlRow {
        vec![
            self.seq.into(),
            SqlValue::Bytes(self.salt.to_vec()),
            SqlValue::text(&self.personal),
        ]
    }
}

/// Keeps the answer for a repetition of the request, and drops the ones that are too old.
async fn remember(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
    report: &ActReport,
    now: i64,
) -> Result<(), StoreError> {
    let Some(idempotency) = request.idempotency else {
        return Ok(());
    };
    let sql = "DELETE FROM act_keys WHERE at < ?";
    tx.run(sql, &[(now - KEPT).into()]).await?;
    let sql = "INSERT INTO act_keys (actor, idem, digest, answer, at) VALUES (?, ?, ?, ?, ?)";
    let params = [
        request.actor.into(),
        idempotency.key.as_str().into(),
        SqlValue::Bytes(idempotency.digest.to_vec()),
        SqlValue::text(serde_json::json!(report).to_string()),
        now.into(),
    ];
    tx.run(sql, &params).await?;
    Ok(())
}

/// In place of the id of a plan: tells this act from any other when its commit got no answer.
fn random_plan_id() -> String {
    format!("act-{:016x}", rand::rng().next_u64())
}

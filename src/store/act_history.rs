//! Appends acts to the hash-chained history. What the person said may be personal, so it stands with
//! the values that can be erased, as do the ids of people in the lists of others.

use super::act_deletion::DeletionReport;
use super::act_request::{ActRequest, ResourceStates};
use super::connection::{SqlRow, SqlTransaction};
use super::erasure_report::ErasureReport;
use super::error::StoreError;
use super::hash_chain::{ChainedChange, HashChain, RunHeader, id_digest, personal_digest};
use super::history_writer::{CHANGES, HistoryTip, VALUES, append_run, outcome_of};
use super::sql_value::{self, SqlValue};
use super::terms_acceptances::TermsVersion;
use super::whole_words::ERASED_WORD;
use crate::kinds::{self, Kind};
use rand::RngCore;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// What the column `reason` of a change by an act holds.
pub(super) const ACT_REASON: &str = "act";
/// Where a customer is named who made a change. The actor of a run cannot be erased, and the id of a
/// person may be personal, so it stands with the personal values.
pub(super) const CUSTOMER_ACTOR: &str = "actor";

/// One resource that an act changes, on its way into the history.
pub(super) struct ActChange {
    kind: &'static Kind,
    /// `None` if it was erased.
    id: Option<String>,
    verb: &'static str,
    /// JSON: the fact with its states before and after.
    fields: String,
    salt: [u8; 16],
    /// JSON: what the person said, and what else is personal.
    personal: String,
    personal_digest: [u8; 16],
    id_digest: Option<[u8; 16]>,
}

/// The changes of an act: its resources, and the others whose lists they were in.
pub(super) fn act_changes(
    request: &ActRequest<'_>,
    found: &ResourceStates,
    deletion: &DeletionReport,
    erasure: Option<&ErasureReport>,
) -> Vec<ActChange> {
    let reason = erasure.map_or(request.reason, |erasure| &erasure.reason);
    let own = found.iter().map(|(key, before)| {
        let (kind, fact) = (kinds::get(key.kind), changed_fact(request, before));
        let (mut fields, personal) = if kind.personal_id {
            (Map::new(), fact)
        } else {
            (fact, Map::new())
        };
        if let Some(erasure) = erasure {
            fields.extend(erasure.changed_chain());
        }
        let (verb, fields) = (request.act.name, Json::Object(fields));
        let change = ActChange::new(reason, kind, &key.id, verb, &fields, personal);
        match erasure {
            Some(_) => change.without_id(),
            None => change,
        }
    });
    let owners = deletion.owners.iter().map(|owner| {
        let mut personal = Map::new();
        let member = match erasure {
            Some(_) => ERASED_WORD,
            None => &owner.member,
        };
        personal.insert(owner.field.to_owned(), json!([[member], []]));
        let (kind, id) = (kinds::get(owner.key.kind), owner.key.id.as_str());
        ActChange::new(reason, kind, id, "update", &json!({}), personal)
    });
    own.chain(owners).collect()
}

/// The fact with its states before and after, as the history stores it.
fn changed_fact(request: &ActRequest<'_>, before: &str) -> Map<String, Json> {
    let (fact, after) = (request.act.fact, request.act.state_after(before));
    let values = match request.terms {
        None if before == after => return Map::new(),
        None => json!([before, after]),
        // What was accepted has to be known also when the document has changed.
        Some(TermsVersion { terms, version }) => {
            json!([null, format!("{terms} sha256:{version}")])
        }
    };
    Map::from_iter([(fact.to_owned(), values)])
}

/// Appends a run with these changes; returns its number.
pub(super) async fn record_run(
    tx: &mut SqlTransaction,
    actor: &str,
    all: &[ActChange],
    plan_id: &str,
    now: i64,
) -> Result<i64, StoreError> {
    let tip = HistoryTip::read(tx).await?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for change in all {
        *counts.entry(change.verb).or_default() += 1;
    }
    let header = RunHeader {
        id: tip.run,
        // No source: a person did it, and the name of a source cannot be empty.
        source: String::new(),
        revision: String::new(),
        plan_id: plan_id.to_owned(),
        actor: actor.to_owned(),
        started_at: now,
        finished_at: sql_value::now(),
        counts: json!(counts).to_string(),
        outcome: outcome_of(None),
    };
    let mut chain = HashChain::start(&tip.head, &header);
    let (mut changes, mut values) = (Vec::new(), Vec::new());
    let mut seq = tip.seq;
    for change in all {
        seq += 1;
        chain.add(&change.chained(seq));
        changes.push(change.row(seq, tip.run));
        values.push(change.values(seq));
    }
    tx.insert("changes", &CHANGES, changes).await?;
    tx.insert("change_values", &VALUES, values).await?;
    append_run(tx, &header, &tip, seq, &chain.head()).await?;
    Ok(tip.run)
}

impl ActChange {
    pub(super) fn new(
        reason: &str,
        kind: &'static Kind,
        id: &str,
        verb: &'static str,
        fields: &Json,
        mut personal: Map<String, Json>,
    ) -> Self {
        let mut salt = [0; 16];
        rand::rng().fill_bytes(&mut salt);
        personal.insert("reason".to_owned(), reason.into());
        let personal = Json::Object(personal).to_string();
        Self {
            kind,
            id: Some(id.to_owned()),
            verb,
            fields: fields.to_string(),
            personal_digest: personal_digest(&salt, &personal),
            id_digest: kind.personal_id.then(|| id_digest(&salt, id)),
            salt,
            personal,
        }
    }

    /// The same change without the id, and without a digest from which the id could be guessed.
    fn without_id(self) -> Self {
        Self {
            id: None,
            id_digest: None,
            ..self
        }
    }

    fn chained(&self, seq: i64) -> ChainedChange<'_> {
        ChainedChange {
            seq,
            kind: self.kind.name,
            id: self.id.as_deref().unwrap_or_default(),
            id_digest: self.id_digest.as_ref().map(|digest| &digest[..]),
            verb: self.verb,
            reason: ACT_REASON,
            fields: &self.fields,
            personal_digest: Some(&self.personal_digest),
            path: None,
            line: 0,
            column: 0,
        }
    }

    /// The row of `changes`, in the order of its columns.
    fn row(&self, seq: i64, run: i64) -> SqlRow {
        let bytes = |digest: &[u8; 16]| SqlValue::Bytes(digest.to_vec());
        vec![
            seq.into(),
            run.into(),
            self.kind.name.into(),
            SqlValue::text_or_null(self.id.as_deref()),
            self.id_digest.as_ref().map_or(SqlValue::Null, bytes),
            self.verb.into(),
            ACT_REASON.into(),
            SqlValue::text(&self.fields),
            bytes(&self.personal_digest),
            SqlValue::Null,
            0.into(),
            0.into(),
        ]
    }

    fn values(&self, seq: i64) -> SqlRow {
        vec![
            seq.into(),
            SqlValue::Bytes(self.salt.to_vec()),
            SqlValue::text(&self.personal),
        ]
    }
}

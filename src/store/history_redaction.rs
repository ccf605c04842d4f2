//! Takes one person out of the history. The values of the person's own changes are deleted, which
//! the chain allows. Where other parts name the person, such as the lists of other resources, the
//! path of a file or the name of an operator, the text is replaced and the chain is computed anew
//! from that run on. The erasure records the head before and after, so that whoever kept the old
//! head can tell a reseal from a forgery. A chain that was broken before stays broken.
//!
//! Start at [`redact_history`].

use super::act_history::CUSTOMER_ACTOR;
use super::connection::{SqlRow, SqlTransaction};
use super::erasure_report::HistoryReseal;
use super::error::StoreError;
use super::hash_chain::{HashChain, id_digest, personal_digest};
use super::history::{self, HistoryVerification, fetch_changes_after};
use super::history_verification::{HistoryWalk, verify_chain};
use super::person_words::PersonWords;
use super::sql_value::{SqlType, SqlValue};
use super::whole_words::ERASED_WORD;
use crate::kinds::{self, Kind, USER};
use rand::RngCore;
use serde_json::{Map, Value as Json};

/// How many changes are read at a time.
const PART: i64 = 5000;

/// Takes a person out of the history.
pub(super) async fn redact_history(
    tx: &mut SqlTransaction,
    words: &PersonWords,
) -> Result<HistoryReseal, StoreError> {
    let mut redactions = Vec::new();
    let mut seq = 0;
    loop {
        let part = fetch_changes_after(tx, seq, PART).await?;
        let Some(last) = part.last() else { break };
        seq = last[0].int();
        redactions.extend(part.iter().filter_map(|cells| redacted(words, cells)));
    }
    let actors = named_actors(tx, words).await?;
    let changed = redactions.iter().filter(|it| it.is_chained);
    let from = changed
        .map(|it| it.run)
        .chain(actors.iter().map(|(run, _)| *run));
    let from = from.min();
    // Before anything is written: a chain that somebody forged must not be made whole.
    let broken = match from {
        Some(_) => match verify_chain(tx).await? {
            HistoryVerification::Broken { run, what } => Some((run, what)),
            HistoryVerification::Sound { .. } => None,
        },
        None => None,
    };
    forget_own(tx, words).await?;
    for redaction in redactions {
        redaction.write(tx).await?;
    }
    for (run, actor) in actors {
        let sql = "UPDATE runs SET actor = ? WHERE id = ?";
        tx.run(sql, &[SqlValue::Text(actor.as_str().into()), run.into()])
            .await?;
    }
    match from {
        Some(from) if broken.is_none() => reseal(tx, from).await,
        _ => Ok(HistoryReseal {
            broken,
            ..HistoryReseal::default()
        }),
    }
}

/// The runs whose operator is named by a word of the person. A bare id is no proof: operators and
/// users are named independently.
async fn named_actors(
    tx: &mut SqlTransaction,
    words: &PersonWords,
) -> Result<Vec<(i64, String)>, StoreError> {
    let sql = "SELECT DISTINCT actor FROM runs";
    let mut named = Vec::new();
    for mut cells in tx.fetch(sql, &[], &[SqlType::Text]).await? {
        let actor = cells[0].take_text();
        if actor.as_str() == words.id {
            continue;
        }
        let Some(left) = words.redacted_value(&actor) else {
            continue;
        };
        let sql = "SELECT id FROM runs WHERE actor = ?";
        let runs = tx
            .fetch(sql, &[SqlValue::Text(actor)], &[SqlType::Int])
            .await?;
        named.extend(runs.iter().map(|cells| (cells[0].int(), left.clone())));
    }
    Ok(named)
}

/// Deletes the values and the id of the person's own changes.
async fn forget_own(tx: &mut SqlTransaction, words: &PersonWords) -> Result<(), StoreError> {
    let own = [kinds::get(USER).name.into(), words.id.as_str().into()];
    let sql = "DELETE FROM change_values WHERE seq IN \
               (SELECT seq FROM changes WHERE kind = ? AND external_id = ?)";
    tx.run(sql, &own).await?;
    let sql = "UPDATE changes SET external_id = NULL WHERE kind = ? AND external_id = ?";
    tx.run(sql, &own).await?;
    Ok(())
}

/// A change of which a part is replaced.
#[derive(Default)]
struct ChangeRedaction {
    seq: i64,
    run: i64,
    /// Whether the part is one that the chain covers.
    is_chained: bool,
    fields: Option<String>,
    /// The personal values. They get a new salt: with the old one, what was replaced could be guessed.
    values: Option<String>,
    /// The external id, if the digest of it has to follow the salt.
    salted_id: Option<String>,
    drops_path: bool,
}

/// What has to be replaced in a change; `None` if it does not name the person, or only in values
/// that are deleted.
fn redacted(words: &PersonWords, cells: &SqlRow) -> Option<ChangeRedaction> {
    let text = |at: usize| cells[at].as_text();
    let kind = kinds::by_name(text(2)?)?;
    let is_own = kind.id == USER && text(3) == Some(&words.id);
    let mut redaction = ChangeRedaction {
        seq: cells[0].int(),
        run: cells[1].int(),
        drops_path: is_own && text(9).is_some_and(|path| words.are_in_path(path)),
        ..ChangeRedaction::default()
    };
    if let Some(fields) = text(7) {
        redaction.fields = if is_own {
            // An earlier version of Roster had values of people in the chain.
            (fields != "{}").then(|| "{}".to_owned())
        } else {
            redacted_fields(words, kind, fields)
        };
    }
    if !is_own && let Some(values) = text(13) {
        redaction.values = redacted_fields(words, kind, values);
        let has_digest = !matches!(cells[4], SqlValue::Null);
        redaction.salted_id = text(3).filter(|_| has_digest).map(str::to_owned);
    }
    redaction.is_chained =
        redaction.fields.is_some() || redaction.values.is_some() || redaction.drops_path;
    redaction.is_chained.then_some(redaction)
}

/// The changed fields of a resource without the person.
fn redacted_fields(words: &PersonWords, kind: &Kind, fields: &str) -> Option<String> {
    if !words.may_be_in(fields.as_bytes()) {
        return None;
    }
    let mut all: Map<String, Json> = serde_json::from_str(fields).ok()?;
    let mut changed = false;
    for (name, values) in &mut all {
        // What a person said who acted.
        if let Json::String(reason) = values
            && name == "reason"
        {
            if let Some(left) = words.redacted_text(reason) {
                *reason = left;
                changed = true;
            }
            continue;
        }
        let field = kind.index(name).map(|index| &kind.fields[index]);
        let names_users = field.is_some_and(|field| field.ty.target() == Some(USER));
        changed |= replace_words(words, values, names_users || name == CUSTOMER_ACTOR);
    }
    changed.then(|| Json::Object(all).to_string())
}

/// Replaces the words that name the person; a bare id only in fields that hold ids of users.
fn replace_words(words: &PersonWords, value: &mut Json, holds_users: bool) -> bool {
    match value {
        Json::String(text) if *text == words.id => {
            if holds_users {
                ERASED_WORD.clone_into(text);
            }
            holds_users
        }
        Json::String(text) => words.redacted_value(text).is_some_and(|left| {
            *text = left;
            true
        }),
        Json::Array(members) => {
            let changed = members.iter_mut();
            let changed = changed.map(|member| replace_words(words, member, holds_users));
            changed.fold(false, |any, it| any | it)
        }
        Json::Object(members) => {
            let changed = members.values_mut();
            let changed = changed.map(|member| replace_words(words, member, holds_users));
            changed.fold(false, |any, it| any | it)
        }
        _ => false,
    }
}

impl ChangeRedaction {
    async fn write(self, tx: &mut SqlTransaction) -> Result<(), StoreError> {
        let seq = SqlValue::Int(self.seq);
        if self.drops_path {
            let sql = "UPDATE changes SET path = NULL WHERE seq = ?";
            tx.run(sql, std::slice::from_ref(&seq)).await?;
        }
        if let Some(fields) = self.fields {
            let sql = "UPDATE changes SET fields = ? WHERE seq = ?";
            tx.run(sql, &[SqlValue::text(fields), seq.clone()]).await?;
        }
        if let Some(values) = self.values {
            let mut salt = [0; 16];
            rand::rng().fill_bytes(&mut salt);
            let digest = personal_digest(&salt, &values).to_vec();
            let sql = "UPDATE changes SET personal_digest = ? WHERE seq = ?";
            tx.run(sql, &[SqlValue::Bytes(digest), seq.clone()]).await?;
            if let Some(id) = self.salted_id {
                let digest = id_digest(&salt, &id).to_vec();
                let sql = "UPDATE changes SET id_digest = ? WHERE seq = ?";
                tx.run(sql, &[SqlValue::Bytes(digest), seq.clone()]).await?;
            }
            let sql = "UPDATE change_values SET salt = ?, fields = ? WHERE seq = ?";
            let params = [SqlValue::Bytes(salt.to_vec()), SqlValue::text(values), seq];
            tx.run(sql, &params).await?;
        }
        Ok(())
    }
}

/// Computes the heads of a run and of all later ones anew.
async fn reseal(tx: &mut SqlTransaction, from: i64) -> Result<HistoryReseal, StoreError> {
    let sql = "SELECT coalesce(max(seq), 0) FROM changes WHERE run < ?";
    let before = tx.first(sql, &[from.into()], &[SqlType::Int]).await?;
    let mut walk = HistoryWalk::after(before.map_or(0, |cells| cells[0].int()));
    let sql = format!("{} WHERE id >= ? ORDER BY id", history::RUNS);
    let runs = tx.fetch(&sql, &[from.into()], &history::RUN_TYPES).await?;
    let mut head: Option<Vec<u8>> = None;
    let mut old = Vec::new();
    for mut cells in runs {
        // The run before the first one is as it was.
        let before = head.unwrap_or_else(|| cells[9].take_bytes());
        old = cells[10].take_bytes();
        let header = history::header(&cells);
        let mut chain = HashChain::start(&before, &header);
        if let Some(what) = walk.chain_run(tx, header.id, &mut chain).await? {
            return Err(tx.corrupt(what));
        }
        let new = chain.head().to_vec();
        let sql = "UPDATE runs SET head_before = ?, head = ? WHERE id = ?";
        let params = [
            SqlValue::Bytes(before),
            SqlValue::Bytes(new.clone()),
            header.id.into(),
        ];
        tx.run(sql, &params).await?;
        head = Some(new);
    }
    let new = head.unwrap_or_default();
    let sql = "UPDATE write SET head = ? WHERE id = 1";
    tx.run(sql, &[SqlValue::Bytes(new.clone())]).await?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(HistoryReseal {
        from: Some(from),
        heads: [hex(&old), hex(&new)],
        broken: None,
    })
}

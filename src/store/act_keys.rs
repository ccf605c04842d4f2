//! The answers of requests that came with an idempotency key: a request that is sent again gets its
//! first answer, on every replica and after a restart. Keys belong to whoever sent them.

use super::act_request::IdempotentRequest;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::{SqlType, SqlValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long an answer is kept, in milliseconds.
const KEPT: i64 = 7 * 24 * 3_600_000;

/// What is known of a key.
pub(super) enum EarlierAnswer<A> {
    /// The request has no key, or a new one.
    New,
    /// The same request was answered before.
    Same(A),
    /// The key was used for another request.
    OtherRequest,
}

/// Returns the answer of an earlier request with the same key.
pub(super) async fn earlier_answer<A: DeserializeOwned>(
    tx: &mut SqlTransaction,
    actor: &str,
    idempotency: Option<&IdempotentRequest>,
) -> Result<EarlierAnswer<A>, StoreError> {
    let Some(idempotency) = idempotency else {
        return Ok(EarlierAnswer::New);
    };
    let sql = "SELECT digest, answer FROM act_keys WHERE actor = ? AND idem = ?";
    let params = [actor.into(), idempotency.key.as_str().into()];
    let types = [SqlType::Bytes, SqlType::Text];
    let Some(mut cells) = tx.first(sql, &params, &types).await? else {
        return Ok(EarlierAnswer::New);
    };
    if cells[0].take_bytes() != idempotency.digest {
        return Ok(EarlierAnswer::OtherRequest);
    }
    let answer = serde_json::from_str(&cells[1].take_text());
    let answer = answer.map_err(|_| tx.corrupt("an answer in `act_keys` cannot be read"))?;
    Ok(EarlierAnswer::Same(answer))
}

/// Keeps the answer for a repetition of the request, and drops the ones that are too old.
pub(super) async fn keep_answer(
    tx: &mut SqlTransaction,
    actor: &str,
    idempotency: Option<&IdempotentRequest>,
    answer: &impl Serialize,
    now: i64,
) -> Result<(), StoreError> {
    let Some(idempotency) = idempotency else {
        return Ok(());
    };
    let sql = "DELETE FROM act_keys WHERE at < ?";
    tx.run(sql, &[(now - KEPT).into()]).await?;
    let sql = "INSERT INTO act_keys (actor, idem, digest, answer, at) VALUES (?, ?, ?, ?, ?)";
    let params = [
        actor.into(),
        idempotency.key.as_str().into(),
        SqlValue::Bytes(idempotency.digest.to_vec()),
        SqlValue::text(serde_json::json!(answer).to_string()),
        now.into(),
    ];
    tx.run(sql, &params).await?;
    Ok(())
}

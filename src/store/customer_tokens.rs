//! The tokens of customers. The database holds the hash of a token, and a stamp of the password for
//! which it was given: a token of an earlier password is void, whoever set the new one. Whether its
//! user may log in is asked each time. `self_service` says what a token is good for.

use super::connection::{BatchStatement, SqlRow, SqlTransaction};
use super::error::StoreError;
use super::invitations::TokenDigest;
use super::sql_value::{self, SqlType, SqlValue};
use super::{Store, migrate};
use sha2::{Digest, Sha256};

/// How long a token works, in milliseconds.
const TTL: i64 = 12 * 3_600_000;

/// A user who may log in, with the hash that the password has to fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoginCandidate {
    pub user: String,
    pub password_hash: String,
}

impl Store {
    /// Stores a token for a user whose password fits this hash. Returns whether the user still may
    /// log in and still has this password.
    pub async fn open_customer_session(
        &self,
        token: &TokenDigest,
        candidate: &LoginCandidate,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_write("open the session").await?;
        migrate::require_current(&mut tx).await?;
        let now = sql_value::now();
        let sql = "DELETE FROM customer_tokens WHERE expires_at <= ?";
        tx.run(sql, &[now.into()]).await?;
        // An act that takes the access away locks the row too: it voids this token, or is seen here.
        let user = SqlValue::text(&candidate.user);
        let sql = format!(
            "SELECT external_id FROM users WHERE external_id = ?{}",
            tx.dialect().for_update
        );
        tx.fetch(&sql, std::slice::from_ref(&user), &[SqlType::Id])
            .await?;
        let sql = "SELECT 1 FROM usable_users WHERE external_id = ? AND password_hash = ?";
        let hash = SqlValue::text(&candidate.password_hash);
        if !tx.has_rows(sql, &[user.clone(), hash]).await? {
            return Ok(false);
        }
        let sql = "INSERT INTO customer_tokens \
                   (token_hash, user_id, password_stamp, created_at, expires_at) \
                   VALUES (?, ?, ?, ?, ?)";
        let params = [
            SqlValue::Bytes(token.to_vec()),
            user,
            password_stamp(&candidate.password_hash),
            now.into(),
            (now + TTL).into(),
        ];
        tx.run(sql, &params).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Tells one password from another. The hash itself need not stand in two tables.
fn password_stamp(hash: &str) -> SqlValue {
    SqlValue::Bytes(Sha256::digest(hash.as_bytes()).to_vec())
}

/// A valid token: whose it is, and the hash of that person's password.
pub(super) struct ValidToken {
    pub(super) user: String,
    pub(super) password_hash: String,
}

/// Returns whose token this is; `None` if it does not work now.
pub(super) async fn valid_token(
    tx: &mut SqlTransaction,
    token: &TokenDigest,
) -> Result<Option<ValidToken>, StoreError> {
    let sql = "SELECT u.external_id, u.password_hash, t.password_stamp FROM customer_tokens AS t \
               JOIN usable_users AS u ON u.external_id = t.user_id \
               WHERE t.token_hash = ? AND t.expires_at > ?";
    let params = [SqlValue::Bytes(token.to_vec()), sql_value::now().into()];
    let types = [SqlType::Id, SqlType::Text, SqlType::Bytes];
    let Some(mut cells) = tx.first(sql, &params, &types).await? else {
        return Ok(None);
    };
    let Some(hash) = cells[1].take_optional_text() else {
        return Ok(None);
    };
    if password_stamp(&hash) != cells[2] {
        return Ok(None);
    }
    Ok(Some(ValidToken {
        user: cells[0].take_text().into(),
        password_hash: hash.into(),
    }))
}

/// Moves a token to the new password of its user, and voids the others.
pub(super) async fn keep_only_token(
    tx: &mut SqlTransaction,
    user: &str,
    token: &TokenDigest,
    password_hash: &str,
) -> Result<(), StoreError> {
    let own = SqlValue::Bytes(token.to_vec());
    let sql = "DELETE FROM customer_tokens WHERE user_id = ? AND token_hash <> ?";
    tx.run(sql, &[user.into(), own.clone()]).await?;
    let sql = "UPDATE customer_tokens SET password_stamp = ? WHERE token_hash = ?";
    tx.run(sql, &[password_stamp(password_hash), own]).await?;
    Ok(())
}

/// Voids the tokens of users.
pub(super) async fn void_tokens(
    tx: &mut SqlTransaction,
    users: impl Iterator<Item = impl AsRef<str>>,
) -> Result<(), StoreError> {
    let rows: Vec<SqlRow> = users.map(|user| vec![SqlValue::text(user)]).collect();
    forget_tokens(tx, rows).await
}

/// Voids the tokens of users, each a row with the external id.
pub(super) async fn forget_tokens(
    tx: &mut SqlTransaction,
    users: Vec<SqlRow>,
) -> Result<(), StoreError> {
    let batch = BatchStatement {
        sql: "DELETE FROM customer_tokens WHERE user_id IN ({rows})",
        types: &[SqlType::Id],
    };
    tx.batch(&batch, users).await?;
    Ok(())
}

//! Whether a user may submit jobs: what the view `usable_users` says, with the facts behind it.

use super::Store;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::{SqlType, SqlValue};

/// What decides whether a user may log in, submit and follow jobs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubmissionFacts {
    /// The answer.
    pub may_submit: bool,
    pub status: String,
    pub access: String,
    /// The reason of a block.
    pub block: Option<String>,
    /// How many accounts the user has, and how many of them are usable.
    pub accounts: i64,
    pub usable_accounts: i64,
}

impl Store {
    /// Returns what decides whether a user may submit jobs; `None` for an unknown user.
    pub async fn submission_facts(
        &self,
        user: &str,
    ) -> Result<Option<SubmissionFacts>, StoreError> {
        match self.begin_schema_read("check the user").await? {
            Some(mut tx) => read(&mut tx, user).await,
            None => Ok(None),
        }
    }
}

/// Reads it within a transaction. One that writes also keeps the user from being deleted.
pub(super) async fn read(
    tx: &mut SqlTransaction,
    user: &str,
) -> Result<Option<SubmissionFacts>, StoreError> {
    let sql = "SELECT u.status, u.access, u.blocked, \
               (SELECT count(*) FROM usable_users AS v WHERE v.external_id = u.external_id), \
               (SELECT count(*) FROM user_accounts AS l WHERE l.user_id = u.external_id), \
               (SELECT count(*) FROM user_accounts AS l JOIN usable_accounts AS a \
                  ON a.external_id = l.account_id WHERE l.user_id = u.external_id) \
               FROM users AS u WHERE u.external_id = ?";
    let (text, int) = (SqlType::Text, SqlType::Int);
    let found = tx
        .first(sql, &[user.into()], &[text, text, text, int, int, int])
        .await?;
    Ok(found.map(|mut cells| SubmissionFacts {
        may_submit: cells[3].int() > 0,
        status: cells[0].take_text().into(),
        access: cells[1].take_text().into(),
        block: cells[2].take_optional_text().map(Into::into),
        accounts: cells[4].int(),
        usable_accounts: cells[5].int(),
    }))
}

/// Whether a user is linked to an account that is usable.
pub(super) async fn has_usable_account(
    tx: &mut SqlTransaction,
    user: &str,
    account: &str,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM user_accounts AS l JOIN usable_accounts AS a \
               ON a.external_id = l.account_id WHERE l.user_id = ? AND l.account_id = ?";
    tx.has_rows(sql, &[user.into(), account.into()]).await
}

/// Whether a resource is stored. On PostgreSQL it stays until the end of the transaction.
pub(super) async fn is_stored(
    tx: &mut SqlTransaction,
    table: &str,
    id: &str,
) -> Result<bool, StoreError> {
    let lock = tx.dialect().for_key_share;
    let sql = format!("SELECT external_id FROM {table} WHERE external_id = ?{lock}");
    tx.has_rows(&sql, &[SqlValue::text(id)]).await
}

//! Deletes what is kept about users beside their rows when they go: the links to set a password,
//! the mails with them, the accepted terms and the open sessions. Acts and applies both delete users.

use super::connection::{BatchStatement, SqlRow, SqlTransaction};
use super::customer_tokens::forget_tokens;
use super::error::StoreError;
use super::sql_value::SqlType;

/// Forgets these users, each a row with the external id.
pub(super) async fn forget_users(
    tx: &mut SqlTransaction,
    users: Vec<SqlRow>,
) -> Result<(), StoreError> {
    // Looked up first: a first load may create a million users, and nothing is kept about them.
    let kept = "SELECT 1 FROM invitations UNION ALL SELECT 1 FROM terms_acceptances \
                UNION ALL SELECT 1 FROM customer_tokens LIMIT 1";
    if users.is_empty() || !tx.has_rows(kept, &[]).await? {
        return Ok(());
    }
    for sql in [
        "DELETE FROM outbox WHERE id IN (SELECT id FROM invitations WHERE user_id IN ({rows}))",
        "DELETE FROM invitations WHERE user_id IN ({rows})",
        "DELETE FROM terms_acceptances WHERE user_id IN ({rows})",
    ] {
        let batch = BatchStatement {
            sql,
            types: &[SqlType::Id],
        };
        tx.batch(&batch, users.clone()).await?;
    }
    forget_tokens(tx, users).await
}

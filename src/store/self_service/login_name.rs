//! Gives the login name of a link that self-service makes, in the same transaction, so that the
//! answer can name it. An apply gives names to all other links.

use super::login::LoginMode;
use crate::store::connection::SqlTransaction;
use crate::store::error::StoreError;
use crate::store::people_tables::UNNAMED_LINKS;
use crate::store::sql_value::{SqlType, SqlValue};

/// Gives the link of a user and an account its name, where people log in with names and the account
/// has a customer number. The caller holds the lock on the `write` row, so nobody else gets the
/// same number.
pub(super) async fn give(
    tx: &mut SqlTransaction,
    mode: LoginMode,
    user: &str,
    account: &str,
) -> Result<(), StoreError> {
    if !mode.by_name {
        return Ok(());
    }
    // A link that another program removed has its name still.
    let sql = "SELECT 1 FROM user_logins WHERE user_id = ? AND account_id = ?";
    if tx.has_rows(sql, &[user.into(), account.into()]).await? {
        return Ok(());
    }
    let sql = "SELECT a.customer_number, c.next FROM accounts AS a \
               LEFT JOIN login_counters AS c ON c.customer_number = a.customer_number \
               WHERE a.external_id = ? AND a.customer_number IS NOT NULL";
    let types = [SqlType::Id, SqlType::Int];
    let Some(mut cells) = tx.first(sql, &[account.into()], &types).await? else {
        return Ok(());
    };
    let (number, next) = (cells[0].take_text(), cells[1].as_int().unwrap_or(1));
    let sql = "INSERT INTO user_logins (user_id, account_id, number, name) VALUES (?, ?, ?, ?)";
    let params = [
        user.into(),
        account.into(),
        next.into(),
        SqlValue::text(format!("{number}-{next}")),
    ];
    tx.run(sql, &params).await?;
    let sql = "INSERT INTO login_counters (customer_number, next) VALUES (?, ?) \
               ON CONFLICT (customer_number) DO UPDATE SET next = excluded.next";
    tx.run(sql, &[SqlValue::from(&number), (next + 1).into()])
        .await?;
    // The trigger has noted the link for the next apply.
    let sql = format!("DELETE FROM {UNNAMED_LINKS} WHERE user_id = ? AND account_id = ?");
    tx.run(&sql, &[user.into(), account.into()]).await?;
    Ok(())
}

/// Takes the name of a link that goes. Its number is never given again.
pub(super) async fn take_back(
    tx: &mut SqlTransaction,
    user: &str,
    account: &str,
) -> Result<(), StoreError> {
    for table in ["user_logins", UNNAMED_LINKS] {
        let sql = format!("DELETE FROM {table} WHERE user_id = ? AND account_id = ?");
        tx.run(&sql, &[user.into(), account.into()]).await?;
    }
    Ok(())
}

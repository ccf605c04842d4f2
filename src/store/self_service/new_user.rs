//! The rows of a user that an administrator of an account creates, written as the shop writes: no
//! source claims the user, so none removes or changes one.

use super::login::setting;
use super::person;
use super::request::NewAccountUser;
use crate::model::Value;
use crate::store::connection::SqlTransaction;
use crate::store::error::StoreError;
use crate::store::invitations::{self, NewInvitation, NewInvitations};
use crate::store::sql_value::{self, SqlValue};
use std::collections::BTreeMap;

/// The group of people who buy. New users are in it, where the settings have it.
const BUYERS: &str = "FOC_User";

/// Inserts the user and the link to the account; returns the groups of the user.
pub(super) async fn insert(
    tx: &mut SqlTransaction,
    account: &str,
    user: &NewAccountUser,
) -> Result<Vec<&'static str>, StoreError> {
    let id = SqlValue::text(&user.external_id);
    let access = setting(tx, "initialAccess").await?;
    let access = access.as_ref().and_then(Value::as_text);
    let mut columns = vec!["external_id", "access"];
    let mut params = vec![id.clone(), SqlValue::text(access.unwrap_or("unregistered"))];
    for (field, value) in &user.details {
        columns.push(person::column(field));
        params.push(SqlValue::text(value));
    }
    let places = vec!["?"; columns.len()].join(", ");
    let sql = format!(
        "INSERT INTO users ({}) VALUES ({places})",
        columns.join(", ")
    );
    tx.run(&sql, &params).await?;
    let sql = "INSERT INTO user_accounts (user_id, account_id, level) VALUES (?, ?, ?)";
    tx.run(sql, &[id.clone(), account.into(), user.level.into()])
        .await?;
    let groups = setting(tx, "userGroups").await?;
    let has_buyers = groups
        .iter()
        .flat_map(Value::members)
        .any(|group| group == BUYERS);
    if !has_buyers {
        return Ok(Vec::new());
    }
    let sql = "INSERT INTO user_groups (user_id, value) VALUES (?, ?)";
    tx.run(sql, &[id, BUYERS.into()]).await?;
    Ok(vec![BUYERS])
}

/// Sends a new user a link to set a password, as `notify` does.
pub(super) async fn invite(tx: &mut SqlTransaction, user: &str) -> Result<(), StoreError> {
    let by_user = BTreeMap::from([(user.to_owned(), NewInvitation::new(|_| None))]);
    let new = NewInvitations { by_user: &by_user };
    let now = sql_value::now();
    invitations::replace(tx, new, now).await?;
    let dialect = tx.dialect();
    // Under the guard the triggers take the write for Roster's own, and the version stays.
    tx.script(dialect.guard_on).await?;
    invitations::mark_invited(tx, by_user.keys(), now).await?;
    tx.script(dialect.guard_off).await
}

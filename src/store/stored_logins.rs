//! What is stored about login names that an export brings along, for the plan that takes them over
//! and for the apply, which looks again.

use super::connection::{BatchStatement, SqlRow, SqlTransaction};
use super::error::StoreError;
use super::sql_value::{SqlType, SqlValue};
use crate::model::{CompactText, LoginParts, RowLogin, StoredLogins, TakenLogin};
use std::collections::BTreeSet;

/// Reads what the plan has to know about the login names of rows.
pub(super) async fn of_rows(
    tx: &mut SqlTransaction,
    logins: &[RowLogin],
) -> Result<StoredLogins, StoreError> {
    let of = logins.iter().map(|login| (&login.name, &login.user.id));
    read(tx, of.collect()).await
}

/// Reads the same about login names that are about to be stored.
pub(super) async fn of_taken(
    tx: &mut SqlTransaction,
    logins: &[TakenLogin],
) -> Result<StoredLogins, StoreError> {
    let of = logins.iter().map(|login| (&login.name, &login.user));
    read(tx, of.collect()).await
}

async fn read(
    tx: &mut SqlTransaction,
    logins: Vec<(&CompactText, &CompactText)>,
) -> Result<StoredLogins, StoreError> {
    let mut stored = StoredLogins::default();
    if logins.is_empty() {
        return Ok(stored);
    }
    let rows = |texts: BTreeSet<&str>| -> Vec<SqlRow> {
        let texts = texts.into_iter();
        texts.map(|text| vec![SqlValue::text(text)]).collect()
    };
    let (id, given) = (SqlType::Id, [SqlType::Id]);
    let select = "WITH v(id) AS MATERIALIZED ({rows}) SELECT l.name, l.user_id, l.account_id \
                  FROM v JOIN user_logins AS l ON ";
    let names = rows(logins.iter().map(|(name, _)| name.as_str()).collect());
    let users = rows(logins.iter().map(|(_, user)| user.as_str()).collect());
    for (rows, on) in [(names, "l.name = v.id"), (users, "l.user_id = v.id")] {
        let sql = format!("{select}{on}");
        let batch = BatchStatement {
            sql: &sql,
            types: &given,
        };
        for mut cells in tx.batch_fetch(&batch, rows, &[id, id, id]).await? {
            let [name, user, account] = [0, 1, 2].map(|at| cells[at].take_text());
            let link = (user, account);
            stored.links.insert(name.clone(), link.clone());
            stored.names.insert(link, name);
        }
    }
    let numbers = logins.iter().filter_map(|(name, _)| LoginParts::of(name));
    let numbers = rows(numbers.map(|parts| parts.customer_number).collect());
    let batch = BatchStatement {
        sql: "WITH v(id) AS MATERIALIZED ({rows}) SELECT c.customer_number, c.next \
              FROM v JOIN login_counters AS c ON c.customer_number = v.id",
        types: &given,
    };
    for mut cells in tx.batch_fetch(&batch, numbers, &[id, SqlType::Int]).await? {
        stored.next.insert(cells[0].take_text(), cells[1].int());
    }
    Ok(stored)
}

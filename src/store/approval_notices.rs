//! Posts notices about accounts that started to wait for an approval, each account once. Which
//! accounts were noticed is kept in a table and not in the state of a source, because an account
//! may start to wait by any pass, by a command, or by a program that inserts it.

use super::connection::{BatchStatement, SqlTransaction};
use super::error::StoreError;
use super::history_writer::lock_write_row;
use super::outbox::{OutboxEntry, insert_entry};
use super::pending_accounts::claim;
use super::sql_value::{self, SqlType, SqlValue};
use super::{Store, migrate};

/// The accounts of one source that wait for an approval and were not noticed yet. `?` is the source.
/// An account that nobody claims counts for every source: whichever comes first notices it.
const NEW: &str = "FROM accounts AS a WHERE a.approval = 'pending' \
    AND NOT EXISTS (SELECT 1 FROM approval_notices AS n WHERE n.account_id = a.external_id) \
    AND (EXISTS (SELECT 1 FROM claims AS c WHERE c.source = ? AND c.kind = 'Account' \
        AND c.external_id = a.external_id) \
      OR NOT EXISTS (SELECT 1 FROM claims AS c WHERE c.kind = 'Account' \
        AND c.external_id = a.external_id))";

/// Accounts that started to wait for an approval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPendingAccounts {
    /// Their external ids, sorted.
    pub ids: Vec<String>,
    /// Source, path and line of a claim on the first of them.
    pub claims: Vec<Option<(String, String, i64)>>,
}

impl Store {
    /// Posts the notices that `compose` makes about the accounts of a source that started to wait,
    /// and records that they were noticed. Without such accounts, `compose` is not called. Returns
    /// whether something was posted.
    pub async fn post_approval_notices(
        &self,
        source: &str,
        most_claims: usize,
        compose: impl FnOnce(&NewPendingAccounts) -> Vec<OutboxEntry>,
    ) -> Result<bool, StoreError> {
        // Looked up first without a lock: mostly there are none.
        let Some(mut tx) = self.begin_schema_read("read the pending accounts").await? else {
            return Ok(false);
        };
        let sql = format!("SELECT 1 {NEW} LIMIT 1");
        if !tx.has_rows(&sql, &[source.into()]).await? {
            return Ok(false);
        }
        drop(tx);
        let mut tx = self.begin_write("notice the pending accounts").await?;
        // Under this lock nobody else notices the same accounts.
        lock_write_row(&mut tx).await?;
        migrate::require_current(&mut tx).await?;
        let accounts = new_accounts(&mut tx, source, most_claims).await?;
        if accounts.ids.is_empty() {
            return Ok(false);
        }
        let entries = compose(&accounts);
        for entry in &entries {
            insert_entry(&mut tx, entry).await?;
        }
        record(&mut tx, &accounts.ids).await?;
        tx.commit().await?;
        Ok(!entries.is_empty())
    }
}

async fn new_accounts(
    tx: &mut SqlTransaction,
    source: &str,
    most_claims: usize,
) -> Result<NewPendingAccounts, StoreError> {
    let sql = format!("SELECT a.external_id {NEW} ORDER BY a.external_id");
    let found = tx.fetch(&sql, &[source.into()], &[SqlType::Id]).await?;
    let ids = found
        .into_iter()
        .map(|mut cells| cells[0].take_text().into());
    let ids: Vec<String> = ids.collect();
    let mut claims = Vec::new();
    for id in ids.iter().take(most_claims) {
        claims.push(claim(tx, id).await?);
    }
    Ok(NewPendingAccounts { ids, claims })
}

async fn record(tx: &mut SqlTransaction, ids: &[String]) -> Result<(), StoreError> {
    // Those that were decided about cannot wait again, so nothing needs to be known of them.
    let sql = "DELETE FROM approval_notices WHERE account_id NOT IN \
               (SELECT external_id FROM accounts WHERE approval = 'pending')";
    tx.run(sql, &[]).await?;
    let batch = BatchStatement {
        sql: "INSERT INTO approval_notices (account_id, at) {rows}",
        types: &[SqlType::Id, SqlType::Int],
    };
    let now = sql_value::now();
    let rows = ids.iter().map(|id| vec![SqlValue::text(id), now.into()]);
    tx.batch(&batch, rows).await?;
    Ok(())
}

//! Accounts that wait for the approval of a person, with what somebody needs to decide.

use super::Store;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::SqlType;

/// An account that waits for its approval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PendingAccount {
    pub external_id: String,
    pub name: String,
    /// The external id and the name of an active user, an administrator of the account first.
    pub first_user: Option<(String, String)>,
    /// One line: street, postal code, city and country.
    pub address: Option<String>,
    /// Source, path and line of a claim.
    pub declared: Option<(String, String, i64)>,
}

impl Store {
    /// Returns how many accounts wait for an approval, and the first of them by external id.
    pub async fn pending_accounts(
        &self,
        limit: u32,
    ) -> Result<(u64, Vec<PendingAccount>), StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the pending accounts").await? else {
            return Ok((0, Vec::new()));
        };
        let count = count(&mut tx).await?;
        let sql = "SELECT external_id, name FROM accounts WHERE approval = 'pending' \
                   ORDER BY external_id LIMIT ?";
        let types = [SqlType::Id, SqlType::Text];
        let found = tx.fetch(sql, &[i64::from(limit).into()], &types).await?;
        let mut accounts = Vec::new();
        for mut cells in found {
            let id: String = cells[0].take_text().into();
            accounts.push(PendingAccount {
                first_user: first_user(&mut tx, &id).await?,
                address: first_address(&mut tx, &id).await?,
                declared: claim(&mut tx, &id).await?,
                name: cells[1].take_text().into(),
                external_id: id,
            });
        }
        Ok((count, accounts))
    }
}

impl Store {
    /// Returns how many accounts wait for an approval, and the first of their external ids.
    pub async fn pending_account_ids(&self, limit: u32) -> Result<(u64, Vec<String>), StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the pending accounts").await? else {
            return Ok((0, Vec::new()));
        };
        let ids = ids(&mut tx, limit).await?;
        let all = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        // Counted only if there are more: mostly, no account waits.
        let count = if all < limit {
            u64::from(all)
        } else {
            count(&mut tx).await?
        };
        Ok((count, ids))
    }
}

async fn count(tx: &mut SqlTransaction) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM accounts WHERE approval = 'pending'";
    let counted = tx.first(sql, &[], &[SqlType::Int]).await?;
    Ok(counted.map_or(0, |cells| cells[0].int().unsigned_abs()))
}

async fn ids(tx: &mut SqlTransaction, limit: u32) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT external_id FROM accounts WHERE approval = 'pending' \
               ORDER BY external_id LIMIT ?";
    let found = tx
        .fetch(sql, &[i64::from(limit).into()], &[SqlType::Id])
        .await?;
    let ids = found
        .into_iter()
        .map(|mut cells| cells[0].take_text().into());
    Ok(ids.collect())
}

async fn first_user(
    tx: &mut SqlTransaction,
    account: &str,
) -> Result<Option<(String, String)>, StoreError> {
    let sql = "SELECT u.external_id, u.first_name, u.last_name FROM user_accounts AS l \
               JOIN users AS u ON u.external_id = l.user_id \
               WHERE l.account_id = ? AND u.status = 'active' \
               ORDER BY CASE l.level WHEN 'administrator' THEN 0 ELSE 1 END, u.external_id LIMIT 1";
    let types = [SqlType::Id, SqlType::Text, SqlType::Text];
    let found = tx.first(sql, &[account.into()], &types).await?;
    Ok(found.map(|mut cells| {
        let names = [cells[1].take_text(), cells[2].take_text()];
        (cells[0].take_text().into(), names.join(" "))
    }))
}

async fn first_address(
    tx: &mut SqlTransaction,
    account: &str,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT a.street, a.zip_code, a.city, a.country FROM account_addresses AS l \
               JOIN addresses AS a ON a.external_id = l.address_id \
               WHERE l.account_id = ? ORDER BY a.external_id LIMIT 1";
    let found = tx
        .first(sql, &[account.into()], &[SqlType::Text; 4])
        .await?;
    Ok(found.map(|mut cells| {
        let [street, code, city, country] = [0, 1, 2, 3].map(|at| cells[at].take_text());
        format!("{street}, {code} {city}, {country}")
    }))
}

pub(super) async fn claim(
    tx: &mut SqlTransaction,
    account: &str,
) -> Result<Option<(String, String, i64)>, StoreError> {
    let sql = "SELECT source, path, line FROM claims WHERE kind = 'Account' AND external_id = ? \
               AND state = 'active' ORDER BY source LIMIT 1";
    let types = [SqlType::Id, SqlType::Text, SqlType::Int];
    let found = tx.first(sql, &[account.into()], &types).await?;
    Ok(found.map(|mut cells| {
        let (source, path) = (cells[0].take_text(), cells[1].take_text());
        (source.into(), path.into(), cells[2].int())
    }))
}

//! What a customer is shown: the own details and accounts, and the users of an account.

use super::login::LoginMode;
use super::person::{self, PersonalDetails};
use super::request::SelfServiceRefusal;
use crate::store::act_request::ActWarning;
use crate::store::connection::{SqlRow, SqlTransaction};
use crate::store::error::StoreError;
use crate::store::invitations::TokenDigest;
use crate::store::sql_value::{SqlType, SqlValue};
use crate::store::{Store, customer_tokens};
use serde::{Deserialize, Serialize};

/// The level that manages the users of an account.
pub(super) const ADMINISTRATOR: &str = "administrator";

/// A person who has logged in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoggedInCustomer {
    pub details: PersonalDetails,
    /// Whether the password is temporary.
    pub must_change_password: bool,
    /// The hash of the password, to compare the current one with.
    pub password_hash: String,
    /// The usable accounts, by id.
    pub accounts: Vec<CustomerAccount>,
}

/// An account of a customer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CustomerAccount {
    pub account: String,
    pub level: String,
    /// With what the customer logs in to it.
    pub login: Option<String>,
}

/// A user of an account, as its administrators see one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccountUser {
    #[serde(flatten)]
    pub details: PersonalDetails,
    pub level: String,
    /// With what the user logs in.
    pub login: Option<String>,
    pub status: String,
    pub access: String,
    pub is_blocked: bool,
    /// Whether the user has other accounts too.
    pub has_other_accounts: bool,
}

/// What came of a change.
#[derive(Clone, Debug)]
pub struct SelfServiceReply {
    /// The customer after the change.
    pub customer: LoggedInCustomer,
    /// The user of the account after the change, if the change was for one who is still there.
    pub user: Option<AccountUser>,
    /// What is wrong now because of the change.
    pub warnings: Vec<ActWarning>,
}

/// Which users of an account to list.
#[derive(Clone, Copy, Debug)]
pub struct UserPage<'a> {
    pub account: &'a str,
    /// Only ids after this one.
    pub after: &'a str,
    pub limit: u32,
}

impl Store {
    /// Returns whose token this is; `None` if it does not work now.
    pub async fn customer(
        &self,
        token: &TokenDigest,
    ) -> Result<Option<LoggedInCustomer>, StoreError> {
        match self.begin_schema_read("read the customer").await? {
            Some(mut tx) => customer(&mut tx, token).await,
            None => Ok(None),
        }
    }

    /// Returns a page of the users of an account, by id, to an administrator of the account.
    pub async fn account_users(
        &self,
        token: &TokenDigest,
        page: UserPage<'_>,
    ) -> Result<Result<Vec<AccountUser>, SelfServiceRefusal>, StoreError> {
        let Some(mut tx) = self
            .begin_schema_read("read the users of an account")
            .await?
        else {
            return Ok(Err(SelfServiceRefusal::Unauthorized));
        };
        let Some(customer) = customer(&mut tx, token).await? else {
            return Ok(Err(SelfServiceRefusal::Unauthorized));
        };
        if let Err(refused) = customer.require_administrator(page.account) {
            return Ok(Err(refused));
        }
        let condition = "l.account_id = ? AND u.external_id > ? ORDER BY u.external_id LIMIT ?";
        let limit = i64::from(page.limit);
        let params = [page.account.into(), page.after.into(), limit.into()];
        Ok(Ok(select_users(&mut tx, condition, &params).await?))
    }
}

impl LoggedInCustomer {
    /// Fails unless the customer is an administrator of the account.
    pub fn require_administrator(&self, account: &str) -> Result<(), SelfServiceRefusal> {
        let own = self.accounts.iter().find(|own| own.account == account);
        match own {
            None => Err(SelfServiceRefusal::NoAccount),
            Some(own) if own.level != ADMINISTRATOR => Err(SelfServiceRefusal::NotAdministrator),
            Some(_) => Ok(()),
        }
    }
}

/// Reads whose token this is; `None` if it does not work now.
pub(super) async fn customer(
    tx: &mut SqlTransaction,
    token: &TokenDigest,
) -> Result<Option<LoggedInCustomer>, StoreError> {
    let Some(valid) = customer_tokens::valid_token(tx, token).await? else {
        return Ok(None);
    };
    let sql = format!(
        "SELECT {}, u.password_temporary FROM users AS u WHERE u.external_id = ?",
        person::columns("u")
    );
    let types = person::types(&[SqlType::Text]);
    let id = [SqlValue::text(&valid.user)];
    let Some(mut cells) = tx.first(&sql, &id, &types).await? else {
        return Ok(None);
    };
    let details = person::take(&mut cells);
    let temporary = cells[person::WIDTH].as_text() == Some("true");
    let accounts = accounts(tx, &details).await?;
    Ok(Some(LoggedInCustomer {
        details,
        must_change_password: temporary,
        password_hash: valid.password_hash,
        accounts,
    }))
}

async fn accounts(
    tx: &mut SqlTransaction,
    details: &PersonalDetails,
) -> Result<Vec<CustomerAccount>, StoreError> {
    let mode = LoginMode::read(tx).await?;
    let sql = "SELECT l.account_id, l.level, n.name FROM user_accounts AS l \
               JOIN usable_accounts AS a ON a.external_id = l.account_id \
               LEFT JOIN user_logins AS n ON n.user_id = l.user_id AND n.account_id = l.account_id \
               WHERE l.user_id = ? ORDER BY l.account_id";
    let types = [SqlType::Id, SqlType::Text, SqlType::Id];
    let id = [SqlValue::text(&details.external_id)];
    let found = tx.fetch(sql, &id, &types).await?;
    let accounts = found.into_iter().map(|mut cells| CustomerAccount {
        account: cells[0].take_text().into(),
        level: cells[1].take_text().into(),
        login: mode.login(
            cells[2].take_optional_text().map(Into::into),
            details.value("email"),
        ),
    });
    Ok(accounts.collect())
}

/// Reads a user of an account; `None` if the account has no such user.
pub(super) async fn account_user(
    tx: &mut SqlTransaction,
    account: &str,
    user: &str,
) -> Result<Option<AccountUser>, StoreError> {
    let condition = "l.account_id = ? AND u.external_id = ?";
    let found = select_users(tx, condition, &[account.into(), user.into()]).await?;
    Ok(found.into_iter().next())
}

async fn select_users(
    tx: &mut SqlTransaction,
    condition: &str,
    params: &[SqlValue],
) -> Result<Vec<AccountUser>, StoreError> {
    let mode = LoginMode::read(tx).await?;
    let sql = format!(
        "SELECT {}, l.level, n.name, u.status, u.access, u.blocked, \
         (SELECT count(*) FROM user_accounts AS o WHERE o.user_id = u.external_id) \
         FROM user_accounts AS l JOIN users AS u ON u.external_id = l.user_id \
         LEFT JOIN user_logins AS n ON n.user_id = l.user_id AND n.account_id = l.account_id \
         WHERE {condition}",
        person::columns("u")
    );
    let (id, text) = (SqlType::Id, SqlType::Text);
    let types = person::types(&[text, id, text, text, text, SqlType::Int]);
    let found = tx.fetch(&sql, params, &types).await?;
    Ok(found.into_iter().map(|cells| user(cells, mode)).collect())
}

fn user(mut cells: SqlRow, mode: LoginMode) -> AccountUser {
    let details = person::take(&mut cells);
    let mut more = cells.split_off(person::WIDTH);
    let mut text = |at: usize| more[at].take_optional_text().map(String::from);
    let name = text(1);
    AccountUser {
        level: text(0).unwrap_or_default(),
        login: mode.login(name, details.value("email")),
        status: text(2).unwrap_or_default(),
        access: text(3).unwrap_or_default(),
        is_blocked: text(4).is_some(),
        has_other_accounts: more[5].int() > 1,
        details,
    }
}

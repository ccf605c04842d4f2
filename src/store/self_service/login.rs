//! Who logs in with a name, as `loginMode` of the settings says: with the e-mail address, with the
//! login name of an account, or with either.

use crate::kinds::read::fold_case;
use crate::kinds::{self, SETTINGS};
use crate::model::Value;
use crate::store::Store;
use crate::store::connection::{SqlRow, SqlTransaction};
use crate::store::customer_tokens::LoginCandidate;
use crate::store::error::StoreError;
use crate::store::letter_case::lowered_forms;
use crate::store::read;
use crate::store::sql_value::{SqlType, SqlValue};

/// How people log in: `loginMode` of the settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct LoginMode {
    pub(super) by_email: bool,
    pub(super) by_name: bool,
}

impl LoginMode {
    pub(super) async fn read(tx: &mut SqlTransaction) -> Result<Self, StoreError> {
        let mode = setting(tx, "loginMode").await?;
        let mode = mode.as_ref().and_then(|mode| mode.as_text());
        Ok(Self {
            by_email: mode != Some("customer-number"),
            by_name: mode.is_some_and(|mode| mode != "email"),
        })
    }

    /// With what a user logs in to an account; `None` with nothing yet.
    pub(super) fn login(self, name: Option<String>, email: Option<&str>) -> Option<String> {
        let name = name.filter(|_| self.by_name);
        name.or_else(|| email.filter(|_| self.by_email).map(str::to_owned))
    }
}

/// The value of a setting, or its default.
pub(super) async fn setting(
    tx: &mut SqlTransaction,
    name: &str,
) -> Result<Option<Value>, StoreError> {
    let kind = kinds::get(SETTINGS);
    let field = kinds::own_field(kind.expect_index(name));
    let stored = read::read_row(tx, &kinds::settings_key()).await?;
    let stored = stored.as_ref().and_then(|row| row.value(&field).cloned());
    Ok(stored.or_else(|| kind.field(&field)?.default.value()))
}

/// The form in which names of logins are compared: case and Unicode form do not matter.
#[must_use]
pub fn fold_login(login: &str) -> String {
    fold_case(login)
}

/// Users with an e-mail address, whatever its case.
pub(super) async fn users_with_email(
    tx: &mut SqlTransaction,
    table: &str,
    email: &str,
) -> Result<Vec<SqlRow>, StoreError> {
    let folded = fold_login(email);
    let forms = lowered_forms(email.trim());
    let forms: Vec<SqlValue> = forms.into_iter().map(SqlValue::text).collect();
    let sql = format!(
        "SELECT external_id, email, password_hash FROM {table} \
         WHERE lower(email) IN ({}) ORDER BY external_id",
        vec!["?"; forms.len()].join(", ")
    );
    let types = [SqlType::Id, SqlType::Text, SqlType::Text];
    let mut found = tx.fetch(&sql, &forms, &types).await?;
    found.retain(|cells| cells[1].as_text().map(fold_login).as_deref() == Some(&folded));
    Ok(found)
}

impl Store {
    /// Returns who logs in with this name, if that person may log in and has a password.
    pub async fn login_candidate(&self, login: &str) -> Result<Option<LoginCandidate>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("look the login up").await? else {
            return Ok(None);
        };
        let mode = LoginMode::read(&mut tx).await?;
        let mut found = Vec::new();
        if mode.by_name {
            // The name of a link that another program removed is still known, and must not work.
            let sql = "SELECT u.external_id, u.email, u.password_hash FROM user_logins AS n \
                       JOIN user_accounts AS l ON l.user_id = n.user_id AND l.account_id = n.account_id \
                       JOIN usable_users AS u ON u.external_id = n.user_id WHERE n.name = ?";
            let types = [SqlType::Id, SqlType::Text, SqlType::Text];
            found = tx.fetch(sql, &[login.trim().into()], &types).await?;
        }
        if found.is_empty() && mode.by_email {
            found = users_with_email(&mut tx, "usable_users", login).await?;
        }
        // Where another program gave two people one address, nobody knows who this is.
        let [cells] = found.as_mut_slice() else {
            return Ok(None);
        };
        let hash = cells[2].take_optional_text();
        Ok(hash.map(|hash| LoginCandidate {
            user: cells[0].take_text().into(),
            password_hash: hash.into(),
        }))
    }
}

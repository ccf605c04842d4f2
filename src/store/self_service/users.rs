//! What an administrator of an account does with its users: create, change, block, and take out of
//! the account. Of a user of several accounts an administrator changes only the level and the link,
//! because the rest concerns the other accounts too.

use super::customer::{ADMINISTRATOR, AccountUser, account_user};
use super::enforcement::TouchedField;
use super::history::{ACTOR, UserChange, record};
use super::request::{NewAccountUser, SelfServiceError, SelfServiceRefusal, UserChanges};
use super::scene::{
    SelfServiceScene, WrittenChange, require_free, require_free_email, write_details,
};
use super::{login_name, new_user};
use crate::diagnostic::codes;
use crate::kinds::act::{BLOCK, IS_BLOCKED, NOT_BLOCKED};
use crate::kinds::{self, ACCOUNT, BLOCKED, USER};
use crate::model::Key;
use crate::store::act_request::ActWarning;
use crate::store::connection::SqlTransaction;
use crate::store::customer_tokens;
use crate::store::daemon_state::{INSERT_ACT, act_params};
use crate::store::error::StoreError;
use crate::store::sql_value::{SqlType, SqlValue};
use serde_json::{Value as Json, json};

/// The code of the warning that nobody can manage the logins of an account any more.
const LAST_ADMINISTRATOR: &str = "last-administrator";

pub(super) async fn create(
    tx: &mut SqlTransaction,
    scene: &SelfServiceScene<'_>,
    account: &str,
    user: &NewAccountUser,
) -> Result<WrittenChange, SelfServiceError> {
    scene.customer.require_administrator(account)?;
    let id = user.external_id.as_str();
    if let Some(email) = user.details.get("email") {
        require_free_email(tx, scene.mode, id, email).await?;
    }
    let groups = new_user::insert(tx, account, user).await?;
    login_name::give(tx, scene.mode, id, account).await?;
    if user.notify {
        new_user::invite(tx, id).await?;
    }
    let mut change = UserChange::new(id, "create");
    for (field, value) in &user.details {
        change.created(field, json!(value));
    }
    change.created("accounts", json!([link(account, user.level)]));
    if !groups.is_empty() {
        change.created("groups", json!(groups));
    }
    finish(tx, scene, account, id, change).await
}

pub(super) async fn change(
    tx: &mut SqlTransaction,
    scene: &SelfServiceScene<'_>,
    account: &str,
    user: &str,
    changes: &UserChanges,
) -> Result<WrittenChange, SelfServiceError> {
    let found = find(tx, scene, account, user).await?;
    if found.has_other_accounts && !changes.details.is_empty() {
        return Err(SelfServiceRefusal::SeveralAccounts.into());
    }
    let mut change = UserChange::new(user, "update");
    let level = changes.level.filter(|level| *level != found.level);
    if level.is_some() {
        require_free(tx, scene, user, &[TouchedField::Level(account)]).await?;
    }
    write_details(tx, scene, &found.details, &changes.details, &mut change).await?;
    if let Some(level) = level {
        let sql = "UPDATE user_accounts SET level = ? WHERE user_id = ? AND account_id = ?";
        tx.run(sql, &[level.into(), user.into(), account.into()])
            .await?;
        let (before, after) = (link(account, &found.level), link(account, level));
        change.changed("accounts", json!([before]), json!([after]));
    }
    finish(tx, scene, account, user, change).await
}

pub(super) async fn remove(
    tx: &mut SqlTransaction,
    scene: &SelfServiceScene<'_>,
    account: &str,
    user: &str,
) -> Result<WrittenChange, SelfServiceError> {
    let found = find(tx, scene, account, user).await?;
    let organisations = organisations(tx, account, user).await?;
    let mut touched = vec![TouchedField::Link(account)];
    touched.extend(
        organisations
            .iter()
            .map(|id| TouchedField::Organisation(id)),
    );
    if !found.has_other_accounts {
        touched.push(TouchedField::Status);
    }
    require_free(tx, scene, user, &touched).await?;
    let policies = policies(tx, account, user).await?;
    if !policies.is_empty() {
        return Err(SelfServiceRefusal::InPolicies(policies).into());
    }
    let mut change = UserChange::new(user, "update");
    change.changed("accounts", json!([link(account, &found.level)]), json!([]));
    leave_organisations(tx, user, &organisations, &mut change).await?;
    let sql = "DELETE FROM user_accounts WHERE user_id = ? AND account_id = ?";
    tx.run(sql, &[user.into(), account.into()]).await?;
    login_name::take_back(tx, user, account).await?;
    if !found.has_other_accounts && found.status == "active" {
        let sql = "UPDATE users SET status = 'inactive' WHERE external_id = ?";
        tx.run(sql, &[user.into()]).await?;
        change.changed("status", "active", "inactive");
        customer_tokens::void_tokens(tx, [user].into_iter()).await?;
    }
    finish(tx, scene, account, user, change).await
}

pub(super) async fn block(
    tx: &mut SqlTransaction,
    scene: &SelfServiceScene<'_>,
    account: &str,
    user: &str,
) -> Result<WrittenChange, SelfServiceError> {
    let found = find(tx, scene, account, user).await?;
    if found.has_other_accounts {
        return Err(SelfServiceRefusal::SeveralAccounts.into());
    }
    if found.is_blocked {
        return Err(SelfServiceRefusal::Blocked.into());
    }
    let sql = format!(
        "UPDATE users SET {} = ?, updated_at = {} WHERE external_id = ?",
        BLOCKED.column,
        tx.dialect().now
    );
    let reason = SqlValue::text(reason(account));
    tx.run_guarded(&sql, &[reason, user.into()]).await?;
    customer_tokens::void_tokens(tx, [user].into_iter()).await?;
    let mut change = UserChange::new(user, BLOCK.name);
    change.changed(BLOCKED.column, NOT_BLOCKED, IS_BLOCKED);
    finish(tx, scene, account, user, change).await
}

/// The user of an account that the customer administers.
async fn find(
    tx: &mut SqlTransaction,
    scene: &SelfServiceScene<'_>,
    account: &str,
    user: &str,
) -> Result<AccountUser, SelfServiceError> {
    scene.customer.require_administrator(account)?;
    let found = account_user(tx, account, user).await?;
    Ok(found.ok_or(SelfServiceRefusal::NoUser)?)
}

fn reason(account: &str) -> String {
    format!("by an administrator of {}", Key::new(ACCOUNT, account))
}

/// A link, as the history stores it.
fn link(account: &str, level: &str) -> Json {
    json!({"account": account, "level": level})
}

/// Records the change of a user in the history and in the audit log.
async fn finish(
    tx: &mut SqlTransaction,
    scene: &SelfServiceScene<'_>,
    account: &str,
    user: &str,
    change: UserChange,
) -> Result<WrittenChange, SelfServiceError> {
    let (person, changed) = (&scene.customer.details.external_id, user.to_owned());
    if change.is_empty() {
        return Ok(WrittenChange {
            run: None,
            user: Some(changed),
        });
    }
    let reason = reason(account);
    let (act, subject) = (change.verb(), Key::new(USER, user).to_string());
    let entry = act_params(ACTOR, act, &subject, &reason);
    tx.run(INSERT_ACT, &entry).await?;
    let run = record(tx, person, &reason, change).await?;
    Ok(WrittenChange {
        run: Some(run),
        user: Some(changed),
    })
}

/// The organisations of an account that a user is in.
async fn organisations(
    tx: &mut SqlTransaction,
    account: &str,
    user: &str,
) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT m.organisation_id FROM user_organisations AS m \
               JOIN organisations AS o ON o.external_id = m.organisation_id \
               WHERE m.user_id = ? AND o.account_id = ? ORDER BY 1";
    ids(tx, sql, &[user.into(), account.into()]).await
}

/// Takes a user out of organisations: they belong to the account that the user leaves.
async fn leave_organisations(
    tx: &mut SqlTransaction,
    user: &str,
    organisations: &[String],
    change: &mut UserChange,
) -> Result<(), StoreError> {
    let kind = kinds::get(USER);
    let main = kind.fields[kind.expect_index("mainOrganisation")].column;
    for organisation in organisations {
        let pair = [user.into(), organisation.as_str().into()];
        let sql = "DELETE FROM user_organisations WHERE user_id = ? AND organisation_id = ?";
        tx.run(sql, &pair).await?;
        let sql = format!("UPDATE users SET {main} = NULL WHERE external_id = ? AND {main} = ?");
        tx.run(&sql, &pair).await?;
    }
    if !organisations.is_empty() {
        change.changed("organisations", json!(organisations), json!([]));
    }
    Ok(())
}

/// The policies of an account that name a user.
async fn policies(
    tx: &mut SqlTransaction,
    account: &str,
    user: &str,
) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT p.external_id FROM policies AS p WHERE p.account_id = ? AND \
               (EXISTS (SELECT 1 FROM policy_reviewed AS r WHERE r.policy_id = p.external_id \
                  AND r.user_id = ?) \
                OR EXISTS (SELECT 1 FROM policy_approvers AS r WHERE r.policy_id = p.external_id \
                  AND r.user_id = ?)) ORDER BY 1";
    ids(tx, sql, &[account.into(), user.into(), user.into()]).await
}

async fn ids(
    tx: &mut SqlTransaction,
    sql: &str,
    params: &[SqlValue],
) -> Result<Vec<String>, StoreError> {
    let found = tx.fetch(sql, params, &[SqlType::Id]).await?;
    let ids = found.into_iter().map(|mut cells| cells[0].take_text());
    Ok(ids.map(Into::into).collect())
}

/// What is wrong with an account after a change.
pub(super) async fn warnings(
    tx: &mut SqlTransaction,
    account: &str,
) -> Result<Vec<ActWarning>, StoreError> {
    let active = "SELECT 1 FROM user_accounts AS l JOIN users AS u ON u.external_id = l.user_id \
                  WHERE l.account_id = ? AND u.status = 'active'";
    let mut warnings = Vec::new();
    let key = Key::new(ACCOUNT, account);
    if !tx.has_rows(active, &[account.into()]).await? {
        warnings.push(ActWarning {
            code: codes::LAST_USER.name().to_owned(),
            message: format!("{key} has no active user any more"),
        });
    }
    let sql = format!("{active} AND u.blocked IS NULL AND l.level = ?");
    let params = [account.into(), ADMINISTRATOR.into()];
    if !tx.has_rows(&sql, &params).await? {
        warnings.push(ActWarning {
            code: LAST_ADMINISTRATOR.to_owned(),
            message: format!("{key} has no administrator any more; ask for a new one"),
        });
    }
    Ok(warnings)
}

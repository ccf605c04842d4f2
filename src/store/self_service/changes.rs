//! Writes what a customer changes, in one transaction with its entry in the history. Whose token it
//! is and what that person may do is asked again under the lock of all writers, so that a right that
//! was taken away meanwhile does not count. Start at `Store::self_service`.

use super::customer::{self, LoggedInCustomer, SelfServiceReply};
use super::enforcement::EnforcementRules;
use super::history::{UserChange, record};
use super::kept_answer::KeptAnswer;
use super::login::LoginMode;
use super::request::{SelfServiceError, SelfServiceOrder, SelfServiceRefusal};
use super::scene::{SelfServiceScene, WrittenChange, write_details};
use super::users;
use crate::kinds::USER;
use crate::model::Key;
use crate::store::act_keys::{EarlierAnswer, earlier_answer, keep_answer};
use crate::store::connection::SqlTransaction;
use crate::store::customer_tokens;
use crate::store::error::StoreError;
use crate::store::history_writer::lock_write_row;
use crate::store::invitations::TokenDigest;
use crate::store::retry::{TRIES, pause_before_retry};
use crate::store::{Store, migrate};
use std::collections::BTreeMap;

impl Store {
    /// Makes the change that a customer asks for with a token, or refuses it and writes nothing.
    pub async fn self_service(
        &self,
        token: &TokenDigest,
        order: &SelfServiceOrder,
        rules: &EnforcementRules,
    ) -> Result<SelfServiceReply, SelfServiceError> {
        let mut tries = 1;
        loop {
            match self.try_self_service(token, order, rules).await {
                Err(SelfServiceError::Store(error)) if error.transient() && tries < TRIES => {
                    pause_before_retry(tries).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    async fn try_self_service(
        &self,
        token: &TokenDigest,
        order: &SelfServiceOrder,
        rules: &EnforcementRules,
    ) -> Result<SelfServiceReply, SelfServiceError> {
        let mut tx = self.begin_write("change the details").await?;
        migrate::require_current(&mut tx).await?;
        lock_write_row(&mut tx).await?;
        migrate::require_current(&mut tx).await?;
        let mode = LoginMode::read(&mut tx).await?;
        let customer = customer::customer(&mut tx, token).await?;
        let customer = customer.ok_or(SelfServiceRefusal::Unauthorized)?;
        let actor = Key::new(USER, &customer.details.external_id).to_string();
        match earlier_answer::<KeptAnswer>(&mut tx, &actor, order.key()).await? {
            EarlierAnswer::Same(kept) => {
                return Ok(SelfServiceReply {
                    customer,
                    user: Some(kept.user),
                    warnings: kept.warnings,
                });
            }
            EarlierAnswer::OtherRequest => return Err(SelfServiceRefusal::KeyReused.into()),
            EarlierAnswer::New => {}
        }
        let scene = SelfServiceScene {
            customer: &customer,
            rules,
            mode,
        };
        let written = match order {
            SelfServiceOrder::ChangeSelf { details } => {
                change_self(&mut tx, &scene, details).await?
            }
            SelfServiceOrder::ChangePassword { verified, new } => {
                change_password(&mut tx, &scene, token, verified, new).await?
            }
            SelfServiceOrder::CreateUser { account, user, .. } => {
                users::create(&mut tx, &scene, account, user).await?
            }
            SelfServiceOrder::ChangeUser {
                account,
                user,
                changes,
            } => users::change(&mut tx, &scene, account, user, changes).await?,
            SelfServiceOrder::RemoveUser { account, user } => {
                users::remove(&mut tx, &scene, account, user).await?
            }
            SelfServiceOrder::BlockUser { account, user } => {
                users::block(&mut tx, &scene, account, user).await?
            }
        };
        let reply = reply(&mut tx, token, order, customer, &written).await?;
        if let Some(recorded) = &written.run {
            if let Some(kept) = KeptAnswer::of(&reply) {
                keep_answer(&mut tx, &actor, order.key(), &kept, recorded.at).await?;
            }
            self.commit_run(tx, recorded.run, &recorded.plan_id, recorded.at)
                .await?;
        }
        Ok(reply)
    }
}

/// The reply to a change: the state after it.
async fn reply(
    tx: &mut SqlTransaction,
    token: &TokenDigest,
    order: &SelfServiceOrder,
    before: LoggedInCustomer,
    written: &WrittenChange,
) -> Result<SelfServiceReply, StoreError> {
    let account = order.account();
    let warnings = match account {
        Some(account) => users::warnings(tx, account).await?,
        None => Vec::new(),
    };
    let user = match (account, &written.user) {
        (Some(account), Some(user)) => customer::account_user(tx, account, user).await?,
        _ => None,
    };
    // Somebody who blocked or removed the own user has no customer any more.
    let after = customer::customer(tx, token).await?;
    Ok(SelfServiceReply {
        customer: after.unwrap_or(before),
        user,
        warnings,
    })
}

async fn change_self(
    tx: &mut SqlTransaction,
    scene: &SelfServiceScene<'_>,
    details: &BTreeMap<&'static str, Option<String>>,
) -> Result<WrittenChange, SelfServiceError> {
    let own = &scene.customer.details;
    let mut change = UserChange::new(&own.external_id, "update");
    write_details(tx, scene, own, details, &mut change).await?;
    let run = if change.is_empty() {
        None
    } else {
        Some(record(tx, &own.external_id, "own details", change).await?)
    };
    Ok(WrittenChange { run, user: None })
}

async fn change_password(
    tx: &mut SqlTransaction,
    scene: &SelfServiceScene<'_>,
    token: &TokenDigest,
    verified: &str,
    new: &str,
) -> Result<WrittenChange, SelfServiceError> {
    let user = &scene.customer.details.external_id;
    if scene.customer.password_hash != verified {
        return Err(SelfServiceRefusal::PasswordChanged.into());
    }
    let sql = format!(
        "UPDATE users SET password_hash = ?, password_temporary = NULL, updated_at = {} \
         WHERE external_id = ?",
        tx.dialect().now
    );
    tx.run_guarded(&sql, &[new.into(), user.as_str().into()])
        .await?;
    customer_tokens::keep_only_token(tx, user, token, new).await?;
    let change = UserChange::new(user, "change-password");
    let run = record(tx, user, "own password", change).await?;
    Ok(WrittenChange {
        run: Some(run),
        user: None,
    })
}

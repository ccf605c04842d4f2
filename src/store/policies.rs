//! Buying policies at run time: which ones review a purchase, and which ones nobody can act on.
//! Both read the views that a shop reads, so they agree with it.

use super::Store;
use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::{SqlType, SqlValue};
use crate::check::ApproverState;

/// The policies that review the purchases of a user for an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyEvaluation {
    /// Whether anybody can buy for the account. No policy applies to one that is not usable.
    pub account_usable: bool,
    /// By external id.
    pub policies: Vec<AppliedPolicy>,
}

/// A policy that reviews a purchase.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppliedPolicy {
    pub external_id: String,
    /// What the customer is shown.
    pub message: Option<String>,
    /// The approvers who can act on it, by external id.
    pub approvers: Vec<String>,
    /// The others, each with why not.
    pub unable: Vec<(String, String)>,
}

/// Why policies could not be evaluated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PolicyRefusal {
    UnknownUser,
    UnknownAccount,
    /// The user does not belong to the account.
    ForeignUser,
}

/// An active policy of a usable account none of whose approvers can act.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdlePolicy {
    pub external_id: String,
    /// Its approvers, each with why not.
    pub unable: Vec<(String, String)>,
}

const IN_FORCE: &str = "p.status = 'active' AND p.blocked IS NULL \
     AND EXISTS (SELECT 1 FROM usable_accounts AS a WHERE a.external_id = p.account_id)";

/// An approver `x` of the policy `p` who can act.
pub(super) const CAN_ACT: &str = "EXISTS (SELECT 1 FROM usable_users AS u WHERE u.external_id = x.user_id) \
     AND EXISTS (SELECT 1 FROM user_accounts AS l \
       WHERE l.user_id = x.user_id AND l.account_id = p.account_id)";

/// Why an approver cannot act on the own purchases.
const BUYER: &str = "is the buyer";

impl Store {
    /// Returns the policies that review what a user buys for an account, as of one moment.
    pub async fn evaluate_policies(
        &self,
        user: &str,
        account: &str,
    ) -> Result<Result<PolicyEvaluation, PolicyRefusal>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("evaluate the policies").await? else {
            return Ok(Err(PolicyRefusal::UnknownUser));
        };
        for (sql, params, refusal) in [
            (
                "SELECT 1 FROM users WHERE external_id = ?",
                vec![user],
                PolicyRefusal::UnknownUser,
            ),
            (
                "SELECT 1 FROM accounts WHERE external_id = ?",
                vec![account],
                PolicyRefusal::UnknownAccount,
            ),
            (
                "SELECT 1 FROM user_accounts WHERE user_id = ? AND account_id = ?",
                vec![user, account],
                PolicyRefusal::ForeignUser,
            ),
        ] {
            let params: Vec<SqlValue> = params.into_iter().map(SqlValue::from).collect();
            if !tx.has_rows(sql, &params).await? {
                return Ok(Err(refusal));
            }
        }
        let sql = "SELECT 1 FROM usable_accounts WHERE external_id = ?";
        let account_usable = tx.has_rows(sql, &[account.into()]).await?;
        let sql = format!(
            "SELECT p.external_id, p.message FROM policy_reviewed AS r \
             JOIN policies AS p ON p.external_id = r.policy_id \
             WHERE r.user_id = ? AND p.account_id = ? AND {IN_FORCE} ORDER BY p.external_id"
        );
        let params = [user.into(), account.into()];
        let found = tx
            .fetch(&sql, &params, &[SqlType::Id, SqlType::Text])
            .await?;
        let mut policies = Vec::new();
        for mut cells in found {
            let id: String = cells[0].take_text().into();
            let (approvers, unable) = approvers(&mut tx, &id, user).await?;
            policies.push(AppliedPolicy {
                message: cells[1].take_optional_text().map(Into::into),
                external_id: id,
                approvers,
                unable,
            });
        }
        Ok(Ok(PolicyEvaluation {
            account_usable,
            policies,
        }))
    }

    /// Whether more policies are stored than this many.
    pub async fn has_more_policies_than(&self, count: u32) -> Result<bool, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the policies").await? else {
            return Ok(false);
        };
        let sql = "SELECT external_id FROM policies ORDER BY external_id LIMIT 1 OFFSET ?";
        tx.has_rows(sql, &[i64::from(count).into()]).await
    }

    /// Returns how many policies nobody can act on, and the first of them by external id. With
    /// `only`, looks at that policy alone.
    pub async fn idle_policies(
        &self,
        only: Option<&str>,
        limit: u32,
    ) -> Result<(u64, Vec<IdlePolicy>), StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the policies").await? else {
            return Ok((0, Vec::new()));
        };
        let (this, mut params) = match only {
            Some(id) => ("AND p.external_id = ?", vec![SqlValue::from(id)]),
            None => ("", Vec::new()),
        };
        let idle = format!(
            "FROM policies AS p WHERE {IN_FORCE} {this} AND (NOT EXISTS \
               (SELECT 1 FROM policy_approvers AS x WHERE x.policy_id = p.external_id AND {CAN_ACT}) \
             OR EXISTS (SELECT 1 FROM policy_reviewed AS r WHERE r.policy_id = p.external_id) \
             AND NOT EXISTS (SELECT 1 FROM policy_reviewed AS r JOIN policy_approvers AS x \
               ON x.policy_id = r.policy_id AND x.user_id <> r.user_id \
               WHERE r.policy_id = p.external_id AND {CAN_ACT}))"
        );
        let sql = format!("SELECT count(*) {idle}");
        let counted = tx.first(&sql, &params, &[SqlType::Int]).await?;
        let count = counted.map_or(0, |cells| cells[0].int().unsigned_abs());
        if count == 0 {
            return Ok((0, Vec::new()));
        }
        let sql = format!("SELECT p.external_id {idle} ORDER BY p.external_id LIMIT ?");
        params.push(i64::from(limit).into());
        let mut policies = Vec::new();
        for mut cells in tx.fetch(&sql, &params, &[SqlType::Id]).await? {
            let external_id: String = cells[0].take_text().into();
            let (able, mut unable) = approvers(&mut tx, &external_id, "").await?;
            // Whoever could act is the only one whose purchases are reviewed.
            unable.extend(able.into_iter().map(|id| (id, BUYER.to_owned())));
            policies.push(IdlePolicy {
                external_id,
                unable,
            });
        }
        Ok((count, policies))
    }
}

/// The approvers of a policy who can act on a purchase of `buyer`, and the others with why not.
async fn approvers(
    tx: &mut SqlTransaction,
    policy: &str,
    buyer: &str,
) -> Result<(Vec<String>, Vec<(String, String)>), StoreError> {
    let sql = format!(
        "SELECT x.user_id, CASE WHEN {CAN_ACT} THEN 'able' END, t.status, t.blocked, t.access, \
         l.account_id FROM policy_approvers AS x \
         JOIN policies AS p ON p.external_id = x.policy_id \
         JOIN users AS t ON t.external_id = x.user_id \
         LEFT JOIN user_accounts AS l ON l.user_id = x.user_id AND l.account_id = p.account_id \
         WHERE x.policy_id = ? ORDER BY x.user_id"
    );
    let mut types = [SqlType::Text; 6];
    types[0] = SqlType::Id;
    let (mut able, mut unable) = (Vec::new(), Vec::new());
    for mut cells in tx.fetch(&sql, &[policy.into()], &types).await? {
        let id: String = cells[0].take_text().into();
        let state = ApproverState {
            belongs: cells[5].as_text().is_some(),
            active: cells[2].as_text() == Some("active"),
            blocked: cells[3].as_text().is_some(),
            access: cells[4].as_text(),
        };
        if id == buyer {
            unable.push((id, BUYER.to_owned()));
        } else if cells[1].as_text().is_some() {
            able.push(id);
        } else {
            let why = state.obstacle();
            unable.push((id, why.unwrap_or_else(|| "cannot log in".to_owned())));
        }
    }
    Ok((able, unable))
}

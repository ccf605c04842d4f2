//! What an act on the access of users leaves without anybody: accounts that no user can use any more,
//! and policies on which no approver can act. A person may do it, but has to hear of it. What a
//! deletion leaves is for `act_deletion`.

use super::act_request::{ActRequest, ActWarning};
use super::connection::{BatchStatement, SqlTransaction};
use super::error::StoreError;
use super::policies::CAN_ACT;
use super::sql_value::{SqlType, SqlValue};
use crate::diagnostic::{Code, codes};
use crate::kinds::act::ACCESS;
use crate::kinds::{ACCOUNT, BLOCKED, POLICY};
use crate::model::{Key, KindId};
use std::collections::BTreeSet;

/// What depends on users, and how the loss of the last one is said.
struct UserDependence {
    kind: KindId,
    code: Code,
    /// Selects the ids of those that work, of the users in `v`.
    sql: String,
    loss: &'static str,
}

fn dependences() -> [UserDependence; 2] {
    [
        UserDependence {
            kind: ACCOUNT,
            code: codes::LAST_USER,
            sql: "SELECT DISTINCT k.external_id FROM v \
                  JOIN user_accounts AS l ON l.user_id = v.id \
                  JOIN usable_accounts AS k ON k.external_id = l.account_id \
                  WHERE EXISTS (SELECT 1 FROM user_accounts AS o \
                    JOIN usable_users AS u ON u.external_id = o.user_id \
                    WHERE o.account_id = k.external_id)"
                .to_owned(),
            loss: "has no user who can log in any more",
        },
        UserDependence {
            kind: POLICY,
            code: codes::POLICY_APPROVERS,
            sql: format!(
                "SELECT DISTINCT p.external_id FROM v \
                 JOIN policy_approvers AS l ON l.user_id = v.id \
                 JOIN policies AS p ON p.external_id = l.policy_id \
                 WHERE p.status = 'active' AND EXISTS (SELECT 1 FROM policy_approvers AS x \
                   WHERE x.policy_id = p.external_id AND {CAN_ACT})"
            ),
            loss: "has no approver who can act any more",
        },
    ]
}

/// Returns the accounts and policies of the users of an act that somebody can use now.
pub(super) async fn working(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
) -> Result<BTreeSet<Key>, StoreError> {
    let mut working = BTreeSet::new();
    let is_access = [ACCESS, BLOCKED.column].contains(&request.act.fact);
    if !is_access || request.act.is_final {
        return Ok(working);
    }
    for dependence in dependences() {
        let sql = format!("WITH v(id) AS MATERIALIZED ({{rows}}) {}", dependence.sql);
        let batch = BatchStatement {
            sql: &sql,
            types: &[SqlType::Id],
        };
        let rows = request.users().map(|id| vec![SqlValue::text(id)]);
        for mut cells in tx.batch_fetch(&batch, rows, &[SqlType::Id]).await? {
            working.insert(Key::new(dependence.kind, cells[0].take_text()));
        }
    }
    Ok(working)
}

/// Warns of what worked before the act and does not any more.
pub(super) async fn lost(
    tx: &mut SqlTransaction,
    request: &ActRequest<'_>,
    before: &BTreeSet<Key>,
) -> Result<Vec<ActWarning>, StoreError> {
    if before.is_empty() {
        return Ok(Vec::new());
    }
    let now = working(tx, request).await?;
    let dependences = dependences();
    let lost = before.difference(&now);
    // Whoever blocks an account with its users knows that nobody can use it.
    let unnamed = lost.filter(|key| !request.resources.contains(key));
    let warnings = unnamed.filter_map(|key| {
        let dependence = dependences.iter().find(|it| it.kind == key.kind)?;
        Some(ActWarning {
            code: dependence.code.name().to_owned(),
            message: format!("{key} {}", dependence.loss),
        })
    });
    Ok(warnings.collect())
}

//! Counts what the limits of guards are shares of, in SQL: a part of the directory that was read
//! cannot tell how large the whole is. Start at [`count_sql`].

use super::tables;
use crate::kinds::{self, Kind};
use crate::model::{CompactText, GuardBase};

/// Whether an account `a` can be used. Older databases lack the view that says it.
const USABLE: &str = "a.status = 'active' AND a.approval = 'approved' AND a.blocked IS NULL";

/// Counts the users who are active, not blocked and have a usable account of which `which` is true.
fn access_holders(which: &str) -> String {
    format!(
        "SELECT count(*) FROM users u WHERE u.status = 'active' AND u.blocked IS NULL \
         AND EXISTS (SELECT 1 FROM user_accounts l \
           JOIN accounts a ON a.external_id = l.account_id \
           WHERE l.user_id = u.external_id AND {USABLE}{which})"
    )
}

/// The query for the base of a guard and its parameter; `None` if no column holds it.
pub(super) fn count_sql(base: &GuardBase) -> Option<(String, Option<&CompactText>)> {
    let claimed = |kind: &Kind, which: &str| {
        format!(
            "SELECT count(*) FROM claims c JOIN {} r ON r.external_id = c.external_id \
             WHERE c.kind = '{}' AND c.source = ? AND c.state = 'active'{which}",
            kind.table, kind.name
        )
    };
    Some(match base {
        GuardBase::Live(source, kind) => {
            let kind = kinds::get(*kind);
            let live = " AND r.status <> 'inactive'";
            (
                claimed(kind, if kind.has_status { live } else { "" }),
                Some(source),
            )
        }
        GuardBase::Filled(source, kind, field) => {
            let table = tables::for_kind(*kind);
            let filled = match table.link(*field) {
                Some(link) => format!(
                    " AND EXISTS (SELECT 1 FROM {} l WHERE l.{} = r.external_id)",
                    link.name, link.owner
                ),
                None => format!(
                    " AND r.{} IS NOT NULL",
                    table.columns_of_field(*field).next()?.name
                ),
            };
            (claimed(table.kind, &filled), Some(source))
        }
        GuardBase::Users(account) => {
            let users = tables::for_kind(kinds::USER);
            let link = users.link_named("accounts");
            let sql = format!(
                "SELECT count(*) FROM {} l JOIN {} r ON r.external_id = l.{} \
                 WHERE l.{} = ? AND r.status <> 'inactive'",
                link.name, users.kind.table, link.owner, link.member
            );
            (sql, Some(account))
        }
        GuardBase::AccessHolders => (access_holders(""), None),
        GuardBase::Administrators => (access_holders(" AND l.level = 'administrator'"), None),
        GuardBase::Approvers => {
            let approves = " AND EXISTS (SELECT 1 FROM policy_approvers x \
                 JOIN policies p ON p.external_id = x.policy_id \
                 WHERE x.user_id = u.external_id AND p.account_id = a.external_id \
                 AND p.status = 'active' AND p.blocked IS NULL)";
            (access_holders(approves), None)
        }
        GuardBase::UsableAccounts => (
            format!("SELECT count(*) FROM accounts a WHERE {USABLE}"),
            None,
        ),
    })
}

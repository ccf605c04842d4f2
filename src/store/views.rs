//! The views that a shop reads, beside the tables of the kinds: what is usable, and who sees what.
//! Their names and columns are a contract. Who sees what after a plan is not stored anywhere, so
//! `plan::visibility` follows the same rules.
//!
//! A view finds the rows of one viewer without reading those of others: the condition on
//! `viewer_id` reaches the indexes of every part. For this the parts are joined by `UNION ALL`
//! below one `DISTINCT`, because older SQLite pushes no condition into a plain `UNION`.

use super::dialect::SqlDialect;
use crate::kinds::ADMIN_GROUP;

struct SqlView {
    name: &'static str,
    select: String,
}

/// All views. Each one uses only those before it.
fn all() -> Vec<SqlView> {
    let view = |name, select: String| SqlView { name, select };
    vec![
        // An account is usable when it is active, approved and not blocked.
        view(
            "usable_accounts",
            "SELECT * FROM accounts \
             WHERE status = 'active' AND approval = 'approved' AND blocked IS NULL"
                .to_owned(),
        ),
        // A user may log in when active, enabled, not blocked and in at least one usable account.
        // Where the settings make `User.accounts` optional, a user without any account may too.
        view(
            "usable_users",
            "SELECT * FROM users \
             WHERE status = 'active' AND access = 'enabled' AND blocked IS NULL \
             AND (EXISTS (SELECT 1 FROM user_accounts \
                 JOIN usable_accounts ON usable_accounts.external_id = user_accounts.account_id \
                 WHERE user_accounts.user_id = users.external_id) \
               OR NOT EXISTS (SELECT 1 FROM user_accounts \
                   WHERE user_accounts.user_id = users.external_id) \
                 AND EXISTS (SELECT 1 FROM settings_optional_fields \
                   WHERE value = 'User.accounts'))"
                .to_owned(),
        ),
        view("visible_accounts", visible_accounts()),
        view("visible_organisations", visible_organisations()),
        view("visible_users", visible_users()),
    ]
}

/// The usable accounts of a viewer, and how much the viewer sees of each: `everything`, what is in
/// the own `organisations` and below, or the users who are `unorganised` too.
fn visible_accounts() -> String {
    let own_organisation = in_an_organisation("l");
    format!(
        "SELECT l.user_id AS viewer_id, l.account_id AS account_id, CASE \
           WHEN NOT EXISTS (SELECT 1 FROM settings WHERE NOT admin_sees_account) \
             AND (l.level = 'administrator' OR EXISTS (SELECT 1 FROM user_groups AS g \
               WHERE g.user_id = l.user_id AND g.value = '{ADMIN_GROUP}')) THEN 'everything' \
           WHEN {own_organisation} THEN 'organisations' \
           ELSE 'unorganised' END AS sees \
         FROM user_accounts AS l JOIN usable_accounts AS a ON a.external_id = l.account_id"
    )
}

/// Whether the user of the link `link` is in an organisation of the account of the link.
fn in_an_organisation(link: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM user_organisations AS m \
           JOIN organisations AS o ON o.external_id = m.organisation_id \
           WHERE m.user_id = {link}.user_id AND o.account_id = {link}.account_id)"
    )
}

/// An organisation is seen from itself and from those above it. It is walked upwards once for each
/// organisation of the account. `UNION` ends the walk also where another program made a cycle.
fn visible_organisations() -> String {
    "SELECT s.viewer_id AS viewer_id, o.external_id AS organisation_id \
     FROM visible_accounts AS s JOIN organisations AS o ON o.account_id = s.account_id \
     WHERE s.sees = 'everything' OR (s.sees = 'organisations' AND EXISTS (\
       WITH RECURSIVE above(id) AS (SELECT o.external_id \
         UNION SELECT p.parent_id FROM above JOIN organisations AS p ON p.external_id = above.id \
         WHERE p.parent_id IS NOT NULL AND p.account_id = o.account_id) \
       SELECT 1 FROM above \
         JOIN user_organisations AS m ON m.organisation_id = above.id \
         JOIN organisations AS own ON own.external_id = m.organisation_id \
         WHERE m.user_id = s.viewer_id AND own.account_id = s.account_id))"
        .to_owned()
}

/// Oneself, the members of the visible organisations, and of an account everybody or those without
/// an organisation there.
fn visible_users() -> String {
    let has_organisation = in_an_organisation("l");
    format!(
        "SELECT DISTINCT viewer_id, user_id FROM (\
           SELECT external_id AS viewer_id, external_id AS user_id FROM users \
           UNION ALL SELECT s.viewer_id, m.user_id FROM visible_organisations AS s \
             JOIN user_organisations AS m ON m.organisation_id = s.organisation_id \
           UNION ALL SELECT s.viewer_id, l.user_id FROM visible_accounts AS s \
             JOIN user_accounts AS l ON l.account_id = s.account_id \
             WHERE s.sees = 'everything' OR (s.sees = 'unorganised' AND NOT {has_organisation})\
         ) AS pairs"
    )
}

/// The statements that create them.
pub(super) fn create() -> Vec<String> {
    let create = |view: SqlView| format!("CREATE VIEW {} AS {}", view.name, view.select);
    all().into_iter().map(create).collect()
}

/// The statements that go before an upgrade that creates them again.
pub(super) fn drop_if_needed(dialect: &SqlDialect) -> Vec<String> {
    if dialect.is_postgres() {
        // PostgreSQL drops no view that a shop's own view uses. It can replace it, as upgrades only
        // add columns at the end.
        return Vec::new();
    }
    let drop = |view: SqlView| format!("DROP VIEW IF EXISTS {}", view.name);
    all().into_iter().rev().map(drop).collect()
}

/// The statements that create them in a database that may have older ones.
pub(super) fn create_or_replace(dialect: &SqlDialect) -> Vec<String> {
    if !dialect.is_postgres() {
        return create();
    }
    let replace =
        |view: SqlView| format!("CREATE OR REPLACE VIEW {} AS {}", view.name, view.select);
    all().into_iter().map(replace).collect()
}

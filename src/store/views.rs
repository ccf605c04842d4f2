//! The views that say what a shop should read.

/// `usable_accounts` and `usable_users`: whom the life cycles let in.
///
/// An account is usable when it is active, approved and not blocked. A user may log in when
/// active, enabled, not blocked and in at least one usable account.
pub(super) fn create() -> Vec<String> {
    vec![
        "CREATE VIEW usable_accounts AS SELECT * FROM accounts \
         WHERE status = 'active' AND approval = 'approved' AND blocked IS NULL"
            .to_owned(),
        "CREATE VIEW usable_users AS SELECT * FROM users \
         WHERE status = 'active' AND access = 'enabled' AND blocked IS NULL \
         AND EXISTS (SELECT 1 FROM user_accounts \
           JOIN usable_accounts ON usable_accounts.external_id = user_accounts.account_id \
           WHERE user_accounts.user_id = users.external_id)"
            .to_owned(),
    ]
}

/// The statements that take them away, in the order in which nothing depends on what goes.
pub(super) fn drop() -> Vec<String> {
    ["usable_users", "usable_accounts"]
        .map(|view| format!("DROP VIEW {view}"))
        .into()
}

//! The views that a shop should read instead of the tables.

/// `usable_accounts` and `usable_users`: who may act in the shop now.
///
/// An account is usable when it is active, approved and not blocked. A user may log in when active,
/// enabled, not blocked and a member of a usable account.
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

/// The statements that drop them, dependent views first.
pub(super) fn drop() -> Vec<String> {
    ["usable_users", "usable_accounts"]
        .map(|view| format!("DROP VIEW {view}"))
        .into()
}

//! Passwords that a source sets: applied once, whatever becomes of the login afterwards; and who is
//! told by `notify`.

use crate::support::workspace::{Ran, Workspace, account, each, run, user};

const FROM: &str = "passwordFrom: {env: ROSTER_SECRET_A}\n";

fn with_password(ws: &Workspace, password: &str, arguments: &[&str]) -> Ran {
    let mut command = ws.command(arguments);
    run(command.env("ROSTER_SECRET_A", password))
}

/// Applies, and finds nothing to do afterwards.
#[track_caller]
fn settle(ws: &Workspace, password: &str) -> Ran {
    let ran = with_password(ws, password, &["apply", "manifests", "--yes"]).exits(0);
    let plan = ["plan", "manifests", "--detailed-exitcode"];
    with_password(ws, password, &plan).exits(0);
    ran
}

fn stored(ws: &Workspace, columns: &str) -> Option<String> {
    ws.value(&format!(
        "SELECT {columns} FROM users WHERE external_id = 'u-1'"
    ))
}

#[test]
fn a_password_that_was_applied_is_not_applied_again() {
    for ws in each("applied") {
        ws.tree(account("acme", "") + &user("u-1", "acme", FROM));
        settle(&ws, "Secret123");
        let first = stored(&ws, "password_hash").expect("a hash");
        assert_eq!(stored(&ws, "password_applied"), Some(first));
        assert_eq!(stored(&ws, "password_temporary").as_deref(), Some("true"));

        // The person chooses an own one, as with an invitation or in the shop.
        ws.sql("UPDATE users SET password_hash = '$argon2id$own', password_temporary = NULL, access = 'enabled'");
        settle(&ws, "Secret123");
        with_password(
            &ws,
            "Secret123",
            &["plan", "manifests", "--scrub", "--detailed-exitcode"],
        )
        .exits(0);
        assert_eq!(
            stored(&ws, "password_hash").as_deref(),
            Some("$argon2id$own")
        );
        assert_eq!(stored(&ws, "password_temporary"), None);

        // Nor does it come back after the login was deleted.
        ws.run(&["user", "delete-identities", "u-1", "--reason", "left"])
            .exits(0);
        settle(&ws, "Secret123");
        assert_eq!(stored(&ws, "password_hash"), None);
        assert_eq!(stored(&ws, "access").as_deref(), Some("unregistered"));

        // Another one is a change.
        settle(&ws, "Secret456");
        let second = stored(&ws, "password_hash").expect("a hash");
        assert!(second.starts_with("$argon2id$v="), "{second}");
        assert_eq!(stored(&ws, "password_temporary").as_deref(), Some("true"));
    }
}

#[test]
fn notify_invites_once_per_create_and_per_password() {
    for ws in each("notify") {
        let notify = "notify: true\n";
        let inactive = format!("status: inactive\n{notify}");
        let tree = account("acme", "")
            + &user("u-1", "acme", &format!("{FROM}{notify}"))
            + &user("u-2", "acme", notify)
            + &user("u-3", "acme", "")
            + &user("u-4", "acme", &inactive);
        ws.tree(&tree);
        settle(&ws, "Secret123");
        let waiting = "SELECT i.user_id FROM outbox AS o JOIN invitations AS i ON i.id = o.id \
                       WHERE o.target = 'invitation' ORDER BY 1";
        let names = |names: &[&str]| -> Vec<_> {
            names.iter().map(|name| Some((*name).to_owned())).collect()
        };
        assert_eq!(ws.column(waiting), names(&["u-1", "u-2"]));
        let access = "SELECT access FROM users ORDER BY external_id";
        let states = ["invited", "invited", "unregistered", "unregistered"];
        assert_eq!(ws.column(access), names(&states));

        // Another pass with other changes tells nobody again.
        ws.sql("DELETE FROM outbox");
        ws.tree(tree.replace("+4", "+46"));
        settle(&ws, "Secret123");
        assert_eq!(ws.column(waiting), []);
        // A new password does.
        settle(&ws, "Secret456");
        assert_eq!(ws.column(waiting), names(&["u-1"]));
        let open = "SELECT count(*) FROM invitations WHERE user_id = 'u-1' AND voided_at IS NULL";
        assert_eq!(ws.value(open).as_deref(), Some("1"));
        assert_eq!(stored(&ws, "access").as_deref(), Some("invited"));
        ws.run(&["history", "--verify"]).exits(0);
    }
}

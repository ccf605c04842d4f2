//! `Settings.initialAccess`: whose access it gives, whose it leaves alone, and who is usable.

use crate::support::workspace::{Workspace, account, each, user};
use serde_json::Value;

fn settings(access: &str, more: &str) -> String {
    format!("settings: [{{externalId: settings, initialAccess: {access}{more}}}]\n")
}

fn people(ids: &[&str]) -> String {
    let people = ids.iter().map(|id| user(id, "acme", ""));
    account("acme", "") + &people.collect::<String>()
}

fn access(ws: &Workspace) -> Vec<String> {
    let sql = "SELECT external_id || ' ' || coalesce(access, '-') FROM users ORDER BY external_id";
    ws.column(sql).into_iter().flatten().collect()
}

fn usable(ws: &Workspace) -> Vec<String> {
    let listed = ws.run(&["get", "User", "--output", "json"]).exits(0);
    let listed: Value = serde_json::from_str(&listed.stdout).expect("a document");
    let users = listed["items"].as_array().expect("users").iter();
    let usable = users.filter(|user| user["meta"]["usable"] == true);
    let ids = usable.map(|user| user["externalId"].as_str().expect("an id").to_owned());
    let ids: Vec<String> = ids.collect();
    let view = ws.column("SELECT external_id FROM usable_users ORDER BY external_id");
    let view: Vec<String> = view.into_iter().flatten().collect();
    assert_eq!(ids, view, "`get` says the same as the view");
    ids
}

#[test]
fn it_holds_for_later_users_and_stored_ones_keep_theirs() {
    for ws in each("later") {
        ws.tree(people(&["u-1", "u-2"]));
        ws.apply(&[]).exits(0);
        assert_eq!(access(&ws), ["u-1 unregistered", "u-2 unregistered"]);
        assert_eq!(usable(&ws), Vec::<String>::new());

        ws.tree(settings("enabled", "") + &people(&["u-1", "u-2", "u-3"]));
        ws.apply(&[]).exits(0);
        let expected = ["u-1 unregistered", "u-2 unregistered", "u-3 enabled"];
        assert_eq!(access(&ws), expected);
        assert_eq!(usable(&ws), ["u-3"]);
        ws.settle(&[]);
        let text = ws.run(&["user", "deactivate", "u-3", "--reason", "left"]);
        text.exits(0);
        ws.tree(settings("unregistered", "") + &people(&["u-1", "u-2", "u-3", "u-4"]));
        ws.apply(&[]).exits(0);
        let expected = [
            "u-1 unregistered",
            "u-2 unregistered",
            "u-3 disabled",
            "u-4 unregistered",
        ];
        assert_eq!(access(&ws), expected);
        ws.settle(&[]);
    }
}

#[test]
fn the_first_load_gives_it_too() {
    for ws in each("first_load") {
        ws.tree(settings("enabled", "") + &people(&["u-1", "u-2"]));
        ws.apply(&[]).exits(0);
        assert_eq!(usable(&ws), ["u-1", "u-2"]);
        ws.settle(&[]);
        ws.plan(&["--scrub", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn adopted_users_get_it_unless_somebody_set_their_access() {
    for ws in each("adopted") {
        ws.tree(settings("enabled", "") + &people(&["u-1"]));
        ws.apply(&[]).exits(0);
        // Other programs write these rows; one of them says nothing of the access.
        let columns = "external_id, civility, first_name, last_name, email, phone, status";
        for (id, access) in [
            ("u-2", None),
            ("u-3", Some("disabled")),
            ("u-4", Some("pending")),
            ("u-5", None),
        ] {
            ws.sql(&format!(
                "INSERT INTO users ({columns}) SELECT '{id}', civility, first_name, last_name, \
                 '{id}@roster.example', phone, status FROM users WHERE external_id = 'u-1'"
            ));
            ws.sql(&format!(
                "INSERT INTO user_accounts (user_id, account_id) VALUES ('{id}', 'acme')"
            ));
            if let Some(access) = access {
                ws.sql(&format!(
                    "UPDATE users SET access = '{access}' WHERE external_id = '{id}'"
                ));
            }
        }
        // A person took the identity of this one.
        ws.sql("UPDATE users SET access = 'enabled' WHERE external_id = 'u-5'");
        ws.run(&["user", "delete-identities", "u-5", "--reason", "left"])
            .exits(0);
        ws.tree(settings("enabled", "") + &people(&["u-1", "u-2", "u-3", "u-4", "u-5"]));
        let applied = ws.apply(&[]).exits(0);
        let verbs = applied.steps();
        assert!(verbs.iter().any(|step| step.contains("adopt")), "{verbs:?}");
        let expected = [
            "u-1 enabled",
            "u-2 enabled",
            "u-3 disabled",
            "u-4 pending",
            "u-5 unregistered",
        ];
        assert_eq!(access(&ws), expected);
        ws.settle(&[]);
        ws.plan(&["--scrub", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn a_user_who_is_created_again_keeps_what_a_person_decided() {
    for ws in each("again") {
        let tree = settings("enabled", "") + &people(&["u-1", "u-2"]);
        ws.tree(&tree);
        ws.apply(&[]).exits(0);
        ws.run(&["user", "deactivate", "u-2", "--reason", "left"])
            .exits(0);
        // Another program removes both.
        for id in ["u-1", "u-2"] {
            ws.sql(&format!("DELETE FROM user_accounts WHERE user_id = '{id}'"));
            ws.sql(&format!("DELETE FROM users WHERE external_id = '{id}'"));
        }
        for _ in 0..3 {
            for hold in ws.plan(&[]).holds("reactivation") {
                ws.approve(&hold);
            }
            ws.apply(&[]);
        }
        assert_eq!(access(&ws), ["u-1 enabled", "u-2 unregistered"]);
    }
}

#[test]
fn a_contact_without_an_account_is_usable_where_accounts_are_optional() {
    for ws in each("contacts") {
        let optional = ", optionalFields: [User.accounts]";
        let contact = user("c-1", "x", "accounts: []\ncompany: Print & Co");
        let tree = settings("enabled", optional) + &people(&["u-1"]) + &contact;
        ws.tree(&tree);
        ws.apply(&[]).exits(0);
        assert_eq!(usable(&ws), ["c-1", "u-1"]);
        // An account that nobody may use is not the same as none.
        ws.run(&["block", "Account/acme", "--reason", "unpaid"])
            .exits(0);
        assert_eq!(usable(&ws), ["c-1"]);
        ws.run(&["user", "deactivate", "c-1", "--reason", "left"])
            .exits(0);
        assert_eq!(usable(&ws), Vec::<String>::new());
        ws.run(&["user", "activate", "c-1", "--reason", "back"])
            .exits(0);
        ws.run(&["unblock", "Account/acme", "--reason", "paid"])
            .exits(0);
        // Without the setting, a user without an account may do nothing.
        ws.sql("DELETE FROM settings_optional_fields");
        assert_eq!(usable(&ws), ["u-1"]);
    }
}

//! Acts of people: approving accounts, blocking, and who can log in. Every state with every act, and what no
//! pass may undo.

use crate::support::workspace::{Workspace, account, each, sqlite, user};
use serde_json::{Value, json};

const USER_STATES: [&str; 5] = ["unregistered", "invited", "pending", "enabled", "disabled"];

/// One account with two users.
fn directory() -> String {
    let waits = "settings: [{externalId: settings, accountApproval: true}]";
    [
        waits.to_owned(),
        account("acme", ""),
        user("u-1", "acme", ""),
        user("u-2", "acme", ""),
    ]
    .join("\n---\n")
}

fn started(ws: &Workspace) {
    ws.tree(directory());
    ws.apply(&[]).exits(0);
}

/// The answer of an act in JSON, and its exit code.
fn act(ws: &Workspace, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut all = arguments.to_vec();
    all.extend(["--reason", "as asked", "--output", "json"]);
    let ran = ws.run(&all);
    let document = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr));
    (ran.code, document)
}

#[test]
fn every_act_is_possible_in_its_states_and_refused_in_every_other() {
    // The states from which an act is possible, each with the state it leads to.
    let user_acts: [(&str, &[(&str, &str)]); 4] = [
        (
            "invite",
            &[
                ("unregistered", "invited"),
                ("invited", "invited"),
                ("pending", "pending"),
            ],
        ),
        (
            "activate",
            &[("pending", "enabled"), ("disabled", "enabled")],
        ),
        ("deactivate", &[("enabled", "disabled")]),
        ("delete-identities", &[("enabled", "unregistered")]),
    ];
    let decisions: [(&[&str], &[&str], &str); 2] = [
        (
            &["approve", "account"],
            &["pending", "rejected"],
            "approved",
        ),
        (&["reject", "account"], &["pending"], "rejected"),
    ];
    for ws in each("acts") {
        started(&ws);
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources: [{name: directory, directory: manifests}]\n\
             serve: {url: 'https://roster.example'}\n",
        );
        let possible = |state: &str| {
            let acts = user_acts.iter();
            let acts = acts.filter(|(_, ways)| ways.iter().any(|(from, _)| *from == state));
            let acts = acts.map(|(name, _)| *name);
            // What is final is possible in every state; `deletion.rs` tests it.
            acts.chain(["delete"]).collect::<Vec<_>>()
        };
        for state in USER_STATES {
            for (name, ways) in user_acts {
                ws.sql(&format!(
                    "UPDATE users SET access = '{state}' WHERE external_id = 'u-1'"
                ));
                let (code, answer) = act(&ws, &["user", name, "u-1"]);
                let stored = ws.value("SELECT access FROM users WHERE external_id = 'u-1'");
                if let Some((_, to)) = ways.iter().find(|(from, _)| *from == state) {
                    assert_eq!(code, Some(0), "{name} of {state}: {answer}");
                    let item =
                        json!({"kind": "User", "externalId": "u-1", "before": state, "after": to});
                    assert_eq!(answer["items"], json!([item]));
                    assert_eq!(stored.as_deref(), Some(*to));
                } else {
                    assert_eq!(code, Some(1), "{name} of {state}: {answer}");
                    assert_eq!(answer["code"], "wrong-state");
                    assert_eq!(answer["status"], 409);
                    assert_eq!(answer["possible"], json!(possible(state)), "{state}");
                    assert_eq!(stored.as_deref(), Some(state));
                }
            }
            ws.sql(&format!(
                "UPDATE users SET access = '{state}' WHERE external_id = 'u-1'"
            ));
            let shown = ws.run(&["get", "User", "u-1", "--output", "json"]).exits(0);
            let shown: Value = serde_json::from_str(&shown.stdout).expect("a document");
            let word = match state {
                "enabled" => "Active",
                "pending" | "disabled" => "Inactive",
                _ => "Unregistered",
            };
            assert_eq!(shown["meta"]["contactStatus"], word);
            assert_eq!(shown["meta"]["actions"], json!(possible(state)));
        }
        for state in ["pending", "approved", "rejected"] {
            for (command, from, to) in decisions {
                ws.sql(&format!("UPDATE accounts SET approval = '{state}'"));
                let (code, answer) = act(&ws, &[command, &["acme"]].concat());
                let stored = ws.value("SELECT approval FROM accounts");
                if from.contains(&state) {
                    assert_eq!(code, Some(0), "{command:?} of {state}: {answer}");
                    assert_eq!(stored.as_deref(), Some(to));
                } else {
                    assert_eq!(code, Some(1), "{command:?} of {state}: {answer}");
                    assert_eq!(answer["code"], "already-decided");
                    assert_eq!(stored.as_deref(), Some(state));
                }
            }
        }
        // Blocking twice, and unblocking what is not blocked.
        for (name, code) in [("block", 0), ("block", 1), ("unblock", 0), ("unblock", 1)] {
            let (ended, answer) = act(&ws, &[name, "User/u-1"]);
            assert_eq!(ended, Some(code), "{name}: {answer}");
        }
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn an_act_on_several_is_done_for_all_or_none() {
    for ws in each("several") {
        started(&ws);
        let before = ws.fingerprint();
        let (code, answer) = act(&ws, &["block", "User/u-1", "User/u-8", "User/u-9"]);
        assert_eq!(code, Some(1));
        assert_eq!(answer["code"], "not-found");
        assert_eq!(answer["ids"], json!(["u-8", "u-9"]));
        ws.sql("UPDATE users SET access = 'enabled' WHERE external_id = 'u-1'");
        let (code, answer) = act(&ws, &["user", "deactivate", "u-1", "u-2"]);
        assert_eq!((code, &answer["code"]), (Some(1), &json!("wrong-state")));
        ws.sql("UPDATE users SET access = 'unregistered' WHERE external_id = 'u-1'");
        // The two updates of the test gave the row other versions.
        ws.settle(&[]);
        let facts = "SELECT coalesce(blocked, '-') || access FROM users ORDER BY external_id";
        let unchanged = Some("-unregistered".to_owned());
        assert_eq!(ws.column(facts), [unchanged.clone(), unchanged]);
        assert_eq!(ws.column("SELECT act FROM acts"), []);
        assert!(!before.is_empty());

        // The same id twice is one resource.
        let (code, answer) = act(&ws, &["block", "User/u-1", "User/u-2", "User/u-1"]);
        assert_eq!(code, Some(0), "{answer}");
        assert_eq!(answer["items"].as_array().map(Vec::len), Some(2));
        assert_eq!(ws.column("SELECT act FROM acts").len(), 2);

        // Of several kinds: the account is not blocked, because a user is.
        let (code, answer) = act(&ws, &["block", "Account/acme", "User/u-1"]);
        assert_eq!((code, &answer["code"]), (Some(1), &json!("wrong-state")));
        let (code, answer) = act(&ws, &["unblock", "Account/acme", "User/u-1"]);
        assert_eq!((code, &answer["code"]), (Some(1), &json!("wrong-state")));
        assert_eq!(ws.column("SELECT act FROM acts").len(), 2);
        ws.run(&["unblock", "User/u-1", "--reason", "found"])
            .exits(0);
        let (code, answer) = act(&ws, &["block", "User/u-1", "Account/acme"]);
        assert_eq!(code, Some(0), "{answer}");
        let kinds = answer["items"].as_array().expect("items").iter();
        let kinds: Vec<&Value> = kinds.map(|item| &item["kind"]).collect();
        assert_eq!(kinds, ["Account", "User"]);
        ws.settle(&[]);
    }
}

#[test]
fn no_pass_undoes_an_act() {
    for ws in each("undoes") {
        started(&ws);
        ws.sql("UPDATE users SET access = 'enabled'");
        ws.settle(&[]);
        for arguments in [
            &["approve", "account", "acme"][..],
            &["block", "Account/acme"],
            &["block", "User/u-1"],
            &["user", "deactivate", "u-2"],
        ] {
            let (code, answer) = act(&ws, arguments);
            assert_eq!(code, Some(0), "{answer}");
            // An act is no drift: the source is not even compared again.
            ws.settle(&[]);
        }
        // Neither does a new commit that changes the same resources.
        ws.tree(directory().replace("+4", "+46"));
        ws.apply(&[]).exits(0);
        ws.tree(directory());
        ws.settle(&[]);
        ws.plan(&["--scrub", "--detailed-exitcode"]).exits(0);
        let facts =
            "SELECT coalesce(blocked, '-') || ' ' || access FROM users ORDER BY external_id";
        let facts: Vec<_> = ws.column(facts).into_iter().flatten().collect();
        assert_eq!(facts, ["as asked enabled", "- disabled"]);
        let account = ws.value("SELECT approval || ' ' || blocked FROM accounts");
        assert_eq!(account.as_deref(), Some("approved as asked"));
        assert_eq!(ws.column("SELECT external_id FROM usable_users"), []);
    }
}

#[test]
fn an_act_stands_in_the_history_with_who_and_why() {
    for ws in each("who") {
        started(&ws);
        ws.run(&["block", "User/u-1", "--reason", "the card was stolen"])
            .exits(0);
        let shown = ws
            .run(&["history", "User", "u-1", "--output", "json"])
            .exits(0);
        let shown: Value = serde_json::from_str(&shown.stdout).expect("a document");
        let last = &shown["items"][0];
        let actor = ws.value("SELECT actor FROM acts");
        assert_eq!(last["verb"], "block");
        assert_eq!(last["reason"], "the card was stolen");
        assert_eq!(last["actor"], json!(actor));
        assert_eq!(
            last["fields"],
            json!({"blocked": {"before": "unblocked", "after": "blocked"}})
        );
        let changes = ws.run(&["changes", "--after", "0"]).exits(0);
        let last = changes.stdout.lines().last().expect("a change");
        assert!(last.contains("\"verb\":\"block\""), "{last}");
        ws.run(&["history", "--verify"]).exits(0);
        // Erasing what the person said does not break the chain.
        ws.sql("DELETE FROM change_values WHERE seq = (SELECT max(seq) FROM changes)");
        ws.run(&["history", "--verify"]).exits(0);
        // Changing who said it does.
        ws.sql("UPDATE runs SET actor = 'somebody' WHERE id = (SELECT max(id) FROM runs)");
        ws.run(&["history", "--verify"]).exits(1);
    }
}

#[test]
fn what_waits_for_an_approval_is_listed() {
    let ws = sqlite();
    started(&ws);
    let listed = ws.run(&["get", "Account", "--pending"]).exits(0);
    assert!(listed.stdout.contains("acme"), "{}", listed.stdout);
    ws.run(&["approve", "account", "acme", "--reason", "checked"])
        .exits(0);
    let listed = ws
        .run(&["get", "Account", "--pending", "--output", "text"])
        .exits(0);
    assert_eq!(listed.stdout, "No account waits for an approval.\n");
    ws.run(&["get", "User", "--pending"]).exits(64);
    // Somebody else takes an approved account out of use by blocking it.
    let refused = ws
        .run(&["reject", "account", "acme", "--reason", "late"])
        .exits(1);
    assert!(
        refused.stderr.contains("`block` stops it"),
        "{}",
        refused.stderr
    );
    // To approve it again needs no other act.
    let refused = ws
        .run(&["approve", "account", "acme", "--reason", "again"])
        .exits(1);
    assert!(!refused.stderr.contains("block"), "{}", refused.stderr);
}

#[test]
fn an_act_without_a_reason_or_for_another_kind_is_wrong_usage() {
    let ws = sqlite();
    started(&ws);
    for arguments in [
        &["block", "User/u-1"][..],
        &["block", "User/u-1", "--reason", " "],
        &["block", "Settings/settings", "--reason", "x"],
        &[
            "block",
            "Account/acme",
            "Settings/settings",
            "--reason",
            "x",
        ],
        &["block", "Account/acme", "u-1", "--reason", "x"],
        &["user", "deactivate", "--reason", "x"],
    ] {
        ws.run(arguments).exits(64);
    }
    assert_eq!(ws.column("SELECT act FROM acts"), []);
}

#[test]
fn only_approvers_decide_about_accounts() {
    let ws = sqlite();
    started(&ws);
    ws.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources: [{name: directory, directory: manifests}]\napprovers: [eva@example.com]\n",
    );
    let refused = ws
        .run(&["approve", "account", "acme", "--reason", "x"])
        .exits(1);
    assert!(refused.stderr.contains("approvers"), "{}", refused.stderr);
    ws.run(&["block", "Account/acme", "--reason", "x"]).exits(0);
}

//! Buying policies as an operator checks them, and what says that nobody can act on one.

use crate::support::workspace::{Workspace, account, each, sqlite, user};
use serde_json::{Value, json};

fn directory() -> String {
    let policy = "---\nkind: Policy\nexternalId: site\nname: Site\naccount: acme\n\
                  message: Karin decides.\nreviewed: [u-1, u-2]\napprovers: [u-2, u-3]\n";
    [
        account("acme", ""),
        account("other", ""),
        user("u-1", "acme", ""),
        user("u-2", "acme", ""),
        user("u-3", "acme", ""),
        user("u-4", "other", ""),
        policy.to_owned(),
    ]
    .concat()
}

fn check(ws: &Workspace, user: &str, account: &str) -> (Option<i32>, Value) {
    let ran = ws.run(&["policy", "check", "--user", user, "--account", account]);
    let document = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
    (ran.code, document)
}

#[track_caller]
fn approvers(ws: &Workspace, user: &str) -> Value {
    let (code, document) = check(ws, user, "acme");
    assert_eq!(code, Some(0), "{document}");
    assert_eq!(document["required"], true, "{document}");
    let warned = document["diagnostics"][0]["code"] == "policy-approvers";
    let nobody = document["policies"][0]["approvers"] == json!([]);
    assert_eq!(warned, nobody, "{document}");
    document["policies"][0]["approvers"].clone()
}

#[test]
fn a_check_names_the_policy_its_message_and_who_can_approve() {
    for ws in each("check") {
        ws.tree(directory());
        let applied = ws.apply(&[]).exits(0);
        // Nobody has registered yet.
        let warning = "warning policy-approvers Policy/site";
        assert!(applied.findings().contains(warning), "{applied}");
        assert_eq!(approvers(&ws, "u-1"), json!([]));
        ws.sql("UPDATE users SET access = 'enabled'");
        let (code, document) = check(&ws, "u-1", "acme");
        assert_eq!(code, Some(0));
        assert_eq!(
            document,
            json!({"required": true, "policies": [{"policy": "site", "message": "Karin decides.",
                "approvers": ["u-2", "u-3"], "why": "User/u-1 is reviewed for Account/acme"}]})
        );
        // An approver who buys is reviewed by the other one.
        assert_eq!(approvers(&ws, "u-2"), json!(["u-3"]));
        ws.run(&["block", "User/u-3", "--reason", "left"]).exits(0);
        assert_eq!(approvers(&ws, "u-1"), json!(["u-2"]));
        assert_eq!(approvers(&ws, "u-2"), json!([]));
        // The policy does not name this user, so it does not review their purchases.
        let (_, document) = check(&ws, "u-3", "acme");
        assert_eq!(document, json!({"required": false, "policies": []}));

        ws.run(&["block", "Policy/site", "--reason", "stocktaking"])
            .exits(0);
        let (_, document) = check(&ws, "u-1", "acme");
        assert_eq!(document, json!({"required": false, "policies": []}));
        ws.run(&["unblock", "Policy/site", "--reason", "done"])
            .exits(0);
        ws.run(&["block", "Account/acme", "--reason", "unpaid"])
            .exits(0);
        let (_, document) = check(&ws, "u-1", "acme");
        assert_eq!(document["required"], false);
        let message = &document["diagnostics"][0]["message"];
        assert!(
            message.as_str().is_some_and(|it| it.contains("not usable")),
            "{document}"
        );
    }
}

#[test]
fn a_check_of_somebody_unknown_or_foreign_is_refused() {
    for ws in each("refused") {
        ws.tree(directory());
        ws.apply(&[]).exits(0);
        for (user, account, code, status) in [
            ("nobody", "acme", "not-found", 404),
            ("u-1", "nowhere", "not-found", 404),
            ("u-4", "acme", "policy-foreign-user", 409),
        ] {
            let (exit, document) = check(&ws, user, account);
            assert_eq!(exit, Some(1), "{document}");
            assert_eq!(document["code"], code);
            assert_eq!(document["status"], status);
        }
    }
}

#[test]
fn a_plan_warns_of_a_policy_that_nobody_can_act_on() {
    let ws = sqlite();
    ws.tree(directory());
    ws.apply(&[]).exits(0);
    ws.sql("UPDATE users SET access = 'enabled'");
    ws.settle(&[]);
    let edited = |text: &str| directory().replace("message: Karin decides.", text);
    let warnings = |ws: &Workspace, text: &str| {
        ws.tree(edited(text));
        let planned = ws.plan(&[]).exits(0);
        planned.codes("warning").contains("policy-approvers")
    };
    assert!(!warnings(&ws, "message: One."));
    ws.run(&["block", "User/u-2", "User/u-3", "--reason", "left"])
        .exits(0);
    assert!(warnings(&ws, "message: One."));
    let planned = ws.plan(&[]).exits(0);
    assert!(
        planned.stdout.contains("u-2 is blocked, u-3 is blocked"),
        "{planned}"
    );
    // Nobody buys for an account that is not usable.
    ws.run(&["block", "Account/acme", "--reason", "unpaid"])
        .exits(0);
    assert!(!warnings(&ws, "message: One."));
    ws.run(&["unblock", "Account/acme", "--reason", "paid"])
        .exits(0);
    // The warning refuses nothing.
    ws.settle(&[]);
}

/// Nobody approves what they buy themselves, so a policy whose only approver is its only buyer waits for ever.
#[test]
fn a_policy_whose_only_approver_is_its_only_buyer_is_said_wherever_it_shows() {
    for ws in each("only-buyer") {
        let alone = directory()
            .replace("reviewed: [u-1, u-2]", "reviewed: [u-2]")
            .replace("approvers: [u-2, u-3]", "approvers: [u-2]");
        ws.tree(&alone);
        ws.apply(&[]).exits(0);
        ws.sql("UPDATE users SET access = 'enabled'");
        ws.settle(&[]);
        ws.tree(alone.replace("message: Karin decides.", "message: She decides."));
        let planned = ws.plan(&[]).exits(0);
        assert!(
            planned
                .stdout
                .contains("Policy/site can act: u-2 is the buyer"),
            "{planned}"
        );
        ws.settle(&[]);
        assert_eq!(approvers(&ws, "u-2"), json!([]));
        // A second buyer, whose purchases she can approve.
        ws.tree(alone.replace("reviewed: [u-2]", "reviewed: [u-1, u-2]"));
        let planned = ws.plan(&[]).exits(0);
        assert!(
            !planned.codes("warning").contains("policy-approvers"),
            "{planned}"
        );
    }
}

/// The answer of an act names what nobody can do any more, and each of the acts that take access away does.
#[test]
fn an_act_warns_of_accounts_and_policies_that_it_leaves_to_nobody() {
    for ws in each("act-warnings") {
        ws.tree(directory());
        ws.apply(&[]).exits(0);
        ws.sql("UPDATE users SET access = 'enabled'");
        ws.settle(&[]);
        let act = |arguments: &[&str]| {
            let ran = ws.run(&[arguments, &["--reason", "x"]].concat()).exits(0);
            let told: Value = serde_json::from_str(&ran.stdout).expect("a document");
            let warnings = told["warnings"].as_array().cloned().unwrap_or_default();
            let told = warnings.iter().map(|one| {
                format!(
                    "{} {}",
                    one["code"].as_str().expect("a code"),
                    one["message"].as_str().expect("words")
                )
            });
            told.collect::<Vec<_>>()
        };
        let nobody = "policy-approvers Policy/site has no approver who can act any more";
        let empty = "last-user Account/other has no user who can log in any more";
        assert_eq!(act(&["block", "User/u-2"]), Vec::<String>::new());
        assert_eq!(act(&["block", "User/u-3"]), [nobody]);
        // What did not work before is no loss.
        assert_eq!(act(&["user", "deactivate", "u-3"]), Vec::<String>::new());
        assert_eq!(act(&["unblock", "User/u-2"]), Vec::<String>::new());
        assert_eq!(act(&["user", "delete-identities", "u-2"]), [nobody]);
        assert_eq!(act(&["user", "deactivate", "u-4"]), [empty]);
        assert_eq!(act(&["user", "activate", "u-4"]), Vec::<String>::new());
        // Both at once, and the last users of an account.
        assert_eq!(
            act(&["block", "User/u-1", "User/u-4"]),
            [
                "last-user Account/acme has no user who can log in any more",
                empty
            ]
        );
    }
}

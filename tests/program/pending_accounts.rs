//! Accounts that wait for the approval of a person: what plans say of them, and what switching the setting off
//! does not do.

use crate::support::workspace::{Workspace, account, each, sqlite, user};
use serde_json::{Value, json};

fn settings(approval: bool) -> String {
    format!("settings: [{{externalId: settings, accountApproval: {approval}}}]\n")
}

fn directory(approval: bool, accounts: &[&str]) -> String {
    let of = |id: &&str| account(id, "") + &user(&format!("u-{id}"), id, "");
    let accounts: Vec<String> = accounts.iter().map(of).collect();
    settings(approval) + &accounts.concat()
}

fn step<'p>(plan: &'p Value, id: &str) -> &'p Value {
    let steps = plan["steps"].as_array().expect("steps");
    let mut found = steps.iter().filter(|step| step["externalId"] == id);
    found.next().unwrap_or_else(|| panic!("no step of {id}"))
}

fn note(plan: &Value) -> Option<&Value> {
    let found = plan["diagnostics"].as_array().expect("diagnostics");
    found
        .iter()
        .find(|found| found["code"] == "account-pending")
}

fn approvals(ws: &Workspace) -> Vec<String> {
    let all = ws.column("SELECT external_id || ' ' || approval FROM accounts ORDER BY external_id");
    all.into_iter().flatten().collect()
}

#[test]
fn a_plan_says_which_accounts_will_wait() {
    for ws in each("wait") {
        ws.tree(directory(true, &["acme"]));
        let plan = ws.plan(&[]).exits(0).plans().remove(0);
        assert_eq!(step(&plan, "acme")["approval"], "pending");
        assert_eq!(step(&plan, "u-acme").get("approval"), None);
        let text = ws
            .run(&["plan", "manifests", "--output", "text"])
            .exits(0)
            .stdout;
        assert!(
            text.contains("  + create, pending approval  Account/acme  "),
            "{text}"
        );
        assert!(text.contains("  + create  User/u-acme  "), "{text}");
        let text = ws.run(&[
            "plan",
            "manifests",
            "--output",
            "text",
            "--detail",
            "summary",
        ]);
        let text = text.exits(0).stdout;
        assert!(
            text.contains("  Accounts: 1 to create (pending approval)\n"),
            "{text}"
        );
        let markdown = ws
            .run(&["plan", "manifests", "--output", "markdown"])
            .exits(0)
            .stdout;
        assert!(
            markdown.contains("+ create, pending approval  Account/acme"),
            "{markdown}"
        );
        let lines = ws
            .run(&["plan", "manifests", "--output", "ndjson"])
            .exits(0)
            .stdout;
        assert!(lines.contains(r#""approval":"pending""#), "{lines}");

        ws.apply(&[]).exits(0);
        assert_eq!(approvals(&ws), ["acme pending"]);
        ws.settle(&[]);
        // An update of an account that waits is no new account.
        ws.tree(directory(true, &["acme"]).replace("name: acme\n", "name: Acme\n"));
        let plan = ws.plan(&[]).exits(0).plans().remove(0);
        assert_eq!(step(&plan, "acme").get("approval"), None);
    }
}

#[test]
fn accounts_of_the_plan_that_switches_the_setting_on_wait_too() {
    for ws in each("switched_on") {
        ws.tree(directory(false, &["first"]));
        let plan = ws.plan(&[]).exits(0).plans().remove(0);
        assert_eq!(step(&plan, "first").get("approval"), None);
        ws.apply(&[]).exits(0);
        ws.tree(directory(true, &["first", "second"]));
        let plan = ws.plan(&[]).exits(0).plans().remove(0);
        assert_eq!(step(&plan, "second")["approval"], "pending");
        ws.apply(&[]).exits(0);
        assert_eq!(approvals(&ws), ["first approved", "second pending"]);
    }
}

#[test]
fn switching_the_setting_off_approves_nobody_and_says_so() {
    for ws in each("switched_off") {
        ws.tree(directory(true, &["acme", "beta"]));
        ws.apply(&[]).exits(0);
        let plan = ws.plan(&[]).exits(0).plans().remove(0);
        assert_eq!(note(&plan), None);

        ws.tree(directory(false, &["acme", "beta"]));
        let plan = ws.plan(&[]).exits(0).plans().remove(0);
        let found = note(&plan).expect("a note").clone();
        let message = found["message"].as_str().expect("a text");
        assert!(
            message.starts_with("2 accounts wait for an approval"),
            "{message}"
        );
        assert!(message.ends_with(": acme, beta"), "{message}");
        let help = found["help"].as_str().expect("a help");
        for command in ["roster get Account --pending", "roster approve account ID"] {
            assert!(help.contains(command), "{help}");
        }
        assert_eq!(found["severity"], "note");
        assert_eq!(found["origin"]["path"], "all.yaml");
        ws.apply(&[]).exits(0);
        assert_eq!(approvals(&ws), ["acme pending", "beta pending"]);
        assert_eq!(ws.column("SELECT external_id FROM usable_accounts"), []);

        // Until somebody decides, every plan says it, also one that reads no file again.
        ws.settle(&[]);
        let plan = ws.plan(&[]).exits(0).plans().remove(0);
        assert!(note(&plan).is_some(), "{plan}");
        ws.run(&["approve", "account", "acme", "--reason", "checked"])
            .exits(0);
        let plan = ws.plan(&[]).exits(0).plans().remove(0);
        let help = note(&plan).expect("a note")["help"]
            .as_str()
            .expect("a help");
        assert!(
            help.contains("roster approve account beta --reason TEXT"),
            "{help}"
        );
        ws.run(&["reject", "account", "beta", "--reason", "wrong company"])
            .exits(0);
        let plan = ws.plan(&[]);
        assert_eq!(note(&plan.plans()[0]), None);
        let explained = ws.run(&["explain", "account-pending"]).exits(0);
        assert!(
            explained.stdout.contains("Only a person approves"),
            "{}",
            explained.stdout
        );
    }
}

#[test]
fn a_saved_plan_keeps_its_word_after_the_setting_was_switched_off() {
    for ws in each("kept_word") {
        ws.tree(settings(true));
        ws.apply(&[]).exits(0);
        ws.tree(directory(true, &["acme"]));
        ws.run(&["plan", "manifests", "--out", "plan.json"])
            .exits(0);
        let shown = ws
            .run(&["show", "plan.json", "--output", "text"])
            .exits(0)
            .stdout;
        assert!(
            shown.contains("+ create, pending approval  Account/acme"),
            "{shown}"
        );
        ws.sql("UPDATE settings SET account_approval = NOT account_approval");
        ws.run(&["apply", "plan.json", "--yes"]).exits(0);
        assert_eq!(approvals(&ws), ["acme pending"]);
    }
}

#[test]
fn of_several_sources_one_plan_says_who_waits() {
    let ws = sqlite();
    ws.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources:\n  - {name: people, directory: people}\n  - {name: rules, directory: rules}\n",
    );
    ws.write("rules/all.yaml", settings(true));
    let people = directory(true, &["acme"]).replace(&settings(true), "");
    ws.write("people/all.yaml", &people);
    ws.run(&["apply", "--yes", "--source", "rules"]).exits(0);
    ws.run(&["apply", "--yes", "--source", "people"]).exits(0);
    assert_eq!(approvals(&ws), ["acme pending"]);
    ws.write("rules/all.yaml", settings(false));
    let noted = |ws: &Workspace| {
        let plans = ws.run(&["plan", "--output", "json"]).plans();
        let noted = plans.iter().filter(|plan| note(plan).is_some());
        let sources = noted.map(|plan| plan["source"]["name"].clone());
        sources.collect::<Vec<_>>()
    };
    assert_eq!(noted(&ws), [json!("rules")]);
    ws.run(&["apply", "--yes", "--source", "rules"]).exits(0);
    assert_eq!(noted(&ws), [json!("people")]);
}

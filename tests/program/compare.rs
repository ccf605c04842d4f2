//! `roster compare` says what a plan would say if the earlier revision had been applied.

use crate::support::git_remote::Remote;
use crate::support::workspace::{Ran, Workspace, account, each, sqlite, user};
use serde_json::Value;

const POLICY: &str = "---\nkind: Policy\nexternalId: p-1\nname: P\naccount: acme\nreviewed: [u-1]\napprovers: [u-2]\n";

/// What is compared: a company, and each of these instead of it.
fn first() -> String {
    account("acme", "tags: [premium]")
        + &account("beta", "")
        + &user(
            "u-1",
            "acme",
            "accounts: [{account: acme, level: administrator}]",
        )
        + &user("u-2", "acme", "")
        + &user("u-3", "beta", "")
        + "---\nkind: Tag\nexternalId: premium\nname: Premium\n"
        + POLICY
}

fn later() -> [String; 7] {
    let first = first();
    [
        first.clone(),
        first.replace("level: administrator", "level: user"),
        first.replace(POLICY, ""),
        first.replace("tags: [premium]", "tags: []"),
        first.replace("name: Premium\n", "name: Premium\nstatus: inactive\n"),
        first.clone() + &user("u-4", "beta", ""),
        // Errors refuse it.
        first.replace("approvers: [u-2]", "approvers: [u-9]"),
    ]
}

/// What a plan changes and holds, without what only a database has.
fn shown(plan: &Value) -> Value {
    let pick = |entries: &Value, names: &[&str]| -> Vec<Value> {
        let entries = entries.as_array().expect("a list").iter();
        entries
            .map(|entry| names.iter().map(|name| entry[*name].clone()).collect())
            .collect()
    };
    let step = ["verb", "kind", "externalId", "reason", "changes"];
    let held = ["verb", "kind", "externalId", "code", "changes", "effects"];
    serde_json::json!({
        "steps": pick(&plan["steps"], &step),
        "held": pick(&plan["held"], &held),
        "effects": plan["effects"],
        "summary": plan["summary"],
        "errored": plan["errored"],
        "revision": plan["source"]["revision"],
    })
}

fn compare(ws: &Workspace, revisions: &[&str]) -> Ran {
    ws.run(&[&["compare"], revisions].concat())
}

#[test]
fn it_says_what_a_plan_would_say_after_the_earlier_revision_was_applied() {
    for ws in each("compare") {
        let remote = Remote::with(&first());
        let config = format!(
            "apiVersion: roster/v1\nsources: [{{name: directory, git: {{url: {:?}, path: manifests}}}}]\n",
            remote.url()
        );
        ws.write("roster.yaml", &config);
        let before = remote.head();
        ws.run(&["apply", "--yes"]).exits(0);
        let unknown = compare(&ws, &[&before, "nowhere"]).exits(1);
        let help = "Choose a branch, a tag or a commit that the repository has";
        assert!(unknown.stderr.contains(help), "{unknown}");
        for tree in later() {
            remote.write("manifests/all.yaml", &tree);
            let after = remote.push("later");
            let planned = ws.run(&["plan"]);
            let compared = compare(&ws, &[&before, &after]);
            assert_eq!(compared.code, planned.code, "{compared}");
            let (planned, compared) = (planned.plans(), compared.plans());
            let about = format!("{}: {tree}", ws.engine);
            assert_eq!(shown(&compared[0]), shown(&planned[0]), "{about}");
            assert_eq!(compared[0]["database"], Value::Null);
        }
    }
}

#[test]
fn a_folder_is_compared_in_its_own_repository_and_only_what_is_committed() {
    let ws = sqlite();
    let remote = Remote::with(&first());
    let folder = remote.work().join("manifests").display().to_string();
    remote.write("manifests/all.yaml", first() + &user("u-4", "beta", ""));
    let all = compare(&ws, &["HEAD~0", "HEAD", &folder]).exits(0);
    ws.write("compared.json", &all.stdout);
    let refused = ws.run(&["apply", "compared.json", "--yes"]).exits(1);
    assert!(
        refused.stderr.contains("it compares two revisions"),
        "{refused}"
    );
    let none = compare(&ws, &["HEAD", "HEAD", &folder]).exits(0);
    assert_eq!(none.steps(), Vec::<String>::new(), "{none}");
    remote.push("u-4");
    for (old, steps) in [("HEAD~1", vec!["create User/u-4"]), ("HEAD", vec![])] {
        let compared = compare(&ws, &[old, "HEAD", &folder]).exits(0);
        assert_eq!(compared.steps(), steps, "{compared}");
    }
    let code = compare(&ws, &["HEAD~1", "HEAD", &folder, "--detailed-exitcode"]);
    code.exits(2);
    assert!(!ws.path(".roster").exists(), "a database was created");
    // A folder that the branch adds.
    remote.write(
        "more/all.yaml",
        account("gamma", "") + &user("u-9", "gamma", ""),
    );
    remote.push("more");
    let folder = remote.work().join("more").display().to_string();
    let compared = compare(&ws, &["HEAD~1", "HEAD", &folder]).exits(0);
    assert_eq!(compared.steps().len(), 3, "{compared}");
}

#[test]
fn errors_of_the_earlier_revision_leave_out_what_they_affect() {
    let ws = sqlite();
    let wrong = user("u-5", "beta", "").replace("civility: MR", "civility: X");
    let remote = Remote::with(&(first() + &wrong));
    let folder = remote.work().join("manifests").display().to_string();
    remote.write("manifests/all.yaml", first() + &user("u-5", "beta", ""));
    remote.push("right");
    let compared = compare(&ws, &["HEAD~1", "HEAD", &folder]).exits(0);
    assert_eq!(compared.steps(), ["create User/u-5"], "{compared}");
    assert!(
        compared.stderr.contains("`HEAD~1` has 1 error"),
        "{compared}"
    );
}

#[test]
fn what_cannot_be_compared_says_why() {
    let ws = sqlite();
    let remote = Remote::with(&first());
    let folder = remote.work().join("manifests").display().to_string();
    let unknown = compare(&ws, &["HEAD", "nowhere", &folder]).exits(1);
    assert!(
        unknown
            .stderr
            .contains("no branch, tag or commit `nowhere`"),
        "{unknown}"
    );
    ws.tree(first());
    let outside = compare(&ws, &["HEAD", "HEAD", "manifests"]).exits(1);
    assert!(
        outside.stderr.contains("clone of the repository"),
        "{outside}"
    );
    ws.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources: [{name: erp, export: {file: erp.csv, preset: djust-accounts}}]\n",
    );
    let exports = compare(&ws, &["HEAD", "HEAD"]).exits(64);
    assert!(
        exports.stderr.contains("no source is in a git repository"),
        "{exports}"
    );
    let named = compare(&ws, &["HEAD", "HEAD", "--source", "nobody"]).exits(64);
    assert!(named.stderr.contains("nobody"), "{named}");
}

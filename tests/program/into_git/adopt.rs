//! `roster adopt`.

use crate::support::workspace::{Workspace, account, each, sqlite, user};
use serde_json::{Value, json};

const CONFIG: &str =
    "apiVersion: roster/v1\nsources: [{name: erp, directory: erp}, {name: git, directory: git}]\n";

/// `erp` claims everything, then its manifests of u-1 and u-2 move to `git`.
fn moved(ws: &Workspace) {
    ws.write("roster.yaml", CONFIG);
    ws.write("git/none.yaml", "");
    let all = account("acme", "") + &user("u-1", "acme", "") + &user("u-2", "acme", "");
    ws.write("erp/all.yaml", all + &user("u-3", "acme", ""));
    ws.run(&["apply", "--yes"]).exits(0);
    ws.write(
        "erp/all.yaml",
        account("acme", "") + &user("u-3", "acme", ""),
    );
    ws.write(
        "git/users.yaml",
        user("u-1", "acme", "") + &user("u-2", "acme", ""),
    );
}

/// How many claims each source has.
fn claims(ws: &Workspace) -> Vec<String> {
    let counted = "SELECT source || ' ' || CAST(count(*) AS text) FROM claims GROUP BY source ORDER BY source";
    ws.column(counted).into_iter().flatten().collect()
}

#[test]
fn what_the_other_declares_changes_hands_and_both_plan_nothing() {
    for ws in each("handed over") {
        moved(&ws);
        assert!(!ws.run(&["plan"]).exits(0).steps().is_empty());
        let ran = ws.run(&["adopt", "--from", "erp", "--to", "git", "--yes"]);
        let ran = ran.exits(0);
        let told: Value = serde_json::from_str(&ran.stdout).expect("a document");
        assert_eq!(told["given"], json!(["User/u-1", "User/u-2"]), "{ran}");
        assert_eq!(told["undeclared"].as_array().map(Vec::len), Some(3));
        // acme, its address and u-3 stay.
        assert_eq!(claims(&ws), ["erp 3", "git 2"], "{}", ws.engine);
        for source in ["erp", "git"] {
            let plan = ws.run(&["plan", "--source", source]).exits(0);
            assert_eq!(plan.steps(), Vec::<String>::new(), "{}: {plan}", ws.engine);
        }
        ws.run(&["apply", "--yes"]).exits(0);
        assert_eq!(claims(&ws), ["erp 3", "git 2"], "{}", ws.engine);
        let act = "SELECT act || ' ' || subject || ' ' || actor || ': ' || reason FROM acts";
        assert_eq!(
            ws.value(act).as_deref(),
            Some("adopt erp git tester: 2 resources")
        );
    }
}

#[test]
fn what_nobody_else_declares_is_never_handed_over() {
    for ws in each("stays") {
        moved(&ws);
        let only = "apiVersion: roster/v1\nsources: [{name: git, directory: git}]\n";
        ws.write("roster.yaml", only);
        ws.run(&["adopt", "--from", "erp", "--to", "git", "--yes"])
            .exits(0);
        // u-3 is active, and git would deactivate it.
        let plan = ws.run(&["plan"]).exits(0);
        assert_eq!(plan.steps(), Vec::<String>::new(), "{}: {plan}", ws.engine);
        assert_eq!(claims(&ws), ["erp 3", "git 2"], "{}", ws.engine);
    }
}

#[test]
fn what_both_declare_stays_and_one_may_be_named() {
    for ws in each("named") {
        moved(&ws);
        ws.write("erp/again.yaml", user("u-1", "acme", ""));
        let refused = ws.run(&["adopt", "--from", "erp", "--to", "git"]).exits(64);
        assert!(refused.stderr.contains("Pass `--yes`"), "{refused}");
        let unknown = ["adopt", "--from", "erp", "--to", "git", "User/u-9", "--yes"];
        let unknown = ws.run(&unknown).exits(1);
        assert!(unknown.stderr.contains("does not claim User/u-9"));
        ws.run(&["adopt", "--from", "erp", "--to", "gti", "--yes"])
            .exits(64);
        ws.run(&["adopt", "--from", "nobody", "--to", "git", "--yes"])
            .exits(1);
        assert_eq!(claims(&ws), ["erp 5"], "{}", ws.engine);
        let both = ["adopt", "--from", "erp", "--to", "git", "User/u-1", "--yes"];
        let both = ws.run(&both).exits(0);
        let told: Value = serde_json::from_str(&both.stdout).expect("a document");
        assert_eq!(told["declared"], json!(["User/u-1"]), "{both}");
        assert_eq!(claims(&ws), ["erp 5"], "{}", ws.engine);
        let one = ["adopt", "--from", "erp", "--to", "git", "User/u-2", "--yes"];
        ws.run(&one).exits(0);
        assert_eq!(claims(&ws), ["erp 4", "git 1"], "{}", ws.engine);
        // What git declares and did not get is adopted by it as ever.
        let plan = ws.run(&["plan", "--source", "git"]).exits(0);
        assert_eq!(plan.steps(), ["adopt User/u-1"], "{}: {plan}", ws.engine);
    }
}

#[test]
fn nothing_changes_hands_while_a_tree_cannot_be_read() {
    for ws in each("unreadable") {
        moved(&ws);
        ws.write("erp/broken.yaml", "users: [{externalId: u-1\n");
        let ran = ws.run(&["adopt", "--from", "erp", "--to", "git", "--yes"]);
        let ran = ran.exits(1);
        assert!(ran.stderr.contains("erp/broken.yaml") || ran.stderr.contains("broken.yaml"));
        assert_eq!(claims(&ws), ["erp 5"], "{}", ws.engine);
    }
}

#[test]
fn nobody_is_asked_before_it_was_looked() {
    let ws = sqlite();
    moved(&ws);
    let text = |arguments: &[&str]| ws.run(&[arguments, &["--output", "text"]].concat());
    let unknown = text(&["adopt", "--from", "erp", "--to", "gti"]).exits(64);
    assert!(
        unknown
            .stderr
            .contains("no source is named `gti`; use `erp`, `git`"),
        "{unknown}"
    );
    let gone = text(&["adopt", "--from", "gone", "--to", "git"]).exits(1);
    assert!(gone.stderr.contains("source gone has no claims"), "{gone}");
    let asked = text(&["adopt", "--from", "erp", "--to", "git"]).exits(64);
    assert!(
        asked.stdout.contains("From source erp to source git"),
        "{asked}"
    );
    assert!(asked.stderr.contains("No terminal"), "{asked}");
    text(&["adopt", "--from", "erp", "--to", "git", "--yes"]).exits(0);
    // Nothing is left to ask about.
    text(&["adopt", "--from", "erp", "--to", "git"]).exits(0);
}

//! Terms and who accepted them: by version and by document, what a new version resets, and what it does not.

use crate::support::workspace::{Workspace, account, each, user};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn sha256(text: &str) -> String {
    format!("{:x}", Sha256::digest(text.as_bytes()))
}

const SALE: &str = "Terms of sale, first edition.\n";
const PRIVACY: &str = "What we keep.\n";

fn started(ws: &Workspace) {
    let users = ["u-1", "u-2", "u-3"].map(|id| user(id, "acme", ""));
    let terms = ["sale", "privacy"]
        .map(|id| format!("---\nkind: Terms\nexternalId: {id}\ntitle: {id}\nfile: {id}.txt\n"));
    ws.write("manifests/sale.txt", SALE);
    ws.write("manifests/privacy.txt", PRIVACY);
    ws.tree(account("acme", "") + &users.concat() + &terms.concat());
    ws.apply(&[]).exits(0);
}

/// The answer in JSON, and the exit code.
fn accept(ws: &Workspace, ids: &[&str], terms: &str, version: &str) -> (Option<i32>, Value) {
    let mut arguments = vec!["user", "accept-terms"];
    arguments.extend(ids);
    let of = ["--terms", terms, "--version", version, "--reason", "signed"];
    arguments.extend(of);
    arguments.extend(["--output", "json"]);
    let ran = ws.run(&arguments);
    let answer = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr));
    (ran.code, answer)
}

/// The acceptances of all users, as `get` shows them.
fn accepted(ws: &Workspace) -> Vec<String> {
    let listed = ws.run(&["get", "User", "--output", "json"]).exits(0);
    let listed: Value = serde_json::from_str(&listed.stdout).expect("a document");
    let mut all = Vec::new();
    for user in listed["items"].as_array().expect("users") {
        for terms in user["meta"]["terms"].as_array().expect("terms") {
            let id = user["externalId"].as_str().expect("an id");
            all.push(format!("{id} {}", terms["terms"].as_str().expect("an id")));
        }
    }
    all
}

fn terms_step(plan: &Value) -> Value {
    let steps = plan["steps"].as_array().expect("steps");
    let mut found = steps.iter().filter(|step| step["kind"] == "Terms");
    found.next().expect("a step of terms").clone()
}

#[test]
fn an_acceptance_is_recorded_with_its_version() {
    for ws in each("accepted") {
        started(&ws);
        let (code, answer) = accept(&ws, &["u-1", "u-2"], "sale", &sha256(SALE));
        assert_eq!(code, Some(0), "{answer}");
        let item = |id: &str| json!({"kind": "User", "externalId": id, "before": "not-accepted", "after": "accepted"});
        assert_eq!(answer["items"], json!([item("u-1"), item("u-2")]));
        assert_eq!(accepted(&ws), ["u-1 sale", "u-2 sale"]);
        let shown = ws.run(&["get", "User", "u-1", "--output", "json"]).exits(0);
        let shown: Value = serde_json::from_str(&shown.stdout).expect("a document");
        let terms = &shown["meta"]["terms"][0];
        assert_eq!(terms["version"], sha256(SALE));
        let at = terms["at"].as_str().expect("a time");
        assert!(at.len() == 24 && at.ends_with('Z'), "{at}");
        let text = ws
            .run(&["get", "User", "u-1", "--output", "text"])
            .exits(0)
            .stdout;
        assert!(
            text.contains(&format!("#   terms: sale {at}, version ")),
            "{text}"
        );
        // It is no drift, and the history knows the version also later.
        ws.settle(&[]);
        ws.plan(&["--scrub", "--detailed-exitcode"]).exits(0);
        let history = ws.run(&["history", "User", "u-1", "--output", "json"]);
        let history: Value = serde_json::from_str(&history.exits(0).stdout).expect("a document");
        assert_eq!(history["items"][0]["verb"], "accept-terms");
        assert_eq!(
            history["items"][0]["fields"],
            json!({"terms": {"before": null, "after": format!("sale sha256:{}", sha256(SALE))}})
        );
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn an_acceptance_of_anything_else_is_refused_as_a_whole() {
    for ws in each("refused") {
        started(&ws);
        let (code, answer) = accept(&ws, &["u-1"], "sale", &sha256(PRIVACY));
        assert_eq!((code, &answer["code"]), (Some(1), &json!("terms-outdated")));
        assert_eq!(answer["status"], 409);
        assert_eq!(answer["version"], sha256(SALE));
        let (code, answer) = accept(&ws, &["u-1"], "rent", &sha256(SALE));
        assert_eq!((code, &answer["code"]), (Some(1), &json!("not-found")));
        assert_eq!(answer["ids"], json!(["rent"]));
        let (code, answer) = accept(&ws, &["u-1", "u-8", "u-9"], "sale", &sha256(SALE));
        assert_eq!((code, &answer["code"]), (Some(1), &json!("not-found")));
        assert_eq!(answer["ids"], json!(["u-8", "u-9"]));
        assert_eq!(accepted(&ws), Vec::<String>::new());
        assert_eq!(accept(&ws, &["u-1"], "sale", &sha256(SALE)).0, Some(0));
        // Twice is once too often, and then nobody's is recorded.
        let (code, answer) = accept(&ws, &["u-2", "u-1"], "sale", &sha256(SALE));
        assert_eq!((code, &answer["code"]), (Some(1), &json!("wrong-state")));
        assert_eq!(accepted(&ws), ["u-1 sale"]);
        let wrong = [
            "user",
            "accept-terms",
            "u-1",
            "--terms",
            "sale",
            "--reason",
            "x",
        ];
        ws.run(&wrong).exits(64);
    }
}

#[test]
fn a_new_document_resets_its_own_acceptances_and_the_plan_counts_them() {
    for ws in each("reset") {
        started(&ws);
        let all = ["u-1", "u-2", "u-3"];
        assert_eq!(accept(&ws, &all, "sale", &sha256(SALE)).0, Some(0));
        assert_eq!(
            accept(&ws, &all[..1], "privacy", &sha256(PRIVACY)).0,
            Some(0)
        );

        let second = "Terms of sale, second edition.\n";
        ws.write("manifests/sale.txt", second);
        let plan = ws.plan(&[]).exits(0).plans().remove(0);
        assert_eq!(terms_step(&plan)["resets"], 3);
        let text = ws
            .run(&["plan", "manifests", "--output", "text"])
            .exits(0)
            .stdout;
        assert!(
            text.contains("\n      resets the acceptance of 3 users\n"),
            "{text}"
        );
        let markdown = ws
            .run(&["plan", "manifests", "--output", "markdown"])
            .exits(0)
            .stdout;
        let first = "- **Terms** `Terms/sale` resets the acceptance of 3 users\n";
        assert!(markdown.contains(first), "{markdown}");
        ws.run(&["plan", "manifests", "--out", "plan.json"])
            .exits(0);
        let shown = ws
            .run(&["show", "plan.json", "--output", "text"])
            .exits(0)
            .stdout;
        assert!(
            shown.contains("resets the acceptance of 3 users"),
            "{shown}"
        );
        assert_eq!(accepted(&ws).len(), 4, "a plan resets nothing");
        ws.apply(&[]).exits(0);
        assert_eq!(accepted(&ws), ["u-1 privacy"]);
        assert_eq!(ws.column("SELECT user_id FROM terms_acceptances").len(), 1);
        ws.settle(&[]);

        // The old edition cannot be accepted any more, and a return to it brings nothing back.
        let (_, answer) = accept(&ws, &["u-1"], "sale", &sha256(SALE));
        assert_eq!(answer["code"], "terms-outdated");
        ws.write("manifests/sale.txt", SALE);
        let plan = ws.plan(&[]).exits(0).plans().remove(0);
        assert_eq!(terms_step(&plan)["resets"], 0);
        let text = ws
            .run(&["plan", "manifests", "--output", "text"])
            .exits(0)
            .stdout;
        assert!(!text.contains("resets"), "{text}");
        ws.apply(&[]).exits(0);
        assert_eq!(accepted(&ws), ["u-1 privacy"]);
    }
}

#[test]
fn the_same_bytes_change_nothing() {
    for ws in each("same_bytes") {
        started(&ws);
        assert_eq!(accept(&ws, &["u-1"], "sale", &sha256(SALE)).0, Some(0));
        ws.write("manifests/sale.txt", SALE);
        ws.settle(&[]);
        // Another name, another title, the same content.
        ws.write("manifests/sale-2026.txt", SALE);
        let tree = std::fs::read_to_string(ws.path("manifests/all.yaml")).expect("a tree");
        ws.tree(tree.replace(
            "title: sale\nfile: sale.txt",
            "title: Sale\nfile: sale-2026.txt",
        ));
        let plan = ws.plan(&[]).exits(0).plans().remove(0);
        assert_eq!(terms_step(&plan).get("resets"), None);
        ws.apply(&[]).exits(0);
        assert_eq!(accepted(&ws), ["u-1 sale"]);
        ws.settle(&[]);
    }
}

#[test]
fn what_is_gone_takes_its_acceptances_along() {
    for ws in each("gone") {
        started(&ws);
        for (terms, version) in [("sale", SALE), ("privacy", PRIVACY)] {
            assert_eq!(
                accept(&ws, &["u-1", "u-2"], terms, &sha256(version)).0,
                Some(0)
            );
        }
        let tree = std::fs::read_to_string(ws.path("manifests/all.yaml")).expect("a tree");
        let terms = "externalId: privacy\ntitle: privacy\nfile: privacy.txt";
        ws.tree(tree.replace(terms, "externalId: privacy\nstatus: deleted"));
        ws.apply(&["--allow-delete"]).exits(0);
        assert_eq!(accepted(&ws), ["u-1 sale", "u-2 sale"]);
        assert_eq!(ws.column("SELECT user_id FROM terms_acceptances").len(), 2);
        // Removed by another program and created again: the same id, but nobody accepted.
        ws.sql("DELETE FROM user_accounts WHERE user_id = 'u-1'");
        ws.sql("DELETE FROM users WHERE external_id = 'u-1'");
        for hold in ws.plan(&[]).holds("reactivation") {
            ws.approve(&hold);
        }
        ws.apply(&[]).exits(0);
        assert_eq!(accepted(&ws), ["u-2 sale"]);
    }
}

//! A plan names the commits that it takes back: of a branch that is older than what was applied, of
//! a force push, of a merge that dropped something.

use super::{apply, configure, go, plan};
use crate::support::git_remote::Remote;
use crate::support::workspace::{Ran, Workspace, account, each, user, users};
use serde_json::{Value, json};

const NEW: &str = "manifests/new.yaml";

fn people(more: &str) -> String {
    account("acme", "") + &user("u-1", "acme", more) + &users(2..9, "acme", "")
}

/// A repository whose first commit was applied, and then one that changes a telephone number and
/// adds a user. The two commits.
fn scene(ws: &Workspace) -> (Remote, [String; 2]) {
    let remote = Remote::with(&people(""));
    configure(ws, &remote.url(), "");
    let first = remote.head();
    apply(ws).exits(0);
    remote.write("manifests/all.yaml", people("phone: \"+46111111111\""));
    remote.write(NEW, user("u-9", "acme", ""));
    let second = remote.push("Correct the phone of Karin");
    assert_eq!(apply(ws).exits(0).steps().len(), 2);
    (remote, [first, second])
}

/// What each step or held entry reverts, by its resource.
fn reverts(ran: &Ran, member: &str) -> Vec<(String, Value)> {
    let plans = ran.plans();
    let entries = plans[0][member].as_array().expect("a list");
    let entries = entries.iter().map(|entry| {
        let id = entry["externalId"].as_str().expect("an id").to_owned();
        (id, entry["reverts"].clone())
    });
    entries.collect()
}

#[test]
fn a_push_by_force_names_the_commits_that_it_takes_back() {
    for ws in each("reverts") {
        let (remote, [first, second]) = scene(&ws);
        remote.git(&["reset", "--quiet", "--hard", &first]);
        let other = people("").replace("u-3@roster.example", "u-3@other.example");
        remote.write("manifests/all.yaml", other);
        remote.push("Something else");
        let ran = plan(&ws).exits(0);
        let told = |fields: Value| {
            let mut told = json!({
                "run": 2,
                "source": "shop",
                "revision": second,
                "subject": "Correct the phone of Karin",
                "contained": false,
            });
            if fields != json!([]) {
                told["fields"] = fields;
            }
            json!([told])
        };
        let expected = [
            ("u-1", told(json!(["phone"]))),
            ("u-3", Value::Null),
            ("u-9", told(json!([]))),
        ];
        let mut found = reverts(&ran, "steps");
        found.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(
            found,
            expected.map(|(id, told)| (id.to_owned(), told)),
            "{}: {ran}",
            ws.engine
        );
        let sentence = format!(
            "reverts {} \"Correct the phone of Karin\", which this revision does not contain",
            &second[..12]
        );
        let text = go(&ws, &["plan", "--output", "text"]).exits(0).stdout;
        assert_eq!(text.matches(&sentence).count(), 2, "{text}");
        // The saved plan shows the same, and is applied.
        let saved = go(&ws, &["plan", "--out", "plan.json"]).exits(0);
        assert_eq!(saved.plans()[0]["id"], ran.plans()[0]["id"]);
        let shown = go(&ws, &["show", "plan.json", "--output", "markdown"]).exits(0);
        let risk = format!(
            "- **Reverts** `{} \"Correct the phone of Karin\"`, which this revision does not contain: `User/u-1`, `User/u-9`",
            &second[..12]
        );
        assert!(shown.stdout.contains(&risk), "{shown}");
        go(&ws, &["apply", "plan.json", "--yes"]).exits(0);
        assert_eq!(plan(&ws).exits(0).steps(), Vec::<String>::new());
    }
}

#[test]
fn a_merge_that_drops_a_file_is_told_from_a_commit_that_removes_it() {
    for ws in each("dropped") {
        let (remote, [first, second]) = scene(&ws);
        // The merge takes the side of a branch that did not know the file.
        remote.git(&["checkout", "--quiet", "-b", "old", &first]);
        remote.write("manifests/tags.yaml", super::TAG);
        remote.git(&["add", "--all"]);
        remote.git(&["commit", "--quiet", "-m", "A tag"]);
        remote.git(&["merge", "--quiet", "-s", "ours", "-m", "Merge", "main"]);
        remote.git(&["push", "--quiet", "--force", "origin", "HEAD:main"]);
        let ran = plan(&ws).exits(0);
        let found = reverts(&ran, "steps");
        let of = |id: &str| {
            found
                .iter()
                .find(|it| it.0 == id)
                .expect("a step")
                .1
                .clone()
        };
        for id in ["u-1", "u-9"] {
            assert_eq!(of(id)[0]["revision"], second, "{id} {ran}");
            assert_eq!(of(id)[0]["contained"], true, "{id} {ran}");
        }
        // Somebody removes the user on purpose, whom an earlier commit added.
        remote.git(&["checkout", "--quiet", "-B", "main", &second]);
        remote.git(&["rm", "--quiet", NEW]);
        remote.push("Karin left");
        let ran = plan(&ws).exits(0);
        assert_eq!(reverts(&ran, "steps"), [("u-9".to_owned(), Value::Null)]);
    }
}

#[test]
fn what_a_guard_holds_names_the_commit_too() {
    for ws in each("heldback") {
        let remote = Remote::with(&people(""));
        configure(&ws, &remote.url(), "");
        apply(&ws).exits(0);
        let first = remote.head();
        remote.write(NEW, users(10..16, "acme", ""));
        let second = remote.push("Six people");
        apply(&ws).exits(0);
        remote.git(&["reset", "--quiet", "--hard", &first]);
        remote.git(&["push", "--quiet", "--force", "origin", "HEAD"]);
        let ran = plan(&ws).exits(3);
        let held = reverts(&ran, "held");
        assert_eq!(held.len(), 6, "{ran}");
        for (_, told) in held {
            assert_eq!(told[0]["revision"], second, "{ran}");
        }
        let text = go(&ws, &["plan", "--output", "text"]).exits(3).stdout;
        assert!(text.contains("\"Six people\", which"), "{text}");
    }
}

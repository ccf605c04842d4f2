//! What an apply held can be listed until it is decided, whichever way it was applied.

use crate::support::workspace::{Workspace, account, each, user};
use serde_json::Value;

/// One account with the users of these numbers.
fn people(numbers: impl Iterator<Item = usize>) -> String {
    let users = numbers.map(|n| user(&format!("u-{n}"), "acme", ""));
    account("acme", "") + &users.collect::<String>()
}

/// What `roster holds` lists.
fn listed(ws: &Workspace) -> Vec<Value> {
    let ran = ws.run(&["holds"]).exits(0);
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    document["items"].as_array().expect("a list").clone()
}

fn text(ws: &Workspace, arguments: &[&str]) -> String {
    let arguments = [arguments, &["--output", "text"]].concat();
    ws.run(&arguments).exits(0).stdout
}

/// A database in which an apply has held the removal of five users.
fn with_a_hold(ws: &Workspace) -> String {
    ws.tree(people(1..=40));
    ws.settle(&[]);
    ws.tree(people(6..=40));
    ws.apply(&[]).exits(3).hold("guard")
}

#[test]
fn a_hold_is_listed_until_it_is_applied() {
    for ws in each("holds listed") {
        ws.tree(people(1..=40));
        ws.settle(&[]);
        assert_eq!(listed(&ws), Vec::<Value>::new(), "{}", ws.engine);
        assert_eq!(text(&ws, &["holds"]), "Nothing is held.\n");
        ws.tree(people(6..=40));
        // A plan writes nothing, so it lists nothing.
        ws.plan(&[]).exits(3);
        assert_eq!(listed(&ws), Vec::<Value>::new(), "{}", ws.engine);
        let hold = ws.apply(&[]).exits(3).hold("guard");
        let first = listed(&ws);
        assert_eq!(first.len(), 1, "{}: {first:?}", ws.engine);
        assert_eq!(first[0]["id"], hold);
        assert_eq!(first[0]["source"], "directory");
        assert_eq!(first[0]["code"], "guard");
        assert_eq!(first[0]["count"], 5);
        assert_eq!(first[0]["accounts"], serde_json::json!(["acme"]));
        let shown = text(&ws, &["holds"]);
        assert!(shown.contains("deactivate 5 users"), "{shown}");
        assert!(shown.contains("waiting"), "{shown}");
        let full = text(&ws, &["holds", &hold]);
        assert!(full.contains("if approved: 5 users lose access"), "{full}");
        // The next apply holds it again, since the same time.
        ws.apply(&[]).exits(3);
        assert_eq!(listed(&ws), first, "{}", ws.engine);
        ws.approve(&hold);
        assert_eq!(listed(&ws)[0]["approval"]["by"], "tester");
        assert!(text(&ws, &["holds"]).contains("approved by tester"));
        ws.settle(&[]);
        assert_eq!(listed(&ws), Vec::<Value>::new(), "{}", ws.engine);
    }
}

#[test]
fn a_hold_is_gone_when_the_manifests_take_it_back() {
    for ws in each("holds taken back") {
        with_a_hold(&ws);
        ws.tree(people(1..=40));
        ws.settle(&[]);
        assert_eq!(listed(&ws), Vec::<Value>::new(), "{}", ws.engine);
    }
}

#[test]
fn an_apply_of_a_part_leaves_the_other_holds() {
    for ws in each("holds of a part") {
        let hold = with_a_hold(&ws);
        let tree = people(6..=40).replace("u-9@", "nine@");
        assert_ne!(tree, people(6..=40));
        ws.tree(tree);
        ws.apply(&["--target", "User/u-9"]).exits(0);
        let left = listed(&ws);
        assert_eq!(left.len(), 1, "{}: {left:?}", ws.engine);
        assert_eq!(left[0]["id"], hold);
        // What the part itself applies is no longer held.
        let part = ["--target", "User/u-1", "--target", "User/u-2"];
        let saved = ["--accept", "User.deactivate=2", "--out", "part.json"];
        ws.plan(&[&part[..], &saved].concat()).exits(0);
        ws.run(&["apply", "part.json"]).exits(0);
        assert_eq!(listed(&ws), left, "{}", ws.engine);
        ws.apply(&["--accept", "User.deactivate=3"]).exits(0);
        assert_eq!(listed(&ws), Vec::<Value>::new(), "{}", ws.engine);
        ws.plan(&["--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn saved_plans_list_what_they_hold() {
    for ws in each("holds saved") {
        ws.tree(people(1..=40));
        ws.settle(&[]);
        ws.tree(people(6..=40));
        let hold = ws.plan(&["--out", "plan.json"]).exits(3).hold("guard");
        ws.run(&["apply", "plan.json"]).exits(3);
        assert_eq!(listed(&ws)[0]["id"], hold, "{}", ws.engine);
        // The next saved plan is of the whole source and holds nothing.
        ws.tree(people(1..=40));
        ws.plan(&["--out", "plan.json"]).exits(0);
        ws.run(&["apply", "plan.json"]).exits(0);
        assert_eq!(listed(&ws), Vec::<Value>::new(), "{}", ws.engine);
    }
}

#[test]
fn imports_by_hand_list_what_they_hold() {
    for ws in each("holds imported") {
        let hold = with_a_hold(&ws);
        ws.write("gone.csv", "Account External Id,Deleted\nacme,TRUE\n");
        let import = ["import", "gone.csv", "--preset", "djust-accounts", "--yes"];
        let imported = ws.run(&import).exits(3).hold("deletes-not-allowed");
        let ids = |ws: &Workspace| {
            let all = listed(ws);
            let ids = all
                .iter()
                .map(|view| view["id"].as_str().map(str::to_owned));
            ids.collect::<Vec<_>>()
        };
        // The older one first: it waits longer.
        assert_eq!(
            ids(&ws),
            [Some(hold.clone()), Some(imported)],
            "{}",
            ws.engine
        );
        // Another export that no longer deletes the account takes the hold back.
        ws.write("gone.csv", "Account External Id,Deleted\nacme,FALSE\n");
        ws.run(&import).exits(0);
        assert_eq!(ids(&ws), [Some(hold)], "{}", ws.engine);
    }
}

#[test]
fn one_hold_is_shown_in_full() {
    for ws in each("holds in full") {
        let hold = with_a_hold(&ws);
        let shown = text(&ws, &["holds", &hold]);
        for part in [
            "resources: User/u-1, User/u-2",
            "accounts: acme",
            "to approve: ",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let wrong = ws.run(&["holds", "0000000000000000"]).exits(1);
        assert!(
            wrong.stderr.contains("no hold `0000000000000000`"),
            "{wrong}"
        );
    }
}

#[test]
fn a_large_hold_says_of_how_many_resources_the_accounts_are() {
    for ws in each("holds large") {
        let companies: String = (0..60).map(|n| account(&format!("a-{n:02}"), "")).collect();
        let people = |status: &str| {
            let all =
                (0..120).map(|n| user(&format!("u-{n:03}"), &format!("a-{:02}", n / 2), status));
            all.collect::<String>()
        };
        let keepers: String = (0..60)
            .map(|n| user(&format!("k-{n:02}"), &format!("a-{n:02}"), ""))
            .collect();
        ws.tree(companies.clone() + &people("") + &keepers);
        ws.settle(&[]);
        ws.tree(companies + &people("status: inactive") + &keepers);
        let hold = ws.apply(&[]).exits(3).hold("guard");
        let full = text(&ws, &["holds", &hold]);
        assert!(
            full.contains("accounts of the first 100: a-00, a-01"),
            "{full}"
        );
        // All fifty of these hundred users, not only those of the first twenty.
        assert!(full.contains("and 40 more"), "{full}");
    }
}

//! `roster get` prints what is stored: chosen by filters, as manifests, as a table, or as it changes.

use crate::support::workspace::{Workspace, account, each, run, user};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

fn tree() -> String {
    let mut tree = account("acme", "") + &account("beta", "");
    for (id, account, more) in [
        ("u-1", "acme", ""),
        ("u-2", "acme", ""),
        ("u-3", "acme", "status: inactive\n"),
        ("u-4", "beta", ""),
        ("u-5", "beta", "accounts: [acme, beta]\n"),
    ] {
        tree += &user(id, account, more);
    }
    tree
}

fn ids(ws: &Workspace, arguments: &[&str]) -> Vec<String> {
    let ran = ws.run(&[&["get"], arguments].concat()).exits(0);
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    let items = document["items"].as_array().expect("a list").clone();
    let id = |item: &Value| item["externalId"].as_str().expect("an id").to_owned();
    items.iter().map(id).collect()
}

fn text(ws: &Workspace, arguments: &[&str]) -> String {
    ws.run(&[&["get"], arguments].concat()).exits(0).stdout
}

#[test]
fn filters_choose_resources() {
    for ws in each("get filters") {
        ws.tree(tree());
        ws.settle(&[]);
        ws.sql("INSERT INTO tags (external_id, name) VALUES ('foreign', 'Foreign')");
        assert_eq!(
            ids(&ws, &["users", "--account", "acme"]),
            ["u-1", "u-2", "u-3", "u-5"]
        );
        assert_eq!(ids(&ws, &["users", "--status", "inactive"]), ["u-3"]);
        let active = ["users", "--status", "active", "--account", "acme"];
        assert_eq!(ids(&ws, &active), ["u-1", "u-2", "u-5"], "{}", ws.engine);
        assert_eq!(
            ids(&ws, &["accounts", "--source", "directory"]),
            ["acme", "beta"]
        );
        assert_eq!(ids(&ws, &["accounts", "--source", "elsewhere"]), [""; 0]);
        // What nobody claims is of no source.
        assert_eq!(ids(&ws, &["tags"]), ["foreign"]);
        assert_eq!(ids(&ws, &["tags", "--source", "directory"]), [""; 0]);
        let both = ["users", "--source", "directory", "--status", "inactive"];
        assert_eq!(ids(&ws, &both), ["u-3"]);
        for (arguments, why) in [
            (
                &["users", "--status", "deleted"][..],
                "no status `deleted`; use `active` or `inactive`",
            ),
            (
                &["addresses", "--status", "active"],
                "Address has no status",
            ),
            (
                &["user/u-1", "--account", "beta"],
                "leave them out for one resource",
            ),
            (
                &["stores", "--account", "acme"],
                "Store does not belong to accounts",
            ),
        ] {
            let ran = ws.run(&[&["get"], arguments].concat()).exits(64);
            assert!(ran.stderr.contains(why), "{ran}");
        }
        let ran = ws.run(&["get", "users", "--account", "acm"]).exits(1);
        assert!(ran.stderr.contains("acm"), "{ran}");
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources: [{name: directory, directory: manifests}]\n",
        );
        let ran = ws.run(&["get", "tags", "--source", "directroy"]).exits(64);
        assert!(ran.stderr.contains("did you mean `directory`?"), "{ran}");
    }
}

#[test]
fn manifests_that_were_printed_can_be_applied() {
    let mut printed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for ws in each("get yaml") {
        ws.copy("examples/company", "manifests");
        ws.apply(&[]).exits(0);
        let kinds = [
            "tags",
            "stores",
            "custom-fields",
            "addresses",
            "accounts",
            "organisations",
            "users",
            "policies",
            "settings",
        ];
        let show = |ws: &Workspace, kind: &'static str| {
            let kind = kind.replace('-', "");
            text(ws, &[&kind, "-o", "yaml"])
        };
        for kind in kinds {
            let text = show(&ws, kind);
            assert!(text.starts_with("kind: "), "{kind}: {text}");
            ws.write(&format!("again/{kind}.yaml"), &text);
            printed.entry(kind).or_default().push(text);
        }
        let database = format!("sqlite:{}", ws.path("again.db").display());
        let elsewhere = |arguments: &[&str]| {
            let mut command = ws.command(arguments);
            run(command.env("ROSTER_DATABASE", &database))
        };
        elsewhere(&["apply", "again", "--yes"]).exits(0);
        for kind in kinds {
            let name = kind.replace('-', "");
            let again = elsewhere(&["get", &name, "-o", "yaml"]).exits(0).stdout;
            assert_eq!(again, printed[kind][0], "{}: {kind}", ws.engine);
        }
        elsewhere(&["plan", "again", "--detailed-exitcode"]).exits(0);
    }
    for (kind, texts) in printed {
        assert!(texts.iter().all(|text| *text == texts[0]), "{kind}");
    }
}

#[test]
fn a_table_has_the_references_of_the_kind() {
    for ws in each("get table") {
        ws.tree(tree());
        ws.settle(&[]);
        let table = text(&ws, &["users", "-o", "table", "--account", "beta"]);
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|it| {
                it.split("  ")
                    .filter(|it| !it.is_empty())
                    .map(str::trim)
                    .collect()
            })
            .collect();
        assert_eq!(
            lines,
            [
                vec!["ID", "NAME", "STATUS", "ACCOUNTS"],
                vec!["u-4", "Karin Åslund", "active", "beta"],
                vec!["u-5", "Karin Åslund", "active", "acme, beta"],
            ],
            "{}: {table}",
            ws.engine
        );
        let one = text(&ws, &["user", "u-4", "--output", "table"]);
        assert_eq!(one.lines().count(), 2, "{one}");
    }
}

#[test]
fn forms_of_text_are_for_get_only() {
    let ws = each("get forms").swap_remove(0);
    let ran = ws.run(&["plan", "manifests", "--output", "yaml"]).exits(64);
    assert!(
        ran.stderr
            .contains("`--output yaml` is only for `roster get`"),
        "{ran}"
    );
    ws.tree(tree());
    ws.settle(&[]);
    // Wherever the option is.
    let ran = ws.run(&["--output", "yaml", "get", "tags"]).exits(0);
    assert_eq!(ran.stdout, "");
    let ran = ws.run(&["--output", "yaml", "get", "users"]).exits(0);
    assert!(ran.stdout.starts_with("kind: User\n"), "{ran}");
}

/// As Ctrl-C does.
fn stop(child: &Child) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &pid]).status();
    assert!(status.expect("kill").success());
}

#[test]
fn a_watcher_sees_changes_as_they_are_committed() {
    for ws in each("get watch") {
        ws.tree(tree());
        ws.settle(&[]);
        let watch = [
            "get",
            "users",
            "--account",
            "acme",
            "--watch",
            "-o",
            "ndjson",
        ];
        let mut command = ws.command(&watch);
        let mut watcher = command.stderr(Stdio::inherit()).spawn().expect("a watcher");
        let mut lines = BufReader::new(watcher.stdout.take().expect("a pipe")).lines();
        let mut next = || {
            let line = lines.next().expect("a line").expect("text");
            serde_json::from_str::<Value>(&line).expect("JSON")
        };
        for id in ["u-1", "u-2", "u-3", "u-5"] {
            assert_eq!(next()["externalId"], id, "{}", ws.engine);
        }
        // A user of another account changes, and nobody is told.
        let changed = tree()
            .replace("u-4@", "four@")
            .replace("u-2@", "two@")
            .replace("accounts: [acme, beta]", "accounts: [beta]");
        ws.tree(changed);
        ws.apply(&[]).exits(0);
        let (first, second) = (next(), next());
        assert_eq!(first["externalId"], "u-2", "{first}");
        assert_eq!(first["email"], "two@roster.example", "{first}");
        assert_eq!(second["externalId"], "u-5", "{second}");
        assert_eq!(second["gone"], "no longer matches", "{second}");
        stop(&watcher);
        assert_eq!(watcher.wait().expect("an end").code(), Some(0));
        assert!(lines.next().is_none(), "{}", ws.engine);
        let wrong = ws.run(&["get", "users", "--watch"]).exits(64);
        assert!(wrong.stderr.contains("use `--output ndjson`"), "{wrong}");
    }
}

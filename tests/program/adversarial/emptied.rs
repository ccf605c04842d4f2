//! Files that are cut while they are written.

use crate::support::workspace::{Workspace, account, each, sqlite, user, users};
use std::fs;

/// Accounts and most users in one file, two users in another.
fn settled(name: &str) -> Vec<Workspace> {
    let all = each(name);
    for ws in &all {
        ws.write(
            "manifests/a.yaml",
            account("acme", "") + &users(0..12, "acme", ""),
        );
        ws.write("manifests/b.yaml", two());
        ws.settle(&[]);
    }
    all
}

fn two() -> String {
    user("v-1", "acme", "") + &user("v-2", "acme", "")
}

fn active(ws: &Workspace) -> Option<String> {
    ws.value("SELECT count(*) FROM users WHERE status = 'active'")
}

#[test]
fn a_file_cut_to_nothing_hides_what_it_declared() {
    for ws in settled("emptied") {
        for nothing in ["", "\n \n", "\u{feff}", "# later\n", "---\n", "\0\0\0\0"] {
            ws.write("manifests/b.yaml", nothing);
            let ran = ws.apply(&[]).exits(0);
            assert_eq!(ran.steps(), Vec::<String>::new(), "{nothing:?}: {ran}");
            assert!(ran.codes("warning").contains("removals-off"), "{ran}");
            assert!(
                ran.stdout.contains(
                    "b.yaml is empty; it declared 2 resources. To remove them, delete b.yaml"
                ),
                "{ran}"
            );
            assert_eq!(active(&ws).as_deref(), Some("14"), "{}", ws.engine);
        }
        // What is written again was never gone.
        ws.write("manifests/b.yaml", two());
        ws.plan(&["--detailed-exitcode"]).exits(0);
        ws.write("manifests/b.yaml", "");
        ws.apply(&[]).exits(0);
        // Another file's removals wait too: what they declared may be moving into this one.
        ws.write(
            "manifests/a.yaml",
            account("acme", "") + &users(0..11, "acme", ""),
        );
        assert_eq!(ws.apply(&[]).exits(0).steps(), Vec::<String>::new());
        ws.remove("manifests/b.yaml");
        ws.apply(&[]).exits(0);
        assert_eq!(active(&ws).as_deref(), Some("11"), "{}", ws.engine);
        ws.plan(&["--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn an_empty_list_is_meant() {
    for ws in settled("meant") {
        ws.write("manifests/b.yaml", "users: []\n");
        ws.settle(&[]);
        assert_eq!(active(&ws).as_deref(), Some("12"), "{}", ws.engine);
    }
}

#[test]
fn an_empty_file_that_declared_nothing_hides_nothing() {
    for ws in settled("placeholder") {
        ws.write("manifests/empty.yaml", "");
        ws.write("manifests/c.yaml", two());
        ws.remove("manifests/b.yaml");
        ws.settle(&[]);
        // What moved is declared, so the file that it left hides nothing.
        ws.write("manifests/b.yaml", "");
        ws.settle(&[]);
        assert_eq!(active(&ws).as_deref(), Some("14"), "{}", ws.engine);
    }
}

#[test]
fn an_empty_folder_in_the_place_of_a_file_hides_what_it_declared() {
    for ws in settled("folder") {
        ws.remove("manifests/b.yaml");
        fs::create_dir(ws.path("manifests/b.yaml")).expect("a folder");
        let ran = ws.apply(&[]).exits(0);
        assert!(ran.codes("warning").contains("removals-off"), "{ran}");
        assert_eq!(active(&ws).as_deref(), Some("14"), "{}", ws.engine);
        ws.remove("manifests/b.yaml");
        ws.settle(&[]);
        assert_eq!(active(&ws).as_deref(), Some("12"), "{}", ws.engine);
    }
}

#[test]
fn a_file_that_ends_in_nul_is_not_read_half() {
    for ws in settled("nul") {
        ws.write("manifests/b.yaml", user("v-1", "acme", "") + "\0\0\0");
        let ran = ws.apply(&[]).exits(1);
        assert!(ran.codes("error").contains("yaml-syntax"), "{ran}");
        assert_eq!(active(&ws).as_deref(), Some("14"), "{}", ws.engine);
    }
}

#[test]
fn what_another_source_drops_waits_for_a_file_that_is_empty() {
    for ws in each("emptied peer") {
        let config = "apiVersion: roster/v1\nsources:\n  - {name: a, directory: a}\n  - {name: b, directory: b}\n";
        ws.write("roster.yaml", config);
        ws.write(
            "a/a.yaml",
            account("acme", "") + &users(0..12, "acme", "") + &user("v-1", "acme", ""),
        );
        ws.write("b/b.yaml", user("v-1", "acme", ""));
        ws.write("b/t.yaml", "tags: [{externalId: gold, name: Gold}]\n");
        ws.run(&["apply", "--yes"]).exits(0);
        ws.write("a/a.yaml", account("acme", "") + &users(0..12, "acme", ""));
        for rest in ["tags: [{externalId: gold, name: Gold}]\n", ""] {
            ws.write("b/b.yaml", "");
            ws.write("b/t.yaml", rest);
            ws.run(&["apply", "--yes"]);
            assert_eq!(active(&ws).as_deref(), Some("13"), "{} {rest}", ws.engine);
        }
    }
}

#[test]
fn what_another_source_drops_waits_for_a_source_that_lost_everything() {
    for ws in each("emptied root") {
        let config = "apiVersion: roster/v1\nsources:\n  - {name: a, directory: a}\n  - {name: b, directory: b}\n";
        ws.write("roster.yaml", config);
        let rest = account("acme", "") + &users(0..12, "acme", "");
        ws.write("a/a.yaml", rest.clone() + &user("v-1", "acme", ""));
        ws.write("b/b.yaml", users(20..23, "acme", ""));
        ws.run(&["apply", "--yes"]).exits(0);
        // The user moves to a folder that is not mounted.
        ws.write("a/a.yaml", rest);
        ws.remove("b/b.yaml");
        for _ in 0..2 {
            let ran = ws.run(&["apply", "--yes"]).exits(3);
            assert!(ran.codes("warning").contains("removals-off"), "{ran}");
            assert_eq!(active(&ws).as_deref(), Some("16"), "{}", ws.engine);
        }
        ws.write(
            "b/b.yaml",
            users(20..23, "acme", "") + &user("v-1", "acme", ""),
        );
        ws.run(&["apply", "--yes"]).exits(0);
        assert!(ws.run(&["plan"]).exits(0).steps().is_empty());
        assert_eq!(active(&ws).as_deref(), Some("16"), "{}", ws.engine);
    }
}

#[test]
fn an_empty_document_does_not_reset_every_acceptance() {
    let ws = sqlite();
    ws.write("manifests/terms.pdf", "terms");
    ws.tree("kind: Terms\nexternalId: t\ntitle: Terms\nfile: terms.pdf\n");
    ws.settle(&[]);
    ws.write("manifests/terms.pdf", "");
    let ran = ws.apply(&[]).exits(1);
    assert!(ran.stdout.contains("it is empty"), "{ran}");
}

#[test]
fn a_source_with_too_many_errors_takes_nobody_away() {
    for ws in settled("too_many") {
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources: [{name: directory, directory: manifests, onError: hold}]\n",
        );
        ws.apply(&[]).exits(0);
        let twice = "- {externalId: v-1}\n".repeat(100_100);
        ws.write("manifests/b.yaml", format!("users:\n{twice}"));
        ws.remove("manifests/a.yaml");
        let ran = ws.apply(&[]);
        assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
        let why = "more than 100,000 errors; nothing of this source is used";
        assert!(ran.stdout.contains(why), "{ran}");
        assert_eq!(active(&ws).as_deref(), Some("14"), "{}", ws.engine);
    }
}

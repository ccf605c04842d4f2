//! A directory that is watched.

use super::api::until;
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, account, each, sqlite, user};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::symlink;

fn people() -> String {
    let more = "groups: [FOC_User, FOC_Webmaster]";
    let users = (1..=12).map(|n| user(&format!("u-{n}"), "acme", more));
    account("acme", "") + &users.collect::<String>()
}

fn value(ws: &Workspace, column: &str, id: &str) -> Option<String> {
    ws.value(&format!(
        "SELECT {column} FROM users WHERE external_id = '{id}'"
    ))
}

#[test]
fn a_change_is_applied_a_mistake_changes_nothing_and_its_repair_recovers() {
    for ws in each("served") {
        ws.tree(people());
        let mut served = DaemonProcess::start(&ws, "");
        served.says(&["created 14", "run 1"]);

        ws.tree(people().replacen("Karin", "Britta", 1));
        served.says(&["updated 1", "run 2"]);
        assert_eq!(value(&ws, "first_name", "u-1").as_deref(), Some("Britta"));

        ws.write("manifests/worse.yaml", "users:\n  - {externalId: [\n");
        let told = served.says(&["1 error, the affected resources", "worse.yaml:2:"]);
        assert!(told.contains("yaml-syntax"), "{told}");
        assert_eq!(ws.value("SELECT count(*) FROM runs").as_deref(), Some("2"));

        ws.write(
            "manifests/worse.yaml",
            "tags:\n  - {externalId: gold, name: Gold}\n",
        );
        served.says(&["created 1", "run 3"]);
        served.ends();
        ws.plan(&["--detailed-exitcode", "--config", "roster.yaml"])
            .exits(0);
    }
}

#[test]
fn what_others_change_is_repaired_and_access_stays_taken_away() {
    for ws in each("repaired") {
        ws.tree(people());
        let mut served = DaemonProcess::start(&ws, "");
        served.says(&["created 14"]);

        ws.sql("UPDATE users SET first_name = 'Hand' WHERE external_id = 'u-2'");
        served.signal(Signal::SIGHUP);
        served.says(&["updated 1", "run 2"]);
        assert_eq!(value(&ws, "first_name", "u-2").as_deref(), Some("Karin"));
        let history = ws
            .run(&["history", "User", "u-2", "--output", "text"])
            .exits(0);
        assert!(history.stdout.contains("(drift)"), "{history}");

        ws.sql("UPDATE users SET status = 'inactive' WHERE external_id = 'u-3'");
        served.signal(Signal::SIGHUP);
        served.says(&["1 hold needs"]);
        for _ in 0..10 {
            served.signal(Signal::SIGHUP);
            served.says(&["configuration reloaded"]);
        }
        served.ends();
        assert_eq!(value(&ws, "status", "u-3").as_deref(), Some("inactive"));
        assert_eq!(ws.value("SELECT count(*) FROM runs").as_deref(), Some("2"));
    }
}

#[test]
fn a_reverted_run_stays_reverted_until_the_files_change() {
    for ws in each("served revert") {
        ws.tree(people());
        let mut served = DaemonProcess::start(&ws, "");
        served.says(&["created 14", "run 1"]);
        ws.tree(people().replacen("Karin", "Britta", 1));
        served.says(&["updated 1", "run 2"]);

        ws.run(&["revert", "2", "--yes"]).exits(0);
        for _ in 0..3 {
            served.signal(Signal::SIGHUP);
            served.says(&["configuration reloaded"]);
        }
        // Something else changes. Another run in between would take its number.
        ws.write(
            "manifests/tags.yaml",
            "tags: [{externalId: gold, name: Gold}]\n",
        );
        served.says(&["created 1", "updated 1", "run 4"]);
        served.ends();
        let third = ws.value("SELECT outcome FROM runs WHERE id = 3");
        assert_eq!(third.as_deref(), Some("reverted run 2"));
        assert_eq!(value(&ws, "first_name", "u-1").as_deref(), Some("Britta"));
    }
}

#[test]
fn an_emptied_directory_takes_nothing_away() {
    let ws = sqlite();
    ws.tree(people());
    let mut served = DaemonProcess::start(&ws, "");
    served.says(&["created 14"]);
    ws.tree("");
    served.says(&["needs a decision"]);
    served.ends();
    let active = "SELECT count(*) FROM users WHERE status = 'active'";
    assert_eq!(ws.value(active).as_deref(), Some("12"));
}

#[test]
fn a_file_that_is_cut_while_it_is_written_takes_nobody_away() {
    for ws in each("cut") {
        ws.tree(people());
        let more = user("v-1", "acme", "") + &user("v-2", "acme", "");
        ws.write("manifests/more.yaml", &more);
        let mut served = DaemonProcess::start(&ws, "");
        served.says(&["created 16"]);
        // Longer than any debounce: whoever writes it takes a pause.
        ws.write("manifests/more.yaml", "");
        served.says(&["more.yaml is empty; it declared 2 resources"]);
        ws.write("manifests/more.yaml", more.replacen("Karin", "Britta", 1));
        served.says(&["updated 1", "run 2"]);
        served.ends();
        let changes = "SELECT count(*) FROM changes WHERE verb = 'deactivate'";
        assert_eq!(ws.value(changes).as_deref(), Some("0"));
        assert_eq!(value(&ws, "status", "v-2").as_deref(), Some("active"));
    }
}

#[test]
fn many_sources_that_begin_at_once_do_not_each_read_all_of_them_and_lose_no_change() {
    const SOURCES: usize = 25;
    for ws in each("many") {
        // Each source has an account, and the user of its own or of another one.
        let write = |first: &str, next: usize| {
            for n in 0..SOURCES {
                let of = (n + next) % SOURCES;
                let people = account(&format!("a-{n}"), "")
                    + &user(&format!("u-{of}"), &format!("a-{of}"), "").replace("Karin", first);
                ws.write(&format!("s{n}/all.yaml"), people);
            }
        };
        let all_are = |first: &str| {
            until(first, || {
                let left = ws.value(&format!(
                    "SELECT {SOURCES} - count(*) FROM users WHERE first_name = '{first}'"
                ));
                (left.as_deref() == Some("0")).then_some(())
            });
        };
        write("Karin", 0);
        let sources = (0..SOURCES).map(|n| format!("  - {{name: s{n}, directory: s{n}}}\n"));
        let sources: String = sources.collect();
        ws.write(
            "roster.yaml",
            format!("apiVersion: roster/v1\nsources:\n{sources}serve: {{listen: '127.0.0.1:0'}}\n"),
        );
        let mut served = DaemonProcess::on(&ws, &["--verbose"]);
        for _ in 0..SOURCES / 3 {
            served.says(&["source s", "created 3"]);
        }
        let read = served.said();
        let whole = read.matches("reading the sources took").count();
        assert!(whole <= SOURCES / 5, "{whole} times everything:\n{read}");
        write("Britta", 0);
        all_are("Britta");
        write("Anna", 1);
        all_are("Anna");
        let gone = "SELECT count(*) FROM changes WHERE verb = 'deactivate'";
        assert_eq!(ws.value(gone).as_deref(), Some("0"), "{}", served.said());
        served.ends();
        ws.run(&["plan", "--detailed-exitcode", "--config", "roster.yaml"])
            .exits(0);
    }
}

#[test]
fn a_directory_that_is_not_there_is_said_and_found_again() {
    let ws = sqlite();
    let mut served = DaemonProcess::start(&ws, ", interval: 1s");
    served.says(&["source-unreadable"]);
    ws.tree(people());
    served.says(&["created 14"]);
    served.ends();
}

#[test]
fn a_configuration_that_does_not_hold_is_refused_and_the_old_one_stays() {
    let ws = sqlite();
    ws.tree(people());
    let mut served = DaemonProcess::start(&ws, "");
    served.says(&["created 14"]);
    ws.write("roster.yaml", "apiVersion: roster/v1\nsourcez: []\n");
    served.signal(Signal::SIGHUP);
    served.says(&[
        "the configuration could not be reloaded",
        "roster.yaml",
        "sourcez",
    ]);
    ws.tree(people().replacen("Karin", "Britta", 1));
    served.says(&["updated 1"]);
    served.ends();
}

#[test]
fn two_daemons_on_one_database_do_not_get_in_each_others_way() {
    for ws in each("replicas") {
        ws.tree(people());
        let mut first = DaemonProcess::start(&ws, "");
        first.says(&["created 14"]);
        let second = DaemonProcess::on(&ws, &[]);
        for n in 1..=5 {
            ws.tree(people().replacen("Karin", &format!("Karin {n}"), 1));
            let run = format!("run {}", n + 1);
            let runs = || ws.value("SELECT max(id) FROM runs");
            while runs().as_deref() != Some(&*(n + 1).to_string()) {
                std::thread::yield_now();
            }
            assert_eq!(
                value(&ws, "first_name", "u-1").as_deref(),
                Some(&*format!("Karin {n}")),
                "{run}"
            );
        }
        first.ends();
        second.ends();
        assert_eq!(ws.value("SELECT count(*) FROM runs").as_deref(), Some("6"));
        let verified = ws
            .run(&["history", "--verify", "--output", "text"])
            .exits(0);
        assert!(verified.stdout.contains("6 runs"), "{verified}");
    }
}

#[test]
fn a_tree_that_is_sent_is_planned_as_it_is_here() {
    let ws = sqlite();
    ws.write("manifests/a.yaml", people());
    ws.write("manifests/.shared/v.yaml", user("v-1", "acme", ""));
    ws.write("manifests/terms.txt", "terms");
    symlink(".shared/v.yaml", ws.path("manifests/v.yaml")).expect("a link");
    let mut served = DaemonProcess::start(&ws, "");
    let remote = format!("http://{}", served.address());
    served.says(&["created 15"]);
    let both = || {
        let mut local = ws.run(&["plan", "--config", "roster.yaml"]);
        let mut sent = ws.run(&["plan", "manifests", "--remote", &remote]);
        for ran in [&mut local, &mut sent] {
            ran.stdout = ran.stdout.replace("cannot be read: ", "");
        }
        assert_eq!(
            (sent.steps(), sent.findings()),
            (local.steps(), local.findings()),
            "{local}\n{sent}"
        );
        assert_eq!(sent.code, local.code, "{local}\n{sent}");
        sent
    };
    // A link within the root is followed, also to what hides, by a path of its own or a whole one.
    assert_eq!(both().exits(0).steps(), Vec::<String>::new());
    fs::remove_file(ws.path("manifests/v.yaml")).expect("removed");
    let whole = ws
        .path("manifests/.shared/v.yaml")
        .canonicalize()
        .expect("a path");
    symlink(&whole, ws.path("manifests/v.yaml")).expect("a link");
    assert_eq!(both().exits(0).steps(), Vec::<String>::new());
    // What a folder would report is reported.
    symlink("/etc/passwd", ws.path("manifests/w.yaml")).expect("a link");
    assert!(both().exits(1).codes("error").contains("path-escape"));
    fs::remove_file(ws.path("manifests/w.yaml")).expect("removed");
    symlink("nowhere.yaml", ws.path("manifests/w.yaml")).expect("a link");
    assert!(both().exits(1).codes("error").contains("source-unreadable"));
    fs::remove_file(ws.path("manifests/w.yaml")).expect("removed");
    nix::unistd::mkfifo(&ws.path("manifests/w.yaml"), nix::sys::stat::Mode::S_IRWXU)
        .expect("a pipe");
    assert!(both().exits(1).codes("error").contains("source-unreadable"));
    ws.write("manifests/.rosterignore", "w.yaml\n");
    assert_eq!(both().exits(0).steps(), Vec::<String>::new());
    ws.write("manifests/roster.yaml", "apiVersion: roster/v1\n");
    assert!(both().codes("note").contains("config-ignored"));
    served.ends();
}

#[test]
fn the_scopes_of_the_daemon_hold_for_what_it_reads_and_for_trees_that_are_sent() {
    for ws in each("scopes") {
        let config = |scopes: &str| {
            ws.write(
                "roster.yaml",
                format!(
                    "apiVersion: roster/v1\n{scopes}sources: [{{name: shop, directory: manifests}}]\nserve: {{listen: '127.0.0.1:0'}}\n"
                ),
            );
        };
        config("scopes: [{path: 'accounts/{account}/**'}]\n");
        let both = user("u-both", "acme", "accounts: [acme, globex]");
        for id in ["acme", "globex"] {
            let own = account(id, "") + &user(&format!("u-{id}"), id, "");
            ws.write(&format!("manifests/accounts/{id}/a.yaml"), own);
        }
        ws.write("manifests/both.yaml", &both);
        let mut served = DaemonProcess::on(&ws, &[]);
        let remote = format!("http://{}", served.address());
        served.says(&["created 7", "run 1"]);
        // Somebody who may plan sends a tree with another folder in it, and a configuration.
        for folder in ["acme", "globex"] {
            let own = account(folder, "") + &user(&format!("u-{folder}"), folder, "");
            ws.write(&format!("sent/accounts/{folder}/a.yaml"), own);
        }
        ws.write(
            "sent/accounts/acme/b.yaml",
            "kind: User\nexternalId: u-both\nfirstName: Mallory\n",
        );
        ws.write("sent/roster.yaml", "apiVersion: roster/v1\n");
        let sent = ws.run(&["plan", "sent", "--remote", &remote]).exits(1);
        assert!(sent.codes("error").contains("scope"), "{sent}");
        // The daemon holds what is wrong and applies the rest.
        ws.remove("manifests/both.yaml");
        ws.write(
            "manifests/accounts/acme/both.yaml",
            both.replace("Karin", "Mallory"),
        );
        ws.write(
            "manifests/tag.yaml",
            "tags: [{externalId: gold, name: Gold}]\n",
        );
        let said = served.says(&["created 1", "run 2"]);
        assert!(said.contains("scope"), "{}: {said}", ws.engine);
        assert_eq!(value(&ws, "first_name", "u-both").as_deref(), Some("Karin"));
        // Without the scopes it goes on, and a reload with them judges what was applied.
        config("");
        served.signal(Signal::SIGHUP);
        served.says(&["updated 1", "run 3"]);
        config("scopes: [{path: 'accounts/{account}/**'}]\n");
        served.signal(Signal::SIGHUP);
        served.says(&["1 error, the affected resources", "scope"]);
        served.ends();
    }
}

#[test]
fn a_plan_that_takes_too_long_ends_and_gives_its_place_back() {
    let ws = sqlite();
    ws.write("manifests/a.yaml", people());
    ws.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources: [{name: shop, directory: manifests}]\n\
         serve: {listen: '127.0.0.1:0', limits: {plan: 1s}}\n",
    );
    let mut served = DaemonProcess::on(&ws, &[]);
    let remote = format!("http://{}", served.address());
    served.says(&["created 14"]);
    let many = (0..20_000).map(|n| user(&format!("m-{n}"), "acme", ""));
    ws.write("large/a.yaml", people());
    ws.write("large/many.yaml", many.collect::<String>());
    let plan = |folder: &str| ws.run(&["plan", folder, "--remote", &remote]);
    for _ in 0..5 {
        let ran = plan("large").exits(1);
        let said = "refused (timeout): The request took too long: the plan took longer than the 1 s of `serve.limits.plan`";
        assert!(ran.stderr.contains(said), "{ran}");
    }
    assert_eq!(plan("manifests").exits(0).steps(), Vec::<String>::new());
    served.ends();
}

#[test]
fn a_daemon_goes_on_where_an_apply_by_hand_ended_and_says_why_it_reads_everything() {
    for ws in each("goes-on") {
        ws.tree(people());
        ws.write(
            "manifests/more.yaml",
            "tags: [{externalId: gold, name: Gold}]\n",
        );
        let config = "apiVersion: roster/v1\nsources: [{name: directory, directory: manifests}]\n\
                      serve: {listen: '127.0.0.1:0'}\n";
        ws.write("roster.yaml", config);
        let first = ws
            .run(&["apply", "--yes", "--config", "roster.yaml", "-v"])
            .exits(0);
        let why = "reading everything: it was never applied whole";
        assert!(first.stderr.contains(why), "{first}");
        for _ in 0..2 {
            let mut served = DaemonProcess::on(&ws, &["-v"]);
            served.says(&["read 0 of 2 files"]);
            ws.write(
                "manifests/more.yaml",
                "tags: [{externalId: gold, name: Golden}]\n",
            );
            let read = served.says(&["read 1 of 2 files"]);
            assert!(!served.said().contains("reading everything"), "{read}");
            served.says(&["run"]);
            ws.write(
                "manifests/more.yaml",
                "tags: [{externalId: gold, name: Gold}]\n",
            );
            served.says(&["read 1 of 2 files"]);
            served.says(&["run"]);
            served.ends();
        }
        let scrubbed = ws.run(&["plan", "--config", "roster.yaml", "--scrub", "-v"]);
        let compared = "with what was applied; 0 changed without a trace";
        assert!(scrubbed.stderr.contains(compared), "{scrubbed}");
        assert!(
            !scrubbed.stderr.contains("reading everything"),
            "{scrubbed}"
        );
    }
}

//! Remotes that stop answering: what is done from the commit fetched last, and what is not.

use super::api::{Api, serve, token, until};
use crate::support::daemon_process::DaemonProcess;
use crate::support::git_http::Server;
use crate::support::git_remote::Remote;
use crate::support::workspace::{LIMIT, Workspace, account, each, user};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::thread;

pub const TOKEN: &str = "ghs_t0ken";

pub fn people(name: &str) -> String {
    let more = format!("firstName: {name}\ngroups: [FOC_User, FOC_Webmaster]");
    account("acme", "") + &user("u-1", "acme", &more)
}

/// Starts a daemon with a mirror of its own, as on a machine of its own.
fn start(ws: &Workspace, name: &str, git: &str) -> DaemonProcess {
    let config = format!(
        "apiVersion: roster/v1\ncache: mirror-{name}\nsources:\n  - name: shop\n    git: {{{git}, path: manifests, ref: main}}\n    \
         interval: 1s\nserve: {{listen: '127.0.0.1:0'}}\n"
    );
    ws.write(&format!("{name}.yaml"), config);
    let config = format!("{name}.yaml");
    DaemonProcess::run(ws.command(&["serve", "--config", &config]))
}

fn web(remote: &Remote) -> (Server, String) {
    let root = remote.bare().parent().expect("a folder").to_owned();
    let server = Server::start(root, TOKEN);
    let git = format!("url: '{}', auth: {TOKEN}, timeout: 2s", server.url());
    (server, git)
}

fn becomes(ws: &Workspace, name: &str) {
    until(name, || {
        let found = ws.value("SELECT first_name FROM users");
        (found.as_deref() == Some(name)).then_some(())
    });
}

#[test]
fn what_others_changed_is_repaired_while_the_remote_hangs() {
    for ws in each("hangs") {
        let remote = Remote::with(&people("Karin"));
        let (server, git) = web(&remote);
        let mut served = start(&ws, "one", &git);
        served.says(&["created 3", "run 1"]);
        server.silent.store(true, Ordering::SeqCst);
        ws.sql("UPDATE users SET first_name = 'Hand'");
        becomes(&ws, "Karin");
        served.says(&["did not answer within 2 s; the last fetched version stays in use"]);
        server.silent.store(false, Ordering::SeqCst);
        served.says(&["the database matches the source"]);
        served.ends();
    }
}

#[test]
fn a_plan_of_a_revision_whose_remote_hangs_keeps_no_source_waiting() {
    for ws in each("planned") {
        let remote = Remote::with(&people("Karin"));
        let root = remote.bare().parent().expect("a folder").to_owned();
        let server = Server::start(root, TOKEN);
        ws.write("crm/all.yaml", user("c-1", "acme", "firstName: Karin"));
        let ci = token(&ws, "ci", "planner", &[]);
        ws.write(
            "roster.yaml",
            format!(
                "apiVersion: roster/v1\nsources:\n  - name: shop\n    git: {{url: '{}', auth: {TOKEN}, \
                 timeout: 20s, path: manifests, ref: main}}\n    interval: 1h\n  \
                 - {{name: crm, directory: crm, interval: 1h}}\n{}",
                server.url(),
                serve("")
            ),
        );
        let mut served = DaemonProcess::on(&ws, &[]);
        let address = served.address();
        served.says(&["source shop: created 3"]);
        let called = |name: &str| {
            let sql = format!(
                "SELECT count(*) FROM users WHERE external_id = 'c-1' AND first_name = '{name}'"
            );
            until(name, || {
                (ws.value(&sql).as_deref() == Some("1")).then_some(())
            });
        };
        called("Karin");

        server.silent.store(true, Ordering::SeqCst);
        let planned = thread::spawn(move || {
            let wanted = json!({"source": "shop", "revision": "main"});
            Api::new(&address, &ci).post("/api/v1/plan", &wanted)
        });
        let fetch = server.waiting.recv_timeout(LIMIT).expect("a fetch");
        ws.write("crm/all.yaml", user("c-1", "acme", "firstName: Britta"));
        called("Britta");
        assert!(!planned.is_finished(), "the remote answered");
        drop(fetch);
        let (status, answer) = planned.join().expect("an answer");
        assert_eq!(status, 503, "{answer}");
        served.ends();
    }
}

#[test]
fn a_replica_whose_remote_is_gone_does_not_bring_an_older_commit_back() {
    for ws in each("older") {
        let remote = Remote::with(&people("Karin"));
        let (server, git) = web(&remote);
        ws.run(&["migrate"]).exits(0);
        let mut first = start(&ws, "first", &git);
        let api = Api {
            address: first.address(),
            token: None,
        };
        first.says(&["created 3", "run 1"]);

        server.silent.store(true, Ordering::SeqCst);
        first.says(&["did not answer within 2 s; the last fetched version stays in use"]);
        remote.write("manifests/all.yaml", people("Britta"));
        let later = remote.push("later");
        let second = start(&ws, "second", &format!("url: '{}'", remote.url()));
        becomes(&ws, "Britta");
        second.ends();

        // Also what somebody changes by hand is left: what it was before is not known here.
        ws.sql("UPDATE users SET first_name = 'Hand'");
        let why = "another commit was applied since then, so nothing was applied";
        first.says(&[why]);
        let view = api.once("/api/v1/sources/shop", |view| {
            view["why"].as_str().is_some_and(|it| it.contains(why))
        });
        assert_eq!(view["state"]["outcome"], "failed", "{view}");
        assert_eq!(view["state"]["lastAttempted"]["revision"], later, "{view}");
        let found = ws.value("SELECT first_name FROM users");
        assert_eq!(found.as_deref(), Some("Hand"));

        server.silent.store(false, Ordering::SeqCst);
        first.says(&["updated 1"]);
        becomes(&ws, "Britta");
        first.ends();
        ws.run(&["history", "--verify"]).exits(0);
    }
}

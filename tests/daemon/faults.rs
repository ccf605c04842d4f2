//! What goes wrong around a daemon, and that it goes on by itself.

use super::api::{Api, Pager, serve, token};
use crate::support::cluster::Cluster;
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, account, each, sqlite, user};
use nix::sys::signal::Signal;
use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

fn people(name: &str) -> String {
    let more = format!("firstName: {name}\ngroups: [FOC_User, FOC_Webmaster]");
    account("acme", "") + &user("u-1", "acme", &more)
}

fn first_name(ws: &Workspace) -> Option<String> {
    ws.value("SELECT first_name FROM users")
}

/// The API of a daemon that everybody may read.
fn reader(served: &mut DaemonProcess) -> Api {
    Api {
        address: served.address(),
        token: None,
    }
}

fn configure(ws: &Workspace, source: &str) {
    ws.write(
        "roster.yaml",
        format!("apiVersion: roster/v1\nsources:\n  - {{name: shop, {source}}}\nserve: {{listen: '127.0.0.1:0'}}\n"),
    );
}

#[test]
fn a_database_that_goes_away_is_said_and_found_again() {
    let Some(mut cluster) = Cluster::new() else {
        return;
    };
    let ws = Workspace::on("postgres", cluster.url());
    ws.tree(people("Karin"));
    configure(&ws, "directory: manifests, interval: 1s");
    let mut served = DaemonProcess::on(&ws, &[]);
    let api = reader(&mut served);
    served.says(&["created 3", "run 1"]);
    assert_eq!(api.get("/readyz").0, 200);

    cluster.stop(false);
    ws.tree(people("Britta"));
    served.says(&["cannot", "refused"]);
    assert_eq!(api.get("/healthz").0, 200);
    assert_eq!(api.get("/readyz").0, 503);
    cluster.start();
    served.says(&["updated 1", "run 2"]);
    assert_eq!(first_name(&ws).as_deref(), Some("Britta"));
    ws.run(&["history", "--verify"]).exits(0);
    assert_eq!(api.get("/readyz").0, 200);
    served.ends();
}

#[test]
fn a_daemon_waits_for_its_database_and_may_be_ended_meanwhile() {
    let Some(mut cluster) = Cluster::new() else {
        return;
    };
    let ws = Workspace::on("postgres", cluster.url());
    ws.tree(people("Karin"));
    configure(&ws, "directory: manifests");
    cluster.stop(true);
    let mut served = DaemonProcess::on(&ws, &[]);
    served.says(&["retrying"]);
    served.ends();
    let mut served = DaemonProcess::on(&ws, &[]);
    served.says(&["retrying"]);
    cluster.start();
    served.says(&["created 3", "run 1"]);
    served.ends();
}

#[test]
fn a_standby_that_is_promoted_is_found() {
    let Some(mut primary) = Cluster::new() else {
        return;
    };
    let standby = Cluster::following(&primary);
    let (first, second) = (primary.port, standby.port);
    let both = format!("postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/postgres");
    let ws = Workspace::on("postgres", both);
    ws.tree(people("Karin"));
    configure(&ws, "directory: manifests, interval: 1s");
    let mut served = DaemonProcess::on(&ws, &[]);
    served.says(&["created 3", "run 1"]);

    primary.stop(true);
    standby.promote();
    ws.tree(people("Britta"));
    served.says(&["updated 1", "run 2"]);
    served.ends();
    let after = Workspace::on("postgres", standby.url());
    assert_eq!(first_name(&after).as_deref(), Some("Britta"));
    after.run(&["history", "--verify"]).exits(0);
}

#[test]
fn a_locked_file_is_waited_for_and_a_kill_in_the_middle_leaves_nothing_half_done() {
    let ws = sqlite();
    ws.tree(people("Karin"));
    configure(&ws, "directory: manifests");
    let mut served = DaemonProcess::on(&ws, &[]);
    let api = reader(&mut served);
    served.says(&["created 3", "run 1"]);

    let path = ws.url.trim_start_matches("sqlite:").to_owned();
    let locked = rusqlite::Connection::open(path).expect("the file");
    locked.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    ws.tree(people("Britta"));
    api.once("/api/v1/sources/shop", |view| {
        view["activity"]["now"] == "working"
    });
    assert_eq!(first_name(&ws).as_deref(), Some("Karin"));
    locked.execute_batch("COMMIT").expect("unlocked");
    served.says(&["updated 1", "run 2"]);

    locked.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    ws.tree(people("Disa"));
    api.once("/api/v1/sources/shop", |view| {
        view["activity"]["now"] == "working"
    });
    served.signal(Signal::SIGKILL);
    drop(served);
    assert_eq!(first_name(&ws).as_deref(), Some("Britta"));
    locked.execute_batch("COMMIT").expect("unlocked");
    let mut served = DaemonProcess::on(&ws, &[]);
    served.says(&["updated 1", "run 3"]);
    ws.run(&["history", "--verify"]).exits(0);
    served.ends();
}

#[test]
fn a_remote_that_hangs_keeps_nobody_from_leaving() {
    let ws = sqlite();
    // Takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/shop.git", silent.local_addr().expect("one"));
    configure(&ws, &format!("git: {{url: '{url}'}}"));
    let mut served = DaemonProcess::on(&ws, &[]);
    served.address();
    let (_connection, _) = silent.accept().expect("git asks");
    let begin = Instant::now();
    served.signal(Signal::SIGHUP);
    served.says(&["configuration reloaded"]);
    served.ends();
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_directory_that_appears_or_is_replaced_by_another_is_watched() {
    for ws in each("replaced") {
        configure(&ws, "directory: manifests");
        let mut served = DaemonProcess::on(&ws, &[]);
        served.says(&["cannot watch", "it does not exist"]);
        ws.tree(people("Karin"));
        served.says(&["created 3", "run 1"]);

        ws.write("next/all.yaml", people("Britta"));
        fs::rename(ws.path("manifests"), ws.path("old")).expect("moved");
        fs::rename(ws.path("next"), ws.path("manifests")).expect("moved");
        served.says(&["updated 1", "run 2"]);
        ws.tree(people("Disa"));
        served.says(&["updated 1", "run 3"]);
        served.ends();
    }
}

#[test]
fn a_notice_arrives_once_after_its_receiver_has_come_back() {
    let ws = sqlite();
    token(&ws, "eva", "administrator", &[]);
    ws.tree(people("Karin"));
    // Nobody listens there any more.
    let port = Pager::free();
    let notices = format!(
        ", notices: [{{name: pager, webhook: 'http://127.0.0.1:{port}/', on: [applied, failed, recovered]}}]"
    );
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: shop, directory: manifests, interval: 1s}}\n{}",
            serve(&notices)
        ),
    );
    let mut served = DaemonProcess::on(&ws, &[]);
    served.says(&["created 3", "run 1"]);
    served.says(&["notice to pager failed", "retrying in"]);
    // Not forgotten over a restart.
    served.ends();
    let pager = Pager::on(port);
    let mut served = DaemonProcess::on(&ws, &[]);
    served.says(&["notice sent to pager: shop applied"]);
    assert_eq!(pager.told("applied")["source"], "shop");
    ws.write("manifests/worse.yaml", "users:\n  - {externalId: [\n");
    pager.told("failed");
    ws.remove("manifests/worse.yaml");
    pager.told("recovered");
    assert_eq!(pager.rest(), Vec::<serde_json::Value>::new());
    served.ends();
}

//! A disk that is full, under the database and under the mirror of a repository: what is said, what
//! stays, and that it goes on by itself when there is room again.

use super::api::{Api, until};
use crate::support::cluster::Cluster;
use crate::support::daemon_process::DaemonProcess;
use crate::support::git_remote::Remote;
use crate::support::isolation::{Ballast, Disk, folder};
use crate::support::workspace::{Workspace, account, sqlite, user};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// More than what is free on a disk that is full: what was written and given up is used again.
const MANY: usize = 12_000;

fn people(name: &str, more: usize) -> String {
    let keeper = format!("firstName: {name}\ngroups: [FOC_User, FOC_Webmaster]");
    let others = (0..more).map(|n| user(&format!("more-{n}"), "acme", ""));
    account("acme", "") + &user("keeper", "acme", &keeper) + &others.collect::<String>()
}

fn configure(ws: &Workspace, source: &str) {
    ws.write(
        "roster.yaml",
        format!("apiVersion: roster/v1\ncache: mirror\nsources:\n  - {{name: shop, {source}, interval: 1s}}\nserve: {{listen: '127.0.0.1:0'}}\n"),
    );
}

fn api(served: &mut DaemonProcess) -> Api {
    Api {
        address: served.address(),
        token: None,
    }
}

fn name(ws: &Workspace) -> Option<String> {
    ws.value("SELECT first_name FROM users WHERE external_id = 'keeper'")
}

fn users(ws: &Workspace) -> Option<String> {
    ws.value("SELECT count(*) FROM users")
}

/// Waits until the reason that the API gives holds these words.
#[track_caller]
fn why(api: &Api, words: &str) -> Value {
    api.once("/api/v1/sources/shop", |view| {
        view["why"].as_str().is_some_and(|why| why.contains(words))
    })
}

/// A copy of a SQLite database as it would be found if the daemon was killed now: SQLite itself finds
/// no way to a disk that only others see.
fn copied(ws: &mut Workspace, at: &Path, served: &DaemonProcess) {
    if ws.engine != "sqlite" {
        return;
    }
    served.signal(Signal::SIGSTOP);
    let copy = ws.path("copy");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).expect("a folder");
    for file in ["roster.db", "roster.db-wal"] {
        fs::copy(at.join(file), copy.join(file)).expect("a copy");
    }
    served.signal(Signal::SIGCONT);
    ws.url = format!("sqlite:{}", copy.join("roster.db").display());
}

/// A push that the disk does not hold; `ws` is the database as the test sees it.
fn too_much(ws: &mut Workspace, at: &Path, mut served: DaemonProcess, api: &Api, words: &str) {
    let ballast = Ballast::fill(at);
    ws.tree(people("Britta", MANY));
    served.says(&["source shop", words]);
    why(api, words);
    let (ready, reason) = api.get("/readyz");
    assert_eq!(ready, 503, "{reason}");
    let full = reason["detail"].as_str();
    assert!(
        full.is_some_and(|it| it.contains("disk is full")),
        "{reason}"
    );
    let status = ws.run(&[
        "status",
        "--remote",
        &format!("http://{}", api.address),
        "--output",
        "text",
    ]);
    assert!(status.stdout.contains(words), "{status}");
    assert_eq!(api.get("/healthz").0, 200);
    copied(ws, at, &served);
    assert_eq!(name(ws).as_deref(), Some("Karin"));
    assert_eq!(users(ws).as_deref(), Some("1"));
    assert_eq!(ws.value("SELECT count(*) FROM runs").as_deref(), Some("1"));

    drop(ballast);
    served.says(&["created 12000", "as run 2"]);
    assert_eq!(api.get("/readyz").0, 200);
    copied(ws, at, &served);
    assert_eq!(name(ws).as_deref(), Some("Britta"));
    ws.run(&["history", "--verify"]).exits(0);
    served.ends();
}

#[test]
fn a_full_disk_under_sqlite_leaves_everything_as_it_was() {
    let mut ws = sqlite();
    let Some(disk) = Disk::new(ws.path("disk"), 64) else {
        return;
    };
    ws.url = format!("sqlite:{}", ws.path("disk/roster.db").display());
    ws.tree(people("Karin", 0));
    configure(&ws, "directory: manifests");
    let command = ws.command(&["serve", "--config", "roster.yaml"]);
    let mut served = DaemonProcess::run(disk.around(&command));
    let api = api(&mut served);
    served.says(&["created 3", "run 1"]);
    let at = disk.seen(served.pid());
    too_much(&mut ws, &at, served, &api, "disk is full");
}

#[test]
fn a_full_disk_under_postgres_leaves_everything_as_it_was() {
    let Some(cluster) = Cluster::with_disk(64) else {
        return;
    };
    let (inside, outside) = cluster.disk();
    let mut ws = Workspace::on("postgres", cluster.url());
    // The log of the server is elsewhere: without it, it would go down itself.
    ws.sql(&format!(
        "CREATE TABLESPACE disk LOCATION '{}'",
        inside.display()
    ));
    ws.sql("CREATE DATABASE shop TABLESPACE disk");
    ws.url = format!("postgres://postgres@127.0.0.1:{}/shop", cluster.port);
    ws.run(&["migrate"]).exits(0);
    ws.tree(people("Karin", 0));
    configure(&ws, "directory: manifests");
    let mut served = DaemonProcess::on(&ws, &[]);
    let api = api(&mut served);
    served.says(&["created 3", "run 1"]);
    too_much(&mut ws, &outside, served, &api, "No space left on device");
}

#[test]
fn a_full_disk_under_a_mirror_leaves_the_commit_before() {
    let ws = sqlite();
    let at = folder();
    let Some(disk) = Disk::new(at.path().to_owned(), 4) else {
        return;
    };
    let remote = Remote::with(&people("Karin", 0));
    configure(
        &ws,
        &format!("git: {{url: '{}', path: manifests}}", remote.url()),
    );
    let command = ws.command(&[
        "serve",
        "--config",
        "roster.yaml",
        "--cache",
        &at.path().display().to_string(),
    ]);
    let mut served = DaemonProcess::run(disk.around(&command));
    let api = api(&mut served);
    served.says(&["created 3", "run 1"]);
    let full = Ballast::fill(&disk.seen(served.pid()));
    remote.write("manifests/all.yaml", people("Britta", 0));
    remote.push("later");
    served.says(&["no space left for the mirror"]);
    let view = why(&api, "no space left for the mirror");
    assert_eq!(view["state"]["outcome"], "failed", "{view}");
    // What others change is repaired from the commit before.
    ws.sql("UPDATE users SET first_name = 'Hand'");
    until("the repair", || {
        (name(&ws).as_deref() == Some("Karin")).then_some(())
    });

    drop(full);
    served.says(&["updated 1"]);
    assert_eq!(name(&ws).as_deref(), Some("Britta"));
    served.ends();
}

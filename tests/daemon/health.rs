//! What is not in order is never shown as if it were.

use super::api::{Api, serve, token, until};
use crate::support::daemon_process::DaemonProcess;
use crate::support::git_remote::Remote;
use crate::support::workspace::{Workspace, account, sqlite, user};
use nix::sys::signal::Signal;
use std::fs;

fn people() -> String {
    account("acme", "") + &user("u-1", "acme", "")
}

/// A daemon on one source called `shop`.
fn start(ws: &Workspace, source: &str) -> (DaemonProcess, Api) {
    let admin = token(ws, "eva", "administrator", &[]);
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: shop, interval: 1s, {source}}}\n{}",
            serve("")
        ),
    );
    let mut served = DaemonProcess::on(ws, &[]);
    let api = Api::new(&served.address(), &admin);
    (served, api)
}

/// A daemon on two directories that are looked at once an hour unless something calls for it.
fn start_two(ws: &Workspace, sources: [&str; 2]) -> DaemonProcess {
    token(ws, "eva", "administrator", &[]);
    let sources =
        sources.map(|name| format!("  - {{name: {name}, interval: 1h, directory: {name}}}\n"));
    let text = format!(
        "apiVersion: roster/v1\nsources:\n{}{}",
        sources.concat(),
        serve("")
    );
    ws.write("roster.yaml", text);
    DaemonProcess::on(ws, &[])
}

fn metric(api: &Api, name: &str) -> Option<f64> {
    let (_, text) = api.get("/metrics");
    let text = text.as_str().expect("text");
    let mut lines = text.lines();
    let line = lines.find(|line| line.starts_with(&format!("roster_{name}")))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_source_that_was_never_fetched_is_not_in_order() {
    let ws = sqlite();
    let (served, api) = start(
        &ws,
        "git: {url: 'file:///does/not/exist.git', path: manifests}",
    );
    let view = api.once("/api/v1/sources/shop", |view| {
        view["why"]
            .as_str()
            .is_some_and(|why| why.contains("ever fetched"))
    });
    assert_eq!(view["state"]["outcome"], "failed", "{view}");
    assert!(view["state"]["lastApplied"].is_null(), "{view}");
    assert_eq!(metric(&api, "source_failed{"), Some(1.0));
    assert!(metric(&api, "source_lag_seconds{").is_some_and(|lag| lag > 0.0));
    let (_, page) = api.get("/");
    let page = page.as_str().unwrap_or_default();
    assert!(!page.contains("up to date"), "{page}");
    served.ends();
}

/// That a source counts as failed wherever it is shown, for longer and longer.
fn shows_failed(ws: &Workspace, api: &Api, why: &str) {
    let view = api.once("/api/v1/sources/shop", |view| {
        let said = view["why"].as_str().unwrap_or_default();
        view["state"]["outcome"] == "failed" && said.contains(why)
    });
    assert!(view["state"]["behindSince"].is_string(), "{view}");
    assert_eq!(metric(api, "source_failed{"), Some(1.0));
    let lag = metric(api, "source_lag_seconds{").expect("a lag");
    until("a lag that grows", || {
        metric(api, "source_lag_seconds{").filter(|later| *later > lag)
    });
    let (_, page) = api.get("/");
    let page = page.as_str().unwrap_or_default();
    assert!(page.contains("failed"), "{page}");
    assert!(!page.contains("up to date"), "{page}");
    ws.write("token", api.token.as_deref().expect("a token"));
    let remote = format!("http://{}", api.address);
    let status = ["status", "--remote", &remote, "--token-file", "token"];
    let told = ws.run(&[&status[..], &["--output", "text"]].concat());
    let told = told.exits(0).stdout;
    assert!(told.contains("failed") && told.contains(why), "{told}");
}

fn is_in_order(api: &Api, outcome: &str) {
    api.once("/api/v1/sources/shop", |view| {
        view["state"]["outcome"] == outcome
    });
    assert_eq!(metric(api, "source_failed{"), Some(0.0));
    assert_eq!(metric(api, "source_lag_seconds{"), Some(0.0));
}

#[test]
fn a_folder_that_is_not_there_has_failed_from_the_start() {
    for (source, why) in [
        ("directory: manifests", "manifests cannot be read"),
        (
            "export: {drop: manifests, preset: djust-accounts}",
            "nothing was ever fetched",
        ),
    ] {
        let ws = sqlite();
        let (served, api) = start(&ws, source);
        shows_failed(&ws, &api, why);
        if source.starts_with("directory") {
            ws.write("manifests/all.yaml", people());
            is_in_order(&api, "applied");
        }
        served.ends();
    }
}

#[test]
fn what_can_no_longer_be_read_has_failed_and_takes_nothing_away() {
    let remote = Remote::with(&people());
    let git = format!("git: {{url: '{}', path: manifests}}", remote.url());
    for (source, why) in [
        ("directory: manifests", "manifests cannot be read"),
        (&git, "the last fetched version stays in use"),
    ] {
        let ws = sqlite();
        ws.write("manifests/all.yaml", people());
        let place = if source == git {
            remote.bare()
        } else {
            ws.path("manifests")
        };
        let (served, api) = start(&ws, source);
        api.once("/api/v1/sources/shop", |view| {
            view["state"]["lastApplied"].is_object()
        });
        let away = place.with_extension("away");
        fs::rename(&place, &away).expect("moved");
        shows_failed(&ws, &api, why);
        let active = "SELECT count(*) FROM users WHERE status = 'active'";
        assert_eq!(ws.value(active).as_deref(), Some("1"));
        fs::rename(&away, &place).expect("moved");
        is_in_order(&api, "unchanged");
        served.ends();
    }
}

#[test]
fn a_source_that_nothing_was_pushed_to_is_neither_failed_nor_in_order() {
    let ws = sqlite();
    let (served, api) = start(&ws, "export: {push: true, preset: djust-accounts}");
    let view = api.source("shop");
    assert_eq!(view["why"], "no push yet", "{view}");
    assert_eq!(metric(&api, "source_failed{"), Some(0.0));
    let (_, page) = api.get("/");
    let page = page.as_str().unwrap_or_default();
    assert!(page.contains("no pass yet"), "{page}");
    served.ends();
}

#[test]
fn drift_that_is_only_reported_is_counted() {
    let ws = sqlite();
    ws.write("manifests/all.yaml", people());
    let (mut served, api) = start(&ws, "directory: manifests, drift: report");
    served.says(&["run 1"]);
    ws.sql("UPDATE users SET first_name = 'Hand' WHERE external_id = 'u-1'");
    for _ in 0..2 {
        served.signal(Signal::SIGHUP);
        let view = api.once("/api/v1/sources/shop", |view| view["state"]["drift"] == 1);
        let why = view["why"].as_str().unwrap_or_default();
        assert!(
            why.contains("1 resource was changed") && !why.contains("matches"),
            "{view}"
        );
    }
    assert_eq!(metric(&api, "source_drift{"), Some(1.0));
    assert_eq!(
        ws.value("SELECT first_name FROM users").as_deref(),
        Some("Hand")
    );
    served.ends();
}

#[test]
fn a_configuration_that_could_not_be_reloaded_is_shown() {
    let ws = sqlite();
    ws.write("manifests/all.yaml", people());
    let (mut served, api) = start(&ws, "directory: manifests");
    served.says(&["run 1"]);
    let config = fs::read_to_string(ws.path("roster.yaml")).expect("the configuration");
    ws.write("roster.yaml", "apiVersion: roster/v1\nsourcez: []\n");
    served.signal(Signal::SIGHUP);
    let status = api.once("/api/v1/status", |status| status["reloadError"].is_string());
    assert!(
        status["reloadError"]
            .as_str()
            .is_some_and(|why| why.contains("sourcez")),
        "{status}"
    );
    assert_eq!(metric(&api, "reload_failed"), Some(1.0));
    ws.write("roster.yaml", config);
    served.signal(Signal::SIGHUP);
    api.once("/api/v1/status", |status| status["reloadError"].is_null());
    assert_eq!(metric(&api, "reload_failed"), Some(0.0));
    served.ends();
}

#[test]
fn a_removal_that_waits_for_another_source_goes_on_when_that_one_is_mended() {
    let ws = sqlite();
    let one = |n: usize| user(&format!("u-{n}"), "acme", "");
    let users = |range: std::ops::Range<usize>| range.map(one).collect::<String>();
    ws.write("shop/all.yaml", account("acme", "") + &users(0..12));
    ws.write("crm/all.yaml", one(90));
    let mut served = start_two(&ws, ["shop", "crm"]);
    served.says(&["source crm: created 1"]);
    ws.write("crm/all.yaml", "users: [\n");
    served.says(&["source crm: nothing to apply; 1 error"]);
    ws.write("shop/all.yaml", account("acme", "") + &users(0..11));
    served.says(&[
        "source shop",
        "1 resource that source shop no longer declares stays",
    ]);
    ws.write("crm/all.yaml", one(90));
    served.says(&["source shop: deactivated 1 as run"]);
    served.ends();
}

#[test]
fn a_source_whose_error_another_source_ends_is_judged_again_at_once() {
    let ws = sqlite();
    ws.write("shop/all.yaml", "accounts: [\n");
    ws.write("crm/all.yaml", user("u-90", "acme", ""));
    let mut served = start_two(&ws, ["crm", "shop"]);
    served.says(&["source crm: nothing to apply; 1 error", "Account/acme"]);
    ws.write(
        "shop/all.yaml",
        account("acme", "") + &user("u-1", "acme", ""),
    );
    served.says(&["source shop: created 3 as run"]);
    served.says(&["source crm: created 1 as run"]);
    served.ends();
}

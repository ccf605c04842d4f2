//! What is not in order is never shown as if it were.

use super::api::{Api, serve, token};
use super::served::Served;
use crate::workspace::{Workspace, account, sqlite, user};
use nix::sys::signal::Signal;
use std::fs;

fn people() -> String {
    account("acme", "") + &user("u-1", "acme", "")
}

/// A daemon on one source called `shop`.
fn start(ws: &Workspace, source: &str) -> (Served, Api) {
    let admin = token(ws, "eva", "administrator", &[]);
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: shop, interval: 1s, {source}}}\n{}",
            serve("")
        ),
    );
    let mut served = Served::on(ws, &[]);
    let api = Api::new(&served.address(), &admin);
    (served, api)
}

/// A daemon on two directories that are looked at once an hour unless something calls for it.
fn start_two(ws: &Workspace, sources: [&str; 2]) -> Served {
    token(ws, "eva", "administrator", &[]);
    let sources =
        sources.map(|name| format!("  - {{name: {name}, interval: 1h, directory: {name}}}\n"));
    let text = format!(
        "apiVersion: roster/v1\nsources:\n{}{}",
        sources.concat(),
        serve("")
    );
    ws.write("roster.yaml", text);
    Served::on(ws, &[])
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
    assert!(!page.contains("in order"), "{page}");
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
    served.says(&["source crm: nothing to do; one error"]);
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
    served.says(&["source crm: nothing to do; one error", "Account/acme"]);
    ws.write(
        "shop/all.yaml",
        account("acme", "") + &user("u-1", "acme", ""),
    );
    served.says(&["source shop: created 3 as run"]);
    served.says(&["source crm: created 1 as run"]);
    served.ends();
}

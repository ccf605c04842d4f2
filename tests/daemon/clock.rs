//! A clock that jumps under a daemon: what it does goes on, and what has a time is kept to.

use super::api::{Api, serve, token, until};
use super::remotes::people;
use crate::support::clock::Clock;
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, account, each, user, users};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// One that everybody knows the token of; `more` are further keys of the source.
fn configure(ws: &Workspace, name: &str, more: &str) {
    ws.write(
        name,
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: shop, directory: manifests, interval: 1s{more}}}\n{}",
            serve("")
        ),
    );
}

fn start(ws: &Workspace, config: &str, clock: &Clock) -> DaemonProcess {
    let mut command = ws.command(&["serve", "--config", config]);
    clock.on(&mut command);
    DaemonProcess::run(command)
}

/// A cron line that comes once, then.
fn once(at: DateTime<Utc>) -> String {
    at.format("%-M %-H %-d %-m *").to_string()
}

fn becomes(ws: &Workspace, name: &str) {
    until(name, || {
        let found = ws.column("SELECT first_name FROM users");
        (found == [Some(name.to_owned())]).then_some(())
    });
}

/// How far the daemon's clock is off, in minutes.
fn off(view: &Value) -> i64 {
    let at = view["state"]["lastAttempted"]["at"].as_str();
    let at: DateTime<Utc> = at.and_then(|at| at.parse().ok()).expect("a time");
    (at - Utc::now()).num_minutes()
}

/// What the page answers first, after a line of its head was said.
fn page(api: &Api, request: &str) -> String {
    let mut stream = TcpStream::connect(&api.address).expect("it listens");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Logs in to the page, and gives the cookie.
fn log_in(api: &Api) -> String {
    let body = format!("token={}", api.token.as_deref().expect("a token"));
    let answer = page(
        api,
        &format!(
            "POST /login HTTP/1.0\r\nHost: {0}\r\nOrigin: http://{0}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {1}\r\n\r\n{body}",
            api.address,
            body.len()
        ),
    );
    let mut lines = answer.lines();
    let cookie = lines.find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie.and_then(|cookie| cookie.split(';').next());
    cookie.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn logged_in(api: &Api, cookie: &str) -> bool {
    let answer = page(
        api,
        &format!(
            "GET / HTTP/1.0\r\nHost: {}\r\nCookie: {cookie}\r\n\r\n",
            api.address
        ),
    );
    answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200")
}

#[test]
fn passes_windows_and_tokens_go_by_a_clock_that_jumps() {
    for ws in each("clock") {
        let Some(clock) = Clock::new(&ws.path("")) else {
            return;
        };
        let now = Utc::now();
        let soon = (now + TimeDelta::hours(6)).to_rfc3339();
        let short = token(&ws, "short", "viewer", &["--expires", &soon]);
        let long = token(&ws, "long", "viewer", &[]);
        let window = once(now - TimeDelta::hours(2));
        configure(
            &ws,
            "roster.yaml",
            &format!(", windows: [{{allow: '{window}', for: 12h}}]"),
        );
        ws.tree(people("Karin"));
        let mut served = start(&ws, "roster.yaml", &clock);
        let address = served.address();
        let (api, short) = (Api::new(&address, &long), Api::new(&address, &short));
        served.says(&["created 3", "run 1"]);
        assert_eq!(short.get("/api/v1/sources/shop").0, 200);
        let cookie = log_in(&api);
        assert!(logged_in(&api, &cookie));

        // A day on: the window is closed, and the token of today is over.
        clock.set("+1d");
        ws.tree(people("Britta"));
        served.says(&["1 step is delayed"]);
        let view = api.once("/api/v1/sources/shop", |view| {
            view["state"]["outcome"] == "window-closed" && off(view) > 1400
        });
        assert!(off(&view) <= 1440, "{view}");
        assert_eq!(short.get("/api/v1/sources/shop").0, 401);
        assert!(
            logged_in(&api, &cookie),
            "a session lasts as long as it lasts"
        );

        // Back, and an hour more.
        clock.set("-1h");
        served.says(&["updated 1", "run 2"]);
        becomes(&ws, "Britta");
        api.once("/api/v1/sources/shop", |view| {
            view["state"]["outcome"] == "unchanged" && off(view) < -55
        });
        assert_eq!(short.get("/api/v1/sources/shop").0, 200);
        ws.tree(people("Disa"));
        served.says(&["updated 1", "run 3"]);

        let times = ws.column("SELECT finished_at - started_at FROM runs ORDER BY id");
        let took = times.iter().flatten().map(|time| time.parse::<i64>());
        let took: Vec<i64> = took.map(|time| time.expect("a number")).collect();
        assert!(
            took.len() == 3 && took.iter().all(|took| (0..60_000).contains(took)),
            "{took:?}"
        );
        ws.run(&["history", "--verify"]).exits(0);
        served.ends();
    }
}

#[test]
fn a_lease_of_the_future_keeps_nobody_out_for_long() {
    for ws in each("future") {
        let Some(clock) = Clock::new(&ws.path("")) else {
            return;
        };
        token(&ws, "eva", "viewer", &[]);
        configure(&ws, "roster.yaml", "");
        ws.tree(people("Karin"));
        ws.run(&["migrate"]).exits(0);
        // Whoever took it was on another machine, and is gone; then the clock was set back by a day.
        let tomorrow = (Utc::now() + TimeDelta::days(1)).timestamp_millis();
        ws.sql(&format!(
            "INSERT INTO leases (scope, holder, host, pid, token, acquired_at, expires_at) \
             VALUES ('source:shop', 'eva', 'elsewhere', 7, 4, {tomorrow}, {tomorrow} + 15000)"
        ));
        let mut served = start(&ws, "roster.yaml", &clock);
        served.says(&["created 3", "run 1"]);
        assert_eq!(
            ws.value("SELECT count(*) FROM leases WHERE token > 4")
                .as_deref(),
            Some("1")
        );
        served.ends();
    }
}

#[test]
fn replicas_whose_clocks_differ_take_nothing_from_each_other() {
    let mut all = each("differ").into_iter();
    let Some(ws) = all.find(|ws| ws.engine == "postgres") else {
        return;
    };
    let Some(clock) = Clock::new(&ws.path("")) else {
        return;
    };
    clock.set("+1d");
    token(&ws, "eva", "viewer", &[]);
    configure(&ws, "roster.yaml", "");
    ws.run(&["migrate"]).exits(0);
    ws.tree(people("Start"));
    let mut early = start(&ws, "roster.yaml", &clock);
    let mut right = DaemonProcess::on(&ws, &[]);
    becomes(&ws, "Start");
    let names = ["Karin", "Britta", "Disa", "Frida", "Annika"];
    for (at, name) in names.iter().enumerate() {
        ws.tree(people(name));
        becomes(&ws, name);
        clock.set(["+1d", "-1h", "+30d", "+0", "-2d"][at]);
    }
    assert_eq!(ws.value("SELECT count(*) FROM runs").as_deref(), Some("6"));
    ws.run(&["history", "--verify"]).exits(0);
    for said in [early.said(), right.said()] {
        assert!(!said.contains("took over"), "{said}");
    }
    early.ends();
    right.ends();
}

#[test]
fn access_ends_on_its_day_under_a_clock_that_jumps_and_after_a_night_without_a_daemon() {
    for ws in each("dates") {
        let Some(clock) = Clock::new(&ws.path("")) else {
            return;
        };
        token(&ws, "eva", "viewer", &[]);
        configure(&ws, "roster.yaml", "");
        let day = |days: u64| (Utc::now().date_naive() + chrono::Days::new(days)).to_string();
        let until = |days: u64| format!("effectiveUntil: {}", day(days));
        let tree = account("acme", "") + &users(0..4, "acme", "");
        ws.tree(tree + &user("first", "acme", &until(3)) + &user("second", "acme", &until(9)));
        let ended = || {
            let query = "SELECT external_id FROM users WHERE status = 'inactive' ORDER BY 1";
            ws.column(query).into_iter().flatten().collect::<Vec<_>>()
        };
        let mut served = start(&ws, "roster.yaml", &clock);
        served.says(&["created", "run 1"]);
        // A day before, and a pass that had reason to look.
        clock.set("+1d");
        ws.write("manifests/more.yaml", user("u-7", "acme", ""));
        served.says(&["created 1", "run 2"]);
        assert_eq!(ended(), [""; 0]);
        clock.set("+4d");
        served.says(&["deactivated 1", "run 3"]);
        assert_eq!(ended(), ["first"]);
        served.ends();
        // Nobody looked on the day.
        clock.set("+20d");
        let mut served = start(&ws, "roster.yaml", &clock);
        served.says(&["deactivated 1", "run 4"]);
        assert_eq!(ended(), ["first", "second"]);
        ws.run(&["history", "--verify"]).exits(0);
        served.ends();
    }
}

//! Exports under a daemon: what it says of them, when it fetches them, and what goes wrong on the way.

use super::api::{Api, serve, token, until};
use crate::support::clock::Clock;
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, each, sqlite};
use chrono::{TimeDelta, Utc};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;

const HEAD: &str = "accountExternalId;accountName;companyRegistrationName;businessRegistrationNumber;customerTagExternalId;addressExternalId;addressFullName;addressCountry;addressCity;addressZipCode;addressStreetName";

/// An export of so many accounts that are all called so.
fn export(name: &str, count: usize) -> String {
    let mut text = format!("{HEAD}\n");
    for n in 0..count {
        let _ = writeln!(
            text,
            "a-{n};{name};Acme AB;556012-3456;;d-{n};Acme AB;SE;Åre;837 52;Torget 1"
        );
    }
    text
}

fn configure(ws: &Workspace, export: &str, more: &str) {
    ws.write(
        "base/base.yaml",
        "tags: [{externalId: premium, name: Premium}]\n",
    );
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: directory, directory: base}}\n  - {{name: erp, export: {{{export}, preset: djust-accounts}}{more}}}\n{}",
            serve("")
        ),
    );
}

fn start(ws: &Workspace) -> (DaemonProcess, Api) {
    let admin = token(ws, "eva", "administrator", &[]);
    let mut served = DaemonProcess::on(ws, &[]);
    let api = Api::new(&served.address(), &admin);
    (served, api)
}

fn approve(ws: &Workspace) {
    ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
        .exits(0);
}

fn count(ws: &Workspace) -> usize {
    let count = ws.value("SELECT count(*) FROM accounts");
    count
        .and_then(|count| count.parse().ok())
        .expect("a number")
}

/// The names that accounts have.
fn names(ws: &Workspace) -> Vec<String> {
    let names = ws.column("SELECT DISTINCT name FROM accounts ORDER BY name");
    names.into_iter().flatten().collect()
}

/// The source, once its reason holds these words.
#[track_caller]
fn why(api: &Api, words: &str) -> Value {
    api.once("/api/v1/sources/erp", |view| {
        view["why"].as_str().is_some_and(|why| why.contains(words))
    })
}

fn metric(api: &Api, name: &str) -> Option<f64> {
    let (_, text) = api.get("/metrics");
    let text = text.as_str().expect("text");
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("roster_{name}{{")))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn an_export_waits_to_be_let_begin_and_says_how_it_stands() {
    for ws in each("stands") {
        let approver = token(&ws, "anna", "approver", &[]);
        configure(
            &ws,
            "file: erp.csv",
            ", interval: 1s, absence: {after: 3, action: deactivate}, complete: {shrink: 60%}",
        );
        ws.write("erp.csv", export("Acme", 20));
        let (mut served, api) = start(&ws);
        let view = why(&api, "only plans");
        assert_eq!(view["state"]["outcome"], "planned", "{view}");
        let feed = &view["state"]["feed"];
        assert_eq!(
            (&feed["rows"], &feed["begun"]),
            (&json!(20), &json!(false)),
            "{view}"
        );
        assert_eq!(metric(&api, "feed_begun"), Some(0.0));
        let url = format!("http://{}", api.address);
        let remote = ["--remote", &url, "--token-file", "anna"];
        ws.write("anna", &approver);
        let status = ["status", "erp", "--output", "text"];
        let told = ws.run(&[&status[..], &remote].concat()).exits(0).stdout;
        assert!(
            told.contains("erp.csv, 20 rows") && told.contains("awaiting first approval"),
            "{told}"
        );

        let act = [
            "approve",
            "source",
            "erp",
            "--reason",
            "the sample is right",
            "--output",
            "text",
        ];
        let ran = ws.run(&[&act[..], &remote].concat()).exits(0);
        assert_eq!(ran.stdout, "Approved source erp. The daemon runs a pass.\n");
        served.says(&["created 40", "run"]);
        let ran = ws.run(&[&act[..], &remote].concat()).exits(1);
        assert!(ran.stderr.contains("already-decided"), "{ran}");
        let acts = api.document("/api/v1/acts");
        assert_eq!(acts["items"][0]["act"], "approve source", "{acts}");
        assert_eq!(acts["items"][0]["actor"], "anna", "{acts}");
        let view = why(&api, "same bytes as the last export");
        let feed = &view["state"]["feed"];
        assert_eq!(
            (&feed["accepted"], &feed["complete"]),
            (&json!(1), &json!(true)),
            "{view}"
        );
        assert!(
            feed["acceptedAt"].is_string() && feed["writtenAt"].is_string(),
            "{view}"
        );
        assert_eq!(feed["columns"].as_array().map(Vec::len), Some(11));
        assert_eq!(metric(&api, "feed_rows"), Some(20.0));
        assert!(metric(&api, "feed_age_seconds").is_some_and(|age| age >= 0.0));
        assert!(metric(&api, "feed_accepted_timestamp_seconds").is_some_and(|at| at > 1.7e9));
        assert_eq!(api.get("/api/v1/sources/directory/report").0, 404);

        // One is missing, one is wrong: counted, and told to whoever has to mend it.
        let next = export("Acme", 20)
            .replace("a-19;Acme", "a-19;=Acme")
            .replace(
                "a-19;=Acme;Acme AB;556012-3456;;",
                "a-19;=Acme;Acme AB;556012-3456;gold;",
            );
        let next: Vec<&str> = next
            .lines()
            .filter(|line| !line.starts_with("a-7;"))
            .collect();
        ws.write("erp.csv", next.join("\n") + "\n");
        let view = api.once("/api/v1/sources/erp", |view| {
            view["state"]["feed"]["rows"] == 19
        });
        let feed = &view["state"]["feed"];
        // The address of an account that is missing is missing with it.
        assert_eq!(feed["missing"][0]["missed"], 1, "{feed}");
        assert_eq!(feed["missing"][0]["of"], 3, "{feed}");
        assert_eq!(feed["missing"][0]["resources"][0], "Account/a-7", "{feed}");
        assert_eq!(feed["report"], true, "{feed}");
        let (code, head, report) = api.exchange("GET", "/api/v1/sources/erp/report", &[], "");
        let report = report.as_str().expect("text").to_owned();
        assert_eq!(code, 200, "{report}");
        assert!(
            head.to_ascii_lowercase().contains("content-type: text/csv"),
            "{head}"
        );
        assert!(
            report.starts_with("line,code,djust_code,resource,field,message,accountExternalId,"),
            "{report}"
        );
        let row = report
            .lines()
            .find(|line| line.contains("gold"))
            .expect("the row");
        assert!(
            row.contains("reference,F-E-002,Account/a-19") && row.contains(",'=Acme,"),
            "{row}"
        );
        let told = ws.run(&[&status[..], &remote].concat()).exits(0).stdout;
        assert!(told.contains("missing 1 of 3 times: Account/a-7"), "{told}");
        served.ends();
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn an_export_comes_by_its_schedule() {
    let ws = sqlite();
    let Some(clock) = Clock::new(&ws.path("")) else {
        return;
    };
    // Once, in two hours from now.
    let at = (Utc::now() + TimeDelta::hours(2)).format("%-M %-H %-d %-m *");
    configure(&ws, "file: erp.csv", &format!(", schedule: '{at}'"));
    ws.write("erp.csv", export("Acme", 3));
    let admin = token(&ws, "eva", "administrator", &[]);
    ws.run(&["migrate"]).exits(0);
    approve(&ws);
    let mut command = ws.command(&["serve", "--config", "roster.yaml"]);
    clock.on(&mut command);
    let mut served = DaemonProcess::run(command);
    let api = Api::new(&served.address(), &admin);
    served.says(&["source erp", "created 6"]);
    // All that a start asks for is over once what is asked for now is.
    assert_eq!(api.post("/api/v1/sources/erp/reconcile", &json!({})).0, 202);
    api.once("/api/v1/sources/erp", |view| {
        let triggers = view["state"]["triggers"].to_string();
        view["activity"]["now"] == "waiting" && triggers.contains("requested by eva")
    });
    ws.write("erp.csv", export("Later", 3));
    assert_eq!(names(&ws), ["Acme"]);
    clock.set("+3h");
    served.says(&["source erp", "updated 3"]);
    assert_eq!(names(&ws), ["Later"]);
    assert_eq!(api.source("erp")["state"]["triggers"], json!(["interval"]));
    served.ends();
}

/// A server of one export, that may break off in the middle of it.
struct Erp {
    port: u16,
    says: Sender<(String, bool)>,
}

impl Erp {
    /// Answers with what it was given last, whole or not; the same again is a 304.
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (says, given) = mpsc::channel::<(String, bool)>();
        thread::spawn(move || {
            let mut now = (String::new(), true);
            for stream in listener.incoming().map_while(Result::ok) {
                while let Ok(next) = given.try_recv() {
                    now = next;
                }
                let (text, whole) = &now;
                let mut known = false;
                let tag = format!("\"{}-{whole}\"", text.len());
                for line in BufReader::new(&stream).lines().map_while(Result::ok) {
                    known |= line.to_ascii_lowercase().starts_with("if-none-match")
                        && line.contains(&tag);
                    if line.is_empty() {
                        break;
                    }
                }
                let sent = if *whole {
                    &text[..]
                } else {
                    &text[..text.len() / 2]
                };
                let answer = if known {
                    format!("HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\nConnection: close\r\n\r\n")
                } else {
                    format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nETag: {tag}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{sent}",
                        text.len()
                    )
                };
                // Whoever went away hears nothing.
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        Self { port, says }
    }

    fn says(&self, text: String, whole: bool) {
        self.says.send((text, whole)).expect("it answers");
    }
}

#[test]
fn a_server_that_goes_away_in_the_middle_changes_nothing_and_is_asked_again() {
    for ws in each("away") {
        let erp = Erp::new();
        erp.says(export("Acme", 50), true);
        configure(
            &ws,
            &format!("url: 'http://127.0.0.1:{}/erp.csv'", erp.port),
            ", interval: 1s",
        );
        ws.run(&["migrate"]).exits(0);
        approve(&ws);
        let (mut served, api) = start(&ws);
        served.says(&["source erp", "created 100"]);
        why(&api, "nothing changed (304)");

        erp.says(export("Britta", 60), false);
        let view = api.once("/api/v1/sources/erp", |view| {
            view["state"]["outcome"] == "failed"
        });
        let reason = view["why"].as_str().expect("a reason");
        assert!(
            reason.contains("erp.csv") && reason.contains("stays"),
            "{reason}"
        );
        assert_eq!((names(&ws), count(&ws)), (vec!["Acme".to_owned()], 50));
        erp.says(export("Britta", 60), true);
        served.says(&["source erp", "created 20", "updated 50"]);
        assert_eq!((names(&ws), count(&ws)), (vec!["Britta".to_owned()], 60));
        served.ends();
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn a_file_that_is_swapped_and_written_under_the_daemon_is_never_taken_half() {
    for ws in each("swapped") {
        configure(&ws, "file: erp.csv", ", interval: 1s");
        ws.write("erp.csv", export("V-0", 200));
        ws.run(&["migrate"]).exits(0);
        approve(&ws);
        let (mut served, _) = start(&ws);
        served.says(&["source erp", "created 400"]);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let text = export(&format!("V-{n}"), 200);
                    if n % 2 == 0 {
                        // In its place at once.
                        ws.write("next.csv", &text);
                        std::fs::rename(ws.path("next.csv"), ws.path("erp.csv")).expect("moved");
                    } else {
                        // In two halves, as an export that is being written.
                        let (first, rest) = text.split_at(text.len() / 2);
                        ws.write("erp.csv", first);
                        thread::park_timeout(std::time::Duration::from_millis(300));
                        let mut file = std::fs::OpenOptions::new();
                        let mut file = file.append(true).open(ws.path("erp.csv")).expect("it");
                        file.write_all(rest.as_bytes()).expect("written");
                    }
                    thread::park_timeout(std::time::Duration::from_millis(400));
                }
            });
            for _ in 0..60 {
                let names = names(&ws);
                assert!(names.len() == 1 && count(&ws) == 200, "{names:?}");
                thread::park_timeout(std::time::Duration::from_millis(50));
            }
            stop.store(true, Ordering::Relaxed);
        });
        ws.write("erp.csv", export("Last", 200));
        until("the last export", || (names(&ws) == ["Last"]).then_some(()));
        served.ends();
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn a_daemon_that_is_killed_in_an_import_leaves_all_or_nothing() {
    for ws in each("cut-off") {
        configure(&ws, "file: erp.csv", "");
        ws.write("erp.csv", export("Acme", 1_500));
        ws.run(&["migrate"]).exits(0);
        approve(&ws);
        let (served, api) = start(&ws);
        api.once("/api/v1/sources/erp", |view| {
            view["activity"]["now"] == "working" || view["state"]["outcome"] != "never"
        });
        served.signal(Signal::SIGKILL);
        drop(served);
        let left = count(&ws);
        assert!(left == 0 || left == 1_500, "{left}");
        let mut served = DaemonProcess::on(&ws, &[]);
        let api = Api {
            address: served.address(),
            ..api
        };
        api.once("/api/v1/sources/erp", |view| {
            view["state"]["lastApplied"].is_object()
        });
        assert_eq!(count(&ws), 1_500);
        let runs = ws.value("SELECT count(*) FROM runs WHERE source = 'erp'");
        assert_eq!(runs.as_deref(), Some("1"));
        served.ends();
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn a_drop_folder_that_is_empty_says_so() {
    let ws = sqlite();
    configure(&ws, "drop: in, done: .done", ", interval: 1s");
    ws.write("in/one.csv", export("Acme", 3));
    ws.write("in/one.csv.done", "");
    ws.run(&["migrate"]).exits(0);
    approve(&ws);
    let (mut served, api) = start(&ws);
    served.says(&["source erp", "created 6"]);
    why(&api, "no new file in the drop folder");
    served.ends();
}

//! Receivers of notices as they are: some answer later, some never, some are told twice.

use super::api::{Pager, serve, token};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{LIMIT, Workspace, account, each, sqlite, user};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::thread;

fn people() -> String {
    account("acme", "") + &user("u-1", "acme", "groups: [FOC_User, FOC_Webmaster]")
}

/// Answers each request in turn, the last for ever; where it is, and a word for each request.
fn answering(answers: &'static [&'static str]) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, asked) = mpsc::channel();
    thread::spawn(move || {
        let mut answers = answers.iter().peekable();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut bytes = [0; 8192];
            let length = stream.read(&mut bytes).unwrap_or_default();
            let head = String::from_utf8_lossy(&bytes[..length]).into_owned();
            let answer = answers.peek().copied().copied().unwrap_or("200 OK");
            if answers.len() > 1 {
                answers.next();
            }
            let _ = write!(
                stream,
                "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            if told.send(head).is_err() {
                return;
            }
        }
    });
    (port, asked)
}

fn configure(ws: &Workspace, notices: &[(&str, u16)], on: &str) {
    let notices: Vec<String> = notices
        .iter()
        .map(|(name, port)| {
            format!("{{name: {name}, webhook: 'http://127.0.0.1:{port}/', on: [{on}]}}")
        })
        .collect();
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: shop, directory: manifests, interval: 1s}}\n{}",
            serve(&format!(", notices: [{}]", notices.join(", ")))
        ),
    );
}

/// The name of the delivery that a request was.
fn delivery(head: &str) -> &str {
    let mut lines = head.lines();
    let found = lines.find_map(|line| line.strip_prefix("roster-delivery: "));
    found.unwrap_or_else(|| panic!("no delivery in {head}"))
}

#[test]
fn who_answers_later_is_told_and_who_never_will_is_given_up() {
    let ws = sqlite();
    token(&ws, "eva", "administrator", &[]);
    ws.tree(people());
    let (late, asked) = answering(&["500 Internal Server Error", "200 OK"]);
    let (gone, asked_gone) = answering(&["410 Gone"]);
    let (moved, asked_moved) = answering(&["302 Found\r\nLocation: http://127.0.0.1:9/SENTINEL"]);
    configure(
        &ws,
        &[("late", late), ("gone", gone), ("moved", moved)],
        "applied",
    );
    let mut served = DaemonProcess::on(&ws, &[]);
    served.says(&["notice sent to late: shop applied"]);
    let said = served.said();
    for words in [
        "notice to late failed: http://127.0.0.1:",
        "HTTP 500 Internal Server Error; retrying in 1",
        "HTTP 410 Gone; gave up",
        "HTTP 302 Found: the address has moved: http://127.0.0.1; configure the new one; gave up",
    ] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    assert!(!said.contains("SENTINEL"), "{said}");
    // The receivers say what they were asked after they have answered.
    let heads = [&asked; 2].map(|asked| asked.recv_timeout(LIMIT).expect("asked twice"));
    assert_eq!(delivery(&heads[0]), delivery(&heads[1]));
    for asked_once in [asked_gone, asked_moved] {
        asked_once.recv_timeout(LIMIT).expect("asked once");
        assert_eq!(asked_once.try_iter().count(), 0);
    }
    assert_eq!(asked.try_iter().count(), 0);
    served.ends();
}

#[test]
fn each_recovery_is_a_delivery_of_its_own() {
    let ws = sqlite();
    token(&ws, "eva", "administrator", &[]);
    ws.tree(people());
    let pager = Pager::new();
    configure(&ws, &[("pager", pager.port)], "failed, recovered");
    let mut served = DaemonProcess::on(&ws, &[]);
    served.says(&["created 3", "run 1"]);
    let mut seen = BTreeSet::new();
    for round in 1..=3 {
        ws.write("manifests/worse.yaml", "users:\n  - {externalId: [\n");
        let failed = pager.told("failed");
        ws.remove("manifests/worse.yaml");
        let recovered = pager.told("recovered");
        for told in [failed, recovered] {
            seen.insert(told["id"].as_str().expect("an id").to_owned());
        }
        assert_eq!(seen.len(), 2 * round);
    }
    served.ends();
}

#[test]
fn an_account_that_starts_to_wait_is_noticed_once() {
    for ws in each("waits") {
        token(&ws, "eva", "administrator", &[]);
        let settings = "settings: [{externalId: settings, accountApproval: true}]\n";
        let acme = settings.to_owned() + &people();
        ws.tree(&acme);
        let pager = Pager::new();
        configure(&ws, &[("pager", pager.port)], "approval, applied");
        let served = DaemonProcess::on(&ws, &[]);
        let told = pager.told("approval");
        assert_eq!(told["summary"], "1 account waits for an approval");
        assert_eq!(told["counts"], json!({"pending": 1}));
        assert_eq!(told["command"], "roster approve account acme --reason TEXT");
        assert_eq!(told["details"][0]["resource"], "Account/acme");
        assert_eq!(told["details"][0]["origin"]["path"], "all.yaml");

        // Two more, and only they are new.
        let more = account("beta", "") + &user("u-8", "beta", "");
        let gamma = account("gamma", "") + &user("u-9", "gamma", "");
        let three = acme.clone() + &more + &gamma;
        ws.tree(&three);
        let told = pager.told("approval");
        assert_eq!(told["summary"], "2 accounts wait for an approval");
        let named = [0, 1].map(|at| told["details"][at]["resource"].clone());
        assert_eq!(named, ["Account/beta", "Account/gamma"]);
        served.ends();

        // Neither a restart nor another change of an account that waits is news.
        let served = DaemonProcess::on(&ws, &[]);
        ws.tree(three.replace("name: beta\n", "name: Beta\n"));
        assert_eq!(pager.next()["event"], "applied");
        ws.run(&["approve", "account", "acme", "--reason", "checked"])
            .exits(0);
        ws.tree(three);
        assert_eq!(pager.next()["event"], "applied");
        served.ends();
        assert_eq!(pager.rest(), Vec::<Value>::new());
    }
}

#[test]
fn an_account_of_two_sources_is_noticed_once_and_also_after_a_command() {
    for ws in each("two_sources") {
        token(&ws, "eva", "administrator", &[]);
        let pager = Pager::new();
        let notices = format!(
            ", notices: [{{webhook: 'http://127.0.0.1:{}/', on: [approval, applied]}}]",
            pager.port
        );
        let sources = ["one", "two"]
            .map(|name| format!("  - {{name: {name}, directory: {name}, interval: 1s}}\n"));
        let config = format!(
            "apiVersion: roster/v1\nsources:\n{}{}",
            sources.concat(),
            serve(&notices)
        );
        ws.write("roster.yaml", config);
        let settings = "settings: [{externalId: settings, accountApproval: true}]\n";
        ws.write("one/all.yaml", settings.to_owned() + &people());
        ws.write("two/all.yaml", people());
        // Applied by a command, while no daemon runs.
        ws.run(&["apply", "--yes"]).exits(0);
        let served = DaemonProcess::on(&ws, &[]);
        let told = pager.told("approval");
        assert_eq!(told["details"][0]["resource"], "Account/acme");
        for source in ["one", "two"] {
            let user = user(
                "u-1",
                "acme",
                "groups: [FOC_User, FOC_Webmaster]\ncompany: Acme",
            );
            let text = account("acme", "") + &user;
            let head = if source == "one" { settings } else { "" };
            ws.write(&format!("{source}/all.yaml"), head.to_owned() + &text);
        }
        assert_eq!(pager.next()["event"], "applied");
        served.ends();
        let rest = pager.rest();
        assert!(
            rest.iter().all(|told| told["event"] != "approval"),
            "{rest:?}"
        );
    }
}

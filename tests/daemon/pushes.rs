//! Records that are pushed to a daemon: answered one by one, once, whatever happens to it.

use super::api::{Api, serve, token, until};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, each, sqlite};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// What is there before anything is pushed.
const BASE: &str = "
tags: [{externalId: string, name: A tag}, {externalId: premium, name: Premium}]
customFields: [{externalId: credit-class, appliesTo: account, name: Credit class, type: text}]
";

/// A daemon with a source that is pushed to; `more` are further keys of it, `top` of the file.
fn begin(ws: &Workspace, more: &str, top: &str) -> (DaemonProcess, Api) {
    let operator = token(ws, "connector", "operator", &[]);
    ws.write("base/base.yaml", BASE);
    ws.run(&["apply", "base", "--yes"]).exits(0);
    configure(ws, more, top);
    let mut served = DaemonProcess::on(ws, &[]);
    let api = Api::new(&served.address(), &operator);
    (served, api)
}

fn configure(ws: &Workspace, more: &str, top: &str) {
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\n{top}sources:\n  - {{name: directory, directory: base}}\n  - {{name: erp, export: {{push: true, preset: djust-accounts}}{more}}}\n{}",
            serve("")
        ),
    );
}

/// Lets the source begin.
fn approve(ws: &Workspace) {
    ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
        .exits(0);
}

fn account(id: &str, more: &Value) -> Value {
    let mut account = json!({"accountExternalId": id, "accountName": "Acme", "companyRegistrationName": "Acme AB",
        "businessRegistrationNumber": "556012-3456",
        "address": [{"addressExternalId": format!("d-{id}"), "addressFullName": "Acme AB", "addressCountry": "Sweden",
            "addressCity": "Åre", "addressZipCode": "837 52", "addressStreetName": "Torget 1"}]});
    for (name, value) in more.as_object().into_iter().flatten() {
        account[name] = value.clone();
    }
    account
}

fn push(api: &Api, body: &Value) -> (u16, Value) {
    api.post("/api/v1/import/accounts", body)
}

/// What became of each record.
fn outcomes(answer: &Value) -> Vec<String> {
    let records = answer["records"].as_array().into_iter().flatten();
    let told = records.map(|record| {
        let word = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
        format!("{} {}", word("externalId"), word("outcome"))
    });
    told.collect()
}

fn names(ws: &Workspace) -> Vec<String> {
    let names = ws.column("SELECT external_id || ' ' || name FROM accounts ORDER BY external_id");
    names.into_iter().flatten().collect()
}

#[test]
fn djust_s_nested_and_flat_examples_are_taken_as_they_stand() {
    for ws in each("pushed") {
        let (served, api) = begin(&ws, "", "");
        approve(&ws);
        for example in ["djust-nested.json", "djust-flat.json"] {
            let path = format!(
                "{}/tests/program/feeds/{example}",
                env!("CARGO_MANIFEST_DIR")
            );
            let text = std::fs::read_to_string(path).expect("the example");
            let body: Value = serde_json::from_str(&text).expect("JSON");
            let (status, answer) = push(&api, &body);
            // What stands for a text there is no country and no number of a company.
            assert_eq!(status, 200, "{answer}");
            assert_eq!(outcomes(&answer), ["string refused"], "{answer}");
            assert_eq!(answer["records"][0]["kind"], "Account");
            let found = answer["records"][0]["diagnostics"]
                .as_array()
                .expect("some");
            let country = found.iter().find(|found| found["code"] == "country");
            assert_eq!(country.expect("one")["djustCode"], "F-E-012", "{answer}");

            let real = text
                .replace(
                    "\"addressCountry\": \"string\"",
                    "\"addressCountry\": \"SE\"",
                )
                .replace(
                    "\"addressZipCode\": \"string\"",
                    "\"addressZipCode\": \"837 52\"",
                )
                .replace(
                    "\"accountVatNumber\": \"string\"",
                    "\"accountVatNumber\": \"SE556012345601\"",
                )
                .replace(
                    "\"accountWebsite\": \"string\"",
                    "\"accountWebsite\": \"https://acme.example\"",
                )
                .replace(
                    "\"addressPhoneNumber\": \"string\"",
                    "\"addressPhoneNumber\": \"063-12 34 56\"",
                );
            let (status, answer) = push(&api, &serde_json::from_str(&real).expect("JSON"));
            assert_eq!(status, 200, "{answer}");
            let outcome = if example == "djust-nested.json" {
                "created"
            } else {
                "unchanged"
            };
            assert_eq!(outcomes(&answer), [format!("string {outcome}")], "{answer}");
            assert_eq!(
                answer["records"][0]["also"][0]["kind"], "Address",
                "{answer}"
            );
        }
        served.ends();
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn each_record_is_answered_and_a_bad_one_stops_no_other() {
    for ws in each("records") {
        let (served, api) = begin(&ws, "", "");
        approve(&ws);
        let body = json!([
            account("a-1", &json!({})),
            account("a-2", &json!({"customerTagExternalId": "gold"})),
            account("", &json!({})),
            account("a-3", &json!({})),
        ]);
        let (status, answer) = push(&api, &body);
        assert_eq!(status, 200, "{answer}");
        assert_eq!(
            outcomes(&answer),
            ["a-1 created", "a-2 refused", "- refused", "a-3 created"],
            "{answer}"
        );
        assert_eq!(
            answer["records"][1]["codes"],
            json!(["reference"]),
            "{answer}"
        );
        assert_eq!(
            answer["records"][2]["codes"],
            json!(["required"]),
            "{answer}"
        );
        assert_eq!(answer["summary"], json!({"created": 2, "refused": 2}));
        let found = &answer["records"][1]["diagnostics"][0];
        assert_eq!(found["field"], "tags", "{answer}");
        assert!(found["help"].as_str().is_some_and(|help| !help.is_empty()));
        let run = answer["run"].as_i64().expect("a run");
        let runs = ws.column(&format!("SELECT actor FROM runs WHERE id = {run}"));
        assert_eq!(runs, [Some("connector".to_owned())]);

        // The same again is no change, and what is not in a push is left alone.
        let (_, answer) = push(&api, &body);
        assert_eq!(
            answer["summary"],
            json!({"unchanged": 2, "refused": 2}),
            "{answer}"
        );
        assert_eq!(answer["run"], Value::Null);
        let later = json!([account("a-4", &json!({}))]);
        assert_eq!(outcomes(&push(&api, &later).1), ["a-4 created"]);
        let renamed = json!([{"accountExternalId": "a-1", "accountName": "Acme Nord"}]);
        assert_eq!(outcomes(&push(&api, &renamed).1), ["a-1 updated"]);
        assert_eq!(names(&ws), ["a-1 Acme Nord", "a-3 Acme", "a-4 Acme"]);
        let active = ws.value("SELECT count(*) FROM accounts WHERE status = 'active'");
        assert_eq!(active.as_deref(), Some("3"));

        // All of it or nothing.
        let worse = json!([
            account("a-5", &json!({})),
            account("a-6", &json!({"customerTagExternalId": "gold"}))
        ]);
        let path = "/api/v1/import/accounts?atomic=true";
        let (status, answer) = api.post(path, &worse);
        assert_eq!(
            (status, answer["code"].as_str()),
            (422, Some("refused")),
            "{answer}"
        );
        assert_eq!(
            outcomes(&answer),
            ["a-5 refused", "a-6 refused"],
            "{answer}"
        );
        assert_eq!(names(&ws).len(), 3);
        // A pass of its own changes nothing.
        assert_eq!(api.post("/api/v1/sources/erp/reconcile", &json!({})).0, 202);
        served.ends();
        assert_eq!(names(&ws).len(), 3);
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn what_is_no_list_of_records_is_refused_with_its_place() {
    let ws = sqlite();
    let (served, api) = begin(&ws, "", "");
    approve(&ws);
    let path = "/api/v1/import/accounts";
    for (media, body, status, code) in [
        (
            "application/json",
            "{\"accountExternalId\": \"a-1\"}",
            400,
            "json-not-list",
        ),
        (
            "application/json",
            "[{\"accountExternalId\": \"a-1\"},\n  {\"a\": tru}]",
            400,
            "feed-not-data",
        ),
        (
            "application/json",
            "[{\"accountExternalId\": \"a-1\"}",
            400,
            "feed-truncated",
        ),
        (
            "application/json",
            "accountExternalId\na-1",
            400,
            "json-not-list",
        ),
        ("application/json", "", 400, "json-not-list"),
        (
            "text/csv",
            "<!doctype html><title>Log in</title>",
            400,
            "feed-not-data",
        ),
        (
            "text/csv",
            "number;name\n1;Acme\n",
            422,
            "source-unreadable",
        ),
        ("application/xml", "<a/>", 415, "unsupported-media-type"),
    ] {
        let headers = [("Content-Type", media.to_owned())];
        let (told, answer) = api.ask("POST", path, &headers, body);
        assert_eq!(
            (told, answer["code"].as_str()),
            (status, Some(code)),
            "{body}: {answer}"
        );
        assert!(
            answer["detail"].as_str().is_some_and(|it| it.len() > 10),
            "{answer}"
        );
    }
    let (_, answer) = api.ask(
        "POST",
        path,
        &[],
        "[{\"accountExternalId\": \"a-1\"},\n  {\"a\": tru}]",
    );
    assert_eq!(answer["line"], 2, "{answer}");
    let (status, answer) = api.post("/api/v1/import/users", &json!([]));
    assert_eq!(status, 404, "{answer}");
    assert!(
        answer["detail"]
            .as_str()
            .is_some_and(|it| it.contains("push: true")),
        "{answer}"
    );
    assert_eq!(names(&ws), Vec::<String>::new());

    // CSV with its content type, and an empty list, which says nothing.
    let csv = "accountExternalId;accountName;companyRegistrationName;businessRegistrationNumber;addressExternalId;addressFullName;addressCountry;addressCity;addressZipCode;addressStreetName\na-1;Acme;Acme AB;556012-3456;d-1;Acme;SE;Åre;837 52;Torget 1\n";
    let headers = [("Content-Type", "text/csv; charset=utf-8".to_owned())];
    let (status, answer) = api.ask("POST", path, &headers, csv);
    assert_eq!(
        (status, outcomes(&answer)),
        (200, vec!["a-1 created".to_owned()]),
        "{answer}"
    );
    assert_eq!(answer["records"][0]["line"], 2, "{answer}");
    let (status, answer) = push(&api, &json!([]));
    assert_eq!((status, outcomes(&answer)), (200, Vec::new()), "{answer}");
    served.ends();
}

#[test]
fn a_key_makes_it_once_also_over_a_restart() {
    for ws in each("once") {
        let (served, api) = begin(&ws, "", "");
        approve(&ws);
        let path = "/api/v1/import/accounts";
        let key = [("Idempotency-Key", "night-1".to_owned())];
        let body = json!([account("a-1", &json!({}))]).to_string();
        let (status, first) = api.ask("POST", path, &key, &body);
        assert_eq!(
            (status, outcomes(&first)),
            (200, vec!["a-1 created".to_owned()]),
            "{first}"
        );
        assert_eq!(api.ask("POST", path, &key, &body), (200, first.clone()));
        served.ends();
        let mut served = DaemonProcess::on(&ws, &[]);
        let api = Api {
            address: served.address(),
            ..api
        };
        let (status, head, again) = api.exchange("POST", path, &key, &body);
        assert_eq!((status, &again), (200, &first));
        assert!(
            head.to_ascii_lowercase()
                .contains("idempotency-replayed: true"),
            "{head}"
        );
        let other = json!([account("a-2", &json!({}))]).to_string();
        let (status, answer) = api.ask("POST", path, &key, &other);
        assert_eq!(
            (status, answer["code"].as_str()),
            (422, Some("idempotency-key-reused"))
        );
        assert_eq!(names(&ws), ["a-1 Acme"]);
        let runs = ws.value("SELECT count(*) FROM runs WHERE source = 'erp'");
        assert_eq!(runs.as_deref(), Some("1"));
        served.ends();
    }
}

#[test]
fn many_records_are_answered_later_and_a_kill_in_the_middle_leaves_all_or_nothing() {
    for ws in each("killed") {
        let (mut served, api) = begin(&ws, "", "");
        approve(&ws);
        let many: Vec<Value> = (0..1_500)
            .map(|n| account(&format!("a-{n}"), &json!({})))
            .collect();
        let (status, head, told) = api.exchange(
            "POST",
            "/api/v1/import/accounts",
            &[],
            &Value::from(many).to_string(),
        );
        assert_eq!(status, 202, "{told}");
        let place = format!("/api/v1/imports/{}", told["id"].as_str().expect("an id"));
        assert!(
            head.to_ascii_lowercase()
                .contains(&format!("location: {place}")),
            "{head}"
        );
        api.once(&place, |view| view["state"] != "queued");
        served.signal(Signal::SIGKILL);
        let stored = ws.value("SELECT count(*) FROM accounts").expect("a number");
        assert!(stored == "0" || stored == "1500", "{stored}");
        drop(served);

        served = DaemonProcess::on(&ws, &[]);
        let api = Api {
            address: served.address(),
            ..api
        };
        let view = api.once(&place, |view| view["state"] == "done");
        assert_eq!(
            view["answer"]["summary"],
            json!({"created": 1500}),
            "{}",
            view["answer"]["summary"]
        );
        assert!(view["answer"]["run"].is_i64(), "{}", view["answer"]["run"]);
        let stored = ws.value("SELECT count(*) FROM accounts");
        assert_eq!(stored.as_deref(), Some("1500"));
        let runs = ws.value("SELECT count(*) FROM runs WHERE source = 'erp'");
        assert_eq!(runs.as_deref(), Some("1"));
        assert_eq!(
            ws.value("SELECT count(*) FROM imports WHERE body IS NOT NULL")
                .as_deref(),
            Some("0")
        );
        served.ends();
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn what_is_pushed_before_the_source_may_begin_waits_and_goes_through_with_what_came_later() {
    for ws in each("waits") {
        let approver = token(&ws, "anna", "approver", &[]);
        let (mut served, api) = begin(&ws, "", "");
        let (status, answer) = push(
            &api,
            &json!([account("a-1", &json!({})), account("a-2", &json!({}))]),
        );
        assert_eq!(status, 200, "{answer}");
        assert_eq!(outcomes(&answer), ["a-1 held", "a-2 held"], "{answer}");
        assert_eq!(answer["records"][0]["would"], "created", "{answer}");
        assert_eq!(answer["outcome"], "planned", "{answer}");
        assert!(
            answer["why"]
                .as_str()
                .is_some_and(|why| why.contains("approve source erp")),
            "{answer}"
        );
        let first = format!("/api/v1/imports/{}", answer["id"].as_str().expect("an id"));
        // Said again otherwise: what is said later counts.
        let renamed = json!([{"accountExternalId": "a-1", "accountName": "Acme Nord"}]);
        assert_eq!(outcomes(&push(&api, &renamed).1), ["a-1 held"]);
        assert_eq!(names(&ws), Vec::<String>::new());

        let path = "/api/v1/sources/erp/approve";
        let why = json!({"reason": "the sample is right"});
        assert_eq!(api.post(path, &why).0, 403);
        let anna = Api::new(&api.address, &approver);
        assert_eq!(anna.post(path, &json!({"reason": " "})).0, 422);
        assert_eq!(anna.post(path, &why).0, 204);
        let (status, answer) = anna.post(path, &why);
        assert_eq!(
            (status, answer["code"].as_str()),
            (409, Some("already-decided")),
            "{answer}"
        );
        assert_eq!(anna.post("/api/v1/sources/directory/approve", &why).0, 409);
        served.says(&["created 4"]);
        until("both", || {
            (names(&ws) == ["a-1 Acme Nord", "a-2 Acme"]).then_some(())
        });
        api.once(&first, |view| view["held"] == json!([]));
        let acts = api.document("/api/v1/acts");
        assert_eq!(acts["items"][0]["act"], "approve source", "{acts}");
        assert_eq!(acts["items"][0]["actor"], "anna", "{acts}");
        assert_eq!(
            ws.value("SELECT count(*) FROM imports WHERE body IS NOT NULL")
                .as_deref(),
            Some("0")
        );
        served.ends();
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn what_a_guard_holds_of_a_push_waits_beneath_later_ones_until_it_is_let_through() {
    let ws = sqlite();
    let approver = token(&ws, "anna", "approver", &[]);
    let (mut served, api) = begin(&ws, "", "");
    approve(&ws);
    let all: Vec<Value> = (0..20)
        .map(|n| account(&format!("a-{n:02}"), &json!({})))
        .collect();
    assert_eq!(push(&api, &Value::from(all)).0, 200);
    let gone: Vec<Value> = (0..15)
        .map(|n| json!({"accountExternalId": format!("a-{n:02}"), "inactive": true}))
        .collect();
    let (status, answer) = push(&api, &Value::from(gone));
    assert_eq!(
        (status, &answer["summary"]),
        (200, &json!({"held": 15})),
        "{answer}"
    );
    assert_eq!(answer["records"][0]["codes"], json!(["guard"]), "{answer}");
    let import = format!("/api/v1/imports/{}", answer["id"].as_str().expect("an id"));
    // Nobody is kept waiting by it.
    let renamed = json!([{"accountExternalId": "a-19", "accountName": "Later"}]);
    assert_eq!(outcomes(&push(&api, &renamed).1), ["a-19 updated"]);
    // One of them is taken back by whoever sent it.
    let back = json!([{"accountExternalId": "a-00", "inactive": false}]);
    assert_eq!(outcomes(&push(&api, &back).1), ["a-00 unchanged"]);
    let held = api.once(&import, |view| {
        view["held"].as_array().is_some_and(|it| it.len() == 14)
    });
    assert_eq!(held["held"][0], "Account/a-01");
    let holds = api.document("/api/v1/holds");
    let hold = holds["items"][0]["hold"].as_str().expect("a hold");
    let anna = Api::new(&api.address, &approver);
    let path = format!("/api/v1/holds/{hold}/approve");
    assert!(anna.post(&path, &json!({"reason": "they left"})).0 < 300);
    served.says(&["deactivated 14"]);
    let active = || ws.value("SELECT count(*) FROM accounts WHERE status = 'active'");
    assert_eq!(active().as_deref(), Some("6"));
    api.once(&import, |view| view["held"] == json!([]));
    served.ends();
    ws.run(&["history", "--verify"]).exits(0);
}

#[test]
fn a_push_goes_by_suspension_window_mode_and_token() {
    let ws = sqlite();
    let (viewer, other) = (
        token(&ws, "reader", "viewer", &[]),
        token(&ws, "other", "operator", &["--sources", "directory"]),
    );
    let (served, api) = begin(&ws, ", windows: [{deny: '0 0 * * *', for: 48h}]", "");
    approve(&ws);
    let body = json!([account("a-1", &json!({}))]);
    let (status, answer) = push(&api, &body);
    assert_eq!(
        (status, outcomes(&answer)),
        (200, vec!["a-1 held".to_owned()]),
        "{answer}"
    );
    assert_eq!(answer["outcome"], "window-closed", "{answer}");
    let overrule = json!({"overruleWindow": true, "reason": "now"});
    assert_eq!(api.post("/api/v1/sources/erp/reconcile", &overrule).0, 202);
    until("the push", || (names(&ws) == ["a-1 Acme"]).then_some(()));

    assert_eq!(push(&Api::new(&api.address, &viewer), &body).0, 403);
    assert_eq!(push(&Api::new(&api.address, &other), &body).0, 404);
    let id = answer["id"].as_str().expect("an id");
    assert_eq!(
        Api::new(&api.address, &other)
            .get(&format!("/api/v1/imports/{id}"))
            .0,
        404
    );
    assert_eq!(
        Api::new(&api.address, &viewer)
            .get(&format!("/api/v1/imports/{id}"))
            .0,
        200
    );

    let why = json!({"reason": "stock-taking"});
    assert!(api.post("/api/v1/sources/erp/suspend", &why).0 < 300);
    let key = [("Idempotency-Key", "k".to_owned())];
    let path = "/api/v1/import/accounts";
    let (status, answer) = api.ask("POST", path, &key, &body.to_string());
    assert_eq!(
        (status, answer["code"].as_str()),
        (409, Some("suspended")),
        "{answer}"
    );
    assert!(api.post("/api/v1/sources/erp/resume", &why).0 < 300);
    // A refusal is not what a key stands for.
    assert_eq!(api.ask("POST", path, &key, &body.to_string()).0, 200);
    served.ends();

    configure(&ws, ", mode: plan", "");
    let mut served = DaemonProcess::on(&ws, &[]);
    let api = Api {
        address: served.address(),
        ..api
    };
    let (status, answer) = push(&api, &json!([account("a-2", &json!({}))]));
    assert_eq!(
        (status, answer["outcome"].as_str()),
        (200, Some("planned")),
        "{answer}"
    );
    assert_eq!(names(&ws), ["a-1 Acme"]);
    served.ends();
}

#[test]
fn a_push_says_nothing_of_what_an_export_is_judged_by() {
    let ws = sqlite();
    for (more, said) in [
        (
            ", absence: {after: 1, action: deactivate}",
            "names only some resources",
        ),
        (", maxAge: 1h", "names only some resources"),
    ] {
        configure(&ws, more, "");
        let ran = ws.run(&["plan"]);
        assert!(ran.code != Some(0) && ran.stderr.contains(said), "{ran}");
    }
    ws.write("roster.yaml", "apiVersion: roster/v1\nsources: [{name: erp, export: {push: true, timeout: 5m, preset: djust-accounts}}]\n");
    let ran = ws.run(&["plan"]);
    assert!(
        ran.stderr.contains("`timeout` has no meaning with `push`"),
        "{ran}"
    );
    // Without the daemon nothing is there to be read, and nothing is taken away.
    ws.write("roster.yaml", "apiVersion: roster/v1\nsources: [{name: erp, export: {push: true, preset: djust-accounts}}]\n");
    let ran = ws.run(&["apply", "--yes"]).exits(0);
    assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
}

#[test]
fn any_replica_answers_what_another_was_sent() {
    let mut all = each("replica").into_iter();
    let Some(ws) = all.find(|ws| ws.engine == "postgres") else {
        return;
    };
    let (first, api) = begin(&ws, "", "");
    approve(&ws);
    let mut second = DaemonProcess::on(&ws, &[]);
    let other = Api::new(&second.address(), api.token.as_deref().expect("a token"));
    let path = "/api/v1/import/accounts";
    let later = [
        ("Prefer", "respond-async".to_owned()),
        ("Idempotency-Key", "k-1".to_owned()),
    ];
    let body = json!([account("a-1", &json!({}))]).to_string();
    let (status, told) = api.ask("POST", path, &later, &body);
    assert_eq!(status, 202, "{told}");
    let place = format!("/api/v1/imports/{}", told["id"].as_str().expect("an id"));
    let view = other.once(&place, |view| view["state"] == "done");
    assert_eq!(outcomes(&view["answer"]), ["a-1 created"], "{view}");
    // Sent again to the other one: answered, not done.
    let (status, answer) = other.ask("POST", path, &later[1..], &body);
    assert_eq!((status, &answer), (200, &view["answer"]));
    first.ends();
    second.ends();
}

#[test]
fn what_cannot_be_dealt_with_is_given_up_and_says_so() {
    let ws = sqlite();
    let (served, api) = begin(&ws, "", "");
    approve(&ws);
    let (status, answer) = push(&api, &json!([account("a-1", &json!({}))]));
    assert_eq!(status, 200, "{answer}");
    let place = format!("/api/v1/imports/{}", answer["id"].as_str().expect("an id"));
    served.ends();
    // As a daemon leaves it that came to its end five times while it was at it.
    ws.sql("UPDATE imports SET state = 'running', attempts = 5");
    let mut served = DaemonProcess::on(&ws, &[]);
    let api = Api {
        address: served.address(),
        ..api
    };
    served.says(&["gave up after 5 attempts"]);
    let view = api.once(&place, |view| view["state"] == "lost");
    let why = view["why"].as_str().expect("a reason");
    assert!(why.contains("ended during each attempt"), "{why}");
    // It keeps nobody else from being taken.
    assert_eq!(
        outcomes(&push(&api, &json!([account("a-2", &json!({}))])).1),
        ["a-2 created"]
    );
    served.ends();
}

#[test]
fn a_record_that_changes_and_links_another_account_s_address_is_held_whole() {
    for ws in each("pushed address") {
        let (served, api) = begin(&ws, "", "");
        approve(&ws);
        let both = json!([account("a-1", &json!({})), account("a-2", &json!({}))]);
        let (status, answer) = push(&api, &both);
        assert_eq!(status, 200, "{answer}");
        let own = account("a-2", &json!({}))["address"][0].clone();
        let mut other = account("a-1", &json!({}))["address"][0].clone();
        other["addressStreetName"] = json!("Storgatan 9");
        let changed = json!({"accountName": "Renamed", "address": [own, other]});
        let fine = account("a-3", &json!({}));
        let (status, answer) = push(&api, &json!([account("a-2", &changed), fine]));
        assert_eq!(status, 200, "{answer}");
        assert_eq!(
            outcomes(&answer),
            ["a-2 refused", "a-3 created"],
            "{answer:#}"
        );
        let code = &answer["records"][0]["diagnostics"][0]["code"];
        assert_eq!(code, "address-link-and-update", "{answer:#}");
        assert_eq!(names(&ws), ["a-1 Acme", "a-2 Acme", "a-3 Acme"]);
        let links = "SELECT count(*) FROM account_addresses WHERE account_id = 'a-2'";
        assert_eq!(ws.value(links).as_deref(), Some("1"), "{}", ws.engine);
        let street = "SELECT street FROM addresses WHERE external_id = 'd-a-1'";
        assert_eq!(ws.value(street).as_deref(), Some("Torget 1"));
        served.ends();
    }
}

#[test]
fn a_pushed_password_is_stored_only_as_a_hash() {
    for ws in each("secret-pushes") {
        let operator = token(&ws, "connector", "operator", &[]);
        ws.write(
            "base/base.yaml",
            crate::support::workspace::account("a-1", "")
                + &crate::support::workspace::user("boss", "a-1", ""),
        );
        ws.run(&["apply", "base", "--yes"]).exits(0);
        let sources = "sources:\n  - {name: directory, directory: base}\n  - {name: erp, export: {push: true, preset: djust-users}}\n";
        ws.write(
            "roster.yaml",
            format!("apiVersion: roster/v1\n{sources}{}", serve("")),
        );
        let mut served = DaemonProcess::on(&ws, &[]);
        let api = Api::new(&served.address(), &operator);
        let person = |id: &str, password: &Value| {
            json!({"externalId": id, "civility": "MR", "firstName": "P", "lastName": "P",
                "email": format!("{id}@x.example"), "phone": "+4663123456", "groups": "FOC_User",
                "accountIds": "a-1", "password": password})
        };
        let push = |body: &Value| api.post("/api/v1/import/users", body);
        let hash = |id: &str| {
            let sql = format!(
                "SELECT count(*) FROM users WHERE external_id = '{id}' AND password_hash LIKE '$argon2id$%'"
            );
            ws.value(&sql)
        };
        // Kept until the source is approved, without any password: also not one of a record that
        // cannot be used, or in a column that is not read.
        let secret = json!("Geheim \\\"123");
        let nobody = json!({"email": "x@x.example", "password": "Geheim123"});
        let other = json!({"externalId": "p-0", "Passwort": "Geheim123"});
        let (status, answer) = push(&json!([person("p-1", &secret), nobody, other]));
        assert!(status < 300, "{answer}");
        let hex = if ws.engine == "sqlite" {
            "hex(body)"
        } else {
            "upper(encode(body, 'hex'))"
        };
        let bodies = format!("SELECT {hex} FROM imports WHERE body IS NOT NULL");
        let kept: Vec<String> = ws.column(&bodies).into_iter().flatten().collect();
        let secret: String = "Geheim".bytes().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(kept.len(), 1, "{}", ws.engine);
        assert!(!kept[0].contains(&secret), "{kept:?}");
        approve(&ws);
        let (status, answer) = push(&json!([person("p-2", &json!("Geheim123"))]));
        assert_eq!(status, 200, "{answer}");
        assert_eq!(hash("p-2").as_deref(), Some("1"));
        // This daemon still knew what was sent.
        assert_eq!(hash("p-1").as_deref(), Some("1"));
        let head = "externalId;civility;firstName;lastName;email;phone;groups;accountIds;password";
        let csv =
            format!("{head}\np-3;MR;P;P;p3@x.example;+4663123456;FOC_User;a-1;\"Geheim;1234\"\n");
        let headers = [("Content-Type", "text/csv; charset=utf-8".to_owned())];
        let (status, answer) = api.ask("POST", "/api/v1/import/users", &headers, &csv);
        assert_eq!(status, 200, "{answer}");
        assert_eq!(hash("p-3").as_deref(), Some("1"));
        // What cannot be taken out of the bytes is not taken in.
        for unclear in [
            json!(1_234_567_890),
            json!(["Geheim123"]),
            json!({"is": "Geheim123"}),
        ] {
            let (status, answer) = push(&json!([person("p-4", &unclear)]));
            assert_eq!(status, 422, "{answer}");
            assert!(!answer.to_string().contains("Geheim"), "{answer}");
        }
        // In a row with a cell too many, any cell may be the password, also the id.
        for row in [
            "p-5;MR;P;P;p5@x.example;+4663123456;FOC_User;a-1;x;Geheim1234",
            "Geheim1234",
        ] {
            let csv = format!("{head}\n{row}\n");
            let (status, answer) = api.ask("POST", "/api/v1/import/users", &headers, &csv);
            assert_eq!(status, 422, "{answer}");
            assert!(!answer.to_string().contains("Geheim"), "{answer}");
        }
        let stored =
            ["answer", "name", "digest"].map(|of| ws.column(&format!("SELECT {of} FROM imports")));
        for text in stored.into_iter().flatten().flatten() {
            assert!(!text.contains("Geheim"), "{text}");
        }
        let said = served.said();
        assert!(!said.contains("Geheim"), "{said}");
        served.ends();
    }
}

//! Reverts of runs by the API, on the page and by the remote command: what is shown is what is applied.

use super::api::{Api, serve, token, until};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, account, each, run, user, users};
use serde_json::{Value, json};

fn directory(first: &str) -> String {
    account("acme", "") + &user("u-0", "acme", first) + &users(1..8, "acme", "")
}

/// A daemon whose run 2 gave a user another telephone number.
fn started(ws: &Workspace) -> (DaemonProcess, Api) {
    ws.tree(directory(""));
    let token = token(ws, "eva", "administrator", &[]);
    let config = format!(
        "apiVersion: roster/v1\nsources:\n  - {{name: shop, directory: manifests, interval: 1s}}\n{}",
        serve("")
    );
    ws.write("roster.yaml", config);
    let mut served = DaemonProcess::on(ws, &[]);
    let api = Api::new(&served.address(), &token);
    served.says(&["as run 1"]);
    ws.tree(directory("phone: \"+46111111111\""));
    until("run 2", || {
        (phone(ws).as_deref() == Some("+46111111111")).then_some(())
    });
    (served, api)
}

fn phone(ws: &Workspace) -> Option<String> {
    ws.value("SELECT phone FROM users WHERE external_id = 'u-0'")
}

fn runs(ws: &Workspace) -> Option<String> {
    ws.value("SELECT max(id) FROM runs")
}

const PATH: &str = "/api/v1/runs/2/revert";

#[test]
fn a_run_is_reverted_as_it_was_shown_and_only_so() {
    for ws in each("revert api") {
        let (served, api) = started(&ws);
        let preview = api.document(PATH);
        let step = &preview["plan"]["steps"][0];
        assert_eq!(
            (&step["externalId"], &step["reason"]),
            (&json!("u-0"), &json!("requested")),
            "{preview}"
        );
        assert!(preview["run"].is_null(), "{preview}");
        assert_eq!(runs(&ws).as_deref(), Some("2"));
        let id = &preview["plan"]["id"];
        let request = |plan: &Value, reason: &str| json!({"plan": plan, "reason": reason});

        let other = json!("0".repeat(64));
        let (status, refused) = api.post(PATH, &request(&other, "a mistake"));
        assert_eq!((status, &refused["code"]), (409, &json!("stale-plan")));
        let (status, refused) = api.post(PATH, &request(id, " "));
        assert_eq!((status, &refused["code"]), (422, &json!("invalid")));
        assert_eq!(runs(&ws).as_deref(), Some("2"));

        let (status, done) = api.post(PATH, &request(id, "a mistake"));
        assert_eq!((status, &done["run"]), (200, &json!(3)), "{done}");
        assert_eq!(phone(&ws).as_deref(), Some("+4663123456"));
        let run = api.document("/api/v1/runs/3");
        assert_eq!((&run["actor"], &run["reverts"]), (&json!("eva"), &json!(2)));
        assert_eq!(
            ws.column("SELECT actor || ': ' || act || ' ' || subject || ', ' || reason FROM acts WHERE act = 'revert run'"),
            [Some("eva: revert run 2, a mistake".to_owned())]
        );
        // Twice is once: the plan that was shown is used up.
        let (status, refused) = api.post(PATH, &request(id, "a mistake"));
        assert_eq!((status, &refused["code"]), (409, &json!("stale-plan")));
        // The next passes leave it so.
        let before = api.source("shop")["state"]["lastAttempted"]["at"].clone();
        api.once("/api/v1/sources/shop", |view| {
            view["state"]["lastAttempted"]["at"] != before
        });
        assert_eq!(phone(&ws).as_deref(), Some("+4663123456"));
        served.ends();
    }
}

#[test]
fn who_may_not_operate_and_what_is_no_run_is_refused() {
    for ws in each("revert refused") {
        let (served, api) = started(&ws);
        for (role, sees) in [("planner", 403), ("viewer", 200), ("approver", 200)] {
            let other = Api::new(&api.address, &token(&ws, role, role, &[]));
            assert_eq!(other.get(PATH).0, sees, "{role}");
            let request = json!({"plan": "0".repeat(64), "reason": "x"});
            assert_eq!(other.post(PATH, &request).0, 403, "{role}");
            let (status, page) = other.get("/runs/2/revert");
            assert_eq!(status, sees, "{role}");
            // Whoever only reads has no form.
            assert!(
                !page.to_string().contains("name=\\\"plan\\\""),
                "{role}: {page}"
            );
        }
        let of_shop = token(&ws, "ola", "operator", &["--sources", "shop"]);
        let limited = Api::new(&api.address, &of_shop);
        assert_eq!(limited.get(PATH).0, 403);
        assert_eq!(api.get("/api/v1/runs/99/revert").0, 404);
        let blocked = json!({"kind": "User", "ids": ["u-1"], "reason": "stolen"});
        assert_eq!(api.post("/api/v1/acts/block", &blocked).0, 200);
        let act = runs(&ws).expect("a run");
        let (status, refused) = api.get(&format!("/api/v1/runs/{act}/revert"));
        assert_eq!((status, &refused["code"]), (409, &json!("wrong-state")));
        served.ends();
    }
}

#[test]
fn a_page_shows_the_revert_before_it_is_confirmed() {
    for ws in each("revert page") {
        let (served, api) = started(&ws);
        let text = |path: &str| {
            let (status, page) = api.get(path);
            assert_eq!(status, 200, "{path}: {page}");
            page.as_str().unwrap_or_default().to_owned()
        };
        assert!(text("/runs/2").contains("href=\"/runs/2/revert\""));
        let page = text("/runs/2/revert");
        assert!(
            page.contains("+46111111111") && page.contains("Reason"),
            "{page}"
        );
        let viewer = Api::new(&api.address, &token(&ws, "vera", "viewer", &[]));
        let (_, seen) = viewer.get("/runs/2");
        assert!(!seen.to_string().contains("/runs/2/revert"));
        let plan = page.split("name=\"plan\" value=\"").nth(1).expect("an id");
        let plan = plan.split('"').next().expect("an id");
        let form = [(
            "Content-Type",
            "application/x-www-form-urlencoded".to_owned(),
        )];
        let body = format!("plan={plan}&reason=a+mistake");
        let (status, head, _) = api.exchange("POST", "/runs/2/revert", &form, &body);
        assert_eq!(status, 303, "{head}");
        assert!(head.contains("/runs/3?done=reverted"), "{head}");
        assert_eq!(phone(&ws).as_deref(), Some("+4663123456"));
        assert!(text("/runs/3?done=reverted").contains("Reverted. The audit log shows it."));
        assert!(text("/runs/2/revert").contains("Nothing of it is left to revert."));
        served.ends();
    }
}

#[test]
fn the_command_reverts_by_a_daemon() {
    for ws in each("revert remote") {
        let (served, api) = started(&ws);
        let url = format!("http://{}", api.address);
        let by = |arguments: &[&str]| {
            let mut command = ws.command(arguments);
            let token = api.token.clone().expect("a token");
            run(command.env("ROSTER_TOKEN", token))
        };
        let revert = ["revert", "2", "--yes", "--remote", &url];
        let refused = by(&revert).exits(64);
        assert!(refused.stderr.contains("pass `--reason TEXT`"), "{refused}");
        let because = [&revert[..], &["--reason", "a mistake"]].concat();
        let accepts = [&because[..], &["--accept", "User.deactivate=4"]].concat();
        by(&accepts).exits(64);
        let done = by(&because).exits(0);
        assert_eq!(done.steps(), ["update User/u-0"], "{done}");
        assert!(done.stdout.contains("\"skipped\": []"), "{done}");
        assert!(done.stderr.contains("Correct its files too."), "{done}");
        assert_eq!(phone(&ws).as_deref(), Some("+4663123456"));
        by(&["revert", "99", "--yes", "--remote", &url, "--reason", "x"]).exits(1);
        served.ends();
    }
}

/// Run 3 creates ten users, which is more than guards let anybody take away at once.
fn with_ten_more(ws: &Workspace) {
    ws.tree(directory("phone: \"+46111111111\"") + &users(20..30, "acme", ""));
    until("run 3", || (runs(ws).as_deref() == Some("3")).then_some(()));
}

fn inactive(ws: &Workspace) -> Option<String> {
    ws.value("SELECT count(*) FROM users WHERE status = 'inactive'")
}

#[test]
fn what_guards_hold_waits_for_an_approval() {
    for ws in each("revert held") {
        let (served, api) = started(&ws);
        with_ten_more(&ws);
        let path = "/api/v1/runs/3/revert";
        let preview = api.document(path);
        assert_eq!(preview["plan"]["steps"], json!([]), "{preview}");
        let held = preview["plan"]["held"].as_array().expect("a list");
        assert_eq!(held.len(), 10, "{preview}");
        let petra = Api::new(&api.address, &token(&ws, "petra", "approver", &[]));
        let pia = token(&ws, "pia", "approver", &["--sources", "shop"]);
        let pia = Api::new(&api.address, &pia);
        let hold = held[0]["hold"].as_str().expect("an id");
        let approve = format!("/api/v1/holds/{hold}/approve");
        let because = json!({"reason": "they were too early"});
        until("the token", || {
            (petra.get("/api/v1/runs").0 == 200).then_some(())
        });
        // Nobody has asked for the revert yet.
        assert_eq!(petra.post(&approve, &because).0, 404);

        let request = json!({"plan": preview["plan"]["id"], "reason": "too early"});
        let (status, done) = api.post(path, &request);
        assert_eq!((status, &done["run"]), (200, &Value::Null), "{done}");
        assert_eq!(
            ws.column("SELECT actor || ': ' || subject || ', ' || reason FROM acts WHERE act = 'ask to revert run'"),
            [Some("eva: 3, too early".to_owned())]
        );
        // It waits among all holds, for whoever may see all sources.
        let listed = petra.document("/api/v1/holds")["items"].clone();
        let facts = |name: &str| listed[0][name].clone();
        assert_eq!(
            (
                facts("id"),
                facts("reverts"),
                facts("source"),
                facts("count")
            ),
            (json!(hold), json!(3), json!("shop"), json!(10)),
            "{listed}"
        );
        let table = ws.run(&["holds", "--output", "text"]).exits(0);
        assert!(
            table.stdout.contains("revert run 3: deactivate 10 users"),
            "{table}"
        );
        assert!(table.stdout.contains("waiting"), "{table}");
        assert_eq!(pia.document("/api/v1/holds")["items"], json!([]));
        assert_eq!(pia.post(&approve, &because).0, 404);
        let stranger = json!({"reason": "x", "only": ["User/u-1"]});
        assert_eq!(petra.post(&approve, &stranger).0, 422);
        assert_eq!(petra.post(&approve, &because).0, 204);
        let preview = api.document(path);
        let request = json!({"plan": preview["plan"]["id"], "reason": "too early"});
        let (status, done) = api.post(path, &request);
        assert_eq!((status, &done["run"]), (200, &json!(4)), "{done}");
        assert_eq!(inactive(&ws).as_deref(), Some("10"));
        let run = api.document("/api/v1/runs/4");
        assert_eq!(run["cause"]["approvals"][0]["by"], "petra", "{run}");
        // What was approved is used up.
        assert_eq!(petra.post(&approve, &because).0, 404);
        served.ends();
    }
}

#[test]
fn what_is_held_of_a_revert_is_rejected_and_asked_for_again() {
    for ws in each("revert rejected") {
        let (served, api) = started(&ws);
        with_ten_more(&ws);
        let path = "/api/v1/runs/3/revert";
        let petra = Api::new(&api.address, &token(&ws, "petra", "approver", &[]));
        until("the token", || {
            (petra.get("/api/v1/runs").0 == 200).then_some(())
        });
        let ask = || {
            let preview = api.document(path);
            let request = json!({"plan": preview["plan"]["id"], "reason": "too early"});
            let (status, done) = api.post(path, &request);
            assert_eq!((status, &done["run"]), (200, &Value::Null), "{done}");
            petra.document("/api/v1/holds")["items"][0].clone()
        };
        let asked = ask();
        let hold = asked["id"].as_str().expect("an id").to_owned();
        let home = petra.document("/").to_string();
        assert!(
            home.contains("Revert of run 3: 10 people are deactivated"),
            "{home}"
        );
        let decide =
            |what: &str, with: &Value| petra.post(&format!("/api/v1/holds/{hold}/{what}"), with).0;
        assert_eq!(decide("reject", &json!({"reason": "they stay"})), 204);
        assert_eq!(decide("reject", &json!({"reason": "they stay"})), 409);
        let listed = petra.document("/api/v1/holds")["items"][0].clone();
        assert_eq!(listed["rejection"]["by"], "petra", "{listed}");
        let home = petra.document("/").to_string();
        assert!(!home.contains("Revert of run 3"), "{home}");
        let page = api.document("/runs/3/revert").to_string();
        assert!(
            page.contains("Rejected by petra") && page.contains("they stay"),
            "{page}"
        );

        // Whoever asks again gets another decision, here about two of them.
        let again = ask();
        assert_eq!(
            (&again["id"], &again["rejection"]),
            (&asked["id"], &Value::Null)
        );
        let two = json!({"reason": "these two", "only": ["User/u-20", "User/u-21"]});
        assert_eq!(decide("approve", &two), 204);
        let preview = api.document(path);
        let request = json!({"plan": preview["plan"]["id"], "reason": "too early"});
        let (status, done) = api.post(path, &request);
        assert_eq!((status, &done["run"]), (200, &json!(4)), "{done}");
        assert_eq!(inactive(&ws).as_deref(), Some("2"));
        // The rest is a hold of its own.
        let left = petra.document("/api/v1/holds")["items"].clone();
        assert_eq!(
            (
                &left[0]["count"],
                &left[0]["reverts"],
                left.as_array().map(Vec::len)
            ),
            (&json!(8), &json!(3), Some(1)),
            "{left}"
        );
        // A hold that is out of date is not approved, and goes from the list.
        ws.sql("UPDATE users SET status = 'inactive' WHERE external_id = 'u-29'");
        let hold = left[0]["id"].as_str().expect("an id");
        let because = json!({"reason": "they were too early"});
        assert_eq!(
            petra
                .post(&format!("/api/v1/holds/{hold}/approve"), &because)
                .0,
            404
        );
        let now = petra.document("/api/v1/holds")["items"].clone();
        assert_eq!(
            (&now[0]["count"], &now[0]["reverts"]),
            (&json!(7), &json!(3)),
            "{now}"
        );
        served.ends();
    }
}

#[test]
fn a_page_asks_for_an_approval_and_takes_it() {
    for ws in each("revert held page") {
        let (served, api) = started(&ws);
        with_ten_more(&ws);
        let path = "/runs/3/revert";
        let page = || api.document(path).as_str().unwrap_or_default().to_owned();
        let send = |path: &str, body: &str| {
            let form = "application/x-www-form-urlencoded".to_owned();
            let (status, head, _) = api.exchange("POST", path, &[("Content-Type", form)], body);
            assert_eq!(status, 303, "{path}: {head}");
            let mut lines = head.lines();
            let to = lines.find_map(|line| line.strip_prefix("location: "));
            to.expect("a place").to_owned()
        };
        let value = |page: &str, name: &str| {
            let (_, rest) = page
                .split_once(&format!("{name}\" value=\""))
                .expect("a field");
            rest.split('"').next().unwrap_or_default().to_owned()
        };
        let before = page();
        assert!(before.contains("Ask for approval"), "{before}");
        assert!(!before.contains("Approve 10 changes"), "{before}");
        let asked = format!("plan={}&reason=too+early", value(&before, "plan"));
        assert_eq!(send(path, &asked), "/runs/3/revert?done=asked-revert");

        let asked = page();
        assert!(
            asked.contains("If approved: <strong>10 users lose access."),
            "{asked}"
        );
        assert!(asked.contains("Approve 10 changes"), "{asked}");
        let (_, rest) = asked.split_once("action=\"/holds/").expect("a form");
        let action = format!("/holds/{}/approve", &rest[..16]);
        assert!(
            asked.contains(&format!("/holds/{}/reject", &rest[..16])),
            "{asked}"
        );
        let ticks = (20..30).map(|at| format!("only=User%2Fu-{at}&"));
        let ticks = ticks.collect::<String>();
        let approval = format!("back={path}&scope=ticked&{ticks}reason=too+early");
        assert_eq!(
            send(&action, &approval),
            "/runs/3/revert?done=approved-revert"
        );
        let approved = page();
        assert!(!approved.contains("Approve 10 changes"), "{approved}");
        let revert = format!("plan={}&reason=too+early", value(&approved, "plan"));
        assert_eq!(send(path, &revert), "/runs/4?done=reverted");
        assert_eq!(inactive(&ws).as_deref(), Some("10"));
        served.ends();
    }
}

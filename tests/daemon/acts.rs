//! What people do with sources, and who may.

use super::api::{Api, serve, token, until};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, account, each, sqlite, user};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

fn people() -> String {
    let users = (1..=6).map(|n| user(&format!("u-{n}"), "acme", ""));
    let keeper = user("keeper", "acme", "groups: [FOC_User, FOC_Webmaster]");
    account("acme", "") + &keeper + &users.collect::<String>()
}

/// A daemon on the directory `manifests`; `more` are further keys of the source, `top` of the file.
fn begin(ws: &Workspace, more: &str, top: &str) -> (DaemonProcess, Api) {
    let token = token(ws, "eva", "administrator", &[]);
    let config = format!(
        "apiVersion: roster/v1\n{top}sources:\n  - {{name: shop, directory: manifests{more}}}\n{}",
        serve("")
    );
    ws.write("roster.yaml", config);
    let mut served = DaemonProcess::on(ws, &[]);
    let api = Api::new(&served.address(), &token);
    (served, api)
}

fn first_name(ws: &Workspace, id: &str) -> Option<String> {
    ws.value(&format!(
        "SELECT first_name FROM users WHERE external_id = '{id}'"
    ))
}

fn acts(api: &Api) -> Vec<[String; 4]> {
    let acts = api.document("/api/v1/acts");
    let word = |act: &Value, name: &str| act[name].as_str().unwrap_or_default().to_owned();
    let acts = acts["items"].as_array().expect("acts").iter();
    acts.map(|act| ["actor", "act", "subject", "reason"].map(|name| word(act, name)))
        .collect()
}

#[test]
fn a_suspension_survives_a_restart_and_stops_passes_until_somebody_resumes() {
    let ws = sqlite();
    ws.tree(people());
    let (mut served, api) = begin(&ws, ", interval: 1s", "");
    served.says(&["created 9", "run 1"]);
    let path = "/api/v1/sources/shop/suspend";
    assert_eq!(api.post(path, &json!({"reason": " "})).0, 422);
    let (status, answer) = api.post(path, &json!({"reason": "ticket 4711"}));
    assert!(status < 300, "{status} {answer}");
    served.ends();

    ws.tree(people().replacen("Karin", "Britta", 1));
    let mut served = DaemonProcess::on(&ws, &[]);
    let api = Api {
        address: served.address(),
        ..api
    };
    let view = api.once("/api/v1/sources/shop", |view| {
        view["activity"]["why"].as_str().is_some()
    });
    assert_eq!(view["why"], "suspended by eva: ticket 4711", "{view}");
    let (status, answer) = api.post("/api/v1/sources/shop/reconcile", &json!({}));
    assert_eq!(status, 409, "{answer}");
    // Nor is it asked for among all, and nobody waits for it in vain.
    let (status, answer) = api.post("/api/v1/reconcile", &json!({}));
    assert_eq!((status, &answer["code"]), (409, &json!("suspended")));
    served.signal(Signal::SIGHUP);
    served.says(&["configuration reloaded"]);
    assert_eq!(first_name(&ws, "keeper").as_deref(), Some("Karin"));

    let (status, answer) = api.post("/api/v1/sources/shop/resume", &json!({"reason": "done"}));
    assert!(status < 300, "{status} {answer}");
    served.says(&["updated 1", "run 2"]);
    let (status, _) = api.post("/api/v1/sources/shop/resume", &json!({"reason": "done"}));
    assert_eq!(status, 409);
    let expected = [
        ["eva", "resume", "shop", "done"],
        ["eva", "suspend", "shop", "ticket 4711"],
    ];
    assert_eq!(acts(&api), expected.map(|act| act.map(str::to_owned)));
    served.ends();
}

#[test]
fn a_closed_window_keeps_applies_out_until_somebody_overrules_it() {
    let ws = sqlite();
    ws.tree(people());
    let window = ", windows: [{deny: '0 0 * * *', for: 48h}]";
    let (mut served, api) = begin(&ws, window, "");
    served.says(&["9 steps are delayed", "deny: 0 0 * * *"]);
    let view = api.source("shop");
    assert_eq!(view["state"]["outcome"], "window-closed", "{view}");
    assert!(
        view["window"]["by"]
            .as_str()
            .is_some_and(|by| by.contains("deny")),
        "{view}"
    );

    let path = "/api/v1/sources/shop/reconcile";
    assert_eq!(api.post(path, &json!({"overruleWindow": true})).0, 422);
    let asked = json!({"overruleWindow": true, "reason": "the shop opens today"});
    assert_eq!(api.post(path, &asked).0, 202);
    served.says(&["created 9", "run 1"]);
    let acts = acts(&api);
    assert_eq!(
        acts[0],
        ["eva", "overrule window", "shop", "the shop opens today"]
    );

    // Once, and not from then on.
    ws.tree(people().replacen("Karin", "Britta", 1));
    served.says(&["1 step is delayed"]);
    served.ends();
}

#[test]
fn a_source_in_mode_plan_only_plans() {
    let ws = sqlite();
    ws.tree(people());
    let (mut served, api) = begin(&ws, ", mode: plan", "");
    served.says(&["mode `plan`"]);
    let view = api.source("shop");
    assert_eq!(view["state"]["outcome"], "planned");
    assert_eq!(view["state"]["summary"]["create"], 9, "{view}");
    let plan = api.document("/api/v1/sources/shop/plan");
    assert_eq!(plan["steps"].as_array().map(Vec::len), Some(9));
    assert_eq!(ws.value("SELECT count(*) FROM users").as_deref(), Some("0"));
    served.ends();
}

#[test]
fn a_planner_gets_plans_and_sees_nothing_that_is_stored() {
    let ws = sqlite();
    let sent = people();
    ws.tree(sent.replace("phone: \"+4663123456\"", "phone: \"+4670999888\""));
    let token = token(&ws, "ci", "planner", &[]);
    let (mut served, api) = begin(&ws, "", "");
    served.says(&["created 9"]);
    let ci = Api::new(&api.address, &token);

    for format in ["markdown", "text", "json"] {
        let sent = sent.replacen("Karin", "Britta", 1);
        let wanted = json!({"format": format, "detail": "full", "files": {"all.yaml": sent}});
        let (status, answer) = ci.post("/api/v1/plan", &wanted);
        assert_eq!(status, 200, "{answer}");
        let shown = answer.to_string();
        assert!(shown.contains("keeper"), "{shown}");
        assert!(!shown.contains("70999888"), "{shown}");
    }
    let (status, answer) = ci.post("/api/v1/plan", &json!({"files": {"../all.yaml": "x"}}));
    assert_eq!(status, 422, "{answer}");
    for path in [
        "/api/v1/status",
        "/api/v1/sources/shop",
        "/api/v1/sources/shop/plan",
        "/api/v1/holds",
        "/api/v1/resources/User",
        "/api/v1/runs",
        "/api/v1/changes",
        "/api/v1/acts",
        "/metrics",
    ] {
        assert_eq!(ci.get(path).0, 403, "{path}");
    }
    assert_eq!(ci.post("/api/v1/reconcile", &json!({})).0, 403);
    assert_eq!(ws.value("SELECT count(*) FROM runs").as_deref(), Some("1"));
    served.ends();
}

#[test]
fn a_token_of_one_source_sees_only_that_one() {
    let ws = sqlite();
    ws.tree(people());
    ws.write(
        "tags/tags.yaml",
        "tags:\n  - {externalId: gold, name: Gold}\n",
    );
    let (one, all) = (
        token(&ws, "olle", "operator", &["--sources", "tags"]),
        token(&ws, "eva", "administrator", &[]),
    );
    let config = format!(
        "apiVersion: roster/v1\nsources:\n  - {{name: shop, directory: manifests}}\n  - {{name: tags, directory: tags}}\n{}",
        serve("")
    );
    ws.write("roster.yaml", config);
    let mut served = DaemonProcess::on(&ws, &[]);
    let address = served.address();
    let (olle, eva) = (Api::new(&address, &one), Api::new(&address, &all));
    until("both passes", || {
        (ws.column("SELECT id FROM runs").len() == 2).then_some(())
    });
    let names = |api: &Api| {
        let status = api.document("/api/v1/status");
        let sources = status["sources"].as_array().expect("sources").iter();
        sources
            .map(|source| source["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&eva), ["shop", "tags"]);
    assert_eq!(names(&olle), ["tags"]);
    assert!(matches!(olle.get("/api/v1/sources/shop").0, 403 | 404));
    let why = json!({"reason": "r"});
    assert!(matches!(
        olle.post("/api/v1/sources/shop/suspend", &why).0,
        403 | 404
    ));
    assert!(matches!(olle.post("/api/v1/suspend", &why).0, 403 | 404));
    let (status, answer) = olle.post("/api/v1/reconcile", &json!({}));
    assert_eq!((status, &answer["sources"]), (202, &json!(["tags"])));
    served.ends();
}

#[test]
fn only_approvers_approve() {
    let ws = sqlite();
    ws.tree(people());
    let token = token(&ws, "anna", "approver", &[]);
    let (mut served, eva) = begin(&ws, "", "approvers: [anna]\n");
    served.says(&["created 9"]);
    let left = account("acme", "") + &user("keeper", "acme", "groups: [FOC_User, FOC_Webmaster]");
    ws.tree(left);
    served.says(&["1 hold needs"]);
    let holds = eva.document("/api/v1/holds");
    let hold = holds["items"][0]["hold"].as_str().expect("a hold");
    let path = format!("/api/v1/holds/{hold}/approve");
    let why = json!({"reason": "they left"});
    let (status, answer) = eva.post(&path, &why);
    assert_eq!(status, 403, "{answer}");
    assert!(answer.to_string().contains("anna"), "{answer}");
    let anna = Api::new(&eva.address, &token);
    assert!(anna.post(&path, &why).0 < 300);
    served.says(&["deactivated 6", "run 2"]);
    served.ends();
}

#[test]
fn two_people_approve_what_takes_access() {
    for ws in each("two people") {
        ws.tree(people());
        let [anna, anna_too] = ["a", "b"].map(|_| token(&ws, "anna", "approver", &[]));
        let (mut served, eva) = begin(&ws, "", "approvals: {access.lost: 2}\n");
        served.says(&["created 9"]);
        let left =
            account("acme", "") + &user("keeper", "acme", "groups: [FOC_User, FOC_Webmaster]");
        ws.tree(left);
        served.says(&["1 hold needs"]);
        let listed = || eva.document("/api/v1/holds")["items"][0].clone();
        let first = listed();
        assert_eq!(first["approvalsNeeded"], 2, "{first}");
        let hold = first["hold"].as_str().expect("a hold");
        let path = format!("/api/v1/holds/{hold}/approve");
        let why = json!({"reason": "they left"});
        let of = |token: &str| Api::new(&eva.address, token);
        let by_hand = ws
            .command(&["approve", "hold", hold, "--reason", "they left"])
            .env("ROSTER_REMOTE", format!("http://{}", eva.address))
            .env("ROSTER_TOKEN", &anna)
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&by_hand.stdout).into_owned();
        assert!(
            said.contains("1 of 2 people has approved it (anna)"),
            "{said}"
        );
        let (status, answer) = of(&anna_too).post(&path, &why);
        assert_eq!(
            (status, &answer["code"]),
            (409, &json!("already-decided")),
            "{answer}"
        );
        let waiting = listed();
        assert_eq!(waiting["approvedBy"], json!(["anna"]), "{waiting}");
        assert!(waiting["approval"].is_null(), "{waiting}");
        let seen = json!({"reason": "seen by sales"});
        assert!(eva.post(&path, &seen).0 < 300);
        served.says(&["deactivated 6", "run 2"]);
        let run = eva.document("/api/v1/runs/2");
        let approvals = run["cause"]["approvals"].as_array().expect("approvals");
        let given = approvals.iter().map(|it| [&it["by"], &it["reason"]]);
        let given: Vec<_> = given.collect();
        assert_eq!(given, [["anna", "they left"], ["eva", "seen by sales"]]);
        served.ends();
    }
}

#[test]
fn a_source_whose_window_is_closed_does_not_silence_the_others() {
    let ws = sqlite();
    let named = |name: &str| people().replacen("Karin", name, 1);
    ws.write("first/all.yaml", named("Karin"));
    ws.write("second/all.yaml", named("Karin"));
    let token = token(&ws, "eva", "administrator", &[]);
    let configure = |window: &str| {
        ws.write("roster.yaml", format!(
            "apiVersion: roster/v1\norder: [first, second]\nsources:\n  - {{name: first, directory: first{window}}}\n  - {{name: second, directory: second}}\n{}",
            serve("")
        ));
    };
    configure("");
    ws.run(&["apply", "--yes"]).exits(0);
    configure(", windows: [{deny: '0 0 * * *', for: 48h}]");
    let mut served = DaemonProcess::on(&ws, &[]);
    let api = Api::new(&served.address(), &token);
    // The first one would say another name, and does not yet.
    ws.write("first/all.yaml", named("Britta"));
    served.says(&["first", "1 step is delayed"]);
    ws.write("second/all.yaml", named("Carla"));
    let view = api.once("/api/v1/sources/second", |view| {
        view["state"]["findings"]
            .as_array()
            .is_some_and(|found| found.iter().any(|found| found["code"] == "authority-waits"))
    });
    assert!(view.to_string().contains("the window is closed"), "{view}");
    assert_eq!(first_name(&ws, "keeper").as_deref(), Some("Karin"));
    served.ends();
}

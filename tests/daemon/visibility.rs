//! What a user sees and which policies review a purchase, asked by the API and by `--remote`.

use super::api::{Api, serve, token};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Ran, Workspace, account, each, run, user, users};
use serde_json::{Value, json};

fn started(ws: &Workspace) -> (DaemonProcess, Api) {
    let organisation = |id: &str| {
        format!("---\nkind: Organisation\nexternalId: {id}\nname: {id}\naccount: acme\n")
    };
    let policy = "---\nkind: Policy\nexternalId: site\nname: Site\naccount: acme\n\
                  reviewed: [nils]\napprovers: [sven]\n";
    ws.tree(
        [
            account("acme", ""),
            account("other", ""),
            organisation("north"),
            organisation("south"),
            user("nils", "acme", "organisations: [north]"),
            user("nora", "acme", "organisations: [north]"),
            user("sven", "acme", "organisations: [south]"),
            user("olga", "other", ""),
            policy.to_owned(),
        ]
        .concat(),
    );
    let token = token(ws, "eva", "administrator", &[]);
    let config = format!(
        "apiVersion: roster/v1\nsources:\n  - {{name: shop, directory: manifests}}\n{}",
        serve("")
    );
    ws.write("roster.yaml", config);
    let mut served = DaemonProcess::on(ws, &[]);
    let api = Api::new(&served.address(), &token);
    served.says(&["as run 1"]);
    (served, api)
}

fn remote(ws: &Workspace, api: &Api, arguments: &[&str]) -> Ran {
    let url = format!("http://{}", api.address);
    let mut command = ws.command(&[arguments, &["--remote", &url]].concat());
    command.env("ROSTER_TOKEN", api.token.as_deref().expect("a token"));
    run(&mut command)
}

fn ids(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items").iter();
    items
        .map(|item| item["externalId"].as_str().expect("an id"))
        .collect()
}

#[test]
fn the_lists_are_filtered_by_what_a_user_sees() {
    for ws in each("as-user") {
        let (served, api) = started(&ws);
        for (path, expected) in [
            ("User?asUser=nils", vec!["nils", "nora"]),
            ("User?asUser=nils&limit=1&after=nils", vec!["nora"]),
            ("User?asUser=nils&q=sven", vec![]),
            ("User?asUser=olga", vec!["olga"]),
            ("Organisation?asUser=nils", vec!["north"]),
            ("Account?asUser=sven", vec!["acme"]),
        ] {
            let page = api.document(&format!("/api/v1/resources/{path}"));
            assert_eq!(ids(&page), expected, "{path}");
        }
        for (path, status) in [
            ("User/nora?asUser=nils", 200),
            ("User/sven?asUser=nils", 404),
            ("User/nils/history?asUser=nora", 200),
            ("User/sven/history?asUser=nora", 404),
            ("User/sven/why?asUser=nora", 404),
            ("Organisation/south?asUser=nils", 404),
            ("Account/other?asUser=nils", 404),
            ("Policy/site?asUser=nils", 404),
            ("Policy?asUser=nils", 404),
            ("User?asUser=nobody", 404),
        ] {
            let (got, answer) = api.get(&format!("/api/v1/resources/{path}"));
            assert_eq!(got, status, "{path}: {answer}");
        }
        // What is not seen is not told from what does not exist.
        let hidden = api.get("/api/v1/resources/User/sven?asUser=nils").1;
        assert_eq!(hidden["detail"], "User/sven does not exist");

        let seen = remote(&ws, &api, &["visible", "--as", "nils"]).exits(0);
        let here = ws.run(&["visible", "--as", "nils"]).exits(0);
        assert_eq!(seen.stdout, here.stdout);
        let refused = remote(&ws, &api, &["visible", "--as", "nobody"]).exits(1);
        let problem: Value = serde_json::from_str(&refused.stdout).expect("a problem");
        assert_eq!(problem["code"], "not-found");
        served.ends();
    }
}

/// A plan does not reveal who is in the directory to a caller who may not read it.
#[test]
fn a_plan_of_a_sent_tree_says_who_sees_more_or_less_to_those_who_may_read() {
    // So many that three who see more are no large share.
    let far = account("far", "") + &users(0..5, "far", "");
    for ws in each("sent-sight") {
        ws.write("manifests/far.yaml", &far);
        let (served, api) = started(&ws);
        let ci = Api::new(&api.address, &token(&ws, "ci", "planner", &[]));
        let tree = std::fs::read_to_string(ws.path("manifests/all.yaml")).expect("a tree");
        let moved = "externalId: sven\norganisations: [north]\n";
        let tree = tree.replace("organisations: [south]\n", "");
        let tree = tree.replace("externalId: sven\n", moved);
        let asked = |api: &Api, format: &str| {
            let wanted = json!({"files": {"all.yaml": tree, "far.yaml": far}, "format": format});
            let (status, answer) = api.post("/api/v1/plan", &wanted);
            assert_eq!(status, 200, "{answer}");
            assert_eq!(answer["steps"], true, "{answer}");
            answer
        };
        let read = asked(&api, "json");
        let users = |users: &[&str], organisations: &[&str]| json!({"users": users, "organisations": organisations, "accounts": []});
        assert_eq!(
            read["plan"]["visibility"],
            json!([
                {"user": "nils", "gains": users(&["sven"], &[]), "loses": users(&[], &[])},
                {"user": "nora", "gains": users(&["sven"], &[]), "loses": users(&[], &[])},
                {"user": "sven", "gains": users(&["nils", "nora"], &["north"]),
                 "loses": users(&[], &["south"])},
            ])
        );
        let text = asked(&api, "text")["text"].to_string();
        assert!(text.contains("2 users: nils, nora"), "{text}");
        for format in ["json", "text", "markdown", "github"] {
            let hidden = asked(&ci, format).to_string();
            // The budget says how many they are, and nobody's name.
            for said in ["\"visibility\"", "Visibility", "title=visibility", "sees"] {
                assert!(!hidden.contains(said), "{said}: {hidden}");
            }
            assert!(!hidden.contains("nora"), "{hidden}");
        }
        served.ends();
    }
}

#[test]
fn the_api_evaluates_policies_and_the_status_names_idle_ones() {
    for ws in each("evaluate") {
        let (served, api) = started(&ws);
        let path = "/api/v1/policies/evaluate";
        let purchase = json!({"user": "nils", "account": "acme"});
        let (status, idle) = api.post(path, &purchase);
        assert_eq!(status, 200, "{idle}");
        assert_eq!(idle["policies"][0]["approvers"], json!([]));
        assert_eq!(idle["diagnostics"][0]["code"], "policy-approvers");

        // Status and page say the same, until the approver can log in.
        let status = api.document("/api/v1/status");
        assert_eq!(status["diagnostics"][0]["resource"], "Policy/site");
        let message = status["diagnostics"][0]["message"].as_str().expect("text");
        assert_eq!(
            message,
            "no approver of Policy/site can act: sven cannot log in (unregistered)"
        );
        let shown = remote(&ws, &api, &["status", "--output", "text"]).exits(0);
        assert!(shown.stdout.contains(message), "{shown}");

        ws.sql("UPDATE users SET access = 'enabled' WHERE external_id = 'sven'");
        let expected = json!({"required": true, "policies": [{"policy": "site", "message": null,
            "approvers": ["sven"], "why": "User/nils is reviewed for Account/acme"}]});
        assert_eq!(api.post(path, &purchase), (200, expected.clone()));
        let arguments = ["policy", "check", "--user", "nils", "--account", "acme"];
        let asked = remote(&ws, &api, &arguments).exits(0);
        assert_eq!(
            serde_json::from_str::<Value>(&asked.stdout).ok(),
            Some(expected)
        );
        assert_eq!(api.document("/api/v1/status")["diagnostics"], Value::Null);

        for (body, status, code) in [
            (
                json!({"user": "nobody", "account": "acme"}),
                404,
                "not-found",
            ),
            (json!({"user": "nils", "account": "none"}), 404, "not-found"),
            (
                json!({"user": "olga", "account": "acme"}),
                409,
                "policy-foreign-user",
            ),
        ] {
            let (got, problem) = api.post(path, &body);
            assert_eq!((got, &problem["code"]), (status, &json!(code)), "{body}");
        }
        served.ends();
    }
}

//! Acts on stored resources by the API: who may, what a repetition is answered, and what is refused.

use super::api::{Answer, Api, serve, token};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, account, each, user};
use serde_json::{Value, json};

fn started(ws: &Workspace) -> (DaemonProcess, Api) {
    let settings = "settings: [{externalId: settings, accountApproval: true}]\n---\n";
    ws.tree(settings.to_owned() + &account("acme", "") + &user("u-1", "acme", ""));
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

fn with_key(api: &Api, act: &str, key: &str, body: &Value) -> Answer {
    let headers = [("Idempotency-Key", key.to_owned())];
    api.ask(
        "POST",
        &format!("/api/v1/acts/{act}"),
        &headers,
        &body.to_string(),
    )
}

#[test]
fn a_repeated_act_gets_its_first_answer_also_after_a_restart() {
    for ws in each("repeated") {
        let (served, api) = started(&ws);
        let body = json!({"ids": ["acme"], "reason": "checked"});
        let (status, first) = with_key(&api, "approve", "k-1", &body);
        assert_eq!(status, 200, "{first}");
        let item = json!({"kind": "Account", "externalId": "acme", "before": "pending", "after": "approved"});
        assert_eq!(first["items"], json!([item]));
        assert_eq!(
            with_key(&api, "approve", "k-1", &body),
            (200, first.clone())
        );
        // Without the key it is another request.
        let (status, refused) = api.post("/api/v1/acts/approve", &body);
        assert_eq!((status, &refused["code"]), (409, &json!("already-decided")));
        assert_eq!(refused["possible"], json!([]));
        served.ends();

        let mut served = DaemonProcess::on(&ws, &[]);
        let api = Api {
            address: served.address(),
            ..api
        };
        assert_eq!(with_key(&api, "approve", "k-1", &body), (200, first));
        let other = json!({"ids": ["acme"], "reason": "another"});
        let (status, refused) = with_key(&api, "approve", "k-1", &other);
        assert_eq!(
            (status, &refused["code"]),
            (422, &json!("idempotency-key-reused"))
        );
        let history = api.document("/api/v1/changes");
        let approvals = history["items"].as_array().expect("changes").iter();
        let approvals = approvals.filter(|change| change["verb"] == "approve");
        assert_eq!(approvals.count(), 1, "{history}");
        served.ends();
    }
}

#[test]
fn an_act_needs_its_permission_and_is_refused_with_what_is_possible() {
    for ws in each("permission") {
        let (served, api) = started(&ws);
        let as_role = |role: &str| {
            let token = token(&ws, role, role, &[]);
            Api::new(&api.address, &token)
        };
        let decision = json!({"ids": ["acme"], "reason": "x"});
        let block = json!({"kind": "User", "ids": ["u-1"], "reason": "x"});
        let roles = [
            ("viewer", 403, 403),
            ("operator", 403, 200),
            ("approver", 409, 403),
        ];
        let (status, _) = api.post("/api/v1/acts/reject", &decision);
        assert_eq!(status, 200);
        for (role, decides, blocks) in roles {
            let api = as_role(role);
            let got = api.post("/api/v1/acts/reject", &decision);
            assert_eq!(got.0, decides, "{role}: {}", got.1);
            let got = api.post("/api/v1/acts/block", &block);
            assert_eq!(got.0, blocks, "{role}: {}", got.1);
        }
        let (status, refused) = api.post("/api/v1/acts/block", &block);
        assert_eq!((status, &refused["code"]), (409, &json!("wrong-state")));
        assert_eq!(refused["possible"], json!(["unblock"]));
        for wrong in [
            json!({"kind": "Person", "ids": ["u-1"], "reason": "x"}),
            json!({"kind": "User", "ids": [], "reason": "x"}),
            json!({"kind": "User", "ids": ["u-1"], "reason": " "}),
            json!({"kind": "User", "ids": ["u-1"]}),
            json!({"resources": ["u-1"], "reason": "x"}),
            json!({"resources": [], "reason": "x"}),
            json!({"reason": "x"}),
            json!({"resources": ["User/u-1"], "kind": "User", "reason": "x"}),
            json!({"resources": ["User/u-1"], "ids": ["u-1"], "reason": "x"}),
        ] {
            let (status, answer) = api.post("/api/v1/acts/block", &wrong);
            assert_eq!(status, 422, "{wrong}: {answer}");
        }
        let singleton = json!({"kind": "Settings", "ids": ["settings"], "reason": "x"});
        assert_eq!(api.post("/api/v1/acts/block", &singleton).0, 404);
        let unnamed = json!({"ids": ["u-1"], "reason": "x"});
        assert_eq!(api.post("/api/v1/acts/block", &unnamed).0, 404);
        let unknown = json!({"kind": "User", "ids": ["u-1", "u-8", "u-9"], "reason": "x"});
        let (status, refused) = api.post("/api/v1/acts/unblock", &unknown);
        assert_eq!((status, &refused["ids"]), (404, &json!(["u-8", "u-9"])));

        // The command line asks the same daemon and says the same.
        let remote = format!("http://{}", api.address);
        let mut command = ws.command(&[
            "unblock", "User/u-1", "--reason", "found", "--remote", &remote, "--output", "json",
        ]);
        command.env("ROSTER_TOKEN", api.token.as_deref().expect("a token"));
        let ran = crate::support::workspace::run(&mut command).exits(0);
        let answer: Value = serde_json::from_str(&ran.stdout).expect("a document");
        assert_eq!(answer["items"][0]["after"], "unblocked");
        let ran = crate::support::workspace::run(&mut command).exits(1);
        let answer: Value = serde_json::from_str(&ran.stdout).expect("a document");
        assert_eq!(answer["code"], "wrong-state");
        served.ends();
    }
}

#[test]
fn a_deletion_needs_the_id_once_more_and_is_answered_once() {
    for ws in each("deletion") {
        let (served, api) = started(&ws);
        let delete = |confirm: Option<&str>| {
            let mut body = json!({"ids": ["u-1"], "reason": "asked"});
            if let Some(confirm) = confirm {
                body["confirm"] = json!(confirm);
            }
            body
        };
        for wrong in [None, Some("U-1"), Some("")] {
            let (status, answer) = api.post("/api/v1/acts/delete", &delete(wrong));
            let code = json!("confirmation-needed");
            assert_eq!((status, &answer["code"]), (428, &code), "{answer}");
        }
        ws.sql("INSERT INTO jobs (external_id, user_id, name, status) VALUES ('j-1', 'u-1', 'a', 'Proofing')");
        let (status, answer) = api.post("/api/v1/acts/delete", &delete(Some("u-1")));
        assert_eq!((status, &answer["code"]), (409, &json!("jobs-open")));
        assert_eq!(answer["jobs"], json!([{"id": "j-1", "status": "Proofing"}]));
        // The page asks for the id too.
        let (_, _, page) = api.exchange("GET", "/resources/User/u-1", &[], "");
        let page = page.as_str().expect("a page");
        assert!(
            page.contains("action=\"/acts/delete\"") && page.contains("name=\"confirm\""),
            "{page}"
        );
        assert!(page.contains("Proofing"), "{page}");

        ws.sql("UPDATE jobs SET status = 'Completed'");
        let (status, first) = with_key(&api, "delete", "k-9", &delete(Some("u-1")));
        assert_eq!(status, 200, "{first}");
        assert_eq!(first["deletedJobs"], json!(["j-1"]));
        assert_eq!(first["warnings"][0]["code"], "last-user");
        assert_eq!(
            with_key(&api, "delete", "k-9", &delete(Some("u-1"))),
            (200, first)
        );
        let (status, answer) = api.post("/api/v1/acts/delete", &delete(Some("u-1")));
        assert_eq!((status, &answer["ids"]), (404, &json!(["u-1"])));
        // The person is gone; the page of what was is not.
        let (status, _, page) = api.exchange("GET", "/resources/User/u-1", &[], "");
        assert_eq!(status, 200);
        assert!(page.as_str().expect("a page").contains("no longer stored"));
        let two = json!({"ids": ["u-1", "u-2"], "reason": "asked", "confirm": "u-1"});
        assert_eq!(api.post("/api/v1/acts/delete", &two).0, 404);
        served.ends();
    }
}

#[test]
fn a_nul_character_in_an_address_is_refused() {
    for ws in each("nul") {
        let (served, api) = started(&ws);
        for path in [
            "/api/v1/resources/User?q=a%00b",
            "/api/v1/resources/User?after=%00",
            "/api/v1/resources/User/u%00",
            "/api/v1/resources/User/u%00/history",
        ] {
            let (status, answer) = api.get(path);
            assert_eq!(
                (status, &answer["code"]),
                (400, &json!("bad-request")),
                "{path}"
            );
        }
        // The six letters of the escape sequence are a text like any other.
        let body = json!({"kind": "User", "ids": ["u-1"], "reason": "a \\u0000 in an export"});
        let (status, answer) = api.post("/api/v1/acts/block", &body);
        assert_eq!(status, 200, "{answer}");
        served.ends();
    }
}

#[test]
fn an_acceptance_names_the_version_that_the_user_saw() {
    for ws in each("terms") {
        ws.write("manifests/sale.txt", "hello");
        let terms = "---\nkind: Terms\nexternalId: sale\ntitle: Sale\nfile: sale.txt\n";
        ws.write("manifests/terms.yaml", terms);
        let (served, api) = started(&ws);
        let version = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let of = |ids: &[&str], version: &str| json!({"ids": ids, "reason": "x", "terms": "sale", "version": version});
        let path = "/api/v1/acts/accept-terms";
        let (status, refused) = api.post(path, &of(&["u-1"], "0123"));
        assert_eq!((status, &refused["code"]), (409, &json!("terms-outdated")));
        assert_eq!(refused["version"], version);
        let (status, refused) = api.post(path, &of(&["u-9"], version));
        assert_eq!((status, &refused["ids"]), (404, &json!(["u-9"])));
        let (status, first) = with_key(&api, "accept-terms", "k-1", &of(&["u-1"], version));
        assert_eq!(status, 200, "{first}");
        assert_eq!(first["items"][0]["after"], "accepted");
        // The same request gets the same answer, another version under its key does not.
        let again = with_key(&api, "accept-terms", "k-1", &of(&["u-1"], version));
        assert_eq!(again, (200, first));
        let other = with_key(&api, "accept-terms", "k-1", &of(&["u-1"], "0123"));
        assert_eq!(
            (other.0, &other.1["code"]),
            (422, &json!("idempotency-key-reused"))
        );
        let (status, refused) = api.post(path, &of(&["u-1"], version));
        assert_eq!((status, &refused["code"]), (409, &json!("wrong-state")));
        let user = api.document("/api/v1/resources/User/u-1");
        assert_eq!(user["meta"]["terms"][0]["version"], version);
        let account = api.document("/api/v1/resources/Account/acme");
        assert_eq!(account["meta"]["terms"], Value::Null);
        // It names a version, or it is no acceptance.
        let unnamed = json!({"ids": ["u-1"], "reason": "x", "terms": "sale"});
        assert_eq!(api.post(path, &unnamed).0, 422);
        let viewer = Api::new(&api.address, &token(&ws, "vera", "viewer", &[]));
        assert_eq!(viewer.post(path, &of(&["u-1"], version)).0, 403);

        // The other doors: a command that asks the daemon, and a plan of the daemon.
        let remote = format!("http://{}", api.address);
        let mut command = ws.command(&[
            "user",
            "accept-terms",
            "u-1",
            "--terms",
            "sale",
            "--version",
            version,
            "--reason",
            "paper",
            "--remote",
            &remote,
        ]);
        command.env("ROSTER_TOKEN", api.token.as_deref().expect("a token"));
        let ran = crate::support::workspace::run(&mut command).exits(1);
        let answer: Value = serde_json::from_str(&ran.stdout).expect("a document");
        assert_eq!(answer["code"], "wrong-state");
        served.ends();
    }
}

/// A list of resources by account, by login name, and of accounts that wait.
#[test]
fn resources_are_found_by_account_and_by_login_name() {
    for ws in each("found") {
        let settings = "settings: [{externalId: settings, accountApproval: true, loginMode: customer-number}]\n---\n";
        let organisation = "---\nkind: Organisation\nexternalId: o-1\nname: Roofs\naccount: acme\n";
        ws.tree(
            settings.to_owned()
                + &account("acme", "customerNumber: '10927781'")
                + &account("beta", "customerNumber: '20'")
                + &user("u-1", "acme", "")
                + &user("u-2", "beta", "")
                + organisation,
        );
        let token = token(&ws, "vera", "viewer", &[]);
        ws.write(
            "roster.yaml",
            format!(
                "apiVersion: roster/v1\nsources:\n  - {{name: shop, directory: manifests}}\n{}",
                serve("")
            ),
        );
        let mut served = DaemonProcess::on(&ws, &[]);
        let api = Api::new(&served.address(), &token);
        served.says(&["as run 1"]);
        let ids = |path: &str| {
            let found = api.document(&format!("/api/v1/resources/{path}"));
            let items = found["items"].as_array().cloned().expect("items");
            let ids = items
                .iter()
                .map(|item| item["externalId"].as_str().expect("an id").to_owned());
            ids.collect::<Vec<_>>()
        };
        assert_eq!(ids("User?account=acme"), ["u-1"]);
        assert_eq!(ids("Organisation?account=acme"), ["o-1"]);
        assert_eq!(ids("Organisation?account=beta"), Vec::<String>::new());
        assert_eq!(ids("Address?account=beta").len(), 1);
        assert_eq!(ids("User?q=10927781-1"), ["u-1"]);
        assert_eq!(ids("Account?pending=true"), ["acme", "beta"]);
        ws.run(&["approve", "account", "beta", "--reason", "x"])
            .exits(0);
        assert_eq!(ids("Account?pending=true"), ["acme"]);
        for path in [
            "Store?account=acme",
            "User?pending=true",
            "Account?account=acme",
        ] {
            assert_eq!(ids(path), Vec::<String>::new(), "{path}");
        }
        let found = ws.run(&["get", "User", "--account", "beta"]).exits(0);
        assert!(
            found.stdout.contains("u-2") && !found.stdout.contains("u-1"),
            "{found}"
        );
        ws.run(&["get", "Store", "--account", "beta"]).exits(64);
        served.ends();
    }
}

#[test]
fn resources_of_several_kinds_are_blocked_together_or_not_at_all() {
    for ws in each("together") {
        let (served, api) = started(&ws);
        let both = json!({"resources": ["User/u-1", "Account/acme"], "reason": "unpaid"});
        let (status, first) = with_key(&api, "block", "k-1", &both);
        assert_eq!(status, 200, "{first}");
        let blocked: Vec<String> = first["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|item| {
                format!("{}/{} {}", item["kind"], item["externalId"], item["after"])
                    .replace('"', "")
            })
            .collect();
        assert_eq!(blocked, ["Account/acme blocked", "User/u-1 blocked"]);
        // Whoever blocks the account with its users knows that nobody can use it.
        assert_eq!(first["warnings"], Value::Null);
        assert_eq!(with_key(&api, "block", "k-1", &both), (200, first));

        let unblock = json!({"kind": "Account", "ids": ["acme"], "reason": "paid"});
        assert_eq!(api.post("/api/v1/acts/unblock", &unblock).0, 200);
        let (status, refused) = api.post("/api/v1/acts/unblock", &both);
        assert_eq!(
            (status, &refused["code"]),
            (409, &json!("wrong-state")),
            "{refused}"
        );
        assert_eq!(
            api.document("/api/v1/resources/User/u-1")["meta"]["block"],
            "unpaid"
        );
        let unknown = json!({"resources": ["Account/other", "User/u-1"], "reason": "paid"});
        let (status, refused) = api.post("/api/v1/acts/unblock", &unknown);
        assert_eq!(
            (status, &refused["ids"], &refused["resources"]),
            (404, &json!(["other"]), &json!(["Account/other"]))
        );
        let users = json!({"resources": ["Account/acme"], "reason": "x"});
        assert_eq!(api.post("/api/v1/acts/deactivate", &users).0, 404);
        served.ends();
    }
}

//! `serve.customers`: the routes of customers answer at an address of their own and nowhere else, nothing else answers
//! there, and links begin with it.

use super::api::{Api, serve, token};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{account, each, user};
use serde_json::json;

#[test]
fn customers_have_an_address_of_their_own() {
    for ws in each("customer-address") {
        ws.tree(
            "settings: {initialAccess: unregistered}\n".to_owned()
                + &account("acme", "")
                + &user(
                    "u-1",
                    "acme",
                    "accounts: [{account: acme, level: administrator}]",
                ),
        );
        ws.run(&["apply", "manifests", "--yes"]).exits(0);
        let operator = token(&ws, "eva", "administrator", &[]);
        let more = ", url: 'http://operators.example', customers: {listen: '127.0.0.1:0', url: 'http://customers.example/'}";
        ws.write(
            "roster.yaml",
            format!(
                "apiVersion: roster/v1\nsources: [{{name: shop, directory: manifests}}]\n{}",
                serve(more)
            ),
        );
        let mut served = DaemonProcess::on(&ws, &[]);
        let line = served.says(&["customers reach it at http://"]);
        let (_, customers) = line.rsplit_once("http://").expect("an address");
        let api = Api::new(&served.address(), &operator);
        let customers = Api {
            address: customers.trim().to_owned(),
            token: None,
        };

        // The link begins with the address of the customers, and answers only there.
        let body = json!({"ids": ["u-1"], "reason": "new customer"});
        let (status, reply) = api.post("/api/v1/acts/invite", &body);
        assert_eq!(status, 200, "{reply}");
        let draft = reply["items"][0]["draft"].as_str().expect("a draft");
        let (_, link) = draft
            .split_once("http://customers.example/invitation/")
            .expect("a link");
        let link = link.split_whitespace().next().expect("a token");
        let page = |api: &Api, path: &str| api.exchange("GET", path, &[], "").0;
        let path = format!("/invitation/{link}");
        assert_eq!(page(&customers, &path), 200);
        assert_eq!(page(&api, &path), 404);
        let path = format!("/api/v1/invitations/{link}");
        let accepted = json!({"password": "Winter2026"});
        assert_eq!(api.post(&path, &accepted).0, 404);
        let (status, reply) = customers.post(&path, &accepted);
        assert_eq!(status, 200, "{reply}");

        let login = json!({"login": "u-1@roster.example", "password": "Winter2026"});
        assert_eq!(api.post("/api/v1/login", &login).0, 404);
        let (status, reply) = customers.post("/api/v1/login", &login);
        assert_eq!(status, 200, "{reply}");
        let own = reply["token"].as_str().expect("a token");
        let (one, other) = (
            Api::new(&customers.address, own),
            Api::new(&api.address, own),
        );
        for path in ["/api/v1/self", "/api/v1/self/accounts/acme/users"] {
            assert_eq!(one.get(path).0, 200, "{path}");
            assert_eq!(other.get(path).0, 404, "{path}");
        }

        // Nothing else, also with the token of an administrator. Pages have their style.
        let curious = Api::new(&customers.address, &operator);
        for path in [
            "/",
            "/login",
            "/healthz",
            "/readyz",
            "/metrics",
            "/api/v1/openapi.json",
            "/api/v1/sources",
            "/api/v1/resources/User/u-1",
        ] {
            assert_eq!(page(&curious, path), 404, "{path}");
            assert_ne!(page(&api, path), 404, "{path}");
        }
        let shown = customers.exchange("GET", &format!("/invitation/{link}"), &[], "");
        let text = shown.2.as_str().unwrap_or_default();
        let style = text.split("/assets/").nth(1).expect("a style");
        let style = style.split(".css").next().expect("a digest");
        assert_eq!(page(&customers, &format!("/assets/{style}.css")), 200);
        served.ends();
    }
}

#[test]
fn without_it_they_answer_with_the_rest() {
    for ws in each("no-customer-address") {
        let operator = token(&ws, "eva", "administrator", &[]);
        ws.tree("tags: [{externalId: a, name: A}]");
        ws.write(
            "roster.yaml",
            format!(
                "apiVersion: roster/v1\nsources: [{{name: shop, directory: manifests}}]\n{}",
                serve("")
            ),
        );
        let mut served = DaemonProcess::on(&ws, &[]);
        let api = Api::new(&served.address(), &operator);
        let (status, _) = api.post("/api/v1/login", &json!({"login": "a", "password": "b"}));
        assert_eq!(status, 401);
        served.ends();
        for (customers, place, problem) in [
            (
                "{listen: here, url: 'http://a.example'}",
                "line 3, column",
                "serve.customers.listen: `here` is not an address",
            ),
            (
                "{listen: '127.0.0.1:1', url: a.example}",
                "line 3, column",
                "serve.customers.url: `a.example` is not an address",
            ),
            (
                "{listen: '127.0.0.1:1'}",
                "line 3, column",
                "missing field `url`",
            ),
        ] {
            ws.write(
                "roster.yaml",
                format!("apiVersion: roster/v1\nsources: [{{name: shop, directory: manifests}}]\nserve: {{customers: {customers}}}\n"),
            );
            let ran = ws.run(&["validate"]);
            assert_ne!(ran.code, Some(0));
            assert!(ran.stderr.contains(problem), "{}", ran.stderr);
            assert!(ran.stderr.contains(place), "{}", ran.stderr);
        }
    }
}

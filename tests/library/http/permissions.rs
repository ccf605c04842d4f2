//! Who may what.

use crate::http::scene::{logged, refused, routes, scene, status, write_tokens};
use axum::http::Method;
use roster::http::token::{self, TokenGrant};
use roster::http::{AccessRequirement, Permission, Role, problem};
use roster::http::{RouteAudience, RouteSpec};
use serde_json::Value;

/// What each role may: the contract, written out.
const MAY: &[(Role, &[Permission])] = &[
    (Role::Planner, &[Permission::Plan]),
    (Role::Viewer, &[Permission::Plan, Permission::Read]),
    (
        Role::Operator,
        &[Permission::Plan, Permission::Read, Permission::Operate],
    ),
    (
        Role::Approver,
        &[Permission::Plan, Permission::Read, Permission::Approve],
    ),
    (Role::Administrator, &Permission::ALL),
];

#[tokio::test]
async fn every_route_lets_in_whom_its_permission_names_and_nobody_else() {
    let scene = scene(|_| {}).await;
    let all = roster::http::complete(routes()).0;
    let mut seen = 0;
    for route in &all {
        let RouteSpec { method, path, .. } = &route.spec;
        let quick = !path.contains("slow") && !path.contains("panics");
        if route.spec.audience != RouteAudience::Program || !quick {
            continue;
        }
        let path = path.replace("{source}", "directory");
        for (role, may) in MAY {
            let request = scene
                .bare(method.clone(), &path)
                .bearer_auth(&scene.tokens[role]);
            let request = match *method {
                Method::GET => request,
                _ => request.json(&serde_json::json!({"reason": "x"})),
            };
            let answer = request.send().await.expect("an answer").status();
            let expected = match route.spec.needs {
                AccessRequirement::Permission(permission) => may.contains(&permission),
                AccessRequirement::Public
                | AccessRequirement::Customer
                | AccessRequirement::Authenticated => true,
            };
            assert_eq!(answer != 403, expected, "{role} {method} {path}: {answer}");
            seen += 1;
        }
        let without = scene.bare(method.clone(), &path).send().await;
        let without = without.expect("an answer").status();
        let open = route.spec.needs == AccessRequirement::Public;
        assert_eq!(without == 401, !open, "nobody {method} {path}: {without}");
    }
    assert!(seen > 40, "only {seen} seen");
}

#[tokio::test]
async fn a_revoked_an_expired_and_a_foreign_token_are_worth_nothing_and_stand_in_no_log() {
    let scene = scene(|_| {}).await;
    let file = scene.dir.path().join("tokens");
    let whoami = |token: &str| {
        scene
            .bare(Method::GET, "/api/v1/whoami?token=PLANTEDQUERY")
            .bearer_auth(token)
    };
    let viewer = &scene.tokens[&Role::Viewer];
    assert_eq!(status(whoami(viewer)).await, 200);

    let (new, new_token) = TokenGrant::create("new", Role::Viewer, None, None).expect("a token");
    let past = token::parse_expiry("2020-01-01").ok();
    let (old, old_token) = TokenGrant::create("old", Role::Viewer, past, None).expect("a token");
    write_tokens(&file, &format!("{}\n{}\n", new.line(), old.line()));
    assert_eq!(status(whoami(viewer)).await, 401);
    assert_eq!(status(whoami(&old_token)).await, 401);
    assert_eq!(status(whoami("roster_PLANTEDFOREIGN")).await, 401);
    assert_eq!(status(whoami(&new_token)).await, 200);

    write_tokens(&file, "new viewer roster_PLANTEDLINE\n");
    assert_eq!(status(whoami(&new_token)).await, 200);
    let fault = scene.app.gate.access.fault().expect("a fault");
    assert!(fault.to_string().contains("tokens:1: the hash"), "{fault}");

    let log = logged();
    assert!(
        log.contains("/api/v1/whoami") && log.contains("stay in use"),
        "{log}"
    );
    let hash = |grant: &TokenGrant| {
        let line = grant.line();
        line.split(':').nth(1).expect("a hash")[..64].to_owned()
    };
    let secrets = [viewer, &new_token, &old_token, &hash(&new), &hash(&old)];
    for secret in secrets {
        assert!(!log.contains(secret.as_str()));
    }
    assert!(!log.contains("PLANTED"));
}

#[tokio::test]
async fn a_token_for_some_sources_sees_no_other() {
    let scene = scene(|_| {}).await;
    let sources = token::parse_sources("erp").ok();
    let (grant, token) = TokenGrant::create("erp", Role::Viewer, None, sources).expect("a token");
    write_tokens(&scene.dir.path().join("tokens"), &grant.line());
    let get = |path: &str| scene.bare(Method::GET, path).bearer_auth(&token);
    assert_eq!(status(get("/api/v1/sources/erp")).await, 200);
    assert_eq!(status(get("/api/v1/sources/%65rp")).await, 200);
    assert_eq!(status(get("/api/v1/sources/directory")).await, 403);
    // What names no source might show all of them.
    assert_eq!(status(get("/api/v1/read")).await, 403);
    let who: Value = get("/api/v1/whoami")
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(who["sources"], serde_json::json!(["erp"]));
    assert_eq!(who["anonymous"], false);
}

#[tokio::test]
async fn without_tokens_everybody_on_this_machine_reads_and_acts_only_when_that_was_said() {
    for insecure in [false, true] {
        let scene = scene(|serve| {
            serve.tokens = None;
            serve.insecure = insecure;
        })
        .await;
        assert_eq!(status(scene.bare(Method::GET, "/api/v1/read")).await, 200);
        let act = || {
            scene
                .bare(Method::POST, "/api/v1/operate")
                .json(&serde_json::json!({"reason": "x"}))
        };
        assert_eq!(status(act()).await, if insecure { 200 } else { 401 });
        // A page of another site sends it, or made its name point here.
        let crossed = refused(act().header("origin", "https://evil.example")).await;
        assert_eq!(crossed["code"] == problem::FORGED.code, insecure);
        let rebound = scene
            .bare(Method::GET, "/api/v1/read")
            .header("host", "evil.example");
        assert_eq!(refused(rebound).await["code"], problem::MISDIRECTED.code);
    }
}

#[tokio::test]
async fn health_needs_no_token_and_says_why_not() {
    let scene = scene(|_| {}).await;
    let ready = || scene.bare(Method::GET, "/readyz");
    assert_eq!(status(scene.bare(Method::GET, "/healthz")).await, 200);
    assert_eq!(status(ready()).await, 200);
    *scene.app.unready.lock().expect("whole") = Some("no database".to_owned());
    let problem = refused(ready()).await;
    assert_eq!(problem["code"], "unavailable");
    assert_eq!(problem["detail"], "no database");
    assert_eq!(status(scene.bare(Method::GET, "/healthz")).await, 200);
}

//! What is too much, too slow, wrong or sent twice is answered as a problem.

use crate::http::scene::{refused, scene, status};
use axum::http::Method;
use roster::config::ServeLimits;
use roster::http::Role;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test]
async fn whatever_goes_wrong_is_a_problem() {
    let scene = scene(|serve| serve.limits.body = 100).await;
    let operator = |path: &str, body: &str, media: &str| {
        let request = scene
            .bare(Method::POST, path)
            .bearer_auth(&scene.tokens[&Role::Operator]);
        request
            .header("content-type", media.to_owned())
            .body(body.to_owned())
    };
    let json = "application/json";
    let long = format!("{{\"reason\": \"{}\"}}", "x".repeat(100));
    for (request, code) in [
        (scene.get(Role::Viewer, "/api/v1/nothing"), "not-found"),
        (scene.get(Role::Viewer, "/nothing"), "not-found"),
        (
            scene.get(Role::Viewer, "/api/v1/read?limit=x"),
            "bad-request",
        ),
        (
            scene.get(Role::Viewer, "/api/v1/read?more=1"),
            "bad-request",
        ),
        (
            scene.get(Role::Viewer, "/api/v1/sources/%FF"),
            "bad-request",
        ),
        (scene.get(Role::Viewer, "/api/v1/refuses"), "suspended"),
        (scene.get(Role::Viewer, "/api/v1/panics"), "internal"),
        (operator("/api/v1/panics", "", ""), "internal"),
        (operator("/api/v1/read", "", ""), "method-not-allowed"),
        (operator("/api/v1/operate", "{", json), "bad-request"),
        (operator("/api/v1/operate", "{}", json), "invalid"),
        (
            operator("/api/v1/operate", "{}", "text/plain"),
            "unsupported-media-type",
        ),
        (operator("/api/v1/operate", &long, json), "too-large"),
    ] {
        let problem = refused(request).await;
        assert_eq!(problem["code"], code, "{problem}");
        assert!(!problem.to_string().contains("planted"), "{problem}");
    }
    let method = operator("/api/v1/read", "", "")
        .send()
        .await
        .expect("an answer");
    assert_eq!(method.headers()["allow"], "GET,HEAD");
    let suspended = refused(scene.get(Role::Viewer, "/api/v1/refuses")).await;
    assert_eq!(suspended["source"], "directory");
    assert_eq!(suspended["detail"], "since Monday");
    // A tree may weigh more.
    let tree = operator("/api/v1/plan", &long, json);
    assert_eq!(status(tree).await, 200);
}

#[tokio::test]
async fn a_person_reads_a_page_and_all_answers_are_guarded() {
    let scene = scene(|_| {}).await;
    let page = scene
        .bare(Method::GET, "/nothing")
        .header("accept", "text/html,*/*");
    let page = page
        .header("x-request-id", "from-the-proxy")
        .send()
        .await
        .expect("an answer");
    assert_eq!(page.status(), 404);
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("x-request-id", "from-the-proxy"),
    ] {
        assert_eq!(page.headers()[name], value);
    }
    assert!(!page.headers().contains_key("strict-transport-security"));
    let text = page.text().await.expect("a page");
    assert_eq!(text, "<h1>Not found from-the-proxy</h1>");
}

#[tokio::test]
async fn an_act_sent_again_is_answered_again_and_done_once() {
    let scene = scene(|_| {}).await;
    let act = |role: Role, key: &str, reason: &str| {
        let request = scene.post(role, "/api/v1/operate", reason);
        request.header("idempotency-key", key.to_owned())
    };
    let first = act(Role::Operator, "k1", "a")
        .send()
        .await
        .expect("an answer");
    let again = act(Role::Operator, "k1", "a")
        .send()
        .await
        .expect("an answer");
    assert!(!first.headers().contains_key("idempotency-replayed"));
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.headers()["content-type"], "application/json");
    let (first, again) = (first.text().await, again.text().await);
    assert_eq!(first.expect("a body"), again.expect("a body"));
    assert_eq!(scene.app.acts.load(Ordering::SeqCst), 1);

    let other = refused(act(Role::Operator, "k1", "b")).await;
    assert_eq!(other["code"], "idempotency-key-reused");
    assert_eq!(
        refused(act(Role::Operator, "a key", "b")).await["code"],
        "bad-request"
    );
    // Somebody else's key is another one, and without a key nothing is remembered.
    assert_eq!(status(act(Role::Administrator, "k1", "b")).await, 200);
    assert_eq!(
        status(scene.post(Role::Operator, "/api/v1/operate", "a")).await,
        200
    );
    assert_eq!(scene.app.acts.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_act_goes_on_when_its_caller_is_told_to_wait_no_longer() {
    let scene = scene(|serve| serve.limits.timeout = Duration::from_millis(300)).await;
    let act = || {
        let request = scene.post(Role::Operator, "/api/v1/slow-act", "x");
        request.header("idempotency-key", "k")
    };
    assert_eq!(refused(act()).await["code"], "unavailable");
    assert_eq!(refused(act()).await["code"], "in-progress");
    scene.app.go.notify_one();
    let mut last = 409;
    while last == 409 {
        last = status(act()).await;
    }
    assert_eq!(last, 200);
}

#[tokio::test]
async fn too_many_requests_wait_and_too_many_at_once_are_turned_away() {
    let limits = ServeLimits {
        rate: 1,
        burst: 3,
        requests: 1,
        ..ServeLimits::default()
    };
    let scene = scene(|serve| serve.limits = limits).await;
    let slow = scene.get(Role::Operator, "/api/v1/slow").send();
    let slow = tokio::spawn(slow);
    scene.app.entered.notified().await;
    let busy = refused(scene.get(Role::Viewer, "/api/v1/read")).await;
    assert_eq!(busy["code"], "unavailable");
    assert_eq!(status(scene.bare(Method::GET, "/healthz")).await, 200);
    scene.app.go.notify_one();
    assert_eq!(slow.await.expect("whole").expect("an answer").status(), 200);

    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(status(scene.get(Role::Approver, "/api/v1/read")).await);
    }
    assert_eq!(seen, [200, 200, 200, 429]);
    assert_eq!(
        status(scene.get(Role::Administrator, "/api/v1/read")).await,
        200
    );
}

#[tokio::test]
async fn what_is_turned_away_is_logged_once_and_then_counted() {
    let scene = scene(|serve| (serve.limits.rate, serve.limits.burst) = (1, 20)).await;
    let asked = |request: reqwest::RequestBuilder| request.header("x-request-id", "planted-flood");
    for _ in 0..50 {
        status(asked(scene.bare(Method::GET, "/api/v1/read"))).await;
        status(asked(scene.get(Role::Viewer, "/api/v1/read"))).await;
        status(asked(scene.bare(Method::GET, "/healthz"))).await;
    }
    let log = crate::http::scene::logged();
    let lines = log.lines().filter(|line| line.contains("planted-flood"));
    let mut counts = std::collections::BTreeMap::new();
    for line in lines {
        let status = line.split("status=").nth(1).expect("a status");
        *counts.entry(status[..3].to_owned()).or_insert(0) += 1;
    }
    assert_eq!((counts["401"], counts["429"]), (1, 1), "{counts:?}");
    // Those of a token that were not turned away, and the first of the strangers.
    assert!((20..=25).contains(&counts["200"]), "{counts:?}");
}

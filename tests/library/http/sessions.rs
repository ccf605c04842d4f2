//! The page's sessions.

use crate::http::scene::{Scene, posted, refused, scene, status, write_tokens};
use axum::http::Method;
use reqwest::RequestBuilder;
use roster::http::Role;

async fn login(scene: &Scene, role: Role) -> String {
    let form = [("token", scene.tokens[&role].as_str())];
    let login = posted(scene.bare(Method::POST, "/login"), &form);
    let response = login.send().await.expect("an answer");
    assert_eq!(response.status(), 204);
    let cookie = response.headers()["set-cookie"].to_str().expect("text");
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    cookie.split(';').next().expect("a pair").to_owned()
}

fn form(scene: &Scene, cookie: &str, csrf: &str) -> RequestBuilder {
    let request = scene
        .bare(Method::POST, "/operate")
        .header("cookie", cookie);
    posted(request, &[("x", "y"), ("csrf", csrf)])
}

#[tokio::test]
async fn a_form_needs_the_token_of_its_own_session_and_comes_from_here() {
    let scene = scene(|_| {}).await;
    let cookie = login(&scene, Role::Operator).await;
    let home = scene.bare(Method::GET, "/").header("cookie", &cookie);
    let home = home.send().await.expect("an answer");
    let policy = home.headers()["content-security-policy"].to_str();
    assert!(policy.is_ok_and(|it| it.contains("script-src 'self'") && !it.contains("unsafe")));
    let csrf = home.text().await.expect("the page");

    assert_eq!(status(form(&scene, &cookie, &csrf)).await, 200);
    let header = scene
        .bare(Method::POST, "/operate")
        .header("cookie", &cookie);
    assert_eq!(status(header.header("x-csrf-token", &csrf)).await, 200);
    let other = login(&scene, Role::Operator).await;
    for wrong in [
        form(&scene, &cookie, ""),
        form(&scene, &other, &csrf),
        form(&scene, &cookie, &csrf).header("origin", "https://evil.example"),
        form(&scene, &cookie, &csrf).header("sec-fetch-site", "cross-site"),
        scene
            .bare(Method::POST, "/operate")
            .header("cookie", &cookie),
    ] {
        assert_eq!(refused(wrong).await["code"], "forged");
    }
}

#[tokio::test]
async fn a_session_may_what_its_role_may_and_ends_by_logout_and_with_its_token() {
    let scene = scene(|_| {}).await;
    let viewer = login(&scene, Role::Viewer).await;
    let home = |cookie: &str| scene.bare(Method::GET, "/").header("cookie", cookie);
    let csrf = home(&viewer).send().await.expect("an answer").text().await;
    let csrf = csrf.expect("the page");
    assert_eq!(status(form(&scene, &viewer, &csrf)).await, 403);
    let logout = scene
        .bare(Method::POST, "/logout")
        .header("cookie", &viewer);
    assert_eq!(status(logout.header("x-csrf-token", csrf)).await, 204);
    assert_eq!(status(home(&viewer)).await, 303);

    let operator = login(&scene, Role::Operator).await;
    assert_eq!(status(home(&operator)).await, 200);
    write_tokens(&scene.dir.path().join("tokens"), "# nobody\n");
    let sent = home(&operator).send().await.expect("an answer");
    assert_eq!(sent.status(), 303);
    assert_eq!(sent.headers()["location"], "/login?next=/");
}

#[tokio::test]
async fn wrong_tokens_are_soon_not_even_refused_and_right_ones_still_pass() {
    let scene = scene(|_| {}).await;
    let wrong = || {
        let form = [("token", "roster_guess")];
        posted(scene.bare(Method::POST, "/login"), &form)
    };
    let mut seen = Vec::new();
    for _ in 0..12 {
        seen.push(status(wrong()).await);
    }
    assert_eq!(seen[..10], [401; 10]);
    assert_eq!(seen[11], 429);
    let response = wrong().send().await.expect("an answer");
    assert!(response.headers().contains_key("retry-after"));
    login(&scene, Role::Viewer).await;
}

#[tokio::test]
async fn a_login_from_another_site_is_refused() {
    let scene = scene(|_| {}).await;
    let form = [("token", scene.tokens[&Role::Viewer].as_str())];
    let crossed = posted(scene.bare(Method::POST, "/login"), &form);
    let crossed = crossed.header("sec-fetch-site", "cross-site");
    assert_eq!(refused(crossed).await["code"], "forged");
}

#[tokio::test]
async fn logging_in_again_ends_the_session_before() {
    let scene = scene(|_| {}).await;
    let home = |cookie: &str| scene.bare(Method::GET, "/").header("cookie", cookie);
    let first = login(&scene, Role::Viewer).await;
    let elsewhere = login(&scene, Role::Viewer).await;
    let csrf = home(&first).send().await.expect("an answer").text().await;
    let token = scene.tokens[&Role::Viewer].as_str();
    let again = |csrf: &str| {
        let again = scene.bare(Method::POST, "/login").header("cookie", &first);
        posted(again, &[("token", token), ("csrf", csrf)])
    };
    let refused = again("wrong").send().await.expect("an answer");
    assert_eq!(refused.status(), 403);
    assert_eq!(status(home(&first)).await, 200);
    let response = again(&csrf.expect("the page"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 204);
    let cookie = response.headers()["set-cookie"].to_str().expect("text");
    let second = cookie.split(';').next().expect("a pair").to_owned();
    assert_eq!(status(home(&first)).await, 303);
    assert_eq!(status(home(&second)).await, 200);
    // Another browser goes on.
    assert_eq!(status(home(&elsewhere)).await, 200);
}

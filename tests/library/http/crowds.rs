//! Many slow clients at once: everybody else is served all the same.

use crate::http::scene::{Scene, posted, scene, status};
use axum::http::Method;
use futures_util::StreamExt as _;
use roster::config::{IpNetwork, TlsFiles};
use roster::http::Role;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that has sent so much and now waits.
async fn stuck(scene: &Scene, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(scene.address).await.expect("connected");
    stream.write_all(sent.as_bytes()).await.expect("written");
    stream
}

async fn crowd(scene: &Scene, many: usize, sent: &str) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..many {
        streams.push(stuck(scene, sent).await);
    }
    streams
}

/// The head of a request whose body never comes to its end.
fn head(path: &str, token: Option<&str>) -> String {
    let token = token.map_or(String::new(), |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\n{token}Content-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 50\r\n\r\nt"
    )
}

async fn logs_in(scene: &Scene) -> u16 {
    let form = [("token", scene.tokens[&Role::Viewer].as_str())];
    status(posted(scene.bare(Method::POST, "/login"), &form)).await
}

/// That whatever the crowd does, these are answered.
async fn everybody_is_served(scene: &Scene) {
    assert_eq!(status(scene.bare(Method::GET, "/healthz")).await, 200);
    assert_eq!(status(scene.bare(Method::GET, "/readyz")).await, 200);
    assert_eq!(logs_in(scene).await, 204);
    for path in ["/api/v1/plan", "/api/v1/push", "/api/v1/operate"] {
        let answered = status(scene.post(Role::Administrator, path, "x")).await;
        assert_eq!(answered, 200, "{path}");
    }
}

#[tokio::test]
async fn slow_logins_keep_nobody_out() {
    let scene = scene(|_| {}).await;
    let _crowd = crowd(&scene, 150, &head("/login", None)).await;
    everybody_is_served(&scene).await;
}

#[tokio::test]
async fn slow_bodies_of_one_token_keep_nobody_out() {
    let scene = scene(|serve| serve.limits.requests = 8).await;
    let mut crowds = Vec::new();
    for (role, path) in [
        (Role::Planner, "/api/v1/plan"),
        (Role::Operator, "/api/v1/push"),
        (Role::Operator, "/api/v1/operate"),
    ] {
        let token = scene.tokens[&role].as_str();
        crowds.push(crowd(&scene, 20, &head(path, Some(token))).await);
    }
    everybody_is_served(&scene).await;
    // Not even the one whose token it is.
    assert_eq!(
        status(scene.post(Role::Planner, "/api/v1/plan", "x")).await,
        200
    );
}

#[tokio::test]
async fn requests_of_one_token_leave_places_for_others() {
    let scene = scene(|serve| serve.limits.requests = 4).await;
    let slow = || tokio::spawn(status(scene.get(Role::Viewer, "/api/v1/slow")));
    let mut own = Vec::new();
    for _ in 0..3 {
        own.push(slow());
        scene.app.entered.notified().await;
    }
    assert_eq!(status(scene.get(Role::Viewer, "/api/v1/read")).await, 503);
    assert_eq!(status(scene.get(Role::Operator, "/api/v1/read")).await, 200);
    for one in own {
        scene.app.go.notify_one();
        tokio::time::timeout(Duration::from_secs(20), one)
            .await
            .expect("an answer")
            .expect("whole");
    }
}

#[tokio::test]
async fn half_open_connections_make_room() {
    let scene = scene(|serve| serve.limits.connections = 40).await;
    for sent in [
        "",
        "GET / HTTP/1.1\r\nX-Slow: ",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let _crowd = crowd(&scene, 60, sent).await;
        everybody_is_served(&scene).await;
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_keep_nobody_out() {
    let scene = scene(|serve| {
        serve.limits.connections = 12;
        serve.limits.requests = 4;
    })
    .await;
    let token = &scene.tokens[&Role::Viewer];
    let ask = format!("GET /large HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    let mut crowd = Vec::new();
    for _ in 0..40 {
        let mut stream = stuck(&scene, &ask).await;
        // The answer has begun, so the rest of it waits for somebody who reads.
        stream.read_exact(&mut [0; 12]).await.expect("an answer");
        crowd.push(stream);
    }
    everybody_is_served(&scene).await;
    assert_eq!(status(scene.get(Role::Viewer, "/api/v1/read")).await, 200);
}

/// A client that speaks HTTP/2 at once, all on one connection.
fn http_2() -> reqwest::Client {
    crate::http::scene::client(reqwest::ClientBuilder::http2_prior_knowledge)
}

#[tokio::test]
async fn streams_whose_body_never_ends_keep_nobody_out() {
    let scene = scene(|serve| serve.limits.requests = 8).await;
    let endless = |client: &reqwest::Client, path: &str, role: Option<Role>| {
        let first = futures_util::stream::once(async { Ok::<_, std::io::Error>("t") });
        let body = first.chain(futures_util::stream::pending());
        let request = client.post(scene.url(path));
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(reqwest::Body::wrap_stream(body));
        let token = role.map(|role| &scene.tokens[&role]);
        status(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    };
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let client = http_2();
        for _ in 0..50 {
            crowd.spawn(endless(&client, "/login", None));
            crowd.spawn(endless(&client, "/api/v1/plan", Some(Role::Planner)));
            crowd.spawn(endless(&client, "/api/v1/push", Some(Role::Operator)));
        }
    }
    // Of 450 streams no more than 8 logins, 4 plans and 4 pushes go on arriving.
    for _ in 0..430 {
        let ended = crowd.join_next().await.expect("a stream").expect("whole");
        assert!([408, 503].contains(&ended), "{ended}");
    }
    everybody_is_served(&scene).await;
}

#[tokio::test]
async fn streams_of_one_token_leave_places_for_others() {
    let scene = scene(|serve| serve.limits.requests = 4).await;
    let client = http_2();
    let ask = |role: Role, path: &str| {
        let token = &scene.tokens[&role];
        status(client.get(scene.url(path)).bearer_auth(token))
    };
    let mut own = tokio::task::JoinSet::new();
    for _ in 0..50 {
        own.spawn(ask(Role::Viewer, "/api/v1/slow"));
    }
    // Three of four places are one's own; the other streams are refused, not kept.
    for _ in 0..47 {
        let refused = own.join_next().await.expect("a stream");
        assert_eq!(refused.expect("whole"), 503);
    }
    everybody_is_served(&scene).await;
    assert_eq!(ask(Role::Operator, "/api/v1/read").await, 200);
    for _ in 0..3 {
        scene.app.go.notify_one();
        let answered = own.join_next().await.expect("a stream");
        assert_eq!(answered.expect("whole"), 200);
    }
}

#[tokio::test]
async fn unfinished_handshakes_make_room() {
    let dir = tempfile::tempdir().expect("a directory");
    let trusted = crate::http::connections::certify(dir.path());
    let tls = TlsFiles {
        cert: dir.path().join("cert.pem"),
        key: dir.path().join("key.pem"),
    };
    let scene = scene(|serve| {
        serve.limits.connections = 20;
        serve.tls = Some(tls);
    })
    .await;
    let _crowd = crowd(&scene, 40, "\u{16}\u{3}\u{1}").await;
    let url = format!("https://localhost:{}/healthz", scene.address.port());
    let client = crate::http::connections::trusting(trusted);
    let answer = client.get(url).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_connection_with_work_of_a_known_caller_outlives_a_crowd() {
    let scene = scene(|serve| serve.limits.connections = 10).await;
    let slow = tokio::spawn(status(scene.get(Role::Viewer, "/api/v1/slow")));
    scene.app.entered.notified().await;
    let mut crowd = crowd(&scene, 30, "").await;
    scene.app.go.notify_one();
    assert_eq!(slow.await.expect("whole"), 200);
    // It was the crowd that made room.
    let mut rest = Vec::new();
    let ended = crowd[0].read_to_end(&mut rest);
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
    assert!(ended.is_ok());
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_caller_is_counted_alone() {
    let guess = async |scene: &Scene, from: &str| {
        let form = [("token", "roster_guess")];
        let login = posted(scene.bare(Method::POST, "/login"), &form);
        status(login.header("x-forwarded-for", from)).await
    };
    let network = IpNetwork::parse("127.0.0.0/8").expect("a network");
    let proxied = scene(|serve| serve.proxies = vec![network]).await;
    for _ in 0..10 {
        assert_eq!(guess(&proxied, "192.0.2.1").await, 401);
    }
    assert_eq!(guess(&proxied, "192.0.2.1").await, 429);
    // What the caller itself wrote before counts for nothing.
    assert_eq!(guess(&proxied, "198.51.100.7, 192.0.2.1:4711").await, 429);
    assert_eq!(guess(&proxied, "192.0.2.1, 198.51.100.7").await, 401);

    let direct = scene(|_| {}).await;
    for n in 0..10 {
        assert_eq!(guess(&direct, &format!("192.0.2.{n}")).await, 401);
    }
    assert_eq!(guess(&direct, "192.0.2.99").await, 429);
}

#[tokio::test]
async fn one_address_that_pipelines_and_does_not_read_leaves_places_for_others() {
    let scene = scene(|serve| serve.limits.connections_per_address = 10).await;
    let ask = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200);
    let mut crowd = crowd(&scene, 60, &ask).await;
    everybody_is_served(&scene).await;
    let mut closed = 0;
    for stream in &mut crowd {
        // What was answered before it had to make room comes first, then the end.
        let mut answers = Vec::new();
        let end = stream.read_to_end(&mut answers);
        let ended = tokio::time::timeout(Duration::from_millis(200), end).await;
        closed += usize::from(ended.is_ok());
    }
    assert!(closed >= 50, "{closed} of 60 made room");
}

//! Connections: TLS, slow ones, too many, and the end.

use crate::http::scene::{client, scene, status};
use axum::http::Method;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Version;
use roster::config::{ServeConfig, TlsFiles};
use roster::http::{HttpServer, Role};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Writes a certificate for `localhost` and gives it as a client trusts it.
pub fn certify(dir: &Path) -> reqwest::Certificate {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(dir.join("cert.pem"), cert.pem()).expect("the certificate");
    std::fs::write(dir.join("key.pem"), signing_key.serialize_pem()).expect("the key");
    reqwest::Certificate::from_der(cert.der()).expect("a certificate")
}

pub fn trusting(certificate: reqwest::Certificate) -> reqwest::Client {
    client(|builder| builder.tls_certs_only([certificate]))
}

#[tokio::test]
async fn tls_speaks_http_2_and_shows_a_renewed_certificate_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = certify(dir.path());
    let tls = TlsFiles {
        cert: dir.path().join("cert.pem"),
        key: dir.path().join("key.pem"),
    };
    let scene = scene(|serve| serve.tls = Some(tls)).await;
    let url = format!("https://localhost:{}/healthz", scene.address.port());
    let get = async |trusted: &reqwest::Client| trusted.get(&url).send().await;
    let answer = get(&trusting(first.clone())).await.expect("an answer");
    assert_eq!(answer.version(), Version::HTTP_2);
    assert!(answer.headers().contains_key("strict-transport-security"));

    // Half of a pair changes nothing.
    std::fs::write(dir.path().join("cert.pem"), "").expect("the certificate");
    assert!(get(&trusting(first.clone())).await.is_ok());
    let second = certify(dir.path());
    assert!(get(&trusting(second)).await.is_ok());
    assert!(get(&trusting(first)).await.is_err());
    // Plain HTTP is not served.
    assert!(scene.bare(Method::GET, "/healthz").send().await.is_err());
}

#[tokio::test]
async fn beyond_this_machine_it_does_not_even_listen() {
    let serve = ServeConfig {
        listen: "0.0.0.0:0".parse().expect("an address"),
        ..ServeConfig::default()
    };
    let error = HttpServer::bind(&serve)
        .expect_err("open to all")
        .to_string();
    assert!(error.contains("--insecure"), "{error}");
    let insecure = ServeConfig {
        insecure: true,
        ..serve
    };
    assert!(HttpServer::bind(&insecure).is_ok());
}

#[tokio::test]
async fn who_does_not_finish_the_header_is_hung_up_on() {
    let scene = scene(|serve| serve.limits.timeout = Duration::from_millis(300)).await;
    for begin in [
        "",
        "PRI * HTTP/2.0\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    ] {
        let mut stream = TcpStream::connect(scene.address).await.expect("connected");
        stream.write_all(begin.as_bytes()).await.expect("written");
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest));
        let ended = ended.await;
        assert!(ended.is_ok(), "{begin:?} still open");
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{begin:?}");
    }
}

#[tokio::test]
async fn who_sends_the_body_too_slowly_is_told_so() {
    let scene = scene(|serve| serve.limits.timeout = Duration::from_millis(300)).await;
    let mut stream = TcpStream::connect(scene.address).await.expect("connected");
    let head = format!(
        "POST /api/v1/operate HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{{",
        scene.tokens[&Role::Operator]
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer));
    read.await.expect("closed").expect("read");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
}

#[tokio::test]
async fn beyond_the_connections_at_work_only_health_is_answered() {
    let scene = scene(|serve| serve.limits.connections = 1).await;
    let slow = tokio::spawn(scene.get(Role::Viewer, "/api/v1/slow").send());
    scene.app.entered.notified().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status(scene.bare(Method::GET, path)).await, 200, "{path}");
    }
    assert_eq!(status(scene.get(Role::Viewer, "/api/v1/read")).await, 503);
    scene.app.go.notify_one();
    assert_eq!(slow.await.expect("whole").expect("an answer").status(), 200);
}

#[tokio::test]
async fn an_idle_connection_makes_room_for_the_next() {
    let scene = scene(|serve| serve.limits.connections = 1).await;
    let ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut buffer = [0; 12];
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(scene.address).await.expect("connected");
        stream.write_all(ask).await.expect("written");
        stream.read_exact(&mut buffer).await.expect("an answer");
        assert_eq!(&buffer, b"HTTP/1.1 200");
        streams.push(stream);
    }
    let mut rest = Vec::new();
    let ended = streams[0].read_to_end(&mut rest);
    let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
    assert!(ended.is_ok(), "the first one is still open");
}

#[tokio::test]
async fn told_to_stop_it_finishes_what_it_does_and_takes_no_more() {
    let scene = scene(|_| {}).await;
    let slow = tokio::spawn(scene.get(Role::Viewer, "/api/v1/slow").send());
    scene.app.entered.notified().await;
    scene.stop.cancel();
    // The listener is gone once a new connection is refused.
    while TcpStream::connect(scene.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    scene.app.go.notify_one();
    assert_eq!(slow.await.expect("whole").expect("an answer").status(), 200);
    assert!(scene.running.await.expect("whole").is_ok());
}

#[tokio::test]
async fn what_takes_longer_than_the_grace_is_cut_off() {
    let scene = scene(|serve| serve.limits.timeout = Duration::from_millis(500)).await;
    let slow = tokio::spawn(status(scene.get(Role::Viewer, "/api/v1/slow")));
    scene.app.entered.notified().await;
    scene.stop.cancel();
    assert!(scene.running.await.expect("whole").is_ok());
    drop(slow);
}

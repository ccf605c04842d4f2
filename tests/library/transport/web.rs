//! Exports of web servers: what is asked, what an answer means, and whom nothing is told.

use crate::transport::scene::Scene;
use crate::transport::server::{Server, answer, ok};
use axum::http::header::LOCATION;
use axum::routing::get;
use axum_server::tls_rustls::RustlsConfig;
use flate2::Compression;
use flate2::write::GzEncoder;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use roster::transport::{ExportChange, TransportError};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const CSV: &str = "text/csv; charset=utf-8";
const ONE: &str = "id;name\n1;Acme\n";
const TWO: &str = "id;name\n1;Acme\n2;Bolt\n";
const SECRET: &str = "sentinel-7f3a9c";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).expect("written");
    encoder.finish().expect("packed")
}

#[test]
fn an_export_is_asked_for_again_only_if_it_changed() {
    let scene = Scene::new();
    let server = Server::start(|asked| match asked.header("if-none-match") {
        Some("\"one\"") => answer("304 Not Modified", &[], ""),
        _ => answer(
            "200 OK",
            &[
                ("Content-Type", CSV),
                ("ETag", "\"one\""),
                ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
                (
                    "Content-Disposition",
                    "attachment; filename=\"customers.csv\"",
                ),
            ],
            ONE,
        ),
    });
    let place = scene.place(json!({"url": server.url("/export?key=hunter22")}));
    assert_eq!(scene.get(&place), (ExportChange::First, ONE.to_owned()));
    let kept = scene.kept(&place).1;
    assert_eq!(kept.name, "customers.csv");
    assert_eq!(kept.modified.unwrap().timestamp(), 784_111_777);
    assert_eq!(scene.get(&place), (ExportChange::Same, ONE.to_owned()));
    let asked = server.asked();
    assert_eq!(asked[0].header("if-none-match"), None);
    assert_eq!(asked[1].header("if-none-match"), Some("\"one\""));
    let since = asked[1].header("if-modified-since");
    assert_eq!(since, Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_eq!(asked[0].target, "/export?key=hunter22");
    // Asked for otherwise, it may be another one.
    let other = scene.place(json!({
        "url": server.url("/export?key=hunter22"), "headers": {"Accept-Language": "de"},
    }));
    assert_eq!(scene.get(&other).0, ExportChange::Same);
    assert_eq!(server.asked()[0].header("if-none-match"), None);
}

#[test]
fn the_same_bytes_are_no_news() {
    let scene = Scene::new();
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_| {
        let first_two = count.fetch_add(1, Ordering::SeqCst) < 2;
        ok(CSV, if first_two { ONE } else { TWO })
    });
    let place = scene.place(json!({"url": server.url("/c.csv")}));
    let news: Vec<ExportChange> = (0..3).map(|_| scene.get(&place).0).collect();
    assert_eq!(
        news,
        [
            ExportChange::First,
            ExportChange::Same,
            ExportChange::Changed
        ]
    );
}

#[test]
fn what_is_cut_is_not_taken_and_what_was_there_stays() {
    let scene = Scene::new();
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_| {
        let mut whole = ok(CSV, TWO);
        if count.fetch_add(1, Ordering::SeqCst) > 0 {
            whole.truncate(whole.len() - 7);
        }
        whole
    });
    let place = scene.place(json!({"url": server.url("/c.csv")}));
    scene.get(&place);
    let error = scene.fetch(&place).unwrap_err();
    assert!(matches!(error, TransportError::Truncated { .. }), "{error}");
    assert!(
        error.to_string().contains("received 15 of 22 bytes"),
        "{error}"
    );
    assert_eq!(crate::transport::scene::text(&scene.kept(&place).0), TWO);
}

#[test]
fn gzip_is_unpacked_and_a_bomb_is_not() {
    let scene = Scene::new();
    let server = Server::start(|asked| {
        let packed = [("Content-Type", CSV), ("Content-Encoding", "gzip")];
        match &*asked.target {
            "/c.csv" => answer("200 OK", &packed, gzip(ONE.as_bytes())),
            "/c.csv.gz" => ok("application/gzip", gzip(ONE.as_bytes())),
            "/cut" => answer("200 OK", &packed, &gzip(ONE.as_bytes())[..20]),
            "/zstd" => answer("200 OK", &[("Content-Encoding", "zstd")], "x"),
            _ => answer("200 OK", &packed, gzip(&vec![b'a'; 50 << 20])),
        }
    });
    for path in ["/c.csv", "/c.csv.gz"] {
        let place = scene.place(json!({"url": server.url(path)}));
        assert_eq!(scene.get(&place).1, ONE);
        assert_eq!(server.asked()[0].header("accept-encoding"), Some("gzip"));
    }
    for (path, said) in [
        ("/bomb", " has more than 1000000 bytes, unpacked"),
        (
            "/cut",
            " ended early: its gzip data cannot be unpacked completely: ",
        ),
        ("/zstd", "compressed it as `zstd`, but gzip was requested"),
    ] {
        let place = scene.place(json!({"url": server.url(path), "limit": "1MB"}));
        let message = scene.fails(&place);
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn too_much_is_refused_announced_or_not() {
    let scene = Scene::new();
    let server = Server::start(|asked| {
        let whole = ok(CSV, vec![b'a'; 5_000]);
        if asked.target == "/announced" {
            return whole;
        }
        let whole = String::from_utf8(whole).expect("text");
        whole.replace("Content-Length: 5000\r\n", "").into_bytes()
    });
    for path in ["/announced", "/not"] {
        let place = scene.place(json!({"url": server.url(path), "limit": "4kB"}));
        let message = scene.fails(&place);
        assert!(message.ends_with(" has more than 4000 bytes"), "{message}");
    }
}

#[test]
fn a_login_page_and_an_error_are_no_data() {
    let scene = Scene::new();
    let page = "\n<!DOCTYPE html><html><head><title>Sign in</title></head></html>";
    let server = Server::start(move |asked| match &*asked.target {
        "/html" => ok("text/html; charset=utf-8", page),
        "/disguised" => ok(CSV, page),
        "/packed" => ok(CSV, gzip(page.as_bytes())),
        _ => ok(
            "application/json",
            format!(r#"{{"error": {{"message": "{SECRET} has run out"}}}}"#),
        ),
    });
    for path in ["/html", "/disguised", "/packed"] {
        let place = scene.place(json!({"url": server.url(path)}));
        let error = scene.fetch(&place).unwrap_err();
        assert!(error.is_not_data());
        let message = error.to_string();
        assert!(
            message.ends_with("does not contain data: it is an HTML page, “Sign in”"),
            "{message}"
        );
    }
    let place = scene.place(json!({"url": server.url("/error"), "auth": SECRET}));
    let message = scene.fails(&place);
    assert!(
        message.ends_with("it reports an error: [secret] has run out"),
        "{message}"
    );
}

#[test]
fn an_answer_that_is_none_is_said_without_secrets() {
    let scene = Scene::new();
    let server = Server::start(|asked| {
        let said = asked.header("authorization").unwrap_or_default();
        let body = format!(r#"{{"error": "what is {said}? {SECRET}?"}}"#);
        let json = ("Content-Type", "application/json");
        match &*asked.target {
            "/401?k=1" => answer("401 Unauthorized", &[json], body),
            "/404?k=1" => answer("404 Not Found", &[json], body),
            "/429?k=1" => answer("429 Too Many Requests", &[("Retry-After", "120")], ""),
            "/503?k=1" => answer("503 Service Unavailable", &[], ""),
            "/500?k=1" => answer("500 Internal Server Error", &[json], body),
            "/204?k=1" => answer("204 No Content", &[], ""),
            _ => answer(
                "500 Internal Server Error",
                &[("Content-Type", "text/html")],
                "<p>x",
            ),
        }
    });
    for (path, said) in [
        (
            "/401",
            "denied access: 401 Unauthorized: what is Basic [secret]==? [secret]?",
        ),
        ("/404", ": the server answered 404 Not Found"),
        ("/429", "answered 429 Too Many Requests; retry after 120 s"),
        ("/503", "answered 503 Service Unavailable"),
        (
            "/500",
            "answered 500 Internal Server Error: what is Basic [secret]==? [secret]?",
        ),
        ("/204", "answered 204 No Content"),
        ("/html", "/html answered 500 Internal Server Error"),
    ] {
        let place = scene.place(json!({
            "url": server.url(&format!("{path}?k=1")), "auth": {"username": "eva", "password": SECRET},
        }));
        let message = scene.fails(&place);
        assert!(message.ends_with(said), "{message}");
        assert!(!message.contains("k=1"), "{message}");
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let scene = Scene::new();
    let server = Server::start(|_| Vec::new());
    let place = scene.place(json!({"url": server.url("/c.csv"), "timeout": "1s"}));
    assert!(scene.fails(&place).ends_with("/c.csv took longer than 1 s"));
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let place = scene.place(json!({"url": format!("http://{nobody}/c.csv")}));
    let message = scene.fails(&place);
    assert!(message.contains("/c.csv cannot be reached: "), "{message}");
    assert!(message.contains("refused"), "{message}");
}

#[test]
fn another_server_is_told_no_secrets() {
    let scene = Scene::new();
    let other = Arc::new(Server::start(|_| ok(CSV, ONE)));
    let (away, end) = (other.url("/file"), Arc::clone(&other));
    let server = Server::start(move |asked| match &*asked.target {
        "/away" => answer("302 Found", &[("Location", away.as_str())], ""),
        "/here" => answer("307 Temporary Redirect", &[("Location", "end?x=1")], ""),
        "/end?x=1" => ok(CSV, TWO),
        "/round" => answer("302 Found", &[("Location", "/round")], ""),
        "/file" => answer("302 Found", &[("Location", "file:///etc/passwd")], ""),
        _ => answer("302 Found", &[], ""),
    });
    let place = |path: &str| {
        scene.place(json!({
            "url": server.url(path), "auth": SECRET, "headers": {"X-Api-Key": SECRET},
        }))
    };
    assert_eq!(scene.get(&place("/away")).1, ONE);
    let asked = end.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("authorization"), None);
    assert_eq!(asked[0].header("x-api-key"), None);
    server.asked();
    assert_eq!(scene.get(&place("/here")).1, TWO);
    let bearer = format!("Bearer {SECRET}");
    for asked in server.asked() {
        assert_eq!(asked.header("authorization"), Some(&*bearer));
        assert_eq!(asked.header("x-api-key"), Some(SECRET));
    }
    for (path, said) in [
        ("/round", "more than 5 redirects in a row"),
        ("/file", "that is not a web address"),
    ] {
        let message = scene.fails(&place(path));
        assert!(message.ends_with(said), "{message}");
    }
    assert_eq!(server.asked().len(), 7);
}

/// A server with TLS; its address, and the certificate.
fn secure(scene: &Scene, plain: &str) -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (cert.pem(), signing_key.serialize_pem());
    scene.write("ca.pem", &chain);
    roster::tls::choose_provider();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let down = plain.to_owned();
    let routes = axum::Router::new()
        .route("/c.csv", get(|| async { ONE }))
        .route(
            "/down",
            get(|| async { (axum::http::StatusCode::FOUND, [(LOCATION, down)]) }),
        );
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async move {
            let pair = RustlsConfig::from_pem(chain.into_bytes(), key.into_bytes());
            let server = axum_server::from_tcp_rustls(listener, pair.await.unwrap()).unwrap();
            server.serve(routes.into_make_service()).await.unwrap();
        });
    });
    (format!("https://localhost:{port}"), port.to_string())
}

#[test]
fn certificates_are_checked_and_tls_is_not_left() {
    let scene = Scene::new();
    let plain = Server::start(|_| ok(CSV, ONE));
    let (base, _) = secure(&scene, &plain.url("/c.csv"));
    let known = scene.place(json!({"url": format!("{base}/c.csv"), "ca": "ca.pem"}));
    assert_eq!(scene.get(&known).1, ONE);
    let unknown = scene.place(json!({"url": format!("{base}/c.csv?other")}));
    let message = scene.fails(&unknown);
    assert!(message.contains("cannot be reached: "), "{message}");
    assert!(message.to_lowercase().contains("certificate"), "{message}");
    let down = scene.place(json!({"url": format!("{base}/down"), "ca": "ca.pem"}));
    let message = scene.fails(&down);
    assert!(
        message.ends_with("the request would be sent unencrypted"),
        "{message}"
    );
    assert!(plain.asked().is_empty());
    fs::write(scene.path("ca.pem"), "nothing").unwrap();
    assert!(scene.fails(&known).contains("ca.pem cannot be used: "));
}

/// A server that hands out tokens, each good for so long, and takes only the last one.
fn granting(seconds: u32, body_only: bool) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |asked| {
        let json =
            |status, text: String| answer(status, &[("Content-Type", "application/json")], text);
        if asked.target != "/token" {
            let good = format!("Bearer token-{}", count.load(Ordering::SeqCst));
            return match asked.header("authorization") {
                Some(given) if given == good && asked.target != "/never" => ok(CSV, ONE),
                _ => answer("401 Unauthorized", &[], ""),
            };
        }
        let in_body = asked.body.contains(&format!("client_secret={SECRET}"));
        if asked.body.contains("scope=none") || (body_only && !in_body) {
            let text = format!(r#"{{"error": "invalid_client", "error_description": "{SECRET}"}}"#);
            return json("401 Unauthorized", text);
        }
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        let text = format!(
            r#"{{"access_token": "token-{number}", "token_type": "bearer", "expires_in": {seconds}}}"#
        );
        json("200 OK", text)
    })
}

fn granted(
    scene: &Scene,
    server: &Server,
    path: &str,
    scope: &str,
) -> roster::transport::ExportLocation {
    scene.place(json!({"url": server.url(path), "auth": {
        "clientId": "roster", "clientSecret": SECRET, "tokenUrl": server.url("/token"), "scope": scope,
    }}))
}

fn targets(server: &Server) -> Vec<String> {
    server
        .asked()
        .into_iter()
        .map(|asked| asked.target)
        .collect()
}

#[test]
fn a_token_is_asked_for_once_until_it_runs_out() {
    let scene = Scene::new();
    let server = granting(3_600, false);
    let place = granted(&scene, &server, "/c.csv", "read");
    scene.get(&place);
    scene.get(&place);
    assert_eq!(targets(&server), ["/token", "/c.csv", "/c.csv"]);
    // One that is not taken any more is asked for again.
    let other = granted(&scene, &server, "/c.csv", "other");
    scene.get(&other);
    server.asked();
    scene.get(&place);
    assert_eq!(targets(&server), ["/c.csv", "/token", "/c.csv"]);
    // A new one that is not taken either is the end.
    let message = scene.fails(&granted(&scene, &server, "/never", "never"));
    assert!(
        message.ends_with("denied access: 401 Unauthorized"),
        "{message}"
    );
    // One without much time left is not kept.
    let short = granting(20, false);
    let place = granted(&scene, &short, "/c.csv", "read");
    scene.get(&place);
    scene.get(&place);
    assert_eq!(targets(&short), ["/token", "/c.csv", "/token", "/c.csv"]);
}

#[test]
fn a_token_that_is_not_given_is_said() {
    let scene = Scene::new();
    let server = granting(3_600, true);
    let place = granted(&scene, &server, "/c.csv", "none");
    let message = scene.fails(&place);
    assert!(
        message
            .ends_with("/token denied access: no token, 401 Unauthorized invalid_client: [secret]"),
        "{message}"
    );
    server.asked();
    // Some servers want the secret elsewhere.
    scene.get(&granted(&scene, &server, "/c.csv", "read"));
    assert_eq!(targets(&server), ["/token", "/token", "/c.csv"]);
}

#[test]
fn an_object_of_s3_is_asked_for_by_a_signed_address() {
    let scene = Scene::new();
    let server = Server::start(|asked| match asked.header("if-none-match") {
        Some("\"one\"") => answer("304 Not Modified", &[], ""),
        _ if asked.target.contains("missing") => answer("403 Forbidden", &[], ""),
        _ => answer("200 OK", &[("ETag", "\"one\"")], ONE),
    });
    let place = |object: &str| {
        scene.place(json!({
            "s3": format!("s3://exports/{object}"), "endpoint": server.url(""), "region": "eu-north-1",
            "auth": {"accessKeyId": "AKIA", "secretAccessKey": SECRET, "sessionToken": "session/1"},
        }))
    };
    let customers = place("erp/all customers.csv");
    assert_eq!(scene.get(&customers), (ExportChange::First, ONE.to_owned()));
    assert_eq!(scene.get(&customers).0, ExportChange::Same);
    for asked in server.asked() {
        let target = &asked.target;
        assert!(target.starts_with("/exports/erp/all%20customers.csv?X-Amz-Algorithm="));
        assert!(target.contains(
            "&X-Amz-Security-Token=session%2F1&X-Amz-SignedHeaders=host&X-Amz-Signature="
        ));
        assert!(!target.contains(SECRET), "{target}");
    }
    let message = scene.fails(&place("missing.csv"));
    assert!(
        message.ends_with("/exports/missing.csv denied access: 403 Forbidden"),
        "{message}"
    );
}

#[test]
fn a_proxy_of_the_environment_is_asked() {
    const CHILD: &str = "TRANSPORT_TEST_IS_CHILD";
    let scene = Scene::new();
    if std::env::var_os(CHILD).is_some() {
        let place = scene.place(json!({"url": "http://erp.invalid/c.csv"}));
        assert_eq!(scene.get(&place).1, ONE);
        return;
    }
    let proxy = Server::start(|_| ok(CSV, ONE));
    // The environment is that of a whole process.
    let ran = Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "transport::web::a_proxy_of_the_environment_is_asked",
        ])
        .env(CHILD, "1")
        .env("HTTP_PROXY", proxy.url(""))
        .env("http_proxy", proxy.url(""))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .expect("this test again");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(targets(&proxy), ["http://erp.invalid/c.csv"]);
}

//! Notices as they arrive: HTTP and mail servers that listen to them, and the command that tries.

use crate::support::program::Place;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use roster::config::{MailServer, NoticeChannel, NoticeEvent, NoticeFormat, NoticeTarget};
use roster::daemon::notice::{
    DeliveryError, Notice, NoticeDetail, NoticeSender, next_attempt_at, sign,
};
use secrecy::SecretString;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const PATH: &str = "/T0/SENTINEL-PATH";
const SECRET: &str = "SENTINEL-KEY";
const PASSWORD: &str = "SENTINEL-PASSWORD";

type Requests = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;
type Answer = (StatusCode, HeaderMap, String);

/// A receiver that answers in this order, the last for ever, and keeps what it was sent.
async fn receiver(answers: Vec<Answer>) -> (SocketAddr, Requests) {
    let requests = Requests::default();
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let kept = requests.clone();
    let handler = move |headers: HeaderMap, body: Bytes| async move {
        kept.lock().unwrap().push((headers, body));
        let mut answers = answers.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().cloned()
        };
        answer.expect("an answer").into_response()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route(PATH, post(handler));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, requests)
}

fn answer(status: u16, body: &str) -> Answer {
    (
        StatusCode::from_u16(status).unwrap(),
        HeaderMap::new(),
        body.to_owned(),
    )
}

fn answer_with(status: u16, header: (&'static str, &str)) -> Answer {
    let mut answer = answer(status, "");
    answer.1.insert(header.0, header.1.parse().unwrap());
    answer
}

/// A port at which nothing listens.
async fn closed() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

fn webhook(scheme: &str, address: SocketAddr, format: NoticeFormat) -> NoticeTarget {
    NoticeTarget {
        name: "hook".to_owned(),
        events: NoticeEvent::ALL.into(),
        channel: NoticeChannel::Webhook {
            url: format!("{scheme}://{address}{PATH}").into(),
            shown: format!("{scheme}://{address}"),
            format,
            secret: Some(SecretString::from(SECRET)),
        },
    }
}

fn notice() -> Notice {
    Notice {
        event: NoticeEvent::Failed,
        source: "directory".to_owned(),
        environment: None,
        revision: Some("4f2a9c1".to_owned()),
        state: "9d1c".to_owned(),
        summary: "1 error; nothing was applied.".to_owned(),
        details: vec![NoticeDetail {
            what: "A phone number contains a character that is not a digit.".to_owned(),
            code: Some("phone".to_owned()),
            resource: Some("User/u-1".to_owned()),
            field: Some("phone".to_owned()),
            place: None,
        }],
        counts: BTreeMap::from([("errors".to_owned(), 1)]),
        since: now(),
        url: None,
        command: None,
    }
}

fn now() -> DateTime<Utc> {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

async fn send(target: &NoticeTarget, now: DateTime<Utc>) -> Result<(), DeliveryError> {
    let notice = notice();
    NoticeSender::new()
        .send(target, &notice, &notice.delivery(target), now)
        .await
}

async fn error_of(answer: Answer) -> DeliveryError {
    let (address, _) = receiver(vec![answer]).await;
    let error = send(&webhook("http", address, NoticeFormat::Json), now())
        .await
        .unwrap_err();
    assert!(!error.to_string().contains("SENTINEL"), "{error}");
    error
}

#[tokio::test]
async fn a_notice_that_was_not_taken_comes_again_as_the_same_delivery() {
    let (address, requests) = receiver(vec![answer(500, "oops"), answer(200, "")]).await;
    let target = webhook("http", address, NoticeFormat::Json);
    let error = send(&target, now()).await.unwrap_err();
    let later = next_attempt_at(now(), 1, now(), &error, 0.0).expect("another attempt");
    send(&target, later).await.unwrap();
    let requests = requests.lock().unwrap();
    let [(first, body), (second, same)] = &requests[..] else {
        panic!("two requests");
    };
    assert_eq!(body, same);
    assert_eq!(first["roster-delivery"], second["roster-delivery"]);
    let document: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(document["id"], first["roster-delivery"].to_str().unwrap());
    assert_eq!(document["event"], "failed");
    assert_eq!(first["content-type"], "application/json");
    for (headers, at) in [(first, now()), (second, later)] {
        assert_eq!(
            headers["roster-signature"],
            sign(SECRET, at.timestamp(), body)
        );
    }
    assert_ne!(first["roster-signature"], second["roster-signature"]);
}

#[tokio::test]
async fn slack_gets_a_message_of_blocks() {
    let (address, requests) = receiver(vec![answer(200, "ok")]).await;
    send(&webhook("http", address, NoticeFormat::Slack), now())
        .await
        .unwrap();
    let message: Value = serde_json::from_slice(&requests.lock().unwrap()[0].1).unwrap();
    assert_eq!(message["blocks"][0]["text"]["text"], "directory failed");
}

#[tokio::test]
async fn what_an_answer_means_is_said_with_its_first_line_and_without_secrets() {
    let error = error_of(answer(403, "\ninvalid_token for /T0/SENTINEL-PATH\nmore\n")).await;
    assert!(
        error
            .to_string()
            .ends_with("HTTP 403 Forbidden: invalid_token for [secret]"),
        "{error}"
    );
    assert!(!error.is_retryable());
    for status in [408, 429, 500, 503] {
        assert!(error_of(answer(status, "")).await.is_retryable());
    }
    // Gone is gone.
    assert!(!error_of(answer(410, "")).await.is_retryable());
    let error = error_of(answer_with(429, ("retry-after", "120"))).await;
    assert_eq!(error.after(), Some(TimeDelta::minutes(2)));
    let error = error_of(answer_with(
        503,
        ("retry-after", "Fri, 01 May 2026 12:05:00 GMT"),
    ))
    .await;
    assert_eq!(error.after(), Some(TimeDelta::minutes(5)));
    let error = error_of(answer_with(
        302,
        ("location", "https://elsewhere.example/SENTINEL"),
    ))
    .await;
    assert!(
        error
            .to_string()
            .contains("the address has moved: https://elsewhere.example"),
        "{error}"
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn nobody_there_and_no_tls_there_are_said_as_such() {
    let error = send(&webhook("http", closed().await, NoticeFormat::Json), now())
        .await
        .unwrap_err();
    assert!(error.to_string().ends_with("connection refused"), "{error}");
    assert!(error.is_retryable());
    let (address, _) = receiver(vec![answer(200, "")]).await;
    let error = send(&webhook("https", address, NoticeFormat::Json), now())
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("TLS: the server does not speak TLS"),
        "{error}"
    );
    assert!(!error.to_string().contains("SENTINEL"), "{error}");
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let begin = std::time::Instant::now();
    let error = send(&webhook("http", address, NoticeFormat::Json), now())
        .await
        .unwrap_err();
    assert!(
        error.to_string().ends_with("no answer within 10 seconds"),
        "{error}"
    );
    assert!(error.is_retryable() && begin.elapsed() < std::time::Duration::from_secs(30));
    drop(listener);
}

/// A receiver behind TLS whose certificate is its own issuer; the certificate.
fn secure(names: &[&str]) -> (SocketAddr, String, std::thread::JoinHandle<()>) {
    use std::io::{Read as _, Write as _};
    let names = names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut params = rcgen::CertificateParams::new(names.clone()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let name = rcgen::DnType::CommonName;
    params.distinguished_name.push(name, names[0].as_str());
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config);
    let running = std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut tls = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::Stream::new(&mut tls, &mut stream);
            let mut head = [0; 4096];
            // Who does not trust us says so and goes.
            if tls.read(&mut head).is_ok() {
                let _ = tls.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                );
                let _ = tls.flush();
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        }
    });
    (address, cert.pem(), running)
}

#[test]
fn a_certificate_is_trusted_when_the_system_is_told_to() {
    let place = Place::new("sqlite:unused.db");
    let (address, pem, _running) = secure(&["127.0.0.1"]);
    place.write("ca.pem", &pem);
    let other = secure(&["elsewhere.example"]);
    place.write("other.pem", &other.1);
    let test = |address: SocketAddr, ca: Option<&str>| {
        place.write(
            "roster.yaml",
            &format!(
                "apiVersion: roster/v1\nserve:\n  notices: [{{name: hook, webhook: 'https://{address}/x'}}]\n"
            ),
        );
        let mut command = place.command(&["notice", "test"]);
        command
            .env_remove("SSL_CERT_DIR")
            .env_remove("SSL_CERT_FILE");
        if let Some(ca) = ca {
            command.env("SSL_CERT_FILE", ca);
        }
        let out = command.output().unwrap();
        (
            out.status.code(),
            String::from_utf8_lossy(&out.stdout).into_owned(),
        )
    };
    let (code, out) = test(address, None);
    // A machine without any authority says that instead.
    let known = [
        "is not trusted by this system",
        "this system has no CA certificates",
    ];
    assert!(
        code == Some(1) && known.iter().any(|words| out.contains(words)),
        "{out}"
    );
    let (code, out) = test(address, Some("other.pem"));
    assert!(
        code == Some(1) && out.contains("the issuer of its certificate"),
        "{out}"
    );
    let (code, out) = test(other.0, Some("other.pem"));
    assert!(
        code == Some(1) && out.contains("its certificate is for another name"),
        "{out}"
    );
    let (code, out) = test(address, Some("ca.pem"));
    assert!(code == Some(0) && out.contains("hook  sent"), "{out}");
}

/// A mail server without TLS that wants a user, and keeps the mails it is given.
async fn mail_server() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let mails = Arc::new(Mutex::new(Vec::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let kept = mails.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(session(stream, kept.clone()));
        }
    });
    (address, mails)
}

async fn session(stream: TcpStream, mails: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let right = STANDARD.encode(format!("\0shop\0{PASSWORD}"));
    let mut known = false;
    let mut mail = String::new();
    write.write_all(b"220 mail.test\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split_once(' ').map_or(line.as_str(), |(verb, _)| verb) {
            "EHLO" => "250-mail.test\r\n250 AUTH PLAIN",
            "AUTH" if line == format!("AUTH PLAIN {right}") => {
                known = true;
                "235 2.7.0 welcome"
            }
            "AUTH" => "535 5.7.8 Username and Password not accepted",
            "MAIL" | "RCPT" if !known => "530 5.7.0 Authentication required",
            "RCPT" if line.contains("full@") => "452 4.2.2 mailbox full",
            "RCPT" => {
                mail += &format!("{line}\n");
                "250 ok"
            }
            "DATA" => {
                write.write_all(b"354 go ahead\r\n").await?;
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    mail += &format!("{line}\n");
                }
                mails.lock().unwrap().push(std::mem::take(&mut mail));
                "250 2.0.0 queued"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn mail(address: SocketAddr, password: &str, to: &str, redirect: Option<&str>) -> NoticeTarget {
    NoticeTarget {
        name: "ops".to_owned(),
        events: NoticeEvent::ALL.into(),
        channel: NoticeChannel::Mail {
            to: vec![to.to_owned()],
            server: Arc::new(MailServer {
                url: format!("smtp://shop:{password}@{address}?tls=opportunistic").into(),
                shown: format!("smtp://{address}"),
                from: "Roster <shop@example.com>".to_owned(),
                redirect: redirect.map(str::to_owned),
            }),
        },
    }
}

#[tokio::test]
async fn a_mail_arrives_under_the_name_of_its_delivery() {
    let (address, mails) = mail_server().await;
    let target = mail(address, PASSWORD, "ops@example.com", None);
    send(&target, now()).await.unwrap();
    let mails = mails.lock().unwrap();
    // Long lines are folded on their way.
    let mail = mails[0].replace("=\n", "");
    let id = format!("Message-ID: <{}@example.com>", notice().delivery(&target));
    for part in [
        "RCPT TO:<ops@example.com>",
        "From: Roster <shop@example.com>",
        "Subject: Roster: directory failed: 1 error; nothing was applied.",
        "- User/u-1 phone  A phone number contains a character that is not a digit.  (phone)",
        &id,
    ] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
}

#[tokio::test]
async fn a_redirected_mail_goes_to_nobody_else_and_says_whom_it_was_for() {
    let (address, mails) = mail_server().await;
    let target = mail(address, PASSWORD, "ops@example.com", Some("qa@example.com"));
    send(&target, now()).await.unwrap();
    let mails = mails.lock().unwrap();
    assert!(mails[0].starts_with("RCPT TO:<qa@example.com>\n"));
    assert!(!mails[0].contains("RCPT TO:<ops@example.com>"));
    assert!(mails[0].contains("This mail was addressed to ops@example.com"));
}

#[tokio::test]
async fn a_mail_server_that_refuses_is_quoted_without_the_password() {
    let (address, _) = mail_server().await;
    let error = send(
        &mail(address, "SENTINEL-WRONG", "ops@example.com", None),
        now(),
    )
    .await;
    let error = error.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("authentication refused: 535 5.7.8 Username and Password not accepted"),
        "{error}"
    );
    assert!(!error.is_retryable());
    let full = send(&mail(address, PASSWORD, "full@example.com", None), now()).await;
    let full = full.unwrap_err();
    assert!(
        full.is_retryable() && full.to_string().contains("refused: 452 4.2.2 mailbox full"),
        "{full}"
    );
    let gone = send(
        &mail(closed().await, PASSWORD, "ops@example.com", None),
        now(),
    )
    .await;
    let gone = gone.unwrap_err();
    assert!(
        gone.is_retryable() && gone.to_string().contains("connection refused"),
        "{gone}"
    );
    for error in [error, full, gone] {
        assert!(
            !format!("{error} {error:?}").contains("SENTINEL"),
            "{error:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_tries_every_target_and_shows_no_secret() {
    let (hook, requests) = receiver(vec![answer(200, "")]).await;
    let (post, mails) = mail_server().await;
    let closed = closed().await;
    let place = Place::new("sqlite:unused.db");
    place.write(
        "roster.yaml",
        &format!(
            "apiVersion: roster/v1\nmail: {{smtp: 'smtp://shop:${{PASS}}@{post}', from: shop@example.com}}\n\
             serve:\n  notices:\n    - {{name: chat, webhook: '${{HOOK}}', secret: '${{KEY}}'}}\n    \
             - {{name: down, webhook: 'http://{closed}{PATH}', format: slack}}\n    - {{mail: [ops@example.com]}}\n"
        ),
    );
    let run = move |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.env("HOOK", format!("http://{hook}{PATH}"));
        let out = command
            .env("KEY", SECRET)
            .env("PASS", PASSWORD)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err, code) = (text(&out.stdout), text(&out.stderr), out.status.code());
        assert!(
            !out.contains("SENTINEL") && !err.contains("SENTINEL"),
            "{out}{err}"
        );
        (code, out, err)
    };
    let told = tokio::task::spawn_blocking(move || {
        let (code, out, _) = run(&["-vv", "notice", "test"]);
        let expected = format!(
            "chat             sent    http://{hook}\ndown             failed  http://{closed}: connection refused\nops@example.com  sent    ops@example.com\n"
        );
        assert_eq!((code, out), (Some(1), expected));
        let (code, out, _) = run(&["notice", "test", "--name", "chat", "--output", "json"]);
        let document: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(
            (code, &document["items"][0]["sent"]),
            (Some(0), &Value::Bool(true))
        );
        let (code, _, err) = run(&["notice", "test", "--name", "chatt"]);
        assert_eq!(code, Some(64));
        assert!(
            err.contains("no notice is named `chatt`; did you mean `chat`?"),
            "{err}"
        );
    });
    told.await.unwrap();
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 2);
    let document: Value = serde_json::from_slice(&requests[0].1).unwrap();
    assert_eq!(document["event"], "test");
    assert!(requests[0].0.contains_key("roster-signature"));
    assert!(mails.lock().unwrap()[0].contains("This is a test"));
}

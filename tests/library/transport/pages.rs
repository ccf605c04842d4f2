//! Exports in pages.

use crate::transport::scene::Scene;
use crate::transport::server::{Server, answer, ok};
use roster::transport::{ExportChange, TransportError};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const JSON: &str = "application/json";

fn ids(text: &str) -> Vec<u64> {
    let list: Value = serde_json::from_str(text).expect("JSON");
    let items = list.as_array().expect("a list").iter();
    items
        .map(|item| item["id"].as_u64().expect("an id"))
        .collect()
}

#[test]
fn pages_become_one_list() {
    let scene = Scene::new();
    let server = Server::start(|asked| match &*asked.target {
        "/link" => answer(
            "200 OK",
            &[
                ("Content-Type", JSON),
                ("Link", "</link>; rel=\"prev\", </link/2?a=1>; rel=\"next\""),
            ],
            r#"[{"id":1,"rate":1.10}]"#,
        ),
        "/link/2?a=1" => answer("200 OK", &[("Link", "<3>; rel=next")], "[]"),
        "/link/3" => ok(JSON, r#"[{"id":2},{"id":3}]"#),
        "/odata" => ok(
            JSON,
            r#"{"@odata.nextLink":"/odata?$skip=1","value":[{"id":1}]}"#,
        ),
        "/odata?$skip=1" => ok(JSON, r#"{"value":[{"id":2}]}"#),
        "/cursor?size=2" => ok(JSON, r#"{"meta":{"next":7},"ids":[1],"items":[{"id":1}]}"#),
        "/cursor?size=2&after=7" => ok(JSON, r#"{"meta":{"next":8},"items":[{"id":2}]}"#),
        "/cursor?size=2&after=8" => ok(JSON, r#"{"meta":{"next":null},"items":[{"id":3}]}"#),
        _ => answer("404 Not Found", &[], ""),
    });
    for (path, keys, expected) in [
        ("/link", json!({"next": "link"}), vec![1, 2, 3]),
        (
            "/odata",
            json!({"next": {"link": "@odata.nextLink"}}),
            vec![1, 2],
        ),
        (
            "/cursor?size=2",
            json!({"next": {"cursor": "meta.next", "parameter": "after"}, "items": "items"}),
            vec![1, 2, 3],
        ),
    ] {
        let mut value = keys;
        value["url"] = server.url(path).into();
        let place = scene.place(value);
        let (news, text) = scene.get(&place);
        assert_eq!(news, ExportChange::First);
        assert_eq!(ids(&text), expected, "{path}: {text}");
        // What is written one way stays written that way.
        assert_eq!(text.contains("1.10"), path == "/link");
        assert_eq!(scene.get(&place).0, ExportChange::Same);
    }
}

#[test]
fn a_page_that_fails_fails_them_all() {
    let scene = Scene::new();
    let fails = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fails);
    let server = Server::start(move |asked| match &*asked.target {
        "/1" => ok(JSON, r#"{"next":"/2","items":[{"id":1}]}"#),
        "/2" if failing.load(Ordering::SeqCst) => {
            ok(JSON, r#"{"error":{"message":"the database is away"}}"#)
        }
        _ => ok(JSON, r#"{"next":"","items":[{"id":2}]}"#),
    });
    let place = scene.place(json!({"url": server.url("/1"), "next": {"link": "next"}}));
    let (_, whole) = scene.get(&place);
    fails.store(true, Ordering::SeqCst);
    let error = scene.fetch(&place).unwrap_err();
    assert!(error.is_not_data());
    let message = error.to_string();
    assert!(
        message.starts_with("page 2 of http://127.0.0.1:"),
        "{message}"
    );
    assert!(
        message.ends_with("reports an error: the database is away"),
        "{message}"
    );
    assert_eq!(crate::transport::scene::text(&scene.kept(&place).0), whole);
}

#[test]
fn pages_stay_at_their_server_and_come_to_an_end() {
    let scene = Scene::new();
    let other = Arc::new(Server::start(|_| ok(JSON, "[]")));
    let away = other.url("/2");
    let server = Server::start(move |asked| match &*asked.target {
        "/away" => ok(JSON, format!(r#"{{"next":"{away}","items":[]}}"#)),
        "/large" => ok(
            JSON,
            format!(r#"{{"next":"/large?2","items":["{}"]}}"#, "a".repeat(600)),
        ),
        "/large?2" => ok(
            JSON,
            format!(r#"{{"next":"","items":["{}"]}}"#, "b".repeat(600)),
        ),
        "/csv" => ok("text/csv", "id;name\n"),
        _ => ok(JSON, r#"{"next":"/round","items":[]}"#),
    });
    for (path, said) in [
        ("/away", "which would receive the credentials"),
        ("/round", "`next` leads back to an earlier page"),
        ("/csv", "it is not valid JSON; pages must be JSON"),
        ("/large", "bytes"),
    ] {
        let place = scene.place(json!({
            "url": server.url(path), "auth": "sentinel", "next": {"link": "next"}, "limit": "1kB",
        }));
        let error = scene.fetch(&place).unwrap_err();
        assert!(matches!(error, TransportError::Page { .. }), "{error}");
        assert!(error.to_string().ends_with(said), "{error}");
    }
    assert!(other.asked().is_empty());
}

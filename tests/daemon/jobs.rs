//! Jobs, their files and orders by the API, as a shop records them.

use super::api::{Answer, Api, serve, token};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, account, each, user};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;

fn started(ws: &Workspace, more: &str) -> (DaemonProcess, Api) {
    let two =
        account("acme", "customerNumber: \"1042\"") + &account("other", "customerNumber: \"1043\"");
    let settings = "settings: [{externalId: settings, loginMode: both}]\n---\n";
    ws.tree(settings.to_owned() + &two + &user("u-1", "acme", "") + &user("u-2", "other", ""));
    ws.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources: [{name: shop, directory: manifests}]\n",
    );
    ws.run(&["apply", "--yes"]).exits(0);
    ws.sql("UPDATE users SET access = 'enabled'");
    ws.run(&["apply", "--yes"]);
    let token = token(ws, "shop", "operator", &[]);
    let config = format!(
        "apiVersion: roster/v1\nsources:\n  - {{name: shop, directory: manifests}}\nfiles: {{dir: uploads}}\n{}",
        serve("").replace("limits: {", &format!("limits: {{{more}"))
    );
    ws.write("roster.yaml", config);
    let mut served = DaemonProcess::on(ws, &[]);
    let api = Api::new(&served.address(), &token);
    (served, api)
}

fn put(api: &Api, path: &str, body: &Value) -> Answer {
    api.ask("PUT", path, &[], &body.to_string())
}

fn upload(api: &Api, path: &str, bytes: &str) -> Answer {
    let media = [("Content-Type", "application/pdf".to_owned())];
    api.ask("PUT", path, &media, bytes)
}

/// Every file below the directory of the daemon.
fn files(ws: &Workspace) -> Vec<PathBuf> {
    let Ok(folders) = fs::read_dir(ws.path("uploads")) else {
        return Vec::new();
    };
    let folders = folders.map(|folder| folder.expect("an entry").path());
    let folders = folders.filter(|folder| folder.is_dir());
    let files = folders.flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn a_job_needs_a_user_who_may_submit_and_then_goes_on() {
    for ws in each("jobs") {
        let (served, api) = started(&ws, "");
        let job = json!({"user": "u-1", "account": "acme", "name": "Posters", "status": "New"});
        let (status, written) = put(&api, "/api/v1/jobs/J-1", &job);
        assert_eq!(status, 200, "{written}");
        assert_eq!(written["id"], "J-1");
        assert_eq!(written["files"], json!([]));
        assert_eq!(api.document("/api/v1/jobs/J-1"), written);
        let listed = api.document("/api/v1/jobs?user=u-1&status=New");
        assert_eq!(listed["items"], json!([written]));
        assert_eq!(api.document("/api/v1/jobs?user=u-2")["items"], json!([]));
        assert_eq!(api.get("/api/v1/jobs/J-2").0, 404);

        for (wrong, status, code) in [
            (
                json!({"user": "u-9", "account": "a-9", "name": "x", "status": "New"}),
                404,
                "not-found",
            ),
            (
                json!({"user": "u-1", "account": "other", "name": "x", "status": "New"}),
                409,
                "wrong-state",
            ),
            (
                json!({"user": "u-1", "name": " ", "status": "New"}),
                422,
                "invalid",
            ),
            (json!({"user": "u-1", "name": "x"}), 422, "invalid"),
        ] {
            let (got, answer) = put(&api, "/api/v1/jobs/J-2", &wrong);
            assert_eq!((got, &answer["code"]), (status, &json!(code)), "{answer}");
            if status == 404 {
                assert_eq!(answer["ids"], json!(["u-9", "a-9"]));
            }
        }
        let body = json!({"kind": "User", "ids": ["u-1"], "reason": "late"});
        assert_eq!(api.post("/api/v1/acts/block", &body).0, 200);
        let check = api.document("/api/v1/resources/User/u-1/may-submit");
        assert_eq!(
            check,
            json!({"maySubmit": false, "why": "the user is blocked: late"})
        );
        let (status, answer) = put(&api, "/api/v1/jobs/J-2", &job);
        assert_eq!(
            (status, &answer["code"]),
            (409, &json!("wrong-state")),
            "{answer}"
        );
        // What was submitted before goes on.
        let done =
            json!({"user": "u-1", "account": "acme", "name": "Posters", "status": "Completed"});
        let (status, changed) = put(&api, "/api/v1/jobs/J-1", &done);
        assert_eq!((status, &changed["status"]), (200, &json!("Completed")));
        assert_eq!(changed["createdAt"], written["createdAt"]);

        // A contact without an account submits too; a viewer only looks.
        let (status, _) = put(
            &api,
            "/api/v1/jobs/J-3",
            &json!({"user": "u-2", "name": "x", "status": "Any"}),
        );
        assert_eq!(status, 200);
        let viewer = Api::new(&api.address, &token(&ws, "viewer", "viewer", &[]));
        assert_eq!(put(&viewer, "/api/v1/jobs/J-3", &job).0, 403);
        assert_eq!(viewer.get("/api/v1/jobs/J-3").0, 200);
        served.ends();
    }
}

#[test]
fn a_file_replaces_the_one_before_only_when_all_of_it_has_arrived() {
    for ws in each("files") {
        let (served, api) = started(&ws, "file: 1KiB, ");
        let job = json!({"user": "u-1", "name": "Posters", "status": "New"});
        // An id that is no folder name.
        let path = "/api/v1/jobs/..%2F..%2FJ%201";
        assert_eq!(put(&api, path, &job).0, 200);
        let input = format!("{path}/files/input");
        let (status, answer) = upload(&api, &format!("{input}?name=first.pdf"), "first");
        assert_eq!(status, 200, "{answer}");
        assert_eq!(
            answer["files"],
            json!([{"role": "input", "name": "first.pdf", "edited": false}])
        );
        assert_eq!(files(&ws).len(), 1);
        let second = format!("{input}?name=..a%20b.pdf&edited=true");
        let (status, answer) = upload(&api, &second, "second");
        assert_eq!(status, 200);
        assert_eq!(
            answer["files"],
            json!([{"role": "input", "name": "..a b.pdf", "edited": true}])
        );
        assert_eq!(api.get(&input), (200, json!("second")));
        let stored = files(&ws);
        assert_eq!(stored.len(), 1, "the first one is gone");

        // Nothing of these is kept.
        assert_eq!(upload(&api, &second, &"x".repeat(1025)).0, 413);
        assert_eq!(sends_half(&api, &second), "");
        for (wrong, status) in [
            (format!("{input}?name=a%2Fb"), 422),
            (format!("{input}?name=.."), 422),
            (input.clone(), 400),
            (format!("{path}/files/other?name=a"), 400),
            ("/api/v1/jobs/J-9/files/input?name=a".to_owned(), 404),
        ] {
            assert_eq!(upload(&api, &wrong, "x").0, status, "{wrong}");
        }
        assert_eq!(files(&ws), stored);
        assert_eq!(api.get(&input), (200, json!("second")));
        assert_eq!(api.get(&format!("{path}/files/model")).0, 404);
        // A path that the shop wrote is followed within the directory only.
        ws.write("secret", "s");
        ws.sql("UPDATE job_files SET path = '../secret'");
        assert_eq!(api.get(&input).0, 404);
        ws.write("uploads/own/file.pdf", "own");
        ws.sql("UPDATE job_files SET path = 'own/file.pdf'");
        assert_eq!(api.get(&input), (200, json!("own")));
        served.ends();
    }
}

/// Declares a length, sends less and goes away; returns the answer, if there is one.
fn sends_half(api: &Api, path: &str) -> String {
    let mut stream = TcpStream::connect(&api.address).expect("it listens");
    let token = api.token.as_deref().expect("a token");
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000\r\n\r\nhalf",
        api.address
    );
    stream.write_all(head.as_bytes()).expect("sent");
    stream.shutdown(Shutdown::Write).expect("closed");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(!answer.contains(" 200 "), "{answer}");
    String::new()
}

#[test]
fn a_backup_is_a_download_of_one_person() {
    for ws in each("backups") {
        let (served, api) = started(&ws, "");
        let job = json!({"user": "u-1", "name": "Posters", "status": "New"});
        assert_eq!(put(&api, "/api/v1/jobs/J-1", &job).0, 200);
        // Larger than any buffer on the way.
        let large = "0123456789".repeat(80_000);
        let input = "/api/v1/jobs/J-1/files/input?name=posters.pdf";
        assert_eq!(upload(&api, input, &large).0, 200);
        let (head, bytes) = download(&api, "/api/v1/resources/User/u-1/backup");
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        assert!(head.contains("application/zip"), "{head}");
        assert!(
            head.contains("filename*=UTF-8''Karin_%C3%85slund.zip"),
            "{head}"
        );
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
        let mut content = String::new();
        let mut entry = archive.by_name("J-1/posters.pdf").expect("the file");
        entry.read_to_string(&mut content).expect("whole");
        assert_eq!(content, large);
        assert_eq!(api.get("/api/v1/resources/User/u-9/backup").0, 404);
        assert_eq!(api.get("/api/v1/resources/Account/acme/backup").0, 404);
        let acts = api.document("/api/v1/acts");
        assert_eq!(acts["items"][0]["act"], "backup", "{acts}");
        assert_eq!(acts["items"][0]["actor"], "shop");
        served.ends();
    }
}

/// The head and the bytes of an answer.
fn download(api: &Api, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(&api.address).expect("it listens");
    let token = api.token.as_deref().expect("a token");
    let head = format!(
        "GET {path} HTTP/1.0\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
        api.address
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let at = answer.windows(4).position(|part| part == b"\r\n\r\n");
    let body = answer.split_off(at.expect("a head") + 4);
    (String::from_utf8_lossy(&answer).into_owned(), body)
}

#[test]
fn an_order_keeps_the_name_of_the_login_that_placed_it() {
    for ws in each("orders") {
        let (served, api) = started(&ws, "");
        let order = json!({"kind": "order", "user": "u-1", "account": "acme", "placedAt": "2026-03-31T12:00:00+02:00"});
        let (status, written) = put(&api, "/api/v1/orders/O-1", &order);
        assert_eq!(status, 200, "{written}");
        let expected = json!({"id": "O-1", "kind": "order", "user": "u-1", "account": "acme",
            "login": "1042-1", "placedAt": "2026-03-31T10:00:00.000Z"});
        assert_eq!(written, expected);
        assert_eq!(api.document("/api/v1/orders/O-1"), expected);
        // Without an account the e-mail address is the login.
        let quote = json!({"kind": "quote", "user": "u-2", "placedAt": "2026-03-31T12:00:00Z"});
        let (_, written) = put(&api, "/api/v1/orders/Q-1", &quote);
        assert_eq!(written["login"], "u-2@roster.example");
        let listed = api.document("/api/v1/orders?user=u-1");
        assert_eq!(listed["items"], json!([expected]));
        assert_eq!(
            api.document("/api/v1/orders?kind=quote")["items"][0]["id"],
            "Q-1"
        );
        for (wrong, status) in [
            (
                json!({"kind": "order", "user": "u-9", "account": "acme", "placedAt": "2026-03-31T12:00:00Z"}),
                404,
            ),
            (
                json!({"kind": "order", "user": "u-1", "account": "acme", "placedAt": "yesterday"}),
                422,
            ),
            (
                json!({"kind": "invoice", "user": "u-1", "account": "acme", "placedAt": "2026-03-31T12:00:00Z"}),
                422,
            ),
        ] {
            assert_eq!(put(&api, "/api/v1/orders/O-2", &wrong).0, status, "{wrong}");
        }
        // The login goes; what it placed does not.
        ws.sql("DELETE FROM user_logins");
        let later = json!({"kind": "order", "user": "u-1", "account": "acme", "placedAt": "2026-04-01T12:00:00Z"});
        let (_, written) = put(&api, "/api/v1/orders/O-1", &later);
        assert_eq!(written["login"], "1042-1");
        let refs = ws
            .run(&["export", "order-refs", "--since", "2026-01-01"])
            .exits(0);
        assert_eq!(
            refs.stdout,
            "order,account,login,user,placedAt\nO-1,acme,1042-1,u-1,2026-04-01T12:00:00.000Z\n"
        );

        let (status, _, page) = api.exchange("GET", "/resources/User/u-1", &[], "");
        let page = page.as_str().expect("a page");
        assert_eq!(status, 200);
        assert!(
            page.contains("Orders and quotes") && page.contains("O-1"),
            "{page}"
        );
        assert!(!page.contains("Q-1"), "{page}");
        served.ends();
    }
}

//! Invitations with a daemon: links as people use them, mails as they arrive, and what is refused.

use super::api::{Answer, Api, serve, token, until};
use crate::support::daemon_process::DaemonProcess;
use crate::support::mail_server::MailServer;
use crate::support::workspace::{Workspace, account, each, sqlite, user};
use serde_json::{Value, json};
use std::thread;

const PASSWORD: &str = "Winter2026";
const TERMS: &str = "terms: [{externalId: terms-1, title: Terms of sale, file: terms.txt}]\n---\n";
/// The SHA-256 of the document of the terms.
const VERSION: &str = "7c4a2d2e5a25e5ab3a7ae8d2b5d0b1aa5f1d6b7d5f7c8c8b6a4b5a2d0f7d8e9a";

/// A directory with two users and, where `terms` says so, a document to accept.
fn directory(ws: &Workspace, terms: &str) {
    let users = user("u-1", "acme", "") + &user("u-2", "acme", "");
    ws.tree(terms.to_owned() + &account("acme", "") + &users);
    ws.write("manifests/terms.txt", "Payment within 30 days.\n");
}

fn config(mail: u16) -> String {
    let url = ", url: 'http://roster.example'";
    format!(
        "apiVersion: roster/v1\n{}sources: [{{name: shop, directory: manifests}}]\n{}",
        MailServer::config(mail),
        serve(url)
    )
}

/// A daemon that has applied the directory once.
fn started(ws: &Workspace, mail: u16) -> (DaemonProcess, Api) {
    let token = token(ws, "eva", "administrator", &[]);
    ws.write("roster.yaml", config(mail));
    let mut served = DaemonProcess::on(ws, &[]);
    let api = Api::new(&served.address(), &token);
    served.says(&["as run 1"]);
    (served, api)
}

fn invite(api: &Api, ids: &[&str], send: bool) -> Answer {
    let body = json!({"ids": ids, "reason": "new customer", "send": send});
    api.post("/api/v1/acts/invite", &body)
}

/// The token of a new draft.
#[track_caller]
fn drafted(api: &Api, id: &str) -> String {
    let (status, reply) = invite(api, &[id], false);
    assert_eq!(status, 200, "{reply}");
    token_in(reply["items"][0]["draft"].as_str().expect("a draft"))
}

#[track_caller]
fn token_in(text: &str) -> String {
    let (_, rest) = text.split_once("/invitation/").expect("a link");
    rest.split_whitespace().next().expect("a token").to_owned()
}

fn stranger(api: &Api) -> Api {
    Api {
        address: api.address.clone(),
        token: None,
    }
}

fn accept(api: &Api, token: &str, body: &Value) -> Answer {
    stranger(api).post(&format!("/api/v1/invitations/{token}"), body)
}

fn facts(ws: &Workspace, id: &str) -> String {
    let sql = format!(
        "SELECT access || ' ' || coalesce(substr(password_hash, 1, 10), '-') || ' ' || \
         coalesce(password_temporary, '-') FROM users WHERE external_id = '{id}'"
    );
    ws.value(&sql).expect("facts")
}

#[test]
fn a_link_sets_a_password_once_and_only_looking_uses_nothing() {
    for ws in each("link") {
        directory(&ws, "");
        let (mut served, api) = started(&ws, MailServer::new().port);
        let token = drafted(&api, "u-1");
        let before = ws.fingerprint();
        for method in ["GET", "HEAD"] {
            let path = format!("/invitation/{token}");
            let (status, head, page) = stranger(&api).exchange(method, &path, &[], "");
            assert_eq!(status, 200, "{page}");
            assert!(head.contains("referrer-policy: no-referrer"), "{head}");
            assert!(head.contains("cache-control: no-store"), "{head}");
        }
        assert_eq!(ws.fingerprint(), before);
        assert_eq!(facts(&ws, "u-1"), "invited - -");

        for weak in ["Sh0rt", "nocapital123", "NOLOWER123", "NoDigitsHere"] {
            let (status, refused) = accept(&api, &token, &json!({"password": weak}));
            assert_eq!((status, &refused["code"]), (422, &json!("password-weak")));
            assert!(!refused.to_string().contains(weak), "{refused}");
        }
        let (status, reply) = accept(&api, &token, &json!({"password": PASSWORD}));
        assert_eq!((status, reply), (200, json!({"externalId": "u-1"})));
        assert_eq!(facts(&ws, "u-1"), "enabled $argon2id$ -");
        let usable = ws.column("SELECT external_id FROM usable_users");
        assert_eq!(usable, [Some("u-1".to_owned())]);
        let (status, refused) = accept(&api, &token, &json!({"password": PASSWORD}));
        assert_eq!((status, &refused["code"]), (410, &json!("link-used")));
        let (status, _, page) =
            stranger(&api).exchange("GET", &format!("/invitation/{token}"), &[], "");
        assert!(
            status == 410 && page.to_string().contains("used before"),
            "{page}"
        );

        // It is an act like any other, and no pass undoes it.
        let history = api.document("/api/v1/resources/User/u-1/history");
        assert_eq!(history["items"][0]["verb"], "accept-invitation");
        assert_eq!(history["items"][0]["actor"], "invitation");
        ws.settle(&[]);
        assert_eq!(facts(&ws, "u-1"), "enabled $argon2id$ -");
        ws.run(&["history", "--verify"]).exits(0);
        let said = served.said();
        for secret in [&*token, PASSWORD] {
            assert!(!said.contains(secret), "{said}");
        }
        served.ends();
    }
}

#[test]
fn of_several_people_with_one_link_one_uses_it() {
    for ws in each("race") {
        directory(&ws, "");
        let (served, api) = started(&ws, MailServer::new().port);
        let token = drafted(&api, "u-1");
        let answers: Vec<Answer> = thread::scope(|scope| {
            let people = (0..6).map(|n| {
                let (api, token) = (&api, &token);
                let body = json!({"password": format!("{PASSWORD}x{n}")});
                scope.spawn(move || accept(api, token, &body))
            });
            let people: Vec<_> = people.collect();
            people
                .into_iter()
                .map(|person| person.join().expect("an answer"))
                .collect()
        });
        let done = answers.iter().filter(|(status, _)| *status == 200).count();
        assert_eq!(done, 1, "{answers:?}");
        for (_, refused) in answers.iter().filter(|(status, _)| *status != 200) {
            assert_eq!(refused["code"], "link-used", "{answers:?}");
        }
        let used = "SELECT count(*) FROM changes WHERE verb = 'accept-invitation'";
        assert_eq!(ws.value(used).as_deref(), Some("1"));
        served.ends();
    }
}

#[test]
fn a_link_that_does_not_work_says_which_kind_it_is() {
    for ws in each("kinds") {
        directory(&ws, "");
        let (served, api) = started(&ws, MailServer::new().port);
        let password = json!({"password": PASSWORD});
        let refused = |token: &str, status: u16, code: &str| {
            let (got, answer) = accept(&api, token, &password);
            assert_eq!((got, &answer["code"]), (status, &json!(code)), "{answer}");
            let path = format!("/invitation/{token}");
            assert_eq!(stranger(&api).exchange("GET", &path, &[], "").0, status);
        };
        let old = drafted(&api, "u-1");
        let token = drafted(&api, "u-1");
        refused(&old, 410, "link-expired");
        refused("no-such-token", 404, "not-found");
        for (stop, go) in [
            ("blocked = 'x'", "blocked = NULL"),
            ("status = 'inactive'", "status = 'active'"),
            ("access = 'disabled'", "access = 'invited'"),
        ] {
            ws.sql(&format!(
                "UPDATE users SET {stop} WHERE external_id = 'u-1'"
            ));
            refused(&token, 410, "link-expired");
            ws.sql(&format!("UPDATE users SET {go} WHERE external_id = 'u-1'"));
        }
        ws.sql("UPDATE invitations SET expires_at = created_at");
        refused(&token, 410, "link-expired");
        // Who registered in the shop waits there, and the link lets them in.
        ws.sql("UPDATE users SET access = 'pending' WHERE external_id = 'u-2'");
        let (_, reply) = invite(&api, &["u-2"], false);
        assert_eq!(reply["items"][0]["after"], "pending");
        let token = token_in(reply["items"][0]["draft"].as_str().expect("a draft"));
        assert_eq!(accept(&api, &token, &password).0, 200);
        assert_eq!(facts(&ws, "u-2"), "enabled $argon2id$ -");
        let (status, refused) = invite(&api, &["u-2"], false);
        assert_eq!((status, &refused["code"]), (409, &json!("wrong-state")));
        assert_eq!(
            refused["possible"],
            json!(["deactivate", "delete-identities", "delete"])
        );
        served.ends();
    }
}

#[test]
fn tokens_cannot_be_guessed_and_a_link_that_exists_always_works() {
    let ws = sqlite();
    directory(&ws, "");
    let (served, api) = started(&ws, MailServer::new().port);
    let token = drafted(&api, "u-1");
    let password = json!({"password": PASSWORD});
    for n in 0..10 {
        assert_eq!(accept(&api, &format!("guess-{n}"), &password).0, 404);
    }
    let path = "/api/v1/invitations/guess";
    let (status, head, _) = stranger(&api).exchange("POST", path, &[], &password.to_string());
    assert!(status == 429 && head.contains("retry-after:"), "{head}");
    let (status, head, _) = stranger(&api).exchange("GET", "/invitation/guess", &[], "");
    assert!(status == 429 && head.contains("retry-after:"), "{head}");
    assert_eq!(accept(&api, &token, &password).0, 200);
    served.ends();
}

#[test]
fn the_current_terms_are_accepted_with_the_password() {
    for ws in each("terms") {
        directory(&ws, TERMS);
        let (served, api) = started(&ws, MailServer::new().port);
        let token = drafted(&api, "u-1");
        let version = ws.value("SELECT file_sha256 FROM terms").expect("a hash");
        for terms in [
            json!({}),
            json!({"terms-1": VERSION}),
            json!({"terms-1": version, "terms-2": version}),
        ] {
            let body = json!({"password": PASSWORD, "terms": terms});
            let (status, refused) = accept(&api, &token, &body);
            assert_eq!((status, &refused["code"]), (409, &json!("terms-outdated")));
            assert_eq!(refused["terms"], json!({"terms-1": version}));
        }
        let path = format!("/invitation/{token}/terms/{version}");
        let (status, head, document) = stranger(&api).exchange("GET", &path, &[], "");
        assert_eq!(
            (status, document),
            (200, json!("Payment within 30 days.\n"))
        );
        assert!(head.contains("content-type: text/plain"), "{head}");
        let body = json!({"password": PASSWORD, "terms": {"terms-1": version}});
        assert_eq!(accept(&api, &token, &body).0, 200);
        let accepted = "SELECT version FROM terms_acceptances \
                        WHERE user_id = 'u-1' AND terms_id = 'terms-1'";
        assert_eq!(ws.value(accepted), Some(version));
        served.ends();
    }
}

#[test]
fn the_form_does_the_same_without_scripts() {
    for ws in each("form") {
        directory(&ws, TERMS);
        let (served, api) = started(&ws, MailServer::new().port);
        let token = drafted(&api, "u-1");
        let version = ws.value("SELECT file_sha256 FROM terms").expect("a hash");
        let path = format!("/invitation/{token}");
        let send = |fields: &str| {
            let form = "application/x-www-form-urlencoded".to_owned();
            let headers = [("Content-Type", form)];
            let (status, head, page) = stranger(&api).exchange("POST", &path, &headers, fields);
            assert!(head.contains("referrer-policy: no-referrer"), "{head}");
            (status, page.to_string())
        };
        let box_of_terms = format!("terms.terms-1={version}");
        let (status, page) = send(&format!("password=weak&{box_of_terms}"));
        assert!(
            status == 422 && page.contains("fewer than 8 characters"),
            "{page}"
        );
        let (status, page) = send(&format!("password={PASSWORD}"));
        assert!(
            status == 409 && page.contains("not the current terms"),
            "{page}"
        );
        assert_eq!(facts(&ws, "u-1"), "invited - -");
        let (status, page) = send(&format!("password={PASSWORD}&{box_of_terms}"));
        assert!(
            status == 200 && page.contains("Your password is set"),
            "{page}"
        );
        assert!(!page.contains(PASSWORD), "{page}");
        assert_eq!(facts(&ws, "u-1"), "enabled $argon2id$ -");
        assert_eq!(send(&format!("password={PASSWORD}&{box_of_terms}")).0, 410);
        served.ends();
    }
}

#[test]
fn a_repeated_request_gets_the_same_draft_which_the_database_does_not_hold() {
    for ws in each("same") {
        directory(&ws, "");
        let (served, api) = started(&ws, MailServer::new().port);
        let body = json!({"ids": ["u-1"], "reason": "new customer"});
        let ask = |api: &Api, body: &Value| {
            let headers = [("Idempotency-Key", "k-1".to_owned())];
            api.ask("POST", "/api/v1/acts/invite", &headers, &body.to_string())
        };
        let (status, first) = ask(&api, &body);
        assert_eq!(status, 200, "{first}");
        served.ends();
        let mut served = DaemonProcess::on(&ws, &[]);
        let api = Api {
            address: served.address(),
            ..api
        };
        assert_eq!(ask(&api, &body), (200, first.clone()));
        let sends = json!({"ids": ["u-1"], "reason": "new customer", "send": true});
        assert_eq!(ask(&api, &sends).0, 422);
        let token = token_in(first["items"][0]["draft"].as_str().expect("a draft"));
        let answer = ws.value("SELECT answer FROM act_keys").expect("an answer");
        assert!(!answer.contains(&token), "{answer}");
        // The command line writes the draft of the daemon to a file, and prints no link.
        let remote = format!("http://{}", api.address);
        let mut command = ws.command(&[
            "user", "invite", "u-2", "-o", "drafts", "--reason", "x", "--remote", &remote,
        ]);
        command.env("ROSTER_TOKEN", api.token.as_deref().expect("a token"));
        let ran = crate::support::workspace::run(&mut command).exits(0);
        let draft = std::fs::read_to_string(ws.path("drafts/u-2.eml")).expect("a draft");
        let token = token_in(&draft);
        assert!(!ran.stdout.contains(&token) && !ran.stderr.contains(&token));
        assert_eq!(accept(&api, &token, &json!({"password": PASSWORD})).0, 200);
        served.ends();
    }
}

#[test]
fn a_mail_that_waited_arrives_with_a_link_that_works() {
    for ws in each("mail") {
        directory(&ws, "");
        let mail = MailServer::new();
        let (served, _) = started(&ws, mail.port);
        served.ends();
        let draft = ["user", "invite", "u-1", "-o", "drafts", "--reason", "x"];
        ws.run(&draft).exits(0);
        let drafted = std::fs::read_to_string(ws.path("drafts/u-1.eml")).expect("a draft");
        ws.run(&["user", "invite", "u-1", "--send", "--reason", "x"])
            .exits(0);
        assert_eq!(mail.rest(), []);

        let mut served = DaemonProcess::on(&ws, &[]);
        let api = Api::new(&served.address(), "");
        let received = mail.next();
        assert!(received.to.contains("u-1@roster.example"), "{received:?}");
        assert!(received.text.contains("Karin"), "{received:?}");
        let token = token_in(received.link());
        served.says(&["invitation", "sent"]);
        until("the outbox is empty", || {
            let waiting = ws.column("SELECT id FROM outbox");
            waiting.is_empty().then_some(())
        });
        let password = json!({"password": PASSWORD});
        let (_, refused) = accept(&api, &token_in(&drafted), &password);
        assert_eq!(refused["code"], "link-expired");
        assert_eq!(accept(&api, &token, &password).0, 200);
        let said = served.said();
        assert!(!said.contains(&token) && !said.contains("u-1@"), "{said}");
        assert_eq!(mail.rest(), []);
        served.ends();
    }
}

#[test]
fn whoever_a_source_wants_to_be_told_gets_one_mail() {
    for ws in each("told") {
        let told = user("u-1", "acme", "notify: true\n");
        ws.tree(account("acme", "") + &told + &user("u-2", "acme", ""));
        let mail = MailServer::new();
        let (mut served, api) = started(&ws, mail.port);
        let received = mail.next();
        assert!(received.to.contains("u-1@roster.example"), "{received:?}");
        served.says(&["invitation", "sent"]);
        ws.tree(account("acme", "") + &told + &user("u-2", "acme", "company: Acme\n"));
        served.says(&["as run 2"]);
        let token = token_in(received.link());
        assert_eq!(accept(&api, &token, &json!({"password": PASSWORD})).0, 200);
        assert_eq!(mail.rest(), []);
        served.ends();
    }
}

#[test]
fn a_retry_sends_the_same_link_under_the_same_id_also_after_a_kill() {
    for ws in each("retry") {
        directory(&ws, "");
        // The server takes the mail and then says that it did not.
        let mail = MailServer::on(0, &["451 try again"]);
        let (mut served, api) = started(&ws, mail.port);
        assert_eq!(invite(&api, &["u-1"], true).0, 200);
        let first = mail.next();
        served.says(&["invitation", "retrying"]);
        // Killed between the attempts.
        drop(served);
        let outbox = "SELECT target || notice || coalesce(error, '') FROM outbox";
        let row = ws.value(outbox).expect("a row");
        let token = token_in(first.link());
        assert!(!row.contains(&token), "{row}");
        let mut served = DaemonProcess::on(&ws, &[]);
        let api = Api {
            address: served.address(),
            ..api
        };
        let second = mail.next();
        assert_eq!(first.link(), second.link());
        let id = "Message-ID";
        assert_eq!(first.header(id), second.header(id));
        served.says(&["invitation", "sent"]);
        assert_eq!(accept(&api, &token, &json!({"password": PASSWORD})).0, 200);
        served.ends();
    }
}

#[test]
fn a_mail_that_is_refused_for_good_is_recorded_and_a_newer_one_is_sent() {
    let ws = sqlite();
    directory(&ws, "");
    let mail = MailServer::on(0, &["550 5.1.1 <u-1@x.example>: no such user"]);
    let (mut served, api) = started(&ws, mail.port);
    assert_eq!(invite(&api, &["u-1"], true).0, 200);
    served.says(&["invitation", "gave up"]);
    let acts = api.once("/api/v1/acts", |acts| {
        acts["items"][0]["act"] == "invitation not sent"
    });
    let act = &acts["items"][0];
    assert_eq!(act["subject"], "User/u-1");
    assert!(
        act["reason"].as_str().expect("a reason").contains("550"),
        "{act}"
    );
    // The server repeats the address; neither the log nor the audit log does.
    assert!(!act.to_string().contains("no such user"), "{act}");
    let said = served.said();
    assert!(!said.contains("no such user"), "{said}");
    let refused = mail.next();
    assert_eq!(invite(&api, &["u-1"], true).0, 200);
    let sent = mail.next();
    assert_ne!(refused.link(), sent.link());
    // A blocked person gets no mail until the block is gone.
    let block = json!({"kind": "User", "ids": ["u-2"], "reason": "x"});
    assert_eq!(api.post("/api/v1/acts/block", &block).0, 200);
    assert_eq!(invite(&api, &["u-2"], true).0, 200);
    served.says(&["invitation", "waits", "blocked"]);
    assert_eq!(mail.rest(), []);
    served.ends();
}

#[test]
fn a_mail_that_waits_for_its_person_is_no_unsent_notice() {
    for ws in each("paused") {
        directory(&ws, "");
        let mail = MailServer::on(0, &["451 try again"; 9]);
        let (mut served, api) = started(&ws, mail.port);
        let unsent = || api.get("/api/v1/status").1["notices"].clone();
        let act = |act: &str, reason: &str| {
            let body = json!({"kind": "User", "ids": ["u-2"], "reason": reason});
            assert_eq!(api.post(&format!("/api/v1/acts/{act}"), &body).0, 200);
        };
        act("block", "x");
        assert_eq!(invite(&api, &["u-2"], true).0, 200);
        served.says(&["invitation", "waits", "blocked"]);
        assert_eq!(unsent(), 0);
        assert_eq!(api.get("/api/v1/status").1["noticeError"], Value::Null);
        act("unblock", "y");
        assert_eq!(unsent(), 1);
        for (away, back) in [
            ("status = 'inactive'", "status = 'active'"),
            ("access = 'disabled'", "access = 'invited'"),
            ("blocked = 'x'", "blocked = NULL"),
        ] {
            ws.sql(&format!(
                "UPDATE users SET {away} WHERE external_id = 'u-2'"
            ));
            assert_eq!(unsent(), 0, "{}: {away}", ws.engine);
            ws.sql(&format!(
                "UPDATE users SET {back} WHERE external_id = 'u-2'"
            ));
            assert_eq!(unsent(), 1, "{}: {back}", ws.engine);
        }
        // A newer invitation, of somebody who may log in, counts.
        assert_eq!(invite(&api, &["u-1"], true).0, 200);
        served.says(&["invitation", "retrying"]);
        assert_eq!(unsent(), 2);
        served.ends();
    }
}

//! Self-service as a shop uses it: customers log in, change their own details, and manage the users
//! of their accounts. What a source enforces is refused, and no pass changes anything afterwards.

use super::api::{Answer, Api, serve, token};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, account, each, run, sqlite, user};
use serde_json::{Value, json};
use std::thread;

const PASSWORD: &str = "Winter2026";
const NEW: &str = "Summer2027";

/// An account with an administrator and a user whose phone no source declares, and a user of two
/// accounts. Only `boss` has a temporary password, all can log in with the same one.
fn started(ws: &Workspace) -> (DaemonProcess, Api) {
    let with_password = "passwordFrom: {env: ROSTER_SECRET_A}\n";
    let level =
        |account: &str| format!("accounts: [{{account: {account}, level: administrator}}]\n");
    let tree = [
        "settings: [{externalId: settings, loginMode: both, initialAccess: enabled, \
         optionalFields: [User.phone]}]\n---\n"
            .to_owned(),
        account("acme", "customerNumber: \"1042\""),
        account("other", "customerNumber: \"1043\""),
        user("boss", "acme", &format!("{with_password}{}", level("acme"))),
        user("u-1", "acme", &format!("{with_password}phone: \n")),
        user(
            "both",
            "acme",
            &format!("{with_password}accounts: [acme, other]\n"),
        ),
        user(
            "far",
            "other",
            &format!("{with_password}{}", level("other")),
        ),
    ];
    ws.tree(tree.concat());
    ws.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources: [{name: shop, directory: manifests}]\n",
    );
    let mut apply = ws.command(&["apply", "--yes"]);
    run(apply.env("ROSTER_SECRET_A", PASSWORD)).exits(0);
    let token = token(ws, "eva", "administrator", &[]);
    let config = format!(
        "apiVersion: roster/v1\nsources: [{{name: shop, directory: manifests}}]\n{}",
        serve("")
    );
    ws.write("roster.yaml", config);
    let mut daemon = ws.command(&["serve", "--config", "roster.yaml"]);
    daemon.env("ROSTER_SECRET_A", PASSWORD);
    let mut served = DaemonProcess::run(daemon);
    let api = Api::new(&served.address(), &token);
    (served, api)
}

fn login(api: &Api, name: &str, password: &str) -> Answer {
    let nobody = Api {
        address: api.address.clone(),
        token: None,
    };
    nobody.post(
        "/api/v1/login",
        &json!({"login": name, "password": password}),
    )
}

/// The API with the token of a customer.
#[track_caller]
fn customer(api: &Api, name: &str) -> Api {
    let (status, reply) = login(api, name, PASSWORD);
    assert_eq!(status, 200, "{reply}");
    Api::new(&api.address, reply["token"].as_str().expect("a token"))
}

fn patch(api: &Api, path: &str, body: &Value) -> Answer {
    api.ask("PATCH", path, &[], &body.to_string())
}

fn new_user(email: &str) -> Value {
    json!({"firstName": "Nils", "lastName": "Falk", "email": email, "phone": "+46 23 10 10 12"})
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    let (got, body) = answer;
    assert_eq!((*got, &body["code"]), (status, &json!(code)), "{body}");
}

/// A pass changes nothing, and the history is whole.
#[track_caller]
fn nothing_to_do(ws: &Workspace) {
    let mut apply = ws.command(&["apply", "manifests", "--yes"]);
    let ran = run(apply.env("ROSTER_SECRET_A", PASSWORD)).exits(0);
    assert_eq!(ran.steps(), Vec::<String>::new());
    for more in [&[][..], &["--scrub"]] {
        let arguments = [&["plan", "manifests", "--detailed-exitcode"], more].concat();
        let mut plan = ws.command(&arguments);
        let ran = run(plan.env("ROSTER_SECRET_A", PASSWORD)).exits(0);
        assert_eq!(ran.steps(), Vec::<String>::new());
    }
    ws.run(&["history", "--verify"]).exits(0);
}

#[test]
fn a_login_answers_what_a_shop_needs_and_opens_only_self_service() {
    for ws in each("login") {
        let (mut served, api) = started(&ws);
        let (status, reply) = login(&api, " BOSS@Roster.example ", PASSWORD);
        assert_eq!(status, 200, "{reply}");
        assert_eq!(reply["mustChangePassword"], true);
        assert_eq!(reply["user"]["externalId"], "boss");
        assert_eq!(
            reply["accounts"],
            json!([{"account": "acme", "level": "administrator", "login": "1042-1"}])
        );
        let sent = reply["token"].as_str().expect("a token").to_owned();
        let own = customer(&api, "1042-1");
        let (status, me) = own.get("/api/v1/self");
        assert_eq!((status, &me["externalId"]), (200, &json!("boss")));
        assert_eq!(me["accounts"], reply["accounts"]);
        for path in ["/api/v1/status", "/api/v1/resources/User/boss"] {
            assert_eq!(own.get(path).0, 401, "{path}");
        }
        assert_eq!(api.get("/api/v1/self").0, 401);
        let nobody = Api {
            address: api.address.clone(),
            token: None,
        };
        assert_eq!(nobody.get("/api/v1/self").0, 401);

        let both = login(&api, "both@roster.example", PASSWORD).1;
        assert_eq!(both["accounts"][1]["account"], "other");
        // An unusable account is not shown.
        ws.sql("UPDATE accounts SET blocked = 'unpaid' WHERE external_id = 'other'");
        let both = login(&api, "both@roster.example", PASSWORD).1;
        assert_eq!(both["accounts"].as_array().map(Vec::len), Some(1));
        refused(
            &login(&api, "far@roster.example", PASSWORD),
            401,
            "login-failed",
        );

        // Nothing keeps the token or the password.
        let stored = ws.column("SELECT user_id FROM customer_tokens");
        assert_eq!(stored.len(), 4);
        let said = served.said();
        assert!(!said.contains(PASSWORD) && !said.contains(&sent), "{said}");
        served.ends();
    }
}

#[test]
fn every_failure_of_a_login_is_the_same() {
    for ws in each("same") {
        let (served, api) = started(&ws);
        ws.sql("UPDATE users SET access = 'disabled' WHERE external_id = 'u-1'");
        let strip = |(status, mut body): Answer| {
            body["requestId"] = Value::Null;
            (status, body)
        };
        let wrong = strip(login(&api, "boss@roster.example", "Wrong2026"));
        refused(&wrong, 401, "login-failed");
        for (name, password) in [
            ("nobody@roster.example", PASSWORD),
            ("1042-77", PASSWORD),
            ("u-1@roster.example", PASSWORD),
            ("", ""),
            ("boss\u{0}", PASSWORD),
        ] {
            assert_eq!(strip(login(&api, name, password)), wrong, "{name}");
        }
        served.ends();
    }
}

#[test]
fn wrong_passwords_are_counted_by_name_and_by_address() {
    let ws = sqlite();
    let (served, api) = started(&ws);
    // All at once: a race gives nobody more guesses for a name.
    let answers: Vec<Answer> = thread::scope(|scope| {
        let guesses = (0..14).map(|n| {
            let api = &api;
            scope.spawn(move || login(api, "Boss@roster.example", &format!("Wrong{n}")))
        });
        let guesses: Vec<_> = guesses.collect();
        let answers = guesses
            .into_iter()
            .map(|guess| guess.join().expect("an answer"));
        answers.collect()
    });
    let compared = answers.iter().filter(|(status, _)| *status == 401).count();
    assert!((10..=11).contains(&compared), "{answers:?}");
    // The right password is not compared any more. One is every six seconds, so ask until then.
    let path = "/api/v1/login";
    let limited = |name: &dyn Fn(usize) -> String| {
        (0..30).any(|n| {
            let body = json!({"login": name(n), "password": "Wrong2026"}).to_string();
            let (status, head, _) = api.exchange("POST", path, &[], &body);
            status == 429 && head.contains("retry-after:")
        })
    };
    assert!(limited(&|_| "boss@roster.example".to_owned()));
    // The address has used up its guesses too, with whatever name.
    assert!(limited(&|n| format!("n{n}@roster.example")));
    served.ends();
}

#[test]
fn a_new_password_and_every_act_void_the_tokens() {
    for ws in each("void") {
        let (served, api) = started(&ws);
        let (one, two) = (customer(&api, "1042-1"), customer(&api, "1042-1"));
        let put = |api: &Api, password: &str, new: &str| {
            let body = json!({"password": password, "new": new});
            api.ask("PUT", "/api/v1/self/password", &[], &body.to_string())
        };
        refused(&put(&one, "Wrong2026", NEW), 403, "password-wrong");
        refused(&put(&one, PASSWORD, "weak"), 422, "password-weak");
        // A temporary password has to be changed.
        refused(&put(&one, PASSWORD, PASSWORD), 422, "password-weak");
        assert_eq!(put(&one, PASSWORD, NEW).0, 204);
        assert_eq!(one.get("/api/v1/self").1["mustChangePassword"], false);
        assert_eq!(two.get("/api/v1/self").0, 401);
        assert_eq!(login(&api, "1042-1", PASSWORD).0, 401);
        assert_eq!(login(&api, "1042-1", NEW).0, 200);
        let sql = "SELECT password_temporary FROM users WHERE external_id = 'boss'";
        assert_eq!(ws.value(sql), None);
        nothing_to_do(&ws);

        let user = "u-1@roster.example";
        for (act, back) in [("block", "unblock"), ("deactivate", "activate")] {
            let token = customer(&api, user);
            for act in [act, back] {
                let body = json!({"kind": "User", "ids": ["u-1"], "reason": "x"});
                let (status, reply) = api.post(&format!("/api/v1/acts/{act}"), &body);
                assert_eq!(status, 200, "{reply}");
                assert_eq!(token.get("/api/v1/self").0, 401, "{act}");
            }
        }
        let token = customer(&api, user);
        ws.sql("UPDATE customer_tokens SET expires_at = created_at");
        assert_eq!(token.get("/api/v1/self").0, 401);
        let token = customer(&api, user);
        let body = json!({"ids": ["u-1"], "reason": "x", "confirm": "u-1"});
        assert_eq!(api.post("/api/v1/acts/delete", &body).0, 200);
        assert_eq!(token.get("/api/v1/self").0, 401);
        let left = "SELECT count(*) FROM customer_tokens WHERE user_id = 'u-1'";
        assert_eq!(ws.value(left).as_deref(), Some("0"));
        served.ends();
    }
}

#[test]
fn own_details_change_unless_a_source_enforces_them() {
    for ws in each("details") {
        let (served, api) = started(&ws);
        let own = customer(&api, "u-1@roster.example");
        let (status, me) = patch(
            &own,
            "/api/v1/self",
            &json!({"phone": "+46 (0)70-123 45 67"}),
        );
        assert_eq!(
            (status, &me["phone"]),
            (200, &json!("+460701234567")),
            "{me}"
        );
        let answer = patch(
            &own,
            "/api/v1/self",
            &json!({"firstName": "Eva", "company": "X"}),
        );
        refused(&answer, 409, "declared");
        assert_eq!(answer.1["fields"], json!({"firstName": ["shop"]}));
        assert_eq!(own.get("/api/v1/self").1["company"], Value::Null);
        // The value that is there already contradicts nobody.
        let same = json!({"firstName": "Karin", "company": "Falk Foto"});
        assert_eq!(patch(&own, "/api/v1/self", &same).0, 200);
        refused(
            &patch(&own, "/api/v1/self", &json!({"phone": "x"})),
            422,
            "invalid",
        );
        refused(
            &patch(&own, "/api/v1/self", &json!({"company": " "})),
            422,
            "invalid",
        );
        nothing_to_do(&ws);
        let history = api.document("/api/v1/resources/User/u-1/history");
        let change = &history["items"][0];
        assert_eq!(change["actor"], "User/u-1");
        assert_eq!(change["fields"]["company"]["after"], "Falk Foto");

        // What nobody needs can be cleared.
        let cleared = json!({"phone": null, "company": null});
        let (status, me) = patch(&own, "/api/v1/self", &cleared);
        assert_eq!(status, 200, "{me}");
        assert_eq!((&me["phone"], &me["company"]), (&Value::Null, &Value::Null));
        let stored = "SELECT external_id FROM users WHERE phone IS NULL AND company IS NULL";
        assert_eq!(ws.column(stored), [Some("u-1".to_owned())], "{}", ws.engine);
        let history = api.document("/api/v1/resources/User/u-1/history");
        let company = &history["items"][0]["fields"]["company"];
        assert_eq!(company["before"], "Falk Foto", "{company}");
        assert_eq!(company["after"], Value::Null, "{company}");
        nothing_to_do(&ws);
        // Again it changes nothing.
        assert_eq!(patch(&own, "/api/v1/self", &cleared).0, 200);
        let again = api.document("/api/v1/resources/User/u-1/history");
        assert_eq!(again["items"][0]["run"], history["items"][0]["run"]);
        // A name is needed, and so is the address with which people log in.
        let answer = patch(
            &own,
            "/api/v1/self",
            &json!({"lastName": null, "email": null, "company": "Y"}),
        );
        refused(&answer, 422, "invalid");
        assert_eq!(answer.1["fields"], json!(["email", "lastName"]));
        assert_eq!(own.get("/api/v1/self").1["company"], Value::Null);
        served.ends();
    }
}

#[test]
fn an_administrator_manages_the_users_of_the_own_account_only() {
    for ws in each("users") {
        let (served, api) = started(&ws);
        let boss = customer(&api, "1042-1");
        let users = "/api/v1/self/accounts/acme/users";
        for (who, path, status, code) in [
            ("u-1@roster.example", users, 403, "no-permission"),
            (
                "1042-1",
                "/api/v1/self/accounts/other/users",
                404,
                "not-found",
            ),
            (
                "1042-1",
                "/api/v1/self/accounts/none/users",
                404,
                "not-found",
            ),
        ] {
            let answer = customer(&api, who).post(path, &new_user("n@roster.example"));
            refused(&answer, status, code);
            refused(&customer(&api, who).get(path), status, code);
        }
        let (status, made) = boss.post(users, &new_user("nils@roster.example"));
        assert_eq!(status, 201, "{made}");
        assert_eq!(made["login"], "1042-4", "{made}");
        let id = made["externalId"].as_str().expect("an id").to_owned();
        let path = format!("{users}/{id}");
        refused(
            &boss.post(users, &new_user("NILS@roster.example")),
            409,
            "email-duplicate",
        );
        let waiting = "SELECT i.user_id FROM outbox AS o JOIN invitations AS i ON i.id = o.id";
        assert_eq!(ws.column(waiting), [Some(id.clone())]);
        nothing_to_do(&ws);
        // The name of a link that another program removes does not work, and is there when the link
        // is back.
        let unlink = "DELETE FROM user_accounts WHERE user_id = 'both' AND account_id = 'other'";
        let both = "SELECT name FROM user_logins WHERE user_id = 'both' AND account_id = 'other'";
        let name = ws.value(both).expect("a name");
        assert_eq!(login(&api, &name, PASSWORD).0, 200);
        ws.sql(unlink);
        assert_eq!(login(&api, &name, PASSWORD).0, 401);
        ws.sql("INSERT INTO user_accounts (user_id, account_id, level) VALUES ('both', 'other', 'user')");
        assert_eq!(login(&api, &name, PASSWORD).0, 200);
        nothing_to_do(&ws);

        let listed = boss.get(users).1;
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(4));
        let page = boss.get(&format!("{users}?limit=1")).1;
        assert_eq!(page["next"], "boss");

        let (status, changed) = patch(
            &boss,
            &path,
            &json!({"level": "administrator", "lastName": "Ek"}),
        );
        assert_eq!(status, 200, "{changed}");
        assert_eq!(changed["level"], "administrator");
        assert_eq!(changed["lastName"], "Ek");
        let history = api.document(&format!("/api/v1/resources/User/{id}/history"));
        assert_eq!(history["items"][0]["actor"], "User/boss");
        let (status, cleared) = patch(&boss, &path, &json!({"phone": null}));
        assert_eq!(
            (status, &cleared["phone"]),
            (200, &Value::Null),
            "{cleared}"
        );
        let answer = patch(&boss, &path, &json!({"firstName": null}));
        refused(&answer, 422, "invalid");
        assert_eq!(answer.1["fields"], json!(["firstName"]));

        // Of what a source declares nothing changes, and of a user of several accounts no detail.
        let declared = patch(
            &boss,
            &format!("{users}/u-1"),
            &json!({"level": "administrator"}),
        );
        refused(&declared, 409, "declared");
        assert_eq!(declared.1["source"], "shop");
        let answer = boss.ask("DELETE", &format!("{users}/u-1"), &[], "");
        refused(&answer, 409, "declared");
        for answer in [
            patch(
                &boss,
                &format!("{users}/both"),
                &json!({"phone": "+46701234567"}),
            ),
            boss.post(&format!("{users}/both/block"), &json!({})),
        ] {
            refused(&answer, 409, "several-accounts");
        }
        refused(
            &patch(&boss, &format!("{users}/far"), &json!({})),
            404,
            "not-found",
        );
        nothing_to_do(&ws);

        assert_eq!(
            boss.post(&format!("{path}/block"), &json!({})).1["blocked"],
            true
        );
        refused(
            &boss.post(&format!("{path}/block"), &json!({})),
            409,
            "wrong-state",
        );
        let (status, gone) = boss.ask("DELETE", &path, &[], "");
        assert_eq!((status, &gone["externalId"]), (200, &json!(id)), "{gone}");
        let sql = format!("SELECT status FROM users WHERE external_id = '{id}'");
        assert_eq!(ws.value(&sql).as_deref(), Some("inactive"));
        refused(&boss.ask("DELETE", &path, &[], ""), 404, "not-found");
        nothing_to_do(&ws);
        // The number is never given again.
        let (_, made) = boss.post(users, &new_user("nora@roster.example"));
        assert_eq!(made["login"], "1042-5", "{made}");
        nothing_to_do(&ws);
        served.ends();
    }
}

#[test]
fn users_made_at_once_get_numbers_of_their_own() {
    for ws in each("numbers") {
        let (served, api) = started(&ws);
        let boss = customer(&api, "1042-1");
        let made: Vec<Answer> = thread::scope(|scope| {
            let makers = (0..8).map(|n| {
                let boss = &boss;
                let body = new_user(&format!("n{}@roster.example", n / 2));
                scope.spawn(move || boss.post("/api/v1/self/accounts/acme/users", &body))
            });
            let makers: Vec<_> = makers.collect();
            let made = makers
                .into_iter()
                .map(|maker| maker.join().expect("an answer"));
            made.collect()
        });
        let logins = made.iter().filter(|(status, _)| *status == 201);
        let mut logins: Vec<&str> = logins
            .map(|(_, user)| user["login"].as_str().expect("a login"))
            .collect();
        logins.sort_unstable();
        assert_eq!(logins, ["1042-4", "1042-5", "1042-6", "1042-7"], "{made:?}");
        for answer in made.iter().filter(|(status, _)| *status != 201) {
            refused(answer, 409, "email-duplicate");
        }
        nothing_to_do(&ws);
        served.ends();
    }
}

#[test]
fn a_thousand_logins_made_and_removed_at_once_never_share_a_number() {
    const WRITERS: usize = 8;
    const EACH: usize = 125;
    let Some(ws) = each("thousand")
        .into_iter()
        .find(|ws| ws.engine != "sqlite")
    else {
        return;
    };
    let (served, api) = started(&ws);
    let boss = customer(&api, "1042-1");
    let path = "/api/v1/self/accounts/acme/users";
    // Every other login is removed while the other writers make theirs.
    let make = |writer: usize| -> Vec<String> {
        let made = (0..EACH).map(|n| {
            let mut body = new_user(&format!("w{writer}-{n}@roster.example"));
            body["notify"] = json!(false);
            let (status, user) = boss.post(path, &body);
            assert_eq!(status, 201, "{user}");
            if n % 2 == 0 {
                let id = user["externalId"].as_str().expect("an id");
                let (status, answer) = boss.ask("DELETE", &format!("{path}/{id}"), &[], "");
                assert!(status < 300, "{answer}");
            }
            user["login"].as_str().expect("a login").to_owned()
        });
        made.collect()
    };
    let mut logins: Vec<String> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || make(writer)))
            .collect();
        let made = writers
            .into_iter()
            .map(|writer| writer.join().expect("logins"));
        made.flatten().collect()
    });
    let number = |login: &str| {
        login
            .rsplit_once('-')
            .and_then(|(_, n)| n.parse::<usize>().ok())
    };
    logins.sort_by_key(|login| number(login));
    // Three people have numbers already, and of the next thousand none is left out.
    let expected = (4..4 + WRITERS * EACH).map(|n| format!("1042-{n}"));
    assert_eq!(logins, expected.collect::<Vec<_>>());
    nothing_to_do(&ws);
    served.ends();
}

#[test]
fn the_same_key_creates_one_user_and_answers_the_same_after_a_restart() {
    for ws in each("self-service-keys") {
        let (served, api) = started(&ws);
        let boss = customer(&api, "1042-1");
        let users = "/api/v1/self/accounts/acme/users";
        let create = |api: &Api, key: &str, body: &Value| {
            let headers = [("Idempotency-Key", key.to_owned())];
            api.ask("POST", users, &headers, &body.to_string())
        };
        let (status, first) = create(&boss, "form-1", &new_user("nils@acme.example"));
        assert_eq!(status, 201, "{first}");
        let mut served = {
            served.ends();
            let mut daemon = ws.command(&["serve", "--config", "roster.yaml"]);
            daemon.env("ROSTER_SECRET_A", PASSWORD);
            DaemonProcess::run(daemon)
        };
        let boss = Api {
            address: served.address(),
            ..boss
        };
        let again = create(&boss, "form-1", &new_user("nils@acme.example"));
        assert_eq!(again, (201, first.clone()));
        // Also when the user has changed meanwhile: it is the first answer.
        let id = first["externalId"].as_str().expect("an id");
        let (status, reply) = patch(
            &boss,
            &format!("{users}/{id}"),
            &json!({"lastName": "Berg"}),
        );
        assert_eq!(status, 200, "{reply}");
        assert_eq!(
            create(&boss, "form-1", &new_user("nils@acme.example")),
            again
        );
        // Another request with the key, and the key of somebody else.
        let other = create(&boss, "form-1", &new_user("nora@acme.example"));
        refused(&other, 422, "idempotency-key-reused");
        let far = customer(
            &Api {
                address: boss.address.clone(),
                token: None,
            },
            "far@roster.example",
        );
        let headers = [("Idempotency-Key", "form-1".to_owned())];
        let body = new_user("nils@other.example").to_string();
        let answer = far.ask("POST", "/api/v1/self/accounts/other/users", &headers, &body);
        assert_eq!(answer.0, 201, "{}", answer.1);
        let count = ws.value("SELECT count(*) FROM users WHERE external_id LIKE 'self-%'");
        assert_eq!(count.as_deref(), Some("2"));
        let dossier = ws.run(&["dossier", "boss"]).exits(0);
        let dossier: Value = serde_json::from_str(&dossier.stdout).expect("a dossier");
        let made = dossier["madeChanges"].as_array().expect("changes");
        let made: Vec<_> = made.iter().map(|it| it["verb"].as_str()).collect();
        assert_eq!(made, [Some("create"), Some("update")], "{dossier}");
        // Nor does a repetition make somebody anew who was erased meanwhile.
        ws.run(&["erase", id, "--confirm", id, "--reason", "asked"])
            .exits(0);
        let (status, again) = create(&boss, "form-1", &new_user("nils@acme.example"));
        assert_eq!(status, 201, "{again}");
        assert_eq!(again["externalId"], "(erased)", "{again}");
        assert_eq!(again["email"], Value::Null, "{again}");
        let count = ws.value("SELECT count(*) FROM users WHERE external_id LIKE 'self-%'");
        assert_eq!(count.as_deref(), Some("1"));
        ws.run(&["erase", "boss", "--confirm", "boss", "--reason", "asked"])
            .exits(0);
        let left = ws.value("SELECT count(*) FROM act_keys WHERE actor LIKE '%boss%'");
        assert_eq!(left.as_deref(), Some("0"));
        served.ends();
        nothing_to_do(&ws);
    }
}

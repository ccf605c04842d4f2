//! Erasing a person: that nothing is left in any table, and on SQLite in no byte of the file, that
//! nothing comes back from a manifest, and that everybody else is untouched.

use crate::support::workspace::{Ran, Workspace, account, each, sqlite, user};
use serde_json::{Value, json};
use std::fs;

/// What names the person, nowhere else.
const WORDS: [&str; 6] = [
    "zz-olle-7",
    "olle.berg@roster.example",
    "+46771234567",
    "Ollebert",
    "Bergqvistson",
    "shoesize-47",
];

fn person() -> String {
    user(
        WORDS[0],
        "acme",
        "customFields: {shoe: shoesize-47}\nfirstName: Ollebert\nlastName: Bergqvistson\n\
         email: olle.berg@roster.example\nphone: \"+46771234567\"",
    )
}

/// An account with three users, of whom one is erased later, and a policy that names all of them.
fn others() -> String {
    let field = "settings: [{externalId: settings, loginMode: both}]\n\
         customFields: [{externalId: shoe, appliesTo: user, name: Shoe size, type: text}]\n";
    let policy = "---\nkind: Policy\nexternalId: site\nname: Site\naccount: acme\n\
                  message: Somebody decides.\nreviewed: [u-2]\napprovers: [zz-olle-7, u-3]\n";
    let rest = user("u-2", "acme", "") + &user("u-3", "acme", "");
    field.to_owned() + &account("acme", "customerNumber: \"1042\"") + &rest + policy
}

/// With everything that is stored about a person.
fn started(ws: &Workspace) {
    ws.tree(others());
    ws.write("manifests/users/zz-olle-7.yaml", person());
    ws.settle(&[]);
    ws.sql(
        "INSERT INTO jobs (external_id, user_id, name, status) VALUES \
         ('J-1', 'zz-olle-7', 'Posters', 'Completed'), ('J-9', 'u-2', 'Secret', 'Processing'); \
         INSERT INTO orders (external_id, kind, account_id, user_id, login_name) VALUES \
         ('O-1', 'order', 'acme', 'zz-olle-7', 'olle.berg@roster.example'), \
         ('O-2', 'order', 'acme', 'zz-olle-7', '1042-1'), \
         ('O-9', 'order', 'acme', 'u-2', 'u-2@roster.example'); \
         INSERT INTO terms_acceptances (user_id, terms_id, version, at) VALUES \
         ('zz-olle-7', 'agb', 'v1', '2026-04-01T10:00:00Z'), ('u-2', 'agb', 'v1', '2026-04-01T10:00:00Z'); \
         INSERT INTO invitations (id, user_id, token_hash, ttl, created_at) VALUES \
         ('i-1', 'zz-olle-7', NULL, 1000, 1000), ('i-9', 'u-2', NULL, 1000, 1000); \
         INSERT INTO outbox (id, target, notice, attempts, next_at, error, created_at) VALUES \
         ('i-1', 'invitation', '{}', 2, 9000000000000, 'to olle.berg@roster.example', 1000), \
         ('n-1', 'crm', '{\"about\": [\"User/zz-olle-7\", \"User/u-2\"], \"text\": \"Ollebert Bergqvistson waits\"}', \
          0, 9000000000000, 'no route to OLLE.BERG@roster.example', 2000); \
         INSERT INTO absences (source, kind, external_id, missed) VALUES ('erp', 'User', 'zz-olle-7', 3); \
         INSERT INTO approvals (hold, resource, approver, reason, approved_at) VALUES \
         ('h-1', 'User/zz-olle-7', 'eva', 'agreed', 1000), \
         ('h-2', 'User/u-2', 'eva', 'instead of User/zz-olle-7', 1000); \
         INSERT INTO used_approvals (hold, resource, approved_at) VALUES ('h-1', 'User/zz-olle-7', 1000); \
         INSERT INTO hold_approvers (hold, resource, approver, approved_at) VALUES ('h-1', 'User/zz-olle-7', 'eva', 1000), \
         ('h-2', 'User/u-2', 'olle.berg@roster.example', 1000); \
         INSERT INTO revert_holds (run, source, at, held) VALUES (1, 'erp', 1, '[{\"resources\": [\"User/zz-olle-7\"]}]'); \
         INSERT INTO reports (source, at, report) VALUES ('erp', 1, CAST('line\n1,zz-olle-7' AS {BLOB})); \
         INSERT INTO passes (at, id, source, document) VALUES \
         (1, 1, 'erp', '{\"held\": [{\"resources\": [\"User/zz-olle-7\", \"User/u-2\"]}]}'); \
         INSERT INTO act_keys (actor, idem, digest, answer, at) VALUES \
         ('eva', 'k', CAST('x' AS {BLOB}), '{\"items\": [{\"external_id\": \"zz-olle-7\"}]}', 9000000000000); \
         INSERT INTO imports (id, nth, source, kind, actor, digest, name, atomic, state, attempts, at, ended_at, \
         run, answer, held, body) VALUES ('p-1', 1, 'erp', 'users', 'eva', 'x', 'push-1.json', 0, 'done', 1, 1, \
         9000000000000, 0, '{\"records\": [{\"index\": 0, \"kind\": \"User\", \"externalId\": \"zz-olle-7\"}, \
         {\"index\": 1, \"kind\": \"User\", \"externalId\": \"u-2\"}]}', '[\"User/zz-olle-7\",\"User/u-2\"]', \
         CAST('[{\"externalId\": \"zz-olle-7\"}, {\"externalId\": \"u-2\"}]' AS {BLOB}))"
            .replace("{BLOB}", if ws.engine == "sqlite" { "BLOB" } else { "BYTEA" })
            .as_str(),
    );
    ws.run(&[
        "block",
        "User/zz-olle-7",
        "--reason",
        "asked by olle.berg@roster.example",
    ])
    .exits(0);
    ws.run(&[
        "block",
        "User/u-2",
        "--reason",
        "instead of olle.berg@roster.example",
    ])
    .exits(0);
    ws.run(&["dossier", "zz-olle-7"]).exits(0);
}

fn erase(ws: &Workspace, more: &[&str]) -> Ran {
    let all = ["erase", WORDS[0], "--reason", "Bergqvistson asked for it"];
    ws.run(&[&all, more].concat())
}

fn answer(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

/// Fails if the database has a word of the person: in a text of a table or, on SQLite, in any byte.
#[track_caller]
fn nothing_is_left(ws: &Workspace) {
    if ws.engine == "sqlite" {
        for end in ["", "-wal", "-shm"] {
            let Ok(bytes) = fs::read(format!("{}{end}", ws.url.trim_start_matches("sqlite:")))
            else {
                continue;
            };
            for word in WORDS {
                let found = bytes.windows(word.len());
                let found = found
                    .into_iter()
                    .position(|at| at.eq_ignore_ascii_case(word.as_bytes()));
                let near = found.map(|at| {
                    let near = &bytes[at.saturating_sub(80)..bytes.len().min(at + 80)];
                    String::from_utf8_lossy(near).into_owned()
                });
                assert_eq!(near, None, "{word} in the file{end}");
            }
        }
        return;
    }
    let tables = "SELECT table_name FROM information_schema.tables \
                  WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
    for table in ws.column(tables).into_iter().flatten() {
        for row in rows(ws, &table) {
            for word in WORDS {
                let is_named = row.to_lowercase().contains(&word.to_lowercase());
                assert!(!is_named, "{word} in {table}: {row}");
            }
        }
    }
}

/// The rows of a table of PostgreSQL as text, with bytes as the text that they are.
fn rows(ws: &Workspace, table: &str) -> Vec<String> {
    let columns = format!(
        "SELECT CASE data_type WHEN 'bytea' THEN 'encode(\"' || column_name || '\", ''escape'')' \
         ELSE '\"' || column_name || '\"::text' END FROM information_schema.columns \
         WHERE table_schema = 'public' AND table_name = '{table}'"
    );
    let columns: Vec<String> = ws
        .column(&columns)
        .into_iter()
        .flatten()
        .map(|column| format!("coalesce({column}, '')"))
        .collect();
    let sql = format!("SELECT {} FROM \"{table}\"", columns.join(" || ' ' || "));
    ws.column(&sql).into_iter().flatten().collect()
}

#[test]
fn nothing_of_the_person_is_left_and_nothing_comes_back() {
    for ws in each("erased") {
        started(&ws);
        let ran = erase(&ws, &["--confirm", WORDS[0]]).exits(0);
        let reply = answer(&ran);
        let item = json!({"kind": "User", "externalId": WORDS[0], "before": "unregistered", "after": "erased"});
        assert_eq!(reply["items"], json!([item]));
        assert_eq!(reply["deletedJobs"], json!(["J-1"]));
        assert_eq!(reply["warnings"], Value::Null);
        nothing_is_left(&ws);
        let ran = ws.run(&["history", "--verify"]).exits(0);
        assert!(
            ran.stdout.contains("true") || ran.stdout.contains("ound"),
            "{ran}"
        );
        // Everybody else is there.
        assert_eq!(ws.column("SELECT external_id FROM users").len(), 2);
        assert_eq!(
            ws.value("SELECT external_id FROM jobs").as_deref(),
            Some("J-9")
        );
        let orders = "SELECT coalesce(user_id, '-') || ' ' || coalesce(login_name, '-') FROM orders ORDER BY external_id";
        let orders: Vec<String> = ws.column(orders).into_iter().flatten().collect();
        assert_eq!(orders, ["- -", "- 1042-1", "u-2 u-2@roster.example"]);
        assert_eq!(
            ws.value("SELECT user_id FROM invitations").as_deref(),
            Some("u-2")
        );
        let body = "SELECT held FROM imports WHERE body IS NOT NULL";
        assert_eq!(ws.value(body).as_deref(), Some("[\"User/u-2\"]"));
        let left = "SELECT v.fields FROM change_values v JOIN changes c ON c.seq = v.seq WHERE c.verb = 'create' AND c.kind = 'Policy'";
        let left = ws.value(left).expect("values");
        assert!(left.contains("(erased)") && left.contains("u-3"), "{left}");
        let audit = ws.column(
            "SELECT act || ' ' || subject FROM acts WHERE subject LIKE '%erased%' ORDER BY at, id",
        );
        assert_eq!(audit.len(), 3, "{audit:?}");

        // The manifests still name the person: no step, the note, and nothing stored again.
        for options in [
            &["--detailed-exitcode"][..],
            &["--detailed-exitcode", "--scrub"],
        ] {
            let plan = ws.plan(options).exits(0);
            assert_eq!(plan.steps(), Vec::<String>::new(), "{plan}");
            assert_eq!(plan.stdout.matches("user-erased").count(), 2, "{plan}");
        }
        ws.apply(&[]).exits(0);
        nothing_is_left(&ws);
        // The next pass reads only what changed, and still has the note.
        let plan = ws.plan(&["--detailed-exitcode"]).exits(0);
        assert!(plan.stdout.contains("user-erased"), "{plan}");
        ws.write("manifests/more.yaml", user("u-4", "acme", "") + &person());
        ws.apply(&[]).exits(0);
        ws.plan(&["--detailed-exitcode"]).exits(0);
        assert_eq!(ws.column("SELECT external_id FROM users").len(), 3);
        nothing_is_left(&ws);
        // Without the names there is nothing to say.
        ws.remove("manifests/users");
        ws.remove("manifests/more.yaml");
        ws.tree(others().replace("zz-olle-7, ", "") + &user("u-4", "acme", ""));
        ws.apply(&[]).exits(0);
        let plan = ws.plan(&["--detailed-exitcode"]).exits(0);
        assert!(!plan.stdout.contains("user-erased"), "{plan}");
        nothing_is_left(&ws);
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn an_erasure_is_refused_like_a_deletion_and_only_done_once() {
    for ws in each("once") {
        started(&ws);
        ws.sql("UPDATE jobs SET status = 'Processing' WHERE external_id = 'J-1'");
        let before = ws.fingerprint();
        for more in [&[][..], &["--confirm", "u-2"]] {
            let refused = answer(&erase(&ws, more).exits(1));
            assert_eq!(refused["code"], "confirmation-needed");
        }
        let refused = answer(&erase(&ws, &["--confirm", WORDS[0]]).exits(1));
        assert_eq!(refused["code"], "jobs-open");
        assert_eq!(
            refused["jobs"],
            json!([{"id": "J-1", "status": "Processing"}])
        );
        assert_eq!(ws.fingerprint(), before);
        let ran = ws
            .run(&["erase", "nobody", "--confirm", "nobody", "--reason", "x"])
            .exits(1);
        assert_eq!(answer(&ran)["ids"], json!(["nobody"]));

        ws.sql("UPDATE jobs SET status = 'New' WHERE external_id = 'J-1'");
        erase(&ws, &["--confirm", WORDS[0]]).exits(0);
        let refused = answer(&erase(&ws, &["--confirm", WORDS[0]]).exits(1));
        assert_eq!(
            (&refused["code"], &refused["possible"]),
            (&json!("wrong-state"), &json!([]))
        );
        nothing_is_left(&ws);
        let ran = ws.run(&["dossier", WORDS[0]]).exits(1);
        assert!(ran.stderr.contains("does not exist"), "{ran}");
    }
}

#[test]
fn somebody_deleted_before_is_erased() {
    for ws in each("deleted") {
        started(&ws);
        let delete = [
            "user",
            "delete",
            WORDS[0],
            "--confirm",
            WORDS[0],
            "--reason",
            "left",
        ];
        ws.run(&delete).exits(0);
        // Held, with every value, because nobody claims it.
        ws.apply(&[]).exits(0);
        let reply = answer(&erase(&ws, &["--confirm", WORDS[0]]).exits(0));
        assert_eq!(reply["items"][0]["before"], "deleted");
        assert_eq!(reply["places"], Value::Null, "no source is configured");
        nothing_is_left(&ws);
        ws.apply(&[]).exits(0);
        nothing_is_left(&ws);
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn the_places_that_still_name_the_person_are_listed() {
    let ws = sqlite();
    started(&ws);
    ws.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources: [{name: directory, directory: manifests}]\n",
    );
    let ran = erase(&ws, &["--confirm", WORDS[0]]).exits(0);
    let reply = answer(&ran);
    let places: Vec<&str> = reply["places"]
        .as_array()
        .expect("places")
        .iter()
        .filter_map(|it| it["path"].as_str())
        .collect();
    assert_eq!(places, ["users/zz-olle-7.yaml", "all.yaml"], "{ran}");
    assert!(ran.stderr.contains("users/zz-olle-7.yaml:"), "{ran}");
    assert!(ran.stderr.contains("Git history"), "{ran}");
    // Who kept the old head can tell the reseal from a forgery.
    let chain = ws.value("SELECT fields FROM changes WHERE verb = 'erase'");
    let chain: Value = serde_json::from_str(&chain.expect("a change")).expect("JSON");
    assert_eq!(chain["resealedFrom"], json!([1]));
    assert_eq!(chain["head"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_forged_history_is_not_made_whole() {
    for ws in each("forged") {
        started(&ws);
        ws.sql("UPDATE runs SET actor = 'nobody' WHERE id = 1");
        let reply = answer(&erase(&ws, &["--confirm", WORDS[0]]).exits(0));
        let warning = reply["warnings"][0]["message"].as_str().expect("a warning");
        assert!(warning.contains("broken before"), "{reply}");
        ws.run(&["history", "--verify"]).exits(1);
        nothing_is_left(&ws);
    }
}

#[test]
fn what_others_have_too_stays_theirs() {
    for ws in each("shared") {
        let both = "phone: \"+46123456789\"";
        let tree = account("acme", "") + &user("u-1", "acme", both) + &user("u-2", "acme", both);
        ws.tree(tree);
        ws.settle(&[]);
        let ran = ws.run(&[
            "user",
            "erase",
            "u-1",
            "--confirm",
            "u-1",
            "--reason",
            "asked",
        ]);
        let reply = answer(&ran.exits(0));
        let warning = reply["warnings"][0]["message"].as_str().expect("a warning");
        assert!(warning.starts_with("User/u-2 has"), "{reply}");
        let phone = ws.value("SELECT phone FROM users");
        assert_eq!(phone.as_deref(), Some("+46123456789"));
        let history = ws.run(&["history", "User", "u-2"]).exits(0);
        assert!(history.stdout.contains("+46123456789"), "{history}");
        ws.run(&["history", "--verify"]).exits(0);
        ws.plan(&["--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn the_last_user_of_an_account_is_erased_and_the_rest_is_still_applied() {
    for ws in each("last") {
        let one = user("u-1", "acme", "");
        ws.tree(account("acme", "") + &one);
        ws.settle(&[]);
        let ran = ws.run(&["erase", "u-1", "--confirm", "u-1", "--reason", "asked"]);
        let reply = answer(&ran.exits(0));
        assert_eq!(reply["warnings"][0]["code"], "last-user", "{reply}");
        ws.plan(&["--detailed-exitcode"]).exits(0);
        let other = account("other", "") + &user("u-2", "other", "");
        ws.tree(account("acme", "") + &one + &other);
        ws.settle(&[]);
        assert_eq!(
            ws.value("SELECT external_id FROM users").as_deref(),
            Some("u-2")
        );
        let status = "SELECT status FROM accounts WHERE external_id = 'acme'";
        assert_eq!(ws.value(status).as_deref(), Some("active"));
    }
}

#[test]
fn what_only_looks_like_the_person_stays() {
    for ws in each("look-alikes") {
        // The account and an operator have the id of the user, and somebody else has the name.
        let named = |name: &str| format!("firstName: {name}\nlastName: Öst");
        let tree = account("ida", "")
            + &user("ida", "ida", &(named("Åsa") + "\nphone: \"+46771234567\""))
            + &user("u-2", "ida", &named("ÅSA"));
        ws.tree(tree);
        ws.settle(&[]);
        ws.sql(
            "INSERT INTO acts (at, id, actor, act, subject, reason) VALUES \
             (1, 1, 'ida', 'block', 'User/u-9', 'call Åsa Öst'); \
             INSERT INTO suspensions (source, actor, reason, at) VALUES ('erp', 'ida', 'x', 1); \
             INSERT INTO passes (at, id, source, document) VALUES \
             (1, 1, 'erp', '{\"steps\": [{\"kind\": \"Account\", \"externalId\": \"ida\"}]}')",
        );
        let key = |key: &str, answer: &str| {
            let digest = if ws.engine == "sqlite" {
                "X'00'"
            } else {
                "'\\x00'::bytea"
            };
            ws.sql(&format!(
                "INSERT INTO act_keys (actor, idem, digest, answer, at) \
                 VALUES ('eva', '{key}', {digest}, '{answer}', 9000000000000)"
            ));
        };
        key("part", "{\"items\": [{\"external_id\": \"frida\"}]}");
        key("whole", "{\"items\": [{\"external_id\": \"ida\"}]}");
        let ran = ws.run(&["erase", "ida", "--confirm", "ida", "--reason", "asked"]);
        let reply = answer(&ran.exits(0));
        let warning = reply["warnings"][0]["message"].as_str().expect("a warning");
        assert!(warning.starts_with("User/u-2 has"), "{reply}");
        let first = "SELECT actor || ' ' || reason FROM acts WHERE id = 1 AND at = 1";
        assert_eq!(ws.value(first).as_deref(), Some("ida call Åsa Öst"));
        let actor = ws.value("SELECT actor FROM suspensions");
        assert_eq!(actor.as_deref(), Some("ida"));
        let pass = ws.value("SELECT document FROM passes").expect("a pass");
        assert!(pass.contains("\"ida\""), "{pass}");
        // Without its answer, a request that is repeated would be performed again.
        let answers = ws.column("SELECT answer FROM act_keys ORDER BY idem");
        let answers: Vec<String> = answers.into_iter().flatten().collect();
        assert_eq!(answers.len(), 2, "{answers:?}");
        assert!(answers[0].contains("frida"), "{answers:?}");
        assert!(!answers[1].contains("ida"), "{answers:?}");
    }
}

#[test]
fn the_person_goes_as_somebody_who_acted_too() {
    for ws in each("acted") {
        started(&ws);
        let digest = if ws.engine == "sqlite" {
            "X'00'"
        } else {
            "'\\x00'::bytea"
        };
        let mail = "olle.berg@roster.example";
        ws.sql(&format!(
            "INSERT INTO act_keys (actor, idem, digest, answer, at) VALUES \
             ('User/zz-olle-7', 'k-2', {digest}, '{{\"user\": {{\"external_id\": \"u-2\"}}}}', 9000000000000); \
             INSERT INTO orders (external_id, kind, account_id, login_name) VALUES \
             ('O-3', 'order', 'acme', 'Olle.Berg@roster.example'); \
             INSERT INTO source_approvals (source, approver, reason, approved_at) VALUES ('erp', '{mail}', 'x', 1); \
             INSERT INTO suspensions (source, actor, reason, at) VALUES ('erp', '{mail}', 'x', 1); \
             UPDATE approvals SET approver = '{mail}' WHERE hold = 'h-2'; \
             UPDATE imports SET actor = '{mail}', idem = 'k-3'"
        ));
        erase(&ws, &["--confirm", WORDS[0]]).exits(0);
        nothing_is_left(&ws);
        let order = "SELECT login_name FROM orders WHERE external_id = 'O-3'";
        assert_eq!(ws.value(order), None);
        assert_eq!(
            ws.value("SELECT user_id FROM orders WHERE external_id = 'O-9'")
                .as_deref(),
            Some("u-2")
        );
    }
}

#[test]
fn the_history_verifies_after_every_one_of_several_erasures() {
    for ws in each("several") {
        let users = ["u-1", "u-2", "u-3", "u-4"];
        let all: String = users.iter().map(|id| user(id, "acme", "")).collect();
        let policy = "---\nkind: Policy\nexternalId: site\nname: Site\naccount: acme\n\
                      message: Somebody decides.\nreviewed: [u-1, u-2]\napprovers: [u-3, u-4]\n";
        ws.tree(account("acme", "") + &all + policy);
        ws.settle(&[]);
        for (nth, id) in users.iter().take(3).enumerate() {
            // Between two erasures the history goes on.
            let reason = format!("instead of User/{}", users[nth + 1]);
            ws.run(&["block", "User/u-4", "--reason", &reason]).exits(0);
            let erase = ["erase", id, "--confirm", id, "--reason", "asked"];
            ws.run(&erase).exits(0);
            ws.run(&["unblock", "User/u-4", "--reason", &reason])
                .exits(0);
            ws.run(&["history", "--verify"]).exits(0);
            ws.plan(&["--detailed-exitcode"]).exits(0);
        }
        let head = "SELECT count(*) FROM changes WHERE fields LIKE '%resealedFrom%'";
        assert_eq!(ws.value(head).as_deref(), Some("3"));
        // The chain is still one: a change of what is left shows.
        ws.sql("UPDATE changes SET verb = 'update' WHERE seq = 2");
        ws.run(&["history", "--verify"]).exits(1);
    }
}

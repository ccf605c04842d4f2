//! The dossier of a user: everything that the tables hold about one person, and nothing of another.

use crate::support::workspace::{Workspace, account, each, user};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Two people of one account with a policy, jobs and orders.
fn started(ws: &Workspace) {
    let field = "settings: [{externalId: settings, loginMode: both}]\n\
         customFields: [{externalId: shoe, appliesTo: user, name: Shoe size, type: text}]\n";
    let policy = "---\nkind: Policy\nexternalId: site\nname: Site\naccount: acme\n\
                  message: Karin decides.\nreviewed: [u-2]\napprovers: [u-1, u-2]\n";
    let karin = "customFields: {shoe: \"38\"}";
    let tree = field.to_owned()
        + &account("acme", "customerNumber: \"1042\"")
        + &user("u-1", "acme", karin)
        + &user("u-2", "acme", "firstName: Britta\nphone: \"+4663999999\"")
        + policy;
    ws.tree(tree);
    ws.settle(&[]);
    ws.sql(
        "UPDATE users SET password_hash = '$argon2id$sentinel' WHERE external_id = 'u-1'; \
         INSERT INTO jobs (external_id, user_id, name, status) VALUES \
         ('J-1', 'u-1', 'Posters', 'New'), ('J-9', 'u-2', 'Secret', 'New'); \
         INSERT INTO job_files (job_id, role, name, path, edited) VALUES \
         ('J-1', 'input', 'posters.pdf', 'a/1', false); \
         INSERT INTO orders (external_id, kind, account_id, user_id, login_name) VALUES \
         ('O-1', 'order', 'acme', 'u-1', 'u-1@roster.example'), \
         ('O-9', 'order', 'acme', 'u-2', 'u-2@roster.example'); \
         INSERT INTO terms_acceptances (user_id, terms_id, version, at) VALUES \
         ('u-1', 'agb', 'v1', '2026-04-01T10:00:00Z'), ('u-2', 'agb', 'v1', '2026-04-01T10:00:00Z'); \
         INSERT INTO invitations (id, user_id, token_hash, ttl, created_at) VALUES \
         ('i-1', 'u-1', NULL, 1000, 1000), ('i-9', 'u-2', NULL, 1000, 1000); \
         INSERT INTO outbox (id, target, notice, attempts, next_at, error, created_at) VALUES \
         ('i-1', 'invitation', '{}', 2, 9000000000000, 'no route', 1000), \
         ('n-1', 'crm', '{\"about\": [\"User/u-1\", \"User/u-2\"]}', 0, 9000000000000, NULL, 2000); \
         INSERT INTO absences (source, kind, external_id, missed) VALUES ('erp', 'User', 'u-1', 3); \
         INSERT INTO approvals (hold, resource, approver, reason, approved_at) VALUES \
         ('h-1', 'User/u-1', 'eva', 'agreed', 1000)",
    );
    ws.run(&["block", "User/u-1", "--reason", "asked for it"])
        .exits(0);
}

fn dossier(ws: &Workspace, id: &str) -> (String, Value) {
    let ran = ws.run(&["user", "dossier", id]).exits(0);
    let document = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
    (ran.stdout, document)
}

#[test]
fn a_dossier_has_everything_of_one_person_and_nothing_of_another() {
    for ws in each("dossier") {
        started(&ws);
        let (text, found) = dossier(&ws, "u-1");
        assert_eq!(
            (&found["kind"], &found["externalId"]),
            (&json!("User"), &json!("u-1"))
        );
        assert_eq!(found["user"]["firstName"], "Karin");
        assert_eq!(found["user"]["customFields"], json!({"shoe": "38"}));
        assert_eq!(found["user"]["meta"]["block"], "asked for it");
        assert_eq!(found["row"]["hasPassword"], true);
        assert_eq!(found["row"]["mustChangePassword"], false);
        let login = json!([{"account": "acme", "number": 1, "name": "1042-1"}]);
        assert_eq!(found["loginNames"], login);
        let lists = json!([{"kind": "Policy", "externalId": "site", "field": "approvers"}]);
        assert_eq!(found["lists"], lists);
        let source = &found["claims"][0]["source"];
        assert_eq!(found["claims"][0]["origin"]["path"], "all.yaml");
        assert_eq!(
            found["files"],
            json!([{"source": source, "path": "all.yaml"}])
        );
        assert_eq!(found["invitations"][0]["id"], "i-1");
        let mail = json!({"attempts": 2, "error": "no route"});
        assert_eq!(found["invitations"][0]["mail"], mail);
        let terms = json!([{"terms": "agb", "version": "v1", "at": "2026-04-01T10:00:00.000Z"}]);
        assert_eq!(found["terms"], terms);
        assert_eq!(found["jobs"][0]["id"], "J-1");
        assert_eq!(found["jobs"][0]["files"][0]["name"], "posters.pdf");
        assert_eq!(found["orders"][0]["login"], "u-1@roster.example");
        let verbs = found["history"].as_array().expect("changes").iter();
        let verbs: Vec<&Value> = verbs.map(|change| &change["verb"]).collect();
        assert_eq!(verbs, ["create", "block"]);
        assert_eq!(
            found["history"][0]["fields"]["email"]["after"],
            "u-1@roster.example"
        );
        let change = &found["listChanges"][0];
        assert_eq!(
            (&change["kind"], &change["added"]),
            (&json!("Policy"), &json!(true))
        );
        assert_eq!(found["acts"][0]["act"], "block");
        assert_eq!(found["approvals"][0]["approver"], "eva");
        assert_eq!(
            found["missedExports"],
            json!([{"source": "erp", "missed": 3}])
        );
        let quote = json!([{"place": "outbox.notice", "subject": "n-1",
            "at": "1970-01-01T00:00:02.000Z", "parts": [{"about": ["User/u-1"]}]}]);
        assert_eq!(found["quotes"], quote);
        for other in ["u-2", "Britta", "J-9", "O-9", "i-9", "+4663999999"] {
            assert!(!text.contains(other), "{other}: {text}");
        }
        for secret in ["$argon2", "sentinel"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        // Nothing that a pass compares was touched.
        ws.plan(&["--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn a_dossier_outlives_the_person_and_says_who_asked() {
    for ws in each("outlives") {
        started(&ws);
        let delete = [
            "user",
            "delete",
            "u-1",
            "--confirm",
            "u-1",
            "--reason",
            "left",
        ];
        ws.run(&delete).exits(0);
        let (_, found) = dossier(&ws, "u-1");
        assert_eq!(
            (&found["user"], &found["row"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(found["jobs"], json!([]));
        assert_eq!(found["orders"][0]["id"], "O-1");
        assert_eq!(found["claims"].as_array().map(Vec::len), Some(1));
        let last = found["history"].as_array().expect("changes").last();
        assert_eq!(last.expect("one")["verb"], "delete");
        let left = found["listChanges"].as_array().expect("changes").last();
        assert_eq!(left.expect("one")["removed"], true);

        ws.run(&["dossier", "u-1", "-o", "u-1.json"]).exits(0);
        let path = ws.path("u-1.json");
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let written: Value =
            serde_json::from_slice(&fs::read(&path).expect("bytes")).expect("JSON");
        let asked = written["acts"].as_array().expect("acts").last();
        let asked = asked.expect("one");
        assert_eq!(
            (&asked["act"], &asked["actor"]),
            (&json!("dossier"), &json!("tester"))
        );

        let ran = ws.run(&["user", "dossier", "u-7"]).exits(1);
        assert!(ran.stderr.contains("User/u-7 does not exist"), "{ran}");
        let sql = "SELECT count(*) FROM acts WHERE subject = 'User/u-7'";
        assert_eq!(ws.value(sql).as_deref(), Some("0"));
    }
}

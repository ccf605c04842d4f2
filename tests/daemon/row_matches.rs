//! Records of users without an external id find the stored user by e-mail address or contact id, never move anybody
//! to another account, and never reach a user that was deleted.

use super::api::{Api, serve, token};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Ran, Workspace, account, each, user};
use serde_json::{Value, json};

const MAPPING: &str = "apiVersion: roster/v1
name: contacts
users:
  externalId: id
  match: {by: [customFields.contact-id, email], otherwise: {template: \"crm-{contact}\"}}
  fields:
    civility: {constant: MR}
    firstName: first
    lastName: last
    email: email
    phone: phone
    groups: {constant: FOC_User, list: add}
    accounts: {column: account, list: add}
  customFields: {contact-id: contact}
";

fn begin(ws: &Workspace) -> (DaemonProcess, Api) {
    let operator = token(ws, "connector", "operator", &[]);
    let base =
        "customFields: [{externalId: contact-id, appliesTo: user, name: Contact, type: text}]\n\
        settings: {loginMode: customer-number}\n"
            .to_owned()
            + &account("acme", "customerNumber: \"1\"")
            + &account("beta", "customerNumber: \"2\"")
            + &user(
                "ada",
                "acme",
                "email: Ada@Acme.example\ncustomFields: {contact-id: C-1}",
            )
            + &user("bo", "acme", "email: info@acme.example")
            + &user("cy", "acme", "email: info@acme.example")
            + &user("dan", "beta", "email: dan@beta.example");
    ws.write("base/base.yaml", base);
    ws.run(&["apply", "base", "--yes"]).exits(0);
    ws.write("contacts.yaml", MAPPING);
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: directory, directory: base, authority: {{User: {{observe: [civility, firstName, lastName, email, phone, groups, accounts, customFields.contact-id]}}}}}}\n  - {{name: crm, export: {{push: true, mapping: contacts.yaml}}}}\n{}",
            serve("")
        ),
    );
    let mut served = DaemonProcess::on(ws, &[]);
    let api = Api::new(&served.address(), &operator);
    ws.run(&["approve", "source", "crm", "--reason", "looked at it"])
        .exits(0);
    (served, api)
}

/// What became of the only record, and its first error.
fn push(api: &Api, record: &Value) -> (String, String) {
    let (status, answer) = api.post("/api/v1/import/users", &json!([record]));
    assert_eq!(status, 200, "{answer}");
    let it = &answer["records"][0];
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let found = it["diagnostics"].as_array().into_iter().flatten();
    let error = found.clone().find(|found| found["severity"] == "error");
    let error = error.map(|error| format!("{}: {}", word(&error["code"]), word(&error["message"])));
    (
        format!("{} {}", word(&it["externalId"]), word(&it["outcome"])),
        error.unwrap_or_default(),
    )
}

fn import_by_hand(ws: &Workspace) -> Ran {
    let contacts = ["import", "contacts.csv", "--mapping", "contacts.yaml"];
    ws.run(&[&contacts[..], &["--source", "crm", "--yes"]].concat())
}

fn phone(ws: &Workspace, user: &str) -> Option<String> {
    ws.value(&format!(
        "SELECT phone FROM users WHERE external_id = '{user}'"
    ))
}

#[test]
fn exactly_one_user_of_the_same_account_is_updated() {
    for ws in each("row-matches") {
        let (served, api) = begin(&ws);
        let record = |more: Value| {
            let mut all =
                json!({"first": "Ada", "last": "Åslund", "account": "acme", "phone": "+4611"});
            for (name, value) in more.as_object().into_iter().flatten() {
                all[name] = value.clone();
            }
            all
        };
        // By e-mail, whatever the case of its letters, and by the contact id, which comes first.
        let by_mail = record(json!({"email": " ADA@acme.EXAMPLE", "phone": "+4612"}));
        // The first time, the source takes the user over.
        assert_eq!(push(&api, &by_mail), ("ada adopted".into(), String::new()));
        assert_eq!(phone(&ws, "ada").as_deref(), Some("+4612"));
        assert_eq!(push(&api, &by_mail).0, "ada unchanged");
        let by_contact =
            record(json!({"contact": "C-1", "email": "new@acme.example", "phone": "+4613"}));
        assert_eq!(push(&api, &by_contact).0, "ada updated");
        assert_eq!(phone(&ws, "ada").as_deref(), Some("+4613"));

        // Two fit: both are named, and nothing changes.
        let (outcome, error) = push(&api, &record(json!({"email": "info@acme.example"})));
        assert_eq!(outcome, "- refused");
        assert_eq!(
            error,
            "match-unclear: the row has no externalId, and its `email` fits 2 stored users: bo, cy"
        );

        // Another account: nobody moves.
        let (outcome, error) = push(&api, &record(json!({"email": "dan@beta.example"})));
        assert_eq!(outcome, "dan refused");
        assert_eq!(
            error,
            "match-unclear: the row has no externalId and fits User/dan, which has beta and not acme"
        );
        let links = ws.column("SELECT account_id FROM user_accounts WHERE user_id = 'dan'");
        assert_eq!(links, [Some("beta".to_owned())]);
        assert_eq!(phone(&ws, "dan").as_deref(), Some("+4663123456"));

        // Nobody fits: a new user with the id that the mapping makes, once.
        let new = record(json!({"contact": "C-9", "email": "eva@acme.example"}));
        assert_eq!(push(&api, &new).0, "crm-C-9 created");
        assert_eq!(push(&api, &new).0, "crm-C-9 unchanged");
        // Without a contact id none can be made.
        let (outcome, error) = push(&api, &record(json!({"email": "fay@acme.example"})));
        assert_eq!(outcome, "- refused");
        assert!(error.starts_with("required: "), "{error}");
        // With an id, nothing is matched.
        let named = record(json!({"id": "gil", "email": "gil@acme.example", "contact": "C-1"}));
        assert_eq!(push(&api, &named).0, "gil created");
        served.ends();
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn a_deleted_user_is_never_matched() {
    for ws in each("row-matches-deleted") {
        let (served, api) = begin(&ws);
        ws.run(&[
            "user",
            "delete",
            "ada",
            "--confirm",
            "ada",
            "--reason",
            "asked",
        ])
        .exits(0);
        let record = json!({"first": "Ada", "last": "Åslund", "account": "acme", "phone": "+4611",
            "email": "ada@acme.example"});
        let (outcome, error) = push(&api, &record);
        assert_eq!(outcome, "- refused", "{error}");
        assert!(error.starts_with("required: "), "{error}");
        // The contact id makes a new person of it, with a new id.
        let mut again = record.clone();
        again["contact"] = json!("C-1");
        assert_eq!(push(&api, &again).0, "crm-C-1 created");
        let left = ws.value("SELECT count(*) FROM users WHERE external_id = 'ada'");
        assert_eq!(left.as_deref(), Some("0"));
        served.ends();
    }
}

#[test]
fn an_import_by_hand_matches_too() {
    for ws in each("row-matches-import") {
        let (served, _) = begin(&ws);
        served.ends();
        ws.write(
            "contacts.csv",
            "id,contact,first,last,email,phone,account\n,,Ada,Åslund,ADA@acme.example,+4617,acme\n,,Bo,Åslund,info@acme.example,+4618,acme\n",
        );
        let ran = import_by_hand(&ws);
        assert!(ran.stdout.contains("bo, cy"), "{}", ran.stdout);
        assert_eq!(phone(&ws, "ada").as_deref(), Some("+4617"));
        assert_eq!(phone(&ws, "bo").as_deref(), Some("+4663123456"));
    }
}

#[test]
fn two_people_with_one_mailbox_stay_two() {
    for ws in each("row-matches-mailbox") {
        let (served, api) = begin(&ws);
        // The address is that of ada, who has another contact id.
        let record = json!({"first": "Eva", "last": "Ny", "account": "acme", "phone": "+4611",
            "email": "ada@acme.example", "contact": "C-77"});
        let (outcome, error) = push(&api, &record);
        assert_eq!(outcome, "- refused");
        assert_eq!(
            error,
            "match-unclear: the row has no externalId and fits User/ada by its `email`, but that user has another `customFields.contact-id`"
        );
        assert_eq!(phone(&ws, "ada").as_deref(), Some("+4663123456"));
        // Somebody without a contact id gets one.
        let record = json!({"first": "Dan", "last": "Åslund", "account": "beta", "phone": "+4612",
            "email": "dan@beta.example", "contact": "C-4"});
        assert_eq!(push(&api, &record).0, "dan adopted");
        served.ends();
    }
}

#[test]
fn an_erased_user_is_never_matched_and_never_made_again() {
    for ws in each("row-matches-erased") {
        let (served, api) = begin(&ws);
        for id in ["ada", "crm-C-9"] {
            if id == "crm-C-9" {
                let new = json!({"first": "Ida", "last": "Ny", "account": "acme", "phone": "+4619",
                    "email": "ida@acme.example", "contact": "C-9"});
                assert_eq!(push(&api, &new).0, "crm-C-9 created");
            }
            ws.run(&["erase", id, "--confirm", id, "--reason", "asked"])
                .exits(0);
        }
        let record = |first: &str, email: &str, contact: &str| {
            json!({"first": first, "last": "Åslund", "account": "acme", "phone": "+4611",
                "email": email, "contact": contact})
        };
        for (email, contact) in [
            ("Ada@ACME.example", ""),
            ("new@acme.example", "C-1"),
            ("ada@acme.example", "C-8"),
            ("ida@acme.example", ""),
            ("other@acme.example", "C-9"),
        ] {
            let all = json!([
                record("Zacharias", email, contact),
                record("Eva", "eva@acme.example", "C-5")
            ]);
            let (status, answer) = api.post("/api/v1/import/users", &all);
            assert_eq!(status, 200, "{answer}");
            let [dropped, other] = &answer["records"].as_array().expect("records")[..] else {
                panic!("{answer}");
            };
            assert_eq!(dropped["outcome"], "dropped", "{answer:#}");
            assert_eq!(dropped["externalId"], Value::Null);
            assert_eq!(other["externalId"], "crm-C-5", "{answer:#}");
        }
        let users = ws.column("SELECT external_id FROM users ORDER BY external_id");
        let users: Vec<String> = users.into_iter().flatten().collect();
        assert_eq!(users, ["bo", "crm-C-5", "cy", "dan"]);
        served.ends();
        if ws.engine == "sqlite" {
            let bytes = std::fs::read(ws.url.trim_start_matches("sqlite:")).expect("a file");
            let found = bytes.windows(9).any(|at| at == b"Zacharias");
            assert!(!found, "a record of an erased user was stored");
        }
        // By hand too: nobody comes back, and the note does not quote the row.
        ws.write(
            "contacts.csv",
            "id,contact,first,last,email,phone,account\n,C-1,Zacharias,Åslund,ADA@acme.example,+4617,acme\n",
        );
        let ran = import_by_hand(&ws);
        assert!(ran.stdout.contains("user-erased"), "{ran}");
        let left = ws.value("SELECT count(*) FROM users");
        assert_eq!(left.as_deref(), Some("4"));
    }
}

//! Erasing a person whom kept pushes name: the records of the person go, and those of everybody else
//! stay, whatever the form of the push and whatever else looks like the id.

use crate::feeds::suspect_exports::workbook;
use crate::support::workspace::{Workspace, account, each, user};
use serde_json::{Value, json};

const MAPPING: &str = "apiVersion: roster/v1
name: rows
users:
  externalId: id
  match: {by: email, otherwise: {template: \"crm-{contact}\"}}
  fields:
    civility: {constant: MR}
    firstName: first
    lastName: last
    email: email
    phone: phone
    groups: {constant: FOC_User, list: add}
    accounts: {column: account, list: add}
";
/// The account has the id of the user who is erased, as where each customer has one login.
const ID: &str = "1042";
const HEADER: &str = "id,contact,first,last,email,phone,account\n";

fn begin(ws: &Workspace) {
    let both = account(ID, "customerNumber: \"1042\"")
        + &user(
            ID,
            ID,
            "firstName: Olle\nlastName: Berg\nemail: olle@roster.example\nphone: \"+46771234567\"",
        )
        + &user("u-2", ID, "");
    ws.tree(both);
    ws.settle(&[]);
    ws.write("rows.yaml", MAPPING);
    ws.write(
        "roster.yaml",
        "apiVersion: roster/v1\nsources:\n  - {name: directory, directory: manifests}\n  - {name: crm, export: {push: true, mapping: rows.yaml}}\n",
    );
}

/// Keeps a push with this body, as the daemon does.
fn keep(ws: &Workspace, id: &str, state: &str, ending: &str, body: &[u8]) {
    let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
    let body = match ws.engine {
        "sqlite" => format!("X'{hex}'"),
        _ => format!("'\\x{hex}'::bytea"),
    };
    ws.sql(&format!(
        "INSERT INTO imports (id, nth, source, kind, actor, digest, name, atomic, state, attempts, at, \
         ended_at, run, answer, held, body) VALUES ('{id}', 1, 'crm', 'users', 'eva', 'x', \
         'push-{id}.{ending}', 0, '{state}', 0, 1, 0, 0, '', '[\"User/{ID}\",\"User/n-1\"]', {body})"
    ));
}

fn body(ws: &Workspace, id: &str) -> Option<String> {
    let text = match ws.engine {
        "sqlite" => "hex(body)",
        _ => "encode(body, 'hex')",
    };
    let sql = format!("SELECT {text} FROM imports WHERE id = '{id}' AND body IS NOT NULL");
    let hex = ws.value(&sql)?;
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("a byte");
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    // Every byte as a letter: the bodies may be in any encoding.
    Some(bytes.into_iter().map(char::from).collect())
}

fn erase(ws: &Workspace) -> Value {
    let ran = ws.run(&["erase", ID, "--confirm", ID, "--reason", "asked"]);
    serde_json::from_str(&ran.exits(0).stdout).expect("a reply")
}

#[test]
fn everybody_elses_records_stay() {
    for ws in each("erased-pushes") {
        begin(&ws);
        let own = format!("{ID},,Olle \"Ole,Berg,olle@roster.example,+4611,{ID}\n");
        let others = [
            format!("n-1,,Nina,Ny,n1@roster.example,+4612,{ID}\n"),
            format!("n-2,,Nora 5\" x,Ny,n2@roster.example,+4613,{ID}\n"),
            format!("n-3,,\"Nils\n\"\"N\"\"\",Ny,n3@roster.example,+4614,{ID}\n"),
        ];
        let matched = format!(",C-1,Olle,Berg,OLLE@roster.example,+4611,{ID}\n");
        let [one, two, three] = &others;
        let csv = format!("{HEADER}{one}{own}{two}{matched}{three}");
        keep(&ws, "p-csv", "done", "csv", csv.as_bytes());
        let latin: Vec<u8> = csv
            .replace("Nina", "Ninå")
            .chars()
            .map(|letter| u8::try_from(letter).expect("a letter of Latin-1"))
            .collect();
        keep(&ws, "p-latin", "queued", "csv", &latin);
        let record = |id: &str| json!({"id": id, "email": "n@roster.example", "account": ID});
        let json = json!([record("n-1"), record(ID), record("n-2")]).to_string();
        keep(&ws, "p-json", "done", "json", json.as_bytes());
        let reply = erase(&ws);
        assert_eq!(reply["warnings"], Value::Null, "{reply}");
        let left = format!("{HEADER}{one}\n{two}\n{three}");
        assert_eq!(body(&ws, "p-csv"), Some(left.clone()));
        assert_eq!(body(&ws, "p-latin"), Some(left.replace("Nina", "Ninå")));
        // Of a push that waits, the answer will say what became of the records.
        let dropped = "SELECT position FROM dropped_records WHERE import_id = 'p-latin' ORDER BY 1";
        assert_eq!(
            ws.column(dropped),
            [Some("1".to_owned()), Some("3".to_owned())]
        );
        let left = body(&ws, "p-json").expect("a body");
        let left: Value = serde_json::from_str(&left).expect("JSON");
        assert_eq!(left[0], record("n-1"));
        assert_eq!(left[1]["id"], Value::Null);
        assert_eq!(left[2], record("n-2"));
        let held = "SELECT DISTINCT held FROM imports";
        assert_eq!(ws.column(held), [Some("[\"User/n-1\"]".to_owned())]);
    }
}

#[test]
fn a_workbook_that_names_the_person_is_deleted_with_a_warning() {
    for ws in each("erased-workbooks") {
        begin(&ws);
        let head = vec![
            "id", "contact", "first", "last", "email", "phone", "account",
        ];
        let other = vec!["n-1", "", "Nina", "Ny", "n1@roster.example", "+4612", ID];
        let own = vec![ID, "", "Olle", "Berg", "olle@roster.example", "+4611", ID];
        let with = workbook(&[head.clone(), other.clone(), own]);
        let without = workbook(&[head, other]);
        keep(&ws, "p-held", "done", "xlsx", &with);
        keep(&ws, "p-waits", "queued", "xlsx", &with);
        keep(&ws, "p-other", "done", "xlsx", &without);
        let reply = erase(&ws);
        let warnings = reply["warnings"].as_array().expect("warnings");
        let named = |id: &str| {
            let says = |it: &Value| it["message"].as_str().is_some_and(|it| it.contains(id));
            warnings.iter().any(says)
        };
        assert_eq!(
            (warnings.len(), named("p-held"), named("p-waits")),
            (2, true, true),
            "{reply}"
        );
        let kept = ws.column("SELECT id FROM imports WHERE body IS NOT NULL");
        assert_eq!(kept, [Some("p-other".to_owned())]);
        // Nobody waits for what never comes.
        let held = ws.value("SELECT held FROM imports WHERE id = 'p-held'");
        assert_eq!(held.as_deref(), Some("[]"));
        let lost = ws.value("SELECT state || ': ' || answer FROM imports WHERE id = 'p-waits'");
        let lost = lost.expect("an answer");
        assert!(
            lost.starts_with("lost: it named a user who was erased"),
            "{lost}"
        );
    }
}

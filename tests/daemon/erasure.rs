//! Erasing a person on a running daemon: who may, what a repetition is answered, what becomes of
//! pushes, and that nothing is left or comes back.

use super::api::{Answer, Api, serve, token, until};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Workspace, account, each, user};
use serde_json::{Value, json};
use std::fs;

const ID: &str = "zz-olle-7";
const WORDS: [&str; 3] = [ID, "olle.berg@roster.example", "+46771234567"];

fn started(ws: &Workspace) -> (DaemonProcess, Api) {
    let person = "firstName: Ollebert\nlastName: Bergqvistson\nemail: olle.berg@roster.example\n\
                  phone: \"+46771234567\"";
    ws.tree(account("acme", "") + &user(ID, "acme", person) + &user("u-2", "acme", ""));
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: directory, directory: manifests}}\n  \
             - {{name: erp, export: {{push: true, preset: djust-users}}}}\n{}",
            serve("")
        ),
    );
    let administrator = token(ws, "eva", "administrator", &[]);
    let mut served = DaemonProcess::on(ws, &[]);
    let api = Api::new(&served.address(), &administrator);
    served.says(&["as run 1"]);
    (served, api)
}

fn record(id: &str, email: &str) -> Value {
    let phone = if id == ID { WORDS[2] } else { "+46700000000" };
    json!({"externalId": id, "firstName": "Ollebert", "lastName": "Bergqvistson", "email": email,
        "phone": phone, "civility": "MR", "groups": "FOC_User", "accountIds": "acme"})
}

fn erase(api: &Api, key: &str, confirm: Option<&str>) -> Answer {
    let mut body = json!({"ids": [ID], "reason": "asked for it"});
    if let Some(confirm) = confirm {
        body["confirm"] = confirm.into();
    }
    let headers = [("Idempotency-Key", key.to_owned())];
    api.ask("POST", "/api/v1/acts/erase", &headers, &body.to_string())
}

/// Whether the database has a word of the person.
fn words_left(ws: &Workspace) -> Option<String> {
    if ws.engine == "sqlite" {
        let files = ["", "-wal", "-shm"].map(|end| {
            let path = format!("{}{end}", ws.url.trim_start_matches("sqlite:"));
            fs::read(path).unwrap_or_default()
        });
        let has = |word: &str, bytes: &Vec<u8>| {
            bytes
                .windows(word.len())
                .any(|at| at.eq_ignore_ascii_case(word.as_bytes()))
        };
        let mut words = WORDS.into_iter();
        let word = words.find(|word| files.iter().any(|bytes| has(word, bytes)));
        return word.map(str::to_owned);
    }
    let tables = "SELECT table_name FROM information_schema.tables \
                  WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
    let tables = ws.column(tables).into_iter().flatten();
    let mut named = tables.filter_map(|table| {
        let columns = format!(
            "SELECT CASE data_type WHEN 'bytea' THEN 'encode(\"' || column_name || '\", ''escape'')' \
             ELSE '\"' || column_name || '\"::text' END FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name = '{table}'"
        );
        let columns = ws.column(&columns).into_iter().flatten();
        let columns: Vec<String> = columns.map(|it| format!("coalesce({it}, '')")).collect();
        let sql = format!("SELECT {} FROM \"{table}\"", columns.join(" || ' ' || "));
        let mut rows = ws.column(&sql).into_iter().flatten();
        rows.find(|row| WORDS.iter().any(|word| row.contains(word)))
            .map(|row| format!("{table}: {row}"))
    });
    named.next()
}

#[test]
fn a_daemon_erases_a_person_and_drops_the_records_that_name_the_person() {
    for ws in each("erasing") {
        let (served, api) = started(&ws);
        let operator = Api::new(&api.address, &token(&ws, "shop", "operator", &[]));
        // Waits for the approval of the source, as it was sent.
        let body = json!([record("x-2", "x@roster.example"), record(ID, WORDS[1])]);
        let (status, answer) = operator.post("/api/v1/import/users", &body);
        assert!((200..300).contains(&status), "{answer}");

        assert_eq!(answer["summary"], json!({"held": 2}), "{answer:#}");
        assert_eq!(erase(&operator, "k", Some(ID)).0, 403);
        let (status, refused) = erase(&api, "k-0", None);
        assert_eq!(
            (status, &refused["code"]),
            (428, &json!("confirmation-needed"))
        );
        let (status, first) = erase(&api, "k-1", Some(ID));
        assert_eq!(status, 200, "{first}");
        assert_eq!(first["items"][0]["externalId"], ID);
        assert_eq!(first["items"][0]["after"], "erased");
        assert_eq!(first["places"][0]["path"], "all.yaml", "{first}");
        // The answer is kept without the person, and given again with the person.
        assert_eq!(erase(&api, "k-1", Some(ID)), (200, first));
        let (status, refused) = erase(&api, "k-2", Some(ID));
        assert_eq!((status, &refused["code"]), (409, &json!("wrong-state")));

        // After the passes that the erasure asks for.
        until("the note", || {
            let state = api.document("/api/v1/sources/directory");
            state.to_string().contains("user-erased").then_some(())
        });
        until("the end of the passes", || {
            words_left(&ws).is_none().then_some(())
        });
        assert_eq!(
            ws.column("SELECT external_id FROM users"),
            [Some("u-2".to_owned())]
        );

        // The record of somebody else still waits.
        let held = ws.column("SELECT held FROM imports WHERE body IS NOT NULL");
        assert_eq!(held, [Some("[\"User/x-2\"]".to_owned())]);

        // The records of a push that name the person are not stored, and the sender learns which.
        let last = record("x-3", "y@roster.example");
        let body = json!([
            record("x-2", "x@roster.example"),
            record(ID, WORDS[1]),
            last
        ]);
        let before = words_left(&ws);
        assert_eq!(before, None);
        let body = body.to_string().replace("+46771234567", "+46700000000");
        let (status, answer) = operator.ask("POST", "/api/v1/import/users", &[], &body);
        assert!((200..300).contains(&status), "{answer}");
        let records = answer["records"].as_array().expect("records");
        assert_eq!(records.len(), 3, "{answer:#}");
        assert_eq!(records[1]["outcome"], "dropped", "{answer:#}");
        assert_eq!(records[1]["externalId"], Value::Null);
        assert_eq!(records[1]["diagnostics"][0]["code"], "user-erased");
        assert_eq!(records[2]["externalId"], "x-3", "{answer:#}");
        assert_eq!(words_left(&ws), None);
        let csv = format!(
            "externalId,firstName,lastName,email,phone,civility,groups,accountIds\n\
             {ID},Ollebert,Bergqvistson,{},+46771234567,MR,FOC_User,acme\n\
             x-4,Eva,Ek,e@roster.example,+46700000001,MRS,FOC_User,acme\n",
            WORDS[1]
        );
        let headers = [("Content-Type", "text/csv".to_owned())];
        let (status, answer) = operator.ask("POST", "/api/v1/import/users", &headers, &csv);
        assert!((200..300).contains(&status), "{answer}");
        let records = answer["records"].as_array().expect("records");
        assert_eq!(records[0]["outcome"], "dropped", "{answer:#}");
        assert_eq!(records[1]["externalId"], "x-4", "{answer:#}");
        assert_eq!(records[1]["line"], 3, "{answer:#}");
        assert_eq!(words_left(&ws), None);
        // A quote within a cell is text: the rows after it are not taken along.
        let csv = format!(
            "externalId,firstName,lastName,email,phone,civility,groups,accountIds\n\
             {ID},Olle \"O,Bergqvistson,{},+46771234567,MR,FOC_User,acme\n\
             x-5,Eva 5\" x,Ek,e5@roster.example,+46700000001,MRS,FOC_User,acme\n\
             x-6,Eva,Ek,e6@roster.example,+46700000001,MRS,FOC_User,acme\n",
            WORDS[1]
        );
        let (_, answer) = operator.ask("POST", "/api/v1/import/users", &headers, &csv);
        let records = answer["records"].as_array().expect("records");
        let ids = records.iter().map(|it| it["externalId"].as_str());
        let ids: Vec<_> = ids.collect();
        assert_eq!(ids, [None, Some("x-5"), Some("x-6")], "{answer:#}");
        assert_eq!(words_left(&ws), None);
        ws.run(&["history", "--verify"]).exits(0);
        served.ends();
        assert_eq!(words_left(&ws), None);
    }
}

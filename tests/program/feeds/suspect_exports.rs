//! Exports that are wrong as a whole though every row is right, and the forms that are not CSV.

use super::{account, begin, codes, column, file, import};
use crate::support::workspace::{Ran, Workspace, each};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Cursor, Write};
use std::time::{Duration, SystemTime};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn configure(ws: &Workspace, more: &str) {
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: directory, directory: base}}\n  \
             - name: erp\n    export: {{file: erp.csv, preset: djust-accounts}}\n    complete: {{shrink: 90%}}\n{more}"
        ),
    );
}

fn apply(ws: &Workspace) -> Ran {
    ws.run(&["apply", "--source", "erp", "--yes"])
}

/// Accounts whose ids begin so, with cells of their own.
fn many(count: usize, id: &str, cells: &[(&str, &str)]) -> Vec<String> {
    let row = |n: usize| account(&format!("{id}{n}"), &format!("d-{id}{n}"), cells);
    (1..=count).map(row).collect()
}

/// A source that has begun, with twenty accounts.
fn begun(ws: &Workspace, more: &str) {
    begin(ws);
    configure(ws, more);
    ws.write("erp.csv", file(&many(20, "a-", &[])));
    ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
        .exits(0);
    apply(ws).exits(0);
}

fn active(ws: &Workspace) -> Option<String> {
    ws.value("SELECT count(*) FROM accounts WHERE status = 'active'")
}

fn held(ran: &Ran) -> BTreeSet<String> {
    let plans = ran.plans();
    let held = plans
        .iter()
        .flat_map(|plan| plan["held"].as_array().cloned().unwrap_or_default());
    held.filter_map(|held| held["code"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_column_turned_round_and_ids_renamed_switch_nobody_off() {
    for ws in each("turned") {
        begun(&ws, "    absence: {after: 1, action: deactivate}\n");
        ws.write("erp.csv", file(&many(20, "a-", &[("Inactive", "TRUE")])));
        let ran = apply(&ws).exits(3);
        assert_eq!(
            (held(&ran), active(&ws).as_deref()),
            (["guard".to_owned()].into(), Some("20")),
            "{ran}"
        );
        // Every id has another beginning: all of them go, and as many come.
        let renamed: Vec<String> = (1..=20)
            .map(|n| account(&format!("SE-a-{n}"), &format!("d-a-{n}"), &[]))
            .collect();
        ws.write("erp.csv", file(&renamed));
        let ran = apply(&ws);
        assert!([1, 3].contains(&ran.code.unwrap_or(-1)), "{ran}");
        let off = column(
            &ws,
            "SELECT external_id FROM accounts WHERE status <> 'active'",
        );
        assert_eq!(off, Vec::<String>::new(), "{ran}");
        assert_eq!(apply(&ws).steps(), Vec::<String>::new());
    }
}

#[test]
fn an_export_older_than_the_last_one_waits_for_a_person() {
    for ws in each("older") {
        begun(&ws, "");
        ws.write(
            "erp.csv",
            file(&many(20, "a-", &[("Account Name", "Yesterday")])),
        );
        let hours = |n: u64| SystemTime::now() - Duration::from_secs(n * 3600);
        let date = |at: SystemTime| {
            let file = File::options()
                .append(true)
                .open(ws.path("erp.csv"))
                .expect("the export");
            file.set_modified(at).expect("another time");
        };
        date(hours(30));
        let ran = apply(&ws).exits(3);
        assert_eq!(
            (held(&ran), ran.steps()),
            (["feed-stale".to_owned()].into(), Vec::new()),
            "{ran}"
        );
        // Let through, it is the last one from then on.
        ws.approve(ran.plans()[0]["held"][0]["hold"].as_str().expect("an id"));
        assert_eq!(apply(&ws).exits(0).steps().len(), 20);
        assert_eq!(apply(&ws).exits(0).steps(), Vec::<String>::new());
    }
}

#[test]
fn what_is_whole_by_hand_counts_what_it_does_not_name() {
    for ws in each("complete") {
        begun(&ws, "    absence: {after: 2, action: deactivate}\n");
        let given = |n: usize, options: &[&str]| {
            let name = format!("Night {n}");
            ws.write(
                "part.csv",
                file(&many(19, "a-", &[("Account Name", &name)])),
            );
            let arguments = ["import", "part.csv", "--source", "erp", "--yes"];
            ws.run(&[&arguments[..], options].concat()).exits(0)
        };
        given(1, &[]);
        given(2, &["--complete"]);
        assert_eq!(active(&ws).as_deref(), Some("20"));
        given(3, &[]);
        assert_eq!(active(&ws).as_deref(), Some("20"));
        let ran = given(4, &["--complete"]);
        assert!(
            ran.steps().contains(&"deactivate Account/a-20".to_owned()),
            "{ran}"
        );
        let ran = ws.run(&[
            "import",
            "part.csv",
            "--source",
            "no",
            "--preset",
            "djust-accounts",
            "--complete",
            "--yes",
        ]);
        assert!(ran.exits(64).stderr.contains("none is named `no`"));
    }
}

#[test]
fn of_two_thousand_rows_the_bad_one_waits_alone() {
    for ws in each("one-bad") {
        begin(&ws);
        let mut rows = many(2_000, "a-", &[]);
        rows[777] = account("a-778", "d-a-778", &[("Address Country", "QQ")]);
        let ran = import(&ws, "a.csv", file(&rows), &["--report", "report.csv"]).exits(1);
        assert_eq!(active(&ws).as_deref(), Some("1999"), "{}", ran.stderr);
        let report = std::fs::read_to_string(ws.path("report.csv")).expect("a report");
        assert!(
            report.contains("779,country,F-E-012,Address/d-a-778,country,"),
            "{report}"
        );
        let again = import(&ws, "b.csv", file(&rows), &[]).exits(1);
        assert_eq!(again.steps(), Vec::<String>::new());
        // All or nothing when that is asked for.
        rows.push(account("b-1", "d-b-1", &[]));
        let ran = import(&ws, "c.csv", file(&rows), &["--atomic"]).exits(1);
        assert_eq!(
            (ran.steps(), ran.plans()[0]["errored"].clone()),
            (Vec::new(), json!(true))
        );
        rows[777] = account("a-778", "d-a-778", &[]);
        import(&ws, "d.csv", file(&rows), &["--atomic"]).exits(0);
        assert_eq!(active(&ws).as_deref(), Some("2001"));
    }
}

#[test]
fn a_saved_plan_of_an_export_does_what_was_looked_at() {
    for ws in each("saved") {
        begun(&ws, "");
        ws.write(
            "erp.csv",
            file(&many(20, "a-", &[("Account Name", "Looked at")])),
        );
        ws.run(&["plan", "--source", "erp", "--out", "plan.json"])
            .exits(0);
        ws.write(
            "erp.csv",
            file(&many(20, "a-", &[("Account Name", "Swapped")])),
        );
        ws.run(&["apply", "plan.json", "--yes"]).exits(0);
        let names = column(&ws, "SELECT DISTINCT name FROM accounts");
        assert_eq!(names, ["Looked at"]);
        // Once only.
        ws.run(&["apply", "plan.json", "--yes"]).exits(3);
        assert_eq!(apply(&ws).exits(0).steps().len(), 20);
    }
}

/// A workbook of one sheet with these cells; a blank one is not there.
pub(crate) fn workbook(rows: &[Vec<&str>]) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    let column = |at: usize| char::from(b'A' + u8::try_from(at).expect("few columns"));
    let mut sheet = String::new();
    for (row, cells) in rows.iter().enumerate() {
        let row = row + 1;
        let cells = cells
            .iter()
            .enumerate()
            .filter(|(_, text)| !text.is_empty());
        let cells = cells.map(|(at, text)| {
            let at = column(at);
            format!("<c r=\"{at}{row}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
        });
        sheet += &format!("<row r=\"{row}\">{}</row>", cells.collect::<String>());
    }
    let parts = [
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"r1\" Type=\"{OFFICE}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets><sheet name=\"One\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"r1\" Type=\"{OFFICE}/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/worksheets/sheet1.xml",
            format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{sheet}</sheetData></worksheet>"),
        ),
    ];
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        writer
            .start_file(name, SimpleFileOptions::default())
            .expect("a part");
        writer.write_all(text.as_bytes()).expect("its bytes");
    }
    writer.finish().expect("an archive").into_inner()
}

#[test]
fn a_spreadsheet_says_what_the_same_rows_say_as_text() {
    for ws in each("sheet") {
        begin(&ws);
        let head: Vec<&str> = super::HEAD.split(';').collect();
        let text = account(
            "a-1",
            "d-1",
            &[
                ("Account Website", "https://acme.example"),
                ("customField_credit-class", "A"),
            ],
        );
        let other = account(
            "a-1",
            "d-2",
            &[
                ("Account Website", "https://acme.example"),
                ("customField_credit-class", "A"),
            ],
        );
        let rows: Vec<Vec<&str>> = [&*text, &*other]
            .iter()
            .map(|row| row.split(';').collect())
            .collect();
        let book = workbook(&[vec![head.clone()], rows].concat());
        import(&ws, "a.xlsx", &book, &[]).exits(0);
        let again = import(&ws, "a.csv", file(&[text.clone(), other.clone()]), &[]).exits(0);
        assert_eq!(again.steps(), Vec::<String>::new());
        // What is blank is a cell that is not there: a standard one keeps, a custom one clears.
        let blank = account("a-1", "d-1", &[]);
        let ran = import(
            &ws,
            "b.xlsx",
            workbook(&[head, blank.split(';').collect()]),
            &[],
        )
        .exits(0);
        assert_eq!(
            ran.changes(),
            ["update Account/a-1: customFields.credit-class"]
        );
        assert_eq!(
            ws.value("SELECT website FROM accounts").as_deref(),
            Some("https://acme.example")
        );
        assert_eq!(
            ws.value("SELECT count(*) FROM account_addresses")
                .as_deref(),
            Some("2")
        );
    }
}

/// The two examples of the page that describes DJUST's import, as they stand there.
fn examples() -> [Value; 2] {
    let account = json!({
        "accountName": "string", "accountExternalId": "string", "accountManagerName": "string", "accountWebsite": "string",
        "companyRegistrationName": "string", "businessRegistrationNumber": "string", "customerTagExternalId": "string",
        "accountVatNumber": "string", "deleted": false, "inactive": false
    });
    let address = json!({
        "addressExternalId": "string", "addressFullName": "string", "addressCountry": "string", "addressCity": "string",
        "addressZipCode": "string", "addressStreetName": "string", "addressLabel": "string",
        "addressAdditionalStreetName": "string", "addressPhoneNumber": "string",
        "unlinkAddress": false, "shippingAddress": true, "billingAddress": true
    });
    let mut nested = account.clone();
    nested["address"] = json!([address]);
    let mut flat = account;
    for (name, value) in address.as_object().expect("an object") {
        flat[name] = value.clone();
    }
    [json!([nested]), json!([flat])]
}

#[test]
fn the_examples_of_djust_are_read_as_they_stand() {
    for ws in each("examples") {
        begin(&ws);
        for (name, example) in ["nested.json", "flat.json"].into_iter().zip(examples()) {
            // Their shape is right; only no value is called "string".
            let ran = import(&ws, name, example.to_string(), &[]).exits(1);
            let wrong = ["country", "phone", "reference", "url"].map(str::to_owned);
            let mut found = codes(&ran);
            found.retain(|code| {
                !["claim-unconfigured", "account-without-user", "vat-format"].contains(&&**code)
            });
            assert_eq!(found, wrong.into(), "{name}: {ran}");
            let right = example
                .to_string()
                .replace(
                    "\"addressCountry\":\"string\"",
                    "\"addressCountry\":\"Canada\"",
                )
                .replace(
                    "\"accountWebsite\":\"string\"",
                    "\"accountWebsite\":\"https://string.example\"",
                )
                .replace(
                    "\"addressPhoneNumber\":\"string\"",
                    "\"addressPhoneNumber\":\"+1 555 0100\"",
                )
                .replace(
                    "\"customerTagExternalId\":\"string\"",
                    "\"customerTagExternalId\":\"premium\"",
                );
            import(&ws, name, right, &[]).exits(0);
        }
        let stored = "SELECT count(*) FROM account_addresses WHERE account_id = 'string' AND address_id = 'string' AND shipping AND billing";
        assert_eq!(ws.value(stored).as_deref(), Some("1"));
    }
}

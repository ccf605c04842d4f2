//! What spreadsheets and programs make of ids and cells before they come here, and the forms of files: each
//! through the program.

use super::{account, begin, codes, column, file, import, settles};
use crate::support::workspace::{Ran, Workspace, each, sqlite};
use serde_json::json;
use std::fs::File;
use std::io::{Cursor, Write};
use std::time::{Duration, SystemTime};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A mapping of a few columns, for files of any form.
const MAPPING: &str = "apiVersion: roster/v1
name: few
accounts:
  externalId: id
  fields: {name: name, companyRegistrationName: name, businessRegistrationNumber: reg, status: {constant: active}}
  customFields: {credit-class: class}
  addresses:
    externalId: {template: \"{id}-d\"}
    fields: {fullName: name, street: {constant: Torget 1}, zipCode: {constant: 837 52}, city: {constant: Åre}, country: {constant: SE}}
";

/// Imports a file by the mapping of a few columns.
fn few(ws: &Workspace, name: &str, bytes: impl AsRef<[u8]>, more: &str) -> Ran {
    ws.write(
        "few.yaml",
        MAPPING.replacen("accounts:", &format!("{more}\naccounts:"), 1),
    );
    ws.write(name, bytes);
    ws.run(&["import", name, "--mapping", "few.yaml", "--yes"])
}

fn accounts(ws: &Workspace) -> Vec<String> {
    column(ws, "SELECT external_id FROM accounts ORDER BY 1")
}

/// A workbook of these sheets: name, state, rows in XML. Style 1 shows five digits, 2 is a date, 3 a percentage.
fn book(sheets: &[(&str, &str, &str)]) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    let (mut names, mut links, mut parts) = (String::new(), String::new(), Vec::new());
    for (at, (name, state, rows)) in sheets.iter().enumerate() {
        names += &format!(
            "<sheet name=\"{name}\" sheetId=\"{0}\" state=\"{state}\" r:id=\"r{0}\"/>",
            at + 1
        );
        links += &format!(
            "<Relationship Id=\"r{0}\" Type=\"{OFFICE}/worksheet\" Target=\"worksheets/sheet{0}.xml\"/>",
            at + 1
        );
        parts.push((
            format!("xl/worksheets/sheet{}.xml", at + 1),
            format!("<worksheet xmlns=\"{MAIN}\">{rows}</worksheet>"),
        ));
    }
    links += &format!("<Relationship Id=\"s\" Type=\"{OFFICE}/styles\" Target=\"styles.xml\"/>");
    let mut part = |name: &str, text: String| parts.push((name.to_owned(), text));
    part(
        "_rels/.rels",
        format!(
            "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"r1\" Type=\"{OFFICE}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
        ),
    );
    part(
        "xl/workbook.xml",
        format!(
            "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets>{names}</sheets></workbook>"
        ),
    );
    part(
        "xl/_rels/workbook.xml.rels",
        format!("<Relationships xmlns=\"{PACKAGE}\">{links}</Relationships>"),
    );
    part(
        "xl/styles.xml",
        format!(
            "<styleSheet xmlns=\"{MAIN}\"><numFmts count=\"1\"><numFmt numFmtId=\"164\" formatCode=\"00000\"/></numFmts><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"164\"/><xf numFmtId=\"14\"/><xf numFmtId=\"9\"/></cellXfs></styleSheet>"
        ),
    );
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        writer
            .start_file(name, SimpleFileOptions::default())
            .expect("a part");
        writer.write_all(text.as_bytes()).expect("its bytes");
    }
    writer.finish().expect("an archive").into_inner()
}

/// The rows of a sheet: the header of the few columns, then these cells. `42` is a number, anything that begins
/// with `<` the inside of a cell with its attributes before `|`, the rest is text.
fn rows(rows: &[[&str; 4]]) -> String {
    let head = ["id", "name", "reg", "class"];
    let mut sheet = String::new();
    for (at, row) in std::iter::once(&head).chain(rows).enumerate() {
        let cells = row
            .iter()
            .zip("ABCD".chars())
            .map(|(text, letter)| cell(text, &format!("{letter}{}", at + 1)));
        sheet += &format!("<row r=\"{}\">{}</row>", at + 1, cells.collect::<String>());
    }
    format!("<sheetData>{sheet}</sheetData>")
}

fn cell(text: &str, at: &str) -> String {
    if let Some((attributes, inside)) = text.split_once('|') {
        return format!("<c r=\"{at}\" {attributes}>{inside}</c>");
    }
    if text.is_empty() {
        return String::new();
    }
    if !text.starts_with('0') && text.parse::<f64>().is_ok() {
        return format!("<c r=\"{at}\"><v>{text}</v></c>");
    }
    format!("<c r=\"{at}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
}

fn sheet(cells: &[[&str; 4]]) -> Vec<u8> {
    book(&[("Customers", "visible", &rows(cells))])
}

#[test]
fn an_id_that_became_a_number_makes_no_second_account() {
    for ws in each("number") {
        begin(&ws);
        import(&ws, "a.csv", file(&[account("10028", "d-1", &[])]), &[]).exits(0);
        for id in [
            "10028.0", "10028,00", "10.028,0", "1,0E+03", "1.00E+03", "1.0028e4", "1e+04",
        ] {
            let ran = import(&ws, "b.csv", file(&[account(id, "d-1", &[])]), &[]).exits(1);
            assert!(codes(&ran).contains("scientific-notation"), "{id}: {ran}");
            assert_eq!(accounts(&ws), ["10028"], "{id}");
        }
        for id in ["10028.0", "1.0028e4", "1e3", "1E+3"] {
            let list = format!("[{{\"id\": {id}, \"name\": \"Acme\", \"reg\": \"1\"}}]");
            let ran = few(&ws, "a.json", list, "").exits(1);
            assert!(codes(&ran).contains("scientific-notation"), "{id}: {ran}");
            assert_eq!(accounts(&ws), ["10028"], "{id}");
        }
        // As text it may be an article, unless it is a stored id.
        import(&ws, "a.csv", file(&[account("1200", "d-2", &[])]), &[]).exits(0);
        let ran = import(&ws, "b.csv", file(&[account("12e2", "d-3", &[])]), &[]).exits(1);
        assert!(codes(&ran).contains("id-zeros"), "{ran}");
        assert_eq!(accounts(&ws), ["10028", "1200"]);
        // The part before the fraction is taken where the mapping says so.
        let mapping = MAPPING
            .replace(
                "externalId: id\n",
                "externalId: {column: id, split: \".\", part: 0}\n",
            )
            .replace("{id}-d", "d-4");
        ws.write("part.yaml", mapping)
            .write("c.csv", "id,name,reg,class\n10028.0,Acme AB,1,\n");
        ws.run(&["import", "c.csv", "--mapping", "part.yaml", "--yes"])
            .exits(0);
        assert_eq!(accounts(&ws), ["10028", "1200"]);
    }
}

#[test]
fn references_and_register_numbers_that_became_numbers_are_errors() {
    let ws = sqlite();
    begin(&ws);
    for (name, text) in [
        ("Customer Tag External Id", "premium||10028.0"),
        ("Business Registration Number", "5560123456.0"),
        ("Customer Tag External Id", "#BEZUG!"),
        ("Customer Tag External Id", "premium||########"),
        ("customField_credit-class", "#N/A"),
    ] {
        let ran = import(
            &ws,
            "a.csv",
            file(&[account("a-1", "d-1", &[(name, text)])]),
            &[],
        )
        .exits(1);
        let found = codes(&ran);
        let ruined = found.contains("scientific-notation") || found.contains("spreadsheet-error");
        assert!(ruined, "{text}: {ran}");
        assert_eq!(accounts(&ws), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn an_id_in_another_unicode_form_or_case_makes_no_second_account() {
    for ws in each("unicode") {
        begin(&ws);
        import(&ws, "a.csv", file(&[account("Åre", "d-1", &[])]), &[]).exits(0);
        for id in ["A\u{30a}re", "åre", "ÅRE", "\u{212b}re"] {
            let ran = import(&ws, "b.csv", file(&[account(id, "d-1", &[])]), &[]).exits(1);
            assert!(codes(&ran).contains("id-case"), "{id}: {ran}");
            let tree = format!(
                "tags: [{{externalId: Premium, name: P}}]\naccounts: [{{externalId: {id}, name: A, companyRegistrationName: A, businessRegistrationNumber: '1', addresses: [{{externalId: d-9, fullName: A, street: S 1, zipCode: 837 52, city: Å, country: SE}}]}}]\n"
            );
            ws.write("other/a.yaml", tree);
            let ran = ws.run(&["apply", "other", "--yes"]).exits(1);
            assert!(codes(&ran).contains("id-case"), "{id}: {ran}");
            assert_eq!(accounts(&ws), ["Åre"], "{id}");
        }
        assert_eq!(column(&ws, "SELECT external_id FROM tags"), ["premium"]);
        settles(&ws, "a.csv");
    }
}

#[test]
fn marks_and_spaces_around_an_id_are_no_part_of_it() {
    let ws = sqlite();
    begin(&ws);
    import(&ws, "a.csv", file(&[account("00123", "d-1", &[])]), &[]).exits(0);
    for id in [
        "'00123",
        "=\"00123\"",
        "\u{a0}00123",
        "00123\u{200b}",
        "\u{feff}00123 ",
        "\u{202f}00123",
    ] {
        let cells = id.replace('"', "\"\"");
        let row = account(&format!("\"{cells}\""), "d-1", &[]);
        assert_eq!(
            import(&ws, "b.csv", file(&[row]), &[]).exits(0).steps(),
            Vec::<String>::new(),
            "{id:?}"
        );
    }
}

#[test]
fn what_a_cell_of_a_workbook_lost_changes_nothing() {
    for ws in each("lost") {
        begin(&ws);
        let good = ["00042", "Acme", "1", "A"];
        few(&ws, "a.xlsx", sheet(&[good]), "").exits(0);
        let kept = || {
            (
                accounts(&ws),
                column(&ws, "SELECT name || custom_fields FROM accounts"),
            )
        };
        let stored = kept();
        for (row, code) in [
            // A formula that was never calculated.
            (["00042", "Acme", "1", "|<f>A2</f>"], "spreadsheet-error"),
            (
                ["|<f>1+1</f><v></v>", "Acme", "1", "A"],
                "spreadsheet-error",
            ),
            // More digits than a spreadsheet keeps.
            (
                ["1234567890123456", "Acme", "1", "A"],
                "scientific-notation",
            ),
            (
                ["00042", "Acme", "1234567890123456789", "A"],
                "scientific-notation",
            ),
            (
                ["00042", "Acme", "1", "9007199254740993"],
                "scientific-notation",
            ),
            // What it takes for a date, a boolean or a share.
            (
                ["s=\"2\"|<v>45740</v>", "Acme", "1", "A"],
                "spreadsheet-error",
            ),
            (
                ["00042", "s=\"2\"|<v>45740</v>", "1", "A"],
                "spreadsheet-error",
            ),
            (["00042", "t=\"b\"|<v>1</v>", "1", "A"], "spreadsheet-error"),
            (["s=\"3\"|<v>42</v>", "Acme", "1", "A"], "spreadsheet-error"),
            (["42.5", "Acme", "1", "A"], "scientific-notation"),
            (
                ["t=\"e\"|<v>#REF!</v>", "Acme", "1", "A"],
                "spreadsheet-error",
            ),
        ] {
            let ran = few(&ws, "b.xlsx", sheet(&[row]), "").exits(1);
            assert!(codes(&ran).contains(code), "{row:?}: {ran}");
            assert_eq!(ran.steps(), Vec::<String>::new(), "{row:?}");
            assert_eq!(kept(), stored, "{row:?}");
        }
        // The zeros that a format shows are the id's.
        let shown = ["s=\"1\"|<v>42</v>", "Acme", "1", "A"];
        assert_eq!(
            few(&ws, "c.xlsx", sheet(&[shown]), "").exits(0).steps(),
            Vec::<String>::new()
        );
        // A number without them is not the stored id.
        let ran = few(&ws, "d.xlsx", sheet(&[["42", "Acme", "1", "A"]]), "").exits(1);
        assert!(codes(&ran).contains("id-zeros"), "{ran}");
        // A whole number that the file keeps as 10028.0 is 10028.
        let ran = few(
            &ws,
            "e.xlsx",
            sheet(&[["10028.0", "Bolaget", "2", "A"]]),
            "",
        )
        .exits(0);
        assert!(
            ran.steps().contains(&"create Account/10028".to_owned()),
            "{ran}"
        );
    }
}

#[test]
fn a_merged_id_is_called_one() {
    let ws = sqlite();
    begin(&ws);
    let cells = rows(&[["a-1", "Acme", "1", "A"], ["", "Acme", "1", "A"]]);
    let merged = format!("{cells}<mergeCells count=\"1\"><mergeCell ref=\"A2:A3\"/></mergeCells>");
    let ran = few(&ws, "a.xlsx", book(&[("One", "visible", &merged)]), "").exits(1);
    let said = ran.to_string();
    assert!(said.contains("in the merged cells A2:A3"), "{said}");
    assert!(!codes(&ran).contains("required"), "{said}");
}

#[test]
fn ids_that_are_numbers_in_json_are_said_once() {
    for ws in each("numbers") {
        begin(&ws);
        let object = |id: serde_json::Value| json!({"id": id, "name": "Acme", "reg": "1"});
        let many: Vec<_> = (101..=105).map(|id| object(json!(id))).collect();
        let ran = few(&ws, "a.json", json!(many).to_string(), "").exits(0);
        let plans = ran.plans();
        let found = plans[0]["diagnostics"].as_array().expect("findings").iter();
        let found: Vec<&str> = found
            .filter(|found| found["code"] == "json-number-id")
            .filter_map(|found| found["message"].as_str())
            .collect();
        assert_eq!(
            found,
            ["5 ids are written as numbers: `101`, `102`, `103`, …"],
            "{ran}"
        );
        assert_eq!(ran.count("create"), 10);
        few(
            &ws,
            "b.json",
            json!([object(json!("00007"))]).to_string(),
            "",
        )
        .exits(0);
        let ran = few(&ws, "c.json", json!([object(json!(7))]).to_string(), "").exits(1);
        assert!(
            codes(&ran).contains("id-zeros") && codes(&ran).contains("json-number-id"),
            "{ran}"
        );
        let ran = few(&ws, "d.jsonl", object(json!(101)).to_string(), "").exits(0);
        assert!(codes(&ran).contains("json-number-id"), "{ran}");
    }
}

#[test]
fn nothing_to_read_is_an_error_at_every_door() {
    let other = rows(&[]).replace("<t>id</t>", "<t>hello</t>");
    let files: [(&str, Vec<u8>, &str); 9] = [
        (
            "page.csv",
            b"<!doctype html><title>Log in</title>".to_vec(),
            "feed-not-data",
        ),
        ("div.csv", b"<div>Log in</div>".to_vec(), "feed-not-data"),
        ("empty.csv", Vec::new(), "feed-not-data"),
        (
            "error.json",
            b"{\"error\": \"expired\"}".to_vec(),
            "feed-not-data",
        ),
        (
            "error.jsonl",
            b"{\"error\": \"expired\"}\n".to_vec(),
            "feed-not-data",
        ),
        ("hello.csv", b"hello,world\n".to_vec(), "column-missing"),
        (
            "text.csv",
            b"Service unavailable".to_vec(),
            "column-missing",
        ),
        (
            "hidden.xlsx",
            book(&[("One", "hidden", &other), ("Two", "visible", &other)]),
            "feed-not-data",
        ),
        (
            "guide.xlsx",
            book(&[
                ("Instructions", "visible", &other),
                ("Two", "visible", &other),
            ]),
            "feed-not-data",
        ),
    ];
    for (name, bytes, code) in files {
        let ws = sqlite();
        begin(&ws);
        let ran = import(&ws, name, &bytes, &[]).exits(1);
        assert!(codes(&ran).contains(code), "{name}: {ran}");
        let ran = ws
            .run(&[
                "import",
                name,
                "--preset",
                "djust-accounts",
                "--manifests",
                "out",
            ])
            .exits(1);
        assert!(ran.to_string().contains(code), "{name}: {ran}");
        ws.write("roster.yaml", format!("apiVersion: roster/v1\nsources: [{{name: erp, export: {{file: {name}, preset: djust-accounts}}}}]\n"));
        for command in ["plan", "apply"] {
            let yes: &[&str] = if command == "apply" { &["--yes"] } else { &[] };
            let ran = ws.run(&[&[command], yes].concat());
            assert!([Some(1), Some(3)].contains(&ran.code), "{name}: {ran}");
        }
        let ran = ws.run(&["import", name, "--source", "erp", "--yes"]);
        assert!([Some(1), Some(3)].contains(&ran.code), "{name}: {ran}");
        ws.run(&["feed", "inspect", name]).exits(1);
        // A line of JSON that is an error has columns like any other: the mapping names what is missing.
        if name != "error.jsonl" {
            ws.run(&["feed", "map", name]).exits(1);
        }
    }
}

#[test]
fn a_target_that_nobody_knows_is_an_error() {
    let ws = sqlite();
    begin(&ws);
    for command in [&["plan", "base"][..], &["apply", "base", "--yes"]] {
        let ran = ws
            .run(&[command, &["--target", "Tag/premum"]].concat())
            .exits(1);
        assert!(ran.stderr.contains("did you mean `Tag/premium`?"), "{ran}");
        ws.run(&[command, &["--target", "Tag/premium"]].concat())
            .exits(0);
    }
    // What is only declared, and what is only stored, is known.
    ws.write("base/base.yaml", "tags: [{externalId: other, name: O}]\n");
    ws.run(&["plan", "base", "--target", "Tag/other"]).exits(0);
    ws.run(&["plan", "base", "--target", "Tag/premium"])
        .exits(0);
}

#[test]
fn files_of_other_forms_say_what_the_same_rows_say_as_text() {
    for ws in each("forms") {
        begin(&ws);
        few(
            &ws,
            "a.csv",
            "id,name,reg,class\na-1,Acme,1,A\na-2,Bolaget,2,\n",
            "",
        )
        .exits(0);
        let lines = "{\"id\": \"a-1\", \"name\": \"Acme\", \"reg\": \"1\", \"class\": \"A\"}\n\n{\"id\": \"a-2\", \"name\": \"Bolaget\", \"reg\": \"2\"}\n";
        for (name, bytes, more) in [
            ("b.jsonl", lines.as_bytes().to_vec(), ""),
            ("b.txt", lines.as_bytes().to_vec(), ""),
            ("b.json", lines.as_bytes().to_vec(), "format: jsonl"),
            (
                "b.csv",
                b"Customers of today\n\"quote\n\nid,name,reg,class\na-1,Acme,1,A\na-2,Bolaget,2,\n"
                    .to_vec(),
                "header: 4",
            ),
            (
                "c.csv",
                b"id,name,reg,class\na-1,Acme,1,A\na-2,Bolaget,2,NULL\n".to_vec(),
                "blanks: [NULL, N/A]",
            ),
            (
                "d.csv",
                b"id,name,reg,class\na-1,Acme,1,A\na-2,Bolaget,2,N/A\nNULL,NULL,N/A,NULL\n"
                    .to_vec(),
                "blanks: [NULL, N/A]",
            ),
            (
                "b.xlsx",
                book(&[
                    ("Notes", "visible", &rows(&[])),
                    (
                        "Two",
                        "hidden",
                        &rows(&[["a-1", "Acme", "1", "A"], ["a-2", "Bolaget", "2", ""]]),
                    ),
                ]),
                "sheet: Two",
            ),
            (
                "c.xlsx",
                book(&[
                    ("Notes", "visible", &rows(&[])),
                    (
                        "Two",
                        "hidden",
                        &rows(&[["a-1", "Acme", "1", "A"], ["a-2", "Bolaget", "2", ""]]),
                    ),
                ]),
                "sheet: 2",
            ),
        ] {
            let ran = few(&ws, name, bytes, more).exits(0);
            assert_eq!(ran.steps(), Vec::<String>::new(), "{name} {more}: {ran}");
        }
        // The place of a finding is its line.
        let wrong = lines.replace("Bolaget", "#N/A");
        let ran = few(&ws, "wrong.jsonl", wrong, "").exits(1);
        let plans = ran.plans();
        let found = plans[0]["diagnostics"].as_array().expect("findings").iter();
        let mut found = found.filter(|found| found["code"] == "spreadsheet-error");
        assert!(found.all(|found| found["origin"]["line"] == 3), "{ran}");
    }
}

#[test]
fn a_mapping_says_what_it_says_wrongly_of_a_form() {
    let ws = sqlite();
    for (more, why) in [
        ("header: 0", "lines start at 1"),
        ("header: 2\nformat: json", "is for CSV and XLSX"),
        ("header: 2\ncsv: {names: [id]}", "there is no header"),
        ("format: jsonl\nrows: items", "is for a JSON document"),
        ("format: yaml", "csv, json, jsonl or xlsx"),
        ("sheet: 0", "its number from 1"),
        ("sheet: [a]", "its number from 1"),
    ] {
        let ran = few(&ws, "a.csv", "id\n", more).exits(64);
        assert!(ran.stderr.contains(why), "{more}: {ran}");
    }
}

#[test]
fn what_inspect_finds_map_writes_and_import_reads() {
    let ws = sqlite();
    begin(&ws);
    let csv = "Kundlista;;;;\nUttag 2025-03-21;;;;\n\nKundnr;Namn;Orgnr;Postnr;Ort\n1001;Acme;556012-3456;837 52;Åre\n1002;Bolaget;556012-3464;837 52;Åre\n";
    ws.write("list.csv", csv);
    let ran = ws
        .run(&["feed", "inspect", "list.csv", "--output", "text"])
        .exits(0);
    assert!(
        ran.stdout.contains("line 4; the 3 lines above are skipped"),
        "{ran}"
    );
    let ran = ws
        .run(&["feed", "map", "list.csv", "--output", "text"])
        .exits(0);
    assert!(ran.stdout.contains("\nheader: 4 "), "{ran}");
    let two = book(&[
        ("Cover", "visible", &rows(&[])),
        ("Customers", "visible", &rows(&[["a-1", "Acme", "1", "A"]])),
    ]);
    ws.write("two.xlsx", two);
    let ran = ws
        .run(&["feed", "inspect", "two.xlsx", "--output", "text"])
        .exits(1);
    assert!(ran.to_string().contains("`Cover`, `Customers`"), "{ran}");
    for sheet in ["Customers", "2"] {
        let ran = ws
            .run(&[
                "feed", "map", "two.xlsx", "--sheet", sheet, "--output", "text",
            ])
            .exits(0);
        assert!(ran.stdout.contains(&format!("\nsheet: {sheet}\n")), "{ran}");
    }
    ws.write("one.jsonl", "{\"id\": \"a-1\", \"name\": \"Acme\"}\n");
    let ran = ws
        .run(&["feed", "map", "one.jsonl", "--output", "text"])
        .exits(0);
    assert!(ran.stdout.contains("\nformat: jsonl\n"), "{ran}");
}

#[test]
fn an_export_out_of_time_names_both_times() {
    let ws = sqlite();
    begin(&ws);
    ws.write("roster.yaml", "apiVersion: roster/v1\nsources: [{name: erp, export: {file: erp.csv, preset: djust-accounts}, maxAge: 26h}]\n");
    let date = |at: SystemTime| {
        let file = File::options()
            .append(true)
            .open(ws.path("erp.csv"))
            .expect("the export");
        file.set_modified(at).expect("another time");
    };
    let hours = |n: u64| Duration::from_secs(n * 3600);
    ws.write("erp.csv", file(&[account("a-1", "d-1", &[])]));
    ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
        .exits(0);
    ws.run(&["apply", "--yes"]).exits(0);
    let changed = |at: SystemTime, name: &str| {
        ws.write(
            "erp.csv",
            file(&[account("a-1", "d-1", &[("Account Name", name)])]),
        );
        date(at);
        let plans = ws.run(&["apply", "--yes"]).exits(3).plans();
        plans[0]["held"][0]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let said = changed(SystemTime::now() - hours(2), "Older");
    assert!(
        said.contains("before the last accepted export") && said.matches(" UTC").count() == 2,
        "{said}"
    );
    let said = changed(SystemTime::now() + hours(30), "Future");
    assert!(
        said.contains("in the future") && said.matches(" UTC").count() == 2,
        "{said}"
    );
    assert_eq!(
        ws.value("SELECT name FROM accounts").as_deref(),
        Some("Acme")
    );
    // The clock of another machine may be a little ahead.
    ws.write(
        "erp.csv",
        file(&[account("a-1", "d-1", &[("Account Name", "Now")])]),
    );
    date(SystemTime::now() + Duration::from_mins(1));
    ws.run(&["apply", "--yes"]).exits(0);
    assert_eq!(
        ws.value("SELECT name FROM accounts").as_deref(),
        Some("Now")
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(bytes).expect("packed");
    packed.finish().expect("packed")
}

/// A file at every door that reads one: its exit code and all that was said.
fn doors(ws: &Workspace, name: &str) -> Vec<(&'static str, Option<i32>, String)> {
    let doors = [
        ("inspect", &["feed", "inspect"][..], &[][..]),
        ("map", &["feed", "map"], &["--preset", "djust-accounts"]),
        (
            "import",
            &["import"],
            &["--preset", "djust-accounts", "--manifests", "out"],
        ),
    ];
    let ran = doors.map(|(door, command, more)| {
        let ran = ws.run(&[command, &[name], more].concat());
        (door, ran.code, ran.stdout + &ran.stderr)
    });
    ran.into()
}

#[test]
fn gzip_is_unpacked_at_every_door_and_another_archive_at_none() {
    let ws = sqlite();
    begin(&ws);
    let export = file(&[account("10028", "d-1", &[])]);
    ws.write("a.csv.gz", gzip(export.as_bytes()));
    for (door, code, said) in doors(&ws, "a.csv.gz") {
        assert_eq!(code, Some(0), "{door}: {said}");
    }
    import(&ws, "b.csv.gz", gzip(export.as_bytes()), &[]).exits(0);
    assert_eq!(accounts(&ws), ["10028"]);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("a.csv", SimpleFileOptions::default())
        .expect("a part");
    zip.write_all(export.as_bytes()).expect("its bytes");
    ws.write("a.zip", zip.finish().expect("an archive").into_inner());
    ws.write("twice.csv.gz", gzip(&gzip(export.as_bytes())));
    let cut = gzip(export.as_bytes());
    ws.write("cut.csv.gz", &cut[..cut.len() - 12]);
    for (name, why) in [
        ("a.zip", "a ZIP archive"),
        ("twice.csv.gz", "compressed with gzip twice"),
        ("cut.csv.gz", "its gzip data cannot be unpacked completely"),
    ] {
        for (door, code, said) in doors(&ws, name) {
            // What is left of a cut one has columns to map.
            if (door, name) == ("map", "cut.csv.gz") {
                continue;
            }
            assert_eq!(code, Some(1), "{door}: {said}");
            assert!(said.contains(why), "{door}: {said}");
        }
    }
}

#[test]
fn a_header_below_a_title_is_found_and_its_line_is_named() {
    let title =
        "<sheetData><row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>Customers</t></is></c></row>";
    let mut below = rows(&[["1", "Acme", "556012-3456", ""]]);
    for (row, moved) in [("2", "4"), ("1", "3")] {
        for column in ["", "A", "B", "C", "D"] {
            let place = |row: &str| format!("r=\"{column}{row}\"");
            below = below.replace(&place(row), &place(moved));
        }
    }
    let titled = below.replacen("<sheetData>", title, 1);
    let csv = "Customers;;;\nas of today\nid;name;reg;class\n1;Acme;556012-3456;\n";
    for (name, bytes, word) in [
        ("a.csv", csv.as_bytes().to_vec(), "line"),
        ("a.xlsx", book(&[("Customers", "visible", &titled)]), "row"),
    ] {
        let ws = sqlite();
        begin(&ws);
        let ran = few(&ws, name, &bytes, "").exits(1);
        assert!(codes(&ran).contains("column-missing"), "{ran}");
        assert!(!codes(&ran).contains("row-width"), "{ran}");
        let said = ran.stdout;
        assert!(
            said.contains(&format!("{word} 1 is not the header")),
            "{said}"
        );
        assert!(
            said.contains(&format!("{word} 3 is: set `header: 3`")),
            "{said}"
        );
        few(&ws, name, &bytes, "header: 3").exits(0);
        assert_eq!(accounts(&ws), ["1"]);
    }
}

#[test]
fn json_without_rows_is_called_json_and_an_error_has_its_exit_code() {
    let ws = sqlite();
    for (text, code, found) in [
        ("null", 1, "json-not-list"),
        (" [null]\n", 1, "json-shape"),
        ("[true, false]", 1, "json-shape"),
        ("[]", 0, ""),
    ] {
        ws.write("a.txt", text);
        let ran = ws.run(&["feed", "inspect", "a.txt"]).exits(code);
        let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(told["format"], "JSON", "{ran}");
        assert!(ran.stdout.contains(found), "{ran}");
    }
    ws.write("ragged.csv", "id;name;reg\n1;Acme\n");
    ws.run(&["feed", "inspect", "ragged.csv"]).exits(1);
    // A name in brackets may begin a header.
    ws.write("b.csv", "[null values];name\n1;Acme\n");
    let ran = ws.run(&["feed", "inspect", "b.csv"]).exits(0);
    assert!(ran.stdout.contains("\"CSV\""), "{ran}");
}

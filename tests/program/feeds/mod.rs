//! Exports of an ERP: what a file does, on both engines, through the program.

mod adversarial;
mod bad_night;
mod columns;
mod formats;
mod known_rows;
mod logins;
mod memberships;
mod month;
mod passwords;
pub(crate) mod suspect_exports;
mod unaccepted_exports;
mod unchanged_exports;

use crate::support::workspace::{Ran, Workspace, each};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What has to be there: a label that exports refer to, and a custom field.
const BASE: &str = "
tags: [{externalId: premium, name: Premium}]
customFields:
  - {externalId: credit-class, appliesTo: account, name: Credit class, type: text}
";

const HEAD: &str = "Account External Id;Account Name;Company Registration Name;Business Registration Number;Account Website;Customer Tag External Id;Inactive;Deleted;customField_credit-class;Address External Id;Address Full Name;Address Country;Address City;Address Zip Code;Address Street Name;Unlink Address From Account;Shipping Address;Billing Address";

/// A row of an account, with some cells said.
fn row(cells: &[(&str, &str)]) -> String {
    let columns: Vec<&str> = HEAD.split(';').collect();
    let default = |column: &str| match column {
        "Account Name" | "Company Registration Name" => "Acme",
        "Business Registration Number" => "556012-3456",
        "Address Full Name" => "Acme AB",
        "Address Country" => "SE",
        "Address City" => "Åre",
        "Address Zip Code" => "837 52",
        "Address Street Name" => "Torget 1",
        _ => "",
    };
    let known = |name: &str| columns.contains(&name);
    assert!(cells.iter().all(|(name, _)| known(name)), "{cells:?}");
    let cells = columns.iter().map(|column| {
        let said = cells.iter().find(|(name, _)| name == column);
        said.map_or_else(|| default(column), |(_, text)| text)
    });
    cells.collect::<Vec<_>>().join(";")
}

fn account(id: &str, address: &str, more: &[(&str, &str)]) -> String {
    let cells = [
        ("Account External Id", id),
        ("Address External Id", address),
    ];
    row(&[&cells[..], more].concat())
}

fn file(rows: &[String]) -> String {
    format!("{HEAD}\r\n{}\r\n", rows.join("\r\n"))
}

fn begin(ws: &Workspace) {
    ws.write("base/base.yaml", BASE);
    ws.run(&["apply", "base", "--yes"]).exits(0);
}

/// Imports an export by hand.
#[track_caller]
fn import(ws: &Workspace, name: &str, bytes: impl AsRef<[u8]>, options: &[&str]) -> Ran {
    ws.write(name, bytes);
    let arguments = ["import", name, "--preset", "djust-accounts", "--yes"];
    ws.run(&[&arguments[..], options].concat())
}

/// Imports it once more, and finds nothing to do.
#[track_caller]
fn settles(ws: &Workspace, name: &str) {
    let arguments = ["import", name, "--preset", "djust-accounts", "--yes"];
    assert_eq!(ws.run(&arguments).exits(0).steps(), Vec::<String>::new());
}

fn codes(ran: &Ran) -> BTreeSet<String> {
    let plans = ran.plans();
    let found = plans
        .iter()
        .flat_map(|plan| plan["diagnostics"].as_array().into_iter().flatten());
    found
        .filter_map(|found| found["code"].as_str().map(str::to_owned))
        .collect()
}

fn column(ws: &Workspace, query: &str) -> Vec<String> {
    ws.column(query)
        .into_iter()
        .map(Option::unwrap_or_default)
        .collect()
}

#[test]
fn the_sample_export_of_sap_comes_to_what_its_page_says() {
    for ws in each("sap") {
        ws.write("base/base.yaml", "
tags: [{externalId: premium, name: P}, {externalId: hotel, name: H}, {externalId: public, name: O}]
accounts:
  - {externalId: '0010927781', name: Fjällbyggen AB, companyRegistrationName: F, businessRegistrationNumber: 556012-3456, status: inactive,
     addresses: [{externalId: '0000900102', fullName: F, country: SE, city: Åre, zipCode: 837 52, street: Årevägen 80}]}
  - {externalId: '0010927806', name: Byggkompaniet AB, companyRegistrationName: B, businessRegistrationNumber: 556022-2233, status: inactive,
     addresses: [{externalId: '0000900180', fullName: B, country: SE, city: Umeå, zipCode: 903 26, street: Rådhusesplanaden 1}]}
");
        ws.run(&["apply", "base", "--yes"]).exits(0);
        ws.copy("tests/program/feeds", "feeds");
        let arguments = [
            "import",
            "feeds/sap-kna1.csv",
            "--preset",
            "sap-kna1-csv",
            "--yes",
        ];
        let ran = ws.run(&arguments).exits(1);
        let plan = &ran.plans()[0];
        let found = plan["diagnostics"].as_array().expect("findings").iter();
        let found: BTreeSet<(u64, &str)> = found
            .filter_map(|found| Some((found["origin"]["line"].as_u64()?, found["code"].as_str()?)))
            .collect();
        for expected in [
            (4, "account-without-user"),
            (6, "zip-format"),
            (7, "vat-format"),
            (9, "vat-country"),
            (12, "id-zeros"),
            (13, "scientific-notation"),
            (3, "address-link-and-update"),
            (17, "address-conflict"),
            (18, "reference"),
            (20, "header-repeated"),
            (22, "row-conflict"),
            (23, "row-width"),
            (25, "replacement-character"),
            (26, "country"),
            (27, "required"),
            (28, "row-conflict"),
            (29, "mojibake"),
        ] {
            assert!(found.contains(&expected), "{expected:?}: {found:?}");
        }
        // What is right is stored, whatever is wrong beside it.
        let name = |id: &str| {
            ws.value(&format!(
                "SELECT name FROM accounts WHERE external_id = '{id}'"
            ))
        };
        assert_eq!(name("0010927790").as_deref(), Some("Hôtel du Marais SARL"));
        assert_eq!(name("0010927816").as_deref(), Some("=HYPERLINK Tools"));
        let of = |column: &str, id: &str| {
            ws.value(&format!(
                "SELECT {column} FROM addresses WHERE external_id = '{id}'"
            ))
        };
        assert_eq!(
            of("street", "0000900120").as_deref(),
            Some("Ostra-Allee 9; Hinterhaus")
        );
        assert_eq!(of("zip_code", "0000900130").as_deref(), Some("9000"));
        assert_eq!(of("country", "0000900140").as_deref(), Some("GR"));
        assert_eq!(of("country", "0000900150").as_deref(), Some("GB"));
        assert_eq!(of("country", "0000900160").as_deref(), Some("SE"));
        let vat = ws.value("SELECT vat_number FROM accounts WHERE external_id = '0010927801'");
        assert_eq!(vat.as_deref(), Some("BE0412345678"));
        let inactive = column(
            &ws,
            "SELECT external_id FROM accounts WHERE status = 'inactive' ORDER BY 1",
        );
        assert_eq!(
            inactive,
            ["0010927781", "0010927806", "0010927808", "0010927809"]
        );
        // Neither what is held nor its addresses.
        for id in [
            "10927806",
            "0010927812",
            "0010927814",
            "0010927815",
            "0010927819",
        ] {
            let stored = ws.column(&format!(
                "SELECT 1 FROM accounts WHERE external_id = '{id}'"
            ));
            assert!(stored.is_empty(), "{id}");
        }
        let orphans = "SELECT external_id FROM addresses a WHERE NOT EXISTS \
                       (SELECT 1 FROM account_addresses l WHERE l.address_id = a.external_id)";
        assert_eq!(column(&ws, orphans), Vec::<String>::new());
        let again = ws.run(&arguments).exits(1);
        assert_eq!(again.steps(), Vec::<String>::new());
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn an_export_cut_short_touches_nobody() {
    for ws in each("cut") {
        ws.copy("tests/program/feeds", "feeds");
        ws.write("base/base.yaml", "tags: [{externalId: premium, name: P}, {externalId: hotel, name: H}, {externalId: public, name: O}]\n");
        ws.run(&["apply", "base", "--yes"]).exits(0);
        let whole = std::fs::read(ws.path("feeds/sap-kna1.csv")).expect("the sample");
        let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
        let cut = lines[..20].concat();
        let told = [&lines[..20].concat()[..], b"#EOF;27\r\n"].concat();
        for bytes in [&cut[..], &told, &cut[..cut.len() - 60]] {
            ws.write("cut.csv", bytes);
            let ran = ws.run(&["import", "cut.csv", "--preset", "sap-kna1-csv", "--yes"]);
            assert!([1, 3].contains(&ran.code.unwrap_or_default()), "{ran}");
            assert_eq!(ran.steps(), Vec::<String>::new());
            let plan = &ran.plans()[0];
            let held = plan["held"].as_array().expect("holds");
            assert!(
                held.iter().any(|held| held["code"] == "feed-truncated"),
                "{plan}"
            );
            assert_eq!(
                ws.value("SELECT count(*) FROM accounts").as_deref(),
                Some("0")
            );
        }
    }
}

#[test]
fn blanks_keep_standard_fields_and_clear_custom_ones_in_csv_and_json() {
    for ws in each("blanks") {
        begin(&ws);
        let first = account(
            "a-1",
            "d-1",
            &[
                ("Account Website", "https://acme.example"),
                ("customField_credit-class", "A"),
            ],
        );
        import(&ws, "a.csv", file(&[first]), &[]).exits(0);
        settles(&ws, "a.csv");
        let blank = file(&[account("a-1", "d-1", &[])]);
        let ran = import(&ws, "b.csv", blank, &[]).exits(0);
        assert_eq!(
            ran.changes(),
            ["update Account/a-1: customFields.credit-class"]
        );
        settles(&ws, "b.csv");
        let again = json!([{"accountExternalId": "a-1", "customField_credit-class": "B", "accountWebsite": null}]);
        import(&ws, "c.json", again.to_string(), &[]).exits(0);
        // An absent key keeps, a blank one clears.
        let absent = json!([{"accountExternalId": "a-1", "accountName": "Acme"}]);
        assert_eq!(
            import(&ws, "d.json", absent.to_string(), &[])
                .exits(0)
                .steps(),
            Vec::<String>::new()
        );
        let cleared = json!([{"accountExternalId": "a-1", "customField_credit-class": ""}]);
        let ran = import(&ws, "e.json", cleared.to_string(), &[]).exits(0);
        assert_eq!(
            ran.changes(),
            ["update Account/a-1: customFields.credit-class"]
        );
        let site = ws.value("SELECT website FROM accounts");
        assert_eq!(site.as_deref(), Some("https://acme.example"));
    }
}

#[test]
fn the_rows_of_an_account_are_one_account_and_only_unlink_takes_an_address() {
    for ws in each("rows") {
        begin(&ws);
        let three = ["d-1", "d-2", "d-3"].map(|address| account("a-1", address, &[]));
        let other = account("a-2", "d-9", &[]);
        // Not next to each other.
        let rows = [three[0].clone(), other, three[1].clone(), three[2].clone()];
        import(&ws, "a.csv", file(&rows), &[]).exits(0);
        let links = || {
            column(
                &ws,
                "SELECT address_id FROM account_addresses WHERE account_id = 'a-1' ORDER BY 1",
            )
        };
        assert_eq!(links(), ["d-1", "d-2", "d-3"]);
        let ran = import(&ws, "b.csv", file(&[three[1].clone()]), &[]).exits(0);
        assert_eq!((ran.steps(), links().len()), (Vec::new(), 3));
        let gone = account("a-1", "d-2", &[("Unlink Address From Account", "TRUE")]);
        import(&ws, "c.csv", file(&[gone]), &[]).exits(0);
        assert_eq!(links(), ["d-1", "d-3"]);
        settles(&ws, "c.csv");
        let differs = account("a-1", "d-3", &[("Account Name", "Acme Ltd")]);
        let ran = import(&ws, "d.csv", file(&[three[0].clone(), differs]), &[]).exits(1);
        assert!(codes(&ran).contains("row-conflict"), "{ran}");
        assert_eq!(
            ws.value("SELECT name FROM accounts WHERE external_id = 'a-1'")
                .as_deref(),
            Some("Acme")
        );
    }
}

/// A mistyped id in an unlink row must not look as if the address were gone now.
#[test]
fn an_unlink_of_what_is_not_linked_or_not_there_is_said() {
    for ws in each("unlink") {
        begin(&ws);
        let rows = [account("a-1", "d-1", &[]), account("a-2", "d-9", &[])];
        import(&ws, "a.csv", file(&rows), &[]).exits(0);
        for (of, address, told) in [
            (
                "a-1",
                "d-9",
                "Address/d-9 is not linked to Account/a-1: nothing to unlink",
            ),
            (
                "a-1",
                "d-77",
                "Address/d-77 is not linked to Account/a-1: nothing to unlink",
            ),
            (
                "nobody",
                "d-1",
                "Account/nobody does not exist: nothing to deactivate, delete or unlink",
            ),
        ] {
            let record = json!([{"accountExternalId": of, "addressExternalId": address, "unlinkAddress": true}]);
            let ran = import(&ws, "b.json", record.to_string(), &[]).exits(0);
            assert!(ran.codes("warning").contains("not-found"), "{ran}");
            assert!(ran.stdout.contains(told), "{told}: {ran}");
            assert_eq!((ran.steps(), ran.held()), (Vec::new(), Vec::new()), "{ran}");
        }
        assert_eq!(
            column(&ws, "SELECT external_id FROM accounts ORDER BY 1"),
            ["a-1", "a-2"]
        );
    }
}

#[test]
fn nested_and_flat_json_say_the_same() {
    for ws in each("json") {
        begin(&ws);
        let head = json!({"accountName": "Acme", "accountExternalId": "a-1", "accountManagerName": "Eva", "accountWebsite": "https://acme.example",
            "companyRegistrationName": "Acme AB", "businessRegistrationNumber": "556012-3456", "customerTagExternalId": "premium",
            "accountVatNumber": "SE556012345601", "deleted": false, "inactive": false});
        let address = json!({"addressExternalId": "d-1", "addressFullName": "Acme AB", "addressCountry": "Sweden", "addressCity": "Åre",
            "addressZipCode": "837 52", "addressStreetName": "Torget 1", "addressLabel": "Main", "addressAdditionalStreetName": "",
            "addressPhoneNumber": "063-12 34 56", "unlinkAddress": false, "shippingAddress": true, "billingAddress": "false"});
        let with = |more: &[(&str, Value)]| {
            let mut object = head.clone();
            for (name, value) in more {
                object[*name] = value.clone();
            }
            object
        };
        let nested = json!([with(&[("address", json!([address]))])]);
        import(&ws, "nested.json", nested.to_string(), &[]).exits(0);
        let flat: Vec<(&str, Value)> = address
            .as_object()
            .expect("one")
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        let ran = import(&ws, "flat.json", json!([with(&flat)]).to_string(), &[]).exits(0);
        assert_eq!(ran.steps(), Vec::<String>::new());
        let link =
            ws.value("SELECT count(*) FROM account_addresses WHERE shipping AND NOT billing");
        assert_eq!(link.as_deref(), Some("1"), "{}", ws.engine);
        let mut mixed = flat.clone();
        mixed.push(("address", json!([address])));
        let ran = import(&ws, "mixed.json", json!([with(&mixed)]).to_string(), &[]).exits(1);
        assert!(codes(&ran).contains("json-mixed"), "{ran}");
        let empty = json!([with(&[("address", json!([]))])]);
        assert_eq!(
            import(&ws, "empty.json", empty.to_string(), &[])
                .exits(0)
                .steps(),
            Vec::<String>::new()
        );
        let object = import(&ws, "object.json", head.to_string(), &[]);
        assert!(codes(&object).contains("json-not-list"), "{object}");
    }
}

#[test]
fn an_export_brings_nobody_back_whom_somebody_switched_off() {
    for ws in each("back") {
        begin(&ws);
        let active = file(&[account("a-1", "d-1", &[("Inactive", "FALSE")])]);
        import(&ws, "a.csv", &active, &[]).exits(0);
        ws.sql("UPDATE accounts SET status = 'inactive'");
        let ran = import(&ws, "b.csv", &active, &[]).exits(3);
        let held = ran.plans()[0]["held"].clone();
        assert_eq!(held[0]["code"], "reactivation", "{ran}");
        assert_eq!(
            ws.value("SELECT status FROM accounts").as_deref(),
            Some("inactive")
        );
        // A blank says nothing, and its own word may be taken back.
        let blank = file(&[account("a-1", "d-1", &[])]);
        assert_eq!(
            import(&ws, "c.csv", blank, &[]).exits(0).steps(),
            Vec::<String>::new()
        );
    }
}

#[test]
fn a_source_that_exports_begins_when_it_is_let_and_forgets_after_three_times() {
    for ws in each("absent") {
        begin(&ws);
        let config = |complete: &str| {
            format!(
                "apiVersion: roster/v1\nsources:\n  - {{name: directory, directory: base}}\n  - name: erp\n    export: {{file: erp.csv, preset: djust-accounts}}\n    absence: {{after: 3, action: deactivate}}\n    complete: {{{complete}}}\n"
            )
        };
        ws.write("roster.yaml", config("shrink: 60%"));
        let rows: Vec<String> = (1..=8)
            .map(|n| account(&format!("a-{n}"), &format!("d-{n}"), &[]))
            .collect();
        ws.write("erp.csv", file(&rows));
        let apply = || ws.run(&["apply", "--source", "erp", "--yes"]);
        let ran = apply().exits(0);
        assert!(ran.stderr.contains("roster approve source erp"), "{ran}");
        assert_eq!(
            ws.value("SELECT count(*) FROM accounts").as_deref(),
            Some("0")
        );
        ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
            .exits(0);
        apply().exits(0);
        assert_eq!(
            ws.value("SELECT count(*) FROM accounts").as_deref(),
            Some("8")
        );
        let active = || ws.value("SELECT count(*) FROM accounts WHERE status = 'active'");
        // One is missing: the same bytes again are no new observation.
        for round in 1..=3 {
            let name = format!("Acme {round}");
            let mut left = rows[..7].to_vec();
            left[0] = account("a-1", "d-1", &[("Account Name", &name)]);
            ws.write("erp.csv", file(&left));
            apply().exits(0);
            assert_eq!(apply().exits(0).steps(), Vec::<String>::new());
            let expected = if round < 3 { "8" } else { "7" };
            assert_eq!(active().as_deref(), Some(expected), "round {round}");
        }
        // Far fewer rows than usual are not believed.
        ws.write("erp.csv", file(&rows[..2]));
        let ran = apply().exits(3);
        assert_eq!(active().as_deref(), Some("7"));
        assert_eq!(ran.plans()[0]["held"][0]["code"], "feed-shrunk", "{ran}");
    }
}

#[test]
fn a_row_that_cannot_be_read_shields_what_it_names() {
    for ws in each("shield") {
        begin(&ws);
        ws.write("roster.yaml", "apiVersion: roster/v1\nsources:\n  - {name: directory, directory: base}\n  - name: erp\n    export: {file: erp.csv, preset: djust-accounts}\n    absence: {after: 1, action: deactivate}\n    complete: {shrink: 90%}\n");
        let rows: Vec<String> = (1..=20)
            .map(|n| account(&format!("a-{n}"), &format!("d-{n}"), &[]))
            .collect();
        ws.write("erp.csv", file(&rows));
        ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
            .exits(0);
        ws.run(&["apply", "--source", "erp", "--yes"]).exits(0);
        let mut worse = rows.clone();
        worse[3] += ";one cell too many";
        worse.remove(7);
        ws.write("erp.csv", file(&worse));
        let ran = ws.run(&["apply", "--source", "erp", "--yes"]).exits(1);
        assert_eq!(ran.steps(), ["deactivate Account/a-8"], "{ran}");
        // A row whose id is lost could be anybody's.
        let mut lost = rows.clone();
        lost[4] = account("", "d-5", &[]);
        lost.remove(9);
        ws.write("erp.csv", file(&lost));
        let ran = ws.run(&["apply", "--source", "erp", "--yes"]).exits(1);
        assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
        assert!(codes(&ran).contains("removals-off"), "{ran}");
    }
}

#[test]
fn a_drop_folder_is_worked_off_and_what_is_wrong_goes_back_with_its_rows() {
    for ws in each("drop") {
        begin(&ws);
        ws.write("roster.yaml", "apiVersion: roster/v1\nsources:\n  - {name: directory, directory: base}\n  - name: erp\n    export: {drop: in, done: .done, preset: djust-accounts}\n");
        let put = |name: &str, text: String| {
            ws.write(&format!("in/{name}"), text);
            ws.write(&format!("in/{name}.done"), "");
        };
        put(
            "one.csv",
            file(&[
                account("a-1", "d-1", &[]),
                account("a-2", "d-2", &[("Address Country", "QQ")]),
            ]),
        );
        ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
            .exits(0);
        ws.run(&["apply", "--source", "erp", "--yes"]).exits(1);
        assert_eq!(column(&ws, "SELECT external_id FROM accounts"), ["a-1"]);
        let names = |folder: &str| {
            let found = std::fs::read_dir(ws.path(folder)).expect("a folder");
            let mut names: Vec<_> = found
                .map(|entry| {
                    entry
                        .expect("one")
                        .file_name()
                        .into_string()
                        .expect("a name")
                })
                .collect();
            names.sort();
            names
        };
        let accepted = names("in/accepted");
        assert!(
            accepted.iter().any(|name| name.ends_with("one.csv")),
            "{accepted:?}"
        );
        let report = accepted
            .iter()
            .find(|name| name.ends_with("report.csv"))
            .expect("a report");
        let report =
            std::fs::read_to_string(ws.path(&format!("in/accepted/{report}"))).expect("text");
        assert!(
            report.contains("country") && report.contains("QQ") && report.contains("F-E-012"),
            "{report}"
        );
        put("two.csv", "<!doctype html><title>Log in</title>".to_owned());
        let ran = ws.run(&["apply", "--source", "erp", "--yes"]);
        assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
        assert_eq!(column(&ws, "SELECT external_id FROM accounts"), ["a-1"]);
    }
}

#[test]
fn a_part_that_is_imported_by_hand_takes_nobody_away() {
    for ws in each("part") {
        begin(&ws);
        ws.write("roster.yaml", "apiVersion: roster/v1\nsources:\n  - {name: directory, directory: base}\n  - name: erp\n    export: {file: erp.csv, preset: djust-accounts}\n    prune: deactivate\n    absence: {after: 1, action: deactivate}\n");
        let rows: Vec<String> = (1..=4)
            .map(|n| account(&format!("a-{n}"), &format!("d-{n}"), &[]))
            .collect();
        ws.write("erp.csv", file(&rows));
        ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
            .exits(0);
        ws.run(&["apply", "--source", "erp", "--yes"]).exits(0);
        ws.write("part.csv", file(&rows[..1]));
        let ran = ws
            .run(&["import", "part.csv", "--source", "erp", "--yes"])
            .exits(0);
        assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
        // Nor does an export of which it is not said when.
        ws.write("roster.yaml", "apiVersion: roster/v1\nsources:\n  - {name: directory, directory: base}\n  - name: erp\n    export: {file: part.csv, preset: djust-accounts}\n    prune: deactivate\n    complete: {shrink: 100%}\n");
        let ran = ws.run(&["apply", "--source", "erp", "--yes"]).exits(0);
        assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
        let active = ws.value("SELECT count(*) FROM accounts WHERE status = 'active'");
        assert_eq!(active.as_deref(), Some("4"));
    }
}

//! Columns: what an export says twice, of nothing, or no longer.

use super::{account, begin, codes, column, file, import, settles};
use crate::support::workspace::{Ran, Workspace, each, sqlite, user};

const CONFIG: &str = "apiVersion: roster/v1\nsources:\n  - {name: directory, directory: base}\n  \
    - name: erp\n    export: {file: erp.csv, preset: djust-accounts}\n    complete: {shrink: 90%}\n";

/// Ten accounts, with a name and a class each.
fn ten(name: impl Fn(u32) -> String, class: impl Fn(u32) -> String) -> Vec<String> {
    let account = |n: u32| {
        let cells = [
            ("Account Name", &*name(n)),
            ("customField_credit-class", &*class(n)),
        ];
        account(&format!("a-{n}"), &format!("d-{n}"), &cells)
    };
    (1..=10).map(account).collect()
}

fn apply(ws: &Workspace) -> Ran {
    ws.run(&["apply", "--source", "erp", "--yes"])
}

/// A source that has begun, with ten accounts of class A.
fn begun(ws: &Workspace) {
    begin(ws);
    ws.write("roster.yaml", CONFIG);
    ws.write("erp.csv", file(&ten(|_| "Acme".into(), |_| "A".into())));
    ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
        .exits(0);
    apply(ws).exits(0);
}

#[test]
fn a_column_that_is_suddenly_blank_stops_alone() {
    for ws in each("blank") {
        begun(&ws);
        let classes = || {
            let query = "SELECT count(*) FROM accounts WHERE custom_fields LIKE '%credit-class%'";
            ws.value(&match ws.engine {
                "postgres" => query.replace("custom_fields", "custom_fields::text"),
                _ => query.to_owned(),
            })
        };
        let blank = |n: u32| if n <= 4 { String::new() } else { "A".into() };
        let other = |n: u32| if n == 5 { "B".into() } else { blank(n) };
        ws.write("erp.csv", file(&ten(|n| format!("Acme {n}"), other)));
        let ran = apply(&ws).exits(3);
        assert_eq!(ran.steps().len(), 10, "{ran}");
        let held = ran.plans()[0]["held"].as_array().expect("holds").clone();
        assert!(
            held.iter().all(|held| held["code"] == "column-blank"),
            "{ran}"
        );
        // The four that would be cleared, and the one that has another class.
        assert_eq!(held.len(), 5, "{ran}");
        assert!(
            held[0]["message"]
                .as_str()
                .is_some_and(|told| told.contains("customField_credit-class")),
            "{ran}"
        );
        assert_eq!(classes().as_deref(), Some("10"));
        // The same bytes again, and another export that is like it, wait as well.
        let again = apply(&ws).exits(3);
        assert_eq!(again.steps(), Vec::<String>::new(), "{again}");
        ws.write("erp.csv", file(&ten(|n| format!("Acme AB {n}"), other)));
        assert_eq!(apply(&ws).exits(3).steps().len(), 10);
        assert_eq!(classes().as_deref(), Some("10"));
        let hold = apply(&ws).exits(3).plans()[0]["held"][0]["hold"].clone();
        let hold = hold.as_str().expect("an id");
        ws.run(&["approve", "hold", hold, "--reason", "they are gone"])
            .exits(0);
        let ran = apply(&ws).exits(0);
        assert_eq!(ran.steps().len(), 5, "{ran}");
        assert_eq!(classes().as_deref(), Some("6"));
        assert_eq!(apply(&ws).exits(0).steps(), Vec::<String>::new());
        // From then on that is how it is.
        ws.write("erp.csv", file(&ten(|n| format!("Acme Ltd {n}"), other)));
        let ran = apply(&ws).exits(0);
        assert_eq!(
            (
                ran.steps().len(),
                ran.plans()[0]["held"].as_array().map(Vec::len)
            ),
            (10, Some(0)),
            "{ran}"
        );
    }
}

#[test]
fn a_column_that_was_there_the_last_time_is_missed() {
    for ws in each("gone") {
        begun(&ws);
        let whole = file(&ten(|_| "Acme AB".into(), |_| "A".into()));
        let cells = |line: &str| {
            let mut cells: Vec<String> = line.split(';').map(str::to_owned).collect();
            cells.remove(4);
            cells.join(";")
        };
        let without: Vec<String> = whole.lines().map(cells).collect();
        ws.write("erp.csv", without.join("\n"));
        let ran = apply(&ws).exits(3);
        let held = ran.plans()[0]["held"][0].clone();
        assert_eq!(held["code"], "feed-shrunk", "{ran}");
        assert!(
            held["message"]
                .as_str()
                .is_some_and(|told| told.contains("Account Website")),
            "{ran}"
        );
        assert_eq!(ran.steps(), Vec::<String>::new());
        ws.write("erp.csv", whole);
        assert_eq!(apply(&ws).exits(0).steps().len(), 10);
    }
}

#[test]
fn what_a_row_says_twice_or_of_nothing_is_told() {
    for ws in each("twice") {
        begin(&ws);
        import(&ws, "a.csv", file(&[account("a-1", "d-1", &[])]), &[]).exits(0);
        let both = [("Inactive", "TRUE"), ("Deleted", "TRUE")];
        let both = file(&[account("a-1", "d-1", &both)]);
        let ran = import(&ws, "b.csv", both, &[]).exits(3);
        assert!(codes(&ran).contains("flags-both"), "{ran}");
        assert_eq!(ran.plans()[0]["held"][0]["code"], "deletes-not-allowed");
        let tags = file(&[account(
            "a-1",
            "d-1",
            &[("Customer Tag External Id", "premium||")],
        )]);
        let ran = import(&ws, "c.csv", tags, &[]).exits(0);
        assert!(codes(&ran).contains("list-empty-item"), "{ran}");
        assert_eq!(column(&ws, "SELECT tag_id FROM account_tags"), ["premium"]);
        settles(&ws, "c.csv");
    }
}

#[test]
fn a_required_custom_field_that_no_column_fills_is_said_once_more() {
    for ws in each("unmapped") {
        begin(&ws);
        ws.write("base/more.yaml", "customFields: [{externalId: region, appliesTo: account, name: Region, type: text, required: true}]\n");
        ws.run(&["apply", "base", "--yes"]).exits(0);
        let ran = import(&ws, "a.csv", file(&[account("a-1", "d-1", &[])]), &[]).exits(1);
        assert!(codes(&ran).contains("map-required-custom-field"), "{ran}");
        assert_eq!(ran.steps(), Vec::<String>::new());
        // Of what only updates or takes away nothing is required.
        let flag = "Account External Id;Inactive\na-1;TRUE\n";
        let ran = import(&ws, "b.csv", flag, &[]).exits(0);
        assert!(!codes(&ran).contains("map-required-custom-field"), "{ran}");
        assert!(codes(&ran).contains("not-found"), "{ran}");
    }
}

/// `Deleted = TRUE` deletes what belongs to the account, as from a manifest.
#[test]
fn an_account_that_an_export_deletes_takes_what_belongs_to_it() {
    for ws in each("deleted") {
        begun(&ws);
        let people = user("u-1", "a-1", "organisations: [north]")
            + &user("u-2", "a-1", "accounts: [a-1, a-2]")
            + "---\nkind: Organisation\nexternalId: north\nname: North\naccount: a-1\n";
        ws.write("people/all.yaml", people);
        let more = "  - {name: people, directory: people}\n";
        ws.write("roster.yaml", CONFIG.to_owned() + more);
        ws.run(&["apply", "--source", "people", "--yes"]).exits(0);
        let mut rows = ten(|_| "Acme".into(), |_| "A".into());
        rows[0] = account("a-1", "d-1", &[("Deleted", "TRUE")]);
        ws.write("erp.csv", file(&rows));
        let ran = apply(&ws).exits(3);
        assert_eq!(ran.held(), ["deletes-not-allowed Account/a-1"], "{ran}");
        let held = &ran.plans()[0]["held"][0];
        let consequences = held["consequences"].as_array().expect("a list");
        let consequences = consequences.iter().map(|it| {
            let [verb, id] = ["verb", "externalId"].map(|name| it[name].as_str().expect("a text"));
            format!("{verb} {id}")
        });
        let consequences: Vec<String> = consequences.collect();
        let expected = ["delete north", "deactivate u-1", "update u-2"];
        assert_eq!(consequences, expected, "{ran}");
        let left = "SELECT external_id || ' ' || status FROM users ORDER BY 1";
        assert_eq!(column(&ws, left), ["u-1 active", "u-2 active"]);
        ws.approve(&ran.hold("deletes-not-allowed"));
        apply(&ws).exits(0);
        assert_eq!(column(&ws, left), ["u-1 inactive", "u-2 active"]);
        let accounts = "SELECT count(*) FROM accounts WHERE external_id = 'a-1'";
        assert_eq!(column(&ws, accounts), ["0"]);
        let links = "SELECT user_id || ' ' || account_id FROM user_accounts";
        assert_eq!(column(&ws, links), ["u-2 a-2"]);
        assert_eq!(apply(&ws).exits(0).steps(), Vec::<String>::new());
    }
}

/// A row for `vendre-customers`.
fn vendre(id: &str, email: &str) -> String {
    format!(
        "{id}\tFirma {id}\t556012-3456\tKarin\tEk\t{email}\t+4663123456\tKöpmangatan 12\t831 30\tÖstersund\tSWE\t1\n"
    )
}

#[test]
fn a_blank_cell_takes_nobodys_login_away() {
    const HEADER: &str = "external_id\tcompany\tidentification_number\tfirst_name\tlast_name\temail_address\t\
                          telephone\tstreet_address\tzip_code\tcity\tcountry\tstatus\n";
    for ws in each("blank-email") {
        ws.write(
            "base/settings.yaml",
            "settings: [{externalId: settings, optionalFields: [User.civility]}]\n",
        );
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources:\n  - {name: directory, directory: base}\n  - name: shop\n    export: {file: shop.csv, preset: vendre-customers}\n    \
             complete: {shrink: 90%}\n    absence: {after: 1, action: deactivate}\n",
        );
        let night = |emails: &[&str]| {
            let rows = (1..)
                .zip(emails)
                .map(|(n, email)| vendre(&format!("c-{n}"), email));
            ws.write("shop.csv", HEADER.to_owned() + &rows.collect::<String>());
            ws.run(&["apply", "--yes"])
        };
        let mut emails: Vec<String> = (1..=9).map(|n| format!("a{n}@firma.example")).collect();
        let all = |emails: &[String]| night(&emails.iter().map(String::as_str).collect::<Vec<_>>());
        all(&emails);
        ws.run(&["approve", "source", "shop", "--reason", "looked at it"])
            .exits(0);
        all(&emails).exits(0);
        let active = |ws: &Workspace| {
            column(
                ws,
                "SELECT external_id FROM users WHERE status = 'active' ORDER BY external_id",
            )
        };
        assert_eq!(active(&ws).len(), 9);
        emails[2].clear();
        for night in 0..3 {
            emails[4] = format!("night{night}@firma.example");
            let ran = all(&emails);
            assert_eq!(ran.steps(), ["update User/c-5"], "{ran}");
        }
        assert_eq!(active(&ws).len(), 9);
        let kept = "SELECT email FROM users WHERE external_id = 'c-3'";
        assert_eq!(ws.value(kept).as_deref(), Some("a3@firma.example"));
        // A row that is gone is another matter.
        let ran = all(&emails[..8]);
        assert_eq!(
            ran.steps(),
            ["deactivate User/c-9", "deactivate Account/c-9"],
            "{ran}"
        );
        assert_eq!(all(&emails[..8]).steps(), Vec::<String>::new());
    }
}

/// A mapping may change the case of a cell. A message shows the cell as it is in the export.
#[test]
fn a_word_that_is_refused_is_shown_as_the_export_has_it() {
    let ws = sqlite();
    begin(&ws);
    let mapping = "apiVersion: roster/v1\nname: people\nusers:\n  externalId: id\n  fields:\n    civility: {column: civility, upper: true}\n    firstName: id\n    lastName: id\n    email: mail\n    phone: {constant: '+4663123456'}\n    groups: {constant: FOC_User}\n    accounts: {column: account, list: replace}\n    accounts.level: {column: level, upper: true}\n";
    ws.write("map.yaml", mapping);
    let rows = "id;civility;level;mail;account\nu-1; Herr ;user;u-1@x.example;a-1\nu-2;mrs;Boss;u-2@x.example;a-1\nu-3;mrs;User;u-3@x.example;a-1\n";
    ws.write("people.csv", rows);
    let ran = ws.run(&["import", "people.csv", "--mapping", "map.yaml", "--yes"]);
    let plans = ran.plans();
    assert_eq!(plans.len(), 1, "{ran}");
    let found = plans[0]["diagnostics"].as_array().expect("diagnostics");
    let wrong = found.iter().filter(|found| found["code"] == "enum");
    let wrong = wrong.map(|found| {
        let message = found["message"].as_str().expect("a message");
        format!("{} {message}", found["externalId"].as_str().expect("an id"))
    });
    let wrong: Vec<String> = wrong.collect();
    let expected = [
        "u-1 `Herr` is not one of MISS, MRS, MR",
        "u-2 `Boss` is not one of user, administrator",
    ];
    assert_eq!(wrong, expected, "{ran}");
}

//! What is stored, written as the exports that presets read: what is written reads as what is there.

use crate::support::workspace::{Workspace, each, sqlite};
use serde_json::Value;

/// A directory with whatever exports have words for, and some for which they have none.
const DIRECTORY: &str = r#"
tags: [{externalId: premium, name: Premium}, {externalId: hotel, name: Hotel}]
stores: [{externalId: nordic, name: Nordic}]
customFields:
  - {externalId: credit-class, appliesTo: account, name: Credit class, type: list, options: [A, B, C]}
  - {externalId: limit, appliesTo: account, name: Limit, type: number}
  - {externalId: note, appliesTo: account, name: Note, type: long-text}
  - {externalId: badge, appliesTo: user, name: Badge, type: text}
---
addresses:
  - {externalId: hub, fullName: Hub, street: Hubvägen 1, zipCode: 418 79, city: Göteborg, country: SE}
  - {externalId: alone, fullName: Nobody, street: Torget 9, zipCode: 418 79, city: Göteborg, country: SE}
---
accounts:
  - externalId: a-1
    name: Fjällbyggen
    companyRegistrationName: Fjällbyggen AB
    businessRegistrationNumber: 556012-3456
    vatNumber: SE556012345601
    website: https://fjallbyggen.example
    managerName: Eva Ek
    tags: [premium, hotel]
    customFields: {credit-class: [A, C], limit: 1250.5, note: "first line\nsecond, \"quoted\"; line"}
    addresses:
      - {externalId: d-1, fullName: Fjällbyggen AB, street: Köpmangatan 12, zipCode: 831 30, city: Östersund, country: SE, phone: "+46 (0)63 12 34 56", label: Main}
      - {externalId: d-2, fullName: "=HYPERLINK Tools", street: "@Årevägen 80", additionalStreet: "'00123", zipCode: 837 52, city: Åre, country: SE, billing: false}
      - {ref: hub, shipping: false}
  - externalId: a-2
    name: Hôtel du Marais
    companyRegistrationName: Hôtel du Marais
    businessRegistrationNumber: "0345678901"
    vatNumber: FR12345678901
    customerNumber: a-2
    addresses:
      - {externalId: a-2-main, fullName: Hôtel du Marais, street: 8 rue des Écouffes, zipCode: "75004", city: Paris, country: FR}
      - {externalId: a-2-delivery, fullName: Hôtel du Marais, street: 9 rue des Écouffes, zipCode: "75004", city: Paris, country: FR, billing: false}
  - externalId: a-3
    name: Altes Lager
    companyRegistrationName: Altes Lager
    businessRegistrationNumber: HRA 1177
    status: inactive
    addresses: [{ref: hub}]
---
organisations: [{externalId: o-1, name: Syd, account: a-1}]
users:
  - {externalId: u-1, civility: MRS, firstName: Karin, lastName: Åslund, email: karin@fjallbyggen.example, phone: "+4663123456",
     groups: [FOC_Admin, FOC_User], accounts: [{account: a-1, level: administrator}, a-2], organisations: [o-1], stores: [nordic], customFields: {badge: "007"}}
  - {externalId: u-2, civility: MR, firstName: Jean Luc, lastName: Noël, email: noel@marais.example, phone: "+33140000000", groups: [FOC_User], accounts: [a-2], status: inactive}
  - {externalId: u-3, civility: MR, firstName: Hans, lastName: Lager, email: hans@altes.example, phone: "+49351000000", groups: [FOC_User], accounts: [a-2]}
"#;

const PRESETS: [&str; 9] = [
    "bc-customer",
    "djust-accounts",
    "djust-users",
    "djust-users-legacy",
    "netsuite",
    "odoo-partner",
    "sage50-uk",
    "sap-kna1-csv",
    "vendre-customers",
];

fn begin(ws: &Workspace) {
    ws.tree(DIRECTORY);
    ws.run(&["apply", "manifests", "--yes"]).exits(0);
}

/// Writes an export and imports it again, which finds nothing to do.
#[track_caller]
fn round(ws: &Workspace, preset: &str, options: &[&str]) -> String {
    let arguments = ["export", "--preset", preset, "-o", "written", "--quiet"];
    ws.run(&[&arguments[..], options].concat()).exits(0);
    let read = ws.run(&["import", "written", "--preset", preset, "--yes"]);
    let text =
        String::from_utf8_lossy(&std::fs::read(ws.path("written")).expect("it")).into_owned();
    if text.is_empty() {
        // Nothing of it fits, and the preset has no header: nothing to read is an error.
        return text;
    }
    let plan = &read.plans()[0];
    let updates: Vec<String> = read.changes();
    // A source that names what is there for the first time adopts it, and changes nothing.
    let changes = plan["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter(|step| {
            step["changes"]
                .as_array()
                .is_some_and(|changes| !changes.is_empty())
        });
    assert_eq!(
        changes.count(),
        0,
        "{preset} {options:?} {updates:?}\n{text}\n{read}"
    );
    assert_eq!(read.held(), Vec::<String>::new(), "{preset}: {read}");
    assert_eq!(plan["errored"], Value::Bool(false), "{preset}: {read}");
    let again = ws
        .run(&["import", "written", "--preset", preset, "--yes"])
        .exits(0);
    assert_eq!(again.steps(), Vec::<String>::new(), "{preset}: {again}");
    text
}

#[test]
fn what_a_preset_writes_it_reads_as_what_is_stored() {
    for ws in each("written") {
        begin(&ws);
        for preset in PRESETS {
            round(&ws, preset, &[]);
        }
        for options in [&["--names"][..], &["--format", "json"]] {
            let text = round(&ws, "djust-accounts", options);
            assert!(text.contains("accountExternalId"), "{text}");
        }
        for preset in ["djust-users", "bc-customer", "netsuite"] {
            round(&ws, preset, &["--format", "json"]);
        }
    }
}

#[test]
fn what_cannot_be_written_is_said_once_a_field() {
    let ws = sqlite();
    begin(&ws);
    let ran = ws.run(&["export", "--preset", "djust-accounts"]).exits(0);
    assert!(
        ran.stdout.starts_with("Account External Id,Account Name,"),
        "{ran}"
    );
    let said: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(
        said,
        [
            "not written: Address/alone: it belongs to no account, so the export has no row for it",
            "not written: Account.customerNumber of a-2: the export has no column for it",
        ]
    );
    let ran = ws.run(&["export", "--preset", "djust-users"]).exits(0);
    assert!(ran.stderr.contains("User.accounts.level of u-1"), "{ran}");
    // A formula stays a text in a spreadsheet.
    let text = ws
        .run(&["export", "--preset", "djust-accounts", "-q"])
        .exits(0);
    assert!(
        text.stdout.contains(",'=HYPERLINK Tools,") && text.stderr.is_empty(),
        "{text}"
    );
}

#[test]
fn wrong_usage_of_written_exports_is_said() {
    let ws = sqlite();
    ws.write(
        "xlsx.yaml",
        "{apiVersion: roster/v1, name: x, format: xlsx, accounts: {externalId: ID}}",
    );
    for (arguments, said) in [
        (
            &["export", "--preset", "djust-acounts"][..],
            "did you mean `djust-accounts`?",
        ),
        (&["export", "--names"], "`--format` and `--names` need"),
        (&["export", "--mapping", "none.yaml"], "none.yaml"),
        (
            &["export", "--mapping", "xlsx.yaml"],
            "Roster writes only CSV and JSON",
        ),
        (
            &["export", "--preset", "sap-kna1-csv", "--format", "json"],
            "sap-kna1-csv is CSV",
        ),
        (
            &[
                "changes",
                "--preset",
                "djust-accounts",
                "--follow",
                "--output",
                "text",
            ],
            "leave out `--follow` and `--limit`",
        ),
        (&["changes", "-o", "x"], "`--out` needs"),
        (
            &["feed", "map", "x.csv", "--preset", "none"],
            "cannot read x.csv",
        ),
    ] {
        let ran = ws.run(arguments);
        assert!(
            ran.code.is_some_and(|code| code > 0) && ran.stderr.contains(said),
            "{ran}"
        );
    }
}

#[test]
fn what_changed_is_written_with_its_present_values() {
    for ws in each("changed") {
        begin(&ws);
        let changes = |after: &str, preset: &str| {
            let ran = ws
                .run(&["changes", "--preset", preset, "--after", after])
                .exits(0);
            let last = ran.stderr.lines().last().unwrap_or_default().to_owned();
            let seq = last
                .trim_start_matches("To continue, pass `--after ")
                .trim_end_matches("`.")
                .to_owned();
            (
                ran.stdout.lines().map(str::to_owned).collect::<Vec<_>>(),
                seq,
            )
        };
        let (all, seq) = changes("0", "djust-users");
        assert_eq!(all.len(), 4, "{all:?}");
        let (none, same) = changes(&seq, "djust-users");
        assert_eq!((none.len(), same), (1, seq.clone()));
        let next = DIRECTORY
            .replace(
                "  - {externalId: u-3,",
                "  - {externalId: u-3, status: inactive,",
            )
            .replace("phone: \"+33140000000\"", "phone: \"+33140000001\"")
            .replace("street: 8 rue des Écouffes", "street: 10 rue des Écouffes")
            .replace("      - {ref: hub, shipping: false}\n", "");
        assert_ne!(next, DIRECTORY);
        ws.tree(next);
        ws.run(&[
            "apply",
            "manifests",
            "--yes",
            "--accept",
            "User.deactivate=1",
        ])
        .exits(0);
        let (users, later) = changes(&seq, "djust-users");
        assert_eq!(users.len(), 3, "{users:?}");
        assert!(
            users[1].starts_with("u-2,") && users[1].contains("+33140000001"),
            "{users:?}"
        );
        assert!(
            users[2].starts_with("u-3,") && users[2].contains(",TRUE,"),
            "{users:?}"
        );
        assert_ne!(later, seq);
        let (accounts, _) = changes(&seq, "djust-accounts");
        // The rows of a-1 with the address it lost, those of a-2 whose address changed.
        let unlinked: Vec<&String> = accounts
            .iter()
            .filter(|row| row.starts_with("a-1,") && row.contains(",hub,"))
            .collect();
        assert_eq!(unlinked.len(), 1, "{accounts:?}");
        assert!(unlinked[0].contains(",TRUE,,,"), "{unlinked:?}");
        assert!(
            accounts
                .iter()
                .any(|row| row.starts_with("a-2,") && row.contains("10 rue")),
            "{accounts:?}"
        );
        assert!(
            !accounts.iter().any(|row| row.starts_with("a-3,")),
            "{accounts:?}"
        );
        // What reads it finds nothing to do.
        ws.run(&[
            "changes",
            "--preset",
            "djust-accounts",
            "--after",
            &seq,
            "-o",
            "changed.csv",
        ])
        .exits(0);
        let read = ws
            .run(&[
                "import",
                "changed.csv",
                "--preset",
                "djust-accounts",
                "--yes",
            ])
            .exits(0);
        assert!(
            read.changes()
                .iter()
                .all(|change| change.starts_with("adopt") && !change.contains(':')),
            "{read}"
        );
        let tree = std::fs::read_to_string(ws.path("manifests/all.yaml")).expect("it");
        ws.tree(
            format!("{tree}---\nkind: User\nexternalId: u-2\nstatus: deleted\n")
                .replace(
                    "  - {externalId: u-2, civility: MR, firstName: Jean Luc",
                    "  - {externalId: u-9, civility: MR, firstName: Jean Luc",
                )
                .replace("email: noel@marais", "email: other@marais"),
        );
        ws.run(&["apply", "manifests", "--yes", "--allow-delete"]);
        let (users, _) = changes(&later, "djust-users");
        let gone: Vec<&String> = users.iter().filter(|row| row.starts_with("u-2,")).collect();
        assert_eq!(
            gone,
            [",,,,,,,,,,,,TRUE,"]
                .map(|rest| format!("u-2{rest}"))
                .iter()
                .collect::<Vec<_>>(),
            "{users:?}"
        );
    }
}

/// What has to be there for the sample files.
const BASE: &str = "
settings: {firstUser: warn, optionalFields: [User.civility, User.phone, Account.addresses]}
tags: [{externalId: premium, name: P}, {externalId: hotel, name: H}]
stores: [{externalId: nordic, name: N}]
customFields: [{externalId: credit-class, appliesTo: account, name: Credit class, type: text}]
accounts:
  - {externalId: a-1, name: A, companyRegistrationName: A, businessRegistrationNumber: a,
     addresses: [{externalId: d-1, fullName: A, street: S, city: Åre, zipCode: 837 52, country: SE}]}
  - {externalId: a-2, name: A, companyRegistrationName: A, businessRegistrationNumber: b,
     addresses: [{externalId: d-2, fullName: A, street: S, city: Åre, zipCode: 837 52, country: SE}]}
organisations: [{externalId: fj-are, name: Åre, account: a-1}]
";

/// Every sample: its file, its preset, and what it comes to beside what was there: accounts, those of
/// them that are active, addresses, users.
const SAMPLES: [(&str, &str, [u32; 4]); 8] = [
    ("bc-customer.json", "bc-customer", [3, 2, 3, 0]),
    ("bc-customer.csv", "bc-customer", [2, 1, 2, 0]),
    ("odoo-partner.csv", "odoo-partner", [2, 1, 4, 1]),
    ("netsuite.csv", "netsuite", [2, 1, 2, 0]),
    ("sage50-uk.csv", "sage50-uk", [2, 2, 2, 0]),
    ("vendre-customers.txt", "vendre-customers", [2, 1, 3, 1]),
    ("djust-users.csv", "djust-users", [0, 0, 0, 2]),
    ("djust-users-legacy.csv", "djust-users-legacy", [0, 0, 0, 2]),
];

/// Every mapping of the examples with its file, and what it comes to.
const EXAMPLES: [(&str, &str, [u32; 4]); 10] = [
    ("adobe-b2b.json", "adobe-b2b", [2, 1, 2, 0]),
    ("bigcommerce-b2b.csv", "bigcommerce-b2b", [2, 1, 2, 1]),
    ("commercetools.json", "commercetools", [1, 1, 2, 0]),
    ("fortnox.csv", "fortnox", [2, 1, 3, 0]),
    ("oro-customers.csv", "oro-customers", [2, 2, 0, 0]),
    ("oro-users.csv", "oro-users", [0, 0, 0, 2]),
    ("sage-accounting.csv", "sage-accounting", [2, 2, 3, 0]),
    ("sap-commerce-impex.csv", "sap-commerce-impex", [2, 1, 0, 0]),
    ("sap-debmas.json", "sap-debmas", [2, 1, 2, 0]),
    ("shopify-matrixify.csv", "shopify-matrixify", [2, 2, 3, 0]),
];

/// A workspace with what the sample files refer to.
fn base() -> Workspace {
    let ws = sqlite();
    ws.copy("tests/program/feeds", "feeds")
        .copy("examples/mappings", "mappings");
    ws.write("base/base.yaml", BASE);
    ws.run(&["apply", "base", "--yes"]).exits(0);
    ws
}

#[track_caller]
fn comes_to(ws: &Workspace, name: &str, expected: [u32; 4]) {
    let before = [2, 2, 2, 0];
    let counts = [
        "accounts",
        "accounts WHERE status = 'active'",
        "addresses",
        "users",
    ];
    let found = counts.map(|table| {
        let count = ws
            .value(&format!("SELECT count(*) FROM {table}"))
            .unwrap_or_default();
        count.parse::<u32>().expect("a number")
    });
    let found: Vec<u32> = found
        .iter()
        .zip(before)
        .map(|(now, before)| now - before)
        .collect();
    assert_eq!(found, expected, "{name}");
}

#[test]
fn every_preset_reads_the_file_it_is_for_and_writes_it_again() {
    for (file, preset, expected) in SAMPLES {
        let ws = base();
        let file = format!("feeds/{file}");
        ws.run(&["import", &file, "--preset", preset, "--yes"])
            .exits(0);
        comes_to(&ws, &file, expected);
        let ran = ws
            .run(&["export", "--preset", preset, "-o", "again"])
            .exits(0);
        let again = ws
            .run(&["import", "again", "--preset", preset, "--yes"])
            .exits(0);
        let changes = again.changes();
        let adopted = |change: &String| change.starts_with("adopt ") && !change.contains(':');
        assert!(changes.iter().all(adopted), "{preset}: {ran}\n{again}");
        // What came from it goes into it.
        assert!(!ran.stderr.contains("Account/"), "{preset}: {ran}");
    }
}

#[test]
fn every_example_reads_the_file_beside_it() {
    for (file, mapping, expected) in EXAMPLES {
        let ws = base();
        if mapping == "oro-users" {
            let arguments = [
                "import",
                "mappings/oro-customers.csv",
                "--mapping",
                "mappings/oro-customers.yaml",
                "--yes",
            ];
            ws.run(&arguments).exits(0);
            ws.sql("UPDATE accounts SET external_id = external_id");
        }
        let file = format!("mappings/{file}");
        let mapping = format!("mappings/{mapping}.yaml");
        let arguments = ["import", &file, "--mapping", &mapping, "--yes"];
        let ran = ws.run(&arguments);
        assert_eq!(ran.code, Some(0), "{file}: {ran}");
        let mut expected = expected;
        if file.contains("oro-users") {
            expected[0] += 2;
            expected[1] += 2;
            let level = "SELECT level FROM user_accounts WHERE user_id = 'claire@atelier.example'";
            assert_eq!(ws.value(level).as_deref(), Some("administrator"));
        }
        comes_to(&ws, &file, expected);
        assert_eq!(
            ws.run(&arguments).exits(0).steps(),
            Vec::<String>::new(),
            "{file}"
        );
    }
}

#[test]
fn a_look_into_a_file_finds_its_preset_and_a_mapping_reads_it_like_it() {
    for (file, preset, expected) in SAMPLES {
        let ws = base();
        let file = format!("feeds/{file}");
        let ran = ws.run(&["feed", "inspect", &file]).exits(0);
        let seen: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let best = seen["presets"][0]["preset"].as_str().unwrap_or_default();
        // The two of DJUST differ in what TRUE means, which no file tells.
        assert_eq!(
            best.trim_end_matches("-legacy"),
            preset.trim_end_matches("-legacy"),
            "{ran}"
        );
        assert_eq!(seen["presets"][0]["fits"], Value::Bool(true), "{ran}");
        if preset.starts_with("djust-users") {
            // Which of the two it is, a person has to say.
            let ran = ws.run(&["feed", "map", &file, "-o", "mine.yaml"]).exits(64);
            assert!(ran.stderr.contains("pass `--preset djust-users`"), "{ran}");
        }
        ws.run(&["feed", "map", &file, "--preset", preset, "-o", "mine.yaml"])
            .exits(0);
        ws.run(&["import", &file, "--mapping", "mine.yaml", "--yes"])
            .exits(0);
        comes_to(&ws, &file, expected);
        let again = ws.run(&["feed", "map", &file, "--preset", preset, "-o", "mine.yaml"]);
        assert!(
            again.code == Some(1) && again.stderr.contains("cannot write mine.yaml"),
            "{again}"
        );
    }
}

#[test]
fn what_no_preset_knows_is_mapped_by_its_names() {
    for (file, _, _) in EXAMPLES {
        let ws = base();
        let file = format!("mappings/{file}");
        let guessed = ws.run(&["feed", "map", &file]).exits(0);
        ws.write("guessed.yaml", &guessed.stdout);
        let ran = ws.run(&["import", &file, "--mapping", "guessed.yaml", "--yes"]);
        // What is refused is a status whose values somebody has to explain.
        let asks = guessed.stdout.contains("set who is inactive");
        assert_eq!(ran.code == Some(64), asks, "{guessed}\n{ran}");
        assert!(!asks || ran.stderr.contains("polarity-unpinned"), "{ran}");
    }
    // German, French and Swedish names, and one nobody knows.
    let ws = base();
    ws.write("kunden.csv", "Kundennummer;Firma;Handelsregister;USt-IdNr.;Straße;PLZ;Ort;Land;Gesperrt;Bonität\n7;Maler König;HRB 1;DE123456789;Markt 1;01067;Dresden;DE;Nein;A\n");
    ws.write("clients.csv", "Code client,Raison sociale,SIRET,Adresse,Code postal,Ville,Pays,Téléphone\n8,Atelier Nord,81234567800012,2 rue Haute,69002,Lyon,France,+33 4 00 00 00 00\n");
    ws.write("kunder.csv", "Kundnr;Namn;Organisationsnummer;Adress;Postnr;Ort;Land;Telefon\n9;Fjällbyggen;556012-3456;Torget 1;831 30;Östersund;Sverige;063-12 34 56\n");
    for (name, id) in [("kunden", "7"), ("clients", "8"), ("kunder", "9")] {
        let (file, mapping) = (format!("{name}.csv"), format!("{name}.yaml"));
        ws.run(&["feed", "map", &file, "-o", &mapping]).exits(0);
        ws.run(&["import", &file, "--mapping", &mapping, "--yes"])
            .exits(0);
        let city = ws.value(&format!(
            "SELECT city FROM addresses WHERE external_id = '{id}-main'"
        ));
        assert!(city.is_some(), "{name}");
    }
    let text = std::fs::read_to_string(ws.path("kunden.yaml")).expect("it");
    assert!(
        text.contains("- \"Bonität\"") || text.contains("- Bonität"),
        "{text}"
    );
    assert!(
        text.contains("values: {true: inactive, false: active}"),
        "{text}"
    );
}

#[test]
fn a_look_into_the_guides_own_file_reads_its_blank_header() {
    let ws = base();
    let header = "externalId;civility;firstName;lastName;;phone;groups;accountIds;inactive;delete";
    let row = "x-1;MR;Ola;Ek;ola@roster.example;+4611;FOC_User;acme;;";
    ws.write("guide.csv", format!("{header}\n{row}\n"));
    let text = ["feed", "inspect", "guide.csv", "--output", "text"];
    let ran = ws.run(&text).exits(0);
    for shown in [
        "rows       1",
        "email",
        "djust-users ",
        "ola@roster.example",
    ] {
        assert!(ran.stdout.contains(shown), "{shown}: {ran}");
    }
    // It has no such option itself.
    assert!(!ran.stdout.contains("pass `--preset"), "{ran}");
    assert!(ran.stdout.contains("`roster import`"), "{ran}");
    let map = ["feed", "map", "guide.csv", "--preset", "djust-users"];
    ws.run(&[&map[..], &["-o", "mine.yaml"]].concat()).exits(0);
    // A file that no preset explains is as wrong as before.
    ws.write("other.csv", "a;;c\n1;2;3\n");
    let ran = ws.run(&["feed", "inspect", "other.csv"]).exits(1);
    assert!(ran.stdout.contains("header-blank"), "{ran}");
}

#[test]
fn what_is_no_data_is_said_and_nothing_is_guessed_of_it() {
    let ws = sqlite();
    ws.write("page.csv", "<!doctype html><title>Log in</title>");
    ws.copy("examples/mappings", "mappings");
    let ran = ws
        .run(&["feed", "inspect", "page.csv", "--output", "text"])
        .exits(1);
    assert!(
        ran.stdout.contains("the export is a web page") && !ran.stdout.contains("Presets"),
        "{ran}"
    );
    let ran = ws.run(&["feed", "map", "page.csv"]).exits(1);
    let why = "error: page.csv: the export is a web page";
    assert!(ran.stderr.starts_with(why), "{ran}");
    // What has the columns of a preset in another format is not for it.
    let ran = ws
        .run(&["feed", "map", "mappings/sap-debmas.json"])
        .exits(0);
    assert!(
        ran.stdout.contains("format: json\nrows: E1KNA1M\n"),
        "{ran}"
    );
}

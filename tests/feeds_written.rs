//! What is stored, written as the exports that presets read: what is written reads as what is there.

mod support;
mod workspace;

use serde_json::Value;
use workspace::{Ran, Workspace, each, sqlite};

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
    customerNumber: "10927790"
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

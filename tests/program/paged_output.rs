//! Exports and lists are read in pages. Where a page ends is not to be seen: every resource comes
//! once, in the order of the bytes of its id, on both engines.

use crate::support::workspace::{Workspace, each, sqlite};
use serde_json::Value;
use std::fmt::Write as _;

/// As many resources as a page of an export has, and as one of a list.
const PAGE: usize = 2_048;
const LIST_PAGE: usize = 1_000;

fn id(at: usize) -> String {
    format!("a-{at:05}")
}

/// The last account has the first address, so the addresses are in the reverse order. The first and
/// the last account share another address.
fn address_ids(at: usize, count: usize) -> Vec<String> {
    let own = format!("d-{:05}", 99_999 - at);
    let shared = (at == 0 || at == count - 1).then(|| "hub".to_owned());
    std::iter::once(own).chain(shared).collect()
}

fn accounts(count: usize) -> String {
    let mut tree = "settings: {firstUser: warn}
customFields: [{externalId: limit, appliesTo: account, name: Limit, type: text}]
addresses:
  - {externalId: hub, fullName: Hub, street: Hubvägen 1, zipCode: 418 79, city: Göteborg, country: SE}
  - {externalId: alone, fullName: Nobody, street: Torget 9, zipCode: 418 79, city: Göteborg, country: SE}
accounts:
"
    .to_owned();
    for at in 0..count {
        let (id, addresses) = (id(at), address_ids(at, count));
        let own = &addresses[0];
        let shared = addresses.get(1).map_or("", |_| ", {ref: hub}");
        // Only the last ones have a value.
        let limit = if at + 1 >= PAGE {
            "{limit: last}"
        } else {
            "{}"
        };
        let _ = writeln!(
            tree,
            "  - {{externalId: {id}, name: {id}, companyRegistrationName: N, businessRegistrationNumber: \"1\", \
             customFields: {limit}, addresses: [{{externalId: {own}, fullName: F, street: S, zipCode: Z, \
             city: C, country: SE}}{shared}]}}"
        );
    }
    tree
}

/// What the export of these accounts says: the ids of accounts with those of their addresses, and the
/// custom field.
fn expected(accounts: impl Iterator<Item = usize>, count: usize) -> Vec<String> {
    let rows = accounts.flat_map(|at| {
        let limit = if at + 1 >= PAGE { "last" } else { "" };
        let addresses = address_ids(at, count).into_iter();
        addresses.map(move |address| format!("{} {address} {limit}", id(at)))
    });
    rows.collect()
}

/// The same of a written CSV.
fn said(csv: &str) -> Vec<String> {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    let column = |name: &str| header.iter().position(|it| *it == name).expect(name);
    let columns = [
        "accountExternalId",
        "addressExternalId",
        "customField_limit",
    ];
    let columns = columns.map(column);
    let row = |cells: Vec<&str>| columns.map(|at| cells[at]).join(" ");
    lines.map(row).collect()
}

#[test]
fn pages_of_an_export_have_no_borders() {
    for ws in each("export pages") {
        // Exactly one page, and one more.
        for count in [PAGE, PAGE + 1] {
            ws.tree(accounts(count));
            ws.settle(&[]);
            let export = ["export", "--preset", "djust-accounts", "--names"];
            let ran = ws.run(&export).exits(0);
            let all = expected(0..count, count);
            assert!(said(&ran.stdout) == all, "{}: {count}", ws.engine);
            assert_eq!(
                ran.stderr,
                "not written: Address/alone: it belongs to no account, so the export has no row for it\n"
            );
            ws.run(&[&export[..], &["-o", "out.csv"]].concat()).exits(0);
            let file = std::fs::read_to_string(ws.path("out.csv")).expect("the file");
            assert!(file == ran.stdout, "{}: {count}", ws.engine);
        }
        // An address changes that accounts of both pages have.
        let seq = ws.value("SELECT CAST(max(seq) AS text) FROM changes");
        ws.tree(accounts(PAGE + 1).replace("Hubvägen 1", "Hubvägen 2"));
        ws.settle(&[]);
        let seq = seq.expect("a change");
        let changes = [
            "changes",
            "--preset",
            "djust-accounts",
            "--names",
            "--after",
        ];
        let ran = ws.run(&[&changes[..], &[&seq]].concat()).exits(0);
        let two = expected([0, PAGE].into_iter(), PAGE + 1);
        assert_eq!(said(&ran.stdout), two, "{}", ws.engine);
    }
}

#[test]
fn pages_are_in_the_order_of_bytes_on_both_engines() {
    let ids = ["10", "9", "B", "Z", "a-1", "a-10", "a-2", "a_1", "é", "ö"];
    let mut sorted = ids.map(str::to_owned);
    sorted.sort();
    assert_eq!(sorted, ids, "in the order of bytes");
    let mut written: Vec<Vec<String>> = Vec::new();
    for ws in each("order of pages") {
        let mut tree = "settings: {firstUser: warn}\naccounts:\n".to_owned();
        for id in ids.iter().rev() {
            let _ = writeln!(
                tree,
                "  - {{externalId: \"{id}\", name: N, companyRegistrationName: N, businessRegistrationNumber: \"1\", \
                 addresses: [{{externalId: \"d{id}\", fullName: F, street: S, zipCode: Z, city: C, country: SE}}]}}"
            );
        }
        ws.tree(tree);
        ws.settle(&[]);
        let mut texts = Vec::new();
        for format in ["csv", "json"] {
            let export = ["export", "--preset", "djust-accounts", "--format", format];
            texts.push(ws.run(&export).exits(0).stdout);
        }
        let rows = texts[0].lines().skip(1);
        let rows: Vec<&str> = rows.filter_map(|line| line.split(',').next()).collect();
        assert_eq!(rows, ids, "{}", ws.engine);
        let listed = ws.run(&["get", "accounts", "-o", "ndjson"]).exits(0).stdout;
        assert_eq!(external_ids(listed.lines()), ids, "{}", ws.engine);
        written.push(texts);
    }
    assert!(written.iter().all(|texts| *texts == written[0]));
}

fn external_ids<'t>(lines: impl Iterator<Item = &'t str>) -> Vec<String> {
    let id = |line: &str| {
        let item: Value = serde_json::from_str(line).expect("a document");
        item["externalId"].as_str().expect("an id").to_owned()
    };
    lines.map(id).collect()
}

/// Tags, of which the last one has the longest name.
fn tags(count: usize) -> String {
    let mut tree = "tags:\n".to_owned();
    for at in 0..count {
        let name = if at + 1 == count { "Last of all" } else { "T" };
        let _ = writeln!(tree, "  - {{externalId: {}, name: {name}}}", id(at));
    }
    tree
}

fn get(ws: &Workspace, what: &[&str]) -> String {
    ws.run(&[&["get", "tags"], what].concat()).exits(0).stdout
}

#[test]
fn pages_of_a_list_have_no_borders() {
    for ws in each("list pages") {
        for count in [LIST_PAGE, LIST_PAGE + 1] {
            ws.tree(tags(count));
            ws.settle(&[]);
            let all: Vec<String> = (0..count).map(id).collect();
            for filter in [&[][..], &["--source", "directory"]] {
                let form = |form: &'static str| get(&ws, &[filter, &["-o", form]].concat());
                let what = format!("{}: {count} {filter:?}", ws.engine);
                assert!(external_ids(form("ndjson").lines()) == all, "{what}");
                let document: Value = serde_json::from_str(&form("json")).expect("a document");
                let items = document["items"].as_array().expect("a list");
                let lines: Vec<String> = items.iter().map(Value::to_string).collect();
                assert!(
                    external_ids(lines.iter().map(String::as_str)) == all,
                    "{what}"
                );
                let yaml = form("yaml");
                assert_eq!(yaml.matches("externalId: ").count(), count, "{what}");
                assert_eq!(yaml.matches("\n---\n").count(), count - 1, "{what}");
                // The widths of the first line fit the last one.
                let mut table = String::from("ID       NAME         STATUS\n");
                for id in &all[..count - 1] {
                    let _ = writeln!(table, "{id}  T            active");
                }
                let _ = writeln!(table, "{}  Last of all  active", all[count - 1]);
                assert!(form("table") == table, "{what}: {}", &form("table")[..200]);
            }
        }
    }
}

#[test]
fn of_an_empty_kind_only_the_frame_is_written() {
    let ws = sqlite();
    ws.tree("tags: [{externalId: t, name: T}]");
    ws.settle(&[]);
    let users =
        |options: &[&str]| ws.run(&[&["export", "--preset", "djust-users"], options].concat());
    let csv = users(&["--names"]).exits(0).stdout;
    assert!(
        csv.starts_with("externalId,") && csv.lines().count() == 1,
        "{csv}"
    );
    assert_eq!(users(&["--format", "json"]).exits(0).stdout, "[\n]\n");
    let list = |form: &str| ws.run(&["get", "users", "-o", form]).exits(0).stdout;
    assert_eq!(list("json"), "{\"items\": []}\n");
    assert_eq!(list("ndjson"), "");
    assert_eq!(list("table"), "No User in the database.\n");
}

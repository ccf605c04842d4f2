use super::*;
use crate::model::{CompactText, LineColumn, Link};

const EXAMPLE: &str = r#"kind: Account
externalId: "0010927781"
name: Fjällbyggen
companyRegistrationName: Fjällbyggen AB
businessRegistrationNumber: 556012-3456
vatNumber: SE556012345601
customerNumber: "10927781"
tags: [premium]
addresses:
  - {externalId: "0000900101", fullName: Fjällbyggen AB, street: Köpmangatan 12, zipCode: 831 30, city: Östersund, country: SE}
  - {ref: hub-goteborg, billing: false}
customFields: {credit-class: A}
---
users:
  - externalId: u-10041
    civility: MRS
    firstName: Karin
    lastName: Åslund
    email: karin@fjallbyggen.example
    phone: "+4663123456"
    groups: [FOC_Admin]
    accounts: [{account: "0010927781", level: administrator}]
"#;

fn link(target: &str, attributes: [Option<u8>; 2]) -> Link {
    Link {
        target: target.into(),
        attributes,
    }
}

#[test]
fn the_example_of_the_contract_reads_without_a_finding() {
    let loaded = yaml(EXAMPLE);
    assert_eq!(found(&loaded), Vec::<String>::new());
    assert_eq!(
        names(&loaded),
        ["Address/0000900101", "Account/0010927781", "User/u-10041"]
    );
    assert!(loaded.desired.removals_off.is_empty());
    let addresses = cell(&loaded, "Account/0010927781", "addresses");
    let links = [
        link("0000900101", [Some(1), Some(1)]),
        link("hub-goteborg", [Some(1), Some(0)]),
    ];
    assert_eq!(addresses, Some(&Cell::Value(Value::Links(links.into()))));
    let accounts = cell(&loaded, "User/u-10041", "accounts");
    let links = [link("0010927781", [Some(1), None])];
    assert_eq!(accounts, Some(&Cell::Value(Value::Links(links.into()))));
    assert_eq!(
        text(&loaded, "Account/0010927781", "customFields.credit-class"),
        Some("A")
    );
    let address = resource(&loaded, "Address/0000900101");
    assert_eq!((address.position.line, address.position.column), (10, 18));
    assert_eq!(loaded.documents.len(), 2);
    assert_eq!(loaded.documents[0].keys.len(), 2);
    assert!(loaded.documents.iter().all(|document| document.clean));
}

#[test]
fn single_and_collection_json_and_yaml_mean_the_same() {
    let forms = [
        ("a.yaml", "kind: Tag\nexternalId: t\nname: T\n"),
        ("a.yaml", "tags:\n- externalId: t\n  name: T\n"),
        ("a.yaml", "name: T\nexternalId: t\nkind: Tag\n"),
        (
            "a.yml",
            "apiVersion: roster/v1\ntags: [{externalId: t, name: T}]\n",
        ),
        ("a.json", r#"{"tags":[{"name":"T","externalId":"t"}]}"#),
        (
            "a.json",
            "{\n\t\"kind\": \"Tag\",\n\t\"externalId\": \"t\",\n\t\"name\": \"T\"\n}\n",
        ),
        (
            "a.yaml",
            "x-base: &b {name: T}\ntags:\n- <<: *b\n  externalId: t\n",
        ),
    ];
    for (path, text) in forms {
        let loaded = files(&[(path, text)]);
        assert_eq!(found(&loaded), Vec::<String>::new(), "{text}");
        let cells: Vec<_> = resource(&loaded, "Tag/t")
            .cells
            .iter()
            .map(|s| &s.cell)
            .collect();
        assert_eq!(cells, [&Cell::Value(Value::text("T"))], "{text}");
    }
}

#[test]
fn a_user_whose_accounts_come_before_its_kind_is_a_user() {
    let loaded = yaml("accounts: [a]\nexternalId: u\nkind: User\n");
    assert_eq!(found(&loaded), Vec::<String>::new());
    assert_eq!(names(&loaded), ["User/u"]);
    let both = yaml(
        "accounts: [{externalId: a, name: mankind}]\nusers: [{externalId: u, company: 'a kind of'}]",
    );
    assert_eq!(found(&both), Vec::<String>::new());
    assert_eq!(names(&both), ["Account/a", "User/u"]);
}

#[test]
fn text_is_as_written_and_yaml_1_2() {
    for text_ in [
        "00123",
        "NO",
        "on",
        "12:30",
        "0o17",
        "1.0",
        "73928e05",
        "2025-04-03",
        "12345678901234567",
    ] {
        let loaded = yaml(&format!(
            "kind: Account\nexternalId: {text_}\nname: {text_}\n"
        ));
        assert_eq!(found(&loaded), Vec::<String>::new(), "{text_}");
        assert_eq!(
            text(&loaded, &format!("Account/{text_}"), "name"),
            Some(text_)
        );
    }
}

#[test]
fn blank_is_null_empty_or_spaces_and_nothing_else() {
    for blank in [
        "",
        "~",
        "null",
        "Null",
        "NULL",
        "\"\"",
        "''",
        "\"  \"",
        "\"\\u00a0\"",
    ] {
        let loaded = yaml(&format!(
            "kind: Account\nexternalId: a\nwebsite: {blank}\ntags: {blank}\n"
        ));
        assert_eq!(
            cell(&loaded, "Account/a", "website"),
            Some(&Cell::Blank),
            "{blank}"
        );
        assert_eq!(
            cell(&loaded, "Account/a", "tags"),
            Some(&Cell::Blank),
            "{blank}"
        );
        assert_eq!(cell(&loaded, "Account/a", "name"), None);
    }
    for value in ["\"null\"", "'~'", "!!str null", "nUll"] {
        let loaded = yaml(&format!("kind: Account\nexternalId: a\nname: {value}\n"));
        assert!(text(&loaded, "Account/a", "name").is_some(), "{value}");
    }
}

/// Checks the cell of an account's field for some lines, and the diagnostics.
fn comes_to(lines: &str, field: &str, expected: Option<&Cell>, codes: &[&str]) {
    let loaded = yaml(&format!("kind: Account\nexternalId: a\n{lines}\n"));
    let come_to = cell(&loaded, "Account/a", field);
    assert_eq!(come_to, expected, "{lines}");
    assert_eq!(found(&loaded), *codes, "{lines}");
}

fn said(text: &str) -> Cell {
    Cell::Value(Value::text(text))
}

fn set(members: &[&str]) -> Cell {
    let members = members.iter().map(|member| CompactText::from(*member));
    Cell::Value(Value::set(members))
}

#[test]
fn the_cell_table() {
    let (blank, clear) = (Cell::Blank, Cell::Clear);
    let fine = |lines, field, cell: &Cell| comes_to(lines, field, Some(cell), &[]);
    let nothing = |lines, field| comes_to(lines, field, None, &[]);
    fine("tags: []", "tags", &set(&[]));
    fine("clear: [tags]", "tags", &set(&[]));
    fine("tags: [b, a, b]", "tags", &set(&["a", "b"]));
    fine("clear: [website]", "website", &clear);
    fine("website:\nclear: [website]", "website", &clear);
    fine("clear: [customFields.x]", "customFields.x", &clear);
    fine("customFields: {x: }", "customFields.x", &blank);
    fine("customFields: {x: 007}", "customFields.x", &said("007"));
    fine("customFields: {x-ray: 1}", "customFields.x-ray", &said("1"));
    nothing("customFields:", "customFields.x");
    nothing("customFields: {}", "customFields.x");
    nothing("legalUser:", "legalUser.firstName");
    fine(
        "legalUser: {firstName: A}",
        "legalUser.firstName",
        &said("A"),
    );
    fine("clear: [legalUser]", "legalUser.birthday", &clear);
    fine("protect: ''", "protect", &blank);
    fine("protect: TRUE", "protect", &Cell::Value(Value::Bool(true)));
    fine("status: inactive", "status", &said("inactive"));
}

#[test]
fn a_cell_that_may_not_be_is_found_at_its_place() {
    let required = ["clear-required 3:9"];
    for field in ["status", "name", "legalUser.birthday"] {
        let lines = format!("clear: [{field}]");
        comes_to(&lines, field, Some(&Cell::Clear), &required);
    }
    comes_to("clear: [externalId]", "name", None, &required);
    comes_to("status:", "status", None, &["enum 3:1"]);
    comes_to("clear: [webseite]", "website", None, &["clear-unknown 3:9"]);
    comes_to("clear: website", "website", None, &["wrong-type 3:8"]);
    let both = "website: https://a.example\nclear: [website]";
    let kept = said("https://a.example");
    comes_to(both, "website", Some(&kept), &["clear-unknown 4:9"]);
    let none = Cell::Value(Value::Links([].into()));
    comes_to(
        "addresses: []",
        "addresses",
        Some(&none),
        &["clear-required 3:12"],
    );
}

#[test]
fn options_keep_their_order_and_settings_need_no_id() {
    let loaded = yaml(
        "customFields: [{externalId: c, options: [b, a, b]}]\nsettings: {organisationDepth: 3, userGroups: [x]}\n",
    );
    assert_eq!(found(&loaded), Vec::<String>::new());
    let options = Cell::Value(Value::List(["b".into(), "a".into()].into()));
    assert_eq!(cell(&loaded, "CustomField/c", "options"), Some(&options));
    let depth = Cell::Value(Value::Int(3));
    assert_eq!(
        cell(&loaded, "Settings/settings", "organisationDepth"),
        Some(&depth)
    );
}

#[test]
fn what_settings_make_optional_may_be_an_empty_list() {
    let user = "users: [{externalId: u, accounts: []}]\n";
    assert_eq!(found(&yaml(user)), ["clear-required 1:35"]);
    let settings = "settings: {optionalFields: [User.accounts]}\n";
    assert_eq!(
        found(&yaml(&format!("{user}{settings}"))),
        Vec::<String>::new()
    );
}

#[test]
fn passwords_come_from_elsewhere() {
    let loaded = yaml(
        "users:\n- {externalId: a, passwordFrom: {env: ROSTER_SECRET_A}}\n- {externalId: b, passwordFrom: {file: b.txt}}\n",
    );
    assert_eq!(found(&loaded), Vec::<String>::new());
    assert_eq!(
        text(&loaded, "User/a", "passwordFrom"),
        Some("env:ROSTER_SECRET_A")
    );
    assert_eq!(text(&loaded, "User/b", "passwordFrom"), Some("file:b.txt"));
}

#[test]
fn merge_keys_lie_under_what_is_written() {
    let loaded = yaml(
        "x-a: &a {name: A, website: https://a.example}\nx-b: &b {name: B, managerName: M}\n\
         accounts:\n- externalId: one\n  <<: [*a, *b]\n- <<: *b\n  externalId: two\n  name: Own\n",
    );
    assert_eq!(found(&loaded), Vec::<String>::new());
    assert_eq!(text(&loaded, "Account/one", "name"), Some("A"));
    assert_eq!(text(&loaded, "Account/one", "managerName"), Some("M"));
    assert_eq!(text(&loaded, "Account/two", "name"), Some("Own"));
}

#[test]
fn columns_count_characters_and_lines_the_whole_file() {
    let loaded = yaml(
        "# å\n---\n# two\nkind: Account\nexternalId: å\nlegalUser: {firstName: Åsa, birthday: nope}\n",
    );
    assert_eq!(found(&loaded), ["date 6:39"]);
    assert_eq!(
        resource(&loaded, "Account/å").position,
        LineColumn {
            line: 5,
            column: 13
        }
    );
    let crlf = yaml("kind: Account\r\nexternalId: a\r\nprotect: 1\r\n");
    assert_eq!(found(&crlf), ["bool 3:10"]);
}

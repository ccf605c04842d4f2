//! Whatever is stored: what is written reads back as what is stored. Property tests over random
//! directories, and examples of what cannot be written.

use super::loss::LossReason;
use super::test_pages::write;
use super::{WriteFormat, proof};
use crate::diagnostic::Severity;
use crate::feed::mapping::Mapping;
use crate::feed::{self, preset};
use crate::kinds::{self, ACCOUNT, ADDRESS, USER};
use crate::model::{CompactText, Key, KeyedList, KindId, Link, Row, SmallMap, Value};
use proptest::prelude::*;
use std::io::Cursor;

pub(super) const FORMS: [WriteFormat; 3] = [
    WriteFormat::Csv { labels: true },
    WriteFormat::Csv { labels: false },
    WriteFormat::Json,
];

fn row(kind: KindId, id: &str, fields: &[(&str, Value)]) -> Row {
    let table = kinds::get(kind);
    let mut values: Vec<Option<Value>> = table
        .fields
        .iter()
        .map(|field| field.default.value())
        .collect();
    for (index, field) in table.fields.iter().enumerate() {
        if field.ty.has_link_table() {
            values[index] = Some(Value::set([]));
        }
    }
    for (name, value) in fields {
        values[table.expect_index(name)] = Some(value.clone());
    }
    Row {
        key: Key::new(kind, id),
        version: 1,
        values,
        custom_values: SmallMap::default(),
        facts: SmallMap::default(),
    }
}

/// Returns a text as value of a field, if it is valid.
fn value(kind: KindId, field: &str, text: &str) -> Option<Value> {
    let table = kinds::get(kind);
    let read = table.fields[table.expect_index(field)]
        .read(text.trim())
        .ok()?;
    let blank = |text: &str| text.trim().is_empty();
    (!blank(text) && !read.value.as_text().is_some_and(blank)).then_some(read.value)
}

/// Texts with characters that have a meaning in some format.
fn text() -> impl Strategy<Value = String> {
    let signs = prop::sample::select(vec![
        "a", "B", "Å", "é", "ß", " ", ";", ",", "|", "\"", "'", "=", "+", "-", "@", "0", "7", ".",
        "#EOF;2", "||", "{n}", "\n", "TRUE", "null", "š", "🦊", ":", "(",
    ]);
    prop::collection::vec(signs, 0..8).prop_map(|parts| parts.concat())
}

/// An account: the start of its id, its texts, a note, the number of tags and addresses, and flags.
type AccountParts = (&'static str, Vec<String>, Option<String>, usize, [bool; 3]);
/// An address: its texts and its uses.
type AddressParts = (Vec<String>, [bool; 2]);
/// A user: its texts, whether it is inactive, and the number of its accounts.
type UserParts = (Vec<String>, bool, usize);

/// Accounts with addresses and users.
pub(super) fn directory() -> impl Strategy<Value = KeyedList<Row>> {
    let account = (
        prop::sample::select(vec!["a-", "00", "=x", "'0", "#EOF;", "é "]),
        prop::collection::vec(text(), 6),
        prop::option::of(text()),
        0..3_usize,
        any::<[bool; 3]>(),
    );
    let address = (prop::collection::vec(text(), 6), any::<[bool; 2]>());
    let user = (prop::collection::vec(text(), 2), any::<bool>(), 0..4_usize);
    (
        prop::collection::vec(account, 1..6),
        prop::collection::vec(address, 1..5),
        prop::collection::vec(user, 0..4),
    )
        .prop_map(|(accounts, addresses, users)| {
            let mut rows = KeyedList::default();
            let mut ids = Vec::new();
            for (nth, parts) in accounts.iter().enumerate() {
                ids.push(put_account(nth, parts, &addresses, &mut rows));
            }
            for (nth, parts) in users.iter().enumerate() {
                let _ = rows.insert(user_row(nth, parts, &ids));
            }
            rows
        })
}

/// Returns the texts that are valid values of these fields.
fn said(kind: KindId, fields: &[&'static str], texts: &[String]) -> Vec<(&'static str, Value)> {
    let pairs = fields.iter().zip(texts);
    let said = pairs.filter_map(|(field, text)| Some((*field, value(kind, field, text)?)));
    said.collect()
}

/// Adds an account and its addresses to the rows. Returns its id.
fn put_account(
    nth: usize,
    (prefix, texts, note, count, flags): &AccountParts,
    addresses: &[AddressParts],
    rows: &mut KeyedList<Row>,
) -> String {
    const TEXTS: [&str; 6] = [
        "name",
        "companyRegistrationName",
        "businessRegistrationNumber",
        "managerName",
        "vatNumber",
        "customerNumber",
    ];
    let id = format!("{prefix}{nth}");
    let mut fields = vec![
        ("name", Value::text("N")),
        ("companyRegistrationName", Value::text("N")),
        ("businessRegistrationNumber", Value::text("1")),
    ];
    fields.extend(said(ACCOUNT, &TEXTS, texts));
    if flags[0] {
        fields.extend([
            ("customerNumber", Value::text(&id)),
            ("companyRegistrationName", fields[0].1.clone()),
        ]);
    }
    if flags[1] {
        fields.push(("status", Value::text("inactive")));
    }
    let tags = ["premium", "hotel"]
        .iter()
        .take(*count)
        .map(CompactText::new);
    fields.push(("tags", Value::set(tags)));
    let links = (0..*count).map(|at| {
        let place = (nth + at) % addresses.len();
        let target = if flags[2] {
            format!("{id}-main")
        } else {
            format!("d{place}")
        };
        let (texts, uses) = &addresses[place];
        let _ = rows.insert(address_row(&target, texts));
        Link {
            target: CompactText::new(&target),
            attributes: uses.map(|on| Some(u8::from(on || uses == &[false; 2]))),
        }
    });
    let links: Vec<Link> = links.collect();
    fields.push(("addresses", Value::links(links)));
    let mut account = row(ACCOUNT, &id, &fields);
    if let Some(note) = note.as_ref().filter(|note| !note.trim().is_empty()) {
        account
            .custom_values
            .insert("note".into(), Value::text(note.trim()));
    }
    let _ = rows.insert(account);
    id
}

fn address_row(id: &str, texts: &[String]) -> Row {
    const TEXTS: [&str; 6] = [
        "fullName",
        "street",
        "additionalStreet",
        "city",
        "state",
        "label",
    ];
    let mut fields = vec![
        ("fullName", Value::text("N")),
        ("street", Value::text("S")),
        ("city", Value::text("C")),
        ("zipCode", Value::text("1")),
        ("country", Value::text("SE")),
    ];
    fields.extend(said(ADDRESS, &TEXTS, texts));
    row(ADDRESS, id, &fields)
}

fn user_row(nth: usize, (texts, inactive, many): &UserParts, accounts: &[String]) -> Row {
    let mut fields = vec![
        ("civility", Value::text("MRS")),
        ("email", Value::text(format!("u{nth}@roster.example"))),
        ("groups", Value::set(["FOC_User".into()])),
    ];
    fields.extend(said(USER, &["firstName", "lastName"], texts));
    if *inactive {
        fields.push(("status", Value::text("inactive")));
    }
    let links = accounts.iter().take(*many).map(|id| Link {
        target: CompactText::new(id),
        attributes: [Some(u8::from(*inactive)), None],
    });
    fields.push(("accounts", Value::links(links)));
    row(USER, &format!("u{nth}"), &fields)
}

/// Writes and reads back. Returns the losses.
fn round(
    mapping: &Mapping,
    form: WriteFormat,
    rows: &KeyedList<Row>,
) -> Vec<(Option<String>, LossReason)> {
    let mut bytes = Vec::new();
    let written = write(mapping, form, rows, &mut bytes).expect("written");
    let shown = String::from_utf8_lossy(&bytes).into_owned();
    if written.records > 0 {
        let read = feed::read(Cursor::new(bytes), &"w".into(), &"s".into(), mapping);
        let errors = read
            .diagnostics
            .iter()
            .filter(|found| found.severity == Severity::Error);
        assert_eq!(
            errors.collect::<Vec<_>>(),
            Vec::<&crate::diagnostic::Diagnostic>::new(),
            "{shown}"
        );
        assert!(read.complete, "{shown}");
        assert_eq!(read.records, written.records, "{shown}");
        for declared in &read.desired.resources {
            let stored = rows
                .get(&declared.key)
                .unwrap_or_else(|| panic!("{}: {shown}", declared.key));
            for said in &declared.cells {
                assert!(
                    proof::matches_stored(said, stored),
                    "{}: {said:?} {stored:?}\n{shown}",
                    declared.key
                );
            }
        }
    }
    written
        .losses
        .0
        .keys()
        .map(|(_, field, why)| (field.clone(), why.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_preset_writes_what_reads_as_anything_else(rows in directory()) {
        for name in preset::names() {
            let mapping = preset::mapping(name).expect("a preset");
            for form in FORMS {
                if super::check_format(&mapping, form).is_ok() {
                    round(&mapping, form, &rows);
                }
            }
        }
    }

    #[test]
    fn the_accounts_of_djust_lose_only_what_has_no_column(rows in directory()) {
        let mapping = preset::mapping("djust-accounts").expect("a preset");
        for form in FORMS {
            for (field, why) in round(&mapping, form, &rows) {
                let known = matches!(why, LossReason::NoColumn | LossReason::Text | LossReason::Orphaned);
                prop_assert!(known, "{field:?}: {why}");
            }
        }
    }
}

fn losses(yaml: &str, rows: &KeyedList<Row>) -> (String, Vec<String>) {
    let mapping = Mapping::parse(yaml).unwrap_or_else(|why| panic!("{why}"));
    let mut bytes = Vec::new();
    let written = write(
        &mapping,
        WriteFormat::Csv { labels: true },
        rows,
        &mut bytes,
    )
    .expect("written");
    (
        String::from_utf8_lossy(&bytes).into_owned(),
        written.losses.lines().collect(),
    )
}

fn one(fields: &[(&str, Value)]) -> KeyedList<Row> {
    let mut rows = KeyedList::default();
    let _ = rows.insert(row(ACCOUNT, "00a", fields));
    rows
}

#[test]
fn steps_values_and_joins_are_turned_round() {
    let yaml = "
apiVersion: roster/v1
name: m
csv: {delimiter: ';'}
locale: de
accounts:
  externalId: {column: ID, without: 'K-', lower: true}
  fields:
    name: {join: [N1, N2], with: ' '}
    managerName: {column: M, values: {E: Eva, J: Jan}, otherwise: error}
    website: {first: [WEB, {constant: 'https://none.example'}]}
    status: [{column: GONE, values: {true: deleted, false: null}}, {column: LOCK, values: {'': active, X: inactive}}]
  customFields: {limit: {column: LIMIT, number: true}, since: {column: SINCE, date: true}}
";
    let mut rows = one(&[
        ("name", Value::text("Acme Ltd")),
        ("managerName", Value::text("Jan")),
        ("website", Value::text("https://a.example")),
        ("status", Value::text("inactive")),
    ]);
    let key = Key::new(ACCOUNT, "00a");
    let account = rows.get_mut(&key).expect("it");
    account
        .custom_values
        .insert("limit".into(), Value::Number("1250.5".into()));
    account
        .custom_values
        .insert("since".into(), Value::text("2025-03-21"));
    let (text, lost) = losses(yaml, &rows);
    assert_eq!(lost, Vec::<String>::new());
    let expected = "ID;N1;N2;M;WEB;GONE;LOCK;LIMIT;SINCE\nK-00a;Acme Ltd;;J;https://a.example;;X;1250,5;21.03.2025\n";
    assert_eq!(text, expected);
    // The mapping has no word for Ada.
    let (text, lost) = losses(
        yaml,
        &one(&[
            ("name", Value::text("A")),
            ("managerName", Value::text("Ada")),
            ("website", Value::text("https://a.example")),
        ]),
    );
    assert!(
        text.ends_with("K-00a;A;;;https://a.example;;;;\n"),
        "{text}"
    );
    assert_eq!(
        lost,
        ["not written: Account.managerName of 00a: the export has no word for `Ada`"]
    );
    // Without a website, the constant of the mapping would be read, so the account is left out.
    let (text, lost) = losses(yaml, &one(&[("name", Value::text("A"))]));
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(
        lost,
        ["not written: Account/00a: it would be read back as one with another website"]
    );
}

#[test]
fn two_fields_in_one_column_are_written_where_they_agree() {
    let yaml = "{apiVersion: roster/v1, name: m, accounts: {externalId: ID, fields: {name: NAME, companyRegistrationName: NAME, managerName: {expression: 'X'}}}}";
    let same = |name: &str, other: &str| {
        one(&[
            ("name", Value::text(name)),
            ("companyRegistrationName", Value::text(other)),
        ])
    };
    assert_eq!(
        losses(yaml, &same("A", "A")),
        ("ID,NAME\n00a,A\n".to_owned(), Vec::new())
    );
    let (text, lost) = losses(yaml, &same("A", "B"));
    assert_eq!(text, "ID,NAME\n00a,\n");
    assert_eq!(lost.len(), 2, "{lost:?}");
    let managed = one(&[("managerName", Value::text("Eva"))]);
    assert_eq!(
        losses(yaml, &managed).1,
        ["not written: Account.managerName of 00a: an expression cannot be reversed"]
    );
}

#[test]
fn an_encoding_without_the_letters_is_not_written_wrong() {
    let yaml = "{apiVersion: roster/v1, name: m, csv: {encoding: windows-1252}, accounts: {externalId: ID, fields: {name: NAME}}}";
    let mapping = Mapping::parse(yaml).expect("a mapping");
    let mut bytes = Vec::new();
    let written = write(
        &mapping,
        FORMS[0],
        &one(&[("name", Value::text("Åre"))]),
        &mut bytes,
    )
    .expect("written");
    assert!(written.losses.is_empty());
    assert_eq!(bytes, b"ID,NAME\n00a,\xc5re\n");
    let (_, lost) = losses(yaml, &one(&[("name", Value::text("Šumava"))]));
    assert!(lost.is_empty(), "{lost:?}");
    let (_, lost) = losses(yaml, &one(&[("name", Value::text("日本"))]));
    assert_eq!(
        lost,
        ["not written: Account.name of 00a: the export cannot contain this text"]
    );
}

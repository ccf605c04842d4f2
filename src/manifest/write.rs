//! Writes resources as YAML text that reads back to the same cells. `export` uses it for whole
//! documents, and `edit` for single fields and values. Start with `document`; `is_plain`
//! decides when a text needs quotes.

use super::write_list::{
    DatedLists, InlineWriter, NO_MEMBERS, dated_list, day_or_moment, link_list, list,
};
use super::write_text::{flow_text, scalar, text};
use crate::kinds::{Field, FieldType, Kind, SECRET_IN_EXPORT};
use crate::model::{FieldRef, Value};
use std::fmt::Write as _;

/// Returns one document: `kind`, `externalId`, the kind's own fields in table order, custom fields.
#[must_use]
pub fn document<'a>(
    kind: &'static Kind,
    id: &str,
    said: impl IntoIterator<Item = (&'a FieldRef, &'a Value)>,
) -> String {
    format!("kind: {}\n{}", kind.name, fields(kind, id, said, &|_| None))
}

/// Returns a document without its `kind`. `inline` decides which linked resources are written out.
#[must_use]
pub fn fields<'a>(
    kind: &'static Kind,
    id: &str,
    said: impl IntoIterator<Item = (&'a FieldRef, &'a Value)>,
    inline: InlineWriter<'_>,
) -> String {
    let mut said: Vec<_> = said.into_iter().collect();
    let items = DatedLists::among(kind, &said);
    // A list of which every item is yet to begin, or has ended, has no stored value.
    let empty = items.missing(kind, &said);
    said.extend(empty.iter().map(|field| (field, &*NO_MEMBERS)));
    // Table order keeps the members of a group together, which `write_field` relies on.
    said.sort_by_key(|(field, _)| *field);
    let mut out = String::new();
    if kind.singleton.is_none() {
        let _ = writeln!(out, "externalId: {}", text(id, 0));
    }
    let mut group = "";
    let mut custom = false;
    for (field, value) in said {
        match field {
            FieldRef::Own(index) => {
                let field = &kind.fields[usize::from(*index)];
                // A password of an export is nothing that a manifest could refer to.
                if field.implied || field.is_secret() && value.as_text() == Some(SECRET_IN_EXPORT) {
                    continue;
                }
                match items.of(field) {
                    Some(dated) => {
                        entry(
                            &mut out,
                            field.name,
                            &dated_list(field, value, dated, inline),
                        );
                    }
                    None => write_field(&mut out, field, value, &mut group, inline),
                }
            }
            FieldRef::Custom(id) => {
                if !std::mem::replace(&mut custom, true) {
                    out.push_str("customFields:\n");
                }
                out.push_str("  ");
                entry(&mut out, &scalar(id, true), &plain_value(value, 2));
            }
        }
    }
    out
}

fn write_field(
    out: &mut String,
    field: &'static Field,
    value: &Value,
    group: &mut &'static str,
    inline: InlineWriter<'_>,
) {
    match field.name.split_once('.') {
        None => {
            entry(out, field.name, &field_value(field, value, 0, inline));
        }
        Some((name, member)) => {
            if *group != name {
                *group = name;
                let _ = writeln!(out, "{name}:");
            }
            out.push_str("  ");
            entry(out, member, &field_value(field, value, 2, inline));
        }
    }
}

fn entry(out: &mut String, name: &str, value: &str) {
    // A list on the lines below must not leave a trailing space behind the colon.
    let space = if value.starts_with('\n') { "" } else { " " };
    let _ = writeln!(out, "{name}:{space}{value}");
}

/// The value of a field as it is written after `name: `.
fn field_value(field: &Field, value: &Value, indent: usize, inline: InlineWriter<'_>) -> String {
    match (&field.ty, value) {
        (FieldType::Links { .. }, Value::Links(links)) => link_list(&field.ty, links, inline),
        (FieldType::Secret, Value::Text(from)) => match from.split_once(':') {
            Some((place, name)) => format!("{{{place}: {}}}", text(name, indent)),
            None => text(from, indent),
        },
        (FieldType::File, Value::Text(file)) => {
            // The digest is computed when the manifest is read, so only the path is written.
            let path = file
                .rsplit_once(" sha256:")
                .map_or(&**file, |(path, _)| path);
            text(path, indent)
        }
        // These begin with a digit, so `is_plain` would quote them; their stored form is always
        // safe.
        (FieldType::PastDate | FieldType::Duration, Value::Text(plain)) => plain.to_string(),
        (FieldType::Moment, Value::Text(moment)) => day_or_moment(moment),
        _ => plain_value(value, indent),
    }
}

fn plain_value(value: &Value, indent: usize) -> String {
    match value {
        Value::Text(value) => text(value, indent),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::List(members) => list(members.iter().map(|member| flow_text(member)), indent),
        Value::Links(links) => list(links.iter().map(|link| flow_text(&link.target)), indent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::read::is_blank;
    use crate::kinds::{self, own_field};
    use crate::manifest::{LoadOptions, Tree, load};
    use crate::model::{Cell, CompactText, Key, Link};
    use proptest::prelude::*;

    fn read_back(kind: &'static Kind, id: &str, cells: &[(FieldRef, Value)]) {
        let text = document(kind, id, cells.iter().map(|(field, value)| (field, value)));
        let tree = Tree::from_files([
            ("a.yaml".to_owned(), text.clone().into_bytes()),
            ("t.txt".to_owned(), b"hello".to_vec()),
        ]);
        let loaded = load(&tree, &LoadOptions::default());
        let faults: Vec<_> = loaded.diagnostics.iter().filter(|d| d.is_error()).collect();
        assert!(faults.is_empty(), "{text}\n{faults:#?}");
        let declared = loaded.desired.resources.get(&Key::new(kind.id, id));
        let declared = declared.unwrap_or_else(|| panic!("{text}"));
        let said = declared
            .cells
            .iter()
            .map(|stated| (stated.field.clone(), stated.cell.clone()));
        let expected = cells
            .iter()
            .map(|(field, value)| (field.clone(), Cell::Value(value.clone())));
        assert_eq!(
            said.collect::<Vec<_>>(),
            expected.collect::<Vec<_>>(),
            "{text}"
        );
    }

    #[test]
    fn what_is_written_is_what_a_person_would_write() {
        let kind = kinds::by_name("User").expect("a kind");
        let accounts = Value::links([
            Link {
                target: "acme".into(),
                attributes: [Some(0), None],
            },
            Link {
                target: "0010".into(),
                attributes: [Some(1), None],
            },
        ]);
        let cells = [
            (
                own_field(kind.expect_index("firstName")),
                Value::text("Åsa"),
            ),
            (
                own_field(kind.expect_index("phone")),
                Value::text("+4663123456"),
            ),
            (
                own_field(kind.expect_index("groups")),
                Value::set(["FOC_Admin".into(), "b, c".into()]),
            ),
            (own_field(kind.expect_index("accounts")), accounts),
            (
                own_field(kind.expect_index("passwordFrom")),
                Value::text("env:ROSTER_SECRET_A"),
            ),
            (own_field(kind.expect_index("notify")), Value::Bool(false)),
            (FieldRef::Custom("note".into()), Value::text("a\n\nb: c")),
        ];
        let text = document(
            kind,
            "u-1",
            cells.iter().map(|(field, value)| (field, value)),
        );
        assert_eq!(
            text,
            "kind: User\nexternalId: u-1\nfirstName: Åsa\nphone: \"+4663123456\"\n\
             groups: [FOC_Admin, \"b, c\"]\naccounts:\n  - {account: \"0010\", level: administrator}\n  - acme\n\
             passwordFrom: {env: ROSTER_SECRET_A}\nnotify: false\ncustomFields:\n  note: |-\n    a\n\n    b: c\n"
        );
        read_back(kind, "u-1", &cells);
    }

    #[test]
    fn groups_files_and_settings_read_back() {
        let kind = kinds::by_name("Account").expect("a kind");
        let addresses = Value::links([
            Link {
                target: "x".into(),
                attributes: [Some(1), Some(0)],
            },
            Link {
                target: "y".into(),
                attributes: [Some(1), Some(1)],
            },
        ]);
        read_back(
            kind,
            "00123",
            &[
                (own_field(kind.expect_index("name")), Value::text("null")),
                (own_field(kind.expect_index("addresses")), addresses),
                (
                    own_field(kind.expect_index("legalUser.firstName")),
                    Value::text("NO"),
                ),
                (
                    own_field(kind.expect_index("legalUser.birthday")),
                    Value::text("1980-01-02"),
                ),
                (
                    own_field(kind.expect_index("legalUser.nationality")),
                    Value::text("NO"),
                ),
            ],
        );
        let kind = kinds::by_name("Terms").expect("a kind");
        let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let file = Value::text(format!("t.txt sha256:{hash}"));
        read_back(kind, "t", &[(own_field(kind.expect_index("file")), file)]);
        let kind = kinds::by_name("Settings").expect("a kind");
        read_back(
            kind,
            "settings",
            &[
                (
                    own_field(kind.expect_index("firstUser")),
                    Value::text("off"),
                ),
                (
                    own_field(kind.expect_index("organisationDepth")),
                    Value::Int(3),
                ),
                (
                    own_field(kind.expect_index("optionalFields")),
                    Value::set([]),
                ),
                (
                    own_field(kind.expect_index("invitationTtl")),
                    Value::text("3d"),
                ),
            ],
        );
    }

    /// Texts of characters to which YAML gives a special meaning.
    fn texts() -> impl Strategy<Value = String> {
        let parts = prop_oneof![
            Just(": "),
            Just(" #"),
            Just("- "),
            Just("null"),
            Just("0"),
            Just("'"),
            Just("\""),
            Just("\\"),
            Just("{"),
            Just("]"),
            Just(","),
            Just("å"),
            Just("\u{a0}"),
            Just("\u{200b}"),
            Just("\u{feff}"),
            Just(" "),
            Just("---"),
            Just("a"),
            Just("%"),
            Just("@"),
            Just("&"),
            Just("*"),
            Just("!"),
            Just("|"),
            Just(">"),
            Just("~"),
            Just("12:30"),
            Just("😀"),
            Just("\u{2028}"),
            Just("=cmd"),
            Just("?"),
            Just("<<"),
            Just("x-"),
        ];
        let joined = proptest::collection::vec(parts, 1..6).prop_map(|parts| parts.concat());
        let free = "\\PC{1,40}".prop_map(String::from);
        let short = prop_oneof![joined, free];
        short.prop_filter("not blank, not from a spreadsheet", |text| {
            !is_blank(text)
                && !text.trim_start().starts_with('#')
                && !text.chars().any(char::is_control)
        })
    }

    fn long_texts() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            texts(),
            Just(String::new()),
            Just(" ".to_owned()),
            Just("\t".to_owned())
        ];
        proptest::collection::vec(line, 1..5)
            .prop_map(|lines| lines.join("\n"))
            .prop_filter("not blank", |text| {
                !is_blank(text) && !text.trim_start().starts_with('#')
            })
    }

    proptest! {
        #[test]
        fn any_text_reads_back(name in texts(), message in long_texts(), tag in texts()) {
            let kind = kinds::by_name("Policy").expect("a kind");
            read_back(kind, "p", &[
                (own_field(kind.expect_index("name")), Value::text(name.chars().take(255).collect::<String>())),
                (own_field(kind.expect_index("message")), Value::text(&message)),
            ]);
            let kind = kinds::by_name("User").expect("a kind");
            read_back(kind, "u", &[
                (own_field(kind.expect_index("company")), Value::text(&name)),
                (own_field(kind.expect_index("groups")), Value::set([CompactText::new(&tag), CompactText::new(&name)])),
                (FieldRef::Custom(CompactText::new(&tag)), Value::text(&message)),
            ]);
        }
    }
}

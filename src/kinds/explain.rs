//! The reference of kinds and fields as text, as printed by `roster explain Account.vatNumber`. All
//! of it comes from the table of kinds, so a new field is documented once it exists. Start reading
//! at `explain_topic`.

use super::{
    ALL, Field, FieldDefault, FieldType, IdChars, Kind, LinkAttribute, NestedList, SetItem,
    by_name, get,
};
use std::fmt::Write;

const NOT_FIELDS: [&str; 3] = ["externalId", "customFields", "clear"];

/// Returns the reference of a kind (`Account`) or field (`Account.vatNumber`, `Account.legalUser`).
#[must_use]
pub fn explain_topic(topic: &str) -> Option<String> {
    // Only the first dot separates: the rest may be a group and its member (`legalUser.birthday`).
    let Some((kind, name)) = topic.split_once('.') else {
        return by_name(topic).map(explain_kind);
    };
    let kind = by_name(kind)?;
    if let Some(index) = kind.index(name) {
        return Some(explain_field(kind, &kind.fields[index]));
    }
    // Not every kind has custom fields, so the key must also exist for this one.
    if NOT_FIELDS.contains(&name) && kind.manifest_keys().contains(&name) {
        return Some(of_key(kind, name));
    }
    if let Some(list) = kind.nested_list(name) {
        return Some(explain_nested(kind, list));
    }
    let group: Vec<&Field> = kind.group(name).map(|index| &kind.fields[index]).collect();
    (!group.is_empty()).then(|| of_group(kind, name, &group))
}

/// All topics of [`explain_topic`].
pub fn topics() -> impl Iterator<Item = String> {
    ALL.into_iter().flat_map(|kind| {
        let keys = kind.manifest_keys().into_iter();
        let members = kind.fields.iter().map(|field| field.name);
        let members = members.filter(|name| name.contains('.'));
        let names = keys
            .chain(members)
            .map(|name| format!("{}.{name}", kind.name));
        std::iter::once(kind.name.to_owned()).chain(names)
    })
}

/// One line per kind.
#[must_use]
pub fn overview() -> String {
    let mut text = String::new();
    for kind in ALL {
        let _ = writeln!(text, "  {:<13} {}", kind.name, kind.doc);
    }
    text
}

fn explain_kind(kind: &Kind) -> String {
    let mut text = format!("{}\n\n{}\n", kind.name, kind.doc);
    let _ = writeln!(
        text,
        "In a manifest: `kind: {}` and its fields, or a list of them under `{}:`.",
        kind.name, kind.collection
    );
    for key in kind
        .manifest_keys()
        .into_iter()
        .filter(|key| NOT_FIELDS.contains(key))
    {
        // The fields follow the id, as in a manifest; the other keys come after them.
        if key == "externalId" {
            entry(&mut text, key, &[id_words(kind)], key_doc(kind, key));
            fields(&mut text, kind.fields.iter().filter(|it| !it.implied));
            for list in kind.nested {
                entry(&mut text, list.name, &[nested_words(list)], list.doc);
            }
        } else {
            entry(&mut text, key, &[], key_doc(kind, key));
        }
    }
    facts(&mut text, kind);
    text
}

/// Runtime facts: columns of the database that manifests cannot set.
fn facts(text: &mut String, kind: &Kind) {
    if kind.facts.is_empty() {
        return;
    }
    text.push_str("\nSet at run time, cannot be declared:\n");
    for fact in kind.facts {
        entry(text, fact.name, &[], fact.doc);
    }
}

fn fields<'a>(text: &mut String, fields: impl Iterator<Item = &'a Field>) {
    for field in fields {
        entry(text, field.name, &properties(field), field.doc);
    }
}

fn entry(text: &mut String, name: &str, properties: &[String], doc: &str) {
    let head: Vec<&str> = std::iter::once(name)
        .chain(properties.iter().map(String::as_str))
        .collect();
    let _ = write!(text, "\n  {}\n      {doc}\n", head.join(" · "));
}

fn explain_field(kind: &Kind, field: &Field) -> String {
    let mut text = format!("{}.{}\n\n{}\n\n", kind.name, field.name, field.doc);
    for property in properties(field) {
        let _ = writeln!(text, "- {property}");
    }
    for attribute in field.ty.attributes() {
        let _ = writeln!(text, "- `{}`: {}", attribute.name, of_attribute(attribute));
    }
    if let Some(key) = field.dated_by {
        let _ = writeln!(
            text,
            "- in force for a time: `{{{key}: .., effectiveFrom: 2026-12-01, effectiveUntil: \
             2026-12-31}}`"
        );
    }
    let _ = write!(text, "\nExample:\n\n");
    for line in example(field).lines() {
        let _ = writeln!(text, "    {line}");
    }
    text
}

fn explain_nested(kind: &Kind, list: &NestedList) -> String {
    let mut text = format!("{}.{}\n\n{}\n\n", kind.name, list.name, list.doc);
    let _ = writeln!(text, "- {}", nested_words(list));
    let given: Vec<&str> = list.given.iter().map(|(name, _)| *name).collect();
    let _ = writeln!(
        text,
        "- an entry has the fields of {}, except {}, which its place gives",
        get(list.kind).with_article(),
        all_of(&given)
    );
    let _ = write!(text, "\nExample:\n\n    {}\n", nested_example(list));
    text
}

fn nested_words(list: &NestedList) -> String {
    format!("a list of {}, each in full", get(list.kind).name)
}

fn nested_example(list: &NestedList) -> String {
    let id = example_id(get(list.kind));
    format!("{}: [{{externalId: {id}, name: Some words}}]", list.name)
}

fn of_attribute(attribute: &LinkAttribute) -> String {
    let default = attribute.choices[usize::from(attribute.default)];
    let words = one_of(attribute.choices);
    format!("{words}; default `{default}`. {}", attribute.doc)
}

fn of_group(kind: &Kind, name: &str, members: &[&Field]) -> String {
    let mut text = format!("{}.{name}\n\nA group of fields.\n", kind.name);
    fields(&mut text, members.iter().copied());
    text
}

fn of_key(kind: &Kind, name: &str) -> String {
    let mut text = format!("{}.{name}\n\n{}\n", kind.name, key_doc(kind, name));
    if name == "externalId" {
        let _ = write!(text, "\n- {}\n", id_words(kind));
    }
    let _ = write!(text, "\nExample:\n\n    {}\n", key_example(kind, name));
    text
}

fn key_doc(kind: &Kind, name: &str) -> &'static str {
    match (name, kind.singleton) {
        ("externalId", None) => "The key of the resource. It cannot be changed or used again.",
        ("externalId", Some(_)) => "There is only one, so you may leave this out.",
        ("customFields", _) => {
            "The values of custom fields, by the externalId of the CustomField. A blank value \
             clears an optional field."
        }
        _ => "The fields to clear. A field that is absent or blank keeps its stored value.",
    }
}

fn id_words(kind: &Kind) -> String {
    match (kind.singleton, kind.id_chars) {
        (Some(only), _) => format!("always `{only}`"),
        (None, IdChars::Ascii) => {
            "text of 1 to 128 printable ASCII characters without spaces, required".to_owned()
        }
        (None, IdChars::Printable) => "text of 1 to 128 printable characters, required".to_owned(),
    }
}

fn key_example(kind: &Kind, name: &str) -> String {
    match (name, kind.applies_to_word) {
        ("externalId", _) => format!("externalId: {}", example_id(kind)),
        ("customFields", _) => "customFields: {credit-class: A}".to_owned(),
        (_, Some(_)) => "clear: [customFields.credit-class]".to_owned(),
        (_, None) => "clear: [protect]".to_owned(),
    }
}

/// What the table says about a field besides its sentence. The type comes first.
fn properties(field: &Field) -> Vec<String> {
    let mut words = vec![type_words(&field.ty)];
    let marks = [
        (field.required, "required on create"),
        (field.immutable, "cannot be changed"),
        (field.personal, "personal"),
        (
            field.grants_access,
            "gives access; Roster does not restore it without a decision",
        ),
    ];
    words.extend(
        marks
            .into_iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, word)| word.to_owned()),
    );
    if let Some(list) = field.inferred_from {
        words.push(format!("default: the only member of `{list}`"));
    }
    words.extend(default_words(field.default));
    words
}

fn default_words(default: FieldDefault) -> Option<String> {
    Some(match default {
        FieldDefault::None => return None,
        FieldDefault::Bool(value) => format!("default `{value}`"),
        FieldDefault::Int(value) => format!("default `{value}`"),
        FieldDefault::Text(text) => format!("default `{text}`"),
        FieldDefault::List(items) => format!("default `[{}]`", items.join(", ")),
    })
}

fn type_words(ty: &FieldType) -> String {
    match ty {
        FieldType::Text(most) => format!("text on one line, at most {most} characters"),
        FieldType::LongText(most) => {
            format!("text on one or more lines, at most {most} characters")
        }
        FieldType::Bool => one_of(&["true", "false"]),
        FieldType::Int(least, most) => format!("a whole number from {least} to {most}"),
        FieldType::Duration => "a duration: a number and `s`, `m`, `h` or `d`".to_owned(),
        FieldType::Enum(choices) => one_of(choices),
        FieldType::PastDate => "a date, YYYY-MM-DD, not in the future".to_owned(),
        FieldType::Moment => "a day such as 2026-12-31 (from 00:00 UTC), or a moment such as \
             2026-12-31T18:00:00+01:00"
            .to_owned(),
        FieldType::Country => "a country code of ISO 3166-1: two capital letters".to_owned(),
        FieldType::Email => "an e-mail address".to_owned(),
        FieldType::Phone => "a phone number of at most 15 digits".to_owned(),
        FieldType::Url => "an http or https address".to_owned(),
        FieldType::Vat => "a VAT number, compared without spaces, dots and dashes".to_owned(),
        FieldType::Zip => "a postal code".to_owned(),
        FieldType::Ref(kind) => format!("the externalId of one {}", get(*kind).name),
        FieldType::Set(SetItem::Ref(kind)) => {
            format!("a set of externalIds of {}", get(*kind).name)
        }
        FieldType::Set(SetItem::Text(most)) => {
            format!("a set of texts, each at most {most} characters")
        }
        FieldType::Ordered(most) => {
            format!("an ordered list of texts, each at most {most} characters")
        }
        FieldType::Links { kind, inline, .. } => {
            let or = if *inline {
                ", or the full resource"
            } else {
                ""
            };
            format!("a set of links to {}{or}", get(*kind).name)
        }
        FieldType::Secret => {
            "the source of a secret: `{env: ROSTER_SECRET_…}` or `{file: name}`".to_owned()
        }
        FieldType::File => "the path of a file below the root of the source".to_owned(),
        FieldType::CustomDefault => "a value of the custom field's type".to_owned(),
    }
}

fn one_of(words: &[&str]) -> String {
    joined(words, "or")
}

fn all_of(words: &[&str]) -> String {
    joined(words, "and")
}

fn joined(words: &[&str], with: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {with} {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Returns a line of a manifest with the field, or a mapping if the field is in a group.
fn example(field: &Field) -> String {
    let value = example_value(field);
    match field.name.split_once('.') {
        Some((group, member)) => format!("{group}:\n  {member}: {value}"),
        None => format!("{}: {value}", field.name),
    }
}

fn example_value(field: &Field) -> String {
    match (&field.ty, field.default) {
        // An example with the default would show nothing, so another value is used.
        (FieldType::Bool, FieldDefault::Bool(default)) => (!default).to_string(),
        (FieldType::Enum(choices), FieldDefault::Text(default)) => {
            let other = choices.iter().find(|choice| **choice != default);
            other.copied().unwrap_or(default).to_owned()
        }
        (FieldType::Int(_, most), FieldDefault::Int(default)) => {
            (default + 1).min(*most).to_string()
        }
        (FieldType::Set(SetItem::Text(_)), FieldDefault::List(items)) if !items.is_empty() => {
            format!("[{}]", items.join(", "))
        }
        (ty, _) => example_of(ty),
    }
}

fn example_of(ty: &FieldType) -> String {
    match ty {
        FieldType::Text(_) | FieldType::LongText(_) | FieldType::CustomDefault => {
            "Some words".to_owned()
        }
        FieldType::Bool => "true".to_owned(),
        FieldType::Int(least, _) => least.to_string(),
        FieldType::Duration => "36h".to_owned(),
        FieldType::Enum(choices) => choices[0].to_owned(),
        FieldType::PastDate => "1971-05-02".to_owned(),
        FieldType::Moment => "2026-12-31".to_owned(),
        FieldType::Country => "SE".to_owned(),
        FieldType::Email => "karin@acme.example".to_owned(),
        FieldType::Phone => "\"+46 63 12 34 56\"".to_owned(),
        FieldType::Url => "https://acme.example".to_owned(),
        FieldType::Vat => "SE556012345601".to_owned(),
        FieldType::Zip => "831 30".to_owned(),
        FieldType::Ref(kind) => example_id(get(*kind)),
        FieldType::Set(SetItem::Ref(kind)) => format!("[{}]", example_id(get(*kind))),
        FieldType::Set(SetItem::Text(_)) | FieldType::Ordered(_) => "[one, two]".to_owned(),
        FieldType::Links {
            kind,
            key,
            attributes,
            inline,
        } => example_links(get(*kind), key, attributes, *inline),
        FieldType::Secret => "{env: ROSTER_SECRET_KARIN}".to_owned(),
        FieldType::File => "terms/2025-03.txt".to_owned(),
    }
}

fn example_links(kind: &Kind, key: &str, attributes: &[LinkAttribute], inline: bool) -> String {
    let id = example_id(kind);
    let long: Vec<String> = attributes.iter().take(1).map(unusual).collect();
    let long = format!("{{{key}: {id}, {}}}", long.join(", "));
    if inline {
        return format!("[{long}]");
    }
    // The short form and the long form side by side, to show that both are allowed.
    format!("[{}-2, {long}]", kind.singular)
}

/// Returns an attribute with a value other than the default.
fn unusual(attribute: &LinkAttribute) -> String {
    let default = attribute.choices[usize::from(attribute.default)];
    let mut other = attribute
        .choices
        .iter()
        .filter(|choice| **choice != default);
    format!("{}: {}", attribute.name, other.next().unwrap_or(&default))
}

fn example_id(kind: &Kind) -> String {
    match kind.singleton {
        Some(only) => only.to_owned(),
        None => format!("{}-1", kind.singular.replace('_', "-")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::schema;
    use serde_json::Value;

    #[test]
    fn every_topic_has_its_reference() {
        for topic in topics() {
            let text = explain_topic(&topic).unwrap_or_else(|| panic!("nothing about {topic}"));
            assert!(text.starts_with(&format!("{topic}\n\n")), "{text}");
        }
        assert_eq!(explain_topic("Person"), None);
        assert_eq!(explain_topic("Account.legal"), None);
        assert_eq!(explain_topic("Tag.customFields"), None);
    }

    #[test]
    fn a_field_is_explained_in_full() {
        let text = explain_topic("Account.businessRegistrationNumber").expect("a field");
        assert!(
            text.contains("- text on one line, at most 64 characters\n"),
            "{text}"
        );
        assert!(text.contains("- required on create\n"), "{text}");
        let text = explain_topic("User.accounts").expect("a field");
        assert!(
            text.contains("- `level`: `user` or `administrator`; default `user`."),
            "{text}"
        );
        assert!(
            text.contains(
                "    accounts: [account-2, {account: account-1, level: administrator}]\n"
            )
        );
        let text = explain_topic("Organisation.account").expect("a field");
        assert!(text.contains("- cannot be changed\n"), "{text}");
        let text = explain_topic("User.phone").expect("a field");
        assert!(text.contains("- personal\n"), "{text}");
        let text = explain_topic("User.notify").expect("a field");
        assert!(
            text.contains("- default `false`\n") && text.contains("    notify: true\n"),
            "{text}"
        );
    }

    #[test]
    fn every_example_fits_the_schema() {
        for kind in ALL {
            let schema =
                jsonschema::draft202012::new(&schema::schema(Some(kind))).expect("a schema");
            let keys = kind
                .manifest_keys()
                .into_iter()
                .filter(|key| NOT_FIELDS.contains(key));
            let keys = keys.map(|key| key_example(kind, key));
            // The kind that cannot be deleted has no status in manifests.
            let fields = kind
                .fields
                .iter()
                .filter(|field| !field.implied)
                .filter(|field| field.name != "status" || kind.singleton.is_none());
            let nested = kind.nested.iter().map(nested_example);
            for line in fields.map(example).chain(nested).chain(keys) {
                let id = key_example(kind, "externalId");
                let id = if line == id { "x-note: a" } else { &id };
                let text = format!("{id}\n{line}\n");
                let document: Value = serde_saphyr::from_str(&text).expect("YAML");
                assert!(schema.is_valid(&document), "{}: {text}", kind.name);
            }
        }
    }
}

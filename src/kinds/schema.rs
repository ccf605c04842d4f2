//! JSON Schema (draft 2020-12) of manifests, for editors and generators.
//!
//! It is never stricter than the reader: what depends on stored state, on another resource or on
//! the calendar is left to `roster validate`. Numbers are allowed where text belongs, because the
//! reader takes text as written.

use super::effective;
use super::schema_values::{boolean, id, item_text, of_scalar, one_of};
use super::{
    ALL, BOOL, Field, FieldDefault, FieldType, Kind, LinkAttribute, NestedList, SetItem, get,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Returns the schema of one kind, or of any manifest document.
#[must_use]
pub fn schema(kind: Option<&Kind>) -> Value {
    match kind {
        Some(kind) => {
            let mut definitions = Map::new();
            define_entries(kind, &mut definitions);
            let head = [
                ("$schema", json!(DIALECT)),
                ("title", json!(format!("Roster: {}", kind.name))),
            ];
            let definitions = Some(definitions).filter(|definitions| !definitions.is_empty());
            let definitions = definitions.map(|all| ("$defs", Value::Object(all)));
            object(head.into_iter().chain(resource(kind)).chain(definitions))
        }
        None => manifest(),
    }
}

fn manifest() -> Value {
    let kinds = ALL.map(|kind| json!(kind.name));
    let mut cases: Vec<Value> = ALL
        .map(|kind| {
            json!({
                "if": {
                    "type": "object",
                    "properties": {"kind": {"const": kind.name}}, "required": ["kind"],
                },
                "then": {"$ref": format!("#/$defs/{}", kind.name)},
            })
        })
        .into();
    // A document without `kind` holds collections.
    cases.push(json!({
        "if": {"type": "object", "not": {"required": ["kind"]}},
        "then": {"$ref": "#/$defs/collections"},
    }));
    let mut definitions = Map::new();
    definitions.insert("collections".into(), collections());
    definitions.extend(ALL.map(|kind| (kind.name.to_owned(), object(resource(kind)))));
    for kind in ALL {
        define_entries(kind, &mut definitions);
    }
    json!({
        "$schema": DIALECT,
        "title": "Roster: a manifest document",
        "description": "One resource (`kind: User` and its fields), or collections (`users: [..]`).",
        "type": ["object", "null"],
        "properties": {"kind": {"enum": kinds, "description": "What the document declares."}},
        "allOf": cases,
        "$defs": definitions,
    })
}

/// Collections: their items have neither `apiVersion` nor `kind`.
fn collections() -> Value {
    let mut properties = Map::from_iter([("apiVersion".to_owned(), api_version())]);
    for kind in ALL {
        let item = json!({
            "$ref": format!("#/$defs/{}", kind.name),
            "properties": {"apiVersion": false, "kind": false},
        });
        let mut collection = json!({
            "description": kind.doc,
            "type": ["array", "null"],
            "items": item.clone(),
        });
        // A kind that exists once may be written without the list around it.
        if kind.singleton.is_some() {
            collection = json!({"description": kind.doc, "anyOf": [item, collection]});
        }
        properties.insert(kind.collection.into(), collection);
    }
    mapping(&properties, &[])
}

fn api_version() -> Value {
    json!({"description": "Optional.", "enum": ["roster/v1", null]})
}

/// The keywords of a resource that is a document of its own.
fn resource(kind: &Kind) -> Vec<(&'static str, Value)> {
    let mut properties = Map::new();
    properties.insert("apiVersion".into(), api_version());
    properties.insert(
        "kind".into(),
        json!({"const": kind.name, "description": kind.doc}),
    );
    properties.extend(own_properties(kind));
    let required: &[&str] = match kind.singleton {
        Some(_) => &[],
        None => &["externalId"],
    };
    let mut keywords = vec![("description", json!(kind.doc))];
    if let Value::Object(map) = mapping(&properties, required) {
        let known = ["type", "properties", "patternProperties"];
        let known = known
            .into_iter()
            .chain(["additionalProperties", "required"]);
        keywords.extend(known.filter_map(|name| Some((name, map.get(name)?.clone()))));
    }
    keywords
}

/// The keys of a resource, in the order of the table.
fn own_properties(kind: &Kind) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut external_id = id(kind);
    external_id["description"] = json!(match kind.singleton {
        Some(_) => "Optional: there is only one.",
        None => "The key of the resource. It cannot be changed or used again.",
    });
    properties.insert("externalId".into(), external_id);
    for field in fields(kind) {
        match field.name.split_once('.') {
            None => properties.insert(field.name.into(), property(field)),
            // A group appears once, at its first member.
            Some((group, _)) if properties.contains_key(group) => None,
            Some((group, _)) => properties.insert(group.into(), group_of(kind, group)),
        };
    }
    for nested in kind.nested {
        let mut value = list(
            &json!({"$ref": format!("#/$defs/{}", entry_name(nested))}),
            false,
        );
        value["description"] = json!(nested.doc);
        properties.insert(nested.name.into(), value);
    }
    if kind.applies_to_word.is_some() {
        properties.insert("customFields".into(), custom_fields());
    }
    properties.insert("clear".into(), clear(kind));
    properties
}

/// The name of the definition of an entry. Lists whose entries have the same fields share it.
fn entry_name(list: &NestedList) -> String {
    let given = list.given.iter();
    let given = given.map(|(field, _)| format!("{}{}", field[..1].to_uppercase(), &field[1..]));
    let given: Vec<String> = given.collect();
    format!("{}Without{}", get(list.kind).name, given.join("And"))
}

/// Adds the definitions of the entries of nested lists, at any depth.
fn define_entries(kind: &Kind, definitions: &mut Map<String, Value>) {
    for nested in kind.nested {
        let (name, target) = (entry_name(nested), get(nested.kind));
        if !definitions.contains_key(&name) {
            let mut properties = own_properties(target);
            properties.retain(|field, _| !nested.gives(field));
            definitions.insert(name, mapping(&properties, &["externalId"]));
            define_entries(target, definitions);
        }
    }
}

/// The fields that a manifest may set. The kind that exists once cannot be deleted, so it has no
/// status.
fn fields(kind: &Kind) -> impl Iterator<Item = &'static Field> {
    let hidden = kind.singleton.map(|_| kind.status_index());
    let fields = kind.fields.iter().enumerate();
    fields.filter_map(move |(index, field)| {
        (Some(index) != hidden && !field.implied).then_some(field)
    })
}

fn group_of(kind: &Kind, group: &str) -> Value {
    let members: Map<String, Value> = kind
        .group(group)
        .map(|index| &kind.fields[index])
        .map(|field| (field.name[group.len() + 1..].to_owned(), property(field)))
        .collect();
    let mut value = mapping(&members, &[]);
    value["type"] = json!(["object", "null"]);
    value
}

/// The schema of a field.
fn property(field: &Field) -> Value {
    let mut described = Map::new();
    described.insert("description".into(), json!(description(field)));
    if let Value::Object(ty) = of_type(field) {
        described.extend(ty);
    }
    if let Some(default) = default(field.default) {
        described.insert("default".into(), default);
    }
    // Not the keyword `required`: an update may leave the field out.
    let marks = [
        ("x-required-on-create", field.required),
        ("x-immutable", field.immutable),
        ("x-personal", field.personal),
    ];
    for (name, _) in marks.into_iter().filter(|(_, holds)| *holds) {
        described.insert(name.into(), json!(true));
    }
    Value::Object(described)
}

fn description(field: &Field) -> String {
    let mut words = field.doc.to_owned();
    if field.required {
        words.push_str(" Required on create.");
    }
    if field.immutable {
        words.push_str(" Cannot be changed.");
    }
    words
}

fn default(default: FieldDefault) -> Option<Value> {
    Some(match default {
        FieldDefault::None => return None,
        FieldDefault::Bool(value) => json!(value),
        FieldDefault::Int(value) => json!(value),
        FieldDefault::Text(text) => json!(text),
        FieldDefault::List(items) => json!(items),
    })
}

fn of_type(field: &Field) -> Value {
    match &field.ty {
        // A blank status is an error in the reader, since it must never mean active.
        FieldType::Enum(choices) if field.name == "status" => json!({"enum": choices}),
        FieldType::Set(item) => {
            let item = member(item);
            let item = match field.dated_by {
                Some(key) => json!({"anyOf": [item, dated_member(key, &item)]}),
                None => item,
            };
            list(&item, field.required)
        }
        FieldType::Ordered(most) => list(&item_text(*most), field.required),
        FieldType::Links {
            kind,
            key,
            attributes,
            inline,
        } => {
            let mut more: Map<String, Value> = attributes.iter().map(described_attribute).collect();
            more.extend(dates(field.dated_by));
            list(&link(get(*kind), key, &more, *inline), field.required)
        }
        FieldType::Secret => secret(),
        scalar => of_scalar(scalar),
    }
}

/// Repeats are allowed because lists are sets. `[]` would empty a required list.
fn list(items: &Value, required: bool) -> Value {
    let mut value = json!({"type": ["array", "null"], "items": items});
    if required {
        value["minItems"] = json!(1);
    }
    value
}

fn member(item: &SetItem) -> Value {
    match item {
        SetItem::Ref(kind) => id(get(*kind)),
        SetItem::Text(most) => item_text(*most),
    }
}

/// A link: the long form, or the id alone, or the target written out.
fn link(target: &Kind, key: &str, attributes: &Map<String, Value>, inline: bool) -> Value {
    let mut long = Map::new();
    let mut key_of = id(target);
    key_of["description"] = json!(format!("The externalId of the {}.", target.name));
    long.insert(key.into(), key_of);
    long.extend(attributes.clone());
    let long = mapping(&long, &[key]);
    if !inline {
        return json!({"anyOf": [id(target), long]});
    }
    let mut written_out = own_properties(target);
    // A linked target cannot be deleted at the same time.
    written_out.remove("status");
    written_out.extend(attributes.clone());
    json!({
        "if": {"required": [key]},
        "then": long,
        "else": mapping(&written_out, &["externalId"]),
    })
}

/// A member that is in force for a time, such as `{group: FOC_Credit, effectiveUntil: 2026-12-31}`.
fn dated_member(key: &str, item: &Value) -> Value {
    let mut properties = Map::from_iter([(key.to_owned(), item.clone())]);
    properties.extend(dates(Some(key)));
    mapping(&properties, &[key])
}

/// The dates of an item, where items may have them.
fn dates(dated_by: Option<&str>) -> impl Iterator<Item = (String, Value)> {
    let docs = [
        "The day or moment from which it is in force.",
        "The day or moment from which it is no longer in force.",
    ];
    let dates = effective::DATE_NAMES.into_iter().zip(docs);
    let dates = dates.filter(move |_| dated_by.is_some());
    dates.map(|(name, doc)| {
        let mut date = of_scalar(&FieldType::Moment);
        date["description"] = json!(doc);
        (name.to_owned(), date)
    })
}

fn described_attribute(attribute: &LinkAttribute) -> (String, Value) {
    let default = attribute.choices[usize::from(attribute.default)];
    let (mut value, default) = if attribute.choices == BOOL {
        (boolean(), json!(default == "true"))
    } else {
        (one_of(attribute.choices), json!(default))
    };
    value["description"] = json!(attribute.doc);
    value["default"] = default;
    (attribute.name.to_owned(), value)
}

fn secret() -> Value {
    json!({
        "type": ["object", "null"],
        "properties": {
            "env": {
                "description": "The name of an environment variable.",
                "type": "string", "pattern": "^ROSTER_SECRET_[A-Za-z0-9_]+$",
            },
            "file": {
                "description": "The name of a file in the secrets directory.",
                "type": "string", "pattern": r"^[^.\/\\:][^\/\\:]*$",
            },
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": false,
    })
}

fn custom_fields() -> Value {
    let scalar = ["string", "number", "boolean", "null"];
    json!({
        "description": "The values of custom fields, by the externalId of the CustomField. A \
                        blank value clears an optional field.",
        "type": ["object", "null"],
        "additionalProperties": {
            "type": [scalar[0], scalar[1], scalar[2], scalar[3], "array"],
            "items": {"type": scalar[..3]},
        },
    })
}

fn clear(kind: &Kind) -> Value {
    let mut names: Vec<&str> = Vec::new();
    let status = &kind.fields[kind.status_index()];
    for field in fields(kind).filter(|field| !field.is_secret() && !std::ptr::eq(*field, status)) {
        match field.name.split_once('.') {
            // A group is cleared as a whole, although its members are required within it.
            Some((group, _)) if !names.contains(&group) => names.push(group),
            None if !field.required => names.push(field.name),
            _ => {}
        }
    }
    let own = json!({"enum": names});
    let items = match kind.applies_to_word {
        Some(_) => json!({"anyOf": [own, {"type": "string", "pattern": r"^customFields\..+"}]}),
        None => own,
    };
    json!({
        "description": "The fields to clear. A field that is absent or blank keeps its stored value.",
        "type": ["array", "null"],
        "items": items,
    })
}

/// A mapping with these keys, and free notes under `x-`.
fn mapping(properties: &Map<String, Value>, required: &[&str]) -> Value {
    let mut value = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": true},
        "additionalProperties": false,
    });
    if !required.is_empty() {
        value["required"] = json!(required);
    }
    value
}

fn object(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    entries
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The schema files by name: `manifest.json`, `Account.json`, …
#[must_use]
pub fn files() -> BTreeMap<String, String> {
    let all = ALL.map(|kind| (format!("{}.json", kind.name), schema(Some(kind))));
    all.into_iter()
        .chain([("manifest.json".to_owned(), schema(None))])
        .map(|(name, schema)| (name, format!("{schema:#}\n")))
        .collect()
}

//! Values and resources as JSON, in the form of manifests. Used by every output that shows a
//! resource, so that it can be pasted into a manifest.

use super::effective::{self, DatedItem};
use super::{BOOL, Field, FieldType, SECRET_IN_EXPORT, get};
use crate::model::{CompactText, FieldRef, Link, Row, Value};
use serde_json::{Map, Value as Json, json};

/// Returns a stored resource as a manifest would declare it, with everything written out.
///
/// Links are objects with all their attributes, sets are arrays, groups are objects, and a password
/// is its reference.
#[must_use]
pub fn resource(row: &Row) -> Map<String, Json> {
    let kind = get(row.key.kind);
    let mut object = Map::new();
    object.insert("kind".to_owned(), kind.name.into());
    object.insert("externalId".to_owned(), row.key.id.as_str().into());
    let items = effective::dated_items_field(kind);
    let items = items.and_then(|field| row.value(&field));
    let dated: Vec<DatedItem> = effective::dated_items(kind, items).collect();
    for (field, value) in kind.fields.iter().zip(&row.values) {
        // They are written with the lists that they are items of.
        if field.implied {
            continue;
        }
        if field.dated_by.is_some() && dated.iter().any(|item| item.list == field.name) {
            let items = dated.iter().filter(|item| item.list == field.name);
            let list = dated_list(field, value.as_ref(), &items.collect::<Vec<_>>());
            put(&mut object, field, list);
            continue;
        }
        // A password of an export is nothing that a manifest could refer to.
        let is_elsewhere = field.is_secret() && *value == Some(Value::text(SECRET_IN_EXPORT));
        if let Some(value) = value.as_ref().filter(|_| !is_elsewhere) {
            put(&mut object, field, own_field_json(field, value));
        }
    }
    if !row.custom_values.is_empty() {
        let custom = row.custom_values.iter();
        let custom: Map<_, _> = custom
            .map(|(id, value)| (id.to_string(), scalar_json(value)))
            .collect();
        object.insert("customFields".to_owned(), custom.into());
    }
    object
}

/// Returns the value of any field of the kind.
#[must_use]
pub fn value(field: Option<&Field>, value: &Value) -> Json {
    field.map_or_else(|| scalar_json(value), |field| own_field_json(field, value))
}

/// Returns the stored value of a field.
#[must_use]
pub fn stored(row: &Row, field: &FieldRef) -> Option<Json> {
    let value = row.value(field)?;
    Some(self::value(get(row.key.kind).field(field), value))
}

/// The fields that serve as a name, in this order. A kind has only some of them.
const NAMES: [&str; 5] = ["name", "fullName", "lastName", "label", "title"];

/// Returns the name that people know a stored resource by, if it has one.
#[must_use]
pub fn name(row: &Row) -> Option<String> {
    let kind = get(row.key.kind);
    joined_name(|name| row.values[kind.index(name)?].as_ref()?.as_text())
}

/// Returns the name that the fields of a resource make, if they make one.
#[must_use]
pub fn joined_name<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let text = |name: &str| {
        let value = value(name).filter(|text| !text.is_empty());
        value.map(str::to_owned)
    };
    let name = NAMES.iter().find_map(|name| text(name));
    // Only people have a first name.
    let first = text("firstName");
    let parts: Vec<String> = first.into_iter().chain(name).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Puts `legalUser.birthday` into the object `legalUser`.
fn put(object: &mut Map<String, Json>, field: &Field, value: Json) {
    match field.name.split_once('.') {
        None => {
            object.insert(field.name.to_owned(), value);
        }
        Some((group, member)) => {
            let group = object.entry(group).or_insert_with(|| json!({}));
            group[member] = value;
        }
    }
}

fn own_field_json(field: &Field, value: &Value) -> Json {
    match (&field.ty, value) {
        (ty @ FieldType::Links { key, .. }, Value::Links(links)) => {
            links.iter().map(|link| link_json(ty, key, link)).collect()
        }
        (FieldType::Secret, Value::Text(from)) => match from.split_once(':') {
            Some((place, name)) => json!({ place: name }),
            None => from.as_str().into(),
        },
        // The stored value carries the version of the file. A manifest has only the path.
        (FieldType::File, Value::Text(file)) => {
            let path = file
                .rsplit_once(" sha256:")
                .map_or(&**file, |(path, _)| path);
            path.into()
        }
        _ => scalar_json(value),
    }
}

/// A list with its items that are always in force and those with dates.
fn dated_list(list: &Field, value: Option<&Value>, dated: &[&DatedItem]) -> Json {
    let link = |link: &Link| match &list.ty {
        ty @ FieldType::Links { key, .. } => link_json(ty, key, link),
        _ => link.target.as_str().into(),
    };
    let is_dated = |link: &Link| dated.iter().any(|item| item.link(&list.ty) == *link);
    let always = value.map(effective::as_links).unwrap_or_default();
    let always = always.iter().filter(|it| !is_dated(it)).map(link);
    let dated = dated.iter().map(|item| {
        let mut object = match link(&item.link(&list.ty)) {
            Json::Object(object) => object,
            member => Map::from_iter([(list.dated_by.unwrap_or_default().to_owned(), member)]),
        };
        let moments = effective::DATE_NAMES
            .iter()
            .zip(item.period.moments_by_name());
        let stated = moments.filter_map(|(name, moment)| Some((name, moment?)));
        object.extend(stated.map(|(name, moment)| ((*name).to_owned(), moment.as_str().into())));
        Json::Object(object)
    });
    always.chain(dated).collect()
}

fn link_json(ty: &FieldType, key: &str, link: &Link) -> Json {
    let mut object = Map::new();
    object.insert(key.to_owned(), link.target.as_str().into());
    for (attribute, choice) in ty.attributes().iter().zip(link.attributes) {
        let Some(choice) = choice else { continue };
        let word = match attribute.choices.get(usize::from(choice)) {
            Some(_) if attribute.choices == BOOL => Json::Bool(choice != 0),
            word => word.copied().into(),
        };
        object.insert(attribute.name.to_owned(), word);
    }
    Json::Object(object)
}

/// Returns the canonical form of a JSON number, without an exponent.
#[must_use]
pub fn number(number: &serde_json::Number) -> Value {
    let text = match (number.as_i64(), number.as_f64()) {
        // Integers first: a long one would lose digits as a float.
        (Some(whole), _) => whole.to_string(),
        // `-0` equals `0`, and must compare equal.
        (None, Some(0.0)) => "0".to_owned(),
        (None, Some(float)) => float.to_string(),
        (None, None) => number.to_string(),
    };
    Value::Number(text.into())
}

/// Numbers keep their spelling if JSON can express it.
fn scalar_json(value: &Value) -> Json {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::Number(text) => {
            serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_string()))
        }
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::List(members) => members
            .iter()
            .map(std::string::ToString::to_string)
            .collect(),
        Value::Links(links) => links.iter().map(|link| link.target.to_string()).collect(),
    }
}

/// Reads a value of a field back from the form in which the history records it. `None` if it is no
/// value of the field, as after an erasure.
#[must_use]
pub fn recorded(field: Option<&Field>, json: &Json) -> Option<Value> {
    let text = || json.as_str().map(Value::text);
    let Some(field) = field else {
        return match json {
            Json::Bool(value) => Some(Value::Bool(*value)),
            Json::Number(number) => Some(self::number(number)),
            Json::Array(_) => recorded_texts(json).map(|texts| Value::List(texts.into())),
            _ => text(),
        };
    };
    match &field.ty {
        FieldType::Bool => json.as_bool().map(Value::Bool),
        FieldType::Int(..) => json.as_i64().map(Value::Int),
        FieldType::Set(_) => recorded_texts(json).map(Value::set),
        FieldType::Ordered(_) => recorded_texts(json).map(|texts| Value::List(texts.into())),
        FieldType::Links { key, .. } => {
            let links = json.as_array()?.iter();
            let links: Option<Vec<Link>> = links
                .map(|link| recorded_link(&field.ty, key, link))
                .collect();
            links.map(Value::links)
        }
        FieldType::Secret => None,
        _ => text(),
    }
}

fn recorded_texts(json: &Json) -> Option<Vec<CompactText>> {
    let texts = json.as_array()?.iter();
    texts
        .map(|text| text.as_str().map(CompactText::new))
        .collect()
}

/// A link. Where only the target was recorded, it has no attributes.
fn recorded_link(ty: &FieldType, key: &str, json: &Json) -> Option<Link> {
    let target = json.as_str().or_else(|| json.get(key)?.as_str())?;
    let mut attributes = [None; 2];
    for (attribute, choice) in ty.attributes().iter().zip(&mut attributes) {
        let word = match json.get(attribute.name) {
            Some(Json::Bool(value)) => BOOL[usize::from(*value)],
            Some(Json::String(word)) => word.as_str(),
            _ => continue,
        };
        let at = attribute.choices.iter().position(|known| *known == word)?;
        *choice = u8::try_from(at).ok();
    }
    Some(Link {
        target: target.into(),
        attributes,
    })
}

//! Converts canonical values to SQL and back. `row`, `cell` and `custom_json` are the entry points.
//! What a foreign writer put into a column and cannot be read is treated as absent; the comparison
//! then writes it anew.

use super::sql_value::{SqlValue, SqlValueRef};
use super::tables::{ColumnContent, KindTable, LinkTable, TableColumn};
use crate::kinds::{self, FieldType, LinkAttribute};
use crate::model::{CompactText, Key, Link, Row, SmallMap, Value};
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

/// Reads a row of a kind's table; its lists are filled in later.
pub(super) fn row(table: &KindTable, cells: &mut [SqlValue]) -> Row {
    let kind = table.kind;
    let mut row = Row {
        key: Key {
            kind: kind.id,
            id: cells[0].take_text(),
        },
        version: cells[1].int(),
        values: vec![None; kind.fields.len()],
        custom_values: SmallMap::default(),
        facts: SmallMap::default(),
    };
    for (column, cell) in table.columns.iter().zip(cells) {
        match column.content {
            ColumnContent::Id | ColumnContent::Version => {}
            ColumnContent::Field(index) | ColumnContent::Path(index) => {
                row.values[index] = value(&kind.fields[index].ty, cell);
            }
            ColumnContent::Sha256(index) => join_sha256(&mut row.values[index], cell),
            ColumnContent::Custom => row.custom_values = custom(cell.as_text().unwrap_or_default()),
            ColumnContent::Fact(fact) => {
                if let Some(text) = cell.take_optional_text() {
                    row.facts.insert(fact.name, text);
                }
            }
        }
    }
    // An empty list instead of none: a resource without links has no rows to say so.
    for link in &table.links {
        row.values[link.field] = Some(members(link, Vec::new()));
    }
    row
}

/// The members found in a link table as a list, sorted by member.
pub(super) fn members(link: &LinkTable, links: Vec<Link>) -> Value {
    if link.attributes.is_empty() {
        Value::List(links.into_iter().map(|link| link.target).collect())
    } else {
        Value::Links(links.into())
    }
}

/// Reads one link from the cells after the owner.
pub(super) fn link(table: &LinkTable, cells: &mut [SqlValue]) -> Link {
    let mut attributes = [None; 2];
    for ((choice, attribute), cell) in attributes.iter_mut().zip(table.attributes).zip(&cells[1..])
    {
        *choice = choice_of(attribute, cell);
    }
    Link {
        target: cells[0].take_text(),
        attributes,
    }
}

fn choice_of(attribute: &LinkAttribute, cell: &SqlValue) -> Option<u8> {
    let word = match cell {
        SqlValue::Bool(value) => ["false", "true"][usize::from(*value)],
        SqlValue::Text(text) => text.as_str(),
        _ => return None,
    };
    let index = attribute
        .choices
        .iter()
        .position(|choice| *choice == word)?;
    u8::try_from(index).ok()
}

/// The attributes of a link as columns. An attribute that was not declared keeps the value of
/// `otherwise`, or takes its default.
pub(super) fn attribute_cells(
    table: &LinkTable,
    link: &Link,
    otherwise: Option<&Link>,
) -> impl Iterator<Item = SqlValueRef<'static>> {
    let attributes = table.attributes.iter().enumerate();
    attributes.map(move |(at, attribute)| {
        let said = link.attributes[at].or_else(|| otherwise?.attributes[at]);
        let choice = said.unwrap_or(attribute.default);
        match super::tables::attribute_type(attribute) {
            super::sql_value::SqlType::Bool => SqlValueRef::Bool(choice != 0),
            _ => attribute
                .choices
                .get(usize::from(choice))
                .map(|word| SqlValueRef::Static(word))
                .into(),
        }
    })
}

fn value(ty: &FieldType, cell: &mut SqlValue) -> Option<Value> {
    Some(match (ty, std::mem::take(cell)) {
        (_, SqlValue::Null) => {
            // A list that was never stored equals an empty one; anything else would be a change in
            // every plan.
            return matches!(ty, FieldType::Ordered(_)).then(|| Value::List([].into()));
        }
        (FieldType::Ordered(_), SqlValue::Text(text)) => Value::List(list(&text)),
        (_, SqlValue::Text(text)) => Value::Text(text),
        (_, SqlValue::Bool(value)) => Value::Bool(value),
        (_, SqlValue::Int(value) | SqlValue::Time(value)) => Value::Int(value),
        (_, SqlValue::Bytes(_)) => return None,
    })
}

/// Reads an ordered list from its JSON.
pub(super) fn list(json: &str) -> Box<[CompactText]> {
    serde_json::from_str::<Vec<CompactText>>(json)
        .unwrap_or_default()
        .into()
}

/// Appends the hash of the content to a file's path; together they are the value.
fn join_sha256(value: &mut Option<Value>, cell: &SqlValue) {
    if let (Some(Value::Text(path)), Some(hash)) = (value, cell.as_text()) {
        path.push_str(" sha256:");
        path.push_str(hash);
    }
}

/// The column value for a field's value.
pub(super) fn cell<'v>(column: &TableColumn, value: Option<&'v Value>) -> SqlValueRef<'v> {
    match (column.content, value) {
        (_, None | Some(Value::Links(_))) => SqlValueRef::Null,
        (ColumnContent::Sha256(_), Some(value)) => {
            kinds::file_sha256(value).map(SqlValueRef::Text).into()
        }
        (ColumnContent::Path(_), Some(Value::Text(file))) => {
            let path = file.rsplit_once(" sha256:");
            SqlValueRef::Text(path.map_or(file, |(path, _)| path))
        }
        (_, Some(Value::Text(text))) => SqlValueRef::Text(text),
        (_, Some(Value::Number(text))) => SqlValueRef::Text(text),
        (_, Some(Value::Bool(value))) => SqlValueRef::Bool(*value),
        (_, Some(Value::Int(value))) => SqlValueRef::Int(*value),
        (_, Some(Value::List(members))) => SqlValueRef::Owned(json_list(members)),
    }
}

/// Writes an ordered list as JSON.
pub(super) fn json_list(members: &[impl Serialize]) -> String {
    serde_json::to_string(members).unwrap_or_default()
}

/// Writes custom values as canonical JSON: sorted by id, without spaces.
pub(super) fn custom_json<'v>(
    custom: impl Iterator<Item = (&'v CompactText, &'v Value)>,
) -> String {
    let mut text = Vec::with_capacity(128);
    let shown = custom.map(|(id, value)| (id.as_str(), ValueJson(value)));
    // Writing to memory cannot fail, and these values always serialise.
    let _ = serde_json::Serializer::new(&mut text).collect_map(shown);
    String::from_utf8(text).unwrap_or_default()
}

/// Serialises a value; a text, the common case, without building a JSON tree.
struct ValueJson<'a>(&'a Value);

impl Serialize for ValueJson<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Text(text) => to.serialize_str(text),
            value => json(value).serialize(to),
        }
    }
}

/// Reads custom values from their JSON; leaves out what Roster would not write.
pub(super) fn custom(text: &str) -> SmallMap<CompactText, Value> {
    if matches!(text, "" | "{}") {
        return SmallMap::default();
    }
    let Ok(Json::Object(object)) = serde_json::from_str(text) else {
        return SmallMap::default();
    };
    object
        .into_iter()
        .filter_map(|(id, value)| Some((CompactText::from(id), custom_value(value)?)))
        .collect()
}

fn custom_value(json: Json) -> Option<Value> {
    Some(match json {
        Json::String(text) => Value::text(text),
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => kinds::json::number(&number),
        Json::Array(members) => {
            let members = members.into_iter().filter_map(|member| match member {
                Json::String(text) => Some(CompactText::from(text)),
                _ => None,
            });
            Value::List(members.collect())
        }
        Json::Null | Json::Object(_) => return None,
    })
}

/// A value as JSON; a number keeps its spelling where JSON allows it.
pub(super) fn json(value: &Value) -> Json {
    match value {
        Value::Text(text) => Json::String(text.to_string()),
        Value::Number(text) => {
            // JSON has no `007` and no `+1`: such a number is kept as the text it was.
            serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_string()))
        }
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::List(members) => members.iter().map(ToString::to_string).collect(),
        Value::Links(links) => links.iter().map(|link| link.target.to_string()).collect(),
    }
}

//! Expands addresses in numbered columns (`address 1 street`, `address 2 street`), which a mapping
//! writes once with `{n}`. This happens on the YAML values before they are parsed, so that nothing
//! after it knows of numbers.

use super::cell_file::{MappingResult, one_or_many};
use serde::Deserialize;
use serde_json::{Map, Value};

/// An upper bound against a mistyped number.
const MOST: u64 = 50;
/// The placeholder of the number.
const PLACE: &str = "{n}";

/// Returns the address blocks, with numbered ones repeated for each number.
pub(super) fn blocks(written: Option<Value>) -> MappingResult<Vec<AddressBlockFile>> {
    let all = match written {
        None => Vec::new(),
        Some(Value::Array(all)) => all,
        Some(one) => vec![one],
    };
    let mut blocks = Vec::new();
    for block in all {
        match block {
            Value::Object(mut block) => match block.remove("numbered") {
                Some(count) => blocks.extend(copies(&block, &count)?),
                None => blocks.push(Value::Object(block)),
            },
            other => blocks.push(other),
        }
    }
    one_or_many("addresses", Some(Value::Array(blocks)))
}

fn copies(block: &Map<String, Value>, count: &Value) -> MappingResult<Vec<Value>> {
    let wrong = |why: &str| Err(format!("addresses: numbered: {why}"));
    let Some(count) = count.as_u64().filter(|count| (1..=MOST).contains(count)) else {
        return wrong(&format!(
            "`{count}` is not a number of addresses; use 1 to {MOST}"
        ));
    };
    // Without the number in it, all addresses of a row would have one id and contradict each other.
    let id = block.get("externalId").map(Value::to_string);
    if !id.is_some_and(|id| id.contains(PLACE)) {
        return wrong(
            "every address needs its own id; add `{n}` to it: `externalId: {template: \"{account}-{n}\"}`",
        );
    }
    if block.contains_key("rows") {
        return wrong("`rows:` already has one address per object; remove one of the two");
    }
    // The columns that decide whether the address exists. Shared columns, such as the name of the
    // customer, are always filled and must not count.
    let mut own = Vec::new();
    let fields = ["fields", "customFields"].into_iter();
    fields
        .filter_map(|fields| block.get(fields)?.as_object())
        .flat_map(Map::values)
        .for_each(|cell| columns(cell, &mut own));
    if own.is_empty() {
        return wrong(
            "no column has a number; write it as `{n}`, for example `street: address {n} street`",
        );
    }
    let mut block = block.clone();
    block.insert("own".to_owned(), Value::Array(own));
    let block = Value::Object(block);
    Ok((1..=count)
        .map(|number| with_number(&block, &number.to_string()))
        .collect())
}

/// Collects the numbered columns that a cell reads.
fn columns(cell: &Value, found: &mut Vec<Value>) {
    match cell {
        Value::String(name) if name.contains(PLACE) => found.push(cell.clone()),
        Value::Array(cells) => cells.iter().for_each(|cell| columns(cell, found)),
        Value::Object(parts) => {
            for part in ["column", "first", "join"] {
                parts
                    .get(part)
                    .into_iter()
                    .for_each(|cell| columns(cell, found));
            }
        }
        _ => {}
    }
}

/// Returns a value with the number in every placeholder.
fn with_number(value: &Value, number: &str) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace(PLACE, number)),
        Value::Array(all) => all.iter().map(|one| with_number(one, number)).collect(),
        Value::Object(members) => {
            let members = members.iter();
            let members = members
                .map(|(name, value)| (name.replace(PLACE, number), with_number(value, number)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct AddressBlockFile {
    #[serde(default)]
    pub(super) own: Vec<String>,
    pub(super) when: Option<Value>,
    pub(super) rows: Option<String>,
    pub(super) external_id: Value,
    #[serde(default)]
    pub(super) fields: Map<String, Value>,
    #[serde(default)]
    pub(super) custom_fields: Map<String, Value>,
    pub(super) shipping: Option<Value>,
    pub(super) billing: Option<Value>,
    pub(super) unlink: Option<Value>,
}

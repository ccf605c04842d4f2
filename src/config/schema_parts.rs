//! Parts of the schema of `roster.yaml` that no derive can say.

use crate::kinds;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// A text, or a mapping with some of these keys.
pub(super) fn text_or_keys(keys: &[&str]) -> Schema {
    let keys = keys.iter();
    let keys: Map<String, Value> = keys.map(|key| ((*key).to_owned(), json!({}))).collect();
    json_schema!({
        "type": ["string", "object"],
        "properties": keys,
        "additionalProperties": false,
    })
}

/// A mapping whose keys are kinds.
pub(super) fn by_kind<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let value = generator.subschema_for::<T>().to_value();
    let kinds = kinds::ALL.map(|kind| (kind.name.to_owned(), value.clone()));
    let properties = Map::from_iter(kinds);
    json_schema!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

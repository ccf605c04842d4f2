//! The JSON Schema of `roster.yaml`, for editors. It is derived from the types that read the file,
//! and never stricter than these.

use super::file::ConfigFile;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// Returns the schema.
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<ConfigFile>().to_value();
    schema["title"] = json!("Roster: roster.yaml");
    schema["description"] = json!("The configuration of the operator.");
    add_environments(&mut schema);
    allow_numbers(&mut schema);
    schema
}

/// An environment may have every key of the top level, and states only what differs.
fn add_environments(schema: &mut Value) {
    let mut partial = Map::new();
    let mut environment = json!({
        "type": "object",
        "properties": schema["properties"],
        "additionalProperties": false,
    });
    without_required(&mut environment, &schema["$defs"], &mut partial);
    if let Some(properties) = environment["properties"].as_object_mut() {
        properties.remove("environments");
    }
    schema["properties"]["environments"]["additionalProperties"] = environment;
    if let Some(definitions) = schema["$defs"].as_object_mut() {
        definitions.extend(partial);
    }
}

/// Makes every key of mappings optional. Lists replace the ones below, so their items stay whole.
fn without_required(schema: &mut Value, definitions: &Value, partial: &mut Map<String, Value>) {
    const DEFINITIONS: &str = "#/$defs/";
    let Some(keywords) = schema.as_object_mut() else {
        return;
    };
    keywords.remove("required");
    let name = keywords.get("$ref").and_then(Value::as_str);
    let name = name.and_then(|name| name.strip_prefix(DEFINITIONS));
    if let Some(name) = name.map(str::to_owned) {
        let new = format!("Partial{name}");
        keywords.insert("$ref".to_owned(), json!(format!("{DEFINITIONS}{new}")));
        if !partial.contains_key(&new) {
            // First, so that a definition that names itself ends.
            partial.insert(new.clone(), Value::Null);
            let mut definition = definitions[&name].clone();
            without_required(&mut definition, definitions, partial);
            partial.insert(new, definition);
        }
    }
    for (keyword, value) in keywords {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                for value in properties.values_mut() {
                    without_required(value, definitions, partial);
                }
            }
            ("anyOf", Value::Array(forms)) => {
                for form in forms {
                    without_required(form, definitions, partial);
                }
            }
            ("additionalProperties", value) => without_required(value, definitions, partial),
            _ => {}
        }
    }
}

/// Lets numbers stand for text, as the reader does: `ref: 2024` is the text `2024`.
fn allow_numbers(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            let is_choice = keywords.contains_key("enum") || keywords.contains_key("const");
            if let Some(ty) = keywords.get_mut("type").filter(|_| !is_choice) {
                if *ty == "string" {
                    *ty = json!(["string", "number"]);
                } else if let Some(types) = ty.as_array_mut()
                    && types.contains(&json!("string"))
                    && !types.contains(&json!("number"))
                {
                    types.push(json!("number"));
                }
            }
            keywords.values_mut().for_each(allow_numbers);
        }
        Value::Array(values) => values.iter_mut().for_each(allow_numbers),
        _ => {}
    }
}

//! The schemas of single values: what a text, a number or an id of a manifest may look like.

use super::{FieldType, IdChars, Kind, get};
use serde_json::{Value, json};

pub(super) fn of_scalar(ty: &FieldType) -> Value {
    match ty {
        FieldType::Text(most) | FieldType::LongText(most) => text(&json!({"maxLength": most})),
        FieldType::Bool => boolean(),
        FieldType::Int(least, most) => json!({
            "type": ["integer", "string", "null"], "minimum": least, "maximum": most,
            "pattern": r"^\s*\d*\s*$",
        }),
        FieldType::Duration => pattern("([1-9][0-9]{0,8}[smhd])?"),
        FieldType::Enum(choices) => one_of(choices),
        FieldType::PastDate => formatted("date", "([0-9]{4}-[0-9]{2}-[0-9]{2})?"),
        FieldType::Moment => pattern(
            "([0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2}))?)?",
        ),
        FieldType::Country => pattern("([A-Z]{2})?"),
        FieldType::Email => formatted("idn-email", r"([^@\s]+@[^@\s]+\.[^@\s]+)?"),
        FieldType::Phone => text(&json!({"pattern": r"^\s*\+?[0-9\s().\/-]*$"})),
        FieldType::Url => formatted("uri", r"([hH][tT][tT][pP][sS]?:\/\/\S+)?"),
        FieldType::Ref(kind) => blank_or(&id(get(*kind))),
        FieldType::File => json!({
            "type": ["string", "null"], "maxLength": 1024,
            "not": {"pattern": r"^\/|(^|\/)\.\.(\/|$)"},
        }),
        _ => text(&json!({})),
    }
}

/// Text as written: an editor's YAML reads `00123` as a number, the reader does not.
pub(super) fn text(more: &Value) -> Value {
    let mut value = json!({"type": ["string", "number", "boolean", "null"]});
    if let (Value::Object(all), Value::Object(more)) = (&mut value, more) {
        all.extend(more.clone());
    }
    value
}

pub(super) fn pattern(inner: &str) -> Value {
    json!({"type": ["string", "null"], "pattern": format!(r"^\s*{inner}\s*$")})
}

pub(super) fn formatted(format: &str, inner: &str) -> Value {
    let mut value = pattern(inner);
    value["format"] = json!(format);
    value
}

pub(super) fn boolean() -> Value {
    json!({
        "type": ["boolean", "string", "null"],
        "pattern": r"^\s*(true|True|TRUE|false|False|FALSE)?\s*$",
    })
}

pub(super) fn one_of(choices: &[&str]) -> Value {
    let words = choices.iter().map(|word| json!(word));
    json!({"enum": words.chain([json!(""), Value::Null]).collect::<Vec<_>>()})
}

pub(super) fn blank_or(value: &Value) -> Value {
    json!({"anyOf": [value, {"type": ["string", "null"], "pattern": r"^\s*$"}]})
}

pub(super) fn item_text(most: usize) -> Value {
    json!({"type": ["string", "number", "boolean"], "pattern": r"\S", "maxLength": most})
}

pub(super) fn id(kind: &Kind) -> Value {
    let pattern = match (kind.singleton, kind.id_chars) {
        (Some(only), _) => return json!({"const": only}),
        (None, IdChars::Ascii) => "^[!-~]+$",
        (None, IdChars::Printable) => r"^\S(.*\S)?$",
    };
    json!({"type": ["string", "number", "boolean"], "maxLength": 128, "pattern": pattern})
}

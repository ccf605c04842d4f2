//! `match:` as written in a mapping: the fields by which a row without an external id finds its
//! resource, and the external id of a new one. A field, a list of fields, or an object with both.

use super::cell_file::{MappingColumns, MappingResult, cell};
use super::section::{FieldMapping, RowMatching};
use crate::kinds::{FieldType, Kind, USER};
use crate::model::FieldRef;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowMatchingFile {
    by: FieldNames,
    otherwise: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FieldNames {
    One(String),
    Several(Vec<String>),
}

/// Reads `match:` of a section with these fields.
pub(super) fn matching(
    kind: &'static Kind,
    fields: &[FieldMapping],
    value: Value,
    names: &mut MappingColumns,
) -> MappingResult<RowMatching> {
    if kind.id != USER {
        return Err("only rows of users can be matched".to_owned());
    }
    let value = if value.is_object() {
        value
    } else {
        json!({"by": value})
    };
    let expected = "expected a field, a list of fields, or `{by: [..], otherwise: COLUMN}`";
    let file: RowMatchingFile =
        serde_json::from_value(value).map_err(|error| format!("{error}; {expected}"))?;
    let by = match file.by {
        FieldNames::One(name) => vec![name],
        FieldNames::Several(names) => names,
    };
    if by.is_empty() {
        return Err(expected.to_owned());
    }
    let otherwise = file.otherwise.map(|value| cell(value, names)).transpose();
    Ok(RowMatching {
        fields: by
            .iter()
            .map(|name| matched_field(kind, fields, name))
            .collect::<MappingResult<_>>()?,
        otherwise: otherwise.map_err(|why| format!("otherwise: {why}"))?,
    })
}

/// A field that says who somebody is: the e-mail address, or a custom field such as a contact id.
fn matched_field(
    kind: &'static Kind,
    fields: &[FieldMapping],
    name: &str,
) -> MappingResult<FieldRef> {
    let says_who = |field: &FieldRef| {
        kind.field(field)
            .is_none_or(|field| matches!(field.ty, FieldType::Email))
    };
    let field = kind.field_ref(name).filter(says_who).ok_or_else(|| {
        format!("`{name}` does not say who is meant; use `email` or `customFields.ID`")
    })?;
    let is_mapped = |it: &FieldMapping| it.field == field && it.attribute.is_none();
    if fields.iter().any(is_mapped) {
        return Ok(field);
    }
    Err(format!("`{name}` is not mapped; add it to the fields"))
}

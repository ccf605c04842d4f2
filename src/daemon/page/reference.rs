//! Shows the values of fields that refer to resources, as links to their pages.
//!
//! Only for pages that show resources, whose readers see every source.

use super::{link, value};
use crate::kinds::{self, FieldType, Kind};
use maud::{Markup, html};
use serde_json::{Map, Value};

/// Shows the value of a field of a kind.
pub(super) fn value(kind: &Kind, field: &str, value: &Value) -> Markup {
    let field = kind.index(field).map(|index| &kind.fields[index]);
    let Some((field, target)) = field.and_then(|field| Some((field, field.ty.target()?))) else {
        return value::value(value);
    };
    let target = kinds::get(target).name;
    match (value, &field.ty) {
        (Value::String(id), _) => linked(target, id),
        (Value::Array(all), ty) => html! {
            @if all.is_empty() { (value::value(value)) }
            @else { ul.members { @for member in all { li { (one(target, ty, member)) } } } }
        },
        _ => value::value(value),
    }
}

/// A member of a list: an id, or a link with its attributes.
fn one(target: &str, ty: &FieldType, member: &Value) -> Markup {
    match (member, ty) {
        (Value::String(id), _) => linked(target, id),
        (Value::Object(link), FieldType::Links { key, .. }) => {
            let id = link.get(*key).and_then(Value::as_str);
            let others = link.iter().filter(|(name, _)| name != key);
            let others: Map<String, Value> = others
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            html! {
                @if let Some(id) = id { (linked(target, id)) }
                @if !others.is_empty() { " (" (value::value(&Value::Object(others))) ")" }
            }
        }
        _ => value::value(member),
    }
}

fn linked(kind: &str, id: &str) -> Markup {
    html! { a.key href=(link::resource_path(kind, id)) { (id) } }
}

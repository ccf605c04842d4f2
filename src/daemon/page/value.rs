//! Shows values, changes and origins from the JSON of plans and runs.
//!
//! Everything here was written by others, so control and direction characters are made visible with
//! [`visible`]. A name in them could otherwise read as another one while somebody approves it.

use crate::diagnostic::visible;
use maud::{Markup, html};
use serde_json::{Map, Value};

/// Shows a value as in a manifest.
pub(super) fn value(value: &Value) -> Markup {
    html! {
        @match value {
            Value::Null => span.nothing { "nothing" },
            Value::String(text) if text.is_empty() => span.nothing { "empty" },
            Value::String(text) => span.text { (visible_lines(text)) },
            Value::Array(members) if members.is_empty() => span.nothing { "none" },
            Value::Array(members) => ul.members { @for member in members { li { (self::value(member)) } } },
            Value::Object(object) => (record(object)),
            other => span.text { (other) },
        }
    }
}

/// Makes hidden characters visible, but keeps line breaks.
fn visible_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(visible).collect();
    lines.join("\n")
}

/// Shows a sentence with names in backticks as code.
pub(super) fn prose(text: &str) -> Markup {
    let text = visible(text);
    let parts: Vec<&str> = text.split('`').collect();
    // An odd number of backticks: one is part of a value, and it is unclear which.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (at, part) in parts.iter().enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn record(object: &Map<String, Value>) -> Markup {
    // The JSON of a secret has this in place of the value.
    if object.contains_key("redacted") {
        return html! { span.nothing { "not shown" } };
    }
    html! {
        span.record {
            @for (at, (name, value)) in object.iter().enumerate() {
                @if at > 0 { ", " }
                @if name == "member" || name == "account" || name == "externalId" { (self::value(value)) }
                @else { span.name { (name) ":" } " " (self::value(value)) }
            }
        }
    }
}

/// Shows the change of a field: before and after, or members added, removed and changed.
pub(super) fn change(change: &Value) -> Markup {
    let list = |name: &str| change[name].as_array().cloned().unwrap_or_default();
    html! {
        @if let Some(before) = change.get("before") { (deletion(before)) " " }
        @if let Some(after) = change.get("after") { (insertion(after)) }
        @for member in list("removed") { (deletion(&member)) " " }
        @for member in list("added") { (insertion(&member)) " " }
        @for member in list("changed") {
            (value(&member["member"])) ": " (deletion(&member["before"])) " " (insertion(&member["after"])) " "
        }
        // A change without values is one whose values were erased.
        @if change.as_object().is_none_or(Map::is_empty) { span.nothing { "erased" } }
    }
}

// The signs are for readers who cannot tell the colours apart.
fn deletion(was: &Value) -> Markup {
    html! { del { span.sign { "−\u{a0}" } (value(was)) } }
}

fn insertion(is: &Value) -> Markup {
    html! { ins { span.sign { "+\u{a0}" } (value(is)) } }
}

/// Shows the changes by field. A plan has them as a list, a run as an object.
pub(super) fn changes(all: &Value) -> Markup {
    let named: Vec<(&str, &Value)> = match all {
        Value::Array(list) => list
            .iter()
            .map(|change| (change["field"].as_str().unwrap_or_default(), change))
            .collect(),
        Value::Object(map) => map.iter().map(|(name, change)| (&**name, change)).collect(),
        _ => Vec::new(),
    };
    html! {
        @if !named.is_empty() {
            dl.changes { @for (name, what) in named { div { dt { (name) } dd { (change(what)) } } } }
        }
    }
}

/// Shows path, line and column.
pub(super) fn place(origin: &Value) -> Markup {
    let path = origin["path"].as_str().unwrap_or_default();
    html! {
        @if !path.is_empty() {
            code.place {
                (visible(path))
                @if let Some(line) = origin["line"].as_u64() { ":" (line) }
                @if let Some(column) = origin["column"].as_u64() { ":" (column) }
            }
        }
    }
}

//! Values, and what became of them.

use crate::diagnostic::visible;
use maud::{Markup, html};
use serde_json::{Map, Value};

/// A value as it stands in a manifest.
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

/// A text with its line breaks, and nothing hidden in its lines.
fn visible_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(visible).collect();
    lines.join("\n")
}

/// A sentence in which names stand between backticks.
pub(super) fn prose(text: &str) -> Markup {
    let text = visible(text);
    let parts: Vec<&str> = text.split('`').collect();
    // One backtick alone is no beginning of a name.
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

/// A change of a field: what was, what is, who joined and who left.
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
        // After erasure nothing is left of a value.
        @if change.as_object().is_none_or(Map::is_empty) { span.nothing { "erased" } }
    }
}

fn deletion(was: &Value) -> Markup {
    html! { del { span.sign { "−\u{a0}" } (value(was)) } }
}

fn insertion(is: &Value) -> Markup {
    html! { ins { span.sign { "+\u{a0}" } (value(is)) } }
}

/// The changes of a plan's step, or of a committed one: by field.
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

/// Path, line and column.
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

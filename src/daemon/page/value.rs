//! Shows the values, changes and origins of plans and runs.
//!
//! Everything here was written by others, so control and direction characters are made visible with
//! [`visible`]. A name in them could otherwise read as another one while somebody approves it.

use super::word_marks::{self, visible_lines};
use crate::diagnostic::{plural, visible};
use crate::document::{
    AttributeDocument, FieldChangeDocument, FieldHistory, FieldHistoryDocument, LinkAttributes,
    MemberDocument, OriginDocument, ValueDocument,
};
use maud::{Markup, html};
use serde_json::{Map, Value};

/// How many characters of a text are shown. A page is no place for a book.
const MAX_TEXT: usize = 2000;

/// Shows a value as in a manifest.
pub(super) fn value(value: &Value) -> Markup {
    match value {
        Value::Null => nothing("nothing"),
        Value::String(value) => text(value),
        Value::Array(all) => members(all.iter().map(self::value)),
        Value::Object(object) => record(object),
        Value::Bool(value) => plain(value),
        Value::Number(number) => plain(number),
    }
}

fn nothing(word: &str) -> Markup {
    html! { span.nothing { (word) } }
}

fn plain(value: &impl std::fmt::Display) -> Markup {
    html! { (value) }
}

fn text(text: &str) -> Markup {
    html! {
        @if text.is_empty() { (nothing("empty")) }
        @else if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
            (visible_lines(&text[..end])) "… " (nothing(&format!("{} in all", plural(text.chars().count(), "character"))))
        } @else { (visible_lines(text)) }
    }
}

fn members(all: impl ExactSizeIterator<Item = Markup>) -> Markup {
    html! {
        @if all.len() == 0 { (nothing("none")) }
        @else { ul.members { @for member in all { li { (member) } } } }
    }
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
        return nothing("not shown");
    }
    let all = object.iter().map(|(name, value)| match &**name {
        "member" | "account" | "externalId" => self::value(value),
        name => entry(name, &self::value(value)),
    });
    entries(all)
}

fn entry(name: &str, value: &Markup) -> Markup {
    html! { span.name { (name) ":" } " " (value) }
}

fn entries(all: impl Iterator<Item = Markup>) -> Markup {
    html! {
        span.record {
            @for (at, entry) in all.enumerate() { @if at > 0 { ", " } (entry) }
        }
    }
}

/// Shows the changes of a step by field, before and after side by side.
pub(super) fn plan_changes(all: &[FieldChangeDocument<'_>]) -> Markup {
    let changes = all
        .iter()
        .map(|change| (&*change.field, plan_change(change)));
    definitions(changes)
}

/// The two sides of the change of a field: the values, or the members that go and that come.
fn plan_change(change: &FieldChangeDocument<'_>) -> ChangeSides {
    if let (Some(ValueDocument::Text(before)), Some(ValueDocument::Text(after))) =
        (&change.before, &change.after)
        && let Some((before, after)) = word_marks::marked(before, after)
    {
        return ChangeSides {
            before: deletion(&before),
            after: insertion(&after),
        };
    }
    let changed = || change.changed.iter().flatten();
    ChangeSides {
        before: html! {
            @if let Some(before) = &change.before { (deletion(&plan_value(before))) }
            @for id in change.removed.iter().flatten() { (deletion(&text(id))) " " }
            @for link in changed() { (deletion(&attributes(Some(&link.member), &link.before))) " " }
        },
        after: html! {
            @if let Some(after) = &change.after { (insertion(&plan_value(after))) }
            @for member in change.added.iter().flatten() { (insertion(&plan_member(member))) " " }
            @for link in changed() { (insertion(&attributes(Some(&link.member), &link.after))) " " }
        },
    }
}

fn plan_value(value: &ValueDocument<'_>) -> Markup {
    match value {
        ValueDocument::Nothing => nothing("nothing"),
        ValueDocument::Flag(value) => plain(value),
        ValueDocument::Number(number) => plain(number),
        ValueDocument::Text(value) => text(value),
        ValueDocument::List(ids) => members(ids.iter().map(|id| text(id))),
        ValueDocument::Redacted(_) => nothing("not shown"),
    }
}

fn plan_member(member: &MemberDocument<'_>) -> Markup {
    match member {
        MemberDocument::Id(id) => text(id),
        MemberDocument::Link(link) => attributes(Some(&link.member), &link.attributes),
    }
}

/// Shows the attributes of a link, after its target if `member` names it.
fn attributes(member: Option<&str>, all: &LinkAttributes<'_>) -> Markup {
    let named = all.0.iter().map(|(name, value)| {
        let value = match value {
            AttributeDocument::Flag(value) => plain(value),
            AttributeDocument::Word(word) => text(word),
        };
        entry(name, &value)
    });
    entries(member.map(text).into_iter().chain(named))
}

/// Shows a committed change by field.
pub(super) fn committed_changes(all: &FieldHistory) -> Markup {
    let changes = all.0.iter();
    definitions(changes.map(|(name, change)| (&**name, committed_change(change))))
}

fn committed_change(change: &FieldHistoryDocument) -> ChangeSides {
    let listed = |members: &[Value], side: fn(&Markup) -> Markup| {
        html! { @for member in members { (side(&value(member))) " " } }
    };
    let only = |after| ChangeSides {
        before: html! {},
        after,
    };
    match change {
        FieldHistoryDocument::Created { after } => only(insertion(&value(after))),
        FieldHistoryDocument::Replaced { before, after } => {
            let marks = before.as_str().zip(after.as_str());
            let marks = marks.and_then(|(before, after)| word_marks::marked(before, after));
            let (before, after) = marks.unwrap_or_else(|| (value(before), value(after)));
            ChangeSides {
                before: deletion(&before),
                after: insertion(&after),
            }
        }
        FieldHistoryDocument::Joined { added } => {
            let added = added.as_array().map_or(&[][..], Vec::as_slice);
            only(listed(added, insertion))
        }
        FieldHistoryDocument::Exchanged { removed, added } => ChangeSides {
            before: listed(removed, deletion),
            after: listed(added, insertion),
        },
        // A change without values is one whose values were erased.
        FieldHistoryDocument::Other(_) => only(nothing("erased")),
    }
}

/// A change of a field: what goes, and what comes.
struct ChangeSides {
    before: Markup,
    after: Markup,
}

// The stylesheet puts signs before both, for readers who cannot tell the colours apart.
fn deletion(was: &Markup) -> Markup {
    html! { del { (was) } }
}

fn insertion(is: &Markup) -> Markup {
    html! { ins { (is) } }
}

/// Shows changes as a list of fields, each with what was beside what is. Where nothing was, as of a
/// new resource, there is one side.
fn definitions<'n>(named: impl ExactSizeIterator<Item = (&'n str, ChangeSides)>) -> Markup {
    html! {
        @if named.len() > 0 {
            dl.changes { @for (name, ChangeSides { before, after }) in named {
                div {
                    dt { (name) }
                    @if !before.0.is_empty() { dd { (before) } }
                    @if !after.0.is_empty() { dd.after { (after) } }
                }
            } }
        }
    }
}

/// Shows path, line and column.
pub(super) fn place(origin: &OriginDocument<'_>) -> Markup {
    html! {
        @if !origin.path.is_empty() {
            code.place {
                (visible(&origin.path))
                @if let Some(line) = origin.line { ":" (line) }
                @if let Some(column) = origin.column { ":" (column) }
            }
        }
    }
}

//! Writes lists of manifests: texts on one line or below each other, links with their attributes, and
//! items with dates, such as `{group: FOC_Credit, effectiveUntil: 2026-12-31}`.

use super::write_text::flow_text;
use crate::kinds::effective::{self, DATE_NAMES, DatedItem};
use crate::kinds::{BOOL, Field, FieldType, Kind, LinkAttribute, own_field};
use crate::model::{FieldRef, Link, Value};
use std::fmt::Write as _;
use std::sync::LazyLock;

/// The longest list of texts, in characters, that is written on one line.
const LINE: usize = 80;

/// Returns the fields of a linked resource that is written in place of its reference, in the form
/// of [`fields`]; `None` to write the reference.
pub(super) type InlineWriter<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(super) fn list(items: impl Iterator<Item = String>, indent: usize) -> String {
    let items: Vec<String> = items.collect();
    let flow = format!("[{}]", items.join(", "));
    if flow.chars().count() <= LINE {
        return flow;
    }
    lines(&items, indent)
}

fn lines(items: &[String], indent: usize) -> String {
    items.iter().fold(String::new(), |mut out, item| {
        let _ = write!(out, "\n{:width$}- {item}", "", width = indent + 2);
        out
    })
}

pub(super) fn link_list(ty: &FieldType, links: &[Link], inline: InlineWriter<'_>) -> String {
    if links.is_empty() {
        return "[]".to_owned();
    }
    let items: Vec<String> = links
        .iter()
        .map(|link| link_item(ty, link, inline))
        .collect();
    lines(&items, 0)
}

/// Returns `acme` or `ref: acme`, a mapping if an attribute differs from its default, or the linked
/// resource itself.
fn link_item(ty: &FieldType, link: &Link, inline: InlineWriter<'_>) -> String {
    let FieldType::Links {
        key,
        inline: may_be_inline,
        ..
    } = ty
    else {
        return flow_text(&link.target);
    };
    let said = ty.attributes().iter().zip(link.attributes);
    let said: Vec<String> = said
        .filter_map(|(attribute, choice)| attribute_entry(attribute, choice?))
        .collect();
    if let Some(fields) = may_be_inline.then(|| inline(&link.target)).flatten() {
        return indented(&fields, &said);
    }
    let target = flow_text(&link.target);
    match (said.is_empty(), may_be_inline) {
        (true, true) => format!("{key}: {target}"),
        (true, false) => target,
        _ => format!("{{{key}: {target}, {}}}", said.join(", ")),
    }
}

/// Returns fields and attributes as one item of a list. All lines but the first are indented to
/// align with the first.
fn indented(fields: &str, said: &[String]) -> String {
    let lines = fields.lines().chain(said.iter().map(String::as_str));
    let lines = lines.enumerate().map(|(at, line)| match (at, line) {
        (0, line) => line.to_owned(),
        (_, "") => "\n".to_owned(),
        _ => format!("\n    {line}"),
    });
    lines.collect()
}

fn attribute_entry(attribute: &LinkAttribute, choice: u8) -> Option<String> {
    let word = attribute.choices.get(usize::from(choice))?;
    let word = if attribute.choices == BOOL {
        (*word).to_owned()
    } else {
        flow_text(word)
    };
    (choice != attribute.default).then(|| format!("{}: {word}", attribute.name))
}

/// A list without members.
pub(super) static NO_MEMBERS: LazyLock<Value> = LazyLock::new(|| Value::set([]));

/// The items with dates of one resource.
pub(super) struct DatedLists(Vec<DatedItem>);

impl DatedLists {
    pub fn among(kind: &Kind, said: &[(&FieldRef, &Value)]) -> Self {
        let field = effective::dated_items_field(kind);
        let mut said = said.iter();
        let value = said.find(|(known, _)| Some(*known) == field.as_ref());
        Self(effective::dated_items(kind, value.map(|(_, value)| *value)).collect())
    }

    /// Those of one list, if it has any.
    pub fn of(&self, list: &Field) -> Option<Vec<&DatedItem>> {
        let items: Vec<_> = self
            .0
            .iter()
            .filter(|item| item.list == list.name)
            .collect();
        (!items.is_empty()).then_some(items)
    }

    /// The lists with such items that are not among the fields.
    pub fn missing(&self, kind: &Kind, said: &[(&FieldRef, &Value)]) -> Vec<FieldRef> {
        let lists = kind.fields.iter().enumerate();
        let lists = lists.filter(|(_, list)| self.of(list).is_some());
        let lists = lists.map(|(index, _)| own_field(index));
        lists
            .filter(|field| said.iter().all(|(known, _)| *known != field))
            .collect()
    }
}

/// The list with its items that are always in force and those with dates.
pub(super) fn dated_list(
    list: &Field,
    value: &Value,
    dated: Vec<&DatedItem>,
    inline: InlineWriter<'_>,
) -> String {
    let is_dated = |link: &Link| dated.iter().any(|item| item.link(&list.ty) == *link);
    let links = effective::as_links(value);
    let always = links.iter().filter(|link| !is_dated(link));
    let mut items: Vec<String> = always
        .map(|link| link_item(&list.ty, link, inline))
        .collect();
    items.extend(dated.into_iter().map(|item| dated_item(list, item)));
    lines(&items, 0)
}

fn dated_item(list: &Field, item: &DatedItem) -> String {
    let key = list.dated_by.unwrap_or_default();
    let link = item.link(&list.ty);
    let said = list.ty.attributes().iter().zip(link.attributes);
    let attributes = said.filter_map(|(attribute, choice)| attribute_entry(attribute, choice?));
    let moments = DATE_NAMES
        .iter()
        .zip([&item.period.from, &item.period.until]);
    let moments = moments
        .filter_map(|(name, moment)| Some(format!("{name}: {}", day_or_moment(moment.as_ref()?))));
    let target = format!("{key}: {}", flow_text(&item.member));
    let all: Vec<String> = std::iter::once(target)
        .chain(attributes)
        .chain(moments)
        .collect();
    format!("{{{}}}", all.join(", "))
}

/// `2026-12-31` for the first moment of a day, otherwise the moment.
pub(super) fn day_or_moment(moment: &str) -> String {
    moment
        .strip_suffix("T00:00:00Z")
        .unwrap_or(moment)
        .to_owned()
}

//! Writes lists whose items have dates: `{group: FOC_Credit, effectiveUntil: 2026-12-31}`.

use super::write::{InlineWriter, attribute_entry, flow_text, lines, link_item};
use crate::kinds::effective::{self, DATE_NAMES, DatedItem};
use crate::kinds::{Field, Kind, own_field};
use crate::model::{CompactText, FieldRef, Link, Value};
use std::sync::LazyLock;

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
    let mut items: Vec<String> = match value {
        Value::Links(links) => {
            let always = links.iter().filter(|link| !is_dated(link));
            always
                .map(|link| link_item(&list.ty, link, inline))
                .collect()
        }
        value => {
            let is_dated = |member: &CompactText| dated.iter().any(|item| item.member == *member);
            let always = value.members().filter(|member| !is_dated(member));
            always.map(|member| flow_text(member)).collect()
        }
    };
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

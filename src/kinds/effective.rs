//! Dates from which and until which a resource, or an item of a list, is in force. In go canonical
//! moments (`2026-12-31T00:00:00Z`, which sort as text) and the moment of the pass; nothing here
//! looks at a clock. [`settle_status`] makes a resource inactive outside its period.

use super::{Field, FieldType, Kind, LinkAttribute, SetItem};
use crate::model::{Cell, CompactText, FieldRef, Link, Row, StatedField, Value};
use std::sync::LazyLock;

/// The names of the two dates, for resources and for items of lists.
pub const DATE_NAMES: [&str; 2] = ["effectiveFrom", "effectiveUntil"];

/// The length of a canonical moment.
const MOMENT_LENGTH: usize = "2026-12-31T00:00:00Z".len();

/// From when until when something is in force. An open end has no moment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct EffectivePeriod {
    pub from: Option<CompactText>,
    /// The first moment at which it is no longer in force.
    pub until: Option<CompactText>,
}

impl EffectivePeriod {
    /// Whether it is in force at a moment.
    #[must_use]
    pub fn contains(&self, at: &str) -> bool {
        self.from.as_deref().is_none_or(|from| from <= at)
            && self.until.as_deref().is_none_or(|until| at < until)
    }

    /// Whether no moment is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.from.is_some() && self.until.is_some() && self.from >= self.until
    }

    /// Whether it is always in force.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    /// Whether some moment is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let from = self.from.as_ref().max(other.from.as_ref());
        let ends = [&self.until, &other.until].into_iter().flatten();
        ends.min()
            .is_none_or(|until| from.is_none_or(|from| from < until))
    }

    /// The dates of a resource.
    #[must_use]
    pub fn of_cells(kind: &Kind, cells: &[StatedField]) -> Self {
        let Some(fields) = DateFields::of(kind) else {
            return Self::default();
        };
        let date = |index: u8| {
            let value = stated(cells, index)?.cell.value()?;
            value.as_text().map(CompactText::new)
        };
        Self {
            from: date(fields.from),
            until: date(fields.until),
        }
    }

    /// The dates of a stored resource.
    #[must_use]
    pub fn of_row(row: &Row) -> Self {
        let Some(fields) = DateFields::of(super::get(row.key.kind)) else {
            return Self::default();
        };
        let date = |index: u8| {
            let value = row.values.get(usize::from(index))?.as_ref()?;
            value.as_text().map(CompactText::new)
        };
        Self {
            from: date(fields.from),
            until: date(fields.until),
        }
    }

    /// The moments in the order of [`DATE_NAMES`].
    pub(super) fn moments_by_name(&self) -> [Option<&CompactText>; 2] {
        [self.from.as_ref(), self.until.as_ref()]
    }

    fn moments(&self) -> impl Iterator<Item = &CompactText> {
        self.from.iter().chain(&self.until)
    }
}

/// The places of the fields of a kind that concern dates. Looked up for every resource, hence by
/// index.
struct DateFields {
    from: u8,
    until: u8,
    status: u8,
    /// The dated items of its lists, if it has any.
    items: Option<u8>,
}

impl DateFields {
    /// `None` for a kind whose resources have no dates.
    fn of(kind: &Kind) -> Option<&'static Self> {
        static FIELDS: LazyLock<Vec<Option<DateFields>>> = LazyLock::new(|| {
            let kinds = super::ALL.iter();
            kinds.map(|kind| DateFields::find(kind)).collect()
        });
        FIELDS[usize::from(kind.id.0)].as_ref()
    }

    fn find(kind: &Kind) -> Option<Self> {
        let index = |name: &str| u8::try_from(kind.index(name)?).ok();
        let is_of_items =
            |field: &Field| field.implied && matches!(field.ty, FieldType::Set(SetItem::Text(_)));
        let items = kind.fields.iter().position(is_of_items);
        Some(Self {
            from: index(DATE_NAMES[0])?,
            until: index(DATE_NAMES[1])?,
            status: u8::try_from(kind.status_index()).ok()?,
            items: items.and_then(|at| u8::try_from(at).ok()),
        })
    }
}

fn stated(cells: &[StatedField], index: u8) -> Option<&StatedField> {
    cells
        .iter()
        .find(|stated| stated.field == FieldRef::Own(index))
}

/// An item of a list that is only in force for a time.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DatedItem {
    pub period: EffectivePeriod,
    /// The name of the list.
    pub list: CompactText,
    /// The words of its attributes, in the order of the table.
    pub attributes: Vec<CompactText>,
    pub member: CompactText,
}

impl DatedItem {
    /// A link of a list, or a member without attributes.
    #[must_use]
    pub fn new(list: &Field, link: &Link, period: EffectivePeriod) -> Self {
        let choices = list.ty.attributes().iter().zip(link.attributes);
        let word = |(known, choice): (&LinkAttribute, Option<u8>)| {
            let choice = usize::from(choice.unwrap_or(known.default));
            known.choices.get(choice).map(CompactText::new)
        };
        Self {
            period,
            list: CompactText::new(list.name),
            attributes: choices.filter_map(word).collect(),
            member: link.target.clone(),
        }
    }

    /// `until 2026-12-31T00:00:00Z accounts administrator brygga`. The member comes last, since it
    /// may contain spaces.
    #[must_use]
    pub fn text(&self) -> CompactText {
        let mut words: Vec<&str> = Vec::new();
        for (word, moment) in [("from", &self.period.from), ("until", &self.period.until)] {
            if let Some(moment) = moment {
                words.extend([word, moment.as_str()]);
            }
        }
        words.push(&self.list);
        words.extend(self.attributes.iter().map(CompactText::as_str));
        words.push(&self.member);
        CompactText::new(words.join(" "))
    }

    /// Reads the text of a stored item of this kind; `None` if it is none.
    #[must_use]
    pub fn parse(kind: &Kind, text: &str) -> Option<Self> {
        let (from, rest) = date("from ", text);
        let (until, rest) = date("until ", rest);
        let (list, mut rest) = rest.split_once(' ')?;
        let field = kind.field(&kind.field_ref(list)?)?;
        let mut attributes = Vec::new();
        for _ in field.ty.attributes() {
            let (word, after) = rest.split_once(' ')?;
            attributes.push(CompactText::new(word));
            rest = after;
        }
        Some(Self {
            period: EffectivePeriod { from, until },
            list: CompactText::new(list),
            attributes,
            member: CompactText::new(rest),
        })
    }

    /// The link that it stands for while it is in force.
    #[must_use]
    pub fn link(&self, ty: &FieldType) -> Link {
        let mut link = ty.plain_link(&self.member);
        let words = self.attributes.iter().zip(ty.attributes());
        for (own, (word, known)) in link.attributes.iter_mut().zip(words) {
            let choice = known.choices.iter().position(|choice| word == choice);
            *own = choice.and_then(|choice| u8::try_from(choice).ok()).or(*own);
        }
        link
    }
}

/// The members of any list as links, which have no attributes in most.
#[must_use]
pub fn as_links(list: &Value) -> Vec<Link> {
    match list {
        Value::Links(links) => links.to_vec(),
        list => {
            let link = |member: &CompactText| Link {
                target: member.clone(),
                attributes: [None; 2],
            };
            list.members().map(link).collect()
        }
    }
}

/// A list of a type with these members.
#[must_use]
pub fn from_links(ty: &FieldType, links: Vec<Link>) -> Value {
    match ty {
        FieldType::Links { .. } => Value::links(links),
        _ => Value::set(links.into_iter().map(|link| link.target)),
    }
}

/// What is left at a moment of a member of a list, of which some items with dates are known: the item
/// that follows if its own is over.
pub fn without_ended<'i>(
    ty: &FieldType,
    link: &Link,
    known: impl Iterator<Item = &'i DatedItem>,
    at: &str,
) -> Option<Link> {
    let own: Vec<&DatedItem> = known.filter(|item| item.member == link.target).collect();
    let is_over = |item: &&&DatedItem| {
        let until = item.period.until.as_deref();
        item.link(ty) == *link && until.is_some_and(|until| until <= at)
    };
    let mut in_force = own.iter().filter(|item| item.period.contains(at));
    match in_force.next() {
        _ if !own.iter().any(|item| is_over(&item)) => Some(link.clone()),
        Some(next) => Some(next.link(ty)),
        None => None,
    }
}

/// Reads `from 2026-12-31T00:00:00Z ` at the start of a text, and returns the rest.
fn date<'t>(word: &str, text: &'t str) -> (Option<CompactText>, &'t str) {
    let dated = text
        .strip_prefix(word)
        .and_then(|rest| rest.split_at_checked(MOMENT_LENGTH));
    match dated.and_then(|(moment, rest)| Some((moment, rest.strip_prefix(' ')?))) {
        Some((moment, rest)) => (Some(CompactText::new(moment)), rest),
        None => (None, text),
    }
}

/// The field that keeps the dated items of a kind.
#[must_use]
pub fn dated_items_field(kind: &Kind) -> Option<FieldRef> {
    DateFields::of(kind)?.items.map(FieldRef::Own)
}

/// The fields with the dates that decide about a field: the dates of the resource for its status, and the
/// dated items for a list that may have some.
pub fn dates_of(kind: &Kind, field: &FieldRef) -> impl Iterator<Item = FieldRef> {
    let dates = DateFields::of(kind);
    let is_status = dates.is_some_and(|dates| *field == FieldRef::Own(dates.status));
    let is_dated = kind.field(field).is_some_and(|it| it.dated_by.is_some());
    let own = dates.filter(|_| is_status).map(|it| [it.from, it.until]);
    let items = dates.filter(|_| is_dated).and_then(|dates| dates.items);
    own.into_iter().flatten().chain(items).map(FieldRef::Own)
}

/// The dated items among the values of a resource.
pub fn dated_items<'v>(
    kind: &'v Kind,
    value: Option<&'v Value>,
) -> impl Iterator<Item = DatedItem> + 'v {
    let texts = value.into_iter().flat_map(Value::members);
    texts.filter_map(|text| DatedItem::parse(kind, text))
}

/// Outside its period, a resource that would be active is inactive: the status is then stated at
/// the position of the date that decides. The cells need not be sorted yet.
pub fn settle_status(kind: &Kind, cells: &mut Vec<StatedField>, at: &str) {
    let Some(fields) = DateFields::of(kind) else {
        return;
    };
    let period = EffectivePeriod::of_cells(kind, cells);
    if period.contains(at) {
        return;
    }
    let is_early = period.from.as_deref().is_some_and(|from| at < from);
    let decides = if is_early { fields.from } else { fields.until };
    let Some(position) = stated(cells, decides).map(|stated| stated.position) else {
        return;
    };
    let field = FieldRef::Own(fields.status);
    let inactive = StatedField {
        field: field.clone(),
        cell: Cell::Value(Value::text("inactive")),
        position,
    };
    match cells.iter_mut().find(|stated| stated.field == field) {
        None => cells.push(inactive),
        Some(written) if written.cell.value().and_then(Value::as_text) == Some("active") => {
            *written = inactive;
        }
        // Written as inactive or deleted.
        Some(_) => {}
    }
}

/// Whether the status is not written but follows from a date.
#[must_use]
pub fn is_status_dated(kind: &Kind, cells: &[StatedField]) -> bool {
    let Some(fields) = DateFields::of(kind) else {
        return false;
    };
    let position = |index: u8| stated(cells, index).map(|stated| stated.position);
    let status = position(fields.status);
    status.is_some() && [fields.from, fields.until].map(position).contains(&status)
}

/// The latest moment at which something about a resource changes by its dates.
#[must_use]
pub fn last_change(kind: &Kind, cells: &[StatedField]) -> Option<CompactText> {
    let fields = DateFields::of(kind)?;
    let own = EffectivePeriod::of_cells(kind, cells);
    let items = fields.items.and_then(|index| stated(cells, index));
    let items = dated_items(kind, items.and_then(|stated| stated.cell.value()));
    let items: Vec<EffectivePeriod> = items.map(|item| item.period).collect();
    let all = std::iter::once(&own).chain(&items);
    all.flat_map(EffectivePeriod::moments).max().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{USER, get};

    fn period(from: &str, until: &str) -> EffectivePeriod {
        let moment = |text: &str| (!text.is_empty()).then(|| CompactText::new(text));
        EffectivePeriod {
            from: moment(from),
            until: moment(until),
        }
    }

    const JANUARY: &str = "2026-01-01T00:00:00Z";
    const FEBRUARY: &str = "2026-02-01T00:00:00Z";
    const MARCH: &str = "2026-03-01T00:00:00Z";

    #[test]
    fn a_period_begins_with_its_first_moment_and_ends_before_its_last() {
        let winter = period(JANUARY, MARCH);
        assert!(winter.contains(JANUARY) && winter.contains(FEBRUARY));
        assert!(!winter.contains(MARCH) && !winter.contains("2025-12-31T23:59:59Z"));
        assert!(period("", "").contains(""));
        assert!(period(MARCH, JANUARY).is_empty() && period(MARCH, MARCH).is_empty());
        assert!(!winter.overlaps(&period(MARCH, "")));
        assert!(winter.overlaps(&period(FEBRUARY, "")) && winter.overlaps(&period("", "")));
    }

    #[test]
    fn an_item_reads_back_whatever_its_member_is_called() {
        let kind = get(USER);
        for member in [
            "a",
            "a b",
            "until 2026-02-01T00:00:00Z groups x",
            "from",
            "å until",
        ] {
            for period in [
                period(JANUARY, ""),
                period("", MARCH),
                period(JANUARY, MARCH),
            ] {
                for (list, choice) in [("groups", None), ("accounts", Some(1))] {
                    let field = &kind.fields[kind.expect_index(list)];
                    let link = Link {
                        target: member.into(),
                        attributes: [choice, None],
                    };
                    let item = DatedItem::new(field, &link, period.clone());
                    assert_eq!(DatedItem::parse(kind, &item.text()), Some(item));
                }
            }
        }
    }
}

//! Items of lists that are in force only for a time, such as
//! `{group: FOC_Credit, effectiveUntil: 2026-12-31}`, and the period of a whole resource. A list
//! becomes what is in force at the moment of the pass; all items with dates are kept beside it.

use super::document::ManifestParser;
use super::entries::MappingEntries;
use super::nodes::{DocumentError, NodeEvent};
use crate::diagnostic::{Diagnostic, codes, did_you_mean};
use crate::kinds::effective::{self, DATE_NAMES, DatedItem, EffectivePeriod};
use crate::kinds::read::quoted;
use crate::kinds::{Field, FieldType, Kind};
use crate::model::{Cell, CompactText, LineColumn, Link, StatedField, Value};

/// An item of a list, with the time during which it is in force.
pub(super) struct PeriodItem {
    pub link: Link,
    pub period: EffectivePeriod,
}

impl ManifestParser<'_, '_> {
    /// Reads the date of an item at one of [`DATE_NAMES`]; `None` if it is not valid. A blank date
    /// is none.
    pub(super) fn item_date(
        &mut self,
        list: &Field,
        name: &str,
        period: &mut EffectivePeriod,
    ) -> Result<Option<()>, DocumentError> {
        let (node, at) = self.reader.next()?;
        let label = format!("{}.{name}", list.name);
        let scalar = match node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() => return Ok(Some(())),
            NodeEvent::Scalar(scalar) => scalar,
            other => {
                self.reader.skip(&other)?;
                let help = format!("Write `{name}: 2026-12-31`");
                self.wrong_type(&label, at, "must be a day or a moment", &help);
                return Ok(None);
            }
        };
        let read = match FieldType::Moment.read(&scalar.text) {
            Ok(read) => read.value.as_text().map(CompactText::new),
            Err(fault) => {
                self.sink.reading(fault, at, &label);
                return Ok(None);
            }
        };
        if name == DATE_NAMES[0] {
            period.from = read;
        } else {
            period.until = read;
        }
        if period.is_empty() {
            self.empty_period(&label, at, period);
            return Ok(None);
        }
        Ok(Some(()))
    }

    fn empty_period(&mut self, label: &str, at: LineColumn, period: &EffectivePeriod) {
        let [from, until] =
            [&period.from, &period.until].map(|moment| moment.as_deref().unwrap_or_default());
        let message = format!("`effectiveUntil` ({until}) is not after `effectiveFrom` ({from})");
        let found = Diagnostic::new(codes::DATE, message).field(label);
        let help = "Write an end after the start. It is never active otherwise";
        self.sink.report(at, found.help(help));
    }

    /// Reports a resource whose end is not after its start.
    pub(super) fn check_period(&mut self, kind: &'static Kind, first: usize) {
        if !kind.has_status {
            return;
        }
        let period = EffectivePeriod::of_cells(kind, &self.cells[first..]);
        let until = kind.field_ref(DATE_NAMES[1]);
        let stated = self.cells[first..].iter();
        let mut stated = stated.filter(|stated| Some(&stated.field) == until.as_ref());
        let at = stated.next().map(|stated| stated.position);
        if let (true, Some(at)) = (period.is_empty(), at) {
            self.empty_period(DATE_NAMES[1], at, &period);
        }
    }

    /// Reads the mapping of a member that is written with dates, such as
    /// `{group: FOC_Credit, effectiveFrom: 2026-12-01}`.
    pub(super) fn dated_member(
        &mut self,
        field: &'static Field,
        key: &'static str,
        at: LineColumn,
    ) -> Result<Option<PeriodItem>, DocumentError> {
        let (mut member, mut period, mut valid) = (None, EffectivePeriod::default(), true);
        let mut entries = MappingEntries::of_fields();
        while let Some((name, name_at)) = entries.next(&mut self.reader, self.sink)? {
            if DATE_NAMES.contains(&&*name) {
                valid &= self.item_date(field, &name, &mut period)?.is_some();
                continue;
            }
            if name != key {
                self.reader.skip_next()?;
                self.unknown_item_key(field, &[key], &name, name_at);
                valid &= did_you_mean(&name, [key]).is_none();
                continue;
            }
            match self.reader.next()? {
                (NodeEvent::Scalar(scalar), at) if !scalar.is_blank() => {
                    member = self.member(field, &scalar.text, at);
                    valid &= member.is_some();
                }
                (other, at) => {
                    self.reader.skip(&other)?;
                    let what = format!("items need a `{key}` that is text");
                    self.wrong_type(field.name, at, &what, &format!("Write `{key}: ..`"));
                    valid = false;
                }
            }
        }
        if member.is_none() && valid {
            let what = format!("has an item without `{key}`");
            self.wrong_type(field.name, at, &what, &format!("Write `{key}: ..`"));
        }
        let item = member.map(|target| PeriodItem {
            link: Link {
                target,
                attributes: [None; 2],
            },
            period,
        });
        match item {
            Some(item) if valid => Ok(Some(item)),
            // What it names is still wanted.
            item => {
                self.partial_list.lost |= item.is_none();
                self.partial_list
                    .members
                    .extend(item.map(|item| item.link.target));
                Ok(None)
            }
        }
    }

    /// Reports a key that an item of a list does not have.
    pub(super) fn unknown_item_key(
        &mut self,
        field: &Field,
        keys: &[&'static str],
        name: &str,
        at: LineColumn,
    ) {
        let dates = field.dated_by.map_or(&[][..], |_| &DATE_NAMES[..]);
        let known: Vec<&str> = keys.iter().chain(dates).copied().collect();
        let message = format!("an item of `{}` has no {}", field.name, quoted(name));
        let help = match did_you_mean(name, known.iter().copied()) {
            Some(meant) => format!("Did you mean `{meant}`?"),
            None => format!("The fields are {}", known.join(", ")),
        };
        let found = Diagnostic::new(codes::UNKNOWN_FIELD, message).help(help);
        self.sink.report(at, found.field(field.name));
    }

    /// Keeps the items with dates, and returns those in force.
    pub(super) fn in_force(
        &mut self,
        field: &Field,
        items: Vec<PeriodItem>,
        at: LineColumn,
    ) -> Vec<Link> {
        let mut links = Vec::with_capacity(items.len());
        for item in items {
            if !item.period.is_unlimited() {
                let dated = DatedItem::new(field, &item.link, item.period.clone());
                self.dated_items.push((dated.text(), at));
            }
            if item.period.contains(self.as_of) {
                links.push(item.link);
            }
        }
        links
    }

    /// States the items with dates of the resource that is complete.
    pub(super) fn push_dated_items(&mut self, kind: &'static Kind, first: usize) {
        let Some(field) = effective::dated_items_field(kind) else {
            return;
        };
        let items: Vec<_> = self.dated_items.drain(first..).collect();
        let Some((_, position)) = items.first() else {
            return;
        };
        self.cells.push(StatedField {
            field,
            position: *position,
            cell: Cell::Value(Value::set(items.into_iter().map(|(text, _)| text))),
        });
    }
}

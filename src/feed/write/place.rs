//! The rows of one resource: which section and which block of addresses holds what.

use super::draft::{Against, Draft};
use super::invert::{self, Alt, Needs};
use super::layout::Layout;
use super::lost::{Loss, Why};
use super::unit::Unit;
use crate::feed::mapping::{Column, Field, When};
use crate::kinds::{self, Kind, Type};
use crate::model::{FieldRef, Keyed, Row, Text, Value};
use std::collections::BTreeSet;

/// Where the parts of resources go.
pub(super) struct Place<'a> {
    pub layout: &'a Layout<'a>,
    pub rows: &'a Keyed<Row>,
}

/// Why something finds no place.
enum Stop {
    /// It is left out.
    Soft(Why),
    /// What it is part of cannot be written so.
    Hard(Why),
}

impl Stop {
    fn why(self) -> Why {
        match self {
            Self::Soft(why) | Self::Hard(why) => why,
        }
    }
}

/// A row, and what it does not say.
pub(super) type Drafted = (Draft, BTreeSet<Loss>);

impl Place<'_> {
    /// Makes the rows of a resource anew.
    pub fn place(&self, unit: &mut Unit<'_>) {
        unit.drafts.clear();
        unit.losses.clear();
        let placed = match &unit.dropped {
            Some(why) => Err(why.clone()),
            None => self.rows_of(unit),
        };
        match placed {
            Ok(rows) => {
                for (draft, losses) in rows {
                    unit.drafts.push(draft);
                    unit.losses.extend(losses);
                }
            }
            Err(why) => {
                unit.losses.insert(Loss {
                    key: unit.row.key.clone(),
                    field: None,
                    why,
                });
            }
        }
    }

    fn rows_of(&self, unit: &Unit<'_>) -> Result<Vec<Drafted>, Why> {
        let sections = &self.layout.mapping.sections;
        let kind = unit.row.key.kind;
        let of_kind = || (0..sections.len()).filter(|at| sections[*at].kind.id == kind);
        let says = |at: &usize| !sections[*at].fields.is_empty() || sections[*at].every.is_some();
        let mut why = Why::NoColumn;
        let whole = of_kind()
            .filter(says)
            .chain(of_kind().filter(|at| !says(at)));
        for at in whole {
            match self.base(at, unit) {
                Ok(mut base) => {
                    base.1.extend(self.uncovered(at, unit));
                    return Ok(self.with_addresses(base, unit));
                }
                Err(reason) => why = reason,
            }
        }
        Err(why)
    }

    /// A row of a section, without addresses.
    pub(super) fn base(&self, at: usize, unit: &Unit<'_>) -> Result<Drafted, Why> {
        let section = &self.layout.mapping.sections[at];
        let mut draft = Draft::new(at);
        let row = &*unit.row;
        self.when(&mut draft, &section.when, unit)?;
        let id = [row.key.id.to_string()];
        self.fixed(&mut draft, &section.id, &id, unit)?;
        for custom in &self.layout.custom[at] {
            let value = row.custom.get(&custom.id);
            let text = value.map(plain);
            if text.is_none() && custom.required && !unit.deleted && !self.layout.form.is_json() {
                return Err(Why::Blank(custom.id.clone()));
            }
            if text.as_ref().is_some_and(|text| !self.layout.takes(text)) {
                return Err(Why::Text);
            }
            let list = matches!(value, Some(Value::List(_)));
            draft.custom.push(text.map(|text| (text, list)));
        }
        let (mut losses, mut conflict) = (BTreeSet::new(), None);
        for field in &section.fields {
            self.field(
                &mut draft,
                section.kind,
                row,
                field,
                unit,
                (&mut losses, &mut conflict),
            );
        }
        let status = kinds::own(section.kind.status_index());
        if unit.deleted && !draft.says.contains(&(row.key.clone(), status)) {
            return Err(Why::NoWord("deleted".to_owned()));
        }
        Ok((draft, losses))
    }

    /// Says one field of a resource, or that it is lost.
    pub(super) fn field(
        &self,
        draft: &mut Draft,
        kind: &'static Kind,
        row: &Row,
        field: &Field,
        unit: &Unit<'_>,
        (losses, conflict): (&mut BTreeSet<Loss>, &mut Option<Why>),
    ) {
        let Some(value) = row
            .value(&field.field)
            .filter(|value| !value.is_empty_list())
        else {
            return;
        };
        let mut name = kind.field_name(&field.field);
        let texts = match field.attribute {
            None => Ok(self.texts(kind, field, value)),
            Some(attribute) => {
                let of = kind
                    .field(&field.field)
                    .map_or(&[][..], |field| field.ty.attributes());
                name = format!("{name}.{}", of[attribute].name);
                choice(value, attribute, of[attribute].choices)
            }
        };
        let words = &self.layout.mapping.words;
        let said = texts.and_then(|texts| {
            let one = (!fits_one(field, &texts)).then_some(Why::Several);
            let ways = invert::ways(
                &field.cell,
                &texts[..if one.is_some() { 1 } else { texts.len() }],
                draft,
                words,
            )?;
            Ok((ways, one))
        });
        let put = match said {
            Ok((ways, several)) => self.put(draft, ways, unit).map(|()| several),
            Err(why) => Err(Stop::Soft(why)),
        };
        let mut lose = |why| {
            losses.insert(Loss {
                key: row.key.clone(),
                field: Some(name.clone()),
                why,
            });
        };
        match put {
            Ok(several) => {
                draft.says.insert((row.key.clone(), field.field.clone()));
                several.into_iter().for_each(lose);
            }
            Err(Stop::Soft(why)) => lose(why),
            Err(Stop::Hard(why)) => {
                lose(why.clone());
                conflict.get_or_insert(why);
            }
        }
    }

    /// The texts that a cell has to come to for a value to be read.
    fn texts(&self, kind: &'static Kind, field: &Field, value: &Value) -> Vec<String> {
        let words = &self.layout.mapping.words;
        let ty = kind.field(&field.field).map(|field| &field.ty);
        let dated = field.cell.steps.contains(&crate::feed::mapping::Step::Date);
        match (ty, value) {
            (Some(Type::Country), Value::Text(code)) => vec![words.write_country(code)],
            (Some(Type::Date), Value::Text(day)) if !dated => {
                vec![words.write_date(day).unwrap_or_else(|| day.to_string())]
            }
            (_, Value::List(_) | Value::Links(_)) => value.members().map(Text::to_string).collect(),
            (_, value) => vec![plain(value)],
        }
    }

    /// Narrows a row in the first way that it can take.
    fn put(&self, draft: &mut Draft, ways: Vec<Needs>, unit: &Unit<'_>) -> Result<(), Stop> {
        let mut stop = Stop::Soft(Why::NoColumn);
        for mut needs in ways {
            for (column, alts) in &mut needs {
                if unit.avoid.contains(&(draft.section, *column)) {
                    alts.retain(|alt| alt.text.is_empty());
                }
            }
            if let Some((column, _)) = needs.iter().find(|(_, alts)| alts.is_empty()) {
                stop = Stop::Soft(self.shared(*column));
                continue;
            }
            match draft.need(&needs, |text| self.layout.takes(text)) {
                Ok(()) => return Ok(()),
                Err(Against::Other(column)) => stop = Stop::Hard(self.shared(column)),
                Err(Against::Text) => stop = Stop::Soft(Why::Text),
            }
        }
        Err(stop)
    }

    fn shared(&self, column: Column) -> Why {
        Why::Shared(self.layout.name(column).to_owned())
    }

    /// Says what a row cannot do without.
    pub(super) fn fixed(
        &self,
        draft: &mut Draft,
        cell: &crate::feed::mapping::Cell,
        texts: &[String],
        unit: &Unit<'_>,
    ) -> Result<(), Why> {
        let ways = invert::ways(cell, texts, draft, &self.layout.mapping.words)?;
        self.put(draft, ways, unit).map_err(Stop::why)?;
        draft.fixed.extend(cell.columns());
        Ok(())
    }

    /// Makes a row one of those that a condition means; that a column is not blank shows later.
    pub(super) fn when(
        &self,
        draft: &mut Draft,
        when: &[When],
        unit: &Unit<'_>,
    ) -> Result<(), Why> {
        for when in when {
            let words = &self.layout.mapping.words;
            let alts: Vec<Alt> = match (when.blank, when.truth) {
                (Some(true), _) => vec![Alt::blank()],
                (Some(false), _) => continue,
                (None, Some(truth)) => vec![Alt::word(words.word(truth))],
                (None, None) => when.among.iter().map(Alt::word).collect(),
            };
            let needs = vec![(when.column, alts)];
            self.put(draft, vec![needs], unit).map_err(Stop::why)?;
            draft.fixed.insert(when.column);
        }
        Ok(())
    }

    /// What of a resource the section has no column for.
    fn uncovered(&self, at: usize, unit: &Unit<'_>) -> BTreeSet<Loss> {
        let section = &self.layout.mapping.sections[at];
        let row = &*unit.row;
        let blocks = !section.blocks.is_empty();
        let mut losses = left_out(section.kind, row, &section.fields, section.every.is_some());
        losses.retain(|loss| !(blocks && loss.field.as_deref() == Some("addresses")));
        if unit.deleted {
            losses.clear();
        }
        losses
    }
}

/// What of a resource no field of a mapping says.
pub(super) fn left_out(
    kind: &'static Kind,
    row: &Row,
    fields: &[Field],
    every: bool,
) -> BTreeSet<Loss> {
    let has = |field: &FieldRef| fields.iter().any(|known| known.field == *field);
    let own = row.values.iter().enumerate().filter_map(|(index, value)| {
        let (value, field) = (value.as_ref()?, &kind.fields[index]);
        let said = !value.is_empty_list() && field.default.value().as_ref() != Some(value);
        let left = said && !field.secret() && !has(&kinds::own(index));
        left.then(|| field.name.to_owned())
    });
    let custom = row
        .custom
        .keys()
        .filter(|id| !every && !has(&FieldRef::Custom((*id).clone())));
    let custom = custom.map(|id| format!("customFields.{id}"));
    let attributes = row.values.iter().enumerate().flat_map(|(index, value)| {
        let (field, of) = (kinds::own(index), &kind.fields[index]);
        let links = value.as_ref().map_or(&[][..], Value::as_links);
        let attributes = of.ty.attributes().iter().enumerate();
        let left = attributes.filter(move |(nth, attribute)| {
            let inline = matches!(of.ty, Type::Links { inline: true, .. });
            let mapped = fields
                .iter()
                .any(|known| known.field == field && known.attribute == Some(*nth));
            let said = links.iter().any(|link| {
                link.attributes[*nth].is_some_and(|choice| choice != attribute.default)
            });
            said && !mapped && !inline
        });
        left.map(move |(_, attribute)| format!("{}.{}", of.name, attribute.name))
    });
    let names = own.chain(custom).chain(attributes.collect::<Vec<_>>());
    names
        .map(|field| Loss {
            key: row.key.clone(),
            field: Some(field),
            why: Why::NoColumn,
        })
        .collect()
}

/// Whether a cell takes so many members.
fn fits_one(field: &Field, texts: &[String]) -> bool {
    field.cell.list.is_some() || texts.len() == 1
}

/// The choice of an attribute that all members have.
fn choice(value: &Value, attribute: usize, choices: &[&str]) -> Result<Vec<String>, Why> {
    let mut said = value
        .as_links()
        .iter()
        .map(|link| link.attributes[attribute]);
    let first = said.next().flatten();
    match first {
        Some(first) if said.all(|other| other == Some(first)) => {
            Ok(vec![choices[usize::from(first)].to_owned()])
        }
        _ => Err(Why::Several),
    }
}

/// A value as the text that reads as it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Number(text) => text.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::List(_) | Value::Links(_) => {
            let members: Vec<&str> = value.members().map(Text::as_str).collect();
            members.join("||")
        }
    }
}

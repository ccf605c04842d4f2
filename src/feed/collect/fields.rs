//! What a row says of the fields of a resource.

use super::Collector;
use super::row::Row;
use super::spelled;
use crate::diagnostic::codes;
use crate::feed::format::{Entry, Shape};
use crate::feed::mapping::{Field, List, Said, Source, Take, trimmed};
use crate::feed::value;
use crate::kinds::read::{Fault, spreadsheet, spreadsheet_error};
use crate::kinds::{self, ADDRESS, Kind, Type};
use crate::model::{Amend, Cell, FieldRef, Key, Link, Pos, Stated, Text, Value};

impl<'m> Collector<'m> {
    /// What a row says of the fields of a resource, sorted by field.
    pub(super) fn fields(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        fields: &'m [Field],
        row: &Row<'_>,
    ) -> Vec<Stated> {
        let mut stated: Vec<Stated> = Vec::with_capacity(fields.len());
        for field in fields {
            self.doubles(kind, key, field, row);
            let own = kind.field(&field.field);
            let ruined = own.and_then(|own| spelled::field(own, &field.cell, row));
            let said = match ruined.map_or_else(|| field.cell.said(row, &self.mapping.words), Err) {
                Ok(said) => said,
                Err((fault, at)) => {
                    self.unsaid(key, field);
                    self.faulty(kind, key, &field.field, &fault, at);
                    continue;
                }
            };
            if let Some(attribute) = field.attribute {
                self.attribute(kind, key, field, attribute, said, &mut stated);
                continue;
            }
            if matches!(said, Said::Absent | Said::Blank(_)) {
                self.unsaid(key, field);
            }
            let (cell, at) = match said {
                Said::Absent => continue,
                Said::Blank(at) => match field.field.own() {
                    // A blank standard cell says nothing.
                    Some(_) => continue,
                    None => (Cell::Blank, at),
                },
                Said::Text(text, at) => match self.value(kind, key, field, &[text], at) {
                    Some(cell) => (cell, at),
                    None => continue,
                },
                Said::List(members, at) => match self.value(kind, key, field, &members, at) {
                    Some(cell) => (cell, at),
                    None => continue,
                },
            };
            stated.push(Stated {
                field: field.field.clone(),
                cell,
                at,
            });
        }
        without_country(kind, &mut stated);
        stated
    }

    /// Notes that a row does not say its part of a list that all rows make together.
    fn unsaid(&mut self, key: &Key, field: &Field) {
        if field.cell.list == Some(List::Rows) && field.attribute.is_none() {
            let unsaid = (key.clone(), field.field.clone());
            self.unsaid.insert(unsaid);
        }
    }

    /// What a row says twice, or says of nothing.
    fn doubles(&mut self, kind: &'static Kind, key: &Key, field: &Field, row: &Row<'_>) {
        let words = &self.mapping.words;
        match &field.cell.take {
            Take::First(cells) if field.field.own() == Some(kind.status_index()) => {
                let said = cells.iter().filter_map(|cell| match cell.said(row, words) {
                    Ok(Said::Text(text, at)) => Some((text, at)),
                    _ => None,
                });
                let mut said: Vec<(Text, Pos)> = said.collect();
                said.dedup_by(|later, first| later.0 == first.0 || later.0 == "active");
                if let [(first, _), (other, at), ..] = &said[..] {
                    let message =
                        format!("{key} is {first} and {other} in one row; {first} is taken");
                    let fault = Fault::new(codes::FLAGS_BOTH, message).help("set one of the two");
                    self.report(&fault, Some(key), field_name(kind, field), *at);
                }
            }
            Take::Column(column) if field.cell.list.is_some() => {
                let (empty, at) = match row.said(*column).unwrap_or(Said::Absent) {
                    Said::Text(text, at) if !trimmed(&text).is_empty() => (
                        words.members(&text).iter().any(|member| member.is_empty()),
                        at,
                    ),
                    Said::List(members, at) => {
                        (members.iter().any(|member| trimmed(member).is_empty()), at)
                    }
                    _ => return,
                };
                if empty {
                    let message = format!(
                        "{key}: a member of `{}` is empty; it is left out",
                        row.name(*column)
                    );
                    let fault = Fault::new(codes::LIST_EMPTY_ITEM, message)
                        .help("take the separator away that nothing stands behind");
                    self.report(&fault, Some(key), field_name(kind, field), at);
                }
            }
            _ => {}
        }
    }

    /// The value of a field, by its type.
    fn value(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        from: &Field,
        texts: &[Text],
        at: Pos,
    ) -> Option<Cell> {
        let Some(field) = kind.field(&from.field) else {
            if let Some(error) = texts.iter().find_map(|text| spreadsheet_error(text)) {
                self.faulty(kind, key, &from.field, &spreadsheet(error), at);
                return None;
            }
            return Some(Cell::Value(match (texts, from.cell.list) {
                ([text], None) => Value::Text(text.clone()),
                (texts, _) => Value::List(texts.into()),
            }));
        };
        let mut members = Vec::with_capacity(texts.len());
        for text in texts {
            match value::read(field, text, &self.mapping.words) {
                Ok(None) => return None,
                Ok(Some(reading)) => {
                    if let Some(warning) = &reading.warning {
                        self.report(warning, Some(key), field.name, at);
                    }
                    members.push(reading.value);
                }
                Err(fault) => {
                    self.faulty(kind, key, &from.field, &fault, at);
                    return None;
                }
            }
        }
        if !field.ty.is_list() {
            return members.pop().map(Cell::Value);
        }
        let ids = members.iter().filter_map(Value::as_text).map(Text::new);
        let list = match field.ty {
            Type::Links { .. } => Value::links(ids.map(|target| Link {
                target,
                attributes: [None; 2],
            })),
            _ => Value::set(ids),
        };
        Some(match from.cell.list {
            Some(List::Replace) => Cell::Value(list),
            // Members that came in another way stay; `plan` drops those of this source that went.
            Some(List::Add | List::Rows) | None => Cell::Amend(Box::new(Amend {
                add: list,
                remove: Vec::new(),
                partial: false,
            })),
        })
    }

    /// An attribute of the members that the row names.
    fn attribute(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        field: &Field,
        attribute: usize,
        said: Said,
        stated: &mut [Stated],
    ) {
        let (Said::Text(text, at), Some(of)) = (said, kind.field(&field.field)) else {
            return;
        };
        let choices = of.ty.attributes()[attribute].choices;
        let Some(choice) = choices
            .iter()
            .position(|choice| choice.eq_ignore_ascii_case(&text))
        else {
            let message = format!("`{text}` is not one of {}", choices.join(", "));
            self.faulty(
                kind,
                key,
                &field.field,
                &Fault::new(codes::ENUM, message),
                at,
            );
            return;
        };
        let choice = u8::try_from(choice).ok();
        let mut members = stated
            .iter_mut()
            .filter(|stated| stated.field == field.field);
        let Some(cell) = members.next().map(|stated| &mut stated.cell) else {
            return;
        };
        let links = match cell {
            Cell::Value(Value::Links(links)) => links,
            Cell::Amend(amend) => match &mut amend.add {
                Value::Links(links) => links,
                _ => return,
            },
            _ => return,
        };
        for link in links.iter_mut() {
            link.attributes[attribute] = choice;
        }
    }
}

fn field_name(kind: &'static Kind, field: &Field) -> &'static str {
    kind.field(&field.field)
        .map_or("customFields", |field| field.name)
}

/// Takes the country out of a postal code.
fn without_country(kind: &'static Kind, stated: &mut [Stated]) {
    if kind.id != ADDRESS {
        return;
    }
    let (zip, country) = (
        kinds::own(kind.at("zipCode")),
        kinds::own(kind.at("country")),
    );
    let text = |field: &FieldRef| {
        let stated = stated.iter().find(|stated| stated.field == *field)?;
        stated.cell.value()?.as_text().map(str::to_owned)
    };
    let (Some(code), Some(land)) = (text(&zip), text(&country)) else {
        return;
    };
    let without = value::zip(&code, &land);
    if without.len() < code.len()
        && let Some(stated) = stated.iter_mut().find(|stated| stated.field == zip)
    {
        stated.cell = Cell::Value(Value::text(without));
    }
}

/// A custom field that a column is by its name.
pub(super) fn custom(field: &FieldRef, entry: &Entry) -> Option<Stated> {
    let text = trimmed(&entry.text);
    let cell = match &entry.shape {
        Shape::Object | Shape::Covered(_) => return None,
        Shape::List(members) => Cell::Value(Value::List(members.clone())),
        _ if text.is_empty() => Cell::Blank,
        _ => Cell::Value(Value::text(text)),
    };
    Some(Stated {
        field: field.clone(),
        cell,
        at: entry.at,
    })
}

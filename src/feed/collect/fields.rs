//! Reads the fields of one resource from a row. In go the field mappings of a section and a row;
//! out come cells with their places, sorted by field. A field that cannot be read is recorded as
//! faulty instead, so that the planner leaves it alone. Start reading at
//! `ResourceCollector::fields`.

use super::ResourceCollector;
use super::mangled_text;
use super::row::RecordView;
use crate::diagnostic::codes;
use crate::feed::mapping::{
    CellContent, CellSource, ColumnReader, ExportLocale, FieldMapping, ListMode, trimmed,
};
use crate::feed::value;
use crate::kinds::read::{ValueProblem, quoted, spreadsheet_error, spreadsheet_problem};
use crate::kinds::{self, ADDRESS, FieldType, Kind};
use crate::model::{
    Cell, CompactText, FieldRef, Key, LineColumn, Link, ListAmendment, StatedField, Value,
};

impl<'m> ResourceCollector<'m> {
    /// Returns what a row says of the fields of a resource, sorted by field.
    pub(super) fn fields(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        fields: &'m [FieldMapping],
        row: &RecordView<'_>,
    ) -> Vec<StatedField> {
        let mut stated: Vec<StatedField> = Vec::with_capacity(fields.len());
        for field in fields {
            self.report_doubles(kind, key, field, row);
            let own = kind.field(&field.field);
            // Checked before the cell is read: conversions such as `pad` would turn a damaged id
            // back into one that looks right.
            let ruined = own.and_then(|own| mangled_text::check_field(own, &field.cell, row));
            let said = match ruined.map_or_else(|| field.cell.read(row, &self.mapping.words), Err) {
                Ok(said) => said,
                Err((fault, at)) => {
                    self.note_missing_part(key, field);
                    self.faulty(kind, key, &field.field, &fault, at);
                    continue;
                }
            };
            // An attribute of a list comes after the list itself, because fields are sorted, and
            // amends the members that the list just put into `stated`.
            if field.attribute.is_some() {
                self.attribute(kind, key, field, said, &mut stated, row);
                continue;
            }
            if matches!(said, CellContent::Absent | CellContent::Blank(_)) {
                self.note_missing_part(key, field);
            }
            let (cell, at) = match said {
                CellContent::Absent => continue,
                CellContent::Blank(at) => match field.field.own() {
                    // A blank standard cell says nothing: exports leave cells blank that they do
                    // not know, and blanks that overwrite data are the commonest damage of an
                    // import.
                    Some(_) => continue,
                    None => (Cell::Blank, at),
                },
                CellContent::Text(text, at) => {
                    match self.value(kind, key, field, (&[text], at), row) {
                        Some(cell) => (cell, at),
                        None => continue,
                    }
                }
                CellContent::List(members, at) => {
                    match self.value(kind, key, field, (&members, at), row) {
                        Some(cell) => (cell, at),
                        None => continue,
                    }
                }
            };
            stated.push(StatedField {
                field: field.field.clone(),
                cell,
                position: at,
            });
        }
        strip_zip_country(kind, &mut stated);
        stated
    }

    /// Notes that a row does not say its part of a list that all rows make up together.
    fn note_missing_part(&mut self, key: &Key, field: &FieldMapping) {
        if field.cell.list == Some(ListMode::Rows) && field.attribute.is_none() {
            let unsaid = (key.clone(), field.field.clone());
            self.partial_lists.insert(unsaid);
        }
    }

    /// Warns about two status flags set in one row, and about empty members of a list.
    fn report_doubles(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        field: &FieldMapping,
        row: &RecordView<'_>,
    ) {
        let words = &self.mapping.words;
        match &field.cell.take {
            CellSource::First(cells) if field.field.own() == Some(kind.status_index()) => {
                let said = cells.iter().filter_map(|cell| match cell.read(row, words) {
                    Ok(CellContent::Text(text, at)) => Some((text, at)),
                    _ => None,
                });
                let mut said: Vec<(CompactText, LineColumn)> = said.collect();
                // A flag that is not set reads as `active`, so only texts other than that
                // contradict the first one.
                said.dedup_by(|later, first| later.0 == first.0 || later.0 == "active");
                if let [(first, _), (other, at), ..] = &said[..] {
                    let message =
                        format!("{key} is {first} and {other} in one row; {first} is used");
                    let fault = ValueProblem::new(codes::FLAGS_BOTH, message)
                        .help("set only one of the two");
                    self.report(&fault, Some(key), field_name(kind, field), *at);
                }
            }
            CellSource::Column(column) if field.cell.list.is_some() => {
                let (empty, at) = match row.content(*column).unwrap_or(CellContent::Absent) {
                    CellContent::Text(text, at) if !trimmed(&text).is_empty() => (
                        words.members(&text).iter().any(|member| member.is_empty()),
                        at,
                    ),
                    // `A||B` and `A||` are usually the work of a concatenating query. The empty
                    // member is dropped with a warning and the others are kept.
                    CellContent::List(members, at) => {
                        (members.iter().any(|member| trimmed(member).is_empty()), at)
                    }
                    _ => return,
                };
                if empty {
                    let message =
                        format!("{key}: skipped an empty member of `{}`", row.name(*column));
                    let fault = ValueProblem::new(codes::LIST_EMPTY_ITEM, message)
                        .help("remove the separator that no value follows");
                    self.report(&fault, Some(key), field_name(kind, field), at);
                }
            }
            _ => {}
        }
    }

    /// Converts the texts of a cell to the type of the field.
    fn value(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        from: &FieldMapping,
        (texts, at): (&[CompactText], LineColumn),
        row: &RecordView<'_>,
    ) -> Option<Cell> {
        // A custom field has no type in the table of kinds; its definition may come from another
        // source, so it stays text here and is checked later.
        let Some(field) = kind.field(&from.field) else {
            if let Some(error) = texts.iter().find_map(|text| spreadsheet_error(text)) {
                self.faulty(kind, key, &from.field, &spreadsheet_problem(error), at);
                return None;
            }
            return Some(Cell::Value(match (texts, from.cell.list) {
                ([text], None) => Value::Text(text.clone()),
                (texts, _) => Value::List(texts.into()),
            }));
        };
        let mut members = Vec::with_capacity(texts.len());
        // One bad member makes the whole list faulty: a list that replaces the stored one must not
        // lose a member to a typing error.
        for text in texts {
            match value::read(field, text, &self.mapping.words) {
                Ok(None) => return None,
                Ok(Some(reading)) => {
                    if let Some(warning) = &reading.warning {
                        self.report(warning, Some(key), field.name, at);
                    }
                    members.push(reading.value);
                }
                Err(mut fault) => {
                    let written = written_text(from, text, row, &self.mapping.words);
                    let shown = [text, &*written].map(quoted);
                    fault.message = fault.message.replacen(&shown[0], &shown[1], 1);
                    self.faulty(kind, key, &from.field, &fault, at);
                    return None;
                }
            }
        }
        if !field.ty.is_list() {
            return members.pop().map(Cell::Value);
        }
        let ids = members
            .iter()
            .filter_map(Value::as_text)
            .map(CompactText::new);
        let list = match field.ty {
            FieldType::Links { .. } => Value::links(ids.map(|target| Link {
                target,
                attributes: [None; 2],
            })),
            _ => Value::set(ids),
        };
        Some(match from.cell.list {
            Some(ListMode::Replace) => Cell::Value(list),
            // Members that came in another way stay. The planner removes the ones that this source
            // named before and no longer names.
            Some(ListMode::Add | ListMode::Rows) | None => Cell::Amend(Box::new(ListAmendment {
                add: list,
                remove: Vec::new(),
                partial: false,
            })),
        })
    }

    /// Sets an attribute on the list members that the row names.
    fn attribute(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        field: &FieldMapping,
        said: CellContent,
        stated: &mut [StatedField],
        row: &RecordView<'_>,
    ) {
        let (CellContent::Text(text, at), Some(of), Some(attribute)) =
            (said, kind.field(&field.field), field.attribute)
        else {
            return;
        };
        let choices = of.ty.attributes()[attribute].choices;
        let Some(choice) = choices
            .iter()
            .position(|choice| choice.eq_ignore_ascii_case(&text))
        else {
            let written = written_text(field, &text, row, &self.mapping.words);
            let message = format!("{} is not one of {}", quoted(&written), choices.join(", "));
            self.faulty(
                kind,
                key,
                &field.field,
                &ValueProblem::new(codes::ENUM, message),
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

/// A text as the export has it, where the mapping only changed its case.
fn written_text(
    field: &FieldMapping,
    text: &CompactText,
    row: &RecordView<'_>,
    words: &ExportLocale,
) -> CompactText {
    let is_same = |written: &str| {
        written.to_uppercase() == text.to_uppercase()
            || written.to_lowercase() == text.to_lowercase()
    };
    let columns = field.cell.columns().into_iter();
    let mut cells = columns.filter_map(|column| row.content(column).ok());
    let found = cells.find_map(|cell| match cell {
        CellContent::Text(cell, _) => {
            let whole = [trimmed(&cell).into()];
            let mut written = whole.into_iter().chain(words.members(&cell));
            written
                .find(|written| is_same(written))
                .map(CompactText::new)
        }
        CellContent::List(members, _) => {
            let mut written = members.iter().map(|member| trimmed(member));
            written
                .find(|written| is_same(written))
                .map(CompactText::new)
        }
        CellContent::Absent | CellContent::Blank(_) => None,
    });
    found.unwrap_or_else(|| text.clone())
}

fn field_name(kind: &'static Kind, field: &FieldMapping) -> &'static str {
    kind.field(&field.field)
        .map_or("customFields", |field| field.name)
}

/// Removes the country from a postal code.
fn strip_zip_country(kind: &'static Kind, stated: &mut [StatedField]) {
    if kind.id != ADDRESS {
        return;
    }
    let (zip, country) = (
        kinds::own_field(kind.expect_index("zipCode")),
        kinds::own_field(kind.expect_index("country")),
    );
    let text = |field: &FieldRef| {
        let stated = stated.iter().find(|stated| stated.field == *field)?;
        stated.cell.value()?.as_text().map(str::to_owned)
    };
    // The country of this row decides whether the letters in front are a prefix: `SE-` goes in
    // Sweden and stays elsewhere.
    let (Some(code), Some(land)) = (text(&zip), text(&country)) else {
        return;
    };
    let without = value::strip_country_prefix(&code, &land);
    if without.len() < code.len()
        && let Some(stated) = stated.iter_mut().find(|stated| stated.field == zip)
    {
        stated.cell = Cell::Value(Value::text(without));
    }
}

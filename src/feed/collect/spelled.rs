//! Texts that a program took for something else before they came here: an id that became a number, a
//! date or a boolean is another id, and nobody knows which it was.

use super::row::Row;
use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::feed::format::{Entry, Shape};
use crate::feed::mapping::{Cell, Column, Part, Step, Take, trimmed};
use crate::feed::value;
use crate::kinds::read::{Fault, quoted};
use crate::kinds::{Field, Type};
use crate::model::{Pos, Text};
use std::sync::Arc;

/// How many ids are shown as examples.
const SHOWN: usize = 3;

/// Whether a field holds text as somebody wrote it, and not a number, a day or one of some words.
pub(super) fn is_text(field: &Field) -> bool {
    !matches!(
        field.ty,
        Type::Bool | Type::Int(..) | Type::Date | Type::Enum(_) | Type::Duration
    )
}

/// What is wrong with what a field is made of, if it is not what was written.
pub(super) fn field(field: &Field, cell: &Cell, row: &Row<'_>) -> Option<(Fault, Pos)> {
    if !is_text(field) {
        return None;
    }
    let is_id = value::is_id(field);
    find(cell, row, &|entry| match entry.shape {
        // The members of a list are looked at one by one.
        Shape::Text if !is_id || cell.list.is_some() => None,
        _ if is_id => id_entry(entry),
        _ => text_entry(entry),
    })
}

/// What is wrong with what an id is made of.
pub(super) fn id(cell: &Cell, row: &Row<'_>) -> Option<(Fault, Pos)> {
    find(cell, row, &id_entry)
}

fn id_entry(entry: &Entry) -> Option<Fault> {
    let number = || {
        let text = trimmed(&entry.text);
        let whole = text
            .trim_start_matches('-')
            .bytes()
            .all(|byte| byte.is_ascii_digit());
        !whole && text.parse::<f64>().is_ok()
    };
    match &entry.shape {
        Shape::Number if number() => Some(value::made_number(&entry.text).unwrap_or_else(|| {
            let message = format!("the id {} is a decimal number", quoted(&entry.text));
            Fault::new(codes::SCIENTIFIC_NOTATION, message)
                .help("export the column as text: a number loses the zeros at its end")
        })),
        Shape::Percent => Some(ruined(format!(
            "{} is shown as a percentage where an id belongs",
            quoted(&entry.text)
        ))),
        Shape::Text => value::made_number(trimmed(&entry.text)),
        _ => text_entry(entry),
    }
}

fn text_entry(entry: &Entry) -> Option<Fault> {
    match &entry.shape {
        Shape::Date => Some(ruined(format!(
            "{} is a date where text belongs",
            quoted(&entry.text)
        ))),
        Shape::Bool => {
            let message = format!("{} is a boolean where text belongs", quoted(&entry.text));
            let help = "export the column as text; where it stands for nothing, add it to `blanks:` of the mapping";
            Some(Fault::new(codes::SPREADSHEET_ERROR, message).help(help))
        }
        _ => None,
    }
}

fn ruined(message: String) -> Fault {
    Fault::new(codes::SPREADSHEET_ERROR, message)
        .help("format the column as text, enter the value again, and export it once more")
}

/// What is wrong with an id that is not there because a merged cell covers it.
pub(super) fn covered(cell: &Cell, row: &Row<'_>) -> Option<(Fault, Pos)> {
    let entry = entry(cell, row, &|entry| matches!(entry.shape, Shape::Covered(_)))?;
    let Shape::Covered(range) = &entry.shape else {
        return None;
    };
    let message = format!("the id of the row lies within the merged cells {range}");
    let fault = Fault::new(codes::SPREADSHEET_ERROR, message);
    Some((
        fault.help("unmerge them, and write the id into each row"),
        entry.at,
    ))
}

/// The first entry of this kind that a cell is made of. Looked for in every row, so nothing is allocated.
fn entry<'r>(cell: &Cell, row: &Row<'r>, wanted: &dyn Fn(&Entry) -> bool) -> Option<&'r Entry> {
    let column = |of: Column| row.entry(of).filter(|entry| wanted(entry));
    match &cell.take {
        Take::Column(of) => column(*of),
        Take::First(cells) | Take::Join(cells, _) => {
            cells.iter().find_map(|cell| entry(cell, row, wanted))
        }
        Take::Template(parts) => parts.iter().filter_map(Part::column).find_map(column),
        Take::Constant(_) | Take::Expression(_) => None,
    }
}

/// Looks at the cells of the record whose text is taken as it is.
fn find(
    cell: &Cell,
    row: &Row<'_>,
    looks: &dyn Fn(&Entry) -> Option<Fault>,
) -> Option<(Fault, Pos)> {
    let changed = |step: &Step| matches!(step, Step::Part(..) | Step::Number | Step::Date);
    if !cell.values.is_empty() || cell.booleans.is_some() || cell.steps.iter().any(changed) {
        return None;
    }
    let column = |column: Column| {
        let entry = row.entry(column)?;
        Some((looks(entry)?, entry.at))
    };
    match &cell.take {
        Take::Column(of) => column(*of),
        Take::First(cells) => {
            let said = |cell: &&Cell| entry(cell, row, &|entry| !entry.is_blank()).is_some();
            find(cells.iter().find(said)?, row, looks)
        }
        Take::Join(cells, _) => cells.iter().find_map(|cell| find(cell, row, looks)),
        Take::Template(parts) => parts.iter().filter_map(Part::column).find_map(column),
        Take::Constant(_) | Take::Expression(_) => None,
    }
}

/// The ids that were written as numbers.
#[derive(Debug, Default)]
pub(in crate::feed) struct Numbers {
    count: u64,
    first: Option<Pos>,
    examples: Vec<Text>,
}

impl Numbers {
    /// Notes an id of a record, if it was written as a number.
    pub(super) fn look(&mut self, cell: &Cell, row: &Row<'_>, id: &str) {
        // What is made of an id is not another one.
        if matches!(cell.take, Take::Template(_) | Take::Join(..)) {
            return;
        }
        let Some(entry) = entry(cell, row, &|entry| entry.shape == Shape::Number) else {
            return;
        };
        self.count += 1;
        self.first.get_or_insert(entry.at);
        if self.examples.len() < SHOWN {
            self.examples.push(Text::new(id));
        }
    }

    /// What is said of all of them at once.
    pub(in crate::feed) fn warning(&self, path: &Arc<str>) -> Option<Diagnostic> {
        let at = self.first?;
        let shown: Vec<String> = self.examples.iter().map(|id| quoted(id)).collect();
        let more = if self.count > SHOWN as u64 {
            ", …"
        } else {
            ""
        };
        let ids = if self.count == 1 { "id is" } else { "ids are" };
        let message = format!(
            "{} {ids} written as numbers: {}{more}",
            self.count,
            shown.join(", ")
        );
        let found = Diagnostic::new(codes::JSON_NUMBER_ID, message)
            .help("write ids as text, in quotes: a number loses the zeros before it");
        Some(found.field("externalId").at(Origin {
            path: path.clone(),
            at,
        }))
    }
}

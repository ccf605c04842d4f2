//! Texts that a program took for something else before they came here: an id that became a number, a
//! date or a boolean is another id, and nobody knows which it was.

use super::row::RecordView;
use crate::diagnostic::{Diagnostic, Origin, codes};
use crate::feed::format::{CellShape, RawCell};
use crate::feed::mapping::{
    CellMapping, CellSource, ColumnIndex, TemplatePart, TextTransform, trimmed,
};
use crate::feed::value;
use crate::kinds::read::{ValueProblem, quoted};
use crate::kinds::{Field, FieldType};
use crate::model::{CompactText, LineColumn};
use std::sync::Arc;

/// How many ids are shown as examples.
const SHOWN: usize = 3;

/// Whether a field holds text as somebody wrote it, and not a number, a day or one of some words.
pub(super) fn is_text(field: &Field) -> bool {
    !matches!(
        field.ty,
        FieldType::Bool
            | FieldType::Int(..)
            | FieldType::Date
            | FieldType::Enum(_)
            | FieldType::Duration
    )
}

/// What is wrong with what a field is made of, if it is not what was written.
pub(super) fn check_field(
    field: &Field,
    cell: &CellMapping,
    row: &RecordView<'_>,
) -> Option<(ValueProblem, LineColumn)> {
    if !is_text(field) {
        return None;
    }
    let is_id = value::is_id(field);
    find(cell, row, &|entry| match entry.shape {
        // The members of a list are looked at one by one.
        CellShape::Text if !is_id || cell.list.is_some() => None,
        _ if is_id => id_entry(entry),
        _ => text_entry(entry),
    })
}

/// What is wrong with what an id is made of.
pub(super) fn check_id(
    cell: &CellMapping,
    row: &RecordView<'_>,
) -> Option<(ValueProblem, LineColumn)> {
    find(cell, row, &id_entry)
}

fn id_entry(entry: &RawCell) -> Option<ValueProblem> {
    let number = || {
        let text = trimmed(&entry.text);
        let whole = text
            .trim_start_matches('-')
            .bytes()
            .all(|byte| byte.is_ascii_digit());
        !whole && text.parse::<f64>().is_ok()
    };
    match &entry.shape {
        CellShape::Number if number() => {
            Some(value::mangled_id(&entry.text).unwrap_or_else(|| {
                let message = format!("the id {} is a decimal number", quoted(&entry.text));
                ValueProblem::new(codes::SCIENTIFIC_NOTATION, message)
                    .help("export the column as text; a number loses its trailing zeros")
            }))
        }
        CellShape::Percent => Some(ruined(format!(
            "{} is a percentage; expected an id",
            quoted(&entry.text)
        ))),
        CellShape::Text => value::mangled_id(trimmed(&entry.text)),
        _ => text_entry(entry),
    }
}

fn text_entry(entry: &RawCell) -> Option<ValueProblem> {
    match &entry.shape {
        CellShape::Date => Some(ruined(format!(
            "{} is a date; expected text",
            quoted(&entry.text)
        ))),
        CellShape::Bool => {
            let message = format!("{} is a boolean; expected text", quoted(&entry.text));
            let help = "export the column as text; if it means no value, add it to `blanks:` of the mapping";
            Some(ValueProblem::new(codes::SPREADSHEET_ERROR, message).help(help))
        }
        _ => None,
    }
}

fn ruined(message: String) -> ValueProblem {
    ValueProblem::new(codes::SPREADSHEET_ERROR, message)
        .help("format the column as text, enter the value again, and repeat the export")
}

/// What is wrong with an id that is not there because a merged cell covers it.
pub(super) fn covered_id(
    cell: &CellMapping,
    row: &RecordView<'_>,
) -> Option<(ValueProblem, LineColumn)> {
    let entry = entry(cell, row, &|entry| {
        matches!(entry.shape, CellShape::Covered(_))
    })?;
    let CellShape::Covered(range) = &entry.shape else {
        return None;
    };
    let message = format!("the id of the row is in the merged cells {range}");
    let fault = ValueProblem::new(codes::SPREADSHEET_ERROR, message);
    Some((
        fault.help("unmerge them and write the id into each row"),
        entry.at,
    ))
}

/// The first entry of this kind that a cell is made of. Looked for in every row, so nothing is allocated.
fn entry<'r>(
    cell: &CellMapping,
    row: &RecordView<'r>,
    wanted: &dyn Fn(&RawCell) -> bool,
) -> Option<&'r RawCell> {
    let column = |of: ColumnIndex| row.entry(of).filter(|entry| wanted(entry));
    match &cell.take {
        CellSource::Column(of) => column(*of),
        CellSource::First(cells) | CellSource::Join(cells, _) => {
            cells.iter().find_map(|cell| entry(cell, row, wanted))
        }
        CellSource::Template(parts) => parts
            .iter()
            .filter_map(TemplatePart::column)
            .find_map(column),
        CellSource::Constant(_) | CellSource::Expression(_) => None,
    }
}

/// Looks at the cells of the record whose text is taken as it is.
fn find(
    cell: &CellMapping,
    row: &RecordView<'_>,
    looks: &dyn Fn(&RawCell) -> Option<ValueProblem>,
) -> Option<(ValueProblem, LineColumn)> {
    let changed = |step: &TextTransform| {
        matches!(
            step,
            TextTransform::Part(..) | TextTransform::Number | TextTransform::Date
        )
    };
    if !cell.values.is_empty() || cell.booleans.is_some() || cell.steps.iter().any(changed) {
        return None;
    }
    let column = |column: ColumnIndex| {
        let entry = row.entry(column)?;
        Some((looks(entry)?, entry.at))
    };
    match &cell.take {
        CellSource::Column(of) => column(*of),
        CellSource::First(cells) => {
            let said = |cell: &&CellMapping| entry(cell, row, &|entry| !entry.is_blank()).is_some();
            find(cells.iter().find(said)?, row, looks)
        }
        CellSource::Join(cells, _) => cells.iter().find_map(|cell| find(cell, row, looks)),
        CellSource::Template(parts) => parts
            .iter()
            .filter_map(TemplatePart::column)
            .find_map(column),
        CellSource::Constant(_) | CellSource::Expression(_) => None,
    }
}

/// The ids that were written as numbers.
#[derive(Debug, Default)]
pub(in crate::feed) struct NumericIds {
    count: u64,
    first: Option<LineColumn>,
    examples: Vec<CompactText>,
}

impl NumericIds {
    /// Notes an id of a record, if it was written as a number.
    pub(super) fn note_id(&mut self, cell: &CellMapping, row: &RecordView<'_>, id: &str) {
        // What is made of an id is not another one.
        if matches!(cell.take, CellSource::Template(_) | CellSource::Join(..)) {
            return;
        }
        let Some(entry) = entry(cell, row, &|entry| entry.shape == CellShape::Number) else {
            return;
        };
        self.count += 1;
        self.first.get_or_insert(entry.at);
        if self.examples.len() < SHOWN {
            self.examples.push(CompactText::new(id));
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
            .help("write ids as text, in quotes; a number loses its leading zeros");
        Some(found.field("externalId").at(Origin {
            path: path.clone(),
            at,
        }))
    }
}

//! Detects text that some program took for a number, a date or a boolean. Such a value cannot be
//! restored: `1.0E+04` may have been any of many ids, and reading it as it stands would create a
//! second customer and deactivate the first. Start reading at `check_field` and `check_id`,
//! which look at the raw cells that a mapped cell is made of.

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

const SHOWN: usize = 3;

/// Returns whether a field holds free text, not a number, a date or one of a few words.
pub(super) fn is_text(field: &Field) -> bool {
    !matches!(
        field.ty,
        FieldType::Bool
            | FieldType::Int(..)
            | FieldType::PastDate
            | FieldType::Enum(_)
            | FieldType::Duration
    )
}

/// Returns what is wrong with the raw cells of a field, if a program changed them.
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
        // The members of a list are checked one by one, when the field is read.
        CellShape::Text if !is_id || cell.list.is_some() => None,
        _ if is_id => id_entry(entry),
        _ => text_entry(entry),
    })
}

/// Returns what is wrong with the raw cells of an external id.
pub(super) fn check_id(
    cell: &CellMapping,
    row: &RecordView<'_>,
) -> Option<(ValueProblem, LineColumn)> {
    find(cell, row, &id_entry)
}

fn id_entry(entry: &RawCell) -> Option<ValueProblem> {
    // Whole numbers pass with a warning (see `NumericIds`): many systems export ids as JSON
    // numbers. A fraction or an exponent shows that digits may be lost.
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

/// Returns why an id is missing, if a merged cell covers it.
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

/// Finds the first raw cell of a mapped cell that matches. This runs for every row, so it allocates
/// nothing.
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

/// Runs a check on the raw cells whose text is taken unchanged.
fn find(
    cell: &CellMapping,
    row: &RecordView<'_>,
    looks: &dyn Fn(&RawCell) -> Option<ValueProblem>,
) -> Option<(ValueProblem, LineColumn)> {
    // A mapping that converts the cell says what the cell is, for example that a number is meant.
    // Only text that is taken as it is can be damaged unnoticed.
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
            // Only the alternative that is used counts. A date in a fallback column hurts nothing.
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

/// Counts ids that were written as numbers, for one warning per file.
#[derive(Debug, Default)]
pub(in crate::feed) struct NumericIds {
    count: u64,
    first: Option<LineColumn>,
    examples: Vec<CompactText>,
}

impl NumericIds {
    pub(super) fn note_id(&mut self, cell: &CellMapping, row: &RecordView<'_>, id: &str) {
        // An id built from several columns is not the number itself.
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

    /// Returns one warning for all of them.
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

//! Reads the columns of an export that are named after custom fields.

use super::ResourceCollector;
use super::row::RecordView;
use crate::feed::format::{CellShape, RawCell};
use crate::feed::mapping::{MappingSection, trimmed};
use crate::kinds::read::{spreadsheet_error, spreadsheet_problem};
use crate::model::{Cell, FieldRef, Key, StatedField, Value};

impl ResourceCollector<'_> {
    /// Reads the custom fields of columns that are named after them.
    pub(super) fn read_custom_columns(
        &mut self,
        section: &MappingSection,
        nth: usize,
        key: &Key,
        row: &RecordView<'_>,
        said: &mut Vec<StatedField>,
    ) {
        let every = std::mem::take(&mut self.custom_columns[nth]);
        for (field, place) in &every {
            let Some(entry) = row.record.cell(*place) else {
                continue;
            };
            let error =
                spreadsheet_error(&entry.text).map(|error| Box::new(spreadsheet_problem(error)));
            match (&entry.shape, error) {
                (CellShape::Unreadable(fault), _) => {
                    self.faulty(section.kind, key, field, fault, entry.at);
                }
                (_, Some(fault)) => self.faulty(section.kind, key, field, &fault, entry.at),
                _ => said.extend(custom(field, entry)),
            }
        }
        self.custom_columns[nth] = every;
    }
}

/// Returns the custom field that a column is named after.
fn custom(field: &FieldRef, entry: &RawCell) -> Option<StatedField> {
    let text = trimmed(&entry.text);
    let cell = match &entry.shape {
        CellShape::Object | CellShape::Covered(_) => return None,
        CellShape::List(members) => Cell::Value(Value::List(members.clone())),
        _ if text.is_empty() => Cell::Blank,
        _ => Cell::Value(Value::text(text)),
    };
    Some(StatedField {
        field: field.clone(),
        cell,
        position: entry.at,
    })
}

//! Reads the password of a user from a row. It is kept apart from the cells, so that nothing that
//! shows, compares or stores cells can show it; the cell only says that the row has one.

use super::ResourceCollector;
use super::row::RecordView;
use crate::diagnostic::{Diagnostic, codes};
use crate::feed::format::{CellShape, ExportRecord};
use crate::feed::mapping::{CellContent, MappingSection, trimmed};
use crate::kinds::read::ValueProblem;
use crate::kinds::{Kind, SECRET_IN_EXPORT, own_field};
use crate::model::{Cell, Key, LineColumn, SecretText, StatedField, Value};

impl ResourceCollector<'_> {
    /// Whether the cells of a faulty row may be passwords in the wrong column.
    pub(super) fn may_have_shifted_passwords(&self) -> bool {
        !self.secret_columns.is_empty() || self.mapping.has_passwords()
    }

    /// Reports a row of which nobody can say which cell is a password. No cell of it is read, not
    /// even an id: it would be shown.
    pub(super) fn hide_unclear_row(&mut self, kind: &'static Kind, at: LineColumn) {
        let fault = ValueProblem::new(
            codes::ROW_WIDTH,
            "the row cannot be read, and any of its cells may be a password",
        )
        .help("correct the row; until then, no resource of this kind is treated as missing");
        self.hide_kind(kind, at, &fault, None);
    }

    /// Notes the passwords of a record. Before anything is read: also a row that declares nothing
    /// has them.
    pub(super) fn note_secret_cells(&mut self, record: &ExportRecord) {
        let secrets = &mut self.collected.secret_cells;
        let mut is_clear = true;
        for at in &self.secret_columns {
            is_clear &= record.list(*at).is_none();
            let Some(cell) = record.cell(*at) else {
                continue;
            };
            match cell.shape {
                CellShape::Object | CellShape::Unreadable(_) | CellShape::List(_) => {
                    is_clear = false;
                }
                _ if cell.is_blank() => {}
                _ => secrets.cells.push((cell.at, SecretText::new(&cell.text))),
            }
        }
        is_clear &= !record.faulty || !self.may_have_shifted_passwords();
        let secrets = &mut self.collected.secret_cells;
        if !is_clear && secrets.unclear_row.is_none() {
            secrets.unclear_row = Some(record.at);
        }
    }

    /// Adds to the cells of a row that it has a password. A blank one says nothing.
    pub(super) fn password(
        &mut self,
        section: &MappingSection,
        key: &Key,
        row: &RecordView<'_>,
        said: &mut Vec<StatedField>,
    ) {
        let Some(cell) = &section.password else {
            return;
        };
        let field = own_field(section.kind.expect_index("passwordFrom"));
        let (text, position) = match cell.read(row, &self.mapping.words) {
            Ok(CellContent::Text(text, at)) if !trimmed(&text).is_empty() => (text, at),
            Ok(_) => return,
            // Without its message, which may quote the cell.
            Err((fault, at)) => {
                let fault = ValueProblem::new(fault.code, "the password cannot be read")
                    .help("correct the cell, or leave it blank and invite the user");
                return self.faulty(section.kind, key, &field, &fault, at);
            }
        };
        let secret = SecretText::new(trimmed(&text));
        let passwords = &mut self.collected.passwords;
        let before = passwords.insert(key.clone(), secret.clone());
        if before.is_some_and(|before| before != secret) {
            let message = format!("{key}: its rows have different passwords");
            let found = Diagnostic::new(codes::ROW_CONFLICT, message).for_resource(key);
            let origin = self.origin(position);
            self.collected.diagnostics.push(found.at(origin));
        }
        let place = said.partition_point(|stated| stated.field < field);
        let stated = StatedField {
            field,
            cell: Cell::Value(Value::text(SECRET_IN_EXPORT)),
            position,
        };
        said.insert(place, stated);
    }
}

//! Reads the password of a user from a row. It is kept apart from the cells, so that nothing that
//! shows, compares or stores cells can show it; the cell only says that the row has one.

use super::ResourceCollector;
use super::row::RecordView;
use crate::diagnostic::{Diagnostic, codes};
use crate::feed::mapping::{CellContent, MappingSection, trimmed};
use crate::kinds::read::ValueProblem;
use crate::kinds::{SECRET_IN_EXPORT, own_field};
use crate::model::{Cell, Key, SecretText, StatedField, Value};

impl ResourceCollector<'_> {
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
        let places = &mut self.collected.password_places;
        places.push((position, secret.clone()));
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

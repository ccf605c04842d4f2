//! Reads `clear:`, the list of fields that lose their values. `ManifestParser::clear`
//! collects their names, and `ManifestParser::clear_fields` makes cells of them once the resource is
//! complete.

use super::document::ManifestParser;
use super::nodes::{DocumentError, NodeEvent};
use super::resource::ManifestDraft;
use crate::diagnostic::{Diagnostic, codes, did_you_mean};
use crate::kinds::read::quoted;
use crate::kinds::{FieldType, Kind, own_field};
use crate::model::{Cell, CompactText, FieldRef, LineColumn, StatedField, Value};
use std::collections::HashMap;

/// The index of each field's cell among the cells of a resource.
type Places = HashMap<FieldRef, usize>;

impl ManifestParser<'_, '_> {
    /// Reads the names of the fields to clear.
    pub(super) fn clear(&mut self, draft: &mut ManifestDraft<'_>) -> Result<(), DocumentError> {
        let (node, at) = self.reader.next()?;
        match node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() => return Ok(()),
            NodeEvent::List => {}
            other => {
                self.reader.skip(&other)?;
                self.wrong_type("clear", at, "must be a list", "Write `clear: [website]`");
                return Ok(());
            }
        }
        loop {
            match self.reader.next()? {
                (NodeEvent::End | NodeEvent::Eof, _) => return Ok(()),
                (NodeEvent::Scalar(scalar), at) => {
                    draft.clear.push((CompactText::new(&scalar.text), at));
                }
                (other, at) => {
                    self.reader.skip(&other)?;
                    self.wrong_type(
                        "clear",
                        at,
                        "items must be names of fields",
                        "Write `clear: [website]`",
                    );
                }
            }
        }
    }

    /// Makes cells of the names that were read.
    pub(super) fn clear_fields(&mut self, draft: &mut ManifestDraft<'_>) {
        let clear = std::mem::take(&mut draft.clear);
        // A hostile file may clear thousands of names; looking each one up in a list of thousands
        // of cells would be quadratic.
        let mut stated = Places::default();
        if !clear.is_empty() {
            let cells = self.cells[draft.cells..].iter().enumerate();
            stated = cells.map(|(at, cell)| (cell.field.clone(), at)).collect();
        }
        for (name, at) in clear {
            self.clear_field(draft, &mut stated, &name, at);
        }
    }

    fn clear_field(
        &mut self,
        draft: &ManifestDraft<'_>,
        stated: &mut Places,
        name: &str,
        at: LineColumn,
    ) {
        let kind = draft.kind;
        let group: Vec<usize> = kind.group(name).collect();
        if !group.is_empty() {
            for index in group {
                self.clear_cell(draft, stated, &own_field(index), name, at);
            }
            return;
        }
        let declarable = |field: &FieldRef| !kind.field(field).is_some_and(|it| it.implied);
        let Some(field) = kind.field_ref(name).filter(declarable) else {
            self.unknown_clear(kind, name, at);
            return;
        };
        if !may_be_cleared(kind, &field) {
            let message = format!("`{name}` cannot be cleared");
            let found = Diagnostic::new(codes::CLEAR_REQUIRED, message).field(name);
            let help = format!("Remove `{name}` from `clear:`, or write a value");
            self.sink.report(at, found.help(help));
        }
        self.clear_cell(draft, stated, &field, name, at);
    }

    fn clear_cell(
        &mut self,
        draft: &ManifestDraft<'_>,
        places: &mut Places,
        field: &FieldRef,
        name: &str,
        at: LineColumn,
    ) {
        let place = places.get(field).map(|place| draft.cells + place);
        match place.and_then(|place| self.cells.get_mut(place)) {
            None => {
                places.insert(field.clone(), self.cells.len() - draft.cells);
                self.cells.push(StatedField {
                    field: field.clone(),
                    cell: Cell::Clear,
                    position: at,
                });
            }
            Some(stated) if matches!(stated.cell, Cell::Value(_)) => {
                let set = stated.position;
                let message = format!("`{name}` is both cleared and set");
                let found = Diagnostic::new(codes::CLEAR_UNKNOWN, message).field(name);
                let found = found
                    .help("Keep one of them")
                    .related([self.sink.origin(set)]);
                self.sink.report(at, found);
            }
            Some(stated) => {
                stated.cell = Cell::Clear;
                stated.position = at;
            }
        }
    }

    fn unknown_clear(&mut self, kind: &'static Kind, name: &str, at: LineColumn) {
        let message = format!("{} has no field {} to clear", kind.name, quoted(name));
        let mut found = Diagnostic::new(codes::CLEAR_UNKNOWN, message).field("clear");
        let known = kind.fields.iter().map(|field| field.name);
        if name == "externalId" {
            found = Diagnostic::new(codes::CLEAR_REQUIRED, "`externalId` cannot be cleared");
        } else if let Some(meant) = did_you_mean(name, known) {
            found = found.help(format!("Did you mean `{meant}`?"));
        }
        self.sink.report(at, found);
    }

    /// A cleared list is the empty list, like `[]`, even if the list has a default: the default only
    /// stands in for a list that nobody declares.
    pub(super) fn clear_to_empty_list(kind: &Kind, stated: StatedField) -> StatedField {
        if stated.cell != Cell::Clear || !may_be_cleared(kind, &stated.field) {
            return stated;
        }
        let none = match kind.field(&stated.field).map(|field| &field.ty) {
            Some(FieldType::Links { .. }) => Value::links([]),
            Some(ty) if ty.is_list() => Value::List([].into()),
            _ => return stated,
        };
        StatedField {
            cell: Cell::Value(none),
            ..stated
        }
    }
}

/// Whether `clear:` may name a field: not a required field, a secret or the status.
fn may_be_cleared(kind: &Kind, field: &FieldRef) -> bool {
    let Some(index) = field.own() else {
        return true;
    };
    let field = &kind.fields[index];
    !field.required && !field.is_secret() && index != kind.status_index()
}

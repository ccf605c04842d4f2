//! Changes values in the text of a manifest. Comments, order, quotes, indentation, anchors and line
//! ends stay as they were written.
//!
//! The edited text is read again and must mean exactly what it meant before, apart from the
//! intended changes; an edit that fails this test is dropped and reported. In go [`ManifestEdit`]s,
//! out comes an `EditedManifest`. Start at `verify::edit`.

mod buffer;
mod fields;
mod lists;
mod nodes;
mod scalar;
mod splice;
#[cfg(test)]
mod tests;
mod verify;

pub use verify::{DroppedEdit, EditedManifest, edit};

use crate::kinds;
use crate::model::{Cell, FieldRef, Key, LineColumn};

/// A change to one resource of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManifestEdit {
    /// The resource to change.
    pub key: Key,
    /// The new cells of its fields, declared or not.
    pub cells: Vec<(FieldRef, Cell)>,
}

impl ManifestEdit {
    /// The subject of the edit for messages: `Account/acme name`.
    #[must_use]
    pub fn subject(&self) -> String {
        let kind = kinds::get(self.key.kind);
        let names = self.cells.iter();
        let names: Vec<String> = names.map(|(field, _)| kind.field_name(field)).collect();
        format!("{} {}", self.key, names.join(", "))
    }
}

/// Why an edit cannot be made, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
struct EditRefusal {
    at: Option<LineColumn>,
    why: String,
}

impl EditRefusal {
    fn new(why: impl Into<String>) -> Self {
        Self {
            at: None,
            why: why.into(),
        }
    }
}

//! Changes values in the text of a manifest. Comments, order, quotes, indents, anchors and line
//! ends stay as they are.
//! The edited text is loaded again and must declare exactly what it declared before, except for the
//! intended changes. An edit that fails this test is dropped, with the reason. Start with
//! [`edit()`] in `verify`; `fields` and `lists` turn an edit into splices, `scalar` writes single
//! values.

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

/// The new values of one resource in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManifestEdit {
    pub key: Key,
    /// The fields and their new cells. Fields that the resource does not state yet are added.
    pub cells: Vec<(FieldRef, Cell)>,
}

impl ManifestEdit {
    /// Returns the resource and its fields, as shown to people: `Account/acme name`.
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

//! Values changed in the text of a manifest: comments, order, quotes, indents, anchors and line ends
//! stay as somebody wrote them.
//!
//! What was written is read again, and must say exactly what it said before but for what was meant
//! to change; an edit of which that is not so is dropped, and named.

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

/// What one resource of a file is to say instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ManifestEdit {
    /// Which resource.
    pub key: Key,
    /// What it is to say of which fields: one that it speaks of, or any that it does not.
    pub cells: Vec<(FieldRef, Cell)>,
}

impl ManifestEdit {
    /// What it is about, for people: `Account/acme name`.
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

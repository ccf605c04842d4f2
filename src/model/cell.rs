//! What a form says of one field.

use super::{FieldRef, Value};

/// What was said; a field of which nothing was said has no cell at all (absent).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cell {
    /// `""`, only spaces, null.
    Blank,
    /// Listed in `clear:`.
    Clear,
    /// A value in canonical form.
    Value(Value),
}

impl Cell {
    /// The value, if one was said.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Blank | Self::Clear => None,
        }
    }
}

/// A place in a file: line and column, both from 1; columns count characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Pos {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One stated field of a declared resource, and where its value (or, blank, its key) stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stated {
    /// Which field.
    pub field: FieldRef,
    /// What was said.
    pub cell: Cell,
    /// Where, in the file of the resource's origin.
    pub at: Pos,
}

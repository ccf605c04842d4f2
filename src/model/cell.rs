//! What a source states about one field.

use super::{CompactText, FieldRef, Link, Value};

/// A stated field. A field that is not mentioned has no cell at all, and that is not the same as
/// blank: `specs/cell-states.md` says what each means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cell {
    /// `""`, only spaces, or null.
    Blank,
    /// Listed in `clear:`.
    Clear,
    /// A value in canonical form.
    Value(Value),
    /// Members to add, change or remove. All other members of the list stay.
    Amend(Box<ListAmendment>),
}

/// Changes to some members of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListAmendment {
    /// Members to add or change, as a list or as links.
    pub add: Value,
    /// Members to remove, sorted.
    pub remove: Vec<CompactText>,
    /// Whether these are only part of what the source declares. If so, a member of an earlier
    /// export that is missing now is not dropped.
    pub partial: bool,
}

impl Cell {
    /// The stated value, or the members to add.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Amend(amend) => Some(&amend.add),
            Self::Blank | Self::Clear => None,
        }
    }
}

impl ListAmendment {
    /// Whether a stored list already agrees with this.
    pub fn holds(&self, stored: Option<&Value>) -> bool {
        let has = |member: &CompactText| {
            stored.is_some_and(|list| list.members().any(|old| old == member))
        };
        // An attribute that is not stated agrees with any, or an export without a column for
        // `level` would differ from the stored links in every pass.
        let kept = |link: &Link| {
            let mut old = stored.map_or(&[][..], Value::as_links).iter();
            let said = link.attributes.iter();
            old.find(|old| old.target == link.target)
                .is_some_and(|old| {
                    said.zip(old.attributes)
                        .all(|(said, old)| said.is_none() || *said == old)
                })
        };
        let added = match &self.add {
            Value::Links(links) => links.iter().all(kept),
            add => add.members().all(has),
        };
        added && !self.remove.iter().any(has)
    }
}

/// A position in a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LineColumn {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, not bytes, from 1.
    pub column: u32,
}

/// One stated field of a declared resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatedField {
    pub field: FieldRef,
    pub cell: Cell,
    /// The position of the value or, if it is blank, of its key, in the file of the resource.
    pub position: LineColumn,
}

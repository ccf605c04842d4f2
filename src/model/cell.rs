//! What a form says of one field.

use super::{CompactText, FieldRef, Link, Value};

/// What was said; a field of which nothing was said has no cell at all (absent).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cell {
    /// `""`, only spaces, null.
    Blank,
    /// Listed in `clear:`.
    Clear,
    /// A value in canonical form.
    Value(Value),
    /// Members of a list that come or change, and members that go; all others stay.
    Amend(Box<ListAmendment>),
}

/// What is said of some members of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListAmendment {
    /// Those that come, or change: a list or links.
    pub add: Value,
    /// Those that go, sorted.
    pub remove: Vec<CompactText>,
    /// Whether it is only a part of what the source declares: then no earlier member is dropped.
    pub partial: bool,
}

impl Cell {
    /// The value, if one was said; of members that come, these.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Amend(amend) => Some(&amend.add),
            Self::Blank | Self::Clear => None,
        }
    }
}

impl ListAmendment {
    /// Whether a stored list already is what it asks for.
    pub fn holds(&self, stored: Option<&Value>) -> bool {
        let has = |member: &CompactText| {
            stored.is_some_and(|list| list.members().any(|old| old == member))
        };
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

/// A place in a file: line and column, both from 1; columns count characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LineColumn {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One stated field of a declared resource, and where its value (or, blank, its key) stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatedField {
    pub field: FieldRef,
    /// What was said.
    pub cell: Cell,
    /// Where, in the file of the resource's origin.
    pub position: LineColumn,
}

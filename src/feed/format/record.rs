//! What an export is made of once its format is gone.

use crate::kinds::read::{ValueProblem, is_blank};
use crate::model::{CompactText, LineColumn};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// How a cell was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CellShape {
    /// As text; everything in CSV is.
    Text,
    /// As a number. Its text is how it was spelled; in a spreadsheet its shortest decimal, or what
    /// its format shows where that has leading zeros.
    Number,
    /// As a number that a spreadsheet shows as a percentage. Its text is the number.
    Percent,
    /// As a date or a moment of a spreadsheet. Its text is in ISO 8601.
    Date,
    /// As a boolean: `true` or `false`.
    Bool,
    /// As nothing: null, or a cell of a spreadsheet that is not there.
    Null,
    /// As a list of values. Its text has them with `||` between; empty, the list had none.
    List(Box<[CompactText]>),
    /// As an object. Its text is blank; its members are columns of their own: `address.city`.
    Object,
    /// Not at all: a merged cell of a spreadsheet covers it. The range of that one, as `A2:A4`.
    Covered(Box<str>),
    /// As something whose value cannot be known, and why.
    Unreadable(Box<ValueProblem>),
}

/// One cell as it stands there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawCell {
    /// What stands there, spaces around it included.
    pub text: CompactText,
    /// How it was written.
    pub shape: CellShape,
    /// Where its value begins.
    pub at: LineColumn,
}

/// One row, or one object.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ExportRecord {
    /// Where it begins.
    pub at: LineColumn,
    /// By column; none: absent. May be shorter than there are columns.
    pub cells: Vec<Option<RawCell>>,
    /// Lists of objects, each with its column, in the order in which they stand there.
    pub lists: Vec<(usize, Vec<ExportRecord>)>,
    /// Whether something is wrong with it, which has been reported. Its cells are what could be
    /// made out: good enough to shield what they name, and for nothing else.
    pub faulty: bool,
}

impl ExportRecord {
    /// A digest of its cells: two records that are alike have the same, wherever they are.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.feed(&mut hasher);
        hasher.finish()
    }

    fn feed(&self, hasher: &mut DefaultHasher) {
        for cell in &self.cells {
            cell.as_ref().map(|cell| &*cell.text).hash(hasher);
        }
        for (column, members) in &self.lists {
            column.hash(hasher);
            members.iter().for_each(|member| member.feed(hasher));
        }
    }
}

impl RawCell {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        !matches!(self.shape, CellShape::Object | CellShape::Unreadable(_)) && is_blank(&self.text)
    }

    pub(super) fn new(text: CompactText, shape: CellShape, at: LineColumn) -> Self {
        Self { text, shape, at }
    }
}

impl ExportRecord {
    /// The cell of a column, unless it is absent.
    #[must_use]
    pub fn cell(&self, column: usize) -> Option<&RawCell> {
        self.cells.get(column)?.as_ref()
    }

    /// The list of objects of a column, unless it is absent.
    #[must_use]
    pub fn list(&self, column: usize) -> Option<&[ExportRecord]> {
        let list = self.lists.iter().find(|(at, _)| *at == column)?;
        Some(&list.1)
    }

    /// Puts an entry where its column is.
    pub(super) fn put(&mut self, column: usize, entry: RawCell) {
        if self.cells.len() <= column {
            self.cells.resize(column + 1, None);
        }
        self.cells[column] = Some(entry);
    }

    /// Makes it a new one, keeping the room it has.
    pub(super) fn reset(&mut self, at: LineColumn) {
        self.at = at;
        self.cells.fill(None);
        self.lists.clear();
        self.faulty = false;
    }
}

//! Records and cells: what every format is turned into. A cell keeps its text as written and how it
//! was written, because a number, a date and a text of the same spelling are to be trusted
//! differently.

use crate::kinds::read::{ValueProblem, is_blank};
use crate::model::{CompactText, Digest, LineColumn};

/// How a cell was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CellShape {
    /// As text, like everything in CSV.
    Text,
    /// As a number. The text is its spelling; in a workbook, its shortest decimal form, or what the
    /// cell shows where the format adds leading zeros.
    Number,
    /// As a number that a workbook shows as a percentage. The text is the number.
    Percent,
    /// As a date or time of a workbook. The text is in ISO 8601.
    Date,
    /// As a boolean. The text is `true` or `false`.
    Bool,
    /// As null, or as a missing cell of a workbook.
    Null,
    /// As a list of values. The text joins them with `||` and is empty for an empty list.
    List(Box<[CompactText]>),
    /// As an object. The text is blank; the members are columns of their own: `address.city`.
    Object,
    /// Not written, because a merged cell covers it. Holds the merged range, such as `A2:A4`.
    Covered(Box<str>),
    /// In a way that hides its value. Holds the reason.
    Unreadable(Box<ValueProblem>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawCell {
    /// The text as written, with surrounding spaces.
    pub text: CompactText,
    pub shape: CellShape,
    /// Where the value begins.
    pub at: LineColumn,
}

#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ExportRecord {
    /// Where the record begins.
    pub at: LineColumn,
    /// Where the next row begins. Only in tables in text.
    pub end: LineColumn,
    /// Cells by column; `None` is absent. May be shorter than the list of columns.
    pub cells: Vec<Option<RawCell>>,
    /// Lists of objects with their columns, in the order of the export.
    pub lists: Vec<(usize, Vec<ExportRecord>)>,
    /// Whether the record has a reported error. Its cells may then only be used to protect the
    /// resources that they name.
    pub faulty: bool,
    /// The digest of the row: of its text in CSV, of its cells elsewhere. Places are left out.
    pub digest: Digest,
}

impl RawCell {
    /// Returns whether the cell has no value.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        // An object and an unreadable value have no text, but they are not blank: a blank may clear
        // a field.
        !matches!(self.shape, CellShape::Object | CellShape::Unreadable(_)) && is_blank(&self.text)
    }

    pub(super) fn new(text: CompactText, shape: CellShape, at: LineColumn) -> Self {
        Self { text, shape, at }
    }
}

impl ExportRecord {
    /// Returns the cell of a column, unless it is absent.
    #[must_use]
    pub fn cell(&self, column: usize) -> Option<&RawCell> {
        self.cells.get(column)?.as_ref()
    }

    /// Returns the list of objects of a column, unless it is absent.
    #[must_use]
    pub fn list(&self, column: usize) -> Option<&[ExportRecord]> {
        let list = self.lists.iter().find(|(at, _)| *at == column)?;
        Some(&list.1)
    }

    pub(super) fn put(&mut self, column: usize, entry: RawCell) {
        if self.cells.len() <= column {
            self.cells.resize(column + 1, None);
        }
        self.cells[column] = Some(entry);
    }

    /// Empties the record for the next one and keeps its memory.
    pub(super) fn reset(&mut self, at: LineColumn) {
        self.at = at;
        self.end = at;
        self.cells.fill(None);
        self.lists.clear();
        self.faulty = false;
    }
}

//! Access to the columns of one row.

use crate::kinds::read::ValueProblem;
use crate::model::{CompactText, LineColumn};
use std::collections::BTreeMap;

/// A row, from whose columns the cells of a resource are made.
pub trait ColumnReader {
    /// The content of a column.
    fn content(&self, column: ColumnIndex) -> Result<CellContent, (ValueProblem, LineColumn)>;
    /// The name of a column as in the export.
    fn name(&self, column: ColumnIndex) -> &str;
    /// The texts of all columns by name, for expressions.
    fn all_texts(&self) -> BTreeMap<String, String>;
    /// The position of the row.
    fn at(&self) -> LineColumn;
}

/// A column of the mapping: its index in [`super::Mapping::columns`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ColumnIndex(pub usize);

/// The content of a column in one row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CellContent {
    /// The column or key does not exist.
    Absent,
    /// A blank cell, and its position.
    Blank(LineColumn),
    /// A text that is not blank, and its position.
    Text(CompactText, LineColumn),
    /// Several texts, written as a list, and their position.
    List(Vec<CompactText>, LineColumn),
}

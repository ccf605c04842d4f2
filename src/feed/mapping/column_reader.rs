//! The columns of one row.

use crate::kinds::read::ValueProblem;
use crate::model::{CompactText, LineColumn};
use std::collections::BTreeMap;

/// What cells are made from.
pub trait ColumnReader {
    /// What a column holds.
    fn content(&self, column: ColumnIndex) -> Result<CellContent, (ValueProblem, LineColumn)>;
    /// The name of a column, as the export writes it.
    fn name(&self, column: ColumnIndex) -> &str;
    /// All columns with what they hold, for expressions.
    fn all_texts(&self) -> BTreeMap<String, String>;
    /// Where the record stands.
    fn at(&self) -> LineColumn;
}

/// A column of the mapping: its place in [`super::Mapping::columns`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ColumnIndex(pub usize);

/// What a record says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CellContent {
    /// Nothing: the column or key is not there.
    Absent,
    /// A blank, and where.
    Blank(LineColumn),
    /// A text that is not blank, and where.
    Text(CompactText, LineColumn),
    /// Several texts that are written as a list, and where.
    List(Vec<CompactText>, LineColumn),
}

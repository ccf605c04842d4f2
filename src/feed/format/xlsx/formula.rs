//! Formulas that were never calculated: what they come to is not in the file.

use super::super::record::CellShape;
use crate::diagnostic::codes;
use crate::kinds::read::ValueProblem;
use calamine::{DataRef, Xlsx, XlsxError};
use std::io::{Read, Seek};

/// More of them than anybody could correct.
const MOST: usize = 1_000_000;

/// The cells of a sheet that have a formula and no value, by row and column.
#[derive(Default)]
pub(super) struct UncalculatedFormulas(Vec<(u32, u32)>);

impl UncalculatedFormulas {
    /// Finds those of a sheet.
    pub fn find<I: Read + Seek>(book: &mut Xlsx<I>, name: &str) -> Result<Self, XlsxError> {
        let mut cells = book.worksheet_cells_reader(name)?;
        let mut found = Vec::new();
        while let Some(cell) = cells.next_cell_with_formula_metadata()? {
            if cell.formula.is_some() && cell.value == DataRef::Empty {
                if found.len() >= MOST {
                    return Err(XlsxError::Unexpected("too many formulas without a value"));
                }
                found.push(cell.pos);
            }
        }
        found.sort_unstable();
        Ok(Self(found))
    }

    /// Whether a cell is one of them.
    pub fn contains(&self, row: u32, column: u32) -> bool {
        self.0.binary_search(&(row, column)).is_ok()
    }
}

/// What such a cell holds.
pub(super) fn uncalculated_cell() -> CellShape {
    let fault = ValueProblem::new(
        codes::SPREADSHEET_ERROR,
        "the cell contains a formula without a stored value",
    )
    .help("open and save the file in a spreadsheet program, or export values instead of formulas");
    CellShape::Unreadable(Box::new(fault))
}

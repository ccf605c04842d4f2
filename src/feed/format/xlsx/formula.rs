//! Finds formulas without a stored value. A program that writes a workbook without calculating it
//! leaves them, and the reading library returns them as empty cells, which would look like blanks.

use super::super::record::CellShape;
use crate::diagnostic::codes;
use crate::kinds::read::ValueProblem;
use calamine::{DataRef, Xlsx, XlsxError};
use std::io::{Read, Seek};

const MOST: usize = 1_000_000;

/// The cells of a sheet that have a formula but no value, as sorted pairs of row and column.
#[derive(Default)]
pub(super) struct UncalculatedFormulas(Vec<(u32, u32)>);

impl UncalculatedFormulas {
    pub fn find<I: Read + Seek>(book: &mut Xlsx<I>, name: &str) -> Result<Self, XlsxError> {
        let mut cells = book.worksheet_cells_reader(name)?;
        let mut found = Vec::new();
        while let Some(cell) = cells.next_cell_with_formula_metadata()? {
            // The bound limits memory. With this many the workbook is useless anyway.
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

    pub fn contains(&self, row: u32, column: u32) -> bool {
        self.0.binary_search(&(row, column)).is_ok()
    }
}

/// Returns the shape of such a cell.
pub(super) fn uncalculated_cell() -> CellShape {
    let fault = ValueProblem::new(
        codes::SPREADSHEET_ERROR,
        "the cell contains a formula without a stored value",
    )
    .help("open and save the file in a spreadsheet program, or export values instead of formulas");
    CellShape::Unreadable(Box::new(fault))
}

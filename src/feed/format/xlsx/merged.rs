//! Cells that another cell covers.

use calamine::Dimensions;

/// The merged cells of a sheet, as its rows are gone through.
#[derive(Default)]
pub(super) struct Merged {
    /// Those below, the next one last.
    below: Vec<Dimensions>,
    /// Those that the row is within.
    here: Vec<Dimensions>,
}

impl Merged {
    pub fn new(mut all: Vec<Dimensions>) -> Self {
        all.sort_by_key(|one| std::cmp::Reverse(one.start));
        Self {
            below: all,
            here: Vec::new(),
        }
    }

    /// Goes down to a row.
    pub fn go_to(&mut self, row: u32) {
        self.here.retain(|one| one.end.0 >= row);
        while let Some(one) = self.below.pop_if(|one| one.start.0 <= row) {
            if one.end.0 >= row {
                self.here.push(one);
            }
        }
    }

    /// Whether a cell of the row is covered by another one.
    pub fn covers(&self, row: u32, column: usize) -> bool {
        let Ok(column) = u32::try_from(column) else {
            return false;
        };
        self.here
            .iter()
            .any(|one| (one.start.1..=one.end.1).contains(&column) && one.start != (row, column))
    }
}

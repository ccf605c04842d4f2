//! Finds the cells that a merged cell covers. Only its first cell has a value; the others look
//! blank without being so.

use calamine::Dimensions;

/// The merged ranges of a sheet, for rows visited in order. Ranges are moved along with the row, so
/// that a sheet with many of them is not searched for every cell.
#[derive(Default)]
pub(super) struct MergedRanges {
    /// Ranges below the current row, the next one last.
    below: Vec<Dimensions>,
    /// Ranges that contain the current row.
    covering: Vec<Dimensions>,
}

impl MergedRanges {
    pub fn new(mut all: Vec<Dimensions>) -> Self {
        all.sort_by_key(|one| std::cmp::Reverse(one.start));
        Self {
            below: all,
            covering: Vec::new(),
        }
    }

    pub fn go_to(&mut self, row: u32) {
        self.covering.retain(|one| one.end.0 >= row);
        while let Some(one) = self.below.pop_if(|one| one.start.0 <= row) {
            if one.end.0 >= row {
                self.covering.push(one);
            }
        }
    }

    /// Returns the range, such as `A2:A4`, that covers a cell of the row.
    pub fn covers(&self, row: u32, column: usize) -> Option<String> {
        let column = u32::try_from(column).ok()?;
        let covers = |one: &&Dimensions| {
            (one.start.1..=one.end.1).contains(&column) && one.start != (row, column)
        };
        let range = self.covering.iter().find(covers)?;
        Some(format!("{}:{}", name(range.start), name(range.end)))
    }
}

/// Returns the name of a cell: `AB12`.
fn name((row, column): (u32, u32)) -> String {
    let mut letters = Vec::new();
    // Letters are a number in base 26 without a zero, hence `left - 1`.
    let mut left = column + 1;
    while left > 0 {
        let letter = u8::try_from((left - 1) % 26).unwrap_or_default();
        letters.push(char::from(b'A' + letter));
        left = (left - 1) / 26;
    }
    let letters: String = letters.iter().rev().collect();
    format!("{letters}{}", row + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_named_as_spreadsheets_do() {
        for (at, expected) in [
            ((0, 0), "A1"),
            ((9, 25), "Z10"),
            ((0, 26), "AA1"),
            ((1, 701), "ZZ2"),
            ((0, 702), "AAA1"),
        ] {
            assert_eq!(name(at), expected);
        }
    }
}

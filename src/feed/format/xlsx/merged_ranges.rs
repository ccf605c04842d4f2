//! Cells that another cell covers.

use calamine::Dimensions;

/// The merged cells of a sheet, as its rows are gone through.
#[derive(Default)]
pub(super) struct MergedRanges {
    /// Those below, the next one last.
    below: Vec<Dimensions>,
    /// Those that the row is within.
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

    /// Goes down to a row.
    pub fn go_to(&mut self, row: u32) {
        self.covering.retain(|one| one.end.0 >= row);
        while let Some(one) = self.below.pop_if(|one| one.start.0 <= row) {
            if one.end.0 >= row {
                self.covering.push(one);
            }
        }
    }

    /// The range, as `A2:A4`, whose first cell covers a cell of the row.
    pub fn covers(&self, row: u32, column: usize) -> Option<String> {
        let column = u32::try_from(column).ok()?;
        let covers = |one: &&Dimensions| {
            (one.start.1..=one.end.1).contains(&column) && one.start != (row, column)
        };
        let range = self.covering.iter().find(covers)?;
        Some(format!("{}:{}", name(range.start), name(range.end)))
    }
}

/// The name of a cell: `AB12`.
fn name((row, column): (u32, u32)) -> String {
    let mut letters = Vec::new();
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

//! One row as it comes to be: what its columns have to hold.

use super::invert::{CellAlternative, ColumnNeeds};
use crate::feed::mapping::ColumnIndex;
use crate::model::{CompactText, FieldRef, Key};
use std::collections::{BTreeMap, BTreeSet};

/// A row, or an object of a list in one.
#[derive(Clone, Debug, Default)]
pub(super) struct RowDraft {
    pub section: usize,
    cells: BTreeMap<ColumnIndex, Vec<CellAlternative>>,
    /// Columns without which it would be something else.
    pub fixed: BTreeSet<ColumnIndex>,
    /// The fields that it says, each with the resource it is of.
    pub says: BTreeSet<(Key, FieldRef)>,
    /// The texts of custom fields whose columns are called after them, and whether each is a list;
    /// none: blank.
    pub custom: Vec<Option<(String, bool)>>,
    /// The blocks of addresses that are taken.
    pub blocks: Vec<usize>,
    /// The addresses that it has, each with whether it is taken from the account.
    pub addresses: Vec<(CompactText, bool)>,
    /// Lists of objects, by the column of the list.
    pub lists: BTreeMap<ColumnIndex, Vec<RowDraft>>,
}

/// Why a row cannot hold something.
pub(super) enum DraftConflict {
    /// A column holds something else.
    ColumnTaken(ColumnIndex),
    /// The export cannot hold such a text.
    Text,
}

impl RowDraft {
    /// A row of a section that says nothing yet.
    pub fn new(section: usize) -> Self {
        Self {
            section,
            ..Self::default()
        }
    }

    /// Narrows its columns, all or none; what is against it comes back.
    pub fn narrow(
        &mut self,
        needs: &ColumnNeeds,
        takes: impl Fn(&str) -> bool,
    ) -> Result<(), DraftConflict> {
        let mut narrowed: ColumnNeeds = Vec::with_capacity(needs.len());
        for (column, alts) in needs {
            let before = narrowed.iter().rev().find(|(known, _)| known == column);
            let held = before
                .map(|(_, alts)| alts)
                .or_else(|| self.cells.get(column));
            let narrow: Vec<CellAlternative> = match held {
                None => alts.clone(),
                Some(held) => {
                    let pairs = held
                        .iter()
                        .flat_map(|held| alts.iter().map(move |alt| (held, alt)));
                    pairs
                        .filter_map(|(held, alt)| held.intersect(alt))
                        .collect()
                }
            };
            match narrow.first() {
                None => return Err(DraftConflict::ColumnTaken(*column)),
                Some(first) if !takes(&first.text) => return Err(DraftConflict::Text),
                Some(_) => narrowed.push((*column, narrow)),
            }
        }
        self.cells.extend(narrowed);
        Ok(())
    }

    /// What a column holds for certain.
    pub fn certain_text(&self, column: ColumnIndex) -> Option<&str> {
        match self.cells.get(&column)?.as_slice() {
            [one] if !one.text.is_empty() => Some(&one.text),
            _ => None,
        }
    }

    /// What a column comes to hold; a blank one nothing.
    pub fn text(&self, column: ColumnIndex) -> &str {
        let alts = self.cells.get(&column);
        alts.and_then(|alts| alts.first())
            .map_or("", |alt| &alt.text)
    }

    /// The columns that hold something, and what.
    pub fn texts(&self) -> impl Iterator<Item = (ColumnIndex, &str)> {
        let all = self
            .cells
            .keys()
            .map(|column| (*column, self.text(*column)));
        all.filter(|(_, text)| !text.is_empty())
    }
}

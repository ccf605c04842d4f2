//! A row while it is being built. Each column has a set of alternative texts; every field that is
//! placed narrows the sets of its columns, and a set that becomes empty is a conflict. At the end
//! the first alternative is written.

use crate::feed::mapping::ColumnIndex;
use crate::model::{CompactText, FieldRef, Key};
use std::collections::{BTreeMap, BTreeSet};

/// A row, or an object in one of its lists.
#[derive(Clone, Debug, Default)]
pub(super) struct RowDraft {
    pub section: usize,
    cells: BTreeMap<ColumnIndex, Vec<CellAlternative>>,
    /// Columns that decide what the row is about: ids and conditions. They are never given up.
    pub fixed: BTreeSet<ColumnIndex>,
    /// The fields that the row states, with their resources.
    pub says: BTreeSet<(Key, FieldRef)>,
    /// The texts of custom fields in columns named after them, and whether each is a list. `None`
    /// is blank.
    pub custom: Vec<Option<(String, bool)>>,
    /// The address blocks that are in use.
    pub blocks: Vec<usize>,
    /// The addresses in the row, each with whether it is removed from the account.
    pub addresses: Vec<(CompactText, bool)>,
    /// Nested lists, by their column.
    pub lists: BTreeMap<ColumnIndex, Vec<RowDraft>>,
}

/// Why a row cannot hold something.
pub(super) enum DraftConflict {
    /// A column holds something else.
    ColumnTaken(ColumnIndex),
    /// The export cannot contain the text.
    Text,
}

impl RowDraft {
    pub fn new(section: usize) -> Self {
        Self {
            section,
            ..Self::default()
        }
    }

    /// Narrows columns to these alternatives: all of them, or none and the conflict is returned.
    pub fn narrow(
        &mut self,
        needs: &ColumnNeeds,
        takes: impl Fn(&str) -> bool,
    ) -> Result<(), DraftConflict> {
        let mut narrowed: ColumnNeeds = Vec::with_capacity(needs.len());
        for (column, alts) in needs {
            // One field may need a column twice, for example in a template and in the id.
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
        // Only after all of them fit.
        self.cells.extend(narrowed);
        Ok(())
    }

    /// The text of a column, if only one is left.
    pub fn certain_text(&self, column: ColumnIndex) -> Option<&str> {
        match self.cells.get(&column)?.as_slice() {
            [one] if !one.text.is_empty() => Some(&one.text),
            _ => None,
        }
    }

    /// The text that a column will have. Blank if it has none.
    pub fn text(&self, column: ColumnIndex) -> &str {
        let alts = self.cells.get(&column);
        alts.and_then(|alts| alts.first())
            .map_or("", |alt| &alt.text)
    }

    /// The columns that are not blank, with their texts.
    pub fn texts(&self) -> impl Iterator<Item = (ColumnIndex, &str)> {
        let all = self
            .cells
            .keys()
            .map(|column| (*column, self.text(*column)));
        all.filter(|(_, text)| !text.is_empty())
    }
}

/// A text that a column may be given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CellAlternative {
    pub text: String,
    /// Whether upper and lower case do not matter.
    pub any_case: bool,
}

/// Columns, each with alternative texts, one of which it must have.
pub(super) type ColumnNeeds = Vec<(ColumnIndex, Vec<CellAlternative>)>;

impl CellAlternative {
    pub fn exact(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            any_case: false,
        }
    }

    pub fn word(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            any_case: true,
        }
    }

    pub fn blank() -> Self {
        Self::exact("")
    }

    pub(super) fn matches_text(&self, text: &str) -> bool {
        self.text == text || self.any_case && self.text.to_lowercase() == text.to_lowercase()
    }

    /// Returns the alternative that satisfies both.
    fn intersect(&self, other: &Self) -> Option<Self> {
        if !self.matches_text(&other.text) && !other.matches_text(&self.text) {
            return None;
        }
        Some(if self.any_case {
            other.clone()
        } else {
            self.clone()
        })
    }
}

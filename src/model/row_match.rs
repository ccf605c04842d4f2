//! How rows of an export that have no external id find the stored resources that they mean. A
//! mapping names the fields; the rows give [`MatchTerm`]s, the store looks these up, and
//! [`RowMatches`] holds what it found.

use super::{CompactText, FieldRef, KindId};
use std::collections::{BTreeMap, BTreeSet};

/// A value that a row has in place of an external id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MatchTerm {
    pub kind: KindId,
    /// The field; `None` for an external id that is to be given to somebody new.
    pub field: Option<FieldRef>,
    /// The value in the form in which it is compared.
    pub text: String,
}

/// A stored resource with the value of a term.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MatchedRow {
    pub id: CompactText,
    /// The accounts that it belongs to.
    pub accounts: BTreeSet<CompactText>,
    /// Its custom values of the fields that were looked up, in the form in which they are compared.
    pub custom_values: BTreeMap<CompactText, String>,
}

/// What is stored of the terms that were looked up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RowMatches {
    rows: BTreeMap<MatchTerm, Vec<MatchedRow>>,
    /// The values of people who were erased.
    erased: BTreeSet<MatchTerm>,
}

impl RowMatches {
    /// Adds a resource with this value.
    pub fn add(&mut self, term: MatchTerm, row: MatchedRow) {
        self.rows.entry(term).or_default().push(row);
    }

    /// Records that somebody who was erased had this value.
    pub fn add_erased(&mut self, term: MatchTerm) {
        self.erased.insert(term);
    }

    /// Whether somebody who was erased had this value.
    #[must_use]
    pub fn is_erased(&self, term: &MatchTerm) -> bool {
        self.erased.contains(term)
    }

    /// The resources with this value, sorted by id.
    #[must_use]
    pub fn of(&self, term: &MatchTerm) -> &[MatchedRow] {
        self.rows.get(term).map_or(&[], Vec::as_slice)
    }

    /// Every resource that was found.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = (&MatchTerm, &mut MatchedRow)> {
        let all = self.rows.iter_mut();
        all.flat_map(|(term, rows)| rows.iter_mut().map(move |row| (term, row)))
    }
}

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
}

/// What is stored of the terms that were looked up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RowMatches(BTreeMap<MatchTerm, Vec<MatchedRow>>);

impl RowMatches {
    /// Adds a resource with this value.
    pub fn add(&mut self, term: MatchTerm, row: MatchedRow) {
        self.0.entry(term).or_default().push(row);
    }

    /// The resources with this value, sorted by id.
    #[must_use]
    pub fn of(&self, term: &MatchTerm) -> &[MatchedRow] {
        self.0.get(term).map_or(&[], Vec::as_slice)
    }

    /// Every resource that was found.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = (&MatchTerm, &mut MatchedRow)> {
        let all = self.0.iter_mut();
        all.flat_map(|(term, rows)| rows.iter_mut().map(move |row| (term, row)))
    }
}

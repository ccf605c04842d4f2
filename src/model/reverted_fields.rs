//! The fields that reverts have set back, and that the passes of their source leave alone as long as
//! the source is at the same revision.

use super::Key;
use std::collections::BTreeMap;

/// The reverted fields of what one source declares.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RevertedFields(BTreeMap<Key, Vec<RevertedField>>);

/// A field that a revert has set back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevertedField {
    /// The name of the field, as in plans.
    pub field: String,
    /// The revision of the source whose value is not written.
    pub revision: String,
    /// The run of the revert.
    pub run: i64,
}

impl RevertedFields {
    pub fn add(&mut self, key: Key, field: RevertedField) {
        self.0.entry(key).or_default().push(field);
    }

    /// Returns the run that set a field back, if the source is still at the revision it was set
    /// back from.
    pub fn run_of(&self, revision: &str, key: &Key, field: &str) -> Option<i64> {
        let fields = self.0.get(key)?.iter();
        let same = fields.filter(|it| it.field == field && it.revision == revision);
        same.map(|it| it.run).max()
    }
}

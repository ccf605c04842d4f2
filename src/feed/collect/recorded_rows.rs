//! Records which resources each row names and which of their fields it fills, so that the next export
//! can be read only where it differs. Start reading at `RecordedRows::end`.

use crate::kinds::{self, Field};
use crate::model::export_rows::{ExportRowFacts, RowName, UnsortedRows};
use crate::model::{Cell, Digest, Key, LineColumn, StatedField};

/// The rows of an export so far.
#[derive(Clone, Debug, Default)]
pub struct RecordedRows {
    pub rows: UnsortedRows,
    pub facts: ExportRowFacts,
    /// Whether a row fills more fields than can be recorded.
    pub is_incomplete: bool,
    /// What the row that is being read names.
    names: Vec<RowName>,
}

impl RecordedRows {
    /// Continues with the facts of an earlier export.
    pub(in crate::feed) fn after(facts: &ExportRowFacts) -> Self {
        Self {
            facts: facts.clone(),
            ..Self::default()
        }
    }

    /// Notes that the row names a resource.
    pub(super) fn name(&mut self, key: &Key) -> &mut RowName {
        let at = self.names.iter().position(|name| name.key == *key);
        let at = at.unwrap_or_else(|| {
            self.names.push(RowName {
                key: key.clone(),
                declares: false,
                filled: 0,
            });
            self.names.len() - 1
        });
        &mut self.names[at]
    }

    /// Notes what the row declares of a resource.
    pub(super) fn declare(&mut self, key: &Key, said: &[StatedField]) {
        let kind = kinds::get(key.kind);
        let is_secret = |it: &StatedField| kind.field(&it.field).is_some_and(Field::is_secret);
        let filled = said.iter();
        let filled = filled.filter(|it| it.cell != Cell::Blank && !is_secret(it));
        let mut bits = 0;
        for stated in filled {
            match self.facts.bit(&stated.field) {
                Some(bit) => bits |= bit,
                None => self.is_incomplete = true,
            }
        }
        let name = self.name(key);
        name.declares = true;
        name.filled |= bits;
    }

    /// Ends a row.
    pub(super) fn end(&mut self, digest: Digest, at: LineColumn) {
        self.rows.push(digest, at, &self.names);
        self.names.clear();
    }
}

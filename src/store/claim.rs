//! Claims as table rows. The declared fields of a claim are packed into one value, because a plan
//! reads them only where the digest or the version differs.

use super::sql_value::{SqlType, SqlValue, SqlValueRef};
use crate::kinds;
use crate::model::{Claim, ClaimState, Digest, FieldDigests, Key, LineColumn};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// The columns of a claim, key first.
pub(super) const COLUMNS: [(&str, SqlType); 11] = [
    ("source", SqlType::Id),
    ("kind", SqlType::Id),
    ("external_id", SqlType::Id),
    ("declared_digest", SqlType::Bytes),
    ("fields", SqlType::Bytes),
    ("seen_version", SqlType::Int),
    ("state", SqlType::Text),
    ("path", SqlType::Text),
    ("line", SqlType::Int),
    ("col", SqlType::Int),
    ("revision", SqlType::Text),
];

/// A claim on its way into the table.
pub(super) struct ClaimRow<'a> {
    pub(super) source: &'a Arc<str>,
    pub(super) key: &'a Key,
    pub(super) digest: Digest,
    pub(super) fields: Cow<'a, FieldDigests>,
    pub(super) seen_version: i64,
    pub(super) state: ClaimState,
    /// Where it is declared.
    pub(super) origin: Option<(&'a Arc<str>, LineColumn)>,
    pub(super) revision: &'a Arc<str>,
}

impl ClaimRow<'_> {
    /// Returns its values in the order of the columns.
    pub(super) fn values(&self) -> [SqlValueRef<'_>; COLUMNS.len()] {
        let at = self.origin.map(|(_, at)| at).unwrap_or_default();
        let path = self.origin.map(|(path, _)| SqlValueRef::Shared(path));
        [
            SqlValueRef::Shared(self.source),
            SqlValueRef::Static(kinds::get(self.key.kind).name),
            SqlValueRef::Text(&self.key.id),
            SqlValueRef::Bytes(&self.digest.0),
            SqlValueRef::Bytes(self.fields.as_packed()),
            SqlValueRef::Int(self.seen_version),
            SqlValueRef::Static(state_word(self.state)),
            path.unwrap_or(SqlValueRef::Static("")),
            SqlValueRef::Int(at.line.into()),
            SqlValueRef::Int(at.column.into()),
            SqlValueRef::Shared(self.revision),
        ]
    }
}

fn state_word(state: ClaimState) -> &'static str {
    match state {
        ClaimState::Active => "active",
        ClaimState::Gone => "gone",
    }
}

/// Reads claims; repeated sources, paths and revisions share one allocation.
#[derive(Default)]
pub(super) struct ClaimReader {
    shared: HashSet<Arc<str>>,
}

impl ClaimReader {
    /// Reads the claim in a row and its key; `None` if this release does not know the kind.
    pub(super) fn read(&mut self, cells: &mut [SqlValue]) -> Option<(Key, Claim)> {
        let kind = kinds::by_name(cells[1].as_text()?)?.id;
        let id = cells[2].take_text();
        let mut digest = [0; 16];
        let stored = cells[3].take_bytes();
        // A digest of another length stays all zeros, which equals no computed one: the resource is
        // compared again.
        if stored.len() == digest.len() {
            digest.copy_from_slice(&stored);
        }
        let gone = cells[6].as_text() == Some("gone");
        let claim = Claim {
            source: self.share(&cells[0]),
            digest: Digest(digest),
            fields: FieldDigests::from_packed(cells[4].take_bytes()),
            seen_version: cells[5].int(),
            state: if gone {
                ClaimState::Gone
            } else {
                ClaimState::Active
            },
            path: self.share(&cells[7]),
            position: LineColumn {
                line: u32::try_from(cells[8].int()).unwrap_or_default(),
                column: u32::try_from(cells[9].int()).unwrap_or_default(),
            },
            revision: self.share(&cells[10]),
        };
        Some((Key { kind, id }, claim))
    }

    fn share(&mut self, cell: &SqlValue) -> Arc<str> {
        let text = cell.as_text().unwrap_or_default();
        // Sources, paths and revisions repeat in thousands of claims.
        if let Some(known) = self.shared.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.shared.insert(Arc::clone(&text));
        text
    }
}

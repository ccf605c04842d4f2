//! Claims as rows: the declared fields are packed into one value.

use super::connection::Cells;
use super::param::{Param, Ty};
use crate::kinds;
use crate::model::{Claim, ClaimState, Digest, FieldDigests, Key, Pos};
use std::collections::HashSet;
use std::sync::Arc;

/// The columns of a claim, the key's first.
pub(super) const COLUMNS: [(&str, Ty); 11] = [
    ("source", Ty::Id),
    ("kind", Ty::Id),
    ("external_id", Ty::Id),
    ("declared_digest", Ty::Bytes),
    ("fields", Ty::Bytes),
    ("seen_version", Ty::Int),
    ("state", Ty::Text),
    ("path", Ty::Text),
    ("line", Ty::Int),
    ("col", Ty::Int),
    ("revision", Ty::Text),
];

/// The cells of a claim.
pub(super) fn cells(claim: Claim, key: &Key) -> Cells {
    vec![
        Param::text(&claim.source),
        Param::text(kinds::get(key.kind).name),
        Param::Text(key.id.clone()),
        Param::Bytes(claim.digest.0.to_vec()),
        Param::Bytes(claim.fields.into_packed()),
        Param::Int(claim.seen),
        Param::text(state_word(claim.state)),
        Param::text(&claim.path),
        Param::Int(claim.at.line.into()),
        Param::Int(claim.at.column.into()),
        Param::text(&claim.revision),
    ]
}

fn state_word(state: ClaimState) -> &'static str {
    match state {
        ClaimState::Active => "active",
        ClaimState::Gone => "gone",
    }
}

/// Reads claims; sources, paths and revisions that repeat are kept once.
#[derive(Default)]
pub(super) struct Reader {
    shared: HashSet<Arc<str>>,
}

impl Reader {
    /// The claim in some cells and the key it is on; `None` for a kind nobody knows.
    pub(super) fn read(&mut self, cells: &mut [Param]) -> Option<(Key, Claim)> {
        let kind = kinds::by_name(cells[1].as_text()?)?.id;
        let id = cells[2].take_text();
        let mut digest = [0; 16];
        let stored = cells[3].take_bytes();
        if stored.len() == digest.len() {
            digest.copy_from_slice(&stored);
        }
        let gone = cells[6].as_text() == Some("gone");
        let claim = Claim {
            source: self.share(&cells[0]),
            digest: Digest(digest),
            fields: FieldDigests::from_packed(cells[4].take_bytes()),
            seen: cells[5].int(),
            state: if gone {
                ClaimState::Gone
            } else {
                ClaimState::Active
            },
            path: self.share(&cells[7]),
            at: Pos {
                line: u32::try_from(cells[8].int()).unwrap_or_default(),
                column: u32::try_from(cells[9].int()).unwrap_or_default(),
            },
            revision: self.share(&cells[10]),
        };
        Some((Key { kind, id }, claim))
    }

    fn share(&mut self, cell: &Param) -> Arc<str> {
        let text = cell.as_text().unwrap_or_default();
        if let Some(known) = self.shared.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.shared.insert(Arc::clone(&text));
        text
    }
}

//! Claims as rows: the declared fields are packed into one value.

use super::connection::Cells;
use super::param::{Param, Ty};
use crate::kinds;
use crate::model::{Claim, ClaimState, Digest, FieldDigests, Key, Pos, Text};
use std::collections::{BTreeMap, HashSet};
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

/// The fields as bytes: of each the length of its name, the name and eight bytes of digest.
pub(super) fn pack(fields: &FieldDigests) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(fields.0.len() * 20);
    for (name, digest) in &fields.0 {
        let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        bytes.extend(length.to_le_bytes());
        bytes.extend(&name.as_bytes()[..usize::from(length)]);
        bytes.extend(digest.to_le_bytes());
    }
    bytes
}

/// The fields out of their bytes; what does not add up is left out, so that it is compared again.
pub(super) fn unpack(mut bytes: &[u8]) -> FieldDigests {
    let mut fields = BTreeMap::new();
    while let Some((name, digest, rest)) = unpack_one(bytes) {
        fields.insert(name, digest);
        bytes = rest;
    }
    FieldDigests(fields)
}

fn unpack_one(bytes: &[u8]) -> Option<(Text, u64, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let (digest, rest) = rest.split_first_chunk::<8>()?;
    Some((
        Text::from_utf8(name).ok()?,
        u64::from_le_bytes(*digest),
        rest,
    ))
}

/// The cells of a claim.
pub(super) fn cells(claim: &Claim, key: &Key) -> Cells {
    vec![
        Param::text(&claim.source),
        Param::text(kinds::get(key.kind).name),
        Param::Text(key.id.clone()),
        Param::Bytes(claim.digest.0.to_vec()),
        Param::Bytes(pack(&claim.fields)),
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
            fields: unpack(&cells[4].take_bytes()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_fields_come_back_as_they_were() {
        let fields = [
            ("accounts", 7),
            ("accounts=acme", 9),
            ("customFields.é", u64::MAX),
        ];
        let fields = FieldDigests(fields.map(|(name, digest)| (name.into(), digest)).into());
        assert_eq!(unpack(&pack(&fields)), fields);
        assert_eq!(unpack(b"\xff\xffx"), FieldDigests::default());
    }
}

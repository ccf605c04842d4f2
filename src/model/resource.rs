//! A resource in its three forms: as a source declares it ([`DeclaredResource`]), as the database
//! stores it ([`Row`]), and the record of what a source declared at its last apply ([`Claim`]).

use super::{
    Cell, CompactText, Digest, FieldDigests, FieldRef, Key, LineColumn, SmallMap, StatedField,
    Value, digest,
};
use std::sync::Arc;

/// What one source declares of one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeclaredResource {
    pub key: Key,
    /// The file, relative to the root of the source, with `/` between folders.
    pub path: Arc<str>,
    /// The position of its externalId.
    pub position: LineColumn,
    /// The stated fields, sorted by field. A field that is not mentioned has no cell.
    pub cells: Vec<StatedField>,
}

impl DeclaredResource {
    pub fn stated(&self, field: &FieldRef) -> Option<&StatedField> {
        if let FieldRef::Own(index) = field {
            // A binary search touched half of the cells, each a cache miss, just to find that the
            // status is not stated. Own fields come first, none further in than its index, so one
            // or two looks backwards from there are enough.
            let end = self.cells.len().min(usize::from(*index) + 1);
            let before =
                |stated: &&StatedField| matches!(stated.field, FieldRef::Own(at) if at <= *index);
            let last = self.cells[..end].iter().rev().find(before)?;
            return (last.field == *field).then_some(last);
        }
        self.cells
            .binary_search_by(|stated| stated.field.cmp(field))
            .ok()
            .map(|index| &self.cells[index])
    }

    pub fn cell(&self, index: usize) -> Option<&Cell> {
        let field = FieldRef::Own(u8::try_from(index).ok()?);
        self.stated(&field).map(|stated| &stated.cell)
    }

    pub fn value(&self, index: usize) -> Option<&Value> {
        self.cell(index)?.value()
    }

    /// Returns the digest of everything stated. Positions do not count, so that moving a document
    /// to another file changes nothing.
    ///
    /// `contents` are the digests of the files that cells refer to (`file:`), in the order of the
    /// fields. `fingerprint` is that of the table of kinds: a release that changes it compares
    /// everything again.
    pub fn digest(&self, fingerprint: Digest, contents: &[Digest]) -> Digest {
        let mut fed = Vec::with_capacity(512);
        fed.extend(fingerprint.0);
        fed.push(self.key.kind.0);
        fed.extend(self.key.id.as_bytes());
        for stated in &self.cells {
            digest::encode_stated(&mut fed, &stated.field, &stated.cell);
        }
        for content in contents {
            fed.extend(content.0);
        }
        Digest::of(&fed)
    }
}

/// A resource as the database stores it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    pub key: Key,
    /// Counts up with each write by Roster. Any other write makes it a random negative number, so
    /// that it never looks like the version that a plan saw.
    pub version: i64,
    /// The kind's own fields by index. `None` is no value; a list without members is an empty list.
    pub values: Vec<Option<Value>>,
    /// Custom values by external id of the custom field.
    pub custom_values: SmallMap<CompactText, Value>,
    /// Runtime facts by name (`approval`, `blocked`, `access`), which no manifest may state.
    pub facts: SmallMap<&'static str, CompactText>,
}

impl Row {
    pub fn value(&self, field: &FieldRef) -> Option<&Value> {
        match field {
            FieldRef::Own(index) => self.values.get(usize::from(*index))?.as_ref(),
            FieldRef::Custom(id) => self.custom_values.get(id),
        }
    }

    /// Sets the value of a field. `None` removes it.
    pub fn set(&mut self, field: &FieldRef, value: Option<Value>) {
        match (field, value) {
            (FieldRef::Own(index), value) => self.values[usize::from(*index)] = value,
            (FieldRef::Custom(id), Some(value)) => {
                self.custom_values.insert(id.clone(), value);
            }
            (FieldRef::Custom(id), None) => {
                self.custom_values.remove(id);
            }
        }
    }
}

/// Whether a claim still declares its resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClaimState {
    Active,
    /// The source no longer declares it, and a pass has acted on that. The claim is kept, so that
    /// the removal happens once and a return is recognised.
    Gone,
}

impl ClaimState {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Gone => "gone",
        }
    }
}

/// What the last apply of a source recorded about one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    pub source: Arc<str>,
    /// The digest of the declaration. With the same digest and `seen_version`, nothing is to do.
    pub digest: Digest,
    /// The declared fields, each with a digest. They tell a changed declaration from drift.
    pub fields: FieldDigests,
    /// The version of the row when source and row last agreed.
    pub seen_version: i64,
    pub state: ClaimState,
    /// The file that declared it.
    pub path: Arc<str>,
    /// The position in that file.
    pub position: LineColumn,
    /// The revision that declared it: a commit, or a digest of the tree.
    pub revision: Arc<str>,
}

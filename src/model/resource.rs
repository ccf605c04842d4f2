//! A resource as a source declares it, as the database stores it, and the claim between the two.

use super::{
    Cell, CompactText, Digest, FieldDigests, FieldRef, Key, LineColumn, SmallMap, StatedField,
    Value, digest,
};
use std::sync::Arc;

/// What one source says of one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeclaredResource {
    /// Which resource.
    pub key: Key,
    /// The file, relative to the source's root, with `/` between folders.
    pub path: Arc<str>,
    /// Where in the file its externalId stands.
    pub position: LineColumn,
    /// What was said, sorted by field; a field that was not mentioned is not here.
    pub cells: Vec<StatedField>,
}

impl DeclaredResource {
    /// What was said of a field, and where.
    pub fn stated(&self, field: &FieldRef) -> Option<&StatedField> {
        if let FieldRef::Own(index) = field {
            // Own fields come first, each at most as far in as its index. Most are found at once,
            // and what is not there, as mostly the status, is known after one look or two.
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

    /// What was said of one of the kind's own fields, by its index.
    pub fn cell(&self, index: usize) -> Option<&Cell> {
        let field = FieldRef::Own(u8::try_from(index).ok()?);
        self.stated(&field).map(|stated| &stated.cell)
    }

    /// The value said of one of the kind's own fields, by its index.
    pub fn value(&self, index: usize) -> Option<&Value> {
        self.cell(index)?.value()
    }

    /// The digest of everything that was said; places do not count.
    ///
    /// `contents` are the digests of what the cells point to (`file:`), in the order of the
    /// fields; `fingerprint` is that of the table of kinds.
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
    /// Which resource.
    pub key: Key,
    /// Positive and counting when Roster wrote last, a random negative number when anybody else did.
    pub version: i64,
    /// The kind's own fields by index; `None` is none. A list without members is an empty list.
    pub values: Vec<Option<Value>>,
    /// Custom values by external id of the custom field.
    pub custom_values: SmallMap<CompactText, Value>,
    /// Runtime facts by name (`approval`, `blocked`, `access`); no manifest states them.
    pub facts: SmallMap<&'static str, CompactText>,
}

impl Row {
    /// The stored value of a field.
    pub fn value(&self, field: &FieldRef) -> Option<&Value> {
        match field {
            FieldRef::Own(index) => self.values.get(usize::from(*index))?.as_ref(),
            FieldRef::Custom(id) => self.custom_values.get(id),
        }
    }

    /// Sets or, with `None`, removes the value of a field.
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
    /// The source declares the resource.
    Active,
    /// The source no longer declares it, and that has been acted on.
    Gone,
}

/// What the last apply of a source recorded of one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The name of the source.
    pub source: Arc<str>,
    /// The digest of what was declared.
    pub digest: Digest,
    /// Which fields, each with what was said of it.
    pub fields: FieldDigests,
    /// The version of the row when source and row last agreed.
    pub seen_version: i64,
    /// Whether the source still declares it.
    pub state: ClaimState,
    /// Where it was declared.
    pub path: Arc<str>,
    /// Where in that file.
    pub position: LineColumn,
    /// The revision that declared it: a commit, or a digest of the tree.
    pub revision: Arc<str>,
}

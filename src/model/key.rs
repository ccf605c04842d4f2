//! The identities of resources and fields.

use super::CompactText;
use std::fmt;

/// The index of a kind in the table of kinds, which is also the order of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KindId(pub u8);

/// The identity of a resource: its kind and its external id, as written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// First, so that keys sort in the order of creation.
    pub kind: KindId,
    /// The external id, byte for byte as declared.
    pub id: CompactText,
}

impl Key {
    pub fn new(kind: KindId, id: impl AsRef<str>) -> Self {
        Self {
            kind,
            id: CompactText::new(id),
        }
    }

    /// Parses `KIND/ID`, with the kind spelt as in the table of kinds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // At the first slash: an id may contain more of them, a kind never does.
        let (kind, id) = text.split_once('/').filter(|(_, id)| !id.is_empty())?;
        Some(Self::new(crate::kinds::by_name(kind)?.id, id))
    }
}

/// A field of a resource: one of its kind's own, or a custom field by external id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FieldRef {
    /// Index into the fields of the kind.
    Own(u8),
    /// External id of a `CustomField` that applies to the kind.
    Custom(CompactText),
}

impl FieldRef {
    /// The index into the kind's own fields, if it is one of them.
    pub fn own(&self) -> Option<usize> {
        match self {
            Self::Own(index) => Some(usize::from(*index)),
            Self::Custom(_) => None,
        }
    }
}

impl fmt::Display for KindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::kinds::get(*self).name)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

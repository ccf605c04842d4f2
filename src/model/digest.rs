//! Digests of canonical cells: the cheap test for "said the same as last time".

use super::{Cell, FieldRef, Link, Text, Value};
use std::collections::BTreeMap;
use std::fmt;

/// The first 16 bytes of a BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::finish(&{
            let mut hasher = blake3::Hasher::new();
            hasher.update(bytes);
            hasher
        })
    }

    /// The digest that a hasher has come to.
    pub fn finish(hasher: &blake3::Hasher) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(bytes)
    }

    /// The digest written as 32 hexadecimal digits; `None` for anything else.
    pub fn parse(hex: &str) -> Option<Self> {
        if hex.len() != 32 || !hex.is_ascii() {
            return None;
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Which fields a source declared of a resource, each with a short digest of what it said.
///
/// Keys are field names as in plans (`phone`, `customFields.badge`); a list has one entry for
/// the whole and one a member (`groups=FOC_Admin`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FieldDigests(pub BTreeMap<Text, u64>);

impl FieldDigests {
    /// Records what was said of the field called `name`.
    pub fn insert(&mut self, name: &str, cell: &Cell) {
        self.0.insert(Text::new(name), short(cell));
        let Cell::Value(value) = cell else { return };
        match value {
            Value::List(members) => self
                .0
                .extend(members.iter().map(|member| (member_name(name, member), 0))),
            Value::Links(links) => self.0.extend(links.iter().map(|link| {
                let digest = short(&Cell::Value(Value::Links([link.clone()].into())));
                (member_name(name, &link.target), digest)
            })),
            _ => {}
        }
    }

    /// What was recorded of a field, if it was declared.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// What was recorded of one member of a list field.
    pub fn member(&self, name: &str, member: &str) -> Option<u64> {
        self.0.get(&member_name(name, member)).copied()
    }

    /// The names of the declared fields, members left out.
    pub fn fields(&self) -> impl Iterator<Item = &Text> {
        self.0.keys().filter(|name| !name.contains('='))
    }
}

fn member_name(field: &str, member: &str) -> Text {
    compact_str::format_compact!("{field}={member}")
}

/// Eight bytes that tell two statements about one field apart.
pub fn short(cell: &Cell) -> u64 {
    let mut hasher = blake3::Hasher::new();
    feed(&mut hasher, cell);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    // Kept positive: SQL integers and JSON readers are signed.
    u64::from_le_bytes(bytes) >> 1
}

/// Feeds the canonical bytes of a field and its cell: every part is tagged and length-prefixed,
/// so no two different statements share them.
pub fn feed_stated(hasher: &mut blake3::Hasher, field: &FieldRef, cell: &Cell) {
    match field {
        FieldRef::Own(index) => {
            hasher.update(&[b'o', *index]);
        }
        FieldRef::Custom(id) => {
            hasher.update(b"c");
            feed_text(hasher, id);
        }
    }
    feed(hasher, cell);
}

fn feed(hasher: &mut blake3::Hasher, cell: &Cell) {
    match cell {
        Cell::Blank => {
            hasher.update(b"-");
        }
        Cell::Clear => {
            hasher.update(b"x");
        }
        Cell::Value(value) => feed_value(hasher, value),
    }
}

fn feed_value(hasher: &mut blake3::Hasher, value: &Value) {
    match value {
        Value::Text(text) => {
            hasher.update(b"t");
            feed_text(hasher, text);
        }
        Value::Number(text) => {
            hasher.update(b"n");
            feed_text(hasher, text);
        }
        Value::Bool(value) => {
            hasher.update(&[b'b', u8::from(*value)]);
        }
        Value::Int(value) => {
            hasher.update(b"i");
            hasher.update(&value.to_le_bytes());
        }
        Value::List(members) => {
            hasher.update(b"l");
            hasher.update(&(members.len() as u64).to_le_bytes());
            members.iter().for_each(|member| feed_text(hasher, member));
        }
        Value::Links(links) => {
            hasher.update(b"k");
            hasher.update(&(links.len() as u64).to_le_bytes());
            links.iter().for_each(|link| feed_link(hasher, link));
        }
    }
}

fn feed_link(hasher: &mut blake3::Hasher, link: &Link) {
    feed_text(hasher, &link.target);
    for attribute in link.attributes {
        hasher.update(&[attribute.map_or(255, |choice| choice)]);
    }
}

fn feed_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

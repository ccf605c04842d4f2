//! Digests of canonical cells, the cheap test for "declared the same as last time".
//!
//! [`Digest`] covers a whole declaration. [`FieldDigests`] keeps eight bytes for each field and
//! list member, and says which field of a changed declaration changed. Both hash the bytes of
//! [`encode_stated`]. A change to that encoding needs another number of the canonical form in
//! `kinds::fingerprint`, because digests of two encodings must not be compared.

use super::{Cell, FieldRef, Link, Value};
use std::borrow::Cow;
use std::fmt;

/// The first 16 bytes of a BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self::short(&blake3::hash(bytes))
    }

    pub fn from_hasher(hasher: &blake3::Hasher) -> Self {
        Self::short(&hasher.finalize())
    }

    fn short(hash: &blake3::Hash) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        Self(bytes)
    }

    /// Parses 32 hexadecimal digits.
    pub fn parse(hex: &str) -> Option<Self> {
        // ASCII only, so that cutting into pairs of bytes cannot split a character.
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

/// Writes bytes in hexadecimal into `text`, which must be twice as long.
pub fn hex<'t>(bytes: &[u8], text: &'t mut [u8]) -> &'t str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    std::str::from_utf8(text).unwrap_or_default()
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 32];
        f.write_str(hex(&self.0, &mut text))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The fields that a source declared of a resource, each with a short digest of its cell.
///
/// Names are field names as in plans (`phone`, `customFields.badge`). A list has one entry for the
/// whole and one for each member (`groups=FOC_Admin`). Every claim has one of these, so the entries
/// stay packed as they are stored: sorted by name, each with the length of its name in two bytes,
/// the name, and eight bytes of digest.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct FieldDigests(Vec<u8>);

/// One entry, and its range in the packed bytes.
struct PackedEntry<'a> {
    start: usize,
    end: usize,
    name: &'a str,
    digest: u64,
}

impl FieldDigests {
    /// Reads stored entries. Bytes that make no entry are dropped: these fields are compared again.
    pub fn from_packed(mut bytes: Vec<u8>) -> Self {
        let end = entries(&bytes).last().map_or(0, |entry| entry.end);
        bytes.truncate(end);
        Self(bytes)
    }

    pub fn as_packed(&self) -> &[u8] {
        &self.0
    }

    /// Records the cell of a field, and the members of a list.
    pub fn insert(&mut self, name: &str, cell: &Cell) {
        self.put(name, short_digest(cell));
        members(name, cell, &mut |name, digest| self.put(&name, digest));
    }

    /// Records the cells of many fields at once, which is faster than inserting them one by one.
    pub fn of<'c>(cells: impl Iterator<Item = (Cow<'c, str>, &'c Cell)>) -> Self {
        let mut entries: Vec<(Cow<'c, str>, u64)> = Vec::with_capacity(16);
        let mut fed = Vec::with_capacity(64);
        for (name, cell) in cells {
            members(&name, cell, &mut |name, digest| {
                entries.push((Cow::Owned(name), digest));
            });
            entries.push((name, short_of(&mut fed, cell)));
        }
        entries.into_iter().collect()
    }

    /// Sets the digest of an entry.
    pub fn put(&mut self, name: &str, digest: u64) {
        let mut packed = Vec::with_capacity(name.len() + 10);
        pack(&mut packed, name, digest);
        let place = entries(&self.0).find(|entry| entry.name >= name);
        let range = match place {
            Some(entry) if entry.name == name => entry.start..entry.end,
            Some(entry) => entry.start..entry.start,
            None => self.0.len()..self.0.len(),
        };
        self.0.splice(range, packed);
    }

    /// The digest of a field, if it was declared.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.iter()
            .find(|(entry, _)| *entry == name)
            .map(|(_, digest)| digest)
    }

    /// The digest of one member of a list field.
    pub fn member(&self, name: &str, member: &str) -> Option<u64> {
        let of_member = |entry: &str| {
            let rest = entry
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('='));
            rest == Some(member)
        };
        self.iter()
            .find(|(entry, _)| of_member(entry))
            .map(|(_, digest)| digest)
    }

    /// Iterates over the recorded members of a list field.
    pub fn members<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter_map(move |(entry, _)| entry.strip_prefix(name)?.strip_prefix('='))
    }

    /// Iterates over the names of the declared fields, without members.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.iter()
            .map(|(name, _)| name)
            .filter(|name| !name.contains('='))
    }

    /// Iterates over all entries, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        entries(&self.0).map(|entry| (entry.name, entry.digest))
    }

    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let kept = entries(&self.0).filter(|entry| keep(entry.name));
        self.0 = kept
            .flat_map(|entry| &self.0[entry.start..entry.end])
            .copied()
            .collect();
    }
}

impl<N: AsRef<str>> FromIterator<(N, u64)> for FieldDigests {
    /// Of two entries with one name, the last one counts.
    fn from_iter<I: IntoIterator<Item = (N, u64)>>(entries: I) -> Self {
        let mut entries: Vec<(N, u64)> = entries.into_iter().collect();
        // Stable, so that the last of two entries with one name is still the last.
        entries.sort_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
        let mut packed = Vec::with_capacity(
            entries
                .iter()
                .map(|(name, _)| name.as_ref().len() + 10)
                .sum(),
        );
        for (at, (name, digest)) in entries.iter().enumerate() {
            let name = name.as_ref();
            let again = entries
                .get(at + 1)
                .is_some_and(|(next, _)| next.as_ref() == name);
            if !again {
                pack(&mut packed, name, *digest);
            }
        }
        Self(packed)
    }
}

impl fmt::Debug for FieldDigests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

fn entries(bytes: &[u8]) -> impl Iterator<Item = PackedEntry<'_>> {
    let mut start = 0;
    // Ends at the first malformed entry: without its length, the next one cannot be found.
    std::iter::from_fn(move || {
        let (length, rest) = bytes[start..].split_first_chunk::<2>()?;
        let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let (digest, _) = rest.split_first_chunk::<8>()?;
        let name = std::str::from_utf8(name).ok()?;
        let entry = PackedEntry {
            start,
            end: start + 10 + name.len(),
            name,
            digest: u64::from_le_bytes(*digest),
        };
        start = entry.end;
        Some(entry)
    })
}

fn pack(packed: &mut Vec<u8>, name: &str, digest: u64) {
    // No field of the table has such a long name. Left out, the field is compared again each time.
    let Ok(length) = u16::try_from(name.len()) else {
        return;
    };
    packed.extend(length.to_le_bytes());
    packed.extend(name.as_bytes());
    packed.extend(digest.to_le_bytes());
}

/// Calls `entry` for each member of a list.
fn members(name: &str, cell: &Cell, entry: &mut impl FnMut(String, u64)) {
    match cell.value() {
        Some(Value::List(members)) => {
            for member in members {
                // A member without attributes has nothing that could differ: being there is all.
                entry(format!("{name}={member}"), 0);
            }
        }
        Some(Value::Links(links)) => {
            for link in links {
                let digest = short_digest(&Cell::Value(Value::Links([link.clone()].into())));
                entry(format!("{name}={}", link.target), digest);
            }
        }
        _ => {}
    }
}

/// Returns eight bytes that tell two cells of one field apart.
pub fn short_digest(cell: &Cell) -> u64 {
    short_of(&mut Vec::with_capacity(64), cell)
}

/// Like [`short_digest`], with a buffer that is reused.
fn short_of(fed: &mut Vec<u8>, cell: &Cell) -> u64 {
    // Encoded first and hashed in one call: setting up an incremental hasher costs more than
    // hashing these few bytes.
    fed.clear();
    encode_cell(fed, cell);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&blake3::hash(fed).as_bytes()[..8]);
    // Kept positive, because SQL integers and many JSON readers are signed.
    u64::from_le_bytes(bytes) >> 1
}

/// Encodes a field and its cell. Every part has a tag and a length, so that no two different
/// declarations have the same bytes.
pub fn encode_stated(fed: &mut Vec<u8>, field: &FieldRef, cell: &Cell) {
    match field {
        FieldRef::Own(index) => {
            fed.extend([b'o', *index]);
        }
        FieldRef::Custom(id) => {
            fed.push(b'c');
            encode_text(fed, id);
        }
    }
    encode_cell(fed, cell);
}

fn encode_cell(fed: &mut Vec<u8>, cell: &Cell) {
    match cell {
        Cell::Blank => {
            fed.push(b'-');
        }
        Cell::Clear => {
            fed.push(b'x');
        }
        Cell::Value(value) => encode_value(fed, value),
        Cell::Amend(amend) => {
            fed.push(b'a');
            encode_value(fed, &amend.add);
            fed.extend_from_slice(&(amend.remove.len() as u64).to_le_bytes());
            amend
                .remove
                .iter()
                .for_each(|member| encode_text(fed, member));
            if amend.partial {
                fed.push(b'p');
            }
        }
    }
}

fn encode_value(fed: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Text(text) => {
            fed.push(b't');
            encode_text(fed, text);
        }
        Value::Number(text) => {
            fed.push(b'n');
            encode_text(fed, text);
        }
        Value::Bool(value) => {
            fed.extend([b'b', u8::from(*value)]);
        }
        Value::Int(value) => {
            fed.push(b'i');
            fed.extend_from_slice(&value.to_le_bytes());
        }
        // The number of members comes first, so that no list has the bytes of a longer one's
        // beginning.
        Value::List(members) => {
            fed.push(b'l');
            fed.extend_from_slice(&(members.len() as u64).to_le_bytes());
            members.iter().for_each(|member| encode_text(fed, member));
        }
        Value::Links(links) => {
            fed.push(b'k');
            fed.extend_from_slice(&(links.len() as u64).to_le_bytes());
            links.iter().for_each(|link| encode_link(fed, link));
        }
    }
}

fn encode_link(fed: &mut Vec<u8>, link: &Link) {
    encode_text(fed, &link.target);
    for attribute in link.attributes {
        // No attribute has 256 choices, so 255 is free for "not stated".
        fed.extend([attribute.map_or(255, |choice| choice)]);
    }
}

fn encode_text(fed: &mut Vec<u8>, text: &str) {
    fed.extend_from_slice(&(text.len() as u64).to_le_bytes());
    fed.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_fields_come_back_as_they_were() {
        let fields = [
            ("customFields.é", u64::MAX),
            ("accounts=acme", 9),
            ("accounts", 7),
        ];
        let fields: FieldDigests = fields.into_iter().collect();
        assert_eq!(
            FieldDigests::from_packed(fields.as_packed().to_vec()),
            fields
        );
        assert_eq!(
            FieldDigests::from_packed(b"\xff\xffx".to_vec()),
            FieldDigests::default()
        );
    }

    #[test]
    fn entries_are_sorted_and_the_last_word_on_a_name_counts() {
        let mut fields: FieldDigests = [("phone", 1), ("email", 2), ("phone", 3)]
            .into_iter()
            .collect();
        assert_eq!(
            fields.iter().collect::<Vec<_>>(),
            [("email", 2), ("phone", 3)]
        );
        fields.put("groups=a", 4);
        fields.retain(|name| name != "email");
        assert_eq!(
            fields.iter().collect::<Vec<_>>(),
            [("groups=a", 4), ("phone", 3)]
        );
        assert_eq!((fields.get("phone"), fields.get("email")), (Some(3), None));
        assert_eq!(
            (fields.member("groups", "a"), fields.member("groups", "")),
            (Some(4), None)
        );
        assert_eq!(fields.fields().collect::<Vec<_>>(), ["phone"]);
    }
}

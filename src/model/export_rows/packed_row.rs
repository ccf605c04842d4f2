//! A row of an export as it is packed: its standing, how many resources it names, and of each the kind,
//! the id and the fields that it fills.

use crate::model::{Key, KindId};

/// In the byte of the kind: the row declares the resource and does not only name it.
const DECLARES: u8 = 0x80;

/// What has to be done about a row that is the same in the next export.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum RowStanding {
    #[default]
    Settled,
    /// It is decoded again, because something about it is reported every time. Its resources are as
    /// they were applied.
    Reported,
    /// It is decoded and planned again: it has an error, or one of its resources is held.
    Open,
}

impl RowStanding {
    pub(super) fn of(byte: u8) -> Self {
        match byte {
            0 => Self::Settled,
            1 => Self::Reported,
            _ => Self::Open,
        }
    }
}

/// A resource, as a row names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowName {
    pub key: Key,
    /// Whether the row declares it. A row with an error may only name it.
    pub declares: bool,
    /// The fields that have a value, as bits of `ExportRowFacts::bit`.
    pub filled: u128,
}

/// A resource, as a packed row names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PackedRowName<'r> {
    pub kind: KindId,
    pub id: &'r str,
    pub declares: bool,
    pub filled: u128,
}

pub(super) fn pack(bytes: &mut Vec<u8>, standing: RowStanding, names: &[RowName]) {
    bytes.push(standing as u8);
    put_number(bytes, names.len() as u128);
    for name in names {
        bytes.push(name.key.kind.0 | if name.declares { DECLARES } else { 0 });
        put_number(bytes, name.key.id.len() as u128);
        bytes.extend(name.key.id.as_bytes());
        put_number(bytes, name.filled);
    }
}

/// Appends a number in groups of seven bits, the lowest first.
fn put_number(bytes: &mut Vec<u8>, mut number: u128) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

fn take_number(bytes: &mut &[u8]) -> Option<u128> {
    let (mut number, mut shift) = (0_u128, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u128::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

/// The length of the packed row at the beginning of some bytes.
pub(super) fn row_length(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes.get(1..)?;
    for _ in 0..take_number(&mut rest)? {
        take_name(&mut rest)?;
    }
    Some(bytes.len() - rest.len())
}

pub(super) fn names(row: &[u8]) -> impl Iterator<Item = PackedRowName<'_>> {
    let mut rest = row.get(1..).unwrap_or_default();
    let count = take_number(&mut rest).unwrap_or_default();
    (0..count).map_while(move |_| take_name(&mut rest))
}

fn take_name<'r>(bytes: &mut &'r [u8]) -> Option<PackedRowName<'r>> {
    let (kind, rest) = bytes.split_first()?;
    *bytes = rest;
    let length = usize::try_from(take_number(bytes)?).ok()?;
    let (id, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(PackedRowName {
        kind: KindId(kind & !DECLARES),
        id: str::from_utf8(id).ok()?,
        declares: kind & DECLARES != 0,
        filled: take_number(bytes)?,
    })
}

//! How a row is packed: its standing, how many resources it names, and of each the kind, the id and the
//! fields that it fills.

use super::{DECLARES, PackedRowName, RowName, RowStanding};
use crate::model::KindId;

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

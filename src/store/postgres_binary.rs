//! Values and rows in the binary format of PostgreSQL's COPY.

use super::sql_value::{SqlType, SqlValue, SqlValueRef, utf8};

/// Milliseconds from 1970 to 2000, where PostgreSQL's moments start.
pub(super) const EPOCH: i64 = 946_684_800_000;

/// Adds the value of the next column of a row.
pub(super) fn put(part: &mut Vec<u8>, value: SqlValueRef<'_>) {
    match value {
        SqlValueRef::Null => part.extend((-1_i32).to_be_bytes()),
        SqlValueRef::Int(value) => field(part, &value.to_be_bytes()),
        SqlValueRef::Bool(value) => field(part, &[u8::from(value)]),
        SqlValueRef::Time(millis) => field(part, &((millis - EPOCH) * 1000).to_be_bytes()),
        SqlValueRef::Static(text) | SqlValueRef::Text(text) => field(part, text.as_bytes()),
        SqlValueRef::Shared(text) => field(part, text.as_bytes()),
        SqlValueRef::Owned(text) => field(part, text.as_bytes()),
        SqlValueRef::Bytes(bytes) => field(part, bytes),
    }
}

pub(super) fn field(part: &mut Vec<u8>, bytes: &[u8]) {
    part.extend(i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
    part.extend(bytes);
}

/// Reads one row off the front; `None` when it is not all there, or was the last.
pub(super) fn take_row<'a>(
    bytes: &'a [u8],
    columns: &[(&str, SqlType)],
    row: &mut [SqlValue],
) -> Option<&'a [u8]> {
    let (count, mut rest) = bytes.split_first_chunk::<2>()?;
    usize::try_from(i16::from_be_bytes(*count)).ok()?;
    for (cell, (_, ty)) in row.iter_mut().zip(columns) {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            *cell = SqlValue::Null;
            rest = tail;
            continue;
        };
        let (value, tail) = tail.split_at_checked(length)?;
        *cell = take(value, *ty)?;
        rest = tail;
    }
    Some(rest)
}

pub(super) fn take(bytes: &[u8], ty: SqlType) -> Option<SqlValue> {
    Some(match ty {
        SqlType::Text | SqlType::Id => SqlValue::Text(utf8(bytes)),
        SqlType::Int => SqlValue::Int(i64::from_be_bytes(bytes.try_into().ok()?)),
        SqlType::Bool => SqlValue::Bool(bytes.first() != Some(&0)),
        SqlType::Bytes => SqlValue::Bytes(bytes.to_vec()),
        SqlType::Time => SqlValue::Time(i64::from_be_bytes(bytes.try_into().ok()?) / 1000 + EPOCH),
    })
}

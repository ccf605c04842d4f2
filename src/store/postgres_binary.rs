//! Values and rows in the binary format of PostgreSQL's COPY. A value is its length and its bytes
//! there, as it also is in an array: rows that were written for a COPY become arrays without being
//! read.

use super::sql_value::{SqlType, SqlValue, SqlValueRef, utf8};
use sqlx::Postgres;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::types::Type;

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

/// A column of several rows, as a parameter.
pub(super) struct BinaryArray {
    ty: SqlType,
    rows: i32,
    values: Vec<u8>,
}

/// Splits rows of these columns into one array a column.
pub(super) fn columns_of(mut rows: &[u8], columns: &[(&str, SqlType)]) -> Vec<BinaryArray> {
    let array = |(_, ty): &(&str, SqlType)| BinaryArray {
        ty: *ty,
        rows: 0,
        values: Vec::with_capacity(rows.len() / columns.len()),
    };
    let mut arrays: Vec<BinaryArray> = columns.iter().map(array).collect();
    while let Some((_, mut rest)) = rows.split_first_chunk::<2>() {
        for array in &mut arrays {
            let (length, _) = rest.split_first_chunk().unwrap_or((&[0; 4], &[]));
            // No value has the length -1, and no bytes.
            let bytes = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
            let (value, tail) = rest.split_at((4 + bytes).min(rest.len()));
            array.values.extend(value);
            array.rows += 1;
            rest = tail;
        }
        rows = rest;
    }
    arrays
}

impl BinaryArray {
    /// The array's type and its elements', by the numbers that PostgreSQL gives its own types.
    fn type_numbers(&self) -> (u32, u32) {
        match self.ty {
            SqlType::Text | SqlType::Id => (1009, 25),
            SqlType::Int => (1016, 20),
            SqlType::Bool => (1000, 16),
            SqlType::Bytes => (1001, 17),
            SqlType::Time => (1185, 1184),
        }
    }
}

impl Type<Postgres> for BinaryArray {
    fn type_info() -> PgTypeInfo {
        // `produces` says it better; a value always has one.
        <Vec<String> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for BinaryArray {
    fn encode_by_ref(&self, out: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // One dimension, perhaps with nulls, the elements' type, how many, numbered from 1.
        let (one, nulls) = (1_i32.to_be_bytes(), 1_i32.to_be_bytes());
        out.extend(one);
        out.extend(nulls);
        out.extend(self.type_numbers().1.to_be_bytes());
        out.extend(self.rows.to_be_bytes());
        out.extend(one);
        out.extend(&self.values);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.type_numbers().0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_without_losing_what_is_null_or_empty() {
        let columns = [("id", SqlType::Id), ("size", SqlType::Int)];
        let mut rows = Vec::new();
        for (id, size) in [("a", SqlValueRef::Null), ("", SqlValueRef::Int(7))] {
            rows.extend(2_i16.to_be_bytes());
            put(&mut rows, SqlValueRef::Text(id));
            put(&mut rows, size);
        }
        let arrays = columns_of(&rows, &columns);
        let found = arrays
            .iter()
            .map(|array| (array.rows, array.values.as_slice()));
        let found: Vec<_> = found.collect();
        let null = [255; 4];
        let seven = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7];
        assert_eq!(
            found,
            [
                (2, [0, 0, 0, 1, b'a', 0, 0, 0, 0].as_slice()),
                (2, [null.as_slice(), &seven].concat().as_slice()),
            ]
        );
    }
}

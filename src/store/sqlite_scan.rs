//! Reads whole tables from SQLite. Ten thousand rows come packed into one value, because every row
//! that sqlx hands over separately costs a hop between threads: 2 s instead of 5 for a million
//! users.
//!
//! A packed cell is its length in bytes, a colon and the bytes; NULL is `-:`.

use super::sql_value::{SqlType, SqlValue, utf8};
use super::table_scan::TableScan;
use sqlx::{AssertSqlSafe, Row as _, Sqlite, Transaction};

// Large enough that the hop no longer counts, small enough to bound the memory of a scan.
const CHUNK: usize = 10_000;

/// Passes every row of a table to `each`, in key order.
pub(super) async fn scan(
    tx: &mut Transaction<'static, Sqlite>,
    scan: &TableScan<'_>,
    each: &mut impl FnMut(&mut [SqlValue]),
) -> Result<(), sqlx::Error> {
    let mut after: Vec<SqlValue> = Vec::new();
    let mut row = vec![SqlValue::Null; scan.columns.len()];
    loop {
        let sql = statement(scan, !after.is_empty());
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for part in &after {
            // Continues after the last key instead of with OFFSET, which would read all earlier
            // rows again.
            query = query.bind(part.as_text().unwrap_or_default());
        }
        let found = query.fetch_one(&mut **tx).await?;
        let packed: Option<&[u8]> = found.try_get_unchecked(0)?;
        let Some(mut rest) = packed.filter(|packed| !packed.is_empty()) else {
            return Ok(());
        };
        let mut rows = 0;
        while !rest.is_empty() {
            for (cell, (_, ty)) in row.iter_mut().zip(scan.columns) {
                *cell = unpack(&mut rest, *ty).ok_or_else(broken_row_error)?;
            }
            rows += 1;
            if rest.is_empty() {
                after = row[..scan.key].to_vec();
            }
            each(&mut row);
        }
        // A short chunk was the last one, which spares the query that would return nothing.
        if rows < CHUNK {
            return Ok(());
        }
    }
}

fn broken_row_error() -> sqlx::Error {
    sqlx::Error::Decode("a packed row that does not add up".into())
}

/// The query for the next chunk, from the start or after the last key.
fn statement(scan: &TableScan<'_>, further: bool) -> String {
    let cells: Vec<String> = scan
        .columns
        .iter()
        // The length comes first, because a value may contain any character, also the separator.
        .map(|(column, _)| format!("coalesce(octet_length({column}), '-'), ':', {column}"))
        .collect();
    let key: Vec<&str> = scan.columns[..scan.key]
        .iter()
        .map(|(name, _)| *name)
        .collect();
    let key = key.join(", ");
    let after = match (further, scan.key) {
        (false, _) => String::new(),
        (true, parts) => format!("WHERE ({key}) > ({})", vec!["?"; parts].join(", ")),
    };
    format!(
        // As a BLOB: SQLite would otherwise hand over text, and invalid UTF-8 in one cell would
        // lose the whole chunk.
        "SELECT CAST(group_concat(packed, '') AS BLOB) FROM \
         (SELECT concat({}) AS packed FROM {} {after} ORDER BY {key} LIMIT {CHUNK})",
        cells.join(", "),
        scan.table,
    )
}

/// Takes one cell off the front.
fn unpack(rest: &mut &[u8], ty: SqlType) -> Option<SqlValue> {
    let colon = memchr::memchr(b':', rest)?;
    let (length, tail) = (&rest[..colon], &rest[colon + 1..]);
    if length == b"-" {
        *rest = tail;
        return Some(SqlValue::Null);
    }
    let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    let (bytes, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(match ty {
        SqlType::Text | SqlType::Id | SqlType::Time => SqlValue::Text(utf8(bytes)),
        SqlType::Int => SqlValue::Int(std::str::from_utf8(bytes).ok()?.parse().ok()?),
        SqlType::Bool => SqlValue::Bool(bytes != b"0"),
        SqlType::Bytes => SqlValue::Bytes(bytes.to_vec()),
    })
}

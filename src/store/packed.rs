//! Reading whole tables out of SQLite: ten thousand rows come as one packed value, because every
//! row that sqlx hands over on its own costs a hop between threads.
//!
//! A packed cell is its length in bytes, a colon and the bytes; none is `-:`.

use super::connection::{Scan, utf8};
use super::param::{Param, Ty};
use sqlx::{AssertSqlSafe, Row as _, Sqlite, Transaction};

const CHUNK: usize = 10_000;

/// Gives every row of a table to `each`, in the order of its key.
pub(super) async fn scan(
    tx: &mut Transaction<'static, Sqlite>,
    scan: &Scan<'_>,
    each: &mut impl FnMut(&mut [Param]),
) -> Result<(), sqlx::Error> {
    let mut after: Vec<Param> = Vec::new();
    let mut row = vec![Param::Null; scan.columns.len()];
    loop {
        let sql = statement(scan, !after.is_empty());
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for part in &after {
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
                *cell = unpack(&mut rest, *ty).ok_or_else(broken)?;
            }
            rows += 1;
            if rest.is_empty() {
                after = row[..scan.key].to_vec();
            }
            each(&mut row);
        }
        if rows < CHUNK {
            return Ok(());
        }
    }
}

fn broken() -> sqlx::Error {
    sqlx::Error::Decode("a packed row that does not add up".into())
}

/// The query for the next chunk, from the start or after the key of the last row.
fn statement(scan: &Scan<'_>, further: bool) -> String {
    let cells: Vec<String> = scan
        .columns
        .iter()
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
        "SELECT CAST(group_concat(packed, '') AS BLOB) FROM \
         (SELECT concat({}) AS packed FROM {} {after} ORDER BY {key} LIMIT {CHUNK})",
        cells.join(", "),
        scan.table,
    )
}

/// Takes one cell off the front.
fn unpack(rest: &mut &[u8], ty: Ty) -> Option<Param> {
    let colon = memchr::memchr(b':', rest)?;
    let (length, tail) = (&rest[..colon], &rest[colon + 1..]);
    if length == b"-" {
        *rest = tail;
        return Some(Param::Null);
    }
    let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    let (bytes, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some(match ty {
        Ty::Text | Ty::Id | Ty::Time => Param::Text(utf8(bytes)),
        Ty::Int => Param::Int(std::str::from_utf8(bytes).ok()?.parse().ok()?),
        Ty::Bool => Param::Bool(bytes != b"0"),
        Ty::Bytes => Param::Bytes(bytes.to_vec()),
    })
}

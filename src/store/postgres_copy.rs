//! The fastest ways in and out of PostgreSQL, in the binary format of its COPY: a million users load
//! in 15 s and are read in less than 2 s. `insert` writes, `scan` reads.

use super::postgres_binary::{columns_of, take_row};
use super::row_writer::RowWriter;
use super::sql_value::{SqlType, SqlValue};
use super::table_scan::TableScan;
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Postgres, Transaction};

/// The signature, no flags, no header extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// How many bytes are sent at a time.
const PART: usize = 1 << 18;

/// Inserts rows. What fits in one part goes as arrays in one statement: COPY sends data and end
/// apart, and as the driver leaves Nagle's algorithm on, the end would wait 40 ms for the server to
/// confirm the data (transact-rs/sqlx#4335).
pub(super) async fn insert<T>(
    tx: &mut Transaction<'static, Postgres>,
    table: &str,
    columns: &[(&str, SqlType)],
    rows: impl IntoIterator<Item = T>,
    mut put: impl FnMut(T, &mut RowWriter<'_>),
) -> Result<u64, sqlx::Error> {
    let count = i16::try_from(columns.len())
        .unwrap_or(i16::MAX)
        .to_be_bytes();
    // A row may go beyond the limit before it is checked; the spare room avoids a reallocation in
    // every part.
    let mut part = Vec::new();
    let mut rows = rows.into_iter();
    let mut fill = |part: &mut Vec<u8>| {
        for row in rows.by_ref() {
            part.extend(count);
            put(row, &mut RowWriter::Postgres(part));
            if part.len() >= PART {
                return true;
            }
        }
        false
    };
    let mut more = fill(&mut part);
    if !more {
        return insert_arrays(tx, table, columns, &part).await;
    }
    let names = names(columns);
    let sql = format!("COPY {table} ({names}) FROM STDIN (FORMAT binary)");
    let mut copy = tx.copy_in_raw(&sql).await?;
    copy.send(HEADER).await?;
    while more {
        copy.send(part.as_slice()).await?;
        part.clear();
        more = fill(&mut part);
    }
    // The end marker of the format. Without it the server takes the stream for one that was cut
    // off.
    part.extend((-1_i16).to_be_bytes());
    copy.send(part.as_slice()).await?;
    copy.finish().await
}

/// Inserts the rows of a part, one array a column.
async fn insert_arrays(
    tx: &mut Transaction<'static, Postgres>,
    table: &str,
    columns: &[(&str, SqlType)],
    part: &[u8],
) -> Result<u64, sqlx::Error> {
    if part.is_empty() {
        return Ok(0);
    }
    let (names, numbers) = (names(columns), 1..=columns.len());
    let arrays: Vec<String> = numbers.map(|number| format!("${number}")).collect();
    let arrays = arrays.join(", ");
    let sql = format!("INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})");
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for array in columns_of(part, columns) {
        query = query.bind(array);
    }
    Ok(query.execute(&mut **tx).await?.rows_affected())
}

fn names(columns: &[(&str, SqlType)]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// Passes every row of a table to `each`, in key order.
pub(super) async fn scan(
    tx: &mut Transaction<'static, Postgres>,
    scan: &TableScan<'_>,
    each: &mut impl FnMut(&mut [SqlValue]),
) -> Result<(), sqlx::Error> {
    let (all, key) = (names(scan.columns), names(&scan.columns[..scan.key]));
    let sql = format!(
        // Sorted by the server, because the caller joins rows and links in one walk.
        "COPY (SELECT {all} FROM {} ORDER BY {key}) TO STDOUT (FORMAT binary)",
        scan.table
    );
    let mut stream = tx.copy_out_raw(&sql).await?;
    let mut row = vec![SqlValue::Null; scan.columns.len()];
    let mut pending: Vec<u8> = Vec::new();
    let mut skip = HEADER.len();
    // The server cuts the stream anywhere, also within a row or the header; what is incomplete
    // waits for the next part.
    while let Some(part) = stream.try_next().await? {
        pending.extend_from_slice(&part);
        let mut rest = pending.as_slice();
        if skip > 0 {
            let Some(tail) = rest.get(skip..) else {
                continue;
            };
            (rest, skip) = (tail, 0);
        }
        while let Some(tail) = take_row(rest, scan.columns, &mut row) {
            each(&mut row);
            rest = tail;
        }
        let used = pending.len() - rest.len();
        pending.drain(..used);
    }
    Ok(())
}

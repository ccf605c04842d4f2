//! SQLite's bulk insert: one cached statement of many rows, with the next rows prepared while it
//! runs. Single-row inserts would cost a hop to sqlx's thread for each row.

use super::dialect::SQLITE;
use super::row_writer::{RowWriter, SqliteBinder};
use super::sql_value::SqlType;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, Transaction};
use std::sync::Arc;

/// How many rows a statement takes.
const ROWS: usize = SQLITE.rows;

/// The parameters of one statement, and how many rows they cover.
type InsertChunk = (Result<SqliteArguments, BoxDynError>, usize);

/// Inserts rows; `head` is the statement up to its rows.
pub(super) async fn insert<T>(
    tx: &mut Transaction<'static, Sqlite>,
    head: &str,
    types: &[SqlType],
    rows: impl IntoIterator<Item = T>,
    mut put: impl FnMut(T, &mut RowWriter<'_>),
) -> Result<u64, sqlx::Error> {
    let (mut rows, mut added) = (rows.into_iter(), 0);
    let mut bound = SqliteBinder::with_capacity(types.len() * ROWS);
    let sql = |rows| Arc::<str>::from(head.to_owned() + &SQLITE.batch(types, rows));
    let full = sql(ROWS);
    let mut part = || fill(&mut rows, &mut bound, &mut put);
    let mut now = part();
    while now.1 > 0 {
        let sql = match now.1 {
            ROWS => Arc::clone(&full),
            // Only the last statement has fewer rows; it is not cached, because its text is hardly
            // ever used again.
            fewer => sql(fewer),
        };
        let (done, next) = tokio::join!(run(tx, sql, now), async { part() });
        added += done?;
        now = next;
    }
    Ok(added)
}

/// Collects the parameters of up to one statement of rows.
fn fill<T>(
    rows: &mut impl Iterator<Item = T>,
    bound: &mut SqliteBinder,
    put: &mut impl FnMut(T, &mut RowWriter<'_>),
) -> InsertChunk {
    let mut count = 0;
    for row in rows.take(ROWS) {
        put(row, &mut RowWriter::Sqlite(bound));
        count += 1;
    }
    (bound.take(), count)
}

async fn run(
    tx: &mut Transaction<'static, Sqlite>,
    sql: Arc<str>,
    (arguments, rows): InsertChunk,
) -> Result<u64, sqlx::Error> {
    let arguments = arguments.map_err(sqlx::Error::Encode)?;
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
    let query = query.persistent(rows == ROWS);
    Ok(query.execute(&mut **tx).await?.rows_affected())
}

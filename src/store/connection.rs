//! A transaction on either engine: the few operations everything else is written with.

use super::dialect::{POSTGRES, SQLITE, SqlDialect};
use super::error::{SqlFault, StoreError};
use super::row_writer::RowWriter;
use super::sql_value::{SqlType, SqlValue, iso};
use crate::model::CompactText;
use sqlx::{AssertSqlSafe, Postgres, Row as _, Sqlite, Transaction};
use std::sync::Arc;

pub(super) type SqlRow = Vec<SqlValue>;

/// A transaction; dropped, it is rolled back.
pub(super) struct SqlTransaction {
    engine: EngineTransaction,
    /// What is being done, for errors.
    operation: &'static str,
    /// Where, for errors.
    place: Arc<str>,
}

/// Which engine's transaction.
pub(super) enum EngineTransaction {
    /// Embedded.
    Sqlite(Transaction<'static, Sqlite>),
    /// A server's.
    Postgres(Transaction<'static, Postgres>),
}

/// A whole table to read, in the order of its key.
pub(super) struct TableScan<'a> {
    pub(super) table: &'a str,
    /// The columns, the key's first.
    pub(super) columns: &'a [(&'a str, SqlType)],
    /// How many of the columns are the key.
    pub(super) key: usize,
}

/// Rows for one statement, in as many statements as it takes.
pub(super) struct BatchStatement<'a> {
    /// The statement; `{rows}` stands for the rows.
    pub(super) sql: &'a str,
    /// The types of the rows' cells.
    pub(super) types: &'a [SqlType],
}

/// Runs one expression on whichever engine it is.
macro_rules! on {
    ($tx:expr, $inner:ident => $body:expr) => {
        match &mut $tx.engine {
            EngineTransaction::Sqlite($inner) => $body,
            EngineTransaction::Postgres($inner) => $body,
        }
    };
}

/// Binds parameters, of which every text, number and boolean is the same on both engines.
macro_rules! bind {
    ($query:expr, $params:expr) => {{
        let mut query = $query;
        for param in $params {
            query = match param {
                SqlValue::Null => query.bind(None::<String>),
                SqlValue::Int(value) => query.bind(*value),
                SqlValue::Text(text) => query.bind(text.as_str()),
                SqlValue::Bool(value) => query.bind(*value),
                SqlValue::Bytes(bytes) => query.bind(bytes.as_slice()),
                SqlValue::Time(millis) => query.bind(iso(*millis)),
            };
        }
        query
    }};
}

/// Reads a fetched row by the types asked for.
macro_rules! cells {
    ($row:expr, $types:expr) => {{
        let mut cells = SqlRow::with_capacity($types.len());
        for (index, ty) in $types.iter().enumerate() {
            cells.push(match ty {
                SqlType::Text | SqlType::Id | SqlType::Time => {
                    SqlValue::text_or_null($row.try_get_unchecked::<Option<&str>, _>(index)?)
                }
                SqlType::Int => $row
                    .try_get_unchecked::<Option<i64>, _>(index)?
                    .map_or(SqlValue::Null, SqlValue::Int),
                SqlType::Bool => $row
                    .try_get_unchecked::<Option<bool>, _>(index)?
                    .map_or(SqlValue::Null, SqlValue::Bool),
                SqlType::Bytes => $row
                    .try_get_unchecked::<Option<Vec<u8>>, _>(index)?
                    .map_or(SqlValue::Null, SqlValue::Bytes),
            });
        }
        Ok::<SqlRow, sqlx::Error>(cells)
    }};
}

impl SqlTransaction {
    /// A transaction for one operation.
    pub(super) fn new(engine: EngineTransaction, operation: &'static str, place: Arc<str>) -> Self {
        Self {
            engine,
            operation,
            place,
        }
    }

    /// The engine's SQL.
    pub(super) fn dialect(&self) -> &'static SqlDialect {
        match self.engine {
            EngineTransaction::Sqlite(_) => &SQLITE,
            EngineTransaction::Postgres(_) => &POSTGRES,
        }
    }

    /// Names what went wrong while doing this operation.
    fn error_mapper(&self) -> impl Fn(sqlx::Error) -> StoreError + use<> {
        let (operation, place) = (self.operation, Arc::clone(&self.place));
        move |source| StoreError::Sql {
            operation,
            place: Arc::clone(&place),
            source: SqlFault(source),
        }
    }

    /// The same for something the database should not hold.
    pub(super) fn corrupt(&self, what: impl Into<String>) -> StoreError {
        StoreError::Corrupt {
            operation: self.operation,
            what: what.into(),
        }
    }

    /// Runs statements without parameters.
    pub(super) async fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        let failed = self.error_mapper();
        on!(self, tx => sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **tx).await.map(|_| ()))
            .map_err(failed)
    }

    /// Runs one statement, and says how many rows it touched.
    pub(super) async fn run(&mut self, sql: &str, params: &[SqlValue]) -> Result<u64, StoreError> {
        let (sql, failed) = (self.dialect().number_placeholders(sql), self.error_mapper());
        on!(self, tx => {
            let query = bind!(sqlx::query(AssertSqlSafe(sql)), params);
            query.execute(&mut **tx).await.map(|done| done.rows_affected())
        })
        .map_err(failed)
    }

    /// The rows of a query.
    pub(super) async fn fetch(
        &mut self,
        sql: &str,
        params: &[SqlValue],
        types: &[SqlType],
    ) -> Result<Vec<SqlRow>, StoreError> {
        let (sql, failed) = (self.dialect().number_placeholders(sql), self.error_mapper());
        on!(self, tx => {
            let query = bind!(sqlx::query(AssertSqlSafe(sql)), params);
            match query.fetch_all(&mut **tx).await {
                Ok(rows) => rows.iter().map(|row| cells!(row, types)).collect(),
                Err(error) => Err(error),
            }
        })
        .map_err(failed)
    }

    /// The first row of a query.
    pub(super) async fn first(
        &mut self,
        sql: &str,
        params: &[SqlValue],
        types: &[SqlType],
    ) -> Result<Option<SqlRow>, StoreError> {
        Ok(self.fetch(sql, params, types).await?.into_iter().next())
    }

    /// Whether a query has any row.
    pub(super) async fn has_rows(
        &mut self,
        sql: &str,
        params: &[SqlValue],
    ) -> Result<bool, StoreError> {
        Ok(!self.fetch(sql, params, &[]).await?.is_empty())
    }

    /// Runs a statement for many rows, and says how many rows it touched.
    pub(super) async fn batch(
        &mut self,
        batch: &BatchStatement<'_>,
        rows: impl IntoIterator<Item = SqlRow>,
    ) -> Result<u64, StoreError> {
        let (mut touched, limit) = (0, self.dialect().rows);
        let mut rows = rows.into_iter();
        let full = self.dialect().batch(batch.types, limit);
        let full = batch.sql.replace("{rows}", &full);
        let mut chunk: Vec<SqlRow> = rows.by_ref().take(limit).collect();
        while !chunk.is_empty() {
            // While the engine works on these rows, the next ones are made.
            let next = async { rows.by_ref().take(limit).collect() };
            let (done, next) = tokio::join!(self.chunk(batch, &full, chunk), next);
            touched += done?;
            chunk = next;
        }
        Ok(touched)
    }

    /// Runs a statement for the rows of one statement.
    async fn chunk(
        &mut self,
        batch: &BatchStatement<'_>,
        full: &str,
        chunk: Vec<SqlRow>,
    ) -> Result<u64, StoreError> {
        let (failed, limit) = (self.error_mapper(), self.dialect().rows);
        match &mut self.engine {
            EngineTransaction::Sqlite(tx) => {
                let whole = chunk.len() == limit;
                let sql = if whole {
                    full.to_owned()
                } else {
                    batch
                        .sql
                        .replace("{rows}", &SQLITE.batch(batch.types, chunk.len()))
                };
                let query = sqlx::query(AssertSqlSafe(sql)).persistent(whole);
                let query = bind!(query, chunk.iter().flatten());
                query
                    .execute(&mut **tx)
                    .await
                    .map(|done| done.rows_affected())
            }
            EngineTransaction::Postgres(tx) => {
                let query = sqlx::query(AssertSqlSafe(full));
                let query = arrays(query, batch.types, &chunk);
                query
                    .execute(&mut **tx)
                    .await
                    .map(|done| done.rows_affected())
            }
        }
        .map_err(failed)
    }

    /// The rows of a query for many rows.
    pub(super) async fn batch_fetch(
        &mut self,
        batch: &BatchStatement<'_>,
        rows: impl IntoIterator<Item = SqlRow>,
        types: &[SqlType],
    ) -> Result<Vec<SqlRow>, StoreError> {
        let (mut found, limit) = (Vec::new(), self.dialect().rows);
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<SqlRow> = rows.by_ref().take(limit).collect();
            found.extend(self.chunk_fetch(batch, &chunk, types).await?);
        }
        Ok(found)
    }

    async fn chunk_fetch(
        &mut self,
        batch: &BatchStatement<'_>,
        chunk: &[SqlRow],
        types: &[SqlType],
    ) -> Result<Vec<SqlRow>, StoreError> {
        let failed = self.error_mapper();
        let rows = self.dialect().batch(batch.types, chunk.len());
        let sql = batch.sql.replace("{rows}", &rows);
        match &mut self.engine {
            EngineTransaction::Sqlite(tx) => {
                let whole = chunk.len() == SQLITE.rows;
                let query = sqlx::query(AssertSqlSafe(sql)).persistent(whole);
                let query = bind!(query, chunk.iter().flatten());
                match query.fetch_all(&mut **tx).await {
                    Ok(rows) => rows.iter().map(|row| cells!(row, types)).collect(),
                    Err(error) => Err(error),
                }
            }
            EngineTransaction::Postgres(tx) => {
                let query = arrays(sqlx::query(AssertSqlSafe(sql)), batch.types, chunk);
                match query.fetch_all(&mut **tx).await {
                    Ok(rows) => rows.iter().map(|row| cells!(row, types)).collect(),
                    Err(error) => Err(error),
                }
            }
        }
        .map_err(failed)
    }

    /// Adds rows to a table.
    pub(super) async fn insert(
        &mut self,
        table: &str,
        columns: &[(&str, SqlType)],
        rows: impl IntoIterator<Item = SqlRow>,
    ) -> Result<u64, StoreError> {
        let put =
            |cells: SqlRow, out: &mut RowWriter<'_>| cells.iter().for_each(|cell| out.put(cell));
        self.load(table, columns, rows, put).await
    }

    /// Adds rows to a table, as fast as the engine can; `put` gives the values of a row in the order
    /// of the columns.
    pub(super) async fn load<T>(
        &mut self,
        table: &str,
        columns: &[(&str, SqlType)],
        rows: impl IntoIterator<Item = T>,
        put: impl FnMut(T, &mut RowWriter<'_>),
    ) -> Result<u64, StoreError> {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let types: Vec<SqlType> = columns.iter().map(|(_, ty)| *ty).collect();
        let (names, failed) = (names.join(", "), self.error_mapper());
        match &mut self.engine {
            EngineTransaction::Sqlite(tx) => {
                // OR ROLLBACK: a failure ends the transaction anyway, so the statement needs no
                // journal.
                let head = format!("INSERT OR ROLLBACK INTO {table} ({names}) ");
                super::sqlite_bulk::insert(tx, &head, &types, rows, put).await
            }
            EngineTransaction::Postgres(tx) => {
                let sql = format!("COPY {table} ({names}) FROM STDIN (FORMAT binary)");
                super::postgres_copy::insert(tx, &sql, types.len(), rows, put).await
            }
        }
        .map_err(failed)
    }

    /// Gives every row of a table to `each`, in the order of its key.
    pub(super) async fn scan(
        &mut self,
        scan: &TableScan<'_>,
        mut each: impl FnMut(&mut [SqlValue]),
    ) -> Result<(), StoreError> {
        let failed = self.error_mapper();
        match &mut self.engine {
            EngineTransaction::Sqlite(tx) => super::sqlite_scan::scan(tx, scan, &mut each).await,
            EngineTransaction::Postgres(tx) => {
                super::postgres_copy::scan(tx, scan, &mut each).await
            }
        }
        .map_err(failed)
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let failed = self.error_mapper();
        match self.engine {
            EngineTransaction::Sqlite(tx) => tx.commit().await,
            EngineTransaction::Postgres(tx) => tx.commit().await,
        }
        .map_err(failed)
    }
}

/// Binds a column of each type as one array.
fn arrays<'q>(
    query: sqlx::query::Query<'q, Postgres, sqlx::postgres::PgArguments>,
    types: &[SqlType],
    rows: &[SqlRow],
) -> sqlx::query::Query<'q, Postgres, sqlx::postgres::PgArguments> {
    let mut query = query;
    for (at, ty) in types.iter().enumerate() {
        let column = rows.iter().map(|row| &row[at]);
        query = match ty {
            SqlType::Text | SqlType::Id => {
                query.bind(column.map(SqlValue::as_text).collect::<Vec<Option<&str>>>())
            }
            SqlType::Int => query.bind(column.map(SqlValue::as_int).collect::<Vec<Option<i64>>>()),
            SqlType::Bool => {
                let flags = column.map(|cell| cell.as_int().map(|value| value != 0));
                query.bind(flags.collect::<Vec<Option<bool>>>())
            }
            SqlType::Bytes => query.bind(
                column
                    .map(|cell| match cell {
                        SqlValue::Bytes(bytes) => Some(bytes.as_slice()),
                        _ => None,
                    })
                    .collect::<Vec<Option<&[u8]>>>(),
            ),
            SqlType::Time => {
                let times = column.map(|cell| cell.as_int().map(iso));
                query.bind(times.collect::<Vec<Option<String>>>())
            }
        };
    }
    query
}

/// Text that is known to be UTF-8 unless somebody stored bytes as text.
pub(super) fn utf8(bytes: &[u8]) -> CompactText {
    CompactText::from_utf8_lossy(bytes)
}

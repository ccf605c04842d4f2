//! A transaction on either engine, with the few operations that everything else in the store uses:
//! run, fetch, batch, load, scan and commit. Statements are written once with `?`; the dialect
//! adapts them. Start at [`SqlTransaction`].

use super::dialect::{POSTGRES, SQLITE, SqlDialect};
use super::error::{SqlFault, StoreError};
use super::row_writer::RowWriter;
use super::sql_value::{SqlType, SqlValue, iso};
use super::table_scan::TableScan;
use super::two_tier_pool::FirstConnectionUse;
use sqlx::{AssertSqlSafe, Postgres, Row as _, Sqlite, Transaction};
use std::sync::Arc;

pub(super) type SqlRow = Vec<SqlValue>;

/// An open transaction; rolled back when dropped.
pub(super) struct SqlTransaction {
    engine: EngineTransaction,
    /// What is being done, for error messages.
    operation: &'static str,
    /// The database, without its password, for error messages.
    place: Arc<str>,
}

pub(super) enum EngineTransaction {
    /// Dropped in this order.
    Sqlite(Transaction<'static, Sqlite>, Option<FirstConnectionUse>),
    Postgres(Transaction<'static, Postgres>, Option<FirstConnectionUse>),
}

/// A statement for many rows, split into as many statements as the engine needs.
pub(super) struct BatchStatement<'a> {
    /// The statement; `{rows}` is replaced by the rows.
    pub(super) sql: &'a str,
    /// The types of the rows' cells.
    pub(super) types: &'a [SqlType],
}

/// Runs an expression on the engine's own transaction.
macro_rules! on {
    ($tx:expr, $inner:ident => $body:expr) => {
        match &mut $tx.engine {
            EngineTransaction::Sqlite($inner, _) => $body,
            EngineTransaction::Postgres($inner, _) => $body,
        }
    };
}

/// Binds parameters; both engines take the same Rust types.
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

/// Reads a fetched row by the requested types.
macro_rules! cells {
    ($row:expr, $types:expr) => {{
        let mut cells = SqlRow::with_capacity($types.len());
        for (index, ty) in $types.iter().enumerate() {
            cells.push(match ty {
                SqlType::Text | SqlType::Id | SqlType::Time => {
                    // Unchecked, because the type is known from the statement: PostgreSQL reports
                    // `text` and `varchar` as different types, and SQLite has no column types for
                    // expressions.
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
    pub(super) fn new(engine: EngineTransaction, operation: &'static str, place: Arc<str>) -> Self {
        Self {
            engine,
            operation,
            place,
        }
    }

    pub(super) fn dialect(&self) -> &'static SqlDialect {
        match self.engine {
            EngineTransaction::Sqlite(..) => &SQLITE,
            EngineTransaction::Postgres(..) => &POSTGRES,
        }
    }

    /// Wraps a driver error with the operation and the database.
    fn error_mapper(&self) -> impl Fn(sqlx::Error) -> StoreError + use<> {
        let (operation, place) = (self.operation, Arc::clone(&self.place));
        move |source| StoreError::Sql {
            operation,
            place: Arc::clone(&place),
            source: SqlFault(source),
        }
    }

    /// An error for data that the database should not contain.
    pub(super) fn corrupt(&self, what: impl Into<String>) -> StoreError {
        StoreError::Corrupt {
            operation: self.operation,
            what: what.into(),
        }
    }

    /// Makes SQLite overwrite what this transaction deletes.
    pub(super) async fn overwrite_deleted(&mut self) -> Result<(), StoreError> {
        match self.engine {
            EngineTransaction::Sqlite(..) => self.script("PRAGMA secure_delete = ON").await,
            EngineTransaction::Postgres(..) => Ok(()),
        }
    }

    pub(super) async fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        let failed = self.error_mapper();
        on!(self, tx => sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **tx).await.map(|_| ()))
            .map_err(failed)
    }

    /// Runs one statement; returns the number of affected rows.
    pub(super) async fn run(&mut self, sql: &str, params: &[SqlValue]) -> Result<u64, StoreError> {
        let (sql, failed) = (self.dialect().number_placeholders(sql), self.error_mapper());
        on!(self, tx => {
            let query = bind!(sqlx::query(AssertSqlSafe(sql)), params);
            query.execute(&mut **tx).await.map(|done| done.rows_affected())
        })
        .map_err(failed)
    }

    /// Runs a statement under the guard: the triggers take the write for Roster's own, and the
    /// version stays.
    pub(super) async fn run_guarded(
        &mut self,
        sql: &str,
        params: &[SqlValue],
    ) -> Result<(), StoreError> {
        let dialect = self.dialect();
        self.script(dialect.guard_on).await?;
        self.run(sql, params).await?;
        self.script(dialect.guard_off).await
    }

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

    /// Runs a statement for many rows; returns the number of affected rows.
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
            // The next rows are prepared while the engine works on these.
            let next = async { rows.by_ref().take(limit).collect() };
            let (done, next) = tokio::join!(self.chunk(batch, &full, chunk), next);
            touched += done?;
            chunk = next;
        }
        Ok(touched)
    }

    /// Runs a statement for one chunk of rows.
    async fn chunk(
        &mut self,
        batch: &BatchStatement<'_>,
        full: &str,
        chunk: Vec<SqlRow>,
    ) -> Result<u64, StoreError> {
        let (failed, limit) = (self.error_mapper(), self.dialect().rows);
        match &mut self.engine {
            EngineTransaction::Sqlite(tx, _) => {
                let whole = chunk.len() == limit;
                let sql = if whole {
                    full.to_owned()
                } else {
                    batch
                        .sql
                        .replace("{rows}", &SQLITE.batch(batch.types, chunk.len()))
                };
                // Only the full chunk is prepared and cached. The last one has its own length, and
                // every length would leave another statement in the cache.
                let query = sqlx::query(AssertSqlSafe(sql)).persistent(whole);
                let query = bind!(query, chunk.iter().flatten());
                query
                    .execute(&mut **tx)
                    .await
                    .map(|done| done.rows_affected())
            }
            EngineTransaction::Postgres(tx, _) => {
                // PostgreSQL takes arrays, so one text serves a chunk of any length.
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

    /// Fetches the rows of a query for many input rows.
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
            EngineTransaction::Sqlite(tx, _) => {
                let whole = chunk.len() == SQLITE.rows;
                let query = sqlx::query(AssertSqlSafe(sql)).persistent(whole);
                let query = bind!(query, chunk.iter().flatten());
                match query.fetch_all(&mut **tx).await {
                    Ok(rows) => rows.iter().map(|row| cells!(row, types)).collect(),
                    Err(error) => Err(error),
                }
            }
            EngineTransaction::Postgres(tx, _) => {
                let query = arrays(sqlx::query(AssertSqlSafe(sql)), batch.types, chunk);
                match query.fetch_all(&mut **tx).await {
                    Ok(rows) => rows.iter().map(|row| cells!(row, types)).collect(),
                    Err(error) => Err(error),
                }
            }
        }
        .map_err(failed)
    }

    /// Inserts rows into a table.
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

    /// Inserts rows the fastest way the engine has. `put` writes the values of a row in column
    /// order.
    pub(super) async fn load<T>(
        &mut self,
        table: &str,
        columns: &[(&str, SqlType)],
        rows: impl IntoIterator<Item = T>,
        put: impl FnMut(T, &mut RowWriter<'_>),
    ) -> Result<u64, StoreError> {
        let failed = self.error_mapper();
        match &mut self.engine {
            EngineTransaction::Sqlite(tx, _) => {
                let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
                let types: Vec<SqlType> = columns.iter().map(|(_, ty)| *ty).collect();
                let names = names.join(", ");
                // OR ROLLBACK: a failure ends the transaction anyway, so the statement needs no
                // journal of its own.
                let head = format!("INSERT OR ROLLBACK INTO {table} ({names}) ");
                super::sqlite_bulk::insert(tx, &head, &types, rows, put).await
            }
            EngineTransaction::Postgres(tx, _) => {
                super::postgres_copy::insert(tx, table, columns, rows, put).await
            }
        }
        .map_err(failed)
    }

    /// Passes every row of a table to `each`, in key order.
    pub(super) async fn scan(
        &mut self,
        scan: &TableScan<'_>,
        mut each: impl FnMut(&mut [SqlValue]),
    ) -> Result<(), StoreError> {
        let failed = self.error_mapper();
        match &mut self.engine {
            EngineTransaction::Sqlite(tx, _) => super::sqlite_scan::scan(tx, scan, &mut each).await,
            EngineTransaction::Postgres(tx, _) => {
                super::postgres_copy::scan(tx, scan, &mut each).await
            }
        }
        .map_err(failed)
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let failed = self.error_mapper();
        match self.engine {
            EngineTransaction::Sqlite(tx, _first) => tx.commit().await,
            EngineTransaction::Postgres(tx, _first) => tx.commit().await,
        }
        .map_err(failed)
    }
}

/// Binds each column as one array.
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

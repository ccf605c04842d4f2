//! Asks a query of the operator about some resources. The query is not Roster's: it runs where
//! nothing can be written, for a limited time, and its columns are checked.

use super::Store;
use super::error::SqlFault;
use super::open::ForeignReader;
use crate::model::CompactText;
use sqlx::{AssertSqlSafe, Row as _};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How many instructions of SQLite pass between two looks at the clock.
const INSTRUCTIONS: i32 = 10_000;
/// How much longer than the engine itself this waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a query of the operator has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ImpactFault {
    #[error("it did not end within {0:?}")]
    Timeout(Duration),
    #[error("it has to return two columns: the external id and a number")]
    Columns,
    #[error("{0}")]
    Sql(SqlFault),
}

/// The rows of a query: external id and number, as text.
pub type ImpactRows = Vec<(String, Option<String>)>;

impl Store {
    /// Runs a query with the resources in the table `deactivated(id)`. Without a database there are
    /// no rows.
    pub async fn impact(
        &self,
        sql: &str,
        ids: &BTreeSet<CompactText>,
        limit: Duration,
    ) -> Result<ImpactRows, ImpactFault> {
        let failed = |error| fault(error, limit);
        let Some(reader) = self.foreign_reader().await.map_err(failed)? else {
            return Ok(Vec::new());
        };
        let answer = tokio::time::timeout(limit + PATIENCE, ask(reader, sql, ids, limit)).await;
        match answer {
            Ok(answer) => answer.map_err(failed),
            Err(_) => Err(ImpactFault::Timeout(limit)),
        }
    }
}

async fn ask(
    reader: ForeignReader,
    sql: &str,
    ids: &BTreeSet<CompactText>,
    limit: Duration,
) -> Result<ImpactRows, sqlx::Error> {
    let ids: Vec<&str> = ids.iter().map(CompactText::as_str).collect();
    match reader {
        ForeignReader::Sqlite(mut connection) => {
            let end = Instant::now() + limit;
            let mut handle = connection.lock_handle().await?;
            handle.set_progress_handler(INSTRUCTIONS, move || Instant::now() < end);
            drop(handle);
            let sql = statement(sql, "SELECT value FROM json_each(?1)");
            let list = serde_json::to_string(&ids).unwrap_or_default();
            let query = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(list);
            let rows = query.fetch_all(&mut connection).await?;
            rows.iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .collect()
        }
        ForeignReader::Postgres(mut transaction, _first) => {
            let millis = limit.as_millis();
            let timeout = format!("SET LOCAL statement_timeout = {millis}");
            sqlx::raw_sql(AssertSqlSafe(timeout))
                .execute(&mut *transaction)
                .await?;
            let sql = statement(sql, "SELECT unnest($1::text[])");
            let query = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(ids);
            let rows = query.fetch_all(&mut *transaction).await?;
            rows.iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .collect()
        }
    }
}

/// The query with the table of ids. As a subquery it can only be a `SELECT`, and in a union it must
/// have two columns, also if it returns no row.
fn statement(sql: &str, ids: &str) -> String {
    let sql = sql.trim().trim_end_matches(';');
    format!(
        "WITH deactivated(id) AS ({ids}), roster_impact(id, number) AS (\
         SELECT NULL, NULL WHERE 1 = 0 UNION ALL SELECT * FROM (\n{sql}\n) AS answer) \
         SELECT CAST(id AS TEXT), CAST(number AS TEXT) FROM roster_impact \
         WHERE CAST(id AS TEXT) IN (SELECT id FROM deactivated)"
    )
}

fn fault(error: sqlx::Error, limit: Duration) -> ImpactFault {
    let database = error.as_database_error();
    let code = database.and_then(sqlx::error::DatabaseError::code);
    // PostgreSQL cancels, and SQLite interrupts.
    if matches!(code.as_deref(), Some("57014" | "9")) {
        return ImpactFault::Timeout(limit);
    }
    // Both engines say of the union that its sides differ.
    let differs = |message: &str| {
        message.contains("same number of columns")
            || message.contains("same number of result columns")
    };
    if database.is_some_and(|error| differs(error.message())) {
        return ImpactFault::Columns;
    }
    ImpactFault::Sql(SqlFault(error))
}

//! Opening a database.

use super::connection::{EngineTransaction, SqlTransaction};
use super::embedded;
use super::error::{SqlFault, StoreError};
use super::postgres_servers::PostgresServers;
use sqlx::SqlitePool;
use std::path::Path;
use std::sync::Arc;

/// What a store is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreAccess {
    /// Nothing is written, nothing is created: read rights are enough.
    Read,
    /// A missing SQLite file is created.
    Write,
}

/// A database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: ConnectionPool,
    /// Where it is, without a password.
    url: Arc<str>,
}

#[derive(Clone, Debug)]
enum ConnectionPool {
    Sqlite(SqlitePool),
    Postgres(PostgresServers),
    /// A SQLite file that is not there, opened for reading: an empty database.
    Missing,
}

/// Begins a transaction that writes. One whose process stands still, stopped or without processor,
/// would hold its locks for as long: the server ends it, and the next one goes on.
const WRITING: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '30s'";

impl Store {
    /// Opens the database at `sqlite:PATH` or `postgres://…`.
    pub async fn open(url: &str, access: StoreAccess) -> Result<Self, StoreError> {
        let unknown = || StoreError::InvalidUrl(redacted(url));
        let pool = match url.split_once(':') {
            Some(("sqlite", path)) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                // A database in memory ends with the command.
                if path.is_empty() || path == ":memory:" {
                    return Err(unknown());
                }
                let pool = embedded::open(Path::new(path), access).await?;
                pool.map_or(ConnectionPool::Missing, ConnectionPool::Sqlite)
            }
            Some(("postgres" | "postgresql", _)) => {
                ConnectionPool::Postgres(PostgresServers::open(url, access).await?)
            }
            _ => return Err(unknown()),
        };
        let url = redacted(url).into();
        let store = Self { pool, url };
        store.ensure_visible().await?;
        store.must_be_ours().await?;
        Ok(store)
    }

    /// Where it is, without a password.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether there is a database at all; a missing SQLite file is an empty one.
    #[must_use]
    pub fn exists(&self) -> bool {
        !matches!(self.pool, ConnectionPool::Missing)
    }

    /// The name of the engine.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        match self.pool {
            ConnectionPool::Postgres(_) => super::dialect::POSTGRES.name,
            ConnectionPool::Sqlite(_) | ConnectionPool::Missing => super::dialect::SQLITE.name,
        }
    }

    /// Whether the database is a file of this machine's.
    #[must_use]
    pub fn embedded(&self) -> bool {
        !matches!(self.pool, ConnectionPool::Postgres(_))
    }

    /// Closes every connection; SQLite folds its write-ahead log into the file.
    pub async fn close(&self) {
        match &self.pool {
            ConnectionPool::Sqlite(pool) => pool.close().await,
            ConnectionPool::Postgres(servers) => servers.close().await,
            ConnectionPool::Missing => {}
        }
    }

    /// A transaction that reads one moment of the database; `None` when there is no database.
    pub(super) async fn begin_read(
        &self,
        operation: &'static str,
    ) -> Result<Option<SqlTransaction>, StoreError> {
        let failed = |source| self.sql_error(operation, source);
        let engine = match &self.pool {
            ConnectionPool::Missing => return Ok(None),
            ConnectionPool::Sqlite(pool) => {
                EngineTransaction::Sqlite(pool.begin().await.map_err(failed)?)
            }
            ConnectionPool::Postgres(servers) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                EngineTransaction::Postgres(servers.begin(begin).await.map_err(failed)?)
            }
        };
        Ok(Some(SqlTransaction::new(
            engine,
            operation,
            Arc::clone(&self.url),
        )))
    }

    /// A transaction that writes.
    pub(super) async fn begin_write(
        &self,
        operation: &'static str,
    ) -> Result<SqlTransaction, StoreError> {
        let failed = |source| self.sql_error(operation, source);
        let engine = match &self.pool {
            ConnectionPool::Missing => return Err(StoreError::Missing),
            ConnectionPool::Sqlite(pool) => {
                EngineTransaction::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?)
            }
            ConnectionPool::Postgres(servers) => {
                EngineTransaction::Postgres(servers.begin(WRITING).await.map_err(failed)?)
            }
        };
        Ok(SqlTransaction::new(
            engine,
            operation,
            Arc::clone(&self.url),
        ))
    }

    fn sql_error(&self, operation: &'static str, source: sqlx::Error) -> StoreError {
        StoreError::Sql {
            operation,
            place: Arc::clone(&self.url),
            source: SqlFault(source),
        }
    }

    /// Folds SQLite's write-ahead log into the file as far as readers let it.
    pub(super) async fn checkpoint(&self) {
        if let ConnectionPool::Sqlite(pool) = &self.pool {
            // A reader in the way only means that the next apply does it.
            let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(pool)
                .await;
        }
    }
}

/// The URL without its password.
pub(super) fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let rest = match rest.rsplit_once('@') {
        Some((login, host)) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{user}@{host}")
        }
        None => rest.to_owned(),
    };
    // A password may also stand in the query.
    let shown = rest.split('?').next().unwrap_or_default();
    format!("{scheme}://{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_has_no_password() {
        for url in [
            "postgres://eva:hun%40ter2@db.example/shop?sslmode=require",
            "postgres://eva@db.example/shop?password=hunter2",
            "mysql://eva:hunter2@db.example/shop",
        ] {
            let shown = redacted(url);
            assert!(!shown.contains("ter2"), "{shown}");
            assert!(shown.contains("db.example/shop"), "{shown}");
        }
    }
}

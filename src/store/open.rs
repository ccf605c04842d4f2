//! Opens a database by its URL and begins its transactions. Opening also refuses a database that
//! belongs to another program or that the role cannot see; both would look empty, and a plan
//! against an empty directory is wrong.

use super::access::{StoreAccess, redacted};
use super::connection::{EngineTransaction, SqlTransaction};
use super::embedded::{self, EmbeddedPool};
use super::error::{SqlFault, StoreError};
use super::postgres_servers::PostgresServers;
use super::two_tier_pool::FirstConnectionUse;
use sqlx::{ConnectOptions as _, Postgres, Row as _, SqliteConnection, Transaction};
use std::path::Path;
use std::sync::Arc;

/// An open database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: ConnectionPool,
    /// The address, without its password.
    url: Arc<str>,
}

#[derive(Clone, Debug)]
enum ConnectionPool {
    Sqlite(EmbeddedPool),
    Postgres(PostgresServers),
    /// A missing SQLite file opened for reading: an empty database.
    Missing,
}

/// A connection that cannot write.
pub(super) enum ForeignReader {
    Sqlite(SqliteConnection),
    Postgres(Transaction<'static, Postgres>, Option<FirstConnectionUse>),
}

/// Begins a writing transaction. A process that is paused in the middle would keep its locks for as
/// long as it is paused; the server ends its transaction after this time.
const WRITING: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '30s'";

impl Store {
    /// Opens the database at `sqlite:PATH` or `postgres://…`.
    pub async fn open(url: &str, access: StoreAccess) -> Result<Self, StoreError> {
        let unknown = || StoreError::InvalidUrl(redacted(url));
        let pool = match url.split_once(':') {
            Some(("sqlite", path)) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                // A database in memory would be gone at the end of the command.
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
        // Visibility first: of tables that the role cannot see, nobody can say whose they are.
        store.ensure_visible().await?;
        store.must_be_ours().await?;
        Ok(store)
    }

    /// The address, without its password.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether the database exists; a missing SQLite file counts as an empty database.
    #[must_use]
    pub fn exists(&self) -> bool {
        !matches!(self.pool, ConnectionPool::Missing)
    }

    #[must_use]
    pub fn engine(&self) -> &'static str {
        match self.pool {
            ConnectionPool::Postgres(_) => super::dialect::POSTGRES.name,
            ConnectionPool::Sqlite(_) | ConnectionPool::Missing => super::dialect::SQLITE.name,
        }
    }

    /// Whether the database is a local file.
    #[must_use]
    pub fn embedded(&self) -> bool {
        !matches!(self.pool, ConnectionPool::Postgres(_))
    }

    /// Closes every connection; SQLite then folds its write-ahead log into the file.
    pub async fn close(&self) {
        match &self.pool {
            ConnectionPool::Sqlite(pool) => pool.close().await,
            ConnectionPool::Postgres(servers) => servers.close().await,
            ConnectionPool::Missing => {}
        }
    }

    /// Begins a transaction that reads a single moment of the database; `None` without a database.
    pub(super) async fn begin_read(
        &self,
        operation: &'static str,
    ) -> Result<Option<SqlTransaction>, StoreError> {
        let failed = |source| self.sql_error(operation, source);
        let engine = match &self.pool {
            ConnectionPool::Missing => return Ok(None),
            ConnectionPool::Sqlite(pool) => {
                let (tx, first) = pool.begin("BEGIN").await.map_err(failed)?;
                EngineTransaction::Sqlite(tx, first)
            }
            ConnectionPool::Postgres(servers) => {
                // A plan reads many tables one after the other. At a lower isolation level another
                // commit could come in between.
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                let (tx, first) = servers.begin(begin).await.map_err(failed)?;
                EngineTransaction::Postgres(tx, first)
            }
        };
        Ok(Some(SqlTransaction::new(
            engine,
            operation,
            Arc::clone(&self.url),
        )))
    }

    /// A connection for statements that are not Roster's: it cannot write. `None` without a
    /// database.
    pub(super) async fn foreign_reader(&self) -> Result<Option<ForeignReader>, sqlx::Error> {
        Ok(match &self.pool {
            ConnectionPool::Missing => None,
            ConnectionPool::Sqlite(pool) => {
                // One of its own, so that no limit of it stays on a connection of the pool.
                let options = pool.options().read_only(true).pragma("query_only", "ON");
                Some(ForeignReader::Sqlite(options.connect().await?))
            }
            ConnectionPool::Postgres(servers) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                let (tx, first) = servers.begin(begin).await?;
                Some(ForeignReader::Postgres(tx, first))
            }
        })
    }

    /// Begins a writing transaction.
    pub(super) async fn begin_write(
        &self,
        operation: &'static str,
    ) -> Result<SqlTransaction, StoreError> {
        let failed = |source| self.sql_error(operation, source);
        let engine = match &self.pool {
            ConnectionPool::Missing => return Err(StoreError::Missing),
            ConnectionPool::Sqlite(pool) => {
                // Takes the write lock at once. A transaction that starts by reading cannot wait
                // for another writer later: SQLite fails it with SQLITE_BUSY.
                let (tx, first) = pool.begin("BEGIN IMMEDIATE").await.map_err(failed)?;
                EngineTransaction::Sqlite(tx, first)
            }
            ConnectionPool::Postgres(servers) => {
                let (tx, first) = servers.begin(WRITING).await.map_err(failed)?;
                EngineTransaction::Postgres(tx, first)
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

    /// Overwrites what earlier deletions left in a SQLite file: writes the whole file anew, and
    /// empties the log. Returns what is wrong if that fails, with the way to repeat it. PostgreSQL
    /// frees deleted rows by itself.
    pub(super) async fn clean_after_erasure(&self) -> Option<String> {
        let ConnectionPool::Sqlite(pool) = &self.pool else {
            return None;
        };
        let (pool, _first) = pool.free();
        let cleaned = async {
            sqlx::query("VACUUM").execute(pool).await?;
            // Waits for readers, as long as for any other lock.
            let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
            row.fetch_one(pool).await?.try_get::<i64, _>(0)
        };
        let why = match cleaned.await {
            Ok(0) => return None,
            Ok(_) => "another program is reading it".to_owned(),
            Err(error) => SqlFault(error).to_string(),
        };
        Some(format!(
            "the rows are gone, but the database file may still hold deleted bytes: {why}; \
             repeat the command to clean it"
        ))
    }

    /// Folds SQLite's write-ahead log into the file, as far as readers allow.
    pub(super) async fn checkpoint(&self) {
        if let ConnectionPool::Sqlite(pool) = &self.pool {
            let (pool, _first) = pool.free();
            // If a reader is in the way, the next apply does it.
            let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(pool)
                .await;
        }
    }
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

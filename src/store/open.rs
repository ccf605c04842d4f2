//! Opening a database.

use super::connection::{Engine, Tx};
use super::error::StoreError;
use super::servers::Servers;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqlitePool};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a store is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Nothing is written, nothing is created: read rights are enough.
    Read,
    /// A missing SQLite file is created.
    Write,
}

/// A database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Pool,
}

#[derive(Clone, Debug)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(Servers),
    /// A SQLite file that is not there, opened for reading: an empty database.
    Missing,
}

/// Begins a transaction that writes. One whose process stands still, stopped or without processor,
/// would hold its locks for as long: the server ends it, and the next one goes on.
const WRITING: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '30s'";

/// How long a writer waits for another one.
const BUSY: Duration = Duration::from_secs(30);

impl Store {
    /// Opens the database at `sqlite:PATH` or `postgres://…`.
    ///
    /// # Errors
    /// When it is no database URL, or the database cannot be reached or opened; the message never
    /// holds a password.
    pub async fn open(url: &str, access: Access) -> Result<Self, StoreError> {
        let pool = match url.split_once(':') {
            Some(("sqlite", path)) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                sqlite(Path::new(path), access).await?
            }
            Some(("postgres" | "postgresql", _)) => {
                Pool::Postgres(Servers::open(url, access).await?)
            }
            _ => return Err(StoreError::Url(redacted(url))),
        };
        Ok(Self { pool })
    }

    /// Whether there is a database at all; a missing SQLite file is an empty one.
    #[must_use]
    pub fn exists(&self) -> bool {
        !matches!(self.pool, Pool::Missing)
    }

    /// The name of the engine.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        match self.pool {
            Pool::Postgres(_) => super::dialect::POSTGRES.name,
            Pool::Sqlite(_) | Pool::Missing => super::dialect::SQLITE.name,
        }
    }

    /// Whether the database is a file of this machine's.
    #[must_use]
    pub fn embedded(&self) -> bool {
        !matches!(self.pool, Pool::Postgres(_))
    }

    /// Closes every connection; SQLite folds its write-ahead log into the file.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(servers) => servers.close().await,
            Pool::Missing => {}
        }
    }

    /// A transaction that reads one moment of the database; `None` when there is no database.
    pub(super) async fn reading(&self, operation: &'static str) -> Result<Option<Tx>, StoreError> {
        let failed = |source| StoreError::Sql { operation, source };
        let engine = match &self.pool {
            Pool::Missing => return Ok(None),
            Pool::Sqlite(pool) => Engine::Sqlite(pool.begin().await.map_err(failed)?),
            Pool::Postgres(servers) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Engine::Postgres(servers.begin(begin).await.map_err(failed)?)
            }
        };
        Ok(Some(Tx::new(engine, operation)))
    }

    /// A transaction that writes.
    pub(super) async fn writing(&self, operation: &'static str) -> Result<Tx, StoreError> {
        let failed = |source| StoreError::Sql { operation, source };
        let engine = match &self.pool {
            Pool::Missing => return Err(StoreError::Missing),
            Pool::Sqlite(pool) => {
                Engine::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?)
            }
            Pool::Postgres(servers) => {
                Engine::Postgres(servers.begin(WRITING).await.map_err(failed)?)
            }
        };
        Ok(Tx::new(engine, operation))
    }

    /// Folds SQLite's write-ahead log into the file as far as readers let it.
    pub(super) async fn checkpoint(&self) {
        if let Pool::Sqlite(pool) = &self.pool {
            // A reader in the way only means that the next apply does it.
            let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(pool)
                .await;
        }
    }
}

async fn sqlite(path: &Path, access: Access) -> Result<Pool, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY);
    if access == Access::Read {
        if !path.exists() {
            return Ok(Pool::Missing);
        }
        return read_sqlite(path, options.read_only(true)).await;
    }
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|error| failed_open(path, error))?;
    }
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-65536");
    Ok(Pool::Sqlite(connect(path, options).await?))
}

/// Opens for reading; in a read-only place a file without a log beside it is taken as it is.
async fn read_sqlite(path: &Path, options: SqliteConnectOptions) -> Result<Pool, StoreError> {
    let first = match connect(path, options.clone()).await {
        Ok(pool) => match sqlx::query("SELECT 1 FROM sqlite_schema")
            .fetch_optional(&pool)
            .await
        {
            Ok(_) => return Ok(Pool::Sqlite(pool)),
            Err(error) => failed_open(path, error),
        },
        Err(error) => error,
    };
    let log = PathBuf::from(format!("{}-wal", path.display()));
    match std::fs::metadata(&log) {
        Ok(log) if log.len() > 0 => Err(StoreError::ReadOnlyWal {
            path: path.display().to_string(),
        }),
        _ => match connect(path, options.immutable(true)).await {
            Ok(pool) => Ok(Pool::Sqlite(pool)),
            Err(_) => Err(first),
        },
    }
}

async fn connect(path: &Path, options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    SqlitePoolOptions::new()
        .max_connections(4)
        .after_release(|connection, _| {
            Box::pin(async move {
                // A transaction that SQLite ends by itself (no room left, `OR ROLLBACK`) is still open
                // to sqlx, for ever: such a connection begins no other one.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_with(options)
        .await
        .map_err(|error| failed_open(path, error))
}

fn failed_open(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Open {
        url: format!("sqlite:{}", path.display()),
        source: source.into(),
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

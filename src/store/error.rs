//! The errors of the store. `StoreError` is for opening, reading and recording; `ApplyError` says
//! why an apply wrote nothing. The engine's codes are interpreted only here.

use std::fmt;
use std::sync::Arc;

/// Opening, reading or recording failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL belongs to no engine.
    #[error("`{0}` is not a database address; use sqlite:PATH or postgres://…")]
    InvalidUrl(String),
    /// The database cannot be reached or opened.
    #[error("cannot open the database {url}")]
    Open {
        /// The database, without its password.
        url: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The SQLite file is damaged; nothing was read from it or written to it.
    #[error("the database {path} is damaged: {what}")]
    Damaged {
        /// The database file.
        path: String,
        /// What is wrong and what to do about it.
        what: String,
    },
    /// The database has no Roster directory.
    #[error("{0}; check the name, or create it with `roster apply` or `roster migrate`")]
    Absent(MissingDirectory),
    /// The role has no access to the data.
    #[error("{0}")]
    Denied(String),
    /// The existing tables belong to another program; nothing was read from them or written to
    /// them.
    #[error(
        "{place} is not a Roster database: it has {tables} of another program. Nothing was \
         changed; {help}"
    )]
    Foreign {
        /// The database, without its password.
        place: String,
        /// Some of its tables.
        tables: String,
        /// What to do about it.
        help: &'static str,
    },
    /// A database in a read-only folder has changes that only a writer can fold in.
    #[error(
        "cannot read {path}: its folder is read-only and {path}-wal contains changes; open it \
         once in a writable folder, or copy both files"
    )]
    ReadOnlyWal {
        /// The database file.
        path: String,
    },
    /// A missing database cannot be written through a reader.
    #[error("no database yet; create it with `roster migrate` or `roster apply`")]
    Missing,
    /// The schema belongs to another release.
    #[error("the database has schema version {found}, this release needs {needed}: {help}")]
    Schema {
        /// The stored version.
        found: i64,
        /// The version of this release.
        needed: i64,
        /// What to do about it.
        help: &'static str,
    },
    /// A statement failed.
    #[error("cannot {operation} in {place}")]
    Sql {
        /// What was being done.
        operation: &'static str,
        /// The database, without its password.
        place: Arc<str>,
        #[source]
        source: SqlFault,
    },
    /// The database holds something that Roster never writes.
    #[error("cannot {operation}: {what}")]
    Corrupt {
        /// What was being done.
        operation: &'static str,
        /// What is wrong.
        what: String,
    },
}

impl StoreError {
    /// Whether a retry may succeed: a serialization failure or a deadlock.
    pub(super) fn transient(&self) -> bool {
        self.code()
            .is_some_and(|code| matches!(code.as_str(), "40001" | "40P01"))
    }

    /// Whether another transaction held a lock for longer than the statement may wait.
    pub(super) fn is_lock_timeout(&self) -> bool {
        self.code().is_some_and(|code| code == "55P03")
    }

    /// Why no write can succeed at all, if that is the case: no disk space, a read-only database or
    /// a failing disk.
    #[must_use]
    pub fn write_failure(&self) -> Option<&'static str> {
        const FULL: &str = "the disk is full";
        const READ_ONLY: &str = "the database is read-only";
        const BROKEN: &str = "the disk reports an error";
        let code = self.code()?;
        // PostgreSQL's codes have five characters, SQLite's are shorter numbers.
        match code.as_str() {
            "53100" => return Some(FULL),
            "25006" => return Some(READ_ONLY),
            "58030" => return Some(BROKEN),
            code if code.len() == 5 => return None,
            _ => {}
        }
        // SQLite's extended codes carry the primary code in the lowest byte.
        match code.parse::<u32>().ok()? & 0xff {
            13 => Some(FULL),
            8 => Some(READ_ONLY),
            10 => Some(BROKEN),
            _ => None,
        }
    }

    /// The engine's code, if a statement failed.
    fn code(&self) -> Option<String> {
        match self {
            Self::Sql { source, .. } => Some(source.0.as_database_error()?.code()?.into_owned()),
            _ => None,
        }
    }
}

/// Why a statement or connection failed, without the driver's own wording.
#[derive(Debug)]
pub struct SqlFault(pub(super) sqlx::Error);

impl SqlFault {
    /// Whether SQLite found the file damaged.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self.sqlite_code(), Some(11 | 26))
    }

    /// Whether SQLite could not open or write a file.
    pub(super) fn is_read_only(&self) -> bool {
        matches!(self.sqlite_code(), Some(8 | 14))
    }

    /// SQLite's primary result code.
    fn sqlite_code(&self) -> Option<i64> {
        let error = self.0.as_database_error()?;
        error.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
        error.code()?.parse::<i64>().ok().map(|code| code & 0xff)
    }
}

impl fmt::Display for SqlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            _ if self.is_damage() => f.write_str(
                "the database file is damaged; nothing was written; restore it from a backup",
            ),
            sqlx::Error::Database(error) => f.write_str(error.message()),
            sqlx::Error::Io(error) => match error.kind() {
                std::io::ErrorKind::ConnectionRefused => f.write_str("connection refused"),
                _ => error.fmt(f),
            },
            sqlx::Error::Tls(error) => write!(f, "no TLS connection: {error}"),
            sqlx::Error::PoolTimedOut => f.write_str("no answer in time"),
            error => error.fmt(f),
        }
    }
}

impl std::error::Error for SqlFault {}

/// Why an apply wrote nothing.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The database has changed since the plan was made.
    #[error("the plan is stale: {}", .what.join("; "))]
    Stale {
        /// What differs.
        what: Vec<String>,
    },
    /// The result would break a rule that holds whoever writes.
    #[error("{message}")]
    Invariant {
        /// The code of the rule.
        code: &'static str,
        /// The resource that the rule protects.
        key: crate::model::Key,
        /// What the run would have done.
        message: String,
    },
    /// Another process has taken over the lease.
    #[error("the lease `{scope}` was lost to another process; nothing was written")]
    Fenced {
        /// The scope of the lease.
        scope: String,
    },
    /// The connection was lost during the commit and the database cannot be asked. Either
    /// everything was written or nothing.
    #[error(
        "the connection was lost during the commit of run {run}; check with `roster history` whether it was committed"
    )]
    CommitUnknown {
        run: i64,
        /// Why the database cannot be asked.
        source: StoreError,
    },
    /// A plan with errors is not applied.
    #[error("the plan has errors and was refused")]
    Refused,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// There is no directory in the database: the file is not there, or none of Roster's tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MissingDirectory {
    File {
        /// The database.
        url: String,
    },
    Tables {
        /// The database.
        url: String,
        /// The schema that was looked into, of a server.
        schema: Option<String>,
        /// Other schemas of that database that hold a directory.
        other_schemas: Vec<String>,
    },
}

impl fmt::Display for MissingDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { url } => write!(f, "the database {url} does not exist"),
            Self::Tables {
                url,
                schema,
                other_schemas: elsewhere,
            } => {
                write!(f, "the database {url} has no Roster tables")?;
                if let Some(schema) = schema {
                    write!(f, " in schema {schema}")?;
                }
                match elsewhere.as_slice() {
                    [] => Ok(()),
                    [one] => write!(f, " (schema {one} has them)"),
                    all => write!(f, " (schemas {} have them)", all.join(", ")),
                }
            }
        }
    }
}

impl MissingDirectory {
    /// Whether what is missing is the whole database, and not only its tables.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }
}

//! What can go wrong with the database.

/// Opening, reading or recording failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL is of no engine.
    #[error("`{0}` is no database: use sqlite:PATH or postgres://…")]
    Url(String),
    /// The database cannot be reached or opened.
    #[error("cannot open the database {url}")]
    Open {
        /// Where, without a password.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A database in a read-only place has changes that only a writer may fold in.
    #[error(
        "cannot read {path}: its folder is read-only and {path}-wal holds changes; \
         open it once where it can be written, or copy both files"
    )]
    ReadOnlyWal {
        /// The database file.
        path: String,
    },
    /// A database that is not there cannot be written through a reader.
    #[error("there is no database yet: `roster migrate` or `roster apply` makes one")]
    Missing,
    /// The schema is not this release's.
    #[error("the database has schema version {found}, this release needs {needed}: {help}")]
    Schema {
        /// Its version.
        found: i64,
        /// The one this release writes.
        needed: i64,
        /// The way out.
        help: &'static str,
    },
    /// A statement failed.
    #[error("cannot {operation}")]
    Sql {
        /// What was being done.
        operation: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
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
    /// Whether another try may succeed: a serialization failure or a deadlock.
    pub(super) fn transient(&self) -> bool {
        self.code()
            .is_some_and(|code| matches!(code.as_str(), "40001" | "40P01"))
    }

    /// Whether somebody else held a lock for longer than the statement was to wait.
    pub(super) fn locked(&self) -> bool {
        self.code().is_some_and(|code| code == "55P03")
    }

    /// The engine's code, if a statement failed.
    fn code(&self) -> Option<String> {
        match self {
            Self::Sql { source, .. } => Some(source.as_database_error()?.code()?.into_owned()),
            _ => None,
        }
    }
}

/// An apply that did nothing, and why.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The database is not as the plan saw it.
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
        /// The resource that would be left so.
        key: crate::model::Key,
        /// What would be.
        message: String,
    },
    /// Another process has taken over the lease.
    #[error("the lease `{scope}` was lost to another process; nothing was written")]
    Fenced {
        /// The scope of the lease.
        scope: String,
    },
    /// The connection was lost during the commit, and the database does not come back to say how it
    /// ended: all of it is there, or nothing.
    #[error(
        "the answer of the commit of run {run} was lost; `roster history` shows whether it was made"
    )]
    Unknown {
        /// Which run.
        run: i64,
        /// Why the database cannot be asked.
        source: StoreError,
    },
    /// A plan with errors is not applied.
    #[error("the plan was refused because of its errors")]
    Refused,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

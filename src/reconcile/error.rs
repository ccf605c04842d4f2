//! What can keep a pass from being made.

use crate::store::{ApplyError, LeaseError, StoreError};

/// What can keep a pass from being made.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The request does not fit the configuration.
    #[error("{0}")]
    Usage(String),
    /// The configuration cannot work.
    #[error("{0}")]
    Refused(String),
    /// Nobody waits for it any longer.
    #[error("timed out")]
    Stopped,
    /// The database is another environment's.
    #[error("environment-mismatch: the database belongs to {database}, and this run is for {run}")]
    Environment {
        database: String,
        /// Whose it should be.
        run: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Writing.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The lease of the source.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A password that was there is gone.
    #[error("the plan is stale: {0}")]
    Secret(#[from] crate::secrets::SecretError),
    /// A file that the plan stores is not as it was planned.
    #[error("the plan is stale: {0}")]
    File(String),
    /// A saved plan is for one database.
    #[error("the plan is stale: {0}")]
    Elsewhere(String),
    /// What a saved plan reads again cannot be found.
    #[error("the plan cannot be applied here: {0}")]
    Rootless(String),
}

impl PassError {
    /// Why the database takes no writes, if that is what stopped the pass.
    #[must_use]
    pub fn cannot_write(&self) -> Option<&'static str> {
        match self {
            Self::Store(error)
            | Self::Apply(ApplyError::Store(error))
            | Self::Lease(LeaseError::Store(error)) => error.write_failure(),
            _ => None,
        }
    }
}

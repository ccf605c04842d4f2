//! The errors that keep a pass from being made or applied. Faults in what a source declares are not
//! among them; those are diagnostics of its plan.

use crate::store::{ApplyError, LeaseError, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The request does not fit the configuration.
    #[error("{0}")]
    Usage(String),
    /// The configuration cannot work.
    #[error("{0}")]
    Refused(String),
    /// The pass was cancelled because its time ran out.
    #[error("timed out")]
    Stopped,
    /// The database belongs to another environment.
    #[error("environment-mismatch: the database belongs to {database}, and this run is for {run}")]
    Environment {
        database: String,
        /// The environment of this run.
        run: String,
    },
    /// The saved plan was made for another environment.
    #[error("environment-mismatch: the plan was made for {plan}, and this run is for {run}")]
    PlanEnvironment {
        plan: String,
        /// The environment of this run.
        run: String,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A password that was available when the plan was made is gone.
    #[error("the plan is stale: {0}")]
    Secret(#[from] crate::secrets::SecretError),
    /// A file that the plan stores is no longer as it was planned.
    #[error("the plan is stale: {0}")]
    File(String),
    /// The saved plan was made for another database.
    #[error("the plan is stale: {0}")]
    Elsewhere(String),
    /// A file or password that the saved plan needs cannot be located.
    #[error("the plan cannot be applied here: {0}")]
    Rootless(String),
}

impl PassError {
    /// Why the database takes no writes, if that stopped the pass.
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

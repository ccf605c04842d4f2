//! Why a command failed, and the exit codes. The codes are part of the interface: scripts and CI
//! jobs decide by them.

use crate::config::ConfigError;
use crate::diagnostic::{chain, visible};
use crate::reconcile::{CompareError, PassError};
use crate::store::{ApplyError, LeaseError, StoreError};
use std::io;

/// Something failed.
pub const ERROR: u8 = 1;
/// The plan has steps; only with `--detailed-exitcode`.
pub const CHANGES: u8 = 2;
/// A hold is waiting or the plan is stale; nothing unsafe was done.
pub const HELD: u8 = 3;
/// Another process holds the lease.
pub const LOCKED: u8 = 4;
/// The command line is wrong.
pub const USAGE: u8 = 64;

/// Why a command failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct CommandFailure {
    /// The message.
    pub message: String,
    pub exit: u8,
}

impl CommandFailure {
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit: ERROR,
        }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit: USAGE,
        }
    }

    /// Prints it on stderr, unless the message is empty; returns the exit code.
    pub fn report(self) -> u8 {
        if !self.message.is_empty() {
            // A message may quote a server or a file, with any characters in it.
            let lines: Vec<_> = self.message.split('\n').map(visible).collect();
            anstream::eprintln!("error: {}", lines.join("\n"));
        }
        self.exit
    }
}

impl From<io::Error> for CommandFailure {
    /// A closed pipe is no failure worth a message.
    fn from(error: io::Error) -> Self {
        let message = match error.kind() {
            io::ErrorKind::BrokenPipe => String::new(),
            _ => format!("cannot write the result: {error}"),
        };
        Self::error(message)
    }
}

impl From<ConfigError> for CommandFailure {
    fn from(error: ConfigError) -> Self {
        Self::error(error.to_string())
    }
}

impl From<StoreError> for CommandFailure {
    fn from(error: StoreError) -> Self {
        Self::error(chain(&error))
    }
}

impl From<LeaseError> for CommandFailure {
    fn from(error: LeaseError) -> Self {
        let exit = if matches!(error, LeaseError::Timeout(_)) {
            LOCKED
        } else {
            ERROR
        };
        Self {
            message: chain(&error),
            exit,
        }
    }
}

impl From<ApplyError> for CommandFailure {
    fn from(error: ApplyError) -> Self {
        let exit = match error {
            // The same as a hold: somebody has to look, and nothing was written.
            ApplyError::Stale { .. } | ApplyError::Invariant { .. } => HELD,
            ApplyError::Fenced { .. } => LOCKED,
            ApplyError::Refused | ApplyError::CommitUnknown { .. } | ApplyError::Store(_) => ERROR,
        };
        Self {
            message: chain(&error),
            exit,
        }
    }
}

impl From<CompareError> for CommandFailure {
    fn from(error: CompareError) -> Self {
        let message = error.to_string();
        match error {
            CompareError::Revision { help, .. } => Self::error(format!("{message}\n{help}")),
            CompareError::NoRepository => Self::usage(message),
            CompareError::Pass(error) => error.into(),
        }
    }
}

impl From<PassError> for CommandFailure {
    fn from(error: PassError) -> Self {
        match error {
            PassError::Usage(message) => Self::usage(message),
            PassError::Refused(message) => Self::error(message),
            PassError::Environment { .. }
            | PassError::PlanEnvironment { .. }
            | PassError::Stopped => Self::error(error.to_string()),
            PassError::Store(error) => error.into(),
            PassError::Apply(error) => error.into(),
            PassError::Lease(error) => error.into(),
            PassError::Secret(_)
            | PassError::File(_)
            | PassError::Elsewhere(_)
            | PassError::Rootless(_) => Self {
                message: error.to_string(),
                exit: HELD,
            },
        }
    }
}

//! Why a command did not do what it was asked.

use std::io;

/// What to tell on stderr, and the exit code that says how bad it is.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What happened and what to do about it; one or more lines.
    pub message: String,
    /// The exit code of the process.
    pub exit: u8,
}

impl Failure {
    /// Something could not be read, written or applied.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit: 1,
        }
    }

    /// The command line itself is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            exit: 64,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string())
    }
}

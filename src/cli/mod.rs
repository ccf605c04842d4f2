//! The command line: one file a command.

pub mod completions;
pub mod explain;
pub mod failure;
pub mod init;
pub mod man;
pub mod print;
pub mod schema;

pub use failure::Failure;

/// The exit code of a command that did what it was asked, or why it did not.
pub type Outcome = Result<u8, Failure>;

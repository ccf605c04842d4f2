//! Exports into git: as a repository, as proposals, and claims handed over, through the program.

mod support;
mod workspace;

#[path = "into_git/adopt.rs"]
mod adopt;
#[path = "into_git/import.rs"]
mod import;
#[path = "into_git/propose.rs"]
mod propose;

//! Exports into git: as a repository, as proposals, and claims handed over, through the program.

mod adopt;
mod erased;
mod import;
mod propose;

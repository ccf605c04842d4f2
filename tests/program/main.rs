//! The program as its users meet it: commands, manifests, exports, databases and repositories, each run by the
//! built binary on both engines.

mod acts;
mod adversarial;
mod commands;
mod confirmation;
mod databases;
mod engines;
mod faults;
mod feeds;
mod feeds_written;
mod git;
mod initial_access;
mod into_git;
mod pending_accounts;
mod secrets;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;
mod terms;
mod unchanged_files;
mod wipes;

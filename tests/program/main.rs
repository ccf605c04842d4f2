//! The program as its users meet it: commands, manifests, exports, databases and repositories, each run by the
//! built binary on both engines.

mod account_deletion;
mod acts;
mod adoption;
mod adversarial;
mod backup;
mod commands;
mod comment;
mod compare;
mod confirmation;
mod databases;
mod deletion;
mod dossier;
mod effective_dates;
mod engines;
mod erased_history;
mod erased_pushes;
mod erased_reasons;
mod erasure;
mod faults;
mod feeds;
mod feeds_written;
mod field_rules;
mod get;
mod git;
mod holds;
mod impact;
mod import_holds;
mod initial_access;
mod inline_organisations;
mod into_git;
mod invitations;
mod jobs;
mod logins;
mod passwords;
mod pending_accounts;
mod plan_base;
mod plan_visibility;
mod policies;
mod random_acts;
mod rehearsal;
mod reports;
mod retired_references;
mod revert;
mod scopes;
mod second_person;
mod secrets;
mod severity;
mod shared_addresses;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;
mod terms;
mod unchanged_files;
mod visible;
mod wipes;

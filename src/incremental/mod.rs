//! Incremental passes: files that did not change since the last apply are not read again.
//!
//! The files of a source are compared with the checkpoint of its last apply (`files`,
//! `checkpoint`). What the changed files declare is planned on the rows that it affects
//! (`affected`), by the same planner as always; when the planner looks up other rows, these are
//! read and the plan is made again (`partial_snapshot`). Removals, holds, errors, and resources
//! declared in several places need a pass over everything, and `partial_plan` recognises them. All
//! functions here take values and return values; [`crate::reconcile`] reads the sources and calls
//! the planner.

mod affected;
mod checkpoint;
mod files;
mod fingerprint;
mod hidden_writes;
mod partial_plan;
mod partial_snapshot;
mod row_checkpoint;
mod unread_folders;

pub use affected::AffectedResources;
pub use checkpoint::{CheckpointBasis, PassFacts, checkpoint, with_rows};
pub use files::{CONTENT_PREFIX, FileChanges, IncrementalRead, ReadFiles, why_not_incremental};
pub use fingerprint::fingerprint;
pub use hidden_writes::{HiddenWrites, hidden_writes};
pub use partial_plan::{
    ClaimTotals, MANY_FOREIGN_WRITES, unclaimed_after, why_not_usable, why_rows_do_not_suffice,
    without_orphans,
};
pub use partial_snapshot::{PartPlanned, PartialOutcome, PartialSnapshot};
pub use row_checkpoint::{RowFacts, rows_update};
pub use unread_folders::{why_others_matter_to_folders, why_unread_folders_matter};

use crate::config::Source;

/// Logs why everything is read whatever the sources are, and returns the `None` that makes the caller
/// do so.
pub fn read_all_because<T>(why: &str) -> Option<T> {
    tracing::info!("reading everything: {why}");
    None
}

/// Logs why everything is read, and returns the `None` that makes the caller do so.
pub fn read_everything_because<T>(source: &Source, why: &str) -> Option<T> {
    tracing::info!("source {}: reading everything: {why}", source.name);
    None
}

//! What did not change since the last apply is not read again.
//!
//! The files of a source are compared with the checkpoint of its last apply (`files`). What the
//! changed ones declare is planned on the rows that it affects (`affected`), by the same planner as
//! everything. Whatever the planner looks up beyond these rows is read too, and the plan made again
//! (`partial_snapshot`). What only everything can answer is left to a pass over everything: removals,
//! holds, errors, and what is declared or changed in several places. Every function here takes values
//! and returns values; [`crate::reconcile`] reads the sources and calls the planner.

mod affected;
mod checkpoint;
mod files;
mod partial_plan;
mod partial_snapshot;

pub use affected::AffectedResources;
pub use checkpoint::{CheckpointBasis, PassFacts, checkpoint, fingerprint};
pub use files::{CONTENT_PREFIX, FileChanges, IncrementalRead, ReadFiles, why_not_incremental};
pub use partial_plan::{ClaimTotals, unclaimed_after, why_not_usable};
pub use partial_snapshot::PartialSnapshot;

use crate::config::Source;

/// Logs why everything is read, as every pass that does so must.
pub fn read_everything_because<T>(source: &Source, why: &str) -> Option<T> {
    tracing::info!("source {}: reading everything: {why}", source.name);
    None
}

//! What is kept of the rows of an export that was read.

use super::collect::{CollectedResources, RecordedRows};
use super::format::ReadOutcome;
use super::mapping::Mapping;
use crate::model::Key;
use crate::model::export_rows::ExportRowSet;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The rows of an export that was read, to compare the next one with.
#[derive(Clone, Debug, Default)]
pub struct ReadRows {
    /// The rows that were decoded: all of them, or those that differ from `known`.
    pub recorded: RecordedRows,
    /// The rows of the export before, if only what differs was read.
    pub known: Option<Arc<ExportRowSet>>,
    /// The rows of these that are gone, by their place, in ascending order.
    pub gone: Vec<usize>,
    /// The resources that only these rows named.
    pub unnamed: BTreeSet<Key>,
}

impl ReadRows {
    /// The rows of an export that was read, unless something of it depends on more than single rows.
    pub(super) fn of(
        mapping: &Mapping,
        outcome: &ReadOutcome,
        collected: &mut CollectedResources,
        has_number_ids: bool,
    ) -> Option<Self> {
        let mut recorded = collected.rows.take()?;
        recorded.facts.layout = outcome.layout;
        // A login is taken by the first row that names it, a column of secrets is reported where it
        // has its first value, ids as numbers are counted, nobody knows of which row a diagnostic
        // is that is only counted, and matched rows depend on the database.
        let depends = !collected.logins.is_empty()
            || collected.has_unread_secrets
            || has_number_ids
            || outcome.omits_diagnostics
            || mapping.matches_rows();
        let is_sound = outcome.complete && !recorded.is_incomplete && recorded.rows.fits();
        (is_sound && !depends).then(|| Self {
            recorded,
            ..Self::default()
        })
    }
}

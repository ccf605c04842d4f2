//! What is kept of the rows of an export that was read.

use super::collect::{CollectedResources, RecordedRows};
use super::format::{OmittedPlace, ReadOutcome};
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
    /// The places of the diagnostics that are only counted.
    pub omitted: Vec<OmittedPlace>,
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
        // has its first value, ids as numbers are counted, and matched rows depend on the database.
        let depends = !collected.logins.is_empty()
            || collected.has_unread_secrets
            || has_number_ids
            || mapping.matches_rows();
        let is_sound = outcome.complete && !recorded.is_incomplete && recorded.rows.fits();
        (is_sound && !depends).then(|| Self {
            recorded,
            omitted: outcome.omitted.clone(),
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::feed::{ParsedExport, preset, read_recording};
    use std::io::Cursor;

    /// An export of this many rows, all alike but for the id.
    fn read(rows: usize, row: &str) -> ParsedExport {
        let mapping = preset::mapping("djust-accounts").expect("a preset");
        let rows: String = (0..rows).map(|n| format!("a-{n};{row}\n")).collect();
        let text = format!("accountExternalId;accountName;accountManagerName\n{rows}");
        let name = "erp.csv".into();
        read_recording(Cursor::new(text), &name, &"erp".into(), &mapping)
    }

    #[test]
    fn a_row_is_known_also_where_its_diagnostic_is_only_counted() {
        let warned = read(10_003, "Acme;BjÃ¶rn");
        let rows = warned.rows.expect("known");
        assert_eq!(rows.omitted.len(), 3);
        let last = rows.omitted[2];
        assert!(!last.is_error);
        assert_eq!(rows.recorded.rows.at(last.at), Some(10_002));
        let torn = read(10_003, "Acme").rows.expect("known");
        assert_eq!(torn.omitted.len(), 3);
        assert!(read(9_000, "Acme").rows.expect("known").omitted.is_empty());
    }
}

//! Feeds: exports of an ERP as sources. In go the bytes of an export and a `Mapping`; out comes a
//! `ParsedExport` with the resources that it declares.
//!
//! ```text
//!  bytes ─format→ records ─mapping→ cells ─collect→ resources
//! ```
//!
//! Of an export that was accepted before, `changed_rows` reads only the rows that differ.
//!
//! A row that cannot be read but names its resource is *held, not missing*: the resource stays as
//! it is. Nothing here depends on what is stored; that is for the planner. Start reading at `read`
//! and at `ExportReading::read`.

mod changed_rows;
mod collect;
mod dropped;
mod export_reading;
pub mod format;
mod group;
pub mod guess;
pub mod mapping;
mod masked;
pub mod preset;
mod read_rows;
pub mod report;
mod value;
pub mod write;

use crate::model::{MatchTerm, RowMatches};
pub use changed_rows::read_changed;
pub use collect::{RecordKeys, RecordedRows};
pub use dropped::without_records;
pub use export_reading::ParsedExport;
pub use format::OmittedPlace;
pub use masked::without_passwords;
pub use read_rows::ReadRows;

use collect::ResourceCollector;
use export_reading::ExportReading;
use format::RowSelection;
use mapping::Mapping;
use std::collections::BTreeSet;
use std::io::{Read, Seek};
use std::sync::Arc;

/// Reads an export called `name` with a mapping.
pub fn read(
    input: impl Read + Seek,
    name: &Arc<str>,
    source: &Arc<str>,
    mapping: &Mapping,
) -> ParsedExport {
    read_matching(input, name, source, mapping, None)
}

/// Reads an export whose rows without an external id mean the stored users that they match.
pub fn read_matching(
    input: impl Read + Seek,
    name: &Arc<str>,
    source: &Arc<str>,
    mapping: &Mapping,
    matches: Option<&RowMatches>,
) -> ParsedExport {
    let collector = ResourceCollector::new(mapping, name).with_matches(matches);
    read_into(input, name, source, mapping, collector).0
}

/// Reads an export and records its rows, to read the next one only where it differs.
pub fn read_recording(
    input: impl Read + Seek,
    name: &Arc<str>,
    source: &Arc<str>,
    mapping: &Mapping,
) -> ParsedExport {
    let collector = ResourceCollector::new(mapping, name).with_rows(RecordedRows::default());
    read_into(input, name, source, mapping, collector).0
}

/// Returns the values by which rows without an external id are to be matched.
pub fn match_terms(input: impl Read + Seek, mapping: &Mapping) -> BTreeSet<MatchTerm> {
    if !mapping.matches_rows() {
        return BTreeSet::new();
    }
    let name: Arc<str> = "".into();
    read(input, &name, &name, mapping).unmatched
}

/// Reads an export and returns for each record which resources it names.
pub fn read_with_keys(
    input: impl Read + Seek,
    name: &Arc<str>,
    source: &Arc<str>,
    mapping: &Mapping,
    matches: Option<&RowMatches>,
) -> (ParsedExport, Vec<RecordKeys>) {
    let collector = ResourceCollector::new(mapping, name).with_matches(matches);
    let collector = collector.with_record_keys();
    read_into(input, name, source, mapping, collector)
}

fn read_into<'m>(
    input: impl Read + Seek,
    name: &Arc<str>,
    source: &Arc<str>,
    mapping: &'m Mapping,
    collector: ResourceCollector<'m>,
) -> (ParsedExport, Vec<RecordKeys>) {
    let of = ExportReading {
        name,
        source,
        mapping,
        rows: RowSelection::Every,
    };
    of.read(input, collector)
}

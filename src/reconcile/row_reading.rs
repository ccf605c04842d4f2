//! Reads of an export the rows that differ from those of the export accepted before, and says which rows
//! are kept for the next one. What is planned of them is in `changed_rows`.

use super::feeds::{fetched, of_export};
use super::source_reading::{SourceContent, SourceReading};
use crate::config::{Config, FeedConfig, Source};
use crate::incremental::{self, IncrementalRead, RowFacts};
use crate::model::export_rows::ExportRowSet;
use crate::model::{Digest, Key};
use crate::plan::Plan;
use crate::store::{AcceptedExport, ExportRowsUpdate, SourceCheckpoint};
use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

/// Reads of the export that was fetched last the rows that differ from the known ones, or says why
/// all of it has to be read.
pub(super) fn read_changed_rows(
    config: &Config,
    source: &Source,
    feed: &FeedConfig,
    applied: &SourceCheckpoint,
    known: ExportRowSet,
) -> Result<SourceReading, &'static str> {
    let unread = IncrementalRead {
        // An export may have another name every night.
        gone: applied.files.keys().cloned().collect(),
        since: applied.revision.clone(),
        fingerprint: applied.fingerprint,
        ..IncrementalRead::default()
    };
    let also = BTreeSet::new();
    read_rows(config, source, feed, unread, &Arc::new(known), &also)
}

/// The same, with the rows that name some more resources.
pub(super) fn reread_changed_rows(
    config: &Config,
    reading: &SourceReading,
    also: &BTreeSet<Key>,
) -> Result<SourceReading, &'static str> {
    let known = reading.rows.as_ref().and_then(|rows| rows.known.clone());
    let (Some(feed), Some(known), Some(unread)) =
        (reading.source.feed(), known, reading.incremental())
    else {
        return Err("its rows are not known");
    };
    let again = read_rows(config, &reading.source, feed, unread.clone(), &known, also)?;
    let digest = |reading: &SourceReading| reading.export_facts().map(|facts| facts.digest);
    if digest(&again) != digest(reading) {
        return Err("another export was fetched meanwhile");
    }
    Ok(again)
}

fn read_rows(
    config: &Config,
    source: &Source,
    feed: &FeedConfig,
    unread: IncrementalRead,
    known: &Arc<ExportRowSet>,
    also: &BTreeSet<Key>,
) -> Result<SourceReading, &'static str> {
    let (path, fetched) = fetched(config, feed).ok_or("it was not fetched")?;
    let file = File::open(&path).map_err(|_| "it cannot be opened")?;
    let name: Arc<str> = fetched.name.as_str().into();
    let read = crate::feed::read_changed(file, &name, &source.name, &feed.mapping, known, also)?;
    if read.declared.is_empty() {
        return Err("it declares nothing");
    }
    let decoded = read
        .rows
        .as_ref()
        .map_or(0, |rows| rows.recorded.rows.len());
    tracing::info!(
        "source {}: read {decoded} of {} rows; the others are unchanged",
        source.name,
        read.records
    );
    let reading = of_export(source, &name, read, (path, Some(fetched)));
    let SourceContent::Export(Some(facts)) = reading.content else {
        return Err("it cannot be read");
    };
    let unread = IncrementalRead {
        declared: Arc::clone(&reading.as_read),
        ..unread
    };
    let content = SourceContent::ChangedRows(unread, facts);
    Ok(SourceReading { content, ..reading })
}

/// What to remember of the rows of an applied export.
pub(super) fn rows_update(
    reading: &SourceReading,
    plan: &Plan,
    accepted: Option<&AcceptedExport>,
) -> ExportRowsUpdate {
    let (Some(_), Some(facts)) = (reading.source.feed(), reading.export_facts()) else {
        return ExportRowsUpdate::Keep;
    };
    if matches!(reading.content, SourceContent::UnchangedExport(..)) {
        return ExportRowsUpdate::Keep;
    }
    let judged = reading.judged.export.as_ref();
    // The same bytes were accepted before.
    let is_same = judged.is_some_and(|judged| !judged.is_new && judged.doubt.is_none());
    let name = facts.body.1.as_ref().map(|fetched| fetched.name.as_str());
    let (true, Some(rows), Some(name)) = (is_same || accepted.is_some(), &reading.rows, name)
    else {
        return ExportRowsUpdate::Forget;
    };
    let unread = reading.incremental();
    let of = RowFacts {
        rows,
        desired: &reading.desired,
        export: facts.digest,
        since: unread.and_then(|unread| Digest::parse(&unread.since)),
        name,
        found: &reading.diagnostics,
    };
    incremental::rows_update(&of, plan)
}

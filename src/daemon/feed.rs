//! What the state of a source says about its export: size, age, completeness, what was accepted,
//! and which resources it no longer names. It also keeps the CSV report of the faulty rows, for
//! `/api/v1/sources/SOURCE/report`. Start at `feed_state`.

use crate::config::Source;
use crate::document::{ExportRejection, FeedState, MissingResources};
use crate::feed::report;
use crate::kinds;
use crate::plan::Plan;
use crate::reconcile::{PassError, SourcePushes, SourceReading};
use crate::store::Store;
use chrono::DateTime;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Cursor;

/// How many missing resources are named for each count of missed exports; the rest are only
/// counted.
const MAX_NAMED_RESOURCES: usize = 20;
/// The largest report that is kept in the database.
const MAX_REPORT_BYTES: usize = 16 << 20;

/// Describes the export that a pass has read. `None` if the source is not an export or the export
/// could not be read.
pub(super) async fn feed_state(
    reading: &SourceReading,
    store: &Store,
    same: Option<&str>,
) -> Result<Option<FeedState>, PassError> {
    let (Some(facts), Some(judged)) = (reading.export_facts(), &reading.judged.export) else {
        return Ok(None);
    };
    let source = &reading.source;
    let counted = store.count_accepted(&source.name).await?;
    let fetched = facts.body.1.as_ref();
    let name = fetched.map_or_else(|| source.written.clone(), |fetched| fetched.name.clone());
    let doubt = judged
        .doubt
        .as_ref()
        .map(|(code, message)| ExportRejection {
            code: code.name().to_owned(),
            message: message.clone(),
        });
    Ok(Some(FeedState {
        name,
        digest: facts.digest.to_string(),
        rows: facts.records,
        trailer: facts.trailer,
        columns: facts.columns.clone(),
        complete: facts.complete,
        doubt,
        // Times that a server or a file system claims may be out of range; then there is none.
        written_at: facts.modified_at.and_then(DateTime::from_timestamp_millis),
        same: same.map(str::to_owned),
        // An export that was ever accepted counts as begun, even without an approval of its own.
        begun: judged.is_started || counted.count > 0,
        accepted: counted.count,
        accepted_at: counted.last.and_then(DateTime::from_timestamp_millis),
        missing: missing(source, &judged.missed_counts),
        report: false,
    }))
}

fn missing(source: &Source, missed: &BTreeMap<crate::model::Key, u32>) -> Vec<MissingResources> {
    let of = source.feed().and_then(|feed| feed.absence);
    let mut by_count: BTreeMap<u32, MissingResources> = BTreeMap::new();
    // A resource without a status is never deactivated for being absent, so nobody needs to hear
    // about it.
    let shown = missed
        .iter()
        .filter(|(key, missed)| **missed > 0 && kinds::get(key.kind).has_status);
    for (key, missed) in shown {
        let entry = by_count.entry(*missed).or_default();
        (entry.missed, entry.of) = (*missed, of);
        entry.count += 1;
        if entry.resources.len() < MAX_NAMED_RESOURCES {
            entry.resources.push(key.to_string());
        }
    }
    by_count.into_values().collect()
}

/// Stores the report of the faulty rows of the export that was read. Returns whether it has any
/// rows.
pub(super) async fn store_report(
    reading: &SourceReading,
    plan: &Plan,
    pushed: Option<&SourcePushes>,
    store: &Store,
) -> Result<bool, PassError> {
    let Some(report) = report(reading, plan, pushed) else {
        return Ok(false);
    };
    let name = &reading.source.name;
    // The first line is the header; the report has rows only if something follows it.
    let any = report
        .split(|byte| *byte == b'\n')
        .nth(1)
        .is_some_and(|row| !row.is_empty());
    // The report may be 16 MiB, and most passes find the same one, so it is written only when it
    // changed. An empty one is written only over an older one, so that rows which are fixed
    // disappear.
    let before = store.report(name).await?;
    if before.as_ref() != Some(&report) && (any || before.is_some()) {
        store.keep_report(name, &report).await?;
    }
    Ok(any)
}

fn report(reading: &SourceReading, plan: &Plan, pushed: Option<&SourcePushes>) -> Option<Vec<u8>> {
    let (facts, feed) = (reading.export_facts()?, reading.source.feed()?);
    let mut text = Vec::new();
    let (mapping, found) = (&feed.mapping, &plan.diagnostics);
    let written = if feed.is_pushed() {
        // A pushed source has no file. Its report is about the last body of this pass.
        let sent = pushed?.bodies.last()?;
        report::write(
            Cursor::new(&*sent.bytes),
            &sent.name,
            mapping,
            found,
            &mut text,
        )
    } else {
        let (path, fetched) = &facts.body;
        let name = fetched.as_ref()?.name.as_str().into();
        report::write(File::open(path).ok()?, &name, mapping, found, &mut text)
    };
    // The report is a service. Failing the pass for it would delay changes that are fine.
    if let Err(error) = written {
        tracing::warn!(
            "source {}: cannot write the report: {error}",
            reading.source.name
        );
        return None;
    }
    if text.len() > MAX_REPORT_BYTES {
        // Cut at a line end, so that the file stays valid CSV.
        let end = text[..MAX_REPORT_BYTES]
            .iter()
            .rposition(|byte| *byte == b'\n')?;
        text.truncate(end + 1);
    }
    Some(text)
}

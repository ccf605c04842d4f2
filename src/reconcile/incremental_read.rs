//! Reads the sources of a pass; of a source that was applied before, only the files that changed
//! since. Returns `None` wherever the unchanged files could matter, and the caller reads
//! everything. Start reading at [`read`].

use super::feeds;
use super::source_reading::{self, SourceContent, SourceReading};
use super::{PassError, PassRequest};
use crate::config::{Config, Source};
use crate::incremental::{
    FileChanges, IncrementalRead, fingerprint, read_everything_because, why_not_incremental,
};
use crate::store::{AcceptedExport, ReadTransaction, SourceCheckpoint, Store};
use std::sync::Arc;

/// The readings of all sources, or `None` when everything has to be read.
pub(super) async fn read(
    config: &Config,
    request: &PassRequest,
    store: &Store,
) -> Result<Option<Vec<SourceReading>>, PassError> {
    if asks_for_all(config, request) {
        return Ok(None);
    }
    let Some(mut transaction) = store.read_transaction().await? else {
        return Ok(None);
    };
    let known = transaction.remembered_sources().await?;
    // A directory without a checkpoint was never applied whole, so its files are not known.
    let mut directories = config.sources.iter().filter(|it| it.feed().is_none());
    if !directories.all(|source| known.contains(&*source.name)) {
        return Ok(None);
    }
    let mut readings = Vec::new();
    for source in &config.sources {
        match read_source(config, request, source, store, &mut transaction).await? {
            Ok(reading) => readings.push(reading),
            Err(why) => return Ok(read_everything_because(source, why)),
        }
    }
    // Two changed sources may give a resource from one to the other. Only a pass that reads both
    // sees that as one move and not as a removal.
    let mut changed = readings.iter().filter(|reading| !reading.is_unchanged());
    if let (Some(_), Some(second)) = (changed.next(), changed.next()) {
        return Ok(read_everything_because(
            &second.source,
            "another source changed too",
        ));
    }
    Ok(Some(readings))
}

/// The readings of another pass, with only the requested source read again; `None` when that source
/// changed in between, or everything has to be read.
pub(super) async fn reread(
    config: &Config,
    request: &PassRequest,
    store: &Store,
    readings: Vec<SourceReading>,
) -> Result<Option<Vec<SourceReading>>, PassError> {
    let asked = |source: &Source| request.source.as_deref() == Some(&*source.name);
    let index = config.sources.iter().position(asked);
    let Some(index) = index else {
        return Ok(None);
    };
    let others = || readings.iter().enumerate().filter(|(at, _)| *at != index);
    let source = &config.sources[index];
    // Readings of both sorts must not be mixed: one that was read in part says nothing of its other
    // resources, and a full one next to it would take them for undeclared.
    let own = if others().all(|(_, reading)| !reading.is_incremental()) {
        source_reading::read_source(config, source, request)
    } else if others().all(|(_, reading)| reading.is_unchanged()) && !asks_for_all(config, request)
    {
        let Some(mut transaction) = store.read_transaction().await? else {
            return Ok(None);
        };
        match read_source(config, request, source, store, &mut transaction).await? {
            Ok(reading) => reading,
            Err(why) => return Ok(read_everything_because(source, why)),
        }
    } else {
        return Ok(None);
    };
    if own.as_read.revision != readings[index].as_read.revision {
        // What it lost may have moved to another source, which has to be read as it is now too.
        return Ok(None);
    }
    // Verdicts are relative to the pass that made them: holds and accepted exports may have changed
    // since.
    let mut readings: Vec<SourceReading> = readings
        .into_iter()
        .map(SourceReading::without_judgement)
        .collect();
    readings[index] = own;
    Ok(Some(readings))
}

fn asks_for_all(config: &Config, request: &PassRequest) -> bool {
    let named = !request.paths.is_empty() || !request.targets.is_empty();
    named || request.exact || request.scrub || !config.accepts.is_empty()
}

/// One source, of which only the changed files were read, or why all of it has to be.
async fn read_source(
    config: &Config,
    request: &PassRequest,
    source: &Source,
    store: &Store,
    transaction: &mut ReadTransaction,
) -> Result<Result<SourceReading, &'static str>, PassError> {
    let applied = transaction.source_checkpoint(&source.name).await?;
    let Some(feed) = source.feed() else {
        return Ok(match &applied {
            Some(applied) => read_changed_files(config, request, source, applied),
            None => Err("it has no checkpoint that still applies"),
        });
    };
    let last = store.accepted_exports(&source.name, 1).await?.pop();
    let known = applied.zip(last);
    let known = known.filter(|known| same_export(config, request, source, known));
    Ok(Ok(match known {
        Some(known) => feeds::unchanged(config, source, feed, known),
        None => feeds::read(config, source, feed, request),
    }))
}

/// Whether an export is the one that was last applied, with nothing left to say. For the plans of
/// other sources, the same bytes are enough; a whole plan reads what is still open about them.
fn same_export(
    config: &Config,
    request: &PassRequest,
    source: &Source,
    (remembered, last): &(SourceCheckpoint, AcceptedExport),
) -> bool {
    let asked = request.source.as_deref();
    let asked = asked.is_none_or(|name| *name == *source.name);
    // An open hold or a faulty row must be reported on every pass, so such an export is read again.
    let export = source
        .feed()
        .filter(|_| !request.unreached.contains_key(&source.name));
    let digest = export.and_then(|export| feeds::digest(config, export));
    digest == Some(last.digest)
        && remembered.revision == last.digest.to_string()
        && remembered.fingerprint == fingerprint(config, source)
        && (!asked
            || remembered.is_quiet()
                && export.is_some_and(|export| feeds::is_fresh(config, export)))
}

/// Reads the files of a source that differ from those last applied.
fn read_changed_files(
    config: &Config,
    request: &PassRequest,
    source: &Source,
    applied: &SourceCheckpoint,
) -> Result<SourceReading, &'static str> {
    if let Some(why) = why_not_incremental(config, source, applied) {
        return Err(why);
    }
    let tree = source_reading::source_tree(config, source, request);
    let changes = FileChanges::between(&tree, applied)?;
    let some = tree.with_only(|path| changes.contains(path));
    let reading = source_reading::read_tree(config, source, some, &request.stop);
    let mut errors = reading.diagnostics.iter().filter(|found| found.is_error());
    // An error can hide a key. Which of the unchanged files declares it, only a full pass can tell.
    if changes.changed_while_read(&reading.files) || errors.next().is_some() {
        return Err("a changed file has errors");
    }
    tracing::info!(
        "source {}: read {} of {} files; the others are unchanged",
        source.name,
        changes.count(),
        changes.total
    );
    // The revision covers all the files, not only those read here: the claims store it.
    let mut declared = reading.as_read.clone();
    Arc::make_mut(&mut declared).revision = changes.revision;
    let unread = IncrementalRead {
        gone: changes.gone,
        since: applied.revision.clone(),
        declared: declared.clone(),
        is_open: false,
    };
    let reading = SourceReading {
        content: SourceContent::ChangedFiles(unread),
        tree,
        ..reading
    };
    Ok(reading.with_desired(declared))
}

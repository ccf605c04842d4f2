//! Reads the sources of a pass; of a source that was applied before, only the files that changed
//! since. Returns `None` wherever the unchanged files could matter, and the caller reads
//! everything. Start reading at [`read`].

use super::feeds;
use super::row_reading;
use super::source_reading::{self, SourceContent, SourceReading};
use super::{PassError, PassRequest};
use crate::config::{Config, FeedConfig, Source};
use crate::incremental::{
    FileChanges, HiddenWrites, IncrementalRead, MANY_FOREIGN_WRITES, fingerprint, hidden_writes,
    read_all_because, read_everything_because, why_not_incremental, without_orphans,
};
use crate::model::{CompactText, Key};
use crate::store::{AcceptedExport, ReadTransaction, SourceCheckpoint, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The readings of all sources, or `None` when everything has to be read.
pub(super) async fn read(
    config: &Config,
    request: &PassRequest,
    store: &Store,
) -> Result<Option<Vec<SourceReading>>, PassError> {
    if let Some(why) = why_all(config, request) {
        return Ok(read_all_because(why));
    }
    let Some(mut transaction) = store.read_transaction().await? else {
        return Ok(read_all_because("the database is new"));
    };
    let known = transaction.remembered_sources().await?;
    // A directory without a checkpoint was never applied whole, so its files are not known.
    let mut directories = config.sources.iter().filter(|it| it.feed().is_none());
    if let Some(new) = directories.find(|source| !known.contains(&*source.name)) {
        return Ok(read_everything_because(new, "it was never applied whole"));
    }
    let mut hidden = Box::pin(find_hidden(config, request, &mut transaction)).await?;
    let mut readings = Vec::new();
    for source in &config.sources {
        let hidden = match hidden.remove(&*source.name).transpose() {
            Ok(hidden) => hidden,
            Err(why) => return Ok(read_everything_because(source, why)),
        };
        let beside = (&mut transaction, hidden.as_ref());
        match read_source(config, request, source, store, beside).await? {
            Ok(reading) => readings.push(reading.with_hidden_writes(hidden)),
            Err(why) => return Ok(read_everything_because(source, why)),
        }
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
    } else if why_all(config, request).is_none() && !request.scrub {
        let Some(mut transaction) = store.read_transaction().await? else {
            return Ok(None);
        };
        match read_source(config, request, source, store, (&mut transaction, None)).await? {
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

/// Why a pass reads all files, whether they changed or not, if it does.
fn why_all(config: &Config, request: &PassRequest) -> Option<&'static str> {
    let reasons = [
        (!request.paths.is_empty(), "paths were named"),
        (!request.targets.is_empty(), "resources were named"),
        (request.exact, "what is not declared is listed"),
        (config.as_of.is_some(), "another day was asked for"),
        (!config.accepts.is_empty(), "something is accepted"),
    ];
    let asked = reasons.into_iter().find(|(asked, _)| *asked);
    asked.map(|(_, why)| why)
}

/// What a scrub finds on the rows of the sources that are planned, by their names. Any other request
/// looks for nothing.
async fn find_hidden(
    config: &Config,
    request: &PassRequest,
    transaction: &mut ReadTransaction,
) -> Result<BTreeMap<String, Result<HiddenWrites, &'static str>>, PassError> {
    let asked = request.source.as_deref();
    let is_planned = |source: &&Source| asked.is_none_or(|name| *name == *source.name);
    let planned = config.sources.iter().filter(|_| request.scrub);
    let planned: Vec<&Source> = planned.filter(is_planned).collect();
    if planned.is_empty() {
        return Ok(BTreeMap::new());
    }
    // What a source only reports is in no claim: the values were never written.
    if let Some(reports) = planned.iter().find(|source| source.report_drift) {
        let why = "it reports drift, and every stored value is compared";
        return Ok([(reports.name.to_string(), Err(why))].into());
    }
    let found = Box::pin(hidden_writes(transaction, &planned, &request.stop)).await?;
    if request.stop.is_set() {
        return Err(PassError::Stopped);
    }
    Ok(found)
}

/// One source, of which only the changed files were read, and those that declare what a scrub found;
/// or why all of it has to be.
async fn read_source(
    config: &Config,
    request: &PassRequest,
    source: &Source,
    store: &Store,
    (transaction, hidden): (&mut ReadTransaction, Option<&HiddenWrites>),
) -> Result<Result<SourceReading, &'static str>, PassError> {
    let applied = transaction.source_checkpoint(&source.name).await?;
    let hidden: Vec<&CompactText> = hidden.iter().flat_map(|it| it.rows.values()).collect();
    let Some(feed) = source.feed() else {
        return Ok(match &applied {
            Some(applied) => match foreign_files(request, source, applied, transaction).await? {
                Some(foreign) => {
                    let wanted = foreign.into_iter().chain(hidden.into_iter().cloned());
                    read_changed_files(config, request, source, applied, &wanted.collect())
                }
                None => Err(MANY_FOREIGN_WRITES),
            },
            None => Err("it has no checkpoint that still applies"),
        });
    };
    let last = store.accepted_exports(&source.name, 1).await?.pop();
    let known = applied.zip(last);
    if let Some(known) = &known
        && hidden.is_empty()
        && same_export(config, request, source, known)
    {
        return Ok(Ok(feeds::unchanged(config, source, feed, known.clone())));
    }
    let part = match &known {
        // Which rows of the export name them is not known.
        _ if !hidden.is_empty() => Err("stored values are not what was applied"),
        Some(known) => read_changed_rows(config, request, source, feed, known, transaction).await?,
        None => Err("no export of it was accepted"),
    };
    Ok(Ok(part.unwrap_or_else(|why| {
        tracing::info!("source {}: reading the whole export: {why}", source.name);
        feeds::read(config, source, feed, request)
    })))
}

/// Reads of an export that is the one accepted last the rows of which something is open, or says why
/// they are not known.
pub(super) async fn open_rows(
    config: &Config,
    source: &Source,
    store: &Store,
    transaction: &mut ReadTransaction,
) -> Result<Result<SourceReading, &'static str>, StoreError> {
    let applied = transaction.source_checkpoint(&source.name).await?;
    let last = store.accepted_exports(&source.name, 1).await?.pop();
    let (Some(feed), Some(known)) = (source.feed(), applied.zip(last)) else {
        return Ok(Err("it was never applied whole"));
    };
    if !same_bytes(config, source, &known) {
        return Ok(Err("it changed"));
    }
    let request = PassRequest::default();
    read_changed_rows(config, &request, source, feed, &known, transaction).await
}

/// Reads the rows of an export that differ from the one accepted last, or says why it is read whole.
async fn read_changed_rows(
    config: &Config,
    request: &PassRequest,
    source: &Source,
    feed: &FeedConfig,
    (applied, last): &(SourceCheckpoint, AcceptedExport),
    transaction: &mut ReadTransaction,
) -> Result<Result<SourceReading, &'static str>, StoreError> {
    if request.unreached.contains_key(&source.name) {
        return Ok(Err("it was not reached"));
    }
    if applied.revision != last.digest.to_string() {
        return Ok(Err("the export before it was not accepted"));
    }
    if applied.fingerprint != fingerprint(config, source) {
        return Ok(Err("the release, the mapping or the configuration changed"));
    }
    let Some(known) = transaction.export_rows(&source.name, last.digest).await? else {
        return Ok(Err("its rows are not known"));
    };
    Ok(row_reading::read_changed_rows(
        config, source, feed, applied, known,
    ))
}

/// The files that declare the rows which somebody else changed; `None` if that are very many. Of a
/// source that is not planned, nobody asks.
async fn foreign_files(
    request: &PassRequest,
    source: &Source,
    applied: &SourceCheckpoint,
    transaction: &mut ReadTransaction,
) -> Result<Option<BTreeSet<CompactText>>, StoreError> {
    let asked = request.source.as_deref();
    if asked.is_some_and(|name| *name != *source.name) {
        return Ok(Some(BTreeSet::new()));
    }
    let stale = transaction.stale_claims(&source.name).await?;
    Ok(stale.map(|stale| {
        let stale = without_orphans(stale, &applied.orphans);
        stale.into_iter().map(|claim| claim.path).collect()
    }))
}

/// Whether an export is the one that was last applied, with nothing left to say. For the plans of
/// other sources, the same bytes are enough; a whole plan reads what is still open about them.
fn same_export(
    config: &Config,
    request: &PassRequest,
    source: &Source,
    known: &(SourceCheckpoint, AcceptedExport),
) -> bool {
    let asked = request.source.as_deref();
    let asked = asked.is_none_or(|name| *name == *source.name);
    let fresh = |export| feeds::is_fresh(config, export);
    // An open hold or a faulty row must be reported on every pass, so such an export is read again.
    !request.unreached.contains_key(&source.name)
        && same_bytes(config, source, known)
        && (!asked || known.0.is_quiet() && source.feed().is_some_and(fresh))
}

/// Whether an export has the bytes that were last applied, under the same mapping.
fn same_bytes(
    config: &Config,
    source: &Source,
    (remembered, last): &(SourceCheckpoint, AcceptedExport),
) -> bool {
    let digest = source.feed();
    let digest = digest.and_then(|export| feeds::digest(config, export));
    digest == Some(last.digest)
        && remembered.revision == last.digest.to_string()
        && remembered.fingerprint == fingerprint(config, source)
}

/// Reads of each source what may declare a resource: the file that its claim names, if the resource
/// is still in it, or else the files that declared it when they were last applied, and those that
/// changed since. Any other source is read whole.
pub(super) async fn read_naming(
    config: &Config,
    store: &Store,
    key: &Key,
) -> Result<Vec<SourceReading>, StoreError> {
    let request = PassRequest::default();
    let Some(mut transaction) = store.read_transaction().await? else {
        return Ok(source_reading::read_sources(config, &request));
    };
    let mut readings = Vec::new();
    for source in &config.sources {
        let part = match transaction.source_checkpoint(&source.name).await? {
            Some(applied) if why_not_incremental(config, source, &applied).is_none() => {
                let only = transaction.only_file_naming(&source.name, key).await?;
                if let Some(reading) = only.and_then(|path| read_only(config, source, &path, key)) {
                    readings.push(reading);
                    continue;
                }
                let naming = transaction.files_naming(&source.name, key).await?;
                let exports = match source.feed() {
                    Some(_) => store.accepted_exports(&source.name, 1).await?,
                    None => Vec::new(),
                };
                read_part_naming(config, source, &naming, applied, exports)
            }
            _ => None,
        };
        let whole = || source_reading::read_source(config, source, &request);
        readings.push(part.unwrap_or_else(whole));
    }
    Ok(readings)
}

/// Reads one file of a directory, if it declares a resource. A change of another file that declares
/// it too is an error of the next plan.
fn read_only(config: &Config, source: &Source, path: &str, key: &Key) -> Option<SourceReading> {
    if source.feed().is_some() {
        return None;
    }
    let request = PassRequest::default();
    let tree = source_reading::source_tree(config, source, &request);
    let tree = tree.with_only(|file| file == path);
    let (id, stop) = (Some(&key.id), &request.stop);
    let reading = source_reading::read_documents(config, source, tree, id, stop);
    reading
        .desired
        .resources
        .get(key)
        .is_some()
        .then_some(reading)
}

fn read_part_naming(
    config: &Config,
    source: &Source,
    naming: &BTreeSet<CompactText>,
    applied: SourceCheckpoint,
    exports: Vec<AcceptedExport>,
) -> Option<SourceReading> {
    let request = PassRequest::default();
    if let Some(feed) = source.feed() {
        // An export is one file, which says nothing if it did not name the resource.
        let known = (applied, exports.into_iter().next()?);
        let says_nothing = naming.is_empty() && same_bytes(config, source, &known);
        return says_nothing.then(|| feeds::unchanged(config, source, feed, known));
    }
    let tree = source_reading::source_tree(config, source, &request);
    let changes = FileChanges::between(&tree, &applied, &BTreeSet::new()).ok()?;
    let some = tree.with_only(|path| changes.contains(path) || naming.contains(path));
    Some(source_reading::read_tree(
        config,
        source,
        some,
        &request.stop,
    ))
}

/// Reads the files of a source that differ from those last applied, and those in `wanted`.
fn read_changed_files(
    config: &Config,
    request: &PassRequest,
    source: &Source,
    applied: &SourceCheckpoint,
    wanted: &BTreeSet<CompactText>,
) -> Result<SourceReading, &'static str> {
    if let Some(why) = why_not_incremental(config, source, applied) {
        return Err(why);
    }
    let tree = source_reading::source_tree(config, source, request);
    let changes = FileChanges::between(&tree, applied, wanted)?;
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
    let unchanged = changes.unchanged();
    Arc::make_mut(&mut declared).revision = changes.revision;
    let unread = IncrementalRead {
        unchanged,
        gone: changes.gone,
        since: applied.revision.clone(),
        fingerprint: applied.fingerprint,
        declared: declared.clone(),
        hidden_writes: None,
        is_open: false,
    };
    let reading = SourceReading {
        content: SourceContent::ChangedFiles(unread),
        tree,
        ..reading
    };
    Ok(reading.with_desired(declared))
}

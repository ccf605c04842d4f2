//! What did not change is not read again: of a source whose files are almost all as they were when
//! it was last applied, only the others are read.

use super::feeds;
use super::source_reading::{self, IncrementalRead, SourceReading};
use super::{PassError, PassRequest};
use crate::config::{Config, Source};
use crate::diagnostic::Diagnostic;
use crate::kinds;
use crate::manifest::{self, Tree};
use crate::model::{CompactText, Digest, KindId};
use crate::plan::{AuthorityMode, Plan, StepVerb};
use crate::store::{
    AcceptedExport, CheckpointUpdate, FileCheckpoint, IncrementalUpdate, PackedKeys,
    ReadTransaction, SourceCheckpoint, Store,
};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The sources, of which only what changed was read; `None` when everything has to be read.
pub(super) async fn read(
    config: &Config,
    request: &PassRequest,
    store: &Store,
) -> Result<Option<Vec<SourceReading>>, PassError> {
    if asks_for_all(config, request) {
        return Ok(None);
    }
    let Some(mut moment) = store.read_transaction().await? else {
        return Ok(None);
    };
    let known = moment.remembered_sources().await?;
    let mut directories = config.sources.iter().filter(|it| it.feed().is_none());
    if !directories.all(|source| known.contains(&*source.name)) {
        return Ok(None);
    }
    let mut readings = Vec::new();
    for source in &config.sources {
        match read_source(config, request, source, store, &mut moment).await? {
            Ok(reading) => readings.push(reading),
            Err(why) => return Ok(read_everything_because(source, why)),
        }
    }
    let mut changed = readings.iter().filter(|reading| !reading.is_unchanged());
    if let (Some(_), Some(second)) = (changed.next(), changed.next()) {
        return Ok(read_everything_because(
            &second.source,
            "another source changed too",
        ));
    }
    Ok(Some(readings))
}

/// The sources as another pass has just read them, but for the one that is asked for, which is read
/// again; `None` when it is not as it was, or everything has to be read for another reason.
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
    let own = if others().all(|(_, reading)| reading.incremental.is_none()) {
        source_reading::read_source(config, source, request)
    } else if others().all(|(_, reading)| reading.is_unchanged()) && !asks_for_all(config, request)
    {
        let Some(mut moment) = store.read_transaction().await? else {
            return Ok(None);
        };
        match read_source(config, request, source, store, &mut moment).await? {
            Ok(reading) => reading,
            Err(why) => return Ok(read_everything_because(source, why)),
        }
    } else {
        return Ok(None);
    };
    if own.as_read.revision != readings[index].as_read.revision {
        // What it lost may have come to another one, which has to be read as it is now.
        return Ok(None);
    }
    let mut readings: Vec<SourceReading> = readings
        .into_iter()
        .map(SourceReading::without_verdicts)
        .collect();
    readings[index] = own;
    Ok(Some(readings))
}

fn asks_for_all(config: &Config, request: &PassRequest) -> bool {
    let named = !request.paths.is_empty() || !request.targets.is_empty();
    named || request.exact || request.scrub || !config.accepts.is_empty()
}

/// One source, of which only what changed was read, or why all of it has to be.
async fn read_source(
    config: &Config,
    request: &PassRequest,
    source: &Source,
    store: &Store,
    moment: &mut ReadTransaction,
) -> Result<Result<SourceReading, &'static str>, PassError> {
    let remembered = moment.source_checkpoint(&source.name).await?;
    let Some(feed) = source.feed() else {
        let remembered = remembered.as_ref();
        return Ok(match remembered {
            Some(remembered) => read_changed_files(config, request, source, remembered),
            None => Err("no usable cache of the last pass"),
        });
    };
    let last = store.accepted_exports(&source.name, 1).await?.pop();
    let known = remembered.zip(last);
    let known = known.filter(|known| same_export(config, request, source, known));
    Ok(Ok(match known {
        Some(known) => feeds::unchanged(config, source, feed, known),
        None => feeds::read(config, source, feed, request),
    }))
}

/// Every pass that reads everything says why.
pub(super) fn read_everything_because<T>(source: &Source, why: &str) -> Option<T> {
    tracing::info!("source {}: reading everything: {why}", source.name);
    None
}

impl SourceReading {
    /// Whether nothing of it had to be read.
    pub(super) fn is_unchanged(&self) -> bool {
        if let Some(feed) = self.source.feed() {
            // Without anything that was sent, it is as it was.
            return self.incremental.is_some() || feed.is_pushed() && self.export_facts.is_none();
        }
        let gone = self.incremental.as_ref().map(|unread| &unread.gone);
        self.digests.is_empty() && gone.is_some_and(Vec::is_empty)
    }
}

/// Whether an export is the one that was applied last, and there is nothing more to be said of it. To the
/// others, it says what it said then even if something about it is still open.
fn same_export(
    config: &Config,
    request: &PassRequest,
    source: &Source,
    (remembered, last): &(SourceCheckpoint, AcceptedExport),
) -> bool {
    let asked = request.source.as_deref();
    let asked = asked.is_none_or(|name| *name == *source.name);
    let quiet = remembered.files.values().all(Option::is_some) && !remembered.files.is_empty();
    let export = source
        .feed()
        .filter(|_| !request.unreached.contains_key(&source.name));
    let digest = export.and_then(|export| feeds::digest(config, export));
    digest == Some(last.digest)
        && remembered.revision == last.digest.to_string()
        && remembered.fingerprint == fingerprint(config, source)
        && (!asked || quiet && export.is_some_and(|export| feeds::is_fresh(config, export)))
}

/// A source of which only the files are read that are not as they were.
fn read_changed_files(
    config: &Config,
    request: &PassRequest,
    source: &Source,
    remembered: &SourceCheckpoint,
) -> Result<SourceReading, &'static str> {
    let judged = |kind: KindId| {
        let kind = kinds::get(kind);
        (0..kind.fields.len()).all(|field| {
            source.authority.mode(kind, &kinds::own_field(field)) == AuthorityMode::Enforce
        })
    };
    if source.unnamed && remembered.path != source.written {
        return Err("it was applied from another path");
    }
    if remembered.files.is_empty() {
        return Err("its last apply left something open that no file declares");
    }
    let same_rules = remembered.fingerprint == fingerprint(config, source);
    if !same_rules || !kinds::RULE_KINDS.into_iter().all(judged) {
        return Err("the release or the configuration changed");
    }
    let tree = source_reading::source_tree(config, source, request);
    if !tree.diagnostics.is_empty() || !same_contents(&tree, &remembered.files) {
        return Err("its folder, or a file that it names, changed");
    }
    let digests = manifest::digests(&tree).ok_or("a file cannot be read")?;
    let differs = |path: &str, digest: Digest| remembered.files.get(path) != Some(&Some(digest));
    let others: BTreeMap<&str, Digest> = digests
        .iter()
        .map(|(path, digest)| (&**path, *digest))
        .filter(|(path, digest)| differs(path, *digest))
        .collect();
    // Reading a third again is no shorter than reading everything.
    if others.len() > 3 && others.len() * 3 > digests.len() {
        return Err("many files changed");
    }
    let now: BTreeSet<&str> = digests.iter().map(|(path, _)| &**path).collect();
    let known = remembered.files.keys().filter(|path| !is_content(path));
    let gone = known.filter(|path| !now.contains(path.as_str()));
    let mut unread = IncrementalRead {
        gone: gone.cloned().collect(),
        since: remembered.revision.clone(),
        ..IncrementalRead::default()
    };
    let some = tree.with_only(|path| others.contains_key(path));
    let reading = source_reading::read_tree(config, source, some, &request.stop);
    let raced = |(path, digest): &(Arc<str>, Digest)| others.get(&**path) != Some(digest);
    if reading.digests.iter().any(raced) || reading.diagnostics.iter().any(Diagnostic::is_error) {
        return Err("a changed file has errors");
    }
    let all = digests.iter().map(|(path, digest)| (&**path, *digest));
    let mut desired = reading.as_read.clone();
    Arc::make_mut(&mut desired).revision = match &tree.revision {
        Some(commit) => Arc::clone(commit),
        None => manifest::revision(all).to_string().into(),
    };
    tracing::info!(
        "source {}: read {} of {} files; the others are unchanged",
        source.name,
        others.len(),
        digests.len()
    );
    unread.read = desired.clone();
    let reading = SourceReading {
        incremental: Some(unread),
        tree,
        ..reading
    };
    Ok(reading.with_desired(desired))
}

/// The path of a file that a manifest names is remembered with this before it.
fn is_content(path: &str) -> bool {
    path.starts_with(source_reading::CONTENT_PREFIX)
}

fn same_contents(tree: &Tree, known: &BTreeMap<CompactText, Option<Digest>>) -> bool {
    let mut contents = known.iter().filter(|(path, _)| is_content(path));
    contents.all(|(path, digest)| {
        let (path, Some(digest)) = (&path[source_reading::CONTENT_PREFIX.len()..], digest) else {
            return false;
        };
        match tree.digest(path) {
            Some(now) => now == *digest,
            None => tree
                .file(path)
                .is_ok_and(|bytes| Sha256::digest(bytes).starts_with(&digest.0)),
        }
    })
}

/// What an apply of a whole source leaves to be remembered.
pub(super) fn remember(config: &Config, reading: &SourceReading, plan: &Plan) -> CheckpointUpdate {
    let unread = reading.incremental.as_ref();
    let desired = unread.map_or(&reading.desired, |unread| &unread.read);
    let mut files: BTreeMap<CompactText, FileCheckpoint> = BTreeMap::new();
    for (path, digest) in &reading.digests {
        let quiet = !reading.reread_always.contains(path);
        let file = FileCheckpoint {
            digest: quiet.then_some(*digest),
            ..FileCheckpoint::default()
        };
        files.insert(CompactText::new(path), file);
    }
    let again = reading.repeated.iter();
    let again = again.flat_map(|(key, paths)| paths.iter().map(move |path| (key, path)));
    for (key, path) in again {
        if let Some(file) = files.get_mut(&**path) {
            file.keys.push(key, true);
        }
    }
    for declared in &desired.resources {
        if let Some(file) = files.get_mut(&*declared.path) {
            let repeated = reading.repeated.contains_key(&declared.key);
            file.keys.push(&declared.key, repeated);
        }
    }
    // What is deleted is not there next time; a password may change while its reference stays.
    let deleted = plan
        .steps
        .iter()
        .filter(|step| step.verb == StepVerb::Delete);
    let open = plan.unsettled.iter().chain(reading.desired.secrets.keys());
    for key in open.chain(deleted.map(|step| &step.key)) {
        let declared = desired.resources.get(key);
        if let Some(file) = declared.and_then(|declared| files.get_mut(&*declared.path)) {
            file.digest = None;
        }
    }
    // What is held without being declared is in no file: it has to be looked for.
    let undeclared = plan
        .held
        .iter()
        .any(|held| !desired.resources.contains(&held.key));
    let open = undeclared || !plan.waits_for.is_empty();
    if open || !desired.removals_off.is_empty() {
        files.clear();
    } else {
        files.extend(reading.contents.iter().map(|(path, digest)| {
            let file = FileCheckpoint {
                digest: Some(*digest),
                ..FileCheckpoint::default()
            };
            (CompactText::new(path), file)
        }));
    }
    let mut orphans = PackedKeys::default();
    plan.orphans.iter().for_each(|key| orphans.push(key, false));
    CheckpointUpdate {
        path: reading.source.written.clone(),
        revision: desired.revision.to_string(),
        fingerprint: fingerprint(config, &reading.source),
        resources: unread.map_or(desired.resources.len() as u64, |unread| unread.resources),
        orphans,
        files,
        incremental: unread.map(|unread| unread_state(unread, plan)),
        accepted: None,
        import_endings: Vec::new(),
    }
}

/// What stays as it was remembered beside the files that were read again.
fn unread_state(unread: &IncrementalRead, plan: &Plan) -> IncrementalUpdate {
    let count = |verbs: &[StepVerb]| {
        let steps = plan.steps.iter();
        steps.filter(|step| verbs.contains(&step.verb)).count() as u64
    };
    IncrementalUpdate {
        gone: unread.gone.clone(),
        claimed: unread.claimed + count(&[StepVerb::Create, StepVerb::Adopt])
            - count(&[StepVerb::Delete]),
    }
}

/// Whatever decides, besides the files, what a source comes to: the table of kinds, the release
/// and the configuration.
fn fingerprint(config: &Config, source: &Source) -> Digest {
    let peers: Vec<_> = config
        .sources
        .iter()
        .map(|peer| (&peer.name, &peer.authority))
        .collect();
    let decided = (
        kinds::fingerprint(),
        env!("CARGO_PKG_VERSION"),
        (source.prune, source.report_drift, &source.authority),
        (&config.order, &config.shop),
        source.feed().map(|feed| {
            (
                feed.mapping.digest,
                &feed.mapping.trailer,
                &feed.complete,
                feed.absence,
            )
        }),
        peers,
    );
    Digest::of(format!("{decided:?}").as_bytes())
}

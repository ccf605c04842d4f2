//! Reads the configured sources as they are now. In goes the configuration, out comes a
//! [`SourceReading`] for each source, with what it declares and which files it was read from; the
//! pass adds its judgements later. Nothing here uses the network. Start reading at
//! [`read_sources`].

use super::PassRequest;
use super::feeds::{self, ExportFacts, ExportVerdict};
use super::pass_verdict::PassVerdict;
use crate::config::{Config, Source, SourceLocation, moment};
use crate::diagnostic::{self, Diagnostic, Origin, Severity, codes};
use crate::feed::ReadRows;
use crate::git::{self, GitError};
use crate::incremental::{
    CONTENT_PREFIX, CheckpointBasis, HiddenWrites, IncrementalRead, ReadFiles,
};
use crate::kinds::{self, FieldType, Kind, effective};
use crate::manifest::{self, LoadOptions, LoadedManifests, Tree};
use crate::model::{
    Claim, CompactText, DeclaredResource, Desired, Digest, FieldRef, Key, LineColumn, Snapshot,
    StatedField,
};
use crate::plan::{IdleReason, ImpactAnswer};
use crate::stop_flag::StopFlag;
use chrono::{TimeDelta, Utc};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// By how much a clock that was wrong may be set back, and dates are still judged again.
const CLOCK_CORRECTION: TimeDelta = TimeDelta::days(7);

/// One source as it was read, with what its pass found out about it since.
pub struct SourceReading {
    pub source: Source,
    pub tree: Tree,
    /// What it declares, with custom values as they are written.
    pub as_read: Arc<Desired>,
    /// The same, with custom values typed for the plan that was made last.
    pub desired: Arc<Desired>,
    pub diagnostics: Vec<Diagnostic>,
    pub files: ReadFiles,
    pub content: SourceContent,
    /// The rows of the export, to read the next one only where it differs.
    pub rows: Option<Arc<ReadRows>>,
    pub judged: SourceJudgement,
    /// The users that it names although they were erased. Nothing about them is left in the reading.
    pub erased: BTreeSet<Key>,
}

/// How much of a source was read.
pub enum SourceContent {
    Tree,
    /// The manifests that changed since the last apply, if any.
    ChangedFiles(IncrementalRead),
    /// An export or a push. Without facts, nothing was sent or it cannot be read.
    Export(Option<Box<ExportFacts>>),
    /// The rows of an export that differ from those of the one last applied.
    ChangedRows(IncrementalRead, Box<ExportFacts>),
    /// Nothing, because the export is the one last applied.
    UnchangedExport(IncrementalRead, Option<Box<ExportFacts>>),
}

/// What a pass decides about a source once the database was asked.
#[derive(Clone, Debug, Default)]
pub struct SourceJudgement {
    pub export: Option<ExportVerdict>,
    /// What its plan accepts, once made.
    pub plan: Option<PassVerdict>,
    /// Why it writes nothing at this time of day although its pass would.
    pub closed: Option<IdleReason>,
    /// The resources that its exports left out so often that it decides nothing about them any
    /// more.
    pub absent: BTreeSet<Key>,
    /// What an incremental plan takes over from the last apply.
    pub basis: Option<CheckpointBasis>,
    /// What the operator's queries say of what its plan takes out of use.
    pub impact: Vec<ImpactAnswer>,
}

/// Reads every configured source, repositories as they were last fetched.
pub fn read_sources(config: &Config, request: &PassRequest) -> Vec<SourceReading> {
    let sources = config.sources.iter();
    sources
        .map(|source| read_source(config, source, request))
        .collect()
}

pub(super) fn read_source(
    config: &Config,
    source: &Source,
    request: &PassRequest,
) -> SourceReading {
    match source.feed() {
        Some(feed) => feeds::read(config, source, feed, request),
        None => of_whole_tree(
            config,
            source,
            source_tree(config, source, request),
            &request.stop,
        ),
    }
}

/// Reads sources in full that were read in part, at the same commit. If not all of them are asked
/// for, only those of which something is open.
pub(super) fn read_again(
    config: &Config,
    readings: Vec<SourceReading>,
    all: bool,
    stop: &StopFlag,
) -> Vec<SourceReading> {
    let again = |reading: SourceReading| {
        let is_open = reading.incremental().is_some_and(|unread| unread.is_open);
        if !all && !is_open && (reading.is_unchanged() || !reading.is_incremental()) {
            return reading;
        }
        let judged = SourceJudgement {
            plan: reading.judged.plan.clone(),
            closed: reading.judged.closed.clone(),
            ..SourceJudgement::default()
        };
        let whole = match &reading.source.place {
            SourceLocation::Directory(root) => {
                of_whole_tree(config, &reading.source, Tree::read(root), stop)
            }
            // A commit that was fetched meanwhile belongs to the next pass: one pass reads one
            // state.
            SourceLocation::Git(_) => of_whole_tree(config, &reading.source, reading.tree, stop),
            SourceLocation::Export(feed) => {
                feeds::read(config, &reading.source, feed, &PassRequest::default())
            }
        };
        SourceReading { judged, ..whole }
    };
    readings.into_iter().map(again).collect()
}

pub(super) fn source_tree(config: &Config, source: &Source, request: &PassRequest) -> Tree {
    // What cannot be read has no commit; an older one must not be recorded as applied.
    let lost = |message: String, help: &str| {
        let mut lost = Tree::unreadable_tree(message, help);
        lost.revision = Some("".into());
        lost
    };
    if let Some(why) = request.unreached.get(&source.name) {
        return lost(why.message.clone(), &why.help);
    }
    let place = match &source.place {
        SourceLocation::Directory(root) => return Tree::read(root),
        SourceLocation::Git(place) => place,
        SourceLocation::Export(_) => {
            return Tree::unreadable_tree("it is an export".to_owned(), "");
        }
    };
    let at = request.at_revision.as_ref();
    let at = at.filter(|(name, _)| **name == *source.name);
    let revision = match at {
        Some((_, reference)) => git::revision(place, &config.cache, reference),
        None => git::last_fetched(place, &config.cache),
    };
    let tree = revision.and_then(|revision| git::tree(place, &config.cache, &revision));
    tree.unwrap_or_else(|error: GitError| lost(error.to_string(), &error.help()))
}

fn of_whole_tree(config: &Config, source: &Source, tree: Tree, stop: &StopFlag) -> SourceReading {
    let mut reading = read_tree(config, source, tree, stop);
    if reading.tree.files.is_empty() && reading.diagnostics.is_empty() {
        reading.diagnostics.push(no_manifest(source));
    }
    reading
}

/// Reads the tree of a source, or a part of one.
pub(super) fn read_tree(
    config: &Config,
    source: &Source,
    tree: Tree,
    stop: &StopFlag,
) -> SourceReading {
    read_documents(config, source, tree, None, stop)
}

/// Reads a tree, but of its files only the documents that may name an external id.
pub(super) fn read_documents(
    config: &Config,
    source: &Source,
    tree: Tree,
    naming: Option<&CompactText>,
    stop: &StopFlag,
) -> SourceReading {
    let mut loaded = manifest::load(
        &tree,
        &LoadOptions {
            source: source.name.clone(),
            as_of: config.as_of(),
            naming: naming.cloned(),
            stop: stop.clone(),
        },
    );
    loaded.diagnostics.extend(ignored(config, source, &tree));
    diagnostic::sort(&mut loaded.diagnostics);
    SourceReading {
        source: source.clone(),
        files: ReadFiles {
            reread_always: loud_files(&loaded),
            contents: contents(&loaded, &tree),
            digests: loaded.files,
            repeated: loaded.repeated,
            blank: loaded.blank,
        },
        content: SourceContent::Tree,
        rows: None,
        judged: SourceJudgement::default(),
        erased: BTreeSet::new(),
        desired: Arc::default(),
        as_read: Arc::default(),
        diagnostics: loaded.diagnostics,
        tree,
    }
    .with_desired(Arc::new(loaded.desired))
}

impl SourceReading {
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        let mut errors = self.diagnostics.iter().filter(|found| found.is_error());
        let nothing = !self.is_incremental() && self.files.digests.is_empty();
        nothing && errors.any(|found| found.code == codes::SOURCE_UNREADABLE)
    }

    /// The diagnostics of reading it. The note that there is no manifest is only for sources that
    /// claim nothing; otherwise a hold or removals say it better.
    pub(super) fn relevant_diagnostics(&self, stored: &Snapshot) -> Vec<Diagnostic> {
        let mut found = self.diagnostics.clone();
        let own = |claim: &Claim| *claim.source == *self.source.name;
        if stored
            .claims
            .iter()
            .any(|(_, claims)| claims.iter().any(own))
        {
            found.retain(|found| found.code != codes::EMPTY_SOURCE);
        }
        found
    }
}

/// Notes that there is no manifest: a wrong folder looks like an empty one.
fn no_manifest(source: &Source) -> Diagnostic {
    let message = format!("no manifest in {}", source.written);
    let help = "name the folder with the files that end in `.yaml`, `.yml` or `.json`";
    let note = Diagnostic::new(codes::EMPTY_SOURCE, message).severity(Severity::Note);
    note.help(help)
}

/// Warns of configurations among the manifests, other than the one in use: whoever may change
/// manifests must not be able to change guards.
fn ignored(config: &Config, source: &Source, tree: &Tree) -> Vec<Diagnostic> {
    let real = |path: &Path| path.canonicalize().ok();
    let used = config.path.as_deref().and_then(real);
    let is_used = |path: &str| {
        let here = source.directory().and_then(|root| real(&root.join(path)));
        here.is_some() && here == used
    };
    let others = tree.configurations.iter().filter(|path| !is_used(path));
    others
        .map(|path| {
            let message = format!("{path} is not read, because it is among the manifests");
            let help = "Move it out of the manifests. Only the operator configures guards, authority and sources.";
            let origin = Origin {
                path: Arc::clone(path),
                at: LineColumn::default(),
            };
            Diagnostic::new(codes::CONFIG_IGNORED, message).help(help).at(origin)
        })
        .collect()
}

/// The files with diagnostics, those with a password reference, since the password may change while
/// the manifest stays, and those with a date that has not passed for good.
fn loud_files(loaded: &LoadedManifests) -> BTreeSet<Arc<str>> {
    // Some days, because a clock that was wrong may be set back.
    let settled_before = moment(Utc::now() - CLOCK_CORRECTION);
    let found = loaded.diagnostics.iter();
    let found = found.filter_map(|found| Some(found.origin.as_ref()?.path.clone()));
    let secrets = fields(loaded, is_secret);
    let resources = loaded.desired.resources.iter();
    let dated = resources.filter(|declared| {
        let kind = kinds::get(declared.key.kind);
        effective::last_change(kind, &declared.cells).is_some_and(|last| *last > *settled_before)
    });
    found
        .chain(secrets.map(|(declared, _)| declared.path.clone()))
        .chain(dated.map(|declared| declared.path.clone()))
        .collect()
}

fn contents(loaded: &LoadedManifests, tree: &Tree) -> Vec<(Arc<str>, Digest)> {
    let files = fields(loaded, |ty| matches!(ty, FieldType::File));
    files
        .filter_map(|(_, stated)| content(stated, tree))
        .collect()
}

/// The stated fields of such a type, of which a kind has at most one.
fn fields(
    loaded: &LoadedManifests,
    is: fn(&FieldType) -> bool,
) -> impl Iterator<Item = (&DeclaredResource, &StatedField)> {
    let wanted = kinds::ALL.map(|kind| field_of(kind, is));
    let resources = loaded.desired.resources.iter();
    resources.filter_map(move |declared| {
        let field = wanted[usize::from(declared.key.kind.0)].as_ref()?;
        Some((&**declared, declared.stated(field)?))
    })
}

fn field_of(kind: &Kind, is: fn(&FieldType) -> bool) -> Option<FieldRef> {
    let at = kind.fields.iter().position(|field| is(&field.ty))?;
    Some(kinds::own_field(at))
}

fn is_secret(ty: &FieldType) -> bool {
    matches!(ty, FieldType::Secret)
}

/// The file that a `file:` names, with a digest that is known without reading it, or the one in its
/// value.
fn content(stated: &StatedField, tree: &Tree) -> Option<(Arc<str>, Digest)> {
    let (path, sha256) = stated.cell.value()?.as_text()?.split_once(" sha256:")?;
    let digest = match tree.digest(path) {
        Some(known) => known,
        None => Digest::parse(sha256.get(..32)?)?,
    };
    Some((format!("{CONTENT_PREFIX}{path}").into(), digest))
}

impl SourceReading {
    pub(super) fn with_desired(self, as_read: Arc<Desired>) -> Self {
        Self {
            desired: Arc::clone(&as_read),
            as_read,
            ..self
        }
    }

    /// The reading without what an earlier pass decided about it.
    pub(super) fn without_judgement(self) -> Self {
        Self {
            judged: SourceJudgement {
                closed: self.judged.closed,
                ..SourceJudgement::default()
            },
            desired: Arc::clone(&self.as_read),
            ..self
        }
    }

    /// The reading with what a scrub found of the source, if it was not read whole.
    pub(super) fn with_hidden_writes(mut self, hidden: Option<HiddenWrites>) -> Self {
        if let SourceContent::ChangedFiles(unread)
        | SourceContent::ChangedRows(unread, _)
        | SourceContent::UnchangedExport(unread, _) = &mut self.content
        {
            unread.hidden_writes = hidden;
        }
        self
    }

    /// What an incremental reading left out; `None` for a full one.
    pub(super) fn incremental(&self) -> Option<&IncrementalRead> {
        match &self.content {
            SourceContent::ChangedFiles(unread)
            | SourceContent::ChangedRows(unread, _)
            | SourceContent::UnchangedExport(unread, _) => Some(unread),
            SourceContent::Tree | SourceContent::Export(_) => None,
        }
    }

    #[must_use]
    pub fn is_incremental(&self) -> bool {
        self.incremental().is_some()
    }

    #[must_use]
    pub fn export_facts(&self) -> Option<&ExportFacts> {
        match &self.content {
            SourceContent::Export(facts) | SourceContent::UnchangedExport(_, facts) => {
                facts.as_deref()
            }
            SourceContent::ChangedRows(_, facts) => Some(facts),
            SourceContent::Tree | SourceContent::ChangedFiles(_) => None,
        }
    }

    /// The path below the source's root, with `/` between folders; `None` when it lies outside.
    pub fn relative_path(&self, path: &Path) -> Option<String> {
        let path = absolute(path);
        let below = path
            .strip_prefix(absolute(self.source.directory()?))
            .ok()?
            .to_owned();
        let parts = below
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        Some(parts.collect::<Vec<_>>().join("/"))
    }
}

/// Whether a path is the folder or file itself, or lies in it.
pub(super) fn contains_path(folder: &str, path: &str) -> bool {
    folder.is_empty()
        || path == folder
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// The absolute path without `.` and `..`, with links resolved where the path exists.
fn absolute(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let mut absolute = std::env::current_dir().unwrap_or_default();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                absolute.pop();
            }
            Component::CurDir => {}
            part => absolute.push(part),
        }
    }
    absolute
}

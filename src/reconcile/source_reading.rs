//! The sources as they are now.

use super::PassRequest;
use super::feeds::{self, ExportFacts, ExportVerdict};
use super::pass_verdict::PassVerdict;
use crate::config::{Config, Source, SourceLocation};
use crate::diagnostic::{self, Diagnostic, Origin, Severity, codes};
use crate::git::{self, GitError};
use crate::incremental::{CONTENT_PREFIX, CheckpointBasis, IncrementalRead, ReadFiles};
use crate::kinds::{self, FieldType, Kind};
use crate::manifest::{self, LoadOptions, LoadedManifests, Tree};
use crate::model::{
    Claim, DeclaredResource, Desired, Digest, FieldRef, Key, LineColumn, Snapshot, StatedField,
};
use crate::plan::IdleReason;
use crate::stop_flag::StopFlag;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// One source as it was read, and what its pass found out about it since.
pub struct SourceReading {
    /// What the configuration says of it.
    pub source: Source,
    /// Where its files are read from.
    pub tree: Tree,
    /// What it declares, its custom values as they are written.
    pub as_read: Arc<Desired>,
    /// The same with its custom values typed for the plan that was made last.
    pub desired: Arc<Desired>,
    /// What reading it came upon.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read.
    pub files: ReadFiles,
    pub content: SourceContent,
    pub judged: SourceJudgement,
}

/// What of a source was read.
pub enum SourceContent {
    /// All of its manifests.
    Tree,
    /// The manifests that changed since it was applied, if any did.
    ChangedFiles(IncrementalRead),
    /// An export, or what was pushed. Without facts, nothing was sent or it cannot be read.
    Export(Option<Box<ExportFacts>>),
    /// Nothing: the export is the one that was applied last.
    UnchangedExport(IncrementalRead, Option<Box<ExportFacts>>),
}

/// What a pass thinks of a source, once the database was asked.
#[derive(Clone, Debug, Default)]
pub struct SourceJudgement {
    /// What is to be thought of its export.
    pub export: Option<ExportVerdict>,
    /// What its plan accepts, once it was made.
    pub plan: Option<PassVerdict>,
    /// Why it writes nothing at this time of day, though its pass would.
    pub closed: Option<IdleReason>,
    /// What its exports have not named so often that it decides nothing about it any more.
    pub absent: BTreeSet<Key>,
    /// What an incremental plan takes over from the last apply.
    pub basis: Option<CheckpointBasis>,
}

/// Reads every configured source, a repository as it was fetched last: nothing goes to the network.
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

/// Reads sources again of which only a part was read: a commit is the same one.
pub(super) fn read_again(
    config: &Config,
    readings: Vec<SourceReading>,
    stop: &StopFlag,
) -> Vec<SourceReading> {
    let again = |reading: SourceReading| {
        let judged = SourceJudgement {
            plan: reading.judged.plan.clone(),
            closed: reading.judged.closed.clone(),
            ..SourceJudgement::default()
        };
        let whole = match &reading.source.place {
            SourceLocation::Directory(root) => {
                of_whole_tree(config, &reading.source, Tree::read(root), stop)
            }
            SourceLocation::Git(_) => of_whole_tree(config, &reading.source, reading.tree, stop),
            SourceLocation::Export(feed) => {
                feeds::read(config, &reading.source, feed, &PassRequest::default())
            }
        };
        SourceReading { judged, ..whole }
    };
    readings.into_iter().map(again).collect()
}

/// The files of a source as they are now.
pub(super) fn source_tree(config: &Config, source: &Source, request: &PassRequest) -> Tree {
    // What cannot be read is at no commit.
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

/// Reads all of the tree of a source.
fn of_whole_tree(config: &Config, source: &Source, tree: Tree, stop: &StopFlag) -> SourceReading {
    let mut reading = read_tree(config, source, tree, stop);
    if reading.tree.files.is_empty() && reading.diagnostics.is_empty() {
        reading.diagnostics.push(no_manifest(source));
    }
    reading
}

/// Reads a tree of a source, or a part of one.
pub(super) fn read_tree(
    config: &Config,
    source: &Source,
    tree: Tree,
    stop: &StopFlag,
) -> SourceReading {
    let mut loaded = manifest::load(
        &tree,
        &LoadOptions {
            source: source.name.clone(),
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
        judged: SourceJudgement::default(),
        desired: Arc::default(),
        as_read: Arc::default(),
        diagnostics: loaded.diagnostics,
        tree,
    }
    .with_desired(Arc::new(loaded.desired))
}

impl SourceReading {
    /// Whether nothing of it can be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        let mut errors = self.diagnostics.iter().filter(|found| found.is_error());
        let nothing = !self.is_incremental() && self.files.digests.is_empty();
        nothing && errors.any(|found| found.code == codes::SOURCE_UNREADABLE)
    }

    /// What was found in it. That there is no manifest is said of a source that claims nothing: what
    /// another one claims is held, or has gone.
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

/// A wrong folder looks like one that declares nothing.
fn no_manifest(source: &Source) -> Diagnostic {
    let message = format!("no manifest in {}", source.written);
    let help = "name the folder with the files that end in `.yaml`, `.yml` or `.json`";
    let note = Diagnostic::new(codes::EMPTY_SOURCE, message).severity(Severity::Note);
    note.help(help)
}

/// The configurations among the manifests, but for the one that is used.
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

/// The files about which reading has something to say, or with a password reference: the password
/// may change while the manifest stays.
fn loud_files(loaded: &LoadedManifests) -> BTreeSet<Arc<str>> {
    let found = loaded.diagnostics.iter();
    let found = found.filter_map(|found| Some(found.origin.as_ref()?.path.clone()));
    let secrets = fields(loaded, is_secret);
    found
        .chain(secrets.map(|(declared, _)| declared.path.clone()))
        .collect()
}

/// The files that manifests name.
fn contents(loaded: &LoadedManifests, tree: &Tree) -> Vec<(Arc<str>, Digest)> {
    let files = fields(loaded, |ty| matches!(ty, FieldType::File));
    files
        .filter_map(|(_, stated)| content(stated, tree))
        .collect()
}

/// What is said of the fields of such a type, of which a kind has at most one.
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

/// The field of such a type that a kind has.
fn field_of(kind: &Kind, is: fn(&FieldType) -> bool) -> Option<FieldRef> {
    let at = kind.fields.iter().position(|field| is(&field.ty))?;
    Some(kinds::own_field(at))
}

fn is_secret(ty: &FieldType) -> bool {
    matches!(ty, FieldType::Secret)
}

/// The content that a `file:` names, by the digest that is known without reading it, or that in
/// its value.
fn content(stated: &StatedField, tree: &Tree) -> Option<(Arc<str>, Digest)> {
    let (path, sha256) = stated.cell.value()?.as_text()?.split_once(" sha256:")?;
    let digest = match tree.digest(path) {
        Some(known) => known,
        None => Digest::parse(sha256.get(..32)?)?,
    };
    Some((format!("{CONTENT_PREFIX}{path}").into(), digest))
}

impl SourceReading {
    /// The same, declaring this.
    pub(super) fn with_desired(self, as_read: Arc<Desired>) -> Self {
        Self {
            desired: Arc::clone(&as_read),
            as_read,
            ..self
        }
    }

    /// As it was read, without what a pass thought of it.
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

    /// What was left out, if only what changed was read.
    pub(super) fn incremental(&self) -> Option<&IncrementalRead> {
        match &self.content {
            SourceContent::ChangedFiles(unread) | SourceContent::UnchangedExport(unread, _) => {
                Some(unread)
            }
            SourceContent::Tree | SourceContent::Export(_) => None,
        }
    }

    /// Whether only what changed was read.
    #[must_use]
    pub fn is_incremental(&self) -> bool {
        self.incremental().is_some()
    }

    /// What its export is as a whole.
    #[must_use]
    pub fn export_facts(&self) -> Option<&ExportFacts> {
        match &self.content {
            SourceContent::Export(facts) | SourceContent::UnchangedExport(_, facts) => {
                facts.as_deref()
            }
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

/// Whether a path below the root is the folder or file, or lies in it.
pub(super) fn contains_path(folder: &str, path: &str) -> bool {
    folder.is_empty()
        || path == folder
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// The path from the root of the file system, without `.` and `..`, links resolved where it is.
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

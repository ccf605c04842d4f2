//! The sources as they are now.

use crate::config::{Config, Source};
use crate::diagnostic::Diagnostic;
use crate::kinds::{self, Kind, Type};
use crate::manifest::{self, LoadOptions, Loaded, Repeated, Tree};
use crate::model::{Declared, Desired, Digest, FieldRef, Key, Stated, Text};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// One source as it was read.
pub struct Reading {
    /// What the configuration says of it.
    pub source: Source,
    /// What it declares.
    pub desired: Arc<Desired>,
    /// What reading it came upon.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read, with their digests.
    pub digests: Vec<(Arc<str>, Digest)>,
    /// Those of them that have to be read again though they are the same.
    pub loud: BTreeSet<Arc<str>>,
    /// The files that manifests name, with their digests; `=` stands before the path.
    pub contents: Vec<(Arc<str>, Digest)>,
    /// What is written out in several places, and the files of these.
    pub repeated: Repeated,
    /// Whether all of it could be read, so that what it does not declare it does not declare.
    pub readable: bool,
    /// What was not read, because it is known.
    pub unread: Option<Unread>,
}

/// What of a source was not read, because it is as it was when the source was last applied.
#[derive(Clone, Debug, Default)]
pub struct Unread {
    /// The files that are gone since.
    pub gone: Vec<Text>,
    /// The revision that was applied.
    pub since: String,
    /// How many resources the source declares, those of the files that were read included.
    pub resources: u64,
    /// What all of the files that were read declare.
    pub read: Arc<Desired>,
    /// How many it claimed before.
    pub claimed: u64,
    /// What it claims without declaring it, of kinds of which nothing is ever removed.
    pub orphans: Vec<Key>,
}

/// Stands before the path of a file that a manifest names where paths of manifests stand too.
pub(super) const CONTENT: &str = "=";

/// Reads every configured source.
pub fn read_sources(config: &Config) -> Vec<Reading> {
    config.sources.iter().map(read).collect()
}

fn read(source: &Source) -> Reading {
    of_tree(source, &Tree::read(&source.root))
}

/// Reads a tree of a source.
pub(super) fn of_tree(source: &Source, tree: &Tree) -> Reading {
    let loaded = manifest::load(
        tree,
        &LoadOptions {
            source: source.name.clone(),
        },
    );
    Reading {
        source: source.clone(),
        readable: loaded.desired.removals_off.is_empty(),
        loud: loud_files(&loaded),
        contents: contents(&loaded),
        digests: loaded.files,
        repeated: loaded.repeated,
        unread: None,
        desired: Arc::new(loaded.desired),
        diagnostics: loaded.diagnostics,
    }
}

/// The files about which reading has something to say, or with a password reference: the password
/// may change while the manifest stays.
fn loud_files(loaded: &Loaded) -> BTreeSet<Arc<str>> {
    let found = loaded.diagnostics.iter();
    let found = found.filter_map(|found| Some(found.origin.as_ref()?.path.clone()));
    let secrets = fields(loaded, is_secret);
    found
        .chain(secrets.map(|(declared, _)| declared.path.clone()))
        .collect()
}

/// The files that manifests name.
fn contents(loaded: &Loaded) -> Vec<(Arc<str>, Digest)> {
    let files = fields(loaded, |ty| matches!(ty, Type::File));
    files.filter_map(|(_, stated)| content(stated)).collect()
}

/// What is said of the fields of such a type, of which a kind has at most one.
fn fields(loaded: &Loaded, is: fn(&Type) -> bool) -> impl Iterator<Item = (&Declared, &Stated)> {
    let wanted = kinds::ALL.map(|kind| field_of(kind, is));
    let resources = loaded.desired.resources.iter();
    resources.filter_map(move |declared| {
        let field = wanted[usize::from(declared.key.kind.0)].as_ref()?;
        Some((&**declared, declared.stated(field)?))
    })
}

/// The field of such a type that a kind has.
fn field_of(kind: &Kind, is: fn(&Type) -> bool) -> Option<FieldRef> {
    let at = kind.fields.iter().position(|field| is(&field.ty))?;
    Some(kinds::own(at))
}

/// Whether a resource has a password reference.
pub(super) fn secret(declared: &Declared) -> bool {
    let field = field_of(kinds::get(declared.key.kind), is_secret);
    field.is_some_and(|field| declared.stated(&field).is_some())
}

fn is_secret(ty: &Type) -> bool {
    matches!(ty, Type::Secret)
}

/// The content that a `file:` names, by the digest in its value.
fn content(stated: &Stated) -> Option<(Arc<str>, Digest)> {
    let (path, sha256) = stated.cell.value()?.as_text()?.split_once(" sha256:")?;
    Some((
        format!("{CONTENT}{path}").into(),
        Digest::parse(sha256.get(..32)?)?,
    ))
}

impl Reading {
    /// The path below the source's root, with `/` between folders; `None` when it lies outside.
    pub fn below(&self, path: &Path) -> Option<String> {
        let path = absolute(path);
        let below = path
            .strip_prefix(absolute(&self.source.root))
            .ok()?
            .to_owned();
        let parts = below
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        Some(parts.collect::<Vec<_>>().join("/"))
    }
}

/// Whether a path below the root is the folder or file, or lies in it.
pub(super) fn holds(folder: &str, path: &str) -> bool {
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

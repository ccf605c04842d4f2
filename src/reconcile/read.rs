//! The sources as they are now.

use crate::config::{Config, Source};
use crate::diagnostic::Diagnostic;
use crate::kinds::{self, Type};
use crate::manifest::{self, LoadOptions, Loaded, Tree};
use crate::model::{Desired, Digest, Stated};
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
    /// The files of which nothing has to be looked at again when they are the same, if all of
    /// their resources settle, with their digests.
    pub files: Vec<(Arc<str>, Digest)>,
    /// Whether all of it could be read, so that what it does not declare it does not declare.
    pub readable: bool,
}

/// Reads every configured source.
pub fn read_sources(config: &Config) -> Vec<Reading> {
    config.sources.iter().map(read).collect()
}

fn read(source: &Source) -> Reading {
    let tree = Tree::read(&source.root);
    let loaded = manifest::load(
        &tree,
        &LoadOptions {
            source: source.name.clone(),
        },
    );
    Reading {
        source: source.clone(),
        readable: loaded.desired.removals_off.is_empty(),
        files: quiet_files(&loaded),
        desired: Arc::new(loaded.desired),
        diagnostics: loaded.diagnostics,
    }
}

/// The files about which reading has nothing to say, and the contents that they name (`=` before
/// the path). A file with a password reference is none of them: the password may change while the
/// manifest stays.
fn quiet_files(loaded: &Loaded) -> Vec<(Arc<str>, Digest)> {
    let mut loud: BTreeSet<&str> = loaded
        .diagnostics
        .iter()
        .filter_map(|found| Some(&*found.origin.as_ref()?.path))
        .collect();
    let mut contents = Vec::new();
    for declared in &loaded.desired.resources {
        let kind = kinds::get(declared.key.kind);
        for stated in &declared.cells {
            match kind.field(&stated.field).map(|field| &field.ty) {
                Some(Type::Secret) => {
                    loud.insert(&declared.path);
                }
                Some(Type::File) => contents.extend(content(stated)),
                _ => {}
            }
        }
    }
    let quiet = loaded
        .files
        .iter()
        .filter(|(path, _)| !loud.contains(&**path));
    quiet.cloned().chain(contents).collect()
}

/// The content that a `file:` names, by the digest in its value.
fn content(stated: &Stated) -> Option<(Arc<str>, Digest)> {
    let (path, sha256) = stated.cell.value()?.as_text()?.split_once(" sha256:")?;
    Some((format!("={path}").into(), Digest::parse(sha256.get(..32)?)?))
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

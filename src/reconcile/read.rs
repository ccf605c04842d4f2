//! The sources as they are now.

use crate::config::{Config, Source};
use crate::diagnostic::Diagnostic;
use crate::manifest::{self, LoadOptions, Tree};
use crate::model::Desired;
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
        desired: Arc::new(loaded.desired),
        diagnostics: loaded.diagnostics,
    }
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

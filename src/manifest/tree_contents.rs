//! The bytes of a tree, wherever they are: on disk, in memory, in a commit, or in a commit with
//! proposed edits. `walk` and `listing` decide which of the files are manifests.

use super::tree_listing::{PathResolveError, TreeListing};
use crate::model::Digest;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many bytes one manifest may have.
pub(super) const FILE: u64 = 64 << 20;
/// How many bytes a file that a manifest refers to may have.
const CONTENT: u64 = 20 << 20;

/// Where the bytes are.
#[derive(Clone, Debug, Default)]
pub(super) enum TreeContents {
    #[default]
    Empty,
    /// In this folder, whose path contains no link.
    Folder(PathBuf),
    /// In memory, by path.
    Memory(BTreeMap<Arc<str>, Vec<u8>>),
    /// In a commit.
    Listed(Arc<TreeListing>),
    /// As before, with the bytes of some manifests replaced or added.
    Edited {
        before: Arc<TreeContents>,
        edits: Arc<BTreeMap<Arc<str>, Vec<u8>>>,
    },
}

/// Why a file that a manifest refers to has no content.
#[derive(Debug)]
pub(super) enum ContentFault {
    OutsideRoot,
    Unreadable(String),
    TooLarge,
}

impl TreeContents {
    /// Returns the bytes of a manifest; the buffer is reused from file to file.
    pub fn manifest<'b>(&'b self, path: &str, buffer: &'b mut Vec<u8>) -> io::Result<&'b [u8]> {
        match self {
            Self::Empty => Err(io::ErrorKind::NotFound.into()),
            Self::Folder(root) => {
                let path = root.join(path);
                // Before reading: a file that outgrows the memory must not be read to find that
                // out.
                if fs::metadata(&path)?.len() > FILE {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                buffer.clear();
                fs::File::open(path)?.read_to_end(buffer)?;
                Ok(buffer)
            }
            Self::Memory(files) => in_memory(files, path),
            Self::Listed(listing) => {
                *buffer = listing.read(path, FILE)?;
                Ok(buffer)
            }
            Self::Edited { edits, .. } if edits.contains_key(path) => in_memory(edits, path),
            Self::Edited { before, .. } => before.manifest(path, buffer),
        }
    }

    /// Returns the digest of a file if it is known without reading the file.
    pub fn digest(&self, path: &str) -> Option<Digest> {
        match self {
            Self::Listed(listing) => listing.digest(path),
            Self::Edited { before, edits } if !edits.contains_key(path) => before.digest(path),
            _ => None,
        }
    }

    /// Returns the bytes of a file that a manifest refers to, by its path below the root.
    pub fn attachment(&self, path: &str) -> Result<Cow<'_, [u8]>, ContentFault> {
        match self {
            Self::Folder(root) => read_from_disk(root, path).map(Cow::Owned),
            Self::Memory(files) => match files.get(path) {
                Some(bytes) if bytes.len() as u64 > CONTENT => Err(ContentFault::TooLarge),
                Some(bytes) => Ok(Cow::Borrowed(bytes)),
                None => Err(ContentFault::Unreadable("no such file".to_owned())),
            },
            Self::Listed(listing) => listed(listing, path).map(Cow::Owned),
            Self::Empty => Err(ContentFault::Unreadable(
                "the root does not exist".to_owned(),
            )),
            // Edits are manifests, and no manifest refers to another one.
            Self::Edited { before, .. } => before.attachment(path),
        }
    }

    /// Returns the paths of all files, manifests or not, and of links. Those of hidden folders are
    /// left out.
    pub fn paths(&self) -> BTreeSet<String> {
        match self {
            Self::Empty => BTreeSet::new(),
            Self::Folder(root) => paths_on_disk(root),
            Self::Memory(files) => files.keys().map(ToString::to_string).collect(),
            Self::Listed(listing) => listing.entries.keys().map(ToString::to_string).collect(),
            Self::Edited { before, edits } => {
                let edited = edits.keys().map(ToString::to_string);
                before.paths().into_iter().chain(edited).collect()
            }
        }
    }
}

fn in_memory<'f>(files: &'f BTreeMap<Arc<str>, Vec<u8>>, path: &str) -> io::Result<&'f [u8]> {
    match files.get(path) {
        Some(bytes) if bytes.len() as u64 > FILE => Err(io::ErrorKind::FileTooLarge.into()),
        Some(bytes) => Ok(bytes),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

fn paths_on_disk(root: &Path) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut waiting = vec![String::new()];
    while let Some(folder) = waiting.pop() {
        let entries = fs::read_dir(root.join(&folder)).into_iter().flatten();
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() {
                name.clone()
            } else {
                format!("{folder}/{name}")
            };
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !name.starts_with('.') {
                waiting.push(path);
            } else {
                paths.insert(path);
            }
        }
    }
    paths
}

fn listed(listing: &TreeListing, path: &str) -> Result<Vec<u8>, ContentFault> {
    if listing.file(path) == Err(PathResolveError::Outside) {
        return Err(ContentFault::OutsideRoot);
    }
    let read = listing.read(path, CONTENT);
    read.map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => ContentFault::TooLarge,
        _ => ContentFault::Unreadable(io_error_message(&error)),
    })
}

fn read_from_disk(root: &Path, path: &str) -> Result<Vec<u8>, ContentFault> {
    let unreadable = |error: io::Error| ContentFault::Unreadable(io_error_message(&error));
    // Resolved before the check: a link in the middle of the path may lead out of the root.
    let real = root.join(path).canonicalize().map_err(unreadable)?;
    if !real.starts_with(root) {
        return Err(ContentFault::OutsideRoot);
    }
    // Opening a pipe or a device would block or never end.
    let metadata = fs::metadata(&real).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(ContentFault::Unreadable("it is not a file".to_owned()));
    }
    if metadata.len() > CONTENT {
        return Err(ContentFault::TooLarge);
    }
    fs::read(&real).map_err(unreadable)
}

/// The reason without the system's error number.
pub(super) fn io_error_message(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

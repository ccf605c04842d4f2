//! The files of a tree that is not a directory on disk, such as a commit, and their bytes.

use crate::model::Digest;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

/// How many links in a row may lead to a file.
const HOPS: usize = 40;

/// All entries below the root of a source.
#[derive(Debug)]
pub(super) struct TreeListing {
    pub(super) entries: BTreeMap<Arc<str>, ListingEntry>,
    /// The targets of links, relative to the folder of the link.
    pub(super) links: BTreeMap<Arc<str>, String>,
    pub(super) blobs: Arc<dyn BlobSource>,
    /// Whether the ids of files are digests of their content, so that files can be compared without
    /// reading them.
    pub(super) named_by_content: bool,
}

/// Why a path leads to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PathResolveError {
    /// It leaves the root.
    Outside,
    /// It does not exist.
    Missing,
}

impl TreeListing {
    /// The id of the file that a path leads to.
    pub(super) fn file(&self, path: &str) -> Result<&str, PathResolveError> {
        match self.entries.get(path) {
            Some(ListingEntry::File(id)) => Ok(id),
            _ => match self.entries.get(&*self.resolve(path)?) {
                Some(ListingEntry::File(id)) => Ok(id),
                _ => Err(PathResolveError::Missing),
            },
        }
    }

    /// The digest of the file that a path leads to, known without reading it.
    pub(super) fn digest(&self, path: &str) -> Option<Digest> {
        let name = self.named_by_content.then(|| self.file(path))?;
        Some(Digest::of(name.ok()?.as_bytes()))
    }

    /// The bytes of the file that a path leads to.
    pub(super) fn read(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        match self.file(path) {
            Ok(id) => self.blobs.read(id, limit),
            Err(PathResolveError::Missing) => Err(io::ErrorKind::NotFound.into()),
            Err(PathResolveError::Outside) => {
                Err(io::Error::other("it is outside the root of the source"))
            }
        }
    }

    /// The path without links, `.` and `..` in it.
    pub(super) fn resolve(&self, path: &str) -> Result<String, PathResolveError> {
        let mut rest: Vec<&str> = path.rsplit('/').collect();
        let mut real: Vec<&str> = Vec::new();
        let mut hops = 0;
        while let Some(part) = rest.pop() {
            match part {
                "" | "." => continue,
                ".." => {
                    real.pop().ok_or(PathResolveError::Outside)?;
                    continue;
                }
                part => real.push(part),
            }
            let Some(target) = self.links.get(&*real.join("/")) else {
                continue;
            };
            hops += 1;
            if hops > HOPS {
                return Err(PathResolveError::Missing);
            }
            if target.starts_with('/') {
                return Err(PathResolveError::Outside);
            }
            real.pop();
            rest.extend(target.rsplit('/'));
        }
        Ok(real.join("/"))
    }

    /// The entries below a folder; none if the path is not a folder.
    pub(super) fn entries_below(
        &self,
        folder: &str,
    ) -> impl Iterator<Item = (&Arc<str>, &ListingEntry)> {
        let prefix = format!("{folder}/");
        let bounds = (Bound::Included(&*prefix), Bound::Unbounded);
        let from = self.entries.range::<str, _>(bounds);
        from.take_while(move |(path, _)| path.starts_with(&*prefix))
    }
}

/// Reads the bytes of files by their ids. The same id means the same bytes.
pub trait BlobSource: Send + Sync + fmt::Debug {
    /// Reads the bytes of one file; more than `limit` are an error.
    fn read(&self, id: &str, limit: u64) -> io::Result<Vec<u8>>;
}

/// The entry at a path of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListingEntry {
    /// A file, by its id.
    File(Box<str>),
    /// A symbolic link, by the id of the content that is its target.
    Link(Box<str>),
    /// Another repository, whose content is not here.
    Submodule,
}

//! The files of a tree that lies in no directory, and their bytes.

use crate::model::Digest;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

/// How many links may lead to a file, one to the next.
const HOPS: usize = 40;

/// Everything that a commit holds below the root of a source.
#[derive(Debug)]
pub(super) struct TreeListing {
    pub(super) entries: BTreeMap<Arc<str>, ListingEntry>,
    /// Where links lead, relative to the folder they stand in.
    pub(super) links: BTreeMap<Arc<str>, String>,
    pub(super) blobs: Arc<dyn BlobSource>,
    /// Whether the name of a content says what it is, so that it need not be read to be compared.
    pub(super) named_by_content: bool,
}

/// Why a path leads to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PathResolveError {
    /// It leaves the root.
    Outside,
    /// There is nothing.
    Missing,
}

impl TreeListing {
    /// The content of the file that a path leads to, by name.
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

    /// What stands below a folder; nothing when it is none.
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

/// Bytes by the name of their content: the same name means the same bytes.
pub trait BlobSource: Send + Sync + fmt::Debug {
    /// The bytes called `id`.
    fn read(&self, id: &str, limit: u64) -> io::Result<Vec<u8>>;
}

/// What stands at a path of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListingEntry {
    /// A file, by the name of its content.
    File(Box<str>),
    /// A symbolic link, by the name of the content that is its target.
    Link(Box<str>),
    /// Another repository, whose content is not here.
    Submodule,
}

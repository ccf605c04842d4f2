//! The results of fetching an export, and the time limits of the connections.

use crate::model::Digest;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// How long a file must stay unchanged before it counts as completely written.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// How long a server may take to accept a connection.
pub(super) const CONNECT: Duration = Duration::from_secs(20);

/// How long a server may send nothing in the middle of an answer.
pub(super) const IDLE: Duration = Duration::from_secs(30);

/// An export in the cache.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedExport {
    /// The name of the file where it was fetched from.
    pub name: String,
    /// The digest of its unpacked bytes.
    pub digest: Digest,
    /// Its size in bytes, unpacked.
    pub size: u64,
    /// When the export was last written, if that is known.
    pub modified: Option<DateTime<Utc>>,
    /// How it differs from the one before.
    pub news: ExportChange,
    /// Whether the server said that it has not changed, so that nothing was read.
    pub untouched: bool,
    /// Identifies the file it was read from, so that no other file is moved.
    pub(super) stamp: Option<FileStamp>,
}

/// How an export differs from the one that was fetched before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportChange {
    /// Nothing was fetched before.
    First,
    /// It has not changed: the server says so, or the bytes are the same.
    Same,
    /// It has changed.
    Changed,
}

/// The result of a request for an export.
pub(super) enum FetchAnswer {
    /// The cached export is current.
    Same,
    /// A new export, received completely.
    New(ExportMetadata),
}

/// What is known about an export besides its bytes.
#[derive(Default)]
pub(super) struct ExportMetadata {
    pub(super) name: String,
    pub(super) modified: Option<DateTime<Utc>>,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    pub(super) stamp: Option<FileStamp>,
}

/// Distinguishes a file from other files and from its own earlier versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct FileStamp {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) modified: (i64, i64),
    pub(super) changed: (i64, i64),
}

impl FileStamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Returns when a file was last written.
pub(super) fn modified(file: &Metadata) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(file.mtime(), file.mtime_nsec().try_into().ok()?)
}

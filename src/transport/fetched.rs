//! What comes of asking for an export, and how long is waited for it.

use crate::model::Digest;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// How long a file has to stand still before it counts as written.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// How long a server may take to take a call.
pub(super) const CONNECT: Duration = Duration::from_secs(20);

/// How long a server may say nothing in the middle of an answer.
pub(super) const IDLE: Duration = Duration::from_secs(30);

/// An export as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedExport {
    /// The name of the file, as its place calls it.
    pub name: String,
    /// Of its bytes, unpacked.
    pub digest: Digest,
    /// How many bytes it has, unpacked.
    pub size: u64,
    /// When the export itself was last written, where its place says so.
    pub modified: Option<DateTime<Utc>>,
    /// How it stands to the one before.
    pub news: ExportChange,
    /// Whether its place said that nothing is new, so that nothing was read.
    pub untouched: bool,
    /// The file it was read from, to move that one and no other.
    pub(super) stamp: Option<FileStamp>,
}

/// How an export stands to the one that was fetched before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportChange {
    /// Nothing was fetched before.
    First,
    /// It is the same: the place says so, or the bytes are.
    Same,
    /// It is another one.
    Changed,
}

/// What a place answers.
pub(super) enum FetchAnswer {
    /// Nothing new since the export that is kept.
    Same,
    /// An export, all of which has been taken in.
    New(ExportMetadata),
}

/// What a place says of an export beside its bytes.
#[derive(Default)]
pub(super) struct ExportMetadata {
    pub(super) name: String,
    pub(super) modified: Option<DateTime<Utc>>,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    pub(super) stamp: Option<FileStamp>,
}

/// What tells a file from another one, and from what it was before.
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

/// When it was last written.
pub(super) fn modified(file: &Metadata) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(file.mtime(), file.mtime_nsec().try_into().ok()?)
}

//! How an export gets here, whatever is in it.
//!
//! [`fetch`] goes to where the export is, and keeps its bytes in the cache once all of them are
//! there; [`last_fetched`] says what is kept, and asks nobody. So what is read is never half there and
//! does not move while it is read, and a server that cannot be reached takes nothing away.

mod cache;
mod content_check;
mod drop_folder;
mod error;
mod file;
mod file_name;
mod ftp;
mod http;
mod incoming;
mod location;
mod pages;
mod s3;
mod sftp;
mod token;

pub use drop_folder::settle;
pub use error::TransportError;
pub use http::MOST_REDIRECTS;
pub use location::{
    ClientCredentials, DropLocation, ExportLocation, FileLocation, FtpLocation, FtpSecurity,
    HttpAuth, HttpLocation, LIMIT, LocationKind, NextPage, S3Key, SftpLocation, SshKey, TIMEOUT,
};

pub use s3::percent_encode;

use crate::model::Digest;
use cache::ExportCache;
use chrono::{DateTime, Utc};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a file has to stand still before it counts as written.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a server may take to take a call.
const CONNECT: Duration = Duration::from_secs(20);
/// How long a server may say nothing in the middle of an answer.
const IDLE: Duration = Duration::from_secs(30);

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
    stamp: Option<file::FileStamp>,
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
enum FetchAnswer {
    /// Nothing new since the export that is kept.
    Same,
    /// An export, all of which has been taken in.
    New(ExportMetadata),
}

/// What a place says of an export beside its bytes.
#[derive(Default)]
struct ExportMetadata {
    name: String,
    modified: Option<DateTime<Utc>>,
    etag: Option<String>,
    last_modified: Option<String>,
    stamp: Option<file::FileStamp>,
}

/// Brings the export of a place into the cache. Any number of processes may do so at once. It
/// blocks, so it is called on a thread of its own and never in the middle of a future.
pub fn fetch(place: &ExportLocation, cache: &Path) -> Result<FetchedExport, TransportError> {
    let kept = ExportCache::of(place, cache);
    let lock = kept.lock()?;
    let before = kept.read_metadata_for_request(&lock)?;
    let mut incoming = kept.incoming(place, &lock)?;
    let answer = match &place.kind {
        LocationKind::File(file) => file::fetch(place, file, before.as_ref(), &mut incoming),
        LocationKind::Drop(drop) => drop_folder::fetch(place, drop, before.as_ref(), &mut incoming),
        LocationKind::Http(http) => block_on_with_timeout(
            place,
            http::fetch(place, http, before.as_ref(), &mut incoming),
        ),
        LocationKind::Sftp(sftp) => sftp::fetch(place, sftp, &kept, &mut incoming),
        LocationKind::Ftp(ftp) => {
            block_on_with_timeout(place, ftp::fetch(place, ftp, &mut incoming))
        }
    }?;
    let fetched = match (answer, before) {
        (FetchAnswer::Same, Some(before)) => FetchedExport {
            untouched: true,
            ..kept.record_unchanged(before, &lock)?
        },
        (FetchAnswer::Same, None) => {
            return Err(TransportError::Failed {
                place: place.to_string(),
                said: "it answered that nothing changed, but nothing was fetched before".to_owned(),
            });
        }
        (FetchAnswer::New(about), before) => {
            let whole = incoming.finish()?;
            kept.store_export(&whole, about, before.as_ref(), &lock)?
        }
    };
    tracing::info!(
        "{place}: {} of {} bytes, {}",
        fetched.name,
        fetched.size,
        match fetched.news {
            ExportChange::First => "the first",
            ExportChange::Same => "the same as before",
            ExportChange::Changed => "changed",
        }
    );
    Ok(fetched)
}

/// The bytes of what was fetched last for a place, and what they are; nothing goes to the network.
/// The file stays as it is until two others have been fetched.
pub fn last_fetched(
    place: &ExportLocation,
    cache: &Path,
) -> Result<(PathBuf, FetchedExport), TransportError> {
    let kept = ExportCache::of(place, cache);
    let meta = kept.read_metadata()?;
    let meta = meta.ok_or_else(|| TransportError::Unfetched {
        place: place.to_string(),
    })?;
    Ok((kept.body(meta.digest()), meta.fetched(ExportChange::Same)))
}

/// Does something that goes to the network, for as long as the place may take.
fn block_on_with_timeout<T>(
    place: &ExportLocation,
    work: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| TransportError::Failed {
            place: place.to_string(),
            said: error.to_string(),
        })?;
    let ended = runtime.block_on(async { tokio::time::timeout(place.timeout, work).await });
    // A name that is still being looked up holds up nobody.
    runtime.shutdown_background();
    ended.unwrap_or_else(|_| {
        Err(TransportError::Timeout {
            place: place.to_string(),
            after: place.timeout,
        })
    })
}

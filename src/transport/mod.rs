//! How an export gets here, whatever is in it.
//!
//! [`fetch`] goes to where the export is, and keeps its bytes in the cache once all of them are
//! there; [`fetched`] says what is kept, and asks nobody. So what is read is never half there and
//! does not move while it is read, and a server that cannot be reached takes nothing away.

mod error;
mod file;
mod folder;
mod ftp;
mod http;
mod incoming;
mod judge;
mod kept;
mod name;
mod pages;
mod place;
mod s3;
mod sftp;
mod token;

pub use error::TransportError;
pub use folder::settle;
pub use http::MOST_REDIRECTS;
pub use place::{
    DropPlace, FilePlace, FtpPlace, Grant, HttpAuth, HttpPlace, LIMIT, Next, Place, S3Key,
    Security, SftpPlace, SshKey, TIMEOUT, Way,
};

pub use s3::encoded;

use crate::model::Digest;
use chrono::{DateTime, Utc};
use kept::Kept;
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
pub struct Fetched {
    /// The name of the file, as its place calls it.
    pub name: String,
    /// Of its bytes, unpacked.
    pub digest: Digest,
    /// How many bytes it has, unpacked.
    pub size: u64,
    /// When the export itself was last written, where its place says so.
    pub modified: Option<DateTime<Utc>>,
    /// How it stands to the one before.
    pub news: News,
    /// Whether its place said that nothing is new, so that nothing was read.
    pub untouched: bool,
    /// The file it was read from, to move that one and no other.
    stamp: Option<file::Stamp>,
}

/// How an export stands to the one that was fetched before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// Nothing was fetched before.
    First,
    /// It is the same: the place says so, or the bytes are.
    Same,
    /// It is another one.
    Changed,
}

/// What a place answers.
enum Answer {
    /// Nothing new since the export that is kept.
    Same,
    /// An export, all of which has been taken in.
    New(About),
}

/// What a place says of an export beside its bytes.
#[derive(Default)]
struct About {
    name: String,
    modified: Option<DateTime<Utc>>,
    etag: Option<String>,
    last_modified: Option<String>,
    stamp: Option<file::Stamp>,
}

/// Brings the export of a place into the cache. Any number of processes may do so at once. It
/// blocks, so it is called on a thread of its own and never in the middle of a future.
///
/// # Errors
/// Why it could not be fetched: what was fetched before is still there then.
pub fn fetch(place: &Place, cache: &Path) -> Result<Fetched, TransportError> {
    let kept = Kept::of(place, cache);
    let lock = kept.lock()?;
    let before = kept.meta(&lock)?;
    let mut incoming = kept.incoming(place, &lock)?;
    let answer = match &place.way {
        Way::File(file) => file::fetch(place, file, before.as_ref(), &mut incoming),
        Way::Drop(drop) => folder::fetch(place, drop, before.as_ref(), &mut incoming),
        Way::Http(http) => in_time(
            place,
            http::fetch(place, http, before.as_ref(), &mut incoming),
        ),
        Way::Sftp(sftp) => sftp::fetch(place, sftp, &kept, &mut incoming),
        Way::Ftp(ftp) => in_time(place, ftp::fetch(place, ftp, &mut incoming)),
    }?;
    let fetched = match (answer, before) {
        (Answer::Same, Some(before)) => Fetched {
            untouched: true,
            ..kept.again(before, &lock)?
        },
        (Answer::Same, None) => {
            return Err(TransportError::Failed {
                place: place.to_string(),
                said: "it says that nothing is new, though nothing was fetched before".to_owned(),
            });
        }
        (Answer::New(about), before) => {
            let whole = incoming.finish()?;
            kept.keep(&whole, about, before.as_ref(), &lock)?
        }
    };
    tracing::info!(
        "{place}: {} of {} bytes, {}",
        fetched.name,
        fetched.size,
        match fetched.news {
            News::First => "the first",
            News::Same => "the same as before",
            News::Changed => "changed",
        }
    );
    Ok(fetched)
}

/// The bytes of what was fetched last for a place, and what they are; nothing goes to the network.
/// The file stays as it is until two others have been fetched.
///
/// # Errors
/// When it was never fetched, or the cache cannot be read.
pub fn fetched(place: &Place, cache: &Path) -> Result<(PathBuf, Fetched), TransportError> {
    let kept = Kept::of(place, cache);
    let meta = kept.whole()?;
    let meta = meta.ok_or_else(|| TransportError::Unfetched {
        place: place.to_string(),
    })?;
    Ok((kept.body(meta.digest()), meta.fetched(News::Same)))
}

/// Does something that goes to the network, for as long as the place may take.
fn in_time<T>(
    place: &Place,
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

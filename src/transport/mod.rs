//! Fetches exports, whatever is in them.
//!
//! `fetch` goes to where the export is and stores its bytes in the cache once all of them have
//! arrived; `last_fetched` returns what is stored, without using the network. So what is read is
//! never half an export and does not change while it is read, and a server that cannot be reached
//! removes nothing. There is one file per transport; start reading at `fetch`.

mod cache;
mod content_check;
mod drop_folder;
mod error;
mod fetched;
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
pub use fetched::{ExportChange, FetchedExport};
pub use http::MOST_REDIRECTS;
pub use location::{
    ClientCredentials, DropLocation, ExportLocation, FileLocation, FtpLocation, FtpSecurity,
    HttpAuth, HttpLocation, LIMIT, LocationKind, NextPage, S3Key, SftpLocation, SshKey, TIMEOUT,
};

pub use s3::percent_encode;

use cache::ExportCache;
use fetched::{CONNECT, ExportMetadata, FetchAnswer, IDLE, PAUSE};
use std::path::{Path, PathBuf};

/// Fetches the export of a place into the cache. Any number of processes may do this at once. It
/// blocks, so it must run on a thread of its own and not within a future.
pub fn fetch(place: &ExportLocation, cache: &Path) -> Result<FetchedExport, TransportError> {
    let kept = ExportCache::of(place, cache);
    // Held during the whole fetch: two processes that fetch the same export at once would write to
    // the same file, and one of them would do its work for nothing.
    let lock = kept.lock()?;
    let before = kept.read_metadata_for_request(&lock)?;
    let mut incoming = kept.incoming(place, &lock)?;
    let answer = match &place.kind {
        LocationKind::File(file) => file::fetch(place, file, before.as_ref(), &mut incoming),
        LocationKind::Drop(drop) => drop_folder::fetch(place, drop, before.as_ref(), &mut incoming),
        LocationKind::Http(http) => block_on_with_timeout(
            place,
            pages::fetch(place, http, before.as_ref(), &mut incoming),
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
        // A server or proxy that answers `304` to an unconditional request is broken, and there is
        // nothing to fall back to.
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

/// Returns the path of the export that was fetched last, and its description, without using the
/// network. The file stays until two other exports have been fetched.
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

/// Runs a network operation within the time limit of the place.
fn block_on_with_timeout<T>(
    place: &ExportLocation,
    work: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    // A runtime of its own: this runs on a blocking thread, and its time limit must end everything
    // that it started.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| TransportError::Failed {
            place: place.to_string(),
            said: error.to_string(),
        })?;
    let ended = runtime.block_on(async { tokio::time::timeout(place.timeout, work).await });
    // A pending name lookup, which cannot be cancelled, must not delay the return.
    runtime.shutdown_background();
    ended.unwrap_or_else(|_| {
        Err(TransportError::Timeout {
            place: place.to_string(),
            after: place.timeout,
        })
    })
}

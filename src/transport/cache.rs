//! What was fetched for a place, in the cache: each export by the digest of its bytes, and a note
//! that says which one counts. The note is written after the bytes, so that it never names what is
//! not there.

use super::error::TransportError;
use super::file::FileStamp;
use super::incoming::{CompleteExport, IncomingExport};
use super::location::ExportLocation;
use super::{ExportChange, ExportMetadata, FetchedExport};
use crate::model::Digest;
use crate::own_folder;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The note.
const META: &str = "meta.json";

/// The folder of one place.
pub(super) struct ExportCache {
    cache: PathBuf,
    folder: PathBuf,
    request_digest: Digest,
}

/// The right to write to it. It ends with the process.
pub(super) struct CacheLock(#[allow(dead_code, reason = "held, not read")] File);

/// What the note says of the export that counts.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CacheMetadata {
    name: String,
    digest: String,
    size: u64,
    fetched_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// What was asked for beside the address.
    question: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<FileStamp>,
    /// The export before, which somebody may still be reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

impl CacheMetadata {
    pub(super) fn digest(&self) -> Digest {
        // One that was written by somebody else names no file.
        Digest::parse(&self.digest).unwrap_or_default()
    }

    pub(super) fn fetched(&self, news: ExportChange) -> FetchedExport {
        FetchedExport {
            name: self.name.clone(),
            digest: self.digest(),
            size: self.size,
            modified: self.modified_at,
            news,
            untouched: false,
            stamp: self.stamp,
        }
    }
}

impl ExportCache {
    pub(super) fn of(place: &ExportLocation, cache: &Path) -> Self {
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_owned());
        let folder = cache.join("feeds").join(place.cache_key().to_string());
        Self {
            cache,
            folder,
            request_digest: place.request_digest(),
        }
    }

    /// Waits for the right to write.
    pub(super) fn lock(&self) -> Result<CacheLock, TransportError> {
        let locked = || {
            own_folder::make(&self.cache)?;
            own_folder::make(&self.folder)?;
            let file = File::create(self.folder.join("lock"))?;
            file.lock()?;
            Ok(CacheLock(file))
        };
        locked().map_err(|error| self.fault(error))
    }

    /// The folder, to put what is no export yet.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn body(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{digest}.body"))
    }

    /// What the note says; nothing if it names what is not there, which is then fetched again.
    pub(super) fn read_metadata(&self) -> Result<Option<CacheMetadata>, TransportError> {
        let text = match fs::read(self.folder.join(META)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.fault(error)),
        };
        let meta: Option<CacheMetadata> = serde_json::from_slice(&text).ok();
        let body = |meta: &CacheMetadata| fs::metadata(self.body(meta.digest())).ok();
        Ok(meta.filter(|meta| body(meta).is_some_and(|body| body.len() == meta.size)))
    }

    /// The same, for who is about to ask for news: an answer to another question is no answer.
    pub(super) fn read_metadata_for_request(
        &self,
        _: &CacheLock,
    ) -> Result<Option<CacheMetadata>, TransportError> {
        let mut meta = self.read_metadata()?;
        if let Some(meta) = &mut meta
            && meta.question != self.request_digest.to_string()
        {
            (meta.etag, meta.last_modified) = (None, None);
        }
        Ok(meta)
    }

    /// Room for an export; what others left half done is removed.
    pub(super) fn incoming(
        &self,
        place: &ExportLocation,
        _: &CacheLock,
    ) -> Result<IncomingExport, TransportError> {
        for stale in self.files(|name| name.starts_with("incoming")) {
            // It is in nobody's way.
            let _ = fs::remove_file(stale);
        }
        let path = self.folder.join("incoming");
        IncomingExport::new(place, path, place.limit)
    }

    /// Notes that the same export counts.
    pub(super) fn record_unchanged(
        &self,
        mut meta: CacheMetadata,
        lock: &CacheLock,
    ) -> Result<FetchedExport, TransportError> {
        meta.fetched_at = Utc::now();
        self.note(&meta, lock)?;
        Ok(meta.fetched(ExportChange::Same))
    }

    /// Takes an export in: from now on it counts.
    pub(super) fn store_export(
        &self,
        whole: &CompleteExport,
        about: ExportMetadata,
        before: Option<&CacheMetadata>,
        lock: &CacheLock,
    ) -> Result<FetchedExport, TransportError> {
        let (digest, last) = (whole.digest, before.map(CacheMetadata::digest));
        let news = match last {
            None => ExportChange::First,
            Some(last) if last == digest => ExportChange::Same,
            Some(_) => ExportChange::Changed,
        };
        let before = if news == ExportChange::Same {
            before.and_then(|before| before.before.clone())
        } else {
            last.map(|last| last.to_string())
        };
        let meta = CacheMetadata {
            name: about.name,
            digest: digest.to_string(),
            size: whole.size,
            fetched_at: Utc::now(),
            modified_at: about.modified,
            etag: about.etag,
            last_modified: about.last_modified,
            question: self.request_digest.to_string(),
            stamp: about.stamp,
            before,
        };
        let moved = fs::rename(&whole.path, self.body(digest));
        moved.map_err(|error| self.fault(error))?;
        self.note(&meta, lock)?;
        self.tidy(&meta);
        Ok(meta.fetched(news))
    }

    fn note(&self, meta: &CacheMetadata, _: &CacheLock) -> Result<(), TransportError> {
        let write = || {
            let new = self.folder.join("incoming-meta");
            fs::write(&new, serde_json::to_vec_pretty(meta)?)?;
            fs::rename(new, self.folder.join(META))
        };
        write().map_err(|error| self.fault(error))
    }

    /// Exports that count no more, but for the last one.
    fn tidy(&self, meta: &CacheMetadata) {
        let wanted = [Some(&meta.digest), meta.before.as_ref()];
        let wanted: Vec<String> = wanted
            .into_iter()
            .flatten()
            .map(|digest| format!("{digest}.body"))
            .collect();
        let old = self.files(|name| {
            let is_body = Path::new(name).extension().is_some_and(|it| it == "body");
            is_body && !wanted.iter().any(|wanted| wanted == name)
        });
        for file in old {
            // What cannot be removed now is old next time too.
            let _ = fs::remove_file(file);
        }
    }

    fn files(&self, which: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let found = entries.filter(|entry| which(&entry.file_name().to_string_lossy()));
        found.map(|entry| entry.path()).collect()
    }

    pub(super) fn fault(&self, source: io::Error) -> TransportError {
        TransportError::Cache {
            path: self.folder.clone(),
            source,
        }
    }
}

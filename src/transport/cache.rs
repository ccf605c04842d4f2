//! The cache of exports that were fetched for a place: each export in a file named after the digest
//! of its bytes, and `meta.json`, which names the current one. `meta.json` is written after the
//! bytes, so that it never names a file that is not there. Readers need no lock; writers do.

use super::error::TransportError;
use super::fetched::FileStamp;
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

const META: &str = "meta.json";

/// The cache folder of one place.
pub(super) struct ExportCache {
    cache: PathBuf,
    folder: PathBuf,
    request_digest: Digest,
}

/// The right to write to the folder. It ends with the process.
pub(super) struct CacheLock(#[allow(dead_code, reason = "held, not read")] File);

/// What `meta.json` says of the current export.
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
    /// The digest of what was requested besides the address.
    question: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<FileStamp>,
    /// The previous export, which somebody may still be reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

impl CacheMetadata {
    pub(super) fn digest(&self) -> Digest {
        // A digest that does not parse names no file, so the export is fetched again.
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

    /// The folder, for files that are not exports yet.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn body(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{digest}.body"))
    }

    /// Returns the content of `meta.json`. `None` if it names a file that is missing, which is then
    /// fetched again.
    pub(super) fn read_metadata(&self) -> Result<Option<CacheMetadata>, TransportError> {
        let text = match fs::read(self.folder.join(META)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.fault(error)),
        };
        // An unreadable note is treated like a missing one: the cache may be removed at any time.
        let meta: Option<CacheMetadata> = serde_json::from_slice(&text).ok();
        let body = |meta: &CacheMetadata| fs::metadata(self.body(meta.digest())).ok();
        // The size tells a file that was cut by a full disk or a power failure, without reading it.
        Ok(meta.filter(|meta| body(meta).is_some_and(|body| body.len() == meta.size)))
    }

    /// The same for a conditional request. Without the validators of another request: `ETag` of one
    /// company's export says nothing about another's.
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

    /// Opens a file for an export. Leftovers of processes that were killed are removed.
    pub(super) fn incoming(
        &self,
        place: &ExportLocation,
        _: &CacheLock,
    ) -> Result<IncomingExport, TransportError> {
        for stale in self.files(|name| name.starts_with("incoming")) {
            // A leftover does no harm.
            let _ = fs::remove_file(stale);
        }
        let path = self.folder.join("incoming");
        IncomingExport::new(place, path, place.limit)
    }

    /// Records that the export is unchanged.
    pub(super) fn record_unchanged(
        &self,
        mut meta: CacheMetadata,
        lock: &CacheLock,
    ) -> Result<FetchedExport, TransportError> {
        meta.fetched_at = Utc::now();
        self.note(&meta, lock)?;
        Ok(meta.fetched(ExportChange::Same))
    }

    /// Makes an export the current one.
    pub(super) fn store_export(
        &self,
        whole: &CompleteExport,
        about: ExportMetadata,
        before: Option<&CacheMetadata>,
        lock: &CacheLock,
    ) -> Result<FetchedExport, TransportError> {
        let (digest, last) = (whole.digest, before.map(CacheMetadata::digest));
        // By the bytes, not by what the server said: a file that is written anew every night with
        // the same content is not a new export. Missing customers are counted in exports, so the
        // same bytes must not count twice.
        let news = match last {
            None => ExportChange::First,
            Some(last) if last == digest => ExportChange::Same,
            Some(_) => ExportChange::Changed,
        };
        // The same bytes again do not push the previous export out.
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
        // Bytes first, then the note, then the removal of old bytes. A kill between two of them
        // leaves a cache that reads as before or as after.
        let moved = fs::rename(&whole.path, self.body(digest));
        moved.map_err(|error| self.fault(error))?;
        self.note(&meta, lock)?;
        self.tidy(&meta);
        Ok(meta.fetched(news))
    }

    fn note(&self, meta: &CacheMetadata, _: &CacheLock) -> Result<(), TransportError> {
        let write = || {
            // A rename is atomic, so that readers, who hold no lock, never see half a note.
            let new = self.folder.join("incoming-meta");
            fs::write(&new, serde_json::to_vec_pretty(meta)?)?;
            fs::rename(new, self.folder.join(META))
        };
        write().map_err(|error| self.fault(error))
    }

    /// Removes exports other than the current and the previous one.
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
            // If it cannot be removed now, the next fetch tries again.
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

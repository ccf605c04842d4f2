//! Files of this machine: which one, whether it is complete, and that it stays the same while it is
//! read.

use super::cache::CacheMetadata;
use super::error::TransportError;
use super::file_name::{done_names, is_pattern, matches_pattern, may_be_complete};
use super::incoming::IncomingExport;
use super::location::{ExportLocation, FileLocation};
use super::{ExportMetadata, FetchAnswer, PAUSE};
use chrono::{DateTime, Utc};
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

/// What tells a file from another one, and from what it was before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    fn of(metadata: &Metadata) -> Self {
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

/// Takes a file, unless it is the one that was taken last.
pub(super) fn fetch(
    place: &ExportLocation,
    file: &FileLocation,
    before: Option<&CacheMetadata>,
    incoming: &mut IncomingExport,
) -> Result<FetchAnswer, TransportError> {
    let path = find_newest(place, file)?;
    let stamp = stat(&path)?;
    if before.is_some_and(|before| before.stamp == Some(stamp)) {
        return Ok(FetchAnswer::Same);
    }
    if let Some(ending) = &file.done {
        check_done(&path, stamp, ending)?;
    } else {
        thread::sleep(PAUSE);
        check_unchanged(&path, stamp)?;
    }
    copy(&path, stamp, incoming).map(FetchAnswer::New)
}

/// The file that a place names, or the newest that its pattern fits.
fn find_newest(place: &ExportLocation, file: &FileLocation) -> Result<PathBuf, TransportError> {
    let path = &file.path;
    let pattern = path.file_name().unwrap_or_default().to_string_lossy();
    if !is_pattern(&pattern) {
        return Ok(path.to_owned());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut newest = None;
    for name in matching_names(folder, &pattern, file.done.as_deref())? {
        let path = folder.join(&name);
        match stat(&path) {
            Ok(stamp) => newest = newest.max(Some((stamp.modified, name, path))),
            Err(error) => tracing::warn!("{place}: {error}"),
        }
    }
    let (.., path) = newest.ok_or_else(|| TransportError::Missing {
        place: place.to_string(),
        said: String::new(),
    })?;
    Ok(path)
}

/// The names in a folder that a pattern fits and that may be complete.
pub(super) fn matching_names(
    folder: &Path,
    pattern: &str,
    done: Option<&str>,
) -> Result<Vec<String>, TransportError> {
    let is_one = |name: &str| {
        let says_done = done.is_some_and(|ending| name.ends_with(ending));
        may_be_complete(name) && matches_pattern(pattern, name) && !says_done
    };
    let unread = |error| unreadable(folder, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let name = entry.map_err(unread)?.file_name();
        match name.to_str() {
            Some(name) if is_one(name) => names.push(name.to_owned()),
            Some(_) => {}
            None => tracing::warn!("{}: the name {name:?} is not UTF-8", folder.display()),
        }
    }
    Ok(names)
}

/// What a file is now; only what can be read as one, in its own folder, is any.
pub(super) fn stat(path: &Path) -> Result<FileStamp, TransportError> {
    let unread = |error| unreadable(path, error);
    let link = fs::symlink_metadata(path).map_err(unread)?;
    if link.is_symlink() {
        let folder = path.parent().unwrap_or(Path::new("."));
        let folder = fs::canonicalize(folder).map_err(unread)?;
        let target = fs::canonicalize(path).map_err(unread)?;
        if !target.starts_with(folder) {
            return Err(irregular(path, "a symbolic link to outside its folder"));
        }
    }
    let metadata = fs::metadata(path).map_err(unread)?;
    regular(path, metadata.file_type())?;
    Ok(FileStamp::of(&metadata))
}

fn regular(path: &Path, kind: FileType) -> Result<(), TransportError> {
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(irregular(path, what))
}

fn irregular(path: &Path, what: &str) -> TransportError {
    TransportError::Irregular {
        path: path.display().to_string(),
        what: what.to_owned(),
    }
}

fn unreadable(path: &Path, source: io::Error) -> TransportError {
    if source.kind() == io::ErrorKind::NotFound {
        return TransportError::Missing {
            place: path.display().to_string(),
            said: String::new(),
        };
    }
    let path = path.to_owned();
    TransportError::Read { path, source }
}

/// Whether it is what it was a while ago.
pub(super) fn check_unchanged(path: &Path, before: FileStamp) -> Result<(), TransportError> {
    let now = stat(path)?;
    if now == before {
        return Ok(());
    }
    let why = if now.size == before.size {
        "it was written just now".to_owned()
    } else {
        format!("{} bytes became {}", before.size, now.size)
    };
    Err(unfinished(path, why))
}

/// Whether the file that says so is there, and is not that of the day before.
pub(super) fn check_done(
    path: &Path,
    stamp: FileStamp,
    ending: &str,
) -> Result<(), TransportError> {
    match done_file(path, ending) {
        Some((_, done)) if done.modified >= stamp.modified => Ok(()),
        Some((done, _)) => Err(unfinished(
            path,
            format!("{} is older than it", done.display()),
        )),
        None => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let [name, _] = done_names(&name, ending);
            Err(unfinished(path, format!("{name} is not there")))
        }
    }
}

/// The file that says it is complete.
pub(super) fn done_file(path: &Path, ending: &str) -> Option<(PathBuf, FileStamp)> {
    let name = path.file_name()?.to_str()?;
    let names = done_names(name, ending).into_iter();
    let mut found = names.filter_map(|name| {
        let path = path.with_file_name(name);
        let stamp = stat(&path).ok()?;
        Some((path, stamp))
    });
    found.next()
}

fn unfinished(path: &Path, why: String) -> TransportError {
    TransportError::Unfinished {
        place: path.display().to_string(),
        why,
    }
}

/// Takes a file that stays the same all the while.
pub(super) fn copy(
    path: &Path,
    stamp: FileStamp,
    incoming: &mut IncomingExport,
) -> Result<ExportMetadata, TransportError> {
    incoming.check_size(stamp.size)?;
    let unread = |error| unreadable(path, error);
    let file = open(path).map_err(unread)?;
    let same = |file: &File| {
        let metadata = file.metadata().map_err(unread)?;
        Ok(FileStamp::of(&metadata) == stamp)
    };
    let swapped = || TransportError::Swapped {
        place: path.display().to_string(),
    };
    if !same(&file)? {
        return Err(swapped());
    }
    incoming.take_all(&file, unread)?;
    if !same(&file)? || stat(path).ok() != Some(stamp) || incoming.size() != stamp.size {
        return Err(swapped());
    }
    let metadata = file.metadata().map_err(unread)?;
    Ok(ExportMetadata {
        name: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        modified: modified(&metadata),
        stamp: Some(stamp),
        ..ExportMetadata::default()
    })
}

/// Opens what may have become a pipe meanwhile, and does not wait for its other end.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::super::location::{LIMIT, LocationKind, TIMEOUT};
    use super::*;

    #[test]
    fn a_file_that_changes_while_it_is_read_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("customers.csv");
        let place = ExportLocation {
            kind: LocationKind::File(FileLocation {
                path: path.clone(),
                done: None,
            }),
            limit: LIMIT,
            timeout: TIMEOUT,
        };
        fs::write(&path, "id;name\n").unwrap();
        let stamp = stat(&path).unwrap();
        let take = || {
            let new = folder.path().join("incoming");
            copy(&path, stamp, &mut IncomingExport::new(&place, new, LIMIT)?)
        };
        assert!(take().is_ok());
        // Another one of the same size, moved to its place.
        let other = folder.path().join("other.csv");
        fs::write(&other, "id;nom_\n").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(matches!(take(), Err(TransportError::Swapped { .. })));
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        // Nobody waits for the other end of a pipe.
        assert!(matches!(take(), Err(TransportError::Swapped { .. })));
    }
}

//! Local files: which file a pattern selects, whether it is complete, and that it does not change
//! while it is read. ERPs write exports in place and take their time, so a file is read only after
//! it has not changed for a second, and checked again afterwards. Start reading at `fetch`.

use super::cache::CacheMetadata;
use super::error::TransportError;
use super::fetched::{FileStamp, modified};
use super::file_name::{done_names, is_pattern, matches_pattern, may_be_complete};
use super::incoming::IncomingExport;
use super::location::{ExportLocation, FileLocation};
use super::{ExportMetadata, FetchAnswer, PAUSE};
use nix::fcntl::OFlag;
use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

/// Takes a file, unless it is the one that was taken last.
pub(super) fn fetch(
    place: &ExportLocation,
    file: &FileLocation,
    before: Option<&CacheMetadata>,
    incoming: &mut IncomingExport,
) -> Result<FetchAnswer, TransportError> {
    let path = find_newest(place, file)?;
    let stamp = stat(&path)?;
    // The stamp is compared before anything waits, so that an unchanged file costs a pass no time.
    if before.is_some_and(|before| before.stamp == Some(stamp)) {
        return Ok(FetchAnswer::Same);
    }
    if let Some(ending) = &file.done {
        check_done(&path, stamp, ending)?;
    } else {
        // A writer that is at work changes the size or time within a second, usually.
        thread::sleep(PAUSE);
        check_unchanged(&path, stamp)?;
    }
    copy(&path, stamp, incoming).map(FetchAnswer::New)
}

/// Returns the file of a place, or the newest that its pattern matches.
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
            // The name breaks ties, so that files of the same second are chosen the same way each
            // time.
            Ok(stamp) => newest = newest.max(Some((stamp.modified, name, path))),
            // One unreadable file that happens to match does not hide the others.
            Err(error) => tracing::warn!("{place}: {error}"),
        }
    }
    let (.., path) = newest.ok_or_else(|| TransportError::Missing {
        place: place.to_string(),
        said: String::new(),
    })?;
    Ok(path)
}

/// Lists the names in a folder that match a pattern and may be complete files.
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
            // Skipped with a warning: a source name, a log line and a report could not name it.
            None => tracing::warn!("{}: the name {name:?} is not UTF-8", folder.display()),
        }
    }
    Ok(names)
}

/// Returns the stamp of a file. Fails for anything but a regular file in its own folder.
pub(super) fn stat(path: &Path) -> Result<FileStamp, TransportError> {
    let unread = |error| unreadable(path, error);
    let link = fs::symlink_metadata(path).map_err(unread)?;
    // A link out of the folder could make Roster read, and report on, any file that its user can
    // read.
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

/// Returns an error if the file is not as it was.
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

/// Returns an error if the done-file is missing or older than the file.
pub(super) fn check_done(
    path: &Path,
    stamp: FileStamp,
    ending: &str,
) -> Result<(), TransportError> {
    match done_file(path, ending) {
        // An older one is left over from the export before.
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

/// Returns the done-file of a file.
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

/// Takes a file that does not change in the meantime.
pub(super) fn copy(
    path: &Path,
    stamp: FileStamp,
    incoming: &mut IncomingExport,
) -> Result<ExportMetadata, TransportError> {
    incoming.check_size(stamp.size)?;
    let unread = |error| unreadable(path, error);
    let file = open(path).map_err(unread)?;
    // Stamps are taken from the open file, so that a file renamed over it is noticed.
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
    // Also by path: a file that was replaced after it was opened is complete, but no longer the
    // export.
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

/// Opens the file without blocking. If it was replaced by a pipe after it was checked, opening that
/// would wait for a writer.
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
        // Another file of the same size, moved to its place.
        let other = folder.path().join("other.csv");
        fs::write(&other, "id;nom_\n").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(matches!(take(), Err(TransportError::Swapped { .. })));
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
        // Opening a pipe must not wait for its writer.
        assert!(matches!(take(), Err(TransportError::Swapped { .. })));
    }
}

//! Drop folders: files are put into a folder, each is read once and then moved to `accepted/` or
//! `rejected/`, with its reports next to it. A file counts as done only once it is moved, so a
//! crash at any point makes the next pass read it again and not lose it. Start reading at `fetch`
//! and `settle`.

use super::cache::CacheMetadata;
use super::error::TransportError;
use super::fetched::FileStamp;
use super::file::{check_done, check_unchanged, copy, done_file, matching_names, stat};
use super::file_name::natural_order;
use super::incoming::IncomingExport;
use super::location::{DropLocation, ExportLocation, LocationKind};
use super::{FetchAnswer, FetchedExport, PAUSE};
use chrono::Utc;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

/// A file in the folder, or why it cannot be read.
type WaitingFile = (PathBuf, Result<FileStamp, TransportError>);

/// Takes the first complete file. Without one, the previous export stays in force.
pub(super) fn fetch(
    place: &ExportLocation,
    drop: &DropLocation,
    before: Option<&CacheMetadata>,
    incoming: &mut IncomingExport,
) -> Result<FetchAnswer, TransportError> {
    let waiting = list_waiting(drop)?;
    if waiting.is_empty() && before.is_some() {
        return Ok(FetchAnswer::Same);
    }
    // A file that was read but not moved yet is not read again. It may be waiting for an approval.
    if let (Some((_, Ok(first))), Some(before)) = (waiting.first(), before)
        && before.stamp == Some(*first)
    {
        return Ok(FetchAnswer::Same);
    }
    // Once for all files, not once per file.
    if drop.done.is_none() && !waiting.is_empty() {
        thread::sleep(PAUSE);
    }
    let mut why = TransportError::Missing {
        place: place.to_string(),
        said: String::new(),
    };
    for (path, stamp) in waiting {
        let complete = stamp.and_then(|stamp| {
            match &drop.done {
                Some(ending) => check_done(&path, stamp, ending),
                None => check_unchanged(&path, stamp),
            }
            .map(|()| stamp)
        });
        match complete.and_then(|stamp| copy(&path, stamp, incoming)) {
            Ok(about) => return Ok(FetchAnswer::New(about)),
            // An unfinished file does not block those after it.
            Err(error @ (TransportError::Unfinished { .. } | TransportError::Irregular { .. })) => {
                tracing::warn!("{error}");
                why = error;
            }
            // Somebody removed it in the meantime.
            Err(TransportError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    // The folder is not empty but nothing can be read: with an earlier export, that is no failure.
    before.map(|_| FetchAnswer::Same).ok_or(why)
}

/// Lists the files of the folder in order.
fn list_waiting(drop: &DropLocation) -> Result<Vec<WaitingFile>, TransportError> {
    let mut names = matching_names(&drop.folder, &drop.pattern, drop.done.as_deref())?;
    names.retain(|name| !is_result_folder(&drop.folder, name));
    // By name and not by time: the time of a file tells when it was copied here, not when it was
    // exported.
    names.sort_by(|a, b| natural_order(a, b));
    let paths = names.iter().map(|name| drop.folder.join(name));
    Ok(paths.map(|path| (path.clone(), stat(&path))).collect())
}

/// Returns whether this is a folder for files that are done.
fn is_result_folder(folder: &Path, name: &str) -> bool {
    [ACCEPTED, REJECTED].contains(&name) && folder.join(name).is_dir()
}

const ACCEPTED: &str = "accepted";
const REJECTED: &str = "rejected";

impl ExportLocation {
    /// Whether exports are moved out of the place once they were dealt with.
    #[must_use]
    pub fn is_drop_folder(&self) -> bool {
        matches!(self.kind, LocationKind::Drop(_))
    }
}

/// Moves a file of a drop folder that is done, with its reports (name and content) next to it. A
/// file that was moved or replaced in the meantime is left alone, and so are exports at other
/// locations.
pub fn settle(
    place: &ExportLocation,
    fetched: &FetchedExport,
    accepted: bool,
    reports: &[(&str, Vec<u8>)],
) -> Result<(), TransportError> {
    let LocationKind::Drop(drop) = &place.kind else {
        return Ok(());
    };
    let path = drop.folder.join(&fetched.name);
    let read = fetched.stamp;
    // The stamp tells the file that was read from one that was put there under the same name since.
    match stat(&path) {
        Ok(stamp) if Some(stamp) == read => {}
        Ok(_) => {
            tracing::warn!(
                "{} was replaced after it was read; the next pass reads the new one",
                path.display()
            );
            return Ok(());
        }
        Err(TransportError::Missing { .. }) => return Ok(()),
        Err(error) => return Err(error),
    }
    let to = drop.folder.join(if accepted { ACCEPTED } else { REJECTED });
    let unmoved = |source: io::Error| TransportError::Move {
        path: path.clone(),
        source,
    };
    // Readable like the folder it is in, because other people look there.
    fs::create_dir_all(&to).map_err(unmoved)?;
    let target = reserve(&to, &fetched.name).map_err(unmoved)?;
    let moved = move_with_reports(&path, &target, drop.done.as_deref(), reports);
    if moved.is_err() {
        // The reserved name. A file that already has been moved keeps it.
        let _ = fs::remove_file(&target);
    }
    moved.map_err(unmoved)
}

/// Reserves a name with the time in it, which no other file has.
fn reserve(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let time = Utc::now().format("%Y%m%dT%H%M%SZ");
    let names = (1..10_000).map(|count| match count {
        1 => format!("{time}-{name}"),
        _ => format!("{time}-{count}-{name}"),
    });
    for name in names {
        let path = folder.join(name);
        // Created, not checked for: two processes in the same second must not choose the same name.
        match File::create_new(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Writes the reports, then moves the file, which is not done until then. Its done-file moves
/// before it, so that it never marks the next file of the same name as complete.
fn move_with_reports(
    path: &Path,
    target: &Path,
    done: Option<&str>,
    reports: &[(&str, Vec<u8>)],
) -> io::Result<()> {
    for (name, text) in reports {
        let mut file = File::create(sibling_path(target, name))?;
        file.write_all(text)?;
        // On disk before the file moves: after a crash there may be a report too many, but not one
        // too few.
        file.sync_data()?;
    }
    if let Some(ending) = done
        && let Some((done, _)) = done_file(path, ending)
    {
        let ending = ending.trim_start_matches('.');
        fs::rename(done, sibling_path(target, ending))?;
    }
    fs::rename(path, target)
}

/// Returns the path with another ending added.
fn sibling_path(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.{ending}"))
}

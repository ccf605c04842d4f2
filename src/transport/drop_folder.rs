//! Drop folders: somebody puts files into one, each is read once and then moved to `accepted/` or
//! `rejected/` in it, with what is said of it beside it.

use super::cache::CacheMetadata;
use super::error::TransportError;
use super::file::{FileStamp, check_done, check_unchanged, copy, done_file, matching_names, stat};
use super::file_name::natural_order;
use super::incoming::IncomingExport;
use super::location::{DropLocation, ExportLocation, LocationKind};
use super::{FetchAnswer, FetchedExport, PAUSE};
use chrono::Utc;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

/// A file that was put there, or why it is none that is read.
type WaitingFile = (PathBuf, Result<FileStamp, TransportError>);

/// Takes the first file that is complete; with none, what was taken before stands.
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
    // One that was read and not moved yet is not read again.
    if let (Some((_, Ok(first))), Some(before)) = (waiting.first(), before)
        && before.stamp == Some(*first)
    {
        return Ok(FetchAnswer::Same);
    }
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
            Err(error @ (TransportError::Unfinished { .. } | TransportError::Irregular { .. })) => {
                tracing::warn!("{error}");
                why = error;
            }
            // Somebody took it away.
            Err(TransportError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    before.map(|_| FetchAnswer::Same).ok_or(why)
}

/// What is in the folder, in order.
fn list_waiting(drop: &DropLocation) -> Result<Vec<WaitingFile>, TransportError> {
    let mut names = matching_names(&drop.folder, &drop.pattern, drop.done.as_deref())?;
    names.retain(|name| !is_result_folder(&drop.folder, name));
    names.sort_by(|a, b| natural_order(a, b));
    let paths = names.iter().map(|name| drop.folder.join(name));
    Ok(paths.map(|path| (path.clone(), stat(&path))).collect())
}

/// Whether it is one of the folders for what has been dealt with.
fn is_result_folder(folder: &Path, name: &str) -> bool {
    [ACCEPTED, REJECTED].contains(&name) && folder.join(name).is_dir()
}

const ACCEPTED: &str = "accepted";
const REJECTED: &str = "rejected";

/// Moves a file that was fetched from a drop folder out of the way, with reports beside it: their
/// names and what is in them. One that was moved or replaced meanwhile is left alone, and so is
/// everything at another place.
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
    // Others read there: it has the rights of the folder it is in.
    fs::create_dir_all(&to).map_err(unmoved)?;
    let target = reserve(&to, &fetched.name).map_err(unmoved)?;
    let moved = move_with_reports(&path, &target, drop.done.as_deref(), reports);
    if moved.is_err() {
        // The name that was taken for it; a file that is there already stays.
        let _ = fs::remove_file(&target);
    }
    moved.map_err(unmoved)
}

/// Takes a name that nobody has, with the time in it.
fn reserve(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let time = Utc::now().format("%Y%m%dT%H%M%SZ");
    let names = (1..10_000).map(|count| match count {
        1 => format!("{time}-{name}"),
        _ => format!("{time}-{count}-{name}"),
    });
    for name in names {
        let path = folder.join(name);
        match File::create_new(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Reports first, the file last: until then it counts as not dealt with. The file that says it is
/// complete goes before it, so that it never stands for the next one of the same name.
fn move_with_reports(
    path: &Path,
    target: &Path,
    done: Option<&str>,
    reports: &[(&str, Vec<u8>)],
) -> io::Result<()> {
    for (name, text) in reports {
        let mut file = File::create(sibling_path(target, name))?;
        file.write_all(text)?;
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

/// The name of a file with another ending after its own.
fn sibling_path(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.{ending}"))
}

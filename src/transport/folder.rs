//! Drop folders: somebody puts files into one, each is read once and then moved to `accepted/` or
//! `rejected/` in it, with what is said of it beside it.

use super::error::TransportError;
use super::file::{Stamp, copy, done_file, is_done, look, names, stands_still};
use super::incoming::Incoming;
use super::kept::Meta;
use super::name::order;
use super::place::{DropPlace, Place, Way};
use super::{Answer, Fetched, PAUSE};
use chrono::Utc;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

/// A file that was put there, or why it is none that is read.
type Waiting = (PathBuf, Result<Stamp, TransportError>);

/// Takes the first file that is complete; with none, what was taken before stands.
pub(super) fn fetch(
    place: &Place,
    drop: &DropPlace,
    before: Option<&Meta>,
    incoming: &mut Incoming,
) -> Result<Answer, TransportError> {
    let waiting = waiting(drop)?;
    if waiting.is_empty() && before.is_some() {
        return Ok(Answer::Same);
    }
    // One that was read and not moved yet is not read again.
    if let (Some((_, Ok(first))), Some(before)) = (waiting.first(), before)
        && before.stamp == Some(*first)
    {
        return Ok(Answer::Same);
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
                Some(ending) => is_done(&path, stamp, ending),
                None => stands_still(&path, stamp),
            }
            .map(|()| stamp)
        });
        match complete.and_then(|stamp| copy(&path, stamp, incoming)) {
            Ok(about) => return Ok(Answer::New(about)),
            Err(error @ (TransportError::Unfinished { .. } | TransportError::Irregular { .. })) => {
                tracing::warn!("{error}");
                why = error;
            }
            // Somebody took it away.
            Err(TransportError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    before.map(|_| Answer::Same).ok_or(why)
}

/// What is in the folder, in order.
fn waiting(drop: &DropPlace) -> Result<Vec<Waiting>, TransportError> {
    let mut names = names(&drop.folder, &drop.pattern, drop.done.as_deref())?;
    names.retain(|name| !is_own(&drop.folder, name));
    names.sort_by(|a, b| order(a, b));
    let paths = names.iter().map(|name| drop.folder.join(name));
    Ok(paths.map(|path| (path.clone(), look(&path))).collect())
}

/// Whether it is one of the folders for what has been dealt with.
fn is_own(folder: &Path, name: &str) -> bool {
    [ACCEPTED, REJECTED].contains(&name) && folder.join(name).is_dir()
}

const ACCEPTED: &str = "accepted";
const REJECTED: &str = "rejected";

/// Moves a file that was fetched from a drop folder out of the way, with reports beside it: their
/// names and what is in them. One that was moved or replaced meanwhile is left alone, and so is
/// everything at another place.
///
/// # Errors
/// Why it cannot be moved: it would be read again then.
pub fn settle(
    place: &Place,
    fetched: &Fetched,
    accepted: bool,
    reports: &[(&str, Vec<u8>)],
) -> Result<(), TransportError> {
    let Way::Drop(drop) = &place.way else {
        return Ok(());
    };
    let path = drop.folder.join(&fetched.name);
    let read = fetched.stamp;
    match look(&path) {
        Ok(stamp) if Some(stamp) == read => {}
        Ok(_) => {
            tracing::warn!(
                "{} was replaced after it was read; the new one stays for the next pass",
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
    let moved = put(&path, &target, drop.done.as_deref(), reports);
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
fn put(
    path: &Path,
    target: &Path,
    done: Option<&str>,
    reports: &[(&str, Vec<u8>)],
) -> io::Result<()> {
    for (name, text) in reports {
        let mut file = File::create(beside(target, name))?;
        file.write_all(text)?;
        file.sync_data()?;
    }
    if let Some(ending) = done
        && let Some((done, _)) = done_file(path, ending)
    {
        let ending = ending.trim_start_matches('.');
        fs::rename(done, beside(target, ending))?;
    }
    fs::rename(path, target)
}

/// The name of a file with another ending after its own.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.{ending}"))
}

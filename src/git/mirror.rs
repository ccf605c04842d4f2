//! The bare mirror of a repository: where it is, who may write to it, and how it is made anew.

use super::command::{git, local, run_checked, run_locked};
use super::error::GitError;
use super::location::GitLocation;
use crate::model::Digest;
use crate::own_folder;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The file in a mirror that says it is damaged.
const DAMAGED: &str = "roster-damaged";

/// One repository on this machine.
#[derive(Clone, Debug)]
pub(super) struct GitMirror {
    /// The bare repository.
    pub path: PathBuf,
    /// The folder of all mirrors.
    cache: PathBuf,
}

/// The right to write to a mirror. It ends with the process, and with every git it started.
pub(super) struct MirrorLock(pub(super) File);

impl GitMirror {
    /// The mirror of a place, there or not.
    pub(super) fn of(place: &GitLocation, cache: &Path) -> Self {
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_owned());
        let name = Digest::of(place.url.as_bytes());
        Self {
            path: cache.join(format!("{name}.git")),
            cache,
        }
    }

    pub(super) fn exists(&self) -> bool {
        self.path.join("HEAD").is_file()
    }

    /// Waits for the right to write.
    pub(super) fn lock(&self) -> Result<MirrorLock, GitError> {
        let locked = || {
            own_folder::make(&self.cache)?;
            let file = File::create(self.path.with_extension("lock"))?;
            file.lock()?;
            Ok(file)
        };
        locked().map(MirrorLock).map_err(|error| self.fault(error))
    }

    /// Whether it can be fetched into as it is.
    pub(super) fn is_sound(
        &self,
        place: &GitLocation,
        lock: &MirrorLock,
    ) -> Result<bool, GitError> {
        if !self.exists() {
            return Ok(false);
        }
        if self.path.join(DAMAGED).exists() {
            tracing::warn!("the mirror of {} is damaged; recreating it", place.url);
            return Ok(false);
        }
        // We hold the lock, and so did whoever left these: nobody else is writing.
        drop_locks(&self.path);
        let mut check = local(&self.path);
        check.args(["rev-parse", "--git-dir"]);
        match run_locked(check, &lock.0, place) {
            Ok(_) => Ok(true),
            Err(GitError::Repository { .. } | GitError::Failed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An empty one beside it, with the kind of hash that the remote has: it takes the place once it
    /// is whole, so that neither a kill nor a remote that fails leaves half of one.
    pub(super) fn new_beside(&self, place: &GitLocation, hash: &str) -> Result<Self, GitError> {
        let beside = Self {
            path: self.path.with_extension("partial"),
            cache: self.cache.clone(),
        };
        remove(&beside.path).map_err(|error| self.fault(error))?;
        let mut init = git();
        init.args(["init", "--quiet", "--bare", "--template="])
            .arg(format!("--object-format={hash}"))
            .arg(&beside.path);
        run_checked(init, place)?;
        Ok(beside)
    }

    /// Removes it.
    pub(super) fn discard(self) {
        // What stays is removed before the next one is made.
        let _ = remove(&self.path);
    }

    /// Takes the place of another one.
    pub(super) fn replace(self, other: &Self) -> Result<(), GitError> {
        let gone = other.path.with_extension("gone");
        let replaced = remove(&gone)
            .and_then(|()| match fs::rename(&other.path, &gone) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            })
            .and_then(|()| fs::rename(&self.path, &other.path))
            .and_then(|()| remove(&gone));
        replaced.map_err(|error| other.fault(error))
    }

    /// Says that it does not hold what it should: the next fetch makes it anew.
    pub(super) fn mark_damaged(&self) {
        // If this cannot be written, the next reader finds the damage again.
        let _ = File::create(self.path.join(DAMAGED));
    }

    fn fault(&self, source: io::Error) -> GitError {
        GitError::Cache {
            path: self.path.clone(),
            source,
        }
    }
}

/// What a killed git left: locks on references and on the configuration.
fn drop_locks(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.ends_with("objects") {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            drop_locks(&path);
        } else if path.extension().is_some_and(|ending| ending == "lock") {
            // What cannot be removed, git names.
            let _ = fs::remove_file(path);
        }
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

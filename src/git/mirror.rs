//! The bare mirror of a repository: where it is, who may write to it, and how it is replaced. A
//! process may be killed at any moment, so a mirror is either complete, or marked, or not in its
//! place.

use super::command::{git, local, run_checked, run_locked};
use super::error::GitError;
use super::location::GitLocation;
use crate::model::Digest;
use crate::own_folder;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The file in a mirror that marks it as damaged.
const DAMAGED: &str = "roster-damaged";

/// The mirror of one repository.
#[derive(Clone, Debug)]
pub(super) struct GitMirror {
    pub path: PathBuf,
    cache: PathBuf,
}

/// The right to write to a mirror. It ends with the process and every git that it started.
pub(super) struct MirrorLock(pub(super) File);

impl GitMirror {
    /// Returns the mirror of a place, whether it exists or not.
    pub(super) fn of(place: &GitLocation, cache: &Path) -> Self {
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_owned());
        // Named after the url alone, so that several sources share the mirror of a repository. The
        // url has no password in it.
        let name = Digest::of(place.url.as_bytes());
        Self {
            path: cache.join(format!("{name}.git")),
            cache,
        }
    }

    /// Returns a repository that is no mirror. Only commands that read it may be run on it.
    pub(super) fn read_only(repository: PathBuf) -> Self {
        Self {
            cache: repository.clone(),
            path: repository,
        }
    }

    pub(super) fn exists(&self) -> bool {
        self.path.join("HEAD").is_file()
    }

    /// Waits for the right to write.
    pub(super) fn lock(&self) -> Result<MirrorLock, GitError> {
        let locked = || {
            own_folder::make(&self.cache)?;
            // Beside the mirror and not in it, because the mirror as a whole gets replaced.
            let file = File::create(self.path.with_extension("lock"))?;
            file.lock()?;
            Ok(file)
        };
        locked().map(MirrorLock).map_err(|error| self.fault(error))
    }

    /// Returns whether the mirror can be fetched into.
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
        // Nobody else can be writing while this process holds the lock, so these locks are left
        // over from a process that was killed.
        drop_locks(&self.path);
        let mut check = local(&self.path);
        check.args(["rev-parse", "--git-dir"]);
        match run_locked(check, &lock.0, place) {
            Ok(_) => Ok(true),
            Err(GitError::Repository { .. } | GitError::Failed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Creates an empty mirror next to this one, with the kind of object ids that the remote uses.
    /// It takes its place when it is complete, so that neither a kill nor a failing remote leaves
    /// half a mirror.
    pub(super) fn new_beside(&self, place: &GitLocation, hash: &str) -> Result<Self, GitError> {
        let beside = Self {
            path: self.path.with_extension("partial"),
            cache: self.cache.clone(),
        };
        // Left over from a process that was killed.
        remove(&beside.path).map_err(|error| self.fault(error))?;
        let mut init = git();
        // No template: the hooks of one would be copied into the mirror.
        init.args(["init", "--quiet", "--bare", "--template="])
            .arg(format!("--object-format={hash}"))
            .arg(&beside.path);
        run_checked(init, place)?;
        Ok(beside)
    }

    pub(super) fn discard(self) {
        // If it cannot be removed, the next one removes it.
        let _ = remove(&self.path);
    }

    /// Moves this mirror to the place of another.
    pub(super) fn replace(self, other: &Self) -> Result<(), GitError> {
        // Renamed before it is removed: removing takes long, and a kill in the middle would leave
        // half a mirror in place.
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

    /// Marks the mirror as damaged, so that the next fetch replaces it. Readers do not hold the
    /// lock, so they may not replace it themselves.
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

/// Removes the locks that a killed git left on references and the configuration.
fn drop_locks(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        // The folder of objects is large, and has no locks that block a fetch.
        if path.ends_with("objects") {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            drop_locks(&path);
        } else if path.extension().is_some_and(|ending| ending == "lock") {
            // If it cannot be removed, git names it in its error.
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

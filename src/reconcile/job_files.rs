//! The files of jobs, below one directory. Roster gives each file a name of its own, so that no name
//! that a user chose is ever part of a path, and a new file never touches the one before it. Paths
//! that a shop wrote into the table are followed only as long as they stay below the directory.
//! Start at [`JobFiles::receive`] and [`JobFiles::open`].

use crate::diagnostic::chain;
use crate::kinds::job::JobFileRole;
use crate::own_folder;
use crate::store::{JobFileRequest, Store, StoreError, StoredJob};
use futures_util::{Stream, StreamExt as _};
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use tokio::io::AsyncWriteExt as _;

/// The directory of the files.
#[derive(Clone, Debug)]
pub struct JobFiles {
    dir: PathBuf,
}

/// A file of a job that arrives.
#[derive(Clone, Copy, Debug)]
pub struct ArrivingFile<'a> {
    pub job: &'a str,
    pub role: JobFileRole,
    /// The name that the user gave it.
    pub name: &'a str,
    pub edited: bool,
}

/// Why a file was not received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError<E> {
    /// The sender stopped, or sent too much.
    #[error("the file did not arrive")]
    Body(E),
    #[error("cannot write to {dir}: {source}")]
    Write {
        /// The directory of the files.
        dir: String,
        source: io::Error,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl JobFiles {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Writes a file as its bytes arrive, and records it once all of it is on the disk; `None` if
    /// the job does not exist.
    pub async fn receive<B, E>(
        &self,
        store: &Store,
        file: &ArrivingFile<'_>,
        body: impl Stream<Item = Result<B, E>>,
    ) -> Result<Option<StoredJob>, ReceiveError<E>>
    where
        B: AsRef<[u8]>,
    {
        if store.job(file.job).await?.is_none() {
            return Ok(None);
        }
        let path = new_path(file.job, file.role);
        store.reserve_file(&path).await?;
        let written = self.write(&path, body).await;
        let recorded = match written {
            Ok(()) => {
                let request = JobFileRequest {
                    job: file.job,
                    role: file.role,
                    name: file.name,
                    path: &path,
                    edited: file.edited,
                };
                store.put_job_file(&request).await.map_err(Into::into)
            }
            Err(error) => Err(error),
        };
        // After an error of the database, nobody knows whether the job names the file. The
        // reservation then removes it, unless the job does.
        let is_unused = matches!(
            recorded,
            Ok(None) | Err(ReceiveError::Body(_) | ReceiveError::Write { .. })
        );
        if is_unused {
            // The reservation stays if this fails, so that a later call removes it.
            let _ = self.remove(store, &path).await;
        }
        recorded
    }

    async fn write<B, E>(
        &self,
        path: &str,
        body: impl Stream<Item = Result<B, E>>,
    ) -> Result<(), ReceiveError<E>>
    where
        B: AsRef<[u8]>,
    {
        let failed = |source| ReceiveError::Write {
            dir: self.dir.display().to_string(),
            source,
        };
        self.make_dir().map_err(failed)?;
        let path = self.dir.join(path);
        if let Some(folder) = path.parent() {
            own_folder::make(folder).map_err(failed)?;
        }
        let mut out = tokio::fs::OpenOptions::new();
        let out = out.write(true).create_new(true).mode(0o600);
        let mut out = out.open(&path).await.map_err(failed)?;
        let mut body = std::pin::pin!(body);
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(ReceiveError::Body)?;
            out.write_all(bytes.as_ref()).await.map_err(failed)?;
        }
        out.flush().await.map_err(failed)?;
        out.sync_all().await.map_err(failed)?;
        // The entry in the folder has to be on the disk too before the table names it.
        if let Some(folder) = path.parent() {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(failed)?;
        }
        Ok(())
    }

    /// Creates the directory, which is often inside a checkout, with a `.gitignore`.
    fn make_dir(&self) -> io::Result<()> {
        if self.dir.exists() {
            return Ok(());
        }
        own_folder::make(&self.dir)?;
        fs::write(self.dir.join(".gitignore"), "*\n")
    }

    /// Opens a file by the path in the table. A path that leaves the directory does not exist.
    pub fn open(&self, path: &str) -> io::Result<File> {
        let found = self.resolve(path)?;
        let file = File::open(found)?;
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// The place of a file, with every symbolic link followed.
    fn resolve(&self, path: &str) -> io::Result<PathBuf> {
        let mut parts = Path::new(path).components();
        if path.is_empty() || !parts.all(|part| matches!(part, Component::Normal(_))) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let dir = self.dir.canonicalize()?;
        let found = dir.join(path).canonicalize()?;
        if found.starts_with(&dir) {
            Ok(found)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// Removes the files that nothing refers to any more. What fails is tried again next time.
    pub async fn remove_due(&self, store: &Store) -> Result<(), StoreError> {
        for path in store.files_to_remove().await? {
            if let Err(error) = self.remove(store, &path).await? {
                tracing::warn!("cannot remove the job file {path}: {error}");
            }
        }
        Ok(())
    }

    /// The same after something that is done already, so that a failure only goes to the log.
    pub async fn remove_due_later(&self, store: &Store) {
        if let Err(error) = self.remove_due(store).await {
            tracing::warn!("cannot remove old job files: {}", chain(&error));
        }
    }

    async fn remove(&self, store: &Store, path: &str) -> Result<io::Result<()>, StoreError> {
        let removed = match self.resolve(path) {
            Ok(found) => fs::remove_file(&found).map(|()| Some(found)),
            Err(error) => Err(error),
        };
        match removed {
            Ok(found) => {
                // Only succeeds for the last file of a job, which is what it is for.
                let folder = found.as_deref().and_then(Path::parent);
                let folder = folder.filter(|folder| *folder != self.dir);
                let _ = folder.map(fs::remove_dir);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Ok(Err(error)),
        }
        store.forget_file(path).await?;
        Ok(Ok(()))
    }
}

/// A path that no other file has.
fn new_path(job: &str, role: JobFileRole) -> String {
    let unique = rand::random::<u64>();
    format!("{}/{}-{unique:016x}", folder_name(job), role.word())
}

/// The folder of a job: its id where that is a plain name, or else a hash of it.
fn folder_name(job: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = (1..=100).contains(&job.len());
    if fits && job.chars().all(plain) && !job.starts_with('.') {
        return job.to_owned();
    }
    // The sign keeps it apart from an id that looks like a hash.
    format!("@{}", blake3::hash(job.as_bytes()).to_hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_folder_or_a_hash() {
        assert_eq!(folder_name("J-17"), "J-17");
        for id in ["..", ".", "a/b", "å", "", &"x".repeat(101)] {
            let name = folder_name(id);
            assert!(name.starts_with('@') && name.len() == 65, "{id}: {name}");
        }
    }

    #[test]
    fn a_path_never_leaves_the_directory() {
        let outside = tempfile::tempdir().expect("a folder");
        fs::write(outside.path().join("secret"), "s").expect("written");
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("J")).expect("a folder");
        fs::write(dir.path().join("J/input"), "pdf").expect("written");
        std::os::unix::fs::symlink(outside.path(), dir.path().join("link")).expect("a link");
        let files = JobFiles::new(dir.path());
        assert!(files.open("J/input").is_ok());
        let escape = format!(
            "../{}/secret",
            outside.path().file_name().unwrap().display()
        );
        let absolute = outside.path().join("secret").display().to_string();
        for path in [
            "",
            "J",
            "J/../J/input",
            "/etc/passwd",
            "link/secret",
            &escape,
            &absolute,
        ] {
            assert!(files.open(path).is_err(), "{path}");
        }
    }
}

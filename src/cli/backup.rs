//! `roster user backup`: everything of a user that the user may take along, as a ZIP. The archive is
//! made here, or downloaded from a daemon.

use super::download::FileDownload;
use super::remote::{RemoteOptions, encode_segment};
use super::{CommandFailure, CommandResult, GlobalOptions, atomic_file, session};
use crate::diagnostic::plural;
use crate::kinds::USER;
use crate::model::Key;
use crate::reconcile::{JobFiles, archive_names, backup_name, write_backup};
use crate::store::{Store, UserBackup};
use clap::Args;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Read as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Options of `roster user backup`.
#[derive(Debug, Args)]
pub struct BackupOptions {
    /// The externalId of the user.
    id: String,
    /// The archive. Of a directory, a new file in it named after the person.
    #[arg(short, long, value_name = "FILE.zip|DIR/")]
    out: PathBuf,
    #[command(flatten)]
    remote: RemoteOptions,
}

/// A backup that was written.
pub struct WrittenBackup {
    path: PathBuf,
    /// The names of files that are missing in it.
    missing: Vec<String>,
}

/// Where an archive comes from.
enum ArchiveOrigin {
    Database { backup: UserBackup, files: JobFiles },
    Daemon(FileDownload),
}

pub async fn run(global: &GlobalOptions, options: &BackupOptions) -> CommandResult {
    let written = back_up(global, &options.remote, &options.id, &options.out).await?;
    let complete = written.require_complete();
    if !global.quiet {
        anstream::eprintln!("Wrote {}.", written.path.display());
    }
    complete.map(|()| 0)
}

impl WrittenBackup {
    /// Fails if files are missing.
    pub fn require_complete(&self) -> Result<(), CommandFailure> {
        if self.missing.is_empty() {
            return Ok(());
        }
        Err(CommandFailure::error(format!(
            "{} missing in {}: {}; `missing.txt` in it lists them",
            if self.missing.len() == 1 {
                "1 file is".to_owned()
            } else {
                format!("{} are", plural(self.missing.len(), "file"))
            },
            self.path.display(),
            self.missing.join(", ")
        )))
    }
}

/// Writes the backup of a user, completely or not at all, and records who did.
pub async fn back_up(
    global: &GlobalOptions,
    remote: &RemoteOptions,
    id: &str,
    out: &Path,
) -> Result<WrittenBackup, CommandFailure> {
    if remote.url.is_some() {
        let path = format!("api/v1/resources/User/{}/backup", encode_segment(id));
        // The daemon records who asked.
        let download = remote.daemon(global)?.download(&path).await?;
        return ArchiveOrigin::Daemon(download).write(id, out);
    }
    let config = session::config(global, None)?;
    let store = session::writer(&config).await?;
    let files = JobFiles::new(&config.files);
    let backup = user_backup(&store, id).await?;
    let written = ArchiveOrigin::Database { backup, files }.write(id, out)?;
    let subject = format!("User/{id}");
    store
        .record_act(&session::actor(), "backup", &subject, "")
        .await?;
    Ok(written)
}

async fn user_backup(store: &Store, id: &str) -> Result<UserBackup, CommandFailure> {
    match store.user_backup(id).await? {
        Some(backup) => Ok(backup),
        None => Err(session::unknown_resource(store, &Key::new(USER, id)).await?),
    }
}

impl ArchiveOrigin {
    /// Writes the archive as a file, or as a new file in a directory.
    fn write(self, id: &str, out: &Path) -> Result<WrittenBackup, CommandFailure> {
        let is_directory = out.is_dir() || out.as_os_str().as_encoded_bytes().ends_with(b"/");
        let (path, missing) = if is_directory {
            fs::create_dir_all(out).map_err(|error| {
                CommandFailure::error(format!("cannot create {}: {error}", out.display()))
            })?;
            let path = self.free_path(id, out);
            let missing = atomic_file::write_new(&path, |out| self.write_to(out))?;
            (path, missing)
        } else {
            let missing = atomic_file::write(out, |out| self.write_to(out))?;
            (out.to_owned(), missing)
        };
        // Personal data, in whatever folder.
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let missing = match missing {
            Some(missing) => missing,
            None => missing_files(&path)?,
        };
        Ok(WrittenBackup { path, missing })
    }

    /// The path of a new file that is named after the person, with the id if the name is taken.
    fn free_path(&self, id: &str, dir: &Path) -> PathBuf {
        let name = match self {
            Self::Database { backup, .. } => backup_name(backup),
            Self::Daemon(download) => download.stem().unwrap_or_else(|| id.to_owned()),
        };
        let free = archive_names(&name, id).find_map(|name| {
            let path = dir.join(format!("{name}.zip"));
            path.symlink_metadata().is_err().then_some(path)
        });
        free.unwrap_or_default()
    }

    /// Writes the archive; returns the names of files that are missing, if they are known.
    fn write_to(self, out: &mut dyn Write) -> io::Result<Option<Vec<String>>> {
        match self {
            Self::Database { backup, files } => {
                write_backup(&backup, &files, BufWriter::new(out)).map(Some)
            }
            Self::Daemon(download) => download.write_to(out).map(|()| None),
        }
    }
}

/// The names of missing files that an archive lists.
fn missing_files(path: &Path) -> Result<Vec<String>, CommandFailure> {
    let damaged = |error: &dyn std::fmt::Display| {
        CommandFailure::error(format!(
            "cannot read the archive {}: {error}; download it again",
            path.display()
        ))
    };
    let mut archive = ZipArchive::new(File::open(path)?).map_err(|error| damaged(&error))?;
    let mut list = String::new();
    if let Ok(mut entry) = archive.by_name("missing.txt") {
        entry
            .read_to_string(&mut list)
            .map_err(|error| damaged(&error))?;
    }
    Ok(list.lines().map(str::to_owned).collect())
}

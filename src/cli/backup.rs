//! `roster user backup`: everything of a user that the user may take along, as a ZIP.

use super::{CommandFailure, CommandResult, GlobalOptions, atomic_file, session};
use crate::config::Config;
use crate::diagnostic::plural;
use crate::kinds::USER;
use crate::model::Key;
use crate::reconcile::{JobFiles, backup_name, backup_name_with_id, write_backup};
use crate::store::{Store, UserBackup};
use clap::Args;
use std::fs::{self, Permissions};
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Options of `roster user backup`.
#[derive(Debug, Args)]
pub struct BackupOptions {
    /// The externalId of the user.
    id: String,
    /// The archive. Of a directory, a new file in it named after the person.
    #[arg(short, long, value_name = "FILE.zip|DIR/")]
    out: PathBuf,
}

/// A backup that was written.
pub struct WrittenBackup {
    path: PathBuf,
    /// The names of files that are missing in it.
    missing: Vec<String>,
}

pub async fn run(global: &GlobalOptions, options: &BackupOptions) -> CommandResult {
    let config = session::config(global, None)?;
    let store = session::writer(&config).await?;
    let written = back_up(&config, &store, &options.id, &options.out).await?;
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
    config: &Config,
    store: &Store,
    id: &str,
    out: &Path,
) -> Result<WrittenBackup, CommandFailure> {
    let Some(backup) = store.user_backup(id).await? else {
        return Err(session::unknown_resource(store, &Key::new(USER, id)).await?);
    };
    let files = JobFiles::new(&config.files);
    let is_directory = out.is_dir() || out.as_os_str().as_encoded_bytes().ends_with(b"/");
    let written = if is_directory {
        fs::create_dir_all(out).map_err(|error| {
            CommandFailure::error(format!("cannot create {}: {error}", out.display()))
        })?;
        write_named(&backup, &files, out)?
    } else {
        let missing = atomic_file::write(out, |out| {
            write_backup(&backup, &files, BufWriter::new(out))
        })?;
        WrittenBackup {
            path: out.to_owned(),
            missing,
        }
    };
    // Personal data, in whatever folder.
    fs::set_permissions(&written.path, Permissions::from_mode(0o600))?;
    let subject = format!("User/{id}");
    store
        .record_act(&session::actor(), "backup", &subject, "")
        .await?;
    Ok(written)
}

/// Writes a new file named after the person, with the id if the name is taken.
fn write_named(
    backup: &UserBackup,
    files: &JobFiles,
    dir: &Path,
) -> Result<WrittenBackup, CommandFailure> {
    let with_id = backup_name_with_id(backup);
    let numbered = (2..).map(|count| format!("{with_id}_{count}"));
    let names = [backup_name(backup), with_id.clone()];
    let mut names = names.into_iter().chain(numbered);
    let free = names.find_map(|name| {
        let path = dir.join(format!("{name}.zip"));
        path.symlink_metadata().is_err().then_some(path)
    });
    let path = free.unwrap_or_default();
    let missing = atomic_file::write_new(&path, |out| {
        write_backup(backup, files, BufWriter::new(out))
    })?;
    Ok(WrittenBackup { path, missing })
}

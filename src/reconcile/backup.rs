//! Writes the backup of a user as a ZIP: the profile, the jobs, and a folder per job with its files.
//! It is written as a stream, so that its size does not matter. Names that people chose become names
//! in the archive that stay in their folder on every system. Start at [`write_backup`].

use super::job_files::JobFiles;
use crate::document::{BackupJobDocument, UserProfileDocument};
use crate::kinds::job::JobFileRole;
use crate::store::{JobFile, StoredJob, UserBackup};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};
use zip::ZipWriter;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};

/// The most bytes of a name in the archive.
const LONGEST: usize = 150;
/// From this size on, an entry needs the larger format.
const LARGE: u64 = u32::MAX as u64;

/// Writes a backup; returns the names of the files that are missing.
pub fn write_backup(
    backup: &UserBackup,
    files: &JobFiles,
    out: impl Write,
) -> io::Result<Vec<String>> {
    let mut archive = BackupArchive {
        zip: ZipWriter::new_stream(out),
        missing: Vec::new(),
    };
    archive.json("user-profile.json", &UserProfileDocument::from(backup))?;
    let jobs = backup.jobs.iter().map(BackupJobDocument::from);
    archive.json("jobs.json", &jobs.collect::<Vec<_>>())?;
    // The names of the files above are taken.
    let mut folders = UniqueNames::default();
    for taken in ["user-profile.json", "jobs.json", "missing.txt"] {
        folders.unique(taken);
    }
    for job in &backup.jobs {
        let folder = folders.unique(&safe_name(&job.external_id));
        archive.job(job, &folder, files)?;
    }
    if !archive.missing.is_empty() {
        let list = archive.missing.join("\n") + "\n";
        archive.start("missing.txt", 0)?;
        archive.zip.write_all(list.as_bytes())?;
    }
    let mut out = archive.zip.finish().map_err(io_error)?;
    out.flush()?;
    Ok(archive.missing)
}

/// The name of the archive, after the person: `Karin_Åslund`.
pub fn backup_name(backup: &UserBackup) -> String {
    let name = format!("{} {}", backup.first_name, backup.last_name);
    let words: Vec<&str> = name.split_whitespace().collect();
    let name = safe_name(&words.join("_"));
    let name = name.trim_end_matches(".zip");
    // A dot in front would hide the file.
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => name.to_owned(),
    }
}

/// The names that an archive may get in a folder, the best first: the name of the person, and with
/// the id for a second person of this name.
pub fn archive_names(name: &str, id: &str) -> impl Iterator<Item = String> {
    let name = safe_name(name);
    let with_id = format!("{name}_{}", safe_name(id));
    let first = [name, with_id.clone()];
    let numbered = (2..).map(move |count| format!("{with_id}_{count}"));
    first.into_iter().chain(numbered)
}

struct BackupArchive<W: Write> {
    zip: ZipWriter<StreamWriter<W>>,
    missing: Vec<String>,
}

impl<W: Write> BackupArchive<W> {
    fn start(&mut self, name: &str, size: u64) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .large_file(size >= LARGE)
            // Personal data: only for whoever unpacks it.
            .unix_permissions(0o600);
        self.zip.start_file(name, options).map_err(io_error)
    }

    fn json(&mut self, name: &str, document: &impl Serialize) -> io::Result<()> {
        self.start(name, 0)?;
        serde_json::to_writer_pretty(&mut self.zip, document)?;
        self.zip.write_all(b"\n")
    }

    fn job(&mut self, job: &StoredJob, folder: &str, files: &JobFiles) -> io::Result<()> {
        let mut names = UniqueNames::default();
        for file in job.files.iter().filter(|file| is_backed_up(file)) {
            let name = names.unique(&safe_name(&file.name));
            let name = format!("{folder}/{name}");
            match files.open(&file.path) {
                Ok(mut content) => {
                    self.start(&name, content.metadata()?.len())?;
                    io::copy(&mut content, &mut self.zip)?;
                }
                // The rest is worth having all the same.
                Err(_) => self.missing.push(name),
            }
        }
        Ok(())
    }
}

/// Whether a file belongs into the backup: a model only if somebody saved changes in it.
fn is_backed_up(file: &JobFile) -> bool {
    file.edited || file.role != JobFileRole::Model.word()
}

fn io_error(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// Names of which no two are the same, also where letter case does not count.
#[derive(Default)]
struct UniqueNames(BTreeSet<String>);

impl UniqueNames {
    fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        let mut count = 1;
        while !self.0.insert(unique.to_lowercase()) {
            count += 1;
            let (stem, ending) = match name.rsplit_once('.') {
                Some((stem, ending)) if !stem.is_empty() => (stem, format!(".{ending}")),
                _ => (name, String::new()),
            };
            unique = format!("{stem} ({count}){ending}");
        }
        unique
    }
}

/// A name that is one segment of a path on every system.
fn safe_name(name: &str) -> String {
    let forbidden = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    let mut safe: String = name
        .chars()
        .map(|c| if forbidden(c) { '_' } else { c })
        .collect();
    // Shortened at the front, so that the ending stays.
    while safe.len() > LONGEST {
        safe.remove(0);
    }
    let safe = safe.trim_end_matches([' ', '.']);
    let safe = safe.trim_start_matches(' ');
    if safe.trim_matches('.').is_empty() {
        return "_".to_owned();
    }
    safe.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_no_hidden_file() {
        let backup = UserBackup {
            external_id: "u-1".into(),
            first_name: "../../Olle".into(),
            last_name: "Berg".into(),
            email: None,
            company: None,
            jobs: Vec::new(),
        };
        assert_eq!(backup_name(&backup), "_._.._Olle_Berg");
    }

    #[test]
    fn a_name_stays_in_its_folder() {
        for (name, safe) in [
            ("posters.pdf", "posters.pdf"),
            ("../../etc/passwd", ".._.._etc_passwd"),
            ("..", "_"),
            (".", "_"),
            ("", "_"),
            ("C:\\a", "C__a"),
            (" a. ", "a"),
            ("Åke\n.pdf", "Åke_.pdf"),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
        assert!(safe_name(&"å".repeat(300)).len() <= LONGEST);
    }

    #[test]
    fn no_two_names_are_the_same() {
        let mut names = UniqueNames::default();
        let unique = ["a.pdf", "A.pdf", "a (2).pdf", "a", "a"].map(|name| names.unique(name));
        assert_eq!(
            unique,
            ["a.pdf", "A (2).pdf", "a (2) (2).pdf", "a", "a (2)"]
        );
    }
}

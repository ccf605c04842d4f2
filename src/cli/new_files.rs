//! Writes several new files into a directory: all or none, and never over existing ones.

use super::CommandFailure;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes files below a directory, by path. All are complete before the first one appears, and none
/// stays if one of them fails.
pub fn write<C: AsRef<[u8]>>(
    dir: &Path,
    files: &BTreeMap<String, C>,
) -> Result<(), CommandFailure> {
    let failed = |error: io::Error| {
        CommandFailure::error(format!("nothing was written to {}: {error}", dir.display()))
    };
    if files.is_empty() {
        return Ok(());
    }
    let there = dir.try_exists().map_err(failed)?;
    let apart = staging_dir(dir, there);
    let made = write_staged(&apart, files).and_then(|()| {
        if there {
            link_into_place(&apart, dir, files.keys())
        } else {
            // A new directory appears as a whole; in an existing one, the files are linked one by
            // one.
            fs::rename(&apart, dir)
        }
    });
    // Also after a success: the linked files keep their contents.
    let _ = fs::remove_dir_all(&apart);
    made.map_err(failed)
}

/// Where the files are kept until all are complete: beside a new directory, or hidden inside an
/// existing one, whose parent may not be writable. Readers of manifests skip it.
fn staging_dir(dir: &Path, there: bool) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let hidden = format!(".{name}.{}", std::process::id());
    if there {
        dir.join(hidden)
    } else {
        dir.with_file_name(hidden)
    }
}

fn write_staged<C: AsRef<[u8]>>(apart: &Path, files: &BTreeMap<String, C>) -> io::Result<()> {
    // Left by a crash of an earlier process with the same number.
    if apart.exists() {
        fs::remove_dir_all(apart)?;
    }
    fs::create_dir_all(apart)?;
    let mut last = PathBuf::new();
    for (path, text) in files {
        let path = apart.join(path);
        let folder = path.parent().unwrap_or(apart);
        if last != folder {
            fs::create_dir_all(folder)?;
            folder.clone_into(&mut last);
        }
        // If the file system takes two names for the same file, that is an error and must not
        // overwrite the first.
        let mut file = File::create_new(&path).map_err(|error| error_at(&path, apart, &error))?;
        let written = file.write_all(text.as_ref());
        written.map_err(|error| error_at(&path, apart, &error))?;
    }
    Ok(())
}

fn error_at(path: &Path, below: &Path, error: &io::Error) -> io::Error {
    let path = path.strip_prefix(below).unwrap_or(path);
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Links each file into place, which fails if something is there. On a failure, the files placed so
/// far are removed again.
fn link_into_place<'p>(
    apart: &Path,
    dir: &Path,
    paths: impl Iterator<Item = &'p String>,
) -> io::Result<()> {
    let mut put = PlacedFiles::default();
    for path in paths {
        let to = dir.join(path);
        let moved = put
            .folders_of(&to)
            .and_then(|()| fs::hard_link(apart.join(path), &to));
        match moved {
            Ok(()) => put.files.push(to),
            Err(error) => {
                put.roll_back();
                return Err(error_at(&to, dir, &error));
            }
        }
    }
    Ok(())
}

/// What has been placed so far.
#[derive(Default)]
struct PlacedFiles {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl PlacedFiles {
    fn folders_of(&mut self, file: &Path) -> io::Result<()> {
        let folder = file.parent().unwrap_or(file);
        let missing = folder.ancestors().take_while(|folder| !folder.exists());
        let missing: Vec<&Path> = missing.collect();
        // From the outside in; only folders that this run created are removed on a failure.
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder)?;
            self.folders.push(folder.to_owned());
        }
        Ok(())
    }

    fn roll_back(&self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> BTreeMap<String, String> {
        let files = paths
            .iter()
            .map(|path| ((*path).to_owned(), "x\n".to_owned()));
        files.collect()
    }

    fn below(dir: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = vec![dir.to_owned()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).expect("a folder").flatten() {
                found.push(
                    entry
                        .path()
                        .strip_prefix(dir)
                        .expect("below")
                        .display()
                        .to_string(),
                );
                if entry.path().is_dir() {
                    waiting.push(entry.path());
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn all_are_written_or_none_and_what_is_there_stays() {
        let place = tempfile::tempdir().expect("a folder");
        let dir = place.path().join("new");
        write(&dir, &files(&["a/b/c.yaml", "d.yaml"])).expect("written");
        assert_eq!(below(&dir), ["a", "a/b", "a/b/c.yaml", "d.yaml"]);
        fs::write(dir.join("z.yaml"), "mine").expect("a file");
        let failure = write(&dir, &files(&["e/f.yaml", "z.yaml"])).expect_err("in the way");
        assert!(failure.message.contains("z.yaml: "), "{failure}");
        assert_eq!(below(&dir), ["a", "a/b", "a/b/c.yaml", "d.yaml", "z.yaml"]);
        assert_eq!(
            fs::read_to_string(dir.join("z.yaml")).expect("read"),
            "mine"
        );
        write(&dir, &files(&["a/b/g.yaml"])).expect("written beside");
        assert_eq!(below(place.path()).len(), 7);
    }
}

//! Writes a file that a user named, completely or not at all: into a temporary file beside it, to
//! the disk, then renamed into place.

use super::CommandFailure;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file that is being written. Until it is finished, an existing one stays as it is.
pub struct UnfinishedFile<'p> {
    /// The file as the user named it.
    path: &'p Path,
    target: WriteTarget,
}

enum WriteTarget {
    /// A device or a pipe cannot be replaced and is written directly.
    Direct(BufWriter<File>),
    /// The real file, and the permissions of the old one.
    Replaced(TemporaryFile, PathBuf, Option<fs::Permissions>),
}

impl<'p> UnfinishedFile<'p> {
    pub fn begin(path: &'p Path) -> Result<Self, CommandFailure> {
        let target = WriteTarget::of(path).map_err(|error| failed(path, &error))?;
        Ok(Self { path, target })
    }

    /// Puts the file in place, with everything that was written.
    pub fn finish(self) -> Result<(), CommandFailure> {
        let path = self.path;
        self.target.finish().map_err(|error| failed(path, &error))
    }
}

impl Write for UnfinishedFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.target.out().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.out().flush()
    }
}

impl WriteTarget {
    fn of(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if !found.is_file() && !found.is_dir() => {
                let device = File::options().write(true).open(path)?;
                Ok(Self::Direct(BufWriter::new(device)))
            }
            Ok(found) if found.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            Ok(found) => {
                // Through a symbolic link to the real file; renaming onto the link would replace
                // the link itself.
                let real = path.canonicalize()?;
                let new = TemporaryFile::create(&real)?;
                Ok(Self::Replaced(new, real, Some(found.permissions())))
            }
            Err(_) => {
                let new = TemporaryFile::create(path)?;
                Ok(Self::Replaced(new, path.to_owned(), None))
            }
        }
    }

    fn out(&mut self) -> &mut BufWriter<File> {
        match self {
            Self::Direct(out) => out,
            Self::Replaced(new, ..) => &mut new.out,
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Direct(mut out) => out.flush(),
            Self::Replaced(mut new, real, mode) => {
                new.sync()?;
                if let Some(mode) = mode {
                    // The new file must not be readable by more people than the old one.
                    fs::set_permissions(&new.path, mode)?;
                }
                fs::rename(&new.path, real)
            }
        }
    }
}

/// Writes a file, replacing an existing one.
pub fn write<T>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> Result<T, CommandFailure> {
    let mut file = UnfinishedFile::begin(path)?;
    let done = content(&mut file).map_err(|error| failed(path, &error))?;
    file.finish()?;
    Ok(done)
}

/// Fails if a file could not be written, without touching it.
pub fn check_writable(path: &Path) -> Result<(), CommandFailure> {
    let tried = match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        Ok(found) if !found.is_file() => Ok(()),
        Ok(_) => path.canonicalize().and_then(|real| write_beside(&real)),
        Err(_) => write_beside(path),
    };
    tried.map_err(|error| failed(path, &error))
}

fn write_beside(path: &Path) -> io::Result<()> {
    write_and_move(path, |_| Ok(()), |_| Ok(()))
}

/// Writes a file that must not exist yet.
pub fn write_new<T>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> Result<T, CommandFailure> {
    // A first check, so that no work is done in vain; the hard link below decides.
    let written = if path.symlink_metadata().is_ok() {
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    } else {
        // A hard link fails if the file exists by now; a rename would overwrite it.
        write_and_move(path, content, |new| fs::hard_link(new, path))
    };
    written.map_err(|error| failed(path, &error))
}

/// The failure to write a file.
pub fn failed(path: &Path, error: &io::Error) -> CommandFailure {
    CommandFailure::error(format!("cannot write {}: {error}", path.display()))
}

/// Writes a temporary file beside the target, syncs it and moves it into place.
fn write_and_move<T>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    put: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<T> {
    let mut new = TemporaryFile::create(path)?;
    let done = content(&mut new.out)?;
    new.sync()?;
    put(&new.path)?;
    Ok(done)
}

/// A file beside the one that is written; removed when dropped, unless it was moved.
struct TemporaryFile {
    path: PathBuf,
    out: BufWriter<File>,
}

impl TemporaryFile {
    fn create(target: &Path) -> io::Result<Self> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        // In the same folder, because a rename works only within one file system.
        let path = target.with_file_name(format!(".{name}.{}", std::process::id()));
        let out = BufWriter::new(File::create(&path)?);
        Ok(Self { path, out })
    }

    /// Without it, a crash after the rename may leave an empty file under the final name.
    fn sync(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // Left behind by a failure, or the second name after a hard link.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).expect("a folder").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.collect()
    }

    #[test]
    fn a_file_that_fails_half_way_leaves_the_old_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("plan.json");
        write(&path, |out| out.write_all(b"old")).expect("written");
        let failure = write(&path, |out| {
            out.write_all(b"new, and then")?;
            Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull))
        });
        let failure = failure.expect_err("no room");
        assert!(
            failure.message.contains("plan.json: no storage space"),
            "{failure}"
        );
        assert_eq!(fs::read_to_string(&path).expect("read"), "old");
        assert_eq!(names(dir.path()), ["plan.json"]);
    }

    #[test]
    fn a_new_file_is_never_written_over_another() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("map.yaml");
        write_new(&path, |out| out.write_all(b"one")).expect("written");
        write_new(&path, |out| out.write_all(b"two")).expect_err("there already");
        assert_eq!(fs::read_to_string(&path).expect("read"), "one");
        assert_eq!(names(dir.path()), ["map.yaml"]);
    }
}

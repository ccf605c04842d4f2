//! Writes a file that a user named, completely or not at all: into a temporary file beside it, to
//! the disk, then renamed into place.

use super::CommandFailure;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes a file, replacing an existing one.
pub fn write<T>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> Result<T, CommandFailure> {
    let written = match fs::metadata(path) {
        // A device or a pipe cannot be replaced and is written directly.
        Ok(found) if !found.is_file() && !found.is_dir() => write_through(path, content),
        Ok(found) if found.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        // Through a symbolic link to the real file; renaming onto the link would replace the link
        // itself.
        Ok(found) => path.canonicalize().and_then(|real| {
            let mode = found.permissions();
            write_and_move(&real, content, |new| {
                // The new file must not be readable by more people than the old one.
                fs::set_permissions(new, mode)?;
                fs::rename(new, &real)
            })
        }),
        Err(_) => write_and_move(path, content, |new| fs::rename(new, path)),
    };
    written.map_err(|error| failed(path, &error))
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

fn failed(path: &Path, error: &io::Error) -> CommandFailure {
    CommandFailure::error(format!("cannot write {}: {error}", path.display()))
}

fn write_through<T>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let mut out = BufWriter::new(File::options().write(true).open(path)?);
    let done = content(&mut out)?;
    out.flush()?;
    Ok(done)
}

/// Writes a temporary file beside the target, syncs it and moves it into place.
fn write_and_move<T>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    put: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<T> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // In the same folder, because a rename works only within one file system.
    let new = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = write_synced(&new, content).and_then(|done| put(&new).map(|()| done));
    // Left behind by a failure, or the second name after a hard link.
    let _ = fs::remove_file(&new);
    written
}

fn write_synced<T>(
    new: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    let mut out = BufWriter::new(File::create(new)?);
    let done = content(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    // Without it, a crash after the rename may leave an empty file under the final name.
    file.sync_all()?;
    Ok(done)
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

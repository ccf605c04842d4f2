//! A file that a user named: all of it or nothing, whatever happens while it is written.

use super::CommandFailure;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes a file, over an older one.
pub fn write<T>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> Result<T, CommandFailure> {
    let written = match fs::metadata(path) {
        // A device or a pipe is written to as it is.
        Ok(found) if !found.is_file() && !found.is_dir() => write_through(path, content),
        Ok(found) if found.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        Ok(found) => path.canonicalize().and_then(|real| {
            let mode = found.permissions();
            write_and_move(&real, content, |new| {
                fs::set_permissions(new, mode)?;
                fs::rename(new, &real)
            })
        }),
        Err(_) => write_and_move(path, content, |new| fs::rename(new, path)),
    };
    written.map_err(|error| failed(path, &error))
}

/// Writes a file that is not there yet.
pub fn write_new<T>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> Result<T, CommandFailure> {
    // Before anything is worked out; the link below decides.
    let written = if path.symlink_metadata().is_ok() {
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    } else {
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

/// Writes beside the place, to the disk, and then puts the file there.
fn write_and_move<T>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    put: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<T> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = write_synced(&new, content).and_then(|done| put(&new).map(|()| done));
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

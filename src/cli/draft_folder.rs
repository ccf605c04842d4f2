//! The folder into which `roster user invite` writes drafts: one `.eml` file per user, readable only
//! by whoever ran the command, because each holds a link.

use super::CommandFailure;
use crate::model::Digest;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// File systems allow 255 bytes; the rest is for the ending and the digest.
const LONGEST: usize = 200;

/// A folder in which files can be created.
pub(super) struct DraftFolder<'a>(&'a Path);

impl<'a> DraftFolder<'a> {
    /// Creates the folder if it does not exist, and tries it out.
    pub(super) fn open(path: &'a Path) -> Result<Self, CommandFailure> {
        let folder = Self(path);
        let tried = fs::create_dir_all(path).and_then(|()| {
            let probe = folder.temporary();
            create(&probe)?;
            fs::remove_file(&probe)
        });
        match tried {
            Ok(()) => Ok(folder),
            Err(error) => Err(CommandFailure::error(format!(
                "cannot write drafts into {}: {error}; pass another folder with `-o DIR`",
                path.display()
            ))),
        }
    }

    /// Writes the drafts of users, by external id. An older draft of a user is replaced.
    pub(super) fn write(&self, drafts: &[(&str, String)]) -> Result<Vec<PathBuf>, CommandFailure> {
        let mut written: Vec<PathBuf> = Vec::new();
        for (id, draft) in drafts {
            let path = self.0.join(format!("{}.eml", file_stem(id)));
            let new = self.temporary();
            let done = create(&new).and_then(|mut file| {
                file.write_all(draft.as_bytes())?;
                file.sync_all()?;
                fs::rename(&new, &path)
            });
            if let Err(error) = done {
                let _ = fs::remove_file(&new);
                return Err(CommandFailure::error(format!(
                    "cannot write {}: {error}; the users are invited, and their links are lost; invite them again",
                    path.display()
                )));
            }
            written.push(path);
        }
        Ok(written)
    }

    fn temporary(&self) -> PathBuf {
        self.0
            .join(format!(".draft.{:016x}", rand::random::<u64>()))
    }
}

fn create(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    // Never somebody else's file, whose mode would stay.
    options.write(true).create_new(true).mode(0o600);
    options.open(path)
}

/// An id as a file name. It stays as it is, except for what would leave the folder or hide the
/// file.
fn file_stem(id: &str) -> String {
    let mut name = String::new();
    for (at, c) in id.char_indices() {
        let hides = c == '.' && at == 0;
        if hides || c.is_control() || matches!(c, '/' | '\\' | ':' | '%' | ' ') {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(name, "%{byte:02X}");
            }
        } else {
            name.push(c);
        }
    }
    if name.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| name.is_char_boundary(*end));
        name.truncate(end.unwrap_or_default());
        // Two long ids may begin alike.
        let _ = write!(name, "~{}", Digest::of(id.as_bytes()));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_stays_in_its_folder_under_the_id() {
        for (id, name) in [
            ("britta@dalarna.example", "britta@dalarna.example"),
            ("../../etc/passwd", "%2E./..%2Fetc%2Fpasswd"),
            (".hidden", "%2Ehidden"),
            ("a/b", "a%2Fb"),
            ("50%", "50%25"),
        ] {
            assert_eq!(file_stem(id), name.replace('/', "%2F"));
        }
        let long = file_stem(&"x".repeat(300));
        assert!(
            long.len() < 250 && long != file_stem(&"x".repeat(301)),
            "{long}"
        );
    }
}

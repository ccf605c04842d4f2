//! Folders for Roster alone: what is fetched into them holds personal data.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes one, with those above it. One inside a checkout does not belong into it.
pub fn make(path: &Path) -> io::Result<()> {
    let own = path.ancestors().find(|folder| folder.ends_with(".roster"));
    let new = own.filter(|folder| !folder.exists());
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    let mut folder = DirBuilder::new();
    folder.recursive(true).mode(0o700).create(path)?;
    match new {
        Some(folder) => fs::write(folder.join(".gitignore"), "*\n"),
        None => Ok(()),
    }
}

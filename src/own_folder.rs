//! Folders that only the user of Roster can read, since fetched files contain personal data.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Creates such a folder, with its parents. A `.roster` folder also gets a `.gitignore`, because it
/// is often inside a checkout.
pub fn make(path: &Path) -> io::Result<()> {
    let own = path.ancestors().find(|folder| folder.ends_with(".roster"));
    let new = own.filter(|folder| !folder.exists());
    // The parents get the usual permissions: others may need to pass through them.
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    let mut folder = DirBuilder::new();
    folder.recursive(true).mode(0o700).create(path)?;
    // Only in a new folder, so that somebody's own `.gitignore` is not overwritten.
    match new {
        Some(folder) => fs::write(folder.join(".gitignore"), "*\n"),
        None => Ok(()),
    }
}

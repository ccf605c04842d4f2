//! Commits of the repository that a folder of this machine is in. Nothing is fetched, and nothing of
//! the repository is changed.

use super::blobs::GitBlobs;
use super::command::{git, run_checked};
use super::commit;
use super::error::GitError;
use super::location::{GitAuth, GitLocation, TIMEOUT};
use super::mirror::GitMirror;
use crate::manifest::Tree;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Returns the tree of a commit below a folder of a repository. `revision` is whatever git takes for
/// a commit: a branch, a tag, an id, `HEAD~2`. `None` if the commit does not have the folder.
pub fn local_tree(folder: &Path, revision: &str) -> Result<Option<Tree>, GitError> {
    let (repository, place) = repository_of(folder)?;
    let commit = commit::resolve_exact(&repository, &place, revision)?;
    let commit = commit.ok_or_else(|| GitError::Reference {
        url: place.url.clone(),
        reference: revision.to_owned(),
        near: None,
    })?;
    let listed = match commit::list_tree(&repository, &place, &commit) {
        Ok(listed) => listed,
        Err(GitError::Path { why, .. }) if why == commit::NO_FOLDER => return Ok(None),
        Err(error) => return Err(error),
    };
    let blobs = Arc::new(GitBlobs::new(repository, place));
    Ok(Some(Tree::of_listing(&commit, listed, blobs)))
}

/// The repository that a folder is in, and the folder in it.
pub(super) fn repository_of(folder: &Path) -> Result<(GitMirror, GitLocation), GitError> {
    let real = folder
        .canonicalize()
        .map_err(|error| GitError::Repository {
            url: folder.display().to_string(),
            said: error.to_string(),
        })?;
    let mut place = GitLocation {
        url: real.display().to_string(),
        reference: None,
        path: String::new(),
        auth: GitAuth::GitConfig,
        timeout: TIMEOUT,
    };
    let mut ask = git();
    ask.arg("-C").arg(&real);
    ask.args(["rev-parse", "--absolute-git-dir", "--show-prefix"]);
    let ran = run_checked(ask, &place)?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let mut lines = said.lines();
    let path = PathBuf::from(lines.next().unwrap_or_default());
    place.path = lines
        .next()
        .unwrap_or_default()
        .trim_end_matches('/')
        .into();
    Ok((GitMirror::read_only(path), place))
}

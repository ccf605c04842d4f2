//! Answers questions about one commit in the history of another one. Nothing is fetched.

use super::command::{local, run_checked};
use super::commit::{is_ancestor, resolve_exact};
use super::local_tree::repository_of;
use super::location::GitLocation;
use super::mirror::GitMirror;
use crate::model::is_commit;
use std::path::Path;

/// The history of a commit, in a mirror or in the repository of a folder.
pub struct CommitHistory {
    repository: GitMirror,
    place: GitLocation,
    /// The commit whose history it is; `None` if the repository does not have it.
    head: Option<String>,
    /// Whether the repository has the whole history.
    is_whole: bool,
}

impl CommitHistory {
    /// The history of a fetched commit of a place.
    #[must_use]
    pub fn of_place(place: &GitLocation, cache: &Path, revision: &str) -> Option<Self> {
        let mirror = GitMirror::of(place, cache);
        let head = is_commit(revision).then_some(revision);
        mirror
            .exists()
            .then(|| Self::new(mirror, place.clone(), head))
    }

    /// The history of the commit that the repository of a folder has checked out; `None` if the
    /// folder is in no repository.
    #[must_use]
    pub fn of_folder(folder: &Path) -> Option<Self> {
        let (repository, place) = repository_of(folder).ok()?;
        Some(Self::new(repository, place, Some("HEAD")))
    }

    fn new(repository: GitMirror, place: GitLocation, head: Option<&str>) -> Self {
        let resolved = head.and_then(|head| resolve_exact(&repository, &place, head).ok()?);
        let mut ask = local(&repository.path);
        ask.args(["rev-parse", "--is-shallow-repository"]);
        let is_whole = run_checked(ask, &place).is_ok_and(|ran| ran.line() == "false");
        Self {
            repository,
            place,
            head: resolved,
            is_whole,
        }
    }

    /// The first line of the message of a commit; `None` if the repository does not have it.
    #[must_use]
    pub fn subject(&self, commit: &str) -> Option<String> {
        let mut show = local(&self.repository.path);
        show.args(["show", "--no-patch", "--format=%s", commit, "--"]);
        let subject = run_checked(show, &self.place).ok()?.line();
        (!subject.is_empty()).then_some(subject)
    }

    /// Whether the history has a commit; `None` if that is not known.
    #[must_use]
    pub fn contains(&self, commit: &str) -> Option<bool> {
        let head = self.head.as_ref()?;
        match resolve_exact(&self.repository, &self.place, commit).ok()? {
            Some(commit) => is_ancestor(&self.repository, &self.place, &commit, head).ok(),
            // A commit that a whole history does not know is not in it.
            None => self.is_whole.then_some(false),
        }
    }

    /// Whether a file has been changed since a commit of the history by nothing but merges, as far as
    /// it became what it is now. A commit that changed it on purpose would be found.
    #[must_use]
    pub fn was_only_merged_since(&self, commit: &str, path: &str) -> bool {
        let Some(head) = &self.head else {
            return false;
        };
        let folder = self.place.path.trim_end_matches('/');
        let path = match folder {
            "" => path.to_owned(),
            folder => format!("{folder}/{path}"),
        };
        let mut list = local(&self.repository.path);
        // Git follows only the side of a merge that the file comes from, so what the other side did
        // to the file does not count.
        list.args([
            "rev-list",
            "--max-count=1",
            "--ancestry-path",
            "--no-merges",
        ])
        .arg(format!("{commit}..{head}"))
        .args(["--", &path]);
        run_checked(list, &self.place).is_ok_and(|ran| ran.line().is_empty())
    }
}

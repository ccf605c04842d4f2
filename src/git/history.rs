//! Lists the commits between two others, so that a plan can show what it comes from.

use super::command::{local, run_checked};
use super::commit::is_ancestor;
use super::error::GitError;
use super::location::GitLocation;
use super::mirror::GitMirror;
use std::path::Path;

/// Id, author and subject, with line breaks between them. Neither can be part of an author's name or a
/// subject, and no zero byte can, which `-z` puts between commits.
pub(super) const FORMAT: &str = "--format=%H%n%an%n%s";

/// A commit as its author described it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitInfo {
    pub revision: String,
    pub author: String,
    /// The first line of its message.
    pub subject: String,
}

/// Returns the commits that touch the folder of a place and are in the history of `revision` but
/// not of `before`, newest first: at most `limit`, and their total number. Without `before`, or if
/// `revision` does not follow it, only `revision` itself. Does not use the network.
pub fn commits_since(
    place: &GitLocation,
    cache: &Path,
    before: Option<&str>,
    revision: &str,
    limit: usize,
) -> Result<(Vec<CommitInfo>, usize), GitError> {
    let mirror = GitMirror::of(place, cache);
    // An error means that the mirror does not have the commit, so it is in no history.
    let follows = |before: &&str| is_ancestor(&mirror, place, before, revision).unwrap_or(false);
    let mut list = local(&mirror.path);
    list.args(["--literal-pathspecs", "log", "-z", FORMAT]);
    // A merge that takes a folder from its branch unchanged says which pull request it was.
    list.arg("--show-pulls");
    match before.filter(follows) {
        Some(before) => list.args([&format!("{before}..{revision}"), "--", &place.path]),
        None => list.args(["--max-count=1", revision, "--"]),
    };
    let ran = run_checked(list, place)?;
    let mut all = commits_of(&ran.stdout);
    let listed: Vec<CommitInfo> = all.by_ref().take(limit).collect();
    let count = listed.len() + all.count();
    Ok((listed, count))
}

/// Reads commits in [`FORMAT`], each after a zero byte or before one.
pub(super) fn commits_of(printed: &[u8]) -> impl Iterator<Item = CommitInfo> {
    let each = printed.split(|byte| *byte == 0);
    let each = each.map(|one| String::from_utf8_lossy(one).trim().to_owned());
    each.filter(|one| !one.is_empty()).map(|one| commit(&one))
}

fn commit(text: &str) -> CommitInfo {
    let mut lines = text.splitn(3, '\n').map(str::to_owned);
    let mut next = || lines.next().unwrap_or_default();
    CommitInfo {
        revision: next(),
        author: next(),
        subject: next(),
    }
}

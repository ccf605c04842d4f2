//! Fetching: the network, and which commit was found.

use super::command::{local, remote, run_locked};
use super::commit::{self, check_complete};
use super::error::GitError;
use super::location::GitLocation;
use super::mirror::{GitMirror, MirrorLock};
use std::path::Path;

/// What a fetch found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedCommit {
    /// The commit, in full.
    pub revision: String,
    /// How it stands to the one that was fetched before.
    pub moved: CommitMovement,
}

/// How a commit stands to the one that was fetched before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommitMovement {
    /// Nothing was fetched before.
    First,
    Same,
    /// The one before is part of its history.
    Forward,
    /// The one before is not: somebody pushed by force, or went back.
    Rewound {
        /// The one before.
        from: String,
    },
    /// The one before is part of another branch: the remote has another default branch now.
    Switched {
        /// The one before.
        from: String,
    },
}

/// Brings the mirror of a repository up to date and writes down the commit that the place is at.
/// Any number of processes may do so at once.
pub fn fetch(place: &GitLocation, cache: &Path) -> Result<FetchedCommit, GitError> {
    let mirror = GitMirror::of(place, cache);
    let lock = mirror.lock()?;
    let before = previous_commit(&mirror, place);
    let updated = if mirror.is_sound(place, &lock)? {
        Some(update(&mirror, place, &lock))
    } else {
        None
    };
    let revision = match updated {
        Some(Ok(revision)) => revision,
        Some(Err(error)) if !error.may_be_damage() => return Err(error),
        other => fetch_anew(&mirror, place, &lock, other.and_then(Result::err))?,
    };
    record_commit(&mirror, place, &lock, &revision)?;
    tidy(&mirror, place, &lock);
    tracing::info!("{place} is at commit {revision}");
    Ok(FetchedCommit {
        moved: compare_commits(&mirror, place, before, &revision),
        revision,
    })
}

/// Fetches into a new mirror, which then takes the place of the old one.
fn fetch_anew(
    mirror: &GitMirror,
    place: &GitLocation,
    lock: &MirrorLock,
    why: Option<GitError>,
) -> Result<String, GitError> {
    if let Some(why) = why {
        tracing::info!("{why}; creating a new mirror");
    }
    let made = new_mirror(mirror, place, lock, "sha1");
    let (fresh, revision) = match made {
        // The remote has the other kind of names.
        Err(GitError::Failed { said, .. }) if said.contains("sha256") => {
            new_mirror(mirror, place, lock, "sha256")?
        }
        other => other?,
    };
    fresh.replace(mirror)?;
    Ok(revision)
}

/// A new mirror beside the old one, fetched into; nothing of it stays when that fails.
fn new_mirror(
    mirror: &GitMirror,
    place: &GitLocation,
    lock: &MirrorLock,
    hash: &str,
) -> Result<(GitMirror, String), GitError> {
    let fresh = mirror.new_beside(place, hash)?;
    let filled = update(&fresh, place, lock).and_then(|revision| {
        record_commit(&fresh, place, lock, &revision)?;
        Ok(revision)
    });
    match filled {
        Ok(revision) => Ok((fresh, revision)),
        Err(error) => {
            fresh.discard();
            Err(error)
        }
    }
}

/// Writes down which commit the place is at. That also keeps it from being tidied away.
fn record_commit(
    mirror: &GitMirror,
    place: &GitLocation,
    lock: &MirrorLock,
    revision: &str,
) -> Result<(), GitError> {
    let mut mark = local(&mirror.path);
    mark.args(["update-ref", &place.record_reference(), revision]);
    run_locked(mark, &lock.0, place).map(|_| ())
}

/// Many small fetches make many small files; git says when that is too many.
fn tidy(mirror: &GitMirror, place: &GitLocation, lock: &MirrorLock) {
    let mut tidy = local(&mirror.path);
    tidy.args(["gc", "--auto", "--quiet"]);
    if let Err(error) = run_locked(tidy, &lock.0, place) {
        tracing::debug!("cannot clean up the mirror: {error}");
    }
}

/// Fetches, and finds the commit with all of its tree.
fn update(mirror: &GitMirror, place: &GitLocation, lock: &MirrorLock) -> Result<String, GitError> {
    fetch_all_references(mirror, place, lock)?;
    // What is no branch or tag moves only when it is asked for again.
    let found = match commit::resolve(mirror, place)? {
        Some(revision) if !commit::is_other_reference(place.reference()) => Some(revision),
        _ => fetch_requested(mirror, place, lock)?,
    };
    let Some(revision) = found else {
        return Err(missing_reference(mirror, place));
    };
    check_complete(mirror, place, &revision)?;
    Ok(revision)
}

/// All branches and tags; and where HEAD points, if that is what counts.
fn fetch_all_references(
    mirror: &GitMirror,
    place: &GitLocation,
    lock: &MirrorLock,
) -> Result<(), GitError> {
    let mut specs = vec!["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
    if place.reference() == "HEAD" {
        specs.push(commit::HEAD_SPEC);
    }
    let fetched = fetch_refs(mirror, place, lock, &specs);
    match fetched {
        Err(GitError::Failed { said, .. }) if said.contains("find remote ref HEAD") => {
            Err(GitError::Empty {
                url: place.url.clone(),
            })
        }
        other => other,
    }
}

/// What no branch or tag holds but the remote may hand out: a commit by its id, a reference in full.
fn fetch_requested(
    mirror: &GitMirror,
    place: &GitLocation,
    lock: &MirrorLock,
) -> Result<Option<String>, GitError> {
    let wanted = place.reference();
    if !commit::is_full(wanted) && !commit::is_other_reference(wanted) {
        return Ok(None);
    }
    // Beside the branches and tags, which are pruned.
    let name = wanted.strip_prefix("refs/").unwrap_or(wanted);
    let spec = format!("+{wanted}:refs/asked/{name}");
    match fetch_refs(mirror, place, lock, &[&spec]) {
        Ok(()) => commit::resolve(mirror, place),
        // Not every server does; that is no reason of its own.
        Err(GitError::Failed { .. } | GitError::Repository { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn fetch_refs(
    mirror: &GitMirror,
    place: &GitLocation,
    lock: &MirrorLock,
    specs: &[&str],
) -> Result<(), GitError> {
    let mut fetch = remote(&mirror.path, place);
    fetch
        .args(["fetch", "--quiet", "--force", "--prune", "--no-tags"])
        .args(["--no-write-fetch-head", "--no-recurse-submodules"])
        .args(["--no-auto-maintenance", "--"])
        .arg(&place.url)
        .args(specs);
    run_locked(fetch, &lock.0, place).map(|_| ())
}

fn missing_reference(mirror: &GitMirror, place: &GitLocation) -> GitError {
    let reference = place.reference().to_owned();
    let names = commit::branch_and_tag_names(mirror, place).unwrap_or_default();
    if names.is_empty() {
        return GitError::Empty {
            url: place.url.clone(),
        };
    }
    let near = crate::diagnostic::did_you_mean(&reference, names.iter().map(String::as_str));
    GitError::Reference {
        near: near.map(str::to_owned),
        url: place.url.clone(),
        reference,
    }
}

/// The commit that is written down; of a mirror that cannot tell, none.
fn previous_commit(mirror: &GitMirror, place: &GitLocation) -> Option<String> {
    let found = mirror
        .exists()
        .then(|| commit::resolve_exact(mirror, place, &place.record_reference()));
    found?.ok()?
}

fn compare_commits(
    mirror: &GitMirror,
    place: &GitLocation,
    before: Option<String>,
    revision: &str,
) -> CommitMovement {
    let Some(before) = before else {
        return CommitMovement::First;
    };
    if before == revision {
        return CommitMovement::Same;
    }
    // A commit that a new mirror does not have is in no history of it.
    match commit::is_ancestor(mirror, place, &before, revision) {
        Ok(true) => CommitMovement::Forward,
        Ok(false)
            if place.reference() == "HEAD" && commit::is_in_a_branch(mirror, place, &before) =>
        {
            CommitMovement::Switched { from: before }
        }
        Ok(false) | Err(_) => CommitMovement::Rewound { from: before },
    }
}

//! Fetches a repository into its mirror and records the commit of the place. A mirror that turns
//! out to be damaged is replaced by a new one; the old one stays until the new one is complete.
//! Start reading at `fetch`.

use super::command::{local, remote, run_locked};
use super::commit::{self, check_complete};
use super::error::GitError;
use super::location::GitLocation;
use super::mirror::{GitMirror, MirrorLock};
use crate::model::is_commit;
use std::path::Path;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedCommit {
    /// The full id of the commit.
    pub revision: String,
    /// How it relates to the commit fetched before.
    pub moved: CommitMovement,
}

/// How a commit relates to the one fetched before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CommitMovement {
    /// Nothing was fetched before.
    First,
    Same,
    /// The previous commit is in its history.
    Forward,
    /// The previous commit is not in its history: somebody force-pushed or went back.
    Rewound {
        from: String,
    },
    /// The previous commit is on another branch: the default branch of the remote changed.
    Switched {
        from: String,
    },
}

/// Updates the mirror of a repository and records the commit of the place. Any number of processes
/// may do this at once.
pub fn fetch(place: &GitLocation, cache: &Path) -> Result<FetchedCommit, GitError> {
    let mirror = GitMirror::of(place, cache);
    // Before `previous_commit`, so that another process does not move the record in between.
    let lock = mirror.lock()?;
    let before = previous_commit(&mirror, place);
    let updated = if mirror.is_sound(place, &lock)? {
        Some(update(&mirror, place, &lock))
    } else {
        None
    };
    let revision = match updated {
        Some(Ok(revision)) => revision,
        // A remote that denies access or cannot be reached is no reason to fetch everything again.
        Some(Err(error)) if !error.may_be_damage() => return Err(error),
        other => fetch_anew(&mirror, place, &lock, other.and_then(Result::err))?,
    };
    // Before `tidy`, whose garbage collection removes commits that no reference holds.
    record_commit(&mirror, place, &lock, &revision)?;
    tidy(&mirror, place, &lock);
    tracing::info!("{place} is at commit {revision}");
    // Compared in the end, when the mirror has the history of both.
    Ok(FetchedCommit {
        moved: compare_commits(&mirror, place, before, &revision),
        revision,
    })
}

/// Fetches into a new mirror, which then replaces the old one.
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
        // The remote uses the other kind of object ids. Git does not tell this before the fetch.
        Err(GitError::Failed { said, .. }) if said.contains("sha256") => {
            new_mirror(mirror, place, lock, "sha256")?
        }
        other => other?,
    };
    fresh.replace(mirror)?;
    Ok(revision)
}

/// Creates a new mirror next to the old one and fetches into it. If that fails, it is removed.
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

/// Records the commit of the place. The reference also protects it from garbage collection.
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

/// Cleans up: many small fetches leave many small packs. Git decides when it is worth it.
fn tidy(mirror: &GitMirror, place: &GitLocation, lock: &MirrorLock) {
    let mut tidy = local(&mirror.path);
    tidy.args(["gc", "--auto", "--quiet"]);
    if let Err(error) = run_locked(tidy, &lock.0, place) {
        tracing::debug!("cannot clean up the mirror: {error}");
    }
}

/// Fetches, and returns the commit once its tree is complete.
fn update(mirror: &GitMirror, place: &GitLocation, lock: &MirrorLock) -> Result<String, GitError> {
    fetch_all_references(mirror, place, lock)?;
    // References other than branches and tags move only when they are requested again.
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

/// Fetches all branches and tags, and HEAD if the place uses it.
fn fetch_all_references(
    mirror: &GitMirror,
    place: &GitLocation,
    lock: &MirrorLock,
) -> Result<(), GitError> {
    let mut specs = vec!["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
    // Only on demand: a remote whose HEAD points to a missing branch would otherwise fail every
    // fetch, also of a place that names its branch.
    if commit::is_head(place.reference()) {
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

/// Fetches what is on no branch or tag but may be given out on request: a commit by id, or a full
/// reference.
fn fetch_requested(
    mirror: &GitMirror,
    place: &GitLocation,
    lock: &MirrorLock,
) -> Result<Option<String>, GitError> {
    let wanted = place.reference();
    if !is_commit(wanted) && !commit::is_other_reference(wanted) {
        return Ok(None);
    }
    // Outside the namespaces of branches and tags, where `--prune` would remove it.
    let name = wanted.strip_prefix("refs/").unwrap_or(wanted);
    let spec = format!("+{wanted}:refs/asked/{name}");
    match fetch_refs(mirror, place, lock, &[&spec]) {
        Ok(()) => commit::resolve(mirror, place),
        // Not every server allows this. The caller then reports the reference as missing.
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
        // No automatic tags and no submodules: only what is asked for enters the mirror.
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

/// Returns the recorded commit, if the mirror can tell.
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
    // An error means that a new mirror no longer has the previous commit, so it is in no history.
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

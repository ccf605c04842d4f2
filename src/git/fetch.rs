//! Fetching: the network, and which commit was found.

use super::command::{done_under, local, remote};
use super::commit::{self, checked};
use super::error::GitError;
use super::mirror::{Lock, Mirror};
use super::place::GitPlace;
use std::path::Path;

/// What a fetch found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetched {
    /// The commit, in full.
    pub revision: String,
    /// How it stands to the one that was fetched before.
    pub moved: Moved,
}

/// How a commit stands to the one that was fetched before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Moved {
    /// Nothing was fetched before.
    First,
    /// It is the same.
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
///
/// # Errors
/// Why it could not be fetched: what was fetched before is still there then.
pub fn fetch(place: &GitPlace, cache: &Path) -> Result<Fetched, GitError> {
    let mirror = Mirror::of(place, cache);
    let lock = mirror.lock()?;
    let before = before(&mirror, place);
    let updated = if mirror.is_sound(place, &lock)? {
        Some(update(&mirror, place, &lock))
    } else {
        None
    };
    let revision = match updated {
        Some(Ok(revision)) => revision,
        Some(Err(error)) if !error.may_be_damage() => return Err(error),
        other => anew(&mirror, place, &lock, other.and_then(Result::err))?,
    };
    mark(&mirror, place, &lock, &revision)?;
    tidy(&mirror, place, &lock);
    tracing::info!("{place} is at commit {revision}");
    Ok(Fetched {
        moved: moved(&mirror, place, before, &revision),
        revision,
    })
}

/// Fetches into a new mirror, which then takes the place of the old one.
fn anew(
    mirror: &Mirror,
    place: &GitPlace,
    lock: &Lock,
    why: Option<GitError>,
) -> Result<String, GitError> {
    if let Some(why) = why {
        tracing::info!("{why}; a new mirror is tried");
    }
    let made = filled(mirror, place, lock, "sha1");
    let (fresh, revision) = match made {
        // The remote has the other kind of names.
        Err(GitError::Failed { said, .. }) if said.contains("sha256") => {
            filled(mirror, place, lock, "sha256")?
        }
        other => other?,
    };
    fresh.replace(mirror)?;
    Ok(revision)
}

/// A new mirror beside the old one, fetched into; nothing of it stays when that fails.
fn filled(
    mirror: &Mirror,
    place: &GitPlace,
    lock: &Lock,
    hash: &str,
) -> Result<(Mirror, String), GitError> {
    let fresh = mirror.beside(place, hash)?;
    let filled = update(&fresh, place, lock).and_then(|revision| {
        mark(&fresh, place, lock, &revision)?;
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
fn mark(mirror: &Mirror, place: &GitPlace, lock: &Lock, revision: &str) -> Result<(), GitError> {
    let mut mark = local(&mirror.path);
    mark.args(["update-ref", &place.mark(), revision]);
    done_under(mark, &lock.0, place).map(|_| ())
}

/// Many small fetches make many small files; git says when that is too many.
fn tidy(mirror: &Mirror, place: &GitPlace, lock: &Lock) {
    let mut tidy = local(&mirror.path);
    tidy.args(["gc", "--auto", "--quiet"]);
    if let Err(error) = done_under(tidy, &lock.0, place) {
        tracing::debug!("the mirror was not tidied: {error}");
    }
}

/// Fetches, and finds the commit with all of its tree.
fn update(mirror: &Mirror, place: &GitPlace, lock: &Lock) -> Result<String, GitError> {
    everything(mirror, place, lock)?;
    // What is no branch or tag moves only when it is asked for again.
    let found = match commit::resolve(mirror, place)? {
        Some(revision) if !commit::is_asked_for(place.reference()) => Some(revision),
        _ => asked_for(mirror, place, lock)?,
    };
    let Some(revision) = found else {
        return Err(missing(mirror, place));
    };
    checked(mirror, place, &revision)?;
    Ok(revision)
}

/// All branches and tags; and where HEAD points, if that is what counts.
fn everything(mirror: &Mirror, place: &GitPlace, lock: &Lock) -> Result<(), GitError> {
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
fn asked_for(mirror: &Mirror, place: &GitPlace, lock: &Lock) -> Result<Option<String>, GitError> {
    let wanted = place.reference();
    if !commit::is_full(wanted) && !commit::is_asked_for(wanted) {
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
    mirror: &Mirror,
    place: &GitPlace,
    lock: &Lock,
    specs: &[&str],
) -> Result<(), GitError> {
    let mut fetch = remote(&mirror.path, place);
    fetch
        .args(["fetch", "--quiet", "--force", "--prune", "--no-tags"])
        .args(["--no-write-fetch-head", "--no-recurse-submodules"])
        .args(["--no-auto-maintenance", "--"])
        .arg(&place.url)
        .args(specs);
    done_under(fetch, &lock.0, place).map(|_| ())
}

fn missing(mirror: &Mirror, place: &GitPlace) -> GitError {
    let reference = place.reference().to_owned();
    let names = commit::names(mirror, place).unwrap_or_default();
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
fn before(mirror: &Mirror, place: &GitPlace) -> Option<String> {
    let found = mirror
        .exists()
        .then(|| commit::exactly(mirror, place, &place.mark()));
    found?.ok()?
}

fn moved(mirror: &Mirror, place: &GitPlace, before: Option<String>, revision: &str) -> Moved {
    let Some(before) = before else {
        return Moved::First;
    };
    if before == revision {
        return Moved::Same;
    }
    // A commit that a new mirror does not have is in no history of it.
    match commit::is_ancestor(mirror, place, &before, revision) {
        Ok(true) => Moved::Forward,
        Ok(false)
            if place.reference() == "HEAD" && commit::is_in_a_branch(mirror, place, &before) =>
        {
            Moved::Switched { from: before }
        }
        Ok(false) | Err(_) => Moved::Rewound { from: before },
    }
}

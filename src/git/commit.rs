//! Commits in the mirror: which commit a branch, tag or id means, and the files in its tree.
//! Nothing here uses the network. Start reading at `resolve` and `tree`.

use super::blobs::GitBlobs;
use super::command::{local, run, run_checked, stream_parts};
use super::error::GitError;
use super::location::GitLocation;
use super::mirror::GitMirror;
use crate::manifest::{ListingEntry, Tree, TreeSize, is_manifest};
use crate::model::is_commit;
use std::path::Path;
use std::sync::Arc;

/// Where the mirror keeps the commit that HEAD of the remote points to.
const HEAD: &str = "refs/remote/HEAD";
pub(super) const HEAD_SPEC: &str = "+HEAD:refs/remote/HEAD";

/// Why a path cannot be read that the commit does not have.
pub(super) const NO_FOLDER: &str = "no such folder";

/// Returns the commit that was last fetched for a place.
pub fn last_fetched(place: &GitLocation, cache: &Path) -> Result<String, GitError> {
    let mirror = GitMirror::of(place, cache);
    let found = if mirror.exists() {
        resolve_exact(&mirror, place, &place.record_reference())?
    } else {
        None
    };
    found.ok_or_else(|| GitError::Unfetched {
        url: place.url.clone(),
    })
}

/// Returns the commit of a branch, tag or commit id in the repository of a place, as last fetched.
pub fn revision(place: &GitLocation, cache: &Path, reference: &str) -> Result<String, GitError> {
    let mirror = GitMirror::of(place, cache);
    let place = place.at(reference);
    let found = if mirror.exists() {
        resolve(&mirror, &place)?
    } else {
        None
    };
    found.ok_or_else(|| GitError::Reference {
        url: place.url.clone(),
        reference: reference.to_owned(),
        near: None,
    })
}

/// Returns the tree of a commit below the folder of a place, without reading any file.
pub fn tree(place: &GitLocation, cache: &Path, revision: &str) -> Result<Tree, GitError> {
    let mirror = GitMirror::of(place, cache);
    let listed = list_tree(&mirror, place, revision).inspect_err(|error| {
        if error.may_be_damage() {
            mirror.mark_damaged();
        }
    })?;
    let blobs = Arc::new(GitBlobs::new(mirror, place.clone()));
    Ok(Tree::of_listing(revision, listed, blobs))
}

/// Returns the commit of a place in the mirror. A branch wins over a tag, and a tag over a commit
/// id.
pub(super) fn resolve(mirror: &GitMirror, place: &GitLocation) -> Result<Option<String>, GitError> {
    let wanted = place.reference();
    let names = match wanted.strip_prefix("refs/") {
        _ if is_head(wanted) => vec![wanted.replacen("HEAD", HEAD, 1)],
        None => vec![
            format!("refs/heads/{wanted}"),
            format!("refs/tags/{wanted}"),
        ],
        Some(_) if !is_other_reference(wanted) => vec![wanted.to_owned()],
        Some(name) => vec![format!("refs/asked/{name}")],
    };
    for name in names {
        if let Some(found) = resolve_exact(mirror, place, &name)? {
            return Ok(Some(found));
        }
    }
    // Last, because a branch may be named `deadbeef`. Git accepts four digits and more.
    let hex = wanted.len() >= 4 && wanted.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex {
        return resolve_exact(mirror, place, wanted);
    }
    Ok(None)
}

/// Returns whether a reference is `HEAD`, or a commit before it: `HEAD~2`.
pub(super) fn is_head(reference: &str) -> bool {
    let rest = reference.strip_prefix("HEAD");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['~', '^']))
}

/// Returns whether a reference is neither a branch nor a tag, and so is fetched only on request:
/// `refs/pull/7/merge`.
pub(super) fn is_other_reference(reference: &str) -> bool {
    let mut parts = reference.split('/');
    parts.next() == Some("refs") && !matches!(parts.next(), Some("heads" | "tags"))
}

/// Returns the commit that a reference or id of git stands for. An annotated tag stands for its
/// commit.
pub(super) fn resolve_exact(
    mirror: &GitMirror,
    place: &GitLocation,
    name: &str,
) -> Result<Option<String>, GitError> {
    let mut parse = local(&mirror.path);
    parse
        // `--end-of-options`, since the name comes from the configuration or from a request.
        .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
        .arg(format!("{name}^{{commit}}"));
    let ran = run(parse, place)?;
    Ok((ran.status.success() && is_commit(&ran.line())).then(|| ran.line()))
}

/// Returns whether a commit is in the history of another one.
pub(super) fn is_ancestor(
    mirror: &GitMirror,
    place: &GitLocation,
    before: &str,
    after: &str,
) -> Result<bool, GitError> {
    let mut ask = local(&mirror.path);
    ask.args(["merge-base", "--is-ancestor", before, after]);
    let ran = run(ask, place)?;
    match ran.status.code() {
        Some(0) => Ok(true),
        // Other exit codes mean that git failed, not that the answer is no.
        Some(1) => Ok(false),
        _ => Err(GitError::classify(place, &ran.stderr)),
    }
}

/// Returns whether any branch still contains a commit.
pub(super) fn is_in_a_branch(mirror: &GitMirror, place: &GitLocation, commit: &str) -> bool {
    let mut list = local(&mirror.path);
    list.args([
        "for-each-ref",
        "--count=1",
        "--contains",
        commit,
        "refs/heads",
    ]);
    run_checked(list, place).is_ok_and(|ran| !ran.stdout.is_empty())
}

pub(super) fn branch_and_tag_names(
    mirror: &GitMirror,
    place: &GitLocation,
) -> Result<Vec<String>, GitError> {
    let mut list = local(&mirror.path);
    list.args(["for-each-ref", "--format=%(refname:strip=2)"])
        .args(["refs/heads", "refs/tags"]);
    let ran = run_checked(list, place)?;
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    Ok(text.lines().map(str::to_owned).collect())
}

/// Checks that the mirror has every object that a place needs of a commit. The sizes in the listing
/// come from the packs, so a missing object shows without reading it.
pub(super) fn check_complete(
    mirror: &GitMirror,
    place: &GitLocation,
    revision: &str,
) -> Result<(), GitError> {
    let mut list = local(&mirror.path);
    list.args(["ls-tree", "-r", "-t", "-l", "-z", "--full-tree"]);
    list.args([revision, "--"]);
    if !place.path.is_empty() {
        list.arg(&place.path);
    }
    let mut extent = TreeSize::default();
    stream_parts(list, place, |line| {
        let (head, path) = split_at_tab(line);
        // ` BAD` in place of the size marks a missing object.
        if head.ends_with(b" BAD") {
            return Err(GitError::Failed {
                url: place.url.clone(),
                said: "an object is missing".to_owned(),
            });
        }
        let size = head.rsplit(|byte| *byte == b' ').next();
        let size = size.and_then(|size| std::str::from_utf8(size).ok()?.parse().ok());
        let weighed = match size {
            Some(size) if is_manifest(path) => extent.add_bytes(size),
            // Only manifests are read, so only their sizes count against the limit.
            _ => Ok(()),
        };
        let counted = extent.add(path).and(weighed);
        counted.map_err(|what| too_large(place, revision, what))
    })
}

fn too_large(place: &GitLocation, revision: &str, what: String) -> GitError {
    GitError::Limit {
        url: place.url.clone(),
        revision: revision.to_owned(),
        what,
    }
}

/// Splits at the tab.
fn split_at_tab(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|byte| *byte == b'\t') {
        Some(tab) => (&line[..tab], &line[tab + 1..]),
        None => (line, &[]),
    }
}

/// Lists everything below the folder of a place.
pub(super) fn list_tree(
    mirror: &GitMirror,
    place: &GitLocation,
    revision: &str,
) -> Result<Vec<(Vec<u8>, ListingEntry)>, GitError> {
    let whole = place.path.is_empty();
    let root = if whole {
        revision.to_owned()
    } else {
        match find_path(mirror, place, revision)? {
            TreeTarget::Folder(id) => id,
            TreeTarget::File(file) => return Ok(vec![file]),
        }
    };
    let mut list = local(&mirror.path);
    // Including folders, as otherwise a tree of many empty ones would be walked without any output,
    // and without hitting the limit.
    list.args(["ls-tree", "-r", "-t", "-z", "--full-tree", &root]);
    let (mut extent, mut found) = (TreeSize::default(), Vec::new());
    stream_parts(list, place, |line| {
        let counted = extent.add(split_at_tab(line).1);
        counted.map_err(|what| too_large(place, revision, what))?;
        found.extend(entry(line));
        Ok(())
    })?;
    Ok(found)
}

enum TreeTarget {
    /// The id of its tree.
    Folder(String),
    /// The path is a single manifest.
    File((Vec<u8>, ListingEntry)),
}

fn find_path(
    mirror: &GitMirror,
    place: &GitLocation,
    revision: &str,
) -> Result<TreeTarget, GitError> {
    let mut look = local(&mirror.path);
    look.args(["ls-tree", "-z", "--full-tree", revision, "--", &place.path]);
    let ran = run_checked(look, place)?;
    let line = ran.stdout.split(|byte| *byte == 0).next();
    let line = line.unwrap_or_default();
    // The first six characters are the mode: a folder, a submodule, a symbolic link or a file.
    let why = match line.get(..6) {
        Some(b"040000") => {
            let id = line.split(|byte| matches!(byte, b' ' | b'\t')).nth(2);
            let id = String::from_utf8_lossy(id.unwrap_or_default()).into_owned();
            return Ok(TreeTarget::Folder(id));
        }
        Some(b"160000") => "it is a git submodule",
        Some(b"120000") => "it is a symbolic link",
        Some(_) => match entry(line) {
            Some((path, entry)) => {
                let name = path.rsplit(|byte| *byte == b'/').next();
                return Ok(TreeTarget::File((name.unwrap_or_default().to_vec(), entry)));
            }
            None => "git does not list it",
        },
        None => NO_FOLDER,
    };
    Err(GitError::Path {
        url: place.url.clone(),
        path: place.path.clone(),
        revision: revision.to_owned(),
        why,
    })
}

/// Parses `mode type id<TAB>path`. Folders have no entry.
fn entry(line: &[u8]) -> Option<(Vec<u8>, ListingEntry)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let head = std::str::from_utf8(&line[..tab]).ok()?;
    let mut words = head.split(' ');
    let (mode, _, id) = (words.next()?, words.next()?, words.next()?);
    let entry = match mode {
        "120000" => ListingEntry::Link(id.into()),
        "160000" => ListingEntry::Submodule,
        "040000" => return None,
        _ => ListingEntry::File(id.into()),
    };
    Some((line[tab + 1..].to_vec(), entry))
}

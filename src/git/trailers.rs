//! Commits with a trailer such as `Roster-Accept: …`, and who signed them. Nothing is fetched.
//!
//! Whether a signature is good is left to git and `ssh-keygen`. Of their answers only one counts: a
//! good signature, by one of the given keys. Whatever else they say, nobody signed it.

use super::command::{local, run_checked};
use super::commit::{is_ancestor, resolve_exact};
use super::error::GitError;
use super::location::GitLocation;
use super::mirror::GitMirror;
use crate::model::is_commit;
use crate::own_folder;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many commits are looked at, the newest first.
const MAX_COMMITS: u32 = 200;

/// How many signatures are verified.
const MAX_VERIFIED: usize = 20;

/// Separates the parts of a line.
const SEPARATOR: char = '\u{1f}';

/// Stands before the values of the trailer.
const VALUES: char = '\u{1e}';

/// A commit with the trailer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrailerCommit {
    pub commit: String,
    pub subject: String,
    /// The values of the trailer.
    pub values: Vec<String>,
    /// When it was committed by its own account, in seconds since 1970.
    pub committed_at: i64,
    pub signature: CommitSignature,
    /// Whether the folder of the place is in it exactly as in the given revision.
    pub has_same_content: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitSignature {
    Missing,
    /// It is by none of the keys, it is wrong, or it cannot be verified here.
    Unknown,
    /// A good signature by the key at this index.
    By(usize),
}

/// A public SSH key.
#[derive(Clone, Copy, Debug)]
pub struct SigningKey<'a> {
    /// The type and the key, as in a `.pub` file.
    pub key: &'a str,
    /// `SHA256:…`.
    pub fingerprint: &'a str,
}

/// Returns the commits with a trailer in the history of a fetched revision but not of `since`, the
/// newest first. Without `since`, or if the revision does not follow it, only the revision itself.
pub fn commits_with_trailer(
    place: &GitLocation,
    cache: &Path,
    (since, revision): (Option<&str>, &str),
    trailer: &str,
    keys: &[SigningKey<'_>],
) -> Result<Vec<TrailerCommit>, GitError> {
    let mirror = GitMirror::of(place, cache);
    if !is_commit(revision) || !mirror.exists() {
        return Ok(Vec::new());
    }
    let since = match since.filter(|since| is_commit(since)) {
        Some(since) => resolve_exact(&mirror, place, since)?,
        None => None,
    };
    let follows = |since: &String| is_ancestor(&mirror, place, since, revision).unwrap_or(false);
    let mut list = reading(&mirror);
    list.arg("log").arg(format!("--max-count={MAX_COMMITS}"));
    list.arg(format!(
        "--format=%H%x1f%ct%x1f%s%x1e%(trailers:key={trailer},valueonly,unfold,separator=%x1f)"
    ));
    match since.filter(follows) {
        Some(since) => list.arg(format!("{since}..{revision}")),
        None => list.args(["--max-count=1", revision]),
    };
    list.arg("--");
    let ran = run_checked(list, place)?;
    let text = String::from_utf8_lossy(&ran.stdout);
    let mut found: Vec<TrailerCommit> = text.lines().filter_map(commit).collect();
    found.truncate(MAX_VERIFIED);
    if found.is_empty() {
        return Ok(found);
    }
    let content = content(&mirror, place, revision)?;
    let signers = SignersFile::write(cache, keys)?;
    for commit in &mut found {
        commit.has_same_content = self::content(&mirror, place, &commit.commit)? == content;
        commit.signature = signers.signature(&mirror, place, &commit.commit, keys)?;
    }
    Ok(found)
}

/// Git on a mirror, with the objects as their ids say: a replacement would have another content than
/// what was signed.
fn reading(mirror: &GitMirror) -> Command {
    let mut command = local(&mirror.path);
    command.env("GIT_NO_REPLACE_OBJECTS", "1");
    command
}

fn commit(line: &str) -> Option<TrailerCommit> {
    // The last one: a subject may contain anything.
    let (head, values) = line.rsplit_once(VALUES)?;
    let mut parts = head.splitn(3, SEPARATOR);
    let (commit, at, subject) = (parts.next()?, parts.next()?, parts.next()?);
    let values = values.split(SEPARATOR).map(str::trim);
    let values = values.filter(|value| !value.is_empty());
    let values: Vec<String> = values.map(str::to_owned).collect();
    (is_commit(commit) && !values.is_empty()).then(|| TrailerCommit {
        commit: commit.to_owned(),
        subject: subject.to_owned(),
        values,
        committed_at: at.parse().unwrap_or_default(),
        signature: CommitSignature::Missing,
        has_same_content: false,
    })
}

/// The id of everything below the folder of a place; `None` if the commit does not have it.
fn content(
    mirror: &GitMirror,
    place: &GitLocation,
    commit: &str,
) -> Result<Option<String>, GitError> {
    let mut list = reading(mirror);
    let folder = place.path.trim_matches('/');
    if folder.is_empty() {
        list.args(["rev-parse", "--verify"])
            .arg(format!("{commit}^{{tree}}"));
    } else {
        list.args(["ls-tree", "--full-tree", commit, "--", folder]);
    }
    let line = run_checked(list, place)?.line();
    Ok((!line.is_empty()).then_some(line))
}

/// The file that tells git which keys it may trust. It is removed when it is dropped.
struct SignersFile(PathBuf);

impl SignersFile {
    fn write(cache: &Path, keys: &[SigningKey<'_>]) -> Result<Self, GitError> {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_owned());
        let path = cache.join(format!("signers-{}-{number}", std::process::id()));
        // The names are ours: those of people could be read as patterns that fit others.
        let lines = keys.iter().enumerate().map(|(at, key)| {
            let name = signer(at);
            format!("{name} namespaces=\"git\" {}\n", key.key)
        });
        let text: String = lines.collect();
        let written = own_folder::make(&cache).and_then(|()| fs::write(&path, text));
        match written {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(GitError::Cache { path, source }),
        }
    }

    fn signature(
        &self,
        mirror: &GitMirror,
        place: &GitLocation,
        commit: &str,
        keys: &[SigningKey<'_>],
    ) -> Result<CommitSignature, GitError> {
        let mut ask = reading(mirror);
        for (key, value) in [
            ("gpg.ssh.program", "ssh-keygen"),
            // Other kinds of signatures are verified with whatever key ring is on this machine.
            ("gpg.program", "false"),
            ("gpg.openpgp.program", "false"),
            ("gpg.x509.program", "false"),
        ] {
            ask.arg("-c").arg(format!("{key}={value}"));
        }
        let file = self.0.display();
        ask.arg("-c")
            .arg(format!("gpg.ssh.allowedSignersFile={file}"));
        ask.args([
            "log",
            "--max-count=1",
            "--format=%G?%x1f%GS%x1f%GF",
            commit,
            "--",
        ]);
        let line = run_checked(ask, place)?.line();
        let parts: Vec<&str> = line.split(SEPARATOR).collect();
        let [verdict, name, fingerprint] = parts[..] else {
            return Ok(CommitSignature::Unknown);
        };
        if verdict == "N" {
            return Ok(CommitSignature::Missing);
        }
        let by = keys.iter().enumerate().position(|(at, key)| {
            verdict == "G" && name == signer(at) && fingerprint == key.fingerprint
        });
        Ok(by.map_or(CommitSignature::Unknown, CommitSignature::By))
    }
}

impl Drop for SignersFile {
    fn drop(&mut self) {
        // If it cannot be removed, it is a file of public keys that nobody reads again.
        let _ = fs::remove_file(&self.0);
    }
}

fn signer(at: usize) -> String {
    format!("signer-{at}")
}

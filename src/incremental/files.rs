//! Which files of a source changed since it was last applied. [`why_not_incremental`] asks whether
//! comparing is worthwhile at all, [`FileChanges`] compares.

use super::fingerprint::fingerprint;
use super::hidden_writes::HiddenWrites;
use crate::config::{Config, Source};
use crate::kinds;
use crate::manifest::{self, RepeatedKeys, Tree};
use crate::model::{CompactText, Desired, Digest, KindId};
use crate::plan::AuthorityMode;
use crate::store::SourceCheckpoint;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Marks the path of a file that a manifest names, in the map that also holds the paths of
/// manifests.
pub const CONTENT_PREFIX: &str = "=";

#[derive(Clone, Debug, Default)]
pub struct ReadFiles {
    pub digests: Vec<(Arc<str>, Digest)>,
    /// The files that have to be read again even when they are unchanged.
    pub reread_always: BTreeSet<Arc<str>>,
    /// The files that manifests name, with their digests; the paths begin with `=`.
    pub contents: Vec<(Arc<str>, Digest)>,
    /// The keys that are declared in several places, with the files of these.
    pub repeated: RepeatedKeys,
    /// The files without a document, and empty folders in place of files.
    pub blank: Vec<Arc<str>>,
}

/// What an incremental pass knows of the files that it did not read.
#[derive(Clone, Debug, Default)]
pub struct IncrementalRead {
    /// The files that are gone since the last apply.
    pub gone: Vec<CompactText>,
    /// The files that did not change, and were read because somebody changed a row that they declare.
    pub unchanged: BTreeSet<CompactText>,
    /// The revision that was applied.
    pub since: String,
    /// The fingerprint with which it was applied.
    pub fingerprint: Digest,
    /// Everything that the files read now declare.
    pub declared: Arc<Desired>,
    /// What a scrub found, if this pass is one.
    pub hidden_writes: Option<HiddenWrites>,
    /// Whether what was not read may name more than the source has claimed: a row that is held, or
    /// one that could not be read.
    pub is_open: bool,
}

/// How the files of a source differ from those last applied.
pub struct FileChanges {
    changed: BTreeMap<Arc<str>, Digest>,
    /// The files to read although they did not change.
    unchanged: BTreeMap<Arc<str>, Digest>,
    /// How many files there are.
    pub total: usize,
    pub gone: Vec<CompactText>,
    /// The revision of all the files, changed or not.
    pub revision: Arc<str>,
}

/// Why all files have to be read, as far as the configuration and the checkpoint show it.
pub fn why_not_incremental(
    config: &Config,
    source: &Source,
    applied: &SourceCheckpoint,
) -> Option<&'static str> {
    let enforced = |kind: KindId| {
        let kind = kinds::get(kind);
        (0..kind.fields.len()).all(|field| {
            source.authority.mode(kind, &kinds::own_field(field)) == AuthorityMode::Enforce
        })
    };
    // Two directories may hold files of the same names with other customers in them.
    if source.unnamed && applied.path != source.written {
        return Some("it was applied from another path");
    }
    if applied.files.is_empty() {
        return Some("its last apply left something open that no file declares");
    }
    let same_rules = applied.fingerprint == fingerprint(config, source);
    // Rule kinds decide what every other resource means, and a field that is only a seed may have
    // been changed elsewhere without counting as drift: neither shows in a file's digest.
    (!same_rules || !kinds::RULE_KINDS.into_iter().all(enforced))
        .then_some("the release or the configuration changed")
}

impl FileChanges {
    /// Compares the files of a tree with those last applied, or says why all have to be read. The
    /// files in `wanted` are read also if they did not change.
    pub fn between(
        tree: &Tree,
        applied: &SourceCheckpoint,
        wanted: &BTreeSet<CompactText>,
    ) -> Result<Self, &'static str> {
        if !tree.diagnostics.is_empty() || !same_contents(tree, &applied.files) {
            return Err("its folder, or a file that it names, changed");
        }
        let digests = manifest::digests(tree).ok_or("a file cannot be read")?;
        let differs = |path: &str, digest: Digest| applied.files.get(path) != Some(&Some(digest));
        let changed: BTreeMap<Arc<str>, Digest> = digests
            .iter()
            .filter(|(path, digest)| differs(path, *digest))
            .cloned()
            .collect();
        let unchanged = digests.iter().filter(|(path, _)| {
            wanted.contains(&CompactText::new(path)) && !changed.contains_key(path)
        });
        let unchanged: BTreeMap<Arc<str>, Digest> = unchanged.cloned().collect();
        // With a third of the files to read, an incremental pass is no faster than a full one. Up
        // to three files are always few.
        let read = changed.len() + unchanged.len();
        if read > 3 && read * 3 > digests.len() {
            return Err(if changed.len() > unchanged.len() {
                "many files changed"
            } else {
                "many files declare a row that was changed outside Roster"
            });
        }
        let now: BTreeSet<&str> = digests.iter().map(|(path, _)| &**path).collect();
        let known = applied.files.keys().filter(|path| !is_content(path));
        let gone = known.filter(|path| !now.contains(path.as_str()));
        let all = digests.iter().map(|(path, digest)| (&**path, *digest));
        Ok(Self {
            gone: gone.cloned().collect(),
            // A commit names the whole tree; without one, all digests together do.
            revision: match &tree.revision {
                Some(commit) => Arc::clone(commit),
                None => manifest::revision(all).to_string().into(),
            },
            total: digests.len(),
            changed,
            unchanged,
        })
    }

    /// How many files there are to read.
    pub fn count(&self) -> usize {
        self.changed.len() + self.unchanged.len()
    }

    /// Whether a file has to be read.
    pub fn contains(&self, path: &str) -> bool {
        self.changed.contains_key(path) || self.unchanged.contains_key(path)
    }

    /// The files to read although they did not change.
    pub fn unchanged(&self) -> BTreeSet<CompactText> {
        let paths = self.unchanged.keys();
        paths.map(|path| CompactText::new(path)).collect()
    }

    /// Whether a file changed again between the comparison and the reading of it.
    pub fn changed_while_read(&self, read: &ReadFiles) -> bool {
        let mut read = read.digests.iter();
        read.any(|(path, digest)| {
            let compared = self.changed.get(path).or(self.unchanged.get(path));
            compared != Some(digest)
        })
    }
}

fn is_content(path: &str) -> bool {
    path.starts_with(CONTENT_PREFIX)
}

fn same_contents(tree: &Tree, known: &BTreeMap<CompactText, Option<Digest>>) -> bool {
    let mut contents = known.iter().filter(|(path, _)| is_content(path));
    contents.all(|(path, digest)| {
        let (path, Some(digest)) = (&path[CONTENT_PREFIX.len()..], digest) else {
            return false;
        };
        // Git knows the digest without reading the file; a directory has to be read.
        match tree.digest(path) {
            Some(now) => now == *digest,
            None => tree
                .file(path)
                .is_ok_and(|bytes| Sha256::digest(bytes).starts_with(&digest.0)),
        }
    })
}

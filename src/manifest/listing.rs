//! The tree of a git commit, or of files that were sent: the same rules as for a folder, applied to
//! a list of names whose contents are elsewhere. Links are followed within the list, so a link can
//! never reach a file of this machine. Start at `Tree::of_listing`.

use super::ignore_rules::IgnoreRules;
use super::tree_contents::io_error_message;
use super::tree_listing::{BlobSource, ListingEntry, PathResolveError, TreeListing};
use super::walk::{Tree, TreeFile, is_configuration, is_hidden, is_visible};
use crate::diagnostic::{Code, codes, visible};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// How many bytes the target of a link, or an ignore file, may have.
const SMALL: u64 = 1 << 20;

impl Tree {
    /// The manifests in a commit; takes each path as written there, and what it is.
    #[must_use]
    pub fn of_listing(
        revision: &str,
        names: impl IntoIterator<Item = (Vec<u8>, ListingEntry)>,
        blobs: Arc<dyn BlobSource>,
    ) -> Self {
        ListingWalk::new(blobs).tree_of(revision, names)
    }
}

impl Tree {
    /// The tree of files that were sent, by the rules of a folder, links included.
    #[must_use]
    pub fn of_sent(files: impl IntoIterator<Item = (String, SentFile)>) -> Self {
        let files: BTreeMap<String, SentFile> = files.into_iter().collect();
        let mut unreadable = Vec::new();
        let mut names = Vec::new();
        for (path, file) in &files {
            let name = path.as_str().into();
            match file {
                SentFile::Bytes(_) => {
                    names.push((path.clone().into_bytes(), ListingEntry::File(name)));
                }
                SentFile::Link(_) => {
                    names.push((path.clone().into_bytes(), ListingEntry::Link(name)));
                }
                SentFile::Unreadable { why, folder } => {
                    unreadable.push((path.clone(), why.clone(), *folder));
                }
            }
        }
        let mut sorting = ListingWalk::new(Arc::new(SentBlobs(files)));
        // Names of sent files say nothing about their bytes, unlike git's object ids.
        sorting.listing.named_by_content = false;
        sorting.unreadable_paths = unreadable;
        let mut tree = sorting.tree_of("", names);
        tree.revision = None;
        tree
    }
}

/// What was sent for a path.
#[derive(Clone, Debug)]
pub enum SentFile {
    /// The bytes of a file.
    Bytes(Vec<u8>),
    /// The target of a symbolic link.
    Link(String),
    /// The path cannot be read at the sender.
    Unreadable { why: String, folder: bool },
}

/// Files that were sent, by path.
#[derive(Debug)]
struct SentBlobs(BTreeMap<String, SentFile>);

impl BlobSource for SentBlobs {
    fn read(&self, id: &str, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = match self.0.get(id) {
            Some(SentFile::Bytes(bytes)) => bytes.clone(),
            Some(SentFile::Link(target)) => target.clone().into_bytes(),
            Some(SentFile::Unreadable { .. }) | None => {
                return Err(io::ErrorKind::NotFound.into());
            }
        };
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }
}

/// The state of finding the manifests of a listing.
struct ListingWalk {
    listing: TreeListing,
    ignored: IgnoreRules,
    files: BTreeSet<String>,
    /// Unreadable paths: path, reason, and whether it is a folder.
    unreadable_paths: Vec<(String, String, bool)>,
    tree: Tree,
}

impl ListingWalk {
    fn new(blobs: Arc<dyn BlobSource>) -> Self {
        Self {
            listing: TreeListing {
                entries: BTreeMap::new(),
                links: BTreeMap::new(),
                blobs,
                named_by_content: true,
            },
            ignored: IgnoreRules::default(),
            files: BTreeSet::new(),
            unreadable_paths: Vec::new(),
            tree: Tree::default(),
        }
    }

    fn tree_of(
        mut self,
        revision: &str,
        names: impl IntoIterator<Item = (Vec<u8>, ListingEntry)>,
    ) -> Tree {
        let mut odd = Vec::new();
        for (name, entry) in names {
            match String::from_utf8(name) {
                Ok(path) => {
                    self.listing.entries.insert(path.into(), entry);
                }
                Err(error) => odd.push(String::from_utf8_lossy(error.as_bytes()).into_owned()),
            }
        }
        // Links first: an ignore file may be reached through one. Ignore rules next, because what
        // they leave out need not be readable.
        self.read_links();
        self.read_ignored();
        for path in odd {
            if is_visible(&path) && !self.ignored.ignores(&path) {
                self.unreadable(&path, "its name is not UTF-8");
            }
        }
        for (path, why, folder) in std::mem::take(&mut self.unreadable_paths) {
            let matters = if folder {
                !is_hidden(&path) && !self.leaves_out(&path)
            } else {
                is_visible(&path) && !self.ignored.ignores(&path)
            };
            if matters {
                self.unreadable(&path, &why);
            }
        }
        self.collect_files();
        self.finish(revision)
    }

    fn unreadable(&mut self, path: &str, why: &str) {
        self.tree.problem(path, codes::SOURCE_UNREADABLE, why);
    }

    fn read_links(&mut self) {
        let mut lost = Vec::new();
        for (path, entry) in &self.listing.entries {
            let ListingEntry::Link(id) = entry else {
                continue;
            };
            let read = self.listing.blobs.read(id, SMALL);
            let target = read.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
            match target {
                Ok(target) => {
                    self.listing.links.insert(Arc::clone(path), target);
                }
                Err(error) => lost.push((Arc::clone(path), io_error_message(&error))),
            }
        }
        for (path, why) in lost {
            self.unreadable(&path, &why);
        }
    }

    fn read_ignored(&mut self) {
        let paths = self.listing.entries.keys();
        let paths = paths.filter(|path| IgnoreRules::folder_of(path).is_some());
        for path in paths.cloned().collect::<Vec<_>>() {
            match self.listing.read(&path, SMALL) {
                Ok(lines) => {
                    let folder = IgnoreRules::folder_of(&path).unwrap_or_default();
                    self.ignored.add(folder, &String::from_utf8_lossy(&lines));
                }
                // What it would leave out is unknown, so removals are turned off.
                Err(error) => self.unreadable(&path, &io_error_message(&error)),
            }
        }
    }

    /// Whether a folder is ignored, itself or through one of its parents.
    fn leaves_out(&self, folder: &str) -> bool {
        self.ignored.ignores(folder) || self.ignored.ignores_folder(folder)
    }

    fn collect_files(&mut self) {
        let entries = self.listing.entries.iter();
        let entries = entries.map(|(path, entry)| (Arc::clone(path), entry.clone()));
        let mut links = Vec::new();
        for (path, entry) in entries.collect::<Vec<_>>() {
            match entry {
                ListingEntry::File(_) => self.file(&path),
                ListingEntry::Link(_) => links.push(path),
                ListingEntry::Submodule => self.report_submodule(&path),
            }
        }
        // Links to files that are in the tree anyway add nothing; found separately, so that their
        // order does not matter.
        let mut found = BTreeSet::new();
        for path in links {
            self.link(&path, &mut found);
        }
        for path in &found {
            if let Ok(own) = self.listing.resolve(path) {
                let linked = &mut self.tree.linked_files;
                linked.insert(path.as_str().into(), own.into());
            }
        }
        self.files.extend(found);
    }

    fn file(&mut self, path: &str) {
        if is_visible(path) && !self.ignored.ignores(path) {
            self.files.insert(path.to_owned());
        } else if is_configuration(path) && !self.ignored.ignores(path) {
            self.tree.configurations.push(path.into());
        }
    }

    fn report_submodule(&mut self, path: &str) {
        if !is_hidden(path) && !self.leaves_out(path) {
            let why = "it is a git submodule, and its content is not in this commit; make it a separate source, or name it in `.rosterignore`";
            self.unreadable(path, why);
        }
    }

    fn link(&mut self, path: &str, found: &mut BTreeSet<String>) {
        if is_hidden(path) || !self.listing.links.contains_key(path) {
            return;
        }
        let seen = is_visible(path) && !self.ignored.ignores(path);
        match self.listing.resolve(path) {
            Err(PathResolveError::Missing) if seen => {
                self.unreadable(path, "no such file");
            }
            Err(PathResolveError::Missing) => {}
            Err(PathResolveError::Outside) => {
                // What is there is unknown; it may be a folder of manifests.
                if seen || (Path::new(path).extension().is_none() && !self.leaves_out(path)) {
                    let why = "a symbolic link to a place outside the root of the source";
                    self.tree.problem(path, codes::PATH_ESCAPE, why);
                }
            }
            Ok(real) => self.follow_link(path, &real, seen, found),
        }
    }

    /// Follows a link to a place below the root.
    fn follow_link(&mut self, path: &str, real: &str, seen: bool, found: &mut BTreeSet<String>) {
        match self.listing.entries.get(real) {
            Some(ListingEntry::File(_)) => {
                if seen && !self.files.contains(real) {
                    found.insert(path.to_owned());
                }
            }
            Some(ListingEntry::Submodule) => self.report_submodule(path),
            // An unreadable link has been reported already.
            Some(ListingEntry::Link(_)) => {}
            None if real.is_empty() => {}
            None => self.linked_folder(path, real, seen, found),
        }
    }

    /// A folder that the walk visits anyway is read at its own place.
    fn linked_folder(&mut self, path: &str, real: &str, seen: bool, found: &mut BTreeSet<String>) {
        if self.listing.entries_below(real).next().is_none() {
            if seen {
                self.unreadable(path, "no such file");
            }
            return;
        }
        if !is_hidden(real) || self.leaves_out(path) {
            return;
        }
        let below = self.listing.entries_below(real);
        let below = below.map(|(under, entry)| (format!("{path}{}", &under[real.len()..]), entry));
        let mut modules = Vec::new();
        for (under, entry) in below {
            match entry {
                ListingEntry::Submodule => modules.push(under),
                ListingEntry::File(_) | ListingEntry::Link(_) => {
                    if is_visible(&under) && !self.ignored.ignores(&under) {
                        found.insert(under);
                    }
                }
            }
        }
        for path in modules {
            self.report_submodule(&path);
        }
    }

    fn finish(self, revision: &str) -> Tree {
        let files = self.files.iter();
        let files = files.map(|path| TreeFile {
            path: path.as_str().into(),
        });
        let mut tree = self.tree.with_listing(self.listing);
        tree.files = files.collect();
        tree.revision = Some(revision.into());
        tree
    }
}

impl Tree {
    fn problem(&mut self, path: &str, code: Code, why: &str) {
        self.report(path, code, format!("{}: {why}", visible(path)));
    }
}

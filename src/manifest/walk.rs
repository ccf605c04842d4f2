//! Finds the files of a source: which ones are manifests, in which order, and how their bytes are
//! read. The rules about hidden files, ignore files and links are the same for a folder (here) and
//! a commit (`listing`). Start at `Tree::read`.

use super::ignore_rules::IgnoreRules;
use super::limits::TreeSize;
use super::tree_contents::{ContentFault, TreeContents, io_error_message};
use super::tree_listing::TreeListing;
use crate::diagnostic::{Code, Diagnostic, Origin, codes, visible};
use crate::model::{Digest, LineColumn};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One manifest of a tree.
#[derive(Clone, Debug)]
pub struct TreeFile {
    /// The path below the root, with `/` between folders.
    pub path: Arc<str>,
}

/// The files of one source at one moment.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    pub files: Vec<TreeFile>,
    /// Diagnostics about the tree itself.
    pub diagnostics: Vec<Diagnostic>,
    /// Reasons why a key may be hidden, so that nothing may be removed.
    pub removals_off: Vec<String>,
    /// Configuration files in the tree, which are not read.
    pub configurations: Vec<Arc<str>>,
    /// Empty folders with the name of a manifest.
    pub blank_folders: Vec<Arc<str>>,
    /// The files that are read through a symbolic link, with their own paths below the root.
    pub linked_files: BTreeMap<Arc<str>, Arc<str>>,
    /// The commit, if the tree comes from one.
    pub revision: Option<Arc<str>>,
    contents: TreeContents,
}

impl Tree {
    /// Finds the manifests in a folder; `root` may also be a single manifest.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        // With links resolved once, a later check that a path stays below the root is a comparison.
        let real = match root.canonicalize() {
            Ok(real) => real,
            Err(error) => return Self::unreadable(root, &error),
        };
        if real.is_file() {
            return Self::of_file(&real);
        }
        let mut walk = FolderWalk::new(real.clone());
        if let Err(error) = walk.folder(&real, "") {
            return Self::unreadable(root, &error);
        }
        walk.finish()
    }

    /// A tree of files in memory: path and bytes, manifests or not.
    pub fn from_files(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let files: BTreeMap<Arc<str>, Vec<u8>> = files
            .into_iter()
            .map(|(path, bytes)| (path.into(), bytes))
            .collect();
        let mut ignored = IgnoreRules::default();
        for (path, bytes) in &files {
            if let Some(folder) = IgnoreRules::folder_of(path) {
                ignored.add(folder, &String::from_utf8_lossy(bytes));
            }
        }
        let manifests = files
            .keys()
            .filter(|path| is_visible(path) && !ignored.ignores(path));
        Self {
            files: manifests
                .map(|path| TreeFile {
                    path: Arc::clone(path),
                })
                .collect(),
            contents: TreeContents::Memory(files),
            ..Self::default()
        }
    }

    /// The same tree with only the manifests accepted by `keep`.
    #[must_use]
    pub fn with_only(&self, keep: impl Fn(&str) -> bool) -> Self {
        let mut only = self.clone();
        only.files.retain(|file| keep(&file.path));
        only
    }

    fn unreadable(root: &Path, error: &io::Error) -> Self {
        let message = format!(
            "{} cannot be read: {}",
            root.display(),
            io_error_message(error)
        );
        Self::unreadable_tree(message, "Name an existing folder that Roster may read")
    }

    /// A tree that cannot be read: the reason, and what to do about it.
    #[must_use]
    pub fn unreadable_tree(message: String, help: &str) -> Self {
        let found = Diagnostic::new(codes::SOURCE_UNREADABLE, message.clone()).help(help);
        Self {
            // An unreadable root declares nothing, and must not look like an empty directory.
            removals_off: vec![message],
            diagnostics: vec![found],
            ..Self::default()
        }
    }

    /// The same tree with its files in a listing.
    pub(super) fn with_listing(self, listing: TreeListing) -> Self {
        Self {
            contents: TreeContents::Listed(Arc::new(listing)),
            ..self
        }
    }

    /// Reports that something in the tree cannot be read.
    pub(super) fn report(&mut self, path: &str, code: Code, message: String) {
        let origin = Origin {
            path: path.into(),
            at: LineColumn::default(),
        };
        self.removals_off.push(message.clone());
        self.diagnostics
            .push(Diagnostic::new(code, message).at(origin));
    }

    fn of_file(file: &Path) -> Self {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        Self {
            files: vec![TreeFile {
                path: name.as_ref().into(),
            }],
            contents: TreeContents::Folder(file.parent().unwrap_or(file).to_owned()),
            ..Self::default()
        }
    }

    /// Returns the bytes of a manifest; the buffer is reused from file to file.
    pub(super) fn bytes<'b>(&'b self, path: &str, buffer: &'b mut Vec<u8>) -> io::Result<&'b [u8]> {
        self.contents.manifest(path, buffer)
    }

    /// Returns the digest of a file if it is known without reading the file.
    #[must_use]
    pub fn digest(&self, path: &str) -> Option<Digest> {
        self.contents.digest(path)
    }

    /// Returns the bytes of a file below the root, manifest or not.
    pub fn file(&self, path: &str) -> io::Result<Vec<u8>> {
        match self.content(path) {
            Ok(bytes) => Ok(bytes.into_owned()),
            Err(ContentFault::TooLarge) => Err(io::ErrorKind::FileTooLarge.into()),
            Err(ContentFault::OutsideRoot) => {
                Err(io::Error::other("it is outside the root of the source"))
            }
            Err(ContentFault::Unreadable(why)) => Err(io::Error::other(why)),
        }
    }

    /// Returns the bytes of a file that a manifest refers to, by its path below the root.
    pub(super) fn content(&self, path: &str) -> Result<Cow<'_, [u8]>, ContentFault> {
        self.contents.attachment(path)
    }

    /// Returns the paths of all files, manifests or not, and of links. Those of hidden folders are
    /// left out.
    #[must_use]
    pub fn paths(&self) -> BTreeSet<String> {
        self.contents.paths()
    }

    /// The same tree with the text of some manifests replaced or added.
    #[must_use]
    pub fn with_edits(&self, edits: impl IntoIterator<Item = (String, String)>) -> Self {
        let edits = edits.into_iter();
        let edits: BTreeMap<Arc<str>, Vec<u8>> = edits
            .map(|(path, text)| (path.into(), text.into_bytes()))
            .collect();
        let mut edited = self.clone();
        let before = edited.files.iter().map(|file| &file.path);
        let all: BTreeSet<Arc<str>> = before.chain(edits.keys()).cloned().collect();
        edited.files = all.into_iter().map(|path| TreeFile { path }).collect();
        edited.revision = None;
        edited.contents = TreeContents::Edited {
            before: Arc::new(edited.contents),
            edits: Arc::new(edits),
        };
        edited
    }

    /// Returns the text of a manifest, if it is UTF-8, to show the line of a diagnostic.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        let mut buffer = Vec::new();
        let bytes = self.bytes(path, &mut buffer).ok()?;
        Some(std::str::from_utf8(bytes).ok()?.to_owned())
    }
}

/// Whether a path ends like a manifest.
#[must_use]
pub fn is_manifest(path: &[u8]) -> bool {
    let ends = |ending: &str| path.ends_with(ending.as_bytes());
    [".yaml", ".yml", ".json"].into_iter().any(ends)
}

fn is_manifest_name(name: &str) -> bool {
    let extension = Path::new(name).extension().unwrap_or_default();
    ["yaml", "yml", "json"]
        .iter()
        .any(|known| extension == *known)
        && name != "roster.yaml"
        && !name.starts_with('.')
}

/// Whether a path is a manifest, with no hidden folder in it.
pub(super) fn is_visible(path: &str) -> bool {
    let name = path.rsplit('/').next();
    name.is_some_and(is_manifest_name) && !is_hidden(path)
}

/// Whether a part of a path starts with a dot.
pub(super) fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

/// Whether a path is a configuration file, among manifests.
pub(super) fn is_configuration(path: &str) -> bool {
    path.rsplit('/').next() == Some("roster.yaml") && !is_hidden(path)
}

/// The state of walking a folder.
struct FolderWalk {
    root: PathBuf,
    ignored: IgnoreRules,
    files: BTreeSet<String>,
    /// Links to files below the root: path and target.
    links: Vec<(String, PathBuf)>,
    /// Folders reached by links, so that none is walked twice.
    entered: BTreeSet<PathBuf>,
    /// The same by the path of the link, with their own path below the root.
    linked_folders: BTreeMap<String, String>,
    extent: TreeSize,
    /// Whether a limit was exceeded, so that nothing more is read.
    limit_reached: bool,
    tree: Tree,
}

impl FolderWalk {
    fn new(root: PathBuf) -> Self {
        Self {
            root,
            ignored: IgnoreRules::default(),
            files: BTreeSet::new(),
            links: Vec::new(),
            entered: BTreeSet::new(),
            linked_folders: BTreeMap::new(),
            extent: TreeSize::default(),
            limit_reached: false,
            tree: Tree::default(),
        }
    }

    fn folder(&mut self, folder: &Path, relative: &str) -> io::Result<()> {
        // Before the entries: the rules decide which of them count.
        if let Ok(lines) = fs::read_to_string(folder.join(IgnoreRules::FILE)) {
            self.ignored.add(relative, &lines);
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if self.limit_reached {
                return Ok(());
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let path = if relative.is_empty() {
                name
            } else {
                format!("{relative}/{name}")
            };
            match entry.file_type() {
                Ok(kind) => self.entry(&entry.path(), kind, &path),
                Err(error) => {
                    self.problem(&path, codes::SOURCE_UNREADABLE, &io_error_message(&error));
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, place: &Path, kind: fs::FileType, path: &str) {
        if let Err(why) = self.extent.add(path.as_bytes()) {
            self.limit_reached = true;
            return self.problem(path, codes::YAML_LIMIT, &why);
        }
        if kind.is_symlink() {
            self.link(place, path);
        } else if kind.is_dir() {
            self.walk_subfolder(place, path);
        } else if is_visible(path) && !self.ignored.ignores(path) {
            if kind.is_file() {
                self.files.insert(path.to_owned());
            } else {
                let why = "it is not a regular file";
                self.problem(path, codes::SOURCE_UNREADABLE, why);
            }
        } else if is_configuration(path) && !self.ignored.ignores(path) {
            self.tree.configurations.push(path.into());
        }
    }

    fn walk_subfolder(&mut self, place: &Path, path: &str) {
        if self.ignored.ignores_folder(path) {
            return;
        }
        let is_empty = |mut entries: fs::ReadDir| entries.next().is_none();
        if is_visible(path) && fs::read_dir(place).is_ok_and(is_empty) {
            self.tree.blank_folders.push(path.into());
        }
        if let Err(error) = self.folder(place, path) {
            self.problem(path, codes::SOURCE_UNREADABLE, &io_error_message(&error));
        }
    }

    fn link(&mut self, place: &Path, path: &str) {
        // A broken link with the name of a manifest may hide one, so it is reported below.
        let real = match place.canonicalize() {
            Ok(real) => real,
            Err(error) => {
                if is_visible(path) && !self.ignored.ignores(path) {
                    self.problem(path, codes::SOURCE_UNREADABLE, &io_error_message(&error));
                }
                return;
            }
        };
        let matters = if real.is_dir() {
            !self.ignored.ignores_folder(path)
        } else {
            is_visible(path) && !self.ignored.ignores(path)
        };
        if !matters {
            return;
        }
        // A link could otherwise make files of this machine part of the directory.
        if !real.starts_with(&self.root) {
            let why = "a symbolic link to a place outside the root of the source";
            self.problem(path, codes::PATH_ESCAPE, why);
        } else if real.is_file() {
            self.links.push((path.to_owned(), real));
        } else if real.is_dir() && self.is_hidden(&real) && self.entered.insert(real.clone()) {
            let below = self.below_root(&real);
            self.linked_folders.insert(path.to_owned(), below);
            // A folder that the walk visits anyway is read at its own place.
            self.walk_subfolder(place, path);
        }
    }

    /// Whether a part of a path below the root starts with a dot, so that the walk does not go
    /// there by itself.
    fn is_hidden(&self, real: &Path) -> bool {
        let below = real.strip_prefix(&self.root).unwrap_or(real);
        below
            .iter()
            .any(|part| part.to_string_lossy().starts_with('.'))
    }

    fn below_root(&self, real: &Path) -> String {
        let below = real.strip_prefix(&self.root).unwrap_or(real);
        below.to_string_lossy().into_owned()
    }

    fn problem(&mut self, path: &str, code: Code, why: &str) {
        self.tree
            .report(path, code, format!("{}: {why}", visible(path)));
    }

    /// Completes the tree. A link to a file that is in it anyway adds nothing.
    fn finish(mut self) -> Tree {
        let mut linked: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
        for (folder, own) in &self.linked_folders {
            let below = self.files.iter();
            let below = below.filter_map(|path| Some((path, path.strip_prefix(&**folder)?)));
            let below = below.filter(|(_, rest)| rest.starts_with('/'));
            let below = below.map(|(path, rest)| (path.as_str().into(), format!("{own}{rest}")));
            linked.extend(below.map(|(path, own): (_, String)| (path, own.into())));
        }
        for (path, real) in std::mem::take(&mut self.links) {
            let below = self.below_root(&real);
            if !self.files.contains(&below) {
                linked.insert(path.as_str().into(), below.into());
                self.files.insert(path);
            }
        }
        self.tree.linked_files = linked;
        let files = self.files.iter();
        self.tree.files = files
            .map(|path| TreeFile {
                path: path.as_str().into(),
            })
            .collect();
        self.tree.configurations.sort();
        self.tree.contents = TreeContents::Folder(self.root);
        self.tree
    }
}

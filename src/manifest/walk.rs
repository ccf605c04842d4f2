//! The files of a source: which count as manifests, in which order, and how their bytes are read.

use super::ignore_rules::IgnoreRules;
use super::limits::TreeSize;
use super::listing::{PathResolveError, TreeListing};
use crate::diagnostic::{Code, Diagnostic, Origin, codes, visible};
use crate::model::{Digest, LineColumn};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many bytes one manifest may have.
pub(super) const FILE: u64 = 64 << 20;
/// How many bytes a file that a manifest names may have.
const CONTENT: u64 = 20 << 20;

/// One manifest of a tree.
#[derive(Clone, Debug)]
pub struct TreeFile {
    /// Relative to the root, with `/` between folders.
    pub path: Arc<str>,
}

/// The files of one source at one moment.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// The manifests, sorted by path.
    pub files: Vec<TreeFile>,
    /// What is wrong with the tree itself.
    pub diagnostics: Vec<Diagnostic>,
    /// What hides keys, so that nothing may be removed.
    pub removals_off: Vec<String>,
    /// The configurations in it, which are not read.
    pub configurations: Vec<Arc<str>>,
    /// Folders without an entry that are named as a manifest is.
    pub blank_folders: Vec<Arc<str>>,
    /// The commit, where it is one.
    pub revision: Option<Arc<str>>,
    contents: TreeContents,
}

/// Where the bytes are.
#[derive(Clone, Debug, Default)]
enum TreeContents {
    #[default]
    Empty,
    /// Below this folder, whose path has no link in it.
    Folder(PathBuf),
    /// In memory, by path.
    Memory(BTreeMap<Arc<str>, Vec<u8>>),
    /// In a commit.
    Listed(Arc<TreeListing>),
}

/// Why a file that a manifest names has no content.
#[derive(Debug)]
pub(super) enum ContentFault {
    OutsideRoot,
    Unreadable(String),
    TooLarge,
}

impl Tree {
    /// Finds the manifests below a folder, or the one manifest that `root` is.
    #[must_use]
    pub fn read(root: &Path) -> Self {
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

    /// A tree of files in memory, as those of a commit: path and bytes, manifests or not.
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

    /// The same place with only the manifests that `keep` says yes to.
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

    /// A tree of which nothing can be read: why, and the way out.
    #[must_use]
    pub fn unreadable_tree(message: String, help: &str) -> Self {
        let found = Diagnostic::new(codes::SOURCE_UNREADABLE, message.clone()).help(help);
        Self {
            removals_off: vec![message],
            diagnostics: vec![found],
            ..Self::default()
        }
    }

    /// The same with its files in a listing.
    pub(super) fn with_listing(self, listing: TreeListing) -> Self {
        Self {
            contents: TreeContents::Listed(Arc::new(listing)),
            ..self
        }
    }

    /// Says that something of the tree cannot be read.
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

    /// The bytes of a manifest; those of a file lie in the buffer, which is used again and again.
    pub(super) fn bytes<'b>(&'b self, path: &str, buffer: &'b mut Vec<u8>) -> io::Result<&'b [u8]> {
        match &self.contents {
            TreeContents::Empty => Err(io::ErrorKind::NotFound.into()),
            TreeContents::Folder(root) => {
                let path = root.join(path);
                if fs::metadata(&path)?.len() > FILE {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                buffer.clear();
                fs::File::open(path)?.read_to_end(buffer)?;
                Ok(buffer)
            }
            TreeContents::Memory(files) => match files.get(path) {
                Some(bytes) if bytes.len() as u64 > FILE => Err(io::ErrorKind::FileTooLarge.into()),
                Some(bytes) => Ok(bytes),
                None => Err(io::ErrorKind::NotFound.into()),
            },
            TreeContents::Listed(listing) => {
                *buffer = listing.read(path, FILE)?;
                Ok(buffer)
            }
        }
    }

    /// The digest of a file, where it is known without reading the file.
    #[must_use]
    pub fn digest(&self, path: &str) -> Option<Digest> {
        match &self.contents {
            TreeContents::Listed(listing) => listing.digest(path),
            _ => None,
        }
    }

    /// The bytes of a file below the root, manifest or not.
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

    /// The bytes of a file that a manifest names, by its path below the root.
    pub(super) fn content(&self, path: &str) -> Result<Cow<'_, [u8]>, ContentFault> {
        match &self.contents {
            TreeContents::Folder(root) => read_from_disk(root, path).map(Cow::Owned),
            TreeContents::Memory(files) => match files.get(path) {
                Some(bytes) if bytes.len() as u64 > CONTENT => Err(ContentFault::TooLarge),
                Some(bytes) => Ok(Cow::Borrowed(bytes)),
                None => Err(ContentFault::Unreadable("no such file".to_owned())),
            },
            TreeContents::Listed(listing) => listed(listing, path).map(Cow::Owned),
            TreeContents::Empty => Err(ContentFault::Unreadable(
                "the root does not exist".to_owned(),
            )),
        }
    }

    /// The text of a manifest, if it is UTF-8, for showing the line a finding is about.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        let mut buffer = Vec::new();
        let bytes = self.bytes(path, &mut buffer).ok()?;
        Some(std::str::from_utf8(bytes).ok()?.to_owned())
    }
}

fn listed(listing: &TreeListing, path: &str) -> Result<Vec<u8>, ContentFault> {
    if listing.file(path) == Err(PathResolveError::Outside) {
        return Err(ContentFault::OutsideRoot);
    }
    let read = listing.read(path, CONTENT);
    read.map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => ContentFault::TooLarge,
        _ => ContentFault::Unreadable(io_error_message(&error)),
    })
}

fn read_from_disk(root: &Path, path: &str) -> Result<Vec<u8>, ContentFault> {
    let unreadable = |error: io::Error| ContentFault::Unreadable(io_error_message(&error));
    let real = root.join(path).canonicalize().map_err(unreadable)?;
    if !real.starts_with(root) {
        return Err(ContentFault::OutsideRoot);
    }
    let metadata = fs::metadata(&real).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(ContentFault::Unreadable("it is not a file".to_owned()));
    }
    if metadata.len() > CONTENT {
        return Err(ContentFault::TooLarge);
    }
    fs::read(&real).map_err(unreadable)
}

/// What went wrong, without the number the system gives it.
pub(super) fn io_error_message(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Whether a path ends like one of a manifest.
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

/// Whether a path is a manifest, with no folder in it that starts with a dot.
pub(super) fn is_visible(path: &str) -> bool {
    let name = path.rsplit('/').next();
    name.is_some_and(is_manifest_name) && !is_hidden(path)
}

/// Whether a path has a part that starts with a dot.
pub(super) fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

/// Whether a path is a configuration where only manifests are read.
pub(super) fn is_configuration(path: &str) -> bool {
    path.rsplit('/').next() == Some("roster.yaml") && !is_hidden(path)
}

/// The state of one walk over a folder.
struct FolderWalk {
    root: PathBuf,
    ignored: IgnoreRules,
    files: BTreeSet<String>,
    /// Links to files within the root: path and where it leads.
    links: Vec<(String, PathBuf)>,
    /// Folders that links led to, so that none is walked twice.
    entered: BTreeSet<PathBuf>,
    extent: TreeSize,
    /// Whether a limit was passed, so that nothing more is looked at.
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
            extent: TreeSize::default(),
            limit_reached: false,
            tree: Tree::default(),
        }
    }

    fn folder(&mut self, folder: &Path, relative: &str) -> io::Result<()> {
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
        if !real.starts_with(&self.root) {
            let why = "a symbolic link to a place outside the root of the source";
            self.problem(path, codes::PATH_ESCAPE, why);
        } else if real.is_file() {
            self.links.push((path.to_owned(), real));
        } else if real.is_dir() && self.is_hidden(&real) && self.entered.insert(real) {
            // A folder that is seen anyway is walked where it stands.
            self.walk_subfolder(place, path);
        }
    }

    /// Whether a place below the root has a part that starts with a dot, so that the walk itself
    /// does not come there.
    fn is_hidden(&self, real: &Path) -> bool {
        let below = real.strip_prefix(&self.root).unwrap_or(real);
        below
            .iter()
            .any(|part| part.to_string_lossy().starts_with('.'))
    }

    fn problem(&mut self, path: &str, code: Code, why: &str) {
        self.tree
            .report(path, code, format!("{}: {why}", visible(path)));
    }

    /// The tree; a link to a file that is in it anyway adds nothing.
    fn finish(mut self) -> Tree {
        for (path, real) in std::mem::take(&mut self.links) {
            let below = real.strip_prefix(&self.root).unwrap_or(&real);
            if !self.files.contains(&*below.to_string_lossy()) {
                self.files.insert(path);
            }
        }
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

//! A tree into what it declares: file by file, in parallel, the same for any order of work.

use super::document::Parsing;
use super::events::Reader;
use super::merge::{self, Repeated};
use super::nodes::Fatal;
use super::resource::Found;
use super::sink::Sink;
use super::split::{self, Part};
use super::walk::{Tree, TreeFile, plain};
use crate::diagnostic::{self, Diagnostic, codes};
use crate::kinds;
use crate::model::{Desired, Digest, FieldRef, Key, Pos};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// How to load a tree.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The name of the source.
    pub source: Arc<str>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            source: "directory".into(),
        }
    }
}

/// What a tree declares, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Loaded {
    /// What it declares.
    pub desired: Desired,
    /// All findings, sorted, each fault once.
    pub diagnostics: Vec<Diagnostic>,
    /// Every YAML document, by path and place.
    pub documents: Vec<Document>,
    /// The digest of every file, in the order of the tree.
    pub files: Vec<(Arc<str>, Digest)>,
    /// What is written out in several places, and the files of these.
    pub repeated: Repeated,
}

impl Loaded {
    /// How many resources the tree declares.
    #[must_use]
    pub fn resources(&self) -> usize {
        self.desired.resources.len()
    }
}

/// One YAML document of a tree.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its file.
    pub path: Arc<str>,
    /// Which document of the file it is, from 0.
    pub index: u32,
    /// The line it begins at.
    pub line: u32,
    /// What it declares, those written out within others included: the places among all that its
    /// file declares.
    pub keys: Range<usize>,
    /// Whether nothing was found to say about it.
    pub clean: bool,
}

/// What one file came to.
pub(super) struct FileLoaded {
    pub found: Vec<Found>,
    diagnostics: Vec<Diagnostic>,
    hidden: Option<String>,
    documents: Vec<Document>,
    /// Of its bytes.
    digest: Digest,
}

/// The digest of every file of a tree, without reading what it says (of a commit without reading
/// the file at all); `None` when one cannot be read.
#[must_use]
pub fn digests(tree: &Tree) -> Option<Vec<(Arc<str>, Digest)>> {
    let digest = |buffer: &mut Vec<u8>, file: &TreeFile| {
        if let Some(known) = tree.digest(&file.path) {
            return Some((file.path.clone(), known));
        }
        let bytes = tree.bytes(&file.path, buffer).ok()?;
        Some((file.path.clone(), Digest::of(bytes)))
    };
    tree.files.par_iter().map_init(Vec::new, digest).collect()
}

/// Reads every manifest of a tree.
#[must_use]
pub fn load(tree: &Tree, options: &LoadOptions) -> Loaded {
    let files: Vec<FileLoaded> = tree
        .files
        .par_iter()
        .map_init(Vec::new, |buffer, file| load_file(tree, &file.path, buffer))
        .collect();
    let mut loaded = Loaded {
        desired: Desired {
            source: Arc::clone(&options.source),
            removals_off: tree.removals_off.clone(),
            ..Desired::default()
        },
        diagnostics: tree.diagnostics.clone(),
        documents: Vec::new(),
        files: tree
            .files
            .iter()
            .zip(&files)
            .map(|(file, loaded)| (file.path.clone(), loaded.digest))
            .collect(),
        repeated: Repeated::new(),
    };
    let digests = loaded.files.iter().map(|(path, digest)| (&**path, *digest));
    loaded.desired.revision = match &tree.revision {
        Some(commit) => Arc::clone(commit),
        None => revision(digests).to_string().into(),
    };
    let mut found = Vec::with_capacity(files.iter().map(|file| file.found.len()).sum());
    for file in files {
        loaded.diagnostics.extend(file.diagnostics);
        loaded.desired.removals_off.extend(file.hidden);
        loaded.documents.extend(file.documents);
        found.extend(file.found);
    }
    let removals_off = &mut loaded.desired.removals_off;
    let (repeated, diagnostics) = (&mut loaded.repeated, &mut loaded.diagnostics);
    loaded.desired.resources = merge::merge(found, repeated, diagnostics, removals_off);
    merge::excuse_optional(&loaded.desired, &mut loaded.diagnostics);
    loaded.desired.faulty = faulty(&loaded.diagnostics);
    diagnostic::sort(&mut loaded.diagnostics);
    loaded
}

/// The fields about which there is an error.
fn faulty(diagnostics: &[Diagnostic]) -> BTreeSet<(Key, FieldRef)> {
    let errors = diagnostics.iter().filter(|found| found.is_error());
    errors
        .filter_map(|found| {
            let key = found.key.as_ref()?;
            let (kind, name) = (kinds::get(key.kind), found.field.as_deref()?);
            // Of a list whose member has a faulty attribute (`accounts.level`), the list is faulty.
            let list = || kind.field_ref(name.split('.').next()?);
            Some((key.clone(), kind.field_ref(name).or_else(list)?))
        })
        .collect()
}

/// The digest of all paths and bytes, from those of the files in the order of the tree.
pub fn revision<'p>(files: impl Iterator<Item = (&'p str, Digest)>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for (path, digest) in files {
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path.as_bytes());
        hasher.update(&digest.0);
    }
    Digest::finish(&hasher)
}

fn load_file(tree: &Tree, path: &Arc<str>, buffer: &mut Vec<u8>) -> FileLoaded {
    let mut sink = Sink::new(path);
    let mut file = FileLoaded {
        found: Vec::new(),
        diagnostics: Vec::new(),
        hidden: None,
        documents: Vec::new(),
        digest: Digest::default(),
    };
    match tree.bytes(path, buffer) {
        Ok(bytes) => {
            let known = tree.digest(path);
            file.digest = known.unwrap_or_else(|| Digest::of(bytes));
            if let Some(text) = decode(bytes, &mut sink) {
                load_text(tree, text, &mut sink, &mut file);
            }
        }
        Err(error) => unreadable(path, &error, &mut sink),
    }
    file.found.shrink_to_fit();
    file.diagnostics = sink.diagnostics;
    file.hidden = sink.hidden;
    file
}

fn unreadable(path: &str, error: &io::Error, sink: &mut Sink) {
    let found = if error.kind() == io::ErrorKind::FileTooLarge {
        Diagnostic::new(codes::YAML_LIMIT, format!("{path} has more than 64 MiB"))
            .help("split it into several files")
    } else {
        Diagnostic::new(
            codes::SOURCE_UNREADABLE,
            format!("{path} cannot be read: {}", plain(error)),
        )
    };
    sink.report(Pos::default(), found);
}

/// The text of a file, without its byte order mark.
fn decode<'a>(bytes: &'a [u8], sink: &mut Sink) -> Option<&'a str> {
    let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let at = error.valid_up_to();
            let message = if utf16 {
                "the file is UTF-16, not UTF-8".to_owned()
            } else {
                format!("the file is not UTF-8: byte {at} is {:#04x}", bytes[at])
            };
            let found = Diagnostic::new(codes::ENCODING, message).help("save it as UTF-8");
            sink.report(place(&bytes[..at]), found);
            None
        }
    }
}

/// The place just after some bytes that are UTF-8.
fn place(before: &[u8]) -> Pos {
    let text = std::str::from_utf8(before).unwrap_or_default();
    let line = text.rsplit('\n').next().unwrap_or_default();
    let count = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
    Pos {
        line: count(text.matches('\n').count()),
        column: count(line.chars().count()),
    }
}

fn load_text(tree: &Tree, text: &str, sink: &mut Sink, file: &mut FileLoaded) {
    let mut parsing = Parsing {
        text: "",
        reader: Reader::new(text),
        sink,
        tree,
        cells: Vec::with_capacity(16),
        found: Vec::new(),
    };
    for (index, part) in (0..).zip(split::split(text)) {
        let (first, findings) = (parsing.found.len(), parsing.sink.diagnostics.len());
        parsing.text = &text[part.range.clone()];
        if let Err(fatal) = parsing.part(&part) {
            // What was read so far may not be what was meant.
            parsing.found.truncate(first);
            parsing.cells.clear();
            parsing.reader.give_up();
            report_fatal(fatal, parsing.text, &part, findings, parsing.sink);
        }
        file.documents.push(Document {
            path: Arc::clone(&parsing.sink.path),
            index,
            line: part.line,
            keys: first..parsing.found.len(),
            clean: parsing.sink.diagnostics.len() == findings,
        });
    }
    file.found = parsing.found;
}

/// `before`: how many findings there were before this part.
fn report_fatal(fatal: Fatal, text: &str, part: &Part, before: usize, sink: &mut Sink) {
    let Some(line) = conflict_marker(text) else {
        sink.fatal(fatal);
        return;
    };
    // Whatever else was found comes of it.
    sink.diagnostics.truncate(before);
    let at = Pos {
        line: part.line + line,
        column: 1,
    };
    let message = "a conflict marker of a merge that was never finished";
    let help = "resolve the conflict, and take out the lines of `<`, `=` and `>`";
    sink.fault(codes::YAML_SYNTAX, at, message, help);
}

/// Which line of the text, from 0, is the first conflict marker.
fn conflict_marker(text: &str) -> Option<u32> {
    let marks = ["<<<<<<< ", ">>>>>>> ", "||||||| "];
    let line = text
        .lines()
        .position(|line| marks.iter().any(|mark| line.starts_with(mark)))?;
    u32::try_from(line).ok()
}

//! Loads a tree: reads the files in parallel and merges them into one `Desired`, the same whatever
//! the order of work. Besides the resources it returns everything that limits removals: unreadable
//! files, unknown kinds, faulty fields. Start at [`load`].

use super::decode::{decode, is_blank};
use super::document::{ManifestParser, ParsedResource, PartialList};
use super::events::NodeReader;
use super::limits::{ERRORS, ErrorBudget};
use super::merge::{self, RepeatedKeys};
use super::nodes::DocumentError;
use super::sink::DiagnosticSink;
use super::split::{self, DocumentSpan};
use super::tree_contents::io_error_message;
use super::walk::{Tree, TreeFile};
use crate::diagnostic::{self, Diagnostic, Severity, codes};
use crate::kinds;
use crate::model::{
    CompactText, Desired, Digest, FieldRef, Key, KeyedList, KindId, LineColumn, NamelessResource,
    SalvagedReferences,
};
use crate::stop_flag::StopFlag;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// How to load a tree.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    pub source: Arc<str>,
    /// The moment at which dates are judged, such as `2026-12-31T00:00:00Z`. Empty is before all
    /// dates.
    pub as_of: Arc<str>,
    /// Reads only the documents that may name this external id, where a file has several.
    pub naming: Option<CompactText>,
    /// Stops the reading before all files are read.
    pub stop: StopFlag,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            source: "directory".into(),
            as_of: "".into(),
            naming: None,
            stop: StopFlag::default(),
        }
    }
}

/// What a tree declares, and its diagnostics.
#[derive(Debug, Default)]
pub struct LoadedManifests {
    pub desired: Desired,
    /// All diagnostics, sorted, each one once.
    pub diagnostics: Vec<Diagnostic>,
    /// Every YAML document, by path and position.
    pub documents: Vec<ManifestDocument>,
    /// The digest of every file, in tree order.
    pub files: Vec<(Arc<str>, Digest)>,
    /// The resources declared in several places, with the files.
    pub repeated: RepeatedKeys,
    /// The files without a document, and the empty folders with the name of a manifest.
    pub blank: Vec<Arc<str>>,
}

impl LoadedManifests {
    /// The number of declared resources.
    #[must_use]
    pub fn resources(&self) -> usize {
        self.desired.resources.len()
    }

    /// Uses nothing of a tree with more errors than anybody would read.
    fn give_up(&mut self) {
        let why = format!("more than {} errors", diagnostic::thousands(ERRORS));
        let found = Diagnostic::new(
            codes::YAML_LIMIT,
            format!("{why}; nothing of this source is used"),
        );
        let help = "Fix the first errors, or check that the source contains manifests";
        // Half of a source that is mostly broken would look like a mass removal.
        self.diagnostics.push(found.help(help));
        let what: Arc<str> = why.as_str().into();
        let all = kinds::ALL.iter();
        self.desired.unread_kinds = all.map(|kind| (kind.id, Arc::clone(&what))).collect();
        self.desired.removals_off = vec![why];
        self.desired.resources = KeyedList::default();
        self.desired.salvaged_references.clear();
        self.desired.nameless.clear();
    }
}

/// One YAML document of a tree.
#[derive(Clone, Debug)]
pub struct ManifestDocument {
    pub path: Arc<str>,
    /// Its index in the file, from 0.
    pub index: u32,
    /// The line on which it starts.
    pub line: u32,
    /// The resources it declares, including those written inside others, as a range of those of its
    /// file.
    pub keys: Range<usize>,
    /// Whether it has no diagnostics.
    pub clean: bool,
}

/// The result of loading one file.
#[derive(Default)]
pub(super) struct LoadedFile {
    pub found: Vec<ParsedResource>,
    diagnostics: Vec<Diagnostic>,
    hidden: Option<String>,
    documents: Vec<ManifestDocument>,
    /// The digest of its bytes.
    digest: Digest,
    /// Whether it holds no document.
    blank: bool,
    /// The kinds that may occur in what could not be read.
    unread: BTreeMap<KindId, Arc<str>>,
    salvaged: Vec<((Key, FieldRef), SalvagedReferences)>,
    nameless: Vec<NamelessResource>,
}

/// Returns the digest of every file without parsing it, and for a commit without reading it; `None`
/// if a file cannot be read.
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

/// Loads every manifest of a tree.
#[must_use]
pub fn load(tree: &Tree, options: &LoadOptions) -> LoadedManifests {
    let (files, errors) = load_files(tree, options);
    let mut loaded = LoadedManifests {
        desired: Desired {
            source: Arc::clone(&options.source),
            as_of: Arc::clone(&options.as_of),
            removals_off: tree.removals_off.clone(),
            unread_kinds: unread(tree),
            linked_files: tree.linked_files.clone(),
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
        repeated: RepeatedKeys::new(),
        blank: tree.blank_folders.clone(),
    };
    let digests = loaded.files.iter().map(|(path, digest)| (&**path, *digest));
    loaded.desired.revision = match &tree.revision {
        Some(commit) => Arc::clone(commit),
        None => revision(digests).to_string().into(),
    };
    let named = tree.files.iter().zip(&files);
    let blank = named.filter(|(_, loaded)| loaded.blank);
    loaded
        .blank
        .extend(blank.map(|(file, _)| file.path.clone()));
    let mut found = Vec::with_capacity(files.iter().map(|file| file.found.len()).sum());
    for file in files {
        loaded.diagnostics.extend(file.diagnostics);
        loaded.desired.removals_off.extend(file.hidden);
        for (kind, what) in file.unread {
            loaded.desired.unread_kinds.entry(kind).or_insert(what);
        }
        loaded.desired.salvaged_references.extend(file.salvaged);
        loaded.desired.nameless.extend(file.nameless);
        loaded.documents.extend(file.documents);
        found.extend(file.found);
    }
    let removals_off = &mut loaded.desired.removals_off;
    let (repeated, diagnostics) = (&mut loaded.repeated, &mut loaded.diagnostics);
    let mut keep = |found, hides| {
        if errors.add() {
            diagnostics.push(found);
            removals_off.extend(hides);
        }
    };
    // After the merge, because duplicates count against the budget too.
    loaded.desired.resources = merge::merge(found, repeated, &mut keep);
    if errors.too_many() {
        loaded.give_up();
    }
    // Only the merged tree knows its settings, which decide what is optional.
    merge::excuse_optional(&loaded.desired, &mut loaded.diagnostics);
    loaded.desired.faulty_fields = faulty_fields(&loaded.diagnostics);
    let salvaged = loaded.desired.salvaged_references.keys().cloned();
    loaded.desired.faulty_fields.extend(salvaged);
    diagnostic::sort(&mut loaded.diagnostics);
    loaded
}

/// The kinds of which a resource may be in what the walk could not read.
fn unread(tree: &Tree) -> BTreeMap<KindId, Arc<str>> {
    let Some(why) = tree.removals_off.first() else {
        return BTreeMap::new();
    };
    let what: Arc<str> = format!("a file cannot be read ({why})").into();
    let kinds = kinds::ALL.iter();
    kinds.map(|kind| (kind.id, Arc::clone(&what))).collect()
}

/// The fields with an error.
pub fn faulty_fields<'d>(
    diagnostics: impl IntoIterator<Item = &'d Diagnostic>,
) -> BTreeSet<(Key, FieldRef)> {
    let errors = diagnostics.into_iter().filter(|found| found.is_error());
    errors
        .flat_map(|found| fields_of(found).unwrap_or_default())
        .collect()
}

fn fields_of(found: &Diagnostic) -> Option<Vec<(Key, FieldRef)>> {
    let key = found.key.as_ref()?;
    let (kind, name) = (kinds::get(key.kind), found.field.as_deref()?);
    let group = kind.group(name).map(kinds::own_field);
    // For a member with a faulty attribute (`accounts.level`), the whole list is faulty.
    let list = || kind.field_ref(name.split('.').next()?);
    let one = kind.field_ref(name).or_else(list);
    Some(group.chain(one).map(|field| (key.clone(), field)).collect())
}

/// The digest of all paths and contents, from the digests of the files in tree order.
pub fn revision<'p>(files: impl Iterator<Item = (&'p str, Digest)>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for (path, digest) in files {
        // The length keeps a path and the next digest from being read as another path.
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path.as_bytes());
        hasher.update(&digest.0);
    }
    Digest::from_hasher(&hasher)
}

/// Loads the files in parallel. If there are too many errors, loads them again in order, so that
/// the errors that are kept are the first ones.
fn load_files(tree: &Tree, options: &LoadOptions) -> (Vec<LoadedFile>, Arc<ErrorBudget>) {
    let load = |errors: &Arc<ErrorBudget>, buffer: &mut Vec<u8>, file: &TreeFile| {
        if options.stop.is_set() {
            return LoadedFile::default();
        }
        load_file(tree, &file.path, options, errors, buffer)
    };
    let errors = Arc::new(ErrorBudget::default());
    let files = tree.files.par_iter();
    // One buffer per worker instead of an allocation per file.
    let files: Vec<LoadedFile> = files
        .map_init(Vec::new, |buffer, file| load(&errors, buffer, file))
        .collect();
    if !errors.too_many() {
        return (files, errors);
    }
    let digests: Vec<Digest> = files.iter().map(|file| file.digest).collect();
    drop(files);
    let (errors, mut buffer) = (Arc::new(ErrorBudget::default()), Vec::new());
    // The digests are kept: they identify the revision, whatever was wrong with the contents.
    let files = tree.files.iter().zip(digests);
    let files = files.map(|(file, digest)| {
        if errors.too_many() {
            return LoadedFile {
                digest,
                ..LoadedFile::default()
            };
        }
        load(&errors, &mut buffer, file)
    });
    (files.collect(), errors)
}

fn load_file(
    tree: &Tree,
    path: &Arc<str>,
    options: &LoadOptions,
    errors: &Arc<ErrorBudget>,
    buffer: &mut Vec<u8>,
) -> LoadedFile {
    let mut sink = DiagnosticSink::new(path, errors);
    let mut file = LoadedFile::default();
    match tree.bytes(path, buffer) {
        Ok(bytes) => {
            let known = tree.digest(path);
            file.digest = known.unwrap_or_else(|| Digest::of(bytes));
            file.blank = is_blank(bytes);
            let text = if file.blank {
                None
            } else {
                decode(bytes, &mut sink)
            };
            if let Some(text) = text {
                load_text(tree, text, options, &mut sink, &mut file);
            }
        }
        Err(error) => unreadable(path, &error, &mut sink),
    }
    file.found.shrink_to_fit();
    file.diagnostics = sink.finish();
    file.hidden = sink.removals_off;
    file.unread = sink.unread;
    file
}

fn unreadable(path: &str, error: &io::Error, sink: &mut DiagnosticSink) {
    sink.mark_all_unread(LineColumn::default());
    let found = if error.kind() == io::ErrorKind::FileTooLarge {
        Diagnostic::new(codes::YAML_LIMIT, format!("{path} is larger than 64 MiB"))
            .help("Split it into several files")
    } else {
        Diagnostic::new(
            codes::SOURCE_UNREADABLE,
            format!("{path} cannot be read: {}", io_error_message(error)),
        )
    };
    sink.report(LineColumn::default(), found);
}

fn load_text(
    tree: &Tree,
    text: &str,
    options: &LoadOptions,
    sink: &mut DiagnosticSink,
    file: &mut LoadedFile,
) {
    let mut parsing = ManifestParser {
        text: "",
        reader: NodeReader::new(text),
        sink,
        tree,
        as_of: &options.as_of,
        cells: Vec::with_capacity(16),
        dated_items: Vec::new(),
        found: Vec::new(),
        partial_list: PartialList::default(),
        salvaged_fields: Vec::new(),
        salvaged: Vec::new(),
        nameless: Vec::new(),
    };
    parsing.reader.anchors_at = Rc::clone(&parsing.sink.anchors);
    let naming = options.naming.as_deref().map(IdFinder::new);
    for (index, part) in (0..).zip(split::split(text)) {
        let may_name = |finder: &IdFinder| finder.may_name(&text[part.range.clone()]);
        if !naming.as_ref().is_none_or(may_name) {
            parsing.reader.give_up();
            continue;
        }
        let (first, findings) = (parsing.found.len(), parsing.sink.diagnostics.len());
        let nameless = parsing.nameless.len();
        parsing.text = &text[part.range.clone()];
        if let Err(fatal) = parsing.part(&part) {
            // What was read so far may not be what was meant, so the whole document is dropped.
            parsing.found.truncate(first);
            parsing.cells.clear();
            parsing.dated_items.clear();
            parsing.salvaged_fields.clear();
            parsing.partial_list = PartialList::default();
            parsing.nameless.truncate(nameless);
            // One broken document must not hide the others of its file.
            parsing.reader.give_up();
            report_fatal(fatal, parsing.text, &part, findings, parsing.sink);
            parsing.reader.comment_cuts.clear();
            parsing.reader.unnamed.clear();
        }
        for at in std::mem::take(&mut parsing.reader.unnamed).into_values() {
            report_anchor(at, parsing.sink);
        }
        for at in std::mem::take(&mut parsing.reader.comment_cuts) {
            report_cut(at, parsing.sink);
        }
        // A repeated key at the top level may hide a whole collection.
        let mut new = parsing.sink.diagnostics[findings..].iter();
        let twice = new.find(|it| it.key.is_none() && it.code == codes::DUPLICATE_KEY);
        if let Some(at) = twice.and_then(|it| it.origin.as_ref()).map(|it| it.at) {
            parsing.sink.mark_all_unread(at);
        }
        file.documents.push(ManifestDocument {
            path: Arc::clone(&parsing.sink.path),
            index,
            line: part.line,
            keys: first..parsing.found.len(),
            clean: parsing.sink.diagnostics.len() == findings,
        });
    }
    file.salvaged = parsing.salvaged;
    file.nameless = parsing.nameless;
    file.found = parsing.found;
}

/// Finds the documents that may name an external id.
struct IdFinder<'id>(memchr::memmem::Finder<'id>);

impl<'id> IdFinder<'id> {
    fn new(id: &'id str) -> Self {
        Self(memchr::memmem::Finder::new(id.as_bytes()))
    }

    /// With a backslash, a document can name an id that is not there letter by letter.
    fn may_name(&self, document: &str) -> bool {
        let bytes = document.as_bytes();
        self.0.find(bytes).is_some() || memchr::memchr(b'\\', bytes).is_some()
    }
}

fn report_anchor(at: LineColumn, sink: &mut DiagnosticSink) {
    let message =
        "the word after `&` is an anchor, not part of the value, and no alias refers to it";
    let found = Diagnostic::new(codes::YAML_SYNTAX, message).severity(Severity::Warning);
    let help = "Quote the value if `&` is part of it. Otherwise remove the anchor";
    sink.report_without_blocking(at, found.help(help));
}

fn report_cut(at: LineColumn, sink: &mut DiagnosticSink) {
    let message = "` #` starts a comment; the value ends before it";
    let found = Diagnostic::new(codes::YAML_SYNTAX, message).severity(Severity::Warning);
    let help = "Quote the value if `#` is part of it. Otherwise put a space after `#`";
    sink.report_without_blocking(at, found.help(help));
}

/// `before` is the number of diagnostics before this part.
fn report_fatal(
    fatal: DocumentError,
    text: &str,
    part: &DocumentSpan,
    before: usize,
    sink: &mut DiagnosticSink,
) {
    // An unfinished merge leaves both versions in the file. The syntax error behind its markers
    // would mislead.
    let Some(line) = conflict_marker(text) else {
        // Later diagnostics on the same lines are only consequences.
        let mut at = 0;
        sink.diagnostics.retain(|found| {
            at += 1;
            let line = found.origin.as_ref().map_or(0, |origin| origin.at.line);
            at <= before || line < fatal.0.since
        });
        sink.fatal(fatal);
        return;
    };
    // Everything else that was found is a consequence of the conflict.
    sink.diagnostics.truncate(before);
    let at = LineColumn {
        line: part.line + line,
        column: 1,
    };
    sink.mark_all_unread(at);
    let message = "a conflict marker of an unfinished merge";
    let help = "Resolve the conflict and remove the lines of `<`, `=` and `>`";
    sink.fault(codes::YAML_SYNTAX, at, message, help);
}

/// The line of the first conflict marker, from 0.
fn conflict_marker(text: &str) -> Option<u32> {
    // Not `=======`: a line of equals signs also underlines headings in texts.
    let marks = ["<<<<<<<", ">>>>>>>", "|||||||"];
    let is_marker = |line: &str| {
        let mut rest = marks.iter().filter_map(|mark| line.strip_prefix(mark));
        rest.any(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let line = text.lines().position(is_marker)?;
    u32::try_from(line).ok()
}

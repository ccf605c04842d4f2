//! Decides into which files resources are written: one folder per account, and files beside them
//! for what belongs to no single account, as `scopes` expect. Used by `export` and by commands that
//! add resources to an existing source. Start at [`lay_out`].

use super::file_names::{file_name, file_names, is_shortened};
use super::write;
use crate::kinds::{self, ACCOUNT, FieldType, Kind, effective};
use crate::model::{CompactText, FieldRef, Key, KindId, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The files to be written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ManifestExport {
    pub manifests: BTreeMap<String, String>,
    /// The documents they refer to: path and SHA-256.
    pub documents: BTreeMap<String, String>,
}

/// A resource to be written, with the fields to declare.
#[derive(Clone, Debug)]
pub struct ManifestResource {
    pub key: Key,
    /// The fields to declare.
    pub fields: Vec<(FieldRef, Value)>,
}

impl ManifestResource {
    fn value(&self, index: usize) -> Option<&Value> {
        let field = kinds::own_field(index);
        let mut said = self.fields.iter();
        said.find(|(said, _)| *said == field)
            .map(|(_, value)| value)
    }
}

/// What exists already in the target folder.
#[derive(Clone, Debug, Default)]
pub struct ExistingFiles {
    /// The folders of the accounts declared there, by external id.
    pub folders: BTreeMap<CompactText, String>,
    /// The existing files in lower case, because some file systems ignore case.
    pub taken: BTreeSet<String>,
    /// The folder for the folders of new accounts; `accounts` if nothing is said.
    pub folder_of_accounts: Option<String>,
    /// The account of resources that do not name one themselves.
    pub owning_accounts: BTreeMap<Key, CompactText>,
    /// Resources that are never written inside another one, since more than one links to them.
    pub shared: BTreeSet<Key>,
}

/// The most that is written into one file, so that people can still read and review it.
const LARGEST: usize = 8 << 20;

/// Writes each resource into its file, in key order.
///
/// The same resources give the same bytes. An existing file is never overwritten.
#[must_use]
pub fn lay_out(mut items: Vec<ManifestResource>, beside: &ExistingFiles) -> ManifestExport {
    // By key, so that the same rows give the same bytes whatever order they came in.
    items.sort_by(|a, b| a.key.cmp(&b.key));
    let layout = FileLayout::new(&items, beside);
    let mut files = OutputFiles::default();
    let mut documents = BTreeMap::new();
    for item in &items {
        if layout.inline.contains_key(&item.key) {
            continue;
        }
        let (text, pointed) = layout.document(item);
        files.put(&layout.path(item), &text, &beside.taken);
        documents.extend(pointed);
    }
    ManifestExport {
        manifests: files.written,
        documents,
    }
}

/// The files being written, with the current number of each path.
#[derive(Default)]
struct OutputFiles {
    written: BTreeMap<String, String>,
    numbers: HashMap<String, u32>,
}

impl OutputFiles {
    fn put(&mut self, path: &str, text: &str, taken: &BTreeSet<String>) {
        let number = self.numbers.entry(path.to_owned()).or_insert(1);
        let name = loop {
            let name = numbered(path, *number);
            let full = |file: &String| file.len() + text.len() > LARGEST;
            // Existing files are skipped by taking the next number, because appending to a file
            // that somebody edits would mix two authors.
            if !taken.contains(&name.to_lowercase()) && !self.written.get(&name).is_some_and(full) {
                break name;
            }
            *number += 1;
        };
        let file = self.written.entry(name).or_default();
        if !file.is_empty() {
            file.push_str("---\n");
        }
        file.push_str(text);
    }
}

/// `users.yaml`, `users-2.yaml` and so on.
fn numbered(path: &str, number: u32) -> String {
    match (number, path.strip_suffix(".yaml")) {
        (2.., Some(stem)) => format!("{stem}-{number}.yaml"),
        _ => path.to_owned(),
    }
}

/// The file of every resource.
struct FileLayout<'a> {
    existing: &'a ExistingFiles,
    /// The folder of each account.
    folders: HashMap<&'a str, String>,
    /// The resources written inside the only resource that links to them.
    inline: BTreeMap<Key, &'a ManifestResource>,
}

impl<'a> FileLayout<'a> {
    fn new(items: &'a [ManifestResource], beside: &'a ExistingFiles) -> Self {
        let accounts = items.iter().filter(|item| item.key.kind == ACCOUNT);
        // Existing accounts too: a new folder must not collide with one that is only different in
        // case.
        let new = accounts.map(|item| item.key.id.as_str());
        let ids: Vec<&str> = new
            .chain(beside.folders.keys().map(CompactText::as_str))
            .collect();
        Self {
            existing: beside,
            folders: file_names(&ids),
            inline: linked_once(items, &beside.shared),
        }
    }

    /// The file of a resource: in the folder of its only account, or beside the accounts.
    fn path(&self, item: &ManifestResource) -> String {
        let kind = kinds::get(item.key.kind);
        let home = match self.existing.owning_accounts.get(&item.key) {
            _ if kind.id == ACCOUNT => Some(item.key.id.clone()),
            Some(account) => Some(account.clone()),
            None => only_account(kind, item),
        };
        let folder = home.and_then(|account| self.folder(&account));
        match folder {
            Some(folder) if kind.id == ACCOUNT => format!("{folder}/{}.yaml", kind.singular),
            Some(folder) => format!("{folder}/{}.yaml", kebab(kind.collection)),
            None => format!("{}.yaml", kebab(kind.collection)),
        }
    }

    /// The folder of an account, if it can have one.
    fn folder(&self, account: &str) -> Option<String> {
        if let Some(folder) = self.existing.folders.get(account) {
            return Some(folder.clone());
        }
        let name = self.folders.get(account).cloned();
        let name = name.unwrap_or_else(|| file_name(account, false));
        // Nobody can tell from a shortened name whose folder it is.
        let folders = self.existing.folder_of_accounts.as_deref();
        (!is_shortened(&name)).then(|| match folders.unwrap_or("accounts") {
            "" => name,
            folders => format!("{folders}/{name}"),
        })
    }

    /// One document, and the files it refers to.
    fn document(&self, item: &ManifestResource) -> (String, Vec<(String, String)>) {
        let kind = kinds::get(item.key.kind);
        let mut documents = Vec::new();
        let mut said = item.fields.clone();
        for (field, value) in &mut said {
            let is_file = kind
                .field(field)
                .is_some_and(|field| matches!(field.ty, FieldType::File));
            if let (true, Some((path, sha256))) = (is_file, file(value)) {
                let path = document_path(kind, &item.key.id, path);
                let sha256 = sha256.to_owned();
                *value = Value::text(format!("{path} sha256:{sha256}"));
                documents.push((path, sha256));
            }
        }
        let said = said.iter().map(|(field, value)| (field, value));
        let inline = |id: &str| self.written_within(kind, id);
        let fields = write::fields(kind, &item.key.id, said, &inline);
        (format!("kind: {}\n{fields}", kind.name), documents)
    }

    fn written_within(&self, outer: &Kind, id: &str) -> Option<String> {
        let key = Key::new(inline_list(outer)?.1, id);
        let item = self.inline.get(&key)?;
        let said = item.fields.iter().map(|(field, value)| (field, value));
        Some(write::fields(kinds::get(key.kind), id, said, &|_| None))
    }
}

/// The list of a kind whose members may be written inside it, and their kind.
pub(crate) fn inline_list(kind: &Kind) -> Option<(usize, KindId)> {
    let mut fields = kind.fields.iter().enumerate();
    fields.find_map(|(index, field)| match field.ty {
        FieldType::Links {
            kind, inline: true, ..
        } => Some((index, kind)),
        _ => None,
    })
}

/// The resources to which exactly one other one links and which may be written inside it.
fn linked_once<'a>(
    items: &'a [ManifestResource],
    shared: &BTreeSet<Key>,
) -> BTreeMap<Key, &'a ManifestResource> {
    let mut users: BTreeMap<Key, usize> = BTreeMap::new();
    for item in items {
        let Some((index, kind)) = inline_list(kinds::get(item.key.kind)) else {
            continue;
        };
        for id in item.value(index).into_iter().flat_map(Value::members) {
            // An address with two owners has to be a resource of its own, with references to it.
            *users.entry(Key::new(kind, id)).or_default() += 1;
        }
    }
    let once =
        |item: &&ManifestResource| users.get(&item.key) == Some(&1) && !shared.contains(&item.key);
    let found = items.iter().filter(once);
    found.map(|item| (item.key.clone(), item)).collect()
}

/// The account of a resource that belongs to exactly one, whatever the dates of its links.
fn only_account(kind: &Kind, item: &ManifestResource) -> Option<CompactText> {
    let index = kind.account_fields().next()?;
    let value = item.value(index);
    if let Some(account) = value.and_then(Value::as_text) {
        return Some(CompactText::new(account));
    }
    let list = kind.fields[index].name;
    let dates = effective::dated_items_field(kind).and_then(|field| item.value(field.own()?));
    let dated = effective::dated_items(kind, dates).filter(|item| item.list == list);
    let members = value.into_iter().flat_map(Value::members).cloned();
    let all: BTreeSet<CompactText> = members.chain(dated.map(|item| item.member)).collect();
    let mut all = all.into_iter();
    all.next().filter(|_| all.next().is_none())
}

/// The path and the hash in a file's value.
fn file(value: &Value) -> Option<(&str, &str)> {
    value.as_text()?.rsplit_once(" sha256:")
}

/// The path for a document. It stays where it was, because a move is a change, unless the path is
/// not allowed below another root.
pub(super) fn document_path(kind: &Kind, id: &str, path: &str) -> String {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let ending = path
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    // A document called `.yaml` would be read as a manifest in the next pass.
    let manifest = matches!(ending.as_str(), "yaml" | "yml" | "json");
    if !manifest && !path.contains(['\\', ':']) && path.split('/').all(plain) {
        return path.to_owned();
    }
    format!("{}/{}", kind.collection, file_name(id, true))
}

/// `custom-fields` for `customFields`.
fn kebab(name: &str) -> String {
    name.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_uppercase() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
        out
    })
}

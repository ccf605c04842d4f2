//! Where resources go that are written as manifests: a folder an account, what belongs to no single
//! account beside.

use super::file_names::{file_name, file_names};
use super::write;
use crate::kinds::{self, ACCOUNT, FieldType, Kind};
use crate::model::{CompactText, FieldRef, Key, KindId, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a directory is written as.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ManifestExport {
    /// The manifests, by path.
    pub manifests: BTreeMap<String, String>,
    /// The documents that they point to, by path: the SHA-256 of each.
    pub documents: BTreeMap<String, String>,
}

/// A resource to be written, and what is to be said of it.
#[derive(Clone, Debug)]
pub struct ManifestResource {
    pub key: Key,
    /// What to say of its fields.
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

/// What is there already where something is written.
#[derive(Clone, Debug, Default)]
pub struct ExistingFiles {
    /// The folders of the accounts that are declared there, by external id.
    pub folders: BTreeMap<CompactText, String>,
    /// The files that are there, in small letters: some file systems see no difference.
    pub taken: BTreeSet<String>,
    /// To which account belongs what does not say so itself.
    pub owning_accounts: BTreeMap<Key, CompactText>,
}

/// The most that is written into one file, so that it can still be read and reviewed.
const LARGEST: usize = 8 << 20;

/// Writes each into the file where it belongs, in the order of the keys.
///
/// The same items give the same bytes. A file that is there already is never named again.
#[must_use]
pub fn lay_out(mut items: Vec<ManifestResource>, beside: &ExistingFiles) -> ManifestExport {
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

/// Files that are being written, each path with the number it got.
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

/// Where everything goes.
struct FileLayout<'a> {
    existing: &'a ExistingFiles,
    /// The folder of each account.
    folders: HashMap<&'a str, String>,
    /// What is written within the only resource that links to it.
    inline: BTreeMap<Key, &'a ManifestResource>,
}

impl<'a> FileLayout<'a> {
    fn new(items: &'a [ManifestResource], beside: &'a ExistingFiles) -> Self {
        let accounts = items.iter().filter(|item| item.key.kind == ACCOUNT);
        let new = accounts.map(|item| item.key.id.as_str());
        let ids: Vec<&str> = new
            .chain(beside.folders.keys().map(CompactText::as_str))
            .collect();
        Self {
            existing: beside,
            folders: file_names(&ids),
            inline: linked_once(items),
        }
    }

    /// The file of a resource: of the first account it belongs to, or beside the accounts.
    fn path(&self, item: &ManifestResource) -> String {
        let kind = kinds::get(item.key.kind);
        if kind.id == ACCOUNT {
            return format!("{}/{}.yaml", self.folder(&item.key.id), kind.singular);
        }
        let file = kebab(kind.collection);
        let home = self
            .existing
            .owning_accounts
            .get(&item.key)
            .map(CompactText::as_str);
        match home.or_else(|| first_account(kind, item)) {
            Some(account) => format!("{}/{file}.yaml", self.folder(account)),
            None => format!("{file}.yaml"),
        }
    }

    fn folder(&self, account: &str) -> String {
        if let Some(folder) = self.existing.folders.get(account) {
            return folder.clone();
        }
        let name = self.folders.get(account).cloned();
        format!(
            "accounts/{}",
            name.unwrap_or_else(|| file_name(account, false))
        )
    }

    /// One document, and the documents it points to.
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

/// The list of a kind whose members may be written out in it, and their kind.
pub(crate) fn inline_list(kind: &Kind) -> Option<(usize, KindId)> {
    let mut fields = kind.fields.iter().enumerate();
    fields.find_map(|(index, field)| match field.ty {
        FieldType::Links {
            kind, inline: true, ..
        } => Some((index, kind)),
        _ => None,
    })
}

/// What exactly one of the items links to and may write out, and is one of them itself.
fn linked_once(items: &[ManifestResource]) -> BTreeMap<Key, &ManifestResource> {
    let mut users: BTreeMap<Key, usize> = BTreeMap::new();
    for item in items {
        let Some((index, kind)) = inline_list(kinds::get(item.key.kind)) else {
            continue;
        };
        for id in item.value(index).into_iter().flat_map(Value::members) {
            *users.entry(Key::new(kind, id)).or_default() += 1;
        }
    }
    let once = |item: &&ManifestResource| users.get(&item.key) == Some(&1);
    let found = items.iter().filter(once);
    found.map(|item| (item.key.clone(), item)).collect()
}

fn first_account<'a>(kind: &Kind, item: &'a ManifestResource) -> Option<&'a str> {
    let (index, _) = kind.references().find(|(_, target)| *target == ACCOUNT)?;
    let value = item.value(index)?;
    value
        .as_text()
        .or_else(|| value.members().next().map(CompactText::as_str))
}

/// The path and the hash within a file's value.
fn file(value: &Value) -> Option<(&str, &str)> {
    value.as_text()?.rsplit_once(" sha256:")
}

/// Where a document goes: where it was, since a moved one is a change, unless that is no place for
/// it below another root.
pub(super) fn document_path(kind: &Kind, id: &str, path: &str) -> String {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let ending = path
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let manifest = matches!(ending.as_str(), "yaml" | "yml" | "json");
    if !manifest && !path.contains(['\\', ':']) && path.split('/').all(plain) {
        return path.to_owned();
    }
    format!("{}/{}", kind.collection, file_name(id, true))
}

/// `custom-fields` of `customFields`.
fn kebab(name: &str) -> String {
    name.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_uppercase() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
        out
    })
}

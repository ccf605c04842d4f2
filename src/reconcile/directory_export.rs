//! Writes a stored directory as manifests that adopt it as it is, whoever filled the database.
//!
//! Other programs store values that no manifest can declare: a country in full, an e-mail address
//! without `@`, a date that has passed of somebody who is active. [`directory_manifests`] reads
//! back what it writes, and leaves out what would not be read as it is stored. What is left out is
//! not claimed, so no plan changes it.

use crate::check::{self, CustomFieldDefinitions};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::read::quoted;
use crate::kinds::{self, CUSTOM_FIELD, FieldType, Kind, effective};
use crate::manifest::export::exported_resource;
use crate::manifest::layout::{
    ExistingFiles, ManifestExport, ManifestResource, inline_list, lay_out,
};
use crate::manifest::{self, LoadOptions, Tree, write};
use crate::model::{
    Cell, CompactText, DeclaredResource, Desired, FieldRef, Key, KeyedList, KindId, Row, Snapshot,
    StatedField, Value,
};
use crate::plan::same_value;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many rows are read back at once.
const CHUNK: usize = 1_000;

/// The manifests of a directory, and what they leave out.
#[derive(Debug, Default)]
pub struct DirectoryExport {
    pub manifests: ManifestExport,
    pub left_out: UndeclarableSummary,
}

/// What no manifest can declare, by field and rule, each with its number and an example.
#[derive(Debug, Default)]
pub struct UndeclarableSummary(BTreeMap<(KindId, Option<String>, &'static str), UndeclarableGroup>);

#[derive(Debug)]
struct UndeclarableGroup {
    count: u64,
    first: CompactText,
    why: String,
}

impl UndeclarableSummary {
    /// One line for each field and rule, for people.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|((kind, field, _), group)| {
            let kind = kinds::get(*kind);
            let UndeclarableGroup { count, first, why } = group;
            let what = match (field, count) {
                (Some(field), 1) => format!("{}.{field} of {first}", kind.name),
                (Some(field), _) => format!("{}.{field} of {count}, first {first}", kind.name),
                (None, 1) => format!("{}/{first}", kind.name),
                (None, _) => format!("{count} {}, first {first}", kind.collection),
            };
            format!("not written: {what}: {why}")
        })
    }

    fn add(&mut self, key: Key, fault: UndeclarableFields) {
        let first = fault.fields.first();
        let first = first.map(|field| kinds::get(key.kind).field_name(field));
        let field = fault.name.or(first);
        let group = self.0.entry((key.kind, field, fault.rule));
        let new = || UndeclarableGroup {
            count: 0,
            first: key.id,
            why: fault.why,
        };
        group.or_insert_with(new).count += 1;
    }
}

/// Why some fields of a resource cannot be declared; all of it if none is named.
struct UndeclarableFields {
    fields: Vec<FieldRef>,
    /// The field that is shown, if it is not the first of these.
    name: Option<String>,
    rule: &'static str,
    why: String,
}

/// Writes every row to its file, as far as a manifest can declare it. `contents` are the SHA-256 of the
/// stored documents, `as_of` is the moment at which the rows were stored, and `folder` the one for the
/// folders of accounts, if it is not `accounts`.
///
/// The same rows give the same bytes. An address of one account is written inside it.
#[must_use]
pub fn directory_manifests(
    rows: &KeyedList<Row>,
    contents: &BTreeSet<CompactText>,
    as_of: &str,
    folder: Option<String>,
) -> DirectoryExport {
    let check = ReadBack::new(rows, contents, as_of);
    let chunks = rows.iter().as_slice().par_chunks(CHUNK);
    let parts: Vec<_> = chunks.map(|rows| check.declarable(rows)).collect();
    let mut items = Vec::with_capacity(rows.len());
    let mut left_out = UndeclarableSummary::default();
    for (declarable, faults) in parts {
        items.extend(declarable);
        for (key, fault) in faults {
            left_out.add(key, fault);
        }
    }
    let beside = ExistingFiles {
        folder_of_accounts: folder,
        shared: shared_members(rows),
        ..ExistingFiles::default()
    };
    DirectoryExport {
        manifests: lay_out(items, &beside),
        left_out,
    }
}

/// Reads manifests back and compares them with the rows that they declare.
struct ReadBack<'a> {
    rows: &'a KeyedList<Row>,
    contents: &'a BTreeSet<CompactText>,
    definitions: CustomFieldDefinitions,
    as_of: &'a str,
}

/// The resources of a chunk, and what is left out of them.
type DeclarablePart = (Vec<ManifestResource>, Vec<(Key, UndeclarableFields)>);

impl<'a> ReadBack<'a> {
    fn new(rows: &'a KeyedList<Row>, contents: &'a BTreeSet<CompactText>, as_of: &'a str) -> Self {
        let fields = rows.iter().filter(|row| row.key.kind == CUSTOM_FIELD);
        let stored = Snapshot {
            rows: fields.cloned().collect(),
            ..Snapshot::default()
        };
        Self {
            rows,
            contents,
            definitions: check::definitions(&Desired::default(), &stored),
            as_of,
        }
    }

    fn declarable(&self, rows: &[Row]) -> DeclarablePart {
        let items = rows.iter().map(|row| exported_resource(row, self.as_of));
        let items: Vec<ManifestResource> = items.collect();
        let pairs = || items.iter().zip(rows);
        let (desired, errors) = self.read(&items);
        let is_whole = |(item, row): (_, _)| self.difference(item, row, &desired).is_none();
        if errors.is_empty() && pairs().all(is_whole) {
            return (items, Vec::new());
        }
        // One by one, so that each error has its resource.
        let mut part = DeclarablePart::default();
        for (item, row) in items.into_iter().zip(rows) {
            let settled = self.settled(item, row, &mut part.1);
            part.0.extend(settled);
        }
        part
    }

    /// What can be declared of one row.
    fn settled(
        &self,
        mut item: ManifestResource,
        row: &Row,
        faults: &mut Vec<(Key, UndeclarableFields)>,
    ) -> Option<ManifestResource> {
        loop {
            let (desired, errors) = self.read(std::slice::from_ref(&item));
            let fault = match errors.into_iter().next() {
                Some(error) => of_error(&item, error),
                None => match self.difference(&item, row, &desired) {
                    Some(fault) => fault,
                    None => return Some(item),
                },
            };
            let mut dropped = fault.fields.clone();
            faults.push((item.key.clone(), fault));
            if dropped.is_empty() {
                return None;
            }
            let dates = date_fields(kinds::get(item.key.kind));
            // One date alone would mean another period.
            if dropped.iter().any(|field| dates.contains(field)) {
                dropped.extend(dates);
            }
            item.fields.retain(|(field, _)| !dropped.contains(field));
            keep_inactive(&mut item, row);
        }
    }

    /// What the manifests of these resources declare, and the errors in them.
    fn read(&self, items: &[ManifestResource]) -> (Arc<Desired>, Vec<Diagnostic>) {
        let texts: Vec<String> = items.iter().map(text_of).collect();
        let tree = Tree::from_files([("stored.yaml".to_owned(), texts.join("---\n").into())]);
        let options = LoadOptions {
            as_of: self.as_of.into(),
            ..LoadOptions::default()
        };
        let loaded = manifest::load(&tree, &options);
        let mut mistyped = Vec::new();
        let read = Arc::new(loaded.desired);
        let desired = check::type_custom(&read, &self.definitions, &mut mistyped);
        let found = loaded.diagnostics.into_iter();
        let found = found.chain(mistyped.into_iter().map(|finding| finding.diagnostic));
        (desired, found.filter(Diagnostic::is_error).collect())
    }

    /// The first thing that would be read as something else than is stored.
    fn difference(
        &self,
        item: &ManifestResource,
        row: &Row,
        desired: &Desired,
    ) -> Option<UndeclarableFields> {
        let kind = kinds::get(item.key.kind);
        let Some(declared) = desired.resources.get(&item.key) else {
            return Some(UndeclarableFields {
                fields: Vec::new(),
                name: None,
                rule: codes::ID_FORMAT.name(),
                why: "its externalId would be read as another one".to_owned(),
            });
        };
        let mut stated = declared.cells.iter();
        let changed = stated.find(|stated| !is_as_stored(kind, stated, row));
        if let Some(stated) = changed {
            return Some(of_change(kind, item, stated));
        }
        let lost = item
            .fields
            .iter()
            .find(|(field, _)| is_lost(kind, field, declared));
        if let Some((field, _)) = lost {
            let why = "a manifest cannot declare this value".to_owned();
            return Some(undeclarable(field, "lost", why));
        }
        self.dangling(kind, item)
            .or_else(|| self.without_content(kind, item))
    }

    /// A document whose content is not stored, or that no manifest can name.
    fn without_content(&self, kind: &Kind, item: &ManifestResource) -> Option<UndeclarableFields> {
        let mut files = item.fields.iter().filter(|(field, _)| is_file(kind, field));
        files.find_map(|(field, value)| {
            let is_stored = |sha256| self.contents.contains(sha256);
            let why = "its content is not in the database".to_owned();
            let is_known = kinds::file_sha256(value).is_some_and(is_stored);
            (!is_known).then(|| undeclarable(field, "content", why))
        })
    }

    /// A reference to something that is not stored, as a database without foreign keys allows.
    fn dangling(&self, kind: &Kind, item: &ManifestResource) -> Option<UndeclarableFields> {
        let references = kind.references();
        let mut missing = references.filter_map(|(index, target)| {
            let field = kinds::own_field(index);
            let value = &item.fields.iter().find(|(stated, _)| *stated == field)?.1;
            let ids = value.as_text().into_iter();
            let mut ids = ids.chain(value.members().map(CompactText::as_str));
            let id = ids.find(|id| !self.rows.contains(&Key::new(target, *id)))?;
            let name = kinds::get(target).name;
            let why = format!("{name}/{id} is not stored");
            Some(undeclarable(&field, codes::REFERENCE.name(), why))
        });
        missing.next()
    }
}

/// What may be written inside another resource, but is linked to by more than one. What links to it may
/// not be declarable, so this is decided by what is stored.
fn shared_members(rows: &KeyedList<Row>) -> BTreeSet<Key> {
    let (mut seen, mut shared) = (BTreeSet::new(), BTreeSet::new());
    for row in rows {
        let Some((list, kind)) = inline_list(kinds::get(row.key.kind)) else {
            continue;
        };
        let members = row.value(&kinds::own_field(list)).into_iter();
        for id in members.flat_map(Value::members) {
            let key = Key::new(kind, id.clone());
            if !seen.insert(key.clone()) {
                shared.insert(key);
            }
        }
    }
    shared
}

fn undeclarable(field: &FieldRef, rule: &'static str, why: String) -> UndeclarableFields {
    UndeclarableFields {
        fields: vec![field.clone()],
        name: None,
        rule,
        why,
    }
}

/// The manifest of one resource, without files, whose contents are elsewhere.
fn text_of(item: &ManifestResource) -> String {
    let kind = kinds::get(item.key.kind);
    let stated = item.fields.iter();
    let stated = stated.filter(|(field, _)| !is_file(kind, field));
    write::document(
        kind,
        &item.key.id,
        stated.map(|(field, value)| (field, value)),
    )
}

fn is_file(kind: &Kind, field: &FieldRef) -> bool {
    kind.field(field)
        .is_some_and(|field| matches!(field.ty, FieldType::File))
}

/// Whether a plan would leave a field as it is stored.
fn is_as_stored(kind: &Kind, stated: &StatedField, row: &Row) -> bool {
    let before = row.value(&stated.field);
    match &stated.cell {
        Cell::Value(value) => {
            let is_none = value.is_empty_list() && before.is_none();
            is_none || same_value(kind.field(&stated.field), before, Some(value))
        }
        // A blank custom field is one without a value.
        Cell::Blank if matches!(stated.field, FieldRef::Own(_)) => true,
        Cell::Clear | Cell::Blank => before.is_none_or(Value::is_empty_list),
        Cell::Amend(_) => true,
    }
}

/// Whether a field that is written is not read.
fn is_lost(kind: &Kind, field: &FieldRef, declared: &DeclaredResource) -> bool {
    let is_secret = kind.field(field).is_some_and(kinds::Field::is_secret);
    !is_secret && !is_file(kind, field) && declared.stated(field).is_none()
}

/// An error in the manifest of one resource.
fn of_error(item: &ManifestResource, error: Diagnostic) -> UndeclarableFields {
    let kind = kinds::get(item.key.kind);
    let name = error.field.unwrap_or_default();
    let is_within = |field: &str, group: &str| {
        let rest = field.strip_prefix(group);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let is_meant = |field: &&FieldRef| {
        let own = kind.field_name(field);
        !name.is_empty() && (is_within(&own, &name) || is_within(&name, &own))
    };
    let fields = item.fields.iter().map(|(field, _)| field);
    let mut fields: Vec<FieldRef> = fields.filter(is_meant).cloned().collect();
    // The items with dates are written in the list.
    if kind
        .field_ref(&name)
        .is_some_and(|field| has_dated_items(kind, item, &field))
    {
        fields.extend(effective::dated_items_field(kind));
    }
    UndeclarableFields {
        fields,
        name: None,
        rule: error.code.name(),
        why: error.message,
    }
}

/// Something that would be read differently, as of now.
fn of_change(kind: &Kind, item: &ManifestResource, stated: &StatedField) -> UndeclarableFields {
    let field = &stated.field;
    let is_written = |field: &FieldRef| item.fields.iter().any(|(written, _)| written == field);
    let dates = date_fields(kind).into_iter();
    let dates: Vec<FieldRef> = dates.filter(is_written).collect();
    if *field == kinds::own_field(kind.status_index()) && !dates.is_empty() {
        return UndeclarableFields {
            fields: dates,
            name: None,
            rule: "dated",
            why: "it is active outside its dates, and a plan would deactivate it".to_owned(),
        };
    }
    let name = kind.field_name(field);
    if has_dated_items(kind, item, field) {
        return UndeclarableFields {
            fields: effective::dated_items_field(kind).into_iter().collect(),
            rule: "dated",
            why: format!("a plan would change {name} because of its dates"),
            name: Some(name),
        };
    }
    if !is_written(field) {
        return UndeclarableFields {
            fields: Vec::new(),
            name: None,
            rule: "read",
            why: format!("a plan would also change {name}"),
        };
    }
    let read = stated.cell.value().and_then(Value::as_text);
    let why = match read {
        None if stated.cell == Cell::Blank => "a blank would be read as no value".to_owned(),
        Some(text) => format!("it would be read as {}", quoted(text)),
        None => "it would be read as another value".to_owned(),
    };
    undeclarable(field, "read", why)
}

/// The fields of the dates of a kind.
fn date_fields(kind: &Kind) -> Vec<FieldRef> {
    let names = effective::DATE_NAMES.iter();
    names.filter_map(|name| kind.field_ref(name)).collect()
}

fn has_dated_items(kind: &Kind, item: &ManifestResource, list: &FieldRef) -> bool {
    let field = effective::dated_items_field(kind);
    let value = item
        .fields
        .iter()
        .find(|(stated, _)| Some(stated) == field.as_ref());
    let name = kind.field_name(list);
    effective::dated_items(kind, value.map(|(_, value)| value)).any(|dated| dated.list == name)
}

/// Without its dates, a resource is only inactive if its status says so.
fn keep_inactive(item: &mut ManifestResource, row: &Row) {
    let kind = kinds::get(item.key.kind);
    let status = kinds::own_field(kind.status_index());
    let dates = date_fields(kind);
    let mut written = item.fields.iter().map(|(field, _)| field);
    if written.any(|field| *field == status || dates.contains(field)) {
        return;
    }
    let stored = row.value(&status);
    let inactive = stored.filter(|status| status.as_text() == Some("inactive"));
    item.fields
        .extend(inactive.map(|value| (status, value.clone())));
}

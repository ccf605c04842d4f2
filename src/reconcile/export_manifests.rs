//! Turns an export into manifests. The database is only asked who was erased. Only resources that pass every rule are
//! written, together with what they depend on; resources that the directory declares already stay
//! as they are.
//!
//! [`manifests`] takes the export and the target directory and returns the files to write, with
//! lists of what was left out and why. Start reading there.

use super::{Pass, PassError, PassRequest, SourceReading, erased_users, feeds};
use crate::config::{Config, Source};
use crate::diagnostic::{self, Diagnostic, codes};
use crate::kinds::{self, ACCOUNT};
use crate::manifest::layout::{
    ExistingFiles, ManifestExport, ManifestResource, inline_list, lay_out,
};
use crate::manifest::{self, LoadOptions, LoadedManifests, Tree};
use crate::model::{
    Cell, CompactText, DeclaredResource, Desired, Key, KeyedList, StatedField, Value,
};
use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::slice;
use std::sync::Arc;

/// The manifests made of an export, and what was left out of them.
#[derive(Debug, Default)]
pub struct ConvertedExport {
    /// The files to write.
    pub export: ManifestExport,
    /// The resources in the files, sorted.
    pub written: Vec<Key>,
    /// The resources that the directory declares already, each with its place.
    pub declared: Vec<(Key, String)>,
    /// The resources left out because they, or what they belong to, have errors.
    pub faulty: BTreeSet<Key>,
    /// The resources that the export marks as deleted.
    pub deleted: Vec<Key>,
    pub diagnostics: Vec<Diagnostic>,
    /// Why the export was not converted at all.
    pub doubt: Option<String>,
}

/// Converts an export into manifests for a directory that may already hold some.
pub async fn manifests(
    config: &Config,
    source: &Source,
    dir: &Path,
    store: &Store,
) -> Result<ConvertedExport, PassError> {
    let Some(feed) = source.feed() else {
        let why = format!("source {} is not an export", source.name);
        return Err(PassError::Usage(why));
    };
    let (tree, there) = load_directory(dir)?;
    let (mut reading, doubt) =
        feeds::read_without_database(config, source, feed, &PassRequest::default());
    erased_users::leave_out_erased(slice::from_mut(&mut reading), store).await?;
    // An export that may be half of one must not become manifests: a missing row would look like a
    // decision once it is in git.
    if doubt.is_some() {
        return Ok(ConvertedExport {
            diagnostics: reading.diagnostics,
            doubt,
            ..ConvertedExport::default()
        });
    }
    let mut sorting = ExportConversion::new(&reading, &there);
    let diagnostics = sorting.remove_faulty(config, &reading, &there);
    let mut converted = ConvertedExport {
        diagnostics,
        ..sorting.converted
    };
    converted.written = sorting.new.keys().cloned().collect();
    let items = sorting.new.values().map(|declared| item(declared));
    let beside = ExistingFiles {
        folder_of_accounts: config.folder_of_accounts(),
        ..laid_beside(&tree, folders(there.desired.resources.iter()))
    };
    converted.export = lay_out(items.collect(), &beside);
    Ok(converted)
}

/// What a directory declares now; nothing when it does not exist.
fn load_directory(dir: &Path) -> Result<(Tree, LoadedManifests), PassError> {
    if !dir.exists() {
        return Ok(Default::default());
    }
    let tree = Tree::read(dir);
    let loaded = manifest::load(&tree, &LoadOptions::default());
    match loaded.desired.removals_off.first() {
        // With a file unread, a resource might be written a second time beside its hidden
        // declaration.
        None => Ok((tree, loaded)),
        Some(why) => Err(PassError::Refused(format!(
            "cannot determine what {} declares: {why}; see `roster validate {0}`",
            dir.display()
        ))),
    }
}

/// The resources of an export while they are sorted into what is written and what is not.
struct ExportConversion {
    new: BTreeMap<Key, Arc<DeclaredResource>>,
    converted: ConvertedExport,
}

impl ExportConversion {
    fn new(reading: &SourceReading, there: &LoadedManifests) -> Self {
        let mut sorting = Self {
            new: BTreeMap::new(),
            converted: ConvertedExport::default(),
        };
        let mut gone = Vec::new();
        let converted = &mut sorting.converted;
        converted
            .faulty
            .extend(reading.desired.shielded_keys.iter().cloned());
        for declared in &reading.desired.resources {
            let key = declared.key.clone();
            // The directory first: what a person wrote there is never replaced by an export.
            if let Some(before) = there.desired.resources.get(&key) {
                let at = before.position;
                let place = format!("{}:{}:{}", before.path, at.line, at.column);
                converted.declared.push((key, place));
            } else if is_deleted(declared) {
                converted.deleted.push(key);
                gone.push(declared);
            } else if !converted.faulty.contains(&key) {
                sorting.new.insert(key, Arc::new(plain(declared)));
            }
        }
        // An address that only a deleted account holds would be left without anyone to hold it.
        let alone = sorting.only_within(&gone);
        sorting.new.retain(|key, _| !alone.contains(key));
        sorting
    }

    /// Takes out the resources with errors, repeatedly, since what refers to one of them then has
    /// an error too.
    fn remove_faulty(
        &mut self,
        config: &Config,
        reading: &SourceReading,
        there: &LoadedManifests,
    ) -> Vec<Diagnostic> {
        // The keys are taken before the loop: a resource taken out in one round is still the
        // export's in the next, and its diagnostics belong in the report.
        let mine: BTreeSet<Key> = self.new.keys().cloned().collect();
        let mut told = Vec::new();
        loop {
            let (desired, found) = self.checked(config, reading, there);
            let found = found.into_iter().filter(|found| match &found.key {
                Some(key) => mine.contains(key) || !there.desired.resources.contains(key),
                None => true,
            });
            let (mut errors, others): (Vec<_>, Vec<_>) = found.partition(Diagnostic::is_error);
            // From the second round on, a missing reference is usually caused by the round before.
            if !self.converted.faulty.is_empty() {
                errors.iter_mut().for_each(explain_missing_reference);
            }
            let keys = errors.iter().filter_map(|found| found.key.as_ref());
            let mut faulty: BTreeSet<Key> = keys
                .filter(|key| self.new.contains_key(*key))
                .cloned()
                .collect();
            told.extend(errors);
            if faulty.is_empty() {
                told.extend(others);
                self.take_typed(&desired);
                return sorted(told);
            }
            let gone: Vec<_> = faulty.iter().map(|key| &self.new[key]).collect();
            faulty.extend(self.only_within(&gone));
            self.new.retain(|key, _| !faulty.contains(key));
            self.converted.faulty.extend(faulty);
        }
    }

    /// What the rules that need no database find in the old and new manifests together.
    fn checked(
        &self,
        config: &Config,
        reading: &SourceReading,
        there: &LoadedManifests,
    ) -> (Arc<Desired>, Vec<Diagnostic>) {
        let old = there.desired.resources.iter().cloned();
        let mut all: Vec<Arc<DeclaredResource>> = old.chain(self.new.values().cloned()).collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        let desired = Desired {
            resources: all.into_iter().collect::<KeyedList<_>>(),
            ..(*reading.desired).clone()
        };
        let found = reading.diagnostics.clone();
        let together = feeds::reading(&reading.source, desired, found, None);
        let mut pass = Pass {
            config,
            readings: vec![together],
            request: PassRequest::default(),
            by_hand: super::ManualExport::Part,
        };
        let found = pass.validate(0);
        (pass.readings.remove(0).desired, found)
    }

    /// The new resources that only these link to.
    fn only_within(&self, gone: &[&Arc<DeclaredResource>]) -> BTreeSet<Key> {
        let away: BTreeSet<&Key> = gone.iter().map(|declared| &declared.key).collect();
        let stays = self.new.values();
        let stays = stays.filter(|declared| !away.contains(&declared.key));
        let kept: BTreeSet<Key> = stays
            .flat_map(|declared| inline_targets(declared))
            .collect();
        let lost = gone.iter().flat_map(|declared| inline_targets(declared));
        lost.filter(|key| !kept.contains(key) && self.new.contains_key(key))
            .collect()
    }

    /// Replaces custom values by those that their definitions gave a type.
    fn take_typed(&mut self, desired: &Desired) {
        for (key, declared) in &mut self.new {
            if let Some(typed) = desired.resources.get(key) {
                *declared = Arc::clone(typed);
            }
        }
    }
}

/// The resources that another may write inline, by the links it has to them.
pub(super) fn inline_targets(declared: &DeclaredResource) -> impl Iterator<Item = Key> {
    let list = inline_list(kinds::get(declared.key.kind));
    list.into_iter().flat_map(|(index, kind)| {
        let members = declared.value(index).into_iter().flat_map(Value::members);
        members.map(move |id| Key::new(kind, id))
    })
}

/// Says in the help of a missing reference that its target was left out.
fn explain_missing_reference(found: &mut Diagnostic) {
    if found.code == codes::REFERENCE {
        found.help = Some("It is missing or has errors of its own; fix those first".into());
    }
}

/// Sorted, each diagnostic once: the rules ran again in every round.
fn sorted(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostic::sort(&mut found);
    found.dedup();
    found
}

pub(super) fn is_deleted(declared: &DeclaredResource) -> bool {
    let status = declared.value(kinds::get(declared.key.kind).status_index());
    status.and_then(Value::as_text) == Some("deleted")
}

/// A resource as a manifest states it: a list to be extended becomes the list itself, and blank
/// cells are left out.
pub(super) fn plain(declared: &DeclaredResource) -> DeclaredResource {
    let cells = declared.cells.iter().filter_map(|stated| {
        let value = stated.cell.value()?;
        (!value.is_empty_list()).then(|| StatedField {
            cell: Cell::Value(value.clone()),
            ..stated.clone()
        })
    });
    DeclaredResource {
        cells: cells.collect(),
        ..declared.clone()
    }
}

/// A resource to be written. `status: active` is the default and is left out.
pub(super) fn item(declared: &DeclaredResource) -> ManifestResource {
    let status = kinds::own_field(kinds::get(declared.key.kind).status_index());
    let said = declared.cells.iter().filter_map(|stated| {
        let value = stated.cell.value()?;
        let active = stated.field == status && value.as_text() == Some("active");
        (!active).then(|| (stated.field.clone(), value.clone()))
    });
    ManifestResource {
        key: declared.key.clone(),
        fields: said.collect(),
    }
}

/// What the directory holds: every file name, and the folders that belong to one account.
pub(super) fn laid_beside(tree: &Tree, folders: BTreeMap<CompactText, String>) -> ExistingFiles {
    // Files that are no manifests count too: nothing that lies in the way is overwritten. In lower
    // case, since some file systems do not tell `Acme.yaml` from `acme.yaml`.
    let taken = tree
        .paths()
        .iter()
        .map(|path| path.to_lowercase())
        .collect();
    ExistingFiles {
        folders,
        taken,
        ..ExistingFiles::default()
    }
}

/// The folder of each account that shares it with no other account.
pub(super) fn folders<'d>(
    declared: impl Iterator<Item = &'d Arc<DeclaredResource>>,
) -> BTreeMap<CompactText, String> {
    let mut by_folder: BTreeMap<&str, Vec<&CompactText>> = BTreeMap::new();
    for declared in declared.filter(|declared| declared.key.kind == ACCOUNT) {
        if let Some((folder, _)) = declared.path.rsplit_once('/') {
            by_folder.entry(folder).or_default().push(&declared.key.id);
        }
    }
    let own = by_folder.into_iter().filter(|(_, ids)| ids.len() == 1);
    own.map(|(folder, ids)| (ids[0].clone(), folder.to_owned()))
        .collect()
}

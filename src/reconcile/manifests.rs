//! An export as manifests: what of it is whole, beside what is declared already, without a database.

use super::{Pass, PassError, Reading, Request, feeds};
use crate::config::{Config, Source};
use crate::diagnostic::{self, Diagnostic, codes};
use crate::kinds::{self, ACCOUNT};
use crate::manifest::layout::{Beside, Export, Item, inlined, lay_out};
use crate::manifest::{self, LoadOptions, Loaded, Tree};
use crate::model::{Cell, Declared, Desired, Key, Keyed, Stated, Text, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// What an export comes to as manifests.
#[derive(Debug, Default)]
pub struct Converted {
    /// The files to write.
    pub export: Export,
    /// What stands in them, sorted.
    pub written: Vec<Key>,
    /// What is declared already and stays as it is, with where.
    pub declared: Vec<(Key, String)>,
    /// What is left out because something is wrong with it, or with what it belongs to.
    pub faulty: BTreeSet<Key>,
    /// What the export says is deleted.
    pub deleted: Vec<Key>,
    /// What was found.
    pub diagnostics: Vec<Diagnostic>,
    /// Why nothing of the export is believed.
    pub doubt: Option<String>,
}

/// Makes manifests of an export for a directory that may have some already.
///
/// # Errors
/// When the source is no export, or what the directory declares cannot be made out.
pub fn manifests(config: &Config, source: &Source, dir: &Path) -> Result<Converted, PassError> {
    let Some(feed) = source.feed() else {
        let why = format!("source {} is no export", source.name);
        return Err(PassError::Usage(why));
    };
    let there = there(dir)?;
    let (reading, doubt) = feeds::alone(config, source, feed, &Request::default());
    if doubt.is_some() {
        return Ok(Converted {
            diagnostics: reading.diagnostics,
            doubt,
            ..Converted::default()
        });
    }
    let mut sorting = Sorting::new(&reading, &there);
    let diagnostics = sorting.settle(config, &reading, &there);
    let mut converted = Converted {
        diagnostics,
        ..sorting.converted
    };
    converted.written = sorting.new.keys().cloned().collect();
    let items = sorting.new.values().map(|declared| item(declared));
    converted.export = lay_out(
        items.collect(),
        &laid_beside(dir, folders(there.desired.resources.iter())),
    );
    Ok(converted)
}

/// What a directory declares now; nothing where there is none.
fn there(dir: &Path) -> Result<Loaded, PassError> {
    if !dir.exists() {
        return Ok(Loaded::default());
    }
    let loaded = manifest::load(&Tree::read(dir), &LoadOptions::default());
    match loaded.desired.removals_off.first() {
        None => Ok(loaded),
        Some(why) => Err(PassError::Refused(format!(
            "what {} declares cannot be made out: {why}; see `roster validate {0}`",
            dir.display()
        ))),
    }
}

/// Resources of an export on their way into manifests.
struct Sorting {
    new: BTreeMap<Key, Arc<Declared>>,
    converted: Converted,
}

impl Sorting {
    fn new(reading: &Reading, there: &Loaded) -> Self {
        let mut sorting = Self {
            new: BTreeMap::new(),
            converted: Converted::default(),
        };
        let mut gone = Vec::new();
        let converted = &mut sorting.converted;
        converted
            .faulty
            .extend(reading.desired.shielded.iter().cloned());
        for declared in &reading.desired.resources {
            let key = declared.key.clone();
            if let Some(before) = there.desired.resources.get(&key) {
                let at = before.at;
                let place = format!("{}:{}:{}", before.path, at.line, at.column);
                converted.declared.push((key, place));
            } else if is_deleted(declared) {
                converted.deleted.push(key);
                gone.push(declared);
            } else if !converted.faulty.contains(&key) {
                sorting.new.insert(key, Arc::new(plain(declared)));
            }
        }
        let alone = sorting.only_within(&gone);
        sorting.new.retain(|key, _| !alone.contains(key));
        sorting
    }

    /// Takes out what has errors until nothing has any, since what refers to it has one then.
    fn settle(&mut self, config: &Config, reading: &Reading, there: &Loaded) -> Vec<Diagnostic> {
        let mine: BTreeSet<Key> = self.new.keys().cloned().collect();
        let mut told = Vec::new();
        loop {
            let (desired, found) = self.checked(config, reading, there);
            let found = found.into_iter().filter(|found| match &found.key {
                Some(key) => mine.contains(key) || !there.desired.resources.contains(key),
                None => true,
            });
            let (mut errors, others): (Vec<_>, Vec<_>) = found.partition(Diagnostic::is_error);
            if !self.converted.faulty.is_empty() {
                errors.iter_mut().for_each(explained);
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

    /// What every rule that needs no database says of the old and the new together.
    fn checked(
        &self,
        config: &Config,
        reading: &Reading,
        there: &Loaded,
    ) -> (Arc<Desired>, Vec<Diagnostic>) {
        let old = there.desired.resources.iter().cloned();
        let mut all: Vec<Arc<Declared>> = old.chain(self.new.values().cloned()).collect();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        let desired = Desired {
            resources: all.into_iter().collect::<Keyed<_>>(),
            ..(*reading.desired).clone()
        };
        let found = reading.diagnostics.clone();
        let together = feeds::reading(&reading.source, desired, found, None);
        let mut pass = Pass {
            config,
            readings: vec![together],
            request: Request::default(),
            by_hand: super::ByHand::Part,
        };
        let found = pass.validate(0);
        (pass.readings.remove(0).desired, found)
    }

    /// What is new and linked to by these, and by nothing else that is new.
    fn only_within(&self, gone: &[&Arc<Declared>]) -> BTreeSet<Key> {
        let away: BTreeSet<&Key> = gone.iter().map(|declared| &declared.key).collect();
        let stays = self.new.values();
        let stays = stays.filter(|declared| !away.contains(&declared.key));
        let kept: BTreeSet<Key> = stays.flat_map(|declared| within(declared)).collect();
        let lost = gone.iter().flat_map(|declared| within(declared));
        lost.filter(|key| !kept.contains(key) && self.new.contains_key(key))
            .collect()
    }

    /// Takes over the custom values as their definitions type them.
    fn take_typed(&mut self, desired: &Desired) {
        for (key, declared) in &mut self.new {
            if let Some(typed) = desired.resources.get(key) {
                *declared = Arc::clone(typed);
            }
        }
    }
}

/// What a resource may write out within itself, of what it links to.
pub(super) fn within(declared: &Declared) -> impl Iterator<Item = Key> {
    let list = inlined(kinds::get(declared.key.kind));
    list.into_iter().flat_map(|(index, kind)| {
        let members = declared.value(index).into_iter().flat_map(Value::members);
        members.map(move |id| Key::new(kind, id))
    })
}

/// Something was left out before: that is what a reference misses that it did not miss at first.
fn explained(found: &mut Diagnostic) {
    if found.code == codes::REFERENCE {
        found.help =
            Some("it is left out because of its own errors, or missing: mend that first".into());
    }
}

/// Each once, in order.
fn sorted(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostic::sort(&mut found);
    found.dedup();
    found
}

pub(super) fn is_deleted(declared: &Declared) -> bool {
    let status = declared.value(kinds::get(declared.key.kind).status_index());
    status.and_then(Value::as_text) == Some("deleted")
}

/// What a manifest says in place of an export: a list that grows becomes the list, and what is blank
/// is not said.
pub(super) fn plain(declared: &Declared) -> Declared {
    let cells = declared.cells.iter().filter_map(|stated| {
        let value = stated.cell.value()?;
        (!value.is_empty_list()).then(|| Stated {
            cell: Cell::Value(value.clone()),
            ..stated.clone()
        })
    });
    Declared {
        cells: cells.collect(),
        ..declared.clone()
    }
}

/// A resource to be written; that it is active needs no word.
pub(super) fn item(declared: &Declared) -> Item {
    let status = kinds::own(kinds::get(declared.key.kind).status_index());
    let said = declared.cells.iter().filter_map(|stated| {
        let value = stated.cell.value()?;
        let active = stated.field == status && value.as_text() == Some("active");
        (!active).then(|| (stated.field.clone(), value.clone()))
    });
    Item {
        key: declared.key.clone(),
        said: said.collect(),
    }
}

/// What is in the directory: files by name, and the folders that are an account's own.
pub(super) fn laid_beside(dir: &Path, folders: BTreeMap<Text, String>) -> Beside {
    let mut beside = Beside {
        folders,
        ..Beside::default()
    };
    // Files that are no manifests, too: what lies in the way is never written over.
    let mut waiting = vec![String::new()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(dir.join(&folder))
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() {
                name.clone()
            } else {
                format!("{folder}/{name}")
            };
            if entry.file_type().is_ok_and(|ty| ty.is_dir()) && !name.starts_with('.') {
                waiting.push(path);
            } else {
                beside.taken.insert(path.to_lowercase());
            }
        }
    }
    beside
}

/// The folder of each account that has one for itself.
pub(super) fn folders<'d>(
    declared: impl Iterator<Item = &'d Arc<Declared>>,
) -> BTreeMap<Text, String> {
    let mut by_folder: BTreeMap<&str, Vec<&Text>> = BTreeMap::new();
    for declared in declared.filter(|declared| declared.key.kind == ACCOUNT) {
        if let Some((folder, _)) = declared.path.rsplit_once('/') {
            by_folder.entry(folder).or_default().push(&declared.key.id);
        }
    }
    let own = by_folder.into_iter().filter(|(_, ids)| ids.len() == 1);
    own.map(|(folder, ids)| (ids[0].clone(), folder.to_owned()))
        .collect()
}

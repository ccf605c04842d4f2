//! Proposals that would break a rule, which are none.

use super::Unwritten;
use super::comparing::{Comparing, Making};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::kinds;
use crate::manifest::layout::inlined;
use crate::model::{Cell, Declared, Desired, FieldRef, Key, Keyed, Stated, Value};
use crate::reconcile::manifests::{is_deleted, within};
use crate::reconcile::validate::CREATE_ONLY;
use crate::reconcile::{Pass, Reading, Request, feeds};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Comparing {
    /// Drops what would break a rule that holds now, and what belongs to nothing that is written.
    pub fn settle(
        &mut self,
        config: &Config,
        (from, there): (&Reading, &Reading),
        beside: &[Arc<Declared>],
        unwritten: &mut Vec<Unwritten>,
    ) {
        let before: BTreeSet<_> = errors(config, there, &Self::default(), beside)
            .into_iter()
            .map(|found| (found.key, found.code.name(), found.field))
            .collect();
        loop {
            let after = errors(config, there, self, beside);
            let new = after.into_iter().filter(|found| {
                let known = (found.key.clone(), found.code.name(), found.field.clone());
                !before.contains(&known)
            });
            let new: Vec<Diagnostic> = new.collect();
            let mut dropped = 0;
            for found in &new {
                dropped += self.drop_for(found, unwritten);
            }
            dropped += self.drop_homeless(from, there, unwritten);
            if dropped == 0 {
                return;
            }
        }
    }

    /// Drops what is new and belongs to resources none of which is written.
    fn drop_homeless(
        &mut self,
        from: &Reading,
        there: &Reading,
        unwritten: &mut Vec<Unwritten>,
    ) -> usize {
        let edits = self.edits.iter().flat_map(|making| {
            let kind = kinds::get(making.edit.key.kind);
            let list = inlined(kind).into_iter();
            list.flat_map(|(index, target)| {
                let cells = making.edit.cells.iter();
                let own = cells.filter(move |(field, _)| *field == kinds::own(index));
                let members = own
                    .filter_map(|(_, cell)| cell.value())
                    .flat_map(Value::members);
                members.map(move |id| Key::new(target, id))
            })
        });
        let written = self.new.values().chain(&there.desired.resources);
        let written = written.flat_map(|declared| within(declared));
        let written: BTreeSet<Key> = written.chain(edits).collect();
        let before = self.new.len();
        for owner in &from.desired.resources {
            for key in within(owner).filter(|key| !written.contains(key)) {
                let Some(declared) = self.new.remove(&key) else {
                    continue;
                };
                // Of what the source deletes nobody misses anything.
                if is_deleted(owner) {
                    continue;
                }
                let why = format!("{} is not written, and it belongs to that", owner.key);
                unwritten.push(Unwritten::new_one(&declared, why));
            }
        }
        before - self.new.len()
    }

    /// Drops what a finding is about: that edit of a field, or all edits of the resource.
    fn drop_for(&mut self, found: &Diagnostic, unwritten: &mut Vec<Unwritten>) -> usize {
        let Some(key) = &found.key else { return 0 };
        let why = format!("{}: {}", found.code.name(), found.message);
        if let Some(declared) = self.new.remove(key) {
            unwritten.push(Unwritten::new_one(&declared, why));
            return 1;
        }
        let kind = kinds::get(key.kind);
        let field = found.field.as_deref();
        let about = |making: &Making| {
            let mut names = making.edit.cells.iter();
            names.any(|(said, _)| field.is_some_and(|name| name == kind.field_name(said)))
        };
        let mine = |making: &Making| making.edit.key == *key;
        let exact = self
            .edits
            .iter()
            .any(|making| mine(making) && about(making));
        let (gone, kept) = std::mem::take(&mut self.edits)
            .into_iter()
            .partition(|making| mine(making) && (!exact || about(making)));
        self.edits = kept;
        let gone: Vec<Making> = gone;
        unwritten.extend(gone.iter().map(|making| making.unwritten(&why)));
        gone.len()
    }
}

impl Unwritten {
    /// That something new is not written.
    fn new_one(declared: &Declared, why: String) -> Self {
        Self {
            subject: declared.key.to_string(),
            path: declared.path.to_string(),
            in_source: true,
            at: declared.at,
            why,
        }
    }
}

/// The errors of a directory with some edits and resources more.
fn errors(
    config: &Config,
    there: &Reading,
    with: &Comparing,
    beside: &[Arc<Declared>],
) -> Vec<Diagnostic> {
    let mut edits: BTreeMap<&Key, Vec<&(FieldRef, Cell)>> = BTreeMap::new();
    for making in &with.edits {
        edits
            .entry(&making.edit.key)
            .or_default()
            .extend(&making.edit.cells);
    }
    let edited = there
        .desired
        .resources
        .iter()
        .map(|declared| match edits.get(&declared.key) {
            None => Arc::clone(declared),
            Some(cells) => Arc::new(with_cells(declared, cells)),
        });
    let new = with.new.values().cloned();
    let all = edited.chain(new).chain(beside.iter().cloned());
    let mut all: Vec<Arc<Declared>> = all.collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    let desired = Desired {
        resources: all.into_iter().collect::<Keyed<_>>(),
        partial: true,
        ..(*there.desired).clone()
    };
    let together = feeds::reading(&there.source, desired, Vec::new(), None);
    let mut pass = Pass {
        config,
        readings: vec![together],
        request: Request::default(),
        by_hand: crate::reconcile::ByHand::Part,
    };
    let mut found = pass.validate(0);
    // What is new has to be whole: nothing that is stored makes up for what it lacks.
    let lacking = |found: &Diagnostic| {
        let new = |key| with.new.contains_key(key);
        CREATE_ONLY.contains(&found.code) && found.key.as_ref().is_some_and(new)
    };
    found.retain(|found| found.is_error() || lacking(found));
    found
}

fn with_cells(declared: &Declared, cells: &[&(FieldRef, Cell)]) -> Declared {
    let mut edited = declared.clone();
    for (field, cell) in cells.iter().copied() {
        let place = edited
            .cells
            .binary_search_by(|stated| stated.field.cmp(field));
        match place {
            Ok(at) => edited.cells[at].cell = cell.clone(),
            Err(at) => edited.cells.insert(
                at,
                Stated {
                    field: field.clone(),
                    cell: cell.clone(),
                    at: declared.at,
                },
            ),
        }
    }
    edited
}

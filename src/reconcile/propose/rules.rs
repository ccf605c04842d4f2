//! Drops proposals that would break a rule.

use super::UnwrittenItem;
use super::comparison::{DirectoryComparison, ProposedEdit};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::kinds;
use crate::manifest::layout::inline_list;
use crate::model::{Cell, DeclaredResource, Desired, FieldRef, Key, KeyedList, StatedField, Value};
use crate::reconcile::export_manifests::{inline_targets, is_deleted};
use crate::reconcile::validate::CREATE_ONLY;
use crate::reconcile::{Pass, PassRequest, SourceReading, feeds};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl DirectoryComparison {
    /// Drops what would break a rule that holds now, and what belongs to nothing that is written.
    pub fn settle(
        &mut self,
        config: &Config,
        (from, there): (&SourceReading, &SourceReading),
        beside: &[Arc<DeclaredResource>],
        unwritten: &mut Vec<UnwrittenItem>,
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
            if self.drop_faulty(&new, (from, there), unwritten) == 0 {
                return;
            }
        }
    }

    /// Drops what some findings are about, and what then belongs to nothing that is written.
    /// Returns how much that is.
    pub fn drop_faulty(
        &mut self,
        found: &[Diagnostic],
        (from, there): (&SourceReading, &SourceReading),
        unwritten: &mut Vec<UnwrittenItem>,
    ) -> usize {
        let mut dropped = 0;
        for found in found {
            dropped += self.drop_for(found, unwritten);
        }
        dropped + self.drop_homeless(from, there, unwritten)
    }

    /// Drops what is new and belongs to resources none of which is written.
    fn drop_homeless(
        &mut self,
        from: &SourceReading,
        there: &SourceReading,
        unwritten: &mut Vec<UnwrittenItem>,
    ) -> usize {
        let edits = self.edits.iter().flat_map(|making| {
            let kind = kinds::get(making.edit.key.kind);
            let list = inline_list(kind).into_iter();
            list.flat_map(|(index, target)| {
                let cells = making.edit.cells.iter();
                let own = cells.filter(move |(field, _)| *field == kinds::own_field(index));
                let members = own
                    .filter_map(|(_, cell)| cell.value())
                    .flat_map(Value::members);
                members.map(move |id| Key::new(target, id))
            })
        });
        let written = self.new.values().chain(&there.desired.resources);
        let written = written.flat_map(|declared| inline_targets(declared));
        let written: BTreeSet<Key> = written.chain(edits).collect();
        let before = self.new.len();
        for owner in &from.desired.resources {
            for key in inline_targets(owner).filter(|key| !written.contains(key)) {
                let Some(declared) = self.new.remove(&key) else {
                    continue;
                };
                // Nothing is missing from a resource that the source deletes.
                if is_deleted(owner) {
                    continue;
                }
                let why = format!("{} is not written, and this value depends on it", owner.key);
                unwritten.push(UnwrittenItem::new_one(&declared, why));
            }
        }
        before - self.new.len()
    }

    /// Drops what a finding is about: that edit of a field, or all edits of the resource.
    fn drop_for(&mut self, found: &Diagnostic, unwritten: &mut Vec<UnwrittenItem>) -> usize {
        let Some(key) = &found.key else { return 0 };
        let why = format!("{}: {}", found.code.name(), found.message);
        if let Some(declared) = self.new.remove(key) {
            unwritten.push(UnwrittenItem::new_one(&declared, why));
            return 1;
        }
        let kind = kinds::get(key.kind);
        let field = found.field.as_deref();
        let about = |making: &ProposedEdit| {
            let mut names = making.edit.cells.iter();
            names.any(|(said, _)| field.is_some_and(|name| name == kind.field_name(said)))
        };
        let mine = |making: &ProposedEdit| making.edit.key == *key;
        let exact = self
            .edits
            .iter()
            .any(|making| mine(making) && about(making));
        let (gone, kept) = std::mem::take(&mut self.edits)
            .into_iter()
            .partition(|making| mine(making) && (!exact || about(making)));
        self.edits = kept;
        let gone: Vec<ProposedEdit> = gone;
        unwritten.extend(gone.iter().map(|making| making.unwritten(&why)));
        gone.len()
    }
}

impl UnwrittenItem {
    /// A new resource that is not written.
    pub(super) fn new_one(declared: &DeclaredResource, why: String) -> Self {
        Self {
            subject: declared.key.to_string(),
            path: declared.path.to_string(),
            in_source: true,
            position: declared.position,
            why,
        }
    }
}

/// The errors of a directory after some edits, with some new resources.
fn errors(
    config: &Config,
    there: &SourceReading,
    with: &DirectoryComparison,
    beside: &[Arc<DeclaredResource>],
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
    let mut all: Vec<Arc<DeclaredResource>> = all.collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    let desired = Desired {
        resources: all.into_iter().collect::<KeyedList<_>>(),
        partial: true,
        ..(*there.desired).clone()
    };
    let together = feeds::reading(&there.source, desired, Vec::new(), None);
    let mut pass = Pass {
        config,
        readings: vec![together],
        request: PassRequest::default(),
        by_hand: crate::reconcile::ManualExport::Part,
    };
    let mut found = pass.validate(0);
    // A new resource has to be complete, because there is no stored row to fill in what it lacks.
    let lacking = |found: &Diagnostic| {
        let new = |key| with.new.contains_key(key);
        CREATE_ONLY.contains(&found.code) && found.key.as_ref().is_some_and(new)
    };
    found.retain(|found| found.is_error() || lacking(found));
    found
}

fn with_cells(declared: &DeclaredResource, cells: &[&(FieldRef, Cell)]) -> DeclaredResource {
    let mut edited = declared.clone();
    for (field, cell) in cells.iter().copied() {
        let place = edited
            .cells
            .binary_search_by(|stated| stated.field.cmp(field));
        match place {
            Ok(at) => edited.cells[at].cell = cell.clone(),
            Err(at) => edited.cells.insert(
                at,
                StatedField {
                    field: field.clone(),
                    cell: cell.clone(),
                    position: declared.position,
                },
            ),
        }
    }
    edited
}

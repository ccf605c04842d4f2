//! Proves that what is written is what is stored, by reading it again with the code that reads
//! exports. What would be read as anything else is left out and the rows are built again, until
//! nothing is wrong. An export that is read back must never change the directory. Start reading at
//! `RowPlacer::prove`.

use super::draft::RowDraft;
use super::export_unit::ExportUnit;
use super::loss::{ExportLoss, LossReason};
use super::row_placer::{RowPlacer, plain_text};
use crate::diagnostic::Severity;
use crate::feed::collect::{CollectedResources, ResourceCollector};
use crate::feed::mapping::{CellMapping as From, ColumnIndex};
use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{Cell, DeclaredResource, FieldRef, Key, Row, StatedField, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

enum ProofProblem {
    /// A field is read as something that is not stored.
    Wrong(Key, FieldRef),
    /// A field that was written is not read.
    Unread(Key, FieldRef),
    /// An address that was written is not read, or not as one of this account.
    Address(crate::model::CompactText),
    All(LossReason),
}

impl RowPlacer<'_> {
    /// Builds the rows of some resources so that they are read as what is stored. Returns the keys
    /// of other resources that are read from them and that the page does not know; then nothing is
    /// proved.
    pub fn prove(&self, units: &mut [ExportUnit<'_>]) -> BTreeSet<Key> {
        for unit in units.iter_mut() {
            self.place(unit);
        }
        let read = self.read(units);
        let mut unknown = self.unknown(&read);
        // The usual case: one reading proves the whole batch.
        if !unknown.is_empty() || self.is_sound(units, &read) {
            return unknown;
        }
        for unit in units {
            // One resource at a time, so that every problem belongs to a known one. Each round
            // excludes something more, so this ends.
            loop {
                let read = self.read(std::slice::from_ref(unit));
                let news = self.unknown(&read);
                if !news.is_empty() {
                    unknown.extend(news);
                    break;
                }
                let problems = self.problems(unit, &read);
                if !self.exclude_problems(unit, problems) {
                    break;
                }
                self.place(unit);
            }
            // Kept apart until now, because `place` clears the losses.
            unit.losses.append(&mut unit.unread);
        }
        unknown
    }

    /// What is read of which the page does not know whether it is stored.
    fn unknown(&self, read: &CollectedResources) -> BTreeSet<Key> {
        let keys = read.resources.iter().map(|declared| &declared.key);
        keys.filter(|key| !self.page.knows(key)).cloned().collect()
    }

    /// Reads the rows as a reader of the export would.
    fn read(&self, units: &[ExportUnit<'_>]) -> CollectedResources {
        let mut collector = ResourceCollector::new(self.layout.mapping, &Arc::from("export"));
        for draft in units.iter().flat_map(|unit| &unit.drafts) {
            collector.take(&self.layout.record(draft), &self.layout.columns);
        }
        collector.finish().0
    }

    fn is_sound(&self, units: &[ExportUnit<'_>], read: &CollectedResources) -> bool {
        let strange = |declared: &Arc<DeclaredResource>| {
            // A deleted resource is not among the stored rows.
            let of = |unit: &&ExportUnit<'_>| unit.row.key == declared.key;
            let stored = self.page.rows.get(&declared.key);
            let stored = stored.or_else(|| Some(&*units.iter().find(of)?.row));
            stored.is_none_or(|row| declared.cells.iter().any(|said| !matches_stored(said, row)))
        };
        let faulty = !read.hidden.is_empty()
            || !read.faulty.is_empty()
            || read
                .diagnostics
                .iter()
                .any(|found| found.severity == Severity::Error);
        !faulty
            && !read.resources.iter().any(strange)
            && units.iter().all(|unit| find_unread(unit, read).is_empty())
    }

    fn problems(&self, unit: &ExportUnit<'_>, read: &CollectedResources) -> Vec<ProofProblem> {
        let mut problems: Vec<ProofProblem> = Vec::new();
        for (key, field) in &read.faulty {
            problems.push(ProofProblem::Wrong(key.clone(), field.clone()));
        }
        for declared in &read.resources {
            let stored = if declared.key == unit.row.key {
                Some(&*unit.row)
            } else {
                // A row may also name resources of other units, such as its addresses.
                self.page.rows.get(&declared.key)
            };
            let Some(row) = stored else {
                let why = LossReason::ReadsAs(format!("{}, which does not exist", declared.key));
                problems.push(ProofProblem::All(why));
                continue;
            };
            let wrong = declared
                .cells
                .iter()
                .filter(|said| !matches_stored(said, row));
            problems.extend(
                wrong.map(|said| ProofProblem::Wrong(declared.key.clone(), said.field.clone())),
            );
        }
        let error = read
            .diagnostics
            .iter()
            .find(|found| found.severity == Severity::Error);
        let hidden = read.hidden.values().next();
        // An error without a field of its own cannot be cured by leaving out a field.
        if problems.is_empty()
            && let Some(what) = error.map(|found| found.message.clone()).or(hidden.cloned())
        {
            problems.push(ProofProblem::All(LossReason::ReadsAs(format!(
                "an error: {what}"
            ))));
        }
        if problems.is_empty() {
            problems = find_unread(unit, read);
        }
        problems
    }

    /// Excludes what is wrong. Returns whether the rows must be built again.
    fn exclude_problems(&self, unit: &mut ExportUnit<'_>, problems: Vec<ProofProblem>) -> bool {
        let mut again = false;
        for problem in problems {
            match problem {
                ProofProblem::All(why) => {
                    unit.drop_reason = Some(why);
                    return true;
                }
                ProofProblem::Address(id) => {
                    let why = LossReason::ReadsAs("nothing".to_owned());
                    unit.skipped_addresses.entry(id).or_insert(why);
                    again = true;
                }
                // A field that is not read back is harmless, so its row stays; it is only counted.
                ProofProblem::Unread(key, field) => {
                    let name = kinds::get(key.kind).field_name(&field);
                    unit.unread.insert(ExportLoss {
                        key,
                        field: Some(name),
                        why: LossReason::ReadsAs("nothing".to_owned()),
                    });
                }
                ProofProblem::Wrong(key, field) => {
                    again = true;
                    self.leave_out(unit, &key, &field);
                }
            }
        }
        again
    }

    /// Leaves out a field that is read as something else, with everything in its columns.
    fn leave_out(&self, unit: &mut ExportUnit<'_>, key: &Key, field: &FieldRef) {
        let mut found: BTreeSet<(usize, ColumnIndex)> = BTreeSet::new();
        for draft in &unit.drafts {
            let cells = self.cells_of(draft.section, key, field);
            let drafts = std::iter::once(draft).chain(draft.lists.values().flatten());
            for draft in drafts {
                let columns = cells.iter().flat_map(|cell| cell.columns());
                let open = |column: &ColumnIndex| {
                    // Ids and conditions stay: without them the row would be about something else.
                    !draft.text(*column).is_empty() && !draft.fixed.contains(column)
                };
                found.extend(columns.filter(open).map(|column| (draft.section, column)));
            }
        }
        let before = unit.avoided_columns.len();
        unit.avoided_columns.extend(found);
        // Nothing more can be left blank, so the field cannot be avoided. The address or the
        // resource goes as a whole.
        if unit.avoided_columns.len() > before {
            return;
        }
        let name = kinds::get(key.kind).field_name(field);
        let why = LossReason::ReadsAs(format!("one with another {name}"));
        // If only an address is at fault, it is left out and the account stays.
        let address = key.kind == ADDRESS && !unit.skipped_addresses.contains_key(&key.id);
        let has = unit
            .drafts
            .iter()
            .any(|draft| addresses(draft).any(|(id, _)| *id == key.id));
        if address && has {
            unit.skipped_addresses.insert(key.id.clone(), why);
        } else {
            unit.drop_reason = Some(why);
        }
    }

    /// Returns the cells of a field in the rows of a section.
    fn cells_of(&self, section: usize, key: &Key, field: &FieldRef) -> Vec<&From> {
        let sections = &self.layout.mapping.sections;
        let blocks = || sections[section].blocks.iter();
        if key.kind == ADDRESS {
            let fields = blocks().flat_map(|block| &block.fields);
            return fields
                .filter(|known| known.field == *field)
                .map(|known| &known.cell)
                .collect();
        }
        let of_kind = sections
            .iter()
            .filter(|section| section.kind.id == key.kind);
        let fields = of_kind.flat_map(|section| &section.fields);
        fields
            .filter(|known| known.field == *field)
            .map(|known| &known.cell)
            .collect()
    }
}

/// The addresses in a row, including nested ones.
fn addresses(draft: &RowDraft) -> impl Iterator<Item = &(crate::model::CompactText, bool)> {
    let lists = draft.lists.values().flatten();
    draft
        .addresses
        .iter()
        .chain(lists.flat_map(|member| &member.addresses))
}

/// Returns what was written but is not read.
fn find_unread(unit: &ExportUnit<'_>, read: &CollectedResources) -> Vec<ProofProblem> {
    let mut problems = Vec::new();
    let account = kinds::own_field(kinds::get(ACCOUNT).expect_index("addresses"));
    let owner = read.resources.get(&unit.row.key);
    for draft in &unit.drafts {
        if owner.is_none() {
            problems.push(ProofProblem::All(LossReason::ReadsAs("nothing".to_owned())));
            return problems;
        }
        let amend = owner
            .and_then(|owner| owner.stated(&account))
            .map(|stated| &stated.cell);
        for (id, gone) in addresses(draft) {
            let told = match amend {
                Some(Cell::Amend(amend)) if *gone => amend.remove.contains(id),
                Some(Cell::Amend(amend)) => amend.add.members().any(|member| member == id),
                _ => false,
            };
            if !told {
                problems.push(ProofProblem::Address(id.clone()));
            }
        }
        let members = draft
            .lists
            .values()
            .flatten()
            .flat_map(|member| &member.says);
        for (key, field) in draft.says.iter().chain(members) {
            let declared = read.resources.get(key);
            let said = declared.and_then(|declared| declared.stated(field));
            // Known already: reporting it again would repeat the round for ever.
            let known = unit.unread.iter().any(|loss| {
                loss.key == *key
                    && loss.field.as_deref() == Some(&kinds::get(key.kind).field_name(field))
            });
            if said.is_none() && !known {
                problems.push(ProofProblem::Unread(key.clone(), field.clone()));
            }
        }
    }
    problems
}

/// Returns whether what is read of a field equals what is stored.
pub(super) fn matches_stored(said: &StatedField, row: &Row) -> bool {
    let stored = row.value(&said.field);
    match (&said.cell, &said.field) {
        (Cell::Blank | Cell::Clear, _) => stored.is_none(),
        (Cell::Amend(amend), _) => amend.holds(stored),
        (Cell::Value(Value::Links(links)), _) => {
            let old = stored.map_or(&[][..], Value::as_links);
            let same = links.iter().zip(old).all(|(new, old)| {
                let mut attributes = new.attributes.iter().zip(old.attributes);
                new.target == old.target
                    // An attribute that the export does not say keeps its stored value.
                    && attributes.all(|(new, old)| new.is_none() || *new == old)
            });
            links.len() == old.len() && same
        }
        // Custom fields have no type in an export, so their texts are compared.
        (Cell::Value(value), FieldRef::Custom(_)) => {
            stored.is_some_and(|stored| plain_text(stored) == plain_text(value))
        }
        (Cell::Value(value), FieldRef::Own(_)) => stored == Some(value),
    }
}

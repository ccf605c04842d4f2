//! Compares what a source says with what the manifests of a directory say, resource by resource.

use super::proposed_cell::{is_proposed, proposed_cell, without_unknown};
use super::{ProposalScope, UnwrittenItem};
use crate::diagnostic::{Code, Diagnostic, codes};
use crate::kinds::{self, ACCOUNT, ADDRESS, Kind};
use crate::manifest::edit::ManifestEdit;
use crate::manifest::layout::inline_list;
use crate::model::{
    Cell, CompactText, DeclaredResource, FieldRef, Key, LineColumn, StatedField, Value,
};
use crate::reconcile::SourceReading;
use crate::reconcile::export_manifests::{is_deleted, plain};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// The edits and new resources that would make the directory follow the source.
#[derive(Default)]
pub(super) struct DirectoryComparison {
    pub edits: Vec<ProposedEdit>,
    pub new: BTreeMap<Key, Arc<DeclaredResource>>,
    /// The account that each new address belongs to.
    pub account_of: BTreeMap<Key, CompactText>,
    pub unwritten: Vec<UnwrittenItem>,
    pub needs_add: usize,
    pub needs_new: usize,
}

/// An edit, with the place in the source that it comes from.
pub(super) struct ProposedEdit {
    pub edit: ManifestEdit,
    pub path: Arc<str>,
    pub position: LineColumn,
    pub from: String,
}

impl DirectoryComparison {
    pub fn between(
        from: &SourceReading,
        there: &SourceReading,
        found: &[Diagnostic],
        more: ProposalScope,
    ) -> Self {
        let mut comparing = Self::default();
        let errors = found.iter().filter(|found| found.is_error());
        // A fault without a field concerns the whole resource; one of a field only leaves that
        // field out.
        let whole = errors.filter(|found| found.field.is_none());
        let faulty: HashSet<&Key> = whole.filter_map(|found| found.key.as_ref()).collect();
        for said in &from.desired.resources {
            if faulty.contains(&said.key) || from.desired.shielded_keys.contains(&said.key) {
                continue;
            }
            match there.desired.resources.get(&said.key) {
                Some(declared) => comparing.compare(from, there, said, declared, more),
                None if is_deleted(said) => {}
                None if more.new => {
                    comparing
                        .new
                        .insert(said.key.clone(), Arc::new(plain(said)));
                }
                None => comparing.needs_new += 1,
            }
        }
        comparing
    }

    fn compare(
        &mut self,
        from: &SourceReading,
        there: &SourceReading,
        said: &DeclaredResource,
        declared: &DeclaredResource,
        more: ProposalScope,
    ) {
        let kind = kinds::get(said.key.kind);
        let mut missing = Vec::new();
        let place = |stated: &StatedField| {
            format!(
                "{}:{}:{}",
                said.path, stated.position.line, stated.position.column
            )
        };
        for stated in &said.cells {
            let faulty = (said.key.clone(), stated.field.clone());
            if !is_proposed(kind, &stated.field) || from.desired.faulty_fields.contains(&faulty) {
                continue;
            }
            let before = declared.stated(&stated.field);
            let Some(mut cell) = proposed_cell(kind, stated, before.map(|before| &before.cell))
            else {
                continue;
            };
            without_unknown(kind, &stated.field, &mut cell, (from, there), more);
            if before.is_some_and(|before| before.cell == cell) {
                continue;
            }
            if let (Some(before), Some(code)) = (before, emptied(there, kind, &stated.field, &cell))
            {
                let cells = vec![(stated.field.clone(), cell)];
                let made = ProposedEdit::of(declared, cells, before.position, place(stated));
                let why = format!("{}: nothing would be left of it", code.name());
                self.unwritten.push(made.unwritten(&why));
                continue;
            }
            self.homes_of(kind, said, &stated.field, &cell);
            let says = |before: &StatedField| {
                stated.field.own().is_none() || !matches!(before.cell, Cell::Blank)
            };
            if !before.is_some_and(says) {
                let empty = cell.value().is_none_or(Value::is_empty_list);
                let active = Some(kind.status_index()) == stated.field.own()
                    && cell.value().and_then(Value::as_text) == Some("active");
                if empty || active {
                    continue;
                }
                if !more.add {
                    self.needs_add += 1;
                    continue;
                }
                if before.is_none() {
                    missing.push((stated, cell));
                    continue;
                }
            }
            let cells = vec![(stated.field.clone(), cell)];
            let at = before.map_or(declared.position, |before| before.position);
            self.make(declared, cells, at, place(stated));
        }
        if let Some((first, _)) = missing.first() {
            let from = place(first);
            let cells = missing.into_iter();
            let cells = cells.map(|(stated, cell)| (stated.field.clone(), cell));
            self.make(declared, cells.collect(), declared.position, from);
        }
    }

    fn make(
        &mut self,
        declared: &DeclaredResource,
        cells: Vec<(FieldRef, Cell)>,
        at: LineColumn,
        from: String,
    ) {
        let kind = kinds::get(declared.key.kind);
        let fixed = |(field, _): &(FieldRef, Cell)| {
            let known = declared.stated(field).is_some();
            known && kind.field(field).is_some_and(|field| field.immutable)
        };
        let making = ProposedEdit::of(declared, cells, at, from);
        if making.edit.cells.iter().any(fixed) {
            self.unwritten.push(making.unwritten("it can never change"));
        } else {
            self.edits.push(making);
        }
    }

    /// Notes which account a resource belongs to that is written within accounts.
    fn homes_of(
        &mut self,
        kind: &'static Kind,
        said: &DeclaredResource,
        field: &FieldRef,
        cell: &Cell,
    ) {
        if let Some((index, target)) = inline_list(kind)
            && *field == kinds::own_field(index)
        {
            for id in cell.value().into_iter().flat_map(Value::members) {
                let key = Key::new(target, id);
                self.account_of
                    .entry(key)
                    .or_insert_with(|| said.key.id.clone());
            }
        }
    }
}

/// The rule against an edit that leaves nothing of a required list. The settings of the manifests
/// may make it optional.
fn emptied(
    there: &SourceReading,
    kind: &'static Kind,
    field: &FieldRef,
    cell: &Cell,
) -> Option<Code> {
    let is_empty = cell.value().is_some_and(Value::is_empty_list);
    if !is_empty || !kind.field(field).is_some_and(|field| field.required) {
        return None;
    }
    let settings_key = kinds::settings_key();
    let settings = there.desired.resources.get(&settings_key);
    let index = kinds::get(settings_key.kind).expect_index("optionalFields");
    let optional = settings.and_then(|settings| settings.value(index));
    let name = format!("{}.{}", kind.name, kind.field_name(field));
    let mut optional = optional.into_iter().flat_map(Value::members);
    let is_optional = optional.any(|member| *member == name);
    let is_address = kind.id == ACCOUNT
        && inline_list(kind)
            .is_some_and(|(index, target)| target == ADDRESS && *field == kinds::own_field(index));
    let code = if is_address {
        codes::ACCOUNT_WITHOUT_ADDRESS
    } else {
        codes::CLEAR_REQUIRED
    };
    (!is_optional).then_some(code)
}

impl ProposedEdit {
    fn of(
        declared: &DeclaredResource,
        cells: Vec<(FieldRef, Cell)>,
        position: LineColumn,
        from: String,
    ) -> Self {
        Self {
            path: Arc::clone(&declared.path),
            edit: ManifestEdit {
                key: declared.key.clone(),
                cells,
            },
            position,
            from,
        }
    }

    pub fn unwritten(&self, why: &str) -> UnwrittenItem {
        UnwrittenItem {
            subject: self.edit.subject(),
            path: self.path.to_string(),
            in_source: false,
            position: self.position,
            why: why.to_owned(),
        }
    }
}

//! What a source says against what the manifests of a directory say, resource by resource.

use super::wanted::{is_proposed, wanted, without_unknown};
use super::{More, Unwritten};
use crate::diagnostic::Diagnostic;
use crate::kinds::{self, Kind};
use crate::manifest::edit::Edit;
use crate::manifest::layout::inlined;
use crate::model::{Cell, Declared, FieldRef, Key, Pos, Stated, Text, Value};
use crate::reconcile::Reading;
use crate::reconcile::manifests::{is_deleted, plain};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// What is to become of the directory.
#[derive(Default)]
pub(super) struct Comparing {
    pub edits: Vec<Making>,
    pub new: BTreeMap<Key, Arc<Declared>>,
    /// To which account a new address belongs.
    pub homes: BTreeMap<Key, Text>,
    pub unwritten: Vec<Unwritten>,
    pub needs_add: usize,
    pub needs_new: usize,
}

/// An edit, and where it comes from.
pub(super) struct Making {
    pub edit: Edit,
    pub path: Arc<str>,
    pub at: Pos,
    pub from: String,
}

impl Comparing {
    pub fn of(from: &Reading, there: &Reading, found: &[Diagnostic], more: More) -> Self {
        let mut comparing = Self::default();
        let errors = found.iter().filter(|found| found.is_error());
        let whole = errors.filter(|found| found.field.is_none());
        let faulty: HashSet<&Key> = whole.filter_map(|found| found.key.as_ref()).collect();
        for said in &from.desired.resources {
            if faulty.contains(&said.key) || from.desired.shielded.contains(&said.key) {
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
        from: &Reading,
        there: &Reading,
        said: &Declared,
        declared: &Declared,
        more: More,
    ) {
        let kind = kinds::get(said.key.kind);
        let mut missing = Vec::new();
        let place =
            |stated: &Stated| format!("{}:{}:{}", said.path, stated.at.line, stated.at.column);
        for stated in &said.cells {
            let faulty = (said.key.clone(), stated.field.clone());
            if !is_proposed(kind, &stated.field) || from.desired.faulty.contains(&faulty) {
                continue;
            }
            let before = declared.stated(&stated.field);
            let Some(mut cell) = wanted(kind, stated, before.map(|before| &before.cell)) else {
                continue;
            };
            without_unknown(kind, &stated.field, &mut cell, (from, there), more);
            if before.is_some_and(|before| before.cell == cell) {
                continue;
            }
            self.homes_of(kind, said, &stated.field, &cell);
            let says = |before: &Stated| {
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
            let at = before.map_or(declared.at, |before| before.at);
            self.make(declared, cells, at, place(stated));
        }
        if let Some((first, _)) = missing.first() {
            let from = place(first);
            let cells = missing.into_iter();
            let cells = cells.map(|(stated, cell)| (stated.field.clone(), cell));
            self.make(declared, cells.collect(), declared.at, from);
        }
    }

    fn make(&mut self, declared: &Declared, cells: Vec<(FieldRef, Cell)>, at: Pos, from: String) {
        let kind = kinds::get(declared.key.kind);
        let fixed = |(field, _): &(FieldRef, Cell)| {
            let known = declared.stated(field).is_some();
            known && kind.field(field).is_some_and(|field| field.immutable)
        };
        let making = Making {
            path: Arc::clone(&declared.path),
            edit: Edit {
                key: declared.key.clone(),
                cells,
            },
            at,
            from,
        };
        if making.edit.cells.iter().any(fixed) {
            self.unwritten.push(making.unwritten("it can never change"));
        } else {
            self.edits.push(making);
        }
    }

    /// Notes which account a resource belongs to that is written within accounts.
    fn homes_of(&mut self, kind: &'static Kind, said: &Declared, field: &FieldRef, cell: &Cell) {
        if let Some((index, target)) = inlined(kind)
            && *field == kinds::own(index)
        {
            for id in cell.value().into_iter().flat_map(Value::members) {
                let key = Key::new(target, id);
                self.homes.entry(key).or_insert_with(|| said.key.id.clone());
            }
        }
    }
}

impl Making {
    pub fn unwritten(&self, why: &str) -> Unwritten {
        Unwritten {
            subject: self.edit.subject(),
            path: self.path.to_string(),
            in_source: false,
            at: self.at,
            why: why.to_owned(),
        }
    }
}

//! Leaves people whom an act deleted out of the lists of a source, before anything is planned. A
//! person decided about them, and the act took them out of the stored lists, so a document that
//! still names one gets a warning, and the name is ignored. As an error, the deletion of one person
//! would stop everything else that the source declares.

use crate::diagnostic::{Diagnostic, Origin, Severity, codes};
use crate::kinds::act::ACTS;
use crate::kinds::{self, Kind};
use crate::model::{Cell, CompactText, DeclaredResource, Desired, Key, KindId, Snapshot, Value};
use std::sync::Arc;

/// What is declared without retired members, with a note for each of them.
pub(super) struct LivingMembers {
    pub desired: Desired,
    pub notes: Vec<Diagnostic>,
}

/// A list whose members people delete at run time.
#[derive(Clone, Copy)]
struct PersonList {
    kind: KindId,
    field: usize,
    target: KindId,
}

fn person_lists() -> Vec<PersonList> {
    let deleted = |target: KindId| {
        let mut acts = ACTS.iter().filter(|act| act.is_final);
        acts.any(|act| act.kind == Some(target))
    };
    let all = kinds::ALL.into_iter().flat_map(|kind| {
        let references = kind.references();
        references.map(|(field, target)| PersonList {
            kind: kind.id,
            field,
            target,
        })
    });
    all.filter(|list| deleted(list.target)).collect()
}

/// The members of those lists of a resource, by field.
fn referenced<'r>(
    lists: &'r [PersonList],
    resource: &'r DeclaredResource,
) -> impl Iterator<Item = (usize, Key)> + 'r {
    // Most resources have no such list, and there may be a million of them.
    let own = lists.iter().filter(|list| list.kind == resource.key.kind);
    own.flat_map(|list| {
        let members = resource.value(list.field).into_iter();
        let members = members.flat_map(Value::members);
        members.map(|id| (list.field, Key::new(list.target, id)))
    })
}

/// The people in the lists of a resource, by the index of the field.
pub fn named_people(resource: &DeclaredResource) -> Vec<(usize, Key)> {
    referenced(&person_lists(), resource).collect()
}

/// The people who may have been deleted.
pub fn possibly_retired(desired: &Desired) -> Vec<Key> {
    let lists = person_lists();
    let all = desired.resources.iter();
    all.flat_map(|resource| referenced(&lists, resource).map(|(_, key)| key))
        .collect()
}

/// Leaves retired members out; `None` if there are none.
pub(super) fn without_retired(desired: &Desired, stored: &Snapshot) -> Option<LivingMembers> {
    if stored.retired.is_empty() {
        return None;
    }
    let lists = person_lists();
    let mut living: Option<LivingMembers> = None;
    for resource in &desired.resources {
        let retired: Vec<(usize, Key)> = referenced(&lists, resource)
            .filter(|(_, key)| stored.retired.contains(key))
            .collect();
        if retired.is_empty() {
            continue;
        }
        let living = living.get_or_insert_with(|| LivingMembers {
            desired: desired.clone(),
            notes: Vec::new(),
        });
        let is_stored = stored.rows.get(&resource.key).is_some();
        if let Some(resource) = living.desired.resources.get_mut(&resource.key) {
            leave_out(Arc::make_mut(resource), &retired, is_stored);
        }
        let notes = retired.iter();
        living
            .notes
            .extend(notes.map(|(field, key)| note(resource, *field, key)));
    }
    living
}

/// Takes members out of the lists of a resource. `is_stored` says whether there is such a row.
pub fn leave_out(resource: &mut DeclaredResource, retired: &[(usize, Key)], is_stored: bool) {
    for (field, key) in retired {
        let list = kinds::own_field(*field);
        let stated = resource.cells.iter_mut().find(|cell| cell.field == list);
        if let Some(stated) = stated {
            match &mut stated.cell {
                Cell::Value(value) => leave_list(value, &key.id),
                Cell::Amend(amend) => leave_list(&mut amend.add, &key.id),
                Cell::Blank | Cell::Clear => {}
            }
        }
    }
    // A required list that nobody is left in would be an error. The stored one is empty by the act
    // itself, so nothing has to be said of it. A new resource without anybody is an error.
    if is_stored {
        let emptied = |field: usize| retired.iter().any(|(list, _)| *list == field);
        resource.cells.retain(|stated| {
            let members = stated
                .cell
                .value()
                .map_or(0, |value| value.members().count());
            members > 0 || !stated.field.own().is_some_and(emptied)
        });
    }
}

fn leave_list(value: &mut Value, id: &CompactText) {
    match value {
        Value::List(members) => {
            *members = members.iter().filter(|it| *it != id).cloned().collect();
        }
        Value::Links(links) => {
            *links = links
                .iter()
                .filter(|it| it.target != *id)
                .cloned()
                .collect();
        }
        _ => {}
    }
}

fn note(resource: &DeclaredResource, field: usize, key: &Key) -> Diagnostic {
    let kind: &Kind = kinds::get(resource.key.kind);
    let name = kind.fields[field].name;
    let message = format!("`{name}` names {key}, which was deleted; the member is ignored");
    let origin = Origin::of_field(resource, &kinds::own_field(field));
    Diagnostic::new(codes::RETIRED_ID, message)
        .severity(Severity::Warning)
        .help("Remove it from the document")
        .for_resource(&resource.key)
        .field(name)
        .at(origin)
}

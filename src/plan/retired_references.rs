//! References to ids that were deleted for good. Giving such a link back, or somebody who has
//! nothing else, can never be applied: it is held as a dependency of `retired-id`, which nobody can
//! approve. An approval of it would only lead to an error.

use super::compare::stored;
use super::context::PlanContext;
use super::draft::{DraftPart, ResourceDraft};
use crate::check::PlannedState;
use crate::diagnostic::codes;
use crate::kinds;
use crate::model::{
    CompactText, DeclaredResource, Desired, FieldChange, Key, KeyedList, Row, Value,
};
use std::collections::BTreeSet;

/// The keys that a source refers to and does not declare. The retired ones among them are looked
/// up, beside those that it declares.
#[must_use]
pub fn undeclared_references(desired: &Desired) -> Vec<Key> {
    let keys = desired
        .resources
        .iter()
        .flat_map(|declared| references(declared).map(|(_, key)| key));
    let keys: BTreeSet<Key> = keys
        .filter(|key| !desired.resources.contains(key))
        .collect();
    keys.into_iter().collect()
}

/// Takes what names deleted resources out of what somebody could approve.
pub(super) fn hold_retired(
    context: &PlanContext<'_>,
    declared: &DeclaredResource,
    row: Option<&Row>,
    draft: &mut ResourceDraft,
) {
    if context.stored.retired.is_empty() {
        return;
    }
    let parts = std::mem::take(&mut draft.parts);
    for part in parts {
        let gives_back = [codes::REACTIVATION, codes::ADOPT_INACTIVE].contains(&part.hold.code);
        if gives_back {
            draft.parts.extend(split(context, declared, row, part));
        } else {
            draft.parts.push(part);
        }
    }
}

/// The part without what names deleted resources, and that.
fn split(
    context: &PlanContext<'_>,
    declared: &DeclaredResource,
    row: Option<&Row>,
    part: DraftPart,
) -> Vec<DraftPart> {
    let retired = |key: &Key| context.stored.retired.contains(key);
    if part.hold.members[0].whole {
        let first = references(declared).map(|(_, key)| key).find(retired);
        return vec![dependency(part, first)];
    }
    let kind = kinds::get(declared.key.kind);
    let field = part.full.as_ref().and_then(|full| full.field.own());
    let target = field.and_then(|field| kind.fields[field].ty.target());
    let (Some(full), Some(target)) = (&part.full, target) else {
        let only = only_retired(context, declared, row);
        return vec![dependency(part, only)];
    };
    let members = full.after.iter().flat_map(Value::members);
    let keys = members.map(|id| Key::new(target, id));
    let gone: Vec<Key> = keys.filter(retired).collect();
    let Some(first) = gone.first() else {
        return vec![part];
    };
    let living = full.after.as_ref().map(|value| without(value, &gone));
    let living = stored(living.as_ref());
    if part.hold.members[0].changes[0].before == living {
        return vec![dependency(part, Some(first.clone()))];
    }
    // Another account was taken away as well, and that one can be given back.
    let mut rest = part.clone();
    rest.hold.members[0].changes[0].before.clone_from(&living);
    let mut approvable = part;
    let held = approvable.hold.members[0].changes.iter_mut();
    for FieldChange { after, .. } in held.chain(&mut approvable.full) {
        after.clone_from(&living);
    }
    vec![approvable, dependency(rest, Some(first.clone()))]
}

/// The part as a dependency of a deleted resource, if there is one.
fn dependency(mut part: DraftPart, retired: Option<Key>) -> DraftPart {
    if let Some(target) = retired {
        let hold = &mut part.hold;
        hold.code = codes::HELD_DEPENDENCY;
        hold.root = Some(codes::RETIRED_ID);
        hold.message = format!(
            "{} needs {target}, which was deleted; a deleted id can never be used again. Remove the reference, or name another resource",
            hold.members[0].key
        );
    }
    part
}

/// A deleted resource, if a required reference names nothing else.
fn only_retired(
    context: &PlanContext<'_>,
    declared: &DeclaredResource,
    row: Option<&Row>,
) -> Option<Key> {
    let kind = kinds::get(declared.key.kind);
    let effects = KeyedList::default();
    let world = PlannedState::new(context.stored, context.desired, &effects);
    let optional = world.setting("optionalFields");
    let is_needed = |field: usize| {
        let name = format!("{}.{}", kind.name, kind.fields[field].name);
        let mut optional = optional.iter().flat_map(Value::members);
        kind.fields[field].required && !optional.any(|member| **member == name)
    };
    let has_other = |field: usize| {
        let stored = row.and_then(|row| row.values[field].as_ref());
        stored.is_some_and(|value| !value.is_empty_list())
    };
    let needed = kind.references().map(|(field, _)| field);
    let mut needed = needed.filter(|field| is_needed(*field) && !has_other(*field));
    needed.find_map(|field| {
        let mut named = references(declared).filter(|(at, _)| *at == field);
        let (_, first) = named.next()?;
        let is_retired = |key: &Key| context.stored.retired.contains(key);
        (is_retired(&first) && named.all(|(_, key)| is_retired(&key))).then_some(first)
    })
}

/// What a resource refers to, with the index of the field.
fn references(declared: &DeclaredResource) -> impl Iterator<Item = (usize, Key)> + '_ {
    let all = kinds::get(declared.key.kind).references();
    all.flat_map(move |(field, target)| {
        let value = declared.value(field);
        let one = value.and_then(Value::as_text);
        let many = value.into_iter().flat_map(Value::members);
        let many = many.map(move |id| (field, Key::new(target, id)));
        one.map(|id| (field, Key::new(target, id)))
            .into_iter()
            .chain(many)
    })
}

/// A list without these members.
fn without(value: &Value, gone: &[Key]) -> Value {
    let stays = |id: &CompactText| !gone.iter().any(|key| key.id == *id);
    match value {
        Value::List(members) => {
            Value::List(members.iter().filter(|id| stays(id)).cloned().collect())
        }
        Value::Links(links) => {
            let links = links.iter().filter(|link| stays(&link.target));
            Value::Links(links.cloned().collect())
        }
        _ => value.clone(),
    }
}

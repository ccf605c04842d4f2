//! Works out the value that a field had before a change, as far as nobody has changed it since. A
//! list is set back member by member: what somebody else added or removed stays.

use super::compare::stored as without_empty;
use crate::kinds::{self, FieldType};
use crate::model::{CompactText, FieldRef, Key, Link, Row, Snapshot, Value};

/// What becomes of a field that is set back.
#[derive(Debug, Default)]
pub(super) struct SetBackField {
    /// The new value; `None` if the field stays as it is.
    #[allow(clippy::option_option)]
    pub value: Option<Option<Value>>,
    /// Whether a part or all of it was changed since.
    pub is_changed_since: bool,
    /// The resources that it would refer to and that are not stored any more.
    pub gone: Vec<Key>,
}

/// Sets one field of a row back from `after` to `before`.
pub(super) fn set_back(
    stored: &Snapshot,
    row: &Row,
    field: &FieldRef,
    before: Option<&Value>,
    after: Option<&Value>,
) -> SetBackField {
    let now = row.value(field);
    let ty = kinds::get(row.key.kind).field(field).map(|field| &field.ty);
    let target = ty.and_then(FieldType::target);
    let gone = |id: &CompactText| {
        let key = Key {
            kind: target?,
            id: id.clone(),
        };
        (!stored.rows.contains(&key)).then_some(key)
    };
    if let Some(ty) = ty.filter(|ty| ty.has_link_table()) {
        return set_back_members(ty, now, before, after, gone);
    }
    let mut outcome = set_back_whole(now, before, after);
    if let Some(Some(Value::Text(id))) = &outcome.value
        && let Some(gone) = gone(id)
    {
        outcome.value = None;
        outcome.gone.push(gone);
    }
    outcome
}

fn set_back_members(
    ty: &FieldType,
    now: Option<&Value>,
    before: Option<&Value>,
    after: Option<&Value>,
    gone: impl Fn(&CompactText) -> Option<Key>,
) -> SetBackField {
    let [now, before, after] = [now, before, after].map(links);
    let mut outcome = SetBackField::default();
    let mut members = now.clone();
    for came in &after {
        let old = before.iter().find(|old| old.target == came.target);
        let place = members.iter().position(|link| link.target == came.target);
        match (place, old) {
            (Some(at), Some(old)) if members[at] == *came => members[at] = whole(ty, old),
            (Some(at), None) if members[at] == *came => _ = members.remove(at),
            (None, None) => {}
            (at, old) if at.map(|at| &members[at]) == old => {}
            _ => outcome.is_changed_since = true,
        }
    }
    for went in &before {
        let is_same = |link: &&Link| link.target == went.target;
        if after.iter().any(|link| is_same(&link)) {
            continue;
        }
        match (members.iter().find(is_same), gone(&went.target)) {
            (Some(link), _) => outcome.is_changed_since |= link != went,
            (None, Some(gone)) => outcome.gone.push(gone),
            (None, None) => members.push(whole(ty, went)),
        }
    }
    members.sort_by(|a, b| a.target.cmp(&b.target));
    if members != now {
        let list = match ty {
            FieldType::Links { .. } => Value::links(members),
            _ => Value::set(members.into_iter().map(|link| link.target)),
        };
        outcome.value = Some(without_empty(Some(&list)));
    }
    outcome
}

/// A link with all of its attributes.
pub(super) fn whole(ty: &FieldType, link: &Link) -> Link {
    let mut link = link.clone();
    for (choice, attribute) in link.attributes.iter_mut().zip(ty.attributes()) {
        *choice = choice.or(Some(attribute.default));
    }
    link
}

fn set_back_whole(
    now: Option<&Value>,
    before: Option<&Value>,
    after: Option<&Value>,
) -> SetBackField {
    let [now, before, after] = [now, before, after].map(without_empty);
    let mut outcome = SetBackField::default();
    if now == before {
        return outcome;
    }
    if now == after {
        outcome.value = Some(before);
    } else {
        outcome.is_changed_since = true;
    }
    outcome
}

/// The members of a list, whether or not they have attributes.
pub(super) fn links(list: Option<&Value>) -> Vec<Link> {
    match list {
        Some(Value::Links(links)) => links.to_vec(),
        other => {
            let members = other.into_iter().flat_map(Value::members);
            let link = |member: &CompactText| Link {
                target: member.clone(),
                attributes: [None; 2],
            };
            members.map(link).collect()
        }
    }
}

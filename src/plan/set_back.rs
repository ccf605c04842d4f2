//! Works out the value that a field had before a change, as far as nobody has changed it since. A
//! list is set back member by member: what somebody else added or removed stays.

use super::compare::stored as without_empty;
use crate::kinds::{self, FieldType};
use crate::model::{
    CompactText, FieldRef, Key, Link, RecordedChange, RecordedValues, Row, Snapshot, Value,
};
use std::collections::{BTreeSet, HashMap};

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

/// What later runs did to a field.
#[derive(Debug, Default)]
pub(super) struct LaterChanges {
    /// The members of a list that came, went or changed.
    members: BTreeSet<CompactText>,
    /// Whether it is not known which members.
    is_unknown: bool,
}

impl LaterChanges {
    /// The changes of each field of each resource.
    pub fn by_field(later: &[RecordedChange]) -> HashMap<(&Key, &FieldRef), Self> {
        let mut by_field: HashMap<(&Key, &FieldRef), Self> = HashMap::new();
        for change in later {
            for recorded in &change.fields {
                let of_field = by_field.entry((&change.key, &recorded.field)).or_default();
                let RecordedValues::Known { before, after } = &recorded.values else {
                    of_field.is_unknown = true;
                    continue;
                };
                let [before, after] = [before, after].map(|list| links(list.as_ref()));
                let differ = before.iter().filter(|link| !after.contains(link));
                let differ = differ.chain(after.iter().filter(|link| !before.contains(link)));
                of_field
                    .members
                    .extend(differ.map(|link| link.target.clone()));
            }
        }
        by_field
    }

    fn touches(&self, member: &CompactText) -> bool {
        self.is_unknown || self.members.contains(member)
    }
}

/// Sets one field of a row back from `after` to `before`.
pub(super) fn set_back(
    stored: &Snapshot,
    row: &Row,
    field: &FieldRef,
    before: Option<&Value>,
    after: Option<&Value>,
    later: Option<&LaterChanges>,
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
        return set_back_members(ty, (now, before, after), later, gone);
    }
    let mut outcome = set_back_whole(now, before, after, later.is_some());
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
    (now, before, after): (Option<&Value>, Option<&Value>, Option<&Value>),
    later: Option<&LaterChanges>,
    gone: impl Fn(&CompactText) -> Option<Key>,
) -> SetBackField {
    let [now, before, after] = [now, before, after].map(links);
    let mut outcome = SetBackField::default();
    let mut members = now.clone();
    let is_decided = |member: &CompactText| later.is_some_and(|later| later.touches(member));
    for came in &after {
        let old = before.iter().find(|old| old.target == came.target);
        let place = members.iter().position(|link| link.target == came.target);
        match (place, old) {
            (at, old) if at.map(|at| &members[at]) == old => {}
            _ if is_decided(&came.target) => outcome.is_changed_since = true,
            (Some(at), Some(old)) if members[at] == *came => members[at] = whole(ty, old),
            (Some(at), None) if members[at] == *came => _ = members.remove(at),
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
            _ if is_decided(&went.target) => outcome.is_changed_since = true,
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
    is_decided: bool,
) -> SetBackField {
    let [now, before, after] = [now, before, after].map(without_empty);
    let mut outcome = SetBackField::default();
    if now == before {
        return outcome;
    }
    if now == after && !is_decided {
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

//! What the rules look at: what a plan touches, and whoever depends on it.

use super::field_index::{address, custom_field, organisation, policy, settings, user};
use super::{EffectOutcome, PlannedState, ResourceEffect};
use crate::kinds::{self, ACCOUNT, ADDRESS, CUSTOM_FIELD, ORGANISATION, POLICY, SETTINGS, USER};
use crate::model::{FieldRef, Key, KindId};
use std::collections::BTreeSet;

/// The keys that rules look at, sorted.
pub struct CheckSubjects<'k> {
    keys: Vec<&'k Key>,
}

impl<'k> CheckSubjects<'k> {
    /// The subjects with these keys.
    pub fn new(keys: &'k [Key]) -> Self {
        let mut keys: Vec<&Key> = keys.iter().collect();
        // Stable, since that is linear for what is sorted already.
        keys.sort();
        keys.dedup();
        Self { keys }
    }

    /// All of them.
    pub fn keys(&self) -> &[&'k Key] {
        &self.keys
    }

    /// Those of one kind.
    pub fn of_kind(&self, kind: KindId) -> &[&'k Key] {
        let start = self.keys.partition_point(|key| key.kind < kind);
        let end = self.keys.partition_point(|key| key.kind <= kind);
        &self.keys[start..end]
    }

    pub fn contains(&self, key: &Key) -> bool {
        self.keys.binary_search(&key).is_ok()
    }
}

/// Fields that rules on the referrers of a resource look at, beside its status.
const SEEN_BY_REFERRERS: &[(KindId, usize)] = &[
    (ADDRESS, address::COUNTRY),
    (ORGANISATION, organisation::ACCOUNT),
    (ORGANISATION, organisation::PARENT),
    (USER, user::ACCOUNTS),
    (USER, user::ORGANISATIONS),
    (POLICY, policy::ACCOUNT),
];

/// Settings, and the kinds all of whose resources are judged anew when they change.
const SEEN_BY_ALL: &[(usize, &[KindId])] = &[
    (settings::LOGIN_MODE, &[ACCOUNT, USER]),
    (settings::ORGANISATION_DEPTH, &[ORGANISATION]),
    (settings::USER_GROUPS, &[USER]),
    (settings::OPTIONAL_FIELDS, &[ACCOUNT, USER]),
    (settings::PAYMENT_PROVIDER, &[ACCOUNT]),
];

/// What the plan touches, and whoever refers, before or after, to something of which that matters.
pub fn subjects(world: &PlannedState<'_>) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::with_capacity(world.effects.len());
    let mut moved = Vec::new();
    for effect in world.effects {
        keys.push(effect.key.clone());
        match effect.key.kind {
            SETTINGS => keys.extend(affected_by_settings(world, effect)),
            CUSTOM_FIELD => keys.extend(resources_stating_field(world, effect)),
            _ => {}
        }
        if seen_by_referrers(world, effect) {
            keys.extend(referrers(world, &effect.key));
        }
        if effect.key.kind == ORGANISATION && changes(effect, organisation::PARENT) {
            moved.push(effect.key.clone());
        }
    }
    keys.extend(organisations_below(world, moved));
    keys.sort();
    keys.dedup();
    keys
}

fn changes(effect: &ResourceEffect, field: usize) -> bool {
    match &effect.outcome {
        EffectOutcome::Change(changes) => {
            let field = kinds::own_field(field);
            changes.iter().any(|change| change.field == field)
        }
        EffectOutcome::Create { .. } | EffectOutcome::Delete => false,
    }
}

/// Whoever refers to something new is new or changed itself.
fn seen_by_referrers(world: &PlannedState<'_>, effect: &ResourceEffect) -> bool {
    let kind = kinds::get(effect.key.kind);
    let seen = SEEN_BY_REFERRERS.iter();
    match effect.outcome {
        EffectOutcome::Delete => world.stored.rows.contains(&effect.key),
        EffectOutcome::Create { .. } => false,
        EffectOutcome::Change(_) => {
            changes(effect, kind.status_index())
                || seen
                    .filter(|(of, _)| *of == kind.id)
                    .any(|(_, field)| changes(effect, *field))
        }
    }
}

fn referrers(world: &PlannedState<'_>, key: &Key) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    for kind in kinds::ALL {
        for (field, target) in kind.references() {
            if target == key.kind {
                let before = world.referrers_before(kind.id, field, key);
                let after = world.referrers(kind.id, field, key);
                found.extend(before.iter().chain(after).map(|key| (*key).clone()));
            }
        }
    }
    found
}

/// Everything below organisations that move: it gets deeper with them.
fn organisations_below(world: &PlannedState<'_>, mut queue: Vec<Key>) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    while let Some(key) = queue.pop() {
        for child in world.referrers(ORGANISATION, organisation::PARENT, &key) {
            if found.insert((*child).clone()) {
                queue.push((*child).clone());
            }
        }
    }
    found
}

fn affected_by_settings(world: &PlannedState<'_>, effect: &ResourceEffect) -> BTreeSet<Key> {
    let mut kinds_seen: BTreeSet<KindId> = BTreeSet::new();
    for (field, seen_by) in SEEN_BY_ALL {
        let now = world.after(&effect.key).and_then(|view| view.value(*field));
        let was = world
            .before(&effect.key)
            .and_then(|view| view.value(*field));
        if now != was {
            kinds_seen.extend(*seen_by);
        }
    }
    kinds_seen
        .into_iter()
        // What is new is touched anyway.
        .flat_map(|kind| world.all_before(kind))
        .map(|view| view.key.clone())
        .collect()
}

/// Whose documents say something of a custom field that is no longer what it was.
fn resources_stating_field(world: &PlannedState<'_>, effect: &ResourceEffect) -> Vec<Key> {
    let matters = match effect.outcome {
        EffectOutcome::Delete => true,
        EffectOutcome::Create { .. } => false,
        EffectOutcome::Change(_) => changes(effect, custom_field::STATUS),
    };
    if !matters {
        return Vec::new();
    }
    let field = FieldRef::Custom(effect.key.id.clone());
    let says = world.desired.resources.iter();
    says.filter(|declared| declared.stated(&field).is_some())
        .map(|declared| declared.key.clone())
        .collect()
}

//! Chooses the resources that the rules check: those that a plan touches, and those that depend on
//! them.
//!
//! A plan that edits one user must not check a million others. Start with [`subjects`], which
//! collects the keys. The two tables name the fields and settings whose change reaches further than
//! their own resource. A rule that reads a field of a referenced resource needs an entry in
//! [`SEEN_BY_REFERRERS`]. Without one it misses faults until the referrer itself changes.

use super::field_index::{address, custom_field, organisation, policy, settings, user};
use super::{PlannedChange, PlannedOutcome, PlannedState};
use crate::kinds::{self, ACCOUNT, ADDRESS, CUSTOM_FIELD, ORGANISATION, POLICY, SETTINGS, USER};
use crate::model::{FieldRef, Key, KindId};
use std::collections::BTreeSet;

/// The keys that rules check, sorted and without repeats.
pub struct CheckSubjects<'k> {
    keys: Vec<&'k Key>,
}

impl<'k> CheckSubjects<'k> {
    pub fn new(keys: &'k [Key]) -> Self {
        let mut keys: Vec<&Key> = keys.iter().collect();
        // The stable sort is linear on sorted input, which this mostly is.
        keys.sort();
        keys.dedup();
        Self { keys }
    }

    pub fn keys(&self) -> &[&'k Key] {
        &self.keys
    }

    pub fn of_kind(&self, kind: KindId) -> &[&'k Key] {
        let start = self.keys.partition_point(|key| key.kind < kind);
        let end = self.keys.partition_point(|key| key.kind <= kind);
        &self.keys[start..end]
    }

    pub fn contains(&self, key: &Key) -> bool {
        self.keys.binary_search(&key).is_ok()
    }
}

/// Fields of a resource that rules read when they check its referrers. Its status always counts.
const SEEN_BY_REFERRERS: &[(KindId, usize)] = &[
    (ADDRESS, address::COUNTRY),
    (ORGANISATION, organisation::ACCOUNT),
    (ORGANISATION, organisation::PARENT),
    (USER, user::ACCOUNTS),
    (USER, user::ORGANISATIONS),
    (POLICY, policy::ACCOUNT),
];

/// Settings, each with the kinds of which every resource is checked again when it changes.
const SEEN_BY_ALL: &[(usize, &[KindId])] = &[
    (settings::LOGIN_MODE, &[ACCOUNT, USER]),
    (settings::ORGANISATION_DEPTH, &[ORGANISATION]),
    (settings::USER_GROUPS, &[USER]),
    (settings::OPTIONAL_FIELDS, &[ACCOUNT, USER]),
    (settings::PAYMENT_PROVIDER, &[ACCOUNT]),
];

/// Returns the keys that the plan touches, and those of resources that depend on what it changes.
pub fn subjects(world: &PlannedState<'_>) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::with_capacity(world.effects.len());
    // Collected and walked at once, so that a subtree that moves in several steps is walked once.
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

fn changes(effect: &PlannedChange, field: usize) -> bool {
    match &effect.outcome {
        PlannedOutcome::Change(changes) => {
            let field = kinds::own_field(field);
            changes.iter().any(|change| change.field == field)
        }
        PlannedOutcome::Create { .. } | PlannedOutcome::Delete(_) => false,
    }
}

/// Whether the rules have to check the referrers of a resource because of this effect.
fn seen_by_referrers(world: &PlannedState<'_>, effect: &PlannedChange) -> bool {
    let kind = kinds::get(effect.key.kind);
    let seen = SEEN_BY_REFERRERS.iter();
    match effect.outcome {
        PlannedOutcome::Delete(_) => world.stored.rows.contains(&effect.key),
        // Whatever refers to a new resource is new or changed itself, and so a subject already.
        PlannedOutcome::Create { .. } => false,
        PlannedOutcome::Change(_) => {
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
                found.extend(before.into_iter().chain(after).cloned());
            }
        }
    }
    found
}

/// Returns everything below organisations that get another parent, because it may now be too deep.
fn organisations_below(world: &PlannedState<'_>, mut queue: Vec<Key>) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    while let Some(key) = queue.pop() {
        for child in world.referrers(ORGANISATION, organisation::PARENT, &key) {
            // Only new ones are queued: organisations that form a cycle would be walked for ever.
            if found.insert(child.clone()) {
                queue.push(child.clone());
            }
        }
    }
    found
}

fn affected_by_settings(world: &PlannedState<'_>, effect: &PlannedChange) -> BTreeSet<Key> {
    let mut kinds_seen: BTreeSet<KindId> = BTreeSet::new();
    for (field, seen_by) in SEEN_BY_ALL {
        // Only what really differs: checking every resource reads the whole database.
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
        // New resources are subjects already.
        .flat_map(|kind| world.all_before(kind))
        .map(|view| view.key.clone())
        .collect()
}

/// Returns the resources whose documents state a custom field that the plan deletes or whose status
/// it changes.
fn resources_stating_field(world: &PlannedState<'_>, effect: &PlannedChange) -> Vec<Key> {
    let matters = match effect.outcome {
        PlannedOutcome::Delete(_) => true,
        PlannedOutcome::Create { .. } => false,
        PlannedOutcome::Change(_) => changes(effect, custom_field::STATUS),
    };
    if !matters {
        return Vec::new();
    }
    // Stored values stay valid without a definition. Only a document that still states one is
    // wrong.
    let field = FieldRef::Custom(effect.key.id.clone());
    let says = world.desired.resources.iter();
    says.filter(|declared| declared.stated(&field).is_some())
        .map(|declared| declared.key.clone())
        .collect()
}

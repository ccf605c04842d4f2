//! Links to what is not there, no longer there, or of no use.

use super::at::{settings, user};
use super::fields::{unknown_groups, unknown_optional};
use super::finding::listed;
use super::world::names;
use super::{Effect, Finding, Findings, Outcome, Scene, Subjects, View, World};
use crate::diagnostic::{Origin, Severity, codes};
use crate::kinds::{self, SETTINGS, USER};
use crate::model::{Key, KindId, Text};
use std::collections::HashSet;

/// How many referrers a message names where it need not name all.
const NAMED: usize = 10;
/// How many it names where it should name all: past that nobody reads on.
const ALL_NAMED: usize = 1000;

/// Every link of a subject: its target must be there and in use.
pub(super) fn links(scene: &Scene<'_, '_>, view: View<'_>, out: &mut Findings) {
    // A main organisation is named among the organisations too: that is one fault.
    let mut told: HashSet<Key> = HashSet::new();
    for (field, kind) in view.kind().references() {
        for target in view.targets(field) {
            let target = Key {
                kind,
                id: target.clone(),
            };
            let found = match scene.world.after(&target) {
                Some(there) if there.live() => None,
                Some(_) => not_in_use(scene.world, view, field, &target),
                None => not_there(scene.world, view, field, &target),
            };
            if let Some(found) = found
                && told.insert(target)
            {
                out.push(found);
            }
        }
    }
}

/// Whether the link was not there before the plan.
fn added(world: &World<'_>, view: View<'_>, field: usize, target: &Key) -> bool {
    let before = world.before(view.key);
    view.outcome().is_some() && !before.is_some_and(|before| before.links_to(field, &target.id))
}

fn not_in_use(world: &World<'_>, view: View<'_>, field: usize, target: &Key) -> Option<Finding> {
    let added = added(world, view, field, target);
    let was_live = world.before(target).is_some_and(|before| before.live());
    let useless = !added && comes_without(world, view, field);
    if !added && was_live && !useless {
        // Told once, of the target.
        return None;
    }
    let message = if useless {
        format!("{} becomes active, and {target} is inactive", view.key)
    } else {
        format!("{target} is inactive: a link to it is of no use")
    };
    let found = Finding::own(world, codes::REFERENCE_INACTIVE, view.key, field, message);
    let severity = if added || useless {
        Severity::Error
    } else {
        Severity::Warning
    };
    Some(
        found
            .help("name an active one, or activate it in the same plan")
            .severity(severity)
            .member(&target.id)
            .with(world, target),
    )
}

/// Whether the plan brings a resource into use of which a required reference leads to nothing in
/// use.
fn comes_without(world: &World<'_>, view: View<'_>, field: usize) -> bool {
    let definition = &view.kind().fields[field];
    let Some(kind) = definition.ty.target() else {
        return false;
    };
    let in_use = |id: &Text| {
        let target = Key {
            kind,
            id: id.clone(),
        };
        world.after(&target).is_some_and(|there| there.live())
    };
    definition.required && view.becomes_live() && !view.targets(field).any(in_use)
}

fn not_there(world: &World<'_>, view: View<'_>, field: usize, target: &Key) -> Option<Finding> {
    let deleted_here = world.before(target).is_some();
    let added = added(world, view, field, target);
    if deleted_here && !added {
        return None;
    }
    let found = if deleted_here || world.stored.retired.contains(target) {
        let message = format!("{target} is deleted, which is final");
        Finding::own(world, codes::REFERENCE_INACTIVE, view.key, field, message)
            .help("take the reference away, or name another one")
    } else {
        let message = format!("there is no {target}: it is neither declared nor stored");
        Finding::own(world, codes::REFERENCE, view.key, field, message)
            .help("correct the id, or declare it in the same tree")
    };
    Some(found.member(&target.id).with(world, target))
}

/// The members that could be read of a list with a faulty one: they have to be right too.
pub(super) fn salvaged(scene: &Scene<'_, '_>, _: &Subjects<'_>, out: &mut Findings) {
    let world = scene.world;
    for ((key, field), left) in &world.desired.salvaged {
        let Some(index) = field.own() else { continue };
        let first = out.len();
        match (key.kind, index) {
            (USER, user::GROUPS) => unknown_groups(scene, key, left.members.iter(), out),
            (SETTINGS, settings::OPTIONAL_FIELDS) => {
                unknown_optional(scene, key, left.members.iter(), out);
            }
            _ => {}
        }
        let mut references = kinds::get(key.kind).references();
        if let Some((_, kind)) = references.find(|(at, _)| *at == index) {
            dangling(world, key, index, kind, &left.members, out);
        }
        for found in &mut out[first..] {
            let origin = world.origin(key);
            found.diagnostic.origin = origin.map(|origin| Origin {
                at: left.at,
                ..origin
            });
        }
    }
}

fn dangling(
    world: &World<'_>,
    key: &Key,
    field: usize,
    kind: KindId,
    ids: &[Text],
    out: &mut Findings,
) {
    for id in ids {
        let target = Key::new(kind, id);
        if world.after(&target).is_some() || world.stored.retired.contains(&target) {
            continue;
        }
        let message = format!("there is no {target}: it is neither declared nor stored");
        let found = Finding::own(world, codes::REFERENCE, key, field, message)
            .help("correct the id, or declare it in the same tree");
        out.push(found.member(id).with(world, &target));
    }
}

/// Every resource that the plan deletes or sets inactive: who still refers to it?
pub(super) fn removals(scene: &Scene<'_, '_>, _: &Subjects<'_>, out: &mut Findings) {
    for effect in scene.world.effects {
        let found = match effect.outcome {
            Outcome::Delete => deleted(scene.world, &effect.key),
            Outcome::Change(_) if deactivates(scene.world, effect) => {
                deactivated(scene.world, &effect.key)
            }
            Outcome::Change(_) | Outcome::Create { .. } => None,
        };
        out.extend(found);
    }
}

fn deactivates(world: &World<'_>, effect: &Effect) -> bool {
    let live = |view: Option<View<'_>>| view.is_some_and(|view| view.live());
    kinds::get(effect.key.kind).status
        && live(world.before(&effect.key))
        && !live(world.after(&effect.key))
}

/// Who refers to `key` after the plan and did before it, one entry a referrer.
fn keepers<'a>(world: &World<'a>, key: &Key) -> Vec<(&'a Key, usize)> {
    let mut found = world.all_referrers(key);
    found.retain(|(referrer, field)| {
        let before = world.before(referrer);
        before.is_some_and(|before| before.links_to(*field, &key.id))
    });
    found.sort_unstable();
    found.dedup_by_key(|(referrer, _)| *referrer);
    found
}

/// Whether the source itself says that `referrer` refers to `id`; kept links are not said.
fn states(world: &World<'_>, referrer: &Key, field: usize, id: &Text) -> bool {
    let declared = world.declared(referrer);
    declared
        .and_then(|declared| declared.value(field))
        .is_some_and(|value| names(value, id))
}

fn involve(mut found: Finding, world: &World<'_>, referrers: &[(&Key, usize)]) -> Finding {
    for (referrer, field) in referrers.iter().take(ALL_NAMED) {
        found = found.with_field(world, referrer, *field);
    }
    found
}

fn deleted(world: &World<'_>, key: &Key) -> Option<Finding> {
    let keepers = keepers(world, key);
    if keepers.is_empty() {
        return None;
    }
    let own = keepers
        .iter()
        .all(|(referrer, field)| states(world, referrer, *field, &key.id));
    let who = listed(keepers.iter().map(|(referrer, _)| *referrer), ALL_NAMED);
    let status = kinds::get(key.kind).status_index();
    let found = if own {
        let message = format!("{key} is deleted, and other documents refer to it: {who}");
        Finding::own(world, codes::REFERENCE_INACTIVE, key, status, message)
            .help("take the reference away from those documents, or do not delete it")
    } else {
        let message = format!("{key} is deleted while it is in use: {who}");
        Finding::own(world, codes::IN_USE, key, status, message).help(
            "drop the links in the same plan, delete who has them too, or set it inactive instead",
        )
    };
    Some(involve(found, world, &keepers))
}

fn deactivated(world: &World<'_>, key: &Key) -> Option<Finding> {
    let mut referrers = keepers(world, key);
    let status = kinds::get(key.kind).status_index();
    if world.declared(key).is_none() {
        let mut own = referrers.clone();
        own.retain(|(referrer, field)| states(world, referrer, *field, &key.id));
        if !own.is_empty() {
            let who = listed(own.iter().map(|(referrer, _)| *referrer), ALL_NAMED);
            let message =
                format!("{key} is no longer declared, and other documents refer to it: {who}");
            let found = Finding::own(world, codes::REFERENCE_INACTIVE, key, status, message)
                .help("take the reference away from those documents, or declare it again");
            return Some(involve(found, world, &own));
        }
    }
    referrers.retain(|(referrer, _)| world.after(referrer).is_some_and(|view| view.live()));
    if referrers.is_empty() {
        return None;
    }
    let who = listed(referrers.iter().map(|(referrer, _)| *referrer), NAMED);
    let message = format!("{key} is set inactive, and others refer to it: {who}");
    let found = Finding::own(world, codes::REFERENCE_INACTIVE, key, status, message)
        .help("they keep their own status; take the links away if they are not wanted")
        .severity(Severity::Warning);
    Some(involve(found, world, &referrers))
}

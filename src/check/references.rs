//! Rules on references: the target must exist and be active, and nothing may be deleted that is
//! still referred to.
//!
//! [`links`] looks from the referrer to its targets. [`removals`] looks the other way, from a
//! resource that goes to those that still refer to it. The two divide the cases so that one mistake
//! is reported once. [`salvaged`] checks the readable members of lists that have a faulty one.

use super::field_index::{settings, user};
use super::fields::{unknown_groups, unknown_optional};
use super::planned_state::refers_to;
use super::rule_diagnostic::list_keys;
use super::{
    CheckContext, CheckSubjects, PlannedChange, PlannedOutcome, PlannedState, ResourceView,
    RuleDiagnostic, RuleDiagnostics,
};
use crate::diagnostic::{Origin, Severity, codes, thousands};
use crate::kinds::{self, SETTINGS, USER};
use crate::model::{CompactText, Key, KindId};
use std::collections::HashSet;

/// The number of referrers in a warning, where a few examples are enough.
const NAMED: usize = 10;
/// The number of referrers in an error. They all have to be fixed, but a hub with 100,000 referrers
/// must not produce a message nobody can read.
const ALL_NAMED: usize = 1000;

/// Reports every link of a resource whose target does not exist or is inactive.
pub(super) fn links(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    // `mainOrganisation` is also in `organisations`, so a typo in it would be reported twice.
    let mut told: HashSet<Key> = HashSet::new();
    for (field, kind) in view.kind().references() {
        for target in view.targets(field) {
            let target = Key {
                kind,
                id: target.clone(),
            };
            let found = match scene.world.after(&target) {
                Some(there) if there.is_live() => None,
                Some(_) => inactive_target(scene.world, view, field, &target),
                None => missing_target(scene.world, view, field, &target),
            };
            if let Some(found) = found
                && told.insert(target)
            {
                out.push(found);
            }
        }
    }
}

/// Whether the plan adds the link. If so, this plan is to blame and the diagnostic is an error.
fn added(world: &PlannedState<'_>, view: ResourceView<'_>, field: usize, target: &Key) -> bool {
    let before = world.before(view.key);
    view.outcome().is_some() && !before.is_some_and(|before| before.links_to(field, &target.id))
}

fn inactive_target(
    world: &PlannedState<'_>,
    view: ResourceView<'_>,
    field: usize,
    target: &Key,
) -> Option<RuleDiagnostic> {
    let added = added(world, view, field, target);
    let was_live = world.before(target).is_some_and(|before| before.is_live());
    let useless = !added && comes_without(world, view, field);
    // `useless` is reported here all the same, because the resource that the plan activates is to
    // blame.
    if !added && was_live && !useless {
        // This plan deactivates the target. `removals` reports that once, at the target, instead
        // of once at each of perhaps thousands of users.
        return None;
    }
    let message = if useless {
        format!("{} becomes active, but {target} is inactive", view.key)
    } else {
        format!("{target} is inactive; a link to it has no effect")
    };
    let found =
        RuleDiagnostic::at_own_field(world, codes::REFERENCE_INACTIVE, view.key, field, message);
    let severity = if added || useless {
        Severity::Error
    } else {
        Severity::Warning
    };
    Some(
        found
            .help("Name an active one, or activate it in the same plan")
            .severity(severity)
            .member(&target.id)
            .involving(world, target),
    )
}

/// Whether the plan activates a resource although a required reference has no active target.
fn comes_without(world: &PlannedState<'_>, view: ResourceView<'_>, field: usize) -> bool {
    let definition = &view.kind().fields[field];
    let Some(kind) = definition.ty.target() else {
        return false;
    };
    // One active target is enough: a user of two accounts can log in while one of them is inactive.
    let in_use = |id: &CompactText| {
        let target = Key {
            kind,
            id: id.clone(),
        };
        world.after(&target).is_some_and(|there| there.is_live())
    };
    definition.required && view.becomes_live() && !view.targets(field).any(in_use)
}

fn missing_target(
    world: &PlannedState<'_>,
    view: ResourceView<'_>,
    field: usize,
    target: &Key,
) -> Option<RuleDiagnostic> {
    // The target was stored and is not there after the plan, so the plan deletes it.
    let deleted_here = world.before(target).is_some();
    let added = added(world, view, field, target);
    if deleted_here && !added {
        // `removals` reports it once, as `in-use`, and names all referrers.
        return None;
    }
    // A retired id exists nowhere, but "declare it" would be wrong advice: it can never be used
    // again.
    let found = if deleted_here || world.stored.retired.contains(target) {
        let message = format!("{target} is deleted and cannot be restored");
        RuleDiagnostic::at_own_field(world, codes::REFERENCE_INACTIVE, view.key, field, message)
            .help("Remove the reference, or name another resource")
    } else {
        let message = format!("{target} does not exist: it is neither declared nor stored");
        RuleDiagnostic::at_own_field(world, codes::REFERENCE, view.key, field, message)
            .help("Correct the id, or declare it in the same source")
    };
    Some(found.member(&target.id).involving(world, target))
}

/// Checks the readable members of lists that have a faulty one, so that fixing the first mistake
/// does not bring up a second one.
pub(super) fn salvaged(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    for ((key, field), left) in &world.desired.salvaged_references {
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
        // The faulty field is not among the cells, so it has no origin of its own. The list's start
        // is the nearest place that is known.
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
    world: &PlannedState<'_>,
    key: &Key,
    field: usize,
    kind: KindId,
    ids: &[CompactText],
    out: &mut RuleDiagnostics,
) {
    for id in ids {
        let target = Key::new(kind, id);
        if world.after(&target).is_some() || world.stored.retired.contains(&target) {
            // Whether an inactive or retired target matters depends on the whole list, which is
            // unknown. Once the list can be read, `links` decides.
            continue;
        }
        let message = format!("{target} does not exist: it is neither declared nor stored");
        let found = RuleDiagnostic::at_own_field(world, codes::REFERENCE, key, field, message)
            .help("Correct the id, or declare it in the same source");
        out.push(found.member(id).involving(world, &target));
    }
}

/// Reports resources that the plan deletes or deactivates while others still refer to them.
pub(super) fn removals(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    for effect in scene.world.effects {
        let found = match effect.outcome {
            PlannedOutcome::Delete(_) => {
                out.extend(used_by_offers(scene.world, &effect.key));
                deleted(scene.world, &effect.key)
            }
            PlannedOutcome::Change(_) if deactivates(scene.world, effect) => {
                deactivated(scene.world, &effect.key)
            }
            PlannedOutcome::Change(_) | PlannedOutcome::Create { .. } => None,
        };
        out.extend(found);
    }
}

fn deactivates(world: &PlannedState<'_>, effect: &PlannedChange) -> bool {
    let live = |view: Option<ResourceView<'_>>| view.is_some_and(|view| view.is_live());
    kinds::get(effect.key.kind).has_status
        && live(world.before(&effect.key))
        && !live(world.after(&effect.key))
}

/// The resources that refer to `key` both before and after the plan, each with one field.
fn remaining_referrers<'a>(world: &PlannedState<'a>, key: &Key) -> Vec<(&'a Key, usize)> {
    let mut found = world.all_referrers(key);
    // A link that the plan adds is reported by `links`, at the place that adds it.
    found.retain(|(referrer, field)| {
        let before = world.before(referrer);
        before.is_some_and(|before| before.links_to(*field, &key.id))
    });
    // Sorting puts the fields of a referrer side by side: a reviewed approver is one referrer.
    found.sort_unstable();
    found.dedup_by_key(|(referrer, _)| *referrer);
    found
}

/// Whether a document of this source states the reference. A stored link that no document mentions
/// does not count.
fn declares_reference(
    world: &PlannedState<'_>,
    referrer: &Key,
    field: usize,
    id: &CompactText,
) -> bool {
    let declared = world.declared(referrer);
    declared
        .and_then(|declared| declared.value(field))
        .is_some_and(|value| refers_to(value, id))
}

fn involve(
    mut found: RuleDiagnostic,
    world: &PlannedState<'_>,
    referrers: &[(&Key, usize)],
) -> RuleDiagnostic {
    for (referrer, field) in referrers.iter().take(ALL_NAMED) {
        found = found.involving_field(world, referrer, *field);
    }
    found
}

fn deleted(world: &PlannedState<'_>, key: &Key) -> Option<RuleDiagnostic> {
    let keepers = remaining_referrers(world, key);
    if keepers.is_empty() {
        return None;
    }
    // If this source states every reference, it contradicts itself and its author can fix it.
    // Otherwise links that others made are in the way, and the help names other ways out.
    let own = keepers
        .iter()
        .all(|(referrer, field)| declares_reference(world, referrer, *field, &key.id));
    let who = list_keys(keepers.iter().map(|(referrer, _)| *referrer), ALL_NAMED);
    let status = kinds::get(key.kind).status_index();
    let found = if own {
        let message = format!("{key} is deleted, but other documents refer to it: {who}");
        RuleDiagnostic::at_own_field(world, codes::REFERENCE_INACTIVE, key, status, message)
            .help("Remove those documents or the references in them, or do not delete it")
    } else {
        let message = format!("{key} is deleted, but others refer to it: {who}");
        RuleDiagnostic::at_own_field(world, codes::IN_USE, key, status, message).help(
            "Remove the links in the same plan, delete their owners too, or set it inactive instead",
        )
    };
    Some(involve(found, world, &keepers))
}

/// Reports a deleted tag that offers of the shop use.
fn used_by_offers(world: &PlannedState<'_>, key: &Key) -> Option<RuleDiagnostic> {
    let offers = world.stored.tag_offers.get(key)?;
    let more = offers.len().saturating_sub(ALL_NAMED);
    let mut named = offers[..offers.len() - more].join(", ");
    if more > 0 {
        named.push_str(&format!(" and {} more", thousands(more)));
    }
    let message = format!("{key} is deleted, but offers use it: {named}");
    let status = kinds::get(key.kind).status_index();
    let found = RuleDiagnostic::at_own_field(world, codes::IN_USE, key, status, message)
        .help("Take the tag out of these offers in the shop first, or do not delete it");
    Some(found.at_run_time())
}

fn deactivated(world: &PlannedState<'_>, key: &Key) -> Option<RuleDiagnostic> {
    let mut referrers = remaining_referrers(world, key);
    let status = kinds::get(key.kind).status_index();
    // Deactivating is never refused because of other sources. But if a file is removed while
    // another file of the same source still needs it, the removal is most likely a mistake.
    if world.declared(key).is_none() {
        let mut own = referrers.clone();
        own.retain(|(referrer, field)| declares_reference(world, referrer, *field, &key.id));
        if !own.is_empty() {
            let who = list_keys(own.iter().map(|(referrer, _)| *referrer), ALL_NAMED);
            let message =
                format!("{key} is no longer declared, but other documents refer to it: {who}");
            let found = RuleDiagnostic::at_own_field(
                world,
                codes::REFERENCE_INACTIVE,
                key,
                status,
                message,
            )
            .help("Remove the references from those documents, or declare it again");
            return Some(involve(found, world, &own));
        }
    }
    // An inactive user of an inactive account is the normal end of a customer, not worth a warning.
    referrers.retain(|(referrer, _)| world.after(referrer).is_some_and(|view| view.is_live()));
    if referrers.is_empty() {
        return None;
    }
    let who = list_keys(referrers.iter().map(|(referrer, _)| *referrer), NAMED);
    let message = format!("{key} is set inactive, but others refer to it: {who}");
    let found =
        RuleDiagnostic::at_own_field(world, codes::REFERENCE_INACTIVE, key, status, message)
            .help("They keep their own status. Remove the links if you do not want them")
            .severity(Severity::Warning);
    Some(involve(found, world, &referrers))
}

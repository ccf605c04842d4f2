//! Holding one field, one resource, or an account with all that only stands with it.

use super::context::PlanContext;
use super::draft::field_member;
use super::forbid::effect_member;
use super::hold::Hold;
use super::order;
use super::planner::PlanInProgress;
use super::types::HoldEntry;
use crate::check::PlannedState;
use crate::diagnostic::{Code, codes};
use crate::kinds;
use crate::model::{FieldChange, Key};

/// Holds one field of a resource.
pub(super) fn hold_field(
    context: &PlanContext<'_>,
    work: &mut PlanInProgress,
    key: &Key,
    change: FieldChange,
    root: Code,
    message: &str,
) {
    if work.holds_field(key, &change.field) {
        return;
    }
    let member = field_member(context, key, change);
    let hold = Hold::single(codes::HELD_DEPENDENCY, message, member);
    let id = hold.id(&context.desired.source, &context.rules.salt);
    let entries = hold.entries(&id);
    work.held
        .extend(entries.map(|held| HoldEntry { root, ..held }));
    for member in &hold.members {
        work.block(root, key, false, &member.changes);
    }
}

/// Holds a resource; of an account also its organisations, policies and the users whose only
/// account it is.
pub(super) fn hold_unit(
    context: &PlanContext<'_>,
    work: &mut PlanInProgress,
    key: &Key,
    code: Code,
    root: Code,
    message: &str,
) {
    hold_one(context, work, key, code, root, message);
    if key.kind != kinds::ACCOUNT {
        return;
    }
    let world = PlannedState::new(context.stored, context.desired, &work.effects);
    let mut unit: Vec<Key> = Vec::new();
    for (referrer, field) in world.all_referrers(key) {
        let only = world
            .after(referrer)
            .is_some_and(|view| view.targets(field).count() == 1);
        if only && work.effects.contains(referrer) {
            unit.push(referrer.clone());
        }
    }
    // An address that nobody else has would be left behind.
    let addresses = kinds::get(kinds::ACCOUNT).expect_index("addresses");
    let targets = world.after(key).into_iter().flat_map(|view| {
        let targets = view
            .targets(addresses)
            .map(|id| Key::new(kinds::ADDRESS, id));
        targets.collect::<Vec<_>>()
    });
    let alone = |address: &Key| {
        let created = !context.stored.rows.contains(address) && work.effects.contains(address);
        created && world.referrers(kinds::ACCOUNT, addresses, address) == [key]
    };
    unit.extend(targets.filter(alone));
    for member in unit {
        let message = format!("{member} belongs to {key}, which is held ({code})");
        hold_one(
            context,
            work,
            &member,
            codes::HELD_DEPENDENCY,
            root,
            &message,
        );
    }
}

/// Holds one resource.
pub(super) fn hold_one(
    context: &PlanContext<'_>,
    work: &mut PlanInProgress,
    key: &Key,
    code: Code,
    root: Code,
    message: &str,
) {
    if work.blocked.contains_key(key) {
        return;
    }
    let Some(effect) = work.effects.get(key) else {
        return;
    };
    let verb = order::verb(context, effect);
    let hold = Hold::single(code, message, effect_member(context, effect, verb));
    let id = hold.id(&context.desired.source, &context.rules.salt);
    work.held
        .extend(hold.entries(&id).map(|held| HoldEntry { root, ..held }));
    work.blocked.insert(key.clone(), root);
}

//! Holds what cannot stand without something else that is held: a field, a resource, or an account
//! with everything that depends on it alone. Each hold names the rule at its root and cannot be
//! approved; it goes away with its cause. What is held already is not held again.

use super::context::PlanContext;
use super::hold::{Hold, effect_member, field_member};
use super::planned_change;
use super::remainder::PlanRemainder;
use crate::check::PlannedState;
use crate::diagnostic::{Code, codes};
use crate::kinds;
use crate::model::{FieldChange, Key};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy)]
pub(super) struct HoldCause<'m> {
    pub code: Code,
    /// The rule at the root.
    pub root: Code,
    pub message: &'m str,
}

impl<'m> HoldCause<'m> {
    /// Something else is held, by the rule `root`.
    pub fn dependency(root: Code, message: &'m str) -> Self {
        Self {
            code: codes::HELD_DEPENDENCY,
            root,
            message,
        }
    }
}

pub(super) fn field_hold(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    key: &Key,
    change: FieldChange,
    cause: HoldCause<'_>,
) -> Option<Hold> {
    if left.ledger.holds_field(key, &change.field) {
        return None;
    }
    let member = field_member(context, key, change);
    Some(Hold {
        root: Some(cause.root),
        ..Hold::single(cause.code, cause.message, member)
    })
}

pub(super) fn resource_hold(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    key: &Key,
    cause: HoldCause<'_>,
) -> Option<Hold> {
    if left.ledger.is_blocked(key) {
        return None;
    }
    let effect = left.effects.get(key)?;
    let member = effect_member(context, effect, planned_change::verb(context, effect));
    Some(Hold {
        root: Some(cause.root),
        ..Hold::single(cause.code, cause.message, member)
    })
}

/// The resources that depend on one account alone, for each of the accounts that a stage of the
/// plan may hold.
pub(super) struct AccountUnits(BTreeMap<Key, Vec<Key>>);

impl AccountUnits {
    /// Those of the accounts among `keys`. They are asked for together, because looking for what
    /// refers to one account costs as much as building the index that answers for all of them.
    pub fn of<'k>(
        context: &PlanContext<'_>,
        left: &PlanRemainder,
        keys: impl Iterator<Item = &'k Key>,
    ) -> Self {
        let accounts: BTreeSet<&Key> = keys.filter(|key| key.kind == kinds::ACCOUNT).collect();
        if accounts.is_empty() {
            return Self(BTreeMap::new());
        }
        let world = PlannedState::indexed(context.stored, context.desired, &left.effects);
        let units = accounts.into_iter().map(|account| {
            (
                account.clone(),
                account_unit(context, left, &world, account),
            )
        });
        Self(units.collect())
    }

    fn members(&self, account: &Key) -> &[Key] {
        self.0.get(account).map_or(&[], Vec::as_slice)
    }
}

/// Holds a resource. With an account go its organisations, its policies, and the users whose only
/// account it is.
pub(super) fn unit_holds(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    units: &AccountUnits,
    key: &Key,
    cause: HoldCause<'_>,
) -> Vec<Hold> {
    let mut holds: Vec<Hold> = resource_hold(context, left, key, cause)
        .into_iter()
        .collect();
    for member in units.members(key) {
        let message = format!("{member} belongs to {key}, which is held ({})", cause.code);
        let cause = HoldCause::dependency(cause.root, &message);
        holds.extend(resource_hold(context, left, member, cause));
    }
    holds
}

/// The resources that depend on an account alone, without the account itself.
fn account_unit(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    world: &PlannedState<'_>,
    key: &Key,
) -> Vec<Key> {
    let mut unit: Vec<Key> = Vec::new();
    for (referrer, field) in world.all_referrers(key) {
        // A user of two accounts can still work for the other one.
        let only = world
            .after(referrer)
            .is_some_and(|view| view.targets(field).count() == 1);
        if only && left.effects.contains(referrer) {
            unit.push(referrer.clone());
        }
    }
    // A new address that no other account has would be left without an owner.
    let addresses = kinds::get(kinds::ACCOUNT).expect_index("addresses");
    let targets = world.after(key).into_iter().flat_map(|view| {
        let targets = view
            .targets(addresses)
            .map(|id| Key::new(kinds::ADDRESS, id));
        targets.collect::<Vec<_>>()
    });
    let alone = |address: &Key| {
        let created = !context.stored.rows.contains(address) && left.effects.contains(address);
        created && world.referrers(kinds::ACCOUNT, addresses, address) == [key]
    };
    unit.extend(targets.filter(alone));
    // A resource may refer to the account in several fields.
    let mut named = BTreeSet::new();
    unit.retain(|member| named.insert(member.clone()) && member != key);
    unit
}

//! Who gains and who loses what by a plan, and which of its changes cause it.
//!
//! A relation between a user and something else holds under several conditions: somebody *has
//! access* who is active, not blocked and linked to a usable account. An effect is a relation that
//! holds on one side of some changes and not on the other; its causes are the changes that turned
//! one of the conditions. [`compare`] works out all effects of the upper layer of a state
//! (`state.rs`), starting from what it changes and asking only for what refers to that:
//! `users.rs` for access, buying, policies and stores, `prices.rs` for tags, `sight.rs` for who
//! sees whom.

mod fields;
mod found;
mod held;
mod holders;
mod policy_index;
mod prices;
mod sight;
mod sight_causes;
mod state;
mod user_side;
mod users;

pub(super) use found::{EffectCause, EffectFilter, EffectList, FoundEffect};
pub use found::{EffectName, PlanEffect, PlanEffects};
pub(super) use held::add_held_effects;
pub(super) use holders::count_before;
pub(super) use state::DeltaLayer;

use crate::model::{FieldRef, KindId, Snapshot};
use fields::EffectFields;
use state::{EffectState, ResourceDelta};
use std::collections::BTreeSet;

/// The state on both sides of some changes.
pub(super) struct EffectComparison<'a> {
    before: EffectState<'a>,
    after: EffectState<'a>,
    changes: &'a DeltaLayer<'a>,
    filter: EffectFilter,
}

/// The effects of the uppermost of some layers of changes. `watched` are the fields whose changes
/// count as effects.
pub(super) fn compare(
    stored: &Snapshot,
    layers: &[&DeltaLayer<'_>],
    watched: &BTreeSet<(KindId, FieldRef)>,
    filter: EffectFilter,
) -> EffectList {
    let mut found = EffectList::new(filter);
    let Some((changes, below)) = layers.split_last().filter(|(top, _)| !top.is_empty()) else {
        return found;
    };
    let fields = EffectFields::new();
    let comparison = EffectComparison {
        before: EffectState::new(stored, below.to_vec(), &fields),
        after: EffectState::new(stored, layers.to_vec(), &fields),
        changes,
        filter,
    };
    comparison.add_user_effects(&mut found);
    comparison.add_price_effects(&mut found);
    comparison.add_sight_effects(&mut found);
    comparison.add_field_effects(watched, &mut found);
    found
}

/// The cause that is the change of a field; of a resource that comes or goes, all of it.
fn cause(delta: &ResourceDelta<'_>, index: usize) -> EffectCause {
    let field = (!delta.is_whole()).then(|| crate::kinds::own_field(index));
    EffectCause {
        key: delta.key.clone(),
        field,
    }
}

impl EffectComparison<'_> {
    /// Adds the changes of the fields that the operator named.
    fn add_field_effects(&self, watched: &BTreeSet<(KindId, FieldRef)>, found: &mut EffectList) {
        for (kind, field) in watched {
            for delta in self.changes.of_kind(*kind) {
                let change = delta.change(field);
                let Some(change) = change.filter(|change| change.before != change.after) else {
                    continue;
                };
                let cause = EffectCause {
                    key: delta.key.clone(),
                    field: Some(change.field.clone()),
                };
                found.add_field(delta.key, field, cause);
            }
        }
    }
}

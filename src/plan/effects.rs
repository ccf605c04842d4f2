//! Effects of which parts are taken out and put in again.

use crate::check::{EffectOutcome, ResourceEffect};
use crate::model::{FieldChange, KeyedList};

/// Puts effects in the place of those of the same resources.
pub(super) fn put_back(effects: &mut KeyedList<ResourceEffect>, without: Vec<ResourceEffect>) {
    // The first one kept of a resource is the one without any part.
    for effect in without.into_iter().rev() {
        if let Some(slot) = effects.get_mut(&effect.key.clone()) {
            *slot = effect;
        }
    }
}

/// Puts a change into an effect, in the place of another one of the same field.
pub(super) fn put(effect: &mut ResourceEffect, full: FieldChange) {
    if let EffectOutcome::Change(changes) = &mut effect.outcome {
        changes.retain(|change| change.field != full.field);
        changes.push(full);
        changes.sort_by(|a, b| a.field.cmp(&b.field));
    }
}

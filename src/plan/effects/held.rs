//! What approving each hold would add to the effects of the steps.

use super::{DeltaLayer, EffectFilter, compare};
use crate::diagnostic::codes;
use crate::model::{FieldRef, KindId, Snapshot};
use crate::plan::types::HoldEntry;
use std::collections::{BTreeMap, BTreeSet};

/// The number of holds that are looked at one by one.
const MAX_HOLDS: usize = 200;

/// Gives each held entry the effects that it causes, when its whole hold is applied together with
/// what is held because of other holds.
pub(in crate::plan) fn add_held_effects(
    held: &mut [HoldEntry],
    stored: &Snapshot,
    steps: &DeltaLayer<'_>,
    watched: &BTreeSet<(KindId, FieldRef)>,
) {
    let is_dependent = |held: &HoldEntry| held.code == codes::HELD_DEPENDENCY;
    let mut holds: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, entry) in held.iter().enumerate() {
        // Dependent entries go through with whatever they depend on, so they are one hold.
        let hold = if is_dependent(entry) {
            ""
        } else {
            &*entry.hold
        };
        holds.entry(hold).or_default().push(at);
    }
    let dependent = holds.get("").cloned().unwrap_or_default();
    let mut found = Vec::new();
    // Each hold is a comparison of its own, so very many are worked out as if they went together.
    if holds.len() > MAX_HOLDS {
        holds = [("", (0..held.len()).collect())].into();
    }
    for (hold, own) in &holds {
        let all = if hold.is_empty() {
            (0..held.len()).collect()
        } else {
            own.iter()
                .chain(&dependent)
                .copied()
                .collect::<BTreeSet<_>>()
        };
        let layer = DeltaLayer::held(all.iter().map(|at| &held[*at]));
        let effects = compare(stored, &[steps, &layer], watched, EffectFilter::All);
        let effects = effects.by_cause();
        found.extend(own.iter().map(|at| (*at, effects.of(&held[*at].key))));
    }
    for (at, effects) in found {
        held[at].effects = effects;
    }
}

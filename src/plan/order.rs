//! Makes steps of the effects, in an order in which no prefix breaks a reference. [`steps`] makes
//! one step of each effect, with what the source claims afterwards; [`sort`] puts parents before
//! children and removals last.

use super::context::PlanContext;
use super::dropped_members;
use super::hold;
use super::planned_change::{self, created, verb};
use super::remainder::PlanRemainder;
use super::runtime_changes::{RuntimeChanges, new_accounts_wait};
use super::shared_addresses::shared_addresses;
use super::step_claim::{self, ClaimDigests, StepClaim};
use super::types::{Step, StepBody, StepReason, StepVerb};
use crate::check::{PlannedChange, PlannedOutcome, PlannedState};
use crate::kinds;
use crate::model::{Digest, FieldDigests, Key};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

pub(super) fn steps(context: &PlanContext<'_>, left: &PlanRemainder) -> Vec<Step> {
    // In parallel, since a first plan has as many steps as resources.
    let effects: Vec<&PlannedChange> = left.effects.iter().collect();
    let world = PlannedState::new(context.stored, context.desired, &left.effects);
    let accounts_wait = new_accounts_wait(&world);
    let shared = shared_addresses(context, &left.effects);
    let steps = effects.par_iter().map(|effect| Step {
        accounts: shared.get(&effect.key).cloned().unwrap_or_default(),
        ..step(context, left, effect, accounts_wait)
    });
    steps.collect()
}

fn step(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    effect: &PlannedChange,
    accounts_wait: bool,
) -> Step {
    let reason = left.reason(&effect.key);
    let verb = verb(context, effect);
    let body = match &effect.outcome {
        PlannedOutcome::Create { .. } => created(effect).body,
        PlannedOutcome::Delete(_) => StepBody::Changes(Vec::new()),
        PlannedOutcome::Change(changes) => StepBody::Changes(
            changes
                .iter()
                .cloned()
                .map(|change| hold::reduced(kinds::get(effect.key.kind), change))
                .collect(),
        ),
    };
    // The claim on a removed resource is marked gone, not rewritten; a deleted one has none.
    let claimed = reason != StepReason::Removed && verb != StepVerb::Delete;
    Step {
        verb,
        key: effect.key.clone(),
        version: context.stored.rows.get(&effect.key).map(|row| row.version),
        reason,
        origin: context.origin(&effect.key),
        claim: if claimed {
            claim(context, left, &effect.key)
        } else {
            None
        },
        runtime: match verb {
            StepVerb::Create => RuntimeChanges::of_create(effect.key.kind, accounts_wait),
            _ => RuntimeChanges::default(),
        },
        body,
        accounts: Box::default(),
        consequences: planned_change::step_consequences(effect.consequences()),
        impact: Box::default(),
        undoes: Box::default(),
        is_on_base: false,
    }
}

/// What the source claims after the step. Open fields keep what the claim said of them, and the
/// digest is left empty so that the next pass compares again.
pub(super) fn claim(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    key: &Key,
) -> Option<StepClaim> {
    let declared = context.desired.resources.get(key)?;
    let kind = kinds::get(key.kind);
    let old = context.stored.claim(&context.desired.source, key);
    let carried = old
        .filter(|_| context.desired.partial)
        .map(|old| dropped_members::carried_digests(context.desired, declared, kind, old));
    let carried = carried.filter(|carried| carried.iter().next().is_some());
    let open = left.claims.open_fields.get(key);
    if open.is_none() && carried.is_none() {
        return Some(StepClaim::Declared {
            declared: Arc::clone(declared),
            fingerprint: context.fingerprint,
        });
    }
    let mut fields = step_claim::fields(declared);
    let recorded: Vec<(String, u64)> = left
        .claims
        .recorded
        .get(key)
        .into_iter()
        .flatten()
        .filter_map(|(field, member)| {
            let entry = step_claim::entry(&kind.field_name(field), member);
            let digest = fields.get(&entry)?;
            Some((entry, digest))
        })
        .collect();
    for (entry, digest) in carried.iter().flat_map(FieldDigests::iter) {
        if fields.iter().all(|(known, _)| known != entry) {
            fields.put(entry, digest);
        }
    }
    let Some(open) = open else {
        return Some(StepClaim::Digests(ClaimDigests {
            digest: step_claim::digest_of(context, declared),
            fields,
        }));
    };
    // The declared value of an open field was not written. If the claim had it, the next pass would
    // take the stored value for drift.
    for name in open.iter().map(|field| kind.field_name(field)) {
        let member = format!("{name}=");
        let of_field = |entry: &str| entry == name || entry.starts_with(&member);
        fields.retain(|entry| !of_field(entry));
        let kept = old.iter().flat_map(|claim| claim.fields.iter());
        kept.filter(|(entry, _)| of_field(entry))
            .for_each(|(entry, digest)| fields.put(entry, digest));
    }
    for (entry, digest) in recorded {
        fields.put(&entry, digest);
    }
    Some(StepClaim::Digests(ClaimDigests {
        digest: Digest::default(),
        fields,
    }))
}

/// Sorts by kind with parents before children. Removals come last and in reverse, so that children
/// go before what they refer to.
pub(super) fn sort(context: &PlanContext<'_>, left: &PlanRemainder, steps: &mut [Step]) {
    let world = PlannedState::new(context.stored, context.desired, &left.effects);
    let depths: HashMap<Key, usize> = steps
        .iter()
        .filter_map(|step| Some((step.key.clone(), depth(&world, &step.key)?)))
        .collect();
    let depth = |step: &Step| depths.get(&step.key).copied().unwrap_or_default();
    steps.sort_by(|a, b| {
        let goes = |step: &Step| matches!(step.verb, StepVerb::Delete | StepVerb::Deactivate);
        goes(a).cmp(&goes(b)).then_with(|| {
            let order = (a.key.kind, depth(a), &a.key.id).cmp(&(b.key.kind, depth(b), &b.key.id));
            if goes(a) { order.reverse() } else { order }
        })
    });
}

/// The depth of a resource below others of its own kind.
fn depth(world: &PlannedState<'_>, key: &Key) -> Option<usize> {
    let kind = kinds::get(key.kind);
    let (parent, _) = kind.references().find(|(_, target)| *target == key.kind)?;
    let mut depth = 0;
    let mut at = key.clone();
    loop {
        let view = world.after(&at).or_else(|| world.before(&at))?;
        let Some(above) = view.targets(parent).next() else {
            return Some(depth);
        };
        depth += 1;
        at = Key::new(key.kind, above);
        // A cycle has a diagnostic of its own; it must only not hang here.
        if depth > 1_000 {
            return Some(depth);
        }
    }
}

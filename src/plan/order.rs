//! Steps from effects, in an order in which no prefix breaks a reference.

use super::context::PlanContext;
use super::dropped_members;
use super::hold;
use super::planner::PlanInProgress;
use super::step_claim::{self, ClaimDigests, StepClaim};
use super::types::{Step, StepBody, StepReason, StepVerb};
use crate::check::{EffectOutcome, PlannedState, ResourceEffect};
use crate::kinds;
use crate::model::{Digest, FieldChange, FieldDigests, Key, Value};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// The word for what would happen: the first that fits.
pub(super) fn verb(context: &PlanContext<'_>, effect: &ResourceEffect) -> StepVerb {
    let changes = match &effect.outcome {
        EffectOutcome::Delete => return StepVerb::Delete,
        EffectOutcome::Create { .. } => return StepVerb::Create,
        EffectOutcome::Change(changes) => changes,
    };
    let status = kinds::get(effect.key.kind).status_index();
    let status = changes
        .iter()
        .find(|change| change.field.own() == Some(status));
    let becomes = status
        .and_then(|change| change.after.as_ref())
        .and_then(Value::as_text);
    let adopts = context
        .stored
        .claim(&context.desired.source, &effect.key)
        .is_none();
    match (becomes, adopts) {
        (Some("inactive"), _) => StepVerb::Deactivate,
        (_, true) => StepVerb::Adopt,
        (Some(_), false) => StepVerb::Reactivate,
        (None, false) => StepVerb::Update,
    }
}

/// The changes of an effect, field by field.
pub(super) fn changes(effect: &ResourceEffect) -> Vec<FieldChange> {
    match &effect.outcome {
        EffectOutcome::Change(changes) => changes.clone(),
        EffectOutcome::Delete => Vec::new(),
        EffectOutcome::Create { .. } => created(effect).changes().into_owned(),
    }
}

/// The step that creates, without its claim.
pub(super) fn created(effect: &ResourceEffect) -> Step {
    let body = match &effect.outcome {
        EffectOutcome::Create { declared, derived } => StepBody::Create {
            declared: declared.clone(),
            derived: derived.clone().into(),
        },
        EffectOutcome::Change(_) | EffectOutcome::Delete => StepBody::Changes(Vec::new()),
    };
    Step {
        verb: StepVerb::Create,
        key: effect.key.clone(),
        version: None,
        reason: StepReason::Declared,
        origin: None,
        claim: None,
        body,
    }
}

/// The steps of all effects that are left.
pub(super) fn steps(context: &PlanContext<'_>, work: &PlanInProgress) -> Vec<Step> {
    // In parallel: of a first plan there are as many as resources.
    let effects: Vec<&ResourceEffect> = work.effects.iter().collect();
    effects
        .par_iter()
        .map(|effect| step(context, work, effect))
        .collect()
}

fn step(context: &PlanContext<'_>, work: &PlanInProgress, effect: &ResourceEffect) -> Step {
    let reason = work.reason(&effect.key);
    let verb = verb(context, effect);
    let body = match &effect.outcome {
        EffectOutcome::Create { .. } => created(effect).body,
        EffectOutcome::Delete => StepBody::Changes(Vec::new()),
        EffectOutcome::Change(changes) => StepBody::Changes(
            changes
                .iter()
                .cloned()
                .map(|change| hold::reduced(kinds::get(effect.key.kind), change))
                .collect(),
        ),
    };
    let claimed = reason != StepReason::Removed && verb != StepVerb::Delete;
    Step {
        verb,
        key: effect.key.clone(),
        version: context.stored.rows.get(&effect.key).map(|row| row.version),
        reason,
        origin: context.origin(&effect.key),
        claim: if claimed {
            claim(context, work, &effect.key)
        } else {
            None
        },
        body,
    }
}

/// What the source claims after the step. Fields that stay open keep what the claim said of them,
/// and the digest is none, so that the next pass compares again.
pub(super) fn claim(
    context: &PlanContext<'_>,
    work: &PlanInProgress,
    key: &Key,
) -> Option<StepClaim> {
    let declared = context.desired.resources.get(key)?;
    let kind = kinds::get(key.kind);
    let old = context.stored.claim(&context.desired.source, key);
    let carried = old
        .filter(|_| context.desired.partial)
        .map(|old| dropped_members::carried_digests(context.desired, declared, kind, old));
    let carried = carried.filter(|carried| carried.iter().next().is_some());
    let open = work.open_fields.get(key);
    if open.is_none() && carried.is_none() {
        return Some(StepClaim::Declared {
            declared: Arc::clone(declared),
            fingerprint: context.fingerprint,
        });
    }
    let mut fields = step_claim::fields(declared);
    let recorded: Vec<(String, u64)> = work
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

/// By kind, parents before children; removals last and in reverse.
pub(super) fn sort(context: &PlanContext<'_>, work: &PlanInProgress, steps: &mut [Step]) {
    let world = PlannedState::new(context.stored, context.desired, &work.effects);
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

/// How many resources of its own kind a resource is below, by the references of the table.
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
        // A cycle is an error of its own; here it only must not hang.
        if depth > 1_000 {
            return Some(depth);
        }
    }
}

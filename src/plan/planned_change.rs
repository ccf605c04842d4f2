//! Questions about one planned change: its verb, its fields, and the change of one field. A planned
//! change is what would happen to one resource, as the rules judge it; a step is what is left of it
//! in the plan. Nothing here knows of holds, or of what it does to people, which are its effects.

use super::context::PlanContext;
use super::runtime_changes::RuntimeChanges;
use super::types::{Step, StepBody, StepConsequence, StepReason, StepVerb};
use crate::check::{DeletionConsequence, PlannedChange, PlannedOutcome};
use crate::kinds;
use crate::model::{FieldChange, FieldRef, Value};

/// The verb of a planned change: the first that fits.
pub(super) fn verb(context: &PlanContext<'_>, effect: &PlannedChange) -> StepVerb {
    let changes = match &effect.outcome {
        PlannedOutcome::Delete(_) => return StepVerb::Delete,
        PlannedOutcome::Create { .. } => return StepVerb::Create,
        PlannedOutcome::Change(changes) => changes,
    };
    let status = kinds::get(effect.key.kind).status_index();
    let status = changes
        .iter()
        .find(|change| change.field.own() == Some(status));
    let becomes = status
        .and_then(|change| change.after.as_ref())
        .and_then(Value::as_text);
    let source = &context.desired.source;
    // A consequence concerns resources of which this source may say nothing. It claims none.
    let adopts = context.stored.claim(source, &effect.key).is_none()
        && context.desired.resources.contains(&effect.key);
    // Deactivation comes first: a resource that is adopted and deactivated at once loses access,
    // and guards and readers must see that.
    match (becomes, adopts) {
        (Some("inactive"), _) => StepVerb::Deactivate,
        (_, true) => StepVerb::Adopt,
        (Some(_), false) => StepVerb::Reactivate,
        (None, false) => StepVerb::Update,
    }
}

pub(super) fn changes(effect: &PlannedChange) -> Vec<FieldChange> {
    match &effect.outcome {
        PlannedOutcome::Change(changes) => changes.clone(),
        PlannedOutcome::Delete(_) => Vec::new(),
        PlannedOutcome::Create { .. } => created(effect).changes().into_owned(),
    }
}

/// The create step of an effect, without its claim.
pub(super) fn created(effect: &PlannedChange) -> Step {
    let body = match &effect.outcome {
        PlannedOutcome::Create { declared, derived } => StepBody::Create {
            declared: declared.clone(),
            derived: derived.clone().into(),
        },
        PlannedOutcome::Change(_) | PlannedOutcome::Delete(_) => StepBody::Changes(Vec::new()),
    };
    Step {
        verb: StepVerb::Create,
        key: effect.key.clone(),
        version: None,
        reason: StepReason::Declared,
        origin: None,
        claim: None,
        body,
        accounts: Box::default(),
        consequences: Box::default(),
        impact: Box::default(),
        undoes: Box::default(),
        is_on_base: false,
        runtime: RuntimeChanges::default(),
    }
}

/// What goes or changes because of an effect, as verbs and keys.
pub(super) fn step_consequences(consequences: &[DeletionConsequence]) -> Box<[StepConsequence]> {
    let all = consequences.iter();
    all.map(|consequence| StepConsequence {
        verb: match &consequence.changes {
            None => StepVerb::Delete,
            Some(_) if consequence.deactivates() => StepVerb::Deactivate,
            Some(_) => StepVerb::Update,
        },
        key: consequence.key.clone(),
    })
    .collect()
}

pub(super) fn change_of<'e>(
    effect: &'e PlannedChange,
    field: &FieldRef,
) -> Option<&'e FieldChange> {
    match &effect.outcome {
        PlannedOutcome::Change(changes) => changes.iter().find(|change| change.field == *field),
        PlannedOutcome::Create { .. } | PlannedOutcome::Delete(_) => None,
    }
}

/// Whether an effect deactivates or deletes its resource.
pub(super) fn takes_out_of_use(effect: &PlannedChange) -> bool {
    let status = kinds::own_field(kinds::get(effect.key.kind).status_index());
    let becomes = change_of(effect, &status).and_then(|change| change.after.as_ref());
    matches!(effect.outcome, PlannedOutcome::Delete(_))
        || becomes.and_then(Value::as_text) == Some("inactive")
}

/// Puts a change into an effect, replacing that of the same field.
pub(super) fn put_change(effect: &mut PlannedChange, full: FieldChange) {
    if let PlannedOutcome::Change(changes) = &mut effect.outcome {
        changes.retain(|change| change.field != full.field);
        changes.push(full);
        changes.sort_by(|a, b| a.field.cmp(&b.field));
    }
}

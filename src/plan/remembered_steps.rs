//! Remembers what guards held in earlier passes. A hold must not dissolve because the rest of its
//! plan was applied and the base has grown: an apply records what was held and by which numbers,
//! and the planner holds it again until somebody decides or the declaration changes. Start reading
//! at [`planned_again`] and [`forgotten`].

use super::budget_share::is_live;
use super::compare;
use super::context::PlanContext;
use super::dated_changes;
use super::effect_budget::EffectBudget;
use super::hold::{Hold, HoldMember};
use super::planned_change::change_of;
use super::remainder::PlanRemainder;
use super::types::{Plan, Step};
use crate::check::{PlannedChange, PlannedOutcome};
use crate::kinds::{self, Kind};
use crate::model::{
    ClaimState, DeclaredResource, Digest, FieldChange, FieldRef, HeldStep, Key, Row, Value, digest,
};
use std::collections::{BTreeMap, BTreeSet};

/// The prefix of the budgets of emptied sources.
pub(super) const EMPTY: &str = "empty=";
/// The budget of presumed renames.
pub(super) const RENAME: &str = "rename";

/// The records of the source of this plan.
pub(super) fn source_records<'a>(
    context: &PlanContext<'a>,
) -> impl Iterator<Item = &'a HeldStep> + use<'a> {
    let (held, source) = (&context.stored.held_steps, &context.desired.source);
    held.iter().filter(move |record| record.source == *source)
}

/// Those made by the limit of a guard; their budgets contain a dot.
pub(super) fn guard_records<'a>(
    context: &PlanContext<'a>,
) -> impl Iterator<Item = &'a HeldStep> + use<'a> {
    source_records(context).filter(|record| record.budget.contains('.'))
}

/// The change of a recorded step, if this plan has the step again by the same declaration and
/// undecided; `Some(None)` when the whole step is meant.
#[allow(clippy::option_option)]
pub(super) fn planned_again(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    record: &HeldStep,
) -> Option<Option<FieldChange>> {
    let effect = left.effects.get(&record.key)?;
    let field = field_of(record);
    let decided = left.ledger.approved_fields(&record.key);
    if decided.is_some_and(|fields| fields.contains(&field))
        || record.declared != declared(context, &record.key, &field)
    {
        return None;
    }
    // By now it comes by the clock.
    if record.verb == "deactivate" && dated_changes::is_known_end(context, &record.key, None) {
        return None;
    }
    if record.field.is_empty() {
        return (verb(effect) == record.verb).then_some(None);
    }
    change_of(effect, &field).map(|change| Some(change.clone()))
}

/// The hold with records of its members, which are held as a whole.
pub(super) fn remembered(context: &PlanContext<'_>, mut hold: Hold, budget: &str) -> Hold {
    let (count, total) = (hold.members.len() as u64, hold.total.unwrap_or_default());
    let records = hold.members.iter().map(|member| HeldStep {
        count,
        total,
        ..step(context, budget, member, None)
    });
    hold.records = records.collect();
    hold
}

/// The record of a held step, without numbers and without the id of its hold.
pub(super) fn step(
    context: &PlanContext<'_>,
    budget: &str,
    member: &HoldMember,
    field: Option<&FieldRef>,
) -> HeldStep {
    let kind = kinds::get(member.key.kind);
    let own = field.cloned().unwrap_or_else(|| status_of(kind));
    HeldStep {
        source: context.desired.source.clone(),
        key: member.key.clone(),
        budget: budget.to_owned(),
        field: field.map_or_else(String::new, |field| kind.field_name(field)),
        verb: verb_of(member).to_owned(),
        hold: String::new(),
        count: 0,
        earlier: 0,
        total: 0,
        declared: declared(context, &member.key, &own),
        step: member.digest(),
    }
}

/// The records that have ended: the step is applied, or the declaration changed. A pass that could
/// not show a step leaves its record.
pub(super) fn forgotten(context: &PlanContext<'_>, left: &PlanRemainder) -> Vec<HeldStep> {
    let again = |record: &&HeldStep| {
        let mut held = left.ledger.remembered.iter();
        held.any(|held| held.is_same_step(record))
    };
    let ended =
        source_records(context).filter(|record| !again(record) && has_ended(context, left, record));
    ended.cloned().collect()
}

/// The steps of an earlier plan that a later pass `held` and that were undecided when the plan was
/// made. Applied all the same, they would go around the hold.
#[must_use]
pub fn held_since(plan: &Plan, held: &[HeldStep]) -> Vec<String> {
    let does = |step: &Step, record: &HeldStep| {
        let field = field_of(record);
        let whole = record.field.is_empty() && step.verb.word() == record.verb;
        whole || !record.field.is_empty() && step.changes().iter().any(|it| it.field == field)
    };
    let planned = |record: &&HeldStep| {
        let mut steps = plan.steps.iter().filter(|step| step.key == record.key);
        steps.any(|step| does(step, record)) && !is_decided(plan, record)
    };
    let mut since: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for record in held.iter().filter(planned) {
        let steps = since.entry(&record.hold).or_default();
        steps.insert(format!("{} {}", record.verb, record.key));
    }
    let since = since.into_iter().map(|(hold, steps)| {
        // Three steps are enough to recognise the hold; its id leads to the others.
        let shown: Vec<_> = steps.iter().take(3).cloned().collect();
        let more = match steps.len().saturating_sub(3) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "hold {hold} needs a decision: {}{more}; plan again after the decision",
            shown.join(", ")
        )
    });
    since.collect()
}

/// Whether a plan was made with a decision about a record: an approval of its hold, or an override of
/// its budget. An override of a guard on steps is one about their effects too, and the other way
/// round.
fn is_decided(plan: &Plan, record: &HeldStep) -> bool {
    let hold = format!("hold {}", record.hold);
    let budget = record.budget.split('@').next().unwrap_or_default();
    let kind = kinds::get(record.key.kind).name;
    let is_of_step = |used: &str| match &*record.field {
        "" => used == format!("{kind}.{}", record.verb),
        field => used.starts_with(&format!("{kind}.{field}.")),
    };
    let takes = |used: &str| {
        let caused = plan.effects.listed.iter();
        let mut caused = caused.filter(|effect| effect.name.word() == used);
        caused.any(|effect| effect.because.binary_search(&record.key).is_ok())
    };
    plan.accepted.iter().any(|accepted| {
        let used = accepted.split('=').next().unwrap_or_default();
        accepted.starts_with(&hold)
            || used == budget
            || is_of_step(used)
            || EffectBudget::by_name(used).is_some() && record.field.is_empty() && takes(used)
    })
}

fn has_ended(context: &PlanContext<'_>, left: &PlanRemainder, record: &HeldStep) -> bool {
    let field = field_of(record);
    if let Some(effect) = left.effects.get(&record.key) {
        let done = if record.field.is_empty() {
            verb(effect) == record.verb
        } else {
            change_of(effect, &field).is_some()
        };
        // Planned and not held again, so it was approved or no longer exceeds a limit.
        if done {
            return true;
        }
    }
    // Outside of `--target` nothing was planned, so nothing is known of the step.
    let only = &context.rules.only;
    if only
        .as_ref()
        .is_some_and(|only| !only.contains(&record.key))
    {
        return false;
    }
    match context.desired.resources.get(&record.key) {
        Some(said) => is_declared_otherwise(context, record, said, &field),
        None => is_read(context, &record.key) && no_longer_absent(context, record),
    }
}

/// Whether the source was read completely enough to know that something is not declared.
fn is_read(context: &PlanContext<'_>, key: &Key) -> bool {
    let desired = context.desired;
    context.rules.undeclared.contains(key)
        && desired.removals_off.is_empty()
        && !desired.shielded_keys.contains(key)
        && !desired.blank_keys.contains(key)
        && !desired.hidden_kinds.contains_key(&key.kind)
}

fn no_longer_absent(context: &PlanContext<'_>, record: &HeldStep) -> bool {
    let claim = context.stored.claim(&context.desired.source, &record.key);
    let claimed = claim.is_some_and(|claim| claim.state == ClaimState::Active);
    let row = context.stored.rows.get(&record.key);
    let done = |row: &Row| record.verb == "deactivate" && !is_live(row);
    record.declared != absence_digest() || !claimed || row.is_none_or(done)
}

fn is_declared_otherwise(
    context: &PlanContext<'_>,
    record: &HeldStep,
    said: &DeclaredResource,
    field: &FieldRef,
) -> bool {
    // A faulty value says nothing, and must not end a hold.
    if context
        .desired
        .faulty_fields
        .contains(&(record.key.clone(), field.clone()))
    {
        return false;
    }
    if record.declared != declared(context, &record.key, field) {
        return true;
    }
    let row = context.stored.rows.get(&record.key);
    if record.verb == "create" {
        return row.is_some();
    }
    let Some(row) = row else {
        return true;
    };
    match (record.field.is_empty(), &*record.verb) {
        (true, "deactivate") => !is_live(row),
        (true, "reactivate") => is_live(row),
        (true, _) => false,
        (false, _) => row_has_declared(said, row, field),
    }
}

fn row_has_declared(said: &DeclaredResource, row: &Row, field: &FieldRef) -> bool {
    let kind = kinds::get(row.key.kind);
    let stored = row.value(field);
    said.stated(field).is_some_and(|stated| {
        compare::target(kind.field(field), &stated.cell, stored)
            .is_none_or(|after| after == compare::stored(stored))
    })
}

/// The field of a record: the status, when the whole step was held.
fn field_of(record: &HeldStep) -> FieldRef {
    let kind = kinds::get(record.key.kind);
    let named = kind.field_ref(&record.field);
    named.unwrap_or_else(|| status_of(kind))
}

fn status_of(kind: &Kind) -> FieldRef {
    kinds::own_field(kind.status_index())
}

/// What an effect does to its resource. Only the status counts, so that the record does not depend
/// on other changes of the pass.
fn verb(effect: &PlannedChange) -> &'static str {
    let kind = kinds::get(effect.key.kind);
    match &effect.outcome {
        PlannedOutcome::Delete(_) => "delete",
        PlannedOutcome::Create { .. } => "create",
        PlannedOutcome::Change(_) => change_of(effect, &status_of(kind)).map_or("update", access),
    }
}

fn verb_of(member: &HoldMember) -> &'static str {
    let status = status_of(kinds::get(member.key.kind));
    let change = member.changes.iter().find(|change| change.field == status);
    match member.verb {
        super::StepVerb::Delete => "delete",
        super::StepVerb::Create => "create",
        _ => change.map_or("update", access),
    }
}

fn access(status: &FieldChange) -> &'static str {
    match status.after.as_ref().and_then(Value::as_text) {
        Some("inactive") => "deactivate",
        _ => "reactivate",
    }
}

/// The digest of the declared value of a field.
fn declared(context: &PlanContext<'_>, key: &Key, field: &FieldRef) -> Digest {
    match context.desired.resources.get(key) {
        None => absence_digest(),
        Some(said) => match said.stated(field) {
            None => Digest::of(b"nothing"),
            Some(stated) => Digest::of(&digest::short_digest(&stated.cell).to_le_bytes()),
        },
    }
}

/// Stands for a resource that is no longer declared.
fn absence_digest() -> Digest {
    Digest::of(b"absent")
}

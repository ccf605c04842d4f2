//! Counts what a plan does under each budget: its steps, or what they do to people and accounts. Each
//! comes with the steps of earlier passes that stay held. Start reading at [`count_steps`] and
//! [`count_effects`].

use super::budget_share::{BudgetName, undecided};
use super::context::PlanContext;
use super::dated_changes;
use super::effect_budget::EffectBudget;
use super::effects::{
    self, DeltaLayer, EffectCause, EffectFilter, EffectName, FoundEffect, PlanEffect,
};
use super::guard::{limit_of, name_of};
use super::planned_change::change_of;
use super::remainder::PlanRemainder;
use super::remembered_steps;
use super::rules::GuardLimit;
use crate::check::{PlannedChange, PlannedOutcome, PlannedState};
use crate::kinds;
use crate::model::{CompactText, FieldChange, FieldRef, HeldStep, Key, KeyedList};
use std::collections::{BTreeMap, BTreeSet};

/// One step under a budget.
pub(super) struct CountedStep {
    pub key: Key,
    /// How much it counts by itself.
    pub n: u64,
    /// Under the budget of an effect: those who lose or gain by it, by number. Several steps may
    /// cause the same loss, which counts once.
    pub subjects: Vec<u32>,
    /// The change that counts, or `None` when the whole step does.
    pub change: Option<FieldChange>,
    /// The record of the earlier pass that held it.
    pub record: Option<HeldStep>,
}

impl CountedStep {
    /// The field that counts, or `None` when the whole step does.
    pub fn field(&self) -> Option<FieldRef> {
        self.change.as_ref().map(|change| change.field.clone())
    }
}

pub(super) type BudgetSteps = BTreeMap<BudgetName, Vec<CountedStep>>;

/// How much some steps of a budget count together.
pub(super) fn count(steps: &[&CountedStep]) -> u64 {
    let subjects = steps.iter().flat_map(|step| &step.subjects);
    let subjects: BTreeSet<&u32> = subjects.collect();
    let own: u64 = steps.iter().map(|step| step.n).sum();
    own + subjects.len() as u64
}

/// The number that a hold of these steps names, and that an override repeats.
pub(super) fn shown_count(budget: &str, held: &[&CountedStep]) -> u64 {
    let steps = held.len() as u64;
    match EffectBudget::by_name(budget) {
        None => steps,
        // A step that stays held may no longer take anything from anybody.
        Some(_) => match count(held) {
            0 => steps,
            count => count,
        },
    }
}

/// What the steps do under the budgets of effects, as far as nobody has decided it.
pub(super) fn count_effects(context: &PlanContext<'_>, left: &PlanRemainder) -> BudgetSteps {
    if left.effects.is_empty() {
        return BudgetSteps::new();
    }
    let planned = DeltaLayer::planned(&left.effects);
    let none = BTreeSet::new();
    let found = effects::compare(context.stored, &[&planned], &none, EffectFilter::Budgeted);
    let has_decided_cause = |it: &FoundEffect| {
        let mut own = it.causes.iter().filter(|cause| cause.key == it.effect.key);
        own.any(|cause| !is_open(context, left, cause))
    };
    let decided = if found.found.iter().any(has_decided_cause) {
        decided_effects(context, left)
    } else {
        BTreeSet::new()
    };
    // Whoever decided about the step of somebody has decided whether that person has access, also where
    // an account comes or goes with it. What takes something only together with an open step was not
    // decided.
    let is_decided = |budget: EffectBudget, it: &FoundEffect| {
        has_decided_cause(it) && (!budget.takes() || decided.contains(&identity(&it.effect)))
    };
    let mut subjects: BTreeMap<EffectBudget, BTreeMap<Key, BTreeSet<EffectCause>>> =
        BTreeMap::new();
    for it in found.found {
        let budgets = EffectBudget::ALL.into_iter();
        let mut budgets = budgets.filter(|budget| budget.effect() == it.effect.name);
        if let Some(budget) = budgets.next().filter(|budget| !is_decided(*budget, &it)) {
            let of_budget = subjects.entry(budget).or_default();
            of_budget
                .entry(it.effect.key)
                .or_default()
                .extend(it.causes);
        }
    }
    let counted = subjects.into_iter().map(|(budget, subjects)| {
        let mut steps: BTreeMap<EffectCause, Vec<u32>> = BTreeMap::new();
        for (subject, (_, causes)) in (0u32..).zip(subjects) {
            for cause in causes
                .into_iter()
                .filter(|cause| is_open(context, left, cause))
            {
                steps.entry(cause).or_default().push(subject);
            }
        }
        let steps = steps.into_iter();
        let steps = steps.filter_map(|(cause, subjects)| counted_step(left, cause, subjects));
        (budget.name().to_owned(), steps.collect())
    });
    counted.collect()
}

/// An effect without what causes it: its name, whom it concerns, and the account or policy.
type EffectIdentity = (EffectName, Key, CompactText);

fn identity(effect: &PlanEffect) -> EffectIdentity {
    (effect.name, effect.key.clone(), effect.object.clone())
}

/// What the changes that somebody decided about do by themselves.
fn decided_effects(context: &PlanContext<'_>, left: &PlanRemainder) -> BTreeSet<EffectIdentity> {
    let is_open = |key: &Key, field: Option<&FieldRef>| {
        let cause = EffectCause {
            key: key.clone(),
            field: field.cloned(),
        };
        is_open(context, left, &cause)
    };
    // What only goes with something else is not decided as long as that is open.
    let open = left
        .effects
        .iter()
        .filter(|effect| is_open(&effect.key, None));
    let followers = open.flat_map(PlannedChange::consequences).flat_map(|it| {
        let changes = it.changes.iter().flatten();
        changes.map(|change| (&it.key, &change.field))
    });
    let followers: BTreeSet<(&Key, &FieldRef)> = followers.collect();
    let decided = left.effects.iter().filter_map(|effect| {
        let key = &effect.key;
        let status = kinds::own_field(kinds::get(key.kind).status_index());
        let PlannedOutcome::Change(changes) = &effect.outcome else {
            return (!is_open(key, None)).then(|| effect.clone());
        };
        let changes = changes.iter().filter(|change| {
            let field = Some(&change.field).filter(|field| **field != status);
            !is_open(key, field) && !followers.contains(&(key, &change.field))
        });
        let changes: Vec<FieldChange> = changes.cloned().collect();
        (!changes.is_empty()).then(|| PlannedChange {
            key: key.clone(),
            outcome: PlannedOutcome::Change(changes),
        })
    });
    let decided: KeyedList<PlannedChange> = decided.collect();
    let planned = DeltaLayer::planned(&decided);
    let none = BTreeSet::new();
    let found = effects::compare(context.stored, &[&planned], &none, EffectFilter::Budgeted);
    found.found.iter().map(|it| identity(&it.effect)).collect()
}

fn counted_step(
    left: &PlanRemainder,
    cause: EffectCause,
    subjects: Vec<u32>,
) -> Option<CountedStep> {
    let effect = left.effects.get(&cause.key)?;
    let change = match &cause.field {
        Some(field) => Some(change_of(effect, field)?.clone()),
        None => None,
    };
    Some(CountedStep {
        key: cause.key,
        n: 0,
        subjects,
        change,
        record: None,
    })
}

/// Whether nobody has decided about a cause: no other rule, approval or override.
fn is_open(context: &PlanContext<'_>, left: &PlanRemainder, cause: &EffectCause) -> bool {
    let (ledger, key) = (&left.ledger, &cause.key);
    let status = kinds::own_field(kinds::get(key.kind).status_index());
    let field = cause.field.as_ref().unwrap_or(&status);
    let approved = ledger.approved_fields(key);
    let is_approved = approved.is_some_and(|fields| fields.contains(field));
    let mut doubtful = context.rules.doubtful_fields.iter();
    let is_doubtful = doubtful.any(|it| it.kind == key.kind && it.field == *field);
    let effect = left.effects.get(key);
    let change = cause.field.as_ref().zip(effect);
    let change = change.and_then(|(field, effect)| change_of(effect, field));
    let is_deleted = effect.is_some_and(|it| matches!(it.outcome, PlannedOutcome::Delete(_)));
    let is_dated = !is_deleted
        && (cause.field.is_none() || change.is_some())
        && dated_changes::is_known_end(context, key, change);
    !is_dated
        && !ledger.is_uncounted(key)
        && !is_approved
        && !is_doubtful
        && !ledger.is_accepted(key, cause.field.as_ref())
}

/// The shares of all effects, by budget.
pub(super) fn count_steps(context: &PlanContext<'_>, left: &PlanRemainder) -> BudgetSteps {
    let mut budgets = BudgetSteps::new();
    let world = PlannedState::new(context.stored, context.desired, &left.effects);
    let effects = left.effects.iter();
    for effect in effects.filter(|effect| !left.ledger.is_beyond_guards(&effect.key)) {
        for share in undecided(context, left, &world, effect) {
            budgets.entry(share.budget).or_default().push(CountedStep {
                key: effect.key.clone(),
                n: share.count,
                subjects: Vec::new(),
                change: share.change,
                record: None,
            });
        }
    }
    budgets
}

/// Adds the records of earlier passes to the steps that they concern.
pub(super) fn add_records(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    budgets: &mut BudgetSteps,
    is_effects: bool,
) {
    let of_effects = |budget: &str| EffectBudget::by_name(budget).is_some();
    let records = remembered_steps::guard_records(context);
    let records = records.filter(|record| of_effects(&record.budget) == is_effects);
    for record in records.filter(|record| !left.ledger.is_beyond_guards(&record.key)) {
        // The operator may have raised the limit since; then the record no longer holds anything.
        let trips = |(limit, _): (GuardLimit, String)| {
            limit.is_exceeded_by(record.count, record.earlier, record.total)
        };
        if !limit_of(&context.rules.guards, &record.budget).is_some_and(trips) {
            continue;
        }
        let Some(change) = remembered_steps::planned_again(context, left, record) else {
            continue;
        };
        let cause = EffectCause {
            key: record.key.clone(),
            field: change.as_ref().map(|change| change.field.clone()),
        };
        if is_effects && !is_open(context, left, &cause) {
            continue;
        }
        let members = budgets.entry(record.budget.clone()).or_default();
        match members
            .iter_mut()
            .find(|member| member.key == record.key && (!is_effects || member.change == change))
        {
            Some(member) => member.record = Some(record.clone()),
            None => members.push(CountedStep {
                key: record.key.clone(),
                n: 0,
                subjects: Vec::new(),
                change,
                record: Some(record.clone()),
            }),
        }
    }
}

/// For the budget of each kind, the numbers by which an override can name it: its own steps, and
/// its steps together with those of its accounts.
pub(super) fn totals(budgets: &BudgetSteps) -> BTreeMap<BudgetName, BTreeSet<u64>> {
    let mut keys: BTreeMap<BudgetName, BTreeSet<&Key>> = BTreeMap::new();
    let mut totals: BTreeMap<BudgetName, BTreeSet<u64>> = BTreeMap::new();
    for (budget, members) in budgets {
        let name = name_of(budget).to_owned();
        if name == *budget {
            let count = count(&members.iter().collect::<Vec<_>>());
            totals.entry(name.clone()).or_default().insert(count);
        }
        let all = keys.entry(name).or_default();
        all.extend(members.iter().map(|member| &member.key));
    }
    for (name, keys) in keys {
        totals.entry(name).or_default().insert(keys.len() as u64);
    }
    totals
}

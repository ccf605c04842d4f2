//! Guards: how much one plan may take away or overturn.
//!
//! [`BudgetGuards::of_steps`] counts the steps of the plan under each budget, and
//! [`BudgetGuards::of_effects`] the people and accounts that they concern, both with what earlier
//! passes held (`guard_count.rs`). [`BudgetGuards::judge`] then looks at one budget, given what was decided before,
//! and returns what it holds.

use super::budget_share::{BudgetName, undecided};
use super::context::PlanContext;
use super::effect_budget::EffectBudget;
use super::exceeded_limit::{self, GuardNumbers};
use super::guard_base::{self, BudgetBases};
use super::guard_count::{self, BudgetSteps, CountedStep};
use super::hold::{Hold, HoldMember, effect_member, field_member};
use super::hold_ledger::RuleOutcome;
use super::planned_change;
use super::remainder::PlanRemainder;
use super::remembered_steps;
use super::rules::{AcceptOverride, GuardLimit, GuardLimits};
use super::types::Plan;
use crate::check::PlannedState;
use crate::diagnostic::codes;
use crate::kinds;
use crate::model::{HeldStep, Key};
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct BudgetGuards {
    /// `None` for the budgets of effects, whose bases do not depend on what is held.
    bases: Option<BudgetBases>,
    totals: BTreeMap<BudgetName, BTreeSet<u64>>,
    budgets: BudgetSteps,
}

impl BudgetGuards {
    /// Counts the steps of the plan that no other rule has decided.
    pub fn of_steps(context: &PlanContext<'_>, left: &PlanRemainder) -> Self {
        Self {
            bases: Some(BudgetBases::of(context, left)),
            ..Self::counted(
                context,
                left,
                guard_count::count_steps(context, left),
                false,
            )
        }
    }

    /// Counts what the steps do to people and accounts, as far as no other rule has decided it.
    pub fn of_effects(context: &PlanContext<'_>, left: &PlanRemainder) -> Self {
        Self::counted(
            context,
            left,
            guard_count::count_effects(context, left),
            true,
        )
    }

    fn counted(
        context: &PlanContext<'_>,
        left: &PlanRemainder,
        mut budgets: BudgetSteps,
        is_effects: bool,
    ) -> Self {
        guard_count::add_records(context, left, &mut budgets, is_effects);
        budgets.retain(|_, steps| !steps.is_empty());
        Self {
            bases: None,
            totals: guard_count::totals(&budgets),
            budgets,
        }
    }

    /// The overrides of the budgets of effects. They cover the budgets of the steps too, so they
    /// come first.
    pub fn effect_overrides(context: &PlanContext<'_>, left: &PlanRemainder) -> Vec<RuleOutcome> {
        let is_effect = |accept: &AcceptOverride| match accept {
            AcceptOverride::Budget(budget, _) => EffectBudget::by_name(budget).is_some(),
            _ => false,
        };
        if !context.rules.accepts.iter().any(is_effect) {
            return Vec::new();
        }
        let guards = Self::of_effects(context, left);
        let outcomes = guards
            .budgets()
            .map(|budget| guards.judge(context, left, budget));
        outcomes
            .filter(|outcome| outcome.exempt_budget.is_some())
            .collect()
    }

    /// The budgets in the order of judging. A decision about a whole kind covers its accounts, so
    /// kinds come first.
    pub fn budgets(&self) -> impl Iterator<Item = &str> {
        let is_account = |budget: &&str| budget.contains('@');
        let all = || self.budgets.keys().map(String::as_str);
        let kinds = all().filter(move |budget| !is_account(budget));
        kinds.chain(all().filter(is_account))
    }

    /// Holds the steps of a budget that exceed its limit, and those that an earlier pass held.
    pub fn judge(
        &self,
        context: &PlanContext<'_>,
        left: &PlanRemainder,
        budget: &str,
    ) -> RuleOutcome {
        let mut outcome = RuleOutcome::default();
        let Some((limit, config)) = limit_of(&context.rules.guards, budget) else {
            return outcome;
        };
        let all = self.budgets.get(budget).map_or(&[][..], Vec::as_slice);
        let is_decided = |step: &CountedStep| {
            let whole = step.change.is_none() && is_removal_decided(left, &step.key);
            whole || left.ledger.is_blocked(&step.key)
        };
        // One hold is enough: if every step is decided already, the account's guard has nothing to
        // add.
        if budget.contains('@') && all.iter().all(is_decided) || left.ledger.is_exempt(budget) {
            return outcome;
        }
        let steps = without_approved(context, left, all, &mut outcome);
        let count = guard_count::count(&steps);
        let spent = &context.stored.budget_use;
        let earlier = spent.get(budget).copied().unwrap_or_default();
        let total = self.base(context, left, budget, &steps);
        // The whole budget is held, not only what exceeds the limit: nobody could say which of the
        // customers are the wrong ones.
        let trips = count > 0 && limit.is_exceeded_by(count, earlier, total);
        // A step that was held stays held, although the share may have become small: rows added
        // since are no decision about it.
        let is_held = |step: &&CountedStep| trips || step.record.is_some();
        let mut held: Vec<&CountedStep> = steps.into_iter().filter(is_held).collect();
        if held.is_empty() {
            return outcome;
        }
        let shown = guard_count::shown_count(budget, &held);
        if let Some(consent) = self.override_of(context, budget, [count, shown]) {
            outcome.consents.push(consent);
            outcome.exempt_budget = Some(budget.to_owned());
            let steps = held.iter().map(|step| (step.key.clone(), step.field()));
            outcome.accepted_steps = steps.collect();
            return outcome;
        }
        // Whoever accepted by number who loses access has accepted the steps that take it.
        held.retain(|step| !left.ledger.is_accepted(&step.key, None) || step.change.is_some());
        if held.is_empty() {
            return outcome;
        }
        let shown = guard_count::shown_count(budget, &held);
        let records = || held.iter().filter_map(|step| step.record.as_ref());
        let numbers = GuardNumbers {
            count: shown,
            // Held by its record, a step shows the numbers that tripped then; today's would not
            // explain the hold.
            earlier: records()
                .map(|record| record.earlier)
                .filter(|_| !trips)
                .fold(earlier, u64::max),
            total: records().map(|record| record.total).fold(total, u64::min),
            limit,
            config,
        };
        let hold = guard_hold(context, left, budget, &held, &numbers);
        // Where each step is held already, one hold more would say nothing new. Of the very same
        // steps it is no other hold, and its message names both limits.
        let is_known = || left.ledger.is_guard_hold(context, &hold);
        let is_blocked =
            |step: &&CountedStep| left.ledger.is_held(&step.key, step.field().as_ref());
        if EffectBudget::by_name(budget).is_some() && held.iter().all(is_blocked) && !is_known() {
            return outcome;
        }
        outcome.holds.push(Hold {
            records: self::records(context, left, budget, &held, &numbers, trips),
            ..hold
        });
        outcome
    }

    /// Of how many the count of a budget is a share.
    fn base(
        &self,
        context: &PlanContext<'_>,
        left: &PlanRemainder,
        budget: &str,
        steps: &[&CountedStep],
    ) -> u64 {
        match &self.bases {
            Some(bases) => {
                let own = steps.iter().map(|step| &step.key);
                bases.base_for_budget(context, left, budget, own)
            }
            None => guard_base::of_effect(context, budget),
        }
    }

    /// The override that covers a budget, after which nothing counts against it.
    fn override_of(
        &self,
        context: &PlanContext<'_>,
        budget: &str,
        counts: [u64; 2],
    ) -> Option<String> {
        let name = name_of(budget);
        // Only an exact number counts: an override for 104 is no permission for 105.
        let whole = |n: &u64| self.totals.get(name).is_some_and(|all| all.contains(n));
        let mut accepts = context.rules.accepts.iter();
        accepts.find_map(|accept| match accept {
            AcceptOverride::Budget(given, n)
                if given == budget && counts.contains(n)
                    || given != budget && given == name && whole(n) =>
            {
                Some(format!("{given}={n}"))
            }
            _ => None,
        })
    }
}

/// Whether somebody already decided that a resource goes or becomes inactive. An approved change of
/// another field, such as a link to a deleted account, does not say so.
fn is_removal_decided(left: &PlanRemainder, key: &Key) -> bool {
    let status = kinds::own_field(kinds::get(key.kind).status_index());
    let approved = left.ledger.approved_fields(key);
    left.ledger.is_uncounted(key) || approved.is_some_and(|fields| fields.contains(&status))
}

/// The budget of the kind, also for the budget of one of its accounts.
pub(super) fn name_of(budget: &str) -> &str {
    budget.split('@').next().unwrap_or_default()
}

/// The steps without those approved under an earlier hold. More steps of the same kind make another
/// hold; the approval of these stays valid.
fn without_approved<'s>(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    steps: &'s [CountedStep],
    outcome: &mut RuleOutcome,
) -> Vec<&'s CountedStep> {
    let approved = context.approved;
    let mut undecided = Vec::new();
    for counted in steps {
        let approval = counted.record.as_ref().and_then(|record| {
            let part = format!("{} {}", record.hold, record.key);
            let given = [record.hold.clone(), part].into_iter();
            let given = given.into_iter().find(|given| approved.contains(given))?;
            let member = held_member(context, left, counted)?;
            // An approval covers the values that were seen. A step with other values is undecided.
            (member.digest() == record.step).then_some((given, member))
        });
        match approval {
            Some((given, member)) => {
                outcome.consents.push(format!("hold {given}"));
                outcome.approved.push(member);
            }
            None => undecided.push(counted),
        }
    }
    undecided
}

/// What to remember of the held steps for later passes.
fn records(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    budget: &str,
    held: &[&CountedStep],
    numbers: &GuardNumbers,
    trips: bool,
) -> Vec<HeldStep> {
    let records = held.iter().filter_map(|counted| {
        let member = held_member(context, left, counted)?;
        let field = counted.change.as_ref().map(|change| &change.field);
        let step = remembered_steps::step(context, budget, &member, field);
        // A step that stays held keeps the numbers by which it was first held.
        let (count, earlier, total) = match (&counted.record, trips) {
            (Some(record), false) => (record.count, record.earlier, record.total),
            _ => (numbers.count, numbers.earlier, numbers.total),
        };
        Some(HeldStep {
            count,
            earlier,
            total: total.min(numbers.total),
            ..step
        })
    });
    records.collect()
}

fn guard_hold(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    budget: &str,
    held: &[&CountedStep],
    numbers: &GuardNumbers,
) -> Hold {
    let limits = vec![exceeded_limit::exceeded_limit(context, budget, numbers)];
    let members = held.iter();
    let members = members.filter_map(|counted| held_member(context, left, counted));
    Hold {
        count: Some(numbers.count),
        total: Some(numbers.total),
        limit: Some(numbers.limit.allowed(numbers.total)),
        accept_option: Some(exceeded_limit::overrides(&limits)),
        members: members.collect(),
        limits: limits.clone(),
        ..Hold::without_members(codes::GUARD, exceeded_limit::message(&limits))
    }
}

fn held_member(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    counted: &CountedStep,
) -> Option<HoldMember> {
    let effect = left.effects.get(&counted.key)?;
    Some(match &counted.change {
        None => effect_member(context, effect, planned_change::verb(context, effect)),
        Some(change) => field_member(context, &counted.key, change.clone()),
    })
}

/// What the steps that are left use up of each budget; what somebody let through does not count.
pub(super) fn budget_use(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
) -> BTreeMap<BudgetName, u64> {
    let world = PlannedState::new(context.stored, context.desired, &left.effects);
    let ledger = &left.ledger;
    let mut spent = BTreeMap::new();
    let effects = left.effects.iter();
    for effect in effects.filter(|effect| !ledger.is_uncounted(&effect.key)) {
        for share in undecided(context, left, &world, effect) {
            // An override for the whole kind covers the accounts.
            let exempt =
                ledger.is_exempt(&share.budget) || ledger.is_exempt(name_of(&share.budget));
            let accepted = share.change.is_none() && ledger.is_accepted(&effect.key, None);
            if !exempt && !accepted && limit_of(&context.rules.guards, &share.budget).is_some() {
                *spent.entry(share.budget).or_default() += share.count;
            }
        }
    }
    for (budget, steps) in guard_count::count_effects(context, left) {
        let count = guard_count::count(&steps.iter().collect::<Vec<_>>());
        if count > 0 && !ledger.is_exempt(&budget) {
            spent.insert(budget, count);
        }
    }
    spent
}

/// What an earlier plan would exceed now, given what its source has `spent` since.
#[must_use]
pub fn over_budget(
    plan: &Plan,
    guards: &GuardLimits,
    spent: &BTreeMap<String, u64>,
) -> Vec<String> {
    let over = plan.budget_use.iter().filter_map(|(budget, count)| {
        let (limit, config) = limit_of(guards, budget)?;
        let numbers = GuardNumbers {
            count: *count,
            earlier: spent.get(budget).copied().unwrap_or_default(),
            total: plan.budget_bases.get(budget).copied().unwrap_or_default(),
            limit,
            config,
        };
        let trips = limit.is_exceeded_by(*count, numbers.earlier, numbers.total);
        trips.then(|| exceeded_limit::describe_excess(budget, &numbers))
    });
    over.collect()
}

/// The limit of a budget, and its key in the configuration.
pub(super) fn limit_of(guards: &GuardLimits, budget: &str) -> Option<(GuardLimit, String)> {
    if let Some(effect) = EffectBudget::by_name(budget) {
        return Some((*guards.effects.get(&effect)?, format!("guards.{budget}")));
    }
    if budget.contains('@') {
        return Some((guards.per_account, "guards.perAccount".into()));
    }
    let (name, verb) = budget.rsplit_once('.')?;
    let limit = match verb {
        "deactivate" => guards.deactivate,
        "delete" => guards.delete,
        "reactivate" => guards.reactivate,
        "clear" => guards.clear,
        "unlink" => guards.unlink,
        _ => return Some((*guards.change.get(name)?, format!("guards.change.{name}"))),
    };
    Some((limit, format!("guards.{verb}")))
}

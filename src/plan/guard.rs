//! Guards: how much one plan may take away or overturn, as data.

use super::budget_share::{BudgetName, undecided};
use super::context::PlanContext;
use super::draft::field_member;
use super::exceeded_limit::{self, ExceededLimit, GuardNumbers, TrippedLimits};
use super::forbid::effect_member;
use super::guard_base::BudgetBases;
use super::hold::{Hold, HoldMember};
use super::order;
use super::planner::PlanInProgress;
use super::remembered_steps;
use super::rules::{AcceptOverride, GuardLimit, GuardLimits};
use super::types::Plan;
use crate::check::PlannedState;
use crate::diagnostic::codes;
use crate::model::{FieldChange, HeldStep, Key};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// One step under a budget.
struct CountedStep {
    key: Key,
    /// How much it counts; nothing when only its record says that it is held.
    n: u64,
    /// The change that counts, or `None` when the whole effect does.
    change: Option<FieldChange>,
    /// The record of an earlier pass that held it.
    record: Option<HeldStep>,
}

/// The steps under each budget.
type BudgetSteps = BTreeMap<BudgetName, Vec<CountedStep>>;

/// Holds what trips a limit, and what an earlier pass held; `covered` is left alone.
pub(super) fn guards(
    context: &PlanContext<'_>,
    work: &mut PlanInProgress,
    bases: &BudgetBases,
    covered: &BTreeSet<Key>,
) {
    let mut budgets = count_steps(context, work, covered);
    add_records(context, work, covered, &mut budgets);
    let totals = totals(&budgets);
    // What is decided of a whole kind covers its accounts, so kinds come first.
    let (accounts, kinds): (Vec<_>, Vec<_>) = budgets
        .into_iter()
        .partition(|(budget, _)| budget.contains('@'));
    let mut guard = GuardEvaluator {
        context,
        bases,
        totals,
        tripped: TrippedLimits::default(),
    };
    for (budget, members) in kinds {
        guard.judge(work, &budget, members);
    }
    for (budget, members) in accounts {
        let decided = |member: &CountedStep| {
            let whole = member.change.is_none() && work.approved_fields.contains_key(&member.key);
            whole || work.blocked.contains_key(&member.key)
        };
        if !members.iter().all(decided) {
            guard.judge(work, &budget, members);
        }
    }
}

/// What the effects count against.
fn count_steps(
    context: &PlanContext<'_>,
    work: &PlanInProgress,
    covered: &BTreeSet<Key>,
) -> BudgetSteps {
    let mut budgets = BudgetSteps::new();
    let world = PlannedState::new(context.stored, context.desired, &work.effects);
    let effects = work.effects.iter();
    for effect in effects.filter(|effect| !covered.contains(&effect.key)) {
        for share in undecided(context, work, &world, effect) {
            budgets.entry(share.budget).or_default().push(CountedStep {
                key: effect.key.clone(),
                n: share.count,
                change: share.change,
                record: None,
            });
        }
    }
    budgets
}

/// Adds the records of earlier passes to the steps that they are about.
fn add_records(
    context: &PlanContext<'_>,
    work: &PlanInProgress,
    covered: &BTreeSet<Key>,
    budgets: &mut BudgetSteps,
) {
    for record in
        remembered_steps::guard_records(context).filter(|record| !covered.contains(&record.key))
    {
        // Under another limit of the configuration it may not be held at all.
        let trips = |(limit, _): (GuardLimit, String)| {
            limit.is_exceeded_by(record.count, record.earlier, record.total)
        };
        if !limit_of(&context.rules.guards, &record.budget).is_some_and(trips) {
            continue;
        }
        let Some(change) = remembered_steps::planned_again(context, work, record) else {
            continue;
        };
        let members = budgets.entry(record.budget.clone()).or_default();
        match members.iter_mut().find(|member| member.key == record.key) {
            Some(member) => member.record = Some(record.clone()),
            None => members.push(CountedStep {
                key: record.key.clone(),
                n: 0,
                change,
                record: Some(record.clone()),
            }),
        }
    }
}

/// Of every kind's budget, the numbers by which an override can name it: its own steps, and those of
/// its accounts with them.
fn totals(budgets: &BudgetSteps) -> BTreeMap<BudgetName, BTreeSet<u64>> {
    let mut keys: BTreeMap<BudgetName, BTreeSet<&Key>> = BTreeMap::new();
    let mut totals: BTreeMap<BudgetName, BTreeSet<u64>> = BTreeMap::new();
    for (budget, members) in budgets {
        let name = name_of(budget).to_owned();
        if name == *budget {
            let count = members.iter().map(|member| member.n).sum();
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

/// The budget of the kind, of one of its accounts too.
fn name_of(budget: &str) -> &str {
    budget.split('@').next().unwrap_or_default()
}

/// The guards of one plan.
struct GuardEvaluator<'a> {
    context: &'a PlanContext<'a>,
    bases: &'a BudgetBases,
    totals: BTreeMap<BudgetName, BTreeSet<u64>>,
    tripped: TrippedLimits,
}

impl GuardEvaluator<'_> {
    fn judge(&mut self, work: &mut PlanInProgress, budget: &BudgetName, members: Vec<CountedStep>) {
        let context = self.context;
        let Some((limit, config)) = limit_of(&context.rules.guards, budget) else {
            return;
        };
        let members = without_approved(context, work, members);
        let count: u64 = members.iter().map(|member| member.n).sum();
        let spent = &context.stored.budget_use;
        let earlier = spent.get(budget).copied().unwrap_or_default();
        let own = members.iter().map(|member| &member.key);
        let total = self.bases.base_for_budget(context, work, budget, own);
        let trips = count > 0 && limit.is_exceeded_by(count, earlier, total);
        let held: Vec<CountedStep> = if trips {
            members
        } else {
            let recorded = members.into_iter();
            recorded.filter(|member| member.record.is_some()).collect()
        };
        if held.is_empty() || self.accepted(work, budget, [count, held.len() as u64]) {
            return;
        }
        let records = || held.iter().filter_map(|member| member.record.as_ref());
        let numbers = GuardNumbers {
            count: held.len() as u64,
            earlier: records()
                .map(|record| record.earlier)
                .filter(|_| !trips)
                .fold(earlier, u64::max),
            total: records().map(|record| record.total).fold(total, u64::min),
            limit,
            config,
        };
        let limited = exceeded_limit::exceeded_limit(context, budget, &numbers);
        let hold = trip(context, work, &held, &numbers, &limited);
        let entries = self.tripped.hold(context, work, hold, limited);
        record(context, work, budget, entries, held, &numbers, trips);
    }

    /// Whether an override covers a budget; then nothing counts against it.
    fn accepted(&self, work: &mut PlanInProgress, budget: &BudgetName, counts: [u64; 2]) -> bool {
        let name = name_of(budget);
        let whole = |n: &u64| self.totals.get(name).is_some_and(|all| all.contains(n));
        let covers = |accept: &&AcceptOverride| match accept {
            AcceptOverride::Budget(given, n) if given == budget => counts.contains(n),
            AcceptOverride::Budget(given, n) => given == name && whole(n),
            _ => false,
        };
        let accept = self.context.rules.accepts.iter().find(covers);
        if let Some(AcceptOverride::Budget(given, n)) = accept {
            work.used_consents.push(format!("{given}={n}"));
            work.exempt_budgets.insert(budget.clone());
        }
        accept.is_some()
    }
}

/// Takes out the steps that a person approved under the hold of an earlier pass: more of the same
/// kind beside them is another hold, and the approval stays what it was.
fn without_approved(
    context: &PlanContext<'_>,
    work: &mut PlanInProgress,
    members: Vec<CountedStep>,
) -> Vec<CountedStep> {
    let approved = &context.stored.approved_holds;
    let mut left = Vec::new();
    for counted in members {
        let approval = counted.record.as_ref().and_then(|record| {
            let part = format!("{} {}", record.hold, record.key);
            let given = [record.hold.clone(), part].into_iter();
            let given = given.into_iter().find(|given| approved.contains(given))?;
            let member = held_member(context, work, &counted)?;
            (member.digest() == record.step).then_some((given, member))
        });
        match approval {
            Some((given, member)) => {
                work.used_consents.push(format!("hold {given}"));
                work.let_member_through(member);
            }
            None => left.push(counted),
        }
    }
    left
}

/// Remembers what was held, for later passes.
fn record(
    context: &PlanContext<'_>,
    work: &mut PlanInProgress,
    budget: &BudgetName,
    entries: Range<usize>,
    held: Vec<CountedStep>,
    numbers: &GuardNumbers,
    trips: bool,
) {
    let ids = work.held[entries].iter();
    let ids: BTreeMap<Key, String> = ids.map(|it| (it.key.clone(), it.hold.clone())).collect();
    for counted in held {
        let Some(id) = ids.get(&counted.key) else {
            continue;
        };
        let Some(member) = held_member(context, work, &counted) else {
            continue;
        };
        let field = counted.change.as_ref().map(|change| &change.field);
        let step = remembered_steps::step(context, budget, id, &member, field);
        let judged = match (&counted.record, trips) {
            (Some(record), false) => (record.count, record.earlier, record.total),
            _ => (numbers.count, numbers.earlier, numbers.total),
        };
        work.remembered.push(HeldStep {
            count: judged.0,
            earlier: judged.1,
            total: judged.2.min(numbers.total),
            ..step
        });
    }
}

fn trip(
    context: &PlanContext<'_>,
    work: &PlanInProgress,
    held: &[CountedStep],
    numbers: &GuardNumbers,
    limited: &ExceededLimit,
) -> Hold {
    let members = held.iter();
    Hold {
        code: codes::GUARD,
        message: exceeded_limit::message(std::slice::from_ref(limited)),
        count: Some(numbers.count),
        total: Some(numbers.total),
        limit: Some(numbers.limit.allowed(numbers.total)),
        accept_option: Some(limited.accept_option.clone()),
        members: members
            .filter_map(|counted| held_member(context, work, counted))
            .collect(),
    }
}

fn held_member(
    context: &PlanContext<'_>,
    work: &PlanInProgress,
    counted: &CountedStep,
) -> Option<HoldMember> {
    let effect = work.effects.get(&counted.key)?;
    Some(match &counted.change {
        None => effect_member(context, effect, order::verb(context, effect)),
        Some(change) => field_member(context, &counted.key, change.clone()),
    })
}

/// What the steps that are left use up of each budget; what somebody let through does not count.
pub(super) fn budget_use(
    context: &PlanContext<'_>,
    work: &PlanInProgress,
) -> BTreeMap<BudgetName, u64> {
    let world = PlannedState::new(context.stored, context.desired, &work.effects);
    let mut spent = BTreeMap::new();
    for effect in work
        .effects
        .iter()
        .filter(|effect| !work.let_through.contains(&effect.key))
    {
        for share in undecided(context, work, &world, effect) {
            // An override for the whole kind covers the accounts.
            let kind = name_of(&share.budget);
            let exempt =
                work.exempt_budgets.contains(&share.budget) || work.exempt_budgets.contains(kind);
            if !exempt && limit_of(&context.rules.guards, &share.budget).is_some() {
                *spent.entry(share.budget).or_default() += share.count;
            }
        }
    }
    spent
}

/// What a plan that was made earlier would be over now, by what its source has `spent` since.
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

/// The limit of a budget and its key in the configuration.
fn limit_of(guards: &GuardLimits, budget: &str) -> Option<(GuardLimit, String)> {
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

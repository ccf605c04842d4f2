//! Guards: how much one plan may take away or overturn, as data.

use super::draft::{Context, partial};
use super::forbid::whole;
use super::guard_base::Bases;
use super::hold::{Hold, Member};
use super::limited::{self, Limited, Numbers, Tripped};
use super::order;
use super::planner::Work;
use super::remember;
use super::rules::{Accept, Guards, Limit};
use super::share::{Budget, undecided};
use super::types::Plan;
use crate::check::World;
use crate::diagnostic::codes;
use crate::model::{Change, HeldStep, Key};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// One step under a budget.
struct Counted {
    key: Key,
    /// How much it counts; nothing when only its record says that it is held.
    n: u64,
    /// The change that counts, or `None` when the whole effect does.
    change: Option<Change>,
    /// The record of an earlier pass that held it.
    record: Option<HeldStep>,
}

/// The steps under each budget.
type Budgets = BTreeMap<Budget, Vec<Counted>>;

/// Holds what trips a limit, and what an earlier pass held; `covered` is left alone.
pub(super) fn guards(
    context: &Context<'_>,
    work: &mut Work,
    bases: &Bases,
    covered: &BTreeSet<Key>,
) {
    let mut budgets = counted(context, work, covered);
    add_records(context, work, covered, &mut budgets);
    let totals = totals(&budgets);
    // What is decided of a whole kind covers its accounts, so kinds come first.
    let (accounts, kinds): (Vec<_>, Vec<_>) = budgets
        .into_iter()
        .partition(|(budget, _)| budget.contains('@'));
    let mut guard = Guard {
        context,
        bases,
        totals,
        tripped: Tripped::default(),
    };
    for (budget, members) in kinds {
        guard.judge(work, &budget, members);
    }
    for (budget, members) in accounts {
        let decided = |member: &Counted| {
            let whole = member.change.is_none() && work.decided.contains_key(&member.key);
            whole || work.blocked.contains_key(&member.key)
        };
        if !members.iter().all(decided) {
            guard.judge(work, &budget, members);
        }
    }
}

/// What the effects count against.
fn counted(context: &Context<'_>, work: &Work, covered: &BTreeSet<Key>) -> Budgets {
    let mut budgets = Budgets::new();
    let world = World::new(context.stored, context.desired, &work.effects);
    let effects = work.effects.iter();
    for effect in effects.filter(|effect| !covered.contains(&effect.key)) {
        for share in undecided(context, work, &world, effect) {
            budgets.entry(share.budget).or_default().push(Counted {
                key: effect.key.clone(),
                n: share.n,
                change: share.change,
                record: None,
            });
        }
    }
    budgets
}

/// Adds the records of earlier passes to the steps that they are about.
fn add_records(context: &Context<'_>, work: &Work, covered: &BTreeSet<Key>, budgets: &mut Budgets) {
    for record in remember::records(context).filter(|record| !covered.contains(&record.key)) {
        // Under another limit of the configuration it may not be held at all.
        let trips =
            |(limit, _): (Limit, String)| limit.trips(record.count, record.earlier, record.total);
        if !limit_of(&context.rules.guards, &record.budget).is_some_and(trips) {
            continue;
        }
        let Some(change) = remember::planned_again(context, work, record) else {
            continue;
        };
        let members = budgets.entry(record.budget.clone()).or_default();
        match members.iter_mut().find(|member| member.key == record.key) {
            Some(member) => member.record = Some(record.clone()),
            None => members.push(Counted {
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
fn totals(budgets: &Budgets) -> BTreeMap<Budget, BTreeSet<u64>> {
    let mut keys: BTreeMap<Budget, BTreeSet<&Key>> = BTreeMap::new();
    let mut totals: BTreeMap<Budget, BTreeSet<u64>> = BTreeMap::new();
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
struct Guard<'a> {
    context: &'a Context<'a>,
    bases: &'a Bases,
    totals: BTreeMap<Budget, BTreeSet<u64>>,
    tripped: Tripped,
}

impl Guard<'_> {
    fn judge(&mut self, work: &mut Work, budget: &Budget, members: Vec<Counted>) {
        let context = self.context;
        let Some((limit, config)) = limit_of(&context.rules.guards, budget) else {
            return;
        };
        let members = without_approved(context, work, members);
        let count: u64 = members.iter().map(|member| member.n).sum();
        let spent = &context.stored.spent;
        let earlier = spent.get(budget).copied().unwrap_or_default();
        let own = members.iter().map(|member| &member.key);
        let total = self.bases.left(context, work, budget, own);
        let trips = count > 0 && limit.trips(count, earlier, total);
        let held: Vec<Counted> = if trips {
            members
        } else {
            let recorded = members.into_iter();
            recorded.filter(|member| member.record.is_some()).collect()
        };
        if held.is_empty() || self.accepted(work, budget, [count, held.len() as u64]) {
            return;
        }
        let records = || held.iter().filter_map(|member| member.record.as_ref());
        let numbers = Numbers {
            count: held.len() as u64,
            earlier: records()
                .map(|record| record.earlier)
                .filter(|_| !trips)
                .fold(earlier, u64::max),
            total: records().map(|record| record.total).fold(total, u64::min),
            limit,
            config,
        };
        let limited = limited::limited(context, budget, &numbers);
        let hold = trip(context, work, &held, &numbers, &limited);
        let entries = self.tripped.hold(context, work, hold, limited);
        record(context, work, budget, entries, held, &numbers, trips);
    }

    /// Whether an override covers a budget; then nothing counts against it.
    fn accepted(&self, work: &mut Work, budget: &Budget, counts: [u64; 2]) -> bool {
        let name = name_of(budget);
        let whole = |n: &u64| self.totals.get(name).is_some_and(|all| all.contains(n));
        let covers = |accept: &&Accept| match accept {
            Accept::Budget(given, n) if given == budget => counts.contains(n),
            Accept::Budget(given, n) => given == name && whole(n),
            _ => false,
        };
        let accept = self.context.rules.accepts.iter().find(covers);
        if let Some(Accept::Budget(given, n)) = accept {
            work.used.push(format!("{given}={n}"));
            work.exempt.insert(budget.clone());
        }
        accept.is_some()
    }
}

/// Takes out the steps that a person approved under the hold of an earlier pass: more of the same
/// kind beside them is another hold, and the approval stays what it was.
fn without_approved(context: &Context<'_>, work: &mut Work, members: Vec<Counted>) -> Vec<Counted> {
    let approved = &context.stored.approved;
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
                work.used.push(format!("hold {given}"));
                work.decide(member);
            }
            None => left.push(counted),
        }
    }
    left
}

/// Remembers what was held, for later passes.
fn record(
    context: &Context<'_>,
    work: &mut Work,
    budget: &Budget,
    entries: Range<usize>,
    held: Vec<Counted>,
    numbers: &Numbers,
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
        let step = remember::step(context, budget, id, &member, field);
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
    context: &Context<'_>,
    work: &Work,
    held: &[Counted],
    numbers: &Numbers,
    limited: &Limited,
) -> Hold {
    let members = held.iter();
    Hold {
        code: codes::GUARD,
        message: limited::message(std::slice::from_ref(limited)),
        count: Some(numbers.count),
        of: Some(numbers.total),
        limit: Some(numbers.limit.allowed(numbers.total)),
        over: Some(limited.over.clone()),
        members: members
            .filter_map(|counted| held_member(context, work, counted))
            .collect(),
    }
}

fn held_member(context: &Context<'_>, work: &Work, counted: &Counted) -> Option<Member> {
    let effect = work.effects.get(&counted.key)?;
    Some(match &counted.change {
        None => whole(context, effect, order::verb(context, effect)),
        Some(change) => partial(context, &counted.key, change.clone()),
    })
}

/// What the steps that are left use up of each budget; what somebody let through does not count.
pub(super) fn spent(context: &Context<'_>, work: &Work) -> BTreeMap<Budget, u64> {
    let world = World::new(context.stored, context.desired, &work.effects);
    let mut spent = BTreeMap::new();
    for effect in work
        .effects
        .iter()
        .filter(|effect| !work.let_through.contains(&effect.key))
    {
        for share in undecided(context, work, &world, effect) {
            // An override for the whole kind covers the accounts.
            let kind = name_of(&share.budget);
            let exempt = work.exempt.contains(&share.budget) || work.exempt.contains(kind);
            if !exempt && limit_of(&context.rules.guards, &share.budget).is_some() {
                *spent.entry(share.budget).or_default() += share.n;
            }
        }
    }
    spent
}

/// What a plan that was made earlier would be over now, by what its source has `spent` since.
#[must_use]
pub fn over_budget(plan: &Plan, guards: &Guards, spent: &BTreeMap<String, u64>) -> Vec<String> {
    let over = plan.spent.iter().filter_map(|(budget, count)| {
        let (limit, config) = limit_of(guards, budget)?;
        let numbers = Numbers {
            count: *count,
            earlier: spent.get(budget).copied().unwrap_or_default(),
            total: plan.bases.get(budget).copied().unwrap_or_default(),
            limit,
            config,
        };
        let trips = limit.trips(*count, numbers.earlier, numbers.total);
        trips.then(|| limited::said(budget, &numbers))
    });
    over.collect()
}

/// The limit of a budget and its key in the configuration.
fn limit_of(guards: &Guards, budget: &str) -> Option<(Limit, String)> {
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

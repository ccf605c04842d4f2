//! Guards: how much one plan may take away or overturn, as data.

use super::draft::{Context, member};
use super::forbid::whole;
use super::hold::{Hold, Member};
use super::order;
use super::planner::Work;
use super::rules::{Accept, Limit};
use super::share::{Budget, is_live, undecided};
use crate::check::{Effect, World};
use crate::diagnostic::codes;
use crate::kinds;
use crate::model::{Change, ClaimState, Key, KindId, Row, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// How many live rows of each kind the source claims or adopts, before the plan.
pub(super) fn live(context: &Context<'_>, work: &Work) -> BTreeMap<KindId, u64> {
    let mut live = BTreeMap::new();
    for row in &context.stored.rows {
        if is_live(row) && is_ours(context, work, &row.key) {
            *live.entry(row.key.kind).or_default() += 1;
        }
    }
    live
}

fn is_ours(context: &Context<'_>, work: &Work, key: &Key) -> bool {
    context
        .stored
        .claim(&context.desired.source, key)
        .is_some_and(|claim| claim.state == ClaimState::Active)
        || work.effects.contains(key)
}

/// Holds what trips a limit; `covered` is left alone. Records what the plan uses up.
pub(super) fn guards(
    context: &Context<'_>,
    work: &mut Work,
    live: &BTreeMap<KindId, u64>,
    covered: &BTreeSet<Key>,
) {
    let mut budgets: BTreeMap<Budget, Vec<(Key, u64, Option<Change>)>> = BTreeMap::new();
    let world = World::new(context.stored, context.desired, &work.effects);
    for effect in work
        .effects
        .iter()
        .filter(|effect| !covered.contains(&effect.key))
    {
        for share in undecided(context, work, &world, effect) {
            let entry = (effect.key.clone(), share.n, share.change);
            budgets.entry(share.budget).or_default().push(entry);
        }
    }
    // What is decided of a whole kind covers its accounts, so kinds come first.
    let (accounts, kinds): (Vec<_>, Vec<_>) = budgets
        .into_iter()
        .partition(|(budget, _)| budget.contains('@'));
    let mut tripped = Tripped::default();
    for (budget, members) in kinds {
        guard(context, work, live, &mut tripped, budget, members);
    }
    for (budget, members) in accounts {
        let decided = |(key, _, change): &(Key, u64, Option<Change>)| {
            work.blocked.contains_key(key) || (change.is_none() && work.decided.contains_key(key))
        };
        if !members.iter().all(decided) {
            guard(context, work, live, &mut tripped, budget, members);
        }
    }
}

/// The holds of guards by their id. One step may trip several limits, a group that is exchanged
/// both `change` and `unlink`: what is held is the same, so it is one hold that says all of them.
#[derive(Default)]
struct Tripped(BTreeMap<String, (Range<usize>, Vec<Limited>)>);

impl Tripped {
    fn hold(&mut self, context: &Context<'_>, work: &mut Work, hold: Hold, limited: Limited) {
        let id = hold.id(&context.desired.source, &context.rules.salt);
        if let Some((entries, all)) = self.0.get_mut(&id) {
            all.push(limited);
            for held in &mut work.held[entries.clone()] {
                held.message = message(all);
                held.over = Some(overrides(all));
            }
            return;
        }
        let before = work.held.len();
        work.hold(context, hold);
        self.0.insert(id, (before..work.held.len(), vec![limited]));
    }
}

/// A limit that a plan is over, in words.
struct Limited {
    /// What is more than which limit.
    said: String,
    /// The override.
    over: String,
    /// That an override was given, with another number.
    wrong: String,
}

fn overrides(all: &[Limited]) -> String {
    let all: Vec<&str> = all.iter().map(|limited| &*limited.over).collect();
    all.join(" ")
}

fn message(all: &[Limited]) -> String {
    let said: Vec<&str> = all.iter().map(|limited| &*limited.said).collect();
    let wrong: String = all.iter().map(|limited| &*limited.wrong).collect();
    let (said, over) = (said.join(", and "), overrides(all));
    format!("{said}; if that is meant, `{over}`{wrong}")
}

fn guard(
    context: &Context<'_>,
    work: &mut Work,
    live: &BTreeMap<KindId, u64>,
    tripped: &mut Tripped,
    budget: Budget,
    members: Vec<(Key, u64, Option<Change>)>,
) {
    let count: u64 = members.iter().map(|(_, n, _)| n).sum();
    let Some((limit, config)) = limit_of(context, &budget) else {
        return;
    };
    let before = context
        .stored
        .spent
        .get(&budget)
        .copied()
        .unwrap_or_default();
    let of = base(context, work, live, &budget);
    if !limit.trips(count + before, of) {
        return;
    }
    let name = budget.split('@').next().unwrap_or_default();
    let covers = |accept: &Accept| match accept {
        Accept::Budget(given, n) => {
            (*given == budget && *n == count)
                || (given == name
                    && given != &budget
                    && work.used.contains(&format!("{given}={n}")))
        }
        _ => false,
    };
    if let Some(accept) = context.rules.accepts.iter().find(|accept| covers(accept)) {
        if let Accept::Budget(given, n) = accept {
            work.used.push(format!("{given}={n}"));
        }
        work.exempt.insert(budget);
        return;
    }
    let numbers = Numbers {
        count,
        before,
        of,
        limit,
        config,
    };
    let limited = limited(context, &budget, &numbers);
    let hold = trip(context, work, members, &numbers, &limited);
    tripped.hold(context, work, hold, limited);
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
            let kind = share.budget.split('@').next().unwrap_or_default();
            let exempt = work.exempt.contains(&share.budget) || work.exempt.contains(kind);
            if !exempt && limit_of(context, &share.budget).is_some() {
                *spent.entry(share.budget).or_default() += share.n;
            }
        }
    }
    spent
}

struct Numbers {
    count: u64,
    before: u64,
    of: u64,
    limit: Limit,
    config: String,
}

fn limited(context: &Context<'_>, budget: &str, numbers: &Numbers) -> Limited {
    let Numbers {
        count,
        before,
        of,
        limit,
        config,
    } = numbers;
    let allowed = limit.allowed(*of);
    let (earlier, are, when) = if *before > 0 {
        let earlier = format!(" and {before} shortly before");
        (earlier, "are", "within `guards.window`")
    } else {
        (String::new(), "is", "at once")
    };
    // What comes back was not among those that are there.
    let share = if budget.ends_with(".reactivate") {
        format!("{count} beside {of} active now")
    } else {
        format!("{count} of {of}")
    };
    let mut accepts = context.rules.accepts.iter();
    let wrong = accepts.find_map(|accept| match accept {
        Accept::Budget(given, n) if given == budget => Some(format!(
            "; `{given}={n}` was given, which is another number"
        )),
        _ => None,
    });
    Limited {
        said: format!(
            "{budget}: {share}{earlier} {are} more than the {allowed} that `{config}` allows {when}"
        ),
        over: format!("--accept {budget}={count}"),
        wrong: wrong.unwrap_or_default(),
    }
}

fn trip(
    context: &Context<'_>,
    work: &Work,
    members: Vec<(Key, u64, Option<Change>)>,
    numbers: &Numbers,
    limited: &Limited,
) -> Hold {
    let members = members.into_iter().filter_map(|(key, _, change)| {
        let effect = work.effects.get(&key)?;
        Some(held_member(context, effect, change))
    });
    Hold {
        code: codes::GUARD,
        message: message(std::slice::from_ref(limited)),
        count: Some(numbers.count),
        of: Some(numbers.of),
        limit: Some(numbers.limit.allowed(numbers.of)),
        over: Some(limited.over.clone()),
        members: members.collect(),
    }
}

fn held_member(context: &Context<'_>, effect: &Effect, change: Option<Change>) -> Member {
    let verb = order::verb(context, effect);
    match change {
        None => whole(context, effect, verb),
        Some(change) => {
            let version = context.stored.rows.get(&effect.key).map(|row| row.version);
            member(context, &effect.key, verb, version, vec![change])
        }
    }
}

/// The limit of a budget and its key in the configuration.
fn limit_of(context: &Context<'_>, budget: &str) -> Option<(Limit, String)> {
    let guards = &context.rules.guards;
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

/// Of how many a budget's count is a share, before the plan.
fn base(context: &Context<'_>, work: &Work, live: &BTreeMap<KindId, u64>, budget: &str) -> u64 {
    if let Some((_, account)) = budget.split_once('@') {
        let field = kinds::get(kinds::USER).at("accounts");
        let of_account = |row: &&Row| {
            row.key.kind == kinds::USER
                && is_live(row)
                && row.values[field]
                    .iter()
                    .flat_map(Value::members)
                    .any(|member| member == account)
        };
        return context.stored.rows.iter().filter(of_account).count() as u64;
    }
    let mut parts = budget.splitn(2, '.');
    let Some(kind) = parts.next().and_then(kinds::by_name) else {
        return 0;
    };
    let rest = parts.next().unwrap_or_default();
    let Some((field, verb)) = rest.rsplit_once('.') else {
        return live.get(&kind.id).copied().unwrap_or_default();
    };
    let field = kind
        .field_ref(field)
        .or_else(|| kind.field_ref(field.split('.').next()?));
    let Some(field) = field else { return 0 };
    let values = context
        .stored
        .rows
        .iter()
        .filter(|row| row.key.kind == kind.id);
    let values = values
        .filter(|row| is_ours(context, work, &row.key))
        .filter_map(|row| row.value(&field));
    match verb {
        "unlink" => values.map(|value| value.members().count() as u64).sum(),
        _ => values.filter(|value| !value.is_empty_list()).count() as u64,
    }
}

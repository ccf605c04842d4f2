//! The effects of a plan are exactly what differs before and after it, by plain loops over the whole
//! directory; and what takes or gives more than the budgets allow is held.

use super::effects_by_loops::{Abilities, line};
use super::effects_world::{ACCOUNTS, ROADS, USERS, World};
use super::random_directory;
use crate::planned::apply;
use crate::support::dice::Dice;
use crate::support::parallel::in_parallel;
use crate::support::postgres;
use roster::config::{Config, ConfigOverrides};
use roster::kinds::{self, ACCOUNT, POLICY, STORE, TAG, USER};
use roster::model::{Key, Snapshot};
use roster::plan::{self, EffectBudget, GuardLimit, GuardLimits, Plan, PlanRules};
use roster::reconcile::{Pass, PassRequest};
use roster::store::{SnapshotQuery, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// How many plans are made of one directory.
const PLANS: usize = 50;

/// How often each thing was seen, so that the test cannot quietly test nothing.
#[derive(Default, Debug)]
struct Seen {
    effects: BTreeMap<String, usize>,
    held: BTreeMap<&'static str, usize>,
    roads: BTreeSet<usize>,
    with_effects: usize,
}

fn rules(limits: GuardLimits) -> PlanRules {
    let tier = kinds::get(USER)
        .field_ref("customFields.tier")
        .expect("a field");
    PlanRules {
        prune: true,
        hold_errors: true,
        allow_delete: true,
        effect_fields: [(USER, tier)].into(),
        guards: limits,
        ..PlanRules::default()
    }
}

/// Limits that hold nothing in a small directory.
fn no_limits() -> GuardLimits {
    let none = GuardLimit::new(1_000_000, 1_000_000);
    let limits = GuardLimits::default();
    GuardLimits {
        deactivate: none,
        delete: none,
        reactivate: none,
        clear: none,
        unlink: none,
        per_account: none,
        change: BTreeMap::new(),
        effects: EffectBudget::ALL
            .into_iter()
            .map(|budget| (budget, none))
            .collect(),
        ..limits
    }
}

/// What people do at run time, which no plan changes.
fn block(stored: &mut Snapshot, dice: &mut Dice) {
    let all = [
        (ACCOUNT, "a", ACCOUNTS),
        (USER, "u", USERS),
        (POLICY, "p", 3),
        (TAG, "t", 2),
        (STORE, "s", 2),
    ];
    for (kind, prefix, count) in all {
        for at in 0..count {
            let key = Key::new(kind, format!("{prefix}{at}"));
            let Some(row) = stored.rows.get_mut(&key).filter(|_| dice.once_in(8)) else {
                continue;
            };
            if kind == ACCOUNT && dice.once_in(2) {
                row.facts.insert("approval", "pending".into());
            } else {
                row.facts.insert("blocked", "audit".into());
            }
        }
    }
}

/// The effects of the steps are what differs, and each has the steps that cause it.
fn check(was: &Abilities, after: &Snapshot, plan: &Plan, said: &str) -> BTreeSet<String> {
    let expected = was.effects_to(&Abilities::of(after));
    let found: BTreeSet<String> = plan.effects.listed.iter().map(line).collect();
    assert_eq!(found, expected, "{said}: {:#?}", plan.steps);
    assert!(
        plan.effects.listed.is_sorted() && plan.effects.omitted.is_empty(),
        "{said}"
    );
    assert_eq!(
        found.len(),
        plan.effects.listed.len(),
        "{said}: an effect twice"
    );
    let keys: BTreeSet<&Key> = plan.steps.iter().map(|step| &step.key).collect();
    for effect in &plan.effects.listed {
        let mut because = effect.because.iter();
        assert!(
            !effect.because.is_empty() && because.all(|key| keys.contains(key)),
            "{said}: {effect:?}"
        );
    }
    found
}

/// Without the steps that cause an effect, there is no such effect.
fn check_cause(was: &Abilities, stored: &Snapshot, plan: &Plan, dice: &mut Dice, said: &str) {
    if plan.effects.is_empty() {
        return;
    }
    let effect = &plan.effects.listed[dice.roll(plan.effects.listed.len())];
    let steps = plan
        .steps
        .iter()
        .filter(|step| !effect.because.contains(&step.key));
    let rest = Plan {
        steps: steps.cloned().collect(),
        ..Plan::default()
    };
    let mut after = stored.clone();
    plan::advance(&mut after, &rest);
    let left = was.effects_to(&Abilities::of(&after));
    // Somebody may still see others, but not these.
    assert!(
        !left.contains(&line(effect)),
        "{said}: {effect:?} comes without its causes"
    );
}

/// What goes through is within the budgets.
fn check_budgets(was: &Abilities, limits: &GuardLimits, effects: &BTreeSet<String>, said: &str) {
    for (budget, limit) in &limits.effects {
        let (count, base) = (was.count(*budget, effects), was.base(*budget));
        let exceeds = count > 0 && limit.is_exceeded_by(count, 0, base);
        assert!(!exceeds, "{said}: {} {count} of {base}", budget.name());
    }
}

fn edit(world: &mut World, dice: &mut Dice, seen: &mut Seen) {
    for _ in 0..=dice.roll(6) {
        let road = dice.roll(ROADS);
        seen.roads.insert(road);
        world.edit(road, dice);
    }
}

impl Seen {
    fn add(&mut self, effects: &BTreeSet<String>, plan: &Plan) {
        self.with_effects += usize::from(!effects.is_empty());
        for effect in effects {
            let name = effect.split(' ').next().unwrap().to_owned();
            *self.effects.entry(name).or_default() += 1;
        }
        for budget in EffectBudget::ALL {
            let mut held = plan.held.iter();
            let name = format!("{}: ", budget.name());
            let is_held = held.any(|held| held.message.contains(&name));
            *self.held.entry(budget.name()).or_default() += usize::from(is_held);
        }
    }

    fn merge(&mut self, other: Self) {
        for (name, count) in other.effects {
            *self.effects.entry(name).or_default() += count;
        }
        for (name, count) in other.held {
            *self.held.entry(name).or_default() += count;
        }
        self.roads.extend(other.roads);
        self.with_effects += other.with_effects;
    }

    fn has_everything(&self, plans: usize) {
        assert_eq!(self.effects.len(), 16, "{self:#?}");
        assert_eq!(self.roads.len(), ROADS);
        let rare = self
            .effects
            .values()
            .chain(self.held.values())
            .filter(|count| **count < plans / 500);
        assert_eq!(rare.count(), 0, "{self:#?}");
        assert!(self.with_effects > plans / 4, "{self:#?}");
    }
}

/// What would come with the holds is what comes when nothing is held.
fn check_held(free: &Plan, guarded: &Plan, said: &str) {
    let is_guarded = guarded.held.iter().all(|held| held.code.name() == "guard");
    let holds: BTreeSet<&str> = guarded.held.iter().map(|held| &*held.hold).collect();
    if holds.len() != 1 || !is_guarded || !free.held.is_empty() {
        return;
    }
    let told = guarded.held.iter().flat_map(|held| &held.effects.listed);
    let mut told: BTreeSet<String> = told.map(line).collect();
    told.extend(guarded.effects.listed.iter().map(line));
    for effect in &free.effects.listed {
        // Sight may change in two parts.
        let sight =
            effect.name.word().starts_with("visibility") || effect.name.word() == "price.changed";
        assert!(
            sight || told.contains(&line(effect)),
            "{said}: {effect:?} is not told of"
        );
    }
}

/// `ROSTER_EFFECT_PLANS` sets the number of plans; where nobody waits for them, they are 10,000.
#[test]
fn the_effects_of_a_plan_are_what_plain_loops_find() {
    let plans = std::env::var("ROSTER_EFFECT_PLANS");
    let many = std::env::var_os("CI").map_or(1_500, |_| 10_000);
    let plans: usize = plans.map_or(many, |it| it.parse().expect("a number"));
    let directories: Vec<usize> = (0..plans.div_ceil(PLANS)).collect();
    // The rules of a small directory take less time than to share them among threads.
    let alone = |directory: &usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        pool.expect("a thread")
            .install(|| plan_directory(*directory))
    };
    let mut seen = Seen::default();
    for of_directory in in_parallel(&directories, alone) {
        seen.merge(of_directory);
    }
    seen.has_everything(plans);
}

/// Plans random edits of one random directory.
fn plan_directory(directory: usize) -> Seen {
    let mut seen = Seen::default();
    let mut dice = Dice(7_000 + directory as u64);
    let mut world = World::random(&mut dice);
    let mut stored = Snapshot::default();
    for begins in [true, false] {
        let first = plan::plan(&world.desired(), &stored, &rules(no_limits()), &[]);
        assert!(!begins || first.held.is_empty(), "{:#?}", first.diagnostics);
        let empty = Abilities::of(&stored);
        plan::advance(&mut stored, &first);
        check(&empty, &stored, &first, "a first plan");
        world.end_some(&mut dice);
    }
    block(&mut stored, &mut dice);
    let was = Abilities::of(&stored);
    for round in 0..PLANS / 2 {
        let said = format!("directory {directory}, plan {round}");
        let mut edited = world.clone();
        edit(&mut edited, &mut dice, &mut seen);
        let desired = edited.desired();
        let [free, guarded] = [no_limits(), GuardLimits::default()].map(|limits| {
            let plan = plan::plan(&desired, &stored, &rules(limits.clone()), &[]);
            let mut after = stored.clone();
            plan::advance(&mut after, &plan);
            let effects = check(&was, &after, &plan, &said);
            check_budgets(&was, &limits, &effects, &said);
            seen.add(&effects, &plan);
            plan
        });
        if round % 5 == 0 {
            check_cause(&was, &stored, &free, &mut dice, &said);
        }
        check_held(&free, &guarded, &said);
    }
    seen
}

async fn everything(store: &Store) -> Snapshot {
    let query = SnapshotQuery {
        source: "directory",
        ..SnapshotQuery::default()
    };
    store.read(&query).await.expect("read")
}

/// The same of a database, with what its passes plan and apply.
#[tokio::test]
async fn the_effects_of_an_applied_plan_are_what_plain_loops_find() {
    for (engine, url) in postgres::databases("effects") {
        let store = random_directory::database(&url).await;
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("manifests")).unwrap();
        let config = format!(
            "apiVersion: roster/v1\ndatabase: \"{url}\"\nsources: [{{name: directory, directory: manifests, onError: hold}}]\n\
             effects: {{fields: [User.customFields.tier]}}\n"
        );
        fs::write(dir.path().join("roster.yaml"), config).unwrap();
        let config = Config::load(&ConfigOverrides::default(), dir.path(), None).unwrap();
        let mut dice = Dice(99);
        let mut world = World::random(&mut dice);
        let (mut seen, mut parts) = (Seen::default(), 0);
        for round in 0..40 {
            let said = format!("{engine}, plan {round}");
            fs::write(dir.path().join("manifests/all.yaml"), world.yaml()).unwrap();
            let before = everything(&store).await;
            let mut pass = Pass::read(&config, PassRequest::default(), &store)
                .await
                .unwrap();
            let plan = pass.plan(0, &store, &[]).await.unwrap();
            assert!(!plan.errored, "{said}: {:#?}", plan.diagnostics);
            parts += usize::from(pass.readings[0].is_incremental());
            apply(&pass, 0, &store, &plan).await;
            let after = everything(&store).await;
            let was = Abilities::of(&before);
            let effects = check(&was, &after, &plan, &said);
            seen.add(&effects, &plan);
            // The window is a day, so only what one plan does at once is judged here.
            if round == 1 {
                check_budgets(&was, &GuardLimits::default(), &effects, &said);
            }
            edit(&mut world, &mut dice, &mut seen);
        }
        assert!(
            seen.with_effects > 5,
            "{engine}: {seen:#?}, {parts} in part"
        );
    }
}

//! Random edits of two directories and an export, with wrong values, holds and changes by hand, on
//! both engines. A pass that reads only what changed makes the plan of a pass that reads everything
//! and of one that compares everything. Sources that are applied in one run get the plans that they
//! get one by one. Passes of the same trees stop writing, and then their holds keep their ids.

mod trees;

use crate::support::dice::Dice;
use crate::support::program::foreign;
use roster::config::{Config, ConfigOverrides};
use roster::diagnostic::Diagnostic;
use roster::document;
use roster::model::{Key, Snapshot, Value};
use roster::plan::Plan;
use roster::reconcile::{self, LeaseGuard, Pass, PassRequest};
use roster::store::{SnapshotQuery, Store, StoreAccess};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::time::Duration;
use trees::{BY_HAND, Trees};

/// The plan as other programs see it.
fn json(plan: &Plan) -> serde_json::Value {
    let mut text = Vec::new();
    document::write_plan(plan, &mut text).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// The plan without what names the database or one moment of it.
fn anywhere(plan: &Plan) -> serde_json::Value {
    let mut plan = json(plan);
    plan["database"] = serde_json::Value::Null;
    plan["id"] = serde_json::Value::Null;
    for list in ["steps", "held"] {
        for it in plan[list].as_array_mut().into_iter().flatten() {
            it["version"] = serde_json::Value::Null;
            it["hold"] = serde_json::Value::Null;
        }
    }
    plan
}

/// Everything that a step or a hold has, and JSON leaves out.
fn shown(items: &[impl Debug]) -> Vec<String> {
    items.iter().map(|item| format!("{item:#?}")).collect()
}

/// What is held, and by which rule.
fn holds(plans: &[Plan]) -> BTreeSet<(String, String)> {
    let held = plans.iter().flat_map(|plan| &plan.held);
    held.map(|held| (held.code.name().to_owned(), held.key.to_string()))
        .collect()
}

fn ids(plans: &[Plan]) -> BTreeSet<String> {
    let held = plans.iter().flat_map(|plan| &plan.held);
    held.map(|held| held.hold.clone()).collect()
}

/// Of every row its values; versions differ where somebody else wrote.
fn values(stored: &Snapshot) -> BTreeMap<Key, String> {
    let rows = stored.rows.iter();
    rows.map(|row| {
        let values: Vec<_> = row
            .values
            .iter()
            .map(|it| it.as_ref().filter(|it| !Value::is_empty_list(it)))
            .collect();
        let custom: BTreeMap<_, _> = row.custom_values.iter().collect();
        (row.key.clone(), format!("{values:?} {custom:?}"))
    })
    .collect()
}

struct Place {
    config: Config,
    database: String,
    store: Store,
}

impl Place {
    async fn open(root: &Path, name: &str, database: &str, more: &str) -> Self {
        let text = format!("apiVersion: roster/v1\ndatabase: \"{database}\"\n{more}");
        let path = root.join(format!("{name}.yaml"));
        fs::write(&path, text).unwrap();
        let overrides = ConfigOverrides {
            config: Some(path),
            ..ConfigOverrides::default()
        };
        let config = Config::load(&overrides, root, None).unwrap();
        let store = Store::open(database, StoreAccess::Write).await.unwrap();
        store.migrate(None).await.unwrap();
        store
            .approve_source("erp", "test", "looked at it")
            .await
            .unwrap();
        let database = database.to_owned();
        Self {
            config,
            database,
            store,
        }
    }

    /// What a pass is asked for, once the export was fetched.
    fn request(&self) -> PassRequest {
        PassRequest::default().with_fetch_results(&reconcile::fetch(&self.config, None))
    }

    /// The plans of a pass, and of which sources only a part was read.
    async fn plans(&self, mut pass: Pass<'_>) -> (Vec<Plan>, Vec<bool>) {
        let (mut plans, mut parts) = (Vec::new(), Vec::new());
        for index in pass.selected_sources().unwrap() {
            plans.push(pass.plan(index, &self.store, &plans).await.unwrap());
            parts.push(pass.readings[index].is_incremental());
        }
        (plans, parts)
    }

    /// The plans of all sources, whichever way they are made.
    async fn planned(&self, what: &str, seen: &mut Seen) -> Vec<Plan> {
        let pass = Pass::read(&self.config, self.request(), &self.store);
        let (some, parts) = self.plans(pass.await.unwrap()).await;
        seen.parts += parts.iter().filter(|part| **part).count();
        for (plan, _) in some.iter().zip(&parts).filter(|(_, part)| **part) {
            seen.parts_with_steps += usize::from(!plan.steps.is_empty());
            seen.parts_that_report += usize::from(!plan.diagnostics.is_empty());
        }
        let whole = Pass::read_in_full(&self.config, self.request()).unwrap();
        let (whole, _) = self.plans(whole).await;
        let scrub = || PassRequest {
            scrub: true,
            ..self.request()
        };
        let (scrubbed, _) = self
            .plans(Pass::read_in_full(&self.config, scrub()).unwrap())
            .await;
        let part = Pass::read(&self.config, scrub(), &self.store);
        let (scrubbed_part, parts) = self.plans(part.await.unwrap()).await;
        seen.scrubbed_parts += parts.iter().filter(|part| **part).count();
        for (at, plan) in some.iter().enumerate() {
            let (steps, held) = (&whole[at].steps, &whole[at].held);
            assert_eq!(shown(&plan.steps), shown(steps), "{what}: steps");
            assert_eq!(shown(&plan.held), shown(held), "{what}: holds");
            let found = &whole[at].diagnostics;
            assert_eq!(&plan.diagnostics, found, "{what}: diagnostics");
            assert_eq!(json(plan), json(&whole[at]), "{what}: everything read");
            assert_eq!(
                json(plan),
                json(&scrubbed[at]),
                "{what}: everything compared"
            );
            assert_eq!(
                json(plan),
                json(&scrubbed_part[at]),
                "{what}: every stored value compared"
            );
        }
        some
    }

    async fn apply_one(&self, pass: &mut Pass<'_>, index: usize) -> Plan {
        let wait = Duration::from_secs(5);
        let name = self.config.sources[index].name.clone();
        let lease = LeaseGuard::take(&self.store, &name, wait).await.unwrap();
        let plan = pass.plan(index, &self.store, &[]).await.unwrap();
        if !plan.errored && pass.readings[index].why_not_applied().is_none() {
            let applied = reconcile::apply(pass, index, &self.store, &plan, &lease, "test").await;
            applied.unwrap();
        }
        lease.release(&self.store).await;
        plan
    }

    async fn apply_together(&self) -> Vec<Plan> {
        let pass = Pass::read(&self.config, self.request(), &self.store);
        let mut pass = pass.await.unwrap();
        let mut plans = Vec::new();
        for index in pass.selected_sources().unwrap() {
            plans.push(self.apply_one(&mut pass, index).await);
        }
        plans
    }

    async fn apply_apart(&self) -> Vec<Plan> {
        let mut plans = Vec::new();
        for (index, source) in self.config.sources.iter().enumerate() {
            let request = PassRequest {
                source: Some(source.name.to_string()),
                ..self.request()
            };
            let pass = Pass::read(&self.config, request, &self.store).await;
            plans.push(self.apply_one(&mut pass.unwrap(), index).await);
        }
        plans
    }

    async fn stored(&self) -> Snapshot {
        let query = SnapshotQuery {
            source: "a",
            ..SnapshotQuery::default()
        };
        self.store.read(&query).await.unwrap()
    }
}

/// How often each thing was seen, so that the test cannot quietly test nothing.
#[derive(Default, Debug)]
struct Seen {
    parts: usize,
    scrubbed_parts: usize,
    parts_with_steps: usize,
    parts_that_report: usize,
    quiet: usize,
    steps: usize,
    held: usize,
    errored: usize,
    rested: usize,
}

const ROUNDS: usize = 7;

fn configuration(seed: u64) -> String {
    let errors = ["refuse", "hold"][usize::try_from(seed % 2).unwrap()];
    let order =
        ["", "order: [a, b, erp]\n", "order: [erp, b, a]\n"][usize::try_from(seed % 3).unwrap()];
    format!(
        "sources:\n  - {{name: a, directory: a, onError: {errors}}}\n  - {{name: b, directory: b, onError: {errors}}}\n  \
         - {{name: erp, export: {{file: erp.csv, preset: djust-accounts}}, onError: {errors}, complete: {{shrink: 90%}}}}\n{order}"
    )
}

async fn session(databases: [&str; 2], seed: u64, seen: &mut Seen) {
    let dir = tempfile::tempdir().unwrap();
    let config = configuration(seed);
    let together = Place::open(dir.path(), "together", databases[0], &config).await;
    let apart = Place::open(dir.path(), "apart", databases[1], &config).await;
    let mut dice = Dice(seed);
    let mut trees = Trees::new();
    trees.write(dir.path());
    for place in [&together, &apart] {
        let first = place.apply_together().await;
        assert!(!first[0].errored, "{:#?}", first[0].diagnostics);
    }
    for round in 0..ROUNDS {
        let before = trees.clone();
        for _ in 0..=dice.roll(3) {
            trees.edit(&mut dice);
        }
        trees.write(dir.path());
        if dice.once_in(6) {
            let sql = BY_HAND[dice.roll(BY_HAND.len())];
            foreign(&together.database, sql).await;
            foreign(&apart.database, sql).await;
        }
        let what = format!("seed {seed}, round {round}");
        together.planned(&what, seen).await;
        let one = together.apply_together().await;
        let other = apart.apply_apart().await;
        for (plan, alone) in one.iter().zip(&other) {
            assert_eq!(
                anywhere(plan),
                anywhere(alone),
                "{what}: together and apart"
            );
        }
        assert_eq!(
            values(&together.stored().await),
            values(&apart.stored().await),
            "{what}"
        );
        let wrong = |plan: &Plan| plan.diagnostics.iter().any(Diagnostic::is_error);
        let errored = one.iter().any(wrong);
        seen.errored += usize::from(errored);
        seen.held += usize::from(one.iter().any(|plan| !plan.held.is_empty()));
        seen.steps += usize::from(one.iter().any(|plan| !plan.steps.is_empty()));
        rests(&together, &apart, &what, seen).await;
        if errored && !dice.once_in(4) {
            trees = before;
            trees.write(dir.path());
        }
    }
    together.store.close().await;
    apart.store.close().await;
}

/// A second and a third pass of the same trees write nothing, and what is held keeps its ids.
async fn rests(together: &Place, apart: &Place, what: &str, seen: &mut Seen) {
    let plans = together.planned(&format!("{what}, again"), seen).await;
    let steps: Vec<_> = plans.iter().flat_map(|plan| &plan.steps).collect();
    assert!(steps.is_empty(), "{what}, again: {steps:#?}");
    let second = together.apply_together().await;
    apart.apply_apart().await;
    assert_eq!(holds(&second), holds(&plans), "{what}, again");
    assert_eq!(ids(&second), ids(&plans), "{what}, again");
    let third = together.planned(&format!("{what}, once more"), seen).await;
    assert_eq!(ids(&third), ids(&plans), "{what}, once more");
    assert!(third.iter().all(|plan| plan.steps.is_empty()), "{what}");
    seen.rested += 1;
    seen.quiet += usize::from(ids(&plans).is_empty());
}

/// Edits of one source at a time: the others are not read again.
async fn edits_of_one_source(database: &str, seed: u64, seen: &mut Seen) {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::open(dir.path(), "one", database, &configuration(seed)).await;
    let mut dice = Dice(seed);
    let mut trees = Trees::new();
    trees.write(dir.path());
    place.apply_together().await;
    for round in 0..ROUNDS * 2 {
        let before = trees.clone();
        let source = [0, 0, 0, 1, 2][dice.roll(5)];
        trees.edit_source(source, &mut dice);
        trees.write(dir.path());
        if dice.once_in(10) {
            foreign(&place.database, BY_HAND[dice.roll(BY_HAND.len())]).await;
        }
        let what = format!("seed {seed}, round {round}, source {source}");
        let plans = place.planned(&what, seen).await;
        let wrong = |plan: &Plan| plan.diagnostics.iter().any(Diagnostic::is_error);
        let errored = plans.iter().any(wrong);
        let held = plans.iter().any(|plan| !plan.held.is_empty());
        seen.errored += usize::from(errored);
        seen.held += usize::from(held);
        // While something is open, every pass reads everything.
        if (errored || held) && !dice.once_in(6) {
            trees = before;
            trees.write(dir.path());
        } else {
            place.apply_together().await;
        }
    }
    place.store.close().await;
}

#[test]
fn an_incremental_plan_reports_what_a_full_plan_reports() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let number = |name, otherwise| std::env::var(name).map_or(otherwise, |it| it.parse().unwrap());
    let (first, sessions) = (number("ROSTER_SEED", 1), number("ROSTER_SESSIONS", 2));
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for seed in first..first + sessions {
        for (engine, database) in crate::support::postgres::databases("one") {
            let seen = seen.entry(engine).or_default();
            runtime.block_on(edits_of_one_source(&database, seed, seen));
        }
    }
    println!("{seen:?}");
    for seen in seen.values() {
        assert!(seen.parts > 3 && seen.scrubbed_parts > 3, "{seen:?}");
        assert!(seen.errored + seen.held > 1, "{seen:?}");
    }
}

#[test]
fn every_kind_of_pass_makes_the_same_plan() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let number = |name, otherwise| std::env::var(name).map_or(otherwise, |it| it.parse().unwrap());
    let (first, sessions) = (number("ROSTER_SEED", 1), number("ROSTER_SESSIONS", 2));
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for seed in first..first + sessions {
        let pairs = crate::support::postgres::databases("together").into_iter();
        let pairs = pairs.zip(crate::support::postgres::databases("apart"));
        for ((engine, one), (_, other)) in pairs {
            let seen = seen.entry(engine).or_default();
            runtime.block_on(session([&one, &other], seed, seen));
        }
    }
    println!("{seen:?}");
    for seen in seen.values() {
        assert!(
            seen.steps > 3 && seen.rested > 5 && seen.parts > 3,
            "{seen:?}"
        );
        assert!(seen.errored > 2 && seen.held > 3, "{seen:?}");
    }
}

//! A pass that does not read what did not change plans what a pass over everything plans, byte for
//! byte, also beside exports: random nights of two exports and a directory that name the same
//! customers, with rows that are gone, held or unreadable, on both engines.

use crate::planned::{apply, plan_json};
use crate::support::dice::Dice;
use crate::support::program::foreign;
use roster::config::{Config, ConfigOverrides};
use roster::plan::{Plan, StepReason, StepVerb};
use roster::reconcile::{self, Pass, PassRequest, SourceContent, SourceReading};
use roster::store::{Store, StoreAccess};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// How many accounts the ERP knows; the CRM and the directory know some of them, and some more.
const ACCOUNTS: usize = 14;
const NIGHTS: usize = 24;
const SOURCES: [&str; 4] = ["directory", "erp", "crm", "people"];
/// The export of the users of these accounts.
const PEOPLE: usize = 3;

/// The records of an export, by account.
type Records = BTreeMap<usize, Value>;

fn record(at: usize) -> Value {
    json!({
        "accountExternalId": format!("a-{at}"),
        "accountName": format!("Company {at}"),
        "companyRegistrationName": format!("Company {at} AB"),
        "businessRegistrationNumber": format!("R-{at}"),
        "address": [address(at)],
    })
}

fn address(at: usize) -> Value {
    json!({
        "addressExternalId": format!("d-{at}"), "addressFullName": "Company", "addressCountry": "Sweden",
        "addressCity": "Åre", "addressZipCode": "837 52", "addressStreetName": "Torget 1",
    })
}

/// The columns of an export that is a table. The last one is in no mapping.
const COLUMNS: [&str; 15] = [
    "accountExternalId",
    "accountName",
    "companyRegistrationName",
    "businessRegistrationNumber",
    "customerTagExternalId",
    "websiteUrl",
    "vatNumber",
    "inactive",
    "addressExternalId",
    "addressFullName",
    "addressCountry",
    "addressCity",
    "addressZipCode",
    "addressStreetName",
    "salesman",
];

/// Streets that are awkward in a table: with quotes, delimiters and line ends.
const STREETS: [&str; 6] = [
    "Torget 1",
    "Rör 5\" 6\"",
    "Rör 5\"; vänster",
    "\"Gamla\" gatan",
    "Uppgång A\nGatan 2",
    "Gatan \"2\"\r\nUppgång; \"B\"",
];

/// A cell as it is written, in quotes where it needs them and where its length says so.
fn written(cell: &str) -> String {
    let needs = cell.starts_with('"') || cell.contains([';', '\n', '\r']);
    if needs || cell.len() % 5 == 3 {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell.to_owned()
}

/// The records as a table, a row for each address. How its lines end differs from night to night, and
/// the last one may have no end.
fn table(records: &[&Value]) -> String {
    let end = ["\n", "\r\n"][records.len() % 2];
    let mut text = COLUMNS.join(";") + end;
    for record in records {
        for address in record["address"].as_array().unwrap() {
            let cells = COLUMNS.map(|column| match (&record[column], &address[column]) {
                (Value::String(text), _) | (_, Value::String(text)) => written(text),
                (Value::Bool(flag), _) => flag.to_string(),
                _ => String::new(),
            });
            text += &(cells.join(";") + end);
        }
    }
    if records.len().is_multiple_of(3) {
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
    }
    text
}

/// One thing that is different in the next export.
fn edit(dice: &mut Dice, records: &mut Records) {
    let at = dice.roll(ACCOUNTS + 3);
    let damaged = if dice.once_in(3) {
        "BjÃ¶rkens"
    } else {
        "Firma"
    };
    let name = format!("{damaged} {}", dice.roll(50));
    if dice.roll(4) == 0 {
        records.remove(&at);
        return;
    }
    let record = records.entry(at).or_insert_with(|| record(at));
    let mut set = |name: &str, value: Value| record[name] = value;
    match dice.roll(21) {
        0 => set("customerTagExternalId", json!("later")),
        1 => set("customerTagExternalId", json!("premium")),
        2 => set("customerTagExternalId", Value::Null),
        3 => set("websiteUrl", json!("not a web address")),
        4 => set("websiteUrl", json!("https://a.example")),
        // The id cannot be read, so the record may be about anybody.
        5 if dice.once_in(3) => set("accountExternalId", Value::Null),
        6 => set("accountExternalId", json!(format!("a-{at}"))),
        7 => set("vatNumber", json!("DE12")),
        8 => set("inactive", json!(dice.roll(2) == 0)),
        9 => set("companyRegistrationName", Value::Null),
        // An address more, which another account may have too.
        10 | 11 => {
            let shared = address(dice.roll(4));
            let list = record["address"].as_array_mut().unwrap();
            if !list.contains(&shared) {
                list.push(shared);
            }
        }
        12 => {
            let city = json!(format!("Stad {}", dice.roll(9)));
            record["address"][0]["addressCity"] = city;
        }
        13 => record["address"].as_array_mut().unwrap().truncate(1),
        14..=16 => {
            let street = json!(STREETS[dice.roll(STREETS.len())]);
            record["address"][0]["addressStreetName"] = street;
        }
        _ => set("accountName", json!(name)),
    }
}

/// What the directory says beside the exports.
fn manifests(dice: &mut Dice, known: &mut BTreeMap<usize, String>) -> String {
    // An account that the ERP knows, and from time to time one that nobody knows.
    known.retain(|at, field| *at < ACCOUNTS && !field.contains("later"));
    let bad = dice.once_in(8);
    let at = dice.roll(ACCOUNTS) + if bad { 3 } else { 0 };
    match dice.roll(4) {
        0 => _ = known.remove(&at),
        1 if bad => _ = known.insert(at, "tags: [later]".to_owned()),
        1 | 2 => _ = known.insert(at, format!("website: 'https://{}.example'", dice.roll(9))),
        _ => _ = known.insert(at, "tags: [premium]".to_owned()),
    }
    let mut text = "tags: [{externalId: premium, name: Premium}]\naccounts:\n".to_owned();
    for (at, field) in known {
        writeln!(text, "  - {{externalId: a-{at}, {field}}}").unwrap();
    }
    text.push_str(
        "  []\n"
            .repeat(usize::from(text.ends_with("accounts:\n")))
            .as_str(),
    );
    text
}

/// The users of the accounts, of whom a few are different every time.
fn people(dice: &mut Dice, known: &mut BTreeMap<usize, String>) -> String {
    for _ in 0..=dice.roll(2) {
        let at = dice.roll(ACCOUNTS);
        if dice.roll(5) == 0 {
            known.remove(&at);
            continue;
        }
        let account = match dice.roll(6) {
            0 => "nowhere".to_owned(),
            1 => format!("a-{}", dice.roll(ACCOUNTS + 3)),
            _ => format!("a-{at}"),
        };
        let email = if dice.once_in(6) { 3 } else { at };
        // Now and then somebody has no telephone number, and is held.
        let phone = if dice.once_in(8) { "" } else { "+4663123456" };
        let name = dice.roll(9);
        let row = format!("MRS;Eva;Lind {name};e{email}@a.example;{phone};FOC_User;{account}");
        known.insert(at, row);
    }
    let mut text =
        "User External Id;Civility;First Name;Last Name;Email;Phone;Groups;Account External Ids\n"
            .to_owned();
    for (at, row) in known {
        writeln!(text, "u-{at};{row}").unwrap();
    }
    text
}

fn write(root: &Path, name: &str, records: &Records, dice: &mut Dice) {
    let mut all: Vec<&Value> = records.values().collect();
    if dice.roll(3) == 0 {
        all.reverse();
    }
    if dice.roll(6) == 0 && !all.is_empty() {
        all.push(all[dice.roll(all.len())]);
    }
    let text = if Path::new(name).extension().is_some_and(|it| it == "csv") {
        table(&all)
    } else {
        json!(all).to_string()
    };
    fs::write(root.join(name), text).unwrap();
    fs::write(root.join(name.to_owned() + ".done"), "").unwrap();
}

struct Place {
    config: Config,
    store: Store,
}

impl Place {
    async fn plan(&self, index: usize) -> (Pass<'_>, Plan) {
        let read = Pass::read(&self.config, request(index), &self.store).await;
        let mut pass = read.unwrap();
        let plan = pass.plan(index, &self.store, &[]).await.unwrap();
        (pass, plan)
    }

    async fn whole(&self, index: usize) -> Plan {
        let mut pass = Pass::read_in_full(&self.config, request(index)).unwrap();
        pass.plan(index, &self.store, &[]).await.unwrap()
    }

    /// The plans of all sources, each on what the ones before it leave.
    async fn all(&self, in_full: bool) -> Vec<String> {
        let request = PassRequest::default();
        let read = if in_full {
            Pass::read_in_full(&self.config, request)
        } else {
            Pass::read(&self.config, request, &self.store).await
        };
        let mut pass = read.unwrap();
        let mut plans: Vec<Plan> = Vec::new();
        for index in 0..SOURCES.len() {
            let plan = pass.plan(index, &self.store, &plans).await.unwrap();
            plans.push(plan);
        }
        plans.iter().map(plan_json).collect()
    }

    /// Decides about one of the holds.
    async fn decide(&self, plan: &Plan, dice: &mut Dice) {
        if plan.held.is_empty() {
            return;
        }
        let held = &plan.held[dice.roll(plan.held.len())];
        // What a person cannot decide is refused, which is not the matter here.
        let _ = if dice.roll(3) > 0 {
            self.store
                .approve_hold(&held.hold, None, "eva", "seen")
                .await
        } else {
            let one = Some(&held.key);
            self.store.approve_hold(&held.hold, one, "eva", "one").await
        };
    }
}

/// Whether some of a source was read because it changed.
fn is_changed(reading: &SourceReading) -> bool {
    match &reading.content {
        SourceContent::ChangedRows(..) => true,
        SourceContent::ChangedFiles(_) => !reading.files.digests.is_empty(),
        _ => false,
    }
}

fn request(index: usize) -> PassRequest {
    PassRequest {
        source: Some(SOURCES[index].into()),
        ..PassRequest::default()
    }
}

/// How often each thing was seen, so that the test cannot quietly test nothing.
#[derive(Default, Debug)]
struct Seen {
    steps: usize,
    held: usize,
    waiting: usize,
    deactivations: usize,
    still_declared: usize,
    beside_unread: usize,
    in_part: usize,
    in_part_beside_changed: usize,
    in_part_waiting: usize,
    in_part_with_steps: usize,
    in_part_removing: usize,
    in_part_reporting: usize,
}

async fn nights(database: &str, seed: u64, seen: &mut Seen) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir(root.join("manifests")).unwrap();
    // Only the ERP changes.
    let is_calm = seed.is_multiple_of(2);
    let format = if seed.is_multiple_of(3) {
        "json"
    } else {
        "csv"
    };
    let export = |name: &str, more: &str| {
        format!(
            "  - {{name: {name}, onError: hold, complete: {{shrink: 90%}}, {more}\
             export: {{file: {name}.{format}, done: .done, preset: djust-accounts}}}}\n"
        )
    };
    // With every other seed, new names wait for a decision.
    let change = if seed % 4 < 2 {
        "change: {Account.name: {percent: 10, floor: 2}}"
    } else {
        "reactivate: {percent: 10, floor: 3}"
    };
    let people_export = "  - {name: people, onError: hold, complete: {shrink: 90%}, \
         absence: {after: 2, action: deactivate}, \
         export: {file: people.csv, done: .done, preset: djust-users}}\n";
    let text = format!(
        "apiVersion: roster/v1\ndatabase: \"{database}\"\nsources:\n\
         \x20 - {{name: directory, onError: hold, directory: manifests}}\n{}{}\
         guards: {{deactivate: {{percent: 60, floor: 4, max: 500}}, unlink: {{percent: 5, floor: 0}}, \
           clear: {{percent: 5, floor: 0}}, {change}}}\norder: [directory, erp, crm]\n",
        export("erp", "absence: {after: 1, action: deactivate}, "),
        export("crm", "absence: {after: 2, action: deactivate}, ") + people_export,
    );
    fs::write(root.join("roster.yaml"), text).unwrap();
    let mut dice = Dice(seed);
    let mut known = BTreeMap::new();
    let mut users = BTreeMap::new();
    let write_people = |users: &mut BTreeMap<usize, String>, dice: &mut Dice| {
        fs::write(root.join("people.csv"), people(dice, users)).unwrap();
        fs::write(root.join("people.csv.done"), "").unwrap();
    };
    let mut exports: [Records; 2] = [
        (0..ACCOUNTS).map(|at| (at, record(at))).collect(),
        (ACCOUNTS / 2..ACCOUNTS + 2)
            .map(|at| (at, record(at)))
            .collect(),
    ];
    // Some of which the CRM has said nothing that could be accepted, when the ERP drops them.
    for at in 0..if is_calm { 0 } else { 4 } {
        let mut held = record(at);
        held["customerTagExternalId"] = json!("later");
        exports[1].insert(at, held);
    }
    fs::write(
        root.join("manifests/all.yaml"),
        manifests(&mut dice, &mut known),
    )
    .unwrap();
    for (name, records) in SOURCES[1..].iter().zip(&exports) {
        write(root, &format!("{name}.{format}"), records, &mut dice);
    }
    for _ in 0..6 {
        write_people(&mut users, &mut dice);
    }
    let config = Config::load(&ConfigOverrides::default(), root, None).unwrap();
    let store = Store::open(database, StoreAccess::Write).await.unwrap();
    store.migrate(None).await.unwrap();
    let place = Place { config, store };
    let _ = reconcile::fetch(&place.config, None);
    for _ in 0..2 {
        for index in 0..SOURCES.len() {
            let (pass, plan) = place.plan(index).await;
            if !plan.errored {
                apply(&pass, index, &place.store, &plan).await;
            }
        }
    }

    for night in 0..NIGHTS {
        // Often one source changes, sometimes two or three before anything is planned.
        let mut changed: BTreeSet<usize> = BTreeSet::new();
        changed.insert(if is_calm { 1 } else { dice.roll(SOURCES.len()) });
        if dice.once_in(3) {
            changed.insert(PEOPLE);
        }
        if !is_calm && dice.once_in(4) {
            changed.insert(dice.roll(SOURCES.len()));
        }
        for index in &changed {
            for _ in 0..=dice.roll(3) {
                match *index {
                    0 => {
                        let text = manifests(&mut dice, &mut known);
                        fs::write(root.join("manifests/all.yaml"), text).unwrap();
                    }
                    PEOPLE => write_people(&mut users, &mut dice),
                    index => edit(&mut dice, &mut exports[index - 1]),
                }
            }
        }
        if is_calm {
            // Rows without an id do not stay.
            let records = exports[0].iter_mut();
            let nameless = records.filter(|(_, record)| record["accountExternalId"].is_null());
            let nameless = nameless.filter(|_| dice.once_in(2));
            nameless
                .for_each(|(at, record)| record["accountExternalId"] = json!(format!("a-{at}")));
        }
        for index in &changed {
            if (1..PEOPLE).contains(index) {
                let name = format!("{}.{format}", SOURCES[*index]);
                write(root, &name, &exports[index - 1], &mut dice);
            }
            let _ = reconcile::fetch(&place.config, Some(SOURCES[*index]));
        }
        if dice.once_in(5) {
            let id = dice.roll(ACCOUNTS);
            let sql = format!(
                "UPDATE accounts SET website = 'https://by.hand' WHERE external_id = 'a-{id}'"
            );
            foreign(database, &sql).await;
        }
        if dice.once_in(4) {
            let said = format!("seed {seed}, night {night}, all sources");
            let (part, whole) = (place.all(false).await, place.all(true).await);
            for (part, whole) in part.iter().zip(&whole) {
                assert_eq!(part, whole, "{said}");
            }
        }
        // One that changed, and sometimes another.
        let nth = dice.roll(changed.len());
        let mut index = *changed.iter().nth(nth).unwrap();
        if !is_calm && dice.roll(8) == 0 {
            index = dice.roll(SOURCES.len());
        }
        changed.remove(&index);
        let mut left: Vec<usize> = changed.into_iter().collect();
        left.insert(0, index);
        for index in left {
            let (pass, plan) = place.plan(index).await;
            let whole = place.whole(index).await;
            let said = format!("seed {seed}, night {night}, source {}", SOURCES[index]);
            assert_eq!(plan_json(&plan), plan_json(&whole), "{said}");
            assert_eq!(
                (&plan.budget_use, &plan.budget_bases),
                (&whole.budget_use, &whole.budget_bases),
                "{said}"
            );
            assert_eq!(plan.visibility, whole.visibility, "{said}");
            seen.steps += usize::from(!plan.steps.is_empty());
            seen.held += usize::from(!plan.held.is_empty());
            let waits = plan.held.iter().any(|held| !held.is_error());
            seen.waiting += usize::from(waits);
            let deactivated = plan
                .steps
                .iter()
                .filter(|step| step.verb == StepVerb::Deactivate);
            seen.deactivations += deactivated.count();
            let kept = plan
                .diagnostics
                .iter()
                .filter(|found| found.code.name() == "still-declared");
            seen.still_declared += kept.count();
            if matches!(pass.readings[index].content, SourceContent::ChangedRows(..)) {
                seen.in_part += 1;
                let mut others = pass.readings.iter().enumerate();
                let changes = |(at, it): (usize, &SourceReading)| at != index && is_changed(it);
                seen.in_part_beside_changed += usize::from(others.any(changes));
                seen.in_part_waiting += usize::from(waits);
                seen.in_part_with_steps += usize::from(!plan.steps.is_empty());
                let mut steps = plan.steps.iter();
                let removes = steps.any(|step| step.reason == StepReason::Removed);
                seen.in_part_removing += usize::from(removes);
                seen.in_part_reporting += usize::from(!plan.diagnostics.is_empty());
            }
            seen.beside_unread +=
                usize::from(pass.readings.iter().any(SourceReading::is_incremental));
            if !plan.errored && dice.roll(8) > 0 {
                apply(&pass, index, &place.store, &plan).await;
                let (_, again) = place.plan(index).await;
                assert_eq!(
                    plan_json(&again),
                    plan_json(&place.whole(index).await),
                    "{said}, again"
                );
                // What was held for a fault and for a guard is held by the guard alone from then on.
                if !plan.held.is_empty() && !again.steps.is_empty() {
                    let (pass, again) = place.plan(index).await;
                    apply(&pass, index, &place.store, &again).await;
                }
                let (_, last) = place.plan(index).await;
                assert!(last.steps.is_empty(), "{said}: {:#?}", last.steps);
                if dice.once_in(3) {
                    place.decide(&again, &mut dice).await;
                }
            }
        }
    }
    place.store.close().await;
}

#[test]
fn beside_exports_a_part_plans_what_the_whole_plans() {
    let number = |name, otherwise| std::env::var(name).map_or(otherwise, |it| it.parse().unwrap());
    let (first, sessions) = (number("ROSTER_SEED", 1), number("ROSTER_SESSIONS", 4));
    let mut places: BTreeMap<&str, Vec<(u64, String)>> = BTreeMap::new();
    for seed in first..first + sessions {
        for (engine, database) in crate::support::postgres::databases("nights") {
            places.entry(engine).or_default().push((seed, database));
        }
    }
    let sessions = |places: &[(u64, String)]| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut seen = Seen::default();
        for (seed, database) in places {
            runtime.block_on(nights(database, *seed, &mut seen));
        }
        seen
    };
    // The longest test of all: each engine has a thread of its own.
    let seen: BTreeMap<&str, Seen> = std::thread::scope(|scope| {
        let of = places.iter().map(|(engine, places)| {
            let sessions = &sessions;
            (*engine, scope.spawn(move || sessions(places)))
        });
        let of: Vec<_> = of.collect();
        let of = of.into_iter();
        of.map(|(engine, thread)| (engine, thread.join().expect("the nights")))
            .collect()
    });
    println!("{seen:?}");
    for seen in seen.values() {
        assert!(seen.steps > 10 && seen.held > 10, "{seen:?}");
        assert!(
            seen.deactivations > 1 && seen.still_declared > 3,
            "{seen:?}"
        );
        assert!(seen.beside_unread > 10, "{seen:?}");
        assert!(seen.in_part > 20 && seen.in_part_with_steps > 5, "{seen:?}");
        assert!(
            seen.in_part_removing > 0 && seen.in_part_reporting > 5,
            "{seen:?}"
        );
        assert!(
            seen.in_part_beside_changed > 3 && seen.in_part_waiting > 3,
            "{seen:?}"
        );
    }
}

//! What is pushed is planned on the rows that it touches, and the plan is that of a pass over
//! everything, byte for byte: random records, good and bad, on both engines.

use crate::planned::{apply, plan_json};
use crate::support::dice::Dice;
use roster::config::{Config, ConfigOverrides};
use roster::plan::Plan;
use roster::reconcile::{Pass, PassRequest, PushedBody, SourcePushes};
use roster::store::{Store, StoreAccess};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// How many accounts the manifests declare.
const ACCOUNTS: usize = 12;
/// How many pushes one directory sees.
const PUSHES: usize = 20;

/// The manifests beside the pushes: accounts with two users each, and what records refer to.
fn manifests() -> String {
    let mut text =
        "tags: [{externalId: premium, name: Premium}, {externalId: trade, name: Trade}]\n\
        customFields: [{externalId: credit, appliesTo: account, name: Credit, type: number}]\n\
        accounts:\n"
            .to_owned();
    for at in 0..ACCOUNTS {
        writeln!(
            text,
            "  - {{externalId: a-{at}, name: Company {at}, companyRegistrationName: Company {at} AB, \
             businessRegistrationNumber: '{at}', addresses: [{{externalId: d-{at}, fullName: Company, \
             street: Torget 1, zipCode: 837 52, city: Åre, country: SE}}]}}"
        )
        .unwrap();
    }
    text.push_str("users:\n");
    for at in 0..ACCOUNTS * 2 {
        writeln!(
            text,
            "  - {{externalId: u-{at}, civility: MRS, firstName: Eva, lastName: Ek, email: u{at}@x.example, \
             phone: '+4670', groups: [FOC_User], accounts: [a-{}]}}",
            at / 2
        )
        .unwrap();
    }
    text
}

/// One record: known or new, complete or not, right or wrong.
fn record(dice: &mut Dice) -> Value {
    let at = dice.roll(ACCOUNTS + 6);
    let mut record = json!({"accountExternalId": format!("a-{at}")});
    let mut set = |name: &str, value: Value| record[name] = value;
    if at >= ACCOUNTS || dice.roll(2) == 0 {
        set("accountName", json!(format!("Firma {}", dice.roll(5))));
        set("companyRegistrationName", json!("Firma AB"));
        set("businessRegistrationNumber", json!(format!("R-{at}")));
        let address = if dice.roll(15) == 0 {
            dice.roll(ACCOUNTS)
        } else {
            at
        };
        set(
            "address",
            json!([{"addressExternalId": format!("d-{address}"), "addressFullName": "Firma", "addressCountry": "Sweden",
                "addressCity": "Åre", "addressZipCode": "837 52", "addressStreetName": format!("Torget {}", dice.roll(3))}]),
        );
    }
    match dice.roll(12) {
        0 => set("customerTagExternalId", json!("nothing")),
        1 => set("customerTagExternalId", json!("premium")),
        2 => set("websiteUrl", json!("not a web address")),
        3 => set("websiteUrl", json!("https://a.example")),
        4 => set("inactive", json!(true)),
        5 => set("inactive", json!(false)),
        6 => set("accountManager", json!("Eva")),
        7 => set("deleted", json!(true)),
        8 => set("credit", json!("12 thousand")),
        9 => set("credit", json!("12")),
        _ => {}
    }
    record
}

struct Place {
    config: Config,
    store: Store,
}

impl Place {
    async fn plan(&self, index: usize, request: PassRequest) -> (Pass<'_>, Plan) {
        let read = Pass::read(&self.config, request, &self.store).await;
        let mut pass = read.unwrap();
        let plan = pass.plan(index, &self.store, &[]).await.unwrap();
        (pass, plan)
    }
}

fn request(body: &Value, scrub: bool) -> PassRequest {
    let sent = PushedBody {
        name: "pushed".into(),
        bytes: body.to_string().into_bytes().into(),
        only_keys: None,
    };
    PassRequest {
        scrub,
        pushed: Some(Arc::new(SourcePushes {
            source: "erp".into(),
            bodies: vec![sent],
        })),
        ..PassRequest::default()
    }
}

/// How often each thing was seen, so that the test cannot quietly test nothing.
#[derive(Default, Debug)]
struct Seen {
    steps: usize,
    held: usize,
    counted: usize,
    quiet: usize,
}

async fn pushes(database: &str, seed: u64, seen: &mut Seen) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("manifests")).unwrap();
    std::fs::write(dir.path().join("manifests/all.yaml"), manifests()).unwrap();
    let text = format!(
        "apiVersion: roster/v1\ndatabase: \"{database}\"\nsources:\n\
         \x20 - {{name: directory, directory: manifests}}\n\
         \x20 - {{name: erp, onError: hold, export: {{push: true, preset: djust-accounts}}}}\n\
         order: [erp, directory]\n"
    );
    std::fs::write(dir.path().join("roster.yaml"), text).unwrap();
    let config = Config::load(&ConfigOverrides::default(), dir.path(), None).unwrap();
    let store = Store::open(database, StoreAccess::Write).await.unwrap();
    store.migrate(None).await.unwrap();
    let place = Place { config, store };
    let (pass, plan) = place.plan(0, PassRequest::default()).await;
    apply(&pass, 0, &place.store, &plan).await;

    let mut dice = Dice(seed);
    for round in 0..PUSHES {
        let records = (0..=dice.roll(3)).map(|_| record(&mut dice)).collect();
        let body = Value::Array(records);
        let (pass, plan) = place.plan(1, request(&body, false)).await;
        let (_, whole) = place.plan(1, request(&body, true)).await;
        let said = format!("seed {seed}, push {round}: {body:#}");
        assert_eq!(plan_json(&plan), plan_json(&whole), "{said}");
        assert_eq!(
            (&plan.budget_use, &plan.budget_bases),
            (&whole.budget_use, &whole.budget_bases),
            "{said}"
        );
        seen.counted += usize::from(!plan.budget_use.is_empty());
        seen.steps += usize::from(!plan.steps.is_empty());
        seen.held += usize::from(!plan.held.is_empty());
        seen.quiet += usize::from(plan.steps.is_empty() && plan.held.is_empty());
        if !plan.errored && dice.roll(4) > 0 {
            apply(&pass, 1, &place.store, &plan).await;
            let (_, again) = place.plan(1, request(&body, false)).await;
            assert!(again.steps.is_empty(), "{said}: {:#?}", again.steps);
        }
    }
    place.store.close().await;
}

#[test]
fn what_is_pushed_is_planned_as_a_pass_over_everything_plans_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for seed in 1..=2 {
        for (engine, database) in crate::support::postgres::databases("pushed") {
            let seen = seen.entry(engine).or_default();
            runtime.block_on(pushes(&database, seed, seen));
        }
    }
    for seen in seen.values() {
        assert!(
            seen.steps > 10 && seen.held > 10 && seen.counted > 2 && seen.quiet > 2,
            "{seen:?}"
        );
    }
}

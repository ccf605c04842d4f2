//! A pass that reads only what changed plans what a pass over everything plans, byte for byte:
//! random edits of a directory, on both engines, applied or not, with changes by hand between.
//! What an apply leaves is what the same plan leaves in memory, and what is declared.

use crate::planned::{apply, plan_json};
use crate::support::dice::Dice;
use crate::support::program::foreign;
use roster::config::{Config, ConfigOverrides};
use roster::diagnostic::codes;
use roster::kinds;
use roster::model::{Cell, ClaimState, DeclaredResource, Key, Row, Snapshot, Value};
use roster::plan::{self, HoldEntry, Plan};
use roster::reconcile::{self, Pass, PassRequest};
use roster::store::{SnapshotQuery, Store, StoreAccess};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// A directory: documents by key, each a list of lines, and the file each stands in.
#[derive(Clone)]
struct Tree(BTreeMap<String, (usize, BTreeMap<&'static str, String>)>);

const FILES: usize = 24;
const ACCOUNTS: usize = 12;
const ORPHAN: &str = "address-9";

impl Tree {
    fn new(dice: &mut Dice) -> Self {
        let mut tree = Self(BTreeMap::new());
        for at in 0..3 {
            tree.add(dice, "Tag", at);
            tree.add(dice, "Store", at);
        }
        for at in 0..2 {
            tree.add(dice, "CustomField", at);
            tree.add(dice, "Address", at);
        }
        for at in 0..ACCOUNTS {
            tree.add(dice, "Account", at);
            tree.add(dice, "Organisation", at);
            for user in 0..4 {
                tree.add(dice, "User", at * 4 + user);
            }
            tree.add(dice, "Policy", at);
        }
        tree
    }

    fn add(&mut self, dice: &mut Dice, kind: &'static str, at: usize) {
        let mut fields = BTreeMap::from([("kind", kind.to_owned())]);
        let mut set = |name, value: String| _ = fields.insert(name, value);
        let id = format!("{}-{at}", kind.to_lowercase());
        set("externalId", id.clone());
        match kind {
            "Tag" | "Store" => set("name", format!("{kind} {at}")),
            "CustomField" => {
                set("appliesTo", ["account", "user"][at].to_owned());
                set("name", "Field".to_owned());
                set("type", "text".to_owned());
            }
            "Address" => address(&mut set, at),
            "Account" => {
                set("name", format!("Company {at}"));
                set("companyRegistrationName", format!("Company {at} AB"));
                set("businessRegistrationNumber", format!("556000-{at:04}"));
                set("customerNumber", format!("\"{}\"", 1000 + at));
                set("tags", format!("[tag-{}]", at % 3));
                set("addresses", addresses(dice, at));
                set("customFields", "{customfield-0: A}".to_owned());
                set("organisations", nested(dice, at, 7));
            }
            "Organisation" => {
                set("name", format!("Organisation {at}"));
                set("account", format!("account-{at}"));
            }
            "User" => {
                let account = at / 4;
                set("civility", "MRS".to_owned());
                set("firstName", format!("First {at}"));
                set("lastName", "Last".to_owned());
                set("email", format!("user{at}@example.com"));
                set("phone", format!("\"+46{:06}\"", 1000 + at));
                set("groups", "[FOC_User]".to_owned());
                let level = if at.is_multiple_of(4) {
                    "administrator"
                } else {
                    "user"
                };
                set(
                    "accounts",
                    format!("[{{account: account-{account}, level: {level}}}]"),
                );
                set("organisations", format!("[organisation-{account}]"));
            }
            _ => {
                set("name", format!("Policy {at}"));
                set("account", format!("account-{at}"));
                set("reviewed", format!("[user-{}]", at * 4 + 1));
                set(
                    "approvers",
                    format!("[user-{}, user-{}]", at * 4, at * 4 + 2),
                );
            }
        }
        self.0.insert(id, (dice.roll(FILES), fields));
    }

    fn set(&mut self, id: &str, field: &'static str, value: impl Into<String>) {
        if let Some((_, fields)) = self.0.get_mut(id) {
            fields.insert(field, value.into());
        }
    }

    fn unset(&mut self, id: &str, field: &str) {
        if let Some((_, fields)) = self.0.get_mut(id) {
            fields.remove(field);
        }
    }

    /// Puts everything of an account into a file of its own, and what is shared into others.
    fn sort_into_folders(&mut self) {
        for (id, (file, fields)) in &mut self.0 {
            let (kind, at) = id.rsplit_once('-').unwrap();
            let at: usize = at.parse().unwrap();
            *file = match kind {
                "account" | "organisation" | "policy" => at,
                "user" => at / 4,
                _ => ACCOUNTS + at,
            };
            if kind == "account" {
                let own = format!(
                    "[{{externalId: own-{at}, fullName: A, street: S 1, zipCode: 211 20, city: C, country: SE}}]"
                );
                fields.insert("addresses", own);
            }
        }
    }

    /// Writes the files that differ. The first ones are each named for an account.
    fn write(&self, root: &Path) {
        let mut files: BTreeMap<usize, String> = (0..FILES).map(|at| (at, String::new())).collect();
        for (file, fields) in self.0.values() {
            let text = files.get_mut(file).unwrap();
            text.push_str("---\n");
            for (name, value) in fields {
                let _ = writeln!(text, "{name}: {value}");
            }
        }
        for (at, text) in files {
            let name = if at < ACCOUNTS {
                format!("of-account-{at}")
            } else {
                format!("{at:02}")
            };
            let path = root.join(format!("{name}.yaml"));
            if text.is_empty() {
                let _ = fs::remove_file(path);
            } else if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
                fs::write(path, text).unwrap();
            }
        }
    }
}

fn address(set: &mut impl FnMut(&'static str, String), at: usize) {
    set("fullName", format!("Hub {at}"));
    set("street", "Hamngatan 1".to_owned());
    set("zipCode", "211 20".to_owned());
    set("city", "Malmö".to_owned());
    set("country", "SE".to_owned());
}

fn addresses(dice: &mut Dice, at: usize) -> String {
    let own = |id: &str, street: usize| {
        format!(
            "{{externalId: {id}, fullName: A, street: S {street}, zipCode: 211 20, city: C, country: SE}}"
        )
    };
    match dice.roll(6) {
        0 => format!(
            "[{}, {{ref: address-0, billing: false}}]",
            own(&format!("own-{at}"), at)
        ),
        1 => format!("[{}, {}]", own(&format!("own-{at}"), at), own("shared", 1)),
        2 => "[{ref: address-1}]".to_owned(),
        _ => format!("[{}]", own(&format!("own-{at}"), dice.roll(3))),
    }
}

/// Organisations inline in an account. The eighth case moves one to another account.
fn nested(dice: &mut Dice, at: usize, cases: usize) -> String {
    let one = |id: String, below: &str| {
        format!("{{externalId: {id}, name: Inner, organisations: [{below}]}}")
    };
    let (inner, outer) = (one(format!("inner-{at}"), ""), format!("outer-{at}"));
    match dice.roll(cases) {
        0 => "[]".to_owned(),
        1 => format!("[{inner}]"),
        2 => format!("[{inner}, {}]", one(outer, "")),
        3 => format!("[{}]", one(outer, &inner).replace("Inner", "Renamed")),
        7 => format!("[{}]", one(format!("outer-{}", dice.roll(ACCOUNTS)), "")),
        _ => format!("[{}]", one(outer, &inner)),
    }
}

/// One thing that somebody changes in the manifests.
fn edit(tree: &mut Tree, dice: &mut Dice) {
    let user = format!("user-{}", dice.roll(ACCOUNTS * 4 + 2));
    let account = format!("account-{}", dice.roll(ACCOUNTS + 1));
    let organisation = format!("organisation-{}", dice.roll(ACCOUNTS + 1));
    let (one, other) = (dice.roll(ACCOUNTS), dice.roll(ACCOUNTS));
    match dice.roll(60) {
        39..=44 => tree.set(
            &organisation,
            "name",
            format!("Organisation {}", dice.roll(1000)),
        ),
        45..=48 => {
            let at = ACCOUNTS * 4 + dice.roll(40);
            tree.add(dice, "User", at);
            tree.set(
                &format!("user-{at}"),
                "accounts",
                format!("[account-{one}]"),
            );
            tree.unset(&format!("user-{at}"), "organisations");
        }
        0..=3 | 49..=56 => tree.set(
            &user,
            "phone",
            format!("\"+46{:06}\"", dice.roll(900_000) + 1000),
        ),
        4 => tree.set(&user, "email", format!("User{}@Example.com", dice.roll(60))),
        5 => tree.set(&user, "status", ["active", "inactive"][dice.roll(2)]),
        6 => tree.set(
            &user,
            "accounts",
            format!("[account-{one}, account-{other}]"),
        ),
        7 => tree.set(&user, "organisations", format!("[organisation-{one}]")),
        8 => tree.set(
            &user,
            "groups",
            ["[FOC_Admin]", "[FOC_User, FOC_Admin]", "[Nobody]"][dice.roll(3)],
        ),
        9 | 30..=38 => tree.set(&account, "name", format!("Company {}", dice.roll(1000))),
        10 => tree.set(&account, "status", ["active", "inactive"][dice.roll(2)]),
        11 => tree.set(
            &account,
            "customerNumber",
            format!("\"{}\"", 1000 + dice.roll(20)),
        ),
        12 => {
            let value = addresses(dice, one);
            tree.set(&account, "addresses", value);
        }
        13 => tree.set(
            &account,
            "vatNumber",
            ["SE556012345601", "DE12", "FR83404833048"][dice.roll(3)],
        ),
        14 => tree.set(
            &account,
            "website",
            ["https://a.example", "\"\""][dice.roll(2)],
        ),
        15 => tree.set(
            &account,
            "clear",
            ["[website]", "[tags]", "[vatNumber]"][dice.roll(3)],
        ),
        16 => tree.unset(
            &account,
            [
                "website",
                "clear",
                "vatNumber",
                "tags",
                "status",
                "organisations",
            ][dice.roll(6)],
        ),
        17 => tree.set(&organisation, "parent", format!("organisation-{other}")),
        18 => tree.set(&organisation, "account", format!("account-{other}")),
        19 => tree.set(
            &format!("policy-{one}"),
            "approvers",
            format!("[user-{}]", dice.roll(48)),
        ),
        20 => tree.set(
            &format!("policy-{one}"),
            "status",
            ["active", "inactive"][dice.roll(2)],
        ),
        21 => tree.set(
            &format!("tag-{}", dice.roll(3)),
            "name",
            format!("Tag {}", dice.roll(99)),
        ),
        22 => tree.set("address-0", "street", format!("Hamngatan {}", dice.roll(9))),
        23 => tree.set("customfield-0", "name", format!("Field {}", dice.roll(9))),
        24 => tree.set(
            &account,
            "customFields",
            ["{customfield-0: B}", "{customfield-0: }", "{nothing: B}"][dice.roll(3)],
        ),
        25 => {
            let keys = [user, account, organisation, format!("policy-{one}")];
            tree.0.remove(&keys[dice.roll(4)]);
        }
        26 => {
            let kind = ["User", "Organisation", "Policy", "Tag"][dice.roll(4)];
            let at = ACCOUNTS * 4 + dice.roll(2);
            tree.add(dice, kind, at);
        }
        27 => {
            if let Some((file, _)) = tree.0.get_mut(&user) {
                *file = dice.roll(FILES);
            }
        }
        29 | 57..=59 => {
            let value = nested(dice, one, 8);
            tree.set(&format!("account-{one}"), "organisations", value);
        }
        28 => tree.unset(&user, ["status", "organisations"][dice.roll(2)]),
        _ => tree.set(&user, "protect", ["true", "false"][dice.roll(2)]),
    }
}

/// What somebody does in the database.
const BY_HAND: [&str; 5] = [
    "UPDATE users SET phone = '+4699' WHERE external_id = 'user-3'",
    "UPDATE users SET status = 'inactive' WHERE external_id = 'user-7'",
    "DELETE FROM policies WHERE external_id = 'policy-2'",
    "INSERT INTO tags (external_id, name) VALUES ('by-hand', 'By hand') ON CONFLICT DO NOTHING",
    "UPDATE accounts SET website = 'https://by.hand' WHERE external_id = 'account-4'",
];

/// What another program does at random: a shop, a script, somebody with a console.
fn foreign_write(dice: &mut Dice, is_postgres: bool, late: bool) -> String {
    let (user, account) = (dice.roll(ACCOUNTS * 4), dice.roll(ACCOUNTS));
    let (n, some) = (dice.roll(900), dice.roll(4));
    // What takes access away is held until somebody decides, which needs everything.
    let first = if late { 0 } else { 3 };
    match first + dice.roll(24 - first) {
        0 => format!("UPDATE users SET status = 'inactive' WHERE external_id = 'user-{user}'"),
        1 => format!("DELETE FROM user_groups WHERE user_id = 'user-{user}'"),
        2 => format!("DELETE FROM policies WHERE external_id = 'policy-{account}'"),
        3..=7 => format!("UPDATE users SET phone = '+47{n}' WHERE external_id = 'user-{user}'"),
        8 => format!("UPDATE users SET phone = '+47{n}' WHERE external_id LIKE 'user-{some}%'"),
        9 => format!("UPDATE users SET company = 'Shop {n}' WHERE external_id = 'user-{user}'"),
        10 => format!(
            "UPDATE users SET first_name = 'F {n}', version = version + 1 WHERE external_id = 'user-{user}'"
        ),
        11 => format!(
            "INSERT INTO user_groups (user_id, value) VALUES ('user-{user}', 'FOC_Admin') ON CONFLICT DO NOTHING"
        ),
        12 => format!("UPDATE user_accounts SET level = 'user' WHERE user_id = 'user-{user}'"),
        13 => format!(
            "UPDATE accounts SET website = 'https://shop{n}.example' WHERE external_id = 'account-{account}'"
        ),
        14 => format!(
            "UPDATE accounts SET custom_fields = '{{\"customfield-0\":\"Z{n}\"}}' WHERE external_id = 'account-{account}'"
        ),
        15 => {
            let blocked = ["NULL", "'unpaid'"][dice.roll(2)];
            format!(
                "UPDATE accounts SET blocked = {blocked} WHERE external_id = 'account-{account}'"
            )
        }
        16 => format!("DELETE FROM account_tags WHERE account_id = 'account-{account}'"),
        17 => {
            let own = format!("own-{account}");
            let address = if some == 0 { ORPHAN } else { own.as_str() };
            format!("UPDATE addresses SET street = 'Gatan {n}' WHERE external_id = '{address}'")
        }
        18 => format!(
            "INSERT INTO tags (external_id, name) VALUES ('by-hand-{some}', 'By hand') ON CONFLICT DO NOTHING"
        ),
        19 => format!("DELETE FROM tags WHERE external_id = 'by-hand-{some}'"),
        20 if is_postgres => format!(
            "INSERT INTO tags (external_id, name) VALUES ('tag-{}', 'Tag {n}'), ('by-hand-{some}', 'By hand') \
             ON CONFLICT (external_id) DO UPDATE SET name = excluded.name",
            some % 3
        ),
        20 => format!(
            "INSERT OR REPLACE INTO tags (external_id, name) VALUES ('tag-{}', 'Tag {n}'), ('by-hand-{some}', 'By hand')",
            some % 3
        ),
        21 => format!(
            "DELETE FROM tags WHERE external_id = 'moved'; \
             UPDATE tags SET external_id = 'moved' WHERE external_id = 'by-hand-{some}'"
        ),
        22 if is_postgres && some == 0 => "TRUNCATE policy_reviewed".to_owned(),
        22 => format!("DELETE FROM policy_reviewed WHERE policy_id = 'policy-{account}'"),
        _ => format!(
            "UPDATE organisations SET name = 'Shop {n}' WHERE external_id = 'organisation-{account}'"
        ),
    }
}

/// The write as of somebody who leaves no trace of it.
fn hide(sql: &str, is_postgres: bool) -> String {
    if is_postgres {
        return format!("SET roster.writing = 'on'; {sql}");
    }
    format!("INSERT INTO writing (id) VALUES (1); {sql}; DELETE FROM writing")
}

/// Of every row its version, values and claims; runtime facts are the engine's own business.
fn told(stored: &Snapshot) -> BTreeMap<Key, String> {
    let told = |row: &Row| {
        let values = row.values.iter();
        let values: Vec<_> = values
            .map(|value| value.as_ref().filter(|value| !value.is_empty_list()))
            .collect();
        let custom: BTreeMap<_, _> = row.custom_values.iter().collect();
        let claims = stored.claims.get(&row.key).into_iter().flatten();
        let mut claims: Vec<_> = claims
            .map(|claim| (&claim.source, claim.digest, claim.seen_version, claim.state))
            .map(|claim| format!("{claim:?}"))
            .collect();
        claims.sort();
        format!("{} {values:?} {custom:?} {claims:?}", row.version)
    };
    let rows = stored.rows.iter();
    rows.map(|row| (row.key.clone(), told(row))).collect()
}

struct Place {
    config: Config,
    store: Store,
    /// Whether every stored value is compared.
    scrubs: bool,
}

impl Place {
    fn request(&self) -> PassRequest {
        PassRequest {
            scrub: self.scrubs,
            ..PassRequest::default()
        }
    }

    /// The plan of a pass that reads what it must, and whether that was only a part.
    async fn plan(&self) -> (Pass<'_>, Plan, bool) {
        let mut pass = Pass::read(&self.config, self.request(), &self.store)
            .await
            .unwrap();
        let plan = pass.plan(0, &self.store, &[]).await.unwrap();
        let part = pass.readings[0].is_incremental();
        (pass, plan, part)
    }

    /// What `why` finds of a resource is what is found when everything is read.
    async fn declares_what_a_full_read_says(&self, key: &Key, said: &str) {
        let config = Some(&self.config);
        let why = reconcile::provenance(config, &self.store, key)
            .await
            .unwrap();
        let Some(why) = why else {
            return;
        };
        let all = Pass::read_in_full(&self.config, PassRequest::default()).unwrap();
        let declared = |it: &Arc<DeclaredResource>| {
            let cells = it
                .cells
                .iter()
                .map(|stated| (&stated.field, stated.position));
            format!(
                "{} {:?} {:?}",
                it.path,
                it.position,
                cells.collect::<Vec<_>>()
            )
        };
        let found = why
            .sources
            .first()
            .and_then(|source| source.declared.as_ref());
        let all = all.readings[0].as_read.resources.get(key);
        assert_eq!(found.map(declared), all.map(declared), "{said}");
    }

    async fn whole(&self) -> Plan {
        let mut pass = Pass::read_in_full(&self.config, self.request()).unwrap();
        pass.plan(0, &self.store, &[]).await.unwrap()
    }

    /// Everything that is stored.
    async fn stored(&self) -> Snapshot {
        let query = SnapshotQuery {
            source: "directory",
            ..SnapshotQuery::default()
        };
        self.store.read(&query).await.unwrap()
    }

    /// The record of foreign writes says what a comparison of every claim with every row says.
    async fn record_is_exact(&self, stored: &Snapshot, said: &str) -> usize {
        let mut transaction = self.store.read_transaction().await.unwrap().unwrap();
        let mut stale = BTreeSet::new();
        for (key, claims) in &stored.claims {
            let version = stored.rows.get(key).map(|row| row.version);
            let mut own = claims.iter().filter(|claim| &*claim.source == "directory");
            if own.any(|claim| {
                claim.state == ClaimState::Active && Some(claim.seen_version) != version
            }) {
                stale.insert(key.clone());
            }
        }
        let recorded = transaction
            .stale_claims("directory")
            .await
            .unwrap()
            .unwrap();
        let recorded: BTreeSet<Key> = recorded.into_iter().map(|claim| claim.key).collect();
        assert_eq!(recorded, stale, "{said}");
        let claimed = |row: &&Row| stored.claims.get(&row.key).is_none_or(Vec::is_empty);
        let unclaimed = stored.rows.iter().filter(claimed).count() as u64;
        assert_eq!(transaction.unclaimed().await.unwrap(), unclaimed, "{said}");
        stale.len()
    }

    /// What is stored is what is declared, but for what is held.
    fn is_as_declared(&self, stored: &Snapshot, plan: &Plan) {
        let pass = Pass::read_in_full(&self.config, PassRequest::default()).unwrap();
        let desired = pass.plan_on(0, stored).desired;
        let held: BTreeSet<&Key> = plan.held.iter().map(|held| &held.key).collect();
        for declared in &desired[0].resources {
            if held.contains(&declared.key) {
                continue;
            }
            let row = stored.rows.get(&declared.key).expect("what is declared");
            for stated in &declared.cells {
                let is = row.value(&stated.field);
                match &stated.cell {
                    Cell::Value(value @ (Value::List(_) | Value::Links(_))) => {
                        let members = |value: &Value| value.members().cloned().collect::<Vec<_>>();
                        assert_eq!(is.map(members), Some(members(value)), "{}", declared.key);
                    }
                    Cell::Value(value) => assert_eq!(is, Some(value), "{}", declared.key),
                    Cell::Clear => {
                        let empty = is.is_none_or(Value::is_empty_list);
                        assert!(empty, "{}: {is:?}", declared.key);
                    }
                    Cell::Blank => {}
                    Cell::Amend(_) => unreachable!("no manifest amends"),
                }
            }
        }
    }
}

/// What is special about a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    Nothing,
    /// Other programs write to the database.
    Shared,
    /// Other programs write to the database, and nothing says so.
    Hidden,
    /// Each account has a file that declares nothing else.
    Scoped,
}

/// How many edits one directory sees; the last ones with changes by hand between.
const ROUNDS: usize = 30;

/// How often each thing was seen, so that the test cannot quietly test nothing.
#[derive(Default, Debug)]
struct Seen {
    parts: usize,
    parts_with_steps: usize,
    parts_that_count: usize,
    parts_with_visibility: usize,
    wholes: usize,
    held: usize,
    errored: usize,
    parts_with_orphans: usize,
    foreign_parts: usize,
    foreign_parts_with_steps: usize,
    foreign_wholes: usize,
    out_of_scope: usize,
}

async fn edits(database: &str, seed: u64, special: Special, seen: &mut Seen) {
    let is_hidden = special == Special::Hidden;
    let is_shared = special == Special::Shared || is_hidden;
    let scopes = match special {
        Special::Scoped => "scopes: [{path: 'of-{account}.yaml'}]\n",
        Special::Nothing | Special::Shared | Special::Hidden => "",
    };
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("manifests");
    fs::create_dir(&root).unwrap();
    let text = format!(
        "apiVersion: roster/v1\ndatabase: \"{database}\"\nsources: [{{name: directory, directory: manifests}}]\n\
         guards: {{deactivate: {{percent: 40, floor: 3, max: 500}}}}\n{scopes}"
    );
    fs::write(dir.path().join("roster.yaml"), text).unwrap();
    let config = Config::load(&ConfigOverrides::default(), dir.path(), None).unwrap();
    let store = Store::open(database, StoreAccess::Write).await.unwrap();
    store.migrate(None).await.unwrap();
    let place = Place {
        config,
        store,
        scrubs: is_hidden,
    };

    let (mut dice, mut asked) = (Dice(seed), Dice(seed + 1000));
    let mut tree = Tree::new(&mut dice);
    if is_shared {
        tree.add(&mut dice, "Address", 9);
    }
    if special == Special::Scoped {
        tree.sort_into_folders();
    }
    tree.write(&root);
    let (pass, plan, _) = place.plan().await;
    assert!(!plan.errored, "{:#?}", plan.diagnostics);
    apply(&pass, 0, &place.store, &plan).await;

    if is_shared {
        // An address that is claimed and declared nowhere.
        tree.0.remove(ORPHAN);
        tree.write(&root);
        let (pass, plan, _) = place.plan().await;
        apply(&pass, 0, &place.store, &plan).await;
    }
    for round in 0..ROUNDS {
        let before = tree.clone();
        if !is_shared || dice.once_in(2) {
            for _ in 0..=dice.roll(2) {
                edit(&mut tree, &mut dice);
            }
        }
        tree.write(&root);
        if is_shared {
            for _ in 0..=dice.roll(3) {
                let is_postgres = database.starts_with("postgres");
                let sql = foreign_write(&mut dice, is_postgres, round > 24);
                let sql = if is_hidden {
                    hide(&sql, is_postgres)
                } else {
                    sql
                };
                foreign(database, &sql).await;
            }
        } else if round > 20 && dice.once_in(3) {
            foreign(database, BY_HAND[dice.roll(BY_HAND.len())]).await;
        }
        let said = format!("seed {seed}, round {round}");
        let stale = if is_hidden {
            0
        } else {
            place.record_is_exact(&place.stored().await, &said).await
        };
        let (pass, plan, part) = place.plan().await;
        let whole = place.whole().await;
        assert_eq!(
            plan_json(&plan),
            plan_json(&whole),
            "seed {seed}, round {round}, part {part}"
        );
        assert_eq!(
            (&plan.budget_use, &plan.budget_bases),
            (&whole.budget_use, &whole.budget_bases),
            "seed {seed}, round {round}, part {part}"
        );
        for key in [
            Key::new(kinds::USER, format!("user-{}", asked.roll(ACCOUNTS * 4))),
            Key::new(kinds::ACCOUNT, format!("account-{}", asked.roll(ACCOUNTS))),
            Key::new(
                kinds::ORGANISATION,
                format!("inner-{}", asked.roll(ACCOUNTS)),
            ),
        ] {
            let said = format!("seed {seed}, round {round}, {key}");
            place.declares_what_a_full_read_says(&key, &said).await;
        }
        seen.parts_that_count += usize::from(part && !plan.budget_use.is_empty());
        assert_eq!(plan.visibility, whole.visibility);
        seen.parts_with_visibility += usize::from(part && !plan.visibility.is_empty());
        seen.parts += usize::from(part);
        seen.parts_with_steps += usize::from(part && !plan.steps.is_empty());
        seen.wholes += usize::from(!part);
        let is_foreign = stale > 0 || is_hidden;
        seen.parts_with_orphans += usize::from(part && !plan.orphans.is_empty());
        seen.foreign_parts += usize::from(part && is_foreign);
        seen.foreign_parts_with_steps += usize::from(part && is_foreign && !plan.steps.is_empty());
        seen.foreign_wholes += usize::from(!part && is_foreign);
        seen.held += usize::from(!plan.held.is_empty());
        seen.errored += usize::from(plan.errored);
        let mut found = plan.diagnostics.iter();
        seen.out_of_scope += usize::from(found.any(|found| found.code == codes::SCOPE));
        let is_left = if is_shared {
            plan.held.iter().any(HoldEntry::is_error)
        } else {
            !plan.held.is_empty() && !dice.once_in(10)
        };
        if plan.errored || is_left {
            tree = before;
            tree.write(&root);
        } else if !dice.once_in(4) {
            let mut model = place.stored().await;
            apply(&pass, 0, &place.store, &plan).await;
            plan::advance(&mut model, &plan);
            let stored = place.stored().await;
            assert_eq!(told(&stored), told(&model), "seed {seed}, round {round}");
            if !is_hidden {
                place.record_is_exact(&stored, &said).await;
            }
            place.is_as_declared(&stored, &plan);
            let (_, again, part) = place.plan().await;
            assert_eq!(
                plan_json(&again),
                plan_json(&place.whole().await),
                "seed {seed}, round {round}, again, part {part}"
            );
            assert!(
                again.steps.is_empty(),
                "seed {seed}, round {round}: {:#?}",
                again.steps
            );
            // Or everything would be read from now on.
            for held in plan.held.iter().filter(|_| is_shared) {
                let approved = place.store.approve_hold(&held.hold, None, "eva", "seen");
                approved.await.unwrap();
            }
        }
    }
    place.store.close().await;
}

#[test]
fn a_part_plans_what_the_whole_plans() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let number = |name, otherwise| std::env::var(name).map_or(otherwise, |it| it.parse().unwrap());
    let (first, sessions) = (number("ROSTER_SEED", 1), number("ROSTER_SESSIONS", 4));
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for seed in first..first + sessions {
        for (engine, database) in crate::support::postgres::databases("part") {
            let seen = seen.entry(engine).or_default();
            runtime.block_on(edits(&database, seed, Special::Nothing, seen));
        }
    }
    println!("{seen:?}");
    for seen in seen.values() {
        assert!(seen.parts_with_steps > 10, "{seen:?}");
        assert!(seen.parts_that_count > 3, "{seen:?}");
        assert!(seen.parts_with_visibility > 3, "{seen:?}");
        assert!(seen.wholes > 10 && seen.errored > 10, "{seen:?}");
    }
}

#[test]
fn a_part_plans_what_others_write_between() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let number = |name, otherwise| std::env::var(name).map_or(otherwise, |it| it.parse().unwrap());
    let (first, sessions) = (number("ROSTER_SEED", 101), number("ROSTER_SESSIONS", 4));
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for seed in first..first + sessions {
        for (engine, database) in crate::support::postgres::databases("shared") {
            let seen = seen.entry(engine).or_default();
            runtime.block_on(edits(&database, seed, Special::Shared, seen));
        }
    }
    println!("{seen:?}");
    for seen in seen.values() {
        assert!(seen.foreign_parts > 20, "{seen:?}");
        assert!(seen.foreign_parts_with_steps > 10, "{seen:?}");
        assert!(seen.foreign_wholes > 10, "{seen:?}");
        assert!(seen.parts_with_orphans > 5, "{seen:?}");
    }
}

#[test]
fn a_scrub_of_a_part_finds_every_hidden_write() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let number = |name, otherwise| std::env::var(name).map_or(otherwise, |it| it.parse().unwrap());
    let (first, sessions) = (number("ROSTER_SEED", 301), number("ROSTER_SESSIONS", 3));
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for seed in first..first + sessions {
        for (engine, database) in crate::support::postgres::databases("hidden") {
            let seen = seen.entry(engine).or_default();
            runtime.block_on(edits(&database, seed, Special::Hidden, seen));
        }
    }
    println!("{seen:?}");
    for seen in seen.values() {
        assert!(seen.foreign_parts > 20, "{seen:?}");
        assert!(seen.foreign_parts_with_steps > 10, "{seen:?}");
        assert!(seen.foreign_wholes > 10, "{seen:?}");
    }
}

#[test]
fn a_part_judges_scopes_as_the_whole_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let number = |name, otherwise| std::env::var(name).map_or(otherwise, |it| it.parse().unwrap());
    let (first, sessions) = (number("ROSTER_SEED", 201), number("ROSTER_SESSIONS", 4));
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for seed in first..first + sessions {
        for (engine, database) in crate::support::postgres::databases("scoped") {
            let seen = seen.entry(engine).or_default();
            runtime.block_on(edits(&database, seed, Special::Scoped, seen));
        }
    }
    println!("{seen:?}");
    for seen in seen.values() {
        assert!(seen.parts_with_steps > 10, "{seen:?}");
        assert!(seen.out_of_scope > 10, "{seen:?}");
    }
}

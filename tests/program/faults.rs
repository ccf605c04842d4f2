//! An apply that is killed leaves all of the plan or none of it, and the next one simply works.
//!
//! `ROSTER_KILLS` says how often each engine's apply is killed, `ROSTER_KILL_SIZE` of how many
//! changes; the defaults keep the suite fast.

use crate::support::workspace::{Workspace, account, each, run_within, say, user};
use rand::Rng;
use roster::store::{HistoryVerification, Store, StoreAccess};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

fn number(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// How many changes a killed apply has: enough that most moments are within its writing.
fn kill_size() -> usize {
    number("ROSTER_KILL_SIZE", 4_000)
}

/// Users of two accounts, all of one company: a change of it is guarded by nothing.
fn directory(size: usize, company: &str) -> String {
    let mut yaml = account("acme", "") + &account("beta", "") + "---\nusers:\n";
    for n in 0..size {
        let account = if n % 2 == 0 { "acme" } else { "beta" };
        let _ = writeln!(
            yaml,
            "  - {{externalId: u-{n}, civility: MR, firstName: Nils, lastName: Berg, email: u-{n}@roster.example, \
             phone: \"+461\", company: {company}, groups: [FOC_User], accounts: [{account}]}}"
        );
    }
    yaml
}

fn text(ws: &Workspace, query: &str) -> String {
    ws.value(query).unwrap_or_default()
}

/// Everything but the leases, which are taken and given up beside the apply.
fn contents(ws: &Workspace) -> BTreeMap<String, String> {
    ws.fingerprint()
        .into_iter()
        .filter(|(table, _)| table != "leases")
        .collect()
}

/// What an apply of a plan leaves, as far as it depends on nothing but the plan.
#[derive(PartialEq, Eq, Debug)]
struct Committed {
    companies: Vec<Option<String>>,
    versions: Vec<Option<String>>,
    runs: String,
    changes: String,
    values: String,
    last: String,
    claims: Vec<Option<String>>,
}

fn committed(ws: &Workspace) -> Committed {
    Committed {
        companies: ws.column("SELECT DISTINCT company FROM users"),
        versions: ws.column("SELECT DISTINCT version FROM users"),
        runs: text(ws, "SELECT count(*) FROM runs"),
        changes: text(ws, "SELECT count(*) FROM changes"),
        values: text(ws, "SELECT count(*) FROM change_values"),
        last: text(ws, "SELECT last_seq FROM write"),
        claims: ws.column("SELECT DISTINCT seen_version FROM claims WHERE kind = 'User'"),
    }
}

/// What `before` becomes by one apply that changes `size` companies to `company`.
fn after(before: &Committed, size: usize, company: &str) -> Committed {
    let plus = |text: &str, n: usize| (text.parse::<usize>().expect("a number") + n).to_string();
    let next = |versions: &[Option<String>]| {
        versions
            .iter()
            .map(|v| v.as_deref().map(|v| plus(v, 1)))
            .collect()
    };
    Committed {
        companies: vec![Some(company.to_owned())],
        versions: next(&before.versions),
        runs: plus(&before.runs, 1),
        changes: plus(&before.changes, size),
        values: plus(&before.values, size),
        last: plus(&before.last, size),
        claims: next(&before.claims),
    }
}

/// The tables that an apply of the plan leaves alone.
const UNTOUCHED: &[&str] = &[
    "accounts",
    "addresses",
    "account_addresses",
    "user_accounts",
    "user_groups",
    "meta",
    "settings",
];

/// Kills an apply after so long; says whether it had committed.
fn killed(ws: &Workspace, size: usize, company: &str, moment: Duration) -> bool {
    let (before, tables) = (committed(ws), contents(ws));
    let (ran, ended) = run_within(
        &mut ws.command(&["apply", "manifests", "--yes", "--quiet"]),
        moment,
    );
    assert!(!ended || ran.code == Some(0), "{ran}");
    let now = committed(ws);
    if now == before {
        assert!(!ended, "it said that it was done: {ran}");
        assert_eq!(
            contents(ws),
            tables,
            "{}: after {moment:?}, nothing should be left",
            ws.engine
        );
        return false;
    }
    assert_eq!(
        now,
        after(&before, size, company),
        "{}: after {moment:?}, all should be there",
        ws.engine
    );
    let left = contents(ws);
    for table in UNTOUCHED {
        assert_eq!(left[*table], tables[*table], "{}: {table}", ws.engine);
    }
    true
}

/// The chain of history is whole.
fn verified(ws: &Workspace) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(&ws.url, StoreAccess::Read)
            .await
            .expect("a database");
        let found = store.verify().await.expect("a verification");
        assert!(
            matches!(found, HistoryVerification::Sound { .. }),
            "{}: {found:?}",
            ws.engine
        );
    });
}

/// How often the applies of one database are killed: its history grows, and is read whole each time.
const KILLS: usize = 10;

#[test]
fn a_killed_apply_leaves_all_or_nothing_and_the_next_one_works() {
    let (kills, size) = (number("ROSTER_KILLS", 6), kill_size());
    let mut left = kills;
    while left > 0 {
        for ws in each("kill") {
            kill_some(&ws, left.min(KILLS), size);
        }
        left = left.saturating_sub(KILLS);
    }
}

/// Kills some applies in one database, and then lets one be.
fn kill_some(ws: &Workspace, kills: usize, size: usize) {
    let companies = ["north", "south"];
    ws.tree(directory(size, companies[0]));
    ws.apply(&["--quiet"]).exits(0);
    ws.tree(directory(size, companies[1]));
    let start = Instant::now();
    ws.apply(&["--quiet"]).exits(0);
    let whole = start.elapsed();
    let (mut at, mut done) = (1, 0);
    for kill in 0..kills {
        let company = companies[1 - at];
        ws.tree(directory(size, company));
        // Every other one late, where the writing is.
        let from = if kill % 2 == 0 { 0.0 } else { 0.5 };
        let moment = whole.mul_f64(rand::rng().random_range(from..1.1));
        if killed(ws, size, company, moment) {
            (at, done) = (1 - at, done + 1);
        }
    }
    say(&format!(
        "{}: {kills} applies of {size} changes killed within {whole:?}: {done} had committed, {} not",
        ws.engine,
        kills - done
    ));
    ws.tree(directory(size, companies[1 - at]));
    ws.apply(&["--quiet"]).exits(0);
    ws.plan(&["--detailed-exitcode", "--scrub", "--quiet"])
        .exits(0);
    assert_eq!(
        text(ws, "SELECT DISTINCT company FROM users"),
        companies[1 - at],
        "{}",
        ws.engine
    );
    verified(ws);
}

#[test]
fn a_killed_first_apply_leaves_an_empty_or_a_full_directory() {
    let size = kill_size() / 2;
    for ws in each("kill first") {
        ws.tree(directory(size, "north"));
        let mut left = Vec::new();
        for _ in 0..4 {
            let moment = Duration::from_millis(rand::rng().random_range(5..1_000));
            run_within(
                &mut ws.command(&["apply", "manifests", "--yes", "--quiet"]),
                moment,
            );
            // A schema may or may not be there, and never half of one.
            let users = ws.plan(&["--quiet"]).exits(0).count("create");
            left.push(users);
            assert!(
                users == 0 || users == size as u64 + 4,
                "{}: {users} are left to create",
                ws.engine
            );
        }
        ws.settle(&[]);
        assert_eq!(
            text(&ws, "SELECT count(*) FROM users"),
            size.to_string(),
            "{}: {left:?}",
            ws.engine
        );
    }
}

#[test]
fn of_two_applies_at_once_one_waits_and_finds_it_done() {
    for ws in each("two at once") {
        ws.tree(directory(2_000, "north"));
        ws.run(&["migrate"]).exits(0);
        let both = std::thread::scope(|scope| {
            let applies: Vec<_> = (0..2).map(|_| scope.spawn(|| ws.apply(&[]))).collect();
            applies
                .into_iter()
                .map(|apply| apply.join().expect("an apply"))
                .collect::<Vec<_>>()
        });
        let mut created = Vec::new();
        for ran in both {
            let ran = ran.exits(0);
            created.push(ran.count("create"));
        }
        created.sort_unstable();
        assert_eq!(created, [0, 2_004], "{}", ws.engine);
        assert_eq!(text(&ws, "SELECT count(*) FROM runs"), "1", "{}", ws.engine);
    }
}

/// Somebody who is still there holds the lease of the source.
fn lease(ws: &Workspace, expires: i64) {
    let clock = if ws.engine == "sqlite" {
        "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    } else {
        "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
    };
    ws.sql(&format!(
        "UPDATE leases SET holder = 'eva', host = 'elsewhere', pid = 1, token = token + 1, acquired_at = {clock}, \
         expires_at = {clock} + {expires} WHERE scope = 'source:directory'"
    ));
}

#[test]
fn a_held_lease_is_waited_for_no_longer_than_said() {
    for ws in each("leased") {
        ws.tree(account("acme", "") + &user("u-1", "acme", ""));
        ws.settle(&[]);
        ws.tree(account("acme", "") + &user("u-1", "acme", "company: New"));
        lease(&ws, 60_000);
        let before = contents(&ws);
        let refused = ws.apply(&["--lock-timeout", "0s"]).exits(4);
        assert!(
            refused.stderr.contains("eva") && refused.stderr.contains("elsewhere"),
            "{}: {refused}",
            ws.engine
        );
        assert_eq!(contents(&ws), before);
        // A plan takes no lock.
        assert_eq!(
            ws.plan(&[]).exits(0).changes(),
            ["update User/u-1: company"]
        );
        ws.run(&["lock", "break", "source:directory"]).exits(0);
        ws.settle(&["--lock-timeout", "0s"]);
    }
}

#[test]
fn an_expired_lease_and_one_of_a_dead_process_are_replaced_at_once() {
    for ws in each("lease left") {
        ws.tree(account("acme", "") + &user("u-1", "acme", ""));
        ws.settle(&[]);
        lease(&ws, -1_000);
        ws.settle(&["--lock-timeout", "0s"]);
        ws.tree(directory(4_000, "north"));
        run_within(
            &mut ws.command(&["apply", "manifests", "--yes"]),
            Duration::from_millis(300),
        );
        ws.settle(&["--lock-timeout", "0s"]);
    }
}

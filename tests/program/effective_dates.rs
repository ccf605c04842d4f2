//! Dates from and until which somebody has access: kept to by whoever applies, shown ahead, and
//! written back by exports.

use crate::support::clock::Clock;
use crate::support::workspace::{Ran, Workspace, account, each, run, sqlite, user, users};
use chrono::{Days, Utc};

/// The day that is so many days after today.
fn day(from_today: u64) -> String {
    let day = Utc::now().date_naive() + Days::new(from_today);
    day.to_string()
}

const START: &str = "2190-01-01";

/// Applies by a clock that may be off.
fn apply_by(ws: &Workspace, clock: &Clock, arguments: &[&str]) -> Ran {
    let mut command = ws.command(&[&["apply", "manifests", "--yes"], arguments].concat());
    clock.on(&mut command);
    run(&mut command)
}

fn statuses(ws: &Workspace) -> Vec<String> {
    let found = ws.column("SELECT external_id || ' ' || status FROM users ORDER BY external_id");
    found.into_iter().flatten().collect()
}

#[test]
fn an_end_by_the_clock_comes_once_and_trips_no_guard() {
    for ws in each("dates end") {
        let Some(clock) = Clock::new(&ws.path("")) else {
            return;
        };
        let until = format!("effectiveUntil: {}", day(2));
        let tree = account("acme", "") + &users(0..4, "acme", &until) + &user("u-9", "acme", "");
        ws.tree(&tree);
        ws.settle(&[]);
        assert_eq!(ws.plan(&[]).exits(0).steps(), [""; 0]);
        let as_of = ws.plan(&["--as-of", &day(2)]).exits(0);
        assert_eq!(as_of.count("deactivate"), 4, "{as_of}");
        assert_eq!(as_of.count("held"), 0, "{as_of}");
        // People would lose access before their day.
        ws.write("later.json", &as_of.stdout);
        let refused = ws.run(&["apply", "later.json", "--yes"]).exits(1);
        assert!(refused.stderr.contains("it shows a later day"), "{refused}");
        assert_eq!(ws.plan(&[]).exits(0).steps(), [""; 0], "{}", ws.engine);
        // Another file changes before; nobody touches the one with the dates.
        ws.write(
            "manifests/more.yaml",
            account("other", "") + &user("u-8", "other", ""),
        );
        apply_by(&ws, &clock, &[]).exits(0);
        clock.set("+1d");
        assert_eq!(apply_by(&ws, &clock, &[]).exits(0).steps(), [""; 0]);
        clock.set("+3d");
        let ended = apply_by(&ws, &clock, &[]).exits(0);
        let expected = [3, 2, 1, 0].map(|n| format!("deactivate User/u-{n}: status"));
        assert_eq!(ended.changes(), expected, "{}", ws.engine);
        assert_eq!(apply_by(&ws, &clock, &[]).exits(0).steps(), [""; 0]);
        assert_eq!(
            statuses(&ws),
            [
                "u-0 inactive",
                "u-1 inactive",
                "u-2 inactive",
                "u-3 inactive",
                "u-8 active",
                "u-9 active"
            ]
        );
        // The clock was wrong: they are back with the next pass.
        clock.set("+0");
        let back = apply_by(
            &ws,
            &clock,
            &[
                "--accept",
                "User.reactivate=4",
                "--accept",
                "access.gained=4",
            ],
        );
        assert_eq!(back.exits(0).count("reactivate"), 4, "{}", ws.engine);
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn what_a_clock_that_was_ahead_did_is_found_once_it_is_right() {
    for ws in each("dates ahead") {
        let Some(clock) = Clock::new(&ws.path("")) else {
            return;
        };
        let until = format!("effectiveUntil: {}", day(2));
        ws.tree(account("acme", "") + &user("u-0", "acme", &until) + &users(1..9, "acme", ""));
        ws.settle(&[]);
        clock.set("+40d");
        assert_eq!(apply_by(&ws, &clock, &[]).exits(0).count("deactivate"), 1);
        // Long past, by that clock: nobody would read the file again.
        assert_eq!(apply_by(&ws, &clock, &[]).exits(0).steps(), [""; 0]);
        clock.set("+0");
        let right = apply_by(&ws, &clock, &[]).exits(0);
        assert_eq!(
            right.changes(),
            ["reactivate User/u-0: status"],
            "{}",
            ws.engine
        );
        assert_eq!(apply_by(&ws, &clock, &[]).exits(0).steps(), [""; 0]);
    }
}

#[test]
fn an_end_that_is_past_when_it_is_first_declared_is_guarded() {
    for ws in each("dates past") {
        ws.tree(account("acme", "") + &users(0..5, "acme", ""));
        ws.settle(&[]);
        let past = |until: &str| {
            account("acme", "") + &users(0..4, "acme", until) + &user("u-4", "acme", "")
        };
        ws.tree(past("effectiveUntil: 2020-01-01"));
        let held = ws.apply(&[]).exits(3);
        assert!(held.rules().contains("guard"), "{held}");
        assert_eq!(held.count("deactivate"), 0, "{held}");
        // The date alone is no way around the guard: it was held with the status.
        assert!(ws.apply(&[]).exits(3).rules().contains("guard"));
        assert!(
            statuses(&ws).iter().all(|it| it.ends_with(" active")),
            "{}",
            ws.engine
        );
        // Declared ahead, moved into the past: reviewed as the change that it is.
        ws.tree(past("effectiveUntil: 2190-01-01"));
        ws.settle(&[]);
        ws.tree(past("effectiveUntil: 2020-01-01"));
        assert!(ws.apply(&[]).exits(3).rules().contains("guard"));
        // Inactive by hand is guarded although a date that is known has passed too.
        ws.tree(past("effectiveUntil: 2190-01-01\nstatus: inactive"));
        let held = ws.plan(&["--as-of", "2190-01-02"]).exits(3);
        assert!(held.rules().contains("guard"), "{held}");
    }
}

#[test]
fn links_levels_and_groups_begin_and_end_by_their_dates() {
    for ws in each("dates links") {
        let bo = "accounts:\n  - acme\n  - {account: kaj, level: administrator, effectiveUntil: 2190-02-01}\n  \
                  - {account: kaj, effectiveFrom: 2190-02-01, effectiveUntil: 2190-03-01}\n\
                  groups: [FOC_User, {group: FOC_Admin, effectiveFrom: 2190-02-01, effectiveUntil: 2190-03-01}]";
        let only = "accounts: [{account: kaj, effectiveUntil: 2190-03-01}]";
        ws.tree(
            account("acme", "")
                + &account("kaj", "")
                + &users(0..3, "acme", "")
                + &users(3..6, "kaj", "")
                + &user("bo", "acme", bo)
                + &user("cia", "kaj", only),
        );
        ws.settle(&[]);
        let links =
            "SELECT account_id || ' ' || level FROM user_accounts WHERE user_id = 'bo' ORDER BY 1";
        let found: Vec<_> = ws.column(links).into_iter().flatten().collect();
        assert_eq!(found, ["acme user", "kaj administrator"], "{}", ws.engine);
        let at = |day: &str| ws.plan(&["--as-of", day]).exits(0);
        assert_eq!(at("2190-01-31").steps(), [""; 0]);
        assert_eq!(
            at("2190-02-01").changes(),
            ["update User/bo: groups, accounts"]
        );
        let later = at("2190-03-01");
        // The last link of somebody ends, and that is no error.
        assert_eq!(
            later.changes(),
            ["update User/bo: accounts", "update User/cia: accounts"],
            "{}",
            ws.engine
        );
        let lost = later.plans()[0]["effects"].to_string();
        assert!(
            lost.contains("access.lost") && lost.contains("\"cia\""),
            "{lost}"
        );
    }
}

#[test]
fn a_start_is_kept_to_and_a_date_that_is_taken_back_is_gone() {
    for ws in each("dates start") {
        let dated = |dates: &str| {
            account("acme", "") + &users(0..5, "acme", "") + &user("new", "acme", dates)
        };
        ws.tree(dated(
            "effectiveFrom: 2190-01-01\neffectiveUntil: 2190-06-01",
        ));
        ws.settle(&[]);
        assert!(
            statuses(&ws).contains(&"new inactive".to_owned()),
            "{}",
            ws.engine
        );
        let starts = ws.plan(&["--as-of", START]).exits(0);
        assert_eq!(starts.changes(), ["reactivate User/new: status"]);
        ws.tree(dated(""));
        let back = ws.apply(&[]).exits(0);
        assert_eq!(
            back.changes(),
            ["reactivate User/new: effectiveFrom, effectiveUntil, status"],
            "{}",
            ws.engine
        );
        assert!(
            !back
                .findings()
                .iter()
                .any(|it| it.contains("field-released")),
            "{back}"
        );
        assert_eq!(ws.plan(&[]).exits(0).steps(), [""; 0]);
        let dates = "SELECT count(*) FROM users WHERE effective_from IS NOT NULL OR effective_until IS NOT NULL";
        assert_eq!(ws.value(dates).as_deref(), Some("0"));
    }
}

#[test]
fn what_begins_later_is_checked_today() {
    let ws = sqlite();
    let later = "accounts: [acme, {account: nowhere, effectiveFrom: 2190-01-01}]\n\
                 groups: [FOC_User, {group: FOC_Usr, effectiveFrom: 2190-01-01}]";
    ws.tree(account("acme", "") + &users(0..2, "acme", "") + &user("bo", "acme", later));
    let found = ws.plan(&[]).exits(1).findings();
    assert!(found.contains("error reference User/bo"), "{found:?}");
    assert!(found.contains("error enum User/bo"), "{found:?}");
}

#[test]
fn dates_that_make_no_sense_are_named_where_they_stand() {
    let ws = sqlite();
    let cases = [
        (
            "effectiveFrom: 2026-02-01\neffectiveUntil: 2026-02-01",
            "date",
            "effectiveUntil",
        ),
        ("effectiveUntil: 31.12.2026", "date", "effectiveUntil"),
        (
            "effectiveUntil: 2026-12-31T18:00:00",
            "date",
            "effectiveUntil",
        ),
        (
            "effectiveTill: 2026-12-31",
            "unknown-field",
            "effectiveTill",
        ),
        ("datedLinks: [x]", "unknown-field", "datedLinks"),
        (
            "groups: [{group: FOC_User, effectiveUntil: soon}]",
            "date",
            "groups.effectiveUntil",
        ),
        (
            "groups: [{effectiveUntil: 2026-12-31}]",
            "wrong-type",
            "groups",
        ),
        (
            "groups: [{group: FOC_User, level: user}]",
            "unknown-field",
            "groups",
        ),
        (
            "accounts: [{account: acme, effectiveFrom: 2026-02-01, effectiveUntil: 2026-01-01}]",
            "date",
            "accounts.effectiveUntil",
        ),
        (
            "accounts: [acme, {account: acme, level: administrator, effectiveUntil: 2190-01-01}]",
            "wrong-type",
            "accounts",
        ),
        (
            "organisations: [{organisation: x, effectiveUntil: 2190-01-01}]",
            "wrong-type",
            "organisations",
        ),
    ];
    for (more, code, field) in cases {
        ws.tree(account("acme", "") + &user("u-0", "acme", "") + &user("bo", "acme", more));
        let ran = ws.run(&["validate", "manifests"]).exits(1);
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a document");
        let found = document["diagnostics"].as_array().expect("a list");
        let is_it = |it: &serde_json::Value| it["code"] == code && it["field"] == field;
        assert!(found.iter().any(is_it), "{more}: {ran}");
    }
}

#[test]
fn an_export_writes_the_dates_back() {
    for ws in each("dates exported") {
        let bo = "accounts:\n  - {account: kaj, level: administrator, effectiveUntil: 2190-02-01T10:00:00+02:00}\n  \
                  - {account: kaj, effectiveFrom: 2190-02-01T10:00:00+02:00}\n  - acme\n\
                  groups: [{group: FOC_Admin, effectiveUntil: 2190-03-01}, FOC_User]";
        let new =
            "effectiveFrom: 2190-01-01\ngroups: [{group: FOC_User, effectiveFrom: 2190-01-01}]";
        ws.tree(
            account("acme", "effectiveUntil: 2190-12-01")
                + &account("kaj", "")
                + &users(0..2, "acme", "")
                + &users(2..4, "kaj", "")
                + &user("bo", "acme", bo)
                + &user("new", "kaj", new),
        );
        ws.settle(&[]);
        let stored = ws.run(&["get", "User"]).exits(0).stdout;
        ws.run(&["export", "--out", "exported"]).exits(0);
        ws.remove("manifests");
        std::fs::rename(ws.path("exported"), ws.path("manifests")).expect("moved");
        let again = ws.plan(&[]).exits(0);
        assert_eq!(again.steps(), [""; 0], "{again}");
        assert_eq!(ws.run(&["get", "User"]).exits(0).stdout, stored);
        let starts = ws.plan(&["--as-of", START]).exits(0);
        assert_eq!(
            starts.changes(),
            ["reactivate User/new: groups, status"],
            "{}",
            ws.engine
        );
    }
}

#[test]
fn exports_of_other_systems_cannot_set_dates() {
    let ws = sqlite();
    ws.write(
        "mapping.yaml",
        "apiVersion: roster/v1\nname: erp\nusers:\n  externalId: id\n  fields: {effectiveUntil: until}\n",
    );
    ws.write("erp.csv", "id,until\nu-1,2026-12-31\n");
    let ran = ws.run(&["import", "erp.csv", "--mapping", "mapping.yaml"]);
    assert_ne!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("exports cannot set dates"), "{ran}");
}

#[test]
fn an_end_within_four_weeks_is_noted_and_later_ones_are_not() {
    for ws in each("dates soon") {
        let soon = day(10);
        let tree = account("acme", "")
            + &account("kaj", &format!("effectiveUntil: {}", day(20)))
            + &users(0..4, "acme", "")
            + &user("u-5", "kaj", "")
            + &user("u-7", "acme", &format!("effectiveUntil: {soon}"))
            + &user("u-8", "acme", &format!("effectiveUntil: {}", day(40)))
            + &user(
                "u-9",
                "acme",
                &format!(
                    "accounts: [{{account: acme, level: administrator, effectiveUntil: {soon}}}, {{account: acme, effectiveFrom: {soon}}}, {{account: kaj, effectiveUntil: {soon}}}]"
                ),
            );
        let expected = format!(
            "User/u-7 loses access on {soon}; User/u-9 changes accounts acme on {soon}; User/u-9 loses accounts kaj on {soon}; Account/kaj ends, and with it the access of its users on {}",
            day(20)
        );
        ws.tree(&tree);
        let message = |ran: &Ran| {
            let plans = ran.plans();
            let found = plans[0]["diagnostics"].as_array().expect("a list").iter();
            let mut found = found.filter(|it| it["code"] == "ends-soon");
            found.next().map(|it| it["message"].clone())
        };
        assert_eq!(
            message(&ws.plan(&[])),
            Some(expected.clone().into()),
            "{}",
            ws.engine
        );
        ws.settle(&[]);
        // A pass that reads nothing else knows it too, and a plan for later days counts from there.
        assert_eq!(
            message(&ws.plan(&[])),
            Some(expected.into()),
            "{}",
            ws.engine
        );
        let later = ws.plan(&["--as-of", &day(15)]);
        let later = message(&later).expect("a note").to_string();
        assert!(
            later.contains("User/u-8 loses access on") && !later.contains("u-7"),
            "{later}"
        );
    }
}

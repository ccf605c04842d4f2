//! Ends that the database knows come on their day, whatever the files say of them by then.

use crate::support::clock::Clock;
use crate::support::workspace::{Ran, Workspace, account, each, run, user, users};
use chrono::{Days, Utc};

/// The day after tomorrow.
fn soon() -> String {
    (Utc::now().date_naive() + Days::new(2)).to_string()
}

/// A company with four users whose access ends soon, and one whose access does not.
fn ending(until: &str) -> String {
    account("acme", "") + &users(0..4, "acme", until) + &user("u-9", "acme", "")
}

fn configure(ws: &Workspace, more: &str) {
    ws.write(
        "roster.yaml",
        format!("apiVersion: roster/v1\nsources: [{{name: shop, directory: manifests{more}}}]\n"),
    );
}

/// Runs a command three days later.
fn later(ws: &Workspace, clock: &Clock, arguments: &[&str]) -> Ran {
    clock.set("+3d");
    let mut command = ws.command(arguments);
    clock.on(&mut command);
    let ran = run(&mut command);
    clock.set("+0");
    ran
}

const APPLY: &[&str] = &["apply", "--yes"];

#[test]
fn an_end_comes_although_its_files_do_not_say_it_any_more() {
    let blank = ending("effectiveUntil: \"\"");
    let gone = account("acme", "") + &user("u-9", "acme", "");
    for (what, more, tree) in [
        ("blank", "", &*blank),
        ("unreadable", ", onError: hold", "kind: ["),
        ("kept", ", prune: ignore", &*gone),
    ] {
        for ws in each(&format!("ends {what}")) {
            let Some(clock) = Clock::new(&ws.path("")) else {
                return;
            };
            let of = format!("{}: {what}", ws.engine);
            configure(&ws, more);
            ws.tree(ending(&format!("effectiveUntil: {}", soon())));
            ws.run(APPLY).exits(0);
            ws.tree(tree);
            // Today nothing ends.
            let now = ws.run(APPLY);
            assert_eq!(now.count("deactivate"), 0, "{of}: {now}");
            let then = later(&ws, &clock, APPLY);
            let mut changes = then.changes();
            changes.sort();
            let ended = [0, 1, 2, 3].map(|n| format!("deactivate User/u-{n}: status"));
            assert_eq!(changes, ended, "{of}: {then}");
            assert_eq!(then.count("held"), 0, "{of}: {then}");
            let again = later(&ws, &clock, APPLY);
            assert_eq!(again.steps(), [""; 0], "{of}: {again}");
            assert_eq!(again.count("held"), 0, "{of}: {again}");
        }
    }
}

#[test]
fn a_link_ends_although_its_file_does_not_say_it_any_more() {
    let until = soon();
    let dated = |n: usize| {
        let links = format!(
            "{{account: beta, level: administrator, effectiveUntil: {until}}}, \
             {{account: acme, level: administrator, effectiveUntil: {until}}}, \
             {{account: acme, effectiveFrom: {until}}}, {{account: gamma, effectiveUntil: 2190-01-01}}"
        );
        let groups = format!("FOC_User, {{group: FOC_Webmaster, effectiveUntil: {until}}}");
        user(&format!("u-{n}"), "ACCOUNTS", "")
            .replace("[ACCOUNTS]", &format!("[{links}]"))
            .replace("[FOC_User]", &format!("[{groups}]"))
    };
    let companies = ["acme", "beta", "gamma"].map(|id| account(id, "")).concat();
    let rest = companies + &users(50..52, "acme", "") + &users(60..62, "beta", "");
    let rest = rest + &users(70..72, "gamma", "");
    let tree: String = (0..4).map(dated).collect();
    for (what, more, broken) in [
        ("unreadable", ", onError: hold", Some("kind: [")),
        ("kept", ", prune: ignore", None),
    ] {
        for ws in each(&format!("links end {what}")) {
            let Some(clock) = Clock::new(&ws.path("")) else {
                return;
            };
            let of = format!("{}: {what}", ws.engine);
            configure(&ws, more);
            ws.tree(&rest);
            ws.write("manifests/dated.yaml", &tree);
            ws.run(APPLY).exits(0);
            match broken {
                Some(text) => ws.write("manifests/dated.yaml", text),
                None => ws.remove("manifests/dated.yaml"),
            };
            let now = ws.run(APPLY);
            assert_eq!(now.steps(), [""; 0], "{of}: {now}");
            let then = later(&ws, &clock, APPLY);
            let ended = [0, 1, 2, 3].map(|n| format!("update User/u-{n}: groups, accounts"));
            let mut changes = then.changes();
            changes.sort();
            assert_eq!(changes, ended, "{of}: {then}");
            assert_eq!(then.count("held"), 0, "{of}: {then}");
            let links = ws.column(
                "SELECT account_id || ' ' || level FROM user_accounts WHERE user_id = 'u-0' \
                 ORDER BY account_id",
            );
            let links: Vec<String> = links.into_iter().flatten().collect();
            assert_eq!(links, ["acme user", "gamma user"], "{of}");
            let again = later(&ws, &clock, APPLY);
            assert_eq!(again.steps(), [""; 0], "{of}: {again}");
        }
    }
}

#[test]
fn whoever_ended_so_comes_back_with_a_later_date() {
    for ws in each("ends anew") {
        let Some(clock) = Clock::new(&ws.path("")) else {
            return;
        };
        configure(&ws, "");
        let one = |until: &str| {
            account("acme", "") + &user("u-0", "acme", until) + &users(1..9, "acme", "")
        };
        ws.tree(one(&format!("effectiveUntil: {}", soon())));
        ws.run(APPLY).exits(0);
        ws.tree(one("effectiveUntil: \"\""));
        assert_eq!(later(&ws, &clock, APPLY).exits(0).count("deactivate"), 1);
        ws.tree(one("effectiveUntil: 2190-01-01"));
        let back = later(&ws, &clock, APPLY).exits(0);
        assert_eq!(
            back.changes(),
            ["reactivate User/u-0: effectiveUntil, status"],
            "{}",
            ws.engine
        );
        assert_eq!(later(&ws, &clock, APPLY).exits(0).steps(), [""; 0]);
    }
}

#[test]
fn a_removal_that_a_guard_holds_does_not_keep_anybody_beyond_the_end() {
    for ws in each("ends held") {
        let Some(clock) = Clock::new(&ws.path("")) else {
            return;
        };
        configure(&ws, "");
        ws.tree(ending(&format!("effectiveUntil: {}", soon())));
        ws.run(APPLY).exits(0);
        ws.tree(account("acme", "") + &user("u-9", "acme", ""));
        assert!(
            ws.run(APPLY).exits(3).rules().contains("guard"),
            "{}",
            ws.engine
        );
        let then = later(&ws, &clock, APPLY).exits(0);
        assert_eq!(then.count("deactivate"), 4, "{}: {then}", ws.engine);
        assert_eq!(later(&ws, &clock, APPLY).exits(0).steps(), [""; 0]);
    }
}

#[test]
fn a_date_that_was_reverted_ends_nothing_and_one_that_was_restored_does() {
    let one =
        |until: &str| account("acme", "") + &user("u-0", "acme", until) + &users(1..9, "acme", "");
    let (never, until) = (one(""), one(&format!("effectiveUntil: {}", soon())));
    for (before, after, ends) in [(&never, &until, 0), (&until, &never, 1)] {
        for ws in each(&format!("ends reverted {ends}")) {
            let Some(clock) = Clock::new(&ws.path("")) else {
                return;
            };
            configure(&ws, "");
            ws.tree(before);
            ws.run(APPLY).exits(0);
            ws.tree(after);
            ws.run(APPLY).exits(0);
            ws.run(&["revert", "2", "--yes"]).exits(0);
            let now = ws.run(&["plan"]).exits(0);
            assert_eq!(now.steps(), [""; 0], "{}", ws.engine);
            let then = later(&ws, &clock, APPLY).exits(0);
            assert_eq!(then.count("deactivate"), ends, "{}: {then}", ws.engine);
            assert_eq!(then.count("held"), 0, "{}: {then}", ws.engine);
            let again = later(&ws, &clock, APPLY).exits(0);
            assert_eq!(again.steps(), [""; 0], "{}: {again}", ws.engine);
        }
    }
}

#[test]
fn what_was_activated_again_after_its_end_is_only_reported_if_that_is_configured() {
    for (drift, ends) in [("report", 0), ("repair", 1)] {
        for ws in each(&format!("ends {drift}")) {
            let Some(clock) = Clock::new(&ws.path("")) else {
                return;
            };
            configure(&ws, &format!(", drift: {drift}"));
            let until = format!("effectiveUntil: {}", soon());
            ws.tree(account("acme", "") + &user("u-0", "acme", &until) + &users(1..9, "acme", ""));
            ws.run(APPLY).exits(0);
            assert_eq!(later(&ws, &clock, APPLY).exits(0).count("deactivate"), 1);
            ws.sql("UPDATE users SET status = 'active' WHERE external_id = 'u-0'");
            let again = later(&ws, &clock, APPLY).exits(0);
            assert_eq!(again.count("deactivate"), ends, "{}: {again}", ws.engine);
        }
    }
}

#[test]
fn what_is_no_date_ends_nobody() {
    for ws in each("ends blank") {
        configure(&ws, "");
        ws.tree(ending("effectiveUntil: \"\""));
        ws.run(APPLY).exits(0);
        ws.sql("UPDATE users SET effective_until = '' WHERE external_id LIKE 'u-%'");
        let applied = ws.run(APPLY).exits(0);
        assert_eq!(applied.count("deactivate"), 0, "{}: {applied}", ws.engine);
    }
}

#[test]
fn links_whose_dates_move_are_not_taken_from_anybody() {
    for ws in each("ends moved") {
        let until = |day: &str| {
            let links = format!(
                "accounts: [acme, {{account: kaj, effectiveUntil: {day}}}]\ngroups: [FOC_User]"
            );
            let all = (0..4).map(|n| user(&format!("u-{n}"), "acme", &links));
            account("acme", "") + &account("kaj", "") + &all.collect::<String>()
        };
        ws.tree(until("2190-01-01"));
        ws.settle(&[]);
        ws.tree(until("2190-02-01"));
        let moved = ws.apply(&[]).exits(0);
        assert_eq!(moved.count("update"), 4, "{}: {moved}", ws.engine);
        assert_eq!(ws.plan(&[]).exits(0).steps(), [""; 0]);
    }
}

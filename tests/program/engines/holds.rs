//! What is held stays held in later passes, whatever way the rest was applied.

use crate::support::workspace::{Workspace, account, each, user};

/// One account with the users of these numbers.
fn people(numbers: impl Iterator<Item = usize>) -> String {
    let users = numbers.map(|n| user(&format!("u-{n}"), "acme", ""));
    account("acme", "") + &users.collect::<String>()
}

fn active(ws: &Workspace) -> Option<String> {
    ws.value("SELECT count(*) FROM users WHERE status = 'active'")
}

/// The ids of what a plan holds.
fn ids(ws: &Workspace, ran: &crate::support::workspace::Ran) -> Vec<String> {
    let plans = ran.plans();
    let held = plans[0]["held"].as_array().expect("a list").clone();
    assert!(!held.is_empty(), "{}", ws.engine);
    let id = |held: &serde_json::Value| held["hold"].as_str().expect("an id").to_owned();
    held.iter().map(id).collect()
}

#[test]
fn a_hold_is_the_same_hold_in_every_later_pass() {
    for ws in each("held again") {
        ws.tree(people(1..=40));
        ws.settle(&[]);
        ws.tree(people(6..=60));
        let first = ids(&ws, &ws.plan(&[]).exits(3));
        for _ in 0..3 {
            ws.apply(&[]).exits(3);
            assert_eq!(active(&ws).as_deref(), Some("60"), "{}", ws.engine);
            let plan = ws.plan(&[]).exits(3);
            assert_eq!(ids(&ws, &plan), first, "{}", ws.engine);
            assert_eq!(plan.steps(), Vec::<String>::new());
        }
        ws.approve(&first[0]);
        ws.apply(&[]).exits(0);
        assert_eq!(active(&ws).as_deref(), Some("55"), "{}", ws.engine);
        ws.plan(&["--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn a_saved_plan_records_what_it_holds() {
    for ws in each("held saved") {
        ws.tree(people(1..=40));
        ws.settle(&[]);
        ws.tree(people(6..=60));
        let first = ids(&ws, &ws.plan(&["--out", "plan.json"]).exits(3));
        ws.run(&["apply", "plan.json"]).exits(3);
        assert_eq!(active(&ws).as_deref(), Some("60"), "{}", ws.engine);
        assert_eq!(ids(&ws, &ws.plan(&[]).exits(3)), first, "{}", ws.engine);
    }
}

#[test]
fn saved_plans_use_up_the_budgets_of_the_window() {
    for ws in each("saved window") {
        ws.tree(people(1..=40));
        ws.settle(&[]);
        for n in 1..=4 {
            ws.tree(people((1..=40).filter(|u| *u <= 3 * (n - 1) || *u > 3 * n)));
            ws.plan(&["--out", &format!("{n}.json")]).exits(0);
        }
        ws.run(&["apply", "1.json"]).exits(0);
        for n in 2..=4 {
            let refused = ws.run(&["apply", &format!("{n}.json")]).exits(3);
            for said in ["stale", "3 of 40 and 3 shortly before", "guards.window"] {
                assert!(refused.stderr.contains(said), "{refused}");
            }
        }
        for n in 2..=12 {
            ws.tree(people(3 * n + 1..=40));
            ws.plan(&["--out", "plan.json"]).exits(3);
            ws.run(&["apply", "plan.json"]).exits(3);
        }
        assert_eq!(active(&ws).as_deref(), Some("37"), "{}", ws.engine);
    }
}

#[test]
fn a_saved_plan_does_not_do_what_a_later_pass_held() {
    for ws in each("saved held") {
        ws.tree(people(1..=40));
        ws.settle(&[]);
        ws.tree(people(4..=40));
        ws.plan(&["--out", "plan.json"]).exits(0);
        // A later pass wants to remove six. Its hold covers the three of the saved plan as well.
        ws.tree(people(7..=40));
        let held = ids(&ws, &ws.apply(&[]).exits(3));
        let refused = ws.run(&["apply", "plan.json"]).exits(3);
        for said in ["stale", "User/u-2", "deactivate", &held[0]] {
            assert!(refused.stderr.contains(said), "{refused}");
        }
        assert_eq!(active(&ws).as_deref(), Some("40"), "{}", ws.engine);
        ws.approve(&held[0]);
        ws.plan(&["--out", "approved.json"]).exits(0);
        ws.run(&["apply", "approved.json"]).exits(0);
        assert_eq!(active(&ws).as_deref(), Some("34"), "{}", ws.engine);
        ws.plan(&["--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn an_unknown_hold_is_not_approved() {
    for ws in each("unknown hold") {
        ws.tree(people(1..=10));
        ws.settle(&[]);
        let id = "0123456789abcdef";
        let arguments = ["approve", "hold", id, "--reason", "why not"];
        let refused = ws.run(&arguments).exits(1);
        assert!(refused.stderr.contains(id), "{refused}");
        let given = ws.value("SELECT count(*) FROM approvals");
        assert_eq!(given.as_deref(), Some("0"), "{}", ws.engine);
    }
}

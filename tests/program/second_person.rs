//! `approvals:` of the configuration: what takes something from people needs as many approvers as it says.

use crate::support::workspace::{Ran, Workspace, account, each, run, sqlite, user};
use std::collections::BTreeSet;

fn configure(ws: &Workspace, more: &str) {
    ws.write(
        "roster.yaml",
        format!("apiVersion: roster/v1\nsources: [{{name: shop, directory: manifests}}]\n{more}"),
    );
}

fn people(active: impl Fn(usize) -> bool) -> String {
    let users = (1..=40).map(|n| {
        let status = if active(n) { "" } else { "status: inactive" };
        user(&format!("u-{n}"), "acme", status)
    });
    account("acme", "") + &users.collect::<String>()
}

fn by(ws: &Workspace, who: &str, arguments: &[&str]) -> Ran {
    run(ws.command(arguments).env("ROSTER_ACTOR", who))
}

/// The line of the newest run in the history.
fn newest_run(ws: &Workspace) -> String {
    let listed = ws.run(&["history", "--output", "text"]).exits(0).stdout;
    listed.lines().nth(1).unwrap_or_default().trim().to_owned()
}

fn approve(ws: &Workspace, who: &str, hold: &str, more: &[&str]) -> Ran {
    let arguments = [&["approve", "hold", hold, "--reason", "spring clean"], more].concat();
    by(ws, who, &arguments)
}

#[test]
fn a_loss_of_access_takes_two_different_people() {
    for ws in each("second person") {
        configure(&ws, "approvals: {access.lost: 2, price.changed: 3}\n");
        ws.tree(people(|_| true));
        ws.settle(&[]);
        ws.tree(people(|n| n > 5));
        let apply = || by(&ws, "ci", &["apply", "--yes"]);
        let held = apply().exits(3);
        let hold = held.hold("guard");
        let entry = &held.plans()[0]["held"][0];
        assert_eq!(entry["approvalsNeeded"], 2, "{entry}");
        let first = approve(&ws, "eva", &hold, &[]).exits(0);
        assert!(
            first.stdout.contains("1 of 2 people has approved it (eva)"),
            "{first}"
        );
        // One is not enough, and the same one is not a second one.
        assert_eq!(apply().exits(3).hold("guard"), hold, "{}", ws.engine);
        let again = approve(&ws, "eva", &hold, &[]).exits(1);
        assert!(
            again
                .stderr
                .contains("another person has to approve it too"),
            "{again}"
        );
        assert_eq!(apply().exits(3).count("deactivate"), 0);
        let listed = ws.run(&["holds", "--output", "text"]).exits(0).stdout;
        assert!(listed.contains("1 of 2 approvals"), "{listed}");
        approve(&ws, "nils", &hold, &[]).exits(0);
        let listed = ws.run(&["holds", "--output", "text"]).exits(0).stdout;
        assert!(listed.contains("approved by eva, nils"), "{listed}");
        assert_eq!(apply().exits(0).count("deactivate"), 5, "{}", ws.engine);
        assert!(newest_run(&ws).ends_with("approved by eva, nils"));
        assert_eq!(by(&ws, "ci", &["plan"]).exits(0).steps(), [""; 0]);
        // Both are used up: the same again is a new decision.
        ws.tree(people(|_| true));
        let back = [
            "apply",
            "--yes",
            "--accept",
            "User.reactivate=5",
            "--accept",
            "access.gained=5",
        ];
        by(&ws, "ci", &back).exits(0);
        ws.tree(people(|n| n > 5));
        let hold = apply().exits(3).hold("guard");
        approve(&ws, "nils", &hold, &[]).exits(0);
        apply().exits(3);
        approve(&ws, "olle", &hold, &[]).exits(0);
        apply().exits(0);
        assert!(newest_run(&ws).ends_with("approved by nils, olle"));
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn a_part_of_a_hold_takes_two_people_too() {
    for ws in each("second part") {
        configure(&ws, "approvals: {access.lost: 2}\n");
        ws.tree(people(|_| true));
        ws.settle(&[]);
        ws.tree(people(|n| n > 5));
        let apply = || by(&ws, "ci", &["apply", "--yes"]);
        let hold = apply().exits(3).hold("guard");
        let only = ["--only", "User/u-1"];
        approve(&ws, "eva", &hold, &only).exits(0);
        assert_eq!(apply().exits(3).count("deactivate"), 0, "{}", ws.engine);
        approve(&ws, "nils", &hold, &only).exits(0);
        let part = apply().exits(3);
        assert_eq!(part.steps(), ["deactivate User/u-1"], "{}", ws.engine);
    }
}

#[test]
fn what_has_no_such_effect_takes_one_person() {
    for ws in each("one person") {
        configure(&ws, "approvals: {access.lost: 2}\n");
        let named = |company: &str| {
            let users = (1..=40).map(|n| user(&format!("u-{n}"), "acme", company));
            account("acme", "") + &users.collect::<String>()
        };
        ws.tree(named("company: Acme"));
        ws.settle(&[]);
        ws.tree(named("clear: [company]"));
        let apply = || by(&ws, "ci", &["apply", "--yes"]);
        let hold = apply().exits(3).hold("guard");
        approve(&ws, "eva", &hold, &[]).exits(0);
        assert_eq!(apply().exits(0).count("update"), 40, "{}", ws.engine);
    }
}

#[test]
fn approvals_that_nobody_could_give_are_refused() {
    let ws = sqlite();
    ws.tree(account("acme", ""));
    for (written, why) in [
        ("approvals: {acess.lost: 2}", "access.lost"),
        ("approvals: {access.lost: 0}", "from 1 to 10"),
        ("approvals: {access.lost: 11}", "from 1 to 10"),
        (
            "approvers: [eva]\napprovals: {access.lost: 2}",
            "`approvers` names 1",
        ),
    ] {
        configure(&ws, written);
        let ran = ws.run(&["plan"]);
        assert!(ran.code == Some(1) && ran.stderr.contains(why), "{ran}");
    }
}

/// The links to one account, and four other accounts set inactive: each leaves everybody a way in.
#[test]
fn what_two_holds_take_only_together_takes_two_people() {
    for ws in each("only together") {
        configure(&ws, "approvals: {access.lost: 2}\n");
        let tree = |own: &str, status: &str| {
            let all = |own: &str| -> String {
                let user = |n| user(&format!("u-{n}"), &format!("{own}b-{n}"), "");
                (1..=4).map(user).collect()
            };
            let accounts = (1..=4).map(|n| account(&format!("b-{n}"), status));
            let others = (1..=20).map(|n| {
                account(&format!("c-{n}"), "")
                    + &user(&format!("o-{n}"), &format!("acme, c-{n}"), "")
            });
            account("acme", "")
                + &all(own)
                + &accounts.collect::<String>()
                + &others.collect::<String>()
        };
        ws.tree(tree("acme, ", ""));
        ws.settle(&[]);
        ws.tree(tree("", "status: inactive"));
        let first = by(&ws, "ci", &["apply", "--yes"]).exits(3);
        let plans = first.plans();
        let held = plans[0]["held"].as_array().unwrap();
        let holds: BTreeSet<&str> = held.iter().map(|it| it["hold"].as_str().unwrap()).collect();
        assert_eq!(holds.len(), 2, "{held:?}");
        assert!(held.iter().all(|it| it["approvalsNeeded"] != 2), "{held:?}");
        for hold in holds {
            approve(&ws, "eva", hold, &[]).exits(0);
        }
        // One of both goes through, and the other takes access from now on.
        let second = by(&ws, "ci", &["apply", "--yes"]).exits(3);
        let plans = second.plans();
        let held = plans[0]["held"].as_array().unwrap();
        assert_eq!(held.len(), 4, "{}: {second}", ws.engine);
        assert!(held.iter().all(|it| it["approvalsNeeded"] == 2), "{held:?}");
        by(&ws, "ci", &["apply", "--yes"]).exits(3);
        let hold = held[0]["hold"].as_str().unwrap();
        approve(&ws, "nils", hold, &[]).exits(0);
        by(&ws, "ci", &["apply", "--yes"]).exits(0);
    }
}

#[test]
fn one_apply_uses_up_the_approvals_of_the_parts_too() {
    for ws in each("parts used") {
        configure(&ws, "");
        ws.tree(people(|_| true));
        ws.settle(&[]);
        let apply = || by(&ws, "ci", &["apply", "--yes"]);
        let back = [
            "apply",
            "--yes",
            "--accept",
            "User.reactivate=5",
            "--accept",
            "access.gained=5",
        ];
        for whole_first in [true, false] {
            ws.tree(people(|n| n > 5));
            let hold = apply().exits(3).hold("guard");
            let only: &[&str] = &["--only", "User/u-1"];
            for more in if whole_first {
                [&[], only]
            } else {
                [only, &[]]
            } {
                approve(&ws, "eva", &hold, more).exits(0);
            }
            assert_eq!(apply().exits(0).count("deactivate"), 5, "{}", ws.engine);
            ws.tree(people(|_| true));
            by(&ws, "ci", &back).exits(0);
            ws.tree(people(|n| n > 5));
            let again = apply().exits(3);
            assert_eq!(again.hold("guard"), hold);
            assert_eq!(again.steps(), [""; 0], "{}", ws.engine);
            ws.tree(people(|_| true));
            assert_eq!(apply().exits(0).steps(), [""; 0], "{}", ws.engine);
        }
    }
}

#[test]
fn one_person_is_one_however_the_name_is_written() {
    for ws in each("one name") {
        configure(&ws, "approvals: {access.lost: 2}\n");
        ws.tree(people(|_| true));
        ws.settle(&[]);
        ws.tree(people(|n| n > 5));
        // Before an apply has recorded the hold, too.
        let hold = by(&ws, "ci", &["plan"]).exits(3).hold("guard");
        approve(&ws, "Åsa@shop.example", &hold, &[]).exits(0);
        let apply = || by(&ws, "ci", &["apply", "--yes"]).exits(3);
        for name in [
            "åsa@shop.example",
            "A\u{30a}sa@Shop.Example",
            "Åsa@shop.example\u{200b}",
        ] {
            let again = approve(&ws, name, &hold, &[]).exits(1);
            assert!(again.stderr.contains("already-decided"), "{name}: {again}");
            assert_eq!(apply().count("deactivate"), 0, "{name}");
        }
        let listed = ws.run(&["holds", "--output", "text"]).exits(0).stdout;
        assert!(listed.contains("1 of 2 approvals"), "{listed}");
        approve(&ws, "nils", &hold, &[]).exits(0);
        by(&ws, "ci", &["apply", "--yes"]).exits(0);
    }
    let ws = sqlite();
    configure(&ws, "approvals: {access.lost: 2}\napprovers: [eva, Eva]\n");
    let refused = ws.run(&["plan"]).exits(1);
    assert!(refused.stderr.contains("`approvers` names 1"), "{refused}");
}

#[test]
fn parts_that_different_people_approved_are_not_one_approval() {
    let ws = sqlite();
    configure(&ws, "approvals: {access.lost: 2}\n");
    ws.tree(people(|_| true));
    ws.settle(&[]);
    ws.tree(people(|n| n > 5));
    let apply = || by(&ws, "ci", &["apply", "--yes"]).exits(3);
    let hold = apply().hold("guard");
    let only = |who: &str, n: usize| {
        let user = format!("User/u-{n}");
        approve(&ws, who, &hold, &["--only", &user])
    };
    only("eva", 1).exits(0);
    let second = only("nils", 2).exits(0);
    assert!(
        second.stdout.contains(
            "1 of 2 people has approved User/u-1 (eva); 1 of 2 people has approved User/u-2 (nils)"
        ),
        "{second}"
    );
    assert_eq!(apply().count("deactivate"), 0);
    only("eva", 1).exits(1);
    // Another part, and the whole, are other decisions.
    only("eva", 2).exits(0);
    assert_eq!(apply().steps(), ["deactivate User/u-2"]);
}

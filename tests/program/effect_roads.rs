//! What takes access or rights beyond a budget is held, whatever else of the same plan was decided.

use crate::support::clock::Clock;
use crate::support::workspace::{Workspace, account, each, run, user};
use chrono::{Days, Utc};

const APPLY: &[&str] = &["apply", "--yes"];

fn configure(ws: &Workspace, sources: &str) {
    ws.write(
        "roster.yaml",
        format!("apiVersion: roster/v1\nsources: [{sources}]\n"),
    );
}

/// Forty users of `y`, of whom twelve have these accounts instead.
fn people(accounts: &str) -> String {
    let all = (0..40).map(|n| {
        let accounts = if n < 12 { accounts } else { "y" };
        user(&format!("u-{n}"), accounts, "")
    });
    all.collect()
}

fn settings() -> &'static str {
    "---\nkind: Settings\nfirstUser: off\n"
}

#[test]
fn the_deletion_of_an_account_counts_what_its_users_lose() {
    for ws in each("deletion of rights") {
        let sources =
            "{name: erp, directory: ma, allowDelete: true}, {name: people, directory: mb}";
        configure(&ws, sources);
        let companies = |x: &str| account("y", "") + settings() + x;
        ws.write("ma/all.yaml", companies(&account("x", "")));
        let links = "{account: x, level: administrator}, y";
        ws.write("mb/all.yaml", people(links));
        ws.run(APPLY).exits(0);
        for gone in [
            account("x", "status: inactive"),
            "---\nkind: Account\nexternalId: x\nstatus: deleted\n".to_owned(),
        ] {
            ws.write("ma/all.yaml", companies(&gone));
            for scope in [&["--source", "erp"][..], &["--target", "Account/x"]] {
                let held = ws.run(&[APPLY, scope].concat()).exits(3);
                assert!(
                    held.stdout.contains("administrator.lost: 12 of 12"),
                    "{held}"
                );
                assert_eq!(held.steps(), [""; 0], "{}: {held}", ws.engine);
            }
        }
        let accept = ["--source", "erp", "--accept", "administrator.lost=12"];
        let done = ws.run(&[APPLY, &accept].concat()).exits(0);
        assert_eq!(done.count("delete"), 1, "{}: {done}", ws.engine);
        assert_eq!(
            ws.run(&["plan", "--source", "erp"]).exits(0).steps(),
            [""; 0]
        );
    }
}

#[test]
fn a_link_that_goes_anyway_excuses_no_other_loss() {
    let soon = (Utc::now().date_naive() + Days::new(2)).to_string();
    let dated = format!("x, {{account: z, effectiveUntil: {soon}}}");
    for (what, before, after, options) in [
        ("ends", dated.as_str(), dated.as_str(), &[][..]),
        (
            "accepted",
            "x, z",
            "x",
            &[
                "--accept",
                "User.accounts.unlink=12",
                "--accept",
                "User.deactivate@z=12",
            ],
        ),
    ] {
        for ws in each(&format!("excuse {what}")) {
            let Some(clock) = Clock::new(&ws.path("")) else {
                return;
            };
            configure(&ws, "{name: shop, directory: manifests}");
            let tree = |status: &str, accounts: &str| {
                let x = account("x", status) + &account("y", "") + &account("z", "");
                x + settings() + &people(accounts)
            };
            ws.tree(tree("", before));
            ws.run(APPLY).exits(0);
            ws.tree(tree("status: inactive", after));
            clock.set("+3d");
            let mut command = ws.command(&[APPLY, options].concat());
            clock.on(&mut command);
            let held = run(&mut command);
            clock.set("+0");
            assert!(
                held.stdout.contains("access.lost: 12 of 40"),
                "{} {what}: {held}",
                ws.engine
            );
            let left =
                "SELECT count(*) FROM accounts WHERE external_id = 'x' AND status = 'active'";
            assert_eq!(ws.value(left).as_deref(), Some("1"), "{} {what}", ws.engine);
        }
    }
}

/// Dates that are past when they are first declared, whose effect a guard or `protect` holds: they are
/// not stored meanwhile, and so never become an end that was known before.
#[test]
fn a_held_end_does_not_become_a_known_one_by_waiting() {
    for ws in each("held ends") {
        configure(&ws, "{name: shop, directory: manifests}");
        let companies = || account("x", "") + &account("y", "") + settings();
        let level = |accounts: &str| {
            let all = (0..5).map(|n| {
                let plain = "{account: y, level: administrator}";
                user(&format!("u-{n}"), if n < 3 { accounts } else { plain }, "")
            });
            companies() + &all.collect::<String>()
        };
        ws.tree(level("{account: y, level: administrator}"));
        ws.run(APPLY).exits(0);
        ws.tree(level(
            "{account: y, level: administrator, effectiveUntil: 2020-01-01}, \
             {account: y, effectiveFrom: 2020-01-01}",
        ));
        for pass in 1..4 {
            let held = ws.run(APPLY).exits(3);
            assert!(
                held.stdout.contains("administrator.lost: 3 of 5"),
                "{} {pass}: {held}",
                ws.engine
            );
        }
    }
    for ws in each("released ends") {
        configure(&ws, "{name: shop, directory: manifests, onError: hold}");
        let tree = |more: &str| {
            let all = (0..80).map(|n| user(&format!("u-{n}"), "y", if n < 40 { more } else { "" }));
            account("y", "") + settings() + &all.collect::<String>()
        };
        for (more, date) in [
            ("", "effectiveUntil: 2020-01-01"),
            ("", "effectiveFrom: 2190-01-01"),
        ] {
            ws.tree(tree(&format!("protect: true\n{more}")));
            ws.run(APPLY);
            ws.tree(tree(&format!("protect: true\n{date}\n")));
            ws.run(APPLY);
            ws.tree(tree(&format!("protect: false\n{date}\n")));
            for _ in 0..3 {
                let held = ws.run(APPLY);
                assert_eq!(held.count("deactivate"), 0, "{} {date}: {held}", ws.engine);
            }
            let held = ws.run(APPLY).exits(3);
            assert!(held.stdout.contains("access.lost: 40 of 80"), "{held}");
        }
    }
}

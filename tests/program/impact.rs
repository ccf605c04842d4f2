//! Queries of the operator beside deactivations: shown, and held above a limit.

use crate::support::workspace::{Workspace, account, each, user, users};
use nix::pty::openpty;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

const TABLE: &str =
    "CREATE TABLE shop_orders (account_id VARCHAR(64), user_id VARCHAR(64), total NUMERIC(12, 2));";

/// The configuration with these queries, each a flow mapping.
fn config(queries: &[&str]) -> String {
    let queries: String = queries
        .iter()
        .map(|query| format!("  - {query}\n"))
        .collect();
    let open = if queries.is_empty() { "[]" } else { "" };
    format!(
        "apiVersion: roster/v1\nsources: [{{name: directory, directory: manifests, allowDelete: true}}]\n\
         guards: {{deactivate: {{percent: 90, floor: 9}}, access.lost: {{percent: 90, floor: 90}}, unlink: {{percent: 90, floor: 90}}, delete: {{percent: 90, floor: 9}}}}\n\
         impact: {open}\n{queries}"
    )
}

const OPEN: &str = "{name: openOrders, kind: Account, sql: \"select account_id, count(*) from shop_orders where account_id in (select id from deactivated) group by account_id\", holdAbove: 0}";
const REVENUE: &str = "{name: revenue, kind: Account, sql: \"select account_id, sum(total) from shop_orders group by 1;\"}";
const OF_USERS: &str = "{name: carts, kind: User, sql: \"select user_id, count(*) from shop_orders group by user_id\", holdAbove: 1}";

/// Eight accounts with three users each, applied.
fn shops(name: &str, queries: &[&str]) -> Vec<Workspace> {
    let all = each(name);
    for ws in &all {
        ws.write("roster.yaml", config(queries));
        for n in 0..8 {
            ws.write(&format!("manifests/a-{n}.yaml"), shop(n, ""));
        }
        ws.run(&["apply", "--yes"]).exits(0);
        ws.sql(TABLE);
    }
    all
}

fn shop(n: usize, more: &str) -> String {
    let id = format!("a-{n}");
    account(&id, more) + &users(n * 10..n * 10 + 3, &id, "")
}

fn order(ws: &Workspace, account: &str, user: &str, total: &str) {
    ws.sql(&format!(
        "INSERT INTO shop_orders VALUES ('{account}', '{user}', {total})"
    ));
}

fn deactivate(ws: &Workspace, numbers: &[usize]) {
    for n in numbers {
        ws.write(
            &format!("manifests/a-{n}.yaml"),
            shop(*n, "status: inactive"),
        );
    }
}

#[test]
fn a_number_above_its_limit_holds_the_step_until_somebody_decides() {
    for ws in shops("impact", &[OPEN, REVENUE]) {
        order(&ws, "a-0", "u-0", "12.50");
        order(&ws, "a-0", "u-0", "7");
        order(&ws, "a-7", "u-70", "100");
        deactivate(&ws, &[0, 1]);
        let plan = ws.run(&["plan"]).exits(3);
        assert_eq!(plan.steps(), ["deactivate Account/a-1"], "{plan}");
        assert_eq!(plan.held(), ["impact Account/a-0"], "{plan}");
        assert!(
            plan.stdout
                .contains("Account/a-0 has openOrders 2, which is more than 0"),
            "{plan}"
        );
        let held = &plan.plans()[0]["held"][0];
        let expected = serde_json::json!([
            {"name": "openOrders", "value": 2, "limit": 0}, {"name": "revenue", "value": 19.5}
        ]);
        assert_eq!(held["impact"], expected, "{plan}");
        assert_eq!(
            plan.overrides(),
            ["--accept impact.openOrders=1".to_owned()].into()
        );
        // Only the exact number lets it through.
        for wrong in [
            "impact.openOrders=2",
            "impact.revenue=1",
            "Account.deactivate=2",
        ] {
            let plan = ws.run(&["plan", "--accept", wrong]);
            assert_eq!(plan.held(), ["impact Account/a-0"], "{wrong}: {plan}");
        }
        let accepted = ws
            .run(&["plan", "--accept", "impact.openOrders=1"])
            .exits(0);
        assert_eq!(accepted.steps().len(), 2, "{accepted}");
        let steps = accepted.plans()[0]["steps"].clone();
        let mut steps = steps.as_array().into_iter().flatten();
        let step = steps.find(|step| step["externalId"] == "a-0");
        assert_eq!(
            step.map(|step| &step["impact"]),
            Some(&expected),
            "{accepted}"
        );
        ws.run(&["apply", "--yes"]).exits(3);
        assert_eq!(status(&ws, "accounts", "a-0"), "active", "{}", ws.engine);
        // The approval covers the number that was shown, and no other.
        let hold = plan.hold("impact");
        ws.approve(&hold);
        order(&ws, "a-0", "u-0", "1");
        let more = ws.run(&["apply", "--yes"]).exits(3);
        assert_eq!(more.held(), ["impact Account/a-0"], "{more}");
        let hold = more.hold("impact");
        ws.approve(&hold);
        let approved = ws.run(&["apply", "--yes"]).exits(0);
        assert!(
            approved.stdout.contains(&format!("hold {hold}")),
            "{approved}"
        );
        assert_eq!(status(&ws, "accounts", "a-0"), "inactive", "{}", ws.engine);
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn what_is_done_is_let_through_by_itself() {
    for ws in shops("impact done", &[OPEN]) {
        order(&ws, "a-0", "u-0", "1");
        deactivate(&ws, &[0]);
        ws.run(&["apply", "--yes"]).exits(3);
        ws.sql("DELETE FROM shop_orders");
        ws.run(&["apply", "--yes"]).exits(0);
        assert_eq!(status(&ws, "accounts", "a-0"), "inactive", "{}", ws.engine);
    }
}

#[test]
fn a_query_without_an_answer_holds_what_it_should_judge() {
    let with = |sql: &str| {
        format!("{{name: bad, kind: Account, sql: \"{sql}\", holdAbove: 0, timeout: 1s}}")
    };
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select 'a-0', count(*) from n";
    let cases = [
        ("select account_id, 1 from no_such_table", "no_such_table"),
        ("delete from shop_orders", "syntax error"),
        (
            "with gone as (delete from shop_orders returning account_id) select account_id, 1 from gone",
            "",
        ),
        (
            "select 1, 1) as answer) select 1, 1; delete from shop_orders; --",
            "",
        ),
        ("select account_id from shop_orders", "two columns"),
        (
            "select account_id, 1, 2 from shop_orders where 1 = 0",
            "two columns",
        ),
        (
            "select account_id, 'many' from shop_orders",
            "returns `many` for `a-0`",
        ),
        (
            "select account_id, 1 from shop_orders union all select account_id, 2 from shop_orders",
            "returns `a-0` twice",
        ),
        (endless, "did not end within 1s"),
    ];
    for ws in shops("impact failed", &[]) {
        order(&ws, "a-0", "u-0", "1");
        deactivate(&ws, &[0, 1]);
        for (sql, why) in cases {
            ws.write("roster.yaml", config(&[&with(sql)]));
            let plan = ws.run(&["plan"]).exits(3);
            assert_eq!(plan.steps(), [""; 0], "{sql}: {plan}");
            assert_eq!(
                plan.held(),
                ["impact Account/a-0", "impact Account/a-1"],
                "{sql}: {plan}"
            );
            assert!(
                plan.codes("warning").contains("impact-failed"),
                "{sql}: {plan}"
            );
            let found = plan.plans()[0]["diagnostics"].clone();
            let failed = found.as_array().into_iter().flatten();
            let failed = failed.filter(|found| found["code"] == "impact-failed");
            for found in failed {
                let message = found["message"].as_str().unwrap_or_default();
                assert!(message.contains(why), "{}: {sql}: {message}", ws.engine);
                assert_eq!(found["origin"]["path"], "roster.yaml", "{found}");
                assert_eq!(found["origin"]["line"], 5, "{found}");
            }
            ws.run(&["apply", "--yes"]).exits(3);
            assert_eq!(
                ws.value("SELECT count(*) FROM shop_orders").as_deref(),
                Some("1"),
                "{}: {sql}",
                ws.engine
            );
            assert_eq!(
                status(&ws, "accounts", "a-1"),
                "active",
                "{}: {sql}",
                ws.engine
            );
        }
        // Without a limit it judges nothing, and says only that it failed.
        ws.write(
            "roster.yaml",
            config(&["{name: bad, kind: Account, sql: select nothing}"]),
        );
        let plan = ws.run(&["plan"]).exits(0);
        assert_eq!(plan.steps().len(), 2, "{plan}");
        assert!(plan.codes("warning").contains("impact-failed"), "{plan}");
        // A person can go on without the number.
        ws.write(
            "roster.yaml",
            config(&[&with("select account_id, 1 from no_such_table")]),
        );
        ws.run(&["apply", "--yes", "--accept", "impact.bad=2"])
            .exits(0);
        assert_eq!(status(&ws, "accounts", "a-0"), "inactive", "{}", ws.engine);
    }
}

#[test]
fn whoever_loses_access_by_another_road_is_judged_too() {
    for ws in shops("impact roads", &[OF_USERS]) {
        for user in ["u-0", "u-0", "u-10", "u-11", "u-11", "u-21", "u-21"] {
            order(&ws, "-", user, "1");
        }
        // The account of u-0, the links of u-10 and u-11, and u-21 itself.
        deactivate(&ws, &[0]);
        ws.sql("UPDATE accounts SET blocked = '2026-01-01T00:00:00Z' WHERE external_id = 'a-6'");
        let moved = account("a-1", "") + &user("u-10", "a-6", "") + &user("u-11", "a-6", "");
        ws.write("manifests/a-1.yaml", moved + &user("u-12", "a-1", ""));
        let gone = account("a-2", "") + &users(20..21, "a-2", "") + &users(22..23, "a-2", "");
        ws.write("manifests/a-2.yaml", gone);
        let plan = ws.run(&["plan"]).exits(3);
        let held = plan.held();
        assert!(held.contains(&"impact Account/a-0".to_owned()), "{plan}");
        assert!(held.contains(&"impact User/u-21".to_owned()), "{plan}");
        assert!(held.contains(&"impact User/u-11".to_owned()), "{plan}");
        assert!(!held.contains(&"impact User/u-10".to_owned()), "{plan}");
        let of = plan.plans()[0]["held"].to_string();
        assert!(of.contains("\"of\":\"User/u-0\""), "{plan}");
    }
}

#[test]
fn a_change_of_one_file_is_planned_like_everything() {
    for ws in shops("impact part", &[OPEN, REVENUE]) {
        order(&ws, "a-3", "u-30", "5");
        ws.run(&["apply", "--yes"]).exits(0);
        for n in [2, 3] {
            deactivate(&ws, &[n]);
            let part = ws.run(&["plan"]);
            let whole = ws.run(&["plan", "--scrub"]);
            assert_eq!(part.stdout, whole.stdout, "{}", ws.engine);
        }
        assert_eq!(ws.run(&["plan"]).held(), ["impact Account/a-3"]);
    }
}

#[test]
fn a_saved_plan_is_stale_when_more_depends_on_it() {
    for ws in shops("impact saved", &[OPEN, REVENUE]) {
        order(&ws, "a-0", "u-0", "1");
        deactivate(&ws, &[0, 1]);
        let save = [
            "plan",
            "--out",
            "plan.json",
            "--accept",
            "impact.openOrders=1",
        ];
        ws.run(&save).exits(0);
        // Of what is only shown there may be more.
        order(&ws, "a-0", "u-0", "1");
        order(&ws, "a-1", "u-10", "1");
        let stale = ws.run(&["apply", "plan.json"]).exits(3);
        assert!(
            stale
                .stderr
                .contains("Account/a-1 has openOrders 1, which is more than 0"),
            "{stale}"
        );
        assert!(
            stale.stderr.contains(
                "Account/a-0 has openOrders 2, which is more than 0; it was 1 in the plan"
            ),
            "{stale}"
        );
        assert!(!stale.stderr.contains("revenue"), "{stale}");
        ws.sql("DELETE FROM shop_orders WHERE account_id = 'a-1'");
        ws.run(&["apply", "plan.json"]).exits(3);
        assert_eq!(status(&ws, "accounts", "a-0"), "active", "{}", ws.engine);
        // Less than what was accepted is no reason to ask again.
        ws.sql("DELETE FROM shop_orders WHERE account_id = 'a-0'");
        order(&ws, "a-0", "u-0", "9");
        ws.run(&["apply", "plan.json"]).exits(0);
        assert_eq!(status(&ws, "accounts", "a-0"), "inactive", "{}", ws.engine);
    }
}

#[test]
fn what_comes_while_somebody_looks_at_the_plan_counts() {
    for ws in shops("impact looked at", &[OPEN]) {
        deactivate(&ws, &[1]);
        let terminal = openpty(None, None).expect("a terminal");
        let mut command = ws.command(&["apply", "--output", "text"]);
        let mut child = command
            .stdin(Stdio::from(terminal.slave))
            .spawn()
            .expect("started");
        let mut shown = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let is_last = |line: &String| line.starts_with("Plan: ");
        let last = shown.find(|line| line.as_ref().is_ok_and(is_last));
        assert!(last.is_some(), "{}", ws.engine);
        order(&ws, "a-1", "u-10", "1");
        let mut keys = File::from(terminal.master);
        keys.write_all(b"yes\n").expect("typed");
        let mut said = String::new();
        let mut stderr = child.stderr.take().expect("a pipe");
        stderr.read_to_string(&mut said).expect("what it says");
        let code = child.wait().expect("an end").code();
        assert_eq!(code, Some(3), "{}: {said}", ws.engine);
        assert!(said.contains("Account/a-1 has openOrders 1"), "{said}");
        assert_eq!(status(&ws, "accounts", "a-1"), "active", "{}", ws.engine);
    }
}

#[test]
fn an_end_that_was_known_before_is_shown_and_one_that_was_not_is_held() {
    for ws in shops("impact dated", &[OPEN]) {
        for n in [0, 1] {
            order(&ws, &format!("a-{n}"), "-", "1");
        }
        ws.write("manifests/a-0.yaml", shop(0, "effectiveUntil: 2150-01-01"));
        ws.run(&["apply", "--yes"]).exits(0);
        // Declared for the first time, in a plan for a day after it.
        ws.write("manifests/a-1.yaml", shop(1, "effectiveUntil: 2150-01-01"));
        let plan = ws.run(&["plan", "--as-of", "2150-01-02"]).exits(3);
        assert_eq!(plan.steps(), ["deactivate Account/a-0"], "{plan}");
        assert_eq!(plan.held(), ["impact Account/a-1"], "{plan}");
        assert_eq!(
            plan.plans()[0]["steps"][0]["impact"][0]["value"],
            1,
            "{plan}"
        );
    }
}

/// An export of ten accounts, of which these are inactive.
fn export(inactive: &[usize]) -> String {
    let head = "Account External Id;Account Name;Company Registration Name;\
                Business Registration Number;Inactive;Address External Id;Address Full Name;\
                Address Country;Address City;Address Zip Code;Address Street Name\n";
    let row = |n: usize| {
        let gone = if inactive.contains(&n) { "TRUE" } else { "" };
        format!("a-{n};A {n};A {n} AB;r-{n};{gone};d-{n};A {n};SE;Åre;837 52;Årevägen {n}\n")
    };
    head.to_owned() + &(0..10).map(row).collect::<String>()
}

#[test]
fn an_export_is_judged_like_manifests() {
    for ws in each("impact export") {
        let sources = "sources:\n  - {name: directory, directory: manifests}\n  \
                       - {name: erp, export: {file: erp.csv, preset: djust-accounts}}";
        let one = "sources: [{name: directory, directory: manifests, allowDelete: true}]";
        ws.write("roster.yaml", config(&[OPEN]).replace(one, sources));
        ws.write("manifests/settings.yaml", "settings: [{firstUser: off}]\n");
        ws.write("erp.csv", export(&[]));
        ws.run(&["apply", "--yes"]);
        ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
            .exits(0);
        ws.run(&["apply", "--yes"]).exits(0);
        ws.sql(TABLE);
        order(&ws, "a-0", "-", "1");
        ws.write("erp.csv", export(&[0, 1]));
        let part = ws.run(&["plan"]).exits(3);
        assert_eq!(part.steps(), ["deactivate Account/a-1"], "{part}");
        assert_eq!(part.held(), ["impact Account/a-0"], "{part}");
        let whole = ws.run(&["plan", "--scrub"]).exits(3);
        assert!(part.stdout == whole.stdout, "{}: {whole}", ws.engine);
        ws.run(&["apply", "--yes"]).exits(3);
        assert_eq!(status(&ws, "accounts", "a-0"), "active", "{}", ws.engine);
        assert_eq!(status(&ws, "accounts", "a-1"), "inactive", "{}", ws.engine);
    }
}

#[test]
fn every_output_says_it() {
    for ws in shops("impact said", &[OPEN, REVENUE]) {
        order(&ws, "a-0", "u-0", "5");
        deactivate(&ws, &[0]);
        for (output, words) in [
            ("text", "impact: openOrders 1 (limit 0)"),
            ("markdown", "impact: openOrders 1 (limit 0)"),
            (
                "json",
                r#""impact":[{"name":"openOrders","value":1,"limit":0},{"name":"revenue","value":5}]"#,
            ),
        ] {
            let options = [
                "plan",
                "--output",
                output,
                "--accept",
                "impact.openOrders=1",
            ];
            let plan = ws.run(&options).exits(0);
            assert!(plan.stdout.contains(words), "{output}: {plan}");
            let held = ws.run(&["plan", "--output", output]).exits(3);
            assert!(
                held.stdout
                    .contains("has openOrders 1, which is more than 0"),
                "{held}"
            );
        }
    }
}

#[test]
fn a_revert_is_judged_and_a_deletion_too() {
    for ws in shops("impact revert", &[OPEN]) {
        ws.write(
            "manifests/new.yaml",
            account("fresh", "") + &users(90..93, "fresh", ""),
        );
        ws.run(&["apply", "--yes"]).exits(0);
        order(&ws, "fresh", "u-90", "1");
        let reverted = ws.run(&["revert", "2", "--yes"]);
        assert!(
            reverted.held().contains(&"impact Account/fresh".to_owned()),
            "{reverted}"
        );
        assert_eq!(status(&ws, "accounts", "fresh"), "active", "{}", ws.engine);
        let deleted = "kind: Account\nexternalId: fresh\nstatus: deleted\n";
        ws.write(
            "manifests/new.yaml",
            deleted.to_owned() + &users(90..93, "a-0", ""),
        );
        let plan = ws.run(&["plan"]);
        assert!(
            plan.held().contains(&"impact Account/fresh".to_owned()),
            "{plan}"
        );
    }
}

fn status(ws: &Workspace, table: &str, id: &str) -> String {
    ws.value(&format!(
        "SELECT status FROM {table} WHERE external_id = '{id}'"
    ))
    .unwrap_or_default()
}

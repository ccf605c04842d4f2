//! Jobs and orders as a shop writes them into the tables, and what the commands say of them.

use crate::support::workspace::{Workspace, account, each, user};
use serde_json::{Value, json};

fn started(ws: &Workspace) {
    ws.tree(account("acme", "") + &user("u-1", "acme", ""));
    ws.settle(&[]);
}

fn may_submit(ws: &Workspace) -> (Option<i32>, Value) {
    let ran = ws.run(&["user", "may-submit", "u-1"]);
    let answer = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    (ran.code, answer)
}

#[test]
fn a_user_may_submit_exactly_while_usable() {
    for ws in each("submit") {
        started(&ws);
        let (code, answer) = may_submit(&ws);
        let why = "the access is unregistered";
        assert_eq!(
            (code, answer),
            (Some(1), json!({"maySubmit": false, "why": why}))
        );
        ws.sql("UPDATE users SET access = 'enabled'");
        ws.settle(&[]);
        let (code, answer) = may_submit(&ws);
        assert_eq!(
            (code, &answer["maySubmit"]),
            (Some(0), &json!(true)),
            "{answer}"
        );
        for (act, back, why) in [
            (
                ["block", "User/u-1"].as_slice(),
                ["unblock", "User/u-1"].as_slice(),
                "the user is blocked: late",
            ),
            (
                &["block", "Account/acme"],
                &["unblock", "Account/acme"],
                "no account of the user can be used",
            ),
            (
                &["user", "deactivate", "u-1"],
                &["user", "activate", "u-1"],
                "the access is disabled",
            ),
        ] {
            ws.run(&[act, &["--reason", "late"]].concat()).exits(0);
            let (code, answer) = may_submit(&ws);
            assert_eq!((code, &answer["why"]), (Some(1), &json!(why)));
            ws.run(&[back, &["--reason", "paid"]].concat()).exits(0);
            assert_eq!(may_submit(&ws).0, Some(0));
        }
        let unknown = ws.run(&["user", "may-submit", "u-9"]).exits(1);
        assert!(
            unknown.stderr.contains("User/u-9 does not exist"),
            "{unknown}"
        );
        // The commands write no audit entry for a question.
        assert_eq!(ws.column("SELECT act FROM acts").len(), 6);
    }
}

#[test]
fn order_references_are_the_orders_since_a_day_with_their_logins() {
    for ws in each("refs") {
        started(&ws);
        ws.sql(
            "INSERT INTO orders (external_id, kind, account_id, user_id, login_name, placed_at) VALUES \
             ('o-1', 'order', 'acme', 'u-1', '1042-1', '2026-03-30 23:59:59+00:00'), \
             ('o-3', 'order', 'acme', 'u-1', '1042-1', '2026-03-31 10:00:00+00:00'), \
             ('o-2', 'order', 'acme', 'u-1', '1042-1', '2026-03-31T00:00:00Z'), \
             ('o-4', 'quote', 'acme', 'u-1', '1042-1', '2026-04-01T00:00:00Z'), \
             ('o-5', 'order', NULL, NULL, 'a, \"b\"', '2026-04-01T01:30:00+02:00')",
        );
        let csv = "order,account,login,user,placedAt\n\
             o-2,acme,1042-1,u-1,2026-03-31T00:00:00.000Z\n\
             o-3,acme,1042-1,u-1,2026-03-31T10:00:00.000Z\n\
             o-5,,\"a, \"\"b\"\"\",,2026-03-31T23:30:00.000Z\n";
        let refs = ["export", "order-refs", "--since", "2026-03-31"];
        assert_eq!(ws.run(&refs).exits(0).stdout, csv);
        ws.run(&[&refs[..], &["-o", "refs.csv"]].concat()).exits(0);
        assert_eq!(
            std::fs::read_to_string(ws.path("refs.csv")).expect("the file"),
            csv
        );
        let none = ws.run(&["export", "order-refs", "--since", "2027-01-01"]);
        assert_eq!(none.exits(0).stdout, "order,account,login,user,placedAt\n");
        for wrong in ["yesterday", "2026-02-30"] {
            ws.run(&["export", "order-refs", "--since", wrong])
                .exits(64);
        }
        ws.run(&["export", "order-refs"]).exits(64);
        // A shop's own writes are nothing that a plan would undo.
        ws.settle(&[]);
    }
}

#[test]
fn the_tables_refuse_what_no_shop_means() {
    for ws in each("columns") {
        started(&ws);
        ws.sql("INSERT INTO jobs (external_id, user_id, name) VALUES ('j-1', 'u-1', 'Posters')");
        ws.sql("INSERT INTO job_files (job_id, role, name, path) VALUES ('j-1', 'input', 'a.pdf', 'j-1/a.pdf')");
        ws.sql(
            "INSERT INTO orders (external_id, user_id, login_name) VALUES ('o-1', 'u-1', '1042-1')",
        );
        let job = ws.value("SELECT status || ' ' || coalesce(account_id, '-') FROM jobs");
        assert_eq!(job.as_deref(), Some("New -"));
        assert_eq!(
            ws.value("SELECT kind FROM orders").as_deref(),
            Some("order")
        );
        let now = "created_at > '2026-01-01'";
        assert_eq!(
            ws.column(&format!("SELECT 1 FROM jobs WHERE {now}")).len(),
            1
        );
    }
}

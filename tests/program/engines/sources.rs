//! Several sources on one database: who decides what, and what moves between them.

use crate::support::workspace::{Ran, Workspace, account, each, user};

/// Two directories, `git` before `erp`; `more` is further configuration.
fn configure(ws: &Workspace, git: &str, erp: &str, more: &str) {
    ws.write("roster.yaml", format!(
        "apiVersion: roster/v1\nsources:\n  - {{name: git, directory: git{git}}}\n  - {{name: erp, directory: erp{erp}}}\n{more}"
    ));
}

fn trees(ws: &Workspace, git: &str, erp: &str) {
    // A file without a document hides what it declared.
    let tree = |text: &str| match text {
        "" => "users: []\n".to_owned(),
        text => text.to_owned(),
    };
    ws.write("git/all.yaml", tree(git))
        .write("erp/all.yaml", tree(erp));
}

#[track_caller]
fn plan(ws: &Workspace) -> Ran {
    ws.run(&["plan"])
}

#[track_caller]
fn apply(ws: &Workspace) -> Ran {
    ws.run(&["apply", "--yes"])
}

#[track_caller]
fn settle(ws: &Workspace) {
    apply(ws).exits(0);
    ws.run(&["plan", "--detailed-exitcode"]).exits(0);
}

fn stored(ws: &Workspace, column: &str, id: &str) -> Option<String> {
    ws.value(&format!(
        "SELECT {column} FROM users WHERE external_id = '{id}'"
    ))
}

#[test]
fn a_manifest_moved_to_another_source_is_adopted_there_and_released_here() {
    for ws in each("moved") {
        configure(&ws, "", "", "");
        let (one, two) = (user("u-1", "acme", ""), user("u-2", "acme", ""));
        let both = account("acme", "") + &one + &two;
        trees(&ws, &both, "");
        settle(&ws);
        // There, and back again: whichever of them is planned first.
        for (git, erp) in [
            (account("acme", "") + &one, two.clone()),
            (both, String::new()),
        ] {
            trees(&ws, &git, &erp);
            let plan = plan(&ws).exits(0);
            assert_eq!(plan.steps(), ["adopt User/u-2"], "{}: {plan}", ws.engine);
            assert_eq!(plan.held(), Vec::<String>::new());
            assert!(
                plan.findings().contains("note still-declared User/u-2"),
                "{plan}"
            );
            settle(&ws);
            assert_eq!(stored(&ws, "status", "u-2").as_deref(), Some("active"));
            assert_eq!(
                ws.value(
                    "SELECT count(*) FROM claims WHERE external_id = 'u-2' AND state = 'active'"
                )
                .as_deref(),
                Some("1")
            );
        }
    }
}

#[test]
fn what_both_declare_goes_only_when_both_have_dropped_it() {
    for ws in each("both") {
        configure(&ws, "", "", "");
        let (kept, shared) = (
            account("acme", "") + &user("u-1", "acme", ""),
            user("u-2", "acme", ""),
        );
        trees(&ws, &(kept.clone() + &shared), &shared);
        settle(&ws);
        trees(&ws, &kept, &shared);
        settle(&ws);
        assert_eq!(
            stored(&ws, "status", "u-2").as_deref(),
            Some("active"),
            "{}",
            ws.engine
        );
        ws.write("erp/all.yaml", "users: []\n");
        // All that it claims: a source that has become empty.
        let held = apply(&ws).exits(3);
        assert_eq!(held.held(), ["empty-source User/u-2"], "{}", ws.engine);
        ws.run(&["apply", "--yes", "--accept", "empty=all"])
            .exits(0);
        assert_eq!(
            stored(&ws, "status", "u-2").as_deref(),
            Some("inactive"),
            "{}",
            ws.engine
        );
    }
}

#[test]
fn an_account_that_another_source_deactivated_stops_nobody() {
    for ws in each("inactive elsewhere") {
        configure(&ws, "", "", "");
        let users = |phone: &str| {
            user("u-1", "acme", &format!("phone: \"{phone}\"")) + &user("u-2", "acme", "")
        };
        trees(&ws, &account("acme", ""), &users("+461"));
        // The first apply creates the account before the users that it needs are there.
        configure(&ws, "", "", "");
        ws.write("git/settings.yaml", "kind: Settings\nfirstUser: off\n");
        settle(&ws);
        trees(&ws, &account("acme", "status: inactive"), &users("+462"));
        ws.run(&["apply", "--yes", "--accept", "access.lost=2"])
            .exits(0);
        assert_eq!(
            ws.value("SELECT status FROM accounts").as_deref(),
            Some("inactive"),
            "{}",
            ws.engine
        );
        assert_eq!(stored(&ws, "phone", "u-1").as_deref(), Some("+462"));
        assert_eq!(stored(&ws, "status", "u-1").as_deref(), Some("active"));
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn two_values_of_one_field_are_a_conflict_until_an_order_is_declared() {
    for ws in each("conflict") {
        configure(&ws, "", "", "");
        let both = |git: &str, erp: &str| {
            let first = account("acme", "") + &user("u-1", "acme", git);
            trees(&ws, &first, &user("u-1", "acme", erp));
        };
        both(
            "phone: \"+461\"\ncompany: Same",
            "phone: \"+461\"\ncompany: Same",
        );
        settle(&ws);
        both(
            "phone: \"+462\"\ncompany: New",
            "phone: \"+463\"\ncompany: New",
        );
        let held = apply(&ws).exits(3);
        assert_eq!(
            held.rules(),
            ["conflict".to_owned()].into(),
            "{}: {held}",
            ws.engine
        );
        assert_eq!(
            stored(&ws, "phone", "u-1").as_deref(),
            Some("+461"),
            "{}",
            ws.engine
        );
        assert_eq!(
            stored(&ws, "company", "u-1").as_deref(),
            Some("New"),
            "the rest goes on"
        );
        for (order, phone) in [("[git, erp]", "+462"), ("[erp, git]", "+463")] {
            configure(&ws, "", "", &format!("order: {order}\n"));
            settle(&ws);
            assert_eq!(
                stored(&ws, "phone", "u-1").as_deref(),
                Some(phone),
                "{}: {order}",
                ws.engine
            );
        }
    }
}

#[test]
fn a_seed_is_written_where_there_is_nothing() {
    for ws in each("seed") {
        configure(&ws, ", authority: {User: {seed: [company, phone]}}", "", "");
        let yaml = |more: &str| account("acme", "") + &user("u-1", "acme", more);
        trees(&ws, &yaml("company: First\nphone: \"+461\""), "");
        settle(&ws);
        assert_eq!(
            stored(&ws, "phone", "u-1").as_deref(),
            Some("+461"),
            "{}",
            ws.engine
        );
        trees(&ws, &yaml("company: Second\nphone: \"+462\""), "");
        settle(&ws);
        assert_eq!(
            stored(&ws, "company", "u-1").as_deref(),
            Some("First"),
            "{}",
            ws.engine
        );
        ws.sql("UPDATE users SET company = NULL, phone = '+469'");
        settle(&ws);
        assert_eq!(
            stored(&ws, "company", "u-1").as_deref(),
            Some("Second"),
            "{}",
            ws.engine
        );
        assert_eq!(stored(&ws, "phone", "u-1").as_deref(), Some("+469"));
    }
}

#[test]
fn what_is_observed_is_only_reported() {
    for ws in each("observe") {
        configure(
            &ws,
            "",
            ", authority: {User: {observe: [company, groups]}}",
            "",
        );
        let git = account("acme", "") + &user("u-1", "acme", "company: Git");
        trees(
            &ws,
            &git,
            &user("u-1", "acme", "company: Erp\ngroups: [FOC_Admin]"),
        );
        let ran = apply(&ws).exits(0);
        assert!(
            ran.findings().contains("note observed User/u-1"),
            "{}: {ran}",
            ws.engine
        );
        assert_eq!(stored(&ws, "company", "u-1").as_deref(), Some("Git"));
        assert_eq!(
            ws.column("SELECT value FROM user_groups"),
            [Some("FOC_User".to_owned())]
        );
        let again = ws.run(&["plan", "--detailed-exitcode"]).exits(0);
        assert!(
            again.findings().contains("note observed User/u-1"),
            "{again}"
        );
    }
}

#[test]
fn what_the_shop_writes_is_never_drift() {
    for ws in each("shop") {
        configure(&ws, "", "", "shop: {authority: {User: [phone]}}\n");
        let yaml = |company: &str| {
            account("acme", "") + &user("u-1", "acme", &format!("company: {company}"))
        };
        trees(&ws, &yaml("Old"), "");
        settle(&ws);
        ws.sql("UPDATE users SET phone = '+4611111111', company = 'By hand'");
        let plan = plan(&ws).exits(0);
        assert_eq!(
            plan.changes(),
            ["update User/u-1: company"],
            "{}: {plan}",
            ws.engine
        );
        settle(&ws);
        assert_eq!(
            stored(&ws, "phone", "u-1").as_deref(),
            Some("+4611111111"),
            "{}",
            ws.engine
        );
    }
}

#[test]
fn a_source_that_does_not_decide_existence_neither_makes_nor_removes() {
    for ws in each("existence") {
        configure(&ws, "", ", authority: {User: {existence: false}}", "");
        let git = account("acme", "") + &user("u-1", "acme", "") + &user("u-2", "acme", "");
        trees(
            &ws,
            &git,
            &(user("u-1", "acme", "company: Erp") + &user("u-9", "acme", "")),
        );
        apply(&ws).exits(0);
        assert_eq!(
            stored(&ws, "company", "u-1").as_deref(),
            Some("Erp"),
            "{}",
            ws.engine
        );
        assert_eq!(ws.value("SELECT count(*) FROM users").as_deref(), Some("2"));
        trees(&ws, &git, "# none\n");
        apply(&ws).exits(0);
        assert_eq!(
            stored(&ws, "status", "u-1").as_deref(),
            Some("active"),
            "{}",
            ws.engine
        );
        // Of the two it is the one whose word counts.
        trees(
            &ws,
            &(account("acme", "") + &user("u-2", "acme", "")),
            &user("u-1", "acme", "company: Erp"),
        );
        let held = apply(&ws);
        assert!(
            held.held().iter().all(|held| held.contains("u-1")),
            "{held}"
        );
    }
}

#[test]
fn an_unreadable_source_stands_by_its_claims() {
    for ws in each("unreadable") {
        configure(&ws, "", "", "");
        let (kept, shared) = (
            account("acme", "") + &user("u-1", "acme", ""),
            user("u-2", "acme", ""),
        );
        trees(
            &ws,
            &(kept.clone() + &shared),
            &(shared + &user("u-3", "acme", "")),
        );
        settle(&ws);
        trees(&ws, &kept, "users: [\n");
        ws.run(&["apply", "--yes", "--source", "git"]).exits(0);
        assert_eq!(
            stored(&ws, "status", "u-2").as_deref(),
            Some("active"),
            "{}",
            ws.engine
        );
        apply(&ws).exits(1);
        assert_eq!(
            ws.value("SELECT count(*) FROM users WHERE status = 'active'")
                .as_deref(),
            Some("3"),
            "{}",
            ws.engine
        );
    }
}

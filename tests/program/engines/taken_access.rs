//! Access that somebody took in the database comes back only when somebody decides, whatever else
//! happens to what declares it.

use crate::support::workspace::{Ran, Workspace, account, each, user};

const SOURCES: &str = "apiVersion: roster/v1\nsources:\n  - {name: git, directory: git, onError: hold}\n  - {name: erp, directory: erp, onError: hold}\n";

/// What a test begins with: `u-1` with this, beside what keeps the accounts alive.
fn begin(ws: &Workspace, more: &str) {
    ws.write("roster.yaml", SOURCES);
    trees(ws, &user("u-1", "acme", more), "");
    apply(ws).exits(0);
}

fn trees(ws: &Workspace, git: &str, erp: &str) {
    let rest = account("acme", "")
        + &account("beta", "")
        + &account("gamma", "")
        + &user("a-1", "acme", "")
        + &user("b-1", "beta", "")
        // So many that one who comes to an account is no large share of those who see more.
        + &user("c-1", "gamma", "")
        + &user("c-2", "gamma", "");
    let erp = if erp.is_empty() { "users: []\n" } else { erp };
    ws.write("git/all.yaml", rest + git)
        .write("erp/all.yaml", erp);
}

#[track_caller]
fn apply(ws: &Workspace) -> Ran {
    ws.run(&["apply", "--yes"])
}

/// That three passes hold what was taken, the last two alike.
#[track_caller]
fn holds(ws: &Workspace, taken: &str) {
    let mut last = None;
    for _ in 0..3 {
        let ran = apply(ws).exits(3);
        assert_eq!(
            ran.rules().into_iter().collect::<Vec<_>>(),
            ["reactivation"],
            "{ran}"
        );
        let holds = ran.holds("reactivation");
        assert!(last.is_none_or(|last| last == holds), "{ran}");
        last = Some(holds);
        assert_eq!(
            ws.value(taken).as_deref(),
            Some("0"),
            "{}: {ran}",
            ws.engine
        );
    }
}

struct Taken {
    /// What is declared of the user.
    said: &'static str,
    /// How somebody takes it.
    sql: &'static str,
    /// Counts what was taken.
    count: &'static str,
    /// An error in its place.
    bad: &'static str,
}

const TAKEN: [Taken; 5] = [
    Taken {
        said: "accounts: [acme, beta]",
        sql: "DELETE FROM user_accounts WHERE user_id = 'u-1' AND account_id = 'beta'",
        count: "SELECT count(*) FROM user_accounts WHERE user_id = 'u-1' AND account_id = 'beta'",
        bad: "accounts: [acme, {account: beta, level: x}]",
    },
    Taken {
        said: "accounts: [acme, {account: beta, level: administrator}]",
        sql: "UPDATE user_accounts SET level = 'user' WHERE user_id = 'u-1' AND account_id = 'beta'",
        count: "SELECT count(*) FROM user_accounts WHERE user_id = 'u-1' AND level = 'administrator'",
        bad: "accounts: acme",
    },
    Taken {
        said: "groups: [FOC_User, FOC_Admin]",
        sql: "DELETE FROM user_groups WHERE user_id = 'u-1' AND value = 'FOC_Admin'",
        count: "SELECT count(*) FROM user_groups WHERE user_id = 'u-1' AND value = 'FOC_Admin'",
        bad: "groups: x",
    },
    Taken {
        said: "status: active",
        sql: "UPDATE users SET status = 'inactive' WHERE external_id = 'u-1'",
        count: "SELECT count(*) FROM users WHERE external_id = 'u-1' AND status = 'active'",
        bad: "status: activ",
    },
    Taken {
        said: "company: Any",
        sql: "DELETE FROM user_accounts WHERE user_id = 'u-1'; DELETE FROM user_groups WHERE user_id = 'u-1'; DELETE FROM users WHERE external_id = 'u-1'",
        count: "SELECT count(*) FROM users WHERE external_id = 'u-1'",
        bad: "company: [a]",
    },
];

#[test]
fn a_corrected_error_gives_nothing_back() {
    for taken in TAKEN {
        for ws in each("corrected") {
            begin(&ws, taken.said);
            ws.sql(taken.sql);
            holds(&ws, taken.count);
            trees(&ws, &user("u-1", "acme", taken.bad), "");
            apply(&ws).exits(1);
            apply(&ws).exits(1);
            trees(&ws, &user("u-1", "acme", taken.said), "");
            holds(&ws, taken.count);
        }
    }
}

#[test]
fn another_source_that_declares_the_same_gives_nothing_back() {
    for taken in TAKEN {
        for ws in each("moved") {
            begin(&ws, taken.said);
            ws.sql(taken.sql);
            // At once, and after it was held.
            trees(&ws, "", &user("u-1", "acme", taken.said));
            holds(&ws, taken.count);
            // And back.
            trees(&ws, &user("u-1", "acme", taken.said), "");
            holds(&ws, taken.count);
            // A source with another name, whose claims nobody renamed.
            ws.write("roster.yaml", SOURCES.replace("name: git", "name: new"));
            holds(&ws, taken.count);
        }
    }
}

#[test]
fn what_is_declared_anew_is_given_and_what_is_approved() {
    for ws in each("anew") {
        begin(&ws, "accounts: [acme, beta]");
        ws.sql(TAKEN[0].sql);
        holds(&ws, TAKEN[0].count);
        // Somebody takes it out of the manifest, and writes it again later.
        trees(&ws, &user("u-1", "acme", ""), "");
        apply(&ws).exits(0);
        trees(&ws, &user("u-1", "acme", "accounts: [acme, beta]"), "");
        apply(&ws).exits(0);
        assert_eq!(ws.value(TAKEN[0].count).as_deref(), Some("1"));
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
        // Another member that is taken later is not given back either.
        ws.sql(TAKEN[0].sql);
        trees(&ws, "", &user("u-1", "acme", "accounts: [acme, beta]"));
        let hold = apply(&ws).exits(3).hold("reactivation");
        ws.approve(&hold);
        apply(&ws).exits(0);
        assert_eq!(ws.value(TAKEN[0].count).as_deref(), Some("1"));
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn a_status_that_is_no_longer_written_activates_nobody() {
    for ws in each("unwritten") {
        begin(&ws, "status: active");
        ws.sql(TAKEN[3].sql);
        trees(&ws, &user("u-1", "acme", ""), "");
        holds(&ws, TAKEN[3].count);
        // Written inactive, and no longer: that is the source's own doing.
        trees(&ws, &user("u-1", "acme", "status: inactive"), "");
        apply(&ws).exits(0);
        trees(&ws, &user("u-1", "acme", ""), "");
        apply(&ws).exits(0);
        assert_eq!(ws.value(TAKEN[3].count).as_deref(), Some("1"));
    }
}

#[test]
fn an_unreadable_value_hands_its_field_to_nobody() {
    for (first, other, bad, query) in [
        (
            "phone: \"+4611\"",
            "phone: \"+4622\"",
            "phone: abc",
            "SELECT phone FROM users WHERE external_id = 'u-1'",
        ),
        (
            "company: Erp",
            "company: Git",
            "company: [x]",
            "SELECT company FROM users WHERE external_id = 'u-1'",
        ),
        (
            "accounts: [acme, beta]",
            "accounts: [acme]",
            "accounts: [{account: beta, level: usr}]",
            "SELECT count(*) FROM user_accounts WHERE user_id = 'u-1'",
        ),
        (
            "groups: [FOC_Admin]",
            "groups: [FOC_User]",
            "groups: x",
            "SELECT max(value) FROM user_groups WHERE user_id = 'u-1'",
        ),
        (
            "status: active",
            "status: inactive",
            "status: aktive",
            "SELECT status FROM users WHERE external_id = 'u-1'",
        ),
        (
            "protect: false",
            "protect: true",
            "protect: maybe",
            "SELECT CASE WHEN protect THEN 1 ELSE 0 END FROM users WHERE external_id = 'u-1'",
        ),
    ] {
        for ws in each("unreadable") {
            ws.write("roster.yaml", format!("{SOURCES}order: [erp, git]\n"));
            let part = |said: &str| format!("---\nkind: User\nexternalId: u-1\n{said}\n");
            trees(&ws, &user("u-1", "acme", ""), "");
            apply(&ws).exits(0);
            trees(&ws, &user("u-1", "acme", other), &part(first));
            apply(&ws);
            apply(&ws).exits(0);
            let before = ws.value(query);
            trees(&ws, &user("u-1", "acme", other), &part(bad));
            for _ in 0..3 {
                let ran = apply(&ws).exits(1);
                assert_eq!(ws.value(query), before, "{bad}: {ran}");
            }
            trees(&ws, &user("u-1", "acme", other), &part(first));
            let ran = apply(&ws).exits(0);
            assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
            assert_eq!(ws.value(query), before);
        }
    }
}

#[test]
fn an_administrator_stays_while_another_source_holds_the_successor() {
    let administrator = "accounts: [{account: acme, level: administrator}]";
    for order in [["git", "erp"], ["erp", "git"]] {
        for error in ["hold", "refuse"] {
            for ws in each("successor") {
                let [one, two] = order;
                ws.write("roster.yaml", format!(
                    "apiVersion: roster/v1\nsources:\n  - {{name: {one}, directory: {one}, onError: hold}}\n  - {{name: {two}, directory: {two}, onError: hold}}\n"
                ).replace("erp, onError: hold", &format!("erp, onError: {error}")));
                trees(
                    &ws,
                    &user("ann", "acme", administrator),
                    &user("eva", "acme", ""),
                );
                apply(&ws);
                apply(&ws).exits(0);
                trees(
                    &ws,
                    &user("ann", "acme", ""),
                    &user("eva", "acme", &format!("{administrator}\nphone: abc")),
                );
                let count = "SELECT count(*) FROM user_accounts WHERE level = 'administrator'";
                for _ in 0..2 {
                    let ran = apply(&ws).exits(1);
                    assert_eq!(ws.value(count).as_deref(), Some("1"), "{ran}");
                }
                trees(
                    &ws,
                    &user("ann", "acme", ""),
                    &user("eva", "acme", administrator),
                );
                apply(&ws);
                apply(&ws).exits(0);
                let who = "SELECT max(user_id) FROM user_accounts WHERE level = 'administrator'";
                assert_eq!(
                    (ws.value(who).as_deref(), ws.value(count).as_deref()),
                    (Some("eva"), Some("1"))
                );
            }
        }
    }
}

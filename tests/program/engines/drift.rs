//! What somebody changes by hand: seen, repaired, and never turned into access given back.

use crate::support::workspace::{Workspace, account, each, user};

fn directory() -> String {
    let grouped = "groups: [FOC_User, FOC_Webmaster]";
    account("acme", "")
        + &account("beta", "")
        + &user("u-1", "acme", grouped)
        + &user("u-2", "acme", grouped)
        + &user(
            "u-3",
            "acme",
            "accounts: [{account: acme, level: administrator}, beta]",
        )
}

fn settled(name: &str) -> Vec<Workspace> {
    let all = each(name);
    for ws in &all {
        ws.tree(directory()).settle(&[]);
    }
    all
}

fn status(ws: &Workspace) -> Option<String> {
    ws.value("SELECT status FROM users WHERE external_id = 'u-1'")
}

/// The groups of u-1, sorted.
fn groups(ws: &Workspace) -> Vec<String> {
    ws.column("SELECT value FROM user_groups WHERE user_id = 'u-1' ORDER BY 1")
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn a_changed_value_is_drift_of_that_field_and_repaired() {
    for ws in settled("drift") {
        ws.sql("UPDATE users SET phone = '+4611111111' WHERE external_id = 'u-1'");
        let plan = ws.plan(&[]).exits(0);
        assert_eq!(plan.changes(), ["update User/u-1: phone"], "{}", ws.engine);
        assert_eq!(plan.reasons(), ["drift".to_owned()].into());
        ws.settle(&[]);
        assert_eq!(
            ws.value("SELECT phone FROM users WHERE external_id = 'u-1'")
                .as_deref(),
            Some("+4663123456")
        );
    }
}

#[test]
fn a_value_changed_and_changed_back_is_nothing() {
    for ws in settled("drift and back") {
        ws.sql("UPDATE users SET phone = '+4611111111' WHERE external_id = 'u-1'");
        ws.sql("UPDATE users SET phone = '+4663123456' WHERE external_id = 'u-1'");
        ws.plan(&["--detailed-exitcode"]).exits(0);
        ws.settle(&[]);
    }
}

#[test]
fn the_same_in_another_spelling_is_no_drift() {
    for ws in settled("drift by spelling") {
        let stored = || ws.value("SELECT phone FROM users WHERE external_id = 'u-1'");
        let spelled = "+46 63-12 34 56";
        ws.sql(&format!(
            "UPDATE users SET phone = '{spelled}', email = upper(email) WHERE external_id = 'u-1'"
        ));
        ws.plan(&["--detailed-exitcode"]).exits(0);
        ws.settle(&[]);
        ws.plan(&["--scrub", "--detailed-exitcode"]).exits(0);
        assert_eq!(stored().as_deref(), Some(spelled), "{}", ws.engine);
        // What the source declares anew is written as it is declared.
        let yaml = directory().replace("+4663123456", "+4663123457");
        ws.tree(yaml);
        ws.settle(&[]);
        assert_eq!(stored().as_deref(), Some("+4663123457"), "{}", ws.engine);
        let capitals = ws.value("SELECT email FROM users WHERE external_id = 'u-1'");
        assert!(capitals.is_some_and(|email| email.starts_with("U-1")));
        // Another number is drift.
        ws.sql("UPDATE users SET phone = '+4663123458' WHERE external_id = 'u-1'");
        let plan = ws.plan(&[]).exits(0);
        assert_eq!(plan.changes(), ["update User/u-1: phone"], "{plan}");
        assert_eq!(plan.reasons(), ["drift".to_owned()].into(), "{plan}");
    }
}

#[test]
fn a_hand_made_deactivation_stays_until_it_is_approved() {
    for ws in settled("deactivated") {
        ws.sql("UPDATE users SET status = 'inactive' WHERE external_id = 'u-1'");
        for pass in 0..3 {
            // The other fields of the resource go on.
            let more = format!("groups: [FOC_User, FOC_Webmaster]\nphone: \"+46310000{pass}\"");
            let yaml = directory().replace(
                &user("u-1", "acme", "groups: [FOC_User, FOC_Webmaster]"),
                &user("u-1", "acme", &more),
            );
            ws.tree(yaml);
            let held = ws.apply(&[]).exits(3);
            assert_eq!(held.held(), ["reactivation User/u-1"], "{}", ws.engine);
            assert_eq!(status(&ws).as_deref(), Some("inactive"));
            let phone = ws.value("SELECT phone FROM users WHERE external_id = 'u-1'");
            assert_eq!(phone, Some(format!("+46310000{pass}")));
        }
        let hold = ws.plan(&[]).exits(3).hold("reactivation");
        ws.approve(&hold);
        let plan = ws.plan(&[]).exits(0);
        assert_eq!(plan.steps(), ["reactivate User/u-1"]);
        ws.settle(&[]);
        assert_eq!(status(&ws).as_deref(), Some("active"));
    }
}

#[test]
fn an_approval_covers_no_other_values() {
    for ws in settled("approved") {
        ws.sql("UPDATE users SET status = 'inactive' WHERE external_id = 'u-1'");
        let hold = ws.plan(&[]).exits(3).hold("reactivation");
        ws.approve(&hold);
        ws.sql("UPDATE users SET company = 'Elsewhere' WHERE external_id = 'u-1'");
        // What the hold does not write is no matter of it.
        let plan = ws.plan(&[]).exits(0);
        assert_eq!(plan.steps(), ["reactivate User/u-1"], "{}", ws.engine);
        ws.settle(&[]);
        // An approval is for one apply.
        ws.sql("UPDATE users SET status = 'inactive' WHERE external_id = 'u-1'");
        assert_eq!(ws.plan(&[]).exits(3).hold("reactivation"), hold);
    }
}

#[test]
fn a_status_written_where_it_was_not_gives_access_back() {
    for ws in settled("status written") {
        ws.sql("UPDATE users SET status = 'inactive' WHERE external_id = 'u-1'");
        ws.plan(&[]).exits(3);
        ws.tree(directory().replace("externalId: u-1\n", "externalId: u-1\nstatus: active\n"));
        ws.settle(&[]);
        assert_eq!(status(&ws).as_deref(), Some("active"), "{}", ws.engine);
    }
}

#[test]
fn a_row_deleted_and_inserted_again_is_seen() {
    for ws in settled("replaced") {
        ws.sql(
            "DELETE FROM users WHERE external_id = 'u-1'; \
             INSERT INTO users (external_id, civility, first_name, last_name, email, phone) \
               VALUES ('u-1', 'MRS', 'Karin', 'Åslund', 'u-1@roster.example', '+4600000000'); \
             INSERT INTO user_accounts (user_id, account_id) VALUES ('u-1', 'acme'); \
             INSERT INTO user_groups VALUES ('u-1', 'FOC_User')",
        );
        let plan = ws.plan(&[]).exits(3);
        assert_eq!(plan.changes(), ["update User/u-1: phone"], "{}", ws.engine);
        assert_eq!(
            plan.held(),
            ["reactivation User/u-1"],
            "the group that is gone"
        );
    }
}

#[test]
fn a_deleted_row_is_created_again_only_when_approved() {
    for ws in settled("deleted") {
        ws.sql("DELETE FROM users WHERE external_id = 'u-1'");
        let plan = ws.apply(&[]).exits(3);
        assert_eq!(plan.held(), ["reactivation User/u-1"], "{}", ws.engine);
        assert_eq!(ws.value("SELECT count(*) FROM users").as_deref(), Some("2"));
        ws.approve(&plan.hold("reactivation"));
        ws.settle(&[]);
        assert_eq!(ws.value("SELECT count(*) FROM users").as_deref(), Some("3"));
    }
}

/// What a program does that checks no references, as SQLite's own shell.
fn unchecked(ws: &Workspace, sql: &str) {
    if ws.engine == "sqlite" {
        return ws.sql(&format!("PRAGMA foreign_keys = OFF; {sql}"));
    }
    let each = |what: &str| {
        let tables = ["users", "user_groups", "user_accounts"];
        tables
            .map(|table| format!("ALTER TABLE {table} {what};"))
            .concat()
    };
    // The triggers of references are off, those of Roster stay.
    let off = each("DISABLE TRIGGER ALL") + &each("ENABLE TRIGGER USER");
    ws.sql(&format!("{off} {sql}; {}", each("ENABLE TRIGGER ALL")));
}

#[test]
fn a_row_created_again_inherits_no_links_that_its_deletion_left() {
    for ws in settled("left-behind") {
        unchecked(
            &ws,
            "INSERT INTO user_groups VALUES ('u-1', 'FOC_Admin'), ('u-new', 'FOC_Admin'); \
             DELETE FROM users WHERE external_id = 'u-1'",
        );
        ws.tree(&(directory() + &user("u-new", "acme", "")));
        let plan = ws.apply(&[]).exits(3);
        assert_eq!(plan.steps(), ["create User/u-new"], "{}", ws.engine);
        ws.approve(&plan.hold("reactivation"));
        ws.settle(&[]);
        assert_eq!(groups(&ws), ["FOC_User", "FOC_Webmaster"], "{}", ws.engine);
        let of_new = "SELECT value FROM user_groups WHERE user_id = 'u-new'";
        assert_eq!(ws.value(of_new).as_deref(), Some("FOC_User"));
    }
}

#[test]
fn a_deletion_does_not_fail_on_links_of_rows_that_are_no_more() {
    for ws in settled("stray") {
        ws.tree(&(directory() + &account("old", "status: inactive\n")))
            .settle(&[]);
        unchecked(
            &ws,
            "INSERT INTO user_accounts (user_id, account_id) VALUES ('nobody', 'old')",
        );
        ws.tree(&(directory() + &account("old", "status: deleted\n")));
        ws.settle(&["--allow-delete"]);
        let left = "SELECT count(*) FROM user_accounts WHERE account_id = 'old'";
        assert_eq!(ws.value(left).as_deref(), Some("0"), "{}", ws.engine);
    }
}

#[test]
fn a_link_taken_by_hand_is_not_given_back() {
    for ws in settled("unlinked") {
        ws.sql("DELETE FROM user_groups WHERE user_id = 'u-1' AND value = 'FOC_Webmaster'");
        let plan = ws.apply(&[]).exits(3);
        assert_eq!(plan.held(), ["reactivation User/u-1"], "{}", ws.engine);
        assert_eq!(groups(&ws), ["FOC_User"]);
        let hold = ws.plan(&[]).exits(3).hold("reactivation");
        ws.approve(&hold);
        ws.settle(&[]);
        assert_eq!(groups(&ws), ["FOC_User", "FOC_Webmaster"]);
    }
}

#[test]
fn a_link_given_by_hand_is_taken_away() {
    for ws in settled("linked") {
        ws.sql("INSERT INTO user_groups VALUES ('u-1', 'FOC_Admin')");
        ws.sql("INSERT INTO user_accounts (user_id, account_id) VALUES ('u-2', 'beta')");
        let plan = ws.plan(&[]).exits(0);
        assert_eq!(
            plan.changes(),
            ["update User/u-1: groups", "update User/u-2: accounts"],
            "{}",
            ws.engine
        );
        assert_eq!(plan.reasons(), ["drift".to_owned()].into());
        ws.settle(&[]);
        assert_eq!(groups(&ws), ["FOC_User", "FOC_Webmaster"]);
    }
}

#[test]
fn a_level_raised_by_hand_is_lowered_and_a_lowered_one_not_raised() {
    for ws in settled("levels") {
        ws.sql("UPDATE user_accounts SET level = 'administrator' WHERE user_id = 'u-1'");
        ws.sql(
            "UPDATE user_accounts SET level = 'user' WHERE user_id = 'u-3' AND account_id = 'acme'",
        );
        let plan = ws.apply(&[]).exits(3);
        assert_eq!(plan.held(), ["reactivation User/u-3"], "{}", ws.engine);
        let administrators = "SELECT count(*) FROM user_accounts WHERE level = 'administrator'";
        assert_eq!(ws.value(administrators).as_deref(), Some("0"));
    }
}

#[test]
fn an_account_link_moved_by_hand_is_moved_back_only_as_far_as_it_takes() {
    for ws in settled("moved") {
        ws.sql("UPDATE user_accounts SET account_id = 'beta' WHERE user_id = 'u-2'");
        let plan = ws.plan(&[]);
        // Taking `beta` away is a repair; giving `acme` back waits, and without it the user would
        // be left with no account at all.
        assert!(
            plan.held()
                .iter()
                .any(|held| held == "reactivation User/u-2"),
            "{}: {plan}",
            ws.engine
        );
        ws.apply(&[]);
        let links =
            "SELECT count(*) FROM user_accounts WHERE user_id = 'u-2' AND account_id = 'acme'";
        assert_eq!(ws.value(links).as_deref(), Some("0"));
    }
}

#[test]
fn a_truncated_link_table_is_noticed() {
    for ws in settled("truncated")
        .into_iter()
        .filter(|ws| ws.engine == "postgres")
    {
        ws.sql("TRUNCATE user_groups");
        let plan = ws.apply(&[]).exits(3);
        let all: Vec<String> = (1..=3)
            .map(|n| format!("reactivation User/u-{n}"))
            .collect();
        assert_eq!(plan.held(), all);
        assert_eq!(
            ws.value("SELECT count(*) FROM user_groups").as_deref(),
            Some("0")
        );
    }
}

#[test]
fn drift_is_only_reported_where_the_source_says_so() {
    for ws in settled("reported") {
        let config = "apiVersion: roster/v1\nsources: [{name: directory, directory: manifests, drift: report}]\n";
        ws.write("roster.yaml", config);
        ws.sql("UPDATE users SET phone = '+4611111111' WHERE external_id = 'u-1'");
        let plan = ws.run(&["apply", "--yes"]).exits(0);
        assert!(
            plan.findings().contains("note drift User/u-1"),
            "{}: {plan}",
            ws.engine
        );
        assert_eq!(
            ws.value("SELECT phone FROM users WHERE external_id = 'u-1'")
                .as_deref(),
            Some("+4611111111")
        );
        // What is declared anew is written all the same.
        ws.tree(directory().replace("+4663123456", "+4622222222"));
        ws.run(&["apply", "--yes"]).exits(0);
        assert_eq!(
            ws.value("SELECT phone FROM users WHERE external_id = 'u-1'")
                .as_deref(),
            Some("+4622222222")
        );
    }
}

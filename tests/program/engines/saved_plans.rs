//! A saved plan is applied as it is, once, where it was made, or not at all.

use crate::support::workspace::{Workspace, account, each, user};

/// A directory with a saved plan that changes u-1's telephone number.
fn planned(ws: &Workspace) {
    ws.tree(directory(""));
    ws.settle(&[]);
    ws.tree(directory("phone: \"+4611111111\""));
    ws.plan(&["--out", "plan.json"]).exits(0);
}

fn directory(more: &str) -> String {
    account("acme", "") + &user("u-1", "acme", more) + &user("u-2", "acme", "")
}

fn phone(ws: &Workspace) -> Option<String> {
    ws.value("SELECT phone FROM users WHERE external_id = 'u-1'")
}

/// Applies the saved plan; it is refused as stale, and nothing is written.
#[track_caller]
fn stale(ws: &Workspace) {
    let before = ws.fingerprint();
    let refused = ws.run(&["apply", "plan.json"]).exits(3);
    assert!(refused.stderr.contains("stale"), "{refused}");
    let but_the_lease = |tables: Vec<(String, String)>| {
        tables
            .into_iter()
            .filter(|(table, _)| table != "leases")
            .collect::<Vec<_>>()
    };
    assert_eq!(
        but_the_lease(ws.fingerprint()),
        but_the_lease(before),
        "{}",
        ws.engine
    );
}

#[test]
fn it_is_applied_once() {
    for ws in each("saved once") {
        planned(&ws);
        ws.run(&["apply", "plan.json"]).exits(0);
        assert_eq!(phone(&ws).as_deref(), Some("+4611111111"), "{}", ws.engine);
        ws.plan(&["--detailed-exitcode"]).exits(0);
        stale(&ws);
    }
}

#[test]
fn it_is_applied_without_its_manifests() {
    for ws in each("saved alone") {
        planned(&ws);
        ws.remove("manifests").run(&["apply", "plan.json"]).exits(0);
        assert_eq!(phone(&ws).as_deref(), Some("+4611111111"), "{}", ws.engine);
    }
}

#[test]
fn it_is_for_one_database() {
    for (mut ws, other) in each("saved here").into_iter().zip(each("saved there")) {
        planned(&ws);
        other.tree(directory("")).settle(&[]);
        ws.url.clone_from(&other.url);
        stale(&ws);
    }
}

#[test]
fn one_made_for_no_database_fits_only_where_there_is_none() {
    for ws in each("saved for none") {
        ws.tree(directory(""));
        ws.plan(&["--out", "plan.json"]).exits(0);
        ws.run(&["apply", "plan.json"]).exits(0);
        ws.plan(&["--detailed-exitcode"]).exits(0);
        stale(&ws);
    }
}

#[test]
fn it_is_stale_once_one_of_its_rows_changed() {
    for ws in each("saved stale") {
        planned(&ws);
        ws.sql("UPDATE users SET company = 'Elsewhere' WHERE external_id = 'u-1'");
        stale(&ws);
        assert_eq!(phone(&ws).as_deref(), Some("+4663123456"));
    }
}

#[test]
fn it_is_stale_once_a_link_of_its_rows_changed() {
    for ws in each("saved link") {
        planned(&ws);
        ws.sql("INSERT INTO user_groups VALUES ('u-1', 'FOC_Admin')");
        stale(&ws);
    }
}

#[test]
fn it_is_applied_though_other_rows_changed() {
    for ws in each("saved beside") {
        planned(&ws);
        ws.sql("UPDATE users SET phone = '+4622222222' WHERE external_id = 'u-2'");
        ws.run(&["apply", "plan.json"]).exits(0);
        assert_eq!(phone(&ws).as_deref(), Some("+4611111111"), "{}", ws.engine);
        assert_eq!(ws.plan(&[]).changes(), ["update User/u-2: phone"]);
    }
}

#[test]
fn one_that_was_edited_is_refused() {
    for ws in each("saved edited") {
        planned(&ws);
        let text = std::fs::read_to_string(ws.path("plan.json")).expect("the plan");
        ws.write("plan.json", text.replace("+4611111111", "+4699999999"));
        ws.run(&["apply", "plan.json"]).exits(1);
        assert_eq!(phone(&ws).as_deref(), Some("+4663123456"), "{}", ws.engine);
    }
}

#[test]
fn the_whole_example_is_applied_from_a_file() {
    for ws in each("saved company") {
        ws.copy("examples/company", "manifests");
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources: [{name: company, directory: manifests}]\n",
        );
        ws.run(&["plan", "--out", "plan.json"]).exits(0);
        ws.run(&["apply", "plan.json"]).exits(0);
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn without_a_configuration_its_directory_is_given_after_it() {
    for ws in each("saved terms") {
        ws.copy("examples/company", "manifests");
        ws.plan(&["--out", "plan.json"]).exits(0);
        let refused = ws.run(&["apply", "plan.json"]).exits(3);
        assert!(
            refused.stderr.contains("terms/customer-terms.txt")
                && refused.stderr.contains("roster apply PLAN.json PATH"),
            "{refused}"
        );
        let file = ws.url.strip_prefix("sqlite:").map(std::path::Path::new);
        assert!(file.is_none_or(|file| !file.exists()), "{refused}");
        ws.run(&["apply", "plan.json", "manifests"]).exits(0);
        ws.plan(&["--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn without_a_configuration_its_files_are_where_they_were_last_time() {
    for ws in each("saved root") {
        ws.copy("examples/company", "manifests");
        ws.settle(&[]);
        let terms = ws.path("manifests/terms/customer-terms.txt");
        std::fs::write(&terms, "New terms.\n").expect("the terms");
        ws.plan(&["--out", "plan.json"]).exits(0);
        std::fs::write(&terms, "Other terms.\n").expect("the terms");
        let stale = ws.run(&["apply", "plan.json"]).exits(3);
        assert!(
            stale.stderr.contains("changed after the plan was made"),
            "{stale}"
        );
        std::fs::write(&terms, "New terms.\n").expect("the terms");
        ws.run(&["apply", "plan.json"]).exits(0);
        ws.plan(&["--detailed-exitcode"]).exits(0);
        assert_eq!(
            ws.value("SELECT count(*) FROM file_contents WHERE length(content) = 11")
                .as_deref(),
            Some("1"),
            "{}",
            ws.engine
        );
    }
}

#[test]
fn without_a_configuration_its_passwords_are_where_its_manifests_say() {
    for ws in each("saved password") {
        ws.tree(directory(""));
        ws.plan(&["--out", "first.json"]).exits(0);
        ws.run(&["apply", "first.json", "manifests"]).exits(0);
        ws.settle(&[]);
        ws.tree(directory("passwordFrom: {env: ROSTER_SECRET_U1}"));
        let with = |arguments: &[&str]| {
            let mut command = ws.command(arguments);
            command.env("ROSTER_SECRET_U1", "Correct-Horse-7");
            crate::support::workspace::run(&mut command)
        };
        with(&["plan", "manifests", "--out", "plan.json"]).exits(0);
        let gone = ws.run(&["apply", "plan.json"]).exits(3);
        assert!(gone.stderr.contains("env:ROSTER_SECRET_U1"), "{gone}");
        with(&["apply", "plan.json"]).exits(0);
        let hashes = "SELECT count(password_hash) FROM users";
        assert_eq!(ws.value(hashes).as_deref(), Some("1"), "{}", ws.engine);
        with(&["plan", "manifests", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn where_there_is_no_database_one_made_for_another_makes_none() {
    let ws = crate::support::workspace::sqlite();
    planned(&ws);
    let elsewhere = format!("sqlite:{}", ws.path("else/where.db").display());
    let refused = ws
        .run(&["apply", "plan.json", "--database", &elsewhere])
        .exits(3);
    assert!(
        refused.stderr.contains("there is no database here"),
        "{refused}"
    );
    assert!(!ws.path("else").exists(), "{refused}");
    ws.write("empty.db", "");
    let empty = format!("sqlite:{}", ws.path("empty.db").display());
    // A file of 0 bytes was a database once: it is damaged.
    ws.run(&["apply", "plan.json", "--database", &empty])
        .exits(1);
    let bytes = std::fs::read(ws.path("empty.db")).expect("the file");
    assert_eq!(bytes.len(), 0, "it got no schema");
}

#[test]
fn another_database_is_not_touched_at_all() {
    for (mut ws, other) in each("untouched here")
        .into_iter()
        .zip(each("untouched there"))
    {
        planned(&ws);
        other.tree(directory("")).settle(&[]);
        ws.url.clone_from(&other.url);
        let before = ws.fingerprint();
        let refused = ws.run(&["apply", "plan.json"]).exits(3);
        assert!(
            refused.stderr.contains("it was made for database"),
            "{refused}"
        );
        assert_eq!(ws.fingerprint(), before, "{}", ws.engine);
    }
}

/// A directory in which every class of cell is something else than in the other one.
fn classes(second: bool) -> String {
    let pick = |first: &'static str, then: &'static str| if second { then } else { first };
    let settings = pick(
        "userGroups: [FOC_User, b]\noptionalFields: [User.phone]\ninvitationTtl: 24h",
        "clear: [optionalFields, invitationTtl]\nuserGroups: [FOC_User, a]",
    );
    let define = |id: &str, ty: &str| {
        format!(
            "---\nkind: CustomField\nexternalId: {id}\nappliesTo: user\nname: Field {id}\ntype: {ty}\n"
        )
    };
    let custom = pick(
        "n: 0.00000000000000000123456789012345, big: 123456789012345000000000000, t: 007, d: 2026-01-31, b: true, l: [x, y]",
        "n: -0.000000001, big: 15.50, t: null, d: \"\", b: false, l: [x]",
    );
    let more = format!(
        "notify: {}\ncompany: {}\nstores: {}\ncustomFields: {{{custom}}}\n{}",
        pick("true", "false"),
        pick("\"12\"", "\"true\""),
        pick("[north, south]", "[]"),
        pick("", "clear: [organisations]\n"),
    );
    let stores = "---\nstores: [{externalId: north, name: N}, {externalId: south, name: S}]\n";
    format!("kind: Settings\n{settings}\n")
        + &["n", "big"].map(|id| define(id, "number")).concat()
        + &define("t", "text")
        + &define("d", "date")
        + &define("b", "boolean")
        + &define("l", pick("list\noptions: [x, y]", "list\noptions: [y, x]"))
        + stores
        + &account(
            "acme",
            pick("website: https://a.example", "clear: [website]"),
        )
        + &user("u-1", "acme", &more)
}

#[test]
fn every_class_of_cell_is_applied_from_a_file_as_it_is_without() {
    let pairs = each("classes direct")
        .into_iter()
        .zip(each("classes saved"));
    for (direct, saved) in pairs {
        for second in [false, true] {
            let mut exports = Vec::new();
            for (ws, from_file) in [(&direct, false), (&saved, true)] {
                ws.tree(classes(second));
                let options = [
                    "--accept",
                    "Settings.userGroups.unlink=1",
                    "--accept",
                    "User.stores.unlink=2",
                ];
                if from_file {
                    let save = [&options[..], &["--out", "plan.json"]].concat();
                    ws.plan(&save).exits(0);
                    ws.run(&["apply", "plan.json"]).exits(0);
                } else {
                    ws.apply(&options).exits(0);
                }
                let scrubbed = ws.plan(&["--scrub", "--detailed-exitcode"]);
                assert_eq!(scrubbed.code, Some(0), "{}: {scrubbed}", ws.engine);
                exports.push(ws.run(&["export"]).exits(0).stdout);
            }
            assert_eq!(exports[0], exports[1], "{}", direct.engine);
        }
    }
}

#[test]
fn a_cleared_list_is_empty_also_where_it_has_a_default() {
    for ws in each("cleared default") {
        let groups = "SELECT count(*) FROM settings_user_groups";
        for (first, clear) in [
            ("", "clear: [userGroups]"),
            ("userGroups: [a, b]", "userGroups: []"),
        ] {
            ws.tree(format!("kind: Settings\naccountApproval: true\n{first}\n"));
            ws.apply(&[]).exits(0);
            ws.tree(format!("kind: Settings\naccountApproval: true\n{clear}\n"));
            let plan = ws.plan(&[]);
            let accept = plan.plans()[0]["held"][0]["override"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let accept: Vec<&str> = accept.split_whitespace().collect();
            ws.apply(&accept).exits(0);
            assert_eq!(
                ws.value(groups).as_deref(),
                Some("0"),
                "{}: {plan}",
                ws.engine
            );
            ws.plan(&["--scrub", "--detailed-exitcode"]).exits(0);
        }
    }
    for ws in each("cleared at once") {
        ws.tree("kind: Settings\nclear: [userGroups]\n");
        ws.settle(&[]);
        let groups = "SELECT count(*) FROM settings_user_groups";
        assert_eq!(ws.value(groups).as_deref(), Some("0"), "{}", ws.engine);
    }
}

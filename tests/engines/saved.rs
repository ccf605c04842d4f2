//! A saved plan is applied as it is, once, where it was made, or not at all.

use crate::workspace::{Workspace, account, each, user};

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
fn without_a_configuration_nobody_knows_where_its_files_are() {
    for ws in each("saved terms") {
        ws.copy("examples/company", "manifests");
        ws.plan(&["--out", "plan.json"]).exits(0);
        let refused = ws.run(&["apply", "plan.json"]).exits(3);
        assert!(
            refused.stderr.contains("terms/customer-terms.txt")
                && refused.stderr.contains("roster.yaml"),
            "{refused}"
        );
        assert_eq!(
            ws.value("SELECT count(*) FROM accounts").as_deref(),
            Some("0"),
            "{}",
            ws.engine
        );
    }
}

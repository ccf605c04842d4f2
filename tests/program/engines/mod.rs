//! What a user sees must not depend on the engine, on when a plan is applied, or on who else writes.

mod accepted;
mod activation;
mod cells;
mod claimants;
mod custom;
mod drift;
mod holds;
mod incremental;
mod messages;
mod saved_plans;
mod sources;
mod taken_access;

use crate::support::workspace::{Workspace, account, each, run, user};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// The plan without what names the database.
fn anywhere(plan: &Value) -> Value {
    let mut plan = plan.clone();
    plan["database"] = Value::Null;
    plan
}

#[test]
fn one_tree_gives_one_plan_on_both_engines() {
    let mut first: Vec<Value> = Vec::new();
    for ws in each("same plan") {
        ws.copy("examples/company", "manifests");
        let mut seen = vec![anywhere(&ws.plan(&[]).exits(0).plans()[0])];
        ws.apply(&[]).exits(0);
        let group =
            fs::read_to_string(ws.path("manifests/people/group.yaml")).expect("the example");
        ws.write(
            "manifests/people/group.yaml",
            group.replace("FOC_Admin", "FOC_Webmaster"),
        );
        ws.remove("manifests/accounts/tallvik-suomi/policies.yaml");
        let plan = ws.plan(&[]).exits(0);
        assert!(
            plan.count("update") > 0 && plan.count("deactivate") == 1,
            "{plan}"
        );
        seen.push(anywhere(&plan.plans()[0]));
        if first.is_empty() {
            first = seen;
        } else {
            assert_eq!(first, seen, "{}", ws.engine);
        }
    }
}

#[test]
fn what_was_applied_plans_to_nothing_however_often() {
    for ws in each("applied") {
        ws.copy("examples/company", "manifests");
        ws.settle(&[]);
        let before = ws.value("SELECT count(*) FROM changes");
        let again = ws.apply(&[]).exits(0);
        assert_eq!(again.steps(), Vec::<String>::new());
        assert_eq!(again.held(), Vec::<String>::new());
        assert_eq!(
            ws.value("SELECT count(*) FROM changes"),
            before,
            "{}",
            ws.engine
        );
        ws.plan(&["--detailed-exitcode"]).exits(0);
        ws.plan(&["--detailed-exitcode", "--scrub"]).exits(0);
    }
}

#[test]
fn a_plan_writes_nothing_at_all() {
    for ws in each("plan only") {
        ws.tree(account("acme", "") + &user("u-1", "acme", ""));
        ws.plan(&["--detailed-exitcode"]).exits(2);
        assert!(!ws.path("roster.db").exists());
        ws.apply(&[]).exits(0);
        ws.tree(account("acme", "") + &user("u-1", "acme", "phone: \"+4611111111\""));
        let before = ws.fingerprint();
        ws.plan(&["--detailed-exitcode"]).exits(2);
        assert_eq!(ws.fingerprint(), before, "{}", ws.engine);
    }
}

#[test]
fn a_role_that_may_only_read_can_plan_and_not_apply() {
    for mut ws in each("reader")
        .into_iter()
        .filter(|ws| ws.engine == "postgres")
    {
        ws.tree(account("acme", "") + &user("u-1", "acme", ""));
        ws.settle(&[]);
        ws.sql("CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader");
        ws.tree(account("acme", "") + &user("u-1", "acme", "phone: \"+4611111111\""));
        ws.url = ws.url.replace("postgres@", "reader@");
        assert_eq!(ws.plan(&[]).exits(0).changes(), ["update User/u-1: phone"]);
        let refused = ws.apply(&[]).exits(1);
        assert!(refused.stderr.contains("permission denied"), "{refused}");
    }
}

/// The program as somebody whom file permissions bind, which they do not root.
fn unprivileged(ws: &Workspace, arguments: &[&str]) -> Command {
    let folder = ws.path("");
    let command = ws.command(arguments);
    if fs::metadata(&folder).expect("the folder").uid() != 0 {
        return command;
    }
    // Where cargo builds, others may not be let in.
    let program = ws.path("program");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_roster"), &program).expect("a copy");
    }
    let mut other = Command::new("setpriv");
    other
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program)
        .args(arguments);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    let pipe = std::process::Stdio::piped;
    other
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .stdout(pipe())
        .stderr(pipe());
    other
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}

#[test]
fn a_read_only_file_in_a_read_only_folder_can_be_planned() {
    let ws = crate::support::workspace::sqlite();
    ws.tree(account("acme", "") + &user("u-1", "acme", ""));
    ws.settle(&[]);
    ws.tree(account("acme", "") + &user("u-1", "acme", "phone: \"+4611111111\""));
    let mut plan = unprivileged(&ws, &["plan", "manifests"]);
    let mut apply = unprivileged(&ws, &["apply", "manifests", "--yes"]);
    for entry in fs::read_dir(ws.path("")).expect("the folder") {
        let path = entry.expect("an entry").path();
        let readable = if path.is_dir() || path.ends_with("program") {
            0o555
        } else {
            0o444
        };
        chmod(&path, readable);
    }
    chmod(&ws.path(""), 0o555);
    let planned = run(&mut plan);
    let applied = run(&mut apply);
    chmod(&ws.path(""), 0o755);
    assert_eq!(planned.exits(0).changes(), ["update User/u-1: phone"]);
    let applied = applied.exits(1);
    assert!(applied.stderr.contains("readonly"), "{applied}");
    assert_eq!(
        ws.value("SELECT phone FROM users").as_deref(),
        Some("+4663123456")
    );
}

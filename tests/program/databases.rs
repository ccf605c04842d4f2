//! What is said of a database that is not there, cannot be reached, may not be seen or is damaged: never
//! that it is empty.

use crate::support::workspace::{Ran, Workspace, account, each, run, sqlite, user};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Every command that reads what is stored, or decides about it.
const NEED_ONE: &[&[&str]] = &[
    &["get", "User"],
    &["get", "User", "u-1"],
    &["export"],
    &["history"],
    &["history", "--verify"],
    &["why", "User/u-1"],
    &["changes"],
    &["revert", "1", "--yes"],
    &["state", "--at", "1"],
    &["lock", "show"],
    &["lock", "break", "source:directory"],
    &["approve", "hold", "0123456789abcdef", "--reason", "fine"],
    &["approve", "source", "erp", "--reason", "fine"],
    &["source", "forget", "gone"],
    &["adopt", "--from", "old", "--to", "directory", "--yes"],
];

const CONFIG: &str = "
apiVersion: roster/v1
sources:
  - {name: directory, directory: manifests}
  - {name: erp, export: {file: erp.csv, preset: djust-accounts}}
";

fn company() -> String {
    account("acme", "") + &user("u-1", "acme", "")
}

fn settled(name: &str) -> Vec<Workspace> {
    let all = each(name);
    for ws in &all {
        ws.tree(company()).settle(&[]);
    }
    all
}

fn on_postgres(name: &str) -> Option<Workspace> {
    settled(name).into_iter().find(|ws| ws.engine == "postgres")
}

/// Every command fails and says this.
#[track_caller]
fn all_fail(ws: &Workspace, said: &[&str]) {
    for command in NEED_ONE
        .iter()
        .chain([&["plan", "manifests"][..], &["apply", "manifests", "--yes"]].iter())
    {
        fails(&ws.run(command), said);
    }
}

#[track_caller]
fn fails(ran: &Ran, said: &[&str]) {
    assert_eq!(ran.code, Some(1), "{ran}");
    for said in said {
        assert!(ran.stderr.contains(said), "{said}: {ran}");
    }
    // Where PostgreSQL's own source says it is nobody's business.
    assert!(!ran.stderr.contains(" at line "), "{ran}");
}

#[test]
fn a_database_that_is_not_there_is_met_by_plan_apply_and_migrate_alone() {
    for ws in each("absent") {
        ws.tree(company());
        ws.write("roster.yaml", CONFIG);
        let missing = match ws.engine {
            "sqlite" => "roster.db does not exist",
            _ => "has no Roster tables in schema public",
        };
        for command in NEED_ONE {
            let ran = ws.run(command);
            fails(&ran, &[missing, "roster migrate"]);
            assert_eq!(ran.stdout, "", "{ran}");
        }
        let planned = ws.run(&["plan", "--source", "directory"]).exits(0);
        assert!(planned.stderr.contains(missing), "{planned}");
        assert!(
            planned.stderr.contains(" yet. Roster creates "),
            "{planned}"
        );
        assert!(planned.stderr.contains(" on apply.\n"), "{planned}");
        let would = ws.run(&["migrate", "--plan"]).exits(0);
        assert!(would.stderr.contains(missing), "{would}");
        for command in NEED_ONE {
            assert_eq!(ws.run(command).code, Some(1), "a plan makes none");
        }
        let applied = ws
            .run(&["apply", "--source", "directory", "--yes"])
            .exits(0);
        assert!(applied.stderr.contains(missing), "{applied}");
        let again = ws
            .run(&["apply", "--source", "directory", "--yes"])
            .exits(0);
        assert!(!again.stderr.contains(missing), "{again}");
        assert_eq!(again.steps(), Vec::<String>::new());
        ws.run(&["get", "User", "u-1"]).exits(0);
    }
}

#[test]
fn the_database_of_another_environment_is_neither_read_nor_upgraded() {
    for ws in each("environments") {
        ws.tree(company());
        let layers = "environments: {staging: {}, production: {}}\n";
        ws.write("roster.yaml", format!("{CONFIG}{layers}"));
        let sources = ["--source", "directory"];
        ws.run(&[&["apply", "--yes", "-e", "staging"], &sources[..]].concat())
            .exits(0);
        let said = [
            "environment-mismatch: the database belongs to environment staging, and this run is for environment production",
        ];
        let more: [&[&str]; 5] = [
            &["plan"],
            &["apply", "--yes"],
            &["migrate"],
            &["migrate", "--plan"],
            &["holds"],
        ];
        for command in NEED_ONE.iter().chain(&more) {
            fails(&ws.run(&[*command, &["-e", "production"]].concat()), &said);
        }
        // One without a name is another environment too.
        ws.write("roster.yaml", CONFIG);
        fails(
            &ws.run(&["plan"]),
            &["belongs to environment staging, and this run is for no environment"],
        );
        ws.write("roster.yaml", format!("{CONFIG}{layers}"));
        let plan = ws.run(&[&["plan", "-e", "staging"], &sources[..]].concat());
        assert!(plan.exits(0).steps().is_empty(), "{}", ws.engine);
    }
}

#[test]
fn a_database_moves_to_another_environment_when_somebody_says_from_which() {
    for ws in each("environment moved") {
        ws.tree(company());
        let sources = ["--source", "directory"];
        let run = |arguments: &[&str]| ws.run(&[arguments, &sources[..]].concat());
        ws.write("roster.yaml", CONFIG);
        run(&["apply", "--yes"]).exits(0);
        let layers = "environments: {staging: {}, production: {}}\n";
        ws.write("roster.yaml", format!("{CONFIG}{layers}"));
        let moved =
            |from: &str, to: &str| ws.run(&["migrate", "-e", to, "--from-environment", from]);
        fails(
            &moved("staging", "production"),
            &[
                "the database belongs to no environment, not to environment staging; nothing was changed",
            ],
        );
        fails(&run(&["plan", "-e", "staging"]), &["environment-mismatch"]);
        moved("none", "staging").exits(0);
        fails(
            &moved("none", "production"),
            &["belongs to environment staging, not to no environment"],
        );
        // What was applied before is as it was.
        run(&["plan", "-e", "staging", "--detailed-exitcode"]).exits(0);
        ws.run(&["history", "--verify", "-e", "staging"]).exits(0);
        moved("staging", "production").exits(0);
        fails(
            &run(&["plan", "-e", "staging"]),
            &["belongs to environment production"],
        );
        run(&["plan", "-e", "production", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn a_database_without_tables_is_not_one_with_nobody() {
    let ws = sqlite();
    ws.sql("CREATE TABLE other (id INTEGER)");
    fails(&ws.run(&["get", "User"]), &["has no Roster tables"]);
    let made = ws.run(&["migrate"]).exits(0);
    assert!(
        made.stderr
            .contains("has no Roster tables yet. Roster creates them now."),
        "{made}"
    );
    ws.run(&["get", "User"]).exits(0);
    ws.sql("DROP TABLE meta");
    fails(&ws.run(&["get", "User"]), &["the table `meta` is missing"]);
    ws.tree(company());
    fails(&ws.plan(&[]), &["the table `meta` is missing"]);
}

#[test]
fn tables_of_another_program_are_neither_read_nor_written() {
    for ws in each("foreign") {
        ws.tree(company());
        ws.write("roster.yaml", CONFIG);
        ws.sql("CREATE TABLE users (id INTEGER, login TEXT)");
        ws.sql("CREATE TABLE meta (name TEXT, value TEXT)");
        ws.sql("INSERT INTO users VALUES (1, 'root')");
        let said = [
            "is not a Roster database: it has the tables `meta`, `users` of another program",
            "Nothing was changed",
        ];
        all_fail(&ws, &said);
        for command in [&["migrate"][..], &["migrate", "--plan"]] {
            fails(&ws.run(command), &said);
        }
        assert_eq!(ws.value("SELECT login FROM users").as_deref(), Some("root"));
        ws.sql("DROP TABLE users");
        ws.sql("DROP TABLE meta");
        ws.run(&["migrate"]).exits(0);
    }
}

fn role(ws: &Workspace, name: &str) -> Workspace {
    ws.sql(&format!(
        "DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN"
    ));
    let other = Workspace::on("postgres", ws.url.replace("postgres@", &format!("{name}@")));
    other.tree(company());
    other.write("roster.yaml", CONFIG);
    other
}

#[test]
fn a_role_that_may_not_see_is_told_so() {
    let Some(ws) = on_postgres("unseen") else {
        return;
    };
    let stranger = role(&ws, "stranger");
    all_fail(
        &stranger,
        &[
            "role stranger may not read Roster's tables in schema public",
            "GRANT SELECT",
        ],
    );
    let partly = role(&ws, "partly");
    ws.sql("GRANT SELECT ON meta, users TO partly");
    fails(&partly.plan(&[]), &["permission denied for table"]);
    fails(&partly.run(&["history"]), &["permission denied for table"]);
    // Policies hide rows and say nothing.
    let filtered = role(&ws, "filtered");
    ws.sql(
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO filtered; \
         ALTER TABLE users ENABLE ROW LEVEL SECURITY",
    );
    fails(&filtered.plan(&[]), &["row-level security"]);
    ws.sql("ALTER TABLE users DISABLE ROW LEVEL SECURITY");
    filtered.plan(&["--detailed-exitcode"]).exits(0);
    ws.sql("REVOKE USAGE ON SCHEMA public FROM PUBLIC");
    all_fail(
        &filtered,
        &[
            "role filtered may not use schema public",
            "GRANT USAGE ON SCHEMA public TO filtered",
        ],
    );
    let name = ws.url.rsplit('/').next().expect("a database");
    ws.sql(&format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"));
    all_fail(
        &filtered,
        &[
            "permission denied for database",
            "user filtered",
            "127.0.0.1",
        ],
    );
}

#[test]
fn another_search_path_is_no_empty_directory() {
    let Some(mut ws) = on_postgres("paths") else {
        return;
    };
    ws.write("roster.yaml", CONFIG);
    ws.sql("CREATE SCHEMA tenant; CREATE SCHEMA AUTHORIZATION CURRENT_USER");
    // The user's own schema is before the one that holds the tables.
    all_fail(
        &ws,
        &[
            "schema postgres is first in the search path",
            "schema public has them",
        ],
    );
    ws.sql("DROP SCHEMA postgres");
    let plain = ws.url.clone();
    ws.url = format!("{plain}?options=-csearch_path%3Dtenant");
    fails(
        &ws.run(&["get", "User"]),
        &["no Roster tables in schema tenant (schema public has them)"],
    );
    let planned = ws.plan(&[]).exits(0);
    assert!(
        planned
            .stderr
            .contains("in schema tenant (schema public has them) yet"),
        "{planned}"
    );
    ws.url = format!("{plain}?options=-csearch_path%3Dnowhere");
    all_fail(
        &ws,
        &["may not use any schema of its search path (nowhere)"],
    );
}

#[test]
fn a_server_that_cannot_be_reached_is_named_at_once() {
    let Some(ws) = on_postgres("unreached") else {
        return;
    };
    let port = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let closed = port.local_addr().expect("an address").port();
    drop(port);
    let (login, database) = ws.url.rsplit_once('/').expect("a database");
    let open = login.rsplit_once(':').expect("a port").1;
    let cases: [(String, &[&str]); 5] = [
        (
            format!("postgres://eva:hunter2@127.0.0.1:{closed}/shop"),
            &[
                "cannot open the database shop as user eva",
                "host 127.0.0.1",
                "connection refused",
            ],
        ),
        (
            format!("postgres://eva:hunter2@nowhere.invalid:{closed}/shop"),
            &["host nowhere.invalid", "user eva", "shop", "lookup"],
        ),
        (
            format!("{login}/nothere"),
            &["database \"nothere\" does not exist", "127.0.0.1"],
        ),
        (
            format!("postgres://nobody:hunter2@127.0.0.1:{open}/{database}"),
            &["role \"nobody\" does not exist", "user nobody"],
        ),
        (
            format!("{}?sslmode=require", ws.url),
            &["no TLS connection", "user postgres", "127.0.0.1"],
        ),
    ];
    for (url, said) in cases {
        let begun = Instant::now();
        let other = Workspace::on("postgres", url);
        other.tree(company());
        for ran in [
            other.plan(&[]),
            other.apply(&[]),
            other.run(&["get", "User"]),
        ] {
            fails(&ran, said);
            fails(&ran, &["port "]);
            assert!(!ran.stderr.contains("hunter2"), "{ran}");
        }
        assert!(
            begun.elapsed() < Duration::from_secs(25),
            "{:?}",
            begun.elapsed()
        );
    }
    let both = format!("postgres://eva@127.0.0.1:{closed},nowhere.invalid:{closed}/shop");
    let other = Workspace::on("postgres", both);
    fails(
        &other.run(&["get", "User"]),
        &[
            "host 127.0.0.1",
            "connection refused",
            "host nowhere.invalid",
        ],
    );
}

fn database(ws: &Workspace) -> PathBuf {
    ws.path("roster.db")
}

fn stored() -> Workspace {
    let ws = sqlite();
    ws.tree(company()).settle(&[]);
    ws
}

/// Nothing is planned, nothing is written, and what to do is said.
#[track_caller]
fn damaged(ws: &Workspace, said: &[&str]) {
    let before = fs::read(database(ws)).ok();
    all_fail(ws, &[&["damaged", "restore"], said].concat());
    assert!(!ws.plan(&[]).stderr.contains("read-only"));
    assert_eq!(fs::read(database(ws)).ok(), before);
}

fn overwrite(ws: &Workspace, from: u64, bytes: &[u8]) {
    let mut file = File::options()
        .write(true)
        .open(database(ws))
        .expect("the database");
    file.seek(SeekFrom::Start(from)).expect("a place");
    file.write_all(bytes).expect("written");
}

#[test]
fn an_empty_file_was_a_database() {
    let ws = stored();
    ws.write("roster.yaml", CONFIG);
    File::create(database(&ws)).expect("cut");
    damaged(&ws, &["the file is empty"]);
    // A log that is left beside it holds what was committed last.
    ws.write("roster.db-wal", [7; 100]);
    damaged(&ws, &["roster.db-wal still contains changes"]);
    fs::remove_file(database(&ws)).expect("removed");
    damaged(
        &ws,
        &["the file is gone", "roster.db-wal still contains changes"],
    );
    fs::remove_file(ws.path("roster.db-wal")).expect("removed");
    let planned = ws.run(&["plan", "--source", "directory"]).exits(0);
    assert!(planned.stderr.contains("does not exist yet"), "{planned}");
}

#[test]
fn a_file_that_is_none_of_sqlites_is_not_touched() {
    let ws = stored();
    ws.write("roster.yaml", CONFIG);
    overwrite(&ws, 0, &[0; 100]);
    damaged(&ws, &["is not a SQLite database"]);
    ws.write("roster.db-wal", [7; 100]);
    damaged(&ws, &["is not a SQLite database"]);
    let mut other = sqlite();
    other.tree(company());
    other.write("roster.yaml", CONFIG);
    other.url = format!("sqlite:{}", other.path("manifests").display());
    all_fail(&other, &["it is a directory"]);
    other.url = format!("sqlite:{}", other.path("roster.yaml").display());
    all_fail(&other, &["is not a SQLite database"]);
}

#[test]
fn pages_that_are_damaged_are_called_so() {
    for log in [false, true] {
        let ws = stored();
        ws.write("roster.yaml", CONFIG);
        let length = fs::metadata(database(&ws)).expect("the database").len();
        let garbage = vec![0xa5; usize::try_from(length).expect("small") - 100];
        overwrite(&ws, 100, &garbage);
        if log {
            ws.write("roster.db-wal", [0; 32]);
        }
        damaged(&ws, &[]);
        // The file ends in the middle.
        let ws = stored();
        ws.write("roster.yaml", CONFIG);
        let file = File::options()
            .write(true)
            .open(database(&ws))
            .expect("the database");
        file.set_len(length / 2).expect("cut");
        let plan = ws.run(&["plan", "--source", "directory", "--scrub"]);
        fails(&plan, &["damaged", "restore"]);
    }
}

#[test]
fn a_log_that_cannot_be_read_is_not_passed_over() {
    let ws = stored();
    ws.write("roster.yaml", CONFIG);
    ws.write("roster.db-wal", [7; 4000]);
    damaged(&ws, &["roster.db-wal contains changes that cannot be read"]);
    // What a crash may leave of a log in which nothing was committed.
    ws.write("roster.db-wal", [0; 32]);
    ws.run(&["plan", "--source", "directory"]).exits(0);
}

#[test]
fn a_log_with_changes_is_read() {
    let ws = stored();
    let copy = Workspace::on("sqlite", String::new());
    let held = ws.hold_open("UPDATE users SET phone = '+46111111111'");
    for end in ["", "-wal"] {
        let name = format!("roster.db{end}");
        fs::copy(ws.path(&name), copy.path(&name)).expect("a copy");
    }
    drop(held);
    let length = fs::metadata(copy.path("roster.db-wal"))
        .expect("a log")
        .len();
    assert!(length > 32, "{length}");
    let mut copy = copy;
    copy.url = format!("sqlite:{}", copy.path("roster.db").display());
    copy.tree(company());
    assert_eq!(
        copy.plan(&[]).exits(0).changes(),
        ["update User/u-1: phone"]
    );
}

#[test]
fn a_plan_file_is_looked_at_before_anybody_is_asked() {
    let ws = stored();
    let none = ws.run(&["apply", "nowhere.json"]);
    fails(&none, &["cannot read the plan nowhere.json"]);
    ws.write("broken.json", "{}");
    let broken = ws.run(&["apply", "broken.json"]).exits(1);
    assert!(broken.stderr.contains("broken.json"), "{broken}");
    fails(&ws.run(&["apply", "nowhere"]), &["cannot read nowhere"]);
    let asked = ws.run(&["apply", "manifests"]).exits(64);
    assert_eq!(
        asked.stderr,
        "error: No terminal to confirm on. Pass `--yes`.\n"
    );
    ws.tree(company() + &user("u-2", "acme", ""));
    ws.plan(&["--out", "saved.plan"]).exits(0);
    assert_eq!(
        ws.run(&["apply", "saved.plan"]).exits(0).steps(),
        ["create User/u-2"]
    );
}

#[test]
fn a_file_that_does_not_fit_leaves_nothing_half_written() {
    let ws = stored();
    ws.write("roster.yaml", CONFIG);
    let many: String = (0..1000)
        .map(|n| user(&format!("n-{n}"), "acme", ""))
        .collect();
    ws.tree(company() + &many);
    ws.write("plan.json", "the one before");
    // Files of 64 KiB at most, for want of a full disk.
    let limited = |arguments: &str| {
        let mut command = ws.command(&[]);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut shell = std::process::Command::new("sh");
        shell
            .args([
                "-c",
                &format!("trap '' XFSZ; ulimit -f 128; exec {program} {arguments}"),
            ])
            .current_dir(ws.path(""))
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        for (name, value) in command.env("ROSTER_OUTPUT", "text").get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        run(&mut shell)
    };
    let before = names(&ws);
    let ran = limited("plan --source directory --out plan.json --detail summary");
    fails(&ran, &["cannot write plan.json", "large"]);
    assert_eq!(
        fs::read_to_string(ws.path("plan.json")).expect("read"),
        "the one before"
    );
    fails(
        &limited("plan --source directory --out new.json --detail summary"),
        &["new.json"],
    );
    ws.run(&["apply", "--source", "directory", "--yes"])
        .exits(0);
    fails(&limited("export -o dir"), &["dir"]);
    fails(
        &limited("export --preset djust-users -o users.csv"),
        &["cannot write users.csv"],
    );
    assert_eq!(names(&ws), before);
    let full = ws.plan(&["--out", "/dev/full"]);
    fails(&full, &["cannot write /dev/full", "space"]);
    fails(
        &ws.plan(&["--out", "no/such/plan.json"]),
        &["cannot write no/such/plan.json"],
    );
}

fn names(ws: &Workspace) -> Vec<String> {
    let entries = fs::read_dir(ws.path("")).expect("a folder").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names
        .filter(|name| !name.starts_with("roster.db") && name != ".roster")
        .collect();
    names.sort();
    names
}

const TWO: &str = "
apiVersion: roster/v1
sources:
  - {name: a, directory: a}
  - {name: b, directory: b}
";

fn tag(id: &str) -> String {
    format!("kind: Tag\nexternalId: {id}\nname: {id}\n")
}

#[test]
fn several_sources_are_one_document() {
    for ws in each("one document") {
        ws.write("roster.yaml", TWO);
        ws.write("a/t.yaml", tag("red"))
            .write("b/t.yaml", tag("blue"));
        let ran = ws.run(&["apply", "--yes"]).exits(0);
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one document");
        assert_eq!(document["formatVersion"], "1.0");
        assert_eq!(document["plans"].as_array().map(Vec::len), Some(2), "{ran}");
        assert_eq!(document["results"][0]["source"], "a");
        assert_eq!(document["results"][0]["outcome"], "applied");
        assert_eq!(document["results"][1]["run"], 2);
        assert_eq!(ran.steps(), ["create Tag/red", "create Tag/blue"]);
        ws.write("b/t.yaml", "kind: Tag\nexternalId: blue\n")
            .write("a/t.yaml", tag("rad"));
        ws.write("b/u.yaml", "kind: Tagg\n");
        let ran = ws.run(&["apply", "--yes"]).exits(1);
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one document");
        assert_eq!(document["results"][0]["outcome"], "applied", "{ran}");
        assert_eq!(document["results"][1]["outcome"], "refused", "{ran}");
        fs::remove_file(ws.path("b/u.yaml")).expect("removed");
        ws.write("b/t.yaml", tag("blue"));
        // Somebody holds the second lease.
        ws.sql(
            "INSERT INTO leases (scope, token, holder, host, pid, acquired_at, expires_at) \
             VALUES ('source:b', 99, 'other', 'elsewhere#1', 1, 0, 99999999999999) \
             ON CONFLICT (scope) DO UPDATE SET token = 99, holder = 'other', \
             host = 'elsewhere#1', pid = 1, expires_at = 99999999999999",
        );
        let ran = ws.run(&["apply", "--yes", "--lock-timeout", "1s"]).exits(4);
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one document");
        assert_eq!(document["plans"].as_array().map(Vec::len), Some(1), "{ran}");
        assert_eq!(document["results"][1]["outcome"], "failed", "{ran}");
        let error = document["results"][1]["error"].as_str().unwrap_or_default();
        assert!(error.contains("source:b"), "{ran}");
    }
}

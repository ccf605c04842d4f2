//! The backup of a user: an archive held against the tables, with whatever names people chose.

use crate::support::workspace::{Workspace, account, each, is_installed, sqlite, user};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use zip::ZipArchive;

fn started(ws: &Workspace) {
    let named = "company: Dalarna Tryck";
    ws.tree(account("acme", "") + &user("u-1", "acme", named) + &user("u-2", "acme", ""));
    ws.settle(&[]);
    ws.sql(
        "INSERT INTO jobs (external_id, user_id, name, status, created_at) VALUES \
         ('J-1', 'u-1', 'Posters', 'Completed', '2026-03-31T10:00:00Z'), \
         ('J-2', 'u-1', 'Flyers', 'Processing', '2026-04-01T10:00:00Z'), \
         ('../x', 'u-1', 'Odd', 'New', '2026-04-02T10:00:00Z'), \
         ('J-9', 'u-2', 'Secret', 'New', '2026-04-03T10:00:00Z')",
    );
    ws.sql(
        "INSERT INTO job_files (job_id, role, name, path, edited) VALUES \
         ('J-1', 'input', 'posters.pdf', 'a/1', false), ('J-1', 'model', 'model.json', 'a/2', true), \
         ('J-1', 'support', 'POSTERS.pdf', 'a/3', false), \
         ('J-2', 'input', 'flyers.pdf', 'a/4', false), ('J-2', 'model', 'model.json', 'a/5', false), \
         ('../x', 'input', '../../evil.pdf', 'a/6', false), \
         ('J-9', 'input', 'secret.pdf', 'a/7', false)",
    );
    for at in 1..=7 {
        ws.write(&format!("files/a/{at}"), format!("content {at}"));
    }
}

/// The entries of an archive with their content.
fn entries(path: &Path) -> BTreeMap<String, String> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut archive = ZipArchive::new(file).expect("an archive");
    let mut all = BTreeMap::new();
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).expect("an entry");
        let name = entry.name().expect("a name").into_owned();
        assert!(entry.enclosed_name().is_some(), "{name}");
        let mut content = String::new();
        entry.read_to_string(&mut content).expect("whole");
        all.insert(name, content);
    }
    all
}

fn document(entries: &BTreeMap<String, String>, name: &str) -> Value {
    serde_json::from_str(&entries[name]).expect("JSON")
}

#[test]
fn an_archive_holds_everything_of_one_person_and_nothing_else() {
    for ws in each("backup") {
        started(&ws);
        ws.run(&["user", "backup", "u-1", "-o", "u-1.zip"]).exits(0);
        let path = ws.path("u-1.zip");
        let found = entries(&path);
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        let expected = [
            ".._x/.._.._evil.pdf",
            "J-1/POSTERS (2).pdf",
            "J-1/model.json",
            "J-1/posters.pdf",
            "J-2/flyers.pdf",
            "jobs.json",
            "user-profile.json",
        ];
        assert_eq!(names, expected);
        let profile = json!({"name": "Karin Åslund", "email": "u-1@roster.example", "company": "Dalarna Tryck"});
        assert_eq!(document(&found, "user-profile.json"), profile);
        let job = |id: &str, name: &str, status: &str, day: &str| json!({"id": id, "name": name, "status": status, "createdAt": format!("2026-{day}T10:00:00.000Z")});
        let jobs = json!([
            job("../x", "Odd", "New", "04-02"),
            job("J-1", "Posters", "Completed", "03-31"),
            job("J-2", "Flyers", "Processing", "04-01"),
        ]);
        assert_eq!(document(&found, "jobs.json"), jobs);
        assert_eq!(found["J-1/model.json"], "content 2");
        assert_eq!(found["J-2/flyers.pdf"], "content 4");
        let all = fs::read(&path).expect("bytes");
        assert!(memchr_find(&all, "secret").is_none() && memchr_find(&all, "J-9").is_none());
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let recorded = ws.value("SELECT actor || ' ' || act || ' ' || subject FROM acts");
        assert_eq!(recorded.as_deref(), Some("tester backup User/u-1"));

        // Of a directory, named after the person; the next ones of the name have the id.
        for name in [
            "Karin_Åslund.zip",
            "Karin_Åslund_u-2.zip",
            "Karin_Åslund_u-2_2.zip",
        ] {
            let id = if name.contains("u-2") { "u-2" } else { "u-1" };
            ws.run(&["user", "backup", id, "-o", "backups/"]).exits(0);
            assert!(ws.path(&format!("backups/{name}")).exists(), "{name}");
        }
        let other = entries(&ws.path("backups/Karin_Åslund_u-2.zip"));
        assert_eq!(
            document(&other, "user-profile.json")["company"],
            Value::Null
        );
        assert_eq!(
            document(&other, "jobs.json").as_array().map(Vec::len),
            Some(1)
        );
        ws.run(&["user", "backup", "u-9", "-o", "backups/"])
            .exits(1);
        ws.run(&["user", "backup", "u-1", "-o", "nowhere/u.zip"])
            .exits(1);
    }
}

fn memchr_find(all: &[u8], text: &str) -> Option<usize> {
    all.windows(text.len())
        .position(|part| part == text.as_bytes())
}

#[test]
fn missing_files_are_listed_and_nothing_outside_is_packed() {
    for ws in each("missing") {
        started(&ws);
        ws.write("secret", "secret");
        ws.remove("files/a/4");
        ws.sql("UPDATE job_files SET path = '../secret' WHERE path = 'a/1'");
        let ran = ws.run(&["user", "backup", "u-1", "-o", "u-1.zip"]).exits(1);
        assert!(ran.stderr.contains("2 files are missing"), "{ran}");
        let found = entries(&ws.path("u-1.zip"));
        assert_eq!(found["missing.txt"], "J-1/posters.pdf\nJ-2/flyers.pdf\n");
        assert!(!found.contains_key("J-1/posters.pdf"));
        assert_eq!(found["J-1/model.json"], "content 2");
    }
}

#[test]
fn a_deletion_after_a_backup_deletes_nothing_when_that_fails() {
    for ws in each("first") {
        started(&ws);
        ws.sql("UPDATE jobs SET status = 'Completed'");
        let delete = |out: &str| {
            ws.run(&[
                "user",
                "delete",
                "u-1",
                "--confirm",
                "u-1",
                "--reason",
                "asked",
                "--backup-first",
                out,
            ])
        };
        ws.remove("files/a/4");
        let ran = delete("u-1.zip").exits(1);
        assert!(ran.stderr.contains("nothing was deleted"), "{ran}");
        delete("nowhere/u-1.zip").exits(1);
        assert_eq!(ws.column("SELECT external_id FROM users").len(), 2);
        assert_eq!(ws.column("SELECT external_id FROM jobs").len(), 4);
        ws.write("files/a/4", "content 4");
        delete("kept/").exits(0);
        assert_eq!(
            ws.column("SELECT external_id FROM users"),
            [Some("u-2".to_owned())]
        );
        let found = entries(&ws.path("kept/Karin_Åslund.zip"));
        assert_eq!(found["J-2/flyers.pdf"], "content 4");
        assert!(!ws.path("files/a/4").exists() && ws.path("files/a/7").exists());
    }
}

#[test]
fn unzip_opens_the_archive() {
    let ws = sqlite();
    started(&ws);
    ws.run(&["user", "backup", "u-1", "-o", "u-1.zip"]).exits(0);
    // Another implementation than the one that wrote it.
    let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print(z.testzip(), len(z.namelist()))";
    for command in [&["unzip", "-tq"][..], &["python3", "-c", script]] {
        let mut tool = std::process::Command::new(command[0]);
        let out = tool.args(&command[1..]).arg(ws.path("u-1.zip")).output();
        if !is_installed(command[0], out.is_ok()) {
            continue;
        }
        let out = out.expect("it ran");
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.success(), "{command:?}: {said}");
        assert!(said.contains("No errors") || said == "None 7\n", "{said}");
    }
}

//! Dossiers and backups that a daemon sends: to whom, and with what it alone stores.

use super::api::{Api, serve, token};
use crate::support::daemon_process::DaemonProcess;
use crate::support::workspace::{Ran, Workspace, account, each, run, user};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;

/// A daemon with a person who has a job with a file, and with a source for pushes of users.
fn started(ws: &Workspace) -> (DaemonProcess, String) {
    let two = user("u-1", "acme", "company: Dalarna Tryck") + &user("u-2", "acme", "");
    ws.tree(account("acme", "") + &two);
    ws.run(&["apply", "manifests", "--yes"]).exits(0);
    ws.sql(
        "INSERT INTO jobs (external_id, user_id, name, status) VALUES ('J-1', 'u-1', 'Posters', 'New'); \
         INSERT INTO job_files (job_id, role, name, path, edited) VALUES \
         ('J-1', 'input', 'posters.pdf', 'a/1', false), ('J-1', 'support', 'more.pdf', 'a/2', false)",
    );
    ws.write("files/a/1", "posters").write("files/a/2", "more");
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: directory, directory: manifests}}\n  \
             - {{name: erp, export: {{push: true, preset: djust-users}}}}\nfiles: {{dir: files}}\n{}",
            serve("")
        ),
    );
    token(ws, "viewer", "viewer", &[]);
    let mut served = DaemonProcess::on(ws, &[]);
    let address = served.address();
    (served, address)
}

/// Runs a command on the daemon and not on the database.
fn remotely(ws: &Workspace, address: &str, token: &str, arguments: &[&str]) -> Ran {
    let mut command = ws.command(arguments);
    command
        .env("ROSTER_DATABASE", "sqlite:nowhere.db")
        .env("ROSTER_REMOTE", format!("http://{address}"))
        .env("ROSTER_TOKEN", token);
    run(&mut command)
}

#[test]
fn a_dossier_of_the_daemon_needs_an_administrator_and_has_what_was_pushed() {
    for ws in each("dossiers") {
        let administrator = token(&ws, "eva", "administrator", &[]);
        let operator = token(&ws, "shop", "operator", &[]);
        let (served, address) = started(&ws);
        // Waits for the approval of the source, as it was sent.
        let record = |id: &str, name: &str| json!({"externalId": id, "firstName": name, "email": format!("{id}@roster.example")});
        let body = json!([record("u-1", "Karin"), record("u-2", "Britta")]);
        let api = Api::new(&address, &operator);
        let (status, answer) = api.post("/api/v1/import/users", &body);
        assert!((200..300).contains(&status), "{answer}");

        let path = "/api/v1/resources/User/u-1/dossier";
        assert_eq!(api.get(path).0, 403);
        let api = Api::new(&address, &administrator);
        let found = api.document(path);
        assert_eq!(found["user"]["firstName"], "Karin", "{found}");
        assert_eq!(found["jobs"][0]["id"], "J-1");
        let quotes = found["quotes"].as_array().expect("quotes");
        let quoted: Vec<&Value> = quotes.iter().map(|quote| &quote["place"]).collect();
        assert!(quoted.contains(&&json!("imports.body")), "{found:#}");
        let text = found.to_string();
        assert!(
            !text.contains("Britta") && !text.contains("u-2"),
            "{found:#}"
        );
        assert_eq!(api.get("/api/v1/resources/User/u-9/dossier").0, 404);
        assert_eq!(api.get("/api/v1/resources/Account/acme/dossier").0, 404);
        let acts = api.document("/api/v1/acts");
        assert_eq!(acts["items"][0]["act"], "dossier", "{acts}");
        assert_eq!(acts["items"][0]["actor"], "eva");

        let ask = ["user", "dossier", "u-1", "-o", "u-1.json"];
        let ran = remotely(&ws, &address, &operator, &ask).exits(1);
        assert!(ran.stderr.contains("administer"), "{ran}");
        remotely(&ws, &address, &administrator, &ask).exits(0);
        let written = fs::read(ws.path("u-1.json")).expect("a file");
        let written: Value = serde_json::from_slice(&written).expect("JSON");
        assert_eq!(written["user"], found["user"]);
        served.ends();
    }
}

#[test]
fn a_backup_is_downloaded_from_a_daemon() {
    for ws in each("downloads") {
        let viewer = token(&ws, "ada", "viewer", &[]);
        let operator = token(&ws, "shop", "operator", &[]);
        let (served, address) = started(&ws);
        let back_up = |out: &str| {
            remotely(
                &ws,
                &address,
                &viewer,
                &["user", "backup", "u-1", "-o", out],
            )
        };
        // Larger than any buffer on the way.
        ws.write("files/a/1", "0123456789".repeat(80_000));
        back_up("u-1.zip").exits(0);
        let read = |name: &str, entry: &str| {
            let file = File::open(ws.path(name)).expect("a file");
            let mut archive = zip::ZipArchive::new(file).expect("an archive");
            let mut content = String::new();
            let mut entry = archive.by_name(entry).expect("the entry");
            entry.read_to_string(&mut content).expect("whole");
            content
        };
        assert_eq!(read("u-1.zip", "J-1/posters.pdf").len(), 800_000);
        let path = ws.path("u-1.zip");
        let mode = fs::metadata(path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for name in ["Karin_Åslund.zip", "Karin_Åslund_u-1.zip"] {
            back_up("backups/").exits(0);
            assert!(ws.path(&format!("backups/{name}")).exists(), "{name}");
        }
        let unknown = ["user", "backup", "u-9", "-o", "u-9.zip"];
        let ran = remotely(&ws, &address, &viewer, &unknown).exits(1);
        assert!(ran.stderr.contains("not-found"), "{ran}");
        assert!(!ws.path("u-9.zip").exists());
        let sql = "SELECT DISTINCT actor FROM acts WHERE act = 'backup'";
        assert_eq!(ws.value(sql).as_deref(), Some("ada"));

        ws.remove("files/a/2");
        let ran = back_up("u-1.zip").exits(1);
        assert!(ran.stderr.contains("1 file is missing"), "{ran}");
        assert_eq!(read("u-1.zip", "missing.txt"), "J-1/more.pdf\n");

        // A deletion on the daemon, with the backup here.
        let delete = || {
            let act = [
                "user",
                "delete",
                "u-1",
                "--confirm",
                "u-1",
                "--reason",
                "left",
            ];
            let first = ["--backup-first", "last/"];
            remotely(&ws, &address, &operator, &[&act[..], &first[..]].concat())
        };
        let ran = delete().exits(1);
        assert!(ran.stderr.contains("nothing was deleted"), "{ran}");
        assert_eq!(ws.column("SELECT external_id FROM users").len(), 2);
        ws.write("files/a/2", "more");
        delete().exits(0);
        assert_eq!(ws.column("SELECT external_id FROM users").len(), 1);
        assert_eq!(read("last/Karin_Åslund_u-1.zip", "J-1/more.pdf"), "more");
        served.ends();
    }
}

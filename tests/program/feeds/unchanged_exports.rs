//! An export that was applied is not read again, and what a pass says is what it says when it reads everything.

use super::{account, begin, codes, column, file};
use crate::support::workspace::{Ran, Workspace, each};

fn config(more: &str) -> String {
    format!(
        "apiVersion: roster/v1\nsources:\n  - {{name: directory, directory: base}}\n  \
         - name: erp\n    export: {{file: erp.csv, preset: djust-accounts}}\n    complete: {{shrink: 90%}}\n{more}"
    )
}

/// A plan of a source, which is the one that is made when everything is read.
fn plan(ws: &Workspace, source: &str) -> Ran {
    let known = ws.run(&["plan", "--source", source, "-v"]);
    let scrubbed = ws.run(&["plan", "--source", source, "--scrub"]);
    assert_eq!(
        (&known.stdout, known.code),
        (&scrubbed.stdout, scrubbed.code)
    );
    known
}

#[test]
fn an_export_that_was_applied_is_not_read_again() {
    for ws in each("known") {
        begin(&ws);
        ws.write("roster.yaml", config(""));
        let rows = |name: &str| {
            let rows = (1..=12).map(|n| {
                let cells = [("Account Name", name)];
                account(
                    &format!("a-{n}"),
                    &format!("d-{n}"),
                    &cells[..usize::from(n == 1)],
                )
            });
            file(&rows.collect::<Vec<_>>())
        };
        ws.write("erp.csv", rows("Acme"));
        ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
            .exits(0);
        for _ in 0..2 {
            ws.run(&["apply", "--yes"]).exits(0);
        }
        let same = "source erp: the export is already applied";
        let ran = plan(&ws, "erp");
        assert_eq!(ran.steps(), Vec::<String>::new());
        let log = &ran.stderr;
        assert!(
            log.contains(same) && log.contains("source erp: nothing changed"),
            "{log}"
        );
        // Of the others only what changed is read beside it.
        ws.write("base/more.yaml", "tags: [{externalId: more, name: More}]\n");
        let ran = plan(&ws, "directory");
        assert_eq!(ran.steps(), ["create Tag/more"]);
        let log = &ran.stderr;
        assert!(
            log.contains("source directory: read 1 of 2 files") && log.contains(same),
            "{log}"
        );
        ws.run(&["apply", "--yes"]).exits(0);
        // Somebody else's change is seen and repaired.
        ws.sql("UPDATE accounts SET name = 'Somebody' WHERE external_id = 'a-2'");
        assert_eq!(plan(&ws, "erp").changes(), ["update Account/a-2: name"]);
        ws.run(&["apply", "--yes"]).exits(0);
        // Another export is read, the directory beside it is not.
        ws.write("erp.csv", rows("Acme AB"));
        let ran = plan(&ws, "erp");
        assert_eq!(ran.changes(), ["update Account/a-1: name"]);
        let log = &ran.stderr;
        assert!(
            log.contains("source directory: read 0 of 2 files") && !log.contains(same),
            "{log}"
        );
        ws.run(&["apply", "--yes"]).exits(0);
        ws.run(&["apply", "--yes"]).exits(0);
        assert!(plan(&ws, "erp").stderr.contains(same));
        // Under another mapping, or too old, it is read again.
        ws.write("roster.yaml", config("    maxAge: 1s\n"));
        let ran = plan(&ws, "erp");
        assert!(
            codes(&ran).contains("feed-stale") != ran.stderr.contains(same),
            "{ran}"
        );
        let absence = "    absence: {after: 2, action: deactivate}\n";
        ws.write("roster.yaml", config(absence));
        assert!(!plan(&ws, "erp").stderr.contains(same));
    }
}

#[test]
fn an_export_with_a_bad_row_says_so_in_every_pass() {
    for ws in each("loud") {
        begin(&ws);
        ws.write("roster.yaml", config(""));
        let bad = account("a-2", "d-2", &[("Customer Tag External Id", "later")]);
        ws.write("erp.csv", file(&[account("a-1", "d-1", &[]), bad]));
        ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
            .exits(0);
        for _ in 0..3 {
            ws.run(&["apply", "--yes"]).exits(1);
        }
        assert!(codes(&plan(&ws, "erp")).contains("reference"));
        // To the others it stands by what was applied of it.
        let log = plan(&ws, "directory").stderr;
        assert!(
            log.contains("source erp: the export is already applied"),
            "{log}"
        );
        // What it waited for comes with another source.
        ws.write(
            "base/more.yaml",
            "tags: [{externalId: later, name: Later}]\n",
        );
        ws.run(&["apply", "--yes"]).exits(0);
        assert_eq!(
            ws.value("SELECT count(*) FROM accounts").as_deref(),
            Some("2")
        );
    }
}

#[test]
fn what_an_unread_export_holds_or_hides_is_not_deactivated_by_another() {
    // A row of the other export that waits for its tag, and one whose id cannot be read.
    let waits = account("a-3", "d-3", &[("Customer Tag External Id", "later")]);
    let unreadable = account("", "d-3", &[("Account Name", "Acme")]);
    for (name, row) in [("waits", waits), ("unreadable", unreadable)] {
        for ws in each(name) {
            begin(&ws);
            let more = "    absence: {after: 1, action: deactivate}\n  \
                        - name: crm\n    export: {file: crm.csv, preset: djust-accounts}\n";
            ws.write("roster.yaml", config(more));
            let rows = |dropped: Option<u32>| {
                let kept = (1..=12).filter(|n| Some(*n) != dropped);
                file(
                    &kept
                        .map(|n| account(&format!("a-{n}"), &format!("d-{n}"), &[]))
                        .collect::<Vec<_>>(),
                )
            };
            ws.write("erp.csv", rows(None));
            ws.write("crm.csv", file(&[account("c-1", "e-1", &[]), row.clone()]));
            for source in ["erp", "crm"] {
                ws.run(&["approve", "source", source, "--reason", "looked at it"])
                    .exits(0);
            }
            for _ in 0..3 {
                ws.run(&["apply", "--yes"]);
            }
            let claims = "SELECT external_id FROM claims WHERE source = 'crm' AND kind = 'Account'";
            assert_eq!(column(&ws, claims), ["c-1"]);
            ws.write("erp.csv", rows(Some(3)));
            let ran = plan(&ws, "erp");
            assert_eq!(ran.steps(), Vec::<String>::new(), "{name}: {ran}");
            ws.run(&["apply", "--yes", "--source", "erp"]);
            ws.run(&["apply", "--yes"]);
            assert_eq!(plan(&ws, "erp").steps(), Vec::<String>::new());
            let active = "SELECT count(*) FROM accounts WHERE status = 'active'";
            assert_eq!(ws.value(active).as_deref(), Some("13"), "{name}");
        }
    }
}

#[test]
fn what_a_directory_holds_is_not_deactivated_by_an_export() {
    for ws in each("held-manifest") {
        begin(&ws);
        let more = "    absence: {after: 1, action: deactivate}\n  - {name: crm, directory: crm}\n";
        ws.write("roster.yaml", config(more));
        let rows = |last: u32| {
            let row = |n| account(&format!("a-{n}"), &format!("d-{n}"), &[]);
            file(&(1..=last).map(row).collect::<Vec<_>>())
        };
        ws.write("erp.csv", rows(12));
        ws.write("crm/tags.yaml", "tags: [{externalId: crm, name: CRM}]\n");
        let waits =
            "accounts: [{externalId: a-12, website: \"https://acme.example\", tags: [later]}]\n";
        ws.write("crm/accounts.yaml", waits);
        ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
            .exits(0);
        for _ in 0..3 {
            ws.run(&["apply", "--yes"]);
        }
        ws.write("erp.csv", rows(11));
        let ran = plan(&ws, "erp");
        assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
        ws.run(&["apply", "--yes", "--source", "erp"]);
        let active = "SELECT count(*) FROM accounts WHERE status = 'active'";
        assert_eq!(ws.value(active).as_deref(), Some("12"));
    }
}

//! What an import by hand holds can be approved, although nobody reads its file again, and each way
//! out that it names exists.

use crate::support::workspace::{Ran, Workspace, account, each, users};

const ROWS: &str = "Account External Id,Deleted\nacme,TRUE\n";

/// Two accounts, stored by a directory; with a configuration, the source of the imports is in it.
fn started(ws: &Workspace, configured: bool) {
    let settings = "settings: [{externalId: settings, firstUser: off}]\n---\n";
    ws.tree(
        settings.to_owned()
            + &account("acme", "")
            + &account("beta", "")
            + &users(1..9, "beta", ""),
    );
    ws.apply(&[]).exits(0);
    ws.write("gone.csv", ROWS);
    let rows: String = (1..8).map(|n| format!("u-{n},TRUE\n")).collect();
    ws.write("left.csv", format!("externalId,inactive\n{rows}"));
    if configured {
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources:\n  - {name: directory, directory: manifests}\n  - {name: djust-accounts, export: {file: gone.csv, preset: djust-accounts}}\n",
        );
        ws.run(&["approve", "source", "djust-accounts", "--reason", "x"])
            .exits(0);
    }
}

fn import(ws: &Workspace, file: &str, preset: &str, options: &[&str]) -> Ran {
    let arguments = ["import", file, "--preset", preset, "--yes"];
    ws.run(&[&arguments[..], options].concat())
}

fn accounts(ws: &Workspace) -> Vec<Option<String>> {
    ws.column("SELECT external_id FROM accounts ORDER BY 1")
}

#[test]
fn a_deletion_is_approved_by_its_hold_and_applied_with_the_next_import() {
    for configured in [false, true] {
        for ws in each("import-holds") {
            started(&ws, configured);
            let held = import(&ws, "gone.csv", "djust-accounts", &[]).exits(3);
            assert_eq!(held.held(), ["deletes-not-allowed Account/acme"], "{held}");
            let hold = held.hold("deletes-not-allowed");
            assert_eq!(accounts(&ws).len(), 2);
            // A mistyped id is still refused.
            let other = format!("{}0", &hold[1..]);
            ws.run(&["approve", "hold", &other, "--reason", "x"])
                .exits(1);
            ws.run(&["approve", "hold", &hold, "--reason", "the contract ended"])
                .exits(0);
            import(&ws, "gone.csv", "djust-accounts", &[]).exits(0);
            assert_eq!(accounts(&ws), [Some("beta".to_owned())]);
            let again = import(&ws, "gone.csv", "djust-accounts", &[]).exits(0);
            assert_eq!(
                (again.steps(), again.held()),
                (Vec::new(), Vec::new()),
                "{again}"
            );
        }
    }
}

#[test]
fn the_options_that_a_hold_names_are_options_of_the_import() {
    for ws in each("import-options") {
        started(&ws, false);
        let held = import(&ws, "left.csv", "djust-users", &[]).exits(3);
        assert!(held.stdout.contains("--accept User.deactivate=7"), "{held}");
        import(
            &ws,
            "left.csv",
            "djust-users",
            &["--accept", "User.deactivate=6"],
        )
        .exits(3);
        import(
            &ws,
            "left.csv",
            "djust-users",
            &["--accept", "User.deactivate=7"],
        )
        .exits(0);
        let active = "SELECT external_id FROM users WHERE status = 'active'";
        assert_eq!(ws.column(active), [Some("u-8".to_owned())]);
        // Somebody who was deactivated by hand comes back only with a decision.
        ws.sql("UPDATE users SET status = 'inactive' WHERE external_id = 'u-8'");
        ws.write("back.csv", "externalId,inactive\nu-8,FALSE\n");
        let held = import(&ws, "back.csv", "djust-users", &[]).exits(3);
        let hold = held.hold("reactivation");
        ws.run(&[
            "approve", "hold", &hold, "--only", "User/u-8", "--reason", "back",
        ])
        .exits(0);
        import(&ws, "back.csv", "djust-users", &[]).exits(0);
        assert_eq!(ws.column(active), [Some("u-8".to_owned())]);
        import(&ws, "gone.csv", "djust-accounts", &["--allow-delete"]).exits(0);
        assert_eq!(accounts(&ws), [Some("beta".to_owned())]);
    }
}

//! An export that is not accepted counts for nothing, and decides nothing beside the manifests.

use super::{account, begin, column, file};
use crate::support::workspace::{Ran, Workspace, each};

/// The ERP and the manifests; `erp` and `top` are further configuration.
fn configure(ws: &Workspace, erp: &str, top: &str) {
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: directory, directory: base}}\n  \
             - name: erp\n    export: {{file: erp.csv, preset: djust-accounts}}\n{erp}  \
             - {{name: git, directory: git}}\n{top}"
        ),
    );
}

fn rows(range: std::ops::RangeInclusive<u32>, name: &str) -> String {
    let row = |n: u32| {
        account(
            &format!("a-{n}"),
            &format!("d-{n}"),
            &[("Account Name", name)],
        )
    };
    file(&range.map(row).collect::<Vec<_>>())
}

/// What git says of the names of some accounts.
fn manifests(range: std::ops::RangeInclusive<u32>, name: &str) -> String {
    let one = |n: u32| format!("  - {{externalId: a-{n}, name: {name}}}\n");
    format!("accounts:\n{}", range.map(one).collect::<String>())
}

/// Twenty accounts that both know, named by whoever comes first.
fn begun(ws: &Workspace, erp: &str, top: &str) {
    begin(ws);
    configure(ws, erp, top);
    ws.write("git/names.yaml", "# nothing yet\n");
    ws.write("erp.csv", rows(1..=20, "By ERP"));
    ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
        .exits(0);
    ws.run(&["apply", "--yes"]).exits(0);
    ws.write("git/names.yaml", manifests(1..=20, "By git"));
    ws.run(&["apply", "--yes"]);
}

fn active(ws: &Workspace) -> Option<String> {
    ws.value("SELECT count(*) FROM accounts WHERE status = 'active'")
}

fn names(ws: &Workspace) -> Vec<String> {
    column(ws, "SELECT DISTINCT name FROM accounts ORDER BY name")
}

fn source(ws: &Workspace, name: &str) -> Ran {
    ws.run(&["apply", "--yes", "--source", name])
}

#[test]
fn half_an_export_leaves_its_names_and_its_accounts_alone() {
    for order in ["order: [erp, git]\n", "order: [git, erp]\n", ""] {
        for ws in each("half") {
            begun(&ws, "", order);
            let before = names(&ws);
            ws.write("erp.csv", rows(1..=10, "By ERP"));
            ws.write("git/names.yaml", manifests(1..=20, "By git"));
            for _ in 0..2 {
                let ran = ws.run(&["apply", "--yes"]).exits(3);
                assert!(ran.rules().contains("feed-shrunk"), "{ran}");
                assert_eq!(
                    ran.steps(),
                    Vec::<String>::new(),
                    "{}: {order}{ran}",
                    ws.engine
                );
                for name in ["git", "erp", "git"] {
                    assert_eq!(
                        source(&ws, name).steps(),
                        Vec::<String>::new(),
                        "{}: {name}",
                        ws.engine
                    );
                }
                assert_eq!(names(&ws), before, "{}: {order}", ws.engine);
            }
            // Git drops the ten too: the export has not said that they are gone.
            ws.write("git/names.yaml", manifests(1..=10, "By git"));
            ws.run(&["apply", "--yes"]);
            for name in ["git", "erp", "git"] {
                source(&ws, name);
            }
            assert_eq!(active(&ws).as_deref(), Some("20"), "{}: {order}", ws.engine);
        }
    }
}

#[test]
fn fewer_rows_than_usual_are_held_each_night_though_nothing_would_be_written() {
    for ws in each("nights") {
        begun(
            &ws,
            "    absence: {after: 3, action: deactivate}\n",
            "order: [erp, git]\n",
        );
        ws.write("git/names.yaml", "# nothing\n");
        ws.run(&["apply", "--yes"]).exits(0);
        for night in 1..=4 {
            // Another file each night, which says the same.
            let spaces = " ".repeat(night);
            ws.write(
                "erp.csv",
                rows(1..=17, "By ERP").replacen("Acme AB", &format!("Acme AB{spaces}"), 1),
            );
            let ran = source(&ws, "erp").exits(3);
            assert_eq!(
                ran.rules(),
                ["feed-shrunk".to_owned()].into(),
                "{night}: {ran}"
            );
            assert_eq!(active(&ws).as_deref(), Some("20"), "{}: {night}", ws.engine);
            source(&ws, "erp").exits(3);
        }
        assert_eq!(
            ws.value("SELECT count(*) FROM absences").as_deref(),
            Some("0")
        );
        // A person may say that the three are gone: then that night counts, and the next two.
        let held = source(&ws, "erp").hold("feed-shrunk");
        ws.approve(&held);
        source(&ws, "erp").exits(0);
        assert_eq!(source(&ws, "erp").exits(0).steps(), Vec::<String>::new());
        assert_eq!(
            ws.value("SELECT max(missed) FROM absences").as_deref(),
            Some("1")
        );
    }
}

#[test]
fn a_trailer_that_counts_other_rows_is_held_though_nothing_would_be_written() {
    for ws in each("trailer") {
        begun(&ws, "", "");
        ws.write("git/names.yaml", "# nothing\n");
        configure(&ws, "    complete: {trailer: '#EOF;{n}'}\n", "");
        ws.write("erp.csv", rows(1..=20, "By ERP") + "#EOF;20\r\n");
        ws.run(&["approve", "source", "erp", "--reason", "looked at it"]);
        source(&ws, "erp").exits(0);
        let before = ws.value("SELECT count(*) FROM feeds");
        ws.write("erp.csv", rows(1..=20, "By ERP") + "#EOF;21\r\n");
        for _ in 0..2 {
            let ran = source(&ws, "erp").exits(3);
            assert_eq!(ran.rules(), ["feed-truncated".to_owned()].into(), "{ran}");
            assert_eq!(
                ws.value("SELECT count(*) FROM feeds"),
                before,
                "{}",
                ws.engine
            );
        }
    }
}

#[test]
fn a_row_that_is_missing_once_keeps_what_it_decides() {
    for absence in ["", "    absence: {after: 3, action: ignore}\n"] {
        for ws in each("flaps") {
            begun(&ws, absence, "order: [erp, git]\n");
            assert_eq!(names(&ws), ["By ERP"]);
            let night = |text: String, wanted: &[&str]| {
                ws.write("erp.csv", text);
                ws.run(&["apply", "--yes"]).exits(0);
                assert_eq!(names(&ws), wanted, "{}: {absence}", ws.engine);
                let ran = ws.run(&["plan"]);
                assert_eq!(ran.steps(), Vec::<String>::new(), "{}: {ran}", ws.engine);
                for name in ["git", "erp"] {
                    assert_eq!(
                        source(&ws, name).steps(),
                        Vec::<String>::new(),
                        "{}: {name}",
                        ws.engine
                    );
                }
            };
            let other =
                |n: u32| rows(1..=19, "By ERP").replacen("Torget 1", &format!("Torget {n}"), 1);
            night(other(2), &["By ERP"]);
            night(rows(1..=20, "By ERP"), &["By ERP"]);
            night(other(3), &["By ERP"]);
            night(other(4), &["By ERP"]);
            // The third in a row counts: nobody decides the name of a-20 any more but git.
            night(other(5), &["By ERP", "By git"]);
            night(rows(1..=20, "By ERP"), &["By ERP"]);
        }
    }
}

#[test]
fn an_export_that_is_not_approved_says_that_it_would_decide() {
    for ws in each("unapproved") {
        begin(&ws);
        configure(&ws, "", "order: [erp, git]\n");
        let yaml = |name: &str| {
            format!(
                "accounts:\n  - externalId: a-1\n    name: {name}\n    companyRegistrationName: A\n    \
                 businessRegistrationNumber: 556012-3456\n    status: inactive\n    addresses: [{{externalId: at-1, fullName: A, \
                 street: S 1, zipCode: 411 18, city: G, country: SE}}]\n"
            )
        };
        ws.write("git/names.yaml", yaml("First"));
        ws.write("erp.csv", rows(1..=3, "By ERP"));
        source(&ws, "directory").exits(0);
        source(&ws, "git").exits(0);
        ws.write("git/names.yaml", yaml("Second"));
        let ran = source(&ws, "git").exits(0);
        assert_eq!(
            ran.changes(),
            ["update Account/a-1: name"],
            "{}: {ran}",
            ws.engine
        );
        assert!(ran.codes("note").contains("authority-waits"), "{ran}");
        assert!(ran.stdout.contains("roster approve source erp"), "{ran}");
        assert_eq!(names(&ws), ["Second"]);
        ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
            .exits(0);
        source(&ws, "erp").exits(0);
        assert_eq!(names(&ws), ["By ERP"]);
        ws.write("git/names.yaml", yaml("Third"));
        let ran = source(&ws, "git").exits(0);
        assert_eq!(ran.steps(), Vec::<String>::new(), "{}: {ran}", ws.engine);
        assert!(!ran.codes("note").contains("authority-waits"), "{ran}");
    }
}

#[test]
fn an_answer_with_rows_that_reports_an_error_is_held() {
    let mapping = "apiVersion: roster/v1\nname: api\nformat: json\nrows: items\naccounts:\n  externalId: id\n  fields:\n    name: name\n";
    for ws in each("errors") {
        begin(&ws);
        ws.write("api.yaml", mapping);
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources:\n  - {name: directory, directory: base}\n  - {name: git, directory: git}\n  \
             - {name: erp, export: {file: erp.json, mapping: api.yaml}}\norder: [erp, git]\n",
        );
        let yaml = "accounts:\n  - {externalId: a-1, name: Git, companyRegistrationName: A, businessRegistrationNumber: r-1, status: inactive,\n     \
                    addresses: [{externalId: d-1, fullName: A, country: SE, city: Åre, zipCode: 837 52, street: S 1}]}\n";
        ws.write("git/all.yaml", yaml);
        source(&ws, "git").exits(0);
        ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
            .exits(0);
        let answer = |name: &str, more: &str| {
            ws.write(
                "erp.json",
                format!("{{\"items\": [{{\"id\": \"a-1\", \"name\": \"{name}\"}}]{more}}}"),
            );
            source(&ws, "erp")
        };
        let whole = answer(
            "First",
            ", \"errors\": [], \"error\": null, \"message\": \"1 customer\", \"total\": 1",
        );
        whole.exits(0);
        assert_eq!(names(&ws), ["First"]);
        for (more, code) in [
            (
                ", \"errors\": [{\"message\": \"shard 3 is down\"}]",
                "feed-not-data",
            ),
            (", \"status\": \"error\"", "feed-not-data"),
            (
                ", \"@odata.nextLink\": \"https://erp.example/2\"",
                "feed-truncated",
            ),
            (", \"total\": 20", "feed-truncated"),
        ] {
            // With something to write, and without.
            for name in ["Second", "First"] {
                let ran = answer(name, more);
                assert_eq!(ran.code, Some(3), "{}: {more}: {ran}", ws.engine);
                assert_eq!(
                    ran.rules(),
                    [code.to_owned()].into(),
                    "{}: {more}: {ran}",
                    ws.engine
                );
                assert_eq!(names(&ws), ["First"], "{}: {more}", ws.engine);
            }
        }
        let ran = answer(
            "Second",
            ", \"errors\": [{\"message\": \"shard 3 is down\"}]",
        );
        assert!(ran.stdout.contains("shard 3 is down"), "{ran}");
        answer("Second", "").exits(0);
        assert_eq!(names(&ws), ["Second"]);
    }
}

//! One bad night of an export beside a repository: what was taken stays taken, what is decided stays
//! decided, and a record is written whole or not at all.

use super::{column, file};
use crate::support::workspace::{Ran, Workspace, each};

/// Twenty accounts in git and in the export, which comes first where `order` says so.
fn begin(ws: &Workspace, git: &str, more: &str, order: &str) {
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\nsources:\n  - {{name: git, directory: git, onError: hold}}\n  \
         - {{name: erp, export: {{file: erp.csv, preset: djust-accounts}}{more}}}\n{order}"
        ),
    );
    let settings = "settings: {firstUser: off}\ntags: [{externalId: premium, name: Premium}]\n\
        customFields: [{externalId: credit-class, appliesTo: account, name: C, type: text}]\n";
    ws.write("git/all.yaml", format!("{settings}{git}"));
    night(ws, |_, _| {});
    ws.run(&["apply", "--source", "git", "--yes"]).exits(0);
    ws.run(&["approve", "source", "erp", "--reason", "test"])
        .exits(0);
    apply(ws);
    apply(ws);
}

/// A new export; `change` changes the cells of an account.
fn night(ws: &Workspace, change: impl Fn(usize, &mut Vec<(&'static str, &'static str)>)) {
    let rows = (0..20).map(|n| {
        let mut cells = vec![
            ("Account External Id", "a-{n}"),
            ("Address External Id", "d-{n}"),
            ("Inactive", "FALSE"),
            ("Account Name", "Erp"),
        ];
        change(n, &mut cells);
        super::row(&cells).replace("{n}", &n.to_string())
    });
    ws.write("erp.csv", file(&rows.collect::<Vec<_>>()));
}

fn set(cells: &mut Vec<(&'static str, &'static str)>, name: &'static str, text: &'static str) {
    cells.retain(|(known, _)| *known != name);
    cells.push((name, text));
}

#[track_caller]
fn apply(ws: &Workspace) -> Ran {
    ws.run(&["apply", "--yes"])
}

fn status(ws: &Workspace, id: &str) -> Option<String> {
    ws.value(&format!(
        "SELECT status FROM accounts WHERE external_id = '{id}'"
    ))
}

/// Accounts as git declares them.
fn accounts(more: &str) -> String {
    let one = |n| {
        format!(
            "  - {{externalId: a-{n}, name: Git, companyRegistrationName: G, businessRegistrationNumber: r-{n}, {more}\
         addresses: [{{externalId: g-{n}, fullName: G, country: SE, city: X, zipCode: 837 52, street: S}}]}}\n"
        )
    };
    format!("accounts:\n{}", (0..20).map(one).collect::<String>())
}

#[test]
fn no_night_activates_whom_somebody_deactivated() {
    for (name, bad) in [
        ("Inactive", "maybe"),
        ("Inactive", ""),
        ("Address Country", "QQ"),
        ("Address External Id", "1E+05"),
    ] {
        for ws in each("taken") {
            begin(&ws, "", "", "");
            ws.sql("UPDATE accounts SET status = 'inactive' WHERE external_id = 'a-2'");
            apply(&ws).exits(3);
            night(&ws, |n, cells| {
                if n == 2 {
                    set(cells, name, bad);
                }
            });
            apply(&ws);
            apply(&ws);
            night(&ws, |_, _| {});
            let ran = apply(&ws).exits(3);
            assert_eq!(
                status(&ws, "a-2").as_deref(),
                Some("inactive"),
                "{bad}: {ran}"
            );
            ws.approve(&ran.hold("reactivation"));
            apply(&ws).exits(0);
            assert_eq!(status(&ws, "a-2").as_deref(), Some("active"), "{bad}");
        }
    }
}

#[test]
fn an_export_that_names_an_account_first_activates_nobody() {
    for ws in each("first") {
        begin(&ws, &accounts(""), "", "order: [erp, git]\n");
        let without = |ws: &Workspace| {
            let text = std::fs::read_to_string(ws.path("erp.csv")).expect("the export");
            let lines = text.lines().filter(|line| !line.starts_with("a-3;"));
            ws.write("erp.csv", lines.collect::<Vec<_>>().join("\r\n") + "\r\n");
        };
        ws.run(&["source", "forget", "erp", "--yes"]);
        ws.sql("UPDATE accounts SET status = 'inactive' WHERE external_id = 'a-3'");
        without(&ws);
        apply(&ws);
        night(&ws, |_, _| {});
        for _ in 0..2 {
            let ran = apply(&ws);
            assert_eq!(status(&ws, "a-3").as_deref(), Some("inactive"), "{ran}");
        }
    }
}

#[test]
fn a_blank_or_unreadable_cell_keeps_its_field_to_the_export() {
    for (name, bad) in [
        ("Account Name", ""),
        ("Inactive", ""),
        ("Inactive", "maybe"),
        ("Account Website", "no"),
    ] {
        for ws in each("kept") {
            let git = accounts("status: inactive, website: 'https://git.example', ");
            begin(&ws, &git, "", "order: [erp, git]\n");
            apply(&ws);
            ws.sql("UPDATE accounts SET status = 'active'");
            night(&ws, |_, cells| {
                set(cells, "Account Website", "https://erp.example");
            });
            apply(&ws);
            apply(&ws);
            let shown = "SELECT name || status || website FROM accounts ORDER BY external_id";
            let before = column(&ws, shown);
            assert!(
                before
                    .iter()
                    .all(|row| row == "Erpactivehttps://erp.example"),
                "{before:?}"
            );
            night(&ws, |n, cells| {
                set(cells, "Account Website", "https://erp.example");
                if n == 1 {
                    set(cells, name, bad);
                }
            });
            for _ in 0..2 {
                let ran = apply(&ws);
                assert_eq!(column(&ws, shown), before, "{name} {bad}: {ran}");
            }
            night(&ws, |_, cells| {
                set(cells, "Account Website", "https://erp.example");
            });
            let ran = apply(&ws);
            assert_eq!(column(&ws, shown), before, "{name} {bad}: {ran}");
        }
    }
}

#[test]
fn a_record_with_an_unreadable_id_of_an_address_is_held_whole() {
    for bad in ["1E+05", "a\u{7}b"] {
        for ws in each("record") {
            begin(&ws, "", "", "");
            night(&ws, |n, cells| {
                if n == 0 {
                    set(cells, "Account Name", "Renamed");
                    set(cells, "Address External Id", bad);
                }
            });
            let ran = apply(&ws).exits(1);
            let names = column(&ws, "SELECT DISTINCT name FROM accounts");
            assert_eq!(names, ["Erp"], "{bad}: {ran}");
        }
    }
}

#[test]
fn a_page_that_comes_twice_does_not_make_up_for_one_that_is_missing() {
    for ws in each("pages") {
        begin(&ws, "", ", absence: {after: 3, action: deactivate}", "");
        for night in 0..4 {
            let row = |n: usize| {
                super::account(
                    &format!("a-{n}"),
                    &format!("d-{n}"),
                    &[("Inactive", "FALSE"), ("Account Name", "Erp")],
                )
            };
            let first = (0..17).map(row);
            let again = (0..3).map(|n| row((n + night) % 17));
            ws.write("erp.csv", file(&first.chain(again).collect::<Vec<_>>()));
            let ran = apply(&ws).exits(3);
            assert!(ran.rules().contains("feed-shrunk"), "{ran}");
        }
        let inactive = ws.value("SELECT count(*) FROM accounts WHERE status = 'inactive'");
        assert_eq!(inactive.as_deref(), Some("0"));
    }
}

#[test]
fn what_is_absent_is_released_when_the_configuration_says_so() {
    for (after, nights) in [(1, 1), (5, 5)] {
        for ws in each("after") {
            let absence = format!(", absence: {{after: {after}, action: ignore}}");
            begin(&ws, &accounts(""), &absence, "order: [erp, git]\n");
            let name = "SELECT name FROM accounts WHERE external_id = 'a-1'";
            for night in 1..=nights {
                assert_eq!(
                    ws.value(name).as_deref(),
                    Some("Erp"),
                    "{after}: night {night}"
                );
                let rows = (0..20).filter(|n| *n != 1).map(|n| {
                    let zip = ["837 52", "837 53"][usize::from(n == 5 && night % 2 == 1)];
                    super::account(
                        &format!("a-{n}"),
                        &format!("d-{n}"),
                        &[
                            ("Inactive", "FALSE"),
                            ("Account Name", "Erp"),
                            ("Address Zip Code", zip),
                        ],
                    )
                });
                ws.write("erp.csv", file(&rows.collect::<Vec<_>>()));
                apply(&ws);
                apply(&ws);
            }
            assert_eq!(ws.value(name).as_deref(), Some("Git"), "{after}");
        }
    }
}

#[test]
fn the_only_file_of_a_source_that_is_being_written_gives_nothing_away() {
    for ws in each("emptied") {
        begin(&ws, &accounts(""), "", "");
        ws.write("roster.yaml", "apiVersion: roster/v1\nsources:\n  - {name: git, directory: git}\n  - {name: two, directory: two}\norder: [two, git]\n");
        let two = accounts("").replace("name: Git", "name: Two");
        ws.write("two/all.yaml", &two);
        apply(&ws);
        apply(&ws).exits(0);
        for empty in ["", "# to come\n"] {
            ws.write("two/all.yaml", empty);
            for _ in 0..2 {
                let ran = apply(&ws);
                assert_eq!(
                    column(&ws, "SELECT DISTINCT name FROM accounts"),
                    ["Two"],
                    "{ran}"
                );
                assert!(ran.codes("warning").contains("removals-off"), "{ran}");
            }
            ws.write("two/all.yaml", &two);
            assert_eq!(apply(&ws).exits(0).steps(), Vec::<String>::new());
        }
    }
}

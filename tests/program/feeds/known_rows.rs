//! Of a new export only the rows that differ are read, and it comes to what reading everything comes
//! to: a month of nights with the rows of the last export known, and with nothing known.

use super::{account, begin, column, file};
use crate::support::dice::Dice;
use crate::support::workspace::{Workspace, each};
use std::collections::BTreeMap;

const NIGHTS: usize = 30;
const ACCOUNTS: usize = 40;
const FORGET: &str = "DELETE FROM export_rows; DELETE FROM export_row_sets";

/// The cells that an account has beside the usual ones, by account.
type Customers = BTreeMap<usize, BTreeMap<&'static str, String>>;

fn one_edit(dice: &mut Dice, customers: &mut Customers) {
    let at = dice.roll(ACCOUNTS + 4);
    if dice.once_in(5) {
        customers.remove(&at);
        return;
    }
    let cells = customers.entry(at).or_default();
    match dice.roll(8) {
        // No tag of this name exists, so the account stays as it is.
        0 => _ = cells.insert("Customer Tag External Id", "premum".to_owned()),
        1 | 2 => _ = cells.insert("Customer Tag External Id", "premium".to_owned()),
        3 => _ = cells.insert("Address Zip Code", "12".to_owned()),
        4 => cells.clear(),
        5 => _ = cells.insert("customField_credit-class", format!("C{}", dice.roll(3))),
        _ => _ = cells.insert("Account Name", format!("Firma {}", dice.roll(90))),
    }
}

fn export(dice: &mut Dice, customers: &Customers) -> String {
    let rows = customers.iter().map(|(at, cells)| {
        let cells: Vec<(&str, &str)> = cells.iter().map(|(name, text)| (*name, &**text)).collect();
        // Some accounts have two rows, and some share their second address.
        let second = at.is_multiple_of(4).then(|| {
            let address = format!("s-{}", at / 8);
            account(&format!("a-{at}"), &address, &[("Account Name", "")])
        });
        let first = account(&format!("a-{at}"), &format!("d-{at}"), &cells);
        [first].into_iter().chain(second)
    });
    let mut rows: Vec<String> = rows.flatten().collect();
    match dice.roll(6) {
        0 => rows.reverse(),
        1 => rows.push(rows[dice.roll(rows.len())].clone()),
        _ => {}
    }
    file(&rows)
}

/// What the nights left behind: the directory, its history, what was missing, and the known rows.
fn state(ws: &Workspace) -> Vec<Vec<String>> {
    let hex = if ws.engine == "sqlite" {
        "hex(rows)"
    } else {
        "upper(encode(rows, 'hex'))"
    };
    let known = format!("SELECT source || bucket || {hex} FROM export_rows ORDER BY bucket");
    let queries = [
        "SELECT external_id || name || status || version || custom_fields FROM accounts ORDER BY external_id",
        "SELECT external_id || city || zip_code || version FROM addresses ORDER BY external_id",
        "SELECT account_id || '/' || address_id FROM account_addresses ORDER BY account_id, address_id",
        "SELECT account_id || '/' || tag_id FROM account_tags ORDER BY account_id, tag_id",
        "SELECT source || kind || external_id || state || seen_version || path || line FROM claims \
         ORDER BY source, kind, external_id",
        "SELECT run || kind || external_id || verb || reason || fields || path || line FROM changes ORDER BY seq",
        "SELECT kind || external_id || missed FROM absences ORDER BY kind, external_id",
        "SELECT facts FROM export_row_sets",
        &known,
    ];
    queries.iter().map(|query| column(ws, query)).collect()
}

#[test]
fn a_month_comes_to_the_same_with_known_rows_and_without() {
    let pairs = each("known_rows").into_iter().zip(each("unknown_rows"));
    for (with, without) in pairs {
        let places = [&with, &without];
        for ws in places {
            begin(ws);
            ws.write(
                "roster.yaml",
                "apiVersion: roster/v1\nsources:\n  - {name: directory, directory: base}\n  \
                 - name: erp\n    onError: hold\n    export: {file: erp.csv, preset: djust-accounts}\n    \
                 absence: {after: 2, action: deactivate}\n\
                 guards: {deactivate: {percent: 90, floor: 100, max: 500}}\n",
            );
        }
        let mut dice = Dice(33);
        let mut customers: Customers = (0..ACCOUNTS).map(|at| (at, BTreeMap::new())).collect();
        let mut read_in_part = 0;
        let (mut before, mut reasons) = (String::new(), Vec::new());
        for night in 0..NIGHTS {
            for _ in 0..dice.roll(4) {
                one_edit(&mut dice, &mut customers);
            }
            let text = export(&mut dice, &customers);
            // The same bytes are not read at all, so nothing is known anew.
            if std::mem::replace(&mut before, text.clone()) == text {
                continue;
            }
            let mut said = Vec::new();
            for (ws, forgets) in [(&with, false), (&without, true)] {
                ws.write("erp.csv", &text);
                if night == 0 {
                    ws.run(&["apply", "--source", "directory", "--yes"])
                        .exits(0);
                    let approve = ["approve", "source", "erp", "--reason", "looked at it"];
                    ws.run(&approve).exits(0);
                } else if forgets {
                    ws.sql(FORGET);
                }
                let ran = ws.run(&["apply", "--source", "erp", "--yes", "-v"]);
                assert!(
                    [Some(0), Some(1), Some(3)].contains(&ran.code),
                    "night {night}: {ran}"
                );
                said.push((ran.code, ran.steps(), ran.held(), ran.findings()));
                let in_part = ran.stderr.contains("rows; the others are unchanged")
                    && !ran.stderr.contains("reading everything");
                if forgets {
                    assert!(!in_part, "night {night}: {ran}");
                } else {
                    read_in_part += usize::from(in_part);
                    let why = ran.stderr.lines().filter(|line| line.contains("reading "));
                    reasons.extend(why.filter(|line| line.contains(": ")).map(str::to_owned));
                }
            }
            assert_eq!(said[0], said[1], "{}, night {night}", with.engine);
            for (one, other) in state(&with).into_iter().zip(state(&without)) {
                assert_eq!(one, other, "{}, night {night}", with.engine);
            }
            let again = with.run(&["plan", "--source", "erp"]);
            assert_eq!(
                again.steps(),
                Vec::<String>::new(),
                "night {night}: {again}"
            );
        }
        assert!(
            read_in_part > 20,
            "{read_in_part} of {NIGHTS} nights: {reasons:#?}"
        );
    }
}

#[test]
fn the_log_says_how_much_is_read_and_why_everything_is() {
    for ws in each("read_rows") {
        begin(&ws);
        let config = |more: &str| {
            format!(
                "apiVersion: roster/v1\nsources:\n  - {{name: directory, directory: base}}\n  \
                 - {{name: erp, complete: {{shrink: 90%}}, \
                 export: {{file: erp.csv, preset: djust-accounts}}{more}}}\n"
            )
        };
        ws.write("roster.yaml", config(""));
        let row = |at: u32, name: &str| {
            account(
                &format!("a-{at}"),
                &format!("d-{at}"),
                &[("Account Name", name)],
            )
        };
        let rows = |names: &[&str]| {
            let rows = (0..).zip(names).map(|(at, name)| row(at, name));
            file(&rows.collect::<Vec<_>>())
        };
        ws.write("erp.csv", rows(&["Nord", "Syd", "Öst"]));
        ws.run(&["apply", "--source", "directory", "--yes"])
            .exits(0);
        ws.run(&["approve", "source", "erp", "--reason", "looked at it"])
            .exits(0);
        let apply = || {
            ws.run(&["apply", "--source", "erp", "--yes", "-v"])
                .exits(0)
        };
        let first = apply();
        let expect = |ran: &crate::support::workspace::Ran, text: &str| {
            assert!(ran.stderr.contains(text), "{text}: {ran}");
        };
        expect(
            &first,
            "reading the whole export: no export of it was accepted",
        );

        ws.write("erp.csv", rows(&["Nord", "Sydost", "Öst", "Väst"]));
        let second = apply();
        expect(
            &second,
            "source erp: read 2 of 4 rows; the others are unchanged",
        );
        assert_eq!(second.steps().len(), 3, "{second}");

        // The same rows in another order, and one of them twice.
        let (first, rest) = (row(3, "Väst"), rows(&["Nord", "Sydost", "Öst"]));
        ws.write("erp.csv", rest + &first + "\r\n" + &first + "\r\n");
        let third = apply();
        expect(
            &third,
            "source erp: read 0 of 5 rows; the others are unchanged",
        );
        assert_eq!(third.steps(), Vec::<String>::new());

        ws.write(
            "roster.yaml",
            config(", onError: hold, absence: {after: 2, action: deactivate}"),
        );
        expect(
            &apply(),
            "the release, the mapping or the configuration changed",
        );
        let other = rows(&["Nord", "Sydost"]).replace("Account Website", "Website");
        ws.write("erp.csv", other);
        let columns = ws.run(&["plan", "--source", "erp", "-v"]);
        expect(&columns, "reading the whole export: its columns changed");

        // Somebody else deleted what was known.
        ws.sql(FORGET);
        ws.write("erp.csv", rows(&["Nord", "Sydost", "Ost"]));
        expect(&apply(), "reading the whole export: its rows are not known");
        ws.write("erp.csv", rows(&["Nord", "Sydost", "Öst"]));
        expect(&apply(), "source erp: read 1 of 3 rows");
        let text = rows(&["Nord", "Sydost", "Öst"]) + &account("", "d-9", &[]) + "\r\n";
        ws.write("erp.csv", text);
        let nameless = ws.run(&["plan", "--source", "erp", "-v"]);
        expect(
            &nameless,
            "reading the whole export: a row has no readable id",
        );
    }
}

#[test]
fn neither_a_hold_nor_another_export_makes_everything_be_read() {
    for ws in each("read_beside") {
        begin(&ws);
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nguards: {change: {Account.name: {percent: 1, floor: 0}}}\nsources:\n  \
             - {name: directory, directory: base}\n  \
             - {name: erp, export: {file: erp.csv, preset: djust-accounts}}\n  \
             - {name: people, export: {file: people.csv, preset: djust-users}}\n",
        );
        let accounts = |first: &str, second: &str| {
            let names = [first, second, "Öst", "Väst"];
            let rows = (0..).zip(names).map(|(at, name)| {
                let cells = [("Account Name", name)];
                account(&format!("a-{at}"), &format!("d-{at}"), &cells)
            });
            file(&rows.collect::<Vec<_>>())
        };
        let people = |name: &str, account: &str| {
            format!(
                "User External Id;Civility;First Name;Last Name;Email;Phone;Groups;Account External Ids\n\
                 u-0;MRS;Eva;{name};eva@a.example;+4663123456;FOC_User;{account}\n\
                 u-1;MR;Bo;Dahl;bo@a.example;+4663123457;FOC_User;a-3\n"
            )
        };
        ws.write("erp.csv", accounts("Nord", "Syd"));
        ws.write("people.csv", people("Lind", "a-1"));
        ws.run(&["apply", "--source", "directory", "--yes"])
            .exits(0);
        for source in ["erp", "people"] {
            ws.run(&["approve", "source", source, "--reason", "looked at it"])
                .exits(0);
        }
        ws.run(&["apply", "--source", "erp", "--yes"]).exits(0);
        ws.run(&["apply", "--source", "people", "--yes"]).exits(0);

        // Two new names are held, and stay so while other rows change.
        ws.write("erp.csv", accounts("Nordan", "Sydost"));
        let held = ws.run(&["apply", "--yes", "-v"]).exits(3);
        assert_eq!(held.steps(), Vec::<String>::new());
        let read = |ran: &crate::support::workspace::Ran, text: &str| {
            assert!(ran.stderr.contains(text), "{text}: {ran}");
        };
        read(
            &held,
            "source erp: read 2 of 4 rows; the others are unchanged",
        );
        let rest = accounts("Nordan", "Sydost").replace("Väst", "Väster");
        ws.write("erp.csv", &rest);
        let waiting = ws
            .run(&["apply", "--source", "erp", "--yes", "-v"])
            .exits(3);
        read(
            &waiting,
            "source erp: read 3 of 4 rows; the others are unchanged",
        );
        assert_eq!(waiting.held().len(), 3, "{waiting}");
        ws.approve(&waiting.hold("guard"));
        let approved = ws
            .run(&["apply", "--source", "erp", "--yes", "-v"])
            .exits(0);
        read(
            &approved,
            "source erp: read 3 of 4 rows; the others are unchanged",
        );
        assert_eq!(approved.steps().len(), 3, "{approved}");

        // Both exports are new, in one plan and in one apply.
        ws.write("people.csv", people("Linde", "a-1"));
        ws.write("erp.csv", rest.replacen("Torget 1", "Torget 2", 1));
        for command in [&["plan", "-v"][..], &["apply", "--yes", "-v"]] {
            let both = ws.run(command).exits(0);
            read(&both, "source erp: read 1 of 4 rows");
            read(&both, "source people: read 1 of 2 rows");
            let whole = "reading everything";
            assert!(!both.stderr.contains(whole), "{both}");
        }
        for source in ["erp", "people"] {
            let again = ws.run(&["plan", "--source", source]).exits(0);
            assert_eq!(again.steps(), Vec::<String>::new(), "{again}");
        }
    }
}

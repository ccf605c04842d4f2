//! `roster import --manifests`.

use crate::support::workspace::{Ran, Workspace, account, each, say, sqlite};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

const ACCOUNTS: &str = "\
Account External Id;Account Name;Company Registration Name;Business Registration Number;Customer Tag External Id;Deleted;customField_class;Address External Id;Address Full Name;Address Country;Address City;Address Zip Code;Address Street Name
a-1;Acme;Acme AB;556012-3456;;;A;d-1;Acme AB;SE;Åre;837 52;Torget 1
a-1;;;;;;;d-2;Acme AB;SE;Åre;837 52;Torget 2
a-2;Beta;Beta AB;556012-3457;hotels;;;d-3;Beta AB;SE;Åre;837 52;Torget 1
a-3;Gone;Gone AB;556012-3458;;TRUE;;d-4;Gone AB;SE;Åre;837 52;Torget 1
a-4;Delta;Delta AB;556012-3459;;;;d-5;Delta AB;QQ;Åre;837 52;Torget 1
a/5;Epsilon;Epsilon AB;556012-3460;premium;;;d-6;Epsilon AB;SE;Åre;837 52;Torget 1
";

const USERS: &str = "\
User External Id;Civility;First Name;Last Name;Email;Phone;Groups;Account Ids;Inactive
u-1;MR;Åke;Ek;u1@x.example;+46123456;FOC_User;a-1;
u-2;MRS;Åsa;Ek;u2@x.example;+46123456;FOC_User;a-1||a/5;
u-3;MR;Åke;Ek;u3@x.example;+46123456;FOC_User;a-4;
u-4;MR;Åke;Ek;u4@x.example;+46123456;FOC_User;a/5;TRUE
";

const BASE: &str = "
tags: [{externalId: premium, name: Premium}]
customFields: [{externalId: class, appliesTo: account, name: Class, type: text}]
";

fn import(ws: &Workspace, file: &str, preset: &str, more: &[&str]) -> Ran {
    let arguments = ["import", file, "--preset", preset, "--manifests", "out"];
    ws.run(&[&arguments[..], more].concat())
}

/// Every file below a folder with its text.
pub fn files(root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path
                    .strip_prefix(root)
                    .expect("below")
                    .display()
                    .to_string();
                found.push((name, fs::read_to_string(&path).expect("text")));
            }
        }
    }
    found.sort();
    found
}

fn names(ws: &Workspace) -> Vec<String> {
    let files = files(&ws.path("out"));
    files.into_iter().map(|(name, _)| name).collect()
}

fn summary(ran: &Ran) -> Value {
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    document["summary"].clone()
}

fn listed(ran: &Ran, member: &str) -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    let all = document[member].as_array().expect("a list").iter();
    all.filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

#[test]
fn what_fits_is_written_a_folder_an_account_and_the_rest_is_named() {
    let ws = sqlite();
    ws.write("accounts.csv", ACCOUNTS).write("users.csv", USERS);
    ws.write("out/base.yaml", BASE);
    let ran = import(
        &ws,
        "accounts.csv",
        "djust-accounts",
        &["--report", "report.csv"],
    )
    .exits(1);
    assert_eq!(summary(&ran)["written"], 5, "{ran}");
    let left_out = ["Account/a-2", "Account/a-4", "Address/d-3", "Address/d-5"];
    assert_eq!(listed(&ran, "leftOut"), left_out.map(str::to_owned).into());
    assert_eq!(listed(&ran, "deleted"), ["Account/a-3".to_owned()].into());
    let report = fs::read_to_string(ws.path("report.csv")).expect("a report");
    assert!(
        report.contains("\n6,country,F-E-012,Address/d-5,country,"),
        "{report}"
    );
    assert!(
        report.contains("\n4,reference,F-E-002,Account/a-2,tags,"),
        "{report}"
    );
    let written = [
        "accounts/a%2F5/account.yaml",
        "accounts/a-1/account.yaml",
        "base.yaml",
    ];
    assert_eq!(names(&ws), written);

    let ran = import(&ws, "users.csv", "djust-users", &[]).exits(1);
    assert_eq!(listed(&ran, "leftOut"), ["User/u-3".to_owned()].into());
    let beside = ["accounts/a%2F5/users.yaml", "accounts/a-1/users.yaml"];
    assert!(
        beside
            .iter()
            .all(|name| names(&ws).contains(&(*name).to_owned()))
    );
    ws.run(&["validate", "out"]).exits(0);
    // It is a directory like any other.
    ws.run(&["apply", "out", "--yes"]).exits(0);
    let status = "SELECT status FROM users WHERE external_id = 'u-4'";
    assert_eq!(ws.value(status).as_deref(), Some("inactive"));
    ws.run(&["plan", "out", "--detailed-exitcode"]).exits(0);
}

#[test]
fn what_is_declared_already_is_said_and_left() {
    let ws = sqlite();
    ws.write("users.csv", "User External Id;Civility;First Name;Last Name;Email;Phone;Groups;Account Ids\n\
        u-1;MR;Other;Name;u1@x.example;+46123456;FOC_User;acme\nu-2;MR;New;Name;u2@x.example;+46123456;FOC_User;acme\n");
    ws.write("out/customers/acme/account.yaml", account("acme", ""));
    let mine = "# ours\nusers:\n- {externalId: u-1, civility: MR, firstName: Åke, lastName: Ek, email: u1@x.example, phone: '123456', groups: [g], accounts: [acme]}\n";
    ws.write("out/customers/acme/users.yaml", mine);
    ws.write("out/customers/acme/users-2.yaml", "# nothing yet\n");
    let before = files(&ws.path("out"));
    let ran = import(&ws, "users.csv", "djust-users", &[]).exits(0);
    assert_eq!(listed(&ran, "declared"), ["User/u-1".to_owned()].into());
    assert_eq!(
        listed(&ran, "files"),
        ["customers/acme/users-3.yaml".to_owned()].into(),
        "beside its account"
    );
    let after = files(&ws.path("out"));
    assert!(before.iter().all(|file| after.contains(file)), "{after:?}");
    assert_eq!(after.len(), before.len() + 1);
    // Again there is nothing left to write.
    let ran = import(&ws, "users.csv", "djust-users", &[]).exits(0);
    assert_eq!(summary(&ran)["written"], 0);
    assert_eq!(files(&ws.path("out")), after);
}

#[test]
fn nothing_is_written_when_all_has_to_be_right_or_the_export_is_not_whole() {
    let ws = sqlite();
    ws.write("accounts.csv", ACCOUNTS);
    let ran = import(&ws, "accounts.csv", "djust-accounts", &["--atomic"]).exits(1);
    assert_eq!(summary(&ran)["written"], 0);
    assert!(!ws.path("out").exists());
    ws.write(
        "page.csv",
        "<!DOCTYPE html><html><body>Log in</body></html>\n",
    );
    let ran = import(&ws, "page.csv", "djust-accounts", &[]).exits(1);
    assert!(ran.stdout.contains("feed-not-data"), "{ran}");
    assert!(!ws.path("out").exists());
    // Not knowing what is declared is no ground to declare anything.
    ws.write("out/broken.yaml", "accounts: [{externalId: a-1\n");
    ws.write(
        "fine.csv",
        ACCOUNTS.lines().take(2).collect::<Vec<_>>().join("\n"),
    );
    let ran = import(&ws, "fine.csv", "djust-accounts", &[]).exits(1);
    assert!(ran.stderr.contains("broken.yaml"), "{ran}");
    assert_eq!(names(&ws), ["broken.yaml"]);
}

const MANY: usize = 10_000;
const EACH: usize = 40;

/// Accounts and users, as an ERP would export them.
fn many(ws: &Workspace) {
    let mut accounts = ACCOUNTS.lines().next().expect("a header").to_owned() + "\n";
    for a in 0..MANY / EACH {
        let _ = writeln!(
            accounts,
            "a-{a};Acme {a};Acme {a} AB;556012-{a};;;;d-{a};Acme AB;SE;Åre;837 52;Torget {a}"
        );
    }
    let mut users = USERS.lines().next().expect("a header").to_owned() + "\n";
    for u in 0..MANY {
        let _ = writeln!(
            users,
            "u-{u};MR;Åke;Ek {u};u{u}@x.example;+4612{u:06};FOC_User;a-{};",
            u / EACH
        );
    }
    ws.write("accounts.csv", accounts).write("users.csv", users);
}

/// The users, as another tool has put them into the database.
fn inserted(ws: &Workspace) {
    let numbers = format!(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {MANY})"
    );
    let padded = match ws.engine {
        "sqlite" => "printf('%06d', i)",
        _ => "lpad(CAST(i AS text), 6, '0')",
    };
    ws.sql(&format!(
        "{numbers} INSERT INTO users (external_id, civility, first_name, last_name, email, phone) \
         SELECT 'u-' || i, 'MR', 'Åke', 'Ek ' || i, 'u' || i || '@x.example', '+4612' || {padded} FROM n; \
         {numbers} INSERT INTO user_accounts (user_id, account_id) SELECT 'u-' || i, 'a-' || (i / {EACH}) FROM n; \
         {numbers} INSERT INTO user_groups SELECT 'u-' || i, 'FOC_User' FROM n"
    ));
}

#[test]
fn ten_thousand_users_become_a_repository_that_adopts_them() {
    for ws in each("ten thousand") {
        many(&ws);
        ws.write("out/settings.yaml", "settings: {firstUser: off}\n");
        import(&ws, "accounts.csv", "djust-accounts", &[]).exits(0);
        ws.run(&["apply", "out", "--yes"]).exits(0);
        let begun = Instant::now();
        let ran = import(&ws, "users.csv", "djust-users", &[]).exits(0);
        say(&format!(
            "{MANY} users into manifests: {:?}",
            begun.elapsed()
        ));
        assert_eq!(summary(&ran)["written"], MANY);
        ws.run(&["validate", "out"]).exits(0);
        inserted(&ws);
        let begun = Instant::now();
        let ran = ws.run(&["apply", "out", "--yes"]).exits(0);
        say(&format!("{}: adopted in {:?}", ws.engine, begun.elapsed()));
        assert_eq!(ran.count("adopt"), MANY as u64, "{}", ws.engine);
        for verb in ["update", "deactivate", "reactivate", "delete", "held"] {
            assert_eq!(ran.count(verb), 0, "{}: {verb}", ws.engine);
        }
        ws.run(&["plan", "out", "--detailed-exitcode"]).exits(0);
    }
}

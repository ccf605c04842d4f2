//! A database that another program filled is exported, and a plan of the export adopts it as it is.

use crate::support::workspace::{Workspace, each};
use std::fmt::Write as _;
use std::fs;

const CONFIG: &str = "
apiVersion: roster/v1
sources: [{name: directory, directory: manifests}]
scopes: [{path: \"accounts/{account}/**\"}]
";

/// Ids that are hard to write as YAML, as a file name, or as both.
const ACCOUNTS: [&str; 30] = [
    "acme",
    "Acme",
    "ACME",
    "a/b",
    "..",
    ".git",
    "con",
    "NUL",
    "LPT1.x",
    "a.b.",
    "007",
    "true",
    "null",
    "~",
    "no",
    "off",
    "1e3",
    "0x1F",
    "2024-01-01",
    "-",
    "--",
    "#h",
    "a:b",
    "a\\b",
    "\"q\"",
    "it's",
    "{x}",
    "%2F",
    "*",
    "&a",
];

/// Fills the tables as a shop would that knows nothing of Roster.
fn fill(ws: &Workspace) {
    let mut sql = String::new();
    for id in ACCOUNTS.iter().chain(&[long().as_str()]) {
        let id = id.replace('\'', "''");
        writeln!(
            sql,
            "INSERT INTO accounts (external_id, name, company_registration_name, \
             business_registration_number) VALUES ('{id}', 'The ''{id}''', 'null', '0012');"
        )
        .expect("text");
    }
    sql += include_str!("adoption.sql");
    for n in 0..12 {
        writeln!(
            sql,
            "INSERT INTO users (external_id, civility, first_name, last_name, email, phone) VALUES \
             ('p-{n}', 'MR', 'Per', 'Ek', 'p-{n}@x.example', '+4670123{n:04}'); \
             INSERT INTO user_accounts (user_id, account_id) VALUES ('p-{n}', 'acme');"
        )
        .expect("text");
    }
    writeln!(
        sql,
        "INSERT INTO user_accounts (user_id, account_id) VALUES ('of-long', '{}');",
        long()
    )
    .expect("text");
    ws.sql(&sql);
}

/// An id whose file name would be too long.
fn long() -> String {
    "/".repeat(128)
}

fn filled(name: &str) -> Vec<Workspace> {
    let places = each(name);
    for ws in &places {
        ws.write("roster.yaml", CONFIG);
        ws.run(&["migrate"]).exits(0);
        fill(ws);
    }
    places
}

fn stored(ws: &Workspace) -> Vec<String> {
    let kinds = [
        "Account",
        "User",
        "Address",
        "Organisation",
        "Policy",
        "Tag",
        "CustomField",
    ];
    let get = |kind| ws.run(&["get", kind, "-o", "yaml"]).exits(0).stdout;
    kinds.into_iter().map(get).collect()
}

#[test]
fn an_export_of_anybodys_database_adopts_it_as_it_is() {
    for ws in filled("adopted") {
        let before = stored(&ws);
        let exported = ws.run(&["export", "-o", "manifests"]).exits(0);
        assert!(!exported.stderr.contains("not written"), "{exported}");
        let plan = ws.run(&["plan"]).exits(0);
        let steps = plan.steps();
        assert!(steps.len() > 60, "{plan}");
        for step in plan.changes() {
            // The fields that a step changes come after a colon and a space.
            let is_unchanged = step.starts_with("adopt ") && !step.contains(": ");
            assert!(is_unchanged, "{}: {step}", ws.engine);
        }
        assert_eq!(plan.held(), [""; 0], "{plan}");
        assert!(plan.codes("error").is_empty(), "{plan}");
        ws.run(&["apply", "--yes"]).exits(0);
        for options in [
            &["plan", "--detailed-exitcode"][..],
            &["plan", "--scrub", "--detailed-exitcode"],
        ] {
            ws.run(options).exits(0);
        }
        assert!(stored(&ws) == before, "{}", ws.engine);
        ws.run(&["export", "-o", "again"]).exits(0);
        assert_eq!(tree(&ws, "again"), tree(&ws, "manifests"), "{}", ws.engine);
    }
}

#[test]
fn what_belongs_to_one_account_is_in_its_folder() {
    for ws in filled("folders") {
        ws.run(&["export", "-o", "manifests"]).exits(0);
        let files = tree(&ws, "manifests");
        let text = |path: &str| {
            let file = files.iter().find(|(name, _)| name == path);
            file.unwrap_or_else(|| panic!("{path}: {:?}", names(&files)))
                .1
                .clone()
        };
        let acme = text("accounts/acme/account.yaml");
        assert!(
            acme.contains("externalId: of-acme") && acme.contains("ref: shared"),
            "{acme}"
        );
        assert!(text("accounts/acme/users.yaml").contains("externalId: blocked"));
        assert!(text("accounts/acme/policies.yaml").contains("externalId: buy"));
        assert!(text("accounts/acme/organisations.yaml").contains("externalId: team"));
        // Who belongs to several accounts, one of them later, or to none is beside the folders.
        let beside = text("users.yaml");
        for id in ["several", "later", "staff", "of-long"] {
            assert!(
                beside.contains(&format!("externalId: {id}\n")),
                "{id}: {beside}"
            );
        }
        assert!(text("addresses.yaml").contains("externalId: shared"));
        assert!(text("accounts.yaml").contains(&long()));
        // Case alone makes no other file, and no folder is a device on Windows.
        let lower: std::collections::BTreeSet<String> =
            files.iter().map(|(name, _)| name.to_lowercase()).collect();
        assert_eq!(lower.len(), files.len());
        for (name, _) in &files {
            let folder = name
                .strip_prefix("accounts/")
                .unwrap_or("-/")
                .to_lowercase();
            for device in ["con/", "nul/", "lpt1.x/"] {
                assert_ne!(folder.split_inclusive('/').next(), Some(device), "{name}");
            }
        }
    }
}

#[test]
fn folders_are_where_the_scopes_say() {
    for ws in filled("scoped folders") {
        let elsewhere = CONFIG.replace("accounts/{account}", "shop/customers/{account}");
        ws.write("roster.yaml", elsewhere);
        ws.run(&["export", "-o", "manifests"]).exits(0);
        let files = tree(&ws, "manifests");
        assert!(
            names(&files).contains(&"shop/customers/acme/users.yaml"),
            "{:?}",
            names(&files)
        );
        let plan = ws.run(&["plan"]).exits(0);
        assert!(
            plan.codes("error").is_empty() && plan.held().is_empty(),
            "{plan}"
        );
    }
}

#[test]
fn what_no_manifest_can_declare_stays_as_it_is() {
    for ws in filled("dirty") {
        ws.sql(include_str!("adoption_dirty.sql"));
        let before = stored(&ws);
        let exported = ws.run(&["export", "-o", "manifests"]).exits(0);
        for line in [
            "not written: User.email of bad-mail: `nobody at all` is not an e-mail address",
            "not written: User/two words: ",
            "not written: Address.country of bad-land: `Sweden` is not a country code",
            "not written: User.customFields.credit of bad-credit: ",
            "not written: User.customFields.unknown of bad-credit: ",
            "not written: User.effectiveUntil of ended: it is active outside its dates",
            "not written: Account.effectiveUntil of 2, first 007: it would be read as `2031-01-01T00:00:00Z`",
            "not written: User.accounts of bad-level: ",
            "not written: User.accounts of ended-link: a plan would change accounts because of its dates",
            "not written: User.groups of bad-mail: `groups` has a blank item",
            "not written: User.customFields.note of bad-level: a blank would be read as no value",
            "not written: Account.addresses of stopped: ",
            "not written: Terms.file of 2, first gone-text: its content is not in the database",
        ] {
            assert!(
                exported.stderr.contains(line),
                "{}: {line}\n{exported}",
                ws.engine
            );
        }
        let plan = ws.run(&["plan"]).exits(0);
        assert_eq!(plan.held(), [""; 0], "{plan}");
        for step in plan.steps() {
            assert!(step.starts_with("adopt "), "{}: {step}", ws.engine);
        }
        ws.run(&["apply", "--yes"]).exits(0);
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
        assert!(stored(&ws) == before, "{}", ws.engine);
        assert_eq!(
            ws.value("SELECT email FROM users WHERE external_id = 'bad-mail'")
                .as_deref(),
            Some("nobody at all")
        );
    }
}

#[test]
fn a_user_without_a_main_organisation_gets_the_only_one() {
    for ws in filled("inferred") {
        ws.sql("INSERT INTO user_organisations (user_id, organisation_id) VALUES ('p-1', 'team')");
        ws.run(&["export", "-o", "manifests"]).exits(0);
        let plan = ws.run(&["plan"]).exits(0);
        let changes = plan.changes();
        let changes: Vec<&String> = changes
            .iter()
            .filter(|step| step.contains("User/p-1:"))
            .collect();
        assert_eq!(changes, ["adopt User/p-1: mainOrganisation"], "{plan}");
        ws.run(&["apply", "--yes"]).exits(0);
        ws.run(&["plan", "--scrub", "--detailed-exitcode"]).exits(0);
    }
}

fn names(files: &[(String, String)]) -> Vec<&str> {
    files.iter().map(|(name, _)| name.as_str()).collect()
}

/// The files below a folder, by path.
fn tree(ws: &Workspace, folder: &str) -> Vec<(String, String)> {
    let root = ws.path(folder);
    let (mut found, mut waiting) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                waiting.push(entry.path());
                continue;
            }
            let name = entry.path();
            let name = name
                .strip_prefix(&root)
                .expect("below")
                .display()
                .to_string();
            found.push((name, fs::read_to_string(entry.path()).expect("a manifest")));
        }
    }
    found.sort();
    found
}

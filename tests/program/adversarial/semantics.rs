//! Directories that are well written and make no sense, or make it only in the right order.

use super::{Errors, FINE, Then, Warnings, cases, survives};
use crate::support::workspace::{Workspace, account, each, sqlite, user, users};
use std::fs;

/// An organisation of an account, below another one if it is named.
fn organisation(id: &str, account: &str, parent: &str) -> String {
    let parent = if parent.is_empty() {
        String::new()
    } else {
        format!("parent: {parent}\n")
    };
    format!("---\nkind: Organisation\nexternalId: {id}\nname: {id}\naccount: {account}\n{parent}")
}

/// Two accounts with a user each.
fn companies() -> String {
    account("acme", "") + &account("beta", "") + &user("u-1", "acme", "") + &user("u-2", "beta", "")
}

#[test]
fn organisations() {
    let case = |about: &'static str, yaml: String, then: Then| {
        (about, (companies() + &yaml).into_bytes(), then)
    };
    let org = organisation;
    cases(&[
        case(
            "47 its own parent",
            org("a", "acme", "a"),
            Errors(&["organisation-cycle"]),
        ),
        case(
            "47 a circle of three",
            org("a", "acme", "b") + &org("b", "acme", "c") + &org("c", "acme", "a"),
            Errors(&["organisation-cycle"]),
        ),
        case(
            "47 a parent in another account",
            org("a", "beta", "") + &org("b", "acme", "a"),
            Errors(&["organisation-account"]),
        ),
        case(
            "47 a child before its parent",
            org("b", "acme", "a") + &org("a", "acme", ""),
            FINE,
        ),
        case(
            "47 too deep",
            org("a", "acme", "") + &org("b", "acme", "a") + &org("c", "acme", "b"),
            Errors(&["organisation-depth"]),
        ),
        case(
            "47 a parent that is nowhere",
            org("a", "acme", "nowhere"),
            Errors(&["reference"]),
        ),
        case(
            "48 a main one that is not its own",
            org("a", "acme", "")
                + &org("b", "acme", "")
                + &user("u-3", "acme", "organisations: [a]\nmainOrganisation: b"),
            Errors(&["main-organisation"]),
        ),
        case(
            "48 several and none the main one",
            org("a", "acme", "")
                + &org("b", "acme", "")
                + &user("u-3", "acme", "organisations: [a, b]"),
            Warnings(&["main-organisation"]),
        ),
        case(
            "48 of another account",
            org("a", "beta", "") + &user("u-3", "acme", "organisations: [a]"),
            Errors(&["organisation-account"]),
        ),
    ]);
}

#[test]
fn references() {
    let tag = "---\nkind: Tag\nexternalId: premium\nname: Premium\n";
    let case = |about: &'static str, yaml: String, then: Then| (about, yaml.into_bytes(), then);
    cases(&[
        case(
            "49 to what is nowhere",
            account("acme", "tags: [premium]") + &user("u-1", "acme", ""),
            Errors(&["reference"]),
        ),
        case(
            "49 to what is inactive",
            account("acme", "tags: [premium]")
                + &user("u-1", "acme", "")
                + tag
                + "status: inactive\n",
            Errors(&["reference-inactive"]),
        ),
        case(
            "49 to what is deleted",
            account("acme", "tags: [premium]")
                + &user("u-1", "acme", "")
                + "---\nkind: Tag\nexternalId: premium\nstatus: deleted\n",
            Errors(&["reference"]),
        ),
        case(
            "43 one address, two ways to write it",
            {
                let at = |city: &str| {
                    format!(
                        "addresses: [{{externalId: hub, fullName: Hub, street: Gata 1, zipCode: 411 18, city: {city}, country: SE}}]"
                    )
                };
                account("acme", &at("Göteborg"))
                    + &account("beta", &at("Malmö"))
                    + &user("u-1", "acme", "")
                    + &user("u-2", "beta", "")
            },
            Errors(&["address-conflict"]),
        ),
        case(
            "59 one fault, one finding",
            account("acme", "") + &user("u-1", "acme", "civility: DR"),
            Errors(&["enum"]),
        ),
        case(
            "59 no company without people",
            account("acme", ""),
            Errors(&["account-without-user"]),
        ),
        case(
            "59 nobody without a company",
            user("u-1", "acme", "accounts: []"),
            Errors(&["clear-required"]),
        ),
    ]);
}

fn applied(name: &str, yaml: &str) -> Vec<Workspace> {
    let all = each(name);
    for ws in &all {
        ws.tree(yaml).settle(&[]);
    }
    all
}

#[test]
fn a_deleted_id_never_comes_back() {
    let acme = account("acme", "") + &users(0..4, "acme", "");
    for ws in applied("tombstone", &(acme.clone() + &user("old", "acme", ""))) {
        ws.tree(acme.clone() + "---\nkind: User\nexternalId: old\nstatus: deleted\n");
        ws.settle(&["--allow-delete"]);
        // Another person under the id of the one that is gone.
        ws.tree(acme.clone() + &user("old", "acme", "firstName: Nils\nemail: nils@roster.example"));
        let held = ws.apply(&[]).exits(3);
        assert_eq!(
            held.held(),
            ["retired-id User/old"],
            "50, {}: {held}",
            ws.engine
        );
        ws.run(&[
            "approve",
            "hold",
            &held.hold("retired-id"),
            "--reason",
            "he is new",
        ]);
        ws.apply(&[]).exits(3);
        assert_eq!(
            ws.value("SELECT count(*) FROM users WHERE external_id = 'old'")
                .as_deref(),
            Some("0"),
            "50, {}",
            ws.engine
        );
    }
}

#[test]
fn a_link_to_what_is_stored_inactive_is_refused() {
    let tree = |tags: &str| {
        account("acme", tags)
            + &user("u-1", "acme", "")
            + "---\nkind: Tag\nexternalId: vip\nname: Vip\nstatus: inactive\n"
    };
    for ws in applied("inactive", &tree("")) {
        ws.tree(tree("tags: [vip]"));
        let ran = ws.apply(&[]).exits(1);
        assert!(
            ran.codes("error").contains("reference-inactive"),
            "49, {}: {ran}",
            ws.engine
        );
    }
}

#[test]
fn the_last_administrator_is_warned_about() {
    let tree = |level: &str| {
        account("acme", "")
            + &user(
                "boss",
                "acme",
                &format!("accounts: [{{account: acme, level: {level}}}]"),
            )
            + &users(0..4, "acme", "")
    };
    for ws in applied("administrator", &tree("administrator")) {
        ws.tree(tree("user"));
        let ran = ws.apply(&[]).exits(0);
        assert!(
            ran.codes("warning").contains("last-administrator"),
            "52, {}: {ran}",
            ws.engine
        );
    }
}

#[test]
fn two_people_may_swap_what_only_one_can_have() {
    let tree = |one: &str, two: &str| {
        account("acme", "")
            + &users(0..8, "acme", "")
            + &user("x", "acme", &format!("email: {one}@roster.example"))
            + &user("y", "acme", &format!("email: {two}@roster.example"))
    };
    for ws in applied("swap", &tree("karin", "nils")) {
        ws.tree(tree("nils", "karin"));
        ws.settle(&[]);
        assert_eq!(
            ws.value("SELECT email FROM users WHERE external_id = 'x'")
                .as_deref(),
            Some("nils@roster.example"),
            "37, 57, {}",
            ws.engine
        );
    }
}

#[test]
fn a_customer_number_is_given_once() {
    let tree = |one: &str, two: &str| {
        account("acme", one)
            + &account("beta", two)
            + &user("u-1", "acme", "")
            + &user("u-2", "beta", "")
    };
    for ws in applied(
        "number",
        &tree("customerNumber: 1001", "customerNumber: 1002"),
    ) {
        ws.tree(tree("customerNumber: 1002", "customerNumber: 1001"));
        let ran = ws.apply(&[]).exits(1);
        assert!(
            ran.codes("error").contains("customer-number-duplicate"),
            "57, {}: {ran}",
            ws.engine
        );
        assert_eq!(
            ws.value("SELECT customer_number FROM accounts WHERE external_id = 'acme'")
                .as_deref(),
            Some("1001"),
            "{}",
            ws.engine
        );
    }
}

#[test]
fn a_field_that_becomes_required_lists_who_lacks_it() {
    let field = |more: &str| {
        format!(
            "---\nkind: CustomField\nexternalId: credit\nappliesTo: account\nname: Credit\ntype: text\n{more}"
        )
    };
    for ws in applied("backfill", &(companies() + &field(""))) {
        ws.tree(companies() + &field("required: true\n"));
        let ran = ws.apply(&[]).exits(1);
        assert!(
            ran.codes("error").contains("custom-field-backfill"),
            "59, {}: {ran}",
            ws.engine
        );
        assert!(
            ran.stdout.contains("acme") && ran.stdout.contains("beta"),
            "{ran}"
        );
        ws.tree(companies() + &field("required: true\ndefault: A\n"))
            .settle(&[]);
    }
}

#[test]
fn a_database_from_an_older_backup_gets_what_it_lacks() {
    let ws = sqlite();
    let tree = |phone: &str, more: &str| {
        account("acme", "") + &user("u-1", "acme", &format!("phone: \"{phone}\"")) + more
    };
    ws.tree(tree("+461", "")).settle(&[]);
    fs::copy(ws.path("roster.db"), ws.path("backup.db")).expect("a backup");
    ws.tree(tree("+462", &user("u-2", "acme", ""))).settle(&[]);
    for file in ["roster.db-wal", "roster.db-shm"] {
        if ws.path(file).exists() {
            ws.remove(file);
        }
    }
    fs::copy(ws.path("backup.db"), ws.path("roster.db")).expect("restored");
    let plan = ws.plan(&[]).exits(0);
    assert_eq!(plan.changes().len(), 2, "58: {plan}");
    ws.settle(&[]);
    assert_eq!(
        ws.value("SELECT phone FROM users WHERE external_id = 'u-1'")
            .as_deref(),
        Some("+462"),
        "58"
    );
}

#[test]
fn one_bad_record_among_many_holds_itself_alone() {
    let good = account("acme", "") + &users(0..1_000, "acme", "");
    for ws in each("one bad") {
        ws.write("roster.yaml", "apiVersion: roster/v1\nsources: [{name: directory, directory: manifests, onError: hold}]\n");
        ws.tree(good.clone() + &user("bad", "acme", "phone: none"));
        let ran = ws.run(&["apply", "--yes"]).exits(1);
        assert_eq!(ran.held(), ["phone User/bad"], "60, {}: {ran}", ws.engine);
        assert_eq!(
            ws.value("SELECT count(*) FROM users").as_deref(),
            Some("1000"),
            "60, {}",
            ws.engine
        );
        let again = ws.run(&["apply", "--yes"]).exits(1);
        assert_eq!(again.steps(), Vec::<String>::new(), "60, {}", ws.engine);
        assert_eq!(ws.value("SELECT count(*) FROM runs").as_deref(), Some("1"));
    }
}

#[test]
fn two_runs_in_one_second_are_two_runs() {
    for ws in applied("same second", &companies()) {
        let before = ws.value("SELECT max(last_seq) FROM write");
        for n in 0..5 {
            ws.tree(companies().replace("+4663123456", &format!("+46{n}")));
            survives(
                &ws,
                &[
                    "apply",
                    "manifests",
                    "--yes",
                    "--accept",
                    "User.phone.change=2",
                ],
            )
            .exits(0);
        }
        assert_ne!(ws.value("SELECT max(last_seq) FROM write"), before);
        assert_eq!(
            ws.value("SELECT count(DISTINCT head) FROM runs").as_deref(),
            Some("6"),
            "55, {}",
            ws.engine
        );
    }
}

//! What still names a deleted id: nobody is asked to approve what can never be applied, and what
//! can be given back is still offered.

use crate::support::workspace::{Ran, Workspace, account, each, sqlite, user};
use serde_json::Value;

const SETTINGS: &str = "settings: [{externalId: settings, firstUser: off}]\n";
const GONE: &str = "---\nkind: Account\nexternalId: acme\nstatus: deleted\n";

/// Accounts in one source, which deletes one of them, and users in another.
fn deleted(ws: &Workspace) {
    ws.write("roster.yaml", "apiVersion: roster/v1\nsources:\n  - {name: accounts, directory: accounts, allowDelete: true}\n  - {name: people, directory: people}\n");
    let others = account("other", "") + &account("third", "");
    ws.write(
        "accounts/all.yaml",
        SETTINGS.to_owned() + &account("acme", "") + &others,
    );
    let people = user("only", "acme", "") + &user("both", "acme, other, third", "");
    ws.write("people/all.yaml", people);
    ws.run(&["apply", "--yes"]).exits(0);
    ws.write("accounts/all.yaml", SETTINGS.to_owned() + GONE + &others);
    apply(ws, "accounts").exits(0);
}

fn apply(ws: &Workspace, source: &str) -> Ran {
    ws.run(&["apply", "--yes", "--source", source])
}

/// `code root User/id` of each held step; the root is only given where it is another code.
fn roots(ran: &Ran) -> Vec<String> {
    let plans = ran.plans();
    let held = plans.iter().filter_map(|plan| plan["held"].as_array());
    let text = |held: &Value, name: &str| held[name].as_str().unwrap_or("-").to_owned();
    let line = |held: &Value| {
        let [code, root] = ["code", "root"].map(|name| text(held, name));
        let [kind, id] = ["kind", "externalId"].map(|name| text(held, name));
        format!("{code} {root} {kind}/{id}")
    };
    let mut lines: Vec<String> = held.flatten().map(line).collect();
    lines.sort();
    lines
}

const WAITING: [&str; 3] = [
    "held-dependency retired-id User/both",
    "held-dependency retired-id User/only",
    "held-dependency retired-id User/only",
];

#[test]
fn a_link_to_a_deleted_account_cannot_be_approved() {
    for ws in each("retired-links") {
        deleted(&ws);
        let ran = apply(&ws, "people").exits(3);
        assert_eq!(roots(&ran), WAITING, "{}: {ran}", ws.engine);
        assert!(ran.codes("warning").contains("reference-inactive"), "{ran}");
        for hold in ran.holds("held-dependency") {
            ws.run(&["approve", "hold", &hold, "--reason", "x"]);
        }
        assert_eq!(roots(&apply(&ws, "people").exits(3)), WAITING);
        let text = ws.command(&["plan", "--source", "people", "--output", "text"]);
        let text = crate::support::workspace::run(&mut { text }).stdout;
        assert!(text.contains("Cannot be approved."), "{text}");
        assert!(!text.contains("to approve"), "{text}");
        assert!(!text.contains("Apply it first"), "{text}");

        // Declared anew, the account says the same.
        ws.write("people/acme.yaml", account("acme", ""));
        let ran = apply(&ws, "people").exits(3);
        let all = [&WAITING[..], &["retired-id - Account/acme"]].concat();
        assert_eq!(roots(&ran), all, "{}: {ran}", ws.engine);
        ws.write("people/new.yaml", user("new", "acme", ""));
        let ran = apply(&ws, "people").exits(3);
        let new = "held-dependency retired-id User/new".to_owned();
        assert!(roots(&ran).contains(&new), "{ran}");
        ws.remove("people/new.yaml").remove("people/acme.yaml");

        // Without the account in the manifests nothing is left to say, but for the user who has
        // none.
        ws.write("people/all.yaml", user("both", "other, third", ""));
        let ran = apply(&ws, "people").exits(0);
        assert_eq!(roots(&ran), Vec::<String>::new(), "{ran}");
    }
}

#[test]
fn another_link_that_was_taken_away_is_still_given_back_by_an_approval() {
    for ws in each("retired-mixed") {
        deleted(&ws);
        ws.sql("DELETE FROM user_accounts WHERE user_id = 'both' AND account_id = 'third'");
        let ran = apply(&ws, "people").exits(3);
        let all = [&WAITING[..], &["reactivation - User/both"]].concat();
        assert_eq!(roots(&ran), all, "{}: {ran}", ws.engine);
        ws.approve(&ran.hold("reactivation"));
        for _ in 0..2 {
            let ran = apply(&ws, "people").exits(3);
            assert_eq!(roots(&ran), WAITING, "{}: {ran}", ws.engine);
        }
        let links = "SELECT account_id FROM user_accounts WHERE user_id = 'both' ORDER BY 1";
        let links: Vec<String> = ws.column(links).into_iter().flatten().collect();
        assert_eq!(links, ["other", "third"], "{}", ws.engine);
    }
}

#[test]
fn a_user_who_was_removed_and_has_only_a_deleted_account_is_not_offered() {
    let ws = sqlite();
    deleted(&ws);
    ws.sql("DELETE FROM users WHERE external_id = 'only'");
    let ran = apply(&ws, "people").exits(3);
    assert_eq!(roots(&ran), WAITING[..2], "{ran}");
}

#[test]
fn a_user_who_needs_no_account_may_be_activated_again() {
    let ws = sqlite();
    deleted(&ws);
    let accounts = std::fs::read_to_string(ws.path("accounts/all.yaml")).expect("the accounts");
    let optional = accounts.replace(
        "firstUser: off",
        "firstUser: off, optionalFields: [User.accounts]",
    );
    ws.write("accounts/all.yaml", optional);
    apply(&ws, "accounts").exits(0);
    let ran = apply(&ws, "people").exits(3);
    let all = [&WAITING[..2], &["reactivation - User/only"]].concat();
    assert_eq!(roots(&ran), all, "{ran}");
}

/// A document that is deleted, and one of another source that then begins to refer to it.
#[test]
fn a_new_reference_to_what_was_deleted_says_that_it_is_gone_for_good() {
    let address = "fullName: F\nstreet: S\ncity: C\nzipCode: 411 18\ncountry: SE\n";
    let document =
        |kind: &str, id: &str, more: &str| format!("---\nkind: {kind}\nexternalId: {id}\n{more}");
    let named = "name: N\n";
    let of_other = "name: N\naccount: other\n";
    let cases = [
        (
            document("Tag", "gold", named),
            account("new", "tags: [gold]"),
            "tags",
        ),
        (
            document("Address", "hq", address),
            account("new", "addresses: [{ref: hq}]"),
            "addresses",
        ),
        (
            document("Store", "nordic", named),
            user("new", "other", "stores: [nordic]"),
            "stores",
        ),
        (
            document("Organisation", "north", of_other),
            user("new", "other", "organisations: [north]"),
            "organisations",
        ),
        (account("acme", ""), user("new", "acme", ""), "accounts"),
        (
            account("acme", ""),
            document("Organisation", "new", "name: N\naccount: acme\n"),
            "account",
        ),
        (
            account("acme", ""),
            document(
                "Policy",
                "new",
                "name: N\naccount: acme\nreviewed: [u-1]\napprovers: [u-2]\n",
            ),
            "account",
        ),
    ];
    for (target, referrer, field) in cases {
        let ws = sqlite();
        ws.write("roster.yaml", "apiVersion: roster/v1\nsources:\n  - {name: accounts, directory: accounts, allowDelete: true}\n  - {name: people, directory: people}\n");
        let users = user("u-1", "other", "") + &user("u-2", "other", "");
        let others = SETTINGS.to_owned() + &account("other", "") + &users;
        ws.write("accounts/all.yaml", others.clone() + &target);
        ws.write(
            "people/store.yaml",
            "stores: [{externalId: south, name: South}]\n",
        );
        ws.run(&["apply", "--yes"]).exits(0);
        let [kind, id] = ["kind: ", "externalId: "].map(|name| {
            let line = target.lines().find_map(|line| line.strip_prefix(name));
            line.expect("a line").to_owned()
        });
        ws.write(
            "accounts/all.yaml",
            others + &document(&kind, &id, "status: deleted\n"),
        );
        apply(&ws, "accounts").exits(0);
        ws.write("people/new.yaml", referrer);
        let ran = apply(&ws, "people").exits(1);
        let plans = ran.plans();
        let all = plans[0]["diagnostics"].as_array().expect("diagnostics");
        let mut of_field = all.iter().filter(|found| found["field"] == field);
        let found = of_field.next().unwrap_or_else(|| panic!("{kind}: {ran}"));
        assert_eq!(found["code"], "reference-inactive", "{kind}: {ran}");
        let message = found["message"].as_str().expect("a message");
        assert!(
            message.contains(&format!("{kind}/{id} is deleted")),
            "{message}"
        );
    }
}

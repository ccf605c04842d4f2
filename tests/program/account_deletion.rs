//! An account is deleted with what belongs to it: from manifests and exports, held as one, applied
//! as one.

use crate::support::workspace::{Ran, Workspace, account, each, sqlite, user, users};
use serde_json::{Value, json};

const CONFIG: &str = "apiVersion: roster/v1\nsources:\n  - {name: accounts, directory: accounts}\n  - {name: people, directory: people}\n";

fn organisation(id: &str, of: &str, more: &str) -> String {
    format!("---\nkind: Organisation\nexternalId: {id}\nname: {id}\naccount: {of}\n{more}")
}

/// Accounts in one source, and whoever belongs to them in another.
fn started(ws: &Workspace) {
    ws.write("roster.yaml", CONFIG);
    let accounts = account("acme", "") + &account("other", "");
    let settings = "settings: [{externalId: settings, firstUser: off}]\n";
    ws.write("accounts/all.yaml", settings.to_owned() + &accounts);
    let policy = "---\nkind: Policy\nexternalId: site\nname: Site\naccount: acme\n\
                  reviewed: [both]\napprovers: [only]\n";
    let both = "accounts: [acme, other]\norganisations: [north, hall]\nmainOrganisation: north";
    let people = [
        organisation("north", "acme", ""),
        organisation("north-1", "acme", "parent: north\n"),
        organisation("hall", "other", ""),
        user("only", "acme", "organisations: [north-1]"),
        user("both", "acme", both),
        user("else", "other", ""),
        policy.to_owned(),
    ];
    ws.write("people/all.yaml", people.concat());
    ws.run(&["apply", "--yes"]).exits(0);
    ws.sql("UPDATE users SET access = 'enabled'");
}

fn delete_acme(ws: &Workspace) {
    let settings = "settings: [{externalId: settings, firstUser: off}]\n";
    let gone = "---\nkind: Account\nexternalId: acme\nstatus: deleted\n";
    let left = account("other", "");
    ws.write("accounts/all.yaml", settings.to_owned() + gone + &left);
}

#[track_caller]
fn apply(ws: &Workspace, options: &[&str]) -> Ran {
    let arguments = ["apply", "--yes", "--source", "accounts"];
    ws.run(&[&arguments[..], options].concat())
}

fn consequences() -> Value {
    let of =
        |verb: &str, kind: &str, id: &str| json!({"verb": verb, "kind": kind, "externalId": id});
    json!([
        of("delete", "Organisation", "north"),
        of("delete", "Organisation", "north-1"),
        of("update", "User", "both"),
        of("deactivate", "User", "only"),
        of("delete", "Policy", "site"),
    ])
}

fn texts(ws: &Workspace, query: &str) -> Vec<String> {
    ws.column(query).into_iter().flatten().collect()
}

/// Everything that belonged to the account is gone, and nothing else.
#[track_caller]
fn assert_deleted(ws: &Workspace) {
    for (query, expected) in [
        ("SELECT external_id FROM accounts", &["other"][..]),
        ("SELECT external_id FROM organisations", &["hall"]),
        ("SELECT external_id FROM policies", &[]),
        (
            "SELECT external_id || ' ' || status || ' ' || access FROM users ORDER BY 1",
            &[
                "both active enabled",
                "else active enabled",
                "only inactive enabled",
            ],
        ),
        (
            "SELECT user_id || ' ' || account_id FROM user_accounts ORDER BY 1",
            &["both other", "else other"],
        ),
        (
            "SELECT user_id || ' ' || organisation_id FROM user_organisations",
            &["both hall"],
        ),
        (
            "SELECT external_id FROM users WHERE main_organisation_id IS NOT NULL",
            &[],
        ),
    ] {
        assert_eq!(texts(ws, query), expected, "{}: {query}", ws.engine);
    }
    ws.run(&["history", "--verify"]).exits(0);
}

#[test]
fn what_belongs_to_an_account_is_held_and_deleted_with_it() {
    for ws in each("goes") {
        started(&ws);
        delete_acme(&ws);
        let before = ws.fingerprint();
        let ran = apply(&ws, &[]).exits(3);
        assert_eq!(ran.held(), ["deletes-not-allowed Account/acme"], "{ran}");
        assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
        let held = ran.plans()[0]["held"][0].clone();
        assert_eq!(held["consequences"], consequences(), "{ran}");
        let message = held["message"].as_str().expect("a message");
        assert!(
            message.contains("(3 deleted, 1 set inactive, 1 unlinked)"),
            "{message}"
        );
        let facts = |ws: &Workspace| {
            let mut all = ws.fingerprint();
            all.retain(|(table, _)| before.iter().any(|(name, _)| name == table));
            all
        };
        let tables = [
            "accounts",
            "users",
            "organisations",
            "policies",
            "user_accounts",
        ];
        for table in tables {
            let of = |all: &[(String, String)]| all.iter().find(|(name, _)| name == table).cloned();
            assert_eq!(of(&facts(&ws)), of(&before), "{table} was written");
        }

        // An approval covers what was shown. Somebody joins before it is used.
        ws.approve(&ran.hold("deletes-not-allowed"));
        ws.sql("INSERT INTO user_accounts (user_id, account_id) VALUES ('else', 'acme')");
        let ran = apply(&ws, &[]).exits(3);
        assert_eq!(ran.held(), ["deletes-not-allowed Account/acme"], "{ran}");
        ws.sql("DELETE FROM user_accounts WHERE user_id = 'else' AND account_id = 'acme'");
        let ran = apply(&ws, &[]).exits(0);
        let plan = &ran.plans()[0];
        let steps = plan["steps"].as_array().expect("steps");
        let step = steps.iter().find(|step| step["kind"] == "Account");
        assert_eq!(
            step.expect("the step")["consequences"],
            consequences(),
            "{ran}"
        );
        assert_deleted(&ws);
        // All of it in one run.
        let runs = "SELECT count(DISTINCT run) FROM changes WHERE verb IN ('delete', 'deactivate')";
        assert_eq!(ws.value(runs).as_deref(), Some("1"));
        let ran = ws.run(&["plan", "--source", "accounts", "--detailed-exitcode"]);
        assert_eq!(ran.exits(0).steps(), Vec::<String>::new());

        // The other source still names the deleted account and gets an error.
        let refused = ws.run(&["plan", "--source", "people"]);
        assert!(refused.stdout.contains("Account/acme"), "{refused}");
        let both = "accounts: [other]\norganisations: [hall]";
        let people = [
            organisation("hall", "other", ""),
            user("both", "other", both),
            user("else", "other", ""),
        ];
        ws.write("people/all.yaml", people.concat());
        ws.run(&["apply", "--yes"]).exits(0);
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
        // `both` lost the main organisation; the only one that is left is it.
        ws.sql("UPDATE users SET main_organisation_id = NULL WHERE external_id = 'both'");
        assert_deleted(&ws);
    }
}

#[test]
fn with_deletes_allowed_all_of_it_goes_at_once_or_nothing() {
    for ws in each("at-once") {
        started(&ws);
        delete_acme(&ws);
        // What goes with it counts against the guards.
        let ran = apply(&ws, &["--allow-delete"]).exits(3);
        let overrides = ran.overrides();
        assert!(
            overrides.contains("--accept Organisation.delete=2"),
            "{ran}"
        );
        assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
        let mut options = vec!["--allow-delete"];
        options.extend(overrides.iter().flat_map(|accept| accept.split(' ')));
        apply(&ws, &options).exits(0);
        assert_deleted(&ws);
        assert_eq!(apply(&ws, &[]).exits(0).steps(), Vec::<String>::new());
    }
}

#[test]
fn a_protected_user_keeps_the_account_and_everything_of_it() {
    for ws in each("kept") {
        started(&ws);
        ws.sql("UPDATE users SET protect = TRUE WHERE external_id = 'only'");
        delete_acme(&ws);
        let ran = apply(&ws, &["--allow-delete"]);
        let held = ran.held();
        assert!(held.contains(&"protected User/only".to_owned()), "{ran}");
        assert!(
            held.contains(&"held-dependency Account/acme".to_owned()),
            "{ran}"
        );
        assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
        let counts = "SELECT (SELECT count(*) FROM accounts) || ' ' || (SELECT count(*) FROM organisations) \
                      || ' ' || (SELECT count(*) FROM policies) || ' ' || (SELECT count(*) FROM user_accounts)";
        assert_eq!(ws.value(counts).as_deref(), Some("2 3 1 4"));
    }
}

#[test]
fn a_guard_that_holds_the_users_keeps_the_account() {
    let ws = sqlite();
    ws.write("roster.yaml", CONFIG);
    let settings = "settings: [{externalId: settings, firstUser: off}]\n";
    let accounts = account("acme", "") + &account("other", "");
    ws.write("accounts/all.yaml", settings.to_owned() + &accounts);
    ws.write("people/all.yaml", users(0..30, "acme", ""));
    ws.run(&["apply", "--yes"]).exits(0);
    delete_acme(&ws);
    let ran = apply(&ws, &["--allow-delete"]).exits(3);
    assert!(ran.rules().contains("guard"), "{ran}");
    assert_eq!(ran.steps(), Vec::<String>::new(), "{ran}");
    let left =
        "SELECT (SELECT count(*) FROM accounts) || ' ' || (SELECT count(*) FROM user_accounts)";
    assert_eq!(ws.value(left).as_deref(), Some("2 30"));
    // Whoever approves the account has seen the users.
    let ran = apply(&ws, &[]).exits(3);
    assert_eq!(ran.held(), ["deletes-not-allowed Account/acme"], "{ran}");
    ws.approve(&ran.hold("deletes-not-allowed"));
    apply(&ws, &[]).exits(0);
    let left = "SELECT (SELECT count(*) FROM accounts) || ' ' || (SELECT count(*) FROM user_accounts) \
                || ' ' || (SELECT count(*) FROM users WHERE status = 'active')";
    assert_eq!(ws.value(left).as_deref(), Some("1 0 0"));
}

#[test]
fn a_tree_that_deletes_an_account_and_still_uses_it_contradicts_itself() {
    let ws = sqlite();
    let policy = "---\nkind: Policy\nexternalId: site\nname: Site\naccount: acme\nreviewed: [u-0]\napprovers: [u-1]\n";
    let both = users(0..2, "acme", "accounts: [acme, other]");
    let people = both + &organisation("north", "acme", "") + policy;
    let other = account("other", "");
    ws.tree(account("acme", "") + &other + &people);
    ws.apply(&[]).exits(0);
    let gone = "---\nkind: Account\nexternalId: acme\nstatus: deleted\n".to_owned() + &other;
    ws.tree(gone.clone() + &people);
    let refused = ws.apply(&["--allow-delete"]).exits(1);
    let errors = refused.codes("error");
    assert!(errors.contains("reference-inactive"), "{refused}");
    let left = "SELECT (SELECT count(*) FROM accounts) || ' ' || (SELECT count(*) FROM organisations) \
                || ' ' || (SELECT count(*) FROM policies) || ' ' || (SELECT count(*) FROM user_accounts)";
    assert_eq!(ws.value(left).as_deref(), Some("2 1 1 4"));

    // Without their documents they go with the account, in one plan.
    ws.tree(gone + &users(0..2, "other", ""));
    let options = ["--allow-delete", "--accept", "User.accounts.unlink=2"];
    let ran = ws.apply(&options).exits(0);
    assert_eq!(ws.value(left).as_deref(), Some("1 0 0 2"), "{ran}");
    let status = "SELECT count(*) FROM users WHERE status = 'active'";
    assert_eq!(ws.value(status).as_deref(), Some("2"));
    ws.plan(&["--detailed-exitcode"]).exits(0);
}

/// A source whose limits are generous, except for those of one account.
const GENEROUS: &str = "apiVersion: roster/v1\nsources: [{name: directory, directory: manifests}]\n\
     guards: {deactivate: {percent: 100, floor: 100}, unlink: {percent: 100, floor: 100}}\n";

const GONE: &str = "---\nkind: Account\nexternalId: acme\nstatus: deleted\n";
const ACTIVE: &str = "SELECT count(*) FROM users WHERE status = 'active'";

/// Another account with a user.
fn other() -> String {
    account("other", "") + &user("boss", "other", "")
}

#[test]
fn users_who_leave_by_themselves_are_counted_although_the_account_is_held() {
    for ws in each("leaving") {
        ws.tree(account("acme", "") + &other() + &users(0..20, "acme", ""));
        ws.settle(&[]);
        ws.tree(GONE.to_owned() + &other());
        let ran = ws.apply(&[]).exits(3);
        let held = ran.held();
        let users = held.iter().filter(|held| held.starts_with("guard User/"));
        assert_eq!(users.count(), 20, "{ran}");
        let account = "deletes-not-allowed Account/acme".to_owned();
        assert!(held.contains(&account), "{ran}");
        assert_eq!(ws.value(ACTIVE).as_deref(), Some("21"), "{ran}");
        let accounts = ws.value("SELECT count(*) FROM accounts");
        assert_eq!(accounts.as_deref(), Some("2"));
    }
}

#[test]
fn deleting_one_account_is_no_decision_about_the_users_of_another() {
    for ws in each("shared") {
        ws.write("roster.yaml", GENEROUS);
        let more = account("third", "") + &users(10..60, "third", "");
        let shared = users(0..10, "acme", "accounts: [acme, other]");
        ws.tree(account("acme", "") + &other() + &more + &shared);
        ws.run(&["apply", "--yes"]).exits(0);
        ws.tree(GONE.to_owned() + &other() + &more);
        let arguments = ["apply", "--yes", "--allow-delete"];
        let ran = ws.run(&arguments).exits(3);
        let accept = "--accept User.deactivate@other=10".to_owned();
        assert_eq!(ran.overrides(), [accept].into(), "{ran}");
        assert_eq!(ws.value(ACTIVE).as_deref(), Some("61"), "{ran}");
        // Nothing is held once somebody says that these users go.
        let accepted = ["--accept", "User.deactivate@other=10"];
        ws.run(&[&arguments[..], &accepted].concat()).exits(0);
        assert_eq!(ws.value(ACTIVE).as_deref(), Some("51"));
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn activating_a_user_again_contradicts_deleting_the_last_account() {
    let ws = sqlite();
    let status = |status: &str| user("u-0", "acme", &format!("status: {status}"));
    let acme = account("acme", "") + &user("u-1", "acme", "");
    ws.tree(acme + &other() + &status("inactive"));
    ws.settle(&[]);
    let again = "---\nkind: User\nexternalId: u-0\nstatus: active\n";
    ws.tree(GONE.to_owned() + &other() + again);
    let refused = ws.apply(&["--allow-delete"]).exits(1);
    assert!(refused.codes("error").contains("in-use"), "{refused}");
    let accounts = ws.value("SELECT count(*) FROM accounts");
    assert_eq!(accounts.as_deref(), Some("2"));
}

#[test]
fn what_goes_with_a_held_account_is_shown_in_a_pull_request() {
    let ws = sqlite();
    started(&ws);
    delete_acme(&ws);
    let plan = ["plan", "--source", "accounts", "--output", "markdown"];
    let page = ws.run(&plan).exits(3).stdout;
    for line in [
        "with it: delete  Organisation/north",
        "with it: deactivate  User/only",
    ] {
        assert!(page.contains(line), "{page}");
    }
}

/// A contact that needs no account stays active when its source declares it, and the plan settles.
#[test]
fn a_declared_user_who_needs_no_account_stays_active_and_another_one_does_not() {
    for ws in each("needs-none") {
        let settings = "settings: [{externalId: settings, firstUser: off, optionalFields: [User.accounts]}]\n---\n";
        let alone = |id: &str| user(id, "acme", "").replace("accounts: [acme]\n", "");
        ws.write("roster.yaml", CONFIG);
        ws.write("people/all.yaml", user("elsewhere", "acme", ""));
        let tree = settings.to_owned() + &account("acme", "") + &user("contact", "acme", "");
        ws.write("accounts/all.yaml", tree);
        ws.run(&["apply", "--yes"]).exits(0);
        let gone = "---\nkind: Account\nexternalId: acme\nstatus: deleted\n";
        ws.write(
            "accounts/all.yaml",
            settings.to_owned() + &alone("contact") + gone,
        );
        apply(&ws, &["--allow-delete", "--accept", "access.lost=2"]).exits(0);
        assert_eq!(
            texts(
                &ws,
                "SELECT external_id || ' ' || status FROM users ORDER BY 1"
            ),
            ["contact active", "elsewhere inactive"]
        );
        assert_eq!(
            texts(&ws, "SELECT user_id FROM user_accounts"),
            Vec::<String>::new()
        );
        let again = ws.run(&["plan", "--source", "accounts"]).exits(0);
        assert_eq!(
            (again.steps(), again.held()),
            (Vec::new(), Vec::new()),
            "{again}"
        );
        // The other source still names what is gone, and hears the truth about it.
        let other = ws.run(&["plan", "--source", "people"]).exits(3);
        assert!(
            other
                .stdout
                .contains("User/elsewhere was deactivated by another source or program"),
            "{other}"
        );
    }
}

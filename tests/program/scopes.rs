//! A folder that belongs to one account declares nothing else, whatever is stored, on either engine.

use crate::support::git_remote::Remote;
use crate::support::workspace::{Ran, Workspace, account, each, sqlite, user};
use serde_json::Value;
use std::os::unix::fs::symlink;

const SCOPES: &str = "scopes: [{path: 'accounts/{account}/**'}]\n";

/// A source of everybody's manifests, and one of the operator's own.
fn configure(ws: &Workspace, more: &str) {
    ws.write(
        "roster.yaml",
        format!(
            "apiVersion: roster/v1\n{more}sources:\n  - {{name: customers, directory: manifests}}\n  - {{name: people, directory: people}}\norder: [people, customers]\n"
        ),
    );
}

/// Two accounts in folders, and people of several accounts in the other source, all applied.
fn applied(name: &str) -> Vec<Workspace> {
    let all = each(name);
    for ws in &all {
        configure(ws, SCOPES);
        for id in ["acme", "globex"] {
            let own = account(id, "") + &user(&format!("u-{id}"), id, "");
            ws.write(&format!("manifests/accounts/{id}/all.yaml"), own);
        }
        let hub = "kind: Address\nexternalId: hub\nfullName: Hub\nstreet: Hamngatan 1\nzipCode: 211 20\ncity: Malmö\ncountry: SE\n";
        ws.write("manifests/addresses.yaml", hub);
        // So many that one changed file is few.
        for at in 0..8 {
            let tag = format!("tags: [{{externalId: t-{at}, name: T}}]\n");
            ws.write(&format!("manifests/tags/{at}.yaml"), tag);
        }
        let both = user("u-both", "acme", "accounts: [acme, globex]");
        let staff = user("u-staff", "acme", "accounts: []");
        let settings = "---\nkind: Settings\noptionalFields: [User.accounts]\n";
        let inner = "---\nkind: Organisation\nexternalId: g-org\nname: G\naccount: globex\n";
        let policy = "---\nkind: Policy\nexternalId: g-pol\nname: G\naccount: globex\nreviewed: [u-globex]\napprovers: [u-globex]\n";
        ws.write("manifests/settings.yaml", settings);
        ws.write("people/all.yaml", both + &staff + settings + inner + policy);
        // The accounts of the people come with the other source.
        ws.run(&["apply", "--yes", "--source", "customers"])
            .exits(0);
        ws.run(&["apply", "--yes"]).exits(0);
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
    }
    all
}

/// What a plan of the folders finds, also when everything is compared.
#[track_caller]
fn planned(ws: &Workspace, code: i32) -> Ran {
    let arguments = ["plan", "--source", "customers"];
    let part = ws.run(&arguments).exits(code);
    let whole = ws.run(&[&arguments[..], &["--scrub"]].concat()).exits(code);
    assert_eq!(part.stdout, whole.stdout, "{}", ws.engine);
    part
}

fn scope_errors(ran: &Ran) -> Vec<Value> {
    let plans = ran.plans();
    let all = plans
        .iter()
        .filter_map(|plan| plan["diagnostics"].as_array());
    let errors = all.flatten().filter(|found| found["severity"] == "error");
    errors.cloned().collect()
}

/// Writes a file in the folder of acme and expects exactly one error, with its message and places.
#[track_caller]
fn refused(ws: &Workspace, text: &str, key: &str, says: &str, other: Option<&str>) {
    const FILE: &str = "manifests/accounts/acme/more.yaml";
    ws.write(FILE, text);
    let ran = planned(ws, 1);
    ws.remove(FILE);
    let errors = scope_errors(&ran);
    assert_eq!(errors.len(), 1, "{}: {ran}", ws.engine);
    let error = &errors[0];
    let found = format!(
        "{}/{}",
        error["kind"].as_str().unwrap_or_default(),
        error["externalId"].as_str().unwrap_or_default()
    );
    let message = error["message"].as_str().unwrap_or_default();
    assert_eq!(error["code"], "scope", "{ran}");
    assert_eq!(found, key, "{ran}");
    assert!(message.contains(says), "{}: {message}", ws.engine);
    assert!(message.contains("`accounts/{account}/**`"), "{message}");
    assert!(message.contains("`acme`"), "{message}");
    assert_eq!(error["origin"]["path"], "accounts/acme/more.yaml");
    assert!(error["origin"]["line"].as_u64() > Some(0), "{error}");
    assert!(error["help"].is_string(), "{error}");
    if let Some(other) = other {
        assert_eq!(error["related"][0]["path"], other, "{error}");
    }
}

#[test]
fn people_of_other_accounts_cannot_be_taken_over() {
    for ws in applied("taken over") {
        let globex = "accounts/globex/all.yaml";
        for text in [
            user("u-both", "acme", ""),
            "kind: User\nexternalId: u-both\nemail: eva@acme.example\n".to_owned(),
            "kind: User\nexternalId: u-both\nstatus: inactive\n".to_owned(),
            "kind: User\nexternalId: u-both\nstatus: deleted\n".to_owned(),
            "kind: User\nexternalId: u-both\n".to_owned(),
        ] {
            refused(
                &ws,
                &text,
                "User/u-both",
                "stored with `globex`",
                Some(globex),
            );
        }
        let later = "accounts: [acme, {account: globex, effectiveFrom: 2190-01-01}]";
        let says = "declared for `globex`";
        refused(
            &ws,
            &user("u-new", "acme", later),
            "User/u-new",
            says,
            Some(globex),
        );
        let both = user("u-new", "acme", "accounts: [acme, globex]");
        refused(&ws, &both, "User/u-new", says, Some(globex));
        for text in [
            user("u-staff", "acme", ""),
            "kind: User\nexternalId: u-staff\nphone: '+46701740691'\n".to_owned(),
        ] {
            refused(
                &ws,
                &text,
                "User/u-staff",
                "stored without an account",
                None,
            );
        }
        let without = user("u-new", "acme", "accounts: []");
        refused(&ws, &without, "User/u-new", "belong to no account", None);
        let without = user("u-new", "acme", "").replace("accounts: [acme]\n", "");
        refused(&ws, &without, "User/u-new", "belongs to no account", None);
        // What the account may do with its own people.
        let own = "---\nkind: User\nexternalId: u-2\nstatus: deleted\n";
        ws.write(
            "manifests/accounts/acme/more.yaml",
            user("u-1", "acme", "") + own,
        );
        let plan = planned(&ws, 0);
        assert_eq!(plan.steps(), ["create User/u-1"], "{}: {plan}", ws.engine);
    }
}

#[test]
fn what_another_account_has_stays_its_own() {
    for ws in applied("its own") {
        let globex = "accounts/globex/all.yaml";
        for text in [
            "kind: Organisation\nexternalId: g-org\nname: Mine\n",
            "kind: Organisation\nexternalId: g-org\nstatus: deleted\n",
            "kind: Policy\nexternalId: g-pol\nstatus: inactive\n",
        ] {
            let key = if text.contains("g-org") {
                "Organisation/g-org"
            } else {
                "Policy/g-pol"
            };
            refused(&ws, text, key, "stored with `globex`", Some(globex));
        }
        let organisation = "kind: Organisation\nexternalId: new\nname: N\naccount: globex\n";
        let says = "declared for `globex`";
        refused(&ws, organisation, "Organisation/new", says, Some(globex));
        refused(
            &ws,
            &account("initech", "status: inactive"),
            "Account/initech",
            "account `initech`",
            None,
        );
        refused(
            &ws,
            "tags: [{externalId: vip, name: V}]\n",
            "Tag/vip",
            "belongs to no account",
            None,
        );
        refused(
            &ws,
            "kind: Store\nexternalId: s\nstatus: deleted\n",
            "Store/s",
            "Store belongs",
            None,
        );
        let field = "kind: CustomField\nexternalId: f\nappliesTo: user\nname: F\ntype: text\n";
        refused(&ws, field, "CustomField/f", "belongs to no account", None);
        let address = "kind: Address\nexternalId: at-globex\nstreet: Mine 1\n";
        // Declared twice in one source, so it is no longer declared where it was.
        let rest = "kind: Account\nexternalId: globex\nname: globex\n".to_owned();
        ws.write(
            "manifests/accounts/globex/all.yaml",
            rest + &user("u-globex", "globex", ""),
        );
        refused(
            &ws,
            address,
            "Address/at-globex",
            "Account/globex holds",
            None,
        );
    }
}

#[test]
fn an_address_is_shared_only_from_outside_the_folders() {
    for ws in applied("shared") {
        let own = |addresses: &str| {
            account("acme", &format!("addresses: {addresses}")) + &user("u-acme", "acme", "")
        };
        let full = |id: &str| {
            format!(
                "{{externalId: {id}, fullName: A, street: S 1, zipCode: 411 18, city: C, country: SE}}"
            )
        };
        let acme = "manifests/accounts/acme/all.yaml";
        ws.write(acme, own(&format!("[{}, {{ref: hub}}]", full("at-acme"))));
        let plan = planned(&ws, 0);
        assert_eq!(plan.steps().len(), 2, "{}: {plan}", ws.engine);
        // A link that is not stored yet, to the address of another folder.
        ws.write(
            acme,
            own(&format!("[{}, {{ref: at-globex}}]", full("at-acme"))),
        );
        let plan = planned(&ws, 1);
        let found = scope_errors(&plan);
        assert_eq!(found.len(), 1, "{}: {plan}", ws.engine);
        assert_eq!(found[0]["externalId"], "acme");
        assert_eq!(found[0]["field"], "addresses");
        assert_eq!(found[0]["related"][0]["path"], "accounts/globex/all.yaml");
        // The operator may link it. Then the folder may no longer declare it.
        ws.write(acme, own(&format!("[{}]", full("at-acme"))));
        ws.write(
            "manifests/initech.yaml",
            account("initech", "addresses: [{ref: at-globex}]") + &user("u-i", "initech", ""),
        );
        let plan = planned(&ws, 1);
        let found = scope_errors(&plan);
        assert_eq!(found.len(), 1, "{}: {plan}", ws.engine);
        assert_eq!(found[0]["externalId"], "at-globex");
        assert_eq!(found[0]["origin"]["path"], "accounts/globex/all.yaml");
        assert_eq!(found[0]["related"][0]["path"], "initech.yaml");
    }
}

#[test]
fn what_is_not_the_accounts_own_is_held_and_the_rest_goes_on() {
    for ws in applied("held") {
        ws.write(
            "manifests/accounts/acme/more.yaml",
            user("u-both", "acme", "firstName: Mallory")
                + &user("u-1", "acme", "")
                + "---\nkind: Tag\nexternalId: t-0x\nname: Mine\n",
        );
        let hold = "sources: [{name: customers, directory: manifests, onError: hold}, {name: people, directory: people}]\norder: [customers, people]\n";
        ws.write(
            "roster.yaml",
            format!("apiVersion: roster/v1\n{SCOPES}{hold}"),
        );
        ws.run(&["apply", "--yes", "--source", "customers"])
            .exits(1);
        let name = "SELECT first_name FROM users WHERE external_id = ";
        let name = |id: &str| ws.column(&format!("{name}'{id}'"));
        assert_eq!(name("u-both"), [Some("Karin".to_owned())], "{}", ws.engine);
        assert_eq!(name("u-1"), [Some("Karin".to_owned())], "{}", ws.engine);
        let tags = ws.column("SELECT external_id FROM tags WHERE external_id = 't-0x'");
        assert!(tags.is_empty(), "{}: {tags:?}", ws.engine);
        let accounts = "SELECT count(*) FROM user_accounts WHERE user_id = 'u-both'";
        assert_eq!(ws.value(accounts).as_deref(), Some("2"), "{}", ws.engine);
        // It is said again in every pass.
        let plan = planned(&ws, 1);
        assert_eq!(scope_errors(&plan).len(), 2, "{}: {plan}", ws.engine);
    }
}

#[test]
fn new_scopes_judge_what_was_applied_before() {
    for ws in applied("new scopes") {
        configure(&ws, "");
        let more = user("u-more", "acme", "accounts: [acme, globex]");
        ws.write("manifests/accounts/acme/more.yaml", more);
        ws.run(&["apply", "--yes"]).exits(0);
        assert!(scope_errors(&planned(&ws, 0)).is_empty());
        configure(&ws, SCOPES);
        let plan = planned(&ws, 1);
        let found = scope_errors(&plan);
        assert_eq!(found.len(), 1, "{}: {plan}", ws.engine);
        assert_eq!(found[0]["externalId"], "u-more", "{}: {plan}", ws.engine);
        // An owner is nobody's boundary.
        configure(
            &ws,
            "scopes: [{path: 'accounts/**', owners: ['@acme/sales']}]\n",
        );
        assert!(scope_errors(&planned(&ws, 0)).is_empty());
        configure(&ws, "scopes: [{path: 'accounts/*/{account}/**'}]\n");
        assert!(scope_errors(&planned(&ws, 0)).is_empty());
    }
}

#[test]
fn a_file_that_moves_into_a_folder_is_judged_though_nothing_in_it_changes() {
    for ws in applied("moved") {
        let both = user("u-two", "acme", "accounts: [acme, globex]");
        ws.write("manifests/two.yaml", &both);
        ws.run(&["apply", "--yes"]).exits(0);
        ws.remove("manifests/two.yaml");
        ws.write("manifests/accounts/acme/two.yaml", &both);
        let plan = planned(&ws, 1);
        assert_eq!(scope_errors(&plan).len(), 1, "{}: {plan}", ws.engine);
        ws.remove("manifests/accounts/acme/two.yaml");
        // An address that was moved as it is, so that its claim still names the old file.
        ws.write("manifests/two.yaml", &both);
        let moved = "manifests/accounts/acme/address.yaml";
        let address = "kind: Address\nexternalId: spare\nfullName: A\nstreet: S 1\nzipCode: 211 20\ncity: C\ncountry: SE\n";
        ws.write("manifests/spare.yaml", address);
        ws.run(&["apply", "--yes"]).exits(0);
        ws.remove("manifests/spare.yaml");
        ws.write(moved, address);
        ws.run(&["apply", "--yes"]).exits(0);
        let own = "addresses: [{externalId: at-globex, fullName: globex, street: Storgatan 1, zipCode: 411 18, city: Göteborg, country: SE}, {ref: spare}]";
        ws.write(
            "manifests/accounts/globex/all.yaml",
            account("globex", own) + &user("u-globex", "globex", ""),
        );
        let plan = planned(&ws, 1);
        let found = scope_errors(&plan);
        assert_eq!(found.len(), 1, "{}: {plan}", ws.engine);
        assert_eq!(found[0]["externalId"], "globex", "{}: {plan}", ws.engine);
    }
}

#[test]
fn a_user_whom_the_shop_gave_another_account_leaves_the_folder() {
    for ws in applied("shop") {
        ws.sql("INSERT INTO user_accounts (user_id, account_id, level) VALUES ('u-acme', 'globex', 'user')");
        let plan = planned(&ws, 1);
        let found = scope_errors(&plan);
        assert_eq!(found.len(), 1, "{}: {plan}", ws.engine);
        assert_eq!(found[0]["externalId"], "u-acme", "{}: {plan}", ws.engine);
        // One who has no account any more is no stranger: giving the account back is held.
        ws.sql("DELETE FROM user_accounts WHERE user_id = 'u-acme'");
        let plan = planned(&ws, 3);
        assert!(scope_errors(&plan).is_empty(), "{}: {plan}", ws.engine);
        assert_eq!(
            plan.held(),
            ["reactivation User/u-acme"],
            "{}: {plan}",
            ws.engine
        );
    }
}

#[test]
fn what_another_source_gives_away_leaves_the_folder() {
    for ws in applied("given away") {
        let before = std::fs::read_to_string(ws.path("people/all.yaml")).expect("the people");
        let more = |text: &str| ws.write("people/all.yaml", before.clone() + text);
        more(&user("u-few", "acme", ""));
        ws.run(&["apply", "--yes"]).exits(0);
        // A partial document of somebody whom the other source declares.
        ws.write(
            "manifests/accounts/acme/few.yaml",
            "kind: User\nexternalId: u-few\ncompany: Acme\n",
        );
        ws.run(&["apply", "--yes"]).exits(0);
        assert!(scope_errors(&planned(&ws, 0)).is_empty());
        more(&user("u-few", "acme", "accounts: [acme, globex]"));
        ws.run(&[
            "apply",
            "--yes",
            "--source",
            "people",
            "--accept",
            "visibility.widened=2",
        ])
        .exits(0);
        let found = scope_errors(&planned(&ws, 1));
        assert_eq!(found.len(), 1, "{}: {found:?}", ws.engine);
        assert_eq!(found[0]["externalId"], "u-few");
        more(&user("u-few", "acme", ""));
        ws.run(&["apply", "--yes", "--source", "people"]).exits(0);
        assert!(scope_errors(&planned(&ws, 0)).is_empty());
        // An account of the other source gets the address of a folder.
        more(
            &(user("u-few", "acme", "")
                + &account("initech", "addresses: [{ref: at-globex}]")
                + &user("u-i", "initech", "")),
        );
        for arguments in [&["plan"][..], &["plan", "--scrub"]] {
            let found = scope_errors(&ws.run(arguments).exits(0));
            assert!(found.is_empty(), "{}: {found:?}", ws.engine);
        }
        ws.run(&["apply", "--yes", "--source", "people"]).exits(0);
        let found = scope_errors(&planned(&ws, 1));
        assert_eq!(found.len(), 1, "{}: {found:?}", ws.engine);
        assert_eq!(found[0]["externalId"], "at-globex");
    }
}

#[test]
fn a_link_is_bound_by_the_folder_of_the_file_it_leads_to() {
    let ws = sqlite();
    configure(
        &ws,
        "scopes: [{path: 'accounts/{account}/**'}, {path: '.own/{account}/**'}]\n",
    );
    ws.write("people/x.yaml", "");
    ws.write(
        "manifests/acme.yaml",
        account("acme", "") + &user("u-1", "acme", ""),
    );
    ws.write(
        "manifests/globex.yaml",
        account("globex", "") + &user("u-2", "globex", ""),
    );
    let more = user("u-more", "globex", "");
    ws.write("manifests/.own/acme/a.yaml", &more);
    let link = |target: &str, name: &str| {
        let path = ws.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        symlink(target, path).expect("a link");
    };
    for (target, name) in [
        (".own/acme/a.yaml", "manifests/more.yaml"),
        (".own/acme", "manifests/more"),
        ("../../.own/acme/a.yaml", "manifests/accounts/globex/a.yaml"),
    ] {
        link(target, name);
        let plan = ws.run(&["plan", "--source", "customers"]).exits(1);
        let found = scope_errors(&plan);
        assert_eq!(found.len(), 1, "{name}: {plan}");
        assert_eq!(found[0]["externalId"], "u-more", "{name}: {plan}");
        ws.remove(name);
    }
    // And by the folder it stands in.
    ws.write("manifests/.own/globex/a.yaml", &more);
    link("../../.own/globex/a.yaml", "manifests/accounts/acme/b.yaml");
    let plan = ws.run(&["plan", "--source", "customers"]).exits(1);
    assert_eq!(scope_errors(&plan).len(), 1, "{plan}");
}

#[test]
fn accounts_with_odd_letters_have_folders_as_an_export_names_them() {
    let ws = sqlite();
    configure(&ws, SCOPES);
    ws.write("people/x.yaml", "");
    for (folder, id) in [
        ("a%2Fb", "a/b"),
        ("åäö b", "åäö b"),
        ("%41B", "AB"),
        ("100%", "100%"),
    ] {
        let at = format!(
            "addresses: [{{externalId: 'at {id}', fullName: F, street: S, zipCode: 411 18, city: C, country: SE}}]\n"
        );
        let yaml = account("ID", &at).replace("externalId: ID", &format!("externalId: '{id}'"));
        let user = user("u", "ID", "").replace("[ID]", &format!("['{id}']"));
        ws.write(&format!("manifests/accounts/{folder}/a.yaml"), yaml + &user);
        let plan = ws.run(&["plan", "--source", "customers"]).exits(0);
        assert!(scope_errors(&plan).is_empty(), "{folder}: {plan}");
        ws.remove("manifests/accounts");
    }
    for folder in ["Acme", "acme ", "acme%20", "%2561cme"] {
        ws.write(
            &format!("manifests/accounts/{folder}/a.yaml"),
            account("acme", "") + &user("u", "acme", ""),
        );
        let plan = ws.run(&["plan", "--source", "customers"]).exits(1);
        assert!(plan.codes("error").contains("scope"), "{folder}: {plan}");
        ws.remove("manifests/accounts");
    }
}

#[test]
fn validate_judges_what_the_documents_say() {
    let ws = sqlite();
    configure(&ws, SCOPES);
    ws.write("people/x.yaml", "");
    ws.write(
        "manifests/accounts/acme/a.yaml",
        account("acme", "") + &user("u-1", "acme", ""),
    );
    ws.write(
        "manifests/accounts/globex/a.yaml",
        account("globex", "") + &user("u-2", "globex", ""),
    );
    let validate = |text: &str| {
        ws.write("manifests/accounts/acme/more.yaml", text);
        ws.run(&["validate"])
    };
    for text in [
        user("u-3", "globex", ""),
        "tags: [{externalId: vip, name: V}]\n".to_owned(),
        "kind: Account\nexternalId: globex2\nstatus: deleted\n".to_owned(),
        "kind: Organisation\nexternalId: o\nname: O\naccount: globex\n".to_owned(),
    ] {
        let ran = validate(&text).exits(1);
        assert!(ran.codes("error").contains("scope"), "{ran}");
    }
    // Only a plan knows whose these are.
    for text in [
        "kind: User\nexternalId: u-9\nstatus: deleted\n",
        "kind: User\nexternalId: u-9\nfirstName: Eva\n",
        "kind: Organisation\nexternalId: o\nname: O\n",
    ] {
        let ran = validate(text);
        assert!(!ran.codes("error").contains("scope"), "{ran}");
    }
}

#[test]
fn folders_of_a_repository_begin_at_its_path_and_revisions_are_compared() {
    let ws = sqlite();
    let remote = Remote::with("");
    let config = |scopes: &str| {
        ws.write(
            "roster.yaml",
            format!(
                "apiVersion: roster/v1\n{scopes}sources: [{{name: shop, git: {{url: '{}', path: manifests, ref: main}}}}]\n",
                remote.bare().display()
            ),
        );
    };
    let acme = account("acme", "") + &user("u-1", "acme", "");
    remote.write("manifests/accounts/acme/a.yaml", &acme);
    remote.write(
        "manifests/globex.yaml",
        &(account("globex", "") + &user("u-2", "globex", "")),
    );
    remote.push("both");
    remote.write(
        "manifests/accounts/acme/a.yaml",
        &(acme + &user("u-3", "globex", "")),
    );
    remote.push("a stranger");
    config("scopes: [{path: 'manifests/accounts/{account}/**'}]\n");
    assert!(scope_errors(&ws.run(&["plan"]).exits(0)).is_empty());
    config(SCOPES);
    assert_eq!(scope_errors(&ws.run(&["plan"]).exits(1)).len(), 1);
    let compared = ws.run(&["compare", "HEAD~1", "HEAD"]).exits(1);
    assert_eq!(scope_errors(&compared).len(), 1, "{compared}");
    // Nothing in the repository changes the scopes.
    remote.write("manifests/roster.yaml", "apiVersion: roster/v1\n");
    remote.push("their own configuration");
    assert_eq!(scope_errors(&ws.run(&["plan"]).exits(1)).len(), 1);
}

#[test]
fn two_scopes_that_cover_a_file_both_hold() {
    let ws = sqlite();
    configure(
        &ws,
        "scopes: [{path: 'accounts/{account}/**'}, {path: 'accounts/*/users/{account}.yaml'}, {path: 'accounts/**', owners: ['@sales']}]\n",
    );
    ws.write("people/x.yaml", "");
    ws.write(
        "manifests/accounts/acme/a.yaml",
        account("acme", "") + &user("u-1", "acme", ""),
    );
    ws.write(
        "manifests/accounts/acme/users/acme.yaml",
        user("u-2", "acme", ""),
    );
    assert!(scope_errors(&ws.run(&["plan", "--source", "customers"]).exits(0)).is_empty());
    ws.write(
        "manifests/accounts/acme/users/new.yaml",
        user("u-3", "acme", ""),
    );
    let plan = ws.run(&["plan", "--source", "customers"]).exits(1);
    let found = scope_errors(&plan);
    assert_eq!(found.len(), 1, "{plan}");
    let message = found[0]["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("`accounts/*/users/{account}.yaml`"),
        "{message}"
    );
}

#[test]
fn code_owners_begin_at_the_root_of_the_repository() {
    let ws = sqlite();
    let config = "apiVersion: roster/v1\nscopes: [{path: 'accounts/{account}/**', owners: ['@acme/sales']}]\nsources: [{name: shop, directory: manifests}, {name: erp, export: {file: erp.csv, preset: djust-accounts}}]\n";
    ws.write("shop one/roster.yaml", config);
    ws.write("shop one/manifests/x.yaml", "");
    let owners = |more: &[&str]| {
        let all = [&["codeowners", "--config", "shop one/roster.yaml"], more].concat();
        ws.run(&all)
    };
    let last = |ran: Ran| ran.stdout.lines().last().unwrap_or_default().to_owned();
    assert_eq!(
        last(owners(&[]).exits(0)),
        "/manifests/accounts/*/ @acme/sales"
    );
    std::fs::create_dir(ws.path(".git")).expect("a repository");
    let expected = "/shop\\ one/manifests/accounts/*/ @acme/sales";
    assert_eq!(last(owners(&[]).exits(0)), expected);
    owners(&["--check", "CODEOWNERS"]).exits(1);
    owners(&["-o", "CODEOWNERS"]).exits(0);
    owners(&["--check", "CODEOWNERS"]).exits(0);
    let text = std::fs::read_to_string(ws.path("CODEOWNERS")).expect("the file");
    assert!(text.ends_with(&format!("{expected}\n")), "{text}");
    ws.write("CODEOWNERS", text + "* @mallory\n");
    owners(&["--check", "CODEOWNERS"]).exits(1);
    owners(&["--source", "erp"]).exits(64);
    owners(&["--source", "shop"]).exits(0);
}

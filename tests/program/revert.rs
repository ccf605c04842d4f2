//! `roster revert` takes back what a run did and nobody changed since, and keeps it from coming back
//! until the source moves. `roster state --at` shows what was stored after each run.

use crate::support::dice::Dice;
use crate::support::git_remote::Remote;
use crate::support::workspace::{Ran, Workspace, account, each, user, users};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const TAGS: &str =
    "tags: [{externalId: premium, name: Premium}, {externalId: trade, name: Trade}]\n";

/// A directory of an account with enough users that no guard trips.
fn directory(acme: &str, first: &str) -> String {
    TAGS.to_owned()
        + &account("acme", acme)
        + &user("u-0", "acme", first)
        + &users(1..8, "acme", "")
}

fn phone(ws: &Workspace, id: &str) -> Option<String> {
    ws.value(&format!(
        "SELECT phone FROM users WHERE external_id = '{id}'"
    ))
}

fn status(ws: &Workspace, id: &str) -> Option<String> {
    ws.value(&format!(
        "SELECT status FROM users WHERE external_id = '{id}'"
    ))
}

/// `roster revert RUN --yes`, with options.
fn revert(ws: &Workspace, run: u32, options: &[&str]) -> Ran {
    let run = run.to_string();
    ws.run(&[&["revert", &run, "--yes"], options].concat())
}

/// The skipped fields: `User/u-1: phone`.
fn skipped(ran: &Ran) -> Vec<String> {
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    let all = document["skipped"].as_array().expect("a list");
    let word = |of: &Value, member: &str| of[member].as_str().expect("a text").to_owned();
    all.iter()
        .map(|it| {
            let [kind, id, field] = ["kind", "externalId", "field"].map(|name| word(it, name));
            format!("{kind}/{id}: {field}")
        })
        .collect()
}

/// Passes of the same files change nothing, read in part or in full.
#[track_caller]
fn stays(ws: &Workspace) {
    for options in [&[][..], &["--scrub"]] {
        let plan = ws.plan(options).exits(0);
        assert_eq!(
            plan.changes(),
            Vec::<String>::new(),
            "{}: {plan}",
            ws.engine
        );
        assert_eq!(plan.held(), Vec::<String>::new(), "{}: {plan}", ws.engine);
    }
    for _ in 0..2 {
        let applied = ws.apply(&[]).exits(0);
        assert_eq!(applied.steps(), Vec::<String>::new(), "{}", ws.engine);
        assert_eq!(applied.held(), Vec::<String>::new(), "{}", ws.engine);
    }
}

#[test]
fn what_was_reverted_stays_until_the_files_change() {
    for ws in each("revert") {
        let good = directory("tags: [trade]", "");
        ws.tree(&good).settle(&[]);
        let bad = directory(
            "tags: [premium]\nwebsite: https://acme.example",
            "phone: \"+4611111111\"\naccounts: [{account: acme, level: administrator}]",
        );
        ws.tree(&bad).settle(&[]);
        let ran = revert(&ws, 2, &[]).exits(0);
        assert_eq!(
            ran.changes(),
            [
                "update Account/acme: website, tags",
                "update User/u-0: phone, accounts"
            ]
        );
        assert_eq!(ran.reasons(), BTreeSet::from(["requested".to_owned()]));
        assert_eq!(skipped(&ran), Vec::<String>::new());
        assert_eq!(phone(&ws, "u-0").as_deref(), Some("+4663123456"));
        stays(&ws);
        let plan = ws.plan(&[]).exits(0);
        assert!(plan.codes("note").contains("reverted"), "{plan}");
        // Something else changes: the files decide again, and nobody gets access back by that.
        ws.tree(bad.replace("name: Premium", "name: Premium customers"));
        let plan = ws.plan(&[]).exits(3);
        let again = &plan.plans()[0]["steps"][2];
        assert_eq!(again["reverts"][0]["run"], 3, "{}: {again}", ws.engine);
        assert_eq!(
            plan.changes(),
            [
                "update Tag/premium: name",
                "update Account/acme: website, tags",
                "update User/u-0: phone"
            ],
            "{}",
            ws.engine
        );
        assert_eq!(plan.held(), ["reactivation User/u-0"]);
        // The change is reverted in the files too.
        ws.tree(good.replace("name: Premium", "name: Premium customers"));
        ws.settle(&[]);
        assert_eq!(
            ws.value("SELECT count(*) FROM reverted_fields").as_deref(),
            Some("0")
        );
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn a_created_user_is_deactivated_and_a_removed_one_comes_back() {
    for ws in each("revert existence") {
        ws.tree(directory("", "")).settle(&[]);
        let tree = directory("", "").replace("externalId: u-7", "externalId: new");
        ws.tree(tree.replace("u-7@", "new@")).settle(&[]);
        let ran = revert(&ws, 2, &[]).exits(0);
        assert_eq!(
            ran.steps(),
            ["reactivate User/u-7", "deactivate User/new"],
            "{ran}"
        );
        assert_eq!(status(&ws, "u-7").as_deref(), Some("active"));
        assert_eq!(status(&ws, "new").as_deref(), Some("inactive"));
        stays(&ws);
        // Reverted in the files too: both are as they should be already.
        ws.tree(directory("", ""));
        let applied = ws.apply(&[]).exits(0);
        assert_eq!(status(&ws, "new").as_deref(), Some("inactive"), "{applied}");
        assert_eq!(status(&ws, "u-7").as_deref(), Some("active"), "{applied}");
        ws.plan(&["--detailed-exitcode"]).exits(0);
    }
}

/// A directory without its last user.
fn smaller() -> String {
    TAGS.to_owned() + &account("acme", "") + &users(0..7, "acme", "")
}

/// The notes about what a revert brought back.
fn brought_back(ran: &Ran) -> Vec<String> {
    let text = |note: &Value, name: &str| note[name].as_str().unwrap_or_default().to_owned();
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    let notes = document["diagnostics"].as_array().into_iter().flatten();
    let notes = notes.filter(|note| text(note, "code") == "reverted");
    let told = notes.map(|note| format!("{} {}", text(note, "message"), text(note, "help")));
    told.filter(|told| told.contains("reverted the removal"))
        .collect()
}

#[test]
fn a_removal_that_was_reverted_is_never_repeated_and_every_plan_says_so() {
    for ws in each("revert removal") {
        let without = |name: &str| smaller().replace("name: Premium", name);
        let tags = |name: &str| without(name) + &users(7..8, "acme", "");
        ws.tree(tags("name: Premium")).settle(&[]);
        ws.tree(without("name: Premium")).settle(&[]);
        assert_eq!(status(&ws, "u-7").as_deref(), Some("inactive"));
        revert(&ws, 2, &[]).exits(0);
        stays(&ws);
        // Git moves, and still does not declare it.
        ws.tree(without("name: Premium customers"));
        for options in [&[][..], &["--scrub"]] {
            let plan = ws.plan(options).exits(0);
            assert_eq!(plan.steps(), ["update Tag/premium"], "{plan}");
            let told = brought_back(&plan);
            assert_eq!(told.len(), 1, "{}: {plan}", ws.engine);
            assert!(
                told[0].starts_with("User/u-7: active since run 3 "),
                "{told:?}"
            );
            assert!(
                told[0].contains("declare it with `status: inactive`"),
                "{told:?}"
            );
        }
        ws.settle(&[]);
        assert_eq!(status(&ws, "u-7").as_deref(), Some("active"));
        assert_eq!(brought_back(&ws.plan(&[]).exits(0)).len(), 1);
        // Declared again, nothing is left to say, and another removal is an ordinary one.
        ws.tree(tags("name: Premium customers"));
        assert_eq!(brought_back(&ws.plan(&[]).exits(0)), Vec::<String>::new());
        ws.settle(&[]);
        ws.tree(without("name: Premium customers"));
        let plan = ws.plan(&[]).exits(0);
        assert_eq!(plan.steps(), ["deactivate User/u-7"], "{plan}");
        assert_eq!(brought_back(&plan), Vec::<String>::new());
        ws.settle(&[]);
        let left = "SELECT count(*) FROM reverted_fields";
        assert_eq!(ws.value(left).as_deref(), Some("0"), "{}", ws.engine);
    }
}

#[test]
fn what_a_revert_brought_back_is_removed_for_good_by_declaring_it_inactive() {
    for ws in each("revert removal inactive") {
        ws.tree(smaller() + &users(7..8, "acme", "")).settle(&[]);
        ws.tree(smaller()).settle(&[]);
        revert(&ws, 2, &[]).exits(0);
        assert_eq!(brought_back(&ws.plan(&[]).exits(0)).len(), 1);
        ws.tree(smaller() + &users(7..8, "acme", "status: inactive"));
        let plan = ws.plan(&[]).exits(0);
        assert_eq!(plan.steps(), ["deactivate User/u-7"], "{plan}");
        ws.settle(&[]);
        ws.tree(smaller()).settle(&[]);
        assert_eq!(brought_back(&ws.plan(&[]).exits(0)), Vec::<String>::new());
        assert_eq!(status(&ws, "u-7").as_deref(), Some("inactive"));
    }
}

#[test]
fn what_was_changed_since_stays_and_is_named() {
    for ws in each("revert since") {
        ws.tree(directory("tags: [trade]", "")).settle(&[]);
        ws.tree(directory(
            "tags: [premium, trade]\nwebsite: https://acme.example",
            "phone: \"+4611111111\"\nfirstName: Kerstin",
        ));
        ws.settle(&[]);
        ws.sql("UPDATE users SET phone = '+4622222222' WHERE external_id = 'u-0'");
        ws.sql("UPDATE accounts SET website = NULL WHERE external_id = 'acme'");
        ws.sql("INSERT INTO tags (external_id, name) VALUES ('shop', 'Of the shop')");
        ws.sql("INSERT INTO account_tags (account_id, tag_id) VALUES ('acme', 'shop')");
        let ran = revert(&ws, 2, &[]).exits(0);
        assert_eq!(
            ran.changes(),
            ["update Account/acme: tags", "update User/u-0: firstName"]
        );
        assert_eq!(skipped(&ran), ["User/u-0: phone"]);
        assert!(ran.findings().contains("warning not-reverted User/u-0"));
        assert_eq!(phone(&ws, "u-0").as_deref(), Some("+4622222222"));
        let tags = ws.column("SELECT tag_id FROM account_tags ORDER BY 1");
        let tags: Vec<String> = tags.into_iter().flatten().collect();
        assert_eq!(tags, ["shop", "trade"]);
        // Neither of these comes back either.
        stays(&ws);
        assert_eq!(phone(&ws, "u-0").as_deref(), Some("+4622222222"));
        let again = revert(&ws, 2, &[]).exits(0);
        assert_eq!(again.steps(), Vec::<String>::new());
        assert!(again.stderr.contains("Nothing of run 2"), "{again}");
    }
}

#[test]
fn a_revert_can_be_reverted() {
    for ws in each("revert twice") {
        ws.tree(directory("", "")).settle(&[]);
        let tree = directory("website: https://acme.example", "phone: \"+4611111111\"");
        ws.tree(tree + &user("new", "acme", "")).settle(&[]);
        revert(&ws, 2, &[]).exits(0);
        assert_eq!(status(&ws, "new").as_deref(), Some("inactive"));
        let ran = revert(&ws, 3, &[]).exits(0);
        assert_eq!(
            ran.steps(),
            [
                "update Account/acme",
                "reactivate User/new",
                "update User/u-0"
            ]
        );
        assert_eq!(phone(&ws, "u-0").as_deref(), Some("+4611111111"));
        assert_eq!(status(&ws, "new").as_deref(), Some("active"));
        // It is as the files say, so drift counts again.
        stays(&ws);
        assert!(!ws.plan(&[]).exits(0).codes("note").contains("reverted"));
        ws.sql("UPDATE users SET phone = '+4633333333' WHERE external_id = 'u-0'");
        assert_eq!(ws.plan(&[]).exits(0).changes(), ["update User/u-0: phone"]);
        let history = ws.run(&["history", "--output", "text"]).exits(0);
        for line in ["reverts run 2", "reverts run 3"] {
            assert!(history.stdout.contains(line), "{history}");
        }
        let changes = ws.run(&["history", "User", "u-0", "--output", "text"]);
        assert!(
            changes.stdout.contains("update (reverts run 3)  by tester"),
            "{changes}"
        );
    }
}

#[test]
fn nobody_changes_a_reverted_field_back_while_the_source_stays() {
    for ws in each("revert and drift") {
        ws.tree(directory("", "")).settle(&[]);
        ws.tree(directory("", "phone: \"+4611111111\"")).settle(&[]);
        revert(&ws, 2, &[]).exits(0);
        stays(&ws);
        ws.sql(
            "UPDATE users SET phone = '+4644444444', first_name = 'Eva' WHERE external_id = 'u-0'",
        );
        let applied = ws.apply(&[]).exits(0);
        assert_eq!(applied.changes(), ["update User/u-0: firstName"]);
        assert_eq!(phone(&ws, "u-0").as_deref(), Some("+4644444444"));
        stays(&ws);
    }
}

#[test]
fn every_source_that_declares_it_leaves_it_alone() {
    for ws in each("revert sources") {
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources:\n  - {name: directory, directory: manifests}\n  \
             - {name: second, directory: second}\norder: [directory, second]\n",
        );
        let tree = |phone: &str| directory("", &format!("phone: \"{phone}\""));
        let second = "kind: User\nexternalId: u-0\nphone: \"+4611111111\"\n";
        ws.tree(tree("+4600000000"));
        ws.write("second/user.yaml", second);
        ws.run(&["apply", "--yes"]).exits(0);
        ws.tree(tree("+4611111111"));
        let applied = ws.run(&["apply", "--yes"]).exits(0);
        assert_eq!(applied.changes(), ["update User/u-0: phone"], "{applied}");
        let runs = ws.value("SELECT max(id) FROM runs").expect("a run");
        revert(&ws, runs.parse().expect("a number"), &[]).exits(0);
        for _ in 0..2 {
            let applied = ws.run(&["apply", "--yes"]).exits(0);
            assert_eq!(applied.steps(), Vec::<String>::new(), "{applied}");
        }
        assert_eq!(phone(&ws, "u-0").as_deref(), Some("+4600000000"));
    }
}

#[test]
fn guards_and_rules_hold_a_revert_and_an_approval_lets_it_through() {
    for ws in each("revert held") {
        let acme = TAGS.to_owned() + &account("acme", "");
        ws.tree(acme.clone() + &users(0..4, "acme", "")).settle(&[]);
        ws.tree(acme.clone() + &users(0..8, "acme", ""));
        ws.apply(&[]).exits(0);
        let before = ws.fingerprint();
        let ran = revert(&ws, 2, &[]);
        assert_eq!(ran.code, Some(3), "{ran}");
        assert_eq!(
            ran.overrides(),
            BTreeSet::from(["--accept User.deactivate=4".to_owned()])
        );
        let hold = ran.hold("guard");
        let approved = ws
            .command(&["approve", "hold", &hold, "--reason", "again"])
            .env("ROSTER_OUTPUT", "text")
            .output()
            .expect("the program starts");
        let said = String::from_utf8_lossy(&approved.stdout).into_owned();
        assert!(said.contains("Run `roster revert 2` again"), "{said}");
        let ran = revert(&ws, 2, &[]).exits(0);
        assert_eq!(ran.count("deactivate"), 4, "{ran}");
        assert_eq!(ran.held(), Vec::<String>::new());
        assert_ne!(before, ws.fingerprint());
        // An e-mail that somebody else has by now.
        let tree = |id: &str, email: &str| {
            acme.clone() + &users(1..8, "acme", "") + &user(id, "acme", &format!("email: {email}"))
        };
        ws.tree(tree("u-0", "other@roster.example"));
        ws.apply(&[]);
        let run = ws.value("SELECT max(id) FROM runs").expect("a run");
        ws.sql("UPDATE users SET email = 'u-0@roster.example' WHERE external_id = 'u-1'");
        let ran = revert(&ws, run.parse().expect("a number"), &[]);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert_eq!(ran.held(), ["email-duplicate User/u-0"]);
    }
}

#[test]
fn what_cannot_be_reverted_is_said() {
    for ws in each("revert what") {
        ws.tree(directory("", "")).settle(&[]);
        let unknown = revert(&ws, 7, &[]).exits(1);
        assert!(unknown.stderr.contains("there is no run 7"), "{unknown}");
        let deleted = directory("", "phone: \"+4611111111\"")
            + "---\nkind: Tag\nexternalId: trade\nstatus: deleted\n";
        ws.tree(deleted.replace(", {externalId: trade, name: Trade}", ""));
        ws.apply(&["--allow-delete"]).exits(0);
        let ran = revert(&ws, 2, &[]).exits(0);
        assert_eq!(ran.steps(), ["update User/u-0"]);
        assert!(ran.findings().contains("warning not-reverted Tag/trade"));
        ws.run(&["block", "User/u-0", "--reason", "stolen"])
            .exits(0);
        let act = revert(&ws, 4, &[]).exits(1);
        assert!(act.stderr.contains("roster unblock User/u-0"), "{act}");
        ws.run(&[
            "user",
            "delete",
            "u-0",
            "--confirm",
            "u-0",
            "--reason",
            "asked",
        ])
        .exits(0);
        ws.run(&["erase", "u-0", "--confirm", "u-0", "--reason", "asked"])
            .exits(0);
        let erased = revert(&ws, 3, &[]).exits(1);
        assert!(erased.stderr.contains("who were erased"), "{erased}");
        // Of those who were erased nothing is left, also not earlier.
        let past = ws.run(&["state", "User", "--at", "1"]).exits(0);
        assert!(!past.stdout.contains("\"u-0\""), "{past}");
        assert!(past.stdout.contains("\"u-1\""), "{past}");
        ws.run(&["history", "--verify"]).exits(0);
    }
}

/// The manifest form of everything that is stored, by kind and id.
type Stored = BTreeMap<(String, String), Value>;

fn stored(document: &str) -> Stored {
    let document: Value = serde_json::from_str(document).expect("a document");
    let items = document["items"].as_array().expect("items").iter();
    items
        .map(|item| {
            let mut item = item.clone();
            item.as_object_mut().expect("an object").remove("meta");
            let word = |name: &str| item[name].as_str().expect("a text").to_owned();
            ((word("kind"), word("externalId")), item)
        })
        .collect()
}

fn everything(ws: &Workspace) -> Stored {
    let kinds = ["Tag", "Address", "Account", "User"];
    let all = kinds.map(|kind| stored(&ws.run(&["get", kind]).exits(0).stdout));
    all.into_iter().flatten().collect()
}

fn state_at(ws: &Workspace, run: u64) -> Stored {
    let ran = ws.run(&["state", "--at", &run.to_string()]).exits(0);
    stored(&ran.stdout)
}

/// A random tree of one account and some users.
fn random_tree(dice: &mut Dice) -> String {
    let tags = ["[]", "[premium]", "[trade]", "[premium, trade]"];
    let acme = format!("tags: {}", dice.one_of(&tags));
    let website = [
        "",
        "\nwebsite: https://a.example",
        "\nwebsite: https://b.example",
    ];
    let mut tree = TAGS.to_owned();
    tree += &account("acme", &(acme + dice.one_of(&website)));
    tree += &account("next", "");
    tree += &users(20..40, "acme", "");
    for n in 0..8 {
        if dice.once_in(5) {
            continue;
        }
        let phone = dice.roll(3);
        let level = dice.one_of(&["user", "administrator"]);
        let second = dice.one_of(&["", ", next"]);
        let groups = dice.one_of(&["[FOC_User]", "[FOC_User, FOC_Admin]"]);
        let more = format!(
            "phone: \"+461000000{phone}\"\ngroups: {groups}\n\
             accounts: [{{account: acme, level: {level}}}{second}]"
        );
        tree += &user(&format!("u-{n}"), "acme", &more);
    }
    tree
}

/// The keys that a revert or a plan holds.
fn held_keys(ran: &Ran) -> BTreeSet<String> {
    let keys = ran.held().into_iter();
    keys.filter_map(|held| held.split_once(' ').map(|(_, key)| key.to_owned()))
        .collect()
}

/// After every random run: its revert gives the earlier state, apart from what is held, created or
/// named; passes leave it; and its own revert gives the later state again.
#[test]
fn random_runs_are_reverted_to_the_earlier_state() {
    for ws in each("revert random") {
        let mut dice = Dice(20_261_130);
        ws.tree(random_tree(&mut dice)).apply(&[]).exits(0);
        let mut known: BTreeMap<u64, Stored> = BTreeMap::new();
        let mut reverted = 0;
        let last_run = || -> u64 {
            let run = ws.value("SELECT max(id) FROM runs").expect("a run");
            run.parse().expect("a number")
        };
        known.insert(last_run(), everything(&ws));
        for round in 0..3 {
            let before = everything(&ws);
            let last = last_run();
            ws.tree(random_tree(&mut dice));
            ws.apply(&[]);
            let run = last_run();
            if run == last {
                continue;
            }
            let after = everything(&ws);
            known.insert(run, after.clone());
            let ran = revert(&ws, u32::try_from(run).expect("few"), &[]);
            assert!(matches!(ran.code, Some(0 | 3)), "{round}: {ran}");
            assert_eq!(skipped(&ran), Vec::<String>::new(), "{round}");
            let held = held_keys(&ran);
            let now = everything(&ws);
            for (key, value) in &now {
                let name = format!("{}/{}", key.0, key.1);
                match before.get(key) {
                    _ if held.contains(&name) => {}
                    Some(earlier) => assert_eq!(value, earlier, "{round}, {}", ws.engine),
                    None => assert_eq!(value["status"], "inactive", "{round}: {name}"),
                }
            }
            reverted += ran.steps().len();
            let applied = ws.apply(&[]);
            assert_eq!(applied.steps(), Vec::<String>::new(), "{round}: {applied}");
            assert_eq!(everything(&ws), now, "{round}");
            if last_run() > run {
                known.insert(last_run(), now);
                let ran = revert(&ws, u32::try_from(last_run()).expect("few"), &[]);
                if held.is_empty() && held_keys(&ran).is_empty() {
                    assert_eq!(everything(&ws), after, "{round}: {ran}");
                }
                known.insert(last_run(), everything(&ws));
            }
        }
        assert!(reverted > 6, "{}: only {reverted} steps", ws.engine);
        for (run, state) in known {
            assert_eq!(state_at(&ws, run), state, "after run {run}, {}", ws.engine);
        }
        ws.run(&["history", "--verify"]).exits(0);
    }
}

#[test]
fn the_state_of_a_moment_is_that_after_its_last_run() {
    for ws in each("state") {
        ws.tree(directory("", "")).settle(&[]);
        ws.tree(directory("", "phone: \"+4611111111\"")).settle(&[]);
        let at = |moment: &str| {
            let ran = ws.run(&["state", "user/u-0", "--at", moment]).exits(0);
            let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
            document["phone"].as_str().map(str::to_owned)
        };
        assert_eq!(at("1").as_deref(), Some("+4663123456"));
        assert_eq!(at("2").as_deref(), Some("+4611111111"));
        assert_eq!(at("2100-01-01").as_deref(), Some("+4611111111"));
        let run = ws.run(&["history", "--output", "ndjson"]).exits(0);
        let runs: Vec<Value> = run
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("a run"))
            .collect();
        let first = runs[1]["at"].as_str().expect("a time");
        assert_eq!(at(first).as_deref(), Some("+4663123456"));
        let none = ws.run(&["state", "--at", "2020-01-01"]).exits(0);
        assert_eq!(none.stdout.trim(), "{\"items\": []}");
        let wrong = ws.run(&["state", "--at", "yesterday"]).exits(64);
        assert!(wrong.stderr.contains("the number of a run"), "{wrong}");
        let nobody = ws.run(&["state", "user/nobody", "--at", "1"]).exits(1);
        assert!(nobody.stderr.contains("the history has no"), "{nobody}");
    }
}

#[test]
fn adopted_rows_are_rebuilt_from_what_is_stored_now() {
    for ws in each("state adopted") {
        ws.tree(directory("", "")).settle(&[]);
        ws.sql("INSERT INTO tags (external_id, name, description) VALUES ('shop', 'Shop', 'Ours')");
        let with = |name: &str| {
            directory("", "") + &format!("---\nkind: Tag\nexternalId: shop\nname: {name}\n")
        };
        ws.tree(with("Shop")).settle(&[]);
        ws.tree(with("Store")).settle(&[]);
        let key = ("Tag".to_owned(), "shop".to_owned());
        assert!(!state_at(&ws, 1).contains_key(&key));
        let adopted = &state_at(&ws, 2)[&key];
        assert_eq!(adopted["name"], "Shop");
        assert_eq!(adopted["description"], "Ours");
        assert_eq!(state_at(&ws, 3), everything(&ws));
    }
}

/// A pass that reads few files says what one says that compares everything.
#[track_caller]
fn planned(ws: &Workspace, code: i32) -> Ran {
    let plan = ws.plan(&[]).exits(code);
    let scrubbed = ws.plan(&["--scrub"]).exits(code);
    assert_eq!(plan.stdout, scrubbed.stdout, "{}", ws.engine);
    plan
}

#[test]
fn a_pass_of_few_files_finds_what_a_full_one_finds() {
    for ws in each("revert files") {
        ws.write("manifests/acme.yaml", account("acme", ""));
        ws.write("manifests/users.yaml", users(1..8, "acme", ""));
        ws.write("manifests/first.yaml", user("u-0", "acme", ""));
        let tag = |at: usize, name: &str| {
            let tag = format!("tags: [{{externalId: t-{at}, name: {name}}}]\n");
            ws.write(&format!("manifests/tag-{at}.yaml"), tag);
        };
        (0..12).for_each(|at| tag(at, "T"));
        ws.apply(&[]).exits(0);
        ws.write(
            "manifests/first.yaml",
            user("u-0", "acme", "phone: \"+4611111111\""),
        );
        ws.write("manifests/new.yaml", user("new", "acme", ""));
        ws.apply(&[]).exits(0);
        revert(&ws, 2, &[]).exits(0);
        for _ in 0..2 {
            let plan = planned(&ws, 0);
            assert_eq!(plan.steps(), Vec::<String>::new(), "{plan}");
            assert!(plan.codes("note").contains("reverted"), "{plan}");
            ws.apply(&[]).exits(0);
        }
        tag(3, "Other");
        let plan = planned(&ws, 3);
        assert_eq!(
            plan.changes(),
            ["update Tag/t-3: name", "update User/u-0: phone"]
        );
        assert_eq!(plan.held(), ["reactivation User/new"]);
        ws.apply(&[]).exits(3);
        planned(&ws, 3);
        ws.remove("manifests/new.yaml");
        ws.apply(&[]).exits(0);
        planned(&ws, 0);
    }
}

#[test]
fn what_a_later_run_decided_stays_even_with_the_same_value() {
    for ws in each("revert decided") {
        let with = TAGS.to_owned() + &account("acme", "") + &users(0..8, "acme", "");
        let without = TAGS.to_owned() + &account("acme", "") + &users(1..8, "acme", "");
        ws.tree(&with).settle(&[]);
        for tree in [&without, &with, &without] {
            ws.tree(tree).settle(&[]);
        }
        // Run 2 removed the user, and so did run 4, after run 3 had brought the user back.
        let ran = revert(&ws, 2, &[]).exits(0);
        assert_eq!(skipped(&ran), ["User/u-0: status"], "{}", ws.engine);
        assert_eq!(ran.steps(), [""; 0], "{}: {ran}", ws.engine);
        assert_eq!(status(&ws, "u-0").as_deref(), Some("inactive"));
        // Another program's decision after run 5 is none of run 4.
        ws.tree(&with).settle(&[]);
        ws.sql("UPDATE users SET status = 'inactive' WHERE external_id = 'u-0'");
        let ran = revert(&ws, 4, &[]).exits(0);
        assert_eq!(skipped(&ran), ["User/u-0: status"], "{}", ws.engine);
        assert_eq!(status(&ws, "u-0").as_deref(), Some("inactive"));
    }
}

#[test]
fn members_that_a_later_run_took_or_gave_stay() {
    for ws in each("revert members") {
        let of = |tags: &str| directory(&format!("tags: [{tags}]"), "");
        ws.tree(of("trade")).settle(&[]);
        for tags in ["trade, premium", "trade", "trade, premium"] {
            ws.tree(of(tags)).settle(&[]);
        }
        let ran = revert(&ws, 2, &[]).exits(0);
        assert_eq!(skipped(&ran), ["Account/acme: tags"], "{}", ws.engine);
        assert_eq!(ran.steps(), [""; 0], "{}: {ran}", ws.engine);
    }
}

#[test]
fn runs_are_reverted_one_after_the_other_from_the_newest() {
    for ws in each("revert both") {
        for phone in ["", "phone: \"+4611111111\"", "phone: \"+4622222222\""] {
            ws.tree(directory("", phone)).settle(&[]);
        }
        let before = phone(&ws, "u-0");
        assert_eq!(before.as_deref(), Some("+4622222222"));
        revert(&ws, 3, &[]).exits(0);
        assert_eq!(phone(&ws, "u-0").as_deref(), Some("+4611111111"));
        let ran = revert(&ws, 2, &[]).exits(0);
        assert_eq!(skipped(&ran), Vec::<String>::new(), "{}", ws.engine);
        assert_eq!(phone(&ws, "u-0").as_deref(), Some("+4663123456"));
        stays(&ws);
    }
}

#[test]
fn a_commit_that_was_there_before_the_revert_brings_nothing_back() {
    for ws in each("revert ahead") {
        let remote = Remote::with(&directory("", ""));
        ws.write(
            "roster.yaml",
            format!(
                "apiVersion: roster/v1\nsources: [{{name: shop, git: {{url: {:?}, path: manifests}}}}]\n",
                remote.url()
            ),
        );
        let apply = || ws.run(&["apply", "--yes"]).exits(0);
        apply();
        remote.write(
            "manifests/all.yaml",
            directory("", "phone: \"+4611111111\""),
        );
        remote.push("phone");
        apply();
        remote.write(
            "manifests/more.yaml",
            "tags: [{externalId: new, name: New}]\n",
        );
        remote.push("tag");
        revert(&ws, 2, &[]).exits(0);
        let applied = apply();
        assert_eq!(
            applied.steps(),
            ["create Tag/new"],
            "{}: {applied}",
            ws.engine
        );
        assert_eq!(phone(&ws, "u-0").as_deref(), Some("+4663123456"));
        assert_eq!(apply().steps(), [""; 0], "{}", ws.engine);
        remote.write(
            "manifests/more.yaml",
            "tags: [{externalId: new, name: Newer}]\n",
        );
        remote.push("later");
        assert_eq!(
            apply().steps(),
            ["update Tag/new", "update User/u-0"],
            "{}",
            ws.engine
        );
    }
}

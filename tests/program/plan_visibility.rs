//! Who sees more or less by a plan, for each kind of change, against what the views say before and
//! after it is applied.

use crate::support::workspace::{Ran, Workspace, account, each, sqlite, user};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn organisation(id: &str, more: &str) -> String {
    format!("---\nkind: Organisation\nexternalId: {id}\nname: {id}\naccount: acme\n{more}")
}

fn directory() -> String {
    let member = |organisations: &str| format!("organisations: [{organisations}]");
    [
        "settings: [{externalId: settings, organisationDepth: 3}]\n".to_owned(),
        account("acme", ""),
        account("other", ""),
        account("third", ""),
        organisation("north", ""),
        organisation("north-1", "parent: north\n"),
        organisation("south", ""),
        user("admin", "acme", "groups: [FOC_Admin]"),
        user(
            "chief",
            "acme",
            "accounts: [{account: acme, level: administrator}]",
        ),
        user("nils", "acme", &member("north")),
        user("nora", "acme", &member("north-1")),
        user("sven", "acme", &member("south")),
        user("lone", "acme", ""),
        user("both", "acme", "accounts: [acme, other]"),
        user("olga", "other", ""),
        user("tore", "third", ""),
    ]
    .concat()
}

/// What the plans say, each as `nils gains users nora`.
fn said(ran: &Ran) -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    for plan in ran.plans() {
        for change in plan["visibility"].as_array().into_iter().flatten() {
            for side in ["gains", "loses"] {
                for kind in ["users", "organisations", "accounts"] {
                    let ids = change[side][kind].as_array().expect("a list").iter();
                    said.extend(ids.map(|id| {
                        let user = change["user"].as_str().expect("a user");
                        format!("{user} {side} {kind} {}", id.as_str().expect("an id"))
                    }));
                }
            }
        }
    }
    said
}

/// Who sees what, as a shop reads it, each as `nils users nora`.
fn seen(ws: &Workspace) -> BTreeSet<String> {
    let views = [
        ("users", "user_id", "visible_users"),
        ("organisations", "organisation_id", "visible_organisations"),
        ("accounts", "account_id", "visible_accounts"),
    ];
    let seen = views.iter().flat_map(|(kind, column, view)| {
        let query = format!("SELECT viewer_id || ' {kind} ' || {column} FROM {view}");
        ws.column(&query)
    });
    seen.flatten().collect()
}

/// Plans a tree, applies it, and checks that what was said came true.
#[track_caller]
fn plan_and_apply(ws: &Workspace, tree: &str) -> Ran {
    ws.tree(tree);
    comes_true(ws, &["manifests"])
}

/// Plans and applies, and checks that what was said came true.
#[track_caller]
fn comes_true(ws: &Workspace, options: &[&str]) -> Ran {
    let before = seen(ws);
    // With so few people, most of these changes are large.
    let overrides = ws.run(&[&["plan"], options].concat()).overrides();
    let overrides = overrides.iter().flat_map(|option| option.split(' '));
    let options = [options, &overrides.collect::<Vec<_>>()].concat();
    let planned = ws.run(&[&["plan"], &options[..]].concat()).exits(0);
    ws.run(&[&["apply", "--yes"], &options[..]].concat())
        .exits(0);
    let after = seen(ws);
    let exist = ws.column("SELECT external_id FROM users");
    let exist: BTreeSet<String> = exist.into_iter().flatten().collect();
    let was_there = |id: &str| before.contains(&format!("{id} users {id}"));
    let mut expected = BTreeSet::new();
    for (side, these, others) in [("gains", &after, &before), ("loses", &before, &after)] {
        for one in these.difference(others) {
            let [viewer, kind, id] = one.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{one}");
            };
            let stays = |id: &str| was_there(id) && exist.contains(id);
            if stays(viewer) && (kind != "users" || stays(id)) {
                expected.insert(format!("{viewer} {side} {kind} {id}"));
            }
        }
    }
    assert_eq!(said(&planned), expected, "{planned}");
    planned
}

/// A change of the manifests, and what the plan has to say among other things.
const CHANGES: &[(&str, &str, &[&str])] = &[
    (
        "organisations: [north]\n",
        "organisations: [south]\n",
        &[
            "nils gains organisations south",
            "nils gains users sven",
            "nils loses organisations north",
            "nils loses organisations north-1",
            "nils loses users nora",
            "sven gains users nils",
        ],
    ),
    (
        "parent: north\n",
        "clear: [parent]\n",
        &["nils loses organisations north-1", "nils loses users nora"],
    ),
    (
        "level: administrator",
        "level: user",
        &[
            "chief loses organisations north",
            "chief loses users nils",
            "chief loses users sven",
        ],
    ),
    (
        "groups: [FOC_Admin]",
        "groups: [FOC_User]",
        &["admin loses organisations south", "admin loses users nora"],
    ),
    (
        "accounts: [acme, other]",
        "accounts: [other]",
        &[
            "both loses accounts acme",
            "both loses users lone",
            "chief loses users both",
            "lone loses users both",
        ],
    ),
    (
        "externalId: acme\nname: acme\n",
        "externalId: acme\nname: acme\nstatus: inactive\n",
        &[
            "lone loses accounts acme",
            "nils loses organisations north",
            "admin loses users sven",
        ],
    ),
    (
        "organisationDepth: 3",
        "organisationDepth: 3, adminSeesAccount: false",
        &["admin loses users nils", "chief loses organisations north"],
    ),
    (
        "externalId: both\n",
        "externalId: both\norganisations: [south]\n",
        &["lone loses users both", "sven gains users both"],
    ),
];

#[test]
fn every_kind_of_change_says_who_sees_more_or_less() {
    for ws in each("sight") {
        let base = directory();
        ws.tree(&base);
        let first = ws.plan(&[]).exits(0);
        assert_eq!(said(&first), BTreeSet::new(), "nobody was there");
        ws.apply(&[]).exits(0);
        for (from, to, expected) in CHANGES {
            let changed = base.replacen(from, to, 1);
            assert_ne!(changed, base, "{from}");
            let planned = said(&plan_and_apply(&ws, &changed));
            for one in *expected {
                assert!(planned.contains(*one), "{to}: {one}: {planned:?}");
            }
            plan_and_apply(&ws, &base);
        }
    }
}

#[test]
fn a_plan_that_changes_nobodys_sight_says_nothing() {
    let ws = sqlite();
    let base = directory();
    ws.tree(&base).apply(&[]).exits(0);
    let quiet = |tree: &str, steps: usize| {
        ws.tree(tree);
        let planned = ws.plan(&[]);
        assert_eq!(planned.steps().len(), steps, "{planned}");
        assert!(!planned.stdout.contains("visibility"), "{planned}");
        let text = ws.plan(&["--output", "text"]);
        assert!(!text.stdout.contains("Visibility"), "{text}");
    };
    quiet(&base, 0);
    quiet(&base.replace("firstName: Karin", "firstName: Karen"), 9);
    // Status and access of users do not matter.
    let inactive = base.replace("externalId: lone\n", "externalId: lone\nstatus: inactive\n");
    quiet(&inactive, 1);
    // What is new is seen by those who see everything; its own step says so.
    let fresh = user(
        "fresh",
        "acme",
        "accounts: [{account: acme, level: administrator}]",
    );
    quiet(&(base.clone() + &fresh), 1);
}

#[test]
fn what_comes_and_goes_is_told_of_those_who_stay() {
    for ws in each("comes-goes") {
        let base = directory();
        ws.tree(&base).apply(&[]).exits(0);
        let more = [
            base.clone(),
            organisation("north-2", "parent: north\n"),
            account("new", ""),
            user("fresh", "acme", "organisations: [north-2]"),
        ]
        .concat()
        .replace("accounts: [acme, other]", "accounts: [acme, new, other]");
        let more = more.replace("accounts: [third]", "accounts: [new, third]");
        let planned = said(&plan_and_apply(&ws, &more));
        assert_eq!(
            planned,
            [
                "admin gains organisations north-2",
                "both gains accounts new",
                "both gains users tore",
                "chief gains organisations north-2",
                "nils gains organisations north-2",
                "tore gains accounts new",
                "tore gains users both",
            ]
            .map(str::to_owned)
            .into()
        );
    }
}

#[test]
fn an_account_that_goes_is_lost_once_the_deletion_is_allowed() {
    for ws in each("sight-goes") {
        let config = "apiVersion: roster/v1\nsources:\n  - {name: accounts, directory: accounts}\n  \
                      - {name: people, directory: people}\n";
        ws.write("roster.yaml", config);
        let accounts = [account("acme", ""), account("other", "")].concat();
        let settings = "settings: [{externalId: settings, firstUser: off}]\n";
        ws.write("accounts/all.yaml", settings.to_owned() + &accounts);
        let people = [
            organisation("north", ""),
            user("nils", "acme", "organisations: [north]"),
            user("nora", "acme", "organisations: [north]"),
            user("olga", "other", ""),
        ];
        ws.write("people/all.yaml", people.concat());
        ws.run(&["apply", "--yes"]).exits(0);
        let gone = "---\nkind: Account\nexternalId: acme\nstatus: deleted\n";
        let left = settings.to_owned() + gone + &account("other", "");
        ws.write("accounts/all.yaml", left);
        let held = ws.run(&["plan", "--source", "accounts"]).exits(3);
        assert_eq!(held.held(), ["deletes-not-allowed Account/acme"], "{held}");
        assert_eq!(said(&held), BTreeSet::new(), "{held}");
        let allowed = ["--allow-delete", "--accept", "User.deactivate=2"];
        let planned = comes_true(&ws, &[&["--source", "accounts"], &allowed[..]].concat());
        assert_eq!(
            said(&planned),
            [
                "nils loses accounts acme",
                "nils loses organisations north",
                "nils loses users nora",
                "nora loses accounts acme",
                "nora loses organisations north",
                "nora loses users nils",
            ]
            .map(str::to_owned)
            .into()
        );
    }
}

#[test]
fn a_saved_plan_says_the_same_in_every_format() {
    let ws = sqlite();
    let base = directory();
    ws.tree(&base).apply(&[]).exits(0);
    ws.tree(base.replacen("organisations: [north]\n", "organisations: [south]\n", 1));
    let planned = ws.plan(&["--out", "plan.json"]).exits(0);
    let visibility = &planned.plans()[0]["visibility"];
    assert_eq!(
        *visibility,
        json!([
            {"user": "nils",
             "gains": {"users": ["sven"], "organisations": ["south"], "accounts": []},
             "loses": {"users": ["nora"], "organisations": ["north", "north-1"], "accounts": []}},
            {"user": "sven",
             "gains": {"users": ["nils"], "organisations": [], "accounts": []},
             "loses": {"users": [], "organisations": [], "accounts": []}},
        ])
    );
    let saved: Value = {
        let text = std::fs::read_to_string(ws.path("plan.json")).expect("a plan");
        serde_json::from_str(&text).expect("a plan")
    };
    assert_eq!(saved["visibility"], *visibility);
    for (format, words) in [
        (
            "text",
            "Visibility\n  User/nils\n      gains organisation south; user sven\n      loses organisations north, north-1; user nora\n  User/sven\n      gains user nils\n",
        ),
        (
            "markdown",
            "- **Visibility** `User/nils`: `gains organisation south; user sven`, `loses organisations north, north-1; user nora`\n",
        ),
        (
            "github",
            "::notice title=visibility::2 users see more or less%0AUser/nils gains organisation south; user sven%0A",
        ),
        (
            "ndjson",
            "{\"type\":\"visibility\",\"user\":\"sven\",\"gains\":{\"users\":[\"nils\"]",
        ),
    ] {
        for command in [&["plan", "manifests"][..], &["show", "plan.json"]] {
            let shown = ws.run(&[command, &["--output", format]].concat());
            assert!(shown.stdout.contains(words), "{format}: {shown}");
        }
    }
    let first = "{\"type\":\"visibility\",\"user\":\"nils\",";
    let lines = ws.plan(&["--output", "ndjson"]).stdout;
    assert_eq!(lines.lines().filter(|it| it.starts_with(first)).count(), 1);
}

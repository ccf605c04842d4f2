//! A wipe never passes: each is held or refused, and one command lets it through.

use crate::support::workspace::{Ran, Workspace, account, each, user, users};

/// The settled directory, on each engine.
fn settled(name: &str, yaml: &str) -> Vec<Workspace> {
    let all = each(name);
    for ws in &all {
        ws.tree(yaml).settle(&[]);
    }
    all
}

fn count(ws: &Workspace, table: &str, what: &str) -> u64 {
    let found = ws.value(&format!("SELECT count(*) FROM {table} WHERE {what}"));
    found.and_then(|text| text.parse().ok()).expect("a count")
}

fn active(ws: &Workspace, table: &str) -> u64 {
    count(ws, table, "status = 'active'")
}

/// All that a plan may change, as it is stored.
fn contents(ws: &Workspace) -> Vec<(String, String)> {
    let ours = ["leases", "claims", "sources", "files"];
    ws.fingerprint()
        .into_iter()
        .filter(|(table, _)| !ours.contains(&table.as_str()))
        .collect()
}

/// An apply is held by these rules; nothing is written, and only these options let it through.
#[track_caller]
fn held(ws: &Workspace, rules: &[&str], overrides: &[&str]) -> Ran {
    let before = contents(ws);
    let ran = ws.apply(&[]).exits(3);
    assert_eq!(
        ran.rules().into_iter().collect::<Vec<_>>(),
        rules,
        "{}: {ran}",
        ws.engine
    );
    assert_eq!(ran.steps(), Vec::<String>::new(), "{}", ws.engine);
    assert_eq!(
        ran.overrides().into_iter().collect::<Vec<_>>(),
        overrides,
        "{}: {ran}",
        ws.engine
    );
    assert_eq!(contents(ws), before, "{}", ws.engine);
    ran
}

/// With the overrides that it named itself it is applied, and then there is nothing to do.
#[track_caller]
fn lets_through(ws: &Workspace, held: &Ran) {
    let overrides: Vec<String> = held.overrides().into_iter().collect();
    let options: Vec<&str> = overrides
        .iter()
        .flat_map(|option| option.split(' '))
        .collect();
    let ran = ws.apply(&options).exits(0);
    assert_eq!(ran.held(), Vec::<String>::new(), "{}", ws.engine);
    ws.plan(&["--detailed-exitcode"]).exits(0);
}

/// Accounts `a-0`, `a-1`… with a user each.
fn accounts(range: std::ops::Range<usize>, more: &str) -> String {
    range
        .map(|n| account(&format!("a-{n}"), more) + &user(&format!("u-{n}"), &format!("a-{n}"), ""))
        .collect()
}

const NO_FIRST_USER: &str = "---\nkind: Settings\nfirstUser: off\n";

#[test]
fn an_empty_tree_removes_nothing() {
    for ws in settled("empty tree", &accounts(0..3, "")) {
        ws.remove("manifests/all.yaml");
        let ran = held(&ws, &["empty-source"], &["--accept empty=all"]);
        assert_eq!(active(&ws, "users"), 3);
        lets_through(&ws, &ran);
        assert_eq!(
            (active(&ws, "users"), active(&ws, "accounts")),
            (0, 0),
            "{}",
            ws.engine
        );
    }
}

#[test]
fn an_empty_file_removes_nothing() {
    for ws in settled("empty file", &accounts(0..3, "")) {
        for empty in [
            "",
            "\n\n",
            "# nothing\n",
            "---\n",
            "users: []\naccounts: []\n",
        ] {
            ws.tree(empty);
            held(&ws, &["empty-source"], &["--accept empty=all"]);
        }
        ws.tree("");
        let hold = ws.plan(&[]).exits(3).hold("empty-source");
        ws.approve(&hold);
        ws.settle(&[]);
        assert_eq!(
            (active(&ws, "users"), active(&ws, "accounts")),
            (0, 0),
            "{}",
            ws.engine
        );
    }
}

#[test]
fn even_the_only_resource_does_not_go_with_its_tree() {
    for ws in settled("one tag", "kind: Tag\nexternalId: premium\nname: Premium\n") {
        ws.tree("");
        let ran = held(&ws, &["empty-source"], &["--accept empty=all"]);
        lets_through(&ws, &ran);
    }
}

#[test]
fn no_users_at_all_is_refused_while_their_accounts_stay() {
    let companies: String = (0..3).map(|n| account(&format!("a-{n}"), "")).collect();
    for ws in settled("no users", &accounts(0..3, "")) {
        ws.tree(companies.clone() + "---\nusers: []\n");
        let before = contents(&ws);
        let refused = ws.apply(&[]).exits(1);
        assert!(
            refused.codes("error").contains("last-user"),
            "{}: {refused}",
            ws.engine
        );
        assert_eq!(contents(&ws), before);
    }
}

#[test]
fn no_users_at_all_is_held_where_accounts_need_none() {
    let companies: String = (0..3).map(|n| account(&format!("a-{n}"), "")).collect();
    for ws in settled("users gone", &(accounts(0..3, "") + NO_FIRST_USER)) {
        ws.tree(companies.clone() + NO_FIRST_USER + "---\nusers: []\n");
        let ran = held(&ws, &["empty-source"], &["--accept empty=User"]);
        lets_through(&ws, &ran);
        assert_eq!(
            (active(&ws, "users"), active(&ws, "accounts")),
            (0, 3),
            "{}",
            ws.engine
        );
    }
}

#[test]
fn a_missing_directory_is_an_error_and_no_empty_one() {
    for ws in settled("missing", &accounts(0..3, "")) {
        ws.remove("manifests");
        let before = contents(&ws);
        for options in [&[][..], &["--accept", "empty=all"][..]] {
            let ran = ws.apply(options).exits(1);
            assert!(
                ran.codes("error").contains("source-unreadable"),
                "{}: {ran}",
                ws.engine
            );
            assert_eq!(contents(&ws), before, "{}", ws.engine);
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_hides_nobody() {
    for ws in settled("unparsable", &accounts(0..6, "")) {
        ws.write("roster.yaml", "apiVersion: roster/v1\nsources: [{name: directory, directory: manifests, onError: hold}]\n");
        ws.write(
            "manifests/broken.yaml",
            "users:\n  - {externalId: u-5\n  accounts\n",
        );
        ws.tree(accounts(0..5, ""));
        let ran = ws.run(&["apply", "--yes"]).exits(1);
        assert!(
            ran.codes("warning").contains("removals-off"),
            "{}: {ran}",
            ws.engine
        );
        assert_eq!(ran.steps(), Vec::<String>::new());
        assert_eq!(
            (active(&ws, "users"), active(&ws, "accounts")),
            (6, 6),
            "{}",
            ws.engine
        );
    }
}

#[test]
fn half_of_four_is_held() {
    let company = account("acme", "");
    for ws in settled("half", &(company.clone() + &users(0..4, "acme", ""))) {
        ws.tree(company.clone() + &users(0..2, "acme", ""));
        let before = contents(&ws);
        let ran = ws.apply(&[]).exits(3);
        assert!(
            ran.overrides().contains("--accept User.deactivate=2"),
            "{}: {ran}",
            ws.engine
        );
        assert_eq!(contents(&ws), before);
        // Another number is another decision.
        ws.apply(&["--accept", "User.deactivate=3"]).exits(3);
        assert_eq!(active(&ws, "users"), 4, "{}", ws.engine);
        // For the whole kind: it covers the one account, too.
        ws.settle(&["--accept", "User.deactivate=2"]);
        assert_eq!(active(&ws, "users"), 2, "{}", ws.engine);
    }
}

#[test]
fn half_of_two_accounts_is_one_and_passes_but_both_do_not() {
    for ws in settled("two", &accounts(0..2, "")) {
        ws.tree(accounts(0..1, ""));
        ws.settle(&[]);
        assert_eq!(active(&ws, "accounts"), 1, "{}", ws.engine);
    }
}

#[test]
fn forty_per_cent_of_four_hundred_are_held() {
    let tree = |n| account("acme", "") + &users(0..n, "acme", "");
    for ws in settled("many", &tree(400)) {
        ws.tree(tree(240));
        let ran = held(&ws, &["guard"], &["--accept User.deactivate=160"]);
        lets_through(&ws, &ran);
        assert_eq!(active(&ws, "users"), 240, "{}", ws.engine);
    }
}

#[test]
fn a_few_a_pass_all_day_are_held_once_they_are_many() {
    let tree = |n| account("acme", "") + &users(0..n, "acme", "");
    for ws in settled("trickle", &tree(60)) {
        let mut left = 60;
        let stopped = loop {
            assert!(left >= 40, "{}: {left} of 60 are left", ws.engine);
            ws.tree(tree(left - 3));
            let ran = ws.apply(&[]);
            if ran.code == Some(3) {
                break ran;
            }
            ran.exits(0);
            left -= 3;
        };
        // A tenth of sixty in a day, and no more.
        assert_eq!(left, 57, "{}", ws.engine);
        assert_eq!(stopped.rules(), ["guard".to_owned()].into());
        assert_eq!(active(&ws, "users"), left as u64);
        lets_through(&ws, &stopped);
        // What somebody let through does not count against what comes later.
        assert_eq!(active(&ws, "users"), left as u64 - 3, "{}", ws.engine);
    }
}

#[test]
fn a_cleared_column_is_held() {
    for ws in settled("cleared", &accounts(0..8, "website: https://acme.example")) {
        ws.tree(accounts(0..8, "clear: [website]"));
        let ran = held(&ws, &["guard"], &["--accept Account.website.clear=8"]);
        lets_through(&ws, &ran);
        assert_eq!(
            count(&ws, "accounts", "website IS NOT NULL"),
            0,
            "{}",
            ws.engine
        );
    }
}

#[test]
fn a_blank_column_clears_nothing_and_of_a_custom_field_it_is_held() {
    let field = "---\nkind: CustomField\nexternalId: credit\nappliesTo: account\nname: Credit\ntype: text\n";
    let tree = |website: &str, credit: &str| {
        field.to_owned()
            + &accounts(
                0..8,
                &format!("website: {website}\ncustomFields: {{credit: \"{credit}\"}}"),
            )
    };
    for ws in settled("blank", &tree("https://acme.example", "A")) {
        ws.tree(tree("\"\"", "A")).settle(&[]);
        assert_eq!(
            count(&ws, "accounts", "website IS NOT NULL"),
            8,
            "{}",
            ws.engine
        );
        ws.tree(tree("\"\"", ""));
        let ran = held(
            &ws,
            &["guard"],
            &["--accept Account.customFields.credit.clear=8"],
        );
        lets_through(&ws, &ran);
        assert_eq!(
            count(&ws, "accounts", "custom_fields = '{}'"),
            8,
            "{}",
            ws.engine
        );
    }
}

#[test]
fn an_emptied_list_everywhere_is_held() {
    let tags = "---\nkind: Tag\nexternalId: premium\nname: Premium\n";
    for ws in settled("untagged", &(accounts(0..8, "tags: [premium]") + tags)) {
        ws.tree(accounts(0..8, "tags: []") + tags);
        let ran = held(&ws, &["guard"], &["--accept Account.tags.unlink=8"]);
        lets_through(&ws, &ran);
    }
}

#[test]
fn an_inverted_status_column_is_held_both_ways() {
    let tree = |first: &str, second: &str| {
        account("acme", "")
            + &user("stays", "acme", "")
            + &users(0..6, "acme", &format!("status: {first}"))
            + &users(6..12, "acme", &format!("status: {second}"))
    };
    for ws in settled("inverted", &tree("active", "inactive")) {
        ws.tree(tree("inactive", "active"));
        let before = contents(&ws);
        let ran = ws.apply(&[]).exits(3);
        assert_eq!(
            ran.rules(),
            ["guard".to_owned()].into(),
            "{}: {ran}",
            ws.engine
        );
        assert_eq!(ran.steps(), Vec::<String>::new(), "{}", ws.engine);
        assert_eq!(contents(&ws), before, "{}", ws.engine);
        let overrides = [
            "--accept",
            "User.deactivate=6",
            "--accept",
            "User.reactivate=6",
        ];
        assert!(
            ran.overrides().contains("--accept User.reactivate=6"),
            "{ran}"
        );
        ws.settle(&overrides);
        assert_eq!(active(&ws, "users"), 7, "{}", ws.engine);
    }
}

#[test]
fn every_id_with_a_prefix_is_a_rename_that_is_held() {
    let old: String = accounts(0..8, "");
    // Other ids for the same companies and people.
    let new = old
        .replace("externalId: a-", "externalId: x-a-")
        .replace("externalId: u-", "externalId: x-u-")
        .replace("accounts: [a-", "accounts: [x-a-");
    for ws in settled("renamed", &old) {
        ws.tree(&new);
        let before = contents(&ws);
        let ran = ws.apply(&[]).exits(3);
        assert!(
            ran.rules().contains("possible-rename"),
            "{}: {ran}",
            ws.engine
        );
        assert_eq!(
            ran.overrides().into_iter().collect::<Vec<_>>(),
            ["--accept rename=16"],
            "{}: {ran}",
            ws.engine
        );
        assert_eq!(ran.steps(), Vec::<String>::new(), "{}", ws.engine);
        assert_eq!(contents(&ws), before);
        ws.apply(&["--accept", "rename=15"]).exits(3);
        assert_eq!(contents(&ws), before, "{}", ws.engine);
        lets_through(&ws, &ran);
        assert_eq!(
            count(&ws, "users", "status = 'active' AND external_id LIKE 'x-%'"),
            8,
            "{}",
            ws.engine
        );
        assert_eq!(
            count(
                &ws,
                "users",
                "status = 'inactive' AND external_id LIKE 'u-%'"
            ),
            8
        );
    }
}

#[test]
fn one_renamed_person_is_held_by_name() {
    let tree = |id: &str| {
        account("acme", "")
            + &users(1..5, "acme", "")
            + &user(id, "acme", "email: karin@roster.example")
    };
    for ws in settled("one renamed", &tree("old")) {
        ws.tree(tree("new"));
        let ran = held(&ws, &["possible-rename"], &["--accept rename=old"]);
        lets_through(&ws, &ran);
        assert_eq!(
            count(&ws, "users", "external_id = 'old' AND status = 'inactive'"),
            1,
            "{}",
            ws.engine
        );
    }
}

#[test]
fn deletes_need_two_permissions_and_a_protected_row_none_lifts() {
    let tree = |more: &str, protect: &str| {
        account("acme", "")
            + &users(0..8, "acme", "")
            + more
            + "---\nkind: Tag\nexternalId: vip\nname: Vip\n"
            + protect
    };
    for ws in settled("deletes", &tree("", "protect: true\n")) {
        let gone: String = (0..2)
            .map(|n| format!("---\nkind: User\nexternalId: u-{n}\nstatus: deleted\n"))
            .collect();
        ws.tree(
            account("acme", "")
                + &users(2..8, "acme", "")
                + &gone
                + "---\nkind: Tag\nexternalId: vip\nstatus: deleted\n",
        );
        let ran = ws.apply(&[]).exits(3);
        assert_eq!(
            ran.rules(),
            [
                "deletes-not-allowed".to_owned(),
                "guard".to_owned(),
                "protected".to_owned()
            ]
            .into(),
            "{}: {ran}",
            ws.engine
        );
        ws.apply(&["--allow-delete"]).exits(3);
        assert_eq!(count(&ws, "users", "1 = 1"), 8, "{}", ws.engine);
        let done = ws
            .apply(&["--allow-delete", "--accept", "User.delete=2"])
            .exits(0);
        assert_eq!(done.held(), ["protected Tag/vip"], "{}", ws.engine);
        assert_eq!(count(&ws, "users", "1 = 1"), 6);
        assert_eq!(count(&ws, "tags", "1 = 1"), 1);
    }
}

#[test]
fn a_manifest_that_releases_and_removes_gets_its_way_in_two_passes() {
    let tag = |more: &str| format!("kind: Tag\nexternalId: vip\n{more}");
    for (status, verb) in [("inactive", "deactivate"), ("deleted", "delete")] {
        for ws in settled("released", &tag("name: Vip\nprotect: true\n")) {
            let name = if verb == "delete" {
                "Vip"
            } else {
                "Very important"
            };
            let more = format!("name: {name}\nprotect: false\nstatus: {status}\n");
            ws.tree(tag(&more));
            let first = ws.apply(&["--allow-delete"]).exits(0);
            assert_eq!(first.held(), ["protected Tag/vip"], "{}", ws.engine);
            assert_eq!(first.steps(), ["update Tag/vip"], "{first}");
            let stored = "SELECT name || ' ' || status || ' ' || CAST(protect AS int) FROM tags";
            let now = format!("{name} active 0");
            assert_eq!(ws.value(stored), Some(now), "{}", ws.engine);
            let second = ws.apply(&["--allow-delete"]).exits(0);
            assert_eq!(second.held(), Vec::<String>::new());
            assert_eq!(second.steps(), [format!("{verb} Tag/vip")], "{second}");
            ws.plan(&["--detailed-exitcode"]).exits(0);
        }
    }
}

#[test]
fn what_a_manifest_says_beside_a_protected_removal_is_applied() {
    let tag = |more: &str| format!("kind: Tag\nexternalId: vip\nprotect: true\n{more}");
    for ws in settled("beside", &tag("name: Vip\n")) {
        ws.tree(tag("name: Very important\nstatus: inactive\n"));
        let first = ws.apply(&[]).exits(0);
        assert_eq!(first.held(), ["protected Tag/vip"], "{}", ws.engine);
        assert_eq!(first.steps(), ["update Tag/vip"], "{first}");
        for _ in 0..2 {
            let again = ws.apply(&[]).exits(0);
            assert_eq!(again.held(), ["protected Tag/vip"], "{}", ws.engine);
            assert_eq!(again.steps(), Vec::<String>::new(), "{again}");
        }
        let stored = "SELECT name || ' ' || status FROM tags";
        assert_eq!(ws.value(stored).as_deref(), Some("Very important active"));
    }
}

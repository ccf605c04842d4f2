//! The plan of a branch says what the branch adds first, and what waits on its base anyway after it.

use crate::support::git_remote::{Remote, configure};
use crate::support::workspace::{Ran, Workspace, account, each, sqlite, user};
use serde_json::Value;

/// An account with these users, some fields of a few of them changed.
fn people(count: usize, more: &[(usize, &str)]) -> String {
    let users = (1..=count).map(|n| {
        let more = more.iter().find(|(at, _)| *at == n);
        user(&format!("u-{n}"), "acme", more.map_or("", |it| it.1))
    });
    account("acme", "") + &users.collect::<String>()
}

const NEW_PHONE: (usize, &str) = (1, "phone: \"+46111111111\"");
const NEW_COMPANY: (usize, &str) = (3, "company: Acme");

/// A main branch whose last commit was not applied: it changes a user and removes six, which a guard
/// holds. And a branch on top of it that changes another user.
fn scene(ws: &Workspace) -> Remote {
    let remote = Remote::with(&people(40, &[]));
    configure(ws, &remote.url(), ", ref: main");
    apply(ws, &[]).exits(0);
    remote.write("manifests/all.yaml", people(34, &[NEW_PHONE]));
    remote.push("Six people left");
    remote.git(&["checkout", "--quiet", "-b", "company"]);
    remote.write("manifests/all.yaml", people(34, &[NEW_PHONE, NEW_COMPANY]));
    remote.push("A company");
    remote
}

/// The resources of a list of a plan, and whether each is on the base already.
fn on_base(ran: &Ran, member: &str) -> Vec<(String, bool)> {
    let plans = ran.plans();
    let entries = plans[0][member].as_array().expect("a list").iter();
    entries
        .map(|entry| {
            let id = entry["externalId"].as_str().expect("an id").to_owned();
            (id, entry["alreadyOnBase"] == Value::Bool(true))
        })
        .collect()
}

fn plan(ws: &Workspace, options: &[&str]) -> Ran {
    ws.run(&[&["plan"], options].concat())
}

fn apply(ws: &Workspace, options: &[&str]) -> Ran {
    ws.run(&[&["apply", "--yes"], options].concat())
}

#[track_caller]
fn tells_the_branch_apart(ws: &Workspace, remote: &Remote, options: &[&str]) {
    let base = remote.git(&["rev-parse", "main"]);
    let ran = plan(ws, options).exits(0);
    let expected = [("u-1".to_owned(), true), ("u-3".to_owned(), false)];
    assert_eq!(on_base(&ran, "steps"), expected, "{}: {ran}", ws.engine);
    let held = on_base(&ran, "held");
    assert_eq!(held.len(), 6, "{ran}");
    assert!(held.iter().all(|(_, waits)| *waits), "{ran}");
    assert_eq!(ran.plans()[0]["base"]["revision"], base, "{ran}");
    // Whoever reviews the branch adds a step, and holds nothing.
    let detailed = [options, &["--detailed-exitcode"]].concat();
    plan(ws, &detailed).exits(2);

    let text = ws.run(&[&["plan", "--output", "text"], options].concat());
    let text = text.exits(0).stdout;
    let waits = format!(
        "Waits at {} already\n  Users: 1 to update, 6 held\n",
        &base[..12]
    );
    let (own, rest) = text.split_once(&waits).expect("what waits");
    assert!(
        own.contains("User/u-3") && !own.contains("User/u-1"),
        "{text}"
    );
    assert!(!own.contains("Held"), "{text}");
    assert!(
        rest.contains("Plan: 0 to create, 2 to update, 0 to adopt, 0 to deactivate, 0 to reactivate, 0 to delete, 6 held."),
        "{text}"
    );
    let full = [&["plan", "--output", "text", "--detail", "full"], options].concat();
    let full = ws.run(&full).exits(0).stdout;
    let (_, rest) = full.split_once("Waits at ").expect("what waits");
    assert!(
        rest.contains("User/u-1") && rest.contains("roster approve hold"),
        "{full}"
    );

    let markdown = ws.run(&[&["plan", "--output", "markdown"], options].concat());
    let markdown = markdown.exits(0).stdout;
    let fold = format!(
        "<details><summary>Waits at {} already: 1 to update, 6 held</summary>",
        &base[..12]
    );
    let (own, rest) = markdown.split_once(&fold).expect("a fold");
    assert!(own.contains("### Plan: 1 to update.\n"), "{markdown}");
    assert!(
        !own.contains("u-1`") && !own.contains("a decision"),
        "{markdown}"
    );
    assert!(
        rest.contains("User/u-1") && rest.contains("# held:"),
        "{markdown}"
    );
}

#[test]
fn a_branch_of_a_git_source_is_compared_with_the_configured_one() {
    for ws in each("base") {
        let remote = scene(&ws);
        tells_the_branch_apart(&ws, &remote, &["--revision", "company"]);
        tells_the_branch_apart(&ws, &remote, &["--revision", "company", "--base", "main"]);
        // Nothing waits at the branch itself but all of it.
        let ran = plan(&ws, &["--base", "company"]).exits(0);
        assert_eq!(ran.plans()[0]["steps"][0]["alreadyOnBase"], true, "{ran}");
    }
}

#[test]
fn a_directory_is_compared_with_a_revision_of_its_repository() {
    for ws in each("base folder") {
        let remote = scene(&ws);
        let folder = remote.work().join("manifests");
        ws.write(
            "roster.yaml",
            format!(
                "apiVersion: roster/v1\nsources: [{{name: shop, directory: '{}'}}]\n",
                folder.display()
            ),
        );
        tells_the_branch_apart(&ws, &remote, &["--base", "main"]);
        tells_the_branch_apart(&ws, &remote, &["--base", "HEAD^1"]);
        // A saved plan keeps it, and applies everything.
        plan(&ws, &["--base", "main", "--out", "plan.json"]).exits(0);
        let shown = ws
            .run(&["show", "plan.json", "--output", "text"])
            .exits(0)
            .stdout;
        assert!(
            shown.contains("already\n  Users: 1 to update, 6 held"),
            "{shown}"
        );
        ws.run(&["apply", "plan.json", "--yes"]);
        assert_eq!(
            ws.value("SELECT company FROM users WHERE external_id = 'u-3'"),
            Some("Acme".to_owned())
        );
        assert_eq!(
            ws.value("SELECT phone FROM users WHERE external_id = 'u-1'"),
            Some("+46111111111".to_owned())
        );
    }
}

#[test]
fn what_is_found_at_the_base_already_comes_after_what_the_branch_adds() {
    for ws in each("base warnings") {
        // No VAT number looks like this, which is a warning.
        let of = |id: &str, vat: &str| account(id, &format!("vatNumber: {vat}"));
        let main = of("acme", "SE5560000012") + &user("u-1", "acme", "");
        let remote = Remote::with(&main);
        configure(&ws, &remote.url(), ", ref: main");
        apply(&ws, &[]).exits(0);
        remote.git(&["checkout", "--quiet", "-b", "beta"]);
        // Above it, so that the one at the base is at another line.
        let more = of("beta", "SE5560000034") + &main + &user("u-2", "beta", "");
        remote.write("manifests/all.yaml", more);
        remote.push("Another account");
        let base = remote.git(&["rev-parse", "main"]);
        for options in [&["--revision", "beta"][..], &["--base", "main"]] {
            if options[0] == "--base" {
                configure(&ws, &remote.url(), ", ref: beta");
            }
            let ran = plan(&ws, options).exits(0);
            let found = ran.plans()[0]["diagnostics"].clone();
            let found = found.as_array().expect("a list").iter();
            let warnings = found.filter(|it| it["severity"] == "warning");
            let marked: Vec<(String, bool)> = warnings
                .map(|it| {
                    let id = it["externalId"].as_str().unwrap_or_default().to_owned();
                    (id, it["alreadyOnBase"] == Value::Bool(true))
                })
                .collect();
            let expected = [("beta".to_owned(), false), ("acme".to_owned(), true)];
            assert_eq!(marked, expected, "{}: {ran}", ws.engine);

            let text = ws.run(&[&["plan", "--output", "text"], options].concat());
            let text = text.exits(0).stdout;
            let waits = format!("Waits at {} already\n  Found: 1 warning\n", &base[..12]);
            let (own, rest) = text.split_once(&waits).expect("what waits");
            assert!(
                own.contains("SE5560000034") && !text.contains("SE5560000012"),
                "{text}"
            );
            assert!(rest.contains("\nFound: 1 warning.\n"), "{text}");
            let full = [&["plan", "--output", "text", "--detail", "full"], options].concat();
            assert!(ws.run(&full).exits(0).stdout.contains("SE5560000012"));

            let markdown = ws.run(&[&["plan", "--output", "markdown"], options].concat());
            let markdown = markdown.exits(0).stdout;
            let fold = format!(
                "<details><summary>Found at {} already: 1 warning</summary>\n\n- **warning**",
                &base[..12]
            );
            let (own, rest) = markdown.split_once(&fold).expect("a fold");
            assert!(
                own.contains("SE5560000034") && !own.contains("SE5560000012"),
                "{markdown}"
            );
            assert!(rest.contains("SE5560000012"), "{markdown}");
            assert!(!markdown.contains("<summary>Waits at"), "{markdown}");
        }
        // A saved plan keeps the marks.
        plan(&ws, &["--base", "main", "--out", "plan.json"]).exits(0);
        let shown = ws.run(&["show", "plan.json", "--output", "text"]).exits(0);
        assert!(
            shown.stdout.contains("already\n  Found: 1 warning\n"),
            "{shown}"
        );
    }
}

#[test]
fn what_the_branch_changes_differently_is_its_own() {
    for ws in each("base differs") {
        let remote = scene(&ws);
        // The branch keeps two of the six, and has another number for the user.
        let other = (1, "phone: \"+46222222222\"");
        remote.write("manifests/all.yaml", people(36, &[other]));
        remote.push("Two of them stay");
        let ran = plan(&ws, &["--revision", "company"]).exits(0);
        let gone = (37..=40).map(|n| (format!("u-{n}"), false));
        let mut expected: Vec<_> = gone.collect();
        expected.insert(0, ("u-1".to_owned(), false));
        let mut found = on_base(&ran, "steps");
        found.sort();
        // Four are no longer too many, so the branch is what removes them.
        assert_eq!(found, expected, "{}: {ran}", ws.engine);
        assert_eq!(on_base(&ran, "held"), []);
    }
}

#[test]
fn a_base_that_is_not_there_is_named() {
    let ws = sqlite();
    let remote = scene(&ws);
    let ran = plan(&ws, &["--base", "no-such-branch"]).exits(1);
    assert!(ran.stderr.contains("no-such-branch"), "{ran}");
    // Without anything that waits, the plan is as without a base.
    apply(&ws, &["--accept", "User.deactivate=6"]).exits(0);
    let ran = plan(&ws, &["--revision", "company"]).exits(0);
    assert_eq!(on_base(&ran, "steps"), [("u-3".to_owned(), false)], "{ran}");
    assert!(ran.plans()[0]["base"].is_null(), "{ran}");
    drop(remote);
}

#[test]
fn markdown_lists_the_changes_by_account() {
    for ws in each("by account") {
        let tree = |users: &str| account("acme", "") + &account("beta", "") + users;
        let [one, two] = ["u-1", "u-2"].map(|id| user(id, "acme", ""));
        let [three, four] = ["u-3", "u-4"].map(|id| user(id, "beta", ""));
        ws.tree(tree(&(one.clone() + &two + &three + &four)));
        ws.settle(&[]);
        // One goes, so that only the database knows the account.
        let moved = three.replace("Karin", "Britta");
        ws.tree(tree(&(one + &moved + &four)));
        let ran = ws
            .run(&["plan", "manifests", "--output", "markdown"])
            .exits(0);
        let rows = "<details><summary>By account: 2 accounts</summary>\n\n| Account | Changes |\n| --- | --- |\n\
                    | `acme` | deactivate `User/u-2` |\n| `beta` | update `User/u-3` |\n\n</details>\n";
        assert!(ran.stdout.contains(rows), "{}: {ran}", ws.engine);
        // A saved plan has them too, so it is shown in the same words.
        let of_plan = without_next_step(&ran.stdout);
        let saved = ["plan", "manifests", "--out", "plan.json"];
        ws.run(&[&saved[..], &["--output", "text"]].concat())
            .exits(0);
        let shown = ws.run(&["show", "plan.json", "--output", "markdown"]);
        assert_eq!(without_next_step(&shown.exits(0).stdout), of_plan);
        let document = ws.run(&["plan", "manifests"]).exits(0);
        assert_eq!(
            document.plans()[0]["accounts"],
            serde_json::json!([
                {"account": "acme", "resources": ["User/u-2"]},
                {"account": "beta", "resources": ["User/u-3"]}
            ])
        );
        ws.write("stdout.json", &document.stdout);
        let shown = ws.run(&["show", "stdout.json", "--output", "markdown"]);
        assert_eq!(without_next_step(&shown.exits(0).stdout), of_plan);
        ws.run(&["apply", "plan.json", "--yes"]).exits(0);
    }
}

/// Markdown without the line that says how to apply the plan, which depends on where it comes from.
fn without_next_step(markdown: &str) -> String {
    let lines = markdown.lines();
    let kept = lines.filter(|line| !line.starts_with("**Next:**"));
    kept.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_branch_that_takes_back_what_waits_says_so() {
    for ws in each("base taken back") {
        let remote = scene(&ws);
        remote.git(&["checkout", "--quiet", "-b", "back", "main"]);
        remote.write("manifests/all.yaml", people(40, &[]));
        remote.push("All as before");
        let text = ["plan", "--revision", "back", "--output", "text"];
        let ran = ws.run(&text).exits(0);
        let said = "7 resources that wait to be changed at the base are not changed by this plan: ";
        assert!(ran.stdout.contains(said), "{}: {ran}", ws.engine);
        assert!(ran.stdout.contains("deactivate User/u-35"), "{ran}");
        // The branch that keeps it says nothing.
        let kept = ws.run(&["plan", "--revision", "company", "--output", "text"]);
        assert!(!kept.stdout.contains("not-in-plan"), "{kept}");
    }
}

//! What findings say, of whom and where.

use crate::support::workspace::{Ran, Workspace, account, run, sqlite, user, users};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Instant;

pub fn validated(ws: &Workspace, output: &str) -> Ran {
    let mut command = ws.command(&["validate", "manifests"]);
    run(command.env("ROSTER_OUTPUT", output))
}

/// What `validate` prints of a tree of one file.
pub fn told(yaml: &str) -> String {
    let ws = sqlite();
    ws.tree(yaml);
    validated(&ws, "text").stdout
}

fn tag(name: &str) -> String {
    format!("kind: Tag\nexternalId: premium\nname: {name}\n")
}

#[test]
fn what_a_broken_file_may_declare_is_not_missing() {
    for broken in [
        "accounts: [\n",
        "kind: Acount\nexternalId: acme\n",
        "acounts: []\n",
        "accounts:\n  - {externalId: \"a cmé\n",
        "accounts: {externalId: acme}\n",
    ] {
        let ws = sqlite();
        ws.write("manifests/a.yaml", broken);
        ws.write("manifests/u.yaml", users(0..30, "acme", ""));
        let ran = validated(&ws, "json");
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(!ran.codes("error").contains("reference"), "{broken}: {ran}");
        assert_eq!(
            ran.stdout.matches("not checked because").count(),
            1,
            "{ran}"
        );
        assert!(ran.stdout.contains("30 references"), "{ran}");
    }
    // Another kind is missing all the same.
    let ws = sqlite();
    ws.write("manifests/a.yaml", account("acme", "tags: [gold]"));
    ws.write("manifests/u.yaml", "users:\n  - {civility: MR}\n");
    let ran = validated(&ws, "json");
    assert!(ran.codes("error").contains("reference"), "{ran}");
    assert!(ran.codes("error").contains("account-without-user"), "{ran}");
}

#[test]
fn what_depends_on_a_broken_file_is_held_and_never_applied() {
    for ws in crate::support::workspace::each("broken holds") {
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources: [{name: d, directory: manifests, onError: hold}]\n",
        );
        ws.write("manifests/a.yaml", account("acme", ""));
        ws.write("manifests/u.yaml", users(0..3, "acme", ""));
        ws.run(&["apply", "--yes"]).exits(0);
        ws.write("manifests/b.yaml", "accounts: [\n");
        ws.write("manifests/w.yaml", user("w-1", "beta", ""));
        let ran = ws.run(&["apply", "--yes"]).exits(1);
        assert!(
            ran.held().iter().any(|held| held.contains("User/w-1")),
            "{ran}"
        );
        ws.write("manifests/b.yaml", account("beta", ""));
        ws.run(&["apply", "--yes"]).exits(0);
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn a_bad_member_does_not_hide_another() {
    let text = told(
        &(account("acme", "")
            + &user(
                "u-1",
                "acme",
                "accounts: [{account: nope, level: boss}, gone, acme]",
            )),
    );
    for words in [
        "`boss` is not one of",
        "Account/nope does not exist",
        "Account/gone does not exist",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("Account/acme does not exist"), "{text}");
}

#[test]
fn the_place_is_the_member_and_the_alias() {
    let lines =
        "accounts:\n  - acme\n  - {level: user, account: nope}\ngroups: [FOC_User, FOC_Usr]";
    let yaml = account("acme", "") + &user("u-1", "acme", lines);
    let text = told(&yaml);
    let line = |word: &str| {
        1 + yaml
            .lines()
            .position(|line| line.contains(word))
            .expect("a line")
    };
    assert!(
        text.contains(&format!("all.yaml:{}:28", line("nope"))),
        "{text}"
    );
    assert!(
        text.contains(&format!("all.yaml:{}:20", line("FOC_Usr"))),
        "{text}"
    );

    let yaml = "x-a: &bad MRX\nx-b: &base\n  civility: MISTER\nusers:\n  - {externalId: u-1, civility: *bad}\n  - {externalId: u-2, <<: *base}\n";
    let ws = sqlite();
    ws.tree(yaml);
    let text = validated(&ws, "text").stdout;
    assert!(
        text.contains("--> all.yaml:5:33") && text.contains("note: see all.yaml:1:11"),
        "{text}"
    );
    assert!(
        text.contains("--> all.yaml:6:27") && text.contains("note: see all.yaml:3:"),
        "{text}"
    );
}

#[test]
fn bad_yaml_says_what_to_write() {
    for (value, words) in [
        ("Foo: Bar", "Quote the value: `name: \"Foo: Bar\"`"),
        ("@home", "Quote the value: `name: \"@home\"`"),
        ("`tick`", "Quote the value: `name: \"`tick`\"`"),
        ("%5", "Quote the value: `name: \"%5\"`"),
        ("*x", "Quote the value: `name: \"*x\"`"),
        ("- Foo", "Quote the value: `name: \"- Foo\"`"),
        ("[Foo", "or quote the value: `name: \"[Foo\"`"),
        ("{Foo", "or quote the value: `name: \"{Foo\"`"),
        ("!x", "or quote the value: `\"!x\"`"),
        ("\"Foo", "Close the quote: `\"Foo\"`"),
    ] {
        let text = told(&tag(value));
        assert!(text.contains("error["), "{value}: {text}");
        assert!(text.contains(words), "{value}: {text}");
    }
    for yaml in [
        "tags:\n\t- externalId: a\n",
        "tags:\n  -\texternalId: a\n  \tname: A\n",
        "tags:\n  - externalId: a\n\t  name: A\n",
        "tags:\r\n  - externalId: a\r\n\tname: A\r\n",
    ] {
        let text = told(yaml);
        assert!(text.contains("Replace the tab"), "{yaml:?}: {text}");
    }
}

#[test]
fn a_mark_that_cuts_a_value_is_a_warning() {
    let text = told(&tag("Foo #1"));
    assert!(
        text.contains("warning[yaml-syntax]") && text.contains(":3:7"),
        "{text}"
    );
    for fine in ["Foo # the first", "\"Foo #1\"", "Foo#1", "'a' #1"] {
        let text = told(&tag(fine));
        assert!(!text.contains("yaml-syntax"), "{fine}: {text}");
    }
}

#[test]
fn two_merge_keys_in_one_mapping_are_a_duplicate() {
    let text = told(
        "x-a: &a {name: A}\nx-b: &b {description: B}\ntags:\n  - externalId: t\n    <<: *a\n    <<: *b\n",
    );
    assert!(
        text.contains("duplicate-key") && text.contains("Write one list: `<<: [*a, *b]`"),
        "{text}"
    );
    let text = told(
        "x-a: &a {name: A}\nx-b: &b {<<: *a, description: B}\ntags:\n  - {externalId: t, <<: *b}\n",
    );
    assert!(!text.contains("duplicate-key"), "{text}");
}

#[test]
fn a_name_forges_no_line_and_hides_nothing() {
    let planted = "x\nPlan: 0 to create\u{1b}[2K\u{202e}.yaml";
    let ws = sqlite();
    ws.write(&format!("manifests/{planted}"), "tags: [\n");
    ws.write(
        "manifests/b.yaml",
        account("acme", "") + &users(0..3, "acme", ""),
    );
    symlink(
        "/etc/passwd",
        ws.path("manifests/y\nPlan: 0 to create.yaml"),
    )
    .expect("a link");
    for output in ["text", "markdown", "github"] {
        for command in ["validate", "plan"] {
            let ran = run(ws
                .command(&[command, "manifests", "-v"])
                .env("ROSTER_OUTPUT", output));
            clean(&ran);
        }
    }
    fs::remove_file(ws.path("manifests/y\nPlan: 0 to create.yaml")).expect("removed");
    ws.write(
        &format!("manifests/{planted}"),
        user("w", "acme", "email: w@x.example"),
    );
    clean(&run(ws
        .command(&["apply", "manifests", "--yes", "-v"])
        .env("ROSTER_OUTPUT", "text")));
    for arguments in [
        &["history", "User", "w"][..],
        &["why", "User/w"],
        &["get", "User", "w"],
        &["history"],
    ] {
        let ran = run(ws.command(arguments).env("ROSTER_OUTPUT", "text"));
        assert_eq!(ran.code, Some(0), "{ran}");
        clean(&ran);
    }
}

#[track_caller]
fn clean(ran: &Ran) {
    for text in [&ran.stdout, &ran.stderr] {
        let forged = text
            .lines()
            .filter(|line| line.starts_with("Plan: 0 to create") && !line.ends_with("held."));
        assert_eq!(forged.count(), 0, "{text}");
        assert!(
            !text.contains('\u{1b}') && !text.contains('\u{202e}'),
            "{text:?}"
        );
    }
}

#[test]
fn many_findings_of_one_cause_are_one() {
    let ws = sqlite();
    let users: String = (0..3000)
        .map(|n| {
            user(
                &format!("u-{n}"),
                "acme",
                if n % 2 == 0 {
                    "civility: MX"
                } else {
                    "organisations: [gone]"
                },
            )
        })
        .collect();
    ws.tree(account("acme", "") + &users);
    for command in ["validate", "plan"] {
        for output in ["text", "markdown"] {
            let ran = run(ws
                .command(&[command, "manifests"])
                .env("ROSTER_OUTPUT", output));
            assert!(ran.stdout.lines().count() < 40, "{ran}");
            assert!(ran.stdout.contains("1,500 times: all.yaml:"), "{ran}");
            assert!(ran.stdout.contains("and 1,495 more"), "{ran}");
        }
    }
    let all = validated(&ws, "json");
    assert!(all.stdout.matches("\"reference\"").count() >= 1000, "{all}");
}

#[test]
fn twenty_thousand_faults_are_counted_in_time() {
    let files: [fn(u32) -> String; 4] = [
        |_| "  - {externalId: x}\n".to_owned(),
        |n| format!("  - {{externalId: x{n}, name: n, foo{n}: 1}}\n"),
        |n| format!("  - {{externalId: x{n}, name: n, status: s{n}}}\n"),
        |n| format!("  - {{name: n{n}}}\n"),
    ];
    for line in files {
        let ws = sqlite();
        let lines: String = (0..20_000).map(line).collect();
        ws.tree(format!("tags:\n{lines}"));
        for output in ["json", "text"] {
            let begin = Instant::now();
            let ran = validated(&ws, output);
            assert_eq!(ran.code, Some(1), "{ran}");
            assert!(
                begin.elapsed().as_secs() < 40,
                "{}: {:?}",
                line(7),
                begin.elapsed()
            );
            if output == "json" {
                let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
                let shown = document["diagnostics"].as_array().expect("findings").len();
                assert!(shown <= 3000, "{shown}");
                assert!(
                    document["truncated"][0]["count"].as_u64().expect("a count") >= 18_000,
                    "{}",
                    document["truncated"]
                );
            }
        }
    }
}

#[test]
fn a_value_that_yaml_takes_away_is_warned_about() {
    for (value, words) in [
        ("&Co KG", "an anchor, not part of the value"),
        ("&Partner", "an anchor, not part of the value"),
        ("#2 in the list", "starts a comment"),
        ("Foo #1", "starts a comment"),
    ] {
        let text = told(&(tag("Good") + &format!("description: {value}\n")));
        assert!(
            text.contains("warning[yaml-syntax]") && text.contains(words),
            "{value}: {text}"
        );
    }
    for fine in [
        "\"&Co KG\"",
        "\"#2\"",
        "Foo # said by the office",
        "# to come",
        "A&B",
    ] {
        let text = told(&(tag("Good") + &format!("description: {fine}\n")));
        assert!(!text.contains("yaml-syntax"), "{fine}: {text}");
    }
    let aliased = "tags:\n  - {externalId: a, name: &n Good}\n  - {externalId: b, name: *n}\n";
    assert!(!told(aliased).contains("yaml-syntax"));
}

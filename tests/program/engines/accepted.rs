//! What a source's pass does not accept decides nothing for the other sources.

use crate::support::workspace::{Ran, Workspace, account, each, user};

/// Two directories; `a` and `b` are further settings of each, `more` is further configuration.
fn configure(ws: &Workspace, a: &str, b: &str, more: &str) {
    ws.write("roster.yaml", format!(
        "apiVersion: roster/v1\nsources:\n  - {{name: a, directory: a{a}}}\n  - {{name: b, directory: b{b}}}\n{more}"
    ));
}

fn apply(ws: &Workspace, by_source: bool, order: [&str; 2]) -> Vec<Ran> {
    if !by_source {
        return vec![ws.run(&["apply", "--yes"])];
    }
    let one = |source| ws.run(&["apply", "--yes", "--source", source]);
    order.map(one).into()
}

fn steps(ran: &[Ran]) -> Vec<String> {
    ran.iter().flat_map(Ran::steps).collect()
}

fn findings(ran: &[Ran]) -> Vec<String> {
    ran.iter().flat_map(Ran::findings).collect()
}

fn off(ws: &Workspace) -> Vec<Option<String>> {
    ws.column("SELECT external_id FROM users WHERE status <> 'active'")
}

/// Ways to plan: all sources in one run, and one by one in either order.
const WAYS: [(bool, [&str; 2]); 3] = [(false, ["a", "b"]), (true, ["a", "b"]), (true, ["b", "a"])];

/// A user moves from a to b while b has `fault`; nobody is deactivated, before or after its repair.
fn moves(fault: &str, settings: &str) {
    for (by_source, order) in WAYS {
        for ws in each("moves") {
            configure(&ws, "", settings, "");
            let a = account("acme", "") + &user("u-1", "acme", "") + &user("u-2", "acme", "");
            let moving = user("u-3", "acme", "");
            ws.write("a/all.yaml", a.clone() + &moving);
            ws.write("b/all.yaml", user("u-4", "acme", ""));
            ws.run(&["apply", "--yes"]).exits(0);
            let way = format!("{}: {by_source} {order:?}", ws.engine);

            ws.write("a/all.yaml", &a);
            let there = user("u-4", "acme", "") + &moving;
            ws.write("b/all.yaml", there.clone() + fault);
            for pass in 0..2 {
                let ran = apply(&ws, by_source, order);
                assert_eq!(off(&ws), [], "{way}: {ran:?}", ran = steps(&ran));
                let found = findings(&ran);
                let said = ["warning removals-off", "note still-declared User/u-3"];
                assert!(
                    pass == 1 || said.iter().any(|said| found.contains(&(*said).to_owned())),
                    "{way}: {found:?}"
                );
            }
            ws.write("b/all.yaml", there);
            apply(&ws, by_source, order);
            apply(&ws, by_source, order);
            assert_eq!(off(&ws), [], "{way}");
            let claims = "SELECT source FROM claims WHERE external_id = 'u-3' AND state = 'active'";
            assert_eq!(ws.column(claims), [Some("b".to_owned())], "{way}");
            ws.run(&["plan", "--detailed-exitcode"]).exits(0);
        }
    }
}

#[test]
fn a_user_who_moves_into_a_file_with_a_syntax_error_stays() {
    moves("---\nusers: [\n", "");
}

#[test]
fn a_user_who_moves_into_a_source_that_a_rule_refuses_stays() {
    moves(&user("u-5", "nowhere", ""), "");
}

#[test]
fn a_user_who_moves_into_a_source_with_held_errors_stays() {
    moves("---\nusers: [\n", ", onError: hold");
}

#[test]
fn what_goes_elsewhere_stays_while_a_source_is_refused_and_goes_once_it_is_not() {
    for (by_source, order) in WAYS {
        for ws in each("refused") {
            configure(&ws, "", "", "");
            let users = |range: std::ops::Range<u32>| {
                let users = range.map(|n| user(&format!("u-{n}"), "acme", ""));
                account("acme", "") + &users.collect::<String>()
            };
            ws.write("a/all.yaml", users(0..12));
            ws.write("b/all.yaml", "tags: [{externalId: t, name: T}]\n");
            ws.run(&["apply", "--yes"]).exits(0);
            ws.write("a/all.yaml", users(0..11));
            let faulty = account("other", "tags: [none]");
            ws.write(
                "b/all.yaml",
                format!("tags: [{{externalId: t, name: T}}]\n{faulty}"),
            );
            let ran = apply(&ws, by_source, order);
            let way = format!("{}: {by_source} {order:?}", ws.engine);
            assert_eq!(steps(&ran), Vec::<String>::new(), "{way}");
            let named = ran.iter().any(|ran| ran.stdout.contains("source b"));
            assert!(
                named && findings(&ran).contains(&"warning removals-off".to_owned()),
                "{way}"
            );
            ws.write("b/all.yaml", "tags: [{externalId: t, name: T}]\n");
            let ran = apply(&ws, by_source, order);
            assert_eq!(steps(&ran), ["deactivate User/u-11"], "{way}");
            ws.run(&["plan", "--detailed-exitcode"]).exits(0);
        }
    }
}

#[test]
fn what_one_source_creates_and_the_other_needs_refuses_neither() {
    for ws in each("needs") {
        configure(&ws, "", "", "");
        let users = |range: std::ops::Range<u32>| {
            let users = range.map(|n| user(&format!("u-{n}"), "acme", ""));
            account("acme", "") + &users.collect::<String>()
        };
        ws.write("a/all.yaml", users(0..12));
        ws.write("b/all.yaml", "# nothing yet\n");
        ws.run(&["apply", "--yes"]).exits(0);
        // b refers to what a creates in the same run, in which a user goes.
        ws.write(
            "a/all.yaml",
            users(0..11) + &account("new", "") + &user("n-1", "new", ""),
        );
        ws.write("b/all.yaml", user("u-20", "new", ""));
        let ran = ws.run(&["apply", "--yes"]).exits(0);
        assert!(
            ran.steps().contains(&"deactivate User/u-11".to_owned()),
            "{ran}"
        );
        ws.run(&["plan", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn a_refused_tree_decides_no_field() {
    for order in ["[a, b]", "[b, a]"] {
        for ws in each("no field") {
            configure(&ws, "", "", &format!("order: {order}\n"));
            let git = |name: &str| {
                account("acme", "") + &user("u-1", "acme", &format!("company: {name}"))
            };
            ws.write("a/all.yaml", git("First"));
            ws.write("b/all.yaml", user("u-1", "acme", "company: First"));
            ws.run(&["apply", "--yes"]).exits(0);
            // What b says is refused with it: it stands by what it said before.
            ws.write("a/all.yaml", git("Second"));
            let faulty = user("u-2", "nowhere", "");
            ws.write(
                "b/all.yaml",
                user("u-1", "acme", "company: Second") + &faulty,
            );
            let ran = ws.run(&["apply", "--yes"]).exits(1);
            let stored = ws.value("SELECT company FROM users");
            let (wanted, note) = if order == "[a, b]" {
                ("Second", false)
            } else {
                ("First", true)
            };
            assert_eq!(
                stored.as_deref(),
                Some(wanted),
                "{}: {order}: {ran}",
                ws.engine
            );
            let said = ran.codes("note").contains("authority-waits");
            assert_eq!(said, note, "{}: {order}: {ran}", ws.engine);
        }
    }
}

#[test]
fn a_source_that_only_plans_says_what_waits_for_it() {
    for ws in each("mode plan") {
        configure(&ws, "", "", "order: [b, a]\n");
        let yaml = |company: &str| {
            account("acme", "") + &user("u-1", "acme", &format!("company: {company}"))
        };
        ws.write("a/all.yaml", yaml("First"));
        ws.write("b/all.yaml", user("u-1", "acme", "company: First"));
        ws.run(&["apply", "--yes"]).exits(0);
        configure(&ws, "", ", mode: plan", "order: [b, a]\n");
        ws.write("a/all.yaml", yaml("Second"));
        for _ in 0..2 {
            let ran = ws.run(&["apply", "--yes", "--source", "a"]).exits(0);
            assert_eq!(ran.steps(), Vec::<String>::new(), "{}: {ran}", ws.engine);
            assert!(ran.codes("note").contains("authority-waits"), "{ran}");
            assert!(ran.stdout.contains("mode: apply"), "{ran}");
        }
        // By a tree that was never applied it decides nothing.
        let manager = |name: &str| format!("managerName: {name}");
        let b = format!("---\nkind: Account\nexternalId: acme\n{}\n", manager("B"));
        ws.write("b/all.yaml", user("u-1", "acme", "company: First") + &b);
        let a = account("acme", &manager("A")) + &user("u-1", "acme", "company: First");
        ws.write("a/all.yaml", a);
        let ran = ws.run(&["apply", "--yes", "--source", "a"]).exits(0);
        let changes = ran.changes();
        assert_eq!(
            changes,
            ["update Account/acme: managerName"],
            "{}: {ran}",
            ws.engine
        );
        assert!(ran.codes("note").contains("authority-waits"), "{ran}");
    }
}

#[test]
fn the_same_value_in_another_form_is_no_conflict_and_is_not_written_in_turn() {
    let pairs = [
        ("email: Ann@x.example", "email: ann@x.example"),
        ("firstName: \"A\u{30a}sa\"", "firstName: \"\u{c5}sa\""),
        ("phone: \"0046 63 12 34\"", "phone: \"+46631234\""),
    ];
    for (a, b) in pairs {
        for order in ["", "order: [a, b]\n", "order: [b, a]\n"] {
            for ws in each("equal") {
                configure(&ws, "", "", order);
                ws.write("a/all.yaml", account("acme", "") + &user("u-1", "acme", a));
                ws.write("b/all.yaml", user("u-1", "acme", b));
                let ran = ws.run(&["apply", "--yes"]).exits(0);
                assert_eq!(
                    ran.held(),
                    Vec::<String>::new(),
                    "{}: {order}{ran}",
                    ws.engine
                );
                for source in ["a", "b", "a"] {
                    for more in [&[][..], &["--scrub"]] {
                        let plan = [&["plan", "--source", source], more].concat();
                        let ran = ws.run(&plan).exits(0);
                        assert_eq!(
                            ran.steps(),
                            Vec::<String>::new(),
                            "{}: {order}{ran}",
                            ws.engine
                        );
                    }
                }
                // One of them changes: that is a conflict, or a change, as ever.
                ws.write(
                    "b/all.yaml",
                    user(
                        "u-1",
                        "acme",
                        "email: new@x.example\nfirstName: New\nphone: \"+469999\"",
                    ),
                );
                let ran = ws.run(&["plan", "--source", "b"]);
                let decided = order == "order: [b, a]\n";
                assert_eq!(
                    ran.steps().is_empty(),
                    !decided,
                    "{}: {order}{ran}",
                    ws.engine
                );
            }
        }
    }
}

#[test]
fn a_seed_gives_way_to_a_source_that_clears() {
    for order in ["", "order: [a, b]\n", "order: [b, a]\n"] {
        for ws in each("seed and clear") {
            configure(&ws, ", authority: {User: {seed: [company]}}", "", order);
            ws.write(
                "a/all.yaml",
                account("acme", "") + &user("u-1", "acme", "company: Seed"),
            );
            ws.write(
                "b/all.yaml",
                "kind: User\nexternalId: u-1\nclear: [company]\n",
            );
            let company = || ws.value("SELECT company FROM users");
            let ran = ws.run(&["apply", "--yes"]).exits(0);
            assert_eq!(
                (ran.held(), company()),
                (vec![], None),
                "{}: {order}{ran}",
                ws.engine
            );
            for source in ["a", "b", "a"] {
                let ran = ws.run(&["apply", "--yes", "--source", source]).exits(0);
                assert_eq!(
                    (ran.steps(), ran.held()),
                    (vec![], vec![]),
                    "{}: {order}{ran}",
                    ws.engine
                );
            }
            assert_eq!(company(), None, "{}: {order}", ws.engine);
        }
    }
}

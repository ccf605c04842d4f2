//! A pass that trusts what it knows says what one says that compares everything, also when another
//! source takes something back.

use crate::support::workspace::{Ran, Workspace, account, each, user};

/// Both passes say the same; returns what they say.
#[track_caller]
fn planned(ws: &Workspace, source: &str, code: i32) -> Ran {
    let plan = ws.run(&["plan", "--source", source]).exits(code);
    let scrubbed = ws.run(&["plan", "--source", source, "--scrub"]).exits(code);
    assert_eq!(plan.stdout, scrubbed.stdout, "{}", ws.engine);
    plan
}

fn two(name: &str) -> Vec<Workspace> {
    let all = each(name);
    for ws in &all {
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources: [{name: a, directory: a}, {name: b, directory: b}]\n",
        );
        ws.write(
            "a/acme.yaml",
            account("acme", "") + &user("u-1", "acme", ""),
        );
        ws.write("a/two.yaml", user("u-2", "acme", ""));
        for at in 0..6 {
            let tag = format!("tags: [{{externalId: t-{at}, name: T}}]\n");
            ws.write(&format!("a/tag-{at}.yaml"), &tag);
        }
        ws.write("b/tag.yaml", "tags: [{externalId: t-b, name: T}]\n");
        ws.run(&["apply", "--yes"]).exits(0);
    }
    all
}

const OFF: &str = "kind: User\nexternalId: u-2\nstatus: inactive\n";

#[test]
fn an_inactive_status_that_its_source_takes_back_with_its_document_is_held() {
    for ws in two("taken back") {
        ws.write("b/off.yaml", OFF);
        ws.run(&["apply", "--yes"]).exits(0);
        for source in ["a", "b"] {
            assert_eq!(
                planned(&ws, source, 0).steps(),
                Vec::<String>::new(),
                "{}",
                ws.engine
            );
        }
        ws.remove("b/off.yaml");
        ws.run(&["apply", "--yes", "--source", "b"]).exits(0);
        for _ in 0..2 {
            let plan = planned(&ws, "a", 3);
            assert_eq!(
                plan.held(),
                ["reactivation User/u-2"],
                "{}: {plan}",
                ws.engine
            );
            assert_eq!(plan.steps(), Vec::<String>::new(), "{}: {plan}", ws.engine);
            ws.run(&["apply", "--yes"]).exits(3);
        }
        assert_eq!(
            ws.value("SELECT status FROM users WHERE external_id = 'u-2'")
                .as_deref(),
            Some("inactive")
        );
    }
}

#[test]
fn an_inactive_status_that_is_no_longer_written_activates() {
    for ws in two("not written") {
        ws.write("b/off.yaml", OFF);
        ws.run(&["apply", "--yes"]).exits(0);
        ws.write(
            "b/off.yaml",
            "kind: User\nexternalId: u-2\nfirstName: Karin\n",
        );
        let plan = planned(&ws, "b", 0);
        assert_eq!(
            plan.steps(),
            ["reactivate User/u-2"],
            "{}: {plan}",
            ws.engine
        );
        ws.run(&["apply", "--yes"]).exits(0);
        for source in ["a", "b"] {
            assert_eq!(
                planned(&ws, source, 0).steps(),
                Vec::<String>::new(),
                "{}",
                ws.engine
            );
        }
    }
}

//! Custom values are typed by the custom fields that there are when their source is planned, and
//! nothing that is wrong with one is left unsaid.

use crate::support::workspace::{Ran, Workspace, account, each, user};

/// A text field of accounts.
const CLASS: &str =
    "customFields: [{externalId: class, appliesTo: account, name: C, type: text}]\n";

/// The sources `a` and `b`, in that order.
fn two(name: &str) -> Vec<Workspace> {
    let all = each(name);
    for ws in &all {
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources: [{name: a, directory: a}, {name: b, directory: b}]\n",
        );
    }
    all
}

fn acme(custom: &str) -> String {
    account("acme", &format!("customFields: {{{custom}}}")) + &user("u-1", "acme", "")
}

fn values(ws: &Workspace) -> String {
    let values = ws.column("SELECT custom_fields FROM accounts WHERE external_id = 'acme'");
    values.into_iter().flatten().collect()
}

#[track_caller]
fn settled(ws: &Workspace) {
    for scrub in [&["plan"][..], &["plan", "--scrub"]] {
        let plan = ws.run(scrub).exits(0);
        assert_eq!(plan.steps(), Vec::<String>::new(), "{}: {plan}", ws.engine);
        assert_eq!(plan.held(), Vec::<String>::new(), "{}: {plan}", ws.engine);
    }
}

/// A pass that trusts what it knows says the same as one that compares everything.
#[track_caller]
fn planned(ws: &Workspace, code: i32) -> Ran {
    let plan = ws.run(&["plan"]).exits(code);
    let scrubbed = ws.run(&["plan", "--scrub"]).exits(code);
    assert_eq!(plan.findings(), scrubbed.findings(), "{}", ws.engine);
    assert_eq!(plan.changes(), scrubbed.changes(), "{}", ws.engine);
    assert_eq!(plan.held(), scrubbed.held(), "{}", ws.engine);
    plan
}

#[test]
fn a_value_of_a_field_that_an_earlier_source_defines_is_stored() {
    for ws in two("defined before") {
        ws.write("a/all.yaml", CLASS)
            .write("b/all.yaml", acme("class: A"));
        let plan = ws.run(&["plan"]).exits(0);
        assert_eq!(plan.codes("error"), [].into(), "{}: {plan}", ws.engine);
        ws.run(&["apply", "--yes"]).exits(0);
        assert!(
            values(&ws).contains("\"A\""),
            "{}: {}",
            ws.engine,
            values(&ws)
        );
        settled(&ws);
    }
}

#[test]
fn a_value_of_a_field_that_a_later_source_defines_is_an_error_until_then() {
    for ws in two("defined after") {
        ws.write("a/all.yaml", acme("class: A"))
            .write("b/all.yaml", CLASS);
        let first = ws.run(&["apply", "--yes"]).exits(1);
        assert!(
            first
                .findings()
                .contains("error custom-field-unknown Account/acme"),
            "{}: {first}",
            ws.engine
        );
        assert!(
            first.stdout.contains("Source b defines it"),
            "{}: {first}",
            ws.engine
        );
        assert_eq!(values(&ws), "", "{}", ws.engine);
        ws.run(&["apply", "--yes"]).exits(0);
        assert!(
            values(&ws).contains("\"A\""),
            "{}: {}",
            ws.engine,
            values(&ws)
        );
        settled(&ws);
    }
}

#[test]
fn a_value_is_typed_anew_when_an_earlier_source_changes_its_field() {
    for ws in two("defined anew") {
        let class = |options: &str| {
            format!(
                "customFields: [{{externalId: class, appliesTo: account, name: C, type: list, options: [{options}]}}]\n"
            )
        };
        ws.write("a/all.yaml", class("A, B"))
            .write("b/all.yaml", acme("class: A"));
        ws.run(&["apply", "--yes"]).exits(0);
        settled(&ws);
        // A new option, and its first use, in one apply.
        ws.write("a/all.yaml", class("A, B, Gold"))
            .write("b/all.yaml", acme("class: Gold"));
        ws.run(&["apply", "--yes"]).exits(0);
        assert!(
            values(&ws).contains("Gold"),
            "{}: {}",
            ws.engine,
            values(&ws)
        );
        settled(&ws);
        // The option that the other source uses goes.
        ws.write("a/all.yaml", class("A, B"));
        let refused = ws.run(&["apply", "--yes"]).exits(1);
        assert!(
            refused
                .findings()
                .contains("error custom-field-option CustomField/class"),
            "{}: {refused}",
            ws.engine
        );
        assert!(
            values(&ws).contains("Gold"),
            "{}: {}",
            ws.engine,
            values(&ws)
        );
        // Once nobody has it, it goes.
        ws.write("b/all.yaml", acme("class: B"));
        let accept = "Account.customFields.class.unlink=1";
        ws.run(&["apply", "--yes", "--source", "b", "--accept", accept])
            .exits(0);
        ws.run(&["apply", "--yes"]).exits(0);
        settled(&ws);
        // The definition goes: what still says something of it is an error, in every pass.
        ws.write(
            "a/all.yaml",
            "customFields: [{externalId: class, status: deleted}]\n",
        );
        ws.run(&["apply", "--yes", "--allow-delete"]).exits(1);
        for _ in 0..2 {
            let plan = planned(&ws, 1);
            assert!(
                plan.findings()
                    .contains("error custom-field-unknown Account/acme"),
                "{}: {plan}",
                ws.engine
            );
        }
    }
}

#[test]
fn no_pass_leaves_a_wrong_value_unsaid() {
    for ws in each("wrong value") {
        let credit =
            "customFields: [{externalId: credit, appliesTo: account, name: C, type: number}]\n";
        ws.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources: [{name: a, directory: a}]\n",
        )
        .write("a/fields.yaml", credit);
        // So many files that a changed one is read alone.
        for at in 0..6 {
            ws.write(
                &format!("a/tag-{at}.yaml"),
                format!("tags: [{{externalId: t-{at}, name: T}}]\n"),
            );
        }
        ws.write(
            "a/acme.yaml",
            account("acme", "") + &user("u-1", "acme", ""),
        );
        ws.run(&["apply", "--yes"]).exits(0);
        ws.write("a/acme.yaml", acme("credit: \"12 thousand\", creditt: 5"));
        let wrong = [
            "error custom-field-type Account/acme".to_owned(),
            "error custom-field-unknown Account/acme".to_owned(),
        ];
        for _ in 0..2 {
            let plan = planned(&ws, 1);
            assert_eq!(
                plan.findings(),
                wrong.clone().into(),
                "{}: {plan}",
                ws.engine
            );
            ws.run(&["apply", "--yes"]).exits(1);
        }
        ws.write("a/acme.yaml", acme("credit: \"12000\""));
        ws.run(&["apply", "--yes"]).exits(0);
        assert!(
            values(&ws).contains("12000"),
            "{}: {}",
            ws.engine,
            values(&ws)
        );
        settled(&ws);
    }
}

#[test]
fn validate_knows_the_custom_fields_and_groups_of_every_source() {
    for ws in two("validated").into_iter().take(1) {
        ws.write(
            "a/all.yaml",
            format!("kind: Settings\nuserGroups: [Buyers]\n---\n{CLASS}"),
        )
        .write(
            "b/all.yaml",
            account("acme", "customFields: {class: A}") + &user("u-1", "acme", "groups: [Buyers]"),
        );
        let found = ws.run(&["validate"]).exits(0);
        assert!(found.stdout.contains("\"errors\": 0"), "{found}");
        // What no source knows is an error still.
        ws.write(
            "b/all.yaml",
            account("acme", "customFields: {clas: A}") + &user("u-1", "acme", "groups: [Byers]"),
        );
        let found = ws.run(&["validate"]).exits(1);
        assert!(found.stdout.contains("\"errors\": 2"), "{found}");
        // A source that cannot be read may define it.
        ws.write("a/all.yaml", "kind: [\n");
        let found = ws.run(&["validate", "--source", "b"]).exits(0);
        assert!(found.stdout.contains("\"note\""), "{found}");
    }
}

//! One mistake is one error: what only comes of it is counted in a warning, or not said at all.

use crate::adversarial::diagnostics::told;
use crate::support::workspace::{account, user};

/// Trees with one mistake, and what is said of its consequences.
#[track_caller]
fn one_error(cases: &[(String, &str, &str)]) {
    for (yaml, error, not_checked) in cases {
        let said = told(yaml);
        assert_eq!(said.matches("error[").count(), 1, "{yaml}\n{said}");
        assert!(said.contains(&format!("error[{error}]")), "{yaml}\n{said}");
        let warned = said.matches("not checked because").count();
        assert_eq!(
            warned,
            usize::from(!not_checked.is_empty()),
            "{yaml}\n{said}"
        );
        assert!(said.contains(not_checked), "{yaml}\n{said}");
    }
}

fn acme() -> String {
    account("acme", "")
}

/// A user of `acme` with an externalId as written.
fn called(id: &str) -> String {
    user("u-1", "acme", "").replace("externalId: u-1", &format!("externalId: {id}"))
}

#[test]
fn what_a_resource_without_a_usable_id_declares_is_not_missing() {
    let with = |id: &str| acme() + &called(id);
    let nobody = "the externalId of a User cannot be read (all.yaml:";
    one_error(&[
        (with("ü"), "id-format", nobody),
        (with("\"\""), "required", nobody),
        (with("~"), "required", nobody),
        (with("[u]"), "wrong-type", nobody),
        (
            with("u").replace("externalId: u\n", "externalid: u\n"),
            "unknown-field",
            nobody,
        ),
        (
            with("u").replace("externalId: u\n", "id: u\n"),
            "unknown-field",
            nobody,
        ),
        (
            acme() + "---\nusers: {u-1: {accounts: [acme]}}\n",
            "wrong-type",
            "`users` cannot be read",
        ),
    ]);
    // One who names another account does not excuse this one.
    let said = told(&(with("ü").replace("[acme]", "[other]") + &account("other", "")));
    assert!(
        said.contains("error[account-without-user]: Account/acme"),
        "{said}"
    );
}

#[test]
fn a_reference_that_cannot_be_read_may_be_the_missing_one() {
    let with = |accounts: &str| acme() + &user("u-1", "acme", &format!("accounts: {accounts}"));
    let torn = "`accounts` of User/u-1 has an error (all.yaml:";
    one_error(&[
        (with("[[acme]]"), "wrong-type", torn),
        (with("acme"), "wrong-type", torn),
        (with("[\"ac\\u200bme\"]"), "id-format", torn),
        (with("[{acount: acme}]"), "unknown-field", torn),
        (with("[{account: acme, level: boss}]"), "enum", torn),
        (
            with("[acme]").replace("accounts:", "acounts:"),
            "unknown-field",
            torn,
        ),
    ]);
}

#[test]
fn an_address_without_a_usable_id_is_an_address() {
    let people = user("u-1", "acme", "");
    for (id, error) in [("\"\"", "required"), ("\"a\\u200b\"", "id-format")] {
        let said = told(&(acme().replace("at-acme", id) + &people));
        assert_eq!(said.matches("error[").count(), 1, "{said}");
        assert!(said.contains(&format!("error[{error}]")), "{said}");
    }
}

#[test]
fn a_misspelt_field_is_not_missing_besides() {
    for (yaml, meant) in [
        ("tags: [{externalId: a, nam: B}]", "name"),
        ("tags: [{externalId: a, Name: B}]", "name"),
        ("tags: [{externalid: a, name: B}]", "externalId"),
        ("stores: [{id: a, name: B}]", "externalId"),
        (
            "customFields: [{externalId: a, name: A, appliesto: user, type: text}]",
            "appliesTo",
        ),
    ] {
        let said = told(yaml);
        assert_eq!(said.matches("error[").count(), 1, "{yaml}\n{said}");
        assert!(!said.contains("[required]"), "{yaml}\n{said}");
        assert!(
            said.contains(&format!("Did you mean `{meant}`?")),
            "{yaml}\n{said}"
        );
    }
    let said = told("accounts: [{name: A}]");
    assert!(said.contains("an Account without an externalId"), "{said}");
}

#[test]
fn a_definition_that_cannot_be_read_says_nothing_about_values() {
    let field = |more: &str| {
        format!("---\nkind: CustomField\nexternalId: rank\nname: Rank\nappliesTo: user\n{more}\n")
    };
    let people = |more: &str| acme() + &user("u-1", "acme", more);
    one_error(&[
        (
            people("customFields: {rank: A}") + &field("type: list\noptions: A\ndefault: A"),
            "wrong-type",
            "",
        ),
        (
            people("customFields: {rank: A}") + &field("typ: list\noptions: [A]"),
            "unknown-field",
            "",
        ),
        (
            people("") + &field("type: number\nrequired: true\ndefault: x"),
            "custom-field-type",
            "1 required custom field",
        ),
        (
            people("customFields: {rank: A}")
                + &field("type: text").replace("externalId: rank", "externalId: \"\""),
            "required",
            "1 custom field",
        ),
    ]);
}

#[test]
fn a_setting_that_cannot_be_read_judges_nothing() {
    let settings = |line: &str| format!("---\nkind: Settings\n{line}\n");
    one_error(&[
        (
            acme() + &settings("firstUser: none"),
            "enum",
            "`firstUser` of Settings/settings",
        ),
        (
            acme() + &user("u-1", "acme", "groups: [X]") + &settings("userGroups: [X, \"\"]"),
            "wrong-type",
            "1 user group",
        ),
    ]);
}

#[test]
fn a_blank_member_does_not_hide_an_unknown_one() {
    let said = told(&(acme() + &user("u-1", "acme", "groups: [X, \"\"]\nstores: [Y, \"\"]")));
    for words in [
        "`X` is not a user group",
        "Store/Y does not exist",
        "`groups` has a blank item",
        "`stores` has a blank item",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
}

#[test]
fn the_summary_names_its_cause_and_each_place_once() {
    let policy = |n: u32| {
        format!(
            "---\nkind: Policy\nexternalId: p-{n}\nname: P\naccount: acme\nreviewed: [a, b]\napprovers: [c]\n"
        )
    };
    let policies: String = (0..2).map(policy).collect();
    let said = told(&(acme() + &called("ü") + &policies));
    let summary = said.split("not checked ").nth(1).expect("a summary");
    let summary = summary.split("\n\n").next().unwrap_or_default();
    assert!(
        summary.contains("because the externalId of a User cannot be read"),
        "{said}"
    );
    assert!(summary.contains("6 references"), "{said}");
    let places: Vec<&str> = summary
        .lines()
        .filter(|line| line.contains("all.yaml:"))
        .collect();
    let mut once = places.clone();
    once.dedup();
    assert_eq!(places, once, "{said}");
}

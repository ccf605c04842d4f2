use super::CheckCase;
use super::build::told;
use crate::check::type_custom;
use crate::kinds::{ADDRESS, CUSTOM_FIELD, USER};
use crate::model::{FieldRef, Key, Value};
use std::sync::Arc;

fn field(text: &str) -> CheckCase {
    CheckCase::default().declare(
        CUSTOM_FIELD,
        "f",
        &format!("appliesTo=address;name=N;{text}"),
    )
}

/// Types an address with this cell. Returns the diagnostics, and what the cell becomes.
fn typed(mut case: CheckCase, text: &str) -> (Vec<String>, Option<Value>) {
    case = case.declare(ADDRESS, "a", text);
    let definitions = case.definitions();
    let mut found = Vec::new();
    let desired = type_custom(&Arc::new(case.desired), &definitions, &mut found);
    let declared = desired.resources.get(&Key::new(ADDRESS, "a"));
    let declared = declared.expect("declared");
    let stated = declared.stated(&FieldRef::Custom("f".into()));
    (
        told(&found),
        stated.and_then(|stated| stated.cell.value()).cloned(),
    )
}

#[test]
fn a_cell_becomes_a_value_of_its_type() {
    assert_eq!(
        typed(field("type=number"), "customFields.f=5.0"),
        (vec![], Some(Value::Number("5".into())))
    );
    assert_eq!(
        typed(field("type=boolean"), "customFields.f=true"),
        (vec![], Some(Value::Bool(true)))
    );
    assert_eq!(
        typed(field("type=list;options=yard,dock"), "customFields.f=dock"),
        (vec![], Some(Value::set(["dock".into()])))
    );
}

#[test]
fn a_cell_that_does_not_fit_is_reported_and_goes() {
    assert_eq!(
        typed(field("type=number"), "customFields.f=second"),
        (
            vec!["custom-field-type error Address/a customFields.f".into()],
            None
        )
    );
    assert_eq!(
        typed(field("type=list;options=yard"), "customFields.f=roof"),
        (
            vec!["custom-field-option error Address/a customFields.f".into()],
            None
        )
    );
    for definition in [
        "appliesTo=address;name=N;type=text;status=inactive",
        "appliesTo=user;name=N;type=text",
    ] {
        let case = CheckCase::default().declare(CUSTOM_FIELD, "f", definition);
        let unknown = "custom-field-unknown error Address/a customFields.f";
        assert_eq!(
            typed(case, "customFields.f=x"),
            (vec![unknown.into()], None)
        );
    }
    assert_eq!(
        typed(field("type=text;required=true"), "customFields.f").0,
        ["custom-field-required error Address/a customFields.f"]
    );
}

#[test]
fn a_stored_definition_counts_where_none_is_declared() {
    let stored =
        CheckCase::default().row(CUSTOM_FIELD, "f", "appliesTo=address;name=N;type=number");
    assert_eq!(
        typed(stored, "customFields.f=01.50"),
        (vec![], Some(Value::Number("1.5".into())))
    );
}

#[test]
fn a_default_is_a_value_of_its_own_field() {
    let (found, _) = typed(field("type=number;default=many"), "");
    assert_eq!(found, ["custom-field-type error CustomField/f default"]);
    assert!(typed(field("type=number;default=2.50"), "").0.is_empty());
    let definitions = field("type=number;default=2.50").definitions();
    let definition = definitions.get(ADDRESS, "f").expect("defined");
    assert_eq!(definition.default, Some(Value::Number("2.5".into())));
    assert!(definitions.get(USER, "f").is_none());
}

#[test]
fn a_definition_must_be_there_after_the_plan() {
    let said = || {
        CheckCase::default()
            .row(CUSTOM_FIELD, "f", "appliesTo=address;name=N;type=text")
            .row(ADDRESS, "a", "zipCode=211 20;country=SE;customFields.f=x")
            .declare(ADDRESS, "a", "customFields.f=x")
    };
    said()
        .change(CUSTOM_FIELD, "f", "status=inactive")
        .finds(&["custom-field-unknown error Address/a customFields.f"]);
    said().change(CUSTOM_FIELD, "f", "name=M").is_fine();
    let held = CheckCase::default().create(ADDRESS, "a", "customFields.f=x");
    held.finds(&["custom-field-unknown error Address/a customFields.f"]);
    assert_eq!(held.run()[0].involves[0].to_string(), "CustomField/f");
}

#[test]
fn a_create_has_every_required_value() {
    let required = |more: &str| {
        CheckCase::default().row(
            CUSTOM_FIELD,
            "f",
            &format!("appliesTo=address;name=N;type=text;required=true;{more}"),
        )
    };
    required("")
        .create(ADDRESS, "a", "")
        .finds(&["custom-field-required error Address/a customFields.f"]);
    required("")
        .create(ADDRESS, "a", "customFields.f=x")
        .is_fine();
    required("default=x").create(ADDRESS, "a", "").is_fine();
    required("")
        .row(ADDRESS, "a", "zipCode=211 20;country=SE;customFields.f=x")
        .change(ADDRESS, "a", "customFields.f")
        .finds(&["custom-field-required error Address/a customFields.f"]);
}

#[test]
fn what_becomes_required_is_there_already() {
    let stored = || {
        CheckCase::default()
            .row(CUSTOM_FIELD, "f", "appliesTo=address;name=N;type=text")
            .row(ADDRESS, "a", "zipCode=211 20;country=SE")
            .row(ADDRESS, "b", "zipCode=211 20;country=SE;customFields.f=x")
    };
    let case = stored().change(CUSTOM_FIELD, "f", "required=true");
    case.finds(&["custom-field-backfill error CustomField/f required"]);
    let message = &case.run()[0].diagnostic.message;
    assert!(
        message.ends_with("1 stored address lacks it: Address/a"),
        "{message}"
    );
    case.finds_nothing_before();
    stored()
        .change(CUSTOM_FIELD, "f", "required=true;default=x")
        .is_fine();
    stored()
        .change(CUSTOM_FIELD, "f", "required=true")
        .change(ADDRESS, "a", "customFields.f=y")
        .is_fine();
}

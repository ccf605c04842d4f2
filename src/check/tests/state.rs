//! Tests of what all rules have in common: they judge the state after the plan, and a stored fault
//! is found in the same way without the plan.

use super::CheckCase;
use super::build::told;
use crate::check::{PlannedState, RULES, subjects};
use crate::kinds::{ACCOUNT, ORGANISATION, USER};

#[test]
fn a_fault_that_this_plan_repairs_is_none() {
    let broken = || {
        CheckCase::default()
            .company("acme")
            .company("beta")
            .row(ORGANISATION, "b", "name=N;account=beta")
            .row(
                USER,
                "u-1",
                "email=e;accounts=acme;organisations=b;mainOrganisation=b;groups=FOC_User",
            )
    };
    let repaired = broken().change(USER, "u-1", "accounts=acme,beta");
    repaired.is_fine();
    let before = ["organisation-account error User/u-1 organisations"];
    assert_eq!(told(&repaired.run_before()), before);
}

#[test]
fn a_stored_fault_is_found_the_same_without_the_plan() {
    let case = CheckCase::default()
        .company("acme")
        .row(
            USER,
            "u-1",
            "email=ACME-USER@x.example;accounts=acme;groups=FOC_User",
        )
        .change(USER, "u-1", "phone=2");
    case.finds(&["email-duplicate error User/u-1 email"]);
    assert_eq!(case.run(), case.run_before());
}

#[test]
fn who_refers_to_what_changes_is_looked_at_and_nobody_else() {
    let case = CheckCase::default().company("acme").company("beta").change(
        ACCOUNT,
        "acme",
        "status=inactive",
    );
    let world = PlannedState::new(&case.stored, &case.desired, &case.effects);
    let keys: Vec<String> = subjects(&world).iter().map(ToString::to_string).collect();
    assert_eq!(keys, ["Account/acme", "User/acme-user"]);
}

#[test]
fn no_rule_speaks_of_what_is_not_touched() {
    CheckCase::default()
        .company("acme")
        .row(USER, "u-1", "email=acme-user@x.example")
        .change(ACCOUNT, "acme", "name=M")
        .is_fine();
}

#[test]
fn every_rule_has_a_page() {
    for code in RULES.iter().flat_map(|rule| rule.codes) {
        let page = format!("{}/specs/rules/{code}.md", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&page).exists(), "{page}");
    }
}

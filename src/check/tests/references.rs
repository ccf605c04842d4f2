use super::CheckCase;
use super::build::told;
use crate::kinds::{ACCOUNT, STORE, TAG, USER};

fn shop() -> CheckCase {
    CheckCase::default().company("acme")
}

fn with_store(status: &str) -> CheckCase {
    shop().row(STORE, "nordic", &format!("name=N;status={status}"))
}

#[test]
fn a_reference_leads_somewhere() {
    let case = with_store("active").create(USER, "u-2", "accounts=acme;stores=nordik");
    case.finds(&["reference error User/u-2 stores"]);
    let found = &case.run()[0];
    assert_eq!(found.involves[0].to_string(), "Store/nordik");
    let help = found.diagnostic.help.as_deref().unwrap_or_default();
    assert!(help.contains("Did you mean `nordic`? If not, "), "{help}");
    let origin = found.diagnostic.origin.as_ref().expect("where it is said");
    assert_eq!((&*origin.path, origin.at.line), ("a.yaml", 11));
    with_store("active")
        .create(USER, "u-2", "accounts=acme;stores=nordic")
        .is_fine();
}

#[test]
fn the_target_may_be_created_in_the_same_plan() {
    shop()
        .create(USER, "u-2", "accounts=acme;stores=nordic")
        .create(STORE, "nordic", "")
        .is_fine();
}

#[test]
fn a_new_link_needs_an_active_target() {
    with_store("inactive")
        .create(USER, "u-2", "accounts=acme;stores=nordic")
        .finds(&["reference-inactive error User/u-2 stores"]);
    with_store("inactive")
        .change(STORE, "nordic", "status=active")
        .create(USER, "u-2", "accounts=acme;stores=nordic")
        .is_fine();
}

#[test]
fn a_kept_link_to_an_inactive_target_is_a_warning() {
    let case = with_store("inactive")
        .row(USER, "u-2", "email=e;accounts=acme;stores=nordic")
        .change(USER, "u-2", "phone=2");
    case.finds(&["reference-inactive warning User/u-2 stores"]);
    assert_eq!(told(&case.run_before()), told(&case.run()));
}

#[test]
fn setting_a_target_inactive_warns_and_names_who_refers() {
    let case = with_store("active")
        .row(USER, "u-2", "email=e;accounts=acme;stores=nordic")
        .declare(STORE, "nordic", "status=inactive")
        .change(STORE, "nordic", "status=inactive");
    case.finds(&["reference-inactive warning Store/nordic status"]);
    assert!(case.run()[0].diagnostic.message.contains("User/u-2"));
    case.finds_nothing_before();
}

#[test]
fn a_dropped_document_that_another_document_needs_is_an_error() {
    let case = with_store("active")
        .row(USER, "u-2", "email=e;accounts=acme;stores=nordic")
        .change(STORE, "nordic", "status=inactive");
    case.finds(&["reference-inactive warning Store/nordic status"]);
    let case = case.declare(USER, "u-2", "accounts=acme;stores=nordic");
    case.finds(&["reference-inactive error Store/nordic status"]);
    assert!(
        case.run()[0].diagnostic.origin.is_some(),
        "that of the other document"
    );
    case.finds_nothing_before();
}

#[test]
fn deleting_what_is_in_use() {
    let used = || {
        with_store("active")
            .row(USER, "u-2", "email=e;accounts=acme;stores=nordic")
            .row(USER, "u-3", "email=f;accounts=acme;stores=nordic")
            .delete(STORE, "nordic")
    };
    let case = used();
    case.finds(&["in-use error Store/nordic status"]);
    let message = &case.run()[0].diagnostic.message;
    assert!(message.contains("User/u-2, User/u-3"), "{message}");
    case.finds_nothing_before();
    used()
        .change(USER, "u-2", "stores=")
        .delete(USER, "u-3")
        .is_fine();
}

#[test]
fn deleting_what_only_own_documents_refer_to() {
    with_store("active")
        .row(USER, "u-2", "email=e;accounts=acme;stores=nordic")
        .declare(USER, "u-2", "stores=nordic")
        .delete(STORE, "nordic")
        .finds(&["reference-inactive error Store/nordic status"]);
}

#[test]
fn links_of_the_deleted_go_with_it() {
    with_store("active")
        .row(USER, "u-2", "email=e;accounts=acme;stores=nordic")
        .delete(USER, "u-2")
        .is_fine();
}

#[test]
fn a_new_link_to_what_this_plan_deletes() {
    shop()
        .row(TAG, "premium", "name=N")
        .delete(TAG, "premium")
        .change(ACCOUNT, "acme", "tags=premium")
        .finds(&["reference-inactive error Account/acme tags"]);
}

#[test]
fn a_new_link_to_a_retired_id() {
    let mut case = shop().change(ACCOUNT, "acme", "tags=old");
    case.stored
        .retired
        .insert(crate::model::Key::new(TAG, "old"));
    case.finds(&["reference-inactive error Account/acme tags"]);
}

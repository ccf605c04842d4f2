//! The planner on manifests and an in-memory directory: what is planned, held, and left alone.

use crate::support::directory::{ACME, Directory, found, held, read, steps};
use roster::diagnostic::codes;
use roster::kinds;
use roster::model::{Key, Value};
use roster::plan::{AcceptOverride, PeerSource, StepReason, StepVerb};
use std::collections::BTreeSet;
use std::sync::Arc;

fn user(id: &str) -> Key {
    Key::new(kinds::USER, id)
}

fn person(n: usize) -> String {
    format!(
        "  - {{externalId: u-{n}, civility: MRS, firstName: Karin, lastName: Åslund, email: u{n}@acme.example, phone: '+4640123456', groups: [FOC_User], accounts: [acme]}}\n"
    )
}

fn people(n: usize) -> String {
    let mut yaml = format!("{ACME}users:\n");
    (1..=n).for_each(|n| yaml.push_str(&person(n)));
    yaml
}

#[test]
fn creates_in_the_order_of_references_and_then_has_nothing_to_do() {
    let mut directory = Directory::new();
    let plan = directory.apply(&people(1));
    assert_eq!(
        steps(&plan),
        [
            "create Address/acme-hq",
            "create Account/acme",
            "create User/u-1"
        ]
    );
    assert_eq!(plan.summary.create, 3);
}

#[test]
fn a_fault_within_a_list_is_one_finding() {
    let boss = people(1).replace(
        "accounts: [acme]",
        "accounts: [{account: acme, level: boss}]",
    );
    let plan = Directory::new().plan(&boss);
    let codes: Vec<_> = plan.diagnostics.iter().map(|found| found.code).collect();
    // Nobody is left for the account: that somebody is declared for it is said beside.
    assert_eq!(codes, [codes::ACCOUNT_WITHOUT_USER, codes::ENUM]);
}

#[test]
fn a_removed_user_is_deactivated_once_and_a_returned_one_reactivated() {
    let mut directory = Directory::new();
    directory.apply(&people(6));
    let plan = directory.apply(&people(5));
    assert_eq!(steps(&plan), ["deactivate User/u-6"]);
    assert_eq!(plan.steps[0].reason, StepReason::Removed);
    let plan = directory.apply(&people(6));
    assert_eq!(steps(&plan), ["reactivate User/u-6"]);
    assert_eq!(plan.steps[0].reason, StepReason::Returned);
}

#[test]
fn a_foreign_change_is_drift_and_repaired_field_by_field() {
    let mut directory = Directory::new();
    directory.apply(&people(2));
    directory.edit(&user("u-1"), "phone", Some(Value::text("+4699")));
    let plan = directory.apply(&people(2));
    assert_eq!(steps(&plan), ["update User/u-1"]);
    assert_eq!(plan.steps[0].reason, StepReason::Drift);
    let changes = plan.steps[0].changes();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].before, Some(Value::text("+4699")));
}

#[test]
fn a_foreign_deactivation_is_held_through_ten_passes_while_other_fields_go_on() {
    let mut directory = Directory::new();
    directory.apply(&people(2));
    directory.edit(&user("u-1"), "status", Some(Value::text("inactive")));
    directory.edit(&user("u-1"), "phone", Some(Value::text("+4699")));
    let plan = directory.apply(&people(2));
    assert_eq!(steps(&plan), ["update User/u-1"]);
    for _ in 0..10 {
        let plan = directory.apply(&people(2));
        assert_eq!(held(&plan), [(codes::REACTIVATION, "User/u-1".to_owned())]);
        assert_eq!(plan.exit_code(false), 3);
    }
    let id = directory.plan(&people(2)).held[0].hold.clone();
    directory.stored.approved_holds.insert(id);
    let plan = directory.apply(&people(2));
    assert_eq!(steps(&plan), ["reactivate User/u-1"]);
    assert!(directory.plan(&people(2)).held.is_empty());
}

#[test]
fn writing_the_status_where_it_was_not_written_is_a_decision() {
    let mut directory = Directory::new();
    directory.apply(&people(2));
    directory.edit(&user("u-2"), "status", Some(Value::text("inactive")));
    let yaml = people(2).replace("externalId: u-2,", "externalId: u-2, status: active,");
    assert_eq!(steps(&directory.apply(&yaml)), ["reactivate User/u-2"]);
}

#[test]
fn a_group_taken_away_elsewhere_is_not_given_back() {
    let mut directory = Directory::new();
    let yaml = people(2).replace("groups: [FOC_User]", "groups: [FOC_User, FOC_Admin]");
    directory.apply(&yaml);
    directory.edit(
        &user("u-1"),
        "groups",
        Some(Value::set(["FOC_User".into()])),
    );
    let plan = directory.apply(&yaml);
    assert!(plan.steps.is_empty());
    assert_eq!(held(&plan), [(codes::REACTIVATION, "User/u-1".to_owned())]);
    directory.edit(
        &user("u-1"),
        "groups",
        Some(Value::set(["FOC_User".into(), "Intruder".into()])),
    );
    let plan = directory.apply(&yaml);
    assert_eq!(
        steps(&plan),
        ["update User/u-1"],
        "what was added elsewhere is still taken out"
    );
}

#[test]
fn a_row_removed_by_hand_is_not_made_again_without_a_decision() {
    let mut directory = Directory::new();
    directory.apply(&people(3));
    directory.stored.rows.retain(|row| row.key != user("u-2"));
    let plan = directory.plan(&people(3));
    assert!(plan.steps.is_empty());
    assert_eq!(held(&plan), [(codes::REACTIVATION, "User/u-2".to_owned())]);
}

#[test]
fn what_trips_two_guards_is_one_hold_and_its_users_count_once() {
    let mut directory = Directory::new();
    directory.apply(&people(15));
    let mut moved = people(15);
    (1..=7).for_each(|n| {
        let other = person(n).replace("FOC_User", "FOC_Webmaster");
        moved = moved.replace(&person(n), &other);
    });
    let plan = directory.plan(&moved);
    assert_eq!((plan.held.len(), plan.summary.held), (7, 7));
    let first = &plan.held[0];
    assert!(plan.held.iter().all(|held| held.hold == first.hold));
    assert_eq!((first.count, first.total), (Some(7), Some(15)));
    let over = "--accept User.groups.change=7 --accept User.groups.unlink=7";
    assert_eq!(first.accept_option.as_deref(), Some(over));
    for said in [
        "User.groups.change: 7 of 15 is more than the 3",
        ", and User.groups.unlink: 7 of 15",
        over,
    ] {
        assert!(first.message.contains(said), "{}", first.message);
    }
    // One of the two overrides leaves what the other limit holds.
    let change = AcceptOverride::Budget("User.groups.change".into(), 7);
    directory.rules.accepts = vec![change.clone()];
    let plan = directory.plan(&moved);
    let over = plan.held[0].accept_option.as_deref();
    assert_eq!(over, Some("--accept User.groups.unlink=7"));
    let unlink = AcceptOverride::Budget("User.groups.unlink".into(), 7);
    directory.rules.accepts = vec![change, unlink];
    let plan = directory.plan(&moved);
    assert_eq!((plan.summary.update, plan.summary.held), (7, 0));
    directory.rules.accepts.clear();
    // Held for two reasons of their own they are two holds, of seven users.
    let both = (1..=7).fold(moved.clone(), |yaml, n| {
        yaml.replace(&format!("u{n}@acme"), &format!("w{n}@acme"))
    });
    let plan = directory.plan(&both);
    let holds: BTreeSet<&str> = plan.held.iter().map(|held| &*held.hold).collect();
    assert_eq!(
        (holds.len(), plan.held.len(), plan.summary.held),
        (2, 14, 7)
    );
    // An approval of the one hold is enough for both limits.
    directory.stored.approved_holds = BTreeSet::from([directory.plan(&moved).held[0].hold.clone()]);
    let plan = directory.plan(&moved);
    assert_eq!((plan.summary.update, plan.summary.held), (7, 0));
    assert_eq!(plan.accepted.len(), 1, "{:?}", plan.accepted);
}

#[test]
fn wipes_are_held_with_the_override_that_releases_them() {
    let mut directory = Directory::new();
    directory.apply(&people(20));
    let empty = directory.plan("");
    assert!(empty.steps.is_empty());
    assert!(
        empty
            .held
            .iter()
            .all(|held| held.code == codes::EMPTY_SOURCE)
    );
    let no_users = directory.plan(&format!("settings: {{firstUser: warn}}\n{ACME}"));
    assert!(
        no_users
            .held
            .iter()
            .any(|held| held.accept_option.as_deref() == Some("--accept empty=User"))
    );
    assert_eq!(steps(&no_users), ["create Settings/settings"]);
    let eight = directory.plan(&people(12));
    assert!(eight.steps.is_empty(), "{:?}", steps(&eight));
    assert!(
        eight
            .held
            .iter()
            .any(|held| held.accept_option.as_deref() == Some("--accept User.deactivate=8"))
    );
    directory.rules.accepts = vec![AcceptOverride::Budget("User.deactivate".into(), 8)];
    assert_eq!(directory.plan(&people(12)).summary.deactivate, 8);
    directory.rules.accepts = vec![AcceptOverride::Budget("User.deactivate".into(), 7)];
    assert_eq!(directory.plan(&people(12)).summary.deactivate, 0);
}

#[test]
fn what_the_window_saw_counts_too() {
    let mut directory = Directory::new();
    directory.apply(&people(25));
    directory
        .stored
        .budget_use
        .insert("User.deactivate".into(), 3);
    assert!(directory.plan(&people(24)).steps.is_empty());
}

#[test]
fn two_sources_hand_a_resource_over_without_deactivating_it() {
    let mut directory = Directory::new();
    directory.apply_as("a", &people(3));
    let (theirs, _) = read("b", &directory.stored, &people(3));
    let peer = |name: &str, desired| PeerSource {
        name: name.into(),
        desired: Some(Arc::new(desired)),
        ..PeerSource::default()
    };
    directory.rules.peers = vec![peer("b", theirs)];
    let released = directory.apply_as("a", &people(2));
    assert!(released.steps.is_empty());
    assert_eq!(released.released, [user("u-3")]);
    assert!(found(&released, codes::STILL_DECLARED));
    let (mine, _) = read("a", &directory.stored, &people(2));
    directory.rules.peers = vec![peer("a", mine)];
    let adopted = directory.apply_as("b", &people(3));
    assert!(
        adopted
            .steps
            .iter()
            .all(|step| step.verb == StepVerb::Adopt)
    );
    assert!(steps(&adopted).contains(&"adopt User/u-3".to_owned()));
}

#[test]
fn two_sources_that_enforce_different_values_conflict_until_an_order_is_declared() {
    let mut directory = Directory::new();
    directory.apply_as("a", &people(2));
    let theirs = people(2).replace("+4640123456", "+4640999999");
    let (mine, _) = read("a", &directory.stored, &people(2));
    directory.rules.peers = vec![PeerSource {
        name: "a".into(),
        desired: Some(Arc::new(mine)),
        ..PeerSource::default()
    }];
    let plan = directory.apply_as("b", &theirs);
    assert!(held(&plan).contains(&(codes::CONFLICT, "User/u-1".to_owned())));
    directory.rules.order = vec!["b".into(), "a".into()];
    assert_eq!(
        steps(&directory.apply_as("b", &theirs)),
        ["update User/u-1", "update User/u-2"]
    );
    directory.rules.order = vec!["a".into(), "b".into()];
    directory.edit(&user("u-1"), "phone", Some(Value::text("+4640123456")));
    assert_eq!(
        steps(&directory.plan_as("b", &theirs)),
        Vec::<String>::new()
    );
}

#[test]
fn blank_keeps_clear_clears_and_a_released_field_stays() {
    let mut directory = Directory::new();
    let with = people(1).replace(
        "name: Acme\n",
        "name: Acme\n    website: https://acme.example\n",
    );
    directory.apply(&with);
    let blank = people(1).replace("name: Acme\n", "name: Acme\n    website: \"\"\n");
    assert!(directory.plan(&blank).steps.is_empty());
    let gone = directory.plan(&people(1));
    assert!(gone.steps.is_empty());
    assert!(found(&gone, codes::FIELD_RELEASED));
    let clear = people(1).replace("name: Acme\n", "name: Acme\n    clear: [website]\n");
    let plan = directory.apply(&clear);
    assert_eq!(plan.steps[0].changes()[0].after, None);
}

#[test]
fn errors_refuse_the_plan_or_hold_the_unit() {
    let mut directory = Directory::new();
    directory.apply(&people(2));
    let broken = format!("{}{}", people(2), person(3).replace("[acme]", "[acmee]"));
    let plan = directory.plan(&broken);
    assert!(plan.errored && plan.steps.is_empty());
    assert!(found(&plan, codes::REFERENCE));
    assert_eq!(plan.exit_code(false), 1);
    directory.rules.hold_errors = true;
    let changed = broken.replace("name: Acme\n", "name: Acme Nordic\n");
    let plan = directory.apply(&changed);
    assert_eq!(steps(&plan), ["update Account/acme"]);
    assert_eq!(held(&plan), [(codes::REFERENCE, "User/u-3".to_owned())]);
    assert_eq!(plan.exit_code(false), 1);
}

#[test]
fn what_cannot_be_parsed_turns_removals_off() {
    let mut directory = Directory::new();
    directory.rules.hold_errors = true;
    directory.apply(&people(3));
    let plan = directory.plan(&format!("{}---\nkind: User\n  broken: [\n", people(2)));
    assert!(plan.steps.is_empty());
    assert!(found(&plan, codes::REMOVALS_OFF));
}

#[test]
fn a_rename_is_held_and_the_override_lets_both_halves_through() {
    let mut directory = Directory::new();
    directory.apply(&people(12));
    let renamed = people(12).replace("externalId: u-5,", "externalId: v-5,");
    let plan = directory.plan(&renamed);
    assert!(plan.steps.is_empty());
    assert_eq!(
        held(&plan),
        [
            (codes::POSSIBLE_RENAME, "User/u-5".to_owned()),
            (codes::POSSIBLE_RENAME, "User/v-5".to_owned())
        ]
    );
    directory.rules.accepts = vec![AcceptOverride::Rename("u-5".into())];
    assert_eq!(
        steps(&directory.apply(&renamed)),
        ["create User/v-5", "deactivate User/u-5"]
    );
}

#[test]
fn deletes_need_leave_and_retire_the_id() {
    let mut directory = Directory::new();
    directory.apply(&people(4));
    let deleting = format!("{}  - {{externalId: u-4, status: deleted}}\n", people(3));
    assert_eq!(
        held(&directory.plan(&deleting)),
        [(codes::DELETES_NOT_ALLOWED, "User/u-4".to_owned())]
    );
    directory.rules.allow_delete = true;
    assert_eq!(steps(&directory.apply(&deleting)), ["delete User/u-4"]);
    assert_eq!(
        held(&directory.plan(&people(4))),
        [(codes::RETIRED_ID, "User/u-4".to_owned())]
    );
}

#[test]
fn protection_is_stored_and_releasing_it_takes_an_apply() {
    let mut directory = Directory::new();
    directory.apply(&people(4).replace("externalId: u-4,", "externalId: u-4, protect: true,"));
    let plan = directory.plan(&people(3));
    assert_eq!(held(&plan), [(codes::PROTECTED, "User/u-4".to_owned())]);
    assert_eq!(plan.exit_code(false), 0, "a standing hold");
    directory.apply(&people(4).replace("externalId: u-4,", "externalId: u-4, protect: false,"));
    assert_eq!(steps(&directory.apply(&people(3))), ["deactivate User/u-4"]);
}

//! What a guard holds stays held until somebody decides; what depends on a hold waits with it.

use crate::support::directory::{ACME, Directory, held, read, steps};
use roster::diagnostic::codes;
use roster::kinds;
use roster::model::{Key, Value};
use roster::plan::{self, AcceptOverride, DoubtfulField, PeerSource, Plan};
use std::collections::BTreeSet;
use std::sync::Arc;

fn head() -> String {
    format!("\nsettings: {{firstUser: warn}}{ACME}")
}

fn person(id: &str, more: &str) -> String {
    format!(
        "  - {{externalId: {id}, civility: MRS, firstName: Karin, lastName: Åslund, email: {id}@acme.example, phone: '+4640123456', {more}}}\n"
    )
}

const USER: &str = "groups: [FOC_User], accounts: [acme]";
const ADMIN: &str = "groups: [FOC_User], accounts: [{account: acme, level: administrator}]";

fn people(numbers: impl Iterator<Item = usize>) -> String {
    let people: String = numbers.map(|n| person(&format!("u-{n}"), USER)).collect();
    format!("{}users:\n{people}", head())
}

fn ids(plan: &Plan) -> BTreeSet<(String, String)> {
    let held = plan.held.iter();
    held.map(|held| (held.key.to_string(), held.hold.clone()))
        .collect()
}

/// Applies what is not held, twice, and finds the same holds each time.
fn holds_through_three_passes(directory: &mut Directory, yaml: &str) -> Plan {
    let first = directory.plan(yaml);
    assert!(!first.held.is_empty(), "{:?}", steps(&first));
    plan::advance(&mut directory.stored, &first);
    for pass in ["second", "third"] {
        let again = directory.plan(yaml);
        assert_eq!(steps(&again), Vec::<String>::new(), "{pass} pass");
        assert_eq!(ids(&again), ids(&first), "{pass} pass");
        plan::advance(&mut directory.stored, &again);
    }
    first
}

#[test]
fn users_who_come_do_not_let_the_removal_of_others_through() {
    let mut directory = Directory::new();
    directory.apply(&people(1..=40));
    let edited = people(6..=60);
    let first = holds_through_three_passes(&mut directory, &edited);
    assert_eq!(first.summary.create, 20);
    let held = &directory.plan(&edited).held;
    assert_eq!(held.len(), 5);
    assert_eq!(
        (held[0].count, held[0].total, held[0].limit),
        (Some(5), Some(40), Some(4))
    );
    // The override of the plan lets them through.
    directory.rules.accepts = vec![AcceptOverride::Budget("User.deactivate".into(), 5)];
    assert_eq!(directory.apply(&edited).summary.deactivate, 5);
    directory.rules.accepts.clear();
    assert!(directory.stored.held_steps.is_empty());
}

#[test]
fn an_approval_of_the_printed_id_lets_them_through() {
    let mut directory = Directory::new();
    directory.apply(&people(1..=40));
    let edited = people(6..=60);
    let first = holds_through_three_passes(&mut directory, &edited);
    directory.stored.approved_holds = BTreeSet::from([first.held[0].hold.clone()]);
    // One more goes beside them: it was not approved, and alone it is not too many.
    let more = people(7..=60);
    let plan = directory.plan(&more);
    assert_eq!((plan.summary.deactivate, plan.held.len()), (6, 0));
}

#[test]
fn whoever_is_declared_again_leaves_the_hold() {
    let mut directory = Directory::new();
    directory.apply(&people(1..=40));
    holds_through_three_passes(&mut directory, &people(6..=60));
    let back = people(3..=60);
    let plan = directory.plan(&back);
    assert_eq!(held(&plan).len(), 2, "the others stay held");
    assert!(
        plan.held[0].message.contains("stay held"),
        "{}",
        plan.held[0].message
    );
    plan::advance(&mut directory.stored, &plan);
    assert_eq!(directory.plan(&people(1..=60)).held.len(), 0);
}

#[test]
fn cleared_values_links_and_emails_stay_held_too() {
    let edits: [(&str, &str); 3] = [
        ("groups: [FOC_User]", "groups: [FOC_Webmaster]"),
        ("email: u-1@acme.example", "email: w-1@acme.example"),
        (
            "phone: '+4640123456'",
            "phone: '+4640123456', clear: [company]",
        ),
    ];
    for (from, to) in edits {
        let mut directory = Directory::new();
        let company =
            |yaml: String| yaml.replace("lastName: Åslund", "lastName: Åslund, company: Acme");
        directory.apply(&company(people(1..=20)));
        let mut edited = people(1..=80);
        for n in 1..=8 {
            let old = person(&format!("u-{n}"), USER);
            let from = from.replace("u-1@", &format!("u-{n}@"));
            let to = to.replace("w-1@", &format!("w-{n}@"));
            edited = edited.replace(&old, &old.replace(&from, &to));
        }
        let edited = if to.contains("clear") {
            edited
        } else {
            company(edited)
        };
        let first = holds_through_three_passes(&mut directory, &edited);
        assert_eq!(first.summary.create, 60, "{to}");
    }
}

#[test]
fn an_emptied_kind_stays_held_beside_new_ones() {
    let tags = |numbers: std::ops::RangeInclusive<usize>| {
        let tags: String = numbers
            .map(|n| format!("  - {{externalId: t-{n}, name: T{n}}}\n"))
            .collect();
        format!("{}tags:\n{tags}", people(1..=10))
    };
    let mut directory = Directory::new();
    directory.apply(&tags(1..=2));
    let first = holds_through_three_passes(&mut directory, &tags(3..=42));
    assert_eq!(first.held[0].code, codes::EMPTY_SOURCE);
}

#[test]
fn a_pass_that_cannot_show_a_hold_does_not_end_it() {
    let mut directory = Directory::new();
    directory.apply(&people(1..=40));
    let edited = people(6..=60);
    let first = holds_through_three_passes(&mut directory, &edited);
    let hidden = format!("{edited}\n---\nkind: Tag\nexternalId: [\n");
    let (desired, _) = read("directory", &directory.stored, &hidden);
    assert!(!desired.removals_off.is_empty());
    let plan = plan::plan(&desired, &directory.stored, &directory.rules, &[]);
    plan::advance(&mut directory.stored, &plan);
    assert_eq!(ids(&directory.plan(&edited)), ids(&first));
}

#[test]
fn the_printed_id_stays_though_other_fields_are_written() {
    let mut directory = Directory::new();
    directory.apply(&people(1..=15));
    let mut edited = people(1..=15);
    for n in 1..=7 {
        let old = person(&format!("u-{n}"), USER);
        let new = old
            .replace("FOC_User", "FOC_Webmaster")
            .replace("firstName: Karin", "firstName: Kajsa");
        edited = edited.replace(&old, &new);
    }
    let first = holds_through_three_passes(&mut directory, &edited);
    assert_eq!(first.summary.update, 7);
    directory.stored.approved_holds = BTreeSet::from([first.held[0].hold.clone()]);
    let plan = directory.plan(&edited);
    assert_eq!((plan.summary.update, plan.held.len()), (7, 0));
}

#[test]
fn a_group_given_back_is_held_without_the_new_ones_beside_it() {
    let mut directory = Directory::new();
    directory.apply(&people(1..=5));
    let key = Key::new(kinds::USER, "u-1");
    directory.edit(&key, "groups", None);
    let old = person("u-1", USER);
    let new = old.replace("[FOC_User]", "[FOC_User, FOC_Webmaster]");
    let edited = people(1..=5).replace(&old, &new);
    let first = holds_through_three_passes(&mut directory, &edited);
    let change = &first.held[0].changes[0];
    let members: Vec<_> = change.after.iter().flat_map(Value::members).collect();
    assert_eq!(members, ["FOC_User"]);
}

#[test]
fn a_column_that_an_export_has_lost_stays_held_beside_a_group_given_back() {
    let mut directory = Directory::new();
    directory.apply(&people(1..=5));
    let key = Key::new(kinds::USER, "u-1");
    directory.edit(&key, "groups", None);
    let field = kinds::get(kinds::USER).field_ref("phone");
    directory.rules.doubtful_fields.push(DoubtfulField {
        kind: kinds::USER,
        field: field.expect("a field"),
        count: 1,
        total: 5,
        limit: 0,
        message: "phone is empty for 1 of 5".into(),
    });
    let edited = people(1..=5).replacen("+4640123456", "+4640999999", 1);
    let plan = directory.plan(&edited);
    assert_eq!(steps(&plan), Vec::<String>::new());
    let codes: Vec<_> = plan.held.iter().map(|held| held.code).collect();
    assert_eq!(codes, [codes::REACTIVATION, codes::COLUMN_BLANK]);
}

#[test]
fn an_administrator_stays_as_long_as_the_successor_is_held() {
    let two = |first: &str, second: &str| {
        format!(
            "{}users:\n{}{}",
            head(),
            person("ann", first),
            person("eva", second)
        )
    };
    let mut directory = Directory::new();
    directory.apply(&two(ADMIN, USER));
    directory.edit(
        &Key::new(kinds::USER, "eva"),
        "status",
        Some(Value::text("inactive")),
    );
    // Eva was deactivated elsewhere: to make her active again waits for somebody.
    let plan = directory.plan(&two(USER, ADMIN));
    let lowered = steps(&plan).iter().any(|step| step.contains("User/ann"));
    assert!(!lowered, "{:?} {:?}", steps(&plan), held(&plan));
    let mut directory = Directory::new();
    directory.rules.hold_errors = true;
    directory.apply(&two(ADMIN, USER));
    let faulty = two(USER, &ADMIN.replace("administrator", "adminstrator"));
    let plan = directory.plan(&faulty);
    assert_eq!(steps(&plan), Vec::<String>::new());
    let created = format!("{}users:\n{}", head(), person("new", ADMIN))
        .replace("email: new@acme.example", "email: nonsense");
    let plan = directory.plan(&created);
    assert_eq!(steps(&plan), Vec::<String>::new(), "{:?}", held(&plan));
}

#[test]
fn a_rename_over_two_sources_is_held_in_both() {
    let old = people(1..=12);
    let fewer = people((1..=12).filter(|n| *n != 3));
    let comes = format!(
        "users:\n{}",
        person("n-3", USER).replace("n-3@acme", "u-3@acme")
    );
    let mut directory = Directory::new();
    directory.apply_as("a", &old);
    let peer = |name: &str, yaml: &str| PeerSource {
        name: name.into(),
        desired: Some(Arc::new(read(name, &directory.stored, yaml).0)),
        ..PeerSource::default()
    };
    let (a, b) = (peer("a", &fewer), peer("b", &comes));
    directory.rules.peers = vec![b];
    directory.rules.pruning_peers = BTreeSet::from(["b".into()]);
    let goes = directory.plan_as("a", &fewer);
    assert_eq!(
        held(&goes),
        [(codes::POSSIBLE_RENAME, "User/u-3".to_owned())]
    );
    directory.rules.peers = vec![a];
    directory.rules.pruning_peers = BTreeSet::from(["a".into()]);
    let plan = directory.plan_as("b", &comes);
    assert!(!plan.errored, "{:?}", plan.diagnostics);
    assert_eq!(
        held(&plan),
        [(codes::POSSIBLE_RENAME, "User/n-3".to_owned())]
    );
}

#[test]
fn an_override_of_the_kind_covers_a_guard_of_one_account() {
    let other = head()
        .replace("settings: {firstUser: warn}\n", "")
        .replace("accounts:\n", "")
        .replace("acme", "beta")
        .replace("556012-3456", "556012-3464");
    let with_two = |four: bool| {
        let beta = |n: usize| person(&format!("b-{n}"), &USER.replace("acme", "beta"));
        let few: String = (1..=6).filter(|n| !four || *n > 4).map(beta).collect();
        people(1..=234).replace(
            "users:\n",
            &format!("{}users:\n{few}", other.trim_start_matches('\n')),
        )
    };
    let mut directory = Directory::new();
    directory.apply(&with_two(false));
    assert_eq!(directory.plan(&with_two(true)).held.len(), 4);
    directory.rules.accepts = vec![AcceptOverride::Budget("User.deactivate".into(), 4)];
    assert_eq!(directory.plan(&with_two(true)).summary.deactivate, 4);
}

#[test]
fn an_unrelated_change_goes_on_beside_a_link_that_waits() {
    let mut directory = Directory::new();
    directory.rules.hold_errors = true;
    directory.apply(&people(1..=5));
    let broken = "  - {externalId: beta, name: Beta, companyRegistrationName: Beta AB, businessRegistrationNumber: 556012-3464, website: 'not a url', addresses: [{externalId: beta-hq, fullName: Beta, street: Storgatan 2, city: Lund, zipCode: 222 20, country: SE}]}\nusers:";
    let old = person("u-1", USER);
    let new = old
        .replace("accounts: [acme]", "accounts: [acme, beta]")
        .replace("Åslund", "Ås");
    let edited = people(1..=5).replace("users:", broken).replace(&old, &new);
    let plan = directory.plan(&edited);
    assert_eq!(steps(&plan), ["update User/u-1"], "{:?}", held(&plan));
    assert!(
        plan.held
            .iter()
            .any(|held| held.code == codes::HELD_DEPENDENCY && held.changes.len() == 1)
    );
}

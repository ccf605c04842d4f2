//! What holds of every plan, whatever is declared, stored and changed by hand.

use crate::support::directory::{Directory, held, read_files, steps};
use proptest::prelude::*;
use roster::kinds::{self, ACCOUNT, ORGANISATION, TAG, USER};
use roster::model::{Key, Row, Snapshot, Value};
use roster::plan::{self, EffectBudget, HoldEntry, Plan, PlanRules, StepVerb};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A small world: which of a few resources are declared, and how.
#[derive(Clone, Debug)]
struct Tree {
    tags: Vec<bool>,
    accounts: Vec<Option<Account>>,
    organisations: Vec<Option<(usize, Option<usize>)>>,
    users: Vec<Option<User>>,
}

#[derive(Clone, Debug)]
struct Account {
    name: u8,
    tags: Vec<usize>,
    inactive: bool,
    website: u8,
}

#[derive(Clone, Debug)]
struct User {
    accounts: Vec<(usize, bool)>,
    email: u8,
    admin: bool,
    organisation: Option<usize>,
    status: u8,
}

fn account() -> impl Strategy<Value = Option<Account>> {
    let parts = (
        0..3u8,
        prop::collection::vec(0..3usize, 0..3),
        prop::bool::weighted(0.1),
        0..4u8,
    );
    prop::option::weighted(
        0.9,
        parts.prop_map(|(name, tags, inactive, website)| Account {
            name,
            tags,
            inactive,
            website,
        }),
    )
}

fn user() -> impl Strategy<Value = Option<User>> {
    let accounts = prop::collection::vec((0..4usize, any::<bool>()), 1..3);
    let parts = (
        accounts,
        0..14u8,
        any::<bool>(),
        prop::option::of(0..4usize),
        0..8u8,
    );
    prop::option::weighted(
        0.85,
        parts.prop_map(|(accounts, email, admin, organisation, status)| User {
            accounts,
            email,
            admin,
            organisation,
            status,
        }),
    )
}

fn tree() -> impl Strategy<Value = Tree> {
    (
        prop::collection::vec(prop::bool::weighted(0.9), 3),
        prop::collection::vec(account(), 4),
        prop::collection::vec(
            prop::option::weighted(0.8, (0..4usize, prop::option::of(0..4usize))),
            4,
        ),
        prop::collection::vec(user(), 12),
    )
        .prop_map(|(tags, accounts, organisations, users)| Tree {
            tags,
            accounts,
            organisations,
            users,
        })
}

/// The documents of a tree, one a resource.
fn documents(tree: &Tree) -> Vec<String> {
    let mut documents = Vec::new();
    for (i, _) in tree.tags.iter().enumerate().filter(|(_, there)| **there) {
        documents.push(format!("kind: Tag\nexternalId: t{i}\nname: Tag {i}\n"));
    }
    for (i, account) in tree.accounts.iter().enumerate() {
        let Some(account) = account else { continue };
        let mut text = format!(
            "kind: Account\nexternalId: a{i}\nname: Name {}\ncompanyRegistrationName: A{i} AB\nbusinessRegistrationNumber: 55601{i}\naddresses: [{{externalId: ad{i}, fullName: A, street: S 1, city: C, zipCode: 211 20, country: SE}}]\n",
            account.name
        );
        let tags: Vec<String> = account.tags.iter().map(|tag| format!("t{tag}")).collect();
        let _ = writeln!(text, "tags: [{}]", tags.join(", "));
        if account.inactive {
            text.push_str("status: inactive\n");
        }
        text.push_str(
            [
                "",
                "website: \"\"\n",
                "website: https://a.example\n",
                "clear: [website]\n",
            ][usize::from(account.website)],
        );
        documents.push(text);
    }
    for (i, organisation) in tree.organisations.iter().enumerate() {
        let Some((account, parent)) = organisation else {
            continue;
        };
        let parent = parent
            .map(|parent| format!("parent: o{parent}\n"))
            .unwrap_or_default();
        documents.push(format!(
            "kind: Organisation\nexternalId: o{i}\nname: O {i}\naccount: a{account}\n{parent}"
        ));
    }
    for (i, user) in tree.users.iter().enumerate() {
        let Some(user) = user else { continue };
        let accounts: Vec<String> = user
            .accounts
            .iter()
            .map(|(account, admin)| {
                format!(
                    "{{account: a{account}, level: {}}}",
                    if *admin { "administrator" } else { "user" }
                )
            })
            .collect();
        let groups = if user.admin {
            "FOC_User, FOC_Admin"
        } else {
            "FOC_User"
        };
        let mut text = format!(
            "kind: User\nexternalId: u{i}\ncivility: MR\nfirstName: F\nlastName: L{i}\nemail: e{}@x.example\nphone: '+46401234{i}'\ngroups: [{groups}]\naccounts: [{}]\n",
            user.email,
            accounts.join(", ")
        );
        if let Some(organisation) = user.organisation {
            let _ = writeln!(text, "organisations: [o{organisation}]");
        }
        text.push_str(
            [
                "",
                "",
                "",
                "",
                "",
                "status: active\n",
                "status: inactive\n",
                "status: deleted\n",
            ][usize::from(user.status)],
        );
        documents.push(text);
    }
    documents
}

/// Organisations, each with its account and the one above it.
fn forest() -> impl Strategy<Value = Vec<(usize, Option<usize>)>> {
    let one = (0..2usize, prop::option::of(0..8usize));
    prop::collection::vec(one, 0..8).prop_map(|all| {
        let mut forest: Vec<(usize, Option<usize>)> = Vec::new();
        for (account, above) in all {
            let above = above.filter(|above| *above < forest.len());
            let account = above.map_or(account, |above| forest[above].0);
            forest.push((account, above));
        }
        forest
    })
}

/// A forest as documents, or nested in its accounts.
fn forest_documents(forest: &[(usize, Option<usize>)], nested: bool) -> Vec<String> {
    let mut documents = vec!["settings: {firstUser: off, organisationDepth: 9}\n".to_owned()];
    for account in 0..2 {
        let below = |above| nested_organisations(forest, account, above);
        let own = if nested {
            format!("organisations: {}\n", below(None))
        } else {
            String::new()
        };
        documents.push(format!(
            "kind: Account\n{own}externalId: a{account}\nname: A\ncompanyRegistrationName: A AB\nbusinessRegistrationNumber: 55601{account}\naddresses: [{{externalId: ad{account}, fullName: A, street: S 1, city: C, zipCode: 211 20, country: SE}}]\n",
        ));
    }
    if !nested {
        documents.extend(forest.iter().enumerate().map(|(at, (account, above))| {
            let above = above.map_or("clear: [parent]".to_owned(), |above| {
                format!("parent: o{above}")
            });
            format!("kind: Organisation\nexternalId: o{at}\nname: O {at}\naccount: a{account}\n{above}\n")
        }));
    }
    documents
}

fn nested_organisations(
    forest: &[(usize, Option<usize>)],
    account: usize,
    above: Option<usize>,
) -> String {
    let here = forest.iter().enumerate();
    let here = here.filter(|(_, (own, parent))| *own == account && *parent == above);
    let here: Vec<String> = here
        .map(|(at, _)| {
            let below = nested_organisations(forest, account, Some(at));
            format!("{{externalId: o{at}, organisations: {below}, name: O {at}}}")
        })
        .collect();
    format!("[{}]", here.join(", "))
}

/// A change that somebody makes by hand.
#[derive(Clone, Debug)]
enum Edit {
    Deactivate(usize),
    Phone(usize),
    Groups(usize),
    Unlink(usize),
    Remove(usize),
    Rename(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    (0..6u8, 0..12usize).prop_map(|(what, n)| match what {
        0 => Edit::Deactivate(n),
        1 => Edit::Phone(n),
        2 => Edit::Groups(n),
        3 => Edit::Unlink(n),
        4 => Edit::Remove(n),
        _ => Edit::Rename(n % 4),
    })
}

fn make(directory: &mut Directory, edit: &Edit) {
    let (key, field, value) = match edit {
        Edit::Deactivate(n) => (
            Key::new(USER, format!("u{n}")),
            "status",
            Some(Value::text("inactive")),
        ),
        Edit::Phone(n) => (
            Key::new(USER, format!("u{n}")),
            "phone",
            Some(Value::text("+999")),
        ),
        Edit::Groups(n) => (
            Key::new(USER, format!("u{n}")),
            "groups",
            Some(Value::set(["FOC_User".into()])),
        ),
        Edit::Unlink(n) => (Key::new(USER, format!("u{n}")), "accounts", None),
        Edit::Rename(n) => (
            Key::new(ACCOUNT, format!("a{n}")),
            "name",
            Some(Value::text("By hand")),
        ),
        Edit::Remove(n) => {
            let key = Key::new(USER, format!("u{n}"));
            return directory.stored.rows.retain(|row| row.key != key);
        }
    };
    if directory.stored.rows.contains(&key) {
        directory.edit(&key, field, value);
    }
}

fn plan_of(stored: &Snapshot, rules: &PlanRules, files: Vec<(String, Vec<u8>)>) -> Plan {
    let (desired, found) = read_files("directory", stored, files);
    plan::plan(&desired, stored, rules, &found)
}

/// What is held, under which id.
fn ids(plan: &Plan) -> BTreeSet<(String, &'static str, String)> {
    let held = plan.held.iter();
    held.map(|held| (held.key.to_string(), held.code.name(), held.hold.clone()))
        .collect()
}

/// Whether a guard on effects holds it.
fn is_of_effect(held: &HoldEntry) -> bool {
    let option = held.accept_option.as_deref().unwrap_or_default();
    let named = |budget: &EffectBudget| option.contains(&format!(" {}=", budget.name()));
    EffectBudget::ALL.iter().any(named)
}

fn one_file(documents: &[String]) -> Vec<(String, Vec<u8>)> {
    vec![("all.yaml".to_owned(), documents.join("---\n").into_bytes())]
}

/// Every reference of every stored row points to a stored row.
fn whole(stored: &Snapshot) -> Result<(), String> {
    for row in &stored.rows {
        for (field, target) in kinds::get(row.key.kind).references() {
            for id in targets(row, field) {
                if !stored.rows.contains(&Key::new(target, &id)) {
                    return Err(format!("{} refers to {target}/{id}", row.key));
                }
            }
        }
    }
    Ok(())
}

fn targets(row: &Row, field: usize) -> Vec<String> {
    match &row.values[field] {
        Some(Value::Text(id)) => vec![id.to_string()],
        Some(value) => value.members().map(ToString::to_string).collect(),
        None => Vec::new(),
    }
}

/// A directory after one tree was applied and some edits were made.
fn started(first: &Tree, edits: &[Edit], hold: bool) -> Directory {
    let mut directory = Directory::new();
    directory.rules.hold_errors = true;
    directory.rules.allow_delete = true;
    let plan = plan_of(
        &directory.stored,
        &directory.rules,
        one_file(&documents(first)),
    );
    plan::advance(&mut directory.stored, &plan);
    edits.iter().for_each(|edit| make(&mut directory, edit));
    directory.rules.hold_errors = hold;
    directory
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(20_261_121), ..ProptestConfig::default() })]

    #[test]
    fn planning_after_applying_has_no_steps_and_the_same_holds(
        first in tree(), second in tree(), edits in prop::collection::vec(edit(), 0..5), hold in any::<bool>(),
    ) {
        let mut directory = started(&first, &edits, hold);
        let files = || one_file(&documents(&second));
        let plan = plan_of(&directory.stored, &directory.rules, files());
        plan::advance(&mut directory.stored, &plan);
        let again = plan_of(&directory.stored, &directory.rules, files());
        prop_assert_eq!(steps(&again), Vec::<String>::new(), "after {:?} held {:?}", steps(&plan), held(&plan));
        // What was printed can be approved. What only half went through may be held for one reason more, which can
        // take a field out of a hold that nobody can approve.
        // A hold of effects may grow with it: what the steps of others do to people depends on what was applied.
        let stays = |held: &&HoldEntry| held.is_approvable() && !is_of_effect(held);
        let approvable = Plan { held: plan.held.iter().filter(stays).cloned().collect(), ..plan.clone() };
        prop_assert!(ids(&again).is_superset(&ids(&approvable)), "{:?} after {:?}: {:?}", ids(&plan), steps(&plan), ids(&again));
        plan::advance(&mut directory.stored, &again);
        let third = plan_of(&directory.stored, &directory.rules, files());
        prop_assert_eq!(steps(&third), Vec::<String>::new(), "held {:?}", held(&third));
        prop_assert_eq!(ids(&third), ids(&again));
    }

    #[test]
    fn no_prefix_of_the_steps_breaks_a_reference(
        first in tree(), second in tree(), edits in prop::collection::vec(edit(), 0..3),
    ) {
        let directory = started(&first, &edits, true);
        prop_assume!(whole(&directory.stored).is_ok());
        let plan = plan_of(&directory.stored, &directory.rules, one_file(&documents(&second)));
        for length in 0..=plan.steps.len() {
            let mut stored = directory.stored.clone();
            let prefix = Plan { steps: plan.steps[..length].to_vec(), ..plan.clone() };
            plan::advance(&mut stored, &prefix);
            // A removal takes its own links with it; nothing else may be left pointing at it.
            prop_assert_eq!(whole(&stored), Ok(()), "after {:?}", steps(&prefix));
        }
    }

    #[test]
    fn steps_do_not_depend_on_the_order_of_documents_or_on_their_files(
        first in tree(), second in tree(), seed in any::<u64>(),
    ) {
        let directory = started(&first, &[], true);
        let documents = documents(&second);
        let mut shuffled = documents.clone();
        let mut state = seed | 1;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, (state >> 33) as usize % (i + 1));
        }
        let files = shuffled.iter().enumerate().map(|(i, text)| (format!("{i}.yaml"), text.clone().into_bytes())).collect();
        let one = plan_of(&directory.stored, &directory.rules, one_file(&documents));
        let many = plan_of(&directory.stored, &directory.rules, files);
        prop_assert_eq!(steps(&one), steps(&many));
        prop_assert_eq!(held(&one), held(&many));
        let changes = |plan: &Plan| plan.steps.iter().map(|step| step.changes().into_owned()).collect::<Vec<_>>();
        prop_assert_eq!(changes(&one), changes(&many));
    }

    #[test]
    fn nested_organisations_are_planned_like_documents(
        first in forest(), second in forest(), nested_first in any::<bool>(),
    ) {
        let mut directory = Directory::new();
        let files = |forest: &[_], nested| one_file(&forest_documents(forest, nested));
        let rules = directory.rules.clone();
        let plan = plan_of(&directory.stored, &rules, files(&first, nested_first));
        prop_assert!(!plan.errored, "{:#?}", plan.diagnostics);
        plan::advance(&mut directory.stored, &plan);
        // The same ones written the other way are no change at all.
        let rewritten = plan_of(&directory.stored, &rules, files(&first, !nested_first));
        prop_assert_eq!(steps(&rewritten), Vec::<String>::new());
        let flat = plan_of(&directory.stored, &rules, files(&second, false));
        let nested = plan_of(&directory.stored, &rules, files(&second, true));
        prop_assert_eq!(steps(&flat), steps(&nested));
        prop_assert_eq!(held(&flat), held(&nested));
        let changes = |plan: &Plan| plan.steps.iter().map(|step| step.changes().into_owned()).collect::<Vec<_>>();
        prop_assert_eq!(changes(&flat), changes(&nested));
        let count = |plan: &Plan| plan.diagnostics.iter().map(|found| (found.code, found.key.clone())).collect::<BTreeSet<_>>();
        prop_assert_eq!(count(&flat), count(&nested));
    }

    #[test]
    fn nobody_is_given_access_that_was_taken_by_hand(
        first in tree(), edits in prop::collection::vec(edit(), 1..6),
    ) {
        let mut directory = started(&first, &edits, true);
        let before = directory.stored.clone();
        let plan = plan_of(&directory.stored, &directory.rules, one_file(&documents(&first)));
        prop_assert!(plan.steps.iter().all(|step| !matches!(step.verb, StepVerb::Reactivate)), "{:?}", steps(&plan));
        plan::advance(&mut directory.stored, &plan);
        for edit in &edits {
            let (Edit::Groups(n) | Edit::Unlink(n)) = edit else { continue };
            let key = Key::new(USER, format!("u{n}"));
            let (Some(was), Some(is)) = (before.rows.get(&key), directory.stored.rows.get(&key)) else { continue };
            for field in ["groups", "accounts"] {
                let index = kinds::get(USER).expect_index(field);
                let gained: Vec<String> = targets(is, index).into_iter().filter(|id| !targets(was, index).contains(id)).collect();
                prop_assert!(gained.is_empty(), "{} gained {:?}", key, gained);
            }
        }
        let _ = (TAG, ORGANISATION);
    }
}

//! Deleting accounts of random directories: each goes with everything that belongs to it, or stays
//! with all of it.

use crate::support::dice::Dice;
use crate::support::directory::Directory;
use roster::kinds::{ACCOUNT, ORGANISATION, POLICY, USER};
use roster::model::{CompactText, Key, Row, Value};
use roster::plan::{self, Plan};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const ROUNDS: usize = 150;

/// The accounts, in a source of their own.
fn accounts(count: usize, gone: &BTreeSet<usize>) -> String {
    let mut yaml = "settings: [{externalId: settings, firstUser: 'off'}]\naccounts:\n".to_owned();
    for n in 0..count {
        let _ = if gone.contains(&n) {
            writeln!(yaml, "  - {{externalId: a{n}, status: deleted}}")
        } else {
            writeln!(
                yaml,
                "  - {{externalId: a{n}, name: A, companyRegistrationName: A, businessRegistrationNumber: r{n}, \
                 addresses: [{{externalId: d{n}, fullName: A, street: S, city: C, zipCode: 211 20, country: SE}}]}}"
            )
        };
    }
    yaml
}

/// Whoever belongs to them, in another source.
fn people(dice: &mut Dice, count: usize) -> String {
    let mut yaml = "organisations:\n".to_owned();
    for account in 0..count {
        for n in 0..3 {
            let parent = if n == 2 {
                format!(", parent: o{account}-0")
            } else {
                String::new()
            };
            let _ = writeln!(
                yaml,
                "  - {{externalId: o{account}-{n}, name: O, account: a{account}{parent}}}"
            );
        }
    }
    yaml += "users:\n";
    let mut of: Vec<Vec<usize>> = vec![Vec::new(); count];
    for n in 0..4 + dice.roll(8) {
        let mut own: Vec<usize> = (0..count).filter(|_| dice.once_in(3)).collect();
        if own.is_empty() {
            own.push(dice.roll(count));
        }
        let status = if dice.once_in(6) {
            ", status: inactive"
        } else {
            ""
        };
        let links: Vec<String> = own.iter().map(|account| format!("a{account}")).collect();
        let mut organisations = Vec::new();
        for account in &own {
            // A new policy names active users.
            if status.is_empty() {
                of[*account].push(n);
            }
            if dice.once_in(2) {
                organisations.push(format!("o{account}-{}", dice.roll(3)));
            }
        }
        let main = match organisations.first() {
            Some(first) => format!(", mainOrganisation: {first}"),
            None => String::new(),
        };
        let protect = if dice.once_in(9) {
            ", protect: true"
        } else {
            ""
        };
        let _ = writeln!(
            yaml,
            "  - {{externalId: u{n}, civility: MR, firstName: F, lastName: L, email: u{n}@a.example, phone: '+4640123456', \
             groups: [FOC_User], accounts: [{}], organisations: [{}]{main}{status}{protect}}}",
            links.join(", "),
            organisations.join(", ")
        );
    }
    yaml += "policies:\n";
    for (account, users) in of.iter().enumerate() {
        if let [first, .., last] = users.as_slice() {
            let _ = writeln!(
                yaml,
                "  - {{externalId: p{account}, name: P, account: a{account}, reviewed: [u{first}], approvers: [u{last}], status: inactive}}"
            );
        }
    }
    yaml
}

fn members(row: &Row, field: &str) -> Vec<String> {
    let at = roster::kinds::get(row.key.kind).expect_index(field);
    match &row.values[at] {
        Some(Value::Text(text)) => vec![text.to_string()],
        Some(value) => value.members().map(CompactText::to_string).collect(),
        None => Vec::new(),
    }
}

fn text(row: &Row, field: &str) -> String {
    members(row, field).first().cloned().unwrap_or_default()
}

/// What an account has after the plan, compared with before.
fn assert_whole(before: &Directory, after: &Directory, plan: &Plan, account: &str) {
    let key = Key::new(ACCOUNT, account);
    if !before.stored.rows.contains(&key) {
        return;
    }
    let is_gone = !after.stored.rows.contains(&key);
    let mut expected = BTreeSet::new();
    for row in &before.stored.rows {
        let now = after.stored.rows.get(&row.key);
        match row.key.kind {
            ORGANISATION | POLICY if text(row, "account") == account => {
                assert_eq!(now.is_none(), is_gone, "{} of {account}", row.key);
                expected.insert(format!("delete {}", row.key));
            }
            USER if members(row, "accounts").iter().any(|it| it == account) => {
                let now = now.expect("no user goes");
                let still = members(now, "accounts").iter().any(|it| it == account);
                assert_eq!(still, !is_gone, "{} of {account}", row.key);
                let left = !members(now, "accounts").is_empty();
                let verb = if !left && text(row, "status") == "active" {
                    assert_eq!(text(now, "status"), "inactive", "{}", row.key);
                    "deactivate"
                } else {
                    assert_eq!(text(now, "status"), text(row, "status"), "{}", row.key);
                    "update"
                };
                expected.insert(format!("{verb} {}", row.key));
            }
            _ => {}
        }
    }
    if is_gone {
        let mut steps = plan.steps.iter();
        let step = steps.find(|step| step.key == key).expect("its step");
        let told = step.consequences.iter();
        let told: BTreeSet<String> = told.map(|it| format!("{} {}", it.verb, it.key)).collect();
        assert_eq!(told, expected, "the consequences of {account}");
    }
}

/// No reference to an account or organisation is left without its target, and nobody else changed.
fn assert_sound(before: &Directory, after: &Directory, gone: &BTreeSet<usize>) {
    let named = |row: &Row, field: &str| {
        let kind = roster::kinds::get(row.key.kind);
        kind.index(field)
            .map(|_| members(row, field))
            .unwrap_or_default()
    };
    for row in &after.stored.rows {
        for (field, kind) in [
            ("account", ACCOUNT),
            ("accounts", ACCOUNT),
            ("parent", ORGANISATION),
            ("organisations", ORGANISATION),
            ("mainOrganisation", ORGANISATION),
        ] {
            for id in named(row, field) {
                let target = Key::new(kind, &id);
                assert!(
                    after.stored.rows.contains(&target),
                    "{} names {target}",
                    row.key
                );
            }
        }
    }
    let concerned = |row: &Row| {
        let mut ids = named(row, "accounts");
        ids.extend(named(row, "account"));
        if row.key.kind == ACCOUNT {
            ids.push(row.key.id.to_string());
        }
        gone.iter().any(|n| ids.contains(&format!("a{n}")))
    };
    for row in before.stored.rows.iter().filter(|row| !concerned(row)) {
        let now = after.stored.rows.get(&row.key);
        assert_eq!(now.map(|now| &now.values), Some(&row.values), "{}", row.key);
    }
}

#[test]
fn an_account_goes_with_all_that_belongs_to_it_or_not_at_all() {
    let mut dice = Dice(40);
    let (mut whole, mut kept) = (0, 0);
    for round in 0..ROUNDS {
        let count = 2 + dice.roll(3);
        let mut directory = Directory::new();
        directory.apply_as("accounts", &accounts(count, &BTreeSet::new()));
        directory.apply_as("people", &people(&mut dice, count));
        let gone: BTreeSet<usize> = (0..count).filter(|_| dice.once_in(2)).collect();
        let yaml = accounts(count, &gone);
        directory.rules.allow_delete = dice.once_in(2);
        // Round by round somebody approves what is held, until nothing more can be.
        for _ in 0..6 {
            let plan = directory.plan_as("accounts", &yaml);
            assert!(!plan.errored, "{round}: {:#?}", plan.diagnostics);
            let mut after = Directory {
                stored: directory.stored.clone(),
                ..Directory::new()
            };
            plan::advance(&mut after.stored, &plan);
            for n in 0..count {
                assert_whole(&directory, &after, &plan, &format!("a{n}"));
            }
            assert_sound(&directory, &after, &gone);
            // A held account has one entry, and what belongs to it has none.
            let deletes = plan
                .held
                .iter()
                .filter(|held| held.code.name() == "deletes-not-allowed");
            for held in deletes {
                assert_eq!(held.key.kind, ACCOUNT, "{round}: {held:?}");
                let own: Vec<_> = plan.held.iter().filter(|it| it.key == held.key).collect();
                assert!(own.iter().all(|it| it.consequences == held.consequences));
            }
            directory.stored = after.stored;
            let approved = plan.held.iter().filter(|held| held.is_approvable());
            let approved: Vec<String> = approved.map(|held| held.hold.clone()).collect();
            directory.stored.approved_holds = approved.into_iter().collect();
            whole += plan
                .steps
                .iter()
                .filter(|step| step.key.kind == ACCOUNT)
                .count();
        }
        // Only a protected user keeps an account.
        for n in &gone {
            let id = format!("a{n}");
            if directory.stored.rows.contains(&Key::new(ACCOUNT, &id)) {
                kept += 1;
                let rows = directory.stored.rows.iter();
                let mut users = rows.filter(|row| row.key.kind == USER);
                let protect = roster::kinds::get(USER).protect_index();
                assert!(
                    users.any(|row| row.values[protect] == Some(Value::Bool(true))),
                    "{round}: {id} stays although nobody is protected"
                );
            }
        }
    }
    assert!(
        whole > ROUNDS / 2 && kept > 0,
        "{whole} went, {kept} stayed"
    );
}

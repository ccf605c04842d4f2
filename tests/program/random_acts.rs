//! A random walk of acts, passes and writes of a shop, beside a model of what each may change. Access
//! never comes back by itself, and no pass undoes an act.
//!
//! `ROSTER_WALK` says how many steps a walk has.

use crate::support::dice::Dice;
use crate::support::workspace::{Workspace, account, each, user};
use std::collections::BTreeMap;

const USERS: [&str; 3] = ["u-1", "u-2", "u-3"];

/// What the model says of a user.
#[derive(Clone, PartialEq, Eq, Debug)]
struct UserFacts {
    access: &'static str,
    blocked: bool,
    /// As the row has it, after the last pass.
    status: &'static str,
    /// As the manifests have it; `None` without a document.
    declared: Option<&'static str>,
    phone: usize,
}

/// What the model says of everything.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Model {
    users: BTreeMap<&'static str, UserFacts>,
    approval: &'static str,
    account_blocked: bool,
}

impl Model {
    fn new() -> Self {
        let facts = UserFacts {
            access: "unregistered",
            blocked: false,
            status: "active",
            declared: Some("active"),
            phone: 0,
        };
        Self {
            users: USERS.map(|id| (id, facts.clone())).into(),
            approval: "pending",
            account_blocked: false,
        }
    }

    /// The manifests.
    fn tree(&self) -> String {
        let mut documents = vec![
            "settings: [{externalId: settings, accountApproval: true, firstUser: off}]".to_owned(),
            account("acme", ""),
        ];
        for (id, facts) in &self.users {
            if let Some(declared) = facts.declared {
                let text = user(id, "acme", &format!("status: {declared}"));
                documents.push(text.replace("+4", &format!("+4{}", facts.phone)));
            }
        }
        documents.join("\n---\n")
    }

    /// What a pass changes: the status of what is declared, and nothing that a person decided.
    fn pass(&mut self) {
        for facts in self.users.values_mut() {
            // A document that is gone deactivates; what nobody declares keeps its status.
            facts.status = facts.declared.unwrap_or("inactive");
        }
    }

    /// Who can buy by these facts.
    fn usable(&self) -> Vec<Option<String>> {
        let account = self.approval == "approved" && !self.account_blocked;
        let users = self.users.iter().filter(|(_, facts)| {
            account && facts.access == "enabled" && !facts.blocked && facts.status == "active"
        });
        users.map(|(id, _)| Some((*id).to_owned())).collect()
    }
}

/// An act of a person: performs it, and compares with what the model says about it.
fn act(ws: &Workspace, arguments: &[&str], possible: bool) {
    let ran = ws.run(&[arguments, &["--reason", "walk"]].concat());
    assert_eq!(
        ran.code,
        Some(i32::from(!possible)),
        "{}: {arguments:?}: {ran}",
        ws.engine
    );
}

fn act_on_user(ws: &Workspace, dice: &mut Dice, id: &'static str, facts: &mut UserFacts) {
    let resource = format!("User/{id}");
    match dice.roll(5) {
        0 => {
            act(ws, &["block", &resource], !facts.blocked);
            facts.blocked = true;
        }
        1 => {
            act(ws, &["unblock", &resource], facts.blocked);
            facts.blocked = false;
        }
        2 => {
            let possible = ["pending", "disabled"].contains(&facts.access);
            act(ws, &["user", "activate", id], possible);
            if possible {
                facts.access = "enabled";
            }
        }
        3 => {
            let possible = facts.access == "enabled";
            act(ws, &["user", "deactivate", id], possible);
            if possible {
                facts.access = "disabled";
            }
        }
        _ => {
            let possible = facts.access == "enabled";
            act(ws, &["user", "delete-identities", id], possible);
            if possible {
                facts.access = "unregistered";
            }
        }
    }
}

fn act_on_account(ws: &Workspace, dice: &mut Dice, model: &mut Model) {
    match dice.roll(4) {
        0 => {
            act(
                ws,
                &["approve", "account", "acme"],
                model.approval != "approved",
            );
            model.approval = "approved";
        }
        1 => {
            let possible = model.approval == "pending";
            act(ws, &["reject", "account", "acme"], possible);
            if possible {
                model.approval = "rejected";
            }
        }
        2 => {
            act(ws, &["block", "Account/acme"], !model.account_blocked);
            model.account_blocked = true;
        }
        _ => {
            act(ws, &["unblock", "Account/acme"], model.account_blocked);
            model.account_blocked = false;
        }
    }
}

/// The shop lets somebody register, or it changes a row that a source declares.
fn write_as_shop(ws: &Workspace, dice: &mut Dice, id: &'static str, facts: &mut UserFacts) {
    match dice.roll(3) {
        0 => {
            ws.sql(&format!(
                "UPDATE users SET access = 'pending' WHERE external_id = '{id}'"
            ));
            facts.access = "pending";
        }
        1 => {
            ws.sql(&format!(
                "UPDATE users SET access = 'enabled' WHERE external_id = '{id}'"
            ));
            facts.access = "enabled";
        }
        // Drift, which the next pass repairs.
        _ => ws.sql(&format!(
            "UPDATE users SET phone = '+46999' WHERE external_id = '{id}'"
        )),
    }
}

/// Somebody merges a change of a document.
fn edit(dice: &mut Dice, facts: &mut UserFacts) {
    match dice.roll(4) {
        0 => facts.phone = dice.roll(9),
        1 => facts.declared = Some("inactive"),
        2 => facts.declared = Some("active"),
        _ => facts.declared = None,
    }
}

/// A pass whose mass changes somebody accepted, so that nothing of it waits.
fn pass(ws: &Workspace, model: &mut Model) {
    ws.tree(model.tree());
    let accepted = ws.plan(&[]).overrides();
    let options: Vec<&str> = accepted.iter().flat_map(|over| over.split(' ')).collect();
    ws.apply(&options).exits(0);
    model.pass();
}

/// Compares every fact that the model knows with the database.
fn compare(ws: &Workspace, model: &Model, step: usize) {
    let stored = ws.column(
        "SELECT external_id || ' ' || access || ' ' || CASE WHEN blocked IS NULL THEN 'free' ELSE 'blocked' END \
         || ' ' || status FROM users ORDER BY external_id",
    );
    let expected = model.users.iter().map(|(id, facts)| {
        let blocked = if facts.blocked { "blocked" } else { "free" };
        Some(format!("{id} {} {blocked} {}", facts.access, facts.status))
    });
    assert_eq!(
        stored,
        expected.collect::<Vec<_>>(),
        "{}, step {step}",
        ws.engine
    );
    let account = ws.value(
        "SELECT approval || ' ' || CASE WHEN blocked IS NULL THEN 'free' ELSE 'blocked' END FROM accounts",
    );
    let blocked = if model.account_blocked {
        "blocked"
    } else {
        "free"
    };
    assert_eq!(account, Some(format!("{} {blocked}", model.approval)));
    assert_eq!(
        ws.column("SELECT external_id FROM usable_users ORDER BY external_id"),
        model.usable(),
        "{}, step {step}",
        ws.engine
    );
}

#[test]
fn a_random_walk_never_gives_access_back_and_undoes_no_act() {
    let steps = std::env::var("ROSTER_WALK")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(50);
    for (n, ws) in each("walk").into_iter().enumerate() {
        let mut dice = Dice(41 + n as u64);
        let mut model = Model::new();
        pass(&ws, &mut model);
        for step in 0..steps {
            let id = USERS[dice.roll(USERS.len())];
            let facts = model.users.get_mut(id).expect("a user of the model");
            match dice.roll(6) {
                0 | 1 => act_on_user(&ws, &mut dice, id, facts),
                2 => act_on_account(&ws, &mut dice, &mut model),
                3 => write_as_shop(&ws, &mut dice, id, facts),
                4 => {
                    edit(&mut dice, facts);
                    pass(&ws, &mut model);
                }
                _ => pass(&ws, &mut model),
            }
            compare(&ws, &model, step);
        }
        pass(&ws, &mut model);
        ws.settle(&[]);
        ws.run(&["history", "--verify"]).exits(0);
    }
}

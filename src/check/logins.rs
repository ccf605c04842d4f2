//! Which login names of an export are taken over. People keep the names with which they have logged
//! in so far, but a name that anybody ever had is never given to somebody else.

use super::field_index::user;
use super::{CheckContext, CheckSubjects, PlannedState, RuleDiagnostic, RuleDiagnostics};
use crate::diagnostic::{Origin, codes};
use crate::kinds::{self, ACCOUNT};
use crate::model::{CompactText, Key, LoginParts, RowLogin, TakenLogin};
use std::collections::HashMap;

/// Reports login names that cannot be taken over.
pub(super) fn not_taken(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    for (login, decision) in login_decisions(world) {
        if let Err(reason) = decision {
            out.push(not_taken_diagnostic(world, login, &reason));
        }
    }
}

/// The login names to store after the plan, in the order of the rows.
#[must_use]
pub fn taken_logins(world: &PlannedState<'_>) -> Vec<TakenLogin> {
    let taken = login_decisions(world).filter_map(|(_, decision)| decision.ok().flatten());
    let is_linked = |login: &TakenLogin| {
        let user = world.after(&Key::new(kinds::USER, &login.user));
        user.is_some_and(|user| user.links_to(user::ACCOUNTS, &login.account))
    };
    // The link may be held, or another source may own the accounts of the user.
    taken.filter(is_linked).collect()
}

/// What becomes of the login name of each row: stored, stored already, or why not.
fn login_decisions<'w>(
    world: &'w PlannedState<'_>,
) -> impl Iterator<Item = (&'w RowLogin, Result<Option<TakenLogin>, String>)> {
    let mut earlier = EarlierRows::default();
    let logins = world.desired.logins.iter();
    logins.map(move |login| (login, login_decision(world, login, &mut earlier)))
}

/// What earlier rows of the same export have taken over.
#[derive(Default)]
struct EarlierRows<'w> {
    /// The user and the account of each name.
    links: HashMap<&'w str, (&'w Key, CompactText)>,
    /// The name of each user in each account.
    names: HashMap<(&'w Key, CompactText), &'w str>,
}

fn login_decision<'w>(
    world: &'w PlannedState<'_>,
    login: &'w RowLogin,
    earlier: &mut EarlierRows<'w>,
) -> Result<Option<TakenLogin>, String> {
    let (name, user) = (&login.name, &login.user);
    let Some(parts) = LoginParts::of(name) else {
        return Err(format!(
            "`{name}` is not a customer number, a dash and a running number"
        ));
    };
    let Some(account) = account_of(world, login, parts.customer_number) else {
        return Err(format!(
            "no account of the row has the customer number {}",
            parts.customer_number
        ));
    };
    let link = (user.id.clone(), account.clone());
    match earlier.links.get(name.as_str()) {
        Some((other, _)) if *other != user => {
            return Err(format!("an earlier row gives `{name}` to {other}"));
        }
        Some(_) => return Ok(None),
        None => {}
    }
    if let Some(other) = earlier.names.get(&(user, account.clone())) {
        return Err(format!("an earlier row gives {user} the login `{other}`"));
    }
    let stored = &world.stored.logins_of_rows;
    match stored.links.get(name) {
        Some(holder) if *holder == link => return Ok(None),
        Some((holder, _)) => {
            let holder = Key::new(kinds::USER, holder);
            return Err(format!("`{name}` is the login of {holder}"));
        }
        None => {}
    }
    if let Some(other) = stored.names.get(&link) {
        return Err(format!("{user} logs in with `{other}` already"));
    }
    let next = stored.next.get(parts.customer_number);
    if next.is_some_and(|next| parts.running_number < *next) {
        return Err(format!("`{name}` was given to somebody before"));
    }
    earlier.links.insert(name, (user, account.clone()));
    earlier.names.insert((user, account.clone()), name);
    Ok(Some(TakenLogin {
        user: user.id.clone(),
        account,
        name: name.clone(),
    }))
}

/// The account of the row that has the customer number after the plan.
fn account_of(
    world: &PlannedState<'_>,
    login: &RowLogin,
    customer_number: &str,
) -> Option<CompactText> {
    let number = kinds::get(ACCOUNT).expect_index("customerNumber");
    let mut accounts = login.accounts.iter();
    let found = accounts.find(|account| {
        let view = world.after(&Key::new(ACCOUNT, account));
        view.is_some_and(|view| view.text(number) == Some(customer_number))
    });
    found.cloned()
}

fn not_taken_diagnostic(
    world: &PlannedState<'_>,
    login: &RowLogin,
    reason: &str,
) -> RuleDiagnostic {
    let message = format!("the login `{}` cannot be taken over: {reason}", login.name);
    let mut found = RuleDiagnostic::at_own_field(
        world,
        codes::LOGIN_TAKEN,
        &login.user,
        user::ACCOUNTS,
        message,
    );
    found.of_row = true;
    found.diagnostic.field = Some("login".to_owned());
    found.diagnostic.origin = Some(Origin {
        path: login.path.clone(),
        at: login.position,
    });
    found.help("Correct the login in the export, or leave it blank to give the user a new number")
}

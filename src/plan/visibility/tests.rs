use super::*;
use std::sync::Arc;

const USABLE: AccountUse = AccountUse {
    active: true,
    allowed: true,
};

fn link(state: &mut VisibilityState, user: &str, account: &str, administrator: bool) {
    state.accounts.insert(account.into(), USABLE);
    let user = state.users.entry(user.into()).or_default();
    Arc::make_mut(user)
        .accounts
        .push((account.into(), administrator));
}

fn put(state: &mut VisibilityState, user: &str, organisation: &str, account: &str) {
    let place = OrganisationPlace {
        account: account.into(),
        parent: None,
    };
    state.organisations.insert(organisation.into(), place);
    let user = state.users.entry(user.into()).or_default();
    Arc::make_mut(user).organisations.push(organisation.into());
}

#[test]
fn of_many_the_first_are_named_and_all_are_counted() {
    let mut before = VisibilityState::default();
    for at in 0..500 {
        link(&mut before, &format!("u{at:03}"), "acme", false);
    }
    let mut after = before.clone();
    after.accounts.insert(
        "acme".into(),
        AccountUse {
            active: false,
            allowed: true,
        },
    );
    let found = compare(&before, &after);
    assert_eq!((found.changes.len(), found.omitted), (200, 300));
    assert_eq!(found.count(), 500);
    let third = &found.changes[2];
    assert_eq!(third.user, "u002");
    assert_eq!(third.loses.accounts.named, ["acme"]);
    assert_eq!(third.loses.users.named[..3], ["u000", "u001", "u003"]);
    assert_eq!(third.loses.users.named.len(), 50);
    assert_eq!(third.loses.users.omitted, 449);
    let last = &found.changes[199].loses.users;
    assert_eq!((last.named.len(), last.omitted), (50, 449));
    assert!(third.gains.is_empty());
}

/// Users after the last that is named are worked out only as far as it takes to count them.
#[test]
fn who_is_only_counted_is_counted_rightly() {
    let mut before = VisibilityState::default();
    for at in 0..400 {
        let account = format!("a{at}");
        link(&mut before, &format!("chief{at}"), &account, true);
        // Of every fourth, the administrator sees nobody else.
        if at % 4 > 0 {
            let member = format!("member{at}");
            link(&mut before, &member, &account, false);
            put(&mut before, &member, &format!("o{at}"), &account);
        }
        // Every fourth of the others sees the same member in another account all the same.
        if at % 4 == 1 {
            link(&mut before, &format!("chief{at}"), "club", false);
            link(&mut before, &format!("member{at}"), "club", false);
            before.organisations.remove(format!("o{at}").as_str());
        }
    }
    let mut after = before.clone();
    after.admin_sees_account = false;
    let found = compare(&before, &after);
    assert_eq!(found.count(), 200);
    let mut less = before.clone();
    less.users.retain(|id, _| !id.starts_with("chief1"));
    let mut after = less.clone();
    after.admin_sees_account = false;
    let without = compare(&less, &after);
    let chiefs = (0..400).filter(|at| at % 4 > 1 && !at.to_string().starts_with('1'));
    assert_eq!(without.count(), chiefs.count());
    for state in [&mut before, &mut after] {
        for at in 400..800 {
            let account = format!("a{at}");
            link(state, &format!("chief{at}"), &account, true);
            link(state, &format!("member{at}"), &account, false);
            put(state, &format!("member{at}"), &format!("o{at}"), &account);
        }
    }
    let mut after = before.clone();
    after.admin_sees_account = false;
    let found = compare(&before, &after);
    assert_eq!((found.changes.len(), found.omitted), (200, 400));
}

#[test]
fn what_is_equal_says_nothing() {
    let mut state = VisibilityState::default();
    link(&mut state, "anna", "acme", true);
    put(&mut state, "bram", "north", "acme");
    assert!(compare(&state, &state.clone()).is_empty());
}

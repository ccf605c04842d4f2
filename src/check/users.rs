//! Rules on users: each belongs to an account, and an account keeps its last user and
//! administrator.
//!
//! [`last_of_accounts`] starts from the users that the plan takes away, not from accounts: the
//! account whose last user goes is often not in the plan at all.

use super::accounts::{first_user, has_user};
use super::field_index::user;
use super::fields::is_reported;
use super::{
    CheckContext, CheckSubjects, PlannedOutcome, PlannedState, ResourceView, RuleDiagnostic,
    RuleDiagnostics,
};
use crate::diagnostic::{Code, Severity, codes};
use crate::kinds::effective::{self, DatedItem};
use crate::kinds::{ACCOUNT, USER};
use crate::model::{Key, Link, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The index of `administrator` among the choices of `level` on a user's link to an account.
pub(crate) const ADMINISTRATOR: Option<u8> = Some(1);

/// Reports users who belong to no account.
pub(super) fn without_account(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    // Nobody has to take a user away on the day on which the last link ends.
    let has =
        view.targets(user::ACCOUNTS).next().is_some() || dated_accounts(view).next().is_some();
    // An inactive user may outlive the last account.
    if has
        || !view.is_live() && !view.is_created()
        || is_reported(scene.world, view, user::ACCOUNTS)
        || scene.is_optional(view.key, user::ACCOUNTS)
    {
        return;
    }
    let message = format!("{} belongs to no account", view.key);
    let code = codes::USER_WITHOUT_ACCOUNT;
    let found = RuleDiagnostic::at_own_field(scene.world, code, view.key, user::ACCOUNTS, message);
    let found = found.help("Name at least one, or make `User.accounts` optional in Settings");
    out.push(found.involving_setting(scene.world, "optionalFields"));
}

/// The accounts to which the user belongs for a time only, now or not.
fn dated_accounts(view: ResourceView<'_>) -> impl Iterator<Item = DatedItem> + '_ {
    let items = effective::dated_items(view.kind(), view.value(user::DATED_LINKS));
    items.filter(|item| item.list == "accounts")
}

/// Whether a user belongs to an account, also if not yet or no longer. What depends on it stays
/// valid on the day on which the link ends.
pub(super) fn belongs_to(view: ResourceView<'_>, account: &str) -> bool {
    view.links_to(user::ACCOUNTS, account)
        || dated_accounts(view).any(|item| item.member == account)
}

/// Reports dates on links to accounts that do not exist, before the link begins.
pub(super) fn dated_links(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    for item in dated_accounts(view).filter(|item| !view.links_to(user::ACCOUNTS, &item.member)) {
        let account = Key::new(ACCOUNT, &item.member);
        // One that was deleted since says nothing: the link has ended or will never begin.
        if world.after(&account).is_some() || world.stored.retired.contains(&account) {
            continue;
        }
        let message = format!("{account} does not exist: it is neither declared nor stored");
        let found = RuleDiagnostic::at_own_field(
            world,
            codes::REFERENCE,
            view.key,
            user::ACCOUNTS,
            message,
        )
        .help("Correct the id, or declare it in the same source");
        out.push(found.member(&item.member).involving(world, &account));
    }
}

/// Reports users who are to be told by mail and have no e-mail address.
pub(super) fn notified_without_email(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    if view.value(user::NOTIFY) != Some(&Value::Bool(true))
        || view.value(user::EMAIL).is_some()
        || !view.is_live()
        || is_reported(scene.world, view, user::EMAIL)
        // `required` reports the address itself.
        || view.is_created() && !scene.is_optional(view.key, user::EMAIL)
    {
        return;
    }
    let message = format!(
        "{} has no e-mail address, so no link to set a password can be sent",
        view.key
    );
    let code = codes::NOTIFY_NO_EMAIL;
    let found = RuleDiagnostic::at_own_field(scene.world, code, view.key, user::NOTIFY, message);
    out.push(found.help("Write `email`, or leave `notify` out"));
}

/// The users whom the plan takes from one account by deactivating, deleting, unlinking or demoting
/// them.
///
/// A user whom the plan both activates and unlinks is included, because one of the two may be held.
/// The flags say whether any of them was active before: only then does the account lose something.
#[derive(Default)]
struct DepartingUsers<'a> {
    users: Vec<&'a Key>,
    administrators: Vec<&'a Key>,
    was_used: bool,
    was_administered: bool,
}

/// Reports accounts that stay active although the plan takes their last user or administrator.
pub(super) fn last_of_accounts(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    for (account, leaving) in leaving(world) {
        // An account that goes with its users is the normal end of a customer. One that was
        // inactive has nobody to lock out yet; activating it is checked by
        // `accounts::without_user`.
        let live = |view: Option<ResourceView<'_>>| view.is_some_and(|view| view.is_live());
        if !live(world.before(&account)) || !live(world.after(&account)) {
            continue;
        }
        let severity = first_user(world);
        if let Some(severity) = severity
            && leaving.was_used
            && !has_user(world, &account)
        {
            out.extend(last_user(scene, &account, &leaving.users, severity));
        // Losing the last user implies losing the last administrator: one mistake, one diagnostic.
        } else if leaving.was_administered && !has_administrator(world, &account) {
            out.extend(last_administrator(scene, &account, &leaving.administrators));
        }
    }
}

fn leaving<'a>(world: &PlannedState<'a>) -> BTreeMap<Key, DepartingUsers<'a>> {
    let mut found: BTreeMap<Key, DepartingUsers<'a>> = BTreeMap::new();
    for effect in world.effects {
        if effect.key.kind != USER || matches!(effect.outcome, PlannedOutcome::Create { .. }) {
            continue;
        }
        let Some(before) = world.before(&effect.key) else {
            continue;
        };
        let after = world.after(&effect.key).filter(ResourceView::is_live);
        let was_live = before.is_live();
        // An inactive user could not log in before and cannot afterwards: nobody loses anything.
        if !was_live && after.is_none() {
            continue;
        }
        for link in links(before) {
            let stays = after.and_then(|after| linked(after, &link.target));
            let account = || Key {
                kind: ACCOUNT,
                id: link.target.clone(),
            };
            if stays.is_none() {
                let leaving = found.entry(account()).or_default();
                leaving.users.push(&effect.key);
                leaving.was_used |= was_live;
            }
            // An item written as `- acme` means level user, so leaving the level out demotes
            // somebody by accident.
            let level = |link: &Link| link.attributes[0] == ADMINISTRATOR;
            if level(link) && !stays.is_some_and(level) {
                let leaving = found.entry(account()).or_default();
                leaving.administrators.push(&effect.key);
                leaving.was_administered |= was_live;
            }
        }
    }
    found
}

fn links(view: ResourceView<'_>) -> &[Link] {
    view.value(user::ACCOUNTS).map_or(&[], Value::as_links)
}

fn linked<'v>(view: ResourceView<'v>, account: &str) -> Option<&'v Link> {
    let links = links(view);
    // Links are sorted by target.
    let index = links.binary_search_by(|link| link.target.as_str().cmp(account));
    index.ok().map(|index| &links[index])
}

fn has_administrator(world: &PlannedState<'_>, account: &Key) -> bool {
    let users = world.referrers(USER, user::ACCOUNTS, account).into_iter();
    let mut users = users
        .filter_map(|user| world.after(user))
        .filter(ResourceView::is_live);
    users.any(|user| {
        linked(user, &account.id).is_some_and(|link| link.attributes[0] == ADMINISTRATOR)
    })
}

fn last_user(
    scene: &CheckContext<'_, '_>,
    account: &Key,
    users: &[&Key],
    severity: Severity,
) -> Option<RuleDiagnostic> {
    let message = format!("{account} stays active but loses its last active user");
    let help = "Add a successor in the same plan, or set the account inactive too";
    let found = one_of(scene, account, users, codes::LAST_USER, message)?;
    let found = found.help(help).severity(severity);
    let found = found.set_by(scene.world, "firstUser");
    Some(found.unless_unread(scene.unread_user(account)))
}

fn last_administrator(
    scene: &CheckContext<'_, '_>,
    account: &Key,
    users: &[&Key],
) -> Option<RuleDiagnostic> {
    let message = format!("{account} loses its last administrator");
    let help = "Make another user administrator in the same plan";
    let found = one_of(scene, account, users, codes::LAST_ADMINISTRATOR, message)?;
    Some(found.help(help).unless_unread(scene.unread_user(account)))
}

/// Builds the diagnostic at the last of the users who go, because the account need not be in the
/// plan.
fn one_of(
    scene: &CheckContext<'_, '_>,
    account: &Key,
    users: &[&Key],
    code: Code,
    message: String,
) -> Option<RuleDiagnostic> {
    let world = scene.world;
    let (last, others) = users.split_last()?;
    // The field that takes the user away, so that the message points at the line to change.
    let gone = !world.after(last).is_some_and(|view| view.is_live());
    let field = if gone { user::STATUS } else { user::ACCOUNTS };
    let mut found =
        RuleDiagnostic::at_own_field(world, code, last, field, message).involving(world, account);
    let mut named = BTreeSet::from([*last]);
    for other in others.iter().copied().chain(world.declared_users(account)) {
        if named.insert(other) {
            found = found.involving(world, other);
        }
    }
    Some(found)
}

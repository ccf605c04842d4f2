//! Rules on accounts: an active user, an address, a complete legal user, and a customer number
//! where people log in with it.
//!
//! Most look at one account. Two look at all accounts when the plan changes a setting that makes
//! them invalid, and report that once, at the setting.

use super::field_index::{account, settings, user};
use super::fields::is_reported;
use super::rule_diagnostic::list_keys;
use super::{
    CheckContext, CheckSubjects, PlannedState, ResourceView, RuleDiagnostic, RuleDiagnostics,
};
use crate::diagnostic::{Severity, agreed, codes};
use crate::kinds::{ACCOUNT, USER, settings_key};
use crate::model::Key;

/// The number of accounts in a message. Each of them has to be fixed, so nearly all are named.
const NAMED: usize = 1000;

/// The severity of an account without a user, by the setting `firstUser`. `None` turns the rule
/// off.
pub(super) fn first_user(world: &PlannedState<'_>) -> Option<Severity> {
    match world.setting_text("firstUser").as_str() {
        "off" => None,
        "warn" => Some(Severity::Warning),
        _ => Some(Severity::Error),
    }
}

/// Whether an active user belongs to the account after the plan.
pub(super) fn has_user(world: &PlannedState<'_>, key: &Key) -> bool {
    let users = world.referrers(USER, user::ACCOUNTS, key);
    users
        .iter()
        .any(|user| world.after(user).is_some_and(|user| user.is_live()))
}

/// Reports an account that is created active or activated without an active user.
pub(super) fn without_user(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    // An account that is active already is `users::last_of_accounts`' case: the plan then takes the
    // user away. Stored accounts without a user must not block unrelated edits.
    if !view.becomes_live() || has_user(world, view.key) {
        return;
    }
    let Some(severity) = first_user(world) else {
        return;
    };
    let (comes, instead) = if view.is_created() {
        ("is created active", "create it inactive")
    } else {
        ("becomes active", "leave it inactive")
    };
    let message = format!("{} {comes}, but no active user belongs to it", view.key);
    let code = codes::ACCOUNT_WITHOUT_USER;
    let mut found = RuleDiagnostic::at_own_field(world, code, view.key, account::STATUS, message)
        .severity(severity)
        .help(format!(
            "Declare its first user in the same source, or {instead}"
        ))
        .set_by(world, "firstUser")
        .unless_unread(scene.unread_user(view.key));
    // The status is right. What is missing is a user, so the diagnostic points at the account
    // itself.
    found.diagnostic.field = None;
    found.diagnostic.origin = world.origin(view.key);
    // A declared user who is inactive or held here: if held, the account is held with the user.
    for user in world.declared_users(view.key) {
        found = found.involving_field(world, user, user::ACCOUNTS);
    }
    out.push(found);
}

/// Warns of active accounts without a user when the plan sets `firstUser: required`.
///
/// They were allowed until now, and the rule is about accounts that become active: nothing is
/// refused.
pub(super) fn without_first_users(
    scene: &CheckContext<'_, '_>,
    _: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    let settings = settings_key();
    let asks = first_user(world) == Some(Severity::Error) && world.changes_setting("firstUser");
    if !asks {
        return;
    }
    let accounts = world.all_before(ACCOUNT);
    // Active before and after. An account that this plan activates is `without_user`'s case, and is
    // an error there.
    let accounts = accounts.filter(|view| world.after(view.key).is_some_and(|it| it.is_live()));
    let mut lacking: Vec<&Key> = accounts
        .filter(|view| view.is_live() && !has_user(world, view.key))
        .map(|view| view.key)
        .collect();
    if lacking.is_empty() {
        return;
    }
    lacking.sort_unstable();
    let message = format!(
        "`firstUser` becomes `required`, but {} no active user: {}",
        agreed(
            lacking.len(),
            ("active account", "active accounts"),
            ("has", "have")
        ),
        list_keys(lacking.iter().copied(), NAMED)
    );
    let code = codes::ACCOUNT_WITHOUT_USER;
    let found = RuleDiagnostic::at_own_field(world, code, &settings, settings::FIRST_USER, message)
        .severity(Severity::Warning)
        .help("Give each of them a user, or set it inactive. This does not block the plan");
    out.push(found);
}

/// Reports an account without an address.
pub(super) fn without_address(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    // Not only new accounts: a plan that unlinks the last address leaves a customer to whom nothing
    // can be delivered or invoiced.
    let has = view.targets(account::ADDRESSES).next().is_some();
    if has || is_reported(scene.world, view, account::ADDRESSES) {
        return;
    }
    if scene.is_optional(view.key, account::ADDRESSES) {
        return;
    }
    let message = format!("{} has no address", view.key);
    let code = codes::ACCOUNT_WITHOUT_ADDRESS;
    let found =
        RuleDiagnostic::at_own_field(scene.world, code, view.key, account::ADDRESSES, message)
            .help("Write at least one, in full or as a `ref:`");
    out.push(found.involving_setting(scene.world, "optionalFields"));
}

/// Reports a legal user who is incomplete, or declared although no payment provider is used.
pub(super) fn legal_user(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let mut fields = account::LEGAL_FIRST_NAME..=account::LEGAL_RESIDENCE;
    let Some(first) = fields.find(|field| view.value(*field).is_some()) else {
        return;
    };
    let world = scene.world;
    let missing: Vec<&str> = (account::LEGAL_FIRST_NAME..=account::LEGAL_RESIDENCE)
        .filter(|field| view.value(*field).is_none() && !is_reported(world, view, *field))
        .map(|field| view.kind().fields[field].name)
        .collect();
    if !missing.is_empty() {
        let message = format!(
            "the legal user is incomplete; missing: {}",
            missing.join(", ")
        );
        let found =
            RuleDiagnostic::at_own_field(world, codes::LEGAL_USER, view.key, first, message);
        out.push(found.help("Write all five fields, or none of them"));
    }
    // Without a provider nothing reads these personal data, so they must not be stored.
    if !world.is_setting_true("paymentProvider") {
        let message = "a legal user is declared, but no payment provider is used";
        let found =
            RuleDiagnostic::at_own_field(world, codes::LEGAL_USER, view.key, first, message);
        let help = "Set `paymentProvider: true` in Settings, or leave `legalUser` out";
        let found = found.help(help).set_by(world, "paymentProvider");
        out.push(found.involving(world, &settings_key()));
    }
}

/// Reports active accounts without a customer number where people log in with it. If the plan
/// switches `loginMode`, one diagnostic names all of them; otherwise each account gets its own.
pub(super) fn without_number(
    scene: &CheckContext<'_, '_>,
    subjects: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    if world.setting_text("loginMode") == "email" {
        return;
    }
    let lacks =
        |view: &ResourceView<'_>| view.is_live() && view.text(account::CUSTOMER_NUMBER).is_none();
    let settings = settings_key();
    // A switch locks out every account without a number, edited by this plan or not. So all
    // accounts are looked at, and the error is at the setting, the line that causes it.
    let before = world.setting_before("loginMode");
    let asked = before.is_none_or(|before| before.as_text() == Some("email"));
    if asked {
        let mut all: Vec<&Key> = world
            .all_after(ACCOUNT)
            .filter(lacks)
            .map(|view| view.key)
            .collect();
        all.sort_unstable();
        out.extend(all_without_number(world, &settings, &all));
        return;
    }
    let subjects = subjects.of_kind(ACCOUNT).iter();
    for view in subjects.filter_map(|key| world.after(key)).filter(lacks) {
        let message = format!(
            "{} has no customer number, but login uses customer numbers",
            view.key
        );
        let code = codes::CUSTOMER_NUMBER_MISSING;
        let found =
            RuleDiagnostic::at_own_field(world, code, view.key, account::CUSTOMER_NUMBER, message);
        out.push(
            found
                .help("Write its `customerNumber`")
                .involving(world, &settings),
        );
    }
}

fn all_without_number(
    world: &PlannedState<'_>,
    settings: &Key,
    all: &[&Key],
) -> Option<RuleDiagnostic> {
    if all.is_empty() {
        return None;
    }
    let message = format!(
        "login changes to customer numbers, but {} of the accounts have none: {}",
        all.len(),
        list_keys(all.iter().copied(), NAMED)
    );
    let code = codes::CUSTOMER_NUMBER_MISSING;
    let mut found =
        RuleDiagnostic::at_own_field(world, code, settings, settings::LOGIN_MODE, message)
            .help("Write their `customerNumber` first, then change `loginMode`");
    // Their numbers may be in this plan and held; then the switch waits for them.
    for account in all.iter().take(NAMED) {
        found = found.involving(world, account);
    }
    Some(found)
}

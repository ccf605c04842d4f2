//! What an account needs: a person, an address, a number to log in with.

use super::field_index::{account, settings, user};
use super::fields::{is_reported, settings_key};
use super::rule_diagnostic::list_keys;
use super::{
    CheckContext, CheckSubjects, PlannedState, ResourceView, RuleDiagnostic, RuleDiagnostics,
};
use crate::diagnostic::{Severity, agreed, codes};
use crate::kinds::{ACCOUNT, USER};
use crate::model::Key;

/// How many accounts a message names.
const NAMED: usize = 1000;

/// How much it matters that an account has nobody, by `firstUser`; `None`: not at all.
pub(super) fn first_user(world: &PlannedState<'_>) -> Option<Severity> {
    match world.setting_text("firstUser").as_str() {
        "off" => None,
        "warn" => Some(Severity::Warning),
        _ => Some(Severity::Error),
    }
}

/// Whether somebody active would belong to the account.
pub(super) fn has_user(world: &PlannedState<'_>, key: &Key) -> bool {
    let users = world.referrers(USER, user::ACCOUNTS, key);
    users
        .iter()
        .any(|user| world.after(user).is_some_and(|user| user.is_live()))
}

/// An account that comes into use and to which nobody active would belong.
pub(super) fn without_user(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
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
    // The account has no field to blame.
    found.diagnostic.field = None;
    found.diagnostic.origin = world.origin(view.key);
    for user in scene.declared_users(view.key) {
        found = found.involving_field(world, user, user::ACCOUNTS);
    }
    out.push(found);
}

/// Active accounts without a user, when the settings ask for one from now on. They were fine until
/// now, and the rule is about what comes into use: nothing is refused.
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

/// An account that would have no address.
pub(super) fn without_address(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
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

/// A legal user who is incomplete, or for whom there is no payment provider.
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
    if !world.is_setting_true("paymentProvider") {
        let message = "a legal user is declared, but no payment provider is used";
        let found =
            RuleDiagnostic::at_own_field(world, codes::LEGAL_USER, view.key, first, message);
        let help = "Set `paymentProvider: true` in Settings, or leave `legalUser` out";
        let found = found.help(help).set_by(world, "paymentProvider");
        out.push(found.involving(world, &settings_key()));
    }
}

/// Active accounts without the customer number that people log in with: all of them in one
/// finding when the settings ask for it from now on, else each at its own place.
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
    for account in all.iter().take(NAMED) {
        found = found.involving(world, account);
    }
    Some(found)
}

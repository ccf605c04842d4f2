//! Who reviews whom, and whether they may.

use super::at::policy;
use super::at::user;
use super::{Finding, Findings, Scene, View, World, unread};
use crate::diagnostic::{Severity, codes};
use crate::kinds::{ACCOUNT, USER};
use crate::model::{Key, Text};

fn key(id: &Text) -> Key {
    Key {
        kind: USER,
        id: id.clone(),
    }
}

/// Everybody in an active policy must belong to its account.
pub(super) fn foreign_users(scene: &Scene<'_, '_>, view: View<'_>, out: &mut Findings) {
    let world = scene.world;
    if !view.live() {
        return;
    }
    let Some(account) = view.text(policy::ACCOUNT) else {
        return;
    };
    for (field, role) in [
        (policy::REVIEWED, "reviewed user"),
        (policy::APPROVERS, "approver"),
    ] {
        for id in view.targets(field) {
            let user = key(id);
            let there = world.after(&user);
            if there.is_none_or(|there| there.links_to(user::ACCOUNTS, account)) {
                continue;
            }
            let message = format!("{role} `{id}` does not belong to account `{account}`");
            let code = codes::POLICY_FOREIGN_USER;
            let found = Finding::own(world, code, view.key, field, message)
                .member(id)
                .help("name users of the policy's account, or add the account to the user");
            let found = found.with_field(world, &user, user::ACCOUNTS);
            let found = found.unless(unread::faulty(world, &user, user::ACCOUNTS));
            out.push(found.with(world, &Key::new(ACCOUNT, account)));
        }
    }
}

/// One or two approvers of an active policy, at least one of them active.
pub(super) fn approvers(scene: &Scene<'_, '_>, view: View<'_>, out: &mut Findings) {
    let world = scene.world;
    if !view.live() {
        return;
    }
    let code = codes::POLICY_APPROVERS;
    let count = view.targets(policy::APPROVERS).count();
    let missing = count == 0 && view.created() && !scene.is_optional(view.key, policy::APPROVERS);
    if missing {
        // That is `required`.
        return;
    }
    if count == 0 || count > 2 {
        let message = format!("{} has {count} approvers, not one or two", view.key);
        let found = Finding::own(world, code, view.key, policy::APPROVERS, message);
        out.push(found.help("name one or two users of the account"));
    } else if nobody_active(world, view) {
        let before = world.before(view.key);
        let own_doing = view.becomes_live()
            || before.is_some_and(|before| before.live() && somebody_was_active(world, before));
        let message = format!("no approver of {} is active", view.key);
        let found = Finding::own(world, code, view.key, policy::APPROVERS, message)
            .help("name an active approver, or set the policy inactive as well");
        let severity = if own_doing {
            Severity::Error
        } else {
            Severity::Warning
        };
        let involved = view.targets(policy::APPROVERS).map(key);
        out.push(involved.fold(found.severity(severity), |found, user| {
            found.with_field(world, &user, user::STATUS)
        }));
    }
}

/// Approvers who are not there at all are a fault of their own.
fn nobody_active(world: &World<'_>, view: View<'_>) -> bool {
    let mut approvers = view.targets(policy::APPROVERS);
    approvers.all(|id| world.after(&key(id)).is_some_and(|user| !user.live()))
}

fn somebody_was_active(world: &World<'_>, before: View<'_>) -> bool {
    let mut approvers = before.targets(policy::APPROVERS);
    approvers.any(|id| world.before(&key(id)).is_some_and(|user| user.live()))
}

/// Nobody should approve his own purchases.
pub(super) fn self_approval(scene: &Scene<'_, '_>, view: View<'_>, out: &mut Findings) {
    for id in view.targets(policy::APPROVERS) {
        if view.links_to(policy::REVIEWED, id) {
            let message = format!("approver `{id}` is also reviewed");
            let code = codes::POLICY_SELF;
            let found = Finding::own(scene.world, code, view.key, policy::APPROVERS, message);
            let help = "take the user out of one of the two lists, unless that is meant";
            out.push(found.member(id).help(help));
        }
    }
}

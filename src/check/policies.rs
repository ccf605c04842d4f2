//! Rules on approval policies: whom they review, and who approves.
//!
//! The errors are about active policies only, because an inactive one blocks no order.

use super::field_index::policy;
use super::field_index::user;
use super::{CheckContext, PlannedState, ResourceView, RuleDiagnostic, RuleDiagnostics, unread};
use crate::diagnostic::{Severity, codes};
use crate::kinds::{ACCOUNT, USER};
use crate::model::{CompactText, Key};

fn key(id: &CompactText) -> Key {
    Key {
        kind: USER,
        id: id.clone(),
    }
}

/// Reports reviewed users and approvers of an active policy who do not belong to its account.
pub(super) fn foreign_users(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    if !view.is_live() {
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
            // A user who does not exist is reported by `references::links`.
            if there.is_none_or(|there| there.links_to(user::ACCOUNTS, account)) {
                continue;
            }
            let message = format!("{role} `{id}` does not belong to account `{account}`");
            let code = codes::POLICY_FOREIGN_USER;
            let found = RuleDiagnostic::at_own_field(world, code, view.key, field, message)
                .member(id)
                .help("Name users of the policy's account, or add the account to the user");
            let found = found.involving_field(world, &user, user::ACCOUNTS);
            let found = found.unless_unread(unread::faulty(world, &user, user::ACCOUNTS));
            out.push(found.involving(world, &Key::new(ACCOUNT, account)));
        }
    }
}

/// Reports active policies that do not have one or two approvers, or none that is active.
pub(super) fn approvers(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    if !view.is_live() {
        return;
    }
    let code = codes::POLICY_APPROVERS;
    let count = view.targets(policy::APPROVERS).count();
    let missing =
        count == 0 && view.is_created() && !scene.is_optional(view.key, policy::APPROVERS);
    if missing {
        // `fields::required` reports it, together with the other missing fields.
        return;
    }
    if count == 0 || count > 2 {
        let message = format!("{} has {count} approvers; 1 or 2 are allowed", view.key);
        let found = RuleDiagnostic::at_own_field(world, code, view.key, policy::APPROVERS, message);
        out.push(found.help("Name one or two users of the account"));
    } else if nobody_active(world, view) {
        // Without an active approver, orders wait for ever. It is an error only if this plan brings
        // that about: if an approver was deactivated in the shop, an unrelated edit must not be
        // refused.
        let before = world.before(view.key);
        let own_doing = view.becomes_live()
            || before.is_some_and(|before| before.is_live() && somebody_was_active(world, before));
        let message = format!("no approver of {} is active", view.key);
        let found = RuleDiagnostic::at_own_field(world, code, view.key, policy::APPROVERS, message)
            .help("Name an active approver, or set the policy inactive too");
        let severity = if own_doing {
            Severity::Error
        } else {
            Severity::Warning
        };
        let involved = view.targets(policy::APPROVERS).map(key);
        out.push(involved.fold(found.severity(severity), |found, user| {
            found.involving_field(world, &user, user::STATUS)
        }));
    }
}

/// Whether all approvers exist and are inactive. A missing approver is reported as a reference.
fn nobody_active(world: &PlannedState<'_>, view: ResourceView<'_>) -> bool {
    let mut approvers = view.targets(policy::APPROVERS);
    approvers.all(|id| world.after(&key(id)).is_some_and(|user| !user.is_live()))
}

fn somebody_was_active(world: &PlannedState<'_>, before: ResourceView<'_>) -> bool {
    let mut approvers = before.targets(policy::APPROVERS);
    approvers.any(|id| world.before(&key(id)).is_some_and(|user| user.is_live()))
}

/// Warns of approvers who would approve their own orders.
pub(super) fn self_approval(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    for id in view.targets(policy::APPROVERS) {
        if view.links_to(policy::REVIEWED, id) {
            let message = format!("approver `{id}` is also reviewed");
            let code = codes::POLICY_SELF;
            let found = RuleDiagnostic::at_own_field(
                scene.world,
                code,
                view.key,
                policy::APPROVERS,
                message,
            );
            let help = "Remove the user from one of the two lists, unless this is intended";
            out.push(found.member(id).help(help));
        }
    }
}

//! Rules on approval policies: whom they review, and who approves.
//!
//! The errors are about active policies only, because an inactive one blocks no order. Whether an
//! approver can act depends on runtime facts too: [`ApproverState`] decides that for plans, the
//! command line and the daemon alike.

use super::field_index::policy;
use super::field_index::user;
use super::users::belongs_to;
use super::{CheckContext, PlannedState, ResourceView, RuleDiagnostic, RuleDiagnostics, unread};
use crate::diagnostic::{Severity, codes};
use crate::kinds::{self, ACCOUNT, SETTINGS, USER};
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
            if there.is_none_or(|there| belongs_to(there, account)) {
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
    } else if account_usable(world, view) {
        warn_if_nobody_can_act(world, view, out);
    }
}

/// What decides whether an approver can act on the purchases of an account.
#[derive(Clone, Copy, Debug)]
pub struct ApproverState<'a> {
    /// Whether the approver belongs to the account.
    pub belongs: bool,
    pub active: bool,
    pub blocked: bool,
    /// The runtime fact `access`; another program may leave it empty.
    pub access: Option<&'a str>,
}

impl ApproverState<'_> {
    /// Why the approver cannot act, as in `eva is blocked`; `None` if nothing is in the way.
    pub fn obstacle(&self) -> Option<String> {
        if !self.belongs {
            return Some("does not belong to the account".to_owned());
        }
        if !self.active {
            return Some("is inactive".to_owned());
        }
        if self.blocked {
            return Some("is blocked".to_owned());
        }
        match self.access.unwrap_or(INITIAL_ACCESS) {
            "enabled" => None,
            access => Some(format!("cannot log in ({access})")),
        }
    }
}

const INITIAL_ACCESS: &str = "unregistered";

/// What to do about a policy that nobody can act on.
pub const NOBODY_CAN_ACT_HELP: &str = "Let one of them log in, or name another approver";

/// The message about a policy none of whose approvers can act, each with why not.
pub fn nobody_can_act(policy: &str, unable: &[(String, String)]) -> String {
    if unable.is_empty() {
        return format!("Policy/{policy} has no approver any more");
    }
    let unable = unable.iter().map(|(id, why)| format!("{id} {why}"));
    let unable: Vec<String> = unable.collect();
    format!(
        "no approver of Policy/{policy} can act: {}",
        unable.join(", ")
    )
}

/// Warns if orders would wait until somebody lets an approver log in. It is no error, because no
/// source decides about that.
fn warn_if_nobody_can_act(
    world: &PlannedState<'_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let (mut able, mut unable) = (Vec::new(), Vec::new());
    for id in view.targets(policy::APPROVERS) {
        let Some(user) = world.after(&key(id)) else {
            // A missing approver is reported as a reference.
            return;
        };
        let account = view.text(policy::ACCOUNT).unwrap_or_default();
        if !belongs_to(user, account) {
            // So is one of another account, as `policy-foreign-user`.
            return;
        }
        let initial = user.is_created().then(|| initial_access(world));
        let state = ApproverState {
            belongs: user.links_to(user::ACCOUNTS, account),
            active: user.is_live(),
            blocked: user.fact("blocked").is_some(),
            access: initial.as_deref().or_else(|| user.fact("access")),
        };
        match state.obstacle() {
            Some(why) => unable.push((id.to_string(), why)),
            None => able.push(id),
        }
    }
    // Nobody approves what they buy themselves.
    let only_buyer = |id: &CompactText| view.targets(policy::REVIEWED).all(|buyer| buyer == id);
    match able.as_slice() {
        [] => {}
        [only] if only_buyer(only) => unable.push((only.to_string(), "is the buyer".to_owned())),
        _ => return,
    }
    let (code, message) = (
        codes::POLICY_APPROVERS,
        nobody_can_act(&view.key.id, &unable),
    );
    let found = RuleDiagnostic::at_own_field(world, code, view.key, policy::APPROVERS, message)
        .severity(Severity::Warning)
        .help(NOBODY_CAN_ACT_HELP);
    out.push(found.at_run_time());
}

/// Whether anybody can buy for the account of a policy.
fn account_usable(world: &PlannedState<'_>, view: ResourceView<'_>) -> bool {
    let Some(account) = view.text(policy::ACCOUNT) else {
        return false;
    };
    let account = world.after(&Key::new(ACCOUNT, account));
    account.is_some_and(|account| {
        let approved = if account.is_created() {
            !world.is_setting_true("accountApproval")
        } else {
            account.fact("approval").is_none_or(|it| it == "approved")
        };
        account.is_live() && approved && account.fact("blocked").is_none()
    })
}

/// The access of a user whom this plan creates.
fn initial_access(world: &PlannedState<'_>) -> CompactText {
    let kind = kinds::get(SETTINGS);
    match kind.index("initialAccess") {
        Some(_) => world.setting_text("initialAccess"),
        None => CompactText::new(INITIAL_ACCESS),
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

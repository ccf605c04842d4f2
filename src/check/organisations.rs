//! Rules on the tree of organisations, and on the users in it.
//!
//! An organisation belongs to one account, and so do its parent and its users. [`tree`] finds
//! cycles and organisations that are too deep. It walks each organisation once, because an export
//! may contain chains of thousands.

use super::field_index::{organisation, user};
use super::users::belongs_to;
use super::{
    CheckContext, CheckSubjects, PlannedState, ResourceView, RuleDiagnostic, RuleDiagnostics,
    unread,
};
use crate::diagnostic::{Severity, agreed, codes};
use crate::kinds::{ACCOUNT, ORGANISATION, settings_key};
use crate::model::{CompactText, Key};
use std::collections::{HashMap, HashSet};

fn key(id: &CompactText) -> Key {
    Key {
        kind: ORGANISATION,
        id: id.clone(),
    }
}

/// Reports a main organisation that is not among the user's organisations.
pub(super) fn main(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    let code = codes::MAIN_ORGANISATION;
    let field = user::MAIN_ORGANISATION;
    let Some(main) = view.targets(field).next() else {
        if view.targets(user::ORGANISATIONS).nth(1).is_some() {
            let message = format!("{} has several organisations but no main one", view.key);
            let found = RuleDiagnostic::at_own_field(world, code, view.key, field, message);
            let help = "Name one of them as `mainOrganisation`";
            out.push(found.severity(Severity::Warning).help(help));
        }
        return;
    };
    let organisation = key(main);
    // A missing organisation is reported by `references::links`.
    if view.links_to(user::ORGANISATIONS, main) || world.after(&organisation).is_none() {
        return;
    }
    let message = format!("main organisation `{main}` is not among the user's organisations");
    let found = RuleDiagnostic::at_own_field(world, code, view.key, field, message);
    let found = found.help("Add it to `organisations`, or name one of those");
    let found = found.unless_unread(unread::faulty(world, view.key, user::ORGANISATIONS));
    out.push(found.involving(world, &organisation));
}

/// Reports organisations of a user that belong to an account the user is not in.
pub(super) fn of_user(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    for id in view.targets(user::ORGANISATIONS) {
        let organisation = key(id);
        let Some(there) = world.after(&organisation) else {
            continue;
        };
        let Some(account) = there.text(organisation::ACCOUNT) else {
            continue;
        };
        // As in `parent_account`: the user would see the people of a customer to whom they do not
        // belong.
        if belongs_to(view, account) {
            continue;
        }
        let message =
            format!("organisation `{id}` belongs to account `{account}`, but the user does not");
        let code = codes::ORGANISATION_ACCOUNT;
        let found =
            RuleDiagnostic::at_own_field(world, code, view.key, user::ORGANISATIONS, message)
                .member(id)
                .help(
                    "Choose an organisation of the user's accounts, or add the account to the user",
                );
        let found = found.involving_field(world, &organisation, organisation::ACCOUNT);
        // Either side may have an error of its own: the user's accounts or the organisation's
        // account.
        let found = found.unless_unread(unread::faulty(world, view.key, user::ACCOUNTS));
        let at = organisation::ACCOUNT;
        let found = found.unless_unread(unread::faulty(world, &organisation, at));
        out.push(found.involving(world, &Key::new(ACCOUNT, account)));
    }
}

/// Reports a parent that belongs to another account.
pub(super) fn parent_account(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    let Some(id) = view.targets(organisation::PARENT).next() else {
        return;
    };
    let parent = key(id);
    let Some(there) = world.after(&parent) else {
        return;
    };
    let (own, other) = (
        view.text(organisation::ACCOUNT),
        there.text(organisation::ACCOUNT),
    );
    // Members of an organisation see each other, so one customer would see the people of another.
    if let (Some(own), Some(other)) = (own, other)
        && own != other
    {
        let message = format!("parent `{id}` belongs to account `{other}`, not to `{own}`");
        let code = codes::ORGANISATION_ACCOUNT;
        let found =
            RuleDiagnostic::at_own_field(world, code, view.key, organisation::PARENT, message);
        let found = found.help("Choose a parent of the same account");
        let at = organisation::ACCOUNT;
        let found = found.unless_unread(unread::faulty(world, view.key, at));
        let found = found.unless_unread(unread::faulty(world, &parent, at));
        out.push(found.involving_field(world, &parent, at));
    }
}

/// The depths of organisations, and the cycles found on the way.
#[derive(Default)]
struct OrganisationDepths<'a> {
    /// 1 at the top, and 0 in or below a cycle, where depth means nothing.
    depths: HashMap<&'a CompactText, usize>,
    circles: Vec<Vec<&'a Key>>,
}

impl<'a> OrganisationDepths<'a> {
    /// Returns the depth of an organisation: 1 at the top, 0 in or below a cycle. Each organisation
    /// is walked once, however many are below it.
    fn depth(&mut self, world: &PlannedState<'a>, key_of: &Key) -> usize {
        let mut path: Vec<&'a Key> = Vec::new();
        let mut places: HashMap<&'a CompactText, usize> = HashMap::new();
        let mut next = world.after(key_of);
        let mut depth = loop {
            let Some(view) = next else { break 0 };
            if let Some(known) = self.depths.get(&view.key.id) {
                break *known;
            }
            if let Some(place) = places.insert(&view.key.id, path.len()) {
                // Only the part that repeats is the cycle. What leads to it is fine once that is
                // fixed.
                self.circles.push(path[place..].to_vec());
                for member in path {
                    self.depths.insert(&member.id, 0);
                }
                return 0;
            }
            path.push(view.key);
            let parent = view.targets(organisation::PARENT).next();
            next = parent.and_then(|parent| world.after(&key(parent)));
        };
        // The walk ended at a known organisation of depth 0: a cycle, already reported. Counting on
        // from it would call everything below it too deep as well.
        let below_circle = depth == 0 && next.is_some();
        while let Some(member) = path.pop() {
            depth += usize::from(!below_circle);
            self.depths.insert(&member.id, depth);
        }
        depth
    }
}

/// Reports cycles among organisations, and organisations deeper than `organisationDepth`.
pub(super) fn tree(
    scene: &CheckContext<'_, '_>,
    subjects: &CheckSubjects<'_>,
    out: &mut RuleDiagnostics,
) {
    let world = scene.world;
    let allowed = world.setting("organisationDepth");
    let allowed = allowed.and_then(|value| value.as_int()).unwrap_or(2);
    let allowed = usize::try_from(allowed).unwrap_or(0);
    let mut depths = OrganisationDepths::default();
    for subject in subjects.of_kind(ORGANISATION) {
        let depth = depths.depth(world, subject);
        if depth > allowed
            && let Some(view) = world.after(subject)
        {
            out.push(too_deep(world, view, depth, allowed));
        }
    }
    out.extend(depths.circles.iter().map(|circle| cycle(world, circle)));
}

fn too_deep<'a>(
    world: &PlannedState<'a>,
    view: ResourceView<'a>,
    depth: usize,
    allowed: usize,
) -> RuleDiagnostic {
    let chain = ancestors(world, view);
    let mut ids: Vec<&str> = chain.iter().rev().map(|key| key.id.as_str()).collect();
    if chain.len() < depth {
        // `ancestors` stops at `NAMED`.
        ids.insert(0, "…");
    }
    let message = format!(
        "organisation at level {depth}; at most {} allowed: {}",
        agreed(allowed, ("level", "levels"), ("is", "are")),
        ids.join(" > ")
    );
    let code = codes::ORGANISATION_DEPTH;
    let mut found =
        RuleDiagnostic::at_own_field(world, code, view.key, organisation::PARENT, message)
            .help("Move it up, or raise `organisationDepth` in Settings");
    for ancestor in &chain[1..] {
        found = found.involving_field(world, ancestor, organisation::PARENT);
    }
    // Without the allowed depth, which is not part of the identity: a stored tree that was too deep
    // remains a stored fault if the plan also changes `organisationDepth`.
    let fault = format!("level {depth}: {}", ids.join(" > "));
    let found = found.set_by(world, "organisationDepth");
    found.involving(world, &settings_key()).identified_by(fault)
}

/// The number of organisations in a message. A chain of thousands would otherwise be printed for
/// each of its members.
const NAMED: usize = 12;

/// Returns the organisation, its parent and so on to the top, but at most [`NAMED`] of them.
fn ancestors<'a>(world: &PlannedState<'a>, view: ResourceView<'a>) -> Vec<&'a Key> {
    let mut chain = vec![view.key];
    let mut seen: HashSet<&Key> = HashSet::from([view.key]);
    let mut next = Some(view);
    while let Some(view) = next.filter(|_| chain.len() < NAMED) {
        let parent = view.targets(organisation::PARENT).next();
        next = parent
            .and_then(|parent| world.after(&key(parent)))
            .filter(|parent| seen.insert(parent.key));
        chain.extend(next.map(|parent| parent.key));
    }
    chain
}

fn cycle(world: &PlannedState<'_>, circle: &[&Key]) -> RuleDiagnostic {
    // A cycle has no first member. Starting at the smallest key gives the same message, place and
    // identity wherever the walk entered it.
    let first = (0..circle.len())
        .min_by_key(|index| circle[*index])
        .unwrap_or_default();
    let (tail, head) = circle.split_at(first);
    let members: Vec<&Key> = head.iter().chain(tail).copied().collect();
    let named = members.iter().take(NAMED);
    let mut ids: Vec<&str> = named.map(|key| key.id.as_str()).collect();
    if members.len() > NAMED {
        ids.push("…");
    }
    ids.push(ids[0]);
    let message = format!("organisations form a cycle: {}", ids.join(" > "));
    let code = codes::ORGANISATION_CYCLE;
    let mut found =
        RuleDiagnostic::at_own_field(world, code, members[0], organisation::PARENT, message)
            .help("Remove the `parent` of the topmost one");
    for member in &members[1..] {
        found = found.involving_field(world, member, organisation::PARENT);
    }
    found
}

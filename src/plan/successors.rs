//! Keeps an administrator in place while the designated successor is held; otherwise an account
//! would be without one. [`predecessor_holds`] is the rule, asked again after every round of holds.
//! The other functions tell who is, becomes or would be administrator of which accounts.

use super::budget_share::is_live;
use super::context::PlanContext;
use super::hold::Hold;
use super::remainder::PlanRemainder;
use super::resource_holds::{HoldCause, field_hold, resource_hold};
use super::types::{HoldEntry, Plan, StepReason, StepVerb};
use crate::check::{ADMINISTRATOR, PlannedChange, PlannedOutcome, PlannedState};
use crate::diagnostic::{Code, codes};
use crate::kinds::{self, ADMIN_GROUP};
use crate::model::{CompactText, DeclaredResource, FieldRef, Key, Link, Row, Snapshot, Value};
use std::collections::{BTreeMap, BTreeSet};

/// For each account, the held user who would become administrator, and the rule that holds them.
#[derive(Default)]
struct HeldSuccessors {
    by_account: BTreeMap<CompactText, (Key, Code)>,
    /// A user whose future accounts cannot be read.
    unknown_account: Option<(Key, Code)>,
}

/// Holds what takes an administrator from an account while a successor of that account is held.
pub(super) fn predecessor_holds(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    faulty: &BTreeMap<Key, Code>,
) -> Vec<Hold> {
    let successors = HeldSuccessors::find(context, left, faulty);
    if successors.by_account.is_empty() && successors.unknown_account.is_none() {
        return Vec::new();
    }
    let world = PlannedState::new(context.stored, context.desired, &left.effects);
    // Access that was given outside Roster is taken back, whoever is held.
    let users = left.effects.iter().filter(|it| it.key.kind == kinds::USER);
    let users = users.filter(|it| left.reason(&it.key) != StepReason::Drift);
    let holds = users.flat_map(|effect| {
        let lost = no_longer_administered(context, &world, effect);
        let mut held = lost.iter().filter_map(|account| {
            let (key, root) = successors
                .by_account
                .get(account)
                .or(successors.unknown_account.as_ref())?;
            (*key != effect.key).then_some((account, key, *root))
        });
        let first = held.next();
        first.map_or_else(Vec::new, |(account, successor, root)| {
            let message = format!(
                "{} stays administrator of Account/{account} while its successor {successor} is held ({root})",
                effect.key
            );
            let cause = HoldCause::dependency(root, &message);
            administrator_holds(context, left, effect, cause)
        })
    });
    holds.collect()
}

/// Holds the fields that make a user administrator; the other fields go on.
fn administrator_holds(
    context: &PlanContext<'_>,
    left: &PlanRemainder,
    effect: &PlannedChange,
    cause: HoldCause<'_>,
) -> Vec<Hold> {
    let key = &effect.key;
    let PlannedOutcome::Change(changes) = &effect.outcome else {
        return resource_hold(context, left, key, cause)
            .into_iter()
            .collect();
    };
    let granting = ["status", "accounts", "groups"].map(field);
    let changes = changes.iter().filter(|it| granting.contains(&it.field));
    let holds = changes.filter_map(|it| field_hold(context, left, key, it.clone(), cause));
    holds.collect()
}

impl HeldSuccessors {
    fn find(context: &PlanContext<'_>, left: &PlanRemainder, faulty: &BTreeMap<Key, Code>) -> Self {
        let mut found = Self::default();
        let held = left.ledger.held.iter();
        for held in held.filter(|held| held.key.kind == kinds::USER) {
            for account in administered_if_applied(context, held) {
                let successor = (held.key.clone(), held.root);
                found.by_account.entry(account).or_insert(successor);
            }
        }
        // A user that cannot be read might be the successor of any account.
        let unread = context.desired.shielded_keys.iter();
        let unread = unread.map(|key| (key, codes::HELD_DEPENDENCY));
        let faulty = faulty.iter().map(|(key, code)| (key, *code));
        let mut users: BTreeMap<&Key, Code> = unread.collect();
        users.extend(faulty);
        for (key, code) in users {
            if key.kind == kinds::USER && is_unreadable(context, key) {
                found.unknown_account.get_or_insert((key.clone(), code));
            }
        }
        for (account, key) in held_elsewhere(context) {
            let successor = (key, codes::HELD_DEPENDENCY);
            found.by_account.entry(account).or_insert(successor);
        }
        found
    }
}

/// For each account, the user who would become administrator by what another source declares but
/// holds.
pub(super) fn held_elsewhere(context: &PlanContext<'_>) -> BTreeMap<CompactText, Key> {
    let mut found = BTreeMap::new();
    for peer in &context.rules.peers {
        let waits = |declared: &DeclaredResource| {
            let holds = |name| {
                let of_field = (declared.key.clone(), field(name));
                peer.held_fields.contains(&of_field)
            };
            peer.held.contains(&declared.key) || holds("accounts") || holds("groups")
        };
        let holds_any = !peer.held.is_empty() || !peer.held_fields.is_empty();
        let accepted = peer.desired.iter().filter(|_| holds_any);
        let accepted = accepted.flat_map(|desired| &desired.resources);
        let accepted = accepted.filter(|declared| waits(declared));
        let unaccepted = peer.unaccepted.iter();
        let unaccepted = unaccepted.flat_map(|desired| &desired.resources);
        let users = accepted.chain(unaccepted);
        for declared in users.filter(|declared| declared.key.kind == kinds::USER) {
            let row = context.stored.rows.get(&declared.key);
            let row = row.filter(|row| is_live(row));
            let stored = row.map(administered).unwrap_or_default();
            let said = |name| declared.stated(&field(name))?.cell.value();
            let links = said("accounts").or_else(|| row?.value(&field("accounts")));
            let gained = accounts_of(links, said("groups")).into_iter();
            let gained = gained.filter(|account| !stored.contains(account));
            found.extend(gained.map(|account| (account, declared.key.clone())));
        }
    }
    found
}

/// The accounts that lose an administrator by a plan.
#[must_use]
pub fn losing_administrators(plan: &Plan, stored: &Snapshot) -> BTreeSet<CompactText> {
    let steps = plan
        .steps
        .iter()
        .filter(|step| step.key.kind == kinds::USER);
    let lost = steps.filter_map(|step| {
        let row = stored.rows.get(&step.key).filter(|row| is_live(row))?;
        let changes = step.changes();
        let after = |name| {
            let change = changes.iter().find(|change| change.field == field(name));
            change.map_or_else(|| row.value(&field(name)), |change| change.after.as_ref())
        };
        let active = after("status").and_then(Value::as_text) == Some("active");
        let stay = if active {
            accounts_of(after("accounts"), after("groups"))
        } else {
            BTreeSet::new()
        };
        Some(
            administered(row)
                .into_iter()
                .filter(move |account| !stay.contains(account)),
        )
    });
    lost.flatten().collect()
}

/// Whether a user is declared administrator of one of the accounts.
#[must_use]
pub fn is_declared_administrator(
    declared: &DeclaredResource,
    accounts: &BTreeSet<CompactText>,
) -> bool {
    let said = |name| {
        declared
            .stated(&field(name))
            .and_then(|stated| stated.cell.value())
    };
    declared.key.kind == kinds::USER
        && (is_admin_group(said("groups"))
            || accounts_of(said("accounts"), None)
                .iter()
                .any(|it| accounts.contains(it)))
}

/// Whether it cannot be read which accounts a user would administer.
fn is_unreadable(context: &PlanContext<'_>, key: &Key) -> bool {
    let faulty = |name| {
        context
            .desired
            .faulty_fields
            .contains(&(key.clone(), field(name)))
    };
    context.desired.shielded_keys.contains(key) || faulty("accounts") || faulty("groups")
}

/// The accounts that a held user would administer once approved.
fn administered_if_applied(context: &PlanContext<'_>, held: &HoldEntry) -> BTreeSet<CompactText> {
    let row = context.stored.rows.get(&held.key);
    let change = |name| {
        held.changes
            .iter()
            .find(|change| change.field == field(name))
    };
    let before = |name| change(name).and_then(|change| change.before.as_ref());
    let after = |name| change(name).and_then(|change| change.after.as_ref());
    let mut accounts: BTreeSet<CompactText> = links(after("accounts"))
        .filter(|link| is_administrator(link))
        .map(|link| link.target.clone())
        .collect();
    // Accounts that the user already administers gain nothing.
    for link in links(before("accounts")).filter(|link| is_administrator(link)) {
        accounts.remove(&link.target);
    }
    let in_group = is_admin_group(after("groups")) && !is_admin_group(before("groups"));
    let stored = row.and_then(|row| row.value(&field("accounts")));
    if in_group {
        let all = links(stored).chain(links(after("accounts")));
        accounts.extend(all.map(|link| link.target.clone()));
    }
    if matches!(held.verb, StepVerb::Reactivate | StepVerb::Adopt) {
        let inactive = row.filter(|row| !is_live(row));
        accounts.extend(inactive.map(administered).unwrap_or_default());
    }
    accounts
}

/// The accounts that a user would no longer administer.
fn no_longer_administered(
    context: &PlanContext<'_>,
    world: &PlannedState<'_>,
    effect: &PlannedChange,
) -> BTreeSet<CompactText> {
    let row = context.stored.rows.get(&effect.key);
    let Some(row) = row.filter(|row| is_live(row)) else {
        return BTreeSet::new();
    };
    let after = world.after(&effect.key);
    let value = |name| after.and_then(|view| view.get(&field(name)));
    let linked = accounts_of(value("accounts"), value("groups"));
    let mut lost = administered(row);
    if after.is_some_and(|view| view.is_live()) {
        lost.retain(|account| !linked.contains(account));
    } else {
        // A link that this plan adds exists in the next pass.
        lost.extend(linked);
    }
    lost
}

fn administered(row: &Row) -> BTreeSet<CompactText> {
    accounts_of(row.value(&field("accounts")), row.value(&field("groups")))
}

/// The accounts that a user administers, by level or by group.
fn accounts_of(accounts: Option<&Value>, groups: Option<&Value>) -> BTreeSet<CompactText> {
    let all = is_admin_group(groups);
    let links = links(accounts).filter(|link| all || is_administrator(link));
    links.map(|link| link.target.clone()).collect()
}

fn links(value: Option<&Value>) -> std::slice::Iter<'_, Link> {
    value.map_or(&[][..], Value::as_links).iter()
}

fn is_administrator(link: &Link) -> bool {
    link.attributes[0] == ADMINISTRATOR
}

fn is_admin_group(groups: Option<&Value>) -> bool {
    let mut groups = groups.into_iter().flat_map(Value::members);
    groups.any(|group| group == ADMIN_GROUP)
}

fn field(name: &str) -> FieldRef {
    kinds::own_field(kinds::get(kinds::USER).expect_index(name))
}

//! What each effect of a plan counts against, and which accounts a user leaves by it. Guards add up
//! these shares per budget (`guard.rs`) and compare the sums with their bases (`guard_base.rs`).
//! Start reading at [`undecided`].

use super::context::PlanContext;
use super::dated_changes;
use super::planned_change::{self, change_of, takes_out_of_use};
use super::remainder::PlanRemainder;
use super::types::StepVerb;
use crate::check::{PlannedChange, PlannedOutcome, PlannedState};
use crate::kinds::effective::{self, DatedItem};
use crate::kinds::{self, Kind};
use crate::model::{FieldChange, FieldRef, Key, Row, Value};
use std::collections::BTreeSet;

/// The name of a budget: `User.deactivate`, `Account.website.clear`, `User.email.change`, or
/// `User.deactivate@acme` for one account.
pub(super) type BudgetName = String;

/// One effect's share of a budget.
pub(super) struct BudgetShare {
    pub budget: BudgetName,
    pub count: u64,
    /// The change that counts, or `None` when the whole effect does.
    pub change: Option<FieldChange>,
}

/// The shares of an effect, without what an approval already decided and without the fields that an
/// export has lost, which are held separately.
pub(super) fn undecided<'a>(
    context: &'a PlanContext<'_>,
    left: &'a PlanRemainder,
    world: &PlannedState<'_>,
    effect: &'a PlannedChange,
) -> impl Iterator<Item = BudgetShare> + 'a {
    let status = kinds::own_field(kinds::get(effect.key.kind).status_index());
    let approved = left.ledger.approved_fields(&effect.key);
    let is_decided = move |field: &FieldRef| {
        let mut doubtful = context.rules.doubtful_fields.iter();
        approved.is_some_and(|fields| fields.contains(field))
            || doubtful.any(|it| it.kind == effect.key.kind && it.field == *field)
                && change_of(effect, field).is_some()
    };
    let shares = shares(context, world, effect).into_iter();
    // No date deletes anything.
    let is_deleted = matches!(effect.outcome, PlannedOutcome::Delete(_));
    // A share without a field is the status of the resource.
    shares.filter(move |share| {
        let field = share.change.as_ref().map(|change| &change.field);
        !is_decided(field.unwrap_or(&status))
            && (is_deleted
                || !dated_changes::is_known_end(context, &effect.key, share.change.as_ref()))
    })
}

/// All shares of one effect.
fn shares(
    context: &PlanContext<'_>,
    world: &PlannedState<'_>,
    effect: &PlannedChange,
) -> Vec<BudgetShare> {
    let kind = kinds::get(effect.key.kind);
    let whole = |verb: &str| BudgetShare {
        budget: format!("{}.{verb}", kind.name),
        count: 1,
        change: None,
    };
    let mut shares = Vec::new();
    match &effect.outcome {
        // A create takes nothing away, so no budget limits it.
        PlannedOutcome::Create { .. } => return shares,
        PlannedOutcome::Delete(_) => shares.push(whole("delete")),
        PlannedOutcome::Change(changes) => {
            let status = changes
                .iter()
                .find(|change| change.field.own() == Some(kind.status_index()));
            match status
                .and_then(|change| change.after.as_ref())
                .and_then(Value::as_text)
            {
                // Counted by what happens, not by the verb: an adopt that activates gives access
                // back too.
                Some("inactive") => shares.push(whole("deactivate")),
                Some(_) => shares.push(whole("reactivate")),
                None => {}
            }
            for change in changes {
                shares.extend(field_shares(context, kind, change));
            }
        }
    }
    shares.extend(account_shares(context, world, effect));
    shares
}

fn field_shares(context: &PlanContext<'_>, kind: &Kind, change: &FieldChange) -> Vec<BudgetShare> {
    let mut shares = Vec::new();
    // Filling an empty field takes nothing from anybody.
    if change.field.own() == Some(kind.status_index()) || change.before.is_none() {
        return shares;
    }
    let name = format!("{}.{}", kind.name, kind.field_name(&change.field));
    let mut count = |verb: &str, n: u64| {
        if n > 0 {
            shares.push(BudgetShare {
                budget: format!("{name}{verb}"),
                count: n,
                change: Some(change.clone()),
            });
        }
    };
    let list = matches!(change.before, Some(Value::List(_) | Value::Links(_)));
    if list {
        // One per resource, not per link: a user who leaves two groups is one user.
        count(".unlink", u64::from(takes_members(kind, change)));
    } else if change.after.is_none() {
        count(".clear", 1);
    }
    let watched = &context.rules.guards.change;
    if watched.contains_key(&name) {
        count(".change", 1);
    }
    for attribute in kind
        .field(&change.field)
        .map_or(&[][..], |field| field.ty.attributes())
    {
        if watched.contains_key(&format!("{name}.{}", attribute.name)) {
            let verb = format!(".{}.change", attribute.name);
            count(&verb, u64::from(changes_links(change)));
        }
    }
    shares
}

/// Whether a list loses members. A dated item whose member has another one afterwards only gets other
/// dates.
fn takes_members(kind: &Kind, change: &FieldChange) -> bool {
    let removed = removed_members(change);
    if removed.is_empty() || Some(&change.field) != effective::dated_items_field(kind).as_ref() {
        return !removed.is_empty();
    }
    let after: Vec<DatedItem> = effective::dated_items(kind, change.after.as_ref()).collect();
    let mut lost = removed.into_iter();
    lost.any(|text| {
        DatedItem::parse(kind, text).is_none_or(|lost| {
            let mut after = after.iter();
            !after.any(|item| (&item.list, &item.member) == (&lost.list, &lost.member))
        })
    })
}

/// The members that a change removes from a list.
fn removed_members(change: &FieldChange) -> Vec<&str> {
    let after: BTreeSet<&str> = members(change.after.as_ref()).into_iter().collect();
    let mut before = members(change.before.as_ref());
    before.retain(|member| !after.contains(member));
    before
}

fn members(list: Option<&Value>) -> Vec<&str> {
    let all = list.into_iter().flat_map(Value::members);
    all.map(compact_str::CompactString::as_str).collect()
}

/// Whether a link that stays gets other attributes, such as another level.
fn changes_links(change: &FieldChange) -> bool {
    let after = change.after.as_ref().map_or(&[][..], Value::as_links);
    let before = change.before.as_ref().map_or(&[][..], Value::as_links);
    before.iter().any(|old| {
        after
            .iter()
            .any(|new| new.target == old.target && new != old)
    })
}

/// The shares of the accounts that lose a user, by deactivation, deletion or unlinking, while they
/// stay active themselves.
fn account_shares(
    context: &PlanContext<'_>,
    world: &PlannedState<'_>,
    effect: &PlannedChange,
) -> Vec<BudgetShare> {
    if effect.key.kind != kinds::USER {
        return Vec::new();
    }
    let Some(row) = context
        .stored
        .rows
        .get(&effect.key)
        // A user reactivated by this plan is active in the next pass, so leaving counts there too.
        .filter(|row| {
            is_live(row) || planned_change::verb(context, effect) == StepVerb::Reactivate
        })
    else {
        return Vec::new();
    };
    let left = accounts_left(row, effect);
    // An account that goes too loses its users as a consequence; that is judged as one account.
    let stays = |account: &&str| {
        world
            .after(&Key::new(kinds::ACCOUNT, account))
            .is_some_and(|view| view.is_live())
    };
    // A link that this plan adds exists in the next pass.
    let lost = left.stored.union(&left.linked).copied().filter(stays);
    lost.map(|account| BudgetShare {
        budget: format!("User.deactivate@{account}"),
        count: 1,
        change: left.by.cloned(),
    })
    .collect()
}

/// The accounts that a user leaves: all of them when the user is deactivated or deleted, otherwise
/// those that the user is unlinked from.
pub(super) struct AccountsLeft<'e> {
    /// Accounts of the stored row.
    pub stored: BTreeSet<&'e str>,
    /// Accounts that the same effect links although it deactivates the user.
    linked: BTreeSet<&'e str>,
    /// The change that unlinks them; `None` when the user is deactivated or deleted.
    by: Option<&'e FieldChange>,
}

pub(super) fn accounts_left<'e>(row: &'e Row, effect: &'e PlannedChange) -> AccountsLeft<'e> {
    let accounts = kinds::own_field(kinds::get(kinds::USER).expect_index("accounts"));
    let change = change_of(effect, &accounts);
    let after = || members(change.and_then(|change| change.after.as_ref()));
    if takes_out_of_use(effect) {
        AccountsLeft {
            stored: members(row.value(&accounts)).into_iter().collect(),
            linked: after().into_iter().collect(),
            by: None,
        }
    } else {
        AccountsLeft {
            stored: change.into_iter().flat_map(removed_members).collect(),
            linked: BTreeSet::new(),
            by: change,
        }
    }
}

/// Whether a row is active, or exists at all if its kind has no status.
pub(super) fn is_live(row: &Row) -> bool {
    let kind = kinds::get(row.key.kind);
    !kind.has_status
        || row.values[kind.status_index()]
            .as_ref()
            .and_then(Value::as_text)
            != Some("inactive")
}

//! What each effect of a plan counts against, and which accounts a user leaves by it.
//!
//! Guards add the shares up, a budget at a time (`guard.rs`), and compare them with what there is
//! (`guard_base.rs`).

use super::context::PlanContext;
use super::effects::{self, change_of, takes_out_of_use};
use super::remainder::PlanRemainder;
use super::types::StepVerb;
use crate::check::{EffectOutcome, PlannedState, ResourceEffect};
use crate::kinds::{self, Kind};
use crate::model::{FieldChange, FieldRef, Key, Row, Value};
use std::collections::BTreeSet;

/// What a step counts against: `User.deactivate`, `Account.website.clear`, `User.email.change`,
/// `User.deactivate@acme`.
pub(super) type BudgetName = String;

/// One effect's share of a budget.
pub(super) struct BudgetShare {
    pub budget: BudgetName,
    pub count: u64,
    /// The change that counts, or `None` when the whole effect does.
    pub change: Option<FieldChange>,
}

/// What an effect counts against, without the part that an approval decided about and without the fields
/// that an export has lost: those are a hold of their own.
pub(super) fn undecided<'a>(
    context: &'a PlanContext<'_>,
    left: &'a PlanRemainder,
    world: &PlannedState<'_>,
    effect: &'a ResourceEffect,
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
    shares.filter(move |share| {
        let field = share.change.as_ref().map(|change| &change.field);
        !is_decided(field.unwrap_or(&status))
    })
}

/// What one effect counts against.
fn shares(
    context: &PlanContext<'_>,
    world: &PlannedState<'_>,
    effect: &ResourceEffect,
) -> Vec<BudgetShare> {
    let kind = kinds::get(effect.key.kind);
    let whole = |verb: &str| BudgetShare {
        budget: format!("{}.{verb}", kind.name),
        count: 1,
        change: None,
    };
    let mut shares = Vec::new();
    match &effect.outcome {
        EffectOutcome::Create { .. } => return shares,
        EffectOutcome::Delete => shares.push(whole("delete")),
        EffectOutcome::Change(changes) => {
            let status = changes
                .iter()
                .find(|change| change.field.own() == Some(kind.status_index()));
            match status
                .and_then(|change| change.after.as_ref())
                .and_then(Value::as_text)
            {
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
        count(".unlink", u64::from(!removed_members(change).is_empty()));
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

/// The members that a change takes out of a list.
fn removed_members(change: &FieldChange) -> Vec<&str> {
    let after: BTreeSet<&str> = members(change.after.as_ref()).into_iter().collect();
    let mut before = members(change.before.as_ref());
    before.retain(|member| !after.contains(member));
    before
}

/// The members of a list.
fn members(list: Option<&Value>) -> Vec<&str> {
    let all = list.into_iter().flat_map(Value::members);
    all.map(compact_str::CompactString::as_str).collect()
}

/// Whether a link that stays gets other attributes.
fn changes_links(change: &FieldChange) -> bool {
    let after = change.after.as_ref().map_or(&[][..], Value::as_links);
    let before = change.before.as_ref().map_or(&[][..], Value::as_links);
    before.iter().any(|old| {
        after
            .iter()
            .any(|new| new.target == old.target && new != old)
    })
}

/// What an account that stays active loses: its users, by deactivation, deletion or unlinking.
fn account_shares(
    context: &PlanContext<'_>,
    world: &PlannedState<'_>,
    effect: &ResourceEffect,
) -> Vec<BudgetShare> {
    if effect.key.kind != kinds::USER {
        return Vec::new();
    }
    let Some(row) = context
        .stored
        .rows
        .get(&effect.key)
        // Who comes back in this plan is there in the next pass.
        .filter(|row| is_live(row) || effects::verb(context, effect) == StepVerb::Reactivate)
    else {
        return Vec::new();
    };
    let left = accounts_left(row, effect);
    let stays = |account: &&str| {
        world
            .after(&Key::new(kinds::ACCOUNT, account))
            .is_some_and(|view| view.is_live())
    };
    // A link that the same plan makes is there in the next pass.
    let lost = left.stored.union(&left.linked).copied().filter(stays);
    lost.map(|account| BudgetShare {
        budget: format!("User.deactivate@{account}"),
        count: 1,
        change: left.by.cloned(),
    })
    .collect()
}

/// The accounts that a user leaves.
pub(super) struct AccountsLeft<'e> {
    /// Those of the row.
    pub stored: BTreeSet<&'e str>,
    /// Those that the same effect links although the user goes out of use.
    linked: BTreeSet<&'e str>,
    /// The change that unlinks them; `None` when the user goes out of use.
    by: Option<&'e FieldChange>,
}

/// The accounts that a user leaves: all when the user goes out of use, else those of which it is
/// unlinked.
pub(super) fn accounts_left<'e>(row: &'e Row, effect: &'e ResourceEffect) -> AccountsLeft<'e> {
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

/// Whether a row is active or, of a kind without status, there.
pub(super) fn is_live(row: &Row) -> bool {
    let kind = kinds::get(row.key.kind);
    !kind.has_status
        || row.values[kind.status_index()]
            .as_ref()
            .and_then(Value::as_text)
            != Some("inactive")
}

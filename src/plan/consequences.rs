//! What goes with an account that is deleted. Its organisations and policies are deleted too, the
//! links of its users go, and users who would have no account left become inactive.
//! [`consequences`] lists all this. The effect of the account keeps its list, so that these are
//! held, approved and applied with it (`consequence_holds.rs`).
//!
//! What this source itself still declares contradicts the deletion. It is left alone, and the rules
//! of `check` report it.

use super::context::PlanContext;
use crate::check::{
    DeletionConsequence, PlannedChange, PlannedOutcome, PlannedState, ResourceView,
};
use crate::kinds::{self, ACCOUNT, FieldType, Kind, ORGANISATION};
use crate::model::{CompactText, FieldChange, Key, KeyedList, KindId, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of the resources that refer to a deleted account, by resource.
#[derive(Default)]
struct AccountFollowers {
    /// They belong to one account and are deleted with it.
    deleted: BTreeMap<Key, BTreeSet<Key>>,
    /// They are linked to it and may have other accounts.
    unlinked: BTreeMap<Key, BTreeSet<Key>>,
}

/// What goes with the deleted accounts.
#[derive(Default)]
pub(super) struct ConsequenceDrafts {
    /// Each once, by key.
    pub all: Vec<DeletionConsequence>,
    /// Those of each account.
    pub by_account: BTreeMap<Key, Vec<DeletionConsequence>>,
}

/// Drafts the consequences of every deleted account among these effects.
pub(super) fn consequences(
    context: &PlanContext<'_>,
    effects: &KeyedList<PlannedChange>,
) -> ConsequenceDrafts {
    let deleted = effects.iter().filter(|effect| {
        effect.key.kind == ACCOUNT && matches!(effect.outcome, PlannedOutcome::Delete(_))
    });
    let accounts: BTreeSet<Key> = deleted.map(|effect| effect.key.clone()).collect();
    let mut drafts = ConsequenceDrafts::default();
    if accounts.is_empty() {
        return drafts;
    }
    let world = PlannedState::indexed(context.stored, context.desired, effects);
    let followers = followers(context, &world, &accounts);
    let gone: BTreeSet<&Key> = accounts.iter().chain(followers.deleted.keys()).collect();
    for (key, of) in &followers.deleted {
        drafts.add(
            of,
            DeletionConsequence {
                key: key.clone(),
                changes: None,
                alone: true,
            },
        );
    }
    for (key, of) in &followers.unlinked {
        if let Some(view) = world.after(key) {
            drafts.add(
                of,
                DeletionConsequence {
                    key: key.clone(),
                    changes: Some(unlinked(view, &gone, stays_active(context, &world, key))),
                    alone: !effects.contains(key),
                },
            );
        }
    }
    for all in drafts.by_account.values_mut() {
        all.sort_by(|a, b| a.key.cmp(&b.key));
    }
    drafts
}

impl ConsequenceDrafts {
    fn add(&mut self, accounts: &BTreeSet<Key>, consequence: DeletionConsequence) {
        for account in accounts {
            let all = self.by_account.entry(account.clone()).or_default();
            all.push(consequence.clone());
        }
        self.all.push(consequence);
    }
}

fn followers(
    context: &PlanContext<'_>,
    world: &PlannedState<'_>,
    accounts: &BTreeSet<Key>,
) -> AccountFollowers {
    let mut followers = AccountFollowers::default();
    for account in accounts {
        for (referrer, field) in world.all_referrers(account) {
            let kind = kinds::get(referrer.kind);
            let belongs = matches!(kind.fields[field].ty, FieldType::Ref(_));
            if belongs && may_delete(context, referrer) {
                let of = followers.deleted.entry(referrer.clone()).or_default();
                of.insert(account.clone());
            } else if !belongs && may_unlink(context, world, referrer, field, account) {
                let of = followers.unlinked.entry(referrer.clone()).or_default();
                of.insert(account.clone());
            }
        }
    }
    followers
}

/// Whether this source says nothing of a resource, as far as could be read.
fn may_delete(context: &PlanContext<'_>, key: &Key) -> bool {
    let desired = context.desired;
    !desired.resources.contains(key)
        && !desired.shielded_keys.contains(key)
        && !desired.hidden_kinds.contains_key(&key.kind)
        && context.stored.rows.contains(key)
}

/// Whether a link may go: this source does not state it, and no other change of this plan is about
/// the same lists or activates the resource again, which would contradict that it becomes inactive.
fn may_unlink(
    context: &PlanContext<'_>,
    world: &PlannedState<'_>,
    key: &Key,
    field: usize,
    account: &Key,
) -> bool {
    let desired = context.desired;
    let declared = desired.resources.get(key);
    let states = declared
        .and_then(|declared| declared.value(field))
        .is_some_and(|value| value.members().any(|member| *member == account.id));
    let changed = world.after(key).is_some_and(|view| {
        let lists = affected_fields(view.kind());
        let returns = view.is_live() && view.changes_field(view.kind().status_index());
        let links = || lists.into_iter().any(|(at, _)| view.changes_field(at));
        view.created_from().is_some() || returns || links()
    });
    !states
        && !changed
        && !desired.shielded_keys.contains(key)
        && !desired.hidden_kinds.contains_key(&key.kind)
        && context.stored.rows.contains(key)
}

/// The fields that name accounts, or what belongs to accounts.
fn affected_fields(kind: &Kind) -> Vec<(usize, KindId)> {
    let references = kind.references();
    references
        .filter(|(_, target)| [ACCOUNT, ORGANISATION].contains(target))
        .collect()
}

/// Whether this source declares a user active who needs no account. Becoming inactive would
/// contradict the source, and its next plan would activate the user again.
fn stays_active(context: &PlanContext<'_>, world: &PlannedState<'_>, key: &Key) -> bool {
    let kind = kinds::get(key.kind);
    let optional = world.setting("optionalFields");
    let optional: Vec<&CompactText> = optional.iter().flat_map(Value::members).collect();
    let needs_none = kind.account_fields().all(|field| {
        let name = format!("{}.{}", kind.name, kind.fields[field].name);
        optional.iter().any(|member| **member == name)
    });
    needs_none && context.desired.resources.contains(key)
}

/// The changes that take away every link to what is gone, sorted by field. Without an account left,
/// the resource becomes inactive, unless it stays active.
fn unlinked(view: ResourceView<'_>, gone: &BTreeSet<&Key>, stays: bool) -> Vec<FieldChange> {
    let kind = view.kind();
    let mut changes = Vec::new();
    let mut has_account = false;
    for (field, target) in affected_fields(kind) {
        // A stored list without members is no value, so nothing goes.
        let Some(before) = view.value(field).filter(|value| !value.is_empty_list()) else {
            continue;
        };
        let goes = |id: &CompactText| gone.contains(&Key::new(target, id));
        let after = without(before, goes);
        has_account |= target == ACCOUNT && after.is_some();
        if after.as_ref() != Some(before) {
            changes.push(FieldChange {
                field: kinds::own_field(field),
                before: Some(before.clone()),
                after,
            });
        }
    }
    if !has_account && !stays && view.is_live() {
        let status = kind.status_index();
        changes.push(FieldChange {
            field: kinds::own_field(status),
            before: view.value(status).cloned(),
            after: Some(Value::text("inactive")),
        });
    }
    changes.sort_by(|a, b| a.field.cmp(&b.field));
    changes
}

/// A reference or list without the members that go; `None` if nothing is left.
fn without(value: &Value, goes: impl Fn(&CompactText) -> bool) -> Option<Value> {
    let left = match value {
        Value::Text(id) => return (!goes(id)).then(|| value.clone()),
        Value::List(list) => Value::set(list.iter().filter(|id| !goes(id)).cloned()),
        Value::Links(links) => {
            Value::links(links.iter().filter(|link| !goes(&link.target)).cloned())
        }
        Value::Bool(_) | Value::Int(_) | Value::Number(_) => value.clone(),
    };
    (!left.is_empty_list()).then_some(left)
}

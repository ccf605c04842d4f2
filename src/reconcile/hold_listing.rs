//! What is held, as it is listed between passes. [`hold_states`] makes the list of a plan, a daemon
//! stores it with the state of its source, [`record_holds`] stores it after a command, and
//! [`hold_views`] reads what is stored of all sources, with the approvals.

use super::approval_progress::{people_of, waiting_approvers};
use super::{LeaseGuard, this_process};
use crate::document::{
    ApprovalView, FieldChangeDocument, HeldResource, HoldState, HoldView, RejectionView,
    stored_holds, stored_revert_holds, with_holds,
};
use crate::kinds::{self, ACCOUNT};
use crate::model::{FieldChange, Key, Row, Value};
use crate::plan::render::holds::{self, HoldGroup};
use crate::plan::{Plan, StepVerb, approving_people};
use crate::store::{Approval, Store, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// How many resources of a hold are listed. The plan has all of them.
const MAX_LISTED: usize = 100;
/// How many characters of changes a hold lists. The plan has all of them.
const MAX_DETAIL: usize = 32_000;
/// How many lines about effects a hold lists, and how many names each has.
const MAX_EFFECT_LINES: usize = 20;
const MAX_EFFECT_NAMES: usize = 8;

/// Returns the holds of a plan. Those that existed before keep their start.
#[must_use]
pub fn hold_states(plan: &Plan, before: &[HoldState], now: DateTime<Utc>) -> Vec<HoldState> {
    let holds = holds::holds(plan);
    let shown = holds.iter().map(|hold| {
        let first = hold.first();
        let id = first.is_approvable().then(|| first.hold.clone());
        let message = hold.message().unwrap_or_else(|| first.message.clone());
        let resources = hold.resources();
        HoldState {
            code: first.code.name().to_owned(),
            verb: first.verb.word().to_owned(),
            count: resources.len(),
            resources: resources
                .iter()
                .take(MAX_LISTED)
                .map(ToString::to_string)
                .collect(),
            details: details(hold),
            counted: first.count,
            limit: first.limit,
            commits: None,
            consequences: hold
                .consequences()
                .take(MAX_LISTED)
                .map(|it| format!("{} {}", it.verb, it.key))
                .collect(),
            consequence_count: hold.consequences().count(),
            effects: hold.effect_sentence(),
            approvals_needed: (first.approvals_needed > 1).then_some(first.approvals_needed),
            effect_lines: hold.effect_lines(MAX_EFFECT_LINES, MAX_EFFECT_NAMES),
            accounts: Vec::new(),
            standing: hold.is_standing(),
            since: now,
            // Only the approval. The `--accept` override applies to one run of the command line,
            // and the daemon has none.
            commands: hold.commands().into_iter().take(1).collect(),
            otherwise: hold.required_action().map(str::to_owned),
            hold: id,
            message,
            reverts: None,
        }
    });
    let mut shown: Vec<HoldState> = shown.collect();
    keep_starts(&mut shown, before);
    shown
}

/// Takes over since when each hold has been there, so that it is not new in every pass.
pub(super) fn keep_starts(held: &mut [HoldState], before: &[HoldState]) {
    for hold in held {
        if let Some(old) = before.iter().find(|old| is_same(old, hold)) {
            hold.since = old.since;
            keep_commits(hold, old);
        } else if let Some(old) = before.iter().find(|old| contains(old, hold)) {
            // What an approval of a part leaves is another hold from the same commits.
            keep_commits(hold, old);
        }
    }
}

/// Takes over who declared what is held.
fn keep_commits(hold: &mut HoldState, old: &HoldState) {
    hold.commits.clone_from(&old.commits);
    for detail in &mut hold.details {
        let mut known = old.details.iter();
        let known = known.find(|known| known.resource == detail.resource);
        detail.commit = known.and_then(|known| known.commit.clone());
    }
}

/// What would change of each resource of a hold, for the first ones.
fn details(hold: &HoldGroup<'_>) -> Vec<HeldResource> {
    let mut listed: Vec<HeldResource> = Vec::new();
    let mut left = MAX_DETAIL;
    for held in &hold.entries {
        let resource = held.key.to_string();
        let created = held.verb == StepVerb::Create;
        let changes = FieldChangeDocument::all(held.key.kind, created, &held.changes);
        let changes: Vec<_> = changes
            .into_iter()
            .filter_map(FieldChangeDocument::into_owned)
            .collect();
        let length = serde_json::to_string(&changes).map_or(0, |text| text.len());
        let known = listed.iter().position(|it| it.resource == resource);
        if known.is_none() && listed.len() == MAX_LISTED {
            continue;
        }
        let fits = length <= left;
        // What comes after it is left out as well: an order with gaps would look like a mistake.
        left = if fits { left - length } else { 0 };
        let changes = if fits { changes } else { Vec::new() };
        let name = created
            .then(|| created_name(&held.key, &held.changes))
            .flatten();
        // Several fields of one resource may be held, each as an entry.
        if let Some(known) = known {
            listed[known].changes.extend(changes);
            listed[known].changes_omitted |= !fits;
            listed[known].reverts.extend(held.undone_words());
            continue;
        }
        listed.push(HeldResource {
            resource,
            place: held.origin.as_ref().map(ToString::to_string),
            changes,
            changes_omitted: !fits,
            commit: None,
            name,
            reverts: held.undone_words(),
        });
    }
    listed
}

/// The name of a resource that would be created.
fn created_name(key: &Key, changes: &[FieldChange]) -> Option<String> {
    let kind = kinds::get(key.kind);
    kinds::json::joined_name(|name| {
        let mut changes = changes.iter();
        let named = changes.find(|change| kind.field_name(&change.field) == name)?;
        named.after.as_ref()?.as_text()
    })
}

/// Whether an earlier hold had everything that another one has.
fn contains(old: &HoldState, hold: &HoldState) -> bool {
    let mut resources = hold.resources.iter();
    old.code == hold.code && resources.all(|resource| old.resources.contains(resource))
}

/// Fills in the accounts that holds concern, and the names of what they hold, so that a person sees
/// whom to think of.
pub async fn find_hold_accounts(store: &Store, held: &mut [HoldState]) -> Result<(), StoreError> {
    let keys: BTreeSet<Key> = held
        .iter()
        .flat_map(|hold| &hold.resources)
        .filter_map(|resource| Key::parse(resource))
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let rows = match store.read_transaction().await? {
        Some(mut transaction) => transaction.rows_of(&keys).await?,
        None => Vec::new(),
    };
    let rows: HashMap<&Key, &Row> = rows.iter().map(|row| (&row.key, row)).collect();
    for hold in held {
        let mut accounts = BTreeSet::new();
        for resource in &hold.resources {
            let Some(key) = Key::parse(resource) else {
                continue;
            };
            let row = rows.get(&key);
            let mut details = hold.details.iter_mut();
            if let Some(detail) = details.find(|it| it.resource == *resource) {
                let stored = row.and_then(|row| kinds::json::name(row));
                detail.name = stored.or_else(|| detail.name.take());
            }
            if key.kind == ACCOUNT {
                accounts.insert(key.id.to_string());
            } else if let Some(row) = row {
                accounts.extend(accounts_of(row));
            }
        }
        hold.accounts = accounts.into_iter().collect();
    }
    Ok(())
}

/// The accounts that a row refers to.
fn accounts_of(row: &Row) -> Vec<String> {
    let kind = kinds::get(row.key.kind);
    let fields = kind.account_fields();
    let values = fields.filter_map(|index| row.value(&kinds::own_field(index)));
    let ids = values.flat_map(|value| match value {
        Value::Text(id) => vec![id.to_string()],
        Value::List(ids) => ids.iter().map(ToString::to_string).collect(),
        Value::Links(links) => links.iter().map(|link| link.target.to_string()).collect(),
        Value::Bool(_) | Value::Int(_) | Value::Number(_) => Vec::new(),
    });
    ids.collect()
}

/// Records what the plan of a command held, in place of what its source held before. `is_part` says
/// that the rest of the source was not planned: then the other holds of the source stay.
pub async fn record_holds(
    store: &Store,
    plan: &Plan,
    is_part: bool,
    lease: &LeaseGuard,
) -> Result<(), StoreError> {
    let name = &*plan.source.name;
    let stored = store.source_states().await?;
    let stored = stored.iter().find(|stored| stored.source == *name);
    let has_none = stored.is_none_or(|stored| stored_holds(&stored.state).is_empty());
    // Most applies hold nothing, and need no transaction for it.
    if plan.held.is_empty() && has_none {
        return Ok(());
    }
    let mut held = hold_states(plan, &[], Utc::now());
    find_hold_accounts(store, &mut held).await?;
    let imported = if is_part {
        store.import_holds().await?
    } else {
        BTreeSet::new()
    };
    let revise = |document: Option<&str>| {
        let before = document.map(stored_holds).unwrap_or_default();
        keep_starts(&mut held, &before);
        if is_part {
            let rest = before.iter().filter(|old| {
                let imported = old.hold.as_ref().is_some_and(|id| imported.contains(id));
                !imported && !is_decided(old, plan)
            });
            let rest: Vec<HoldState> = rest
                .filter(|old| !held.iter().any(|hold| is_same(old, hold)))
                .cloned()
                .collect();
            held.extend(rest);
        }
        (held != before).then(|| with_holds(document, &held))
    };
    let holder = this_process();
    let holder = format!("{}:{}", holder.host, holder.pid);
    store
        .revise_source_state(name, &holder, lease.lease(), revise)
        .await
}

/// Whether two entries are the same hold. One that nobody can approve has no id and is recognized by
/// its text.
fn is_same(one: &HoldState, other: &HoldState) -> bool {
    match (&one.hold, &other.hold) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.code == other.code && one.message == other.message,
        _ => false,
    }
}

/// Whether a plan has everything that an earlier one held, as steps or held again.
fn is_decided(hold: &HoldState, plan: &Plan) -> bool {
    let steps = plan.steps.iter().map(|step| &step.key);
    let planned: BTreeSet<String> = steps
        .chain(plan.held.iter().map(|held| &held.key))
        .map(ToString::to_string)
        .collect();
    let mut resources = hold.resources.iter();
    resources.all(|resource| planned.contains(resource))
}

/// Returns every stored hold with its approval, those that need a decision first. `is_listed` takes
/// the source and the hold.
pub async fn hold_views(
    store: &Store,
    ttl: Duration,
    is_listed: impl Fn(&str, &HoldState) -> bool,
) -> Result<Vec<HoldView>, StoreError> {
    let approvals = store.approvals().await?;
    let ttl = TimeDelta::from_std(ttl).unwrap_or(TimeDelta::MAX);
    let now = Utc::now();
    let since = now.checked_sub_signed(ttl).unwrap_or(DateTime::UNIX_EPOCH);
    let approvers = store.approvers(since.timestamp_millis()).await?;
    let mut listed = Vec::new();
    let stored = every_hold(store).await?.into_iter();
    for (source, hold) in stored.filter(|(source, hold)| is_listed(source, hold)) {
        let needed = hold.approvals_needed.unwrap_or(1) as usize;
        let is_enough = |given: &&Approval| {
            needed == 1 || approving_people(&approvers, &approval_name(given)).len() >= needed
        };
        let given = approvals
            .iter()
            .filter(|approval| Some(&approval.hold) == hold.hold.as_ref())
            .filter(is_enough);
        let mut approval = approval_view(&given.collect::<Vec<_>>(), ttl)
            // An approval that has lapsed counts for nothing, so it is not shown as one.
            .filter(|it| it.lapses > now);
        if let Some(approval) = approval.as_mut().filter(|_| needed > 1) {
            approval.by = people_of(&approvers, &hold).join(", ");
        }
        let is_whole = approval.as_ref().is_some_and(|given| given.only.is_none());
        let waiting = hold.hold.as_deref().filter(|_| needed > 1 && !is_whole);
        let (approved_by, approved_parts) = waiting
            .map(|hold| waiting_approvers(&approvers, hold))
            .unwrap_or_default();
        listed.push(HoldView {
            id: hold.hold.clone(),
            source,
            approved_by,
            approved_parts,
            approval,
            rejection: None,
            hold,
        });
    }
    find_rejections(store, &mut listed).await?;
    // No pass replaces the holds of a revert, so one that was rejected would be listed for ever.
    listed.retain(|view| {
        let rejection = view.rejection.as_ref();
        view.hold.reverts.is_none() || rejection.is_none_or(|it| now - it.at < ttl)
    });
    listed.sort_by_key(|view| {
        let HoldState {
            standing,
            hold,
            since,
            ..
        } = &view.hold;
        let is_rejected = view.rejection.is_some();
        (*standing, hold.is_none(), is_rejected, *since)
    });
    Ok(listed)
}

/// Every stored hold with its source: those of the last passes, and those of reverts.
async fn every_hold(store: &Store) -> Result<Vec<(String, HoldState)>, StoreError> {
    let states = store.source_states().await?.into_iter();
    let held = states.flat_map(|stored| {
        let holds = stored_holds(&stored.state).into_iter();
        holds.map(move |hold| (stored.source.clone(), hold))
    });
    let mut held: Vec<_> = held.collect();
    for stored in store.revert_holds().await? {
        let holds = stored_revert_holds(&stored.held).into_iter();
        held.extend(holds.map(|hold| (stored.source.clone(), hold)));
    }
    Ok(held)
}

/// Fills in who rejected holds. A later approval counts for more.
async fn find_rejections(store: &Store, listed: &mut [HoldView]) -> Result<(), StoreError> {
    let waiting = listed.iter().filter(|view| view.hold.hold.is_some());
    // Nobody rejects what is not held yet.
    let Some(oldest) = waiting.map(|view| view.hold.since).min() else {
        return Ok(());
    };
    let rejections = store.hold_rejections(oldest.timestamp_millis()).await?;
    for view in listed {
        let mut given = rejections.iter();
        let since = view.hold.since.timestamp_millis();
        let given =
            given.find(|given| Some(&given.hold) == view.hold.hold.as_ref() && given.at >= since);
        let rejection = given.map(|given| RejectionView {
            by: given.actor.clone(),
            reason: given.reason.clone(),
            at: DateTime::from_timestamp_millis(given.at).unwrap_or_default(),
        });
        let approved = view.approval.as_ref().map(|approval| approval.at);
        view.rejection = rejection.filter(|it| approved.is_none_or(|at| at < it.at));
    }
    Ok(())
}

/// The name of an approval in the list of approvers.
fn approval_name(given: &Approval) -> String {
    let name = format!("{} {}", given.hold, given.resource);
    name.trim_end().to_owned()
}

/// Combines the approvals of one hold, which cover all of it or some resources.
fn approval_view(given: &[&Approval], ttl: TimeDelta) -> Option<ApprovalView> {
    // The oldest, because it lapses first.
    let first = given.iter().min_by_key(|approval| approval.at)?;
    let whole = given.iter().any(|approval| approval.resource.is_empty());
    let at = DateTime::from_timestamp_millis(first.at).unwrap_or_default();
    Some(ApprovalView {
        by: first.approver.clone(),
        reason: first.reason.clone(),
        at,
        lapses: at
            .checked_add_signed(ttl)
            .unwrap_or(DateTime::<Utc>::MAX_UTC),
        only: (!whole).then(|| {
            given
                .iter()
                .map(|approval| approval.resource.clone())
                .collect()
        }),
    })
}

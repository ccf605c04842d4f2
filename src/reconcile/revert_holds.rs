//! What is held of reverts. No pass plans a revert again, so whoever asks for one stores its holds, and
//! they wait for a decision beside those of the sources. Start at [`remember_revert_holds`].

use super::PassError;
use super::hold_listing::{find_hold_accounts, hold_states, keep_starts};
use super::revert::{RevertError, RevertableRun, plan_revert, run_to_revert};
use crate::config::Config;
use crate::document::{HoldState, revert_holds_list, stored_revert_holds};
use crate::plan::{Plan, RevertPlan};
use crate::store::{Store, StoreError};
use chrono::Utc;

/// Stores what is held of a revert that somebody asks for. A hold that was rejected waits again, because
/// it is asked for again.
pub async fn remember_revert_holds(
    store: &Store,
    run: &RevertableRun,
    revert: &RevertPlan,
) -> Result<(), StoreError> {
    let held = held_of(store, run, revert).await?;
    let of = &run.record;
    let replace = |_: Option<&str>| revert_holds_list(&held);
    store.revise_revert_holds(of.id, &of.source, replace).await
}

/// Plans a revert again and stores what is held of it now, so that nobody decides about what is not held
/// any more.
pub async fn refresh_revert_holds(
    config: &Config,
    store: &Store,
    run: i64,
) -> Result<(), PassError> {
    let of = match run_to_revert(store, run).await {
        Ok(found) => found,
        Err(RevertError::Store(error)) => return Err(error.into()),
        // What it changed was erased, so nothing of it can be reverted.
        Err(_) => return Ok(store.revise_revert_holds(run, "", |_| None).await?),
    };
    let revert = plan_revert(config, store, &of).await?;
    let mut held = held_of(store, &of, &revert).await?;
    let revise = |before: Option<&str>| {
        keep_starts(
            &mut held,
            &before.map(stored_revert_holds).unwrap_or_default(),
        );
        revert_holds_list(&held)
    };
    let source = &of.record.source;
    Ok(store.revise_revert_holds(run, source, revise).await?)
}

/// Returns the holds of the plan that reverts a run. What nobody can approve is only in the plan.
#[must_use]
pub fn revert_hold_states(plan: &Plan, run: i64) -> Vec<HoldState> {
    let mut held = hold_states(plan, &[], Utc::now());
    held.retain(|hold| hold.hold.is_some() && !hold.standing);
    for hold in &mut held {
        hold.reverts = Some(run);
    }
    held
}

async fn held_of(
    store: &Store,
    run: &RevertableRun,
    revert: &RevertPlan,
) -> Result<Vec<HoldState>, StoreError> {
    let mut held = revert_hold_states(&revert.plan, run.record.id);
    find_hold_accounts(store, &mut held).await?;
    Ok(held)
}

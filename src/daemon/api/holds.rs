//! Holds: what waits for a person, and the approval. The page calls `approve_hold` too.

use super::{require_reason, reverts};
use crate::daemon::handle::DaemonHandle;
use crate::document::{ActReason, HoldApproval, HoldListDocument, HoldState, HoldView};
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, JsonBody, NoContentResponse, PathParams, Permission, Route};
use crate::model::Key;
use crate::reconcile;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

/// A hold by its id.
#[derive(Debug, Deserialize, JsonSchema)]
struct HoldParam {
    /// The id of the hold: 16 hexadecimal digits, as shown in the plan.
    hold: String,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::get("/api/v1/holds", "holds", Permission::Read, holds)
            .with_docs(
                "List the holds",
                "Each with its message, count, accounts, start, the command that approves it, and the expiry of its approval.",
            )
            .filters_by_source(),
        Route::post("/api/v1/holds/{hold}/approve", "approveHold", Permission::Approve, approve)
            .with_docs(
                "Approve a hold",
                "Covers exactly these steps with exactly these values, in the next plan that contains them. Also requests a pass.",
            )
            .problems(&[problem::ALREADY_DECIDED, problem::NO_PERMISSION])
            .filters_by_source(),
        Route::post("/api/v1/holds/{hold}/reject", "rejectHold", Permission::Approve, reject)
            .with_docs(
                "Reject a hold",
                "It stays held, and is not listed as waiting any more. Change the source, or approve it later.",
            )
            .problems(&[problem::ALREADY_DECIDED, problem::NO_PERMISSION])
            .filters_by_source(),
    ]
}

async fn holds(
    State(handle): State<DaemonHandle>,
    caller: Caller,
) -> Result<Json<HoldListDocument>, HttpProblem> {
    let items = listed(&handle, &caller).await?;
    Ok(Json(HoldListDocument { items }))
}

/// The holds that a caller may see, those that need a decision first.
async fn listed(handle: &DaemonHandle, caller: &Caller) -> Result<Vec<HoldView>, HttpProblem> {
    let caller = caller.clone();
    handle
        .query(move |daemon| async move {
            let is_seen = |source: &str, hold: &HoldState| may_see_hold(&caller, source, hold);
            daemon.board.holds(is_seen).await
        })
        .await
}

/// Whether a caller may see a hold. Whoever is limited to sources cannot see a revert either, because it
/// sets back resources of any source.
pub(in crate::daemon) fn may_see_hold(caller: &Caller, source: &str, hold: &HoldState) -> bool {
    let is_limited = caller.sources.is_some();
    caller.may_access_source(source) && !(is_limited && hold.reverts.is_some())
}

async fn approve(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(HoldParam { hold }): PathParams<HoldParam>,
    JsonBody(decision): JsonBody<HoldApproval>,
) -> Result<NoContentResponse, HttpProblem> {
    approve_hold(&handle, caller, hold, &decision.reason, &decision.only).await?;
    Ok(NoContentResponse)
}

async fn reject(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(HoldParam { hold }): PathParams<HoldParam>,
    JsonBody(decision): JsonBody<ActReason>,
) -> Result<NoContentResponse, HttpProblem> {
    reject_hold(&handle, &caller, hold, &decision.reason).await?;
    Ok(NoContentResponse)
}

/// Rejects a hold in the name of the caller, and returns it.
pub(in crate::daemon) async fn reject_hold(
    handle: &DaemonHandle,
    caller: &Caller,
    hold: String,
    why: &str,
) -> Result<HoldView, HttpProblem> {
    let why = require_reason(why)?.to_owned();
    let view = undecided(handle, caller, &hold).await?;
    if view.rejection.is_some() {
        let detail = "the hold is already rejected";
        return Err(HttpProblem::new(problem::ALREADY_DECIDED, detail));
    }
    let name = caller.name.to_string();
    handle
        .query_store(move |store| async move { store.reject_hold(&hold, &name, &why).await })
        .await?;
    Ok(view)
}

/// Finds a hold among those that the caller may see.
async fn find(handle: &DaemonHandle, caller: &Caller, hold: &str) -> Result<HoldView, HttpProblem> {
    let mut all = listed(handle, caller).await?.into_iter();
    let found = all.find(|view| view.hold.hold.as_deref() == Some(hold));
    // The id covers the exact steps and values. If they change, the hold has another id, and nobody
    // approves what they did not see.
    found.ok_or_else(|| {
        HttpProblem::not_found(format!("no hold `{hold}`; it may have changed since"))
    })
}

/// Returns a hold that the caller may decide about and that is not approved as a whole.
async fn undecided(
    handle: &DaemonHandle,
    caller: &Caller,
    hold: &str,
) -> Result<HoldView, HttpProblem> {
    // `approvers` of the configuration narrows the role: a token with the right to approve is not
    // enough.
    if let Err(refused) = handle.setup()?.config.may_approve(&caller.name) {
        return Err(HttpProblem::new(problem::NO_PERMISSION, refused));
    }
    // Looked up among the holds that the caller may see, so that an id of another source looks like
    // one that does not exist.
    let mut view = find(handle, caller, hold).await?;
    // No pass has looked at it since somebody asked for the revert.
    if let Some(run) = view.hold.reverts {
        reverts::refresh_holds(handle, run).await?;
        view = find(handle, caller, hold).await?;
    }
    // An approval of some resources may still be extended to others.
    let approval = view.approval.as_ref();
    if approval.is_some_and(|approval| approval.only.is_none()) {
        let detail = "the hold is already approved";
        return Err(HttpProblem::new(problem::ALREADY_DECIDED, detail));
    }
    Ok(view)
}

/// Approves a hold in the name of the caller, and returns it.
pub(in crate::daemon) async fn approve_hold(
    handle: &DaemonHandle,
    caller: Caller,
    hold: String,
    why: &str,
    only: &[String],
) -> Result<HoldView, HttpProblem> {
    let daemon = handle.daemon()?;
    let why = require_reason(why)?.to_owned();
    let only = keys(only)?;
    let view = undecided(handle, &caller, &hold).await?;
    // The second person has to be another one.
    let named: Vec<String> = only.iter().map(ToString::to_string).collect();
    if reconcile::has_approved(&view, &caller.name, &named) {
        let detail = reconcile::needs_others(&view);
        return Err(HttpProblem::new(problem::ALREADY_DECIDED, detail));
    }
    let (all, listed) = (view.hold.count, &view.hold.resources);
    // Only a complete list can show that a resource does not belong. The state lists at most 100.
    let stranger = only.iter().find(|key| !listed.contains(&key.to_string()));
    if let Some(key) = stranger.filter(|_| all <= listed.len()) {
        let message = format!("{key} is not part of hold `{hold}`");
        return Err(HttpProblem::new(problem::INVALID, message));
    }
    // Whoever names each of the resources approves the hold as a whole, and nothing of it is left to
    // decide about.
    let is_named = |resource: &String| only.iter().any(|key| key.to_string() == *resource);
    let only = if all <= listed.len() && listed.iter().all(is_named) {
        Vec::new()
    } else {
        only
    };
    let name = caller.name.to_string();
    handle
        .query_store(move |store| async move {
            if only.is_empty() {
                return store.approve_hold(&hold, None, &name, &why).await;
            }
            for key in &only {
                store.approve_hold(&hold, Some(key), &name, &why).await?;
            }
            Ok(())
        })
        .await?;
    // After the record is committed: the pass must find it. No pass finds what is held of a revert.
    if view.hold.reverts.is_none() {
        daemon.current.request_pass(&view.source, "approved");
    }
    Ok(view)
}

fn keys(only: &[String]) -> Result<Vec<Key>, HttpProblem> {
    let read = only.iter().map(|text| {
        Key::parse(text).ok_or_else(|| {
            HttpProblem::new(
                problem::INVALID,
                format!("`{text}` is not a resource; use KIND/ID"),
            )
        })
    });
    read.collect()
}

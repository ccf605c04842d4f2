//! Holds: what waits for a person, and the approval. The page calls `approve_hold` too.

use super::{MAX_REASON_LENGTH, NOT_BLANK, require_reason};
use crate::daemon::handle::DaemonHandle;
use crate::document::HoldView;
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, JsonBody, NoContentResponse, PathParams, Permission, Route};
use crate::kinds;
use crate::model::Key;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Holds, those that need a decision first.
#[derive(Debug, Serialize, JsonSchema)]
struct HoldList {
    /// The holds.
    items: Vec<HoldView>,
}

/// A hold by its id.
#[derive(Debug, Deserialize, JsonSchema)]
struct HoldParam {
    /// The id of the hold: 16 hexadecimal digits, as shown in the plan.
    hold: String,
}

/// An approval of a hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HoldApproval {
    /// The reason, for the audit log.
    #[schemars(length(min = 1, max = MAX_REASON_LENGTH), regex(pattern = NOT_BLANK))]
    reason: String,
    /// Approve only these resources, such as `User/u-1`. Default: the whole hold.
    #[serde(default)]
    #[schemars(inner(regex(pattern = resource_pattern())))]
    only: Vec<String>,
}

/// The pattern of a resource, for the OpenAPI document.
fn resource_pattern() -> String {
    let kinds: Vec<&str> = kinds::ALL.iter().map(|kind| kind.name).collect();
    format!("^({})/.", kinds.join("|"))
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
    ]
}

async fn holds(
    State(door): State<DaemonHandle>,
    caller: Caller,
) -> Result<Json<HoldList>, HttpProblem> {
    let items = door
        .query(move |daemon| async move {
            daemon
                .board
                .holds(|source| caller.may_access_source(source))
                .await
        })
        .await?;
    Ok(Json(HoldList { items }))
}

async fn approve(
    State(door): State<DaemonHandle>,
    caller: Caller,
    PathParams(HoldParam { hold }): PathParams<HoldParam>,
    JsonBody(decision): JsonBody<HoldApproval>,
) -> Result<NoContentResponse, HttpProblem> {
    approve_hold(&door, caller, hold, &decision.reason, &decision.only).await?;
    Ok(NoContentResponse)
}

/// Approves a hold in the name of the caller.
pub(in crate::daemon) async fn approve_hold(
    door: &DaemonHandle,
    caller: Caller,
    hold: String,
    why: &str,
    only: &[String],
) -> Result<(), HttpProblem> {
    let daemon = door.daemon()?;
    let why = require_reason(why)?.to_owned();
    // `approvers` of the configuration narrows the role: a token with the right to approve is not
    // enough.
    if let Err(refused) = daemon.current.get().config.may_approve(&caller.name) {
        return Err(HttpProblem::new(problem::NO_PERMISSION, refused));
    }
    let only = keys(only)?;
    // Looked up among the holds that the caller may see, so that an id of another source looks like
    // one that does not exist.
    let (seen, id) = (caller.clone(), hold.clone());
    let all = door
        .query(move |daemon| async move {
            daemon
                .board
                .holds(|source| seen.may_access_source(source))
                .await
        })
        .await?;
    let found = all
        .into_iter()
        .find(|view| view.hold.hold.as_deref() == Some(&*id));
    // The id covers the exact steps and values. If they change, the hold has another id, and nobody
    // approves what they did not see.
    let Some(view) = found else {
        return Err(HttpProblem::not_found(format!(
            "no hold `{id}`; it may have changed since"
        )));
    };
    if view
        .approval
        .as_ref()
        // An approval of some resources may still be extended to others.
        .is_some_and(|approval| approval.only.is_none())
    {
        return Err(HttpProblem::new(
            problem::ALREADY_DECIDED,
            "the hold is already approved",
        ));
    }
    let (all, listed) = (view.hold.count, &view.hold.resources);
    // Only a complete list can show that a resource does not belong. The state lists at most 100.
    let stranger = only.iter().find(|key| !listed.contains(&key.to_string()));
    if let Some(key) = stranger.filter(|_| all <= listed.len()) {
        let message = format!("{key} is not part of hold `{hold}`");
        return Err(HttpProblem::new(problem::INVALID, message));
    }
    let name = caller.name.to_string();
    door.query_store(move |store| async move {
        if only.is_empty() {
            return store.approve_hold(&hold, None, &name, &why).await;
        }
        for key in &only {
            store.approve_hold(&hold, Some(key), &name, &why).await?;
        }
        Ok(())
    })
    .await?;
    // After the record is committed: the pass must find it.
    daemon.current.request_pass(&view.source, "approved");
    Ok(())
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

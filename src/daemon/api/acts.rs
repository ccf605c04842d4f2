//! Acts on stored resources: one route per act of the table. The page calls `perform` too.

use super::checked_act::CheckedAct;
use crate::daemon::handle::{DaemonHandle, HandlerError};
use crate::daemon::invitation::{InvitationKey, InvitationOrder};
use crate::diagnostic::plural;
use crate::document::{
    InvitationRequest, ResourceActReply, ResourceActRequest, TermsAcceptanceRequest,
};
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, JsonBody, Permission, Route, idempotency};
use crate::kinds::act::{ACTS, ActInput, ResourceAct};
use crate::reconcile::JobFiles;
use crate::store::{ActError, IdempotentRequest};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The permission that an act needs.
pub(in crate::daemon) fn permission(act: &ResourceAct) -> Permission {
    match (act.erases, act.is_decision) {
        (true, _) => Permission::Administer,
        (false, true) => Permission::Approve,
        (false, false) => Permission::Operate,
    }
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    ACTS.into_iter().map(route).collect()
}

fn route(act: &'static ResourceAct) -> Route<DaemonHandle> {
    match act.input {
        ActInput::Reason => {
            let check = move |request: ResourceActRequest| CheckedAct::new(act, &request);
            route_with(act, check)
        }
        ActInput::Invitation => invitation_route(act),
        ActInput::Terms => {
            let check =
                move |request: TermsAcceptanceRequest| CheckedAct::of_acceptance(act, &request);
            route_with(act, check).problems(&[problem::TERMS_OUTDATED])
        }
    }
    .problems(&[
        problem::NOT_FOUND,
        problem::WRONG_STATE,
        problem::ALREADY_DECIDED,
        problem::NO_PERMISSION,
    ])
    .problems(if act.is_final {
        &[problem::JOBS_OPEN, problem::UNCONFIRMED]
    } else {
        &[]
    })
}

/// The route of an act whose request is checked by a function.
fn route_with<R: DeserializeOwned + JsonSchema + Send + 'static>(
    act: &'static ResourceAct,
    check: impl Fn(R) -> Result<CheckedAct, HttpProblem> + Clone + Send + Sync + 'static,
) -> Route<DaemonHandle> {
    let handler = move |State(handle): State<DaemonHandle>,
                        caller: Caller,
                        headers: HeaderMap,
                        JsonBody(request): JsonBody<R>| {
        let checked = check(request);
        async move {
            let key = idempotency::key(&headers)?;
            let reply = perform(&handle, &caller, checked?, key).await?;
            Ok::<_, HttpProblem>(Json(reply))
        }
    };
    let docs = if act.erases {
        "Takes one id. The reply has the places where the sources still name the person. Git keeps \
         what was committed. Recorded in the history and in the audit log without the person."
    } else {
        "All ids or none. Recorded in the history and in the audit log."
    };
    Route::post(act.path, act.operation, permission(act), handler).with_docs(act.doc, docs)
}

fn invitation_route(act: &'static ResourceAct) -> Route<DaemonHandle> {
    let handler = move |State(handle): State<DaemonHandle>,
                        caller: Caller,
                        headers: HeaderMap,
                        JsonBody(request): JsonBody<InvitationRequest>| async move {
        let key = idempotency::key(&headers)?;
        let reply = invite(&handle, &caller, act, request, key).await?;
        Ok::<_, HttpProblem>(Json(reply))
    };
    Route::post(act.path, act.operation, permission(act), handler)
        .with_docs(
            act.doc,
            "All ids or none. With `send`, the mails are sent soon. Without it, each item of the \
             reply has a `draft`, the text of an `.eml` file. Only the newest link of a person works. \
             Recorded in the history and in the audit log.",
        )
        .problems(&[problem::NOT_CONFIGURED])
}

/// Performs an act in the name of the caller.
pub(in crate::daemon) async fn perform(
    handle: &DaemonHandle,
    caller: &Caller,
    checked: CheckedAct,
    key: Option<String>,
) -> Result<ResourceActReply, HttpProblem> {
    let act = checked.act;
    if act.is_decision
        && let Err(refused) = handle.setup()?.config.may_approve(&caller.name)
    {
        return Err(HttpProblem::new(problem::NO_PERMISSION, refused));
    }
    let is_final = act.is_final;
    let setup = handle.setup()?;
    let files = JobFiles::new(&setup.config.files);
    let originals = Arc::clone(&handle.daemon()?.originals);
    let idempotency = key.map(|key| IdempotentRequest {
        key,
        digest: checked.digest(),
    });
    let actor = caller.name.to_string();
    let erases = act.erases;
    let reply = handle
        .query_store(move |store| async move {
            let done = checked
                .perform(&store, &setup.config, (&actor, idempotency.as_ref()))
                .await;
            if is_final && done.is_ok() {
                files.remove_due_later(&store).await;
            }
            let done = done.map(|reply| {
                if act.erases {
                    originals.forget_naming(checked.resources());
                }
                checked.with_places(reply, &setup.config)
            });
            done.map_err(|error| match error {
                ActError::Refused(refused) => checked.refusal(&refused).into(),
                ActError::Store(error) => HandlerError::from(error),
                ActError::Unknown(error) => HttpProblem::internal(error).into(),
            })
        })
        .await?;
    if erases {
        // So that what a pass was making meanwhile does not stay.
        let current = &handle.daemon()?.current;
        for source in &current.get().config.sources {
            current.request_pass(&source.name, "a user was erased");
        }
    }
    Ok(reply)
}

/// Invites users in the name of the caller.
pub(in crate::daemon) async fn invite(
    handle: &DaemonHandle,
    caller: &Caller,
    act: &'static ResourceAct,
    request: InvitationRequest,
    key: Option<String>,
) -> Result<ResourceActReply, HttpProblem> {
    let send = request.send;
    let checked = CheckedAct::new(act, &request.into())?;
    let config = &handle.setup()?.config;
    // The key of the daemon, so that a repeated request gets the same draft.
    let drafts = (!send).then(|| InvitationKey::load(&config.invitations.key));
    let drafts = drafts.transpose();
    let drafts = drafts.map_err(|why| HttpProblem::new(problem::NOT_CONFIGURED, why))?;
    let order = InvitationOrder::new(config, drafts)?;
    perform(handle, caller, checked.with_invitations(order), key).await
}

/// What an act did, in a sentence.
pub fn done_sentence(act: &ResourceAct, reply: &ResourceActReply) -> String {
    let names = reply.items.iter();
    let names: Vec<String> = names
        .map(|item| format!("{}/{}", item.kind, item.external_id))
        .collect();
    match names.as_slice() {
        [one] if !reply.deleted_jobs.is_empty() => format!(
            "{} {one} with {}: {}.",
            act.done,
            plural(reply.deleted_jobs.len(), "job"),
            reply.deleted_jobs.join(", ")
        ),
        [one] => format!("{} {one}.", act.done),
        many => format!(
            "{} {}: {}.",
            act.done,
            plural(many.len(), "resource"),
            many.join(", ")
        ),
    }
}

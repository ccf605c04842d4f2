//! The check of buying policies. The command line checks and refuses by the same functions.

use super::request::unknown_resource;
use crate::daemon::handle::{DaemonHandle, HandlerError};
use crate::document::{PolicyCheckReply, PolicyCheckRequest};
use crate::http::problem::{self, HttpProblem};
use crate::http::{JsonBody, Permission, Route};
use crate::kinds::{ACCOUNT, USER};
use crate::model::Key;
use crate::store::{PolicyRefusal, Store, StoreError};
use axum::Json;
use axum::extract::State;
use serde_json::json;

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    let docs = "Returns the policies that review what a user buys for an account, each with who can approve it now.";
    vec![
        Route::post(
            "/api/v1/policies/evaluate",
            "evaluatePolicies",
            Permission::Read,
            evaluate,
        )
        .with_docs("Check whether a purchase needs an approval", docs)
        .problems(&[problem::NOT_FOUND, problem::FOREIGN_USER])
        .example_body(json!({"user": "olle.berg", "account": "0010927781"})),
    ]
}

async fn evaluate(
    State(handle): State<DaemonHandle>,
    JsonBody(request): JsonBody<PolicyCheckRequest>,
) -> Result<Json<PolicyCheckReply>, HttpProblem> {
    let reply = handle
        .query_store(move |store| async move {
            let checked = check(&store, &request).await?;
            checked.map_err(HandlerError::from)
        })
        .await?;
    Ok(Json(reply))
}

/// Evaluates the policies. The inner error says why that is not possible.
pub async fn check(
    store: &Store,
    request: &PolicyCheckRequest,
) -> Result<Result<PolicyCheckReply, HttpProblem>, StoreError> {
    let PolicyCheckRequest { user, account } = request;
    let evaluated = store.evaluate_policies(user, account).await?;
    Ok(match evaluated {
        Ok(evaluation) => Ok(PolicyCheckReply::new(request, evaluation)),
        Err(PolicyRefusal::UnknownUser) => Err(unknown_resource(&Key::new(USER, user))),
        Err(PolicyRefusal::UnknownAccount) => Err(unknown_resource(&Key::new(ACCOUNT, account))),
        Err(PolicyRefusal::ForeignUser) => {
            let detail = format!(
                "User/{user} does not belong to Account/{account}; name an account of the user, as `roster get User/{user}` lists them"
            );
            Err(HttpProblem::new(problem::FOREIGN_USER, detail))
        }
    })
}

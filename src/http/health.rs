//! The routes of every server: alive, ready, whoami and the OpenAPI document.

use super::access::{AuthMethod, Caller};
use super::operation::OperationHandler;
use super::problem::{self, HttpProblem};
use super::role::{Permission, Role};
use super::route::Route;
use super::route_spec::{AccessRequirement, HEALTH, READY};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::borrow::Cow;

/// Something that knows whether it can do its work.
pub trait ReadinessCheck: Clone + Send + Sync + 'static {
    fn ready(&self) -> impl Future<Output = Result<(), String>> + Send;
}

/// The daemon is healthy.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct HealthReply {
    /// Always `ok`. Failures are problems.
    pub status: Cow<'static, str>,
}

/// The identity of the caller.
#[derive(Debug, Serialize, JsonSchema)]
struct WhoamiReply {
    /// The name that the audit log records.
    name: String,
    /// The role of the token.
    role: Role,
    /// The permissions of the role.
    permissions: Vec<Permission>,
    /// The sources of the token. Absent: all sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<String>>,
    /// Whether the caller has no token.
    anonymous: bool,
    /// The time on the server's clock.
    time: DateTime<Utc>,
}

async fn alive() -> Result<Json<HealthReply>, HttpProblem> {
    Ok(Json(HealthReply {
        status: "ok".into(),
    }))
}

async fn ready<S: ReadinessCheck>(
    State(state): State<S>,
) -> Result<Json<HealthReply>, HttpProblem> {
    match state.ready().await {
        Ok(()) => Ok(Json(HealthReply {
            status: "ok".into(),
        })),
        Err(reason) => Err(HttpProblem::new(problem::UNAVAILABLE, reason)),
    }
}

async fn whoami(caller: Caller) -> Result<Json<WhoamiReply>, HttpProblem> {
    let sources = caller.sources.as_ref();
    Ok(Json(WhoamiReply {
        name: caller.name.to_string(),
        role: caller.role,
        permissions: caller.role.permissions().to_vec(),
        sources: sources.map(|all| all.iter().map(ToString::to_string).collect()),
        anonymous: caller.auth_method == AuthMethod::Anonymous,
        time: Utc::now(),
    }))
}

/// The routes of every server.
pub fn routes<S: ReadinessCheck>() -> Vec<Route<S>> {
    vec![
        Route::get(HEALTH, "alive", AccessRequirement::Public, alive)
            .with_docs(
                "Check whether the daemon is alive",
                "Answers as long as the process runs. Needs no token.",
            )
            .example(json!({"status": "ok"}))
            .exempt_from_limits(),
        Route::get(READY, "ready", AccessRequirement::Public, ready::<S>)
            .with_docs(
                "Check whether the daemon is ready",
                "Answers 503 with the reason if it is not ready. Needs no token.",
            )
            .example(json!({"status": "ok"}))
            .problems(&[problem::UNAVAILABLE])
            .exempt_from_limits(),
        Route::get(
            "/api/v1/whoami",
            "whoami",
            AccessRequirement::Authenticated,
            whoami,
        )
        .with_docs(
            "Get the identity of the caller",
            "Returns the name, the role and the sources of the token, and the permissions of the role.",
        )
        .example(json!({
            "name": "ci",
            "role": "planner",
            "permissions": ["plan"],
            "sources": ["directory"],
            "anonymous": false,
            "time": "2027-01-31T12:00:00Z",
        })),
    ]
}

/// The route of the OpenAPI document; `document` is the handler that returns it.
pub(super) fn own_document<S, H, D, T>(document: H) -> Route<S>
where
    S: ReadinessCheck,
    H: axum::handler::Handler<T, S> + OperationHandler<D>,
    T: 'static,
{
    Route::get(
        "/api/v1/openapi.json",
        "openapi",
        AccessRequirement::Public,
        document,
    )
    .with_docs(
        "Get this document",
        "The routes of this server as OpenAPI 3.1. Needs no token.",
    )
}

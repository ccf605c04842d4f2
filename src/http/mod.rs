//! The HTTP server: authentication, routes as data, problems and limits. It knows nothing about the
//! daemon, which hands in its routes and its state. Start at [`app`], then `route_guard`.
//!
//! ```text
//! connection → server (TLS, limits) → outer_layer (id, log, headers, problems)
//! → route_guard (caller, permission, rate, body, idempotency) → handler
//! ```

pub mod access;
mod body_limiter;
mod concurrency;
mod connections;
mod customer_token;
mod file_body;
pub mod gate;
pub mod health;
pub mod idempotency;
mod nul;
pub mod openapi;
pub mod operation;
mod outer_layer;
mod peer_address;
mod personal_response;
pub mod problem;
pub mod rate;
pub mod role;
pub mod route;
mod route_guard;
mod route_spec;
mod same_site;
pub mod server;
pub mod session;
mod stream;
pub mod tally;
mod tls;
pub mod token;

pub use crate::tls::choose_provider;
pub use access::{AccessTokens, AuthMethod, Caller};
pub use customer_token::CustomerToken;
pub use file_body::FileBody;
pub use gate::RequestGate;
pub use health::{HealthReply, ReadinessCheck};
pub use operation::{
    AcceptedResponse, CreatedResponse, JsonBody, NoContentResponse, OperationBuilder,
    OperationInput, OperationOutput, PathParams, QueryParams,
};
pub use peer_address::PeerAddress;
pub use personal_response::PersonalResponse;
pub use problem::HttpProblem;
pub use role::{Permission, Role};
pub use route::Route;
pub use route_spec::{AccessRequirement, RouteAddress, RouteAudience, RouteSpec};
pub use server::{HttpServer, ServerError};

use axum::{Json, Router};
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// The whole application: the given routes and those of every server, each behind its checks.
pub fn app<S: ReadinessCheck>(routes: Vec<Route<S>>, gate: &Arc<RequestGate>, state: S) -> Router {
    let (routes, _) = complete(routes);
    let router = route::router(routes, gate).with_state(state);
    outer_layer::wrap_router(router, gate)
}

/// The part of the application that answers at one of two addresses.
pub fn app_at<S: ReadinessCheck>(
    address: RouteAddress,
    routes: Vec<Route<S>>,
    gate: &Arc<RequestGate>,
    state: S,
) -> Router {
    let (mut routes, _) = complete(routes);
    let here = |route: &Route<S>| [address, RouteAddress::Both].contains(&route.spec.address);
    routes.retain(here);
    let router = route::router(routes, gate).with_state(state);
    outer_layer::wrap_router(router, gate)
}

/// The OpenAPI document of the given routes and those of every server.
pub fn document<S: ReadinessCheck>(routes: Vec<Route<S>>) -> Value {
    complete(routes).1
}

/// All routes, with the document that one of them returns.
pub fn complete<S: ReadinessCheck>(routes: Vec<Route<S>>) -> (Vec<Route<S>>, Value) {
    // The document describes the route that returns it, so it can only be filled in afterwards.
    let kept: Arc<OnceLock<Value>> = Arc::default();
    let shown = Arc::clone(&kept);
    let mut all = health::routes();
    all.push(health::own_document(async move || {
        Ok::<_, HttpProblem>(Json(shown.get().cloned().unwrap_or_default()))
    }));
    all.extend(routes);
    let document = openapi::document(&all);
    let document = kept.get_or_init(|| document).clone();
    (all, document)
}

//! The server: who may, how a route is declared, what goes wrong, how much one gets. It knows no
//! daemon: what answers is state that is handed in.
//!
//! ```text
//! connection → server (TLS, limits) → outermost (id, log, headers, problems)
//!            → gate of the route (who, may it, how often, how much, once) → handler
//! ```

pub mod access;
mod arrival;
mod connections;
pub mod describe;
pub mod gate;
pub mod health;
pub mod openapi;
mod origin;
mod outermost;
mod pass;
pub mod problem;
pub mod rate;
pub mod replay;
pub mod role;
mod room;
pub mod route;
pub mod server;
pub mod session;
mod stream;
pub mod tally;
mod tls;
pub mod token;

pub use crate::tls::choose_provider;
pub use access::{Access, By, Caller};
pub use describe::{Accepted, Created, Done, Gives, Input, Operation, Path, Query, Takes};
pub use gate::{Gate, Peer};
pub use health::Ready;
pub use problem::Problem;
pub use role::{Permission, Role};
pub use route::{Needs, Route};
pub use server::{Server, ServerError};

use axum::{Json, Router};
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// The whole application of a table: its routes and those of every server, each behind its gate.
pub fn app<S: Ready>(routes: Vec<Route<S>>, gate: &Arc<Gate>, state: S) -> Router {
    let (routes, _) = complete(routes);
    let router = route::router(routes, gate).with_state(state);
    outermost::around(router, gate)
}

/// The OpenAPI document of a table and of the routes of every server.
pub fn document<S: Ready>(routes: Vec<Route<S>>) -> Value {
    complete(routes).1
}

/// All routes, with the document that also stands behind one of them.
pub fn complete<S: Ready>(routes: Vec<Route<S>>) -> (Vec<Route<S>>, Value) {
    let kept: Arc<OnceLock<Value>> = Arc::default();
    let told = Arc::clone(&kept);
    let mut all = health::routes();
    all.push(health::own_document(async move || {
        Ok::<_, Problem>(Json(told.get().cloned().unwrap_or_default()))
    }));
    all.extend(routes);
    let document = openapi::document(&all);
    let document = kept.get_or_init(|| document).clone();
    (all, document)
}

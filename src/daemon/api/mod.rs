//! `/api/v1`: the daemon for programs. Each file has the routes of one subject and their handlers;
//! `request` has the checks that they share. The page calls the same functions for decisions, so
//! both have the same rules.

pub mod acts;
mod backup;
pub mod checked_act;
mod dossier;
pub(super) mod exports;
pub(super) mod holds;
mod imports;
pub(super) mod invitations;
mod jobs;
mod orders;
mod plans;
pub mod policies;
pub(super) mod proposals;
mod push_body;
mod push_messages;
pub(super) mod records;
mod request;
pub(super) mod reverts;
mod self_service;
mod self_service_request;
mod server_paths;
pub(super) mod sources;
mod tags;
pub mod visibility;
mod webhooks;

pub(super) use request::require_visible_source;

use request::{SourceParam, not_stored, require_max_length, require_reason};

use super::handle::DaemonHandle;
use super::metrics;
use crate::http::{Route, RouteAddress, problem};

/// Every route of the API.
#[must_use]
pub fn routes() -> Vec<Route<DaemonHandle>> {
    let all = [
        sources::routes(),
        exports::routes(),
        holds::routes(),
        acts::routes(),
        for_customers(invitations::routes()),
        for_customers(self_service::routes()),
        records::routes(),
        reverts::routes(),
        policies::routes(),
        visibility::routes(),
        jobs::routes(),
        backup::routes(),
        dossier::routes(),
        orders::routes(),
        tags::routes(),
        plans::routes(),
        proposals::routes(),
        webhooks::routes(),
        imports::routes(),
        metrics::routes(),
    ];
    let all = all.into_iter().flatten();
    // Every handler asks the database, which may be unreachable at any time.
    all.map(|route| route.problems(&[problem::UNAVAILABLE]))
        .collect()
}

/// Routes that answer at the address of the customers, where they have one of their own.
fn for_customers(routes: Vec<Route<DaemonHandle>>) -> Vec<Route<DaemonHandle>> {
    let routes = routes.into_iter();
    routes
        .map(|route| route.at(RouteAddress::Customers))
        .collect()
}

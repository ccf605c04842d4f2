//! `/api/v1`: the daemon as programs see it.

pub(super) mod exports;
pub(super) mod holds;
mod imports;
mod plans;
mod push_messages;
pub(super) mod records;
mod request;
mod server_paths;
pub(super) mod sources;
mod webhooks;

pub(super) use request::require_visible_source;

use request::{MAX_REASON_LENGTH, NOT_BLANK, require_max_length, require_reason};

use super::handle::DaemonHandle;
use super::metrics;
use crate::http::{Route, problem};

/// Every route of the API.
#[must_use]
pub fn routes() -> Vec<Route<DaemonHandle>> {
    let all = [
        sources::routes(),
        exports::routes(),
        holds::routes(),
        records::routes(),
        plans::routes(),
        webhooks::routes(),
        imports::routes(),
        metrics::routes(),
    ];
    let all = all.into_iter().flatten();
    all.map(|route| route.problems(&[problem::UNAVAILABLE]))
        .collect()
}

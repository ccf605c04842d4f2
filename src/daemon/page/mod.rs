//! The page: what an operator sees with a browser. Every page is whole without a script; one small
//! script keeps it up to date.

mod acts;
mod assets;
mod export;
mod forms;
mod holds;
mod inbox;
mod layout;
mod link;
mod login;
mod plan;
mod resources;
mod runs;
mod source;
mod source_status;
mod time;
mod value;

pub(super) use layout::problem;

use super::api::DaemonHandle;
use crate::http::{RequestGate, Route};
use std::sync::Arc;

/// Every page, and the forms on them.
pub(super) fn routes(gate: &Arc<RequestGate>) -> Vec<Route<DaemonHandle>> {
    let all = [
        inbox::routes(),
        source::routes(),
        runs::routes(),
        resources::routes(),
        acts::routes(),
        forms::routes(),
        login::routes(gate),
        assets::routes(),
    ];
    all.into_iter().flatten().collect()
}

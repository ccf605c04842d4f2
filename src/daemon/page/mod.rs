//! The page: what an operator sees with a browser. Every page is whole without a script; one small
//! script keeps it up to date.

mod acts;
mod assets;
mod deeds;
mod export;
mod frame;
mod holds;
mod inbox;
mod link;
mod login;
mod plan;
mod resources;
mod runs;
mod source;
mod standing;
mod time;
mod value;

pub(super) use frame::problem;

use super::api::Door;
use crate::http::{Gate, Route};
use std::sync::Arc;

/// Every page, and the forms on them.
pub(super) fn routes(gate: &Arc<Gate>) -> Vec<Route<Door>> {
    let all = [
        inbox::routes(),
        source::routes(),
        runs::routes(),
        resources::routes(),
        acts::routes(),
        deeds::routes(),
        login::routes(gate),
        assets::routes(),
    ];
    all.into_iter().flatten().collect()
}

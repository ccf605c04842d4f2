//! The web page for operators.
//!
//! Each file holds one page or one part of several: its routes, handlers and HTML. Data comes from
//! the functions behind the API, so page and API cannot disagree. Every page works without
//! JavaScript. A small script reloads the parts marked `data-live`, which it finds by their ids,
//! and keeps `details` with an id open. Start with `home.rs` and `layout.rs`.

mod account_members;
mod acts;
mod assets;
mod chart;
mod export;
mod forms;
mod hold_sentence;
mod holds;
mod home;
mod invitation;
mod layout;
mod link;
mod login;
mod names;
mod needs;
mod plan;
mod plan_entry;
mod plan_groups;
mod propose;
mod reference;
mod resource;
mod resource_acts;
mod resources;
mod revert;
mod run;
mod runs;
mod search;
mod search_runs;
mod source;
mod source_holds;
mod source_status;
mod sources;
mod time;
mod user_records;
mod value;
mod word_marks;

pub(super) use layout::problem;

use super::handle::DaemonHandle;
use crate::http::{RequestGate, Route};
use std::sync::Arc;

pub(super) fn routes(gate: &Arc<RequestGate>) -> Vec<Route<DaemonHandle>> {
    let all = [
        home::routes(),
        sources::routes(),
        source::routes(),
        source_holds::routes(),
        runs::routes(),
        run::routes(),
        revert::routes(),
        resources::routes(),
        resource::routes(),
        search::routes(),
        acts::routes(),
        forms::routes(),
        propose::routes(),
        resource_acts::routes(),
        invitation::routes(),
        login::routes(gate),
        assets::routes(),
    ];
    all.into_iter().flatten().collect()
}

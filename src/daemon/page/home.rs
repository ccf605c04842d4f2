//! The first page: a row for each source, then one list of what needs a person.
//!
//! Each thing is said once: what a source needs is a card in the list, and its row only counts.
//! Start with [`home`]; the bodies of the cards come from `holds.rs`, `export.rs` and `needs.rs`.

use super::needs::{self, NeedsSection};
use super::{chart, holds, layout, sources};
use crate::daemon::api::holds::may_see_hold;
use crate::daemon::handle::DaemonHandle;
use crate::diagnostic::agreed;
use crate::http::problem::HttpProblem;
use crate::http::{Caller, Permission, QueryParams, Route};
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HomeQuery {
    done: Option<String>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![Route::page(Method::GET, "/", Permission::Read, home).filters_by_source()]
}

async fn home(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    QueryParams(asked): QueryParams<HomeQuery>,
) -> Result<Markup, HttpProblem> {
    // Filtered while reading, so that counts and texts contain nothing of sources the caller cannot
    // see.
    let seen = caller.clone();
    let (status, waiting, pending, days) = handle
        .query(move |daemon| async move {
            let mut status = daemon
                .board
                .status(|source| seen.may_access_source(source))
                .await?;
            let holds = daemon
                .board
                .holds(|source, hold| may_see_hold(&seen, source, hold))
                .await?;
            // Resources may come from any source, so only callers who see all of them see these.
            let mut pending = (0, Vec::new());
            if seen.sources.is_none() {
                pending = daemon.store.pending_accounts(needs::MAX_PENDING).await?;
                status.diagnostics = daemon.board.directory_diagnostics().await?;
            }
            let days = chart::steps_by_day(&daemon.store, |source| seen.may_access_source(source));
            Ok::<_, crate::store::StoreError>((status, holds, pending, days.await?))
        })
        .await?;
    let needs = NeedsSection {
        status: &status,
        holds: waiting
            .iter()
            .filter(|view| holds::awaits_decision(view))
            .collect(),
        pending: &pending,
        approves: holds::caller_may_approve(&handle, &caller),
        caller: &caller,
    };
    let main = html! {
        h1 { "Home" }
        (layout::done_message(asked.done.as_deref()))
        @if let Some(error) = &status.reload_error {
            p.wrong role="alert" {
                "The configuration could not be reloaded; the previous one is in use: " (error)
            }
        }
        section #sources data-live {
            h2 { a href="/sources" { "Sources" } }
            (sources::table(&status.sources))
        }
        (needs.section())
        @if let Some(error) = &status.notice_error {
            p.wrong { (agreed(status.notices, ("notice", "notices"), ("is", "are"))) " unsent. Last error: " (error) }
        }
        (chart::steps_section(&days))
    };
    layout::page(&handle, &caller, "/", "Home", &main)
}

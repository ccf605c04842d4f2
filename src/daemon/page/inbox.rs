//! The first page: what needs a person, then the state of every source.
//!
//! An operator should be able to decide here without opening another page, so cards contain the
//! forms. Start with [`inbox`]; the cards come from `holds.rs`, `export.rs` and `source_status.rs`.

use super::{export, holds, layout, link, resource_acts, source_status, time};
use crate::daemon::handle::DaemonHandle;
use crate::diagnostic::agreed;
use crate::document::{DaemonStatus, HoldView, SourceView};
use crate::http::problem::HttpProblem;
use crate::http::{Caller, Permission, QueryParams, Route};
use crate::store::PendingAccount;
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;

/// The number of pending accounts shown. `roster get Account --pending` lists all.
const MAX_PENDING: u32 = 20;

/// The number of diagnostics shown for a failed source. Its own page has the rest.
const MAX_DIAGNOSTICS: usize = 5;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InboxQuery {
    done: Option<String>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![Route::page(Method::GET, "/", Permission::Read, inbox).filters_by_source()]
}

async fn inbox(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    QueryParams(asked): QueryParams<InboxQuery>,
) -> Result<Markup, HttpProblem> {
    // Filtered while reading, so that counts and texts contain nothing of sources the caller cannot
    // see.
    let seen = caller.clone();
    let (status, mut all, pending) = handle
        .query(move |daemon| async move {
            let mut status = daemon
                .board
                .status(|source| seen.may_access_source(source))
                .await?;
            let holds = daemon
                .board
                .holds(|source| seen.may_access_source(source))
                .await?;
            // Resources may come from any source, so only callers who see all of them see these.
            let mut pending = (0, Vec::new());
            if seen.sources.is_none() {
                pending = daemon.store.pending_accounts(MAX_PENDING).await?;
                status.diagnostics = daemon.board.directory_diagnostics().await?;
            }
            Ok::<_, crate::store::StoreError>((status, holds, pending))
        })
        .await?;
    all.retain(holds::awaits_decision);
    let approves = holds::caller_may_approve(&handle, &caller);
    let main = html! {
        h1 { "Inbox" }
        (layout::done_message(asked.done.as_deref()))
        @if let Some(error) = &status.reload_error {
            p.wrong role="alert" {
                "The configuration could not be reloaded; the previous one is in use: " (error)
            }
        }
        (inbox_section(&status, &all, &pending, &caller, approves))
        section #sources data-live {
            h2 { "Sources" }
            @for source in &status.sources { (card(source)) }
            @if status.sources.is_empty() { p { "No source is configured, or your token covers none." } }
        }
        @if let Some(error) = &status.notice_error {
            p.wrong { (agreed(status.notices, ("notice", "notices"), ("is", "are"))) " unsent. Last error: " (error) }
        }
        @if layout::is_operator(&caller) && caller.sources.is_none() { (all_sources_section(&status, &caller)) }
    };
    layout::page(&handle, &caller, "/", "Inbox", &main)
}

fn inbox_section(
    status: &DaemonStatus,
    waiting: &[HoldView],
    (pending_count, pending): &(u64, Vec<PendingAccount>),
    caller: &Caller,
    approves: bool,
) -> Markup {
    let failed = || {
        status
            .sources
            .iter()
            .filter(|source| source_status::is_failed(source))
    };
    let suspended = || {
        status
            .sources
            .iter()
            .filter(|source| source.suspended.is_some())
    };
    let beginning = || {
        status
            .sources
            .iter()
            .filter(|source| export::awaits_first_approval(source))
    };
    let pending_number = usize::try_from(*pending_count).unwrap_or(usize::MAX);
    let counts = [
        (waiting.len(), "hold", "holds"),
        (beginning().count(), "first approval", "first approvals"),
        (pending_number, "pending account", "pending accounts"),
        (status.diagnostics.len(), "warning", "warnings"),
        (failed().count(), "failed source", "failed sources"),
        (suspended().count(), "suspended source", "suspended sources"),
    ];
    let shown: Vec<String> = counts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect();
    html! {
        section #waiting data-live {
            h2 { "Needs attention" }
            p role="status" { @if shown.is_empty() { "Nothing." } @else { (shown.join(", ")) "." } }
            // What needs a decision comes before what is broken. What somebody stopped on purpose
            // comes last.
            @for source in beginning() { (export::first_pass_card(source, caller, approves, "/")) }
            @for view in waiting { (holds::card(view, caller, approves, "/")) }
            @for account in pending { (resource_acts::pending_card(account, caller, approves)) }
            @if pending_number > pending.len() {
                p { "More pending accounts: " code { "roster get Account --pending" } }
            }
            @if !status.diagnostics.is_empty() { (diagnostics_card(status, caller)) }
            @for source in failed() { (failed_card(source, caller)) }
            @for source in suspended() { (suspended_card(source, caller)) }
        }
    }
}

fn diagnostics_card(status: &DaemonStatus, caller: &Caller) -> Markup {
    html! {
        article.card {
            h3 { "Directory" }
            (source_status::diagnostics(status.diagnostics.iter(), caller))
        }
    }
}

fn failed_card(source: &SourceView, caller: &Caller) -> Markup {
    let state = &source.state;
    html! {
        article.card {
            h3 { a href=(link::source(&source.name)) { (source.name) } }
            (source_status::why_line(source))
            (source_status::diagnostics(state.findings.iter().take(MAX_DIAGNOSTICS), caller))
            @if state.errors > MAX_DIAGNOSTICS {
                p.small { a href=(link::source(&source.name)) { "All diagnostics of " (source.name) } }
            }
        }
    }
}

fn suspended_card(source: &SourceView, caller: &Caller) -> Markup {
    let all = source
        .suspended
        .as_ref()
        .is_some_and(|suspended| suspended.all);
    html! {
        article.card {
            h3 { a href=(link::source(&source.name)) { (source.name) } }
            (source_status::why_line(source))
            @if let Some(suspended) = &source.suspended {
                p { "Since " (time::time_with_distance(suspended.since)) @if suspended.all { ", with every other source" } "." }
            }
            // If everything is suspended, the form at the end of the page resumes everything.
            @if !all && layout::is_operator(caller) {
                (source_status::reason_form(caller, &format!("{}/resume", link::source(&source.name)), "/", [&format!("Resume {}", source.name), "Resume"]))
            }
        }
    }
}

fn card(source: &SourceView) -> Markup {
    html! {
        article.card {
            h3 { a href=(link::source(&source.name)) { (source.name) } }
            (source_status::why_line(source))
            (source_status::facts(source))
        }
    }
}

/// The form that suspends or resumes every source.
fn all_sources_section(status: &DaemonStatus, caller: &Caller) -> Markup {
    let mut all = status
        .sources
        .iter()
        .filter_map(|source| source.suspended.as_ref());
    let suspended = all.any(|suspended| suspended.all);
    html! {
        section {
            h2 { "Every source" }
            @if suspended {
                (source_status::reason_form(caller, "/resume", "/", ["Resume every source", "Resume all"]))
            } @else {
                (source_status::reason_form(caller, "/suspend", "/", ["Suspend every source", "Suspend all"]))
            }
        }
    }
}

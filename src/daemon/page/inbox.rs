//! The first page: what waits for a person, then how every source stands.

use super::{export, frame, holds, link, standing, time};
use crate::daemon::api::Door;
use crate::daemon::view::{HoldView, SourceView, Status};
use crate::diagnostic::agreed;
use crate::http::problem::Problem;
use crate::http::{Caller, Permission, Query, Route};
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;

/// How many findings of a failed source are shown here.
const FINDINGS: usize = 5;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    done: Option<String>,
}

pub(super) fn routes() -> Vec<Route<Door>> {
    vec![Route::page(Method::GET, "/", Permission::Read, inbox).sifted()]
}

async fn inbox(
    State(door): State<Door>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let seen = caller.clone();
    let (status, mut all) = door
        .ask(move |daemon| async move {
            let status = daemon.status(|source| seen.sees(source)).await?;
            let holds = daemon.holds(|source| seen.sees(source)).await?;
            Ok::<_, crate::store::StoreError>((status, holds))
        })
        .await?;
    all.retain(holds::waits);
    let approves = holds::approves(&door, &caller);
    let main = html! {
        h1 { "Inbox" }
        (frame::done(asked.done.as_deref()))
        @if let Some(error) = &status.reload_error {
            p.wrong role="alert" {
                "The configuration could not be reloaded; the previous one is in use: " (error)
            }
        }
        (waiting(&status, &all, &caller, approves))
        section #sources data-live {
            h2 { "Sources" }
            @for source in &status.sources { (card(source)) }
            @if status.sources.is_empty() { p { "No source is configured that you may see." } }
        }
        @if let Some(error) = &status.notice_error {
            p.wrong { (agreed(status.notices, ("notice", "notices"), ("waits", "wait"))) "; the last could not be sent: " (error) }
        }
        @if frame::operates(&caller) && caller.sources.is_none() { (everything(&status, &caller)) }
    };
    frame::page(&door, &caller, "/", "Inbox", &main)
}

fn waiting(status: &Status, waiting: &[HoldView], caller: &Caller, approves: bool) -> Markup {
    let failed = || {
        status
            .sources
            .iter()
            .filter(|source| standing::failed(source))
    };
    let suspended = || {
        status
            .sources
            .iter()
            .filter(|source| source.suspended.is_some())
    };
    let beginning = || status.sources.iter().filter(|source| export::waits(source));
    let counts = [
        (waiting.len(), "hold", "holds"),
        (beginning().count(), "first pass", "first passes"),
        (
            failed().count(),
            "source out of order",
            "sources out of order",
        ),
        (suspended().count(), "suspended source", "suspended sources"),
    ];
    let told: Vec<String> = counts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect();
    html! {
        section #waiting data-live {
            h2 { "Waits for a person" }
            p role="status" { @if told.is_empty() { "Nothing." } @else { (told.join(", ")) "." } }
            @for source in beginning() { (export::beginning(source, caller, approves, "/")) }
            @for view in waiting { (holds::card(view, caller, approves, "/")) }
            @for source in failed() { (broken(source, caller)) }
            @for source in suspended() { (resting(source, caller)) }
        }
    }
}

fn broken(source: &SourceView, caller: &Caller) -> Markup {
    let state = &source.state;
    html! {
        article.card {
            h3 { a href=(link::source(&source.name)) { (source.name) } }
            (standing::why(source))
            (standing::findings(state.findings.iter().take(FINDINGS), caller))
            @if state.errors > FINDINGS {
                p.small { a href=(link::source(&source.name)) { "All findings of " (source.name) } }
            }
        }
    }
}

fn resting(source: &SourceView, caller: &Caller) -> Markup {
    let all = source
        .suspended
        .as_ref()
        .is_some_and(|suspended| suspended.all);
    html! {
        article.card {
            h3 { a href=(link::source(&source.name)) { (source.name) } }
            (standing::why(source))
            @if let Some(suspended) = &source.suspended {
                p { "Since " (time::moment(suspended.since)) @if suspended.all { ", with every other source" } "." }
            }
            @if !all && frame::operates(caller) {
                (standing::with_reason(caller, &format!("{}/resume", link::source(&source.name)), "/", [&format!("Resume {}", source.name), "Resume"]))
            }
        }
    }
}

fn card(source: &SourceView) -> Markup {
    html! {
        article.card {
            h3 { a href=(link::source(&source.name)) { (source.name) } }
            (standing::why(source))
            (standing::facts(source))
        }
    }
}

/// What concerns every source at once.
fn everything(status: &Status, caller: &Caller) -> Markup {
    let mut all = status
        .sources
        .iter()
        .filter_map(|source| source.suspended.as_ref());
    let suspended = all.any(|suspended| suspended.all);
    html! {
        section {
            h2 { "Every source" }
            @if suspended {
                (standing::with_reason(caller, "/resume", "/", ["Resume every source", "Resume all"]))
            } @else {
                (standing::with_reason(caller, "/suspend", "/", ["Suspend every source", "Suspend all"]))
            }
        }
    }
}

//! The sources: a row for each, on the home page and on a page of their own.

use super::{layout, link, source_status, time, value};
use crate::daemon::handle::DaemonHandle;
use crate::diagnostic::{span, visible};
use crate::document::{DaemonStatus, SourceView};
use crate::http::problem::HttpProblem;
use crate::http::{Caller, Permission, QueryParams, Route};
use axum::extract::State;
use axum::http::Method;
use chrono::Utc;
use maud::{Markup, html};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceListQuery {
    done: Option<String>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![Route::page(Method::GET, "/sources", Permission::Read, list).filters_by_source()]
}

async fn list(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    QueryParams(asked): QueryParams<SourceListQuery>,
) -> Result<Markup, HttpProblem> {
    let seen = caller.clone();
    let status = handle
        .query(move |daemon| async move {
            let status = daemon.board.status(|source| seen.may_access_source(source));
            status.await
        })
        .await?;
    let main = html! {
        (layout::breadcrumbs(&[("/", "Home")], "Sources"))
        h1 { "Sources" }
        (layout::done_message(asked.done.as_deref()))
        section #sources data-live {
            @for source in &status.sources { (card(source)) }
            @if status.sources.is_empty() { (none()) }
        }
        @if layout::is_operator(&caller) && caller.sources.is_none() { (all_sources_section(&status, &caller)) }
    };
    layout::page(&handle, &caller, "/sources", "Sources", &main)
}

fn none() -> Markup {
    html! { p { "No source is configured, or your token covers none." } }
}

fn card(source: &SourceView) -> Markup {
    html! {
        article.card {
            h2 { a href=(link::source(&source.name)) { (source.name) } }
            (source_status::why_line(source))
            (commit(source))
            (source_status::facts(source))
        }
    }
}

/// A row for each source.
pub(super) fn table(sources: &[SourceView]) -> Markup {
    html! {
        @if sources.is_empty() { (none()) } @else {
            table.rows {
                thead { tr {
                    th scope="col" { "Source" } th scope="col" { "Last change" } th scope="col" { "Applied" }
                    th scope="col" { "Lag" } th scope="col" { "Holds" } th scope="col" { "Errors" }
                } }
                tbody { @for source in sources { (row(source)) } }
            }
        }
    }
}

fn row(source: &SourceView) -> Markup {
    let state = &source.state;
    let (class, word) = source_status::badge(source);
    let path = link::source(&source.name);
    let holds = state.waiting().count();
    html! {
        tr {
            th scope="row" data-label="Source" {
                span class={ "dot " (class) } aria-hidden="true" {}
                a href=(path) { (source.name) } " " span.small { (word) }
            }
            td data-label="Last change" { (commit(source)) }
            td data-label="Applied" {
                @if let Some(mark) = &state.last_applied {
                    (time::relative(mark.at))
                    @if let Some(run) = mark.run { ", " (link::run(run)) } @else { " " (link::revision(&mark.revision)) }
                } @else { span.nothing { "never" } }
            }
            td data-label="Lag" {
                @if let Some(since) = state.behind_since { (span(Utc::now() - since)) } @else { span.nothing { "none" } }
            }
            td data-label="Holds" { (count(holds, &format!("{path}/holds"), "waits")) }
            td data-label="Errors" { (count(state.errors, &format!("{path}/diagnostics"), "bad")) }
        }
    }
}

/// A number that leads to what it counts.
fn count(number: usize, path: &str, class: &str) -> Markup {
    html! {
        @if number == 0 { span.nothing { "none" } }
        @else { a class={ "badge " (class) } href=(path) { (number) } }
    }
}

/// What the source says last: the subject and the author of a commit, or the revision.
fn commit(source: &SourceView) -> Markup {
    let state = &source.state;
    html! {
        @if let Some(commit) = &state.commit {
            span.subject { (visible(&commit.subject)) } " "
            span.small { (visible(&commit.author)) " " (link::revision(&commit.revision)) }
        } @else if let Some(feed) = &state.feed {
            span.subject { (value::prose(&feed.name)) } " " span.small { (link::revision(&feed.digest)) }
        } @else if let Some(mark) = &state.last_attempted {
            span.small { (link::revision(&mark.revision)) }
        } @else { span.nothing { "nothing read yet" } }
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
                (source_status::reason_form(caller, "/resume", "/sources", ["Resume every source", "Resume all"]))
            } @else {
                (source_status::reason_form(caller, "/suspend", "/sources", ["Suspend every source", "Suspend all"]))
            }
        }
    }
}

//! The pages of runs: the list, and one run with its changes.
//!
//! Both read the history in the database, which is complete, not the state that the daemon keeps of
//! the last passes.

use super::{layout, link, time, value};
use crate::daemon::handle::DaemonHandle;
use crate::document::ChangeDocument;
use crate::http::problem::HttpProblem;
use crate::http::{Caller, PathParams, Permission, QueryParams, Route};
use crate::store::{RunRecord, StoreError};
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;

const RUNS: u32 = 200;
const CHANGES: u32 = 200;

#[derive(Debug, Deserialize)]
struct RunPageParam {
    run: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RunListQuery {
    before: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RunChangesQuery {
    after: i64,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::page(Method::GET, "/runs", Permission::Read, runs).filters_by_source(),
        Route::page(Method::GET, "/runs/{run}", Permission::Read, run).filters_by_source(),
    ]
}

async fn runs(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    QueryParams(earlier): QueryParams<RunListQuery>,
) -> Result<Markup, HttpProblem> {
    let before = earlier.before.unwrap_or(i64::MAX);
    let mut runs = handle
        .query_store(move |store| async move { store.runs_before(before, RUNS).await })
        .await?;
    let next = runs.last().filter(|_| runs.len() == RUNS as usize);
    let next = next.map(|run| run.id);
    // The route lets in callers with access to some sources and leaves the filtering to this line.
    runs.retain(|run| caller.may_access_source(&run.source));
    let main = html! {
        h1 { "Runs" }
        table #runs data-live {
            caption { "Committed runs, newest first." }
            thead { tr {
                th scope="col" { "Run" } th scope="col" { "When" } th scope="col" { "Source" } th scope="col" { "Revision" }
                th scope="col" { "What" } th scope="col" { "Who" }
            } }
            tbody {
                @for run in &runs {
                    tr {
                        td data-label="Run" { (link::run(run.id)) }
                        td data-label="When" { (time::milliseconds(run.finished_at)) }
                        td data-label="Source" { @if run.source.is_empty() { span.nothing { "an act" } } @else { (run.source) } }
                        td data-label="Revision" { (link::revision(&run.revision)) }
                        td data-label="What" { (counts(run)) }
                        td data-label="Who" { (run.actor) }
                    }
                }
                @if runs.is_empty() { tr { td colspan="6" { "No runs." } } }
            }
        }
        @if let Some(next) = next { nav.pages aria-label="Pages of the runs" { a href={ "/runs?before=" (next) } rel="next" { "Earlier runs" } } }
    };
    layout::page(&handle, &caller, "/runs", "Runs", &main)
}

fn counts(run: &RunRecord) -> String {
    let counts = run.counts.as_object().into_iter().flatten();
    let shown = counts.filter(|(_, count)| count.as_u64().is_some_and(|count| count > 0));
    let shown: Vec<String> = shown
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    shown.join(", ")
}

async fn run(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(RunPageParam { run }): PathParams<RunPageParam>,
    QueryParams(RunChangesQuery { after }): QueryParams<RunChangesQuery>,
) -> Result<Markup, HttpProblem> {
    let (found, changes) = handle
        .query_store(move |store| async move {
            let found = store.run(run).await?;
            let changes = store.changes_of(run, after, CHANGES).await?;
            Ok::<_, StoreError>((found, changes))
        })
        .await?;
    let changes: Vec<ChangeDocument> = changes.into_iter().map(Into::into).collect();
    // A run that the caller may not see must look like one that does not exist, or its id would
    // reveal something about another source.
    let found = found.filter(|run| caller.may_access_source(&run.source));
    let found = found.ok_or_else(|| HttpProblem::not_found(format!("no run {run}")))?;
    // Pages start after a sequence number, because an offset gets slower with every page.
    let next = (changes.len() == CHANGES as usize).then(|| changes.last().map(|last| last.seq));
    let main = html! {
        h1 { "Run " (run) }
        dl.facts {
            div { dt { "Source" } dd { @if found.source.is_empty() { "an act" } @else { (found.source) } } }
            div { dt { "Revision" } dd { (link::revision(&found.revision)) } }
            div { dt { "When" } dd { (time::milliseconds(found.finished_at)) } }
            div { dt { "Took" } dd { (found.finished_at - found.started_at) " ms" } }
            div { dt { "Who" } dd { (found.actor) } }
            div { dt { "What" } dd { (counts(&found)) } }
            div { dt { "Outcome" } dd { (found.outcome) } }
            @if let Some(reverted) = found.reverts { div { dt { "Reverts" } dd { (link::run(reverted)) } } }
            div { dt { "Plan" } dd { (link::revision(&found.plan_id)) } }
        }
        h2 { "Changes" }
        @if changes.is_empty() { p { "None." } }
        ul.steps { @for change in &changes { (line(change, &caller)) } }
        @if let Some(next) = next.flatten() { nav.pages aria-label="Pages of the run" { a href={ "/runs/" (run) "?after=" (next) } rel="next" { "More changes" } } }
    };
    layout::page(&handle, &caller, "/runs/", &format!("Run {run}"), &main)
}

fn line(change: &ChangeDocument, caller: &Caller) -> Markup {
    html! {
        li {
            p {
                (change.verb) " "
                @match &change.external_id {
                    Some(id) => (link::resource(caller, &change.kind, id)),
                    // Erasing a user's data removes the id as well.
                    None => span.key { (change.kind) " (erased)" },
                }
                " " span.small { (change.reason) } " "
                @if let Some(origin) = &change.origin { (value::place(origin)) }
            }
            (value::committed_changes(&change.fields))
        }
    }
}

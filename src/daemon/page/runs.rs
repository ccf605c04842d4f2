//! The list of runs. It reads the history in the database, which is complete, not the state that the
//! daemon keeps of the last passes.

use super::{layout, link, time};
use crate::daemon::handle::DaemonHandle;
use crate::diagnostic::visible;
use crate::document::RunCause;
use crate::http::problem::HttpProblem;
use crate::http::{Caller, Permission, QueryParams, Route};
use crate::store::{RunRecord, StoreError};
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;

const RUNS: u32 = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RunListQuery {
    before: Option<i64>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![Route::page(Method::GET, "/runs", Permission::Read, runs).filters_by_source()]
}

async fn runs(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    QueryParams(earlier): QueryParams<RunListQuery>,
) -> Result<Markup, HttpProblem> {
    let before = earlier.before.unwrap_or(i64::MAX);
    let (mut runs, causes) = handle
        .query_store(move |store| async move {
            let runs = store.runs_before(before, RUNS).await?;
            let ends = runs.last().map(|run| run.id).zip(runs.first());
            let causes = match ends {
                Some((oldest, newest)) => store.run_causes(oldest, newest.id).await?,
                None => BTreeMap::new(),
            };
            Ok::<_, StoreError>((runs, causes))
        })
        .await?;
    let next = runs.last().filter(|_| runs.len() == RUNS as usize);
    let next = next.map(|run| run.id);
    // The route lets in callers with access to some sources and leaves the filtering to this line.
    runs.retain(|run| caller.may_access_source(&run.source));
    let main = html! {
        (layout::breadcrumbs(&[("/", "Home")], "Runs"))
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
                        td data-label="Source" { @if run.source.is_empty() { span.nothing { "an act" } } @else { a href=(link::source(&run.source)) { (run.source) } } }
                        td data-label="Revision" { (link::revision(&run.revision)) (subject(causes.get(&run.id))) }
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

/// The subject of the newest commit of a run.
fn subject(cause: Option<&String>) -> Markup {
    let cause = cause.and_then(|cause| serde_json::from_str::<RunCause>(cause).ok());
    let subject = cause.as_ref().and_then(RunCause::subject);
    html! { @if let Some(subject) = subject { " " span.small.subject { (visible(subject)) } } }
}

/// What a run did: `create 2, update 1`.
pub(super) fn counts(run: &RunRecord) -> String {
    let counts = run.counts.as_object().into_iter().flatten();
    let shown = counts.filter(|(_, count)| count.as_u64().is_some_and(|count| count > 0));
    let shown: Vec<String> = shown
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    shown.join(", ")
}

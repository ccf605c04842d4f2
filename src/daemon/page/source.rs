//! The page of a source: its state, acts, holds, diagnostics, last plan and passes.
//!
//! [`read`] collects the data in one task, and the handler puts the sections together. Each section
//! comes from the file that also shows it elsewhere, such as `holds.rs` for the inbox.

use super::plan::{self, PlanPageQuery};
use super::{export, holds, layout, link, source_status, time, value};
use crate::daemon::api;
use crate::daemon::handle::DaemonHandle;
use crate::diagnostic::{plural, visible};
use crate::document::{HoldView, PlanDocument, SourceState, SourceView};
use crate::http::problem::HttpProblem;
use crate::http::{Caller, PathParams, Permission, QueryParams, Route};
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;

/// The number of passes on the page.
const PASSES: u32 = 20;

#[derive(Debug, Deserialize)]
struct SourcePageParam {
    source: String,
}

/// The data of the page, read in one task.
struct SourcePageData {
    source: SourceView,
    holds: Vec<HoldView>,
    plan: Option<serde_json::Result<PlanDocument<'static>>>,
    passes: Vec<SourceState>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![Route::page(
        Method::GET,
        "/sources/{source}",
        Permission::Read,
        page,
    )]
}

async fn page(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(SourcePageParam { source: name }): PathParams<SourcePageParam>,
    QueryParams(wanted): QueryParams<PlanPageQuery>,
) -> Result<Markup, HttpProblem> {
    // Before anything is read: to somebody without access, the source does not exist.
    api::require_visible_source(&handle.setup()?.config, &caller, &name)?;
    let shown = read(&handle, name).await?;
    let approves = holds::caller_may_approve(&handle, &caller);
    let source = &shown.source;
    let back = link::source(&source.name);
    let main = html! {
        h1 { "Source " (source.name) }
        (layout::done_message(wanted.done.as_deref()))
        section #state data-live aria-label="State" { (source_status::why_line(source)) (source_status::facts(source)) }
        @if layout::is_operator(&caller) { (action_forms(source, &caller, &back)) }
        (export::section(source, &caller, approves, &back))
        section #holds data-live {
            h2 { "Holds" }
            @for view in &shown.holds { (holds::card(view, &caller, approves, &back)) }
            @if shown.holds.is_empty() { p { "No holds." } }
        }
        section #findings data-live {
            h2 { "Diagnostics" }
            @if source.state.findings.is_empty() { p { "None." } }
            @else {
                p { (plural(source.state.errors, "error")) ", " (plural(source.state.warnings, "warning")) "." }
                (source_status::diagnostics(source.state.findings.iter(), &caller))
            }
        }
        section #plan data-live {
            h2 { "Last plan" }
            @match shown.plan {
                Some(Ok(document)) => (plan::section(document, &wanted, &caller, &back)),
                Some(Err(error)) => p.wrong { "The plan cannot be read: " (error) ". Another release of Roster may have written it." },
                None => p { "No plan yet." },
            }
        }
        (passes(&shown.passes))
    };
    let title = format!("Source {}", source.name);
    layout::page(&handle, &caller, "", &title, &main)
}

async fn read(handle: &DaemonHandle, name: String) -> Result<SourcePageData, HttpProblem> {
    handle
        .query(move |daemon| async move {
            let status = daemon.board.status(|source| *source == *name).await?;
            let source = status.sources.into_iter().next();
            let source =
                source.ok_or_else(|| HttpProblem::not_found(format!("no source `{name}`")))?;
            let kept = daemon.store.last_plan(&name).await?;
            let passes = daemon.store.passes(Some(&name), PASSES).await?;
            // Another release may have written passes and plans in another form. A pass that cannot
            // be read is left out, and a plan is shown as an error. The rest of the page is still
            // needed.
            let passes = passes
                .iter()
                .filter_map(|pass| serde_json::from_str(pass).ok());
            Ok::<_, crate::daemon::handle::HandlerError>(SourcePageData {
                source,
                holds: daemon.board.holds(|source| *source == *name).await?,
                plan: kept.map(|plan| serde_json::from_slice(&plan)),
                passes: passes.collect(),
            })
        })
        .await
}

fn action_forms(source: &SourceView, caller: &Caller, back: &str) -> Markup {
    let form = |act: &str, words| {
        source_status::reason_form(caller, &format!("{back}/{act}"), back, words)
    };
    // A source that is suspended with all others cannot be resumed alone.
    let (own, all) = match &source.suspended {
        None => (false, false),
        Some(suspended) => (!suspended.all, suspended.all),
    };
    html! {
        section.acts {
            h2 { "Acts" }
            @if own { (form("resume", ["Resume", "Resume"])) }
            @else if all { p { "Every source is suspended. Resume them in the inbox." } }
            @else {
                // No reason is asked for, because reconciling decides nothing.
                form.act method="post" action={ (back) "/reconcile" } {
                    (layout::csrf(caller))
                    input type="hidden" name="back" value=(back);
                    button { "Reconcile now" }
                }
                @if source.window.is_some() {
                    (form("overrule", ["Apply outside the window", "Override the window"]))
                }
                (form("suspend", ["Suspend", "Suspend"]))
            }
        }
    }
}

/// The commits that a pass read first.
fn commits(pass: &SourceState) -> Markup {
    html! {
        @if let Some(commits) = &pass.commits {
            ul.commits.small {
                @for commit in &commits.listed {
                    li { (link::revision(&commit.revision)) " " (visible(&commit.subject)) ", " (visible(&commit.author)) }
                }
                @if commits.count > commits.listed.len() {
                    li { "and " (commits.count - commits.listed.len()) " more" }
                }
            }
        }
    }
}

fn passes(passes: &[SourceState]) -> Markup {
    html! {
        section #passes data-live {
            h2 { "Passes" }
            table {
                caption { "Passes with a new result, newest first." }
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "Result" } th scope="col" { "Revision" } th scope="col" { "Cause" }
                } }
                tbody {
                    @for pass in passes {
                        tr {
                            td data-label="When" { @if let Some(mark) = &pass.last_attempted { (time::time_with_distance(mark.at)) } }
                            td data-label="Result" { (value::prose(&pass.reason)) (commits(pass)) }
                            td data-label="Revision" { @if let Some(mark) = &pass.last_attempted { (link::revision(&mark.revision)) } }
                            td data-label="Cause" { (pass.triggers.iter().cloned().collect::<Vec<_>>().join(", ")) }
                        }
                    }
                    @if passes.is_empty() { tr { td colspan="4" { "None yet." } } }
                }
            }
        }
    }
}

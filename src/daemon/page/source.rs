//! The pages of a source: an overview, the plan, the holds, the diagnostics and the history, each at
//! a path of its own, with tabs that count.
//!
//! [`SourceTab`] lists them. Each handler reads what its tab shows, and only that.

use super::holds;
use super::plan::{self, PlanPageQuery};
use super::{chart, export, layout, link, source_status, time, value};
use crate::daemon::api;
use crate::daemon::handle::{DaemonHandle, HandlerError};
use crate::diagnostic::{plural, visible};
use crate::document::{PassOutcome, PlanDocument, SourceState, SourceView};
use crate::http::problem::HttpProblem;
use crate::http::{Caller, PathParams, Permission, QueryParams, Route};
use crate::store::Store;
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;

/// The number of passes on the page.
const PASSES: u32 = 50;

#[derive(Debug, Deserialize)]
pub(super) struct SourcePageParam {
    pub source: String,
}

/// The message after a form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourcePageQuery {
    done: Option<String>,
}

/// The page of the history: after so many newer passes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HistoryPageQuery {
    from: u32,
}

/// A source, and what its tabs count.
pub(super) struct SourceWithCounts {
    pub source: SourceView,
    /// How many passes are kept.
    passes: usize,
}

/// A page of a source.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceTab {
    Overview,
    Plan,
    Holds,
    Diagnostics,
    History,
}

impl SourceTab {
    const ALL: [Self; 5] = [
        Self::Overview,
        Self::Plan,
        Self::Holds,
        Self::Diagnostics,
        Self::History,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Plan => "Plan",
            Self::Holds => "Holds",
            Self::Diagnostics => "Diagnostics",
            Self::History => "History",
        }
    }

    pub fn path(self, source: &str) -> String {
        let path = link::source(source);
        match self {
            Self::Overview => path,
            tab => format!("{path}/{}", tab.name().to_lowercase()),
        }
    }

    /// How many of what the tab shows there are, if it is worth a number.
    fn count(self, of: &SourceWithCounts) -> usize {
        let state = &of.source.state;
        match self {
            Self::Overview => 0,
            Self::History => of.passes,
            Self::Plan => usize::try_from(plan::step_count(state)).unwrap_or(usize::MAX),
            Self::Holds => state.held.len(),
            Self::Diagnostics => state.errors + state.warnings,
        }
    }
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::page(Method::GET, "/sources/{source}", Permission::Read, overview),
        Route::page(
            Method::GET,
            "/sources/{source}/plan",
            Permission::Read,
            plan_page,
        ),
        Route::page(
            Method::GET,
            "/sources/{source}/diagnostics",
            Permission::Read,
            diagnostics,
        ),
        Route::page(
            Method::GET,
            "/sources/{source}/history",
            Permission::Read,
            history,
        ),
    ]
}

/// Reads a source, and with `more` what a tab shows of it.
pub(super) async fn read<T: Send + 'static, F>(
    handle: &DaemonHandle,
    caller: &Caller,
    name: String,
    more: impl FnOnce(Store, SourceView) -> F + Send + 'static,
) -> Result<(SourceWithCounts, T), HttpProblem>
where
    F: Future<Output = Result<T, HandlerError>>,
{
    // Before anything is read: to somebody without access, the source does not exist.
    api::require_visible_source(&handle.setup()?.config, caller, &name)?;
    handle
        .query(move |daemon| async move {
            let status = daemon.board.status(|source| *source == *name).await?;
            let source = status.sources.into_iter().next();
            let source =
                source.ok_or_else(|| HttpProblem::not_found(format!("no source `{name}`")))?;
            let passes = daemon.store.count_passes(&source.name).await?;
            let more = more(daemon.store.clone(), source.clone()).await?;
            Ok::<_, HandlerError>((SourceWithCounts { source, passes }, more))
        })
        .await
}

/// The passes of a source after so many newer ones, newest first.
async fn passes(
    store: Store,
    source: SourceView,
    from: u32,
) -> Result<Vec<SourceState>, HandlerError> {
    let passes = store.passes(Some(&source.name), from, PASSES).await?;
    // Another release may have written passes in another form. One that cannot be read is left out.
    let passes = passes
        .iter()
        .filter_map(|pass| serde_json::from_str(pass).ok());
    Ok(passes.collect())
}

/// The frame of the pages of a source: the way to it, its name and the tabs.
pub(super) fn frame(
    (handle, caller): (&DaemonHandle, &Caller),
    of: &SourceWithCounts,
    tab: SourceTab,
    done: Option<&str>,
    main: &Markup,
) -> Result<Markup, HttpProblem> {
    let name = &of.source.name;
    let home = [("/", "Home"), ("/sources", "Sources")];
    let path = link::source(name);
    let within = [home[0], home[1], (&*path, &**name)];
    let main = html! {
        @if tab == SourceTab::Overview { (layout::breadcrumbs(&home, name)) }
        @else { (layout::breadcrumbs(&within, tab.name())) }
        h1 { "Source " (name) }
        nav.tabs aria-label={ "Source " (name) } {
            ul {
                @for other in SourceTab::ALL {
                    @let count = other.count(of);
                    li { a href=(other.path(name)) aria-current=[(other == tab).then_some("page")] {
                        (other.name()) @if count > 0 { " " span.count { (count) } }
                    } }
                }
            }
        }
        (layout::done_message(done))
        (main)
    };
    let title = match tab {
        SourceTab::Overview => format!("Source {name}"),
        tab => format!("{} of {name}", tab.name()),
    };
    layout::page(handle, caller, "/sources/", &title, &main)
}

async fn overview(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(SourcePageParam { source: name }): PathParams<SourcePageParam>,
    QueryParams(asked): QueryParams<SourcePageQuery>,
) -> Result<Markup, HttpProblem> {
    let more = async |store: Store, of: SourceView| {
        let days = chart::steps_by_day(&store, |source| *source == *of.name).await?;
        Ok((days, passes(store, of, 0).await?))
    };
    let (of, (days, passes)) = read(&handle, &caller, name, more).await?;
    let source = &of.source;
    let approves = holds::caller_may_approve(&handle, &caller);
    let back = link::source(&source.name);
    let main = html! {
        section #state data-live aria-label="State" {
            (source_status::why_line(source))
            @if let Some(effects) = &source.state.effects { p.effects { "The last plan: " strong { (effects) } } }
            (source_status::facts(source))
            (commits(&source.state))
        }
        @if layout::is_operator(&caller) { (action_forms(source, &caller, &back)) }
        (export::section(source, &caller, approves, &back))
        (chart::steps_section(&days))
        (chart::passes_section(&passes))
    };
    frame(
        (&handle, &caller),
        &of,
        SourceTab::Overview,
        asked.done.as_deref(),
        &main,
    )
}

async fn plan_page(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(SourcePageParam { source: name }): PathParams<SourcePageParam>,
    QueryParams(wanted): QueryParams<PlanPageQuery>,
) -> Result<Markup, HttpProblem> {
    let path = SourceTab::Plan.path(&name);
    let seen = caller.clone();
    let more = async move |store: Store, of: SourceView| {
        let Some(bytes) = store.last_plan(&of.name).await? else {
            return Ok(html! { p { "No plan yet." } });
        };
        // Another release may have written the plan in another form.
        let document: PlanDocument<'static> = match serde_json::from_slice(&bytes) {
            Ok(document) => document,
            Err(error) => {
                return Ok(
                    html! { p.wrong { "The plan cannot be read: " (error) ". Another release of Roster may have written it." } },
                );
            }
        };
        Ok(plan::section(document, of.state.effects, &wanted, (&store, &seen, &path)).await?)
    };
    let (source, shown) = read(&handle, &caller, name, more).await?;
    let main = html! { section #plan data-live aria-label="Last plan" { (shown) } };
    frame((&handle, &caller), &source, SourceTab::Plan, None, &main)
}

/// How many diagnostics there are, by severity.
fn found(state: &SourceState) -> String {
    let notes = state
        .findings
        .len()
        .saturating_sub(state.errors + state.warnings);
    let counts = [
        (state.errors, "error"),
        (state.warnings, "warning"),
        (notes, "note"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, word)| plural(count, word)).collect();
    counts.join(", ")
}

async fn diagnostics(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(SourcePageParam { source: name }): PathParams<SourcePageParam>,
) -> Result<Markup, HttpProblem> {
    let (source, ()) = read(&handle, &caller, name, async |_, _| Ok(())).await?;
    let state = &source.source.state;
    let main = html! {
        section #findings data-live aria-label="Diagnostics" {
            @if state.findings.is_empty() { p { "None." } }
            @else {
                p { (found(state)) "." }
                (source_status::diagnostics(state.findings.iter(), &caller))
            }
        }
    };
    frame(
        (&handle, &caller),
        &source,
        SourceTab::Diagnostics,
        None,
        &main,
    )
}

async fn history(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(SourcePageParam { source: name }): PathParams<SourcePageParam>,
    QueryParams(HistoryPageQuery { from }): QueryParams<HistoryPageQuery>,
) -> Result<Markup, HttpProblem> {
    let path = SourceTab::History.path(&name);
    let more = async move |store, source| passes(store, source, from).await;
    let (source, passes) = read(&handle, &caller, name, more).await?;
    let end = from.saturating_add(PASSES);
    let main = html! {
        (passes_table(&passes))
        nav.pages aria-label="Pages of the history" {
            @if from > 0 { a href={ (path) "?from=" (from.saturating_sub(PASSES)) } rel="prev" { "Newer passes" } }
            @if (end as usize) < source.passes { a href={ (path) "?from=" (end) } rel="next" { "Earlier passes" } }
        }
    };
    frame((&handle, &caller), &source, SourceTab::History, None, &main)
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
            @else if all { p { "Every source is suspended. " a href="/sources" { "Resume them together" } "." } }
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

/// The result of a pass. The run that it names is a link.
fn result(pass: &SourceState) -> Markup {
    let run = pass.run.filter(|_| pass.outcome == PassOutcome::Applied);
    let named = run.and_then(|run| {
        let words = format!("run {run}");
        let (before, after) = pass.reason.split_once(&words)?;
        // Not the beginning of a longer number.
        let ends = !after.starts_with(|c: char| c.is_ascii_digit());
        ends.then(|| html! { (value::prose(before)) (link::run(run)) (value::prose(after)) })
    });
    match (named, run) {
        (Some(named), _) => named,
        (None, Some(run)) => html! { (value::prose(&pass.reason)) " " (link::run(run)) },
        (None, None) => value::prose(&pass.reason),
    }
}

fn passes_table(passes: &[SourceState]) -> Markup {
    html! {
        section #passes data-live aria-label="Passes" {
            table {
                caption { "Passes with a new result, newest first." }
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "Result" } th scope="col" { "Revision" } th scope="col" { "Cause" }
                } }
                tbody {
                    @for pass in passes {
                        tr {
                            td data-label="When" { @if let Some(mark) = &pass.last_attempted { (time::relative(mark.at)) } }
                            td data-label="Result" {
                                (result(pass))
                                (commits(pass))
                            }
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

//! The pages of a source: an overview, the plan, the holds, the diagnostics and the history, each at
//! a path of its own, with tabs that count.
//!
//! [`SourceTab`] lists them. Each handler reads what its tab shows, and only that.

use super::holds::{self, HoldPlace};
use super::plan::{self, PlanPageQuery};
use super::{chart, export, layout, link, source_status, time, value};
use crate::daemon::api;
use crate::daemon::api::holds::may_see_hold;
use crate::daemon::handle::{DaemonHandle, HandlerError};
use crate::diagnostic::{plural, visible};
use crate::document::{HoldState, HoldView, PassOutcome, PlanDocument, SourceState, SourceView};
use crate::http::problem::HttpProblem;
use crate::http::{Caller, PathParams, Permission, QueryParams, Route};
use crate::store::Store;
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;

/// The most characters of the holds on a page, unless a single one is longer.
const MAX_HOLDS_LENGTH: usize = 70_000;
/// The number of passes on the page.
const PASSES: u32 = 50;

#[derive(Debug, Deserialize)]
struct SourcePageParam {
    source: String,
}

/// The message after a form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourcePageQuery {
    done: Option<String>,
}

/// The page of the holds, and the message after a form.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HoldsPageQuery {
    /// The number of the page, from 1.
    page: usize,
    /// The id of a hold: the page that has it.
    hold: String,
    done: Option<String>,
}

/// The page of the history: after so many newer passes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HistoryPageQuery {
    from: u32,
}

/// A source, and what its tabs count.
struct SourceWithCounts {
    source: SourceView,
    /// How many passes are kept.
    passes: usize,
}

/// A page of a source.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SourceTab {
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

    fn path(self, source: &str) -> String {
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
            "/sources/{source}/holds",
            Permission::Read,
            holds_page,
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
async fn read<T: Send + 'static, F>(
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
fn frame(
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

async fn holds_page(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(SourcePageParam { source: name }): PathParams<SourcePageParam>,
    QueryParams(asked): QueryParams<HoldsPageQuery>,
) -> Result<Markup, HttpProblem> {
    let of = name.clone();
    let (source, ()) = read(&handle, &caller, name, async |_, _| Ok(())).await?;
    let seen = caller.clone();
    let waiting: Vec<HoldView> = handle
        .query(async move |daemon| {
            let is_seen = |source: &str, hold: &HoldState| {
                *source == *of && may_see_hold(&seen, source, hold)
            };
            daemon.board.holds(is_seen).await
        })
        .await?;
    let path = SourceTab::Holds.path(&source.source.name);
    let place = HoldPlace {
        caller: &caller,
        approves: holds::caller_may_approve(&handle, &caller),
        back: &path,
        listed: usize::MAX,
    };
    let cards = waiting.iter().map(|view| (view, holds::card(view, place)));
    let pages = hold_pages(cards.collect());
    let has_asked = |page: &Vec<(&HoldView, Markup)>| {
        let mut views = page.iter().map(|(view, _)| view);
        views.any(|view| view.hold.hold.as_deref() == Some(&*asked.hold))
    };
    // A page or a hold of an old link may be gone by now.
    let number = pages
        .iter()
        .position(has_asked)
        .map_or(asked.page, |at| at + 1);
    let number = number.clamp(1, pages.len().max(1));
    let main = html! {
        section #holds data-live aria-label="Holds" {
            @if waiting.is_empty() { p { "No holds." } }
            @if pages.len() > 1 { p role="status" { "Page " (number) " of " (pages.len()) ", of " (waiting.len()) " holds." } }
            @for (_, card) in pages.get(number - 1).into_iter().flatten() { (card) }
            @if pages.len() > 1 {
                nav.pages aria-label="Pages of the holds" {
                    @if number > 1 { a href={ (path) "?page=" (number - 1) } rel="prev" { "Previous holds" } }
                    @if number < pages.len() { a href={ (path) "?page=" (number + 1) } rel="next" { "Next holds" } }
                }
            }
        }
    };
    frame(
        (&handle, &caller),
        &source,
        SourceTab::Holds,
        asked.done.as_deref(),
        &main,
    )
}

/// Cuts the list of holds into pages. A form is never cut, so a long hold has a page of its own.
fn hold_pages<'v>(cards: Vec<(&'v HoldView, Markup)>) -> Vec<Vec<(&'v HoldView, Markup)>> {
    let mut pages: Vec<Vec<_>> = Vec::new();
    let mut length = usize::MAX;
    for (view, card) in cards {
        let added = card.0.len();
        if length.saturating_add(added) > MAX_HOLDS_LENGTH {
            pages.push(Vec::new());
            length = 0;
        }
        length += added;
        if let Some(page) = pages.last_mut() {
            page.push((view, card));
        }
    }
    pages
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

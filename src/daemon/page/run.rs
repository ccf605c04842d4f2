//! The page of one run: what it came from, who approved it, what it did to whom, and its changes by
//! kind and verb.
//!
//! All of it comes from the database. The commits, the approvals and the effects of a run of an older
//! release come from the pass that made it, which is kept for a while.

use super::names::{self, ResourceNames};
use super::{layout, link, plan_entry, revert, runs, time, value};
use crate::daemon::handle::DaemonHandle;
use crate::diagnostic::{thousands, visible};
use crate::document::{ChangeDocument, CommitList, PassOutcome, RunCause, SourceState};
use crate::http::problem::HttpProblem;
use crate::http::{Caller, PathParams, Permission, QueryParams, Route};
use crate::kinds;
use crate::model::Key;
use crate::plan::StepVerb;
use crate::store::{ChangeCount, ChangeRecord, RunRecord, Store, StoreError};
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;

const CHANGES: u32 = 80;
/// The number of changes up to which all groups are open.
const MAX_OPEN_CHANGES: usize = 20;
/// How many passes after a run are looked at for the one that made it.
const PASSES: u32 = 3;

#[derive(Debug, Deserialize)]
struct RunPageParam {
    run: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RunChangesQuery {
    after: i64,
    /// The message after a form.
    done: Option<String>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![Route::page(Method::GET, "/runs/{run}", Permission::Read, run).filters_by_source()]
}

async fn run(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(RunPageParam { run }): PathParams<RunPageParam>,
    QueryParams(RunChangesQuery { after, done }): QueryParams<RunChangesQuery>,
) -> Result<Markup, HttpProblem> {
    let missing = HttpProblem::not_found(format!("no run {run}"));
    let seen = caller.clone();
    let (found, changes, counts, caused, names) = handle
        .query_store(move |store| async move {
            let found = store.run(run).await?;
            let changes = store.changes_of(run, after, CHANGES).await?;
            let cause = match &found {
                Some(found) => cause_of(&store, found).await?,
                None => None,
            };
            // A page with all of its changes counts them itself.
            let is_whole = after == 0 && changes.len() < CHANGES as usize;
            let counts = if is_whole {
                Vec::new()
            } else {
                store.change_counts(run).await?
            };
            let effects = cause.as_ref().and_then(|cause| cause.effects.as_deref());
            let named = changes.iter().filter_map(ChangeRecord::key);
            let named = named.chain(effects.into_iter().flat_map(names::mentioned_in));
            let names = ResourceNames::read(&store, &seen, named).await?;
            Ok::<_, StoreError>((found, changes, counts, cause, names))
        })
        .await?;
    let changes: Vec<ChangeDocument> = changes.into_iter().map(Into::into).collect();
    // A run that the caller may not see must look like one that does not exist, or its id would
    // reveal something about another source.
    let found = found.filter(|run| caller.may_access_source(&run.source));
    let found = found.ok_or(missing)?;
    // Pages start after a sequence number, because an offset gets slower with every page.
    let next = (changes.len() == CHANGES as usize).then(|| changes.last().map(|last| last.seq));
    let title = format!("Run {run}");
    let main = html! {
        (layout::breadcrumbs(&[("/", "Home"), ("/runs", "Runs")], &title))
        h1 { (title) }
        (layout::done_message(done.as_deref()))
        @if let Some(caused) = &caused { (cause(caused, &names)) }
        (facts(&found))
        (revert::button(&caller, run, &found.source))
        h2 { "Changes" }
        @if changes.is_empty() { p { "None." } }
        (groups(&changes, &counts, &names, &caller))
        @if let Some(next) = next.flatten() { nav.pages aria-label="Pages of the run" { a href={ "/runs/" (run) "?after=" (next) } rel="next" { "More changes" } } }
    };
    layout::page(&handle, &caller, "/runs/", &title, &main)
}

/// What a run came from, as far as that is known.
async fn cause_of(store: &Store, run: &RunRecord) -> Result<Option<RunCause>, StoreError> {
    let causes = store.run_causes(run.id, run.id).await?;
    let read = |cause: &String| serde_json::from_str(cause).ok();
    match causes.get(&run.id).and_then(read) {
        Some(cause) => Ok(Some(cause)),
        None => Ok(pass_of(store, run).await?.map(cause_of_pass)),
    }
}

/// The pass that made a run, if it is kept.
async fn pass_of(store: &Store, run: &RunRecord) -> Result<Option<SourceState>, StoreError> {
    let passes = store
        .passes_since(&run.source, run.finished_at, PASSES)
        .await?;
    let mut passes = passes
        .iter()
        .filter_map(|pass| serde_json::from_str::<SourceState>(pass).ok());
    Ok(passes.find(|pass| pass.run == Some(run.id) && pass.outcome == PassOutcome::Applied))
}

fn cause_of_pass(pass: SourceState) -> RunCause {
    let newest = |commit| CommitList {
        count: 1,
        listed: vec![commit],
    };
    RunCause {
        effects: pass.effects,
        approvals: pass.approvals,
        commits: pass.commits.or(pass.commit.map(newest)),
    }
}

/// What the run came from, who approved it, and what it did to whom.
fn cause(cause: &RunCause, names: &ResourceNames) -> Markup {
    html! {
        @if let Some(effects) = &cause.effects { p.effects { strong { (names.sentence(effects)) } } }
        @if let Some(commits) = &cause.commits {
            ul.commits {
                @for commit in &commits.listed {
                    li { (visible(&commit.subject)) " by " (visible(&commit.author)) " " (link::revision(&commit.revision)) }
                }
                @if commits.count > commits.listed.len() { li { "and " (commits.count - commits.listed.len()) " more commits" } }
            }
        }
        @for approval in &cause.approvals {
            p.approval { "Approved by " (visible(&approval.by)) " " (time::relative(approval.at)) ": " (visible(&approval.reason)) }
        }
    }
}

fn facts(run: &RunRecord) -> Markup {
    html! {
        dl.facts {
            div { dt { "Source" } dd { @if run.source.is_empty() { "an act" } @else { a href=(link::source(&run.source)) { (run.source) } } } }
            div { dt { "Revision" } dd { (link::revision(&run.revision)) } }
            div { dt { "When" } dd { (time::milliseconds(run.finished_at)) } }
            div { dt { "Took" } dd { (run.finished_at - run.started_at) " ms" } }
            div { dt { "Who" } dd { (run.actor) } }
            div { dt { "What" } dd { (runs::counts(run)) } }
            div { dt { "Outcome" } dd { (run.outcome) } }
            @if let Some(reverted) = run.reverts { div { dt { "Reverts" } dd { (link::run(reverted)) } } }
            div { dt { "Plan" } dd { (link::revision(&run.plan_id)) } }
        }
    }
}

/// The changes by kind and verb. `counts` are those of the whole run, if the page has only a part.
fn groups(
    changes: &[ChangeDocument],
    counts: &[ChangeCount],
    names: &ResourceNames,
    caller: &Caller,
) -> Markup {
    let whole = |kind: &str, verb: &str| {
        let mut counts = counts.iter();
        let found = counts.find(|it| it.kind == kind && it.verb == verb);
        found.map(|it| it.count)
    };
    let mut groups: BTreeMap<(&str, &str), Vec<&ChangeDocument>> = BTreeMap::new();
    for change in changes {
        let group = groups.entry((&change.kind, &change.verb));
        group.or_default().push(change);
    }
    html! {
        @if !counts.is_empty() {
            p.small { "The whole run: "
                @for (at, it) in counts.iter().enumerate() { @if at > 0 { ", " } (it.kind) " " (it.verb) " " (thousands(it.count)) }
                "."
            }
        }
        @for ((kind, verb), changes_of) in &groups {
            @let (here, all) = (changes_of.len(), whole(kind, verb).unwrap_or(changes_of.len()));
            details.group id={ "changes-" (kind) "-" (verb) } open[changes.len() <= MAX_OPEN_CHANGES] {
                summary {
                    // An act has no sign.
                    @if let Some(step) = StepVerb::by_word(verb) { (plan_entry::sign(step, false)) " " }
                    (kind) ": " (verb) " " (thousands(all))
                    @if here < all { " " span.small { "(" (thousands(here)) " on this page)" } }
                }
                ul.steps { @for change in changes_of { (line(change, names, caller)) } }
            }
        }
    }
}

fn line(change: &ChangeDocument, known: &ResourceNames, caller: &Caller) -> Markup {
    let key = kinds::by_name(&change.kind).zip(change.external_id.as_ref());
    let key = key.map(|(kind, id)| Key::new(kind.id, id));
    let name = key
        .as_ref()
        .and_then(|key| known.get(key))
        .map(str::to_owned);
    // It may be stored no longer.
    let name = name.or_else(|| match caller.sources {
        None => names::of_committed(&change.fields),
        Some(_) => None,
    });
    html! {
        li {
            p {
                @match &change.external_id {
                    Some(id) => { (link::resource(caller, &change.kind, id)) (names::beside(name.as_deref())) },
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

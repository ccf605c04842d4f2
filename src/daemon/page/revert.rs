//! The page that shows what the revert of a run would do, and its form.

use super::forms::FormFields;
use super::hold_sentence::{changes, sentence};
use super::holds::caller_may_approve;
use super::plan::{self, PlanPageQuery};
use super::{layout, link, value};
use crate::daemon::api::reverts;
use crate::daemon::handle::DaemonHandle;
use crate::document::{HoldState, PlanDocument, RevertReply, RevertSkippedField};
use crate::http::problem::HttpProblem;
use crate::http::{Caller, PathParams, Permission, QueryParams, Route};
use crate::plan::StepVerb;
use crate::reconcile;
use crate::store::StoreError;
use axum::Form;
use axum::extract::State;
use axum::http::Method;
use axum::response::Redirect;
use chrono::Utc;
use maud::{Markup, html};
use serde::Deserialize;

/// How many fields that stay are named.
const MAX_SKIPPED: usize = 50;

#[derive(Debug, Deserialize)]
struct RevertPageParam {
    run: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RevertDoneQuery {
    /// The message after a form.
    done: Option<String>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    let path = "/runs/{run}/revert";
    vec![
        Route::page(Method::GET, path, Permission::Operate, preview),
        Route::page(Method::POST, path, Permission::Operate, revert),
    ]
}

/// A link to the revert of a run, for a caller who may do it.
pub(super) fn button(caller: &Caller, run: i64, source: &str) -> Markup {
    // A run by an act is no plan, and has another way back.
    let may_revert =
        caller.may(Permission::Operate) && caller.sources.is_none() && !source.is_empty();
    html! {
        @if may_revert { p { a.button href={ "/runs/" (run) "/revert" } { "Revert this run" } } }
    }
}

async fn preview(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(RevertPageParam { run }): PathParams<RevertPageParam>,
    QueryParams(wanted): QueryParams<PlanPageQuery>,
    QueryParams(RevertDoneQuery { done }): QueryParams<RevertDoneQuery>,
) -> Result<Markup, HttpProblem> {
    let planned = reverts::plan_revert(&handle, run).await?;
    let holds = revert_holds(&handle, &planned).await?;
    let approves = caller_may_approve(&handle, &caller);
    let document = |reply: &RevertReply| -> Result<PlanDocument<'static>, HttpProblem> {
        serde_json::from_str(reply.plan.text()).map_err(HttpProblem::internal)
    };
    let (shown, facts) = (document(&planned)?, document(&planned)?);
    let id = facts.id.unwrap_or_default().into_owned();
    let summary = facts.summary.entries().into_iter();
    let steps = summary.filter(|(name, _)| StepVerb::by_word(name).is_some());
    let steps: u64 = steps.map(|(_, count)| count).sum();
    let held = facts.summary.held;
    let back = format!("/runs/{run}");
    let page = format!("/runs/{run}/revert");
    let (seen, path) = (caller.clone(), page.clone());
    let section = handle
        .query_store(move |store| async move {
            plan::section(shown, None, &wanted, (&store, &seen, &path)).await
        })
        .await?;
    let title = format!("Revert run {run}");
    let main = html! {
        (layout::breadcrumbs(&[("/", "Home"), ("/runs", "Runs"), (&back, &format!("Run {run}"))], "Revert"))
        h1 { (title) }
        p { "This sets back what " (link::run(run)) " changed and nobody has changed since. Passes keep it so until the source is at another revision. Correct its files too." }
        (layout::done_message(done.as_deref()))
        @if steps > 0 { (form(&caller, &page, &id, "Revert")) }
        @else if held == 0 { p role="status" { "Nothing of it is left to revert." } }
        @else if !holds.asked { (form(&caller, &page, &id, "Ask for approval")) }
        @if held > 0 { p.wrong { "A part of it is held. It is reverted once somebody has approved it and the run is reverted again." } }
        @for hold in &holds.waiting { (card(&caller, &page, hold, approves && holds.asked)) }
        (skipped(&planned.skipped))
        section #plan { h2 { "What would change" } (section) }
    };
    layout::page(&handle, &caller, "/runs/", &title, &main)
}

/// What of a revert waits for a decision.
struct RevertHolds {
    waiting: Vec<HoldState>,
    /// Whether somebody has asked for the revert: from then on it can be approved.
    asked: bool,
}

async fn revert_holds(
    handle: &DaemonHandle,
    planned: &RevertReply,
) -> Result<RevertHolds, HttpProblem> {
    let (plan, _) = planned.parse_plan().map_err(HttpProblem::internal)?;
    let mut waiting = reconcile::hold_states(&plan, &[], Utc::now());
    waiting.retain(|hold| hold.hold.is_some() && !hold.standing);
    let ids: Vec<String> = waiting.iter().filter_map(|it| it.hold.clone()).collect();
    let asked = handle
        .query_store(move |store| async move {
            for id in &ids {
                if store.reverted_by_hold(id).await?.is_none() {
                    return Ok(false);
                }
            }
            Ok::<_, StoreError>(true)
        })
        .await?;
    Ok(RevertHolds { waiting, asked })
}

/// A hold, with the form for whoever may approve it. The plan below lists what it holds.
fn card(caller: &Caller, page: &str, hold: &HoldState, approves: bool) -> Markup {
    let id = hold.hold.as_deref().unwrap_or_default();
    html! {
        article.card.hold id={ "hold-" (id) } {
            h2 { (sentence(hold)) }
            @if let Some(effects) = &hold.effects { p.effects { "If approved: " strong { (effects) } } }
            p.small { (value::prose(&hold.message)) }
            @if approves {
                form.act method="post" action={ "/holds/" (id) "/approve" } {
                    (layout::csrf(caller))
                    input type="hidden" name="back" value=(page);
                    input type="hidden" name="scope" value="all";
                    label for={ "reason-" (id) } { "Reason (for the audit log)" }
                    div.line {
                        input type="text" name="reason" id={ "reason-" (id) } required maxlength="2000" autocomplete="off";
                        button.approve { "Approve " (changes(hold.count)) }
                    }
                }
            } @else {
                @for command in &hold.commands { pre { code { (command) } } }
            }
        }
    }
}

fn form(caller: &Caller, page: &str, plan: &str, button: &str) -> Markup {
    html! {
        form.act method="post" action=(page) {
            (layout::csrf(caller))
            // Another plan than the one on the page is refused.
            input type="hidden" name="plan" value=(plan);
            label for="why-revert" { "Reason (for the audit log)" }
            div.line {
                input type="text" name="reason" id="why-revert" required maxlength="2000" autocomplete="off";
                button.approve { (button) }
            }
        }
    }
}

/// What stays as it is, because it was changed since.
fn skipped(fields: &[RevertSkippedField]) -> Markup {
    let more = fields.len().saturating_sub(MAX_SKIPPED);
    html! {
        @if !fields.is_empty() {
            details.group #skipped open[more == 0] {
                summary { "Changed since, and left alone" }
                ul.steps {
                    @for field in fields.iter().take(MAX_SKIPPED) {
                        li { p { (value::prose(&format!("{}/{}", field.kind, field.external_id))) ": " (field.field) } }
                    }
                    @if more > 0 { li { p { "and " (more) " more" } } }
                }
            }
        }
    }
}

async fn revert(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(RevertPageParam { run }): PathParams<RevertPageParam>,
    Form(form): Form<FormFields>,
) -> Result<Redirect, HttpProblem> {
    let (plan, why) = (form.first_value("plan"), form.first_value("reason"));
    let done = reverts::revert_run(&handle, &caller, run, plan, why).await?;
    Ok(Redirect::to(&match done.run {
        Some(to) => format!("/runs/{to}?done=reverted"),
        None => format!("/runs/{run}/revert?done=asked-revert"),
    }))
}

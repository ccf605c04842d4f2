//! The page that shows what the revert of a run would do, and its form.

use super::forms::FormFields;
use super::holds::{self, HoldPlace, caller_may_approve};
use super::plan::{self, PlanPageQuery};
use super::{layout, link, value};
use crate::daemon::api::reverts;
use crate::daemon::handle::DaemonHandle;
use crate::document::{HoldState, HoldView, PlanDocument, RevertReply, RevertSkippedField};
use crate::http::problem::HttpProblem;
use crate::http::{Caller, PathParams, Permission, QueryParams, Route};
use crate::plan::StepVerb;
use crate::reconcile;
use axum::Form;
use axum::extract::State;
use axum::http::Method;
use axum::response::Redirect;
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
        Route::page(Method::GET, path, Permission::Read, preview),
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
    let holds = revert_holds(&handle, run, &planned).await?;
    let operates = caller.may(Permission::Operate);
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
    let place = HoldPlace {
        caller: &caller,
        approves: holds.are_asked && caller_may_approve(&handle, &caller),
        back: &page,
        listed: usize::MAX,
    };
    let main = html! {
        (layout::breadcrumbs(&[("/", "Home"), ("/runs", "Runs"), (&back, &format!("Run {run}"))], "Revert"))
        h1 { (title) }
        p { "This sets back what " (link::run(run)) " changed and nobody has changed since. Passes keep it so until the source is at another revision. Correct its files too." }
        (layout::done_message(done.as_deref()))
        @if steps == 0 && held == 0 { p role="status" { "Nothing of it is left to revert." } }
        @else if steps > 0 && operates { (form(&caller, &page, &id, "Revert")) }
        @else if !holds.are_asked && operates { (form(&caller, &page, &id, "Ask for approval")) }
        @if held > 0 { p.wrong { "A part of it is held. It is reverted once somebody has approved it and the run is reverted again." } }
        @for view in &holds.waiting { (holds::card(view, place)) }
        (skipped(&planned.skipped))
        section #plan { h2 { "What would change" } (section) }
    };
    layout::page(&handle, &caller, "/runs/", &title, &main)
}

/// What of a revert waits for a decision.
struct RevertHolds {
    waiting: Vec<HoldView>,
    /// Whether somebody has asked for the revert: from then on it can be approved.
    are_asked: bool,
}

/// The holds of the plan that is shown, with what was decided about them since somebody asked for it.
async fn revert_holds(
    handle: &DaemonHandle,
    run: i64,
    planned: &RevertReply,
) -> Result<RevertHolds, HttpProblem> {
    let (plan, _) = planned.parse_plan().map_err(HttpProblem::internal)?;
    let now = reconcile::revert_hold_states(&plan, run);
    let asked = handle
        .query(move |daemon| async move {
            let is_of_run = |_: &str, hold: &HoldState| hold.reverts == Some(run);
            daemon.board.holds(is_of_run).await
        })
        .await?;
    let mut are_asked = true;
    let views = now.into_iter().map(|hold| {
        let mut listed = asked.iter();
        let found = listed.find(|view| view.hold.hold == hold.hold).cloned();
        found.unwrap_or_else(|| {
            are_asked = false;
            HoldView {
                id: hold.hold.clone(),
                source: plan.source.name.to_string(),
                approval: None,
                approved_by: Vec::new(),
                approved_parts: Vec::new(),
                rejection: None,
                hold,
            }
        })
    });
    let waiting = views.collect();
    Ok(RevertHolds { waiting, are_asked })
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

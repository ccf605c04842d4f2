//! The page that shows what the revert of a run would do, and its form.

use super::forms::FormFields;
use super::plan::{self, PlanPageQuery};
use super::{layout, link, value};
use crate::daemon::api::reverts;
use crate::daemon::handle::DaemonHandle;
use crate::document::{PlanDocument, RevertReply, RevertSkippedField};
use crate::http::problem::HttpProblem;
use crate::http::{Caller, PathParams, Permission, QueryParams, Route};
use crate::plan::StepVerb;
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
) -> Result<Markup, HttpProblem> {
    let planned = reverts::plan_revert(&handle, run).await?;
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
        @if steps > 0 { (form(&caller, &page, &id)) }
        @else if held == 0 { p role="status" { "Nothing of it is left to revert." } }
        @if held > 0 { p.wrong { "Guards hold a part of it. Approve a hold by its id, then revert the run again." } }
        (skipped(&planned.skipped))
        section #plan { h2 { "What would change" } (section) }
    };
    layout::page(&handle, &caller, "/runs/", &title, &main)
}

fn form(caller: &Caller, page: &str, plan: &str) -> Markup {
    html! {
        form.act method="post" action=(page) {
            (layout::csrf(caller))
            // Another plan than the one on the page is refused.
            input type="hidden" name="plan" value=(plan);
            label for="why-revert" { "Reason (for the audit log)" }
            div.line {
                input type="text" name="reason" id="why-revert" required maxlength="2000" autocomplete="off";
                button.approve { "Revert" }
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
    let to = done.run.unwrap_or(run);
    Ok(Redirect::to(&format!("/runs/{to}?done=reverted")))
}

//! The page of the audit log: what people did, with names and reasons.

use super::{layout, time};
use crate::daemon::handle::DaemonHandle;
use crate::document::ActView;
use crate::http::problem::HttpProblem;
use crate::http::{Caller, Permission, QueryParams, Route};
use crate::store::ActPosition;
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;

const SHOWN: u32 = 200;

/// The page of the log: the entries before this one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AuditLogQuery {
    /// Milliseconds since 1970, and the number that tells entries of one millisecond apart.
    before: Option<i64>,
    id: i64,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![Route::page(Method::GET, "/acts", Permission::Read, acts)]
}

async fn acts(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    QueryParams(AuditLogQuery { before, id }): QueryParams<AuditLogQuery>,
) -> Result<Markup, HttpProblem> {
    let before = before.map(|at| ActPosition { at, id });
    let records = handle
        .query_store(move |store| async move { store.acts_before(before, SHOWN).await })
        .await?;
    let next = records.last().filter(|_| records.len() == SHOWN as usize);
    let next = next.map(|last| format!("/acts?before={}&id={}", last.at, last.id));
    let acts: Vec<ActView> = records.into_iter().map(ActView::from).collect();
    let main = html! {
        (layout::breadcrumbs(&[("/", "Home")], "Audit log"))
        h1 { "Audit log" }
        table #acts data-live {
            caption { "What people did, newest first." }
            thead { tr {
                th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" }
                th scope="col" { "Subject" } th scope="col" { "Why" }
            } }
            tbody {
                @for act in &acts {
                    tr {
                        td data-label="When" { (time::relative(act.at)) }
                        td data-label="Who" { (act.actor) }
                        td data-label="What" { (act.act) }
                        td data-label="Subject" { (if act.subject == "*" { "every source" } else { &act.subject }) }
                        td data-label="Why" { @if act.reason.is_empty() { span.nothing { "no reason" } } @else { (act.reason) } }
                    }
                }
                @if acts.is_empty() { tr { td colspan="5" { (if before.is_some() { "No earlier acts." } else { "No acts yet." }) } } }
            }
        }
        nav.pages aria-label="Pages of the audit log" {
            @if before.is_some() { a href="/acts" { "Newest acts" } }
            @if let Some(next) = &next { a href=(next) rel="next" { "Earlier acts" } }
        }
    };
    layout::page(&handle, &caller, "/acts", "Audit log", &main)
}

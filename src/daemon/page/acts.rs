//! The page of the audit log: what people did, with names and reasons.

use super::{layout, time};
use crate::daemon::handle::DaemonHandle;
use crate::http::problem::HttpProblem;
use crate::http::{Caller, Permission, Route};
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};

const SHOWN: u32 = 200;

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![Route::page(Method::GET, "/acts", Permission::Read, acts)]
}

async fn acts(State(handle): State<DaemonHandle>, caller: Caller) -> Result<Markup, HttpProblem> {
    let acts = handle
        .query(async |daemon| daemon.board.acts(SHOWN).await)
        .await?;
    let main = html! {
        (layout::breadcrumbs(&[("/", "Home")], "Audit log"))
        h1 { "Audit log" }
        table #acts data-live {
            caption { "What people did, newest first. At most " (SHOWN) "." }
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
                @if acts.is_empty() { tr { td colspan="5" { "No acts yet." } } }
            }
        }
    };
    layout::page(&handle, &caller, "/acts", "Audit log", &main)
}

//! The page of the holds of a source. Of many large ones, a few are on a page.

use super::holds::{self, HoldPlace};
use super::source::{SourcePageParam, SourceTab, frame, read};
use crate::daemon::api::holds::may_see_hold;
use crate::daemon::handle::DaemonHandle;
use crate::document::{HoldState, HoldView};
use crate::http::problem::HttpProblem;
use crate::http::{Caller, PathParams, Permission, QueryParams, Route};
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;

/// The most characters of the holds on a page, unless a single one is longer.
const MAX_HOLDS_LENGTH: usize = 70_000;
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

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![Route::page(
        Method::GET,
        "/sources/{source}/holds",
        Permission::Read,
        holds_page,
    )]
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
fn hold_pages(cards: Vec<(&HoldView, Markup)>) -> Vec<Vec<(&HoldView, Markup)>> {
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

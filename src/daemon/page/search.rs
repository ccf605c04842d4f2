//! The search across everything that has a name: sources, runs, and resources of every kind.
//!
//! Of each kind it lists the first ones that an index finds or that are among the first that are
//! looked at; the list of the kind goes on from there.

use super::search_runs::FoundRuns;
use super::{layout, link};
use crate::daemon::handle::DaemonHandle;
use crate::diagnostic::visible;
use crate::http::problem::HttpProblem;
use crate::http::{Caller, Permission, QueryParams, Route};
use crate::kinds::{self, ACCOUNT, ORGANISATION, POLICY, USER};
use crate::model::{Key, KindId};
use crate::store::{SearchPage, SearchQuery, Store, StoreError};
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;

/// The number of resources of a kind.
const LISTED: u32 = 8;
/// How many resources of a kind are looked at where no index helps.
const LOOKED_AT: u32 = 2000;
/// The most characters of a search.
const MAX_LENGTH: usize = 200;
/// The kinds that people look for come first.
const FIRST: [KindId; 4] = [ACCOUNT, USER, ORGANISATION, POLICY];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EverythingQuery {
    q: String,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![Route::page(
        Method::GET,
        "/search",
        Permission::Read,
        everything,
    )]
}

async fn everything(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    QueryParams(EverythingQuery { q }): QueryParams<EverythingQuery>,
) -> Result<Markup, HttpProblem> {
    let words: String = q.trim().chars().take(MAX_LENGTH).collect();
    let setup = handle.setup()?;
    let sources = setup.config.sources.iter().map(|source| &*source.name);
    let sources: Vec<&str> = sources.filter(|name| is_named(name, &words)).collect();
    let of = words.clone();
    let (found, runs) = handle
        .query(move |daemon| async move {
            let store = &daemon.store;
            let found = if of.is_empty() {
                Vec::new()
            } else {
                search(store, &of).await?
            };
            // The page is only for callers who see every source.
            let holds = daemon.board.holds(|_, _| true).await?;
            let runs = FoundRuns::search(store, holds, &of).await?;
            Ok::<_, StoreError>((found, runs))
        })
        .await?;
    let nothing = found.is_empty() && sources.is_empty() && runs.is_empty();
    let main = html! {
        (layout::breadcrumbs(&[("/", "Home")], "Search"))
        h1 { "Search" }
        @if words.is_empty() { p { "Enter words of a name, an id, an e-mail address, a login name or a commit." } }
        @else {
            p role="status" { @if nothing { "Nothing found for “" (visible(&words)) "”." } @else { "Found for “" (visible(&words)) "”." } }
        }
        @if !sources.is_empty() {
            h2 { "Sources" }
            ul { @for name in &sources { li { a href=(link::source(name)) { (name) } } } }
        }
        (runs.sections())
        @for (kind, page) in &found { (section(*kind, page, &words)) }
        @if nothing && !words.is_empty() {
            p.small { "What stands in the middle of a text is looked for only among the first resources of each kind." }
            ul.chips aria-label="Search in a kind" { @for kind in FIRST { li { (in_kind(kind, &words)) } } }
        }
    };
    layout::page(&handle, &caller, "", "Search", &main)
}

fn is_named(name: &str, words: &str) -> bool {
    !words.is_empty() && name.to_lowercase().contains(&words.to_lowercase())
}

/// The first resources of each kind with the words. A key such as `User/u-1` names one.
async fn search(store: &Store, words: &str) -> Result<Vec<(KindId, SearchPage)>, StoreError> {
    let others = kinds::ALL.into_iter().map(|kind| kind.id);
    let others = others.filter(|kind| !FIRST.contains(kind));
    let all: Vec<KindId> = FIRST.into_iter().chain(others).collect();
    let key = Key::parse(words);
    let mut found = Vec::new();
    for kind in all {
        let key = key.as_ref().filter(|key| key.kind == kind);
        let wanted = SearchQuery {
            words: key.is_none().then_some(words),
            id: key.map(|key| key.id.as_str()),
            limit: LISTED,
            part: Some(LOOKED_AT),
            ..SearchQuery::default()
        };
        let page = store.search(kind, &wanted).await?;
        if !page.found.is_empty() {
            found.push((kind, page));
        }
    }
    Ok(found)
}

fn section(kind: KindId, page: &SearchPage, words: &str) -> Markup {
    let of = kinds::get(kind);
    html! {
        section {
            h2 { (super::resource_acts::capitalised(of.collection)) }
            ul {
                @for record in &page.found {
                    @let id = &record.row.key.id;
                    li {
                        a.key href=(link::resource_path(of.name, id)) { (of.name) "/" (id) }
                        @if let Some(name) = kinds::json::name(&record.row) { " " (visible(&name)) }
                    }
                }
            }
            @if page.next.is_some() { p.small { (in_kind(kind, words)) } }
        }
    }
}

/// A link to the same search in the list of a kind.
fn in_kind(kind: KindId, words: &str) -> Markup {
    let of = kinds::get(kind);
    html! { a href={ "/resources?kind=" (of.name) "&q=" (link::percent_encode(words)) } { "Search the " (of.collection) } }
}

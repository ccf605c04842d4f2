//! The list of stored resources of a kind, with a search.
//!
//! It is only for callers who see every source, since a resource may belong to several. The search
//! is that of the API.

use super::{layout, link, propose, resource_acts};
use crate::daemon::api::records;
use crate::daemon::handle::DaemonHandle;
use crate::http::problem::HttpProblem;
use crate::http::{Caller, Permission, QueryParams, Route};
use crate::kinds::{self, Kind};
use crate::model::{CompactText, Value};
use crate::store::{StoredResource, has_account};
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;

const LISTED: u32 = 50;
/// How many accounts or sources of a resource are named.
const NAMED: usize = 3;
/// The words of the filter by status. Only accounts wait for an approval.
const STATUSES: [&str; 4] = ["active", "inactive", BLOCKED, PENDING];
const BLOCKED: &str = "blocked";
const PENDING: &str = "pending";
/// The most sources that are offered as a choice.
const MAX_CHIPS: usize = 12;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResourceSearchQuery {
    kind: String,
    q: String,
    status: String,
    account: String,
    source: String,
    after: String,
    /// What a form did.
    done: Option<String>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![Route::page(
        Method::GET,
        "/resources",
        Permission::Read,
        list,
    )]
}

async fn list(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    QueryParams(wanted): QueryParams<ResourceSearchQuery>,
) -> Result<Markup, HttpProblem> {
    let name = if wanted.kind.is_empty() {
        kinds::get(kinds::ACCOUNT).name
    } else {
        &wanted.kind
    };
    let kind = records::find_kind(name)?;
    // Anything else in the address means any status.
    let status = statuses(kind).find(|word| *word == wanted.status);
    let words = Some(wanted.q.clone()).filter(|words| !words.trim().is_empty());
    let after = Some(wanted.after.clone()).filter(|after| !after.is_empty());
    let account = Some(wanted.account.clone()).filter(|id| !id.is_empty() && has_account(kind.id));
    let source = Some(wanted.source.clone()).filter(|name| !name.is_empty());
    let search_for = records::ResourceSearch {
        words,
        status: status.filter(|word| ![BLOCKED, PENDING].contains(word)),
        blocked: status == Some(BLOCKED),
        pending: status == Some(PENDING),
        account: account.clone(),
        source: source.clone(),
        after,
        limit: LISTED,
        ..records::ResourceSearch::default()
    };
    let page = records::search_resources(&handle, kind.id, search_for).await?;
    let found = page.found;
    let acts = resource_acts::bulk_acts(&handle, &caller, kind);
    let back = wanted.path(kind.name, &wanted.status, &wanted.source);
    let main = html! {
        (layout::breadcrumbs(&[("/", "Home")], "Resources"))
        h1 { "Resources" }
        (propose::links(&handle, &caller, None))
        (search(&wanted, kind))
        @if kind.has_status { (chips(&wanted, kind)) }
        (source_chips(&handle, &wanted, kind)?)
        (layout::done_message(wanted.done.as_deref()))
        @if let Some(account) = &account {
            p { "Of " (link::resource(&caller, kinds::get(kinds::ACCOUNT).name, account)) ". " a href={ "/resources?kind=" (kind.name) } { "Show all" } }
        }
        @if let Some(source) = &source {
            p { "Of the source " a href=(link::source(source)) { (source) } ". " a href={ "/resources?kind=" (kind.name) } { "Show all" } }
        }
        @if acts.is_empty() || found.is_empty() {
            (table(kind, &found, &caller, false))
        } @else {
            form.act.ticks method="post" {
                (table(kind, &found, &caller, true))
                (resource_acts::bulk_form(&acts, kind, &caller, &back))
            }
        }
        @if let Some(next) = page.next {
            @let whole = found.len() == LISTED as usize;
            @if !whole { p.small { "Only a part of the resources was searched." } }
            p { a href={ (back) "&after=" (link::percent_encode(&next)) } { @if whole { "Next" } @else { "Continue the search" } } }
        }
    };
    layout::page(&handle, &caller, "/resources", "Resources", &main)
}

impl ResourceSearchQuery {
    /// The path of the same search with another status and another source.
    fn path(&self, kind: &str, status: &str, source: &str) -> String {
        let [q, status, account, source] =
            [&*self.q, status, &self.account, source].map(link::percent_encode);
        format!("/resources?kind={kind}&q={q}&status={status}&account={account}&source={source}")
    }
}

/// The same search by source, one click each, where there are several and not too many.
fn source_chips(
    handle: &DaemonHandle,
    wanted: &ResourceSearchQuery,
    kind: &Kind,
) -> Result<Markup, HttpProblem> {
    let setup = handle.setup()?;
    let sources = &setup.config.sources;
    let names = sources.iter().map(|source| (&*source.name, &*source.name));
    let names = [("", "any source")].into_iter().chain(names);
    Ok(html! {
        @if (2..=MAX_CHIPS).contains(&sources.len()) {
            ul.chips aria-label="Source" {
                @for (name, word) in names {
                    li { a href=(wanted.path(kind.name, &wanted.status, name)) aria-current=[(wanted.source == name).then_some("true")] { (word) } }
                }
            }
        }
    })
}

/// The words of the filter by status that resources of a kind may have.
fn statuses(kind: &Kind) -> impl Iterator<Item = &'static str> {
    let waits = kind.id == kinds::ACCOUNT;
    let words = STATUSES.into_iter();
    words.filter(move |word| waits || *word != PENDING)
}

/// The same search by status, one click each.
fn chips(wanted: &ResourceSearchQuery, kind: &Kind) -> Markup {
    let words = statuses(kind).map(|word| (word, word));
    let words = [("", "any status")].into_iter().chain(words);
    html! {
        ul.chips aria-label="Status" {
            @for (status, word) in words {
                li { a href=(wanted.path(kind.name, status, &wanted.source)) aria-current=[(wanted.status == status).then_some("true")] { (word) } }
            }
        }
    }
}

/// The columns that a list of a kind has beside the name.
struct ListColumns {
    /// The index of the field of the e-mail address.
    email: Option<usize>,
    /// The indexes of the fields that name accounts.
    accounts: Vec<usize>,
}

impl ListColumns {
    fn of(kind: &Kind) -> Self {
        Self {
            email: kind.index("email"),
            accounts: kind.account_fields().collect(),
        }
    }
}

/// The resources that were found, with a tick each where acts on several are possible.
fn table(kind: &Kind, found: &[StoredResource], caller: &Caller, ticks: bool) -> Markup {
    let columns = ListColumns::of(kind);
    html! {
        table #found {
            caption { (kind.doc) }
            thead { tr {
                @if ticks { th scope="col" { "Tick" } }
                th scope="col" { (kind.name) } th scope="col" { "Name" }
                @if columns.email.is_some() { th scope="col" { "E-mail" } }
                @if !columns.accounts.is_empty() { th scope="col" { "Account" } }
                th scope="col" { "Source" } th scope="col" { "Status" }
            } }
            tbody {
                @for record in found { (row(record, &columns, caller, ticks)) }
                @if found.is_empty() { tr { td colspan="6" { "No resources found." } } }
            }
        }
    }
}

fn search(wanted: &ResourceSearchQuery, kind: &Kind) -> Markup {
    html! {
           form.search role="search" aria-label="Resources" method="get" action="/resources" {
               div {
                   label for="kind" { "Kind" }
                   select #kind name="kind" {
                       @for known in kinds::ALL { option value=(known.name) selected[known.id == kind.id] { (known.name) } }
                   }
               }
    @for (name, value) in [("source", &wanted.source), ("account", &wanted.account)] {
                   @if !value.is_empty() { input type="hidden" name=(name) value=(value); }
               }
               div.wide { label for="q" { "Words" } input #q type="search" name="q" value=(wanted.q) maxlength="200"; }
               div {
                   label for="status" { "Status" }
                   select #status name="status" {
                       option value="" { "any" }
                       @for word in statuses(kind) { option value=(word) selected[word == wanted.status] { (word) } }
                   }
               }
               button { "Search" }
           }
       }
}

fn row(record: &StoredResource, columns: &ListColumns, caller: &Caller, ticks: bool) -> Markup {
    let row = &record.row;
    let kind = kinds::get(row.key.kind);
    let email = columns.email.and_then(|index| row.values[index].as_ref());
    let accounts = columns.accounts.iter();
    let accounts: Vec<&CompactText> = accounts
        .filter_map(|index| row.values[*index].as_ref())
        .flat_map(members)
        .collect();
    html! {
        tr {
            @if ticks {
                td data-label="Tick" {
                    input type="checkbox" name="ids" value=(row.key.id) aria-label=(row.key);
                }
            }
            td data-label=(kind.name) { (link::resource(caller, kind.name, &row.key.id)) }
            td data-label="Name" { (kinds::json::name(row).unwrap_or_default()) }
            @if columns.email.is_some() {
                td data-label="E-mail" { @if let Some(email) = email.and_then(Value::as_text) { (email) } }
            }
            @if !columns.accounts.is_empty() {
                td data-label="Account" { (several(accounts.len(), accounts.iter().map(|id| account(id)))) }
            }
            td data-label="Source" {
                (several(record.claims.len(), record.claims.iter().map(|claim| html! { a href=(link::source(&claim.source)) { (claim.source) } })))
            }
            td data-label="Status" { (status(record)) }
        }
    }
}

/// The ids in the value of a reference, of one or of many.
fn members(value: &Value) -> Vec<&CompactText> {
    match value {
        Value::Text(id) => vec![id],
        Value::List(ids) => ids.iter().collect(),
        Value::Links(links) => links.iter().map(|link| &link.target).collect(),
        Value::Bool(_) | Value::Int(_) | Value::Number(_) => Vec::new(),
    }
}

fn account(id: &str) -> Markup {
    html! { a href=(link::resource_path(kinds::get(kinds::ACCOUNT).name, id)) { (id) } }
}

/// The first of several.
fn several(count: usize, all: impl Iterator<Item = Markup>) -> Markup {
    html! {
        @for (at, one) in all.take(NAMED).enumerate() { @if at > 0 { ", " } (one) }
        @if count > NAMED { " and " (count - NAMED) " more" }
    }
}

/// Whether it is active, and whether it can be used.
fn status(record: &StoredResource) -> Markup {
    let kind = kinds::get(record.row.key.kind);
    let value = record.row.values[kind.status_index()].as_ref();
    html! {
        @if let Some(status) = value.and_then(Value::as_text) {
            span class={ "badge " (if status == "active" { "good" } else { "plain" }) } { (status) }
        }
        @if record.row.facts.get("blocked").is_some() { " " span.badge.bad { "blocked" } }
        @match record.row.facts.get("approval").map(|approval| &**approval) {
            Some("pending") => { " " span.badge.waits { "pending" } }
            Some("rejected") => { " " span.badge.bad { "rejected" } }
            _ => {}
        }
        // An active user of an inactive account, for example, cannot log in.
        @if record.usable == Some(false) { " " span.badge.waits { "not usable" } }
    }
}

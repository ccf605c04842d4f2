//! The pages of stored resources: a search within a kind, and one resource with the source of each
//! field.
//!
//! They are only for callers who see every source, since a resource may belong to several. The
//! search is that of the API, and the fields come from the same function as `roster why`.

use super::account_members::AccountMembers;
use super::user_records::{UserRecords, dossier_link};
use super::{layout, link, propose, resource_acts, source_status, time, value};
use crate::daemon::api::records;
use crate::daemon::handle::DaemonHandle;
use crate::daemon::path_segment;
use crate::document::{
    ChangeDocument, DiagnosticState, OriginDocument, ResourceMeta, ValueChangeDocument,
};
use crate::http::problem::HttpProblem;
use crate::http::{Caller, PathParams, Permission, QueryParams, Route};
use crate::kinds::{self, Kind};
use crate::model::Key;
use crate::reconcile::{self, FieldProvenance, ResourceProvenance, SourceStatement, ValueSetter};
use crate::store::{ChangeRecord, StoreError, StoredResource, has_account};
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

const LISTED: u32 = 50;
const HISTORY: u32 = 50;
/// The fields that serve as a name, in this order. A resource has only some of them.
const NAMES: [&str; 4] = ["name", "fullName", "lastName", "label"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResourceSearchQuery {
    kind: String,
    q: String,
    status: String,
    account: String,
    after: String,
    /// What a form did.
    done: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ResourcePageParam {
    kind: String,
    #[serde(deserialize_with = "path_segment::decode_id")]
    id: String,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::page(Method::GET, "/resources", Permission::Read, list),
        Route::page(
            Method::GET,
            "/resources/{kind}/{id}",
            Permission::Read,
            resource_page,
        ),
    ]
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
    let status = ["active", "inactive"]
        .into_iter()
        .find(|word| *word == wanted.status);
    let words = Some(wanted.q.clone()).filter(|words| !words.trim().is_empty());
    let after = Some(wanted.after.clone()).filter(|after| !after.is_empty());
    let account = Some(wanted.account.clone()).filter(|id| !id.is_empty() && has_account(kind.id));
    let search_for = records::ResourceSearch {
        words,
        status,
        account: account.clone(),
        after,
        limit: LISTED,
        ..records::ResourceSearch::default()
    };
    let page = records::search_resources(&handle, kind.id, search_for).await?;
    let found = page.found;
    let acts = resource_acts::bulk_acts(&handle, &caller, kind);
    let account_of = account
        .as_deref()
        .map(link::percent_encode)
        .unwrap_or_default();
    let back = format!(
        "/resources?kind={}&q={}&status={}&account={account_of}",
        kind.name,
        link::percent_encode(&wanted.q),
        link::percent_encode(&wanted.status),
    );
    let main = html! {
        h1 { "Resources" }
        (propose::links(&handle, &caller, None))
        (search(&wanted, kind.name))
        (layout::done_message(wanted.done.as_deref()))
        @if let Some(account) = &account {
            p { "Of " (link::resource(&caller, kinds::get(kinds::ACCOUNT).name, account)) ". " a href={ "/resources?kind=" (kind.name) } { "Show all" } }
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

/// The resources that were found, with a tick each where acts on several are possible.
fn table(kind: &Kind, found: &[StoredResource], caller: &Caller, ticks: bool) -> Markup {
    html! {
        table #found {
            caption { (kind.doc) }
            thead { tr {
                @if ticks { th scope="col" { "Tick" } }
                th scope="col" { (kind.name) } th scope="col" { "Name" } th scope="col" { "Status" }
            } }
            tbody {
                @for record in found { (row(record, caller, ticks)) }
                @if found.is_empty() { tr { td colspan="3" { "No resources found." } } }
            }
        }
    }
}

fn search(wanted: &ResourceSearchQuery, kind: &str) -> Markup {
    html! {
        form.search role="search" method="get" action="/resources" {
            div {
                label for="kind" { "Kind" }
                select #kind name="kind" {
                    @for known in kinds::ALL { option value=(known.name) selected[known.name == kind] { (known.name) } }
                }
            }
            div.wide { label for="q" { "Words" } input #q type="search" name="q" value=(wanted.q) maxlength="200"; }
            div {
                label for="status" { "Status" }
                select #status name="status" {
                    option value="" { "any" }
                    @for word in ["active", "inactive"] { option value=(word) selected[word == wanted.status] { (word) } }
                }
            }
            button { "Search" }
        }
    }
}

fn row(record: &StoredResource, caller: &Caller, ticks: bool) -> Markup {
    let fields = kinds::json::resource(&record.row);
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = NAMES
        .iter()
        .map(|name| text(name))
        .find(|name| !name.is_empty());
    let first = text("firstName");
    html! {
        tr {
            @if ticks {
                td data-label="Tick" {
                    input type="checkbox" name="ids" value=(record.row.key.id) aria-label=(record.row.key);
                }
            }
            td data-label="Id" { (link::resource(caller, text("kind"), text("externalId"))) }
            td data-label="Name" { @if !first.is_empty() { (first) " " } (name.unwrap_or_default()) }
            td data-label="Status" {
                (text("status"))
                // An active user of an inactive account, for example, cannot log in.
                @if record.usable == Some(false) { " (not usable)" }
            }
        }
    }
}

/// The page of the history: the changes before this sequence number.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HistoryPageQuery {
    before: Option<i64>,
    /// What a form did.
    done: Option<String>,
}

async fn resource_page(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(of): PathParams<ResourcePageParam>,
    QueryParams(asked): QueryParams<HistoryPageQuery>,
) -> Result<Markup, HttpProblem> {
    let before = asked.before.unwrap_or(i64::MAX);
    let kind = records::find_kind(&of.kind)?;
    let key = Key::new(kind.id, &of.id);
    // A deleted resource still has a history and a page, so this is about ids that never existed.
    let missing = HttpProblem::not_found(format!("{key} does not exist and never did"));
    let title = key.to_string();
    let dossier = dossier_link(&caller, &key);
    let (record, idle, provenance, history, (records, members), terms) = handle
        .query_store(move |store| async move {
            let record = store.record(&key).await?;
            let (_, idle) = match key.kind {
                kinds::POLICY => store.idle_policies(Some(&key.id), 1).await?,
                _ => (0, Vec::new()),
            };
            let terms = match key.kind {
                kinds::USER => store.current_terms().await?,
                _ => Vec::new(),
            };
            // The same function as `roster why`. The daemon reads no manifests for this.
            let provenance = reconcile::provenance(None, &store, &key).await?;
            let history = store.history_before(Some(&key), before, HISTORY).await?;
            let records = UserRecords::read(&store, &key).await?;
            let members = AccountMembers::read(&store, &key).await?;
            Ok::<_, StoreError>((record, idle, provenance, history, (records, members), terms))
        })
        .await?;
    let provenance = provenance.ok_or(missing)?;
    let main = html! {
        h1 { (title) }
        (layout::done_message(asked.done.as_deref()))
        @if record.is_none() {
            p.wrong { "It is no longer stored." }
            (resource_acts::erasure_section(&handle, &caller, kind, &of.id))
        }
        @if provenance.changed_elsewhere { p.wrong { "The row was changed outside Roster since the last run." } }
        @for policy in &idle {
            (source_status::diagnostics([DiagnosticState::from(policy)].iter(), &caller))
        }
        @if let Some(record) = &record {
            (facts(record))
            @if kind.id == kinds::ACCOUNT { (propose::links(&handle, &caller, Some(&of.id))) }
            (resource_acts::section(&handle, &caller, kind, record))
            (resource_acts::terms_section(&handle, &caller, record, &terms))
            (members.sections(&record.row.key, &caller))
        }
        @if let Some(record) = &record { (records.sections(&record.row.key)) }
        (dossier)
        (fields(&provenance))
        (claims(&provenance))
        section #history {
            h2 { "History" }
            @if history.is_empty() { p { "No run changed it." } }
            ul.steps { @for change in &history { (change_line(change)) } }
            @if let Some(last) = history.last().filter(|_| history.len() == HISTORY as usize) {
                p { a href={ "?before=" (last.seq) "#history" } { "Older changes" } }
            }
        }
    };
    layout::page(&handle, &caller, "/resources/", &title, &main)
}

fn facts(record: &StoredResource) -> Markup {
    let meta = ResourceMeta::from(record);
    let text = |fact: Option<String>| fact.map(Value::from);
    let shown = [
        ("usable", meta.usable.map(Value::from)),
        ("approval", text(meta.approval)),
        ("block", text(meta.block)),
        ("access", text(meta.access)),
        ("contactStatus", meta.contact_status.map(Value::from)),
        ("login", meta.login.map(Value::from)),
        ("version", Some(meta.version.into())),
    ];
    html! {
        dl.facts {
            @for (name, fact) in shown {
                @if let Some(fact) = fact { div { dt { (name) } dd { (value::value(&fact)) } } }
            }
        }
    }
}

fn fields(provenance: &ResourceProvenance) -> Markup {
    html! {
        section #fields {
            h2 { "Fields" }
            table {
                caption { "Stored values, and the source, commit and line that set them." }
                thead { tr { th scope="col" { "Field" } th scope="col" { "Value" } th scope="col" { "Set by" } } }
                tbody { @for field in &provenance.fields { (field_row(field)) } }
            }
        }
    }
}

fn field_row(field: &FieldProvenance) -> Markup {
    html! {
        tr {
            th scope="row" data-label="Field" { (field.name) }
            td data-label="Value" {
                (value::value(field.value.as_ref().unwrap_or(&Value::Null)))
                @if field.changed_elsewhere { " " span.badge.waits { "changed outside Roster" } }
            }
            td data-label="Set by" {
                @match &field.set_by {
                    ValueSetter::Change(change) => (set_by(change)),
                    ValueSetter::Default(change) => { "default at creation: " (set_by(change)) },
                    ValueSetter::Adopted(change) => { "existed before Roster, adopted: " (set_by(change)) },
                    ValueSetter::Nobody => span.nothing { "no run set it" },
                }
            }
        }
    }
}

fn set_by(change: &ChangeRecord) -> Markup {
    html! {
        @if change.source.is_empty() { (change.actor) " " } @else { (change.source) " " (link::revision(&change.revision)) " " }
        @if let Some(origin) = ValueChangeDocument::from(change).origin { (value::place(&origin)) " " }
        (link::run(change.run)) " " (time::milliseconds(change.at))
    }
}

fn claims(provenance: &ResourceProvenance) -> Markup {
    html! {
        section #claims {
            h2 { "Claims" }
            @if provenance.sources.is_empty() { p { "No source claims it." } }
            @else {
                table {
                    caption { "Sources that declare or claim it." }
                    thead { tr {
                        th scope="col" { "Source" } th scope="col" { "Claim" } th scope="col" { "Where" } th scope="col" { "Revision" }
                    } }
                    tbody { @for voice in &provenance.sources { (claim(voice, provenance.version)) } }
                }
            }
        }
    }
}

fn claim(voice: &SourceStatement, version: Option<i64>) -> Markup {
    let claim = voice.claim.as_ref();
    html! {
        tr {
            td data-label="Source" { (voice.source) }
            td data-label="Claim" {
                (claim.map_or("not applied yet", |claim| claim.state.word()))
                // The source has not been compared since the row changed. The next pass does that.
                @if claim.is_some() && !voice.has_seen(version) { ", before the last change" }
            }
            td data-label="Where" { @if let Some((path, at)) = voice.place() { (value::place(&OriginDocument::new(path, at))) } }
            td data-label="Revision" { @if let Some(claim) = claim { (link::revision(&claim.revision)) } }
        }
    }
}

fn change_line(change: &ChangeRecord) -> Markup {
    html! {
        li {
            p { (change.verb) " " span.small { (change.reason) } " by " (set_by(change)) }
            (value::committed_changes(&ChangeDocument::from(change.clone()).fields))
        }
    }
}

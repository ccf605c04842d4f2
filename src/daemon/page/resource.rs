//! The page of one stored resource: its fields with what set each, its acts, claims and history.
//!
//! It is only for callers who see every source, since a resource may belong to several. The fields
//! come from the same function as `roster why`.

use super::account_members::AccountMembers;
use super::user_records::{UserRecords, dossier_link};
use super::{layout, link, propose, reference, resource_acts, source_status, time, value};
use crate::daemon::api::records;
use crate::daemon::handle::DaemonHandle;
use crate::daemon::path_segment;
use crate::diagnostic::visible;
use crate::document::{
    ChangeDocument, DiagnosticState, OriginDocument, ResourceMeta, ValueChangeDocument,
};
use crate::http::problem::HttpProblem;
use crate::http::{Caller, PathParams, Permission, QueryParams, Route};
use crate::kinds::{self, Kind};
use crate::model::Key;
use crate::reconcile::{
    self, DeclaredValue, FieldProvenance, ResourceProvenance, SourceStatement, ValueSetter,
};
use crate::store::{ChangeRecord, StoreError, StoredResource};
use axum::extract::State;
use axum::http::Method;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

/// The number of changes on a page.
const HISTORY: u32 = 30;

#[derive(Debug, Deserialize)]
struct ResourcePageParam {
    kind: String,
    #[serde(deserialize_with = "path_segment::decode_id")]
    id: String,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![Route::page(
        Method::GET,
        "/resources/{kind}/{id}",
        Permission::Read,
        resource_page,
    )]
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
    let named = key.to_string();
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
    let name = record
        .as_ref()
        .and_then(|record| kinds::json::name(&record.row));
    let title = name.unwrap_or_else(|| named.clone());
    let list = format!("/resources?kind={}", kind.name);
    let above = [
        ("/", "Home"),
        ("/resources", "Resources"),
        (&*list, kind.name),
    ];
    let main = html! {
        (layout::breadcrumbs(&above, &title))
        h1 { (visible(&title)) }
        p.id { code.key { (named) } }
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
        (fields(kind, &provenance))
        (claims(&provenance))
        section #history {
            h2 { "History" }
            @if history.is_empty() { p { "No run changed it." } }
            ol.timeline { @for change in &history { (change_line(change)) } }
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

/// The fields, those that one change set together below what set them.
fn fields(kind: &Kind, provenance: &ResourceProvenance) -> Markup {
    let mut groups: Vec<Vec<&FieldProvenance>> = Vec::new();
    for field in &provenance.fields {
        let mut known = groups.iter_mut();
        match known.find(|group| is_same_setter(&group[0].set_by, &field.set_by)) {
            Some(group) => group.push(field),
            None => groups.push(vec![field]),
        }
    }
    html! {
        section #fields {
            h2 { "Fields" }
            table {
                caption { "Stored values, below the source, commit and line that set them." }
                @for group in &groups {
                    tbody {
                        tr { th.setter scope="rowgroup" colspan="2" { (setter(&group[0].set_by)) } }
                        @for field in group { (field_row(kind, field)) }
                    }
                }
            }
        }
    }
}

fn is_same_setter(one: &ValueSetter, other: &ValueSetter) -> bool {
    match (one, other) {
        (ValueSetter::Change(one), ValueSetter::Change(other))
        | (ValueSetter::Default(one), ValueSetter::Default(other))
        | (ValueSetter::Adopted(one), ValueSetter::Adopted(other)) => one.seq == other.seq,
        (ValueSetter::Nobody, ValueSetter::Nobody) => true,
        _ => false,
    }
}

fn setter(setter: &ValueSetter) -> Markup {
    html! {
        @match setter {
            ValueSetter::Change(change) => { "Set by " (set_by(change)) },
            ValueSetter::Default(change) => { "Default at creation: " (set_by(change)) },
            ValueSetter::Adopted(change) => { "Existed before Roster, adopted: " (set_by(change)) },
            ValueSetter::Nobody => "No run set it",
        }
    }
}

fn field_row(kind: &Kind, field: &FieldProvenance) -> Markup {
    let value = field.value.as_ref().unwrap_or(&Value::Null);
    html! {
        tr {
            th scope="row" data-label="Field" { (field.name) }
            td data-label="Value" {
                @if let Some(declared) = &field.declared_instead {
                    span.badge.waits { "changed outside Roster" }
                    dl.changes {
                        div { dt { "Stored" } dd { (reference::value(kind, &field.name, value)) } }
                        div { dt { "Declared" } dd { (declared_value(kind, &field.name, declared)) } }
                    }
                } @else { (reference::value(kind, &field.name, value)) }
            }
        }
    }
}

fn declared_value(kind: &Kind, field: &str, declared: &DeclaredValue) -> Markup {
    html! {
        @match declared {
            DeclaredValue::Value(value) => (reference::value(kind, field, value)),
            DeclaredValue::Nothing => span.nothing { "by no source" },
            // Its text is in the manifest only.
            DeclaredValue::Unknown => span.nothing { "another value; see " a href="#claims" { "where it is declared" } },
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
            p { strong { (change.verb) } " " span.small { (change.reason) } " by " (set_by(change)) }
            (value::committed_changes(&ChangeDocument::from(change.clone()).fields))
        }
    }
}

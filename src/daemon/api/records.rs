//! Stored resources and their past: history, runs, changes and acts. Every list is read a page at a
//! time. The page shares `search_resources`.

use super::request::MAX_ID_LENGTH;
use super::require_max_length;
use super::visibility::{ViewerQuery, require_viewer, require_visible};
use crate::daemon::handle::DaemonHandle;
use crate::daemon::path_segment;
use crate::document::{ActView, ChangeDocument, ProvenanceDocument, ResourceDocument, RunDocument};
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, PathParams, Permission, QueryParams, Route};
use crate::kinds::{self, Kind};
use crate::model::{Key, KindId};
use crate::reconcile;
use crate::store::{ChangeRecord, SearchPage, SearchQuery, StoreError};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most characters of a search.
const MAX_SEARCH_LENGTH: usize = 200;
/// The most characters of the `next` of a search: an external id, and where the search is.
const MAX_CURSOR_LENGTH: usize = MAX_ID_LENGTH + 8;

/// A kind by name.
#[derive(Debug, Deserialize, JsonSchema)]
struct KindParam {
    /// `User`, `users` or `user`.
    kind: String,
}

/// A resource by kind and id.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ResourceParam {
    /// `User`, `users` or `user`.
    pub(super) kind: String,
    /// The external id. Write `~.` and `~..` for the ids `.` and `..`, which have a special meaning
    /// in paths.
    #[serde(deserialize_with = "path_segment::decode_id")]
    #[schemars(length(min = 1))]
    pub(super) id: String,
}

/// A run by number.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct RunParam {
    /// The number of the run, from 1.
    pub(super) run: i64,
}

/// Which resources.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ResourceFilter {
    /// Words to search for in the external id and in text fields. Resources in which a word begins
    /// an id, an e-mail address or a name come first.
    #[schemars(length(max = MAX_SEARCH_LENGTH), regex(pattern = r"^[^\u0000]*$"))]
    q: Option<String>,
    /// `active` or `inactive`.
    status: Option<StatusFilter>,
    /// Only what belongs to this account, by external id: its users, organisations, policies,
    /// addresses and tags. Nothing of other kinds.
    #[schemars(length(max = MAX_ID_LENGTH), regex(pattern = r"^[^\u0000]*$"))]
    account: Option<String>,
    /// Only accounts that wait for an approval. Nothing of other kinds.
    pending: bool,
    /// Only what this user sees, by external id. For users, organisations and accounts.
    #[serde(rename = "asUser")]
    #[schemars(length(max = MAX_ID_LENGTH), regex(pattern = r"^[^\u0000]*$"))]
    as_user: Option<String>,
    /// The `next` of the previous page.
    #[schemars(length(max = MAX_CURSOR_LENGTH), regex(pattern = r"^[^\u0000]*$"))]
    after: Option<String>,
    /// The maximum number of items. Default: 50. Limit: 500.
    limit: Option<u32>,
}

/// Whether a resource is active.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum StatusFilter {
    /// The resource is active.
    Active,
    /// The resource is inactive.
    Inactive,
}

/// A page of stored resources. A search looks at a part of the resources for a page, so a page may
/// have few items, or none, and not be the last one.
#[derive(Debug, Serialize, JsonSchema)]
struct ResourcePage {
    /// The resources of the page.
    items: Vec<ResourceDocument>,
    /// The `after` of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A page of the changes of a resource.
#[derive(Debug, Serialize, JsonSchema)]
struct HistoryPage {
    /// The changes of the page, newest first.
    items: Vec<ChangeDocument>,
    /// The `before` of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Runs.
#[derive(Debug, Serialize, JsonSchema)]
struct RunList {
    /// The runs, newest first.
    items: Vec<RunDocument>,
    /// The `before` of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which runs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RunQuery {
    /// Return runs before this one. Default: the latest.
    #[schemars(range(min = 0))]
    before: Option<i64>,
    /// The maximum number of items, newest first. Default: 50. Limit: 1000.
    limit: Option<u32>,
}

/// How many.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitQuery {
    /// The maximum number of items, newest first. Default: 50. Limit: 1000.
    limit: Option<u32>,
}

impl LimitQuery {
    /// How many rows to read.
    pub(super) fn rows(&self) -> u32 {
        self.limit.unwrap_or(50).clamp(1, 1000)
    }
}

/// Which changes of a resource.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct HistoryQuery {
    /// Return changes before this number. Default: the latest.
    #[schemars(range(min = 0))]
    before: Option<i64>,
    /// Answer only if this user sees the resource.
    #[serde(rename = "asUser")]
    #[schemars(length(max = MAX_ID_LENGTH), regex(pattern = r"^[^\u0000]*$"))]
    as_user: Option<String>,
    /// The maximum number of items, newest first. Default: 50. Limit: 1000.
    limit: Option<u32>,
}

/// A place in the sequence of all changes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ChangeCursor {
    /// Return changes after this number. 0 starts at the first change.
    #[schemars(range(min = 0))]
    after: i64,
    /// The maximum number of changes. Default: 500. Limit: 1000.
    limit: Option<u32>,
}

/// Committed changes in order, without gaps.
#[derive(Debug, Serialize, JsonSchema)]
struct ChangePage {
    /// The changes.
    items: Vec<ChangeDocument>,
    /// The `after` of the next request.
    next: i64,
}

impl ChangeCursor {
    /// The start and the size of the page.
    fn bounds(&self) -> Result<(i64, u32), HttpProblem> {
        require_counted("after", self.after)?;
        Ok((self.after, self.limit.unwrap_or(500).clamp(1, 1000)))
    }
}

/// Refuses a negative number in place of a position.
fn require_counted(name: &str, number: i64) -> Result<i64, HttpProblem> {
    if number < 0 {
        let message = format!("`{name}` must not be negative");
        return Err(HttpProblem::new(problem::INVALID, message));
    }
    Ok(number)
}

impl ChangePage {
    fn from_records(changes: Vec<ChangeRecord>, after: i64) -> Self {
        Self {
            // An empty page repeats the cursor, so a client can go on asking with `next`.
            next: changes.last().map_or(after, |last| last.seq),
            items: changes.into_iter().map(Into::into).collect(),
        }
    }
}

/// The audit log.
#[derive(Debug, Serialize, JsonSchema)]
struct ActList {
    /// The acts, newest first.
    items: Vec<ActView>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::get("/api/v1/resources/{kind}", "resources", Permission::Read, resources).with_docs(
            "List stored resources of a kind",
            "Sorted by external id, one page at a time, in the format of `roster get --output json`. \
             Continue with `next` until it is absent, even if a page is empty.",
        )
        .problems(&[problem::INVALID, problem::NOT_FOUND]),
        Route::get("/api/v1/resources/{kind}/{id}", "resource", Permission::Read, resource)
            .with_docs("Get a stored resource", "Returns its manifest and `meta`."),
        Route::get("/api/v1/resources/{kind}/{id}/history", "history", Permission::Read, history)
            .with_docs(
                "List the changes of a resource",
                "Newest first, one page at a time. `next` is the `before` of the next page.",
            ),
        Route::get("/api/v1/resources/{kind}/{id}/why", "why", Permission::Read, why).with_docs(
            "Get the origin of each field",
            "Each applied field with the source, commit and line that set it.",
        ),
        Route::get("/api/v1/runs", "runs", Permission::Read, runs)
            .with_docs(
                "List the runs",
                "Newest first, one page at a time. `next` is the `before` of the next page.",
            ),
        Route::get("/api/v1/runs/{run}", "run", Permission::Read, run)
            .with_docs("Get a run", "Returns its result, source and revision."),
        Route::get("/api/v1/runs/{run}/changes", "runChanges", Permission::Read, run_changes).with_docs(
            "List the changes of a run",
            "In order, one page at a time. `next` is the `after` of the next page.",
        ),
        Route::get("/api/v1/changes", "changes", Permission::Read, changes).with_docs(
            "List every committed change in order",
            "Without gaps. To continue, pass `next` as `after` in the next request.",
        ),
        Route::get("/api/v1/acts", "acts", Permission::Read, acts).with_docs(
            "Get the audit log",
            "Acts such as suspend, resume, approve and reconcile, newest first, each with a name and a reason.",
        ),
    ]
}

/// The kind of this name, in any of its spellings.
pub(in crate::daemon) fn find_kind(name: &str) -> Result<&'static Kind, HttpProblem> {
    kinds::by_loose_name(name).ok_or_else(|| HttpProblem::not_found(format!("no kind `{name}`")))
}

async fn resources(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<KindParam>,
    QueryParams(filter): QueryParams<ResourceFilter>,
) -> Result<Json<ResourcePage>, HttpProblem> {
    let kind = find_kind(&of.kind)?.id;
    for (most, name, text) in [
        (MAX_SEARCH_LENGTH, "q", &filter.q),
        (MAX_CURSOR_LENGTH, "after", &filter.after),
        (MAX_ID_LENGTH, "account", &filter.account),
    ] {
        require_max_length(most, name, text.as_deref().unwrap_or_default())?;
    }
    let limit = filter.limit.unwrap_or(50).clamp(1, 500);
    let status = filter.status.map(|status| match status {
        StatusFilter::Active => "active",
        StatusFilter::Inactive => "inactive",
    });
    require_viewer(&handle, filter.as_user.as_deref(), kind).await?;
    let search = ResourceSearch {
        words: filter.q,
        status,
        account: filter.account,
        pending: filter.pending,
        as_user: filter.as_user,
        after: filter.after,
        limit,
        ..ResourceSearch::default()
    };
    let page = search_resources(&handle, kind, search).await?;
    Ok(Json(ResourcePage {
        items: page.found.iter().map(Into::into).collect(),
        next: page.next,
    }))
}

/// What to search for.
#[derive(Debug, Default)]
pub(in crate::daemon) struct ResourceSearch {
    pub(in crate::daemon) words: Option<String>,
    pub(in crate::daemon) status: Option<&'static str>,
    pub(in crate::daemon) account: Option<String>,
    pub(in crate::daemon) source: Option<String>,
    pub(in crate::daemon) pending: bool,
    pub(in crate::daemon) blocked: bool,
    pub(in crate::daemon) as_user: Option<String>,
    pub(in crate::daemon) after: Option<String>,
    pub(in crate::daemon) limit: u32,
}

/// A page of the search, and where the next one starts.
pub(in crate::daemon) async fn search_resources(
    handle: &DaemonHandle,
    kind: KindId,
    search: ResourceSearch,
) -> Result<SearchPage, HttpProblem> {
    handle
        .query_store(move |store| async move {
            let wanted = SearchQuery {
                id: None,
                source: search.source.as_deref(),
                words: search.words.as_deref(),
                status: search.status,
                account: search.account.as_deref(),
                pending: search.pending,
                blocked: search.blocked,
                as_user: search.as_user.as_deref(),
                after: search.after.as_deref(),
                limit: search.limit,
                part: None,
            };
            store.search(kind, &wanted).await
        })
        .await
}

async fn resource(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<ResourceParam>,
    QueryParams(viewer): QueryParams<ViewerQuery>,
) -> Result<Json<ResourceDocument>, HttpProblem> {
    let key = Key::new(find_kind(&of.kind)?.id, &of.id);
    let missing = HttpProblem::not_found(format!("{key} does not exist"));
    require_visible(&handle, viewer.as_user.as_deref(), &key, missing.clone()).await?;
    let record = handle
        .query_store(move |store| async move { store.record(&key).await })
        .await?;
    Ok(Json(ResourceDocument::from(&record.ok_or(missing)?)))
}

async fn history(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<ResourceParam>,
    QueryParams(earlier): QueryParams<HistoryQuery>,
) -> Result<Json<HistoryPage>, HttpProblem> {
    let key = Key::new(find_kind(&of.kind)?.id, &of.id);
    let missing = HttpProblem::not_found(format!("{key} does not exist"));
    require_visible(&handle, earlier.as_user.as_deref(), &key, missing).await?;
    let before = require_counted("before", earlier.before.unwrap_or(i64::MAX))?;
    let limit = earlier.limit.unwrap_or(50).clamp(1, 1000);
    let changes = handle
        .query_store(
            move |store| async move { store.history_before(Some(&key), before, limit).await },
        )
        .await?;
    let more = changes.len() == limit as usize;
    let last = changes.last().filter(|_| more);
    Ok(Json(HistoryPage {
        next: last.map(|change| change.seq.to_string()),
        items: changes.into_iter().map(Into::into).collect(),
    }))
}

async fn why(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<ResourceParam>,
    QueryParams(viewer): QueryParams<ViewerQuery>,
) -> Result<Json<ProvenanceDocument>, HttpProblem> {
    let key = Key::new(find_kind(&of.kind)?.id, &of.id);
    let missing = HttpProblem::not_found(format!("{key} does not exist and never did"));
    require_visible(&handle, viewer.as_user.as_deref(), &key, missing.clone()).await?;
    let provenance = handle
        .query_store(move |store| async move { reconcile::provenance(None, &store, &key).await })
        .await?;
    Ok(Json(ProvenanceDocument::from(&provenance.ok_or(missing)?)))
}

async fn runs(
    State(handle): State<DaemonHandle>,
    QueryParams(earlier): QueryParams<RunQuery>,
) -> Result<Json<RunList>, HttpProblem> {
    let before = require_counted("before", earlier.before.unwrap_or(i64::MAX))?;
    let limit = earlier.limit.unwrap_or(50).clamp(1, 1000);
    let runs = handle
        .query_store(move |store| async move { store.runs_before(before, limit).await })
        .await?;
    let more = runs.len() == limit as usize;
    let last = runs.last().filter(|_| more);
    Ok(Json(RunList {
        next: last.map(|run| run.id.to_string()),
        items: runs.into_iter().map(Into::into).collect(),
    }))
}

async fn run(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<RunParam>,
) -> Result<Json<RunDocument>, HttpProblem> {
    let (run, mut causes) = handle
        .query_store(move |store| async move {
            let run = store.run(of.run).await?;
            let causes = store.run_causes(of.run, of.run).await?;
            Ok::<_, StoreError>((run, causes))
        })
        .await?;
    let run = run.ok_or_else(|| HttpProblem::not_found(format!("no run {}", of.run)))?;
    let cause = causes.remove(&of.run);
    Ok(Json(RunDocument {
        cause: cause.and_then(|cause| serde_json::from_str(&cause).ok()),
        ..run.into()
    }))
}

async fn run_changes(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<RunParam>,
    QueryParams(cursor): QueryParams<ChangeCursor>,
) -> Result<Json<ChangePage>, HttpProblem> {
    let (after, limit) = cursor.bounds()?;
    let run = of.run;
    let changes = handle
        .query_store(move |store| async move { store.changes_of(run, after, limit).await })
        .await?;
    Ok(Json(ChangePage::from_records(changes, after)))
}

async fn changes(
    State(handle): State<DaemonHandle>,
    QueryParams(cursor): QueryParams<ChangeCursor>,
) -> Result<Json<ChangePage>, HttpProblem> {
    let (after, limit) = cursor.bounds()?;
    let changes = handle
        .query_store(move |store| async move { store.changes_after(after, limit).await })
        .await?;
    Ok(Json(ChangePage::from_records(changes, after)))
}

async fn acts(
    State(handle): State<DaemonHandle>,
    _: Caller,
    QueryParams(limit): QueryParams<LimitQuery>,
) -> Result<Json<ActList>, HttpProblem> {
    let limit = limit.rows();
    let items = handle
        .query(move |daemon| async move { daemon.board.acts(limit).await })
        .await?;
    Ok(Json(ActList { items }))
}

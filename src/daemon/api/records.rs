//! What is stored and what happened to it: resources, history, runs, changes, acts.

use super::{Door, at_most};
use crate::daemon::part;
use crate::daemon::view::ActView;
use crate::http::problem::{self, Problem};
use crate::http::{Caller, Path, Permission, Query, Route};
use crate::kinds::{self, Kind};
use crate::model::{Key, KindId};
use crate::reconcile::{self, json};
use crate::store::{ChangeRecord, Record, Search, StoreError};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long the words of a search may be.
const WORDS: usize = 200;
/// How long an external id is at most.
const ID: usize = 255;

/// A kind by name.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OfKind {
    /// `User`, `users` or `user`.
    kind: String,
}

/// A resource by kind and id.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OfKey {
    /// `User`, `users` or `user`.
    kind: String,
    /// The external id. Write `~.` and `~..` for the ids `.` and `..`, which have a special meaning
    /// in paths.
    #[serde(deserialize_with = "part::id")]
    #[schemars(length(min = 1))]
    id: String,
}

/// A run by number.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OfRun {
    /// The number of the run, from 1.
    run: i64,
}

/// Which resources.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Words to search for in the external id and in text fields.
    #[schemars(length(max = WORDS))]
    q: Option<String>,
    /// `active` or `inactive`.
    status: Option<Standing>,
    /// Start after this external id, the `next` of the previous page.
    #[schemars(length(max = ID))]
    after: Option<String>,
    /// The maximum number of items. Default: 50. Limit: 500.
    limit: Option<u32>,
}

/// Whether a resource is active.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// The resource is active.
    Active,
    /// The resource is inactive.
    Inactive,
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Items {
    /// The items of the page.
    items: Vec<Value>,
    /// The `after` (for a history, the `before`) of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// How many.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limit {
    /// The maximum number of items, newest first. Default: 50. Limit: 1000.
    limit: Option<u32>,
}

impl Limit {
    /// How many rows to read.
    pub(super) fn rows(&self) -> u32 {
        self.limit.unwrap_or(50).clamp(1, 1000)
    }
}

/// Which changes of a resource.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Earlier {
    /// Return changes before this number. Default: the latest.
    #[schemars(range(min = 0))]
    before: Option<i64>,
    /// The maximum number of items, newest first. Default: 50. Limit: 1000.
    limit: Option<u32>,
}

/// A place in the sequence of all changes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cursor {
    /// Return changes after this number. 0 starts at the first change.
    #[schemars(range(min = 0))]
    after: i64,
    /// The maximum number of changes. Default: 500. Limit: 5000.
    limit: Option<u32>,
}

/// Committed changes in order, without gaps.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Changes {
    /// The changes.
    items: Vec<Value>,
    /// The `after` of the next request.
    next: i64,
}

impl Cursor {
    /// After which change, and how many.
    fn place(&self) -> Result<(i64, u32), Problem> {
        if self.after < 0 {
            return Err(Problem::new(problem::INVALID, "`after` is not below 0"));
        }
        Ok((self.after, self.limit.unwrap_or(500).clamp(1, 5000)))
    }
}

impl Changes {
    fn of(changes: &[ChangeRecord], after: i64) -> Self {
        Self {
            next: changes.last().map_or(after, |last| last.seq),
            items: changes.iter().map(json::change).collect(),
        }
    }
}

/// The audit log.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Acts {
    /// The acts, newest first.
    items: Vec<ActView>,
}

pub(super) fn routes() -> Vec<Route<Door>> {
    vec![
        Route::get("/api/v1/resources/{kind}", "resources", Permission::Read, resources).says(
            "List stored resources of a kind",
            "Sorted by external id, one page at a time, in the format of `roster get --output json`.",
        )
        .problems(&[problem::INVALID]),
        Route::get("/api/v1/resources/{kind}/{id}", "resource", Permission::Read, resource)
            .says("Get a stored resource", "Returns its manifest and `meta`."),
        Route::get("/api/v1/resources/{kind}/{id}/history", "history", Permission::Read, history)
            .says(
                "List the changes of a resource",
                "Newest first, one page at a time. `next` is the `before` of the next page.",
            ),
        Route::get("/api/v1/resources/{kind}/{id}/why", "why", Permission::Read, why).says(
            "Get the origin of each field",
            "Each applied field with the source, commit and line that set it.",
        ),
        Route::get("/api/v1/runs", "runs", Permission::Read, runs)
            .says("List the runs", "The latest runs, newest first."),
        Route::get("/api/v1/runs/{run}", "run", Permission::Read, run)
            .says("Get a run", "Returns its result, source and revision."),
        Route::get("/api/v1/runs/{run}/changes", "runChanges", Permission::Read, run_changes).says(
            "List the changes of a run",
            "In order, one page at a time. `next` is the `after` of the next page.",
        ),
        Route::get("/api/v1/changes", "changes", Permission::Read, changes).says(
            "List every committed change in order",
            "Without gaps. To continue, pass `next` as `after` in the next request.",
        ),
        Route::get("/api/v1/acts", "acts", Permission::Read, acts).says(
            "Get the audit log",
            "Acts such as suspend, resume, approve and reconcile, newest first, each with a name and a reason.",
        ),
    ]
}

/// The kind of this name.
pub(in crate::daemon) fn kind(name: &str) -> Result<&'static Kind, Problem> {
    kinds::meant(name).ok_or_else(|| Problem::not_found(format!("`{name}` is no kind")))
}

async fn resources(
    State(door): State<Door>,
    Path(of): Path<OfKind>,
    Query(filter): Query<Filter>,
) -> Result<Json<Items>, Problem> {
    let kind = kind(&of.kind)?.id;
    for (most, name, text) in [(WORDS, "q", &filter.q), (ID, "after", &filter.after)] {
        at_most(most, name, text.as_deref().unwrap_or_default())?;
    }
    let limit = filter.limit.unwrap_or(50).clamp(1, 500);
    let status = filter.status.map(|status| match status {
        Standing::Active => "active",
        Standing::Inactive => "inactive",
    });
    let (records, next) = found(&door, kind, filter.q, status, filter.after, limit).await?;
    Ok(Json(Items {
        items: records.iter().map(json::resource).collect(),
        next,
    }))
}

/// A page of what is looked for, and where the next one begins.
pub(in crate::daemon) async fn found(
    door: &Door,
    kind: KindId,
    words: Option<String>,
    status: Option<&'static str>,
    after: Option<String>,
    limit: u32,
) -> Result<(Vec<Record>, Option<String>), Problem> {
    door.ask(move |daemon| async move {
        let wanted = Search {
            words: words.as_deref(),
            status,
            after: after.as_deref(),
            limit,
        };
        let ids = daemon.store.search(kind, &wanted).await?;
        let next = (ids.len() == limit as usize).then(|| ids.last().map(ToString::to_string));
        let mut records = Vec::new();
        for id in &ids {
            records.extend(daemon.store.record(&Key::new(kind, id)).await?);
        }
        Ok::<_, StoreError>((records, next.flatten()))
    })
    .await
}

async fn resource(State(door): State<Door>, Path(of): Path<OfKey>) -> Result<Json<Value>, Problem> {
    let key = Key::new(kind(&of.kind)?.id, &of.id);
    let missing = Problem::not_found(format!("{key} is not stored"));
    let record = door
        .ask(move |daemon| async move { daemon.store.record(&key).await })
        .await?;
    Ok(Json(json::resource(&record.ok_or(missing)?)))
}

async fn history(
    State(door): State<Door>,
    Path(of): Path<OfKey>,
    Query(earlier): Query<Earlier>,
) -> Result<Json<Items>, Problem> {
    let key = Key::new(kind(&of.kind)?.id, &of.id);
    let before = earlier.before.unwrap_or(i64::MAX);
    let limit = earlier.limit.unwrap_or(50).clamp(1, 1000);
    let changes =
        door.ask(move |daemon| async move {
            daemon.store.history_before(Some(&key), before, limit).await
        })
        .await?;
    let more = changes.len() == limit as usize;
    let last = changes.last().filter(|_| more);
    Ok(Json(Items {
        next: last.map(|change| change.seq.to_string()),
        items: changes.iter().map(json::change).collect(),
    }))
}

async fn why(State(door): State<Door>, Path(of): Path<OfKey>) -> Result<Json<Value>, Problem> {
    let key = Key::new(kind(&of.kind)?.id, &of.id);
    let missing = Problem::not_found(format!("{key} is not stored and never was"));
    let told = door
        .ask(move |daemon| async move { reconcile::provenance(None, &daemon.store, &key).await })
        .await?;
    Ok(Json(told.ok_or(missing)?.to_json()))
}

async fn runs(
    State(door): State<Door>,
    Query(limit): Query<Limit>,
) -> Result<Json<Items>, Problem> {
    let limit = limit.rows();
    let runs = door
        .ask(move |daemon| async move { daemon.store.runs(limit).await })
        .await?;
    let items = runs.iter().map(json::run).collect();
    Ok(Json(Items { items, next: None }))
}

async fn run(State(door): State<Door>, Path(of): Path<OfRun>) -> Result<Json<Value>, Problem> {
    let run = door
        .ask(move |daemon| async move { daemon.store.run(of.run).await })
        .await?;
    let run = run.ok_or_else(|| Problem::not_found(format!("there is no run {}", of.run)))?;
    Ok(Json(json::run(&run)))
}

async fn run_changes(
    State(door): State<Door>,
    Path(of): Path<OfRun>,
    Query(cursor): Query<Cursor>,
) -> Result<Json<Changes>, Problem> {
    let (after, limit) = cursor.place()?;
    let run = of.run;
    let changes = door
        .ask(move |daemon| async move { daemon.store.changes_of(run, after, limit).await })
        .await?;
    Ok(Json(Changes::of(&changes, after)))
}

async fn changes(
    State(door): State<Door>,
    Query(cursor): Query<Cursor>,
) -> Result<Json<Changes>, Problem> {
    let (after, limit) = cursor.place()?;
    let changes = door
        .ask(move |daemon| async move { daemon.store.changes_after(after, limit).await })
        .await?;
    Ok(Json(Changes::of(&changes, after)))
}

async fn acts(
    State(door): State<Door>,
    _: Caller,
    Query(limit): Query<Limit>,
) -> Result<Json<Acts>, Problem> {
    let limit = limit.rows();
    let items = door
        .ask(move |daemon| async move { daemon.acts(limit).await })
        .await?;
    Ok(Json(Acts { items }))
}

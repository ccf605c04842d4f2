//! Sources: their state, and what a person can do with them: request a pass, suspend, resume. Every
//! act is recorded with a name and a reason. The page calls the same functions.

use super::records::LimitQuery;
use super::{SourceParam, require_max_length, require_reason, require_visible_source};
use crate::daemon::handle::DaemonHandle;
use crate::daemon::pass_progress::OVERRULE_TRIGGER;
use crate::daemon::state_document::suspension;
use crate::document::{
    ActReason, DaemonStatus, MAX_REASON_LENGTH, ReconcileReply, ReconcileRequest, SourceState,
    SourceView, StoredPlanDocument,
};
use crate::http::problem::{self, HttpProblem};
use crate::http::{
    AcceptedResponse, Caller, JsonBody, NoContentResponse, PathParams, Permission, QueryParams,
    Route,
};
use crate::store::{ALL_SOURCES, StoreError};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

/// Every source, in the order of the configuration.
#[derive(Debug, Serialize, JsonSchema)]
struct SourceList {
    /// The state of each source.
    items: Vec<SourceView>,
}

/// Passes, newest first.
#[derive(Debug, Serialize, JsonSchema)]
struct PassList {
    /// The passes.
    items: Vec<SourceState>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::get("/api/v1/status", "status", Permission::Read, status)
            .with_docs(
                "Get the state of the daemon",
                "Returns every source with its state. If nothing happens, one sentence says why.",
            )
            .filters_by_source(),
        Route::get("/api/v1/sources", "sources", Permission::Read, sources)
            .with_docs("List the sources", "The same state as in the status.")
            .filters_by_source(),
        Route::get("/api/v1/sources/{source}", "source", Permission::Read, source)
            .with_docs("Get the state of a source", "The same state as in the status."),
        Route::get("/api/v1/sources/{source}/plan", "sourcePlan", Permission::Read, plan).with_docs(
            "Get the last plan of a source",
            "The document of `roster plan --output json`. A plan of many thousand steps has only the first ones.",
        ),
        Route::get("/api/v1/sources/{source}/passes", "passes", Permission::Read, passes).with_docs(
            "List the passes of a source",
            "Passes with a new result, newest first.",
        ),
        Route::post("/api/v1/sources/{source}/reconcile", "reconcile", Permission::Operate, reconcile)
            .with_docs(
                "Request a pass",
                "If a pass is running, another one follows. `overruleWindow` applies outside the configured windows.",
            )
            .problems(&[problem::SUSPENDED]),
        Route::post("/api/v1/sources/{source}/suspend", "suspend", Permission::Operate, suspend).with_docs(
            "Suspend a source",
            "No replica runs a pass of the source until it is resumed, even after a restart.",
        ),
        Route::post("/api/v1/sources/{source}/resume", "resume", Permission::Operate, resume)
            .with_docs("Resume a source", "Also requests a pass.")
            .problems(&[problem::WRONG_STATE]),
        Route::post("/api/v1/suspend", "suspendAll", Permission::Operate, suspend_all)
            .with_docs("Suspend every source", "Includes sources that are configured later."),
        Route::post("/api/v1/resume", "resumeAll", Permission::Operate, resume_all)
            .with_docs(
                "End the suspension of every source",
                "Sources that were suspended by name stay suspended.",
            )
            .problems(&[problem::WRONG_STATE]),
        Route::post("/api/v1/reconcile", "reconcileAll", Permission::Operate, reconcile_all)
            .with_docs("Request a pass of every source", "Only of the sources of the token.")
            .filters_by_source(),
    ]
}

async fn status(
    State(handle): State<DaemonHandle>,
    caller: Caller,
) -> Result<Json<DaemonStatus>, HttpProblem> {
    let status = handle
        .query(move |daemon| async move {
            let mut status = daemon
                .board
                .status(|source| caller.may_access_source(source))
                .await?;
            // Resources may come from any source, so only callers who see all of them see these.
            if caller.sources.is_none() {
                status.diagnostics = daemon.board.directory_diagnostics().await?;
            }
            Ok::<_, StoreError>(status)
        })
        .await?;
    Ok(Json(status))
}

async fn sources(
    State(handle): State<DaemonHandle>,
    caller: Caller,
) -> Result<Json<SourceList>, HttpProblem> {
    let Json(status) = status(State(handle), caller).await?;
    let items = status.sources;
    Ok(Json(SourceList { items }))
}

async fn source(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(named): PathParams<SourceParam>,
) -> Result<Json<SourceView>, HttpProblem> {
    require_visible_source(&handle.setup()?.config, &caller, &named.source)?;
    let name = named.source;
    let status = handle
        .query(move |daemon| async move { daemon.board.status(|source| *source == name).await })
        .await?;
    let found = status.sources.into_iter().next();
    found.map(Json).ok_or_else(|| HttpProblem::not_found(""))
}

async fn plan(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(named): PathParams<SourceParam>,
) -> Result<Json<StoredPlanDocument>, HttpProblem> {
    require_visible_source(&handle.setup()?.config, &caller, &named.source)?;
    let plan = handle
        .query_store(move |store| async move { store.last_plan(&named.source).await })
        .await?;
    let plan = plan.ok_or_else(|| HttpProblem::not_found("no plan yet; no pass has run"))?;
    StoredPlanDocument::parse(plan)
        .map(Json)
        .map_err(HttpProblem::internal)
}

async fn passes(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(named): PathParams<SourceParam>,
    QueryParams(limit): QueryParams<LimitQuery>,
) -> Result<Json<PassList>, HttpProblem> {
    require_visible_source(&handle.setup()?.config, &caller, &named.source)?;
    let limit = limit.rows();
    let passes = handle
        .query_store(move |store| async move { store.passes(Some(&named.source), 0, limit).await })
        .await?;
    let read = passes
        .iter()
        .filter_map(|pass| serde_json::from_str(pass).ok());
    Ok(Json(PassList {
        items: read.collect(),
    }))
}

async fn reconcile(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(named): PathParams<SourceParam>,
    JsonBody(asked): JsonBody<ReconcileRequest>,
) -> Result<AcceptedResponse<ReconcileReply>, HttpProblem> {
    ask_for_pass(
        &handle,
        &caller,
        &named.source,
        &asked.reason,
        asked.overrule_window,
    )
    .await?;
    Ok(AcceptedResponse(ReconcileReply {
        sources: vec![named.source],
    }))
}

/// Requests a pass in the name of the caller, with `overrule` also outside the windows.
pub(in crate::daemon) async fn ask_for_pass(
    handle: &DaemonHandle,
    caller: &Caller,
    source: &str,
    why: &str,
    overrule: bool,
) -> Result<(), HttpProblem> {
    let daemon = handle.daemon()?;
    require_visible_source(&daemon.current.get().config, caller, source)?;
    // Applying outside a window breaks a rule of the operator, so it needs a reason. A plain
    // request does not.
    if overrule {
        require_reason(why)?;
    } else {
        require_max_length(MAX_REASON_LENGTH, "reason", why)?;
    }
    let (name, of, why) = (
        caller.name.to_string(),
        source.to_owned(),
        why.trim().to_owned(),
    );
    let suspended = handle
        .query_store(move |store| async move {
            let suspended = suspension(&store, &of).await?;
            // Recorded before the pass is requested, and not at all if there will be none.
            if suspended.is_none() {
                let act = if overrule {
                    "overrule window"
                } else {
                    "reconcile"
                };
                store.record_act(&name, act, &of, &why).await?;
            }
            Ok::<_, crate::store::StoreError>(suspended)
        })
        .await?;
    if let Some(suspension) = suspended {
        let why = format!("suspended by {}: {}", suspension.actor, suspension.reason);
        return Err(HttpProblem::new(problem::SUSPENDED, why));
    }
    if overrule {
        daemon.current.request_pass(source, OVERRULE_TRIGGER);
    }
    let trigger = format!("requested by {}", caller.name);
    daemon.current.request_pass(source, &trigger);
    Ok(())
}

/// Requests a pass of every visible source that is not suspended. The act is recorded first, so
/// that no pass is made without a record of who asked.
async fn reconcile_all(
    State(handle): State<DaemonHandle>,
    caller: Caller,
) -> Result<AcceptedResponse<ReconcileReply>, HttpProblem> {
    let setup = handle.setup()?;
    let seen = setup
        .workers
        .keys()
        .filter(|source| caller.may_access_source(source));
    let seen: Vec<String> = seen.cloned().collect();
    let name = caller.name.to_string();
    let sources = handle
        .query_store(move |store| async move {
            let mut sources = Vec::new();
            for source in seen {
                if suspension(&store, &source).await?.is_none() {
                    sources.push(source);
                }
            }
            if !sources.is_empty() {
                let of = sources.join(", ");
                let stored = store.record_act(&name, "reconcile", &of, "");
                stored.await?;
            }
            Ok::<_, crate::store::StoreError>(sources)
        })
        .await?;
    if sources.is_empty() {
        return Err(HttpProblem::new(
            problem::SUSPENDED,
            "every source is suspended",
        ));
    }
    let workers = sources
        .iter()
        .filter_map(|source| setup.workers.get(source));
    workers.for_each(|worker| worker.request_pass(&format!("requested by {}", caller.name)));
    Ok(AcceptedResponse(ReconcileReply { sources }))
}

async fn suspend(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(named): PathParams<SourceParam>,
    JsonBody(why): JsonBody<ActReason>,
) -> Result<NoContentResponse, HttpProblem> {
    suspend_one(&handle, &caller, named.source, &why.reason).await
}

async fn suspend_all(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    JsonBody(why): JsonBody<ActReason>,
) -> Result<NoContentResponse, HttpProblem> {
    record_suspension(&handle, &caller, ALL_SOURCES.to_owned(), &why.reason).await
}

/// Suspends a source that the caller may see.
pub(in crate::daemon) async fn suspend_one(
    handle: &DaemonHandle,
    caller: &Caller,
    source: String,
    why: &str,
) -> Result<NoContentResponse, HttpProblem> {
    require_visible_source(&handle.setup()?.config, caller, &source)?;
    record_suspension(handle, caller, source, why).await
}

/// Records the suspension of a source, or of all, in the name of the caller.
pub(in crate::daemon) async fn record_suspension(
    handle: &DaemonHandle,
    caller: &Caller,
    source: String,
    why: &str,
) -> Result<NoContentResponse, HttpProblem> {
    let (name, why) = (caller.name.to_string(), require_reason(why)?.to_owned());
    handle
        .query_store(move |store| async move { store.suspend(&source, &name, &why).await })
        .await?;
    Ok(NoContentResponse)
}

async fn resume(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(named): PathParams<SourceParam>,
    JsonBody(why): JsonBody<ActReason>,
) -> Result<NoContentResponse, HttpProblem> {
    resume_one(&handle, &caller, named.source, &why.reason).await
}

async fn resume_all(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    JsonBody(why): JsonBody<ActReason>,
) -> Result<NoContentResponse, HttpProblem> {
    record_resumption(&handle, &caller, ALL_SOURCES.to_owned(), &why.reason).await
}

/// Resumes a source that the caller may see.
pub(in crate::daemon) async fn resume_one(
    handle: &DaemonHandle,
    caller: &Caller,
    source: String,
    why: &str,
) -> Result<NoContentResponse, HttpProblem> {
    require_visible_source(&handle.setup()?.config, caller, &source)?;
    record_resumption(handle, caller, source, why).await
}

/// Ends the suspension of a source, or of all, in the name of the caller.
pub(in crate::daemon) async fn record_resumption(
    handle: &DaemonHandle,
    caller: &Caller,
    source: String,
    why: &str,
) -> Result<NoContentResponse, HttpProblem> {
    let (name, why) = (caller.name.to_string(), require_reason(why)?.to_owned());
    let of = source.clone();
    let was = handle
        .query_store(move |store| async move { store.resume(&of, &name, &why).await })
        .await?;
    if !was {
        return Err(HttpProblem::new(
            problem::WRONG_STATE,
            "the source is not suspended",
        ));
    }
    let daemon = handle.daemon()?;
    // `ALL_SOURCES` is not the name of a worker.
    if !daemon.current.request_pass(&source, "resumed") {
        daemon.current.request_all_passes("resumed");
    }
    Ok(NoContentResponse)
}

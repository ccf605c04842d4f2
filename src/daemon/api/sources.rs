//! Sources: how they stand, and what a person does with them.

use super::records::Limit;
use super::{Door, REASON, SAID, at_most, known, reason};
use crate::daemon::pass::OVERRULE;
use crate::daemon::state::State as SourceState;
use crate::daemon::view::{SourceView, Status};
use crate::http::problem::{self, Problem};
use crate::http::{Accepted, Caller, Done, Input, Path, Permission, Query, Route};
use crate::store::EVERY;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A source by name.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Named {
    /// The name of the source in the configuration.
    source: String,
}

/// The reason for an act.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// The reason, for the audit log.
    #[schemars(length(min = 1, max = REASON), regex(pattern = SAID))]
    reason: String,
}

/// A request for a pass.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[schemars(extend("anyOf" = [
    {"properties": {"overruleWindow": {"const": false}}},
    {"properties": {"reason": {"pattern": SAID}}, "required": ["reason"]},
]))]
pub struct Asked {
    /// The reason. Required with `overruleWindow`.
    #[schemars(length(max = REASON))]
    reason: String,
    /// Apply outside the configured windows. The audit log records this.
    overrule_window: bool,
}

/// A requested pass.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Knocked {
    /// The sources.
    sources: Vec<String>,
}

/// Every source, in the order of the configuration.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sources {
    /// The state of each source.
    items: Vec<SourceView>,
}

/// Passes, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Passes {
    /// The passes.
    items: Vec<SourceState>,
}

pub(super) fn routes() -> Vec<Route<Door>> {
    vec![
        Route::get("/api/v1/status", "status", Permission::Read, status)
            .says(
                "Get the state of the daemon",
                "Returns every source with its state. If nothing happens, one sentence says why.",
            )
            .sifted(),
        Route::get("/api/v1/sources", "sources", Permission::Read, sources)
            .says("List the sources", "The same state as in the status.")
            .sifted(),
        Route::get("/api/v1/sources/{source}", "source", Permission::Read, source)
            .says("Get the state of a source", "The same state as in the status."),
        Route::get("/api/v1/sources/{source}/plan", "sourcePlan", Permission::Read, plan).says(
            "Get the last plan of a source",
            "The document of `roster plan --output json`. A plan of many thousand steps has only the first ones.",
        ),
        Route::get("/api/v1/sources/{source}/passes", "passes", Permission::Read, passes).says(
            "List the passes of a source",
            "Passes with a new result, newest first.",
        ),
        Route::post("/api/v1/sources/{source}/reconcile", "reconcile", Permission::Operate, reconcile)
            .says(
                "Request a pass",
                "If a pass is running, another one follows. `overruleWindow` applies outside the configured windows.",
            )
            .problems(&[problem::SUSPENDED]),
        Route::post("/api/v1/sources/{source}/suspend", "suspend", Permission::Operate, suspend).says(
            "Suspend a source",
            "No replica runs a pass of the source until it is resumed, even after a restart.",
        ),
        Route::post("/api/v1/sources/{source}/resume", "resume", Permission::Operate, resume)
            .says("Resume a source", "Also requests a pass.")
            .problems(&[problem::WRONG_STATE]),
        Route::post("/api/v1/suspend", "suspendAll", Permission::Operate, suspend_all)
            .says("Suspend every source", "Includes sources that are configured later."),
        Route::post("/api/v1/resume", "resumeAll", Permission::Operate, resume_all)
            .says(
                "End the suspension of every source",
                "Sources that were suspended by name stay suspended.",
            )
            .problems(&[problem::WRONG_STATE]),
        Route::post("/api/v1/reconcile", "reconcileAll", Permission::Operate, reconcile_all)
            .says("Request a pass of every source", "Only of the sources of the token.")
            .sifted(),
    ]
}

async fn status(State(door): State<Door>, caller: Caller) -> Result<Json<Status>, Problem> {
    let status = door
        .ask(move |daemon| async move { daemon.status(|source| caller.sees(source)).await })
        .await?;
    Ok(Json(status))
}

async fn sources(State(door): State<Door>, caller: Caller) -> Result<Json<Sources>, Problem> {
    let Json(status) = status(State(door), caller).await?;
    let items = status.sources;
    Ok(Json(Sources { items }))
}

async fn source(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
) -> Result<Json<SourceView>, Problem> {
    known(door.daemon()?, &caller, &named.source)?;
    let status = door
        .ask(move |daemon| async move { daemon.status(|source| *source == named.source).await })
        .await?;
    let found = status.sources.into_iter().next();
    found.map(Json).ok_or_else(|| Problem::not_found(""))
}

async fn plan(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
) -> Result<Json<Value>, Problem> {
    known(door.daemon()?, &caller, &named.source)?;
    let plan = door
        .ask(move |daemon| async move { daemon.store.kept_plan(&named.source).await })
        .await?;
    let plan = plan.ok_or_else(|| Problem::not_found("no pass has made a plan yet"))?;
    serde_json::from_slice(&plan)
        .map(Json)
        .map_err(Problem::internal)
}

async fn passes(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
    Query(limit): Query<Limit>,
) -> Result<Json<Passes>, Problem> {
    known(door.daemon()?, &caller, &named.source)?;
    let limit = limit.rows();
    let passes = door
        .ask(move |daemon| async move { daemon.store.passes(Some(&named.source), limit).await })
        .await?;
    let read = passes
        .iter()
        .filter_map(|pass| serde_json::from_str(pass).ok());
    Ok(Json(Passes {
        items: read.collect(),
    }))
}

async fn reconcile(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
    Input(asked): Input<Asked>,
) -> Result<Accepted<Knocked>, Problem> {
    ask_for_pass(
        &door,
        &caller,
        &named.source,
        &asked.reason,
        asked.overrule_window,
    )
    .await?;
    Ok(Accepted(Knocked {
        sources: vec![named.source],
    }))
}

/// Asks for a pass of a source in the name of the caller, also while no window is open.
pub(in crate::daemon) async fn ask_for_pass(
    door: &Door,
    caller: &Caller,
    source: &str,
    why: &str,
    overrule: bool,
) -> Result<(), Problem> {
    let daemon = door.daemon()?;
    known(daemon, caller, source)?;
    if overrule {
        reason(why)?;
    } else {
        at_most(REASON, "reason", why)?;
    }
    let (name, of, why) = (
        caller.name.to_string(),
        source.to_owned(),
        why.trim().to_owned(),
    );
    let suspended = door
        .ask(move |daemon| async move {
            let suspended = daemon.suspension(&of).await?;
            if suspended.is_none() {
                let act = if overrule {
                    "overrule window"
                } else {
                    "reconcile"
                };
                daemon.store.record_act(&name, act, &of, &why).await?;
            }
            Ok::<_, crate::store::StoreError>(suspended)
        })
        .await?;
    if let Some(suspension) = suspended {
        let why = format!("suspended by {}: {}", suspension.actor, suspension.reason);
        return Err(Problem::new(problem::SUSPENDED, why));
    }
    if let Some(worker) = daemon.worker(source) {
        if overrule {
            worker.knock(OVERRULE);
        }
        worker.knock(&format!("asked for by {}", caller.name));
    }
    Ok(())
}

/// Of every source that the caller sees and that is not suspended. The record comes first: no pass is
/// made that nobody is known to have asked for.
async fn reconcile_all(
    State(door): State<Door>,
    caller: Caller,
) -> Result<Accepted<Knocked>, Problem> {
    let daemon = door.daemon()?;
    let setup = daemon.setup();
    let seen = setup.workers.keys().filter(|source| caller.sees(source));
    let seen: Vec<String> = seen.cloned().collect();
    let name = caller.name.to_string();
    let sources = door
        .ask(move |daemon| async move {
            let mut sources = Vec::new();
            for source in seen {
                if daemon.suspension(&source).await?.is_none() {
                    sources.push(source);
                }
            }
            if !sources.is_empty() {
                let of = sources.join(", ");
                let stored = daemon.store.record_act(&name, "reconcile", &of, "");
                stored.await?;
            }
            Ok::<_, crate::store::StoreError>(sources)
        })
        .await?;
    if sources.is_empty() {
        return Err(Problem::new(
            problem::SUSPENDED,
            "every source is suspended",
        ));
    }
    let workers = sources
        .iter()
        .filter_map(|source| setup.workers.get(source));
    workers.for_each(|worker| worker.knock(&format!("asked for by {}", caller.name)));
    Ok(Accepted(Knocked { sources }))
}

async fn suspend(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
    Input(why): Input<Why>,
) -> Result<Done, Problem> {
    suspend_one(&door, &caller, named.source, &why.reason).await
}

async fn suspend_all(
    State(door): State<Door>,
    caller: Caller,
    Input(why): Input<Why>,
) -> Result<Done, Problem> {
    suspended(&door, &caller, EVERY.to_owned(), &why.reason).await
}

/// Suspends a source that the caller sees.
pub(in crate::daemon) async fn suspend_one(
    door: &Door,
    caller: &Caller,
    source: String,
    why: &str,
) -> Result<Done, Problem> {
    known(door.daemon()?, caller, &source)?;
    suspended(door, caller, source, why).await
}

/// Suspends a source, or every one, in the name of the caller.
pub(in crate::daemon) async fn suspended(
    door: &Door,
    caller: &Caller,
    source: String,
    why: &str,
) -> Result<Done, Problem> {
    let (name, why) = (caller.name.to_string(), reason(why)?.to_owned());
    door.ask(move |daemon| async move { daemon.store.suspend(&source, &name, &why).await })
        .await?;
    Ok(Done)
}

async fn resume(
    State(door): State<Door>,
    caller: Caller,
    Path(named): Path<Named>,
    Input(why): Input<Why>,
) -> Result<Done, Problem> {
    resume_one(&door, &caller, named.source, &why.reason).await
}

async fn resume_all(
    State(door): State<Door>,
    caller: Caller,
    Input(why): Input<Why>,
) -> Result<Done, Problem> {
    resumed(&door, &caller, EVERY.to_owned(), &why.reason).await
}

/// Resumes a source that the caller sees.
pub(in crate::daemon) async fn resume_one(
    door: &Door,
    caller: &Caller,
    source: String,
    why: &str,
) -> Result<Done, Problem> {
    known(door.daemon()?, caller, &source)?;
    resumed(door, caller, source, why).await
}

/// Resumes a source, or takes the suspension of every one back, in the name of the caller.
pub(in crate::daemon) async fn resumed(
    door: &Door,
    caller: &Caller,
    source: String,
    why: &str,
) -> Result<Done, Problem> {
    let (name, why) = (caller.name.to_string(), reason(why)?.to_owned());
    let of = source.clone();
    let was = door
        .ask(move |daemon| async move { daemon.store.resume(&of, &name, &why).await })
        .await?;
    if !was {
        return Err(Problem::new(problem::WRONG_STATE, "it is not suspended"));
    }
    let daemon = door.daemon()?;
    match daemon.worker(&source) {
        Some(worker) => worker.knock("resumed"),
        None => daemon.knock_all("resumed"),
    }
    Ok(Done)
}

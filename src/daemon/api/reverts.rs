//! Reverts of runs: what one would do, and the revert itself. The page calls the same functions.

use super::records::RunParam;
use super::require_reason;
use crate::daemon::handle::DaemonHandle;
use crate::diagnostic::chain;
use crate::document::{
    self, RevertReply, RevertRequest, RevertSkippedField, StoredPlanDocument, plan_id,
};
use crate::http::problem::{self, HttpProblem};
use crate::http::{Caller, JsonBody, PathParams, Permission, Route};
use crate::plan::RevertPlan;
use crate::reconcile::{self, LeaseGuard, PassError, RevertError, RevertableRun};
use crate::store::{ApplyError, LeaseError, Store};
use axum::Json;
use axum::extract::State;
use std::time::Duration;

/// How long a revert waits for a pass of the source to end.
const LEASE_TIMEOUT: Duration = Duration::from_secs(30);

/// The name of the act in the audit log.
const REVERT: &str = "revert run";

/// The name of the act if all of the revert is held.
const ASK: &str = "ask to revert run";

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    vec![
        Route::get("/api/v1/runs/{run}/revert", "planRevert", Permission::Read, planned)
            .with_docs(
                "Plan the revert of a run",
                "Returns the plan that undoes what the run changed and nobody has changed since. Nothing is written.",
            )
            .problems(&[problem::NOT_FOUND, problem::WRONG_STATE])
            .without_timeout()
            .answers_are_personal(),
        Route::post("/api/v1/runs/{run}/revert", "revertRun", Permission::Operate, reverted)
            .with_docs(
                "Revert a run",
                "Applies the plan with this id, which is the one that was shown. What guards hold stays, until somebody approves it. Passes keep the result until the source is at another revision.",
            )
            .problems(&[
                problem::NOT_FOUND,
                problem::WRONG_STATE,
                problem::STALE_PLAN,
                problem::LOCK_TIMEOUT,
            ])
            .without_timeout()
            .answers_are_personal(),
    ]
}

async fn planned(
    State(handle): State<DaemonHandle>,
    PathParams(of): PathParams<RunParam>,
) -> Result<Json<RevertReply>, HttpProblem> {
    Ok(Json(plan_revert(&handle, of.run).await?))
}

async fn reverted(
    State(handle): State<DaemonHandle>,
    caller: Caller,
    PathParams(of): PathParams<RunParam>,
    JsonBody(request): JsonBody<RevertRequest>,
) -> Result<Json<RevertReply>, HttpProblem> {
    let done = revert_run(&handle, &caller, of.run, &request.plan, &request.reason).await?;
    Ok(Json(done))
}

/// Plans the revert of a run.
pub(in crate::daemon) async fn plan_revert(
    handle: &DaemonHandle,
    run: i64,
) -> Result<RevertReply, HttpProblem> {
    let setup = handle.setup()?;
    handle
        .query_store(move |store| async move {
            let run = find(&store, run).await?;
            let planned = reconcile::plan_revert(&setup.config, &store, &run).await;
            reply(&planned.map_err(|error| pass_problem(&error))?, None)
        })
        .await
}

/// Reverts a run in the name of the caller, if the plan is still the one that was shown.
pub(in crate::daemon) async fn revert_run(
    handle: &DaemonHandle,
    caller: &Caller,
    run: i64,
    shown: &str,
    why: &str,
) -> Result<RevertReply, HttpProblem> {
    let why = require_reason(why)?.to_owned();
    let daemon = handle.daemon()?;
    let (name, shown) = (caller.name.to_string(), shown.to_owned());
    let setup = handle.setup()?;
    let (source, done) = handle
        .query_store(move |store| async move {
            let run = find(&store, run).await?;
            let source = run.record.source.clone();
            let lease = LeaseGuard::take(&store, &source, LEASE_TIMEOUT).await;
            let lease = lease.map_err(|error| pass_problem(&error))?;
            let revert = PendingRevert {
                store: &store,
                run: &run,
                lease: &lease,
                name: &name,
                why: &why,
            };
            let done = Box::pin(revert.perform(&setup.config, &shown)).await;
            lease.release(&store).await;
            Ok::<_, HttpProblem>((source, done?))
        })
        .await?;
    // The state of the source shows what is held and what waits, which is something else now.
    daemon.current.request_pass(&source, "a run was reverted");
    Ok(done)
}

/// Plans the revert of a run again and lists what is held of it now.
pub(super) async fn refresh_holds(handle: &DaemonHandle, run: i64) -> Result<(), HttpProblem> {
    let setup = handle.setup()?;
    handle
        .query_store(move |store| async move {
            let refreshed = reconcile::refresh_revert_holds(&setup.config, &store, run).await;
            refreshed.map_err(|error| pass_problem(&error))
        })
        .await
}

/// A revert under the lease of the source of its run.
struct PendingRevert<'a> {
    store: &'a Store,
    run: &'a RevertableRun,
    lease: &'a LeaseGuard,
    name: &'a str,
    why: &'a str,
}

impl PendingRevert<'_> {
    async fn perform(
        &self,
        config: &crate::config::Config,
        shown: &str,
    ) -> Result<RevertReply, HttpProblem> {
        let (store, run) = (self.store, self.run.record.id);
        let planned = reconcile::plan_revert(config, store, self.run).await;
        let revert = planned.map_err(|error| pass_problem(&error))?;
        if plan_id(&revert.plan) != shown {
            let detail = "the plan is another one by now; look at it again";
            return Err(HttpProblem::new(problem::STALE_PLAN, detail));
        }
        // Recorded first: no run may be reverted without a record of who did it, and why. Whoever
        // approves what is held reads it too.
        let plan = &revert.plan;
        let act = match (plan.steps.is_empty(), plan.held.is_empty()) {
            (false, _) => REVERT,
            (true, false) => ASK,
            (true, true) => return reply(&revert, None),
        };
        let subject = run.to_string();
        let recorded = store.record_act(self.name, act, &subject, self.why);
        let recorded = recorded.await;
        recorded.map_err(|error| pass_problem(&error.into()))?;
        let remembered = reconcile::remember_revert_holds(store, self.run, &revert).await;
        remembered.map_err(|error| pass_problem(&error.into()))?;
        if plan.steps.is_empty() {
            return reply(&revert, None);
        }
        let applied =
            reconcile::apply_revert(config, store, run, &revert, self.lease, self.name).await;
        let applied = applied.map_err(|error| pass_problem(&error))?;
        // What an approval of a part leaves is another hold.
        if !plan.held.is_empty() {
            let left = reconcile::refresh_revert_holds(config, store, run).await;
            left.map_err(|error| pass_problem(&error))?;
        }
        reply(&revert, applied.run)
    }
}

async fn find(store: &Store, run: i64) -> Result<RevertableRun, HttpProblem> {
    let found = reconcile::run_to_revert(store, run).await;
    found.map_err(|error| match error {
        RevertError::NoRun(_) => HttpProblem::not_found(format!("no run {run}")),
        RevertError::Act { .. } | RevertError::Erased(_) => {
            HttpProblem::new(problem::WRONG_STATE, error.to_string())
        }
        RevertError::Store(error) => pass_problem(&error.into()),
    })
}

fn reply(revert: &RevertPlan, run: Option<i64>) -> Result<RevertReply, HttpProblem> {
    let mut written = Vec::new();
    document::write_plan(&revert.plan, &mut written).map_err(HttpProblem::internal)?;
    Ok(RevertReply {
        run,
        plan: StoredPlanDocument::parse(written).map_err(HttpProblem::internal)?,
        skipped: revert
            .skipped
            .iter()
            .map(RevertSkippedField::from)
            .collect(),
    })
}

fn pass_problem(error: &PassError) -> HttpProblem {
    let kind = match error {
        PassError::Lease(LeaseError::Timeout(_)) => problem::LOCK_TIMEOUT,
        PassError::Apply(ApplyError::Stale { .. } | ApplyError::Fenced { .. }) => {
            problem::STALE_PLAN
        }
        PassError::Apply(ApplyError::Invariant { .. }) => problem::WRONG_STATE,
        _ => problem::UNAVAILABLE,
    };
    HttpProblem::new(kind, chain(error))
}

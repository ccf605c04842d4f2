//! Plans the base of a branch, so that the plan of the branch can say what it adds and what waits at
//! the base already.

use super::compare::{CompareError, config_at, pass_at};
use super::{Pass, PassError, PassRequest};
use crate::config::Config;
use crate::plan::Plan;
use crate::store::Store;

/// The base that plans are compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlanBaseRevision<'a> {
    /// A branch, tag or commit of the repositories that the sources are in.
    Named(&'a str),
    /// The sources as they are configured and were last fetched.
    Configured,
}

/// Marks in the plans of a request what the plans of their base do already.
pub async fn mark_base(
    config: &Config,
    request: &PassRequest,
    base: PlanBaseRevision<'_>,
    store: &Store,
    plans: &mut [Plan],
) -> Result<(), CompareError> {
    let bases = match base {
        PlanBaseRevision::Named(revision) => named_base(config, request, revision, store).await?,
        PlanBaseRevision::Configured => configured_base(config, request, store).await?,
    };
    for plan in plans {
        let mut bases = bases.iter();
        if let Some(of_source) = bases.find(|it| it.source.name == plan.source.name) {
            plan.mark_base(of_source);
            // Nobody asked for this comparison, so nothing is said if it tells nothing.
            if base == PlanBaseRevision::Configured && !plan.waits_at_base() {
                plan.base = None;
            }
        }
    }
    Ok(())
}

async fn named_base(
    config: &Config,
    request: &PassRequest,
    revision: &str,
    store: &Store,
) -> Result<Vec<Plan>, CompareError> {
    let only = request.source.as_deref();
    let earlier = config_at(config, only, revision);
    let mut pass = pass_at(&earlier, only, revision, true)?;
    pass.request = PassRequest {
        at_revision: None,
        takes_trailers: false,
        ..request.clone()
    };
    let mut plans = Vec::new();
    for index in pass.selected_sources()? {
        let mut plan = pass.plan_whole(index, store, &plans).await?;
        // What is stored says the same about both.
        pass.add_facts(index, store, &plans, &mut plan).await?;
        plans.push(plan);
    }
    Ok(plans)
}

async fn configured_base(
    config: &Config,
    request: &PassRequest,
    store: &Store,
) -> Result<Vec<Plan>, PassError> {
    let request = PassRequest {
        at_revision: None,
        takes_trailers: false,
        ..request.clone()
    };
    let mut pass = Pass::read(config, request, store).await?;
    let mut plans = Vec::new();
    for index in pass.selected_sources()? {
        let plan = pass.plan(index, store, &plans).await?;
        plans.push(plan);
    }
    Ok(plans)
}

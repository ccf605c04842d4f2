//! Takes the lease of a source, makes the pass, and releases the lease. Only one replica at a time
//! works on a source. Pushed sources go to `push::make_passes`, all others to `pass::make_pass`.

use super::pass::{self, PassRunner};
use super::pass_progress::PassEnd;
use super::pass_readiness::PassFetches;
use super::push;
use super::setup::DaemonSetup;
use crate::config::{FeedConfig, Source};
use crate::diagnostic::chain;
use crate::reconcile::{LeaseGuard, PassError};
use crate::store::LeaseError;
use std::collections::BTreeSet;
use std::time::Duration;

/// Makes a pass of a source, or says which replica is making one.
pub(super) async fn run(
    runner: &PassRunner,
    setup: &DaemonSetup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: PassFetches,
) -> PassEnd {
    match Box::pin(run_under_lease(runner, setup, source, triggers, found)).await {
        Ok(ended) => ended,
        Err(error) => {
            // Errors that end the pass before its state can be saved must still reach `/readyz`: a
            // full disk already keeps the lease from being taken.
            runner.unwritable.record_pass_end(source, Some(&error));
            PassEnd::Failed(chain(&error))
        }
    }
}

async fn run_under_lease(
    runner: &PassRunner,
    setup: &DaemonSetup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: PassFetches,
) -> Result<PassEnd, PassError> {
    let store = &runner.store;
    // No wait for the lease. The worker comes back soon, and a blocked pass would keep its turn
    // from the other sources.
    let lease = match LeaseGuard::take(store, source, Duration::ZERO).await {
        Ok(lease) => lease,
        Err(PassError::Lease(error @ LeaseError::Timeout(_))) => {
            return Ok(PassEnd::LeaseHeld(error.to_string()));
        }
        Err(error) => return Err(error),
    };
    let ended = dispatch_pass(runner, setup, source, triggers, found, &lease);
    let ended = Box::pin(ended).await;
    // Released after failures too. Otherwise the other replicas would wait until the lease expires.
    lease.release(store).await;
    ended
}

async fn dispatch_pass(
    runner: &PassRunner,
    setup: &DaemonSetup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: PassFetches,
    lease: &LeaseGuard,
) -> Result<PassEnd, PassError> {
    let pushed = setup.config.source(source);
    if pushed
        .and_then(Source::feed)
        .is_some_and(FeedConfig::is_pushed)
    {
        let passes = push::make_passes(runner, setup, source, triggers, lease);
        return Box::pin(passes).await;
    }
    pass::make_pass(runner, setup, source, triggers, found, lease, None).await
}

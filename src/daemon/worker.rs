//! The loop of one source: wait for a trigger or the timer, make a pass, and decide when the next
//! one is due. `run_worker` is the loop, `PassTimetable` the timer. Triggers of a pass that could
//! not be made are kept for the next one.

use super::blocking::run_blocking;
use super::leased_pass;
use super::pass::PassRunner;
use super::pass_progress::PassEnd;
use super::pass_readiness::{self, PassReadiness};
use super::schedule::{self, PassBackoff};
use super::setup::DaemonSetup;
use super::source_worker::SourceWorker;
use crate::config::PassTimer;
use crate::document::WorkerActivity;
use crate::store::Suspension;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The longest sleep. A clock that jumps is noticed after it.
const MAX_SLEEP: Duration = Duration::from_secs(15);
/// The wait after another replica was found to hold the lease.
const LEASE_HELD_DELAY: Duration = Duration::from_millis(700);

/// Makes passes until `stop`.
pub(super) async fn run_worker(
    runner: Arc<PassRunner>,
    setup: Arc<DaemonSetup>,
    worker: Arc<SourceWorker>,
    stop: CancellationToken,
) {
    let mut plan = PassTimetable::default();
    let known = setup.config.source(&worker.source);
    let regular = known.map(|known| &known.timing.trigger);
    loop {
        let (next, trigger) = plan.next(regular, &worker.source, Utc::now());
        let why = plan.why.clone();
        worker.set_activity(WorkerActivity::Waiting { next, why });
        if !wait_for_trigger(&worker, next, trigger, &stop).await {
            return;
        }
        let triggers = worker.take_triggers();
        // A long wait is slept in pieces, and a request may already have been served.
        if triggers.is_empty() {
            continue;
        }
        let since = Utc::now();
        worker.set_activity(WorkerActivity::Working { since });
        let Some(ended) = pass(&runner, &setup, &worker.source, &triggers, &stop).await else {
            // The worker under the next configuration makes the pass.
            worker.restore_triggers(triggers);
            return;
        };
        // The other replica may have read the source before these triggers came.
        if matches!(ended, PassEnd::LeaseHeld(_)) {
            worker.restore_triggers(triggers);
        }
        if let PassEnd::Failed(why) = &ended {
            tracing::warn!("source {}: {why}", worker.source);
        }
        plan.record_pass_end(ended, Utc::now());
    }
}

/// Makes a pass when its turn comes. `None` if `stop` comes first.
async fn pass(
    runner: &Arc<PassRunner>,
    setup: &Arc<DaemonSetup>,
    source: &Arc<str>,
    triggers: &BTreeSet<String>,
    stop: &CancellationToken,
) -> Option<PassEnd> {
    let all = || (Arc::clone(runner), Arc::clone(setup), Arc::clone(source));
    let (of, with, name) = all();
    let preparing = run_blocking(move || async move {
        pass_readiness::prepare(&of.store, &with.config, &name).await
    });
    // A fetch changes nothing that counts, so a remote that does not answer must not delay a stop.
    // From the turn on, the pass is left to end.
    let prepared = tokio::select! {
        prepared = preparing => prepared,
        () = stop.cancelled() => return None,
    };
    let found = match prepared {
        Ok(PassReadiness::Ready(found)) => found,
        Ok(PassReadiness::Skip(ended)) => return Some(ended),
        Err(why) => return Some(PassEnd::Failed(why)),
    };
    let turn = runner.turns.wait(stop).await;
    let _turn = turn?;
    let ((of, with, name), asked) = (all(), triggers.clone());
    let run = move || async move { leased_pass::run(&of, &with, &name, &asked, found).await };
    Some(run_blocking(run).await.unwrap_or_else(PassEnd::Failed))
}

/// Waits for a request or the timer. Returns false on `stop`.
async fn wait_for_trigger(
    worker: &SourceWorker,
    next: DateTime<Utc>,
    trigger: &str,
    stop: &CancellationToken,
) -> bool {
    // A time that has passed gives no wait at all.
    let left = (next - Utc::now()).to_std().unwrap_or_default();
    tokio::select! {
        // A stop comes before requests, or a busy source could go on making passes.
        biased;
        () = stop.cancelled() => return false,
        () = worker.woken() => {}
        () = tokio::time::sleep(left.min(MAX_SLEEP)) => if left <= MAX_SLEEP { worker.request_pass(trigger) },
    }
    true
}

/// When the next pass is due, and why.
#[derive(Default)]
struct PassTimetable {
    last: Option<DateTime<Utc>>,
    backoff: PassBackoff,
    /// Another replica holds the lease. The triggers are tried again soon.
    lease_held: bool,
    why: Option<String>,
}

impl PassTimetable {
    fn next(
        &self,
        trigger: Option<&PassTimer>,
        source: &str,
        now: DateTime<Utc>,
    ) -> (DateTime<Utc>, &'static str) {
        let jitter = schedule::jitter(source, self.last);
        let regular = trigger.map_or(DateTime::<Utc>::MAX_UTC, |trigger| {
            schedule::next_due(trigger, self.last, now, jitter)
        });
        let Some(last) = self.last else {
            return (regular, "start");
        };
        let again = if self.lease_held {
            Some(last + LEASE_HELD_DELAY)
        } else {
            (self.backoff.failures() > 0).then(|| self.backoff.retry_at(last, now, jitter))
        };
        // A retry never delays the regular pass.
        match again.filter(|again| *again < regular) {
            Some(again) => (again, "retry"),
            None => (regular, "interval"),
        }
    }

    fn record_pass_end(&mut self, ended: PassEnd, now: DateTime<Utc>) {
        self.last = Some(now);
        self.lease_held = false;
        self.why = None;
        match ended {
            PassEnd::Completed { retry: false, .. } => self.backoff.succeeded(),
            PassEnd::Completed { retry: true, .. } => self.backoff.failed(),
            // Not a failure: backing off would leave the source alone for minutes if the other
            // replica died.
            PassEnd::LeaseHeld(why) => {
                self.lease_held = true;
                self.why = Some(why);
            }
            PassEnd::MadeByOtherReplica(at) => {
                // What failed here has succeeded there, and the interval counts from that pass.
                self.backoff.succeeded();
                self.last = Some(at);
            }
            PassEnd::Suspended(suspension) => {
                let Suspension { actor, reason, .. } = suspension;
                self.why = Some(format!("suspended by {actor}: {reason}"));
            }
            PassEnd::Failed(why) => {
                self.backoff.failed();
                self.why = Some(why);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn noon() -> DateTime<Utc> {
        "2026-05-01T12:00:00Z".parse().expect("a time")
    }

    fn next(plan: &PassTimetable, now: DateTime<Utc>) -> (TimeDelta, &'static str) {
        let (next, trigger) = plan.next(Some(&PassTimer::default()), "shop", now);
        (next - now, trigger)
    }

    #[test]
    fn the_first_pass_is_due_at_once_and_the_next_after_the_interval() {
        let mut plan = PassTimetable::default();
        assert_eq!(next(&plan, noon()).0, TimeDelta::zero());
        plan.record_pass_end(PassEnd::Completed { retry: false }, noon());
        let (left, trigger) = next(&plan, noon());
        assert_eq!(trigger, "interval");
        assert!(left >= TimeDelta::seconds(270) && left <= TimeDelta::seconds(330));
    }

    #[test]
    fn a_clock_that_jumps_makes_one_pass_come_at_once() {
        let mut plan = PassTimetable::default();
        plan.record_pass_end(PassEnd::Completed { retry: false }, noon());
        for jump in [
            TimeDelta::days(-400),
            TimeDelta::hours(-1),
            TimeDelta::days(400),
        ] {
            let then = noon() + jump;
            assert!(next(&plan, then).0 <= TimeDelta::zero(), "{jump}");
            let mut after = PassTimetable::default();
            after.record_pass_end(PassEnd::Completed { retry: false }, then);
            assert!(next(&after, then).0 > TimeDelta::seconds(200), "{jump}");
        }
    }

    #[test]
    fn what_another_replica_keeps_from_happening_comes_soon_and_not_at_once() {
        let mut plan = PassTimetable::default();
        plan.record_pass_end(PassEnd::LeaseHeld("busy".to_owned()), noon());
        let (left, trigger) = next(&plan, noon());
        assert_eq!((left, trigger), (TimeDelta::milliseconds(700), "retry"));
        assert_eq!(plan.why.as_deref(), Some("busy"));
        plan.record_pass_end(PassEnd::MadeByOtherReplica(noon()), noon());
        assert!(next(&plan, noon()).0 > TimeDelta::seconds(200));
        assert_eq!(plan.why, None);
    }

    #[test]
    fn what_failed_here_and_was_made_elsewhere_is_not_tried_without_end() {
        let mut plan = PassTimetable::default();
        plan.record_pass_end(PassEnd::Failed("away".to_owned()), noon());
        let (left, trigger) = next(&plan, noon());
        assert_eq!(trigger, "retry");
        assert!(left >= TimeDelta::seconds(5) && left < TimeDelta::seconds(7));
        let later = noon() + TimeDelta::minutes(1);
        plan.record_pass_end(
            PassEnd::MadeByOtherReplica(noon() + TimeDelta::seconds(30)),
            later,
        );
        assert!(next(&plan, later).0 > TimeDelta::seconds(200));
    }
}

//! One source's worker: waits for a trigger, makes a pass, says what it is doing.

use super::pass::{self, PassEnd};
use super::pass_readiness::{self, PassReadiness};
use super::schedule::{self, PassBackoff};
use super::serve::{Daemon, DaemonSetup};
use crate::config::PassTimer;
use crate::store::Suspension;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// The longest sleep at once: a clock that jumps is noticed after it.
const MAX_SLEEP: Duration = Duration::from_secs(15);
/// How long after another replica was found at it.
const LEASE_HELD_DELAY: Duration = Duration::from_millis(700);

/// What the worker of a source does now.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "now")]
pub enum WorkerActivity {
    /// The worker is idle.
    #[serde(rename_all = "camelCase")]
    Waiting {
        /// The time of the next pass, unless a trigger comes earlier.
        next: DateTime<Utc>,
        /// Why the last trigger had no effect.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// The worker runs a pass.
    #[serde(rename_all = "camelCase")]
    Working {
        /// Since when.
        since: DateTime<Utc>,
    },
}

/// The worker of one source.
pub struct SourceWorker {
    pub source: Arc<str>,
    triggers: Mutex<BTreeSet<String>>,
    wakeup: Notify,
    activity: watch::Sender<WorkerActivity>,
    /// Since when it makes a pass, by a clock that does not jump.
    pass_started: Mutex<Option<Instant>>,
}

impl SourceWorker {
    pub(super) fn new(source: &str) -> Self {
        let next = Utc::now();
        Self {
            source: source.into(),
            triggers: Mutex::default(),
            wakeup: Notify::new(),
            activity: watch::Sender::new(WorkerActivity::Waiting { next, why: None }),
            pass_started: Mutex::default(),
        }
    }

    /// Asks for a pass. Knocks while one is under way lead to one more after it.
    pub fn request_pass(&self, trigger: &str) {
        let mut knocks = self.triggers.lock().unwrap_or_else(PoisonError::into_inner);
        knocks.insert(trigger.to_owned());
        self.wakeup.notify_one();
    }

    /// What it does now.
    pub fn activity(&self) -> WorkerActivity {
        self.activity.borrow().clone()
    }

    /// For how long it has made its pass, if it makes one.
    pub(super) fn pass_duration(&self) -> Option<Duration> {
        let since = self
            .pass_started
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since.elapsed())
    }

    /// Says what it does now.
    fn set_activity(&self, activity: WorkerActivity) {
        let works = matches!(activity, WorkerActivity::Working { .. });
        let mut since = self
            .pass_started
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *since = works.then(Instant::now);
        self.activity.send_replace(activity);
    }

    /// Keeps triggers for the next pass, without asking for it now.
    fn restore_triggers(&self, triggers: BTreeSet<String>) {
        let mut knocks = self.triggers.lock().unwrap_or_else(PoisonError::into_inner);
        knocks.extend(triggers);
    }

    /// What was asked for and not begun yet.
    pub(super) fn take_triggers(&self) -> BTreeSet<String> {
        let mut knocks = self.triggers.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut knocks)
    }
}

/// Works until `stop`.
pub(super) async fn run_worker(
    daemon: Arc<Daemon>,
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
        if triggers.is_empty() {
            continue;
        }
        let since = Utc::now();
        worker.set_activity(WorkerActivity::Working { since });
        let Some(ended) = pass(&daemon, &setup, &worker.source, &triggers, &stop).await else {
            // Whoever works under the next configuration makes it.
            worker.restore_triggers(triggers);
            return;
        };
        if matches!(ended, PassEnd::LeaseHeld(_)) {
            worker.restore_triggers(triggers);
        }
        if let PassEnd::Failed(why) = &ended {
            tracing::warn!("source {}: {why}", worker.source);
        }
        plan.record_pass_end(ended, Utc::now());
    }
}

/// Makes a pass, when its turn comes; `None` when the work is over before.
async fn pass(
    daemon: &Arc<Daemon>,
    setup: &Arc<DaemonSetup>,
    source: &Arc<str>,
    triggers: &BTreeSet<String>,
    stop: &CancellationToken,
) -> Option<PassEnd> {
    let all = || (Arc::clone(daemon), Arc::clone(setup), Arc::clone(source));
    let (of, with, name) = all();
    let begin =
        run_blocking(move || async move { pass_readiness::prepare(&of, &with, &name).await });
    // A remote that does not answer keeps nobody from leaving: what git fetches changes nothing yet.
    let begun = tokio::select! {
        begun = begin => begun,
        () = stop.cancelled() => return None,
    };
    let found = match begun {
        Ok(PassReadiness::Ready(found)) => found,
        Ok(PassReadiness::Skip(ended)) => return Some(ended),
        Err(why) => return Some(PassEnd::Failed(why)),
    };
    daemon.waiting_passes.fetch_add(1, Ordering::Relaxed);
    let turn = tokio::select! {
        turn = daemon.pass_permit.acquire() => turn.ok(),
        () = stop.cancelled() => None,
    };
    daemon.waiting_passes.fetch_sub(1, Ordering::Relaxed);
    let _turn = turn?;
    let ((of, with, name), asked) = (all(), triggers.clone());
    let run = move || async move { pass::run(&of, &with, &name, &asked, found).await };
    Some(run_blocking(run).await.unwrap_or_else(PassEnd::Failed))
}

/// Runs something that reads, computes and writes on a thread of its own, so that nothing else waits
/// for it. A panic ends it alone.
pub(super) async fn run_blocking<T, F>(
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let runtime = Handle::current();
    let done = tokio::task::spawn_blocking(move || runtime.block_on(work())).await;
    done.map_err(|error| format!("internal error: {error}"))
}

/// Waits for a knock or the time; `false` when the work is over.
async fn wait_for_trigger(
    worker: &SourceWorker,
    next: DateTime<Utc>,
    trigger: &str,
    stop: &CancellationToken,
) -> bool {
    let left = (next - Utc::now()).to_std().unwrap_or_default();
    tokio::select! {
        biased;
        () = stop.cancelled() => return false,
        () = worker.wakeup.notified() => {}
        () = tokio::time::sleep(left.min(MAX_SLEEP)) => if left <= MAX_SLEEP { worker.request_pass(trigger) },
    }
    true
}

/// When the next pass is due, and why.
#[derive(Default)]
struct PassTimetable {
    last: Option<DateTime<Utc>>,
    backoff: PassBackoff,
    /// Another replica is at it: what was asked for is asked again after it.
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
            PassEnd::LeaseHeld(why) => {
                self.lease_held = true;
                self.why = Some(why);
            }
            PassEnd::MadeByOtherReplica(at) => {
                // What failed here has succeeded there.
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

    #[test]
    fn no_knock_is_lost() {
        let worker = SourceWorker::new("shop");
        worker.request_pass("files");
        let begun = worker.take_triggers();
        worker.request_pass("webhook");
        worker.restore_triggers(begun);
        assert_eq!(
            worker.take_triggers(),
            ["files", "webhook"].map(str::to_owned).into()
        );
        assert!(worker.take_triggers().is_empty());
    }
}

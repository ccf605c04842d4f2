//! The shared side of a worker: triggers come in here, and its current activity is shown from here.
//! `worker` has the loop that consumes them.

use crate::document::WorkerActivity;
use chrono::Utc;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// The triggers and the activity of the worker of one source.
pub struct SourceWorker {
    pub source: Arc<str>,
    triggers: Mutex<BTreeSet<String>>,
    wakeup: Notify,
    activity: watch::Sender<WorkerActivity>,
    /// When its running pass began, by a clock that does not jump: the watchdog must not restart
    /// the daemon because the time was set.
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

    /// Asks for a pass. Any number of requests during a pass lead to one more after it.
    pub fn request_pass(&self, trigger: &str) {
        let mut pending = self.triggers.lock().unwrap_or_else(PoisonError::into_inner);
        pending.insert(trigger.to_owned());
        // Stores a permit if nobody waits, so a request between two waits is not lost.
        self.wakeup.notify_one();
    }

    pub fn activity(&self) -> WorkerActivity {
        self.activity.borrow().clone()
    }

    /// How long its running pass has taken.
    pub(super) fn pass_duration(&self) -> Option<Duration> {
        let since = self
            .pass_started
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since.elapsed())
    }

    pub(super) fn set_activity(&self, activity: WorkerActivity) {
        let works = matches!(activity, WorkerActivity::Working { .. });
        let mut since = self
            .pass_started
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *since = works.then(Instant::now);
        self.activity.send_replace(activity);
    }

    /// Puts triggers back without asking for a pass now. If the lease is held, the worker comes
    /// back by its own timer.
    pub(super) fn restore_triggers(&self, triggers: BTreeSet<String>) {
        let mut pending = self.triggers.lock().unwrap_or_else(PoisonError::into_inner);
        pending.extend(triggers);
    }

    /// Waits until a pass is requested.
    pub(super) async fn woken(&self) {
        self.wakeup.notified().await;
    }

    /// Takes the triggers that no pass has served yet.
    pub(super) fn take_triggers(&self) -> BTreeSet<String> {
        let mut pending = self.triggers.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_trigger_is_lost() {
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

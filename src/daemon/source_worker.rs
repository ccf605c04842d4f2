//! What asks a source for a pass, and what its worker does now.

use crate::document::WorkerActivity;
use chrono::Utc;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

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
    pub(super) fn set_activity(&self, activity: WorkerActivity) {
        let works = matches!(activity, WorkerActivity::Working { .. });
        let mut since = self
            .pass_started
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *since = works.then(Instant::now);
        self.activity.send_replace(activity);
    }

    /// Keeps triggers for the next pass, without asking for it now.
    pub(super) fn restore_triggers(&self, triggers: BTreeSet<String>) {
        let mut knocks = self.triggers.lock().unwrap_or_else(PoisonError::into_inner);
        knocks.extend(triggers);
    }

    /// Waits until a pass is asked for.
    pub(super) async fn woken(&self) {
        self.wakeup.notified().await;
    }

    /// What was asked for and not begun yet.
    pub(super) fn take_triggers(&self) -> BTreeSet<String> {
        let mut knocks = self.triggers.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut knocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

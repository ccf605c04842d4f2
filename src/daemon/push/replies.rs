//! Wakes the requests that wait for the answer to a push.

use tokio::sync::watch;

/// A signal that a push was answered.
pub(in crate::daemon) struct ImportReplies(watch::Sender<u64>);

impl Default for ImportReplies {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl ImportReplies {
    pub fn announce(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

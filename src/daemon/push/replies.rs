//! Wakes whoever waits for what came of a push.

use tokio::sync::watch;

/// Changes whenever something that was pushed is answered.
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

//! One pass at a time: each may use the whole machine.

use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

/// Whose turn it is to use the machine.
pub(super) struct PassTurns {
    permit: Semaphore,
    /// How many passes wait for their turn.
    waiting: AtomicUsize,
}

impl Default for PassTurns {
    fn default() -> Self {
        Self {
            permit: Semaphore::new(1),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl PassTurns {
    /// Waits for the turn of a pass; `None` when `stop` comes first.
    pub async fn wait(&self, stop: &CancellationToken) -> Option<SemaphorePermit<'_>> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let turn = tokio::select! {
            turn = self.permit.acquire() => turn.ok(),
            () = stop.cancelled() => None,
        };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        turn
    }

    /// A turn for something that is no pass.
    pub async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.permit.acquire().await
    }

    /// Whether a pass waits for its turn.
    pub fn others_wait(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

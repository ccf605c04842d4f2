//! One pass at a time on this replica, because each may use the whole machine. Requests that plan
//! take their turn here too.

use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

/// The queue of passes.
pub(super) struct PassTurns {
    permit: Semaphore,
    /// How many passes are waiting.
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
    /// Waits for the turn of a pass. `None` if `stop` comes first.
    pub async fn wait(&self, stop: &CancellationToken) -> Option<SemaphorePermit<'_>> {
        // The count decides only whether readings are kept for the next pass, so no ordering is
        // needed.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let turn = tokio::select! {
            turn = self.permit.acquire() => turn.ok(),
            () = stop.cancelled() => None,
        };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        turn
    }

    /// A turn for something else, such as a requested plan. It does not count as waiting, because
    /// it reuses no readings.
    pub async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.permit.acquire().await
    }

    pub fn others_wait(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

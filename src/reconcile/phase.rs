//! How long each phase of a pass takes, for the log.

use std::time::Instant;

/// One phase; when it goes out of scope, the log says how long it took.
pub(super) struct PhaseTimer {
    name: &'static str,
    start: Instant,
}

impl PhaseTimer {
    /// Begins a phase.
    pub(super) fn begin(name: &'static str) -> Self {
        Self {
            name,
            start: Instant::now(),
        }
    }
}

impl Drop for PhaseTimer {
    fn drop(&mut self) {
        tracing::info!(
            "{} took {:.3} s",
            self.name,
            self.start.elapsed().as_secs_f64()
        );
    }
}

//! That somebody no longer waits for what is being worked out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says to work that takes long that it is to end: what it comes to is thrown away.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Says it.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was said.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

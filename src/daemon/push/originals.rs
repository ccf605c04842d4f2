//! Pushes as they were sent, while they wait for their pass in this process. The database holds them
//! without passwords; after a restart, or in another replica, a push is applied without them.

use crate::model::Digest;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Far more than a source may have waiting.
const MOST: usize = 1000;

/// The pushes by the digest of what is stored of them.
#[derive(Default)]
pub(in crate::daemon) struct PushOriginals(Mutex<HashMap<[u8; 16], Arc<[u8]>>>);

impl PushOriginals {
    /// Keeps what was sent, for the pass that reads what is stored.
    pub(in crate::daemon) fn keep(&self, stored: &[u8], sent: Arc<[u8]>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST {
            all.insert(Digest::of(stored).0, sent);
        }
    }

    /// What was sent in place of what is stored.
    pub(super) fn get(&self, stored: &[u8]) -> Option<Arc<[u8]>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&Digest::of(stored).0).cloned()
    }

    /// Forgets what was applied or answered.
    pub(in crate::daemon) fn forget(&self, stored: &[u8]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&Digest::of(stored).0);
    }
}

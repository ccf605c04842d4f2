//! Pushes with passwords as they were sent. The database holds them without passwords; this process
//! keeps what was sent until nothing of it waits any more. After a restart, or in another replica, a
//! push is applied without its passwords.

use crate::model::Key;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long one is kept. Another replica may have applied it, of which this one hears nothing.
const KEPT_FOR: Duration = Duration::from_hours(24);

/// How many bytes are kept in all. The oldest goes first.
const MOST_BYTES: usize = 64 << 20;

/// What was sent, by the id of the import.
#[derive(Default)]
pub(in crate::daemon) struct PushOriginals(Mutex<HashMap<String, OriginalPush>>);

struct OriginalPush {
    since: Instant,
    sent: Arc<[u8]>,
}

impl PushOriginals {
    /// Keeps what was sent, for the passes that read what is stored. What is kept already stays: a
    /// repetition of a push is no other push.
    pub(in crate::daemon) fn keep(&self, import: &str, sent: Arc<[u8]>) {
        self.keep_since(import, sent, Instant::now());
    }

    fn keep_since(&self, import: &str, sent: Arc<[u8]>, since: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, kept| since.saturating_duration_since(kept.since) < KEPT_FOR);
        let original = OriginalPush { since, sent };
        all.entry(import.to_owned()).or_insert(original);
        let mut bytes: usize = all.values().map(|kept| kept.sent.len()).sum();
        while bytes > MOST_BYTES && all.len() > 1 {
            let oldest = all.iter().min_by_key(|(_, kept)| kept.since);
            let Some(oldest) = oldest.map(|(import, _)| import.clone()) else {
                break;
            };
            bytes -= all.remove(&oldest).map_or(0, |kept| kept.sent.len());
        }
    }

    /// What was sent as this import.
    pub(super) fn get(&self, import: &str) -> Option<Arc<[u8]>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(import).map(|kept| Arc::clone(&kept.sent))
    }

    /// Forgets the imports that may name these people.
    pub(in crate::daemon) fn forget_naming(&self, keys: &BTreeSet<Key>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, kept| {
            let sent = String::from_utf8_lossy(&kept.sent);
            !keys.iter().any(|key| sent.contains(key.id.as_str()))
        });
    }

    /// Forgets an import of which nothing waits.
    pub(in crate::daemon) fn forget(&self, import: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(import);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_they_are_too_old_or_too_many() {
        let originals = PushOriginals::default();
        let start = Instant::now();
        let sent = |bytes: usize| vec![b'x'; bytes].into();
        originals.keep_since("first", sent(1), start);
        originals.keep_since("first", sent(2), start);
        assert_eq!(originals.get("first").map(|sent| sent.len()), Some(1));
        originals.keep_since("second", sent(1), start + KEPT_FOR);
        assert!(originals.get("first").is_none());
        originals.keep_since("third", sent(MOST_BYTES), start + KEPT_FOR * 3 / 2);
        assert!(originals.get("second").is_none());
        assert!(originals.get("third").is_some());
    }
}

//! Which sources wait for which: who keeps what it no longer declares until another source is read
//! or accepted looks again as soon as that one stands otherwise.

use super::serve::Daemon;
use crate::model::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// How the last pass of each source here left it.
#[derive(Debug, Default)]
pub(super) struct SourceWaits(Mutex<BTreeMap<String, LeftSource>>);

#[derive(Debug)]
struct LeftSource {
    waits_for: BTreeSet<String>,
    stands: Digest,
}

impl SourceWaits {
    /// Takes over how a pass left its source; returns the sources that waited for it, if it stands
    /// otherwise than before. Two that wait for each other come to rest so.
    fn left(&self, source: &str, waits_for: &BTreeSet<String>, stands: Digest) -> Vec<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waits_for = waits_for.clone();
        let left = LeftSource { waits_for, stands };
        let before = all.insert(source.to_owned(), left);
        if before.is_some_and(|before| before.stands == stands) {
            return Vec::new();
        }
        let waiting = all
            .iter()
            .filter(|(_, left)| left.waits_for.contains(source));
        waiting.map(|(name, _)| name.clone()).collect()
    }
}

impl Daemon {
    /// Asks for a pass of every source that waited for what the pass of this one has changed.
    pub(super) fn wake_waiting(&self, source: &str, waits_for: &BTreeSet<String>, stands: Digest) {
        for waiting in self.waits.left(source, waits_for, stands) {
            if let Some(worker) = self.worker(&waiting) {
                worker.knock(&format!("source {source}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(waits: &SourceWaits, source: &str, waits_for: &[&str], stands: &str) -> Vec<String> {
        let waits_for = waits_for.iter().map(|name| (*name).to_owned()).collect();
        waits.left(source, &waits_for, Digest::of(stands.as_bytes()))
    }

    #[test]
    fn who_waits_is_woken_once_each_time_the_other_stands_otherwise() {
        let waits = SourceWaits::default();
        assert!(left(&waits, "git", &["erp"], "all").is_empty());
        assert_eq!(left(&waits, "erp", &[], "half"), ["git"]);
        assert!(left(&waits, "erp", &[], "half").is_empty());
        assert_eq!(left(&waits, "erp", &[], "all"), ["git"]);
        assert!(left(&waits, "git", &[], "all").is_empty());
        assert!(left(&waits, "erp", &[], "half").is_empty());
    }

    #[test]
    fn two_that_wait_for_each_other_come_to_rest() {
        let waits = SourceWaits::default();
        assert!(left(&waits, "a", &["b"], "half").is_empty());
        assert_eq!(left(&waits, "b", &["a"], "half"), ["a"]);
        assert!(left(&waits, "a", &["b"], "half").is_empty());
        assert!(left(&waits, "b", &["a"], "half").is_empty());
    }
}

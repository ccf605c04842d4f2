//! Which sources wait for which: who keeps what it no longer declares until another source is read
//! or accepted looks again as soon as that one stands otherwise, and who has errors that another
//! source may end looks again as soon as another one has changed anything.

use super::serve::Daemon;
use crate::model::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// How the last pass of each source here left it.
#[derive(Debug, Default)]
pub(super) struct SourceWaits(Mutex<BTreeMap<String, LeftSource>>);

/// How a pass left its source.
#[derive(Debug)]
pub(super) struct LeftSource {
    /// The sources that its removals wait for.
    pub(super) waits_for: BTreeSet<String>,
    /// Whether it has errors that its own files do not decide alone.
    pub(super) in_error: bool,
    /// How it stands to the others.
    pub(super) stands: Digest,
    /// Whether the pass wrote anything.
    pub(super) wrote: bool,
}

impl SourceWaits {
    /// Takes over how a pass left its source; returns the sources that waited for what it changed.
    /// Two that wait for each other come to rest so.
    fn left(&self, source: &str, left: LeftSource) -> Vec<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (stands, wrote) = (left.stands, left.wrote);
        let before = all.insert(source.to_owned(), left);
        let moved = before.is_none_or(|before| before.stands != stands);
        let waiting = all.iter().filter(|(name, left)| {
            let waits = moved && left.waits_for.contains(source);
            let errs = (moved || wrote) && left.in_error;
            (waits || errs) && **name != source
        });
        waiting.map(|(name, _)| name.clone()).collect()
    }
}

impl Daemon {
    /// Asks for a pass of every source that waited for what the pass of this one has changed.
    pub(super) fn wake_waiting(&self, source: &str, left: LeftSource) {
        for waiting in self.waits.left(source, left) {
            if let Some(worker) = self.worker(&waiting) {
                worker.knock(&format!("source {source}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stood(waits_for: &[&str], stands: &str) -> LeftSource {
        LeftSource {
            waits_for: waits_for.iter().map(|name| (*name).to_owned()).collect(),
            in_error: false,
            stands: Digest::of(stands.as_bytes()),
            wrote: false,
        }
    }

    fn errs(stands: &str, wrote: bool) -> LeftSource {
        LeftSource {
            in_error: true,
            wrote,
            ..stood(&[], stands)
        }
    }

    fn wrote(stands: &str) -> LeftSource {
        LeftSource {
            wrote: true,
            ..stood(&[], stands)
        }
    }

    #[test]
    fn who_waits_is_woken_once_each_time_the_other_stands_otherwise() {
        let waits = SourceWaits::default();
        assert!(waits.left("git", stood(&["erp"], "all")).is_empty());
        assert_eq!(waits.left("erp", stood(&[], "half")), ["git"]);
        assert!(waits.left("erp", stood(&[], "half")).is_empty());
        assert_eq!(waits.left("erp", stood(&[], "all")), ["git"]);
        assert!(waits.left("git", stood(&[], "all")).is_empty());
        assert!(waits.left("erp", stood(&[], "half")).is_empty());
    }

    #[test]
    fn two_that_wait_for_each_other_come_to_rest() {
        let waits = SourceWaits::default();
        assert!(waits.left("a", stood(&["b"], "half")).is_empty());
        assert_eq!(waits.left("b", stood(&["a"], "half")), ["a"]);
        assert!(waits.left("a", stood(&["b"], "half")).is_empty());
        assert!(waits.left("b", stood(&["a"], "half")).is_empty());
    }

    #[test]
    fn who_has_errors_is_woken_by_what_another_source_writes() {
        let waits = SourceWaits::default();
        assert!(waits.left("crm", errs("one", false)).is_empty());
        assert_eq!(waits.left("shop", wrote("all")), ["crm"]);
        assert!(waits.left("shop", stood(&[], "all")).is_empty());
        assert_eq!(waits.left("shop", wrote("all")), ["crm"]);
        assert!(waits.left("crm", errs("one", true)).is_empty());
        assert!(waits.left("crm", stood(&[], "one")).is_empty());
        assert!(waits.left("shop", wrote("all")).is_empty());
    }
}

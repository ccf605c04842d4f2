//! Which sources wait for which. A source that keeps resources until another source is read or
//! accepted gets a pass when that one's relations change. A source with errors that another source
//! may fix gets a pass when any other source has changed something. `finish_pass` is called after
//! each pass and returns the sources to wake.

use crate::diagnostic::Severity;
use crate::model::Digest;
use crate::plan::Plan;
use crate::reconcile::Pass;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// The result of the last pass of each source on this replica.
#[derive(Debug, Default)]
pub(super) struct SourceWaits(Mutex<BTreeMap<String, SourceWaitState>>);

/// What a pass left behind.
#[derive(Debug)]
struct SourceWaitState {
    /// The sources that its removals wait for.
    waits_for: BTreeSet<String>,
    /// Whether it has errors that its own files alone do not explain.
    in_error: bool,
    /// A digest of what other sources can depend on.
    relations_digest: Digest,
    /// Whether the pass wrote anything.
    wrote: bool,
}

impl SourceWaits {
    /// Records a pass and returns the sources that waited for what it changed.
    pub(super) fn finish_pass(
        &self,
        pass: &Pass<'_>,
        index: usize,
        plan: &Plan,
        applied: bool,
    ) -> Vec<String> {
        let left = SourceWaitState::after_pass(pass, index, plan, applied);
        self.record_pass(&pass.readings[index].source.name, left)
    }

    /// Returns the sources to wake. A wakeup needs a change, so two sources that wait for each
    /// other come to rest.
    fn record_pass(&self, source: &str, left: SourceWaitState) -> Vec<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (stands, wrote) = (left.relations_digest, left.wrote);
        let before = all.insert(source.to_owned(), left);
        // After a start nothing is known of the source, and others may have waited since before.
        let moved = before.is_none_or(|before| before.relations_digest != stands);
        let waiting = all.iter().filter(|(name, left)| {
            let waits = moved && left.waits_for.contains(source);
            let errs = (moved || wrote) && left.in_error;
            // A source never wakes itself: its pass would follow its pass forever.
            (waits || errs) && **name != source
        });
        waiting.map(|(name, _)| name.clone()).collect()
    }
}

impl SourceWaitState {
    /// How a pass leaves the source that it planned.
    fn after_pass(pass: &Pass<'_>, index: usize, plan: &Plan, applied: bool) -> Self {
        // Errors found while reading depend only on the files. The rest, such as references to
        // missing resources, may be fixed by another source.
        let read = &pass.readings[index].diagnostics;
        let in_files = read.iter().filter(|found| found.is_error()).count();
        Self {
            waits_for: plan.waits_for.clone(),
            in_error: plan.count(Severity::Error) > in_files,
            relations_digest: pass.standing_digest(index),
            wrote: applied && !plan.steps.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stood(waits_for: &[&str], stands: &str) -> SourceWaitState {
        SourceWaitState {
            waits_for: waits_for.iter().map(|name| (*name).to_owned()).collect(),
            in_error: false,
            relations_digest: Digest::of(stands.as_bytes()),
            wrote: false,
        }
    }

    fn errs(stands: &str, wrote: bool) -> SourceWaitState {
        SourceWaitState {
            in_error: true,
            wrote,
            ..stood(&[], stands)
        }
    }

    fn wrote(stands: &str) -> SourceWaitState {
        SourceWaitState {
            wrote: true,
            ..stood(&[], stands)
        }
    }

    #[test]
    fn who_waits_is_woken_once_each_time_the_other_stands_otherwise() {
        let waits = SourceWaits::default();
        assert!(waits.record_pass("git", stood(&["erp"], "all")).is_empty());
        assert_eq!(waits.record_pass("erp", stood(&[], "half")), ["git"]);
        assert!(waits.record_pass("erp", stood(&[], "half")).is_empty());
        assert_eq!(waits.record_pass("erp", stood(&[], "all")), ["git"]);
        assert!(waits.record_pass("git", stood(&[], "all")).is_empty());
        assert!(waits.record_pass("erp", stood(&[], "half")).is_empty());
    }

    #[test]
    fn two_that_wait_for_each_other_come_to_rest() {
        let waits = SourceWaits::default();
        assert!(waits.record_pass("a", stood(&["b"], "half")).is_empty());
        assert_eq!(waits.record_pass("b", stood(&["a"], "half")), ["a"]);
        assert!(waits.record_pass("a", stood(&["b"], "half")).is_empty());
        assert!(waits.record_pass("b", stood(&["a"], "half")).is_empty());
    }

    #[test]
    fn who_has_errors_is_woken_by_what_another_source_writes() {
        let waits = SourceWaits::default();
        assert!(waits.record_pass("crm", errs("one", false)).is_empty());
        assert_eq!(waits.record_pass("shop", wrote("all")), ["crm"]);
        assert!(waits.record_pass("shop", stood(&[], "all")).is_empty());
        assert_eq!(waits.record_pass("shop", wrote("all")), ["crm"]);
        assert!(waits.record_pass("crm", errs("one", true)).is_empty());
        assert!(waits.record_pass("crm", stood(&[], "one")).is_empty());
        assert!(waits.record_pass("shop", wrote("all")).is_empty());
    }
}

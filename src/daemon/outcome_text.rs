//! What a pass came to, in a sentence.

use crate::diagnostic::codes;
use crate::document::{PassOutcome, SourceState};
use crate::plan::{Plan, StepVerb};

impl SourceState {
    /// Says that a plan was applied, with the run that did so if there was anything to do.
    pub(super) fn set_applied(&mut self, plan: &Plan, run: Option<i64>) {
        let waiting = match self.waiting().count() {
            0 => String::new(),
            1 => "; 1 hold needs a decision".to_owned(),
            many => format!("; {many} holds need a decision"),
        };
        let mut found = plan.diagnostics.iter();
        let kept = found.find(|found| found.code == codes::REMOVALS_OFF);
        let kept_words = kept.map_or_else(String::new, |kept| format!("; {}", kept.message));
        let (outcome, what) = match run {
            Some(run) => (
                PassOutcome::Applied,
                format!("{} as run {run}", done_sentence(plan)),
            ),
            None if self.drift > 0 => (PassOutcome::Unchanged, drift_sentence(self.drift)),
            None if self.errors == 0 && kept.is_none() && plan.held.is_empty() => (
                PassOutcome::Unchanged,
                "the database matches the source".to_owned(),
            ),
            None => (PassOutcome::Unchanged, "nothing to apply".to_owned()),
        };
        self.outcome = outcome;
        self.reason = what + &self.error_clause() + &kept_words + &waiting;
    }

    /// Says that nothing of the source can be read, so that what was applied stays.
    pub(super) fn unreadable(&mut self) {
        self.failures += 1;
        let first = self.findings.first();
        let first = first.map(ToString::to_string).unwrap_or_default();
        self.reason = format!("{first}; nothing was applied");
    }

    /// What errors hold back, of a source that goes on all the same.
    fn error_clause(&self) -> String {
        match (self.errors, self.findings.first()) {
            (1, Some(first)) => format!("; 1 error, the affected resources were skipped: {first}"),
            (many @ 2.., Some(first)) => {
                format!(
                    "; {many} errors, the affected resources were skipped; first error: {first}"
                )
            }
            _ => String::new(),
        }
    }
}

/// That so many resources differ, and stay as they are.
fn drift_sentence(drift: usize) -> String {
    match drift {
        1 => "1 resource was changed outside Roster; with `drift: report` Roster only reports it"
            .to_owned(),
        many => format!(
            "{many} resources were changed outside Roster; with `drift: report` Roster only reports them"
        ),
    }
}

/// What a plan has done, as `updated 3, deactivated 1`.
fn done_sentence(plan: &Plan) -> String {
    let entries = plan.summary.entries().into_iter();
    let steps = entries.filter(|(verb, count)| *count > 0 && StepVerb::by_word(verb).is_some());
    let done = steps.map(|(verb, count)| format!("{}ed {count}", verb.trim_end_matches('e')));
    done.collect::<Vec<_>>().join(", ")
}

/// So many errors.
pub(super) fn error_count(count: usize) -> String {
    match count {
        1 => "1 error".to_owned(),
        many => format!("{many} errors"),
    }
}

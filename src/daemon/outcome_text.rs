//! The sentence that describes the result of a pass, for status, page and notices.

use crate::diagnostic::codes;
use crate::document::{PassOutcome, SourceState};
use crate::plan::{Plan, StepVerb};

impl SourceState {
    /// Describes an applied plan, with its run if there was anything to do.
    pub(super) fn set_applied(&mut self, plan: &Plan, run: Option<i64>) {
        let waiting = match self.waiting().count() {
            0 => String::new(),
            1 => "; 1 hold needs a decision".to_owned(),
            many => format!("; {many} holds need a decision"),
        };
        let mut found = plan.diagnostics.iter();
        let stays = [codes::REMOVALS_OFF, codes::REVERTED];
        let kept = found.find(|found| stays.contains(&found.code));
        let kept_words = kept.map_or_else(String::new, |kept| format!("; {}", kept.message));
        // The order matters: "matches the source" may only be said when nothing drifted, failed, or
        // was held back.
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

    /// Describes a source that could not be read at all. What was applied stays.
    pub(super) fn unreadable(&mut self) {
        self.failures += 1;
        let first = self.findings.first();
        let first = first.map(ToString::to_string).unwrap_or_default();
        self.reason = format!("{first}; nothing was applied");
    }

    /// What errors hold back in a source that is applied otherwise.
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

/// Describes drift that is only reported.
fn drift_sentence(drift: usize) -> String {
    match drift {
        1 => "1 resource was changed outside Roster; with `drift: report` Roster only reports it"
            .to_owned(),
        many => format!(
            "{many} resources were changed outside Roster; with `drift: report` Roster only reports them"
        ),
    }
}

/// The committed steps, as `updated 3, deactivated 1`.
fn done_sentence(plan: &Plan) -> String {
    let entries = plan.summary.entries().into_iter();
    let steps = entries.filter(|(verb, count)| *count > 0 && StepVerb::by_word(verb).is_some());
    // Every verb takes a regular past tense once its final e is gone.
    let done = steps.map(|(verb, count)| format!("{}ed {count}", verb.trim_end_matches('e')));
    done.collect::<Vec<_>>().join(", ")
}

pub(super) fn error_count(count: usize) -> String {
    match count {
        1 => "1 error".to_owned(),
        many => format!("{many} errors"),
    }
}

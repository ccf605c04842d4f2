//! What a pass records in the state of its source: counts, holds, diagnostics, drift and lag. The
//! state itself is a document in `document`, because the API shows it; `state_document` saves and
//! loads it.

use crate::diagnostic::{Diagnostic, Severity, codes, group};
use crate::document::{CommitList, CommitSummary, DiagnosticState, HoldState};
use crate::git::CommitInfo;
use crate::plan::render::effects;
use crate::plan::{Plan, StepReason};
use crate::reconcile::{self, PassOutcome};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;
use std::fmt;

pub use crate::document::{RevisionMark, SourceState};

/// How many diagnostics the state lists. The plan has all of them.
const MAX_LISTED: usize = 100;
/// How often every column is compared, instead of only rows whose version changed.
const SCRUB_INTERVAL: TimeDelta = TimeDelta::days(1);

impl RevisionMark {
    /// The revision of a plan at a moment.
    pub(super) fn from_plan(plan: &Plan, at: DateTime<Utc>, run: Option<i64>) -> Self {
        Self {
            revision: plan.source.revision.to_string(),
            at,
            run,
        }
    }
}

impl SourceState {
    /// Records a plan.
    pub fn record_plan(&mut self, plan: &Plan, now: DateTime<Utc>) {
        let entries = plan.summary.entries().into_iter();
        self.summary = entries
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        self.record_holds(plan, now);
        self.effects = effects::of_plan(plan);
        self.errors = plan.count(Severity::Error);
        self.warnings = plan.count(Severity::Warning);
        self.findings = diagnostic_states(&plan.diagnostics);
        let drift = plan
            .steps
            .iter()
            .filter(|step| step.reason == StepReason::Drift);
        let mut drifted: BTreeSet<_> = drift.map(|step| &step.key).collect();
        // With `drift: report` there is no step, only a diagnostic. A resource with both counts
        // once.
        let reported = plan.diagnostics.iter();
        let reported = reported.filter(|found| found.code == codes::DRIFT);
        drifted.extend(reported.filter_map(|found| found.key.as_ref()));
        self.drift = drifted.len();
    }

    /// Records the holds of a plan.
    pub(super) fn record_holds(&mut self, plan: &Plan, now: DateTime<Utc>) {
        self.held = reconcile::hold_states(plan, &self.held, now);
    }

    /// Records the commits that a pass read first.
    pub(super) fn record_commits(&mut self, commits: Option<CommitList>) {
        let newest = commits.as_ref().and_then(|commits| commits.listed.first());
        if let Some(newest) = newest {
            self.commit = Some(newest.clone());
        }
        self.commits = commits;
    }

    /// Records what was applied. A pass that applies nothing and reads no other revision applies
    /// nothing anew, so the mark of the one before stays.
    pub(super) fn note_applied(&mut self, mark: RevisionMark) {
        let is_same =
            |before: &RevisionMark| mark.run.is_none() && before.revision == mark.revision;
        if !self.last_applied.as_ref().is_some_and(is_same) {
            self.last_applied = Some(mark);
        }
    }

    /// Whether a pass has a new result compared to `before`, and belongs in the list of passes.
    pub(super) fn is_noteworthy(&self, before: &Self) -> bool {
        // New commits count even if they changed nothing here, because the list shows who pushed
        // what.
        let seen = |state: &Self| Some(state.last_attempted.as_ref()?.revision.clone());
        self.outcome != before.outcome
            || self.reason != before.reason
            || self.run != before.run
            || self.commits.is_some() && seen(self) != seen(before)
    }

    /// Records since when the database has not matched the source. The time survives passes that
    /// fail for different reasons.
    pub(super) fn note_lag(&mut self, before: &Self, begun: DateTime<Utc>) {
        let since = before.behind_since.unwrap_or(begun);
        self.behind_since = self.is_behind().then_some(since);
    }

    fn is_behind(&self) -> bool {
        match (&self.last_attempted, &self.last_applied) {
            _ if matches!(self.outcome, PassOutcome::Failed | PassOutcome::Refused) => true,
            (Some(attempted), Some(applied)) => attempted.revision != applied.revision,
            (attempted, None) => attempted.is_some(),
            (None, Some(_)) => false,
        }
    }

    /// Whether every column must be compared again. A daemon that is new to a source does not begin
    /// with it: the apply that loaded the directory has compared all of it.
    pub(super) fn scrub_due(&self, now: DateTime<Utc>) -> bool {
        // A clock that was set back must not postpone it.
        self.scrubbed
            .is_some_and(|last| (now - last).abs() > SCRUB_INTERVAL)
    }

    /// The state as the list of passes keeps it: many are kept, and only the last pass has holds to
    /// decide about.
    pub(super) fn without_details(&self) -> Self {
        let mut state = self.clone();
        for hold in &mut state.held {
            hold.details = Vec::new();
            hold.effect_lines = Vec::new();
        }
        state
    }

    /// The holds that wait for a person.
    pub fn waiting(&self) -> impl Iterator<Item = &HoldState> {
        self.held
            .iter()
            .filter(|hold| hold.hold.is_some() && !hold.standing)
    }
}

fn diagnostic_states(found: &[Diagnostic]) -> Vec<DiagnosticState> {
    let mut found: Vec<&Diagnostic> = found.iter().collect();
    // Errors first, so that warnings never push them out of the list.
    found.sort_by_key(|found| found.severity);
    let grouped = group(found).into_iter().take(MAX_LISTED);
    grouped.map(|one| DiagnosticState::of(&one.found)).collect()
}

impl From<CommitInfo> for CommitSummary {
    fn from(commit: CommitInfo) -> Self {
        Self {
            revision: commit.revision,
            author: commit.author,
            subject: commit.subject,
        }
    }
}

impl DiagnosticState {
    pub(super) fn of(found: &Diagnostic) -> Self {
        Self {
            severity: found.severity.to_string(),
            code: found.code.name().to_owned(),
            message: found.message.clone(),
            help: found.help.clone(),
            resource: found.key.as_ref().map(ToString::to_string),
            place: found.origin.as_ref().map(ToString::to_string),
            proposed: false,
        }
    }
}

impl fmt::Display for DiagnosticState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        match &self.place {
            Some(place) => write!(f, " ({place}, {})", self.code),
            None => write!(f, " ({})", self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_compared_once_a_day_and_not_at_the_start() {
        let now = Utc::now();
        let due = |scrubbed| {
            let state = SourceState {
                scrubbed,
                ..SourceState::default()
            };
            state.scrub_due(now)
        };
        assert!(!due(None));
        assert!(!due(Some(now - TimeDelta::hours(23))));
        assert!(due(Some(now - TimeDelta::hours(25))));
        // The clock was set back.
        assert!(due(Some(now + TimeDelta::hours(25))));
    }
}

//! The state of one source, as the database keeps it and the API, the page and the metrics show it.

use super::feed::FeedState;
use crate::diagnostic::{Diagnostic, Severity, codes, group};
use crate::git::CommitInfo;
use crate::plan::render::holds;
use crate::plan::{Plan, StepReason};
use crate::reconcile::PassOutcome;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How many findings, and resources of a hold, the state lists; the plan has them all.
const MAX_LISTED: usize = 100;
/// How long until every column is compared again, whatever the versions say.
const SCRUB_INTERVAL: TimeDelta = TimeDelta::days(1);

/// A revision of a source at a point in time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionMark {
    /// A git commit or a content digest.
    pub revision: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The run that committed its changes. Absent if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
}

/// The commits of a source since another commit.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitList {
    /// The number of commits.
    pub count: usize,
    /// The newest commits, newest first.
    pub listed: Vec<CommitSummary>,
}

/// A commit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitSummary {
    /// The full id of the commit.
    pub revision: String,
    /// The name of the author.
    pub author: String,
    /// The first line of the commit message.
    pub subject: String,
}

/// A hold that needs a decision, or a standing hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldState {
    /// The id for an approval. Absent if nobody can approve this hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// The code of the rule.
    pub code: String,
    /// What is held, and why.
    pub message: String,
    /// The held verb.
    pub verb: String,
    /// The number of resources.
    pub count: usize,
    /// The first resources, such as `User/u-1`.
    pub resources: Vec<String>,
    /// The accounts of the held users, organisations and policies, as far as the plan names them.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Whether this is a standing hold, which needs no decision.
    pub standing: bool,
    /// Since when every pass has had this hold.
    pub since: DateTime<Utc>,
    /// The commands that approve the hold.
    pub commands: Vec<String>,
    /// What to do if no command can approve the hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
}

/// A diagnostic of a pass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiagnosticState {
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// The code of the rule.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The resource, such as `User/u-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The path, line and column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// The state of one source.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceState {
    /// The result of the last pass.
    pub outcome: PassOutcome,
    /// One sentence that explains the result. If nothing happened, it says why.
    pub reason: String,
    /// Since when passes have had the same result.
    pub since: Option<DateTime<Utc>>,
    /// Since when the database has differed from the source, or the source has been unreadable.
    /// Absent if they are equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind_since: Option<DateTime<Utc>>,
    /// The last revision that a pass read.
    pub last_attempted: Option<RevisionMark>,
    /// The last revision that was applied, apart from held and refused parts.
    pub last_applied: Option<RevisionMark>,
    /// The commits between the last applied revision and the one that the pass read. Commits that
    /// do not change the source are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<CommitList>,
    /// The number of failed passes in a row.
    pub failures: u32,
    /// The triggers of the last pass.
    pub triggers: BTreeSet<String>,
    /// The number of resources per verb of the last plan.
    pub summary: BTreeMap<String, u64>,
    /// The holds that need a decision, and standing holds.
    pub held: Vec<HoldState>,
    /// The number of errors.
    pub errors: usize,
    /// The number of warnings.
    pub warnings: usize,
    /// The first diagnostics, errors first.
    pub findings: Vec<DiagnosticState>,
    /// The number of resources with drift.
    pub drift: usize,
    /// The commit before the branch was rewound or force-pushed.
    pub rewound: Option<String>,
    /// The duration of each phase of the last pass, in seconds.
    pub seconds: BTreeMap<String, f64>,
    /// The last run of the source that was reported.
    pub run: Option<i64>,
    /// When a pass last compared every column, regardless of versions.
    pub scrubbed: Option<DateTime<Utc>>,
    /// For an export: its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedState>,
}

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
    /// Takes over what a plan says.
    pub fn record_plan(&mut self, plan: &Plan, now: DateTime<Utc>) {
        let entries = plan.summary.entries().into_iter();
        self.summary = entries
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        self.record_holds(plan, now);
        self.errors = plan.count(Severity::Error);
        self.warnings = plan.count(Severity::Warning);
        self.findings = diagnostic_states(&plan.diagnostics);
        let drift = plan
            .steps
            .iter()
            .filter(|step| step.reason == StepReason::Drift);
        let mut drifted: BTreeSet<_> = drift.map(|step| &step.key).collect();
        // With `drift: report` there is no step.
        let reported = plan.diagnostics.iter();
        let reported = reported.filter(|found| found.code == codes::DRIFT);
        drifted.extend(reported.filter_map(|found| found.key.as_ref()));
        self.drift = drifted.len();
    }

    /// Takes over what a plan holds.
    pub(super) fn record_holds(&mut self, plan: &Plan, now: DateTime<Utc>) {
        self.held = hold_states(plan, &self.held, now);
    }

    /// Whether a pass that ended so is worth telling of after one that ended in `before`.
    pub(super) fn is_noteworthy(&self, before: &Self) -> bool {
        let seen = |state: &Self| Some(state.last_attempted.as_ref()?.revision.clone());
        self.outcome != before.outcome
            || self.reason != before.reason
            || self.run != before.run
            || self.commits.is_some() && seen(self) != seen(before)
    }

    /// Notes since when the database has not been what the source says: over passes that differ in why.
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

    /// Whether it is time to compare every column again.
    pub(super) fn scrub_due(&self, now: DateTime<Utc>) -> bool {
        // A clock that was set back must not put it off.
        self.scrubbed
            .is_none_or(|last| (now - last).abs() > SCRUB_INTERVAL)
    }

    /// What waits for a decision of a person.
    pub fn waiting(&self) -> impl Iterator<Item = &HoldState> {
        self.held
            .iter()
            .filter(|hold| hold.hold.is_some() && !hold.standing)
    }
}

/// The holds of a plan; those that were there before keep their beginning.
fn hold_states(plan: &Plan, before: &[HoldState], now: DateTime<Utc>) -> Vec<HoldState> {
    let holds = holds::holds(plan);
    let shown = holds.iter().map(|hold| {
        let first = hold.first();
        let id = first.is_approvable().then(|| first.hold.clone());
        let message = hold.message().unwrap_or_else(|| first.message.clone());
        let same = |old: &&HoldState| match (&id, &old.hold) {
            (Some(id), Some(old)) => id == old,
            (None, None) => old.code == first.code.name() && old.message == message,
            _ => false,
        };
        let resources = hold.resources();
        HoldState {
            code: first.code.name().to_owned(),
            verb: first.verb.word().to_owned(),
            count: resources.len(),
            resources: resources
                .iter()
                .take(MAX_LISTED)
                .map(ToString::to_string)
                .collect(),
            accounts: Vec::new(),
            standing: hold.is_standing(),
            since: before.iter().find(same).map_or(now, |old| old.since),
            // An override is of one run of the command line, which this is not.
            commands: hold.commands().into_iter().take(1).collect(),
            otherwise: hold.required_action().map(str::to_owned),
            hold: id,
            message,
        }
    });
    shown.collect()
}

fn diagnostic_states(found: &[Diagnostic]) -> Vec<DiagnosticState> {
    let mut found: Vec<&Diagnostic> = found.iter().collect();
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
    fn of(found: &Diagnostic) -> Self {
        Self {
            severity: found.severity.to_string(),
            code: found.code.name().to_owned(),
            message: found.message.clone(),
            help: found.help.clone(),
            resource: found.key.as_ref().map(ToString::to_string),
            place: found.origin.as_ref().map(ToString::to_string),
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

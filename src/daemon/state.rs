//! The state of one source, as the database keeps it and the API, the page and the metrics show it.

use super::feed::FeedState;
use crate::diagnostic::{Diagnostic, Severity, codes, group};
use crate::git::Commit;
use crate::plan::render::holds;
use crate::plan::{Plan, Reason};
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How many findings, and resources of a hold, the state lists; the plan has them all.
const LISTED: usize = 100;
/// How long until every column is compared again, whatever the versions say.
const SCRUB: TimeDelta = TimeDelta::days(1);

/// What the last pass of a source came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// There was none yet.
    #[default]
    Never,
    /// Changes were committed.
    Applied,
    /// The database already matched.
    Unchanged,
    /// The source is in mode `plan`: it was only said what would be done.
    Planned,
    /// Changes wait for a window to open.
    WindowClosed,
    /// Errors of the source refused the plan: nothing was done.
    Refused,
    /// The source or the database could not be read or written: it is tried again.
    Failed,
}

/// A revision of a source at a moment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// A git commit or a content digest.
    pub revision: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The run that committed changes of it, if any had to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
}

/// What git says of the commits of a source that came since another one.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Commits {
    /// How many they are.
    pub count: usize,
    /// The newest of them, newest first.
    pub listed: Vec<CommitState>,
}

/// A commit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitState {
    /// Its id in full.
    pub revision: String,
    /// The name of its author.
    pub author: String,
    /// The first line of what it says.
    pub subject: String,
}

/// A hold that waits for a person, or stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldState {
    /// What an approval names; without one no approval helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// The code of its rule.
    pub code: String,
    /// What is held and why.
    pub message: String,
    /// What would be done.
    pub verb: String,
    /// How many resources.
    pub count: usize,
    /// The first of them, as `User/u-1`.
    pub resources: Vec<String>,
    /// The accounts that the held users, organisations and policies belong to, as far as the plan says.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Whether it only stands there.
    pub standing: bool,
    /// Since when it was seen in every pass.
    pub since: DateTime<Utc>,
    /// The commands that let it through.
    pub commands: Vec<String>,
    /// What has to happen where no command lets it through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
}

/// Something that reading or checking came upon.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingState {
    /// `error`, `warning` or `note`.
    pub severity: String,
    /// The code of the rule.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// The way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The resource, as `User/u-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Where: path, line and column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// The state of one source.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct State {
    /// What the last pass came to.
    pub outcome: Outcome,
    /// Why, in a sentence; why nothing happened, if nothing did.
    pub reason: String,
    /// Since when passes come to the same.
    pub since: Option<DateTime<Utc>>,
    /// Since when the database has not been what the source says, or the source cannot be read; absent
    /// while it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind_since: Option<DateTime<Utc>>,
    /// The last revision that a pass looked at.
    pub last_attempted: Option<Mark>,
    /// The last revision that the database was made equal to, held and refused parts aside.
    pub last_applied: Option<Mark>,
    /// The commits that the pass looked at and the last applied revision has not: what it brought, or
    /// what waits. Those that touch nothing of the source are not among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<Commits>,
    /// How many passes in a row have failed.
    pub failures: u32,
    /// What made the last pass begin.
    pub triggers: BTreeSet<String>,
    /// How many resources each verb of the last plan concerns.
    pub summary: BTreeMap<String, u64>,
    /// What waits for a person, or stands.
    pub held: Vec<HoldState>,
    /// How many errors there are.
    pub errors: usize,
    /// How many warnings there are.
    pub warnings: usize,
    /// The first findings, errors first.
    pub findings: Vec<FindingState>,
    /// How many resources somebody else had changed.
    pub drift: usize,
    /// That the branch was rewound or pushed by force, and from where.
    pub rewound: Option<String>,
    /// Seconds that each phase of the last pass took.
    pub seconds: BTreeMap<String, f64>,
    /// The last run of the source that was told of.
    pub run: Option<i64>,
    /// When every column was last compared, whatever the versions say.
    pub scrubbed: Option<DateTime<Utc>>,
    /// Of an export: what is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedState>,
}

impl Mark {
    /// The revision of a plan at a moment.
    pub(super) fn of(plan: &Plan, at: DateTime<Utc>, run: Option<i64>) -> Self {
        Self {
            revision: plan.source.revision.to_string(),
            at,
            run,
        }
    }
}

impl State {
    /// Takes over what a plan says.
    pub fn tell(&mut self, plan: &Plan, now: DateTime<Utc>) {
        let entries = plan.summary.entries().into_iter();
        self.summary = entries
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        self.tell_held(plan, now);
        self.errors = plan.count(Severity::Error);
        self.warnings = plan.count(Severity::Warning);
        self.findings = findings(&plan.diagnostics);
        let drift = plan
            .steps
            .iter()
            .filter(|step| step.reason == Reason::Drift);
        let mut drifted: BTreeSet<_> = drift.map(|step| &step.key).collect();
        // With `drift: report` there is no step.
        let reported = plan.diagnostics.iter();
        let reported = reported.filter(|found| found.code == codes::DRIFT);
        drifted.extend(reported.filter_map(|found| found.key.as_ref()));
        self.drift = drifted.len();
    }

    /// Takes over what a plan holds.
    pub(super) fn tell_held(&mut self, plan: &Plan, now: DateTime<Utc>) {
        self.held = held(plan, &self.held, now);
    }

    /// Whether a pass that ended so is worth telling of after one that ended in `before`.
    pub(super) fn is_news(&self, before: &Self) -> bool {
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
            _ if matches!(self.outcome, Outcome::Failed | Outcome::Refused) => true,
            (Some(attempted), Some(applied)) => attempted.revision != applied.revision,
            (attempted, None) => attempted.is_some(),
            (None, Some(_)) => false,
        }
    }

    /// Whether it is time to compare every column again.
    pub(super) fn scrub_due(&self, now: DateTime<Utc>) -> bool {
        // A clock that was set back must not put it off.
        self.scrubbed.is_none_or(|last| (now - last).abs() > SCRUB)
    }

    /// What waits for a decision of a person.
    pub fn waiting(&self) -> impl Iterator<Item = &HoldState> {
        self.held
            .iter()
            .filter(|hold| hold.hold.is_some() && !hold.standing)
    }
}

/// The holds of a plan; those that were there before keep their beginning.
fn held(plan: &Plan, before: &[HoldState], now: DateTime<Utc>) -> Vec<HoldState> {
    let holds = holds::holds(plan);
    let shown = holds.iter().map(|hold| {
        let first = hold.first();
        let id = first.approvable().then(|| first.hold.clone());
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
                .take(LISTED)
                .map(ToString::to_string)
                .collect(),
            accounts: Vec::new(),
            standing: hold.standing(),
            since: before.iter().find(same).map_or(now, |old| old.since),
            // An override is of one run of the command line, which this is not.
            commands: hold.commands().into_iter().take(1).collect(),
            otherwise: hold.otherwise().map(str::to_owned),
            hold: id,
            message,
        }
    });
    shown.collect()
}

fn findings(found: &[Diagnostic]) -> Vec<FindingState> {
    let mut found: Vec<&Diagnostic> = found.iter().collect();
    found.sort_by_key(|found| found.severity);
    let grouped = group(found).into_iter().take(LISTED);
    grouped.map(|one| FindingState::of(&one.found)).collect()
}

impl From<Commit> for CommitState {
    fn from(commit: Commit) -> Self {
        Self {
            revision: commit.revision,
            author: commit.author,
            subject: commit.subject,
        }
    }
}

impl FindingState {
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

impl fmt::Display for FindingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        match &self.place {
            Some(place) => write!(f, " ({place}, {})", self.code),
            None => write!(f, " ({})", self.code),
        }
    }
}

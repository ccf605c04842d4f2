//! The daemon's decision on a plan. It applies what the source and the windows of the configuration
//! allow, and records why it does not apply the rest. It is the daemon's [`PlanConsent`] for
//! [`reconcile::run`].
//!
//! [`reconcile::run`]: crate::reconcile::run

use super::feed;
use super::outcome_text;
use super::pass_progress::PassInProgress;
use super::push::PushInput;
use super::schedule::WindowState;
use super::state::RevisionMark;
use super::state_document::commits;
use crate::config::{ApplyWindow, Config, Source};
use crate::document::SourceState;
use crate::plan::Plan;
use crate::reconcile::{self, Pass, PassError, PassOutcome, PlanConsent, PlanDecision};
use crate::store::Store;
use chrono::{SecondsFormat, Utc};
use std::time::Instant;

/// Leaves the plan. The reason is in the state of the source, so the decision carries none.
fn leave(outcome: PassOutcome) -> PlanDecision {
    PlanDecision::Leave {
        outcome,
        why: String::new(),
    }
}

/// Decides for the daemon, and records the plan in the pass.
pub(super) struct DaemonConsent<'a> {
    pub(super) made: &'a mut PassInProgress,
    pub(super) config: &'a Config,
    pub(super) store: &'a Store,
    /// When the current phase began.
    pub(super) phase: Instant,
    /// Whether the export has a report of faulty rows.
    pub(super) report: bool,
}

impl PlanConsent for DaemonConsent<'_> {
    type Error = PassError;

    fn actor(&self) -> String {
        let push = self.made.push.as_ref();
        push.map_or("roster serve", PushInput::actor).to_owned()
    }

    async fn decide(
        &mut self,
        pass: &mut Pass<'_>,
        index: usize,
        plan: &Plan,
        allowed: PlanDecision,
    ) -> Result<PlanDecision, PassError> {
        let made = &mut *self.made;
        made.record_seconds("plan", self.phase);
        let before = made.state.last_attempted.as_ref();
        // The mirror may lie behind what another replica applied. While the remote is unreachable
        // nobody can tell which commit is newer, and applying the older one would undo changes. The
        // state keeps what the last good pass said.
        made.behind = made.remote_unreachable
            && before.is_some_and(|mark| *mark.revision != *plan.source.revision);
        if made.behind {
            return Ok(leave(PassOutcome::Failed));
        }
        // Remembered for the reason that `record_fetches` gives.
        made.unreadable = pass.readings[index].is_unreadable();
        let source = &self.config.sources[index];
        let scrub = pass.request.scrub;
        made.record_plan(self.config, source, self.store, plan, scrub)
            .await?;
        let decided = made.decide(source, plan, allowed);
        let reading = &pass.readings[index];
        let pushed = made.push.as_ref().map(|push| &*push.pushed);
        // After the decision and before the apply, because rows of a refused export are the ones
        // that somebody has to fix.
        self.report = feed::store_report(reading, plan, pushed, self.store).await?;
        // Set before the apply, so that the imports end in its transaction: an answer exists
        // exactly if its changes do.
        if let Some(push) = &made.push {
            let outcome = match &decided {
                PlanDecision::Apply => PassOutcome::Applied,
                PlanDecision::Leave { outcome, .. } => *outcome,
            };
            pass.request.push_endings = {
                let erased = &pass.readings[index].erased;
                push.endings(source, plan, outcome, &made.state, erased)
            };
        }
        self.phase = Instant::now();
        Ok(decided)
    }
}

impl PassInProgress {
    /// Records what a plan says, before anything is done with it. If the apply fails, the state
    /// still shows the plan.
    async fn record_plan(
        &mut self,
        config: &Config,
        source: &Source,
        store: &Store,
        plan: &Plan,
        scrub: bool,
    ) -> Result<(), PassError> {
        let now = Utc::now();
        self.state.record_plan(plan, now);
        reconcile::find_hold_accounts(store, &mut self.state.held).await?;
        reconcile::find_hold_commits(config, source, store, plan, &mut self.state.held).await?;
        let revision = &plan.source.revision;
        let read = commits(config, source, &self.state, revision);
        if read.is_none() && self.state.commit.is_none() {
            // Applied before by a release that did not keep it.
            let newest = commits(config, source, &SourceState::default(), revision);
            self.state.commit = newest.and_then(|mut newest| newest.listed.pop());
        }
        self.state.record_commits(read);
        let mut attempted = RevisionMark::from_plan(plan, now, None);
        if attempted.revision.is_empty() {
            // A commit that could not be read was attempted all the same. Without it the source
            // would look as if the old one was tried.
            attempted.revision.clone_from(&self.fetched_revision);
        }
        self.state.last_attempted = Some(attempted);
        // The interval begins with the first pass.
        if scrub || self.state.scrubbed.is_none() {
            self.state.scrubbed = Some(now);
        }
        Ok(())
    }

    /// Decides about a plan and records the reason if it is not applied.
    fn decide(&mut self, source: &Source, plan: &Plan, allowed: PlanDecision) -> PlanDecision {
        let (outcome, why) = match allowed {
            // First: of an unreadable source nothing can be decided, and its empty plan must not
            // count as a success.
            _ if self.unreadable => {
                self.retry = true;
                self.state.unreadable();
                self.state.outcome = PassOutcome::Failed;
                return leave(PassOutcome::Failed);
            }
            PlanDecision::Leave {
                outcome: PassOutcome::Refused,
                ..
            } => {
                let first = self.state.findings.first();
                let first = first.map(ToString::to_string).unwrap_or_default();
                let errors = outcome_text::error_count(self.state.errors);
                (
                    PassOutcome::Refused,
                    format!("{errors} refused the plan; first error: {first}"),
                )
            }
            PlanDecision::Leave { outcome, why } => (outcome, why),
            PlanDecision::Apply => match self.why_closed(source, plan) {
                Some(why) => (PassOutcome::WindowClosed, why),
                None => return PlanDecision::Apply,
            },
        };
        (self.state.outcome, self.state.reason) = (outcome, why);
        leave(outcome)
    }

    /// The reason, if a window forbids to apply the plan now.
    fn why_closed(&self, source: &Source, plan: &Plan) -> Option<String> {
        // Without steps there is nothing to delay, and the source is shown as matching.
        if self.overruled || plan.steps.is_empty() {
            return None;
        }
        // Asked now and not when the pass began: reading and planning can outlast the window.
        let window = ApplyWindow::state(&source.timing.windows, Utc::now());
        let WindowState::Closed { by, until } = window else {
            return None;
        };
        let until = until.map_or(String::new(), |until| {
            format!(
                " until {}",
                until.to_rfc3339_opts(SecondsFormat::Secs, true)
            )
        });
        let steps = match plan.steps.len() {
            1 => "1 step is delayed".to_owned(),
            many => format!("{many} steps are delayed"),
        };
        Some(format!("{steps}{until}: {by}"))
    }
}

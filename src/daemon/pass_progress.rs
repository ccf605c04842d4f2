//! What is known of a pass while it is made, and how it ends.

use super::notice;
use super::push::PushInput;
use super::schedule;
use super::state::SourceState;
use super::state_document::SourceStateDocument;
use crate::config::{ApplyWindow, Source};
use crate::diagnostic::chain;
use crate::git::CommitMovement;
use crate::plan::Plan;
use crate::reconcile::{FetchResults, PassError, PassOutcome, PassRequest};
use crate::store::Suspension;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::time::Instant;

/// The trigger of a pass that applies whatever the windows say.
pub(super) const OVERRULE_TRIGGER: &str = "overrule";

/// How a pass ended.
pub(super) enum PassEnd {
    /// It was made; whether it has to be tried again soon.
    Completed {
        /// Whether to try again.
        retry: bool,
    },
    /// Another replica is at it.
    LeaseHeld(String),
    /// Another replica has just made it.
    MadeByOtherReplica(DateTime<Utc>),
    /// Somebody suspended the source.
    Suspended(Suspension),
    /// The database cannot be asked.
    Failed(String),
}

/// A pass being made.
pub(super) struct PassInProgress {
    /// Whether a window lets it apply.
    pub(super) window: schedule::WindowState,
    /// Whether somebody said to apply all the same.
    pub(super) overruled: bool,
    pub(super) state: SourceState,
    pub(super) notice_state: notice::NoticeState,
    /// When the pass before ended.
    pub(super) last_ended: Option<DateTime<Utc>>,
    pub(super) plan: Option<Plan>,
    pub(super) retry: bool,
    /// Whether the remote could not be asked.
    pub(super) remote_unreachable: bool,
    /// The commit that was fetched.
    pub(super) fetched_revision: String,
    /// Whether what is here is not what a pass saw before: another replica knows a later commit.
    pub(super) behind: bool,
    /// Whether nothing of the source can be read.
    pub(super) unreadable: bool,
    /// Why the export that was fetched is none that is new.
    pub(super) unchanged_because: Option<String>,
    /// What was sent, of a source that is pushed to.
    pub(super) push: Option<PushInput>,
}

impl PassInProgress {
    /// A pass that begins now, after what came of going to the network.
    pub(super) fn new(
        memory: SourceStateDocument,
        source: &Source,
        triggers: &BTreeSet<String>,
        fetches: &FetchResults,
        push: Option<PushInput>,
        begun: DateTime<Utc>,
    ) -> Self {
        let mut state = memory.state;
        state.triggers.clone_from(triggers);
        state.seconds.clear();
        let fetched = || {
            fetches
                .iter()
                .filter_map(|(_, result)| result.as_ref().ok())
        };
        Self {
            window: ApplyWindow::state(&source.timing.windows, begun),
            overruled: triggers.contains(OVERRULE_TRIGGER),
            state,
            notice_state: memory.told,
            last_ended: memory.ended,
            plan: None,
            retry: false,
            remote_unreachable: fetches.iter().any(|(_, result)| result.is_err()),
            fetched_revision: fetched()
                .next()
                .map_or_else(String::new, |it| it.revision.clone()),
            behind: false,
            unreadable: false,
            unchanged_because: fetched().find_map(|it| it.unchanged_because.map(str::to_owned)),
            push,
        }
    }

    /// What the pass is asked for.
    pub(super) fn request(&self, source: &Source) -> PassRequest {
        PassRequest {
            source: Some(source.name.to_string()),
            pushed: self.push.as_ref().map(|push| push.pushed.clone()),
            ..PassRequest::default()
        }
    }

    /// Keeps how long a phase took.
    pub(super) fn record_seconds(&mut self, phase: &str, begun: Instant) {
        let seconds = begun.elapsed().as_secs_f64();
        self.state.seconds.insert(phase.to_owned(), seconds);
    }

    pub(super) fn fail(&mut self, error: &PassError) {
        (self.state.outcome, self.retry) = (PassOutcome::Failed, true);
        self.state.failures += 1;
        self.state.reason = chain(error);
        tracing::warn!("{}", self.state.reason);
    }

    /// Takes over what came of going to the network. What could not be fetched stays as it was
    /// fetched last, and is repaired as that.
    pub(super) fn record_fetches(&mut self, fetches: FetchResults) {
        for (_, fetched) in fetches {
            match fetched.map(|fetched| fetched.movement) {
                Ok(CommitMovement::Rewound { from }) => self.state.rewound = Some(from),
                Ok(CommitMovement::Same) => {}
                Ok(_) => self.state.rewound = None,
                Err(error) => {
                    if self.state.outcome != PassOutcome::Failed || self.behind {
                        self.state.failures += 1;
                    }
                    let what = match (self.unreadable, self.behind) {
                        (true, _) => "nothing was ever fetched, so nothing was applied",
                        (_, true) => {
                            "another commit was applied since then, so nothing was applied"
                        }
                        _ => "the last fetched version stays in use",
                    };
                    (self.state.outcome, self.retry) = (PassOutcome::Failed, true);
                    self.state.reason = format!("{error}; {what}");
                }
            }
        }
    }
}

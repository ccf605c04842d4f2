//! The state of a pass while it is made (`PassInProgress`), and how it ends (`PassEnd`). `new`
//! starts from the saved state of the source and the result of the fetch; `record_fetches` and
//! `fail` record what went wrong.

use super::notice;
use super::push::PushInput;
use super::state::SourceState;
use super::state_document::SourceStateDocument;
use crate::config::Source;
use crate::diagnostic::chain;
use crate::git::CommitMovement;
use crate::plan::Plan;
use crate::reconcile::{FetchResults, PassError, PassOutcome, PassRequest};
use crate::store::Suspension;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::time::Instant;

/// The trigger of a pass that applies even if no window is open.
pub(super) const OVERRULE_TRIGGER: &str = "overrule";

/// How a pass ended.
pub(super) enum PassEnd {
    /// The pass was made.
    Completed {
        /// Whether to try again soon.
        retry: bool,
    },
    /// Another replica holds the lease.
    LeaseHeld(String),
    /// Another replica made the pass, at this time.
    MadeByOtherReplica(DateTime<Utc>),
    /// The source is suspended.
    Suspended(Suspension),
    /// The pass broke off, mostly because the database is unreachable.
    Failed(String),
}

/// A pass that is being made.
pub(super) struct PassInProgress {
    /// Whether a person asked to apply outside the windows.
    pub(super) overruled: bool,
    pub(super) state: SourceState,
    pub(super) notice_state: notice::NoticeState,
    /// When the previous pass ended.
    pub(super) last_ended: Option<DateTime<Utc>>,
    pub(super) plan: Option<Plan>,
    pub(super) retry: bool,
    /// Whether a fetch failed.
    pub(super) remote_unreachable: bool,
    /// The commit that was fetched.
    pub(super) fetched_revision: String,
    /// Whether the local mirror may be older than what another pass applied.
    pub(super) behind: bool,
    /// Whether nothing of the source could be read.
    pub(super) unreadable: bool,
    /// Why the fetched export is not a new one.
    pub(super) unchanged_because: Option<String>,
    /// What was pushed, for a pushed source.
    pub(super) push: Option<PushInput>,
}

impl PassInProgress {
    /// A pass that begins now, from the saved state and the result of the fetch.
    pub(super) fn new(
        memory: SourceStateDocument,
        triggers: &BTreeSet<String>,
        fetches: &FetchResults,
        push: Option<PushInput>,
    ) -> Self {
        let mut state = memory.state;
        state.triggers.clone_from(triggers);
        // A phase that this pass does not reach must not show the time of an earlier one.
        state.seconds.clear();
        state.approvals.clear();
        let fetched = || {
            fetches
                .iter()
                .filter_map(|(_, result)| result.as_ref().ok())
        };
        Self {
            overruled: triggers.contains(OVERRULE_TRIGGER),
            state,
            notice_state: memory.notified,
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

    /// The request for reading this source.
    pub(super) fn request(&self, source: &Source) -> PassRequest {
        PassRequest {
            source: Some(source.name.to_string()),
            takes_trailers: true,
            pushed: self.push.as_ref().map(|push| push.pushed.clone()),
            row_matches: self.push.as_ref().map(|push| push.row_matches.clone()),
            ..PassRequest::default()
        }
    }

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

    /// Records the result of the fetches. If one failed, the version fetched last stays in use, and
    /// drift from it is still repaired.
    pub(super) fn record_fetches(&mut self, fetches: FetchResults) {
        for (_, fetched) in fetches {
            match fetched.map(|fetched| fetched.movement) {
                // Stays in the state until the branch moves again, because a rewound branch may
                // mean lost commits.
                Ok(CommitMovement::Rewound { from }) => self.state.rewound = Some(from),
                Ok(CommitMovement::Same) => {}
                Ok(_) => self.state.rewound = None,
                Err(error) => {
                    // A pass that failed by itself has already counted this failure.
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

//! One pass of one source: what `roster apply` does, with a reason for every nothing.

use super::feed;
use super::notice;
use super::outbox;
use super::pass_decision::DaemonConsent;
use super::pass_readiness::PassFetches;
use super::push::{self, PushInput};
use super::schedule;
use super::serve::{Daemon, DaemonSetup};
use super::stable_read::read_settled;
use super::state::{RevisionMark, SourceState};
use super::state_document::{
    SourceStateDocument, find_hold_accounts, load, plan_document, to_json,
};
use crate::config::{ApplyWindow, FeedConfig, Source};
use crate::diagnostic::chain;
use crate::git::CommitMovement;
use crate::plan::Plan;
use crate::reconcile::{
    self, FetchResults, LeaseGuard, PassDone, PassError, PassOutcome, PassRequest, PassResult,
};
use crate::store::{ApplyError, LeaseError, Store, Suspension};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How often somebody may write between a plan and its apply before the pass counts as failed.
const MAX_TRIES: usize = 5;
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

/// Makes a pass of a source.
pub(super) async fn run(
    daemon: &Daemon,
    setup: &DaemonSetup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: PassFetches,
) -> PassEnd {
    match run_under_lease(daemon, setup, source, triggers, found).await {
        Ok(ended) => ended,
        Err(error) => {
            daemon.unwritable.record_pass_end(source, Some(&error));
            PassEnd::Failed(chain(&error))
        }
    }
}

async fn run_under_lease(
    daemon: &Daemon,
    setup: &DaemonSetup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: PassFetches,
) -> Result<PassEnd, PassError> {
    let store = &daemon.store;
    let lease = match LeaseGuard::take(store, source, Duration::ZERO).await {
        Ok(lease) => lease,
        Err(PassError::Lease(error @ LeaseError::Timeout(_))) => {
            return Ok(PassEnd::LeaseHeld(error.to_string()));
        }
        Err(error) => return Err(error),
    };
    let ended = dispatch_pass(daemon, setup, source, triggers, found, &lease).await;
    lease.release(store).await;
    ended
}

async fn dispatch_pass(
    daemon: &Daemon,
    setup: &DaemonSetup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: PassFetches,
    lease: &LeaseGuard,
) -> Result<PassEnd, PassError> {
    let pushed = setup.config.source(source);
    if pushed
        .and_then(Source::feed)
        .is_some_and(FeedConfig::is_pushed)
    {
        return push::make_passes(daemon, setup, source, triggers, lease).await;
    }
    make_pass(daemon, setup, source, triggers, found, lease, None).await
}

/// Makes one pass, under the lease.
pub(super) async fn make_pass(
    daemon: &Daemon,
    setup: &DaemonSetup,
    source: &str,
    triggers: &BTreeSet<String>,
    found: PassFetches,
    lease: &LeaseGuard,
    push: Option<PushInput>,
) -> Result<PassEnd, PassError> {
    let (memory, last) = load(&daemon.store, source).await?;
    let before = memory.state.clone();
    let begun = Utc::now();
    let Some(index) = setup
        .config
        .sources
        .iter()
        .position(|known| *known.name == *source)
    else {
        return Err(PassError::Usage(setup.config.no_source(source)));
    };
    let seen =
        schedule::recent_pass_elsewhere(&before, &setup.config.sources[index], triggers, begun);
    if let Some(at) = seen.filter(|_| push.is_none()) {
        return Ok(PassEnd::MadeByOtherReplica(at));
    }
    let mut fetches = found.fetches;
    if last != found.last_pass && !fetches.is_empty() {
        // Another replica made a pass meanwhile, maybe of a later commit than the one found before.
        fetches = reconcile::fetch(&setup.config, Some(source));
    }
    let mut made = PassInProgress::new(
        memory,
        &setup.config.sources[index],
        triggers,
        &fetches,
        push,
        begun,
    );
    daemon.unwritable.record_pass_end(source, None);
    let mut tries = 1;
    while let Err(error) = made.plan_and_apply(daemon, setup, index, lease).await {
        let stale = matches!(error, PassError::Apply(ApplyError::Stale { .. }));
        if !stale || tries == MAX_TRIES {
            daemon.unwritable.record_pass_end(source, Some(&error));
            made.fail(&error);
            break;
        }
        // Somebody wrote in between: the next plan sees it.
        tracing::info!("source {source}: {}; planning again", chain(&error));
        tries += 1;
    }
    made.record_fetches(fetches);
    if made.state.outcome != PassOutcome::Failed {
        made.state.failures = 0;
    }
    made.state.note_lag(&before, begun);
    if made.state.outcome != before.outcome || made.state.reason != before.reason {
        made.state.since = Some(begun);
    }
    let again = made.retry;
    made.save(daemon, setup, source, &before, lease).await?;
    Ok(PassEnd::Completed { retry: again })
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
    fn new(
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
    fn request(&self, source: &Source) -> PassRequest {
        PassRequest {
            source: Some(source.name.to_string()),
            pushed: self.push.as_ref().map(|push| push.pushed.clone()),
            ..PassRequest::default()
        }
    }

    async fn plan_and_apply(
        &mut self,
        daemon: &Daemon,
        setup: &DaemonSetup,
        index: usize,
        lease: &LeaseGuard,
    ) -> Result<(), PassError> {
        let (store, begun) = (&daemon.store, Instant::now());
        let request = PassRequest {
            scrub: self.state.scrub_due(Utc::now()),
            ..self.request(&setup.config.sources[index])
        };
        let (mut pass, seen) = read_settled(setup, request, store).await?;
        schedule::note_closed(&mut pass.readings, index, Utc::now());
        if self.push.as_ref().is_some_and(PushInput::atomic) {
            pass.readings[index].source.hold_errors = false;
        }
        let mut consent = DaemonConsent {
            made: self,
            setup,
            store,
            phase: begun,
            report: false,
        };
        let made = reconcile::run(&mut pass, index, store, lease, &mut consent).await?;
        let (report, phase) = (consent.report, consent.phase);
        let PassResult { plan, done } = made;
        let done = done?;
        if self.behind {
            return Ok(());
        }
        let applied = matches!(done, PassDone::Applied(_));
        if applied {
            self.record_seconds("apply", phase);
            let run = done.run(&plan);
            self.state.last_applied = Some(RevisionMark::from_plan(&plan, Utc::now(), run));
            self.state.run = run.or(self.state.run);
            if run.is_some() && !plan.accepted.is_empty() && !plan.held.is_empty() {
                self.refresh_holds(setup, index, store).await?;
            }
            self.state.set_applied(&plan, run);
        } else {
            store.end_imports(&pass.request.push_endings).await?;
        }
        let told = feed::feed_state(
            &pass.readings[index],
            store,
            self.unchanged_because.as_deref(),
        );
        if let Some(mut feed) = told.await? {
            feed.report = report;
            self.state.feed = Some(feed);
        }
        let seen = seen.filter(|_| self.push.is_none());
        daemon.finish_pass(setup, (pass, index), &plan, applied, seen);
        self.plan = Some(plan);
        Ok(())
    }

    /// Keeps how long a phase took.
    pub(super) fn record_seconds(&mut self, phase: &str, begun: Instant) {
        let seconds = begun.elapsed().as_secs_f64();
        self.state.seconds.insert(phase.to_owned(), seconds);
    }

    /// What is left of a hold is another hold: nobody may decide on the old one.
    async fn refresh_holds(
        &mut self,
        setup: &DaemonSetup,
        index: usize,
        store: &Store,
    ) -> Result<(), PassError> {
        let request = self.request(&setup.config.sources[index]);
        let (mut pass, _) = read_settled(setup, request, store).await?;
        let left = pass.plan(index, store, &[]).await?;
        self.state.record_holds(&left, Utc::now());
        Ok(find_hold_accounts(store, &mut self.state).await?)
    }

    fn fail(&mut self, error: &PassError) {
        (self.state.outcome, self.retry) = (PassOutcome::Failed, true);
        self.state.failures += 1;
        self.state.reason = chain(error);
        tracing::warn!("{}", self.state.reason);
    }

    /// Takes over what came of going to the network. What could not be fetched stays as it was
    /// fetched last, and is repaired as that.
    fn record_fetches(&mut self, fetches: FetchResults) {
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

    async fn save(
        self,
        daemon: &Daemon,
        setup: &DaemonSetup,
        source: &str,
        before: &SourceState,
        lease: &LeaseGuard,
    ) -> Result<(), PassError> {
        let (store, plan) = (&daemon.store, self.plan.as_ref());
        daemon.counters.count_pass(source, &self.state);
        let told = self.state.notice_state(plan);
        let states = [&self.notice_state, &told];
        let notices = outbox::notices(setup, source, states, self.last_ended, &self.state, plan);
        let state = self.state;
        let pass = state.is_noteworthy(before).then(|| to_json(&state));
        let (reason, ended) = (state.reason.clone(), Some(Utc::now()));
        let memory = to_json(&SourceStateDocument { state, told, ended });
        let plan = plan.map(plan_document);
        // Before the state is kept: told twice is better than never.
        outbox::enqueue(daemon, setup, &notices).await?;
        let kept = store.save_source_state(
            source,
            &memory,
            plan.as_deref(),
            pass.as_deref(),
            &daemon.replica,
            lease.lease(),
        );
        if !kept.await? {
            tracing::warn!("source {source}: another replica took over");
        } else if pass.is_some() {
            // Only now: whoever reads it here finds it so there.
            tracing::info!("source {source}: {reason}");
        }
        Ok(())
    }
}
